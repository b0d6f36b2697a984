// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bus messages. Those about one device (its areas, its release) go through
 * that device's lane, so that they keep their order with its transport
 * messages and a slow disk holds up nobody else; the rest is answered at once.
 */
#include "bus_priv.h"

static struct bus_num *lane_of(struct bus *bus, u16 num)
{
	return num ? bus_num_find(bus, num) : &bus->zero;
}

struct bus_num *bus_msg_lane(struct bus *bus, const u8 *msg, u32 len)
{
	struct xvm_msg_area_add add;

	switch (msg[VIRTIO_MSG_HDR_ID]) {
	case XVM_BUS_MSG_AREA_ADD:
		return xvm_msg_get_area_add(msg, len, &add) ? NULL : lane_of(bus, add.scope);
	case XVM_BUS_MSG_AREA_DEL:
		return area_scope(bus, xvm_msg_get_number(msg));
	case XVM_BUS_MSG_RELEASE_DEVICE:
	case XVM_BUS_MSG_QUIESCE:
	case XVM_BUS_MSG_RESUME:
	case XVM_BUS_MSG_KEEP_QUEUE:	/* the number comes first in it too */
		return bus_num_find(bus, xvm_msg_get_number(msg));
	default:
		return NULL;
	}
}

static enum answer ping(struct bus *bus, const u8 *msg)
{
	bus_answer(bus, msg, xvm_msg_put_u32(bus->out, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0,
					     xvm_msg_get_u32(msg)));
	return ANSWER_DONE;
}

/* The window's bits; returns where the next device beyond it is, 0 if there is none. */
static u16 fill_window(const struct bus *bus, u16 offset, u16 count, u8 *bitmap)
{
	const struct bus_num *n;
	u32 at;

	for (n = bus->nums; n; n = n->next) {
		if (!n->vdev || n->vdev->pending || n->leaving || n->num < offset)
			continue;
		at = n->num - (u32)offset;
		if (at >= count)
			return bus->rules->windows_of_8 ? n->num & ~7 : n->num;
		bitmap[at / 8] |= (u8)(1 << at % 8);
	}
	return 0;
}

static enum answer get_devices(struct bus *bus, const u8 *msg)
{
	u32 fit = bus->link.max_message - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_GET_DEVICES_FIXED;
	u8 bitmap[65536 / 8] = { 0 };
	struct xvm_msg_get_devices m = { .bitmap = bitmap };

	xvm_msg_get_get_devices(msg, &m.offset, &m.count);
	if (bus->rules->windows_of_8 && (m.offset | m.count) & 7) {
		m.count = 0;
		bus->bad[XVM_FRAME_LENGTH]++;
	}
	if (m.count > fit * 8)
		m.count = (u16)(fit * 8);
	/* Numbers end at 65535; if offset has to be a multiple of 8, this is one too. */
	if (m.count > 65536u - m.offset)
		m.count = (u16)(65536u - m.offset);
	if (m.count)
		m.next_offset = fill_window(bus, m.offset, m.count, bitmap);
	bus_answer(bus, msg, xvm_msg_put_devices(bus->out, bus->dialect, &m));
	return ANSWER_DONE;
}

static enum answer status(struct bus *bus, const u8 *msg, u16 status)
{
	struct xvm_msg_area_status m = { .id = xvm_msg_get_number(msg), .status = status };

	bus_answer(bus, msg, xvm_msg_put_area_status(bus->out, msg[VIRTIO_MSG_HDR_ID], &m));
	return ANSWER_DONE;
}

/*
 * The driver side has let go of a removed number. One that was told and did
 * not reset first has its device taken from under it now; the release is then
 * looked at again.
 */
static enum answer release_device(struct bus *bus, struct bus_num *n, const u8 *msg)
{
	if (!n)
		return status(bus, msg, XVM_STATUS_NO_DEVICE);
	if (n->vdev && !n->leaving)
		return status(bus, msg, XVM_STATUS_INVALID);
	if (n->vdev) {
		n->op = BUS_OP_REMOVE;
		n->drained = xvm_vdev_begin_removal(n->vdev);
		bus_ready(n);
		return ANSWER_LATER;
	}
	n->released = true;
	n->owe_device = false;
	bus_ready(n);
	return status(bus, msg, XVM_STATUS_OK);
}

enum answer bus_msg_answer(struct bus *bus, struct bus_num *n, const u8 *msg, u32 len)
{
	switch (msg[VIRTIO_MSG_HDR_ID]) {
	case VIRTIO_BUS_MSG_PING:
		return ping(bus, msg);
	case VIRTIO_BUS_MSG_GET_DEVICES:
		return get_devices(bus, msg);
	case XVM_BUS_MSG_AREA_ADD:
		return area_add(bus, n, msg, len);
	case XVM_BUS_MSG_AREA_DEL:
		return area_del(bus, n, msg);
	case XVM_BUS_MSG_RELEASE_DEVICE:
		return release_device(bus, n, msg);
	case XVM_BUS_MSG_QUIESCE:
		return keep_quiesce(bus, n, msg);
	case XVM_BUS_MSG_RESUME:
		return keep_resume(bus, n, msg);
	case XVM_BUS_MSG_KEEP_QUEUE:
		return keep_queue(bus, n, msg);
	default:
		return ANSWER_MALFORMED;
	}
}
