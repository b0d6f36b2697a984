// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keeping devices over the end of a connection (docs/protocol.md, section 15):
 * QUIESCE and RESUME before and after a suspension, KEEP_QUEUE after a new
 * connection. All go through the lane of their device. What is recorded and
 * how it is taken up again is dom0/virtio/keep.c's.
 */
#include "bus_priv.h"
#include "../base/log.h"
#include "../../include/xvmsg/xenbus.h"

bool keep_only(const struct xvm_hdr *hdr)
{
	return hdr->type & VIRTIO_MSG_TYPE_BUS &&
	       (hdr->id == XVM_BUS_MSG_QUIESCE || hdr->id == XVM_BUS_MSG_RESUME ||
		hdr->id == XVM_BUS_MSG_KEEP_QUEUE);
}

static enum answer status(struct bus *bus, const u8 *msg, u16 status)
{
	struct xvm_msg_area_status m = { .id = xvm_msg_get_number(msg), .status = status };

	bus_answer(bus, msg, xvm_msg_put_area_status(bus->out, msg[VIRTIO_MSG_HDR_ID], &m));
	return ANSWER_DONE;
}

static bool is_there(const struct bus_num *n)
{
	return n && n->vdev;
}

/* Between KEEP_QUEUE and DRIVER_OK there is what nobody serves, so it would never be answered. */
static bool may_come_to_rest(const struct xvm_vdev *vdev)
{
	u32 i;

	for (i = 0; i < vdev->num_vqs; i++)
		if (vdev->vq[i].kept && !(vdev->status & XVM_S_DRIVER_OK))
			return false;
	return true;
}

enum answer keep_quiesce(struct bus *bus, struct bus_num *n, const u8 *msg)
{
	if (!is_there(n))
		return status(bus, msg, XVM_STATUS_NO_DEVICE);
	if (!may_come_to_rest(n->vdev))
		return status(bus, msg, XVM_STATUS_INVALID);
	if (xvm_vdev_begin_quiet(n->vdev, XVM_QUIET_ALL))
		return status(bus, msg, XVM_STATUS_OK);
	n->op = BUS_OP_QUIESCE;
	return ANSWER_LATER;
}

void keep_quiesce_finish(struct bus_num *n, const u8 *msg)
{
	status(n->bus, msg, XVM_STATUS_OK);
}

enum answer keep_resume(struct bus *bus, struct bus_num *n, const u8 *msg)
{
	if (!is_there(n))
		return status(bus, msg, XVM_STATUS_NO_DEVICE);
	xvm_vdev_end_quiet(n->vdev, XVM_QUIET_ALL);
	return status(bus, msg, XVM_STATUS_OK);
}

enum answer keep_queue(struct bus *bus, struct bus_num *n, const u8 *msg)
{
	struct xvm_msg_keep_queue m;
	int err;

	xvm_msg_get_keep_queue(msg, &m);
	if (!is_there(n))
		return status(bus, msg, XVM_STATUS_NO_DEVICE);
	if (m.flags & ~XVM_KEEP_IDLE)
		return status(bus, msg, XVM_STATUS_INVALID);
	err = xvm_vdev_keep_vq(n->vdev, m.index, m.flags & XVM_KEEP_IDLE);
	keep_tell(n);
	if (err == -ENODATA)
		log_warn("device %u: queue %u cannot be kept: nobody knows what was in flight", n->num, m.index);
	return status(bus, msg, !err ? XVM_STATUS_OK :
			       err == -ENODATA ? XVM_STATUS_LOST : XVM_STATUS_INVALID);
}

void keep_tell(struct bus_num *n)
{
	if (!n->vdev->unlogged || n->bus->told_unlogged)
		return;
	n->bus->told_unlogged = true;
	log_warn("device %u: the keep file has no room for more queues: what is in flight in them is lost if this worker dies",
		 n->num);
}
