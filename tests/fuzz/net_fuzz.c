// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-net against any driver and any wire: the input is a byte of features, then steps. Each is a kind, a
 * length and bytes: a command on the control queue, frames either way, receive buffers, link and reset; or the worker
 * dies and the bytes are written over its note. Whatever comes, at the end of a step no buffer is held, lists are within
 * their bounds, and attached queues are those in use.
 */
/* LINK: dom0/dev/net.c dom0/dev/net_io.c dom0/dev/net_ctrl.c dom0/dev/net_filter.c dom0/dev/net_note.c dom0/dev/net_vhost.c */
/* LINK: dom0/dev/vhost.c dom0/base/log.c dom0/virtio */
/* LIBS: -lcmocka */
#include "../support/net_rig.h"
#include "../../dom0/base/log.h"
#include "../../dom0/virtio/keep.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

static struct xvm_keep keep;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u64 choose(u8 byte)
{
	u64 features = NET_BASE | NET_F(MAC) | NET_F(STATUS) | NET_F(CTRL_VQ) | NET_F(CTRL_MAC_ADDR);

	if (byte & 1)
		features |= NET_F(MRG_RXBUF);
	if (byte & 2)
		features |= NET_GUEST_OFFLOADS | NET_F(CTRL_GUEST_OFFLOADS);
	if (byte & 4)
		features |= NET_F(MQ);
	if (byte & 8)
		features |= NET_F(CTRL_RX) | NET_F(CTRL_RX_EXTRA);
	if (byte & 16)
		features |= NET_F(CTRL_VLAN);
	if (byte & 32)
		features |= NET_F(GUEST_ANNOUNCE);
	if (byte & 64)
		features |= XVM_F_IN_ORDER;
	return features;
}

static void check(const struct net_rig *f, bool settled)
{
	const struct net *net = f->vdev->model;
	u32 i;

	CHECK(!f->vdev->in_flight && net->filter.macs <= NET_MACS && net->pairs && net->pairs <= net->max_pairs);
	CHECK(!(net->offloads & ~f->vdev->acked) && net->offloads == rig_tap.offloads);
	for (i = 0; settled && i < RIG_PAIRS; i++)
		CHECK(rig_tap.attached[i] == (net->running && net->link && i < net->pairs));
}

/* Buffers as the input says, somewhere in the queue's memory and beyond it. */
static void offer(struct net_rig *f, u32 queue, const uint8_t *data, size_t size)
{
	struct ring_seg seg[4];
	u32 n = 0;

	for (; size >= 4 && n < 4; data += 4, size -= 4, n++) {
		seg[n].off = RING_DATA + ((u32)data[0] << 11);
		seg[n].len = (u32)data[1] << (data[2] & 15);
		seg[n].write = data[3] & 1;
	}
	if (n)
		rig_chain(f, queue, seg, n);
	xvm_vdev_kick(f->vdev, queue);
}

/* The first byte says where in the note. Its queues lie as they lay, so they are kept, unless the worker had lost them. */
static void die(struct net_rig *f, u64 features, bool far_end, const uint8_t *data, u32 size)
{
	struct keep_note *note = &f->keep->note[0];
	u32 at = size ? data[0] * 2u + (far_end ? 512 : 0) : 0;

	if (size > 1)
		memcpy((u8 *)note + at, data + 1, size - 1);
	rig_next_worker(f);
	f->goes_on = true;
	if (!(rig_up(f, features) & XVM_S_DRIVER_OK)) {
		f->goes_on = false;
		xvm_vdev_begin_reset(f->vdev);
		rig_up(f, features);
	}
	f->goes_on = false;
}

static void step(struct net_rig *f, u64 features, u8 kind, const uint8_t *data, u32 size)
{
	u8 drop[64];

	switch (kind % 8) {
	case 0:
	case 1:
		if (size >= 2)
			rig_ctrl_on(f, features & NET_F(MQ) ? RIG_QUEUES - 1 : 2, data[0], data[1], data + 2, size - 2);
		break;
	case 2:
		if (size)
			send(f->far[kind >> 3 & 1], data, size, MSG_DONTWAIT);
		break;
	case 3:
		offer(f, (kind >> 4) % RIG_QUEUES, data, size);
		break;
	case 4:
		rig_buffers(f, kind & 16 ? 2 : 0, kind >> 5, 1526);
		break;
	case 5:
		rig_tap.fail = kind & 16 ? -EAGAIN : -EIO;
		offer(f, 1, data, size);
		break;
	case 6:
		if (kind & 32)
			die(f, features, kind & 16, data, size);
		else
			f->vdev->type->link(f->vdev, kind & 16);
		break;
	default:
		xvm_vdev_begin_reset(f->vdev);
		rig_up(f, features);
	}
	rig_run(f);
	while (recv(f->far[0], drop, sizeof(drop), 0) >= 0 || recv(f->far[1], drop, sizeof(drop), 0) >= 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_rig *f;
	u64 features;
	u32 steps;

	if (!size)
		return 0;
	log_set_level(LOG_CRIT);
	memset(keep.queue, 0, sizeof(keep.queue));
	memset(keep.note, 0, sizeof(keep.note));
	f = rig_new();
	f->keep = &keep;
	xvm_vdev_keep_in(f->vdev, f->keep);
	features = choose(*data++);
	size--;
	CHECK(!(rig_up(f, features) & XVM_S_NEEDS_RESET));
	for (steps = 0; size >= 2 && steps < 64; steps++) {
		u32 n = data[1] < size - 2 ? data[1] : (u32)size - 2;

		step(f, features, data[0], data + 2, n);
		check(f, true);
		data += 2 + n;
		size -= 2 + n;
	}
	rig_free(f);
	return 0;
}
