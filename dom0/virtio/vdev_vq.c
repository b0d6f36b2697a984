// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queues of a device as its driver sets them up: configuration, start, and
 * what is recorded of them so that they outlive a connection. Must not know
 * messages. Called by vdev.c and, one call per message, by dom0/bus.
 */
#include "vdev.h"

/* ---- records ---- */

void xvm_vdev_keep_in(struct xvm_vdev *vdev, struct xvm_keep *keep)
{
	u32 i;

	for (i = 0; i < vdev->num_vqs; i++) {
		vdev->vq[i].keep = keep;
		vdev->vq[i].dev = vdev->num;
		vdev->vq[i].log = NULL;
	}
}

/* The driver begins anew: there is nothing that a later connection could take up. */
void xvm_vdev_end_logs(struct xvm_vdev *vdev)
{
	u32 i;

	for (i = 0; i < vdev->num_vqs; i++)
		xvm_keep_end(vdev->vq[i].keep, vdev->num, i);
	xvm_vdev_note(vdev, NULL, 0);
	vdev->was_reset = true;
}

/* All queues are recorded in one place, or none is. */
static struct xvm_keep *keep_of(const struct xvm_vdev *vdev)
{
	return vdev->num_vqs ? vdev->vq[0].keep : NULL;
}

bool xvm_vdev_note(struct xvm_vdev *vdev, const void *data, u32 bytes)
{
	struct xvm_keep *keep = keep_of(vdev);

	if (!keep || (data && xvm_keep_note(keep, vdev->num, data, bytes)))
		return true;
	xvm_keep_end_note(keep, vdev->num);
	return !data;
}

bool xvm_vdev_noted(const struct xvm_vdev *vdev, void *data, u32 bytes)
{
	return keep_of(vdev) && xvm_keep_noted(keep_of(vdev), vdev->num, data, bytes);
}

static void begin_log(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	if (!xvm_vq_log(vq))
		vdev->unlogged = true;
}

/* ---- set-up ---- */

static u32 queue_format(const struct xvm_vdev *vdev)
{
	return (vdev->acked & XVM_F_EVENT_IDX ? XVM_VQ_EVENT_IDX : 0) |
	       (vdev->acked & XVM_F_RING_PACKED ? XVM_VQ_PACKED : 0) |
	       (vdev->acked & XVM_F_IN_ORDER ? XVM_VQ_IN_ORDER : 0);
}

/*
 * A queue may have been set up before the features, and so its format, were
 * final. One that goes on from an older connection was set up after them.
 */
void xvm_vdev_start_vqs(struct xvm_vdev *vdev)
{
	struct xvm_vq_config config;
	struct xvm_vq *vq;
	u32 i;

	for (i = 0; i < vdev->num_vqs; i++) {
		vq = &vdev->vq[i];
		if (!vq->enabled)
			continue;
		if (vq->kept) {
			/* What its driver missed between the connections. */
			vdev->ops->used(vdev, vq);
			continue;
		}
		config = vq->config;
		if (xvm_vq_enable(vq, &config, queue_format(vdev)))
			xvm_vq_reset(vq);
		begin_log(vdev, vq);
	}
}

struct xvm_vq *xvm_vdev_vq(struct xvm_vdev *vdev, u32 index)
{
	return index < vdev->num_vqs ? &vdev->vq[index] : NULL;
}

int xvm_vdev_set_vq(struct xvm_vdev *vdev, u32 index, const struct xvm_vq_config *config)
{
	struct xvm_vq *vq = xvm_vdev_vq(vdev, index);
	int err;

	if (!vq)
		return -ENOENT;
	if (vq->in_flight || vdev->resetting)
		return -EBUSY;
	if (vq->outside && vq->enabled && vdev->type->cancel)
		vdev->type->cancel(vdev, vq);
	xvm_vq_reset(vq);
	err = xvm_vq_enable(vq, config, queue_format(vdev));
	/*
	 * A record that is there may be one that the driver will ask to keep, until
	 * it cannot ask any more or has said that it begins anew.
	 */
	if (!err && (vdev->was_reset || vdev->status & XVM_S_DRIVER_OK))
		begin_log(vdev, vq);
	/* A broken device stays stopped until it is reset as a whole. */
	vq->stopped = vdev->status & XVM_S_NEEDS_RESET;
	/* A notification may have come before the message that makes the queue live. */
	if (!err && vdev->ready)
		vdev->ops->again(vdev, vq);
	return err;
}

int xvm_vdev_update_vq(struct xvm_vdev *vdev, u32 index, const struct xvm_vq_config *config,
		       bool enable)
{
	struct xvm_vq *vq = xvm_vdev_vq(vdev, index);
	struct xvm_vq_config old;
	int err = 0;

	if (!vq)
		return -ENOENT;
	if (vq->enabled || vq->in_flight || vdev->resetting)
		return -EBUSY;
	old = vq->config;
	if (enable) {
		err = xvm_vdev_set_vq(vdev, index, config);
	} else if (config->size > vq->max_size) {
		vq->fault = "queue size is above the maximum";
		vq->fault_value = config->size;
		err = -EINVAL;
	}
	/* Addresses are judged when the queue is enabled: the area may come later. */
	vq->config = err ? old : *config;
	return err;
}

int xvm_vdev_keep_vq(struct xvm_vdev *vdev, u32 index, bool idle)
{
	struct xvm_vq *vq = xvm_vdev_vq(vdev, index);
	struct xvm_vq_config config;
	int err;

	if (!vq || !vq->enabled || vdev->resetting || vq->in_flight ||
	    (vdev->status & (XVM_S_FEATURES_OK | XVM_S_DRIVER_OK | XVM_S_NEEDS_RESET)) !=
	    XVM_S_FEATURES_OK)
		return -EINVAL;
	config = vq->config;
	if (xvm_vq_enable(vq, &config, queue_format(vdev))) {
		xvm_vq_reset(vq);
		return -EINVAL;
	}
	err = xvm_vq_keep(vq, idle, vdev->repeatable);
	vq->kept = !err;
	return err;
}

bool xvm_vdev_uses_area(const struct xvm_vdev *vdev, u32 area)
{
	const struct xvm_vq *vq;
	u32 i;

	for (i = 0; i < XVM_VDEV_MAX_SHM; i++) {
		if (vdev->shm[i].length && xvm_addr_area(vdev->shm[i].addr) == area)
			return true;
	}
	for (i = 0; i < vdev->num_vqs; i++) {
		vq = &vdev->vq[i];
		if (vq->enabled && (xvm_addr_area(vq->config.desc) == area ||
				    xvm_addr_area(vq->config.driver) == area ||
				    xvm_addr_area(vq->config.device) == area))
			return true;
	}
	return false;
}

struct xvm_vdev_shm xvm_vdev_shm(const struct xvm_vdev *vdev, u32 index)
{
	struct xvm_vdev_shm none = { 0 };

	return index < XVM_VDEV_MAX_SHM ? vdev->shm[index] : none;
}
