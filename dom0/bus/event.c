// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events are state, not a queue: what a number owes is made from its newest
 * state when rule R1 lets an event into the ring. Constant memory, nothing
 * lost, repeats merge.
 */
#include "bus_priv.h"
#include "../../include/xvmsg/xenbus.h"

static bool send_device(struct bus_num *n)
{
	u16 state = n->vdev && !n->leaving ? VIRTIO_MSG_DEVICE_READY : VIRTIO_MSG_DEVICE_REMOVED;

	return bus_event(n->bus, xvm_msg_put_event_device(n->bus->out, n->num, state));
}

/*
 * The range without the data: an event may stand for several changes, and two
 * with data must not have the same generation.
 */
static bool send_config(struct bus_num *n)
{
	struct xvm_vdev *vdev = n->vdev;
	struct xvm_msg_event_config m = {
		.device_status = vdev->status,
		.generation = vdev->generation,
		.offset = vdev->news_from,
		.length = vdev->news_to - vdev->news_from,
	};

	if (!bus_event(n->bus, xvm_msg_put_event_config(n->bus->out, n->num, &m)))
		return false;
	xvm_vdev_news_told(vdev);
	return true;
}

static bool send_used(struct bus_num *n, u32 index)
{
	if (!bus_event(n->bus, xvm_msg_put_u32(n->bus->out, 0, VIRTIO_MSG_EVENT_USED, n->num, index)))
		return false;
	if (n->vdev)
		n->vdev->calls++;
	return true;
}

static u32 taken(const struct bus *bus)
{
	return xvm_shm_load32(bus->link.control + XVM_CTRL_DEV_CONS);
}

/*
 * A guest that is paused looks the same, and must not lose its devices: where
 * they can be kept, the driver side connects again when it runs again.
 */
static void stall(struct bus *bus)
{
	if (bus->link.bus_features & XVM_BUS_F_KEEP)
		bus->stalled = true;
	else
		bus_fail(bus, XVM_ERR_STALLED, bus->rules->event_seconds);
}

static void room_timer_done(struct xvm_aio_req *req, int result)
{
	struct bus *bus = (struct bus *)((char *)req - offsetof(struct bus, room_timer));

	(void)result;
	bus->room_waits = false;
	if (bus->connected && bus->held && taken(bus) == bus->room_cons)
		stall(bus);
	else
		event_watch(bus);
}

/* Delivery is bounded: docs/protocol.md, section 14. Where the driver side is, is only compared. */
void event_watch(struct bus *bus)
{
	u32 seconds = bus->rules->event_seconds;

	if (!bus->connected || !bus->held || bus->room_waits || !seconds)
		return;
	bus->room_cons = taken(bus);
	bus->room_timer.done = room_timer_done;
	bus->room_waits = !xvm_aio_timer(bus->aio, &bus->room_timer, seconds * 1000);
}

bool event_flush(struct bus_num *n)
{
	u32 i;

	if (!n->bus->connected)
		return true;
	if (n->owe_device && !send_device(n))
		return false;
	n->owe_device = false;
	if (n->owe_config && !send_config(n))
		return false;
	n->owe_config = false;
	while (n->owe_used) {
		i = (u32)__builtin_ctzll(n->owe_used);
		if (!send_used(n, i))
			return false;
		n->owe_used &= n->owe_used - 1;
	}
	return true;
}
