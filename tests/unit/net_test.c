// SPDX-License-Identifier: GPL-2.0-or-later
/* virtio-net of dom0/dev/net*.c behind rings, with sockets for a tap: frames, filters, commands, odd drivers. */
/* LINK: dom0/dev/net.c dom0/dev/net_io.c dom0/dev/net_ctrl.c dom0/dev/net_filter.c dom0/dev/net_note.c dom0/dev/net_vhost.c */
/* LINK: dom0/dev/vhost.c dom0/base/log.c dom0/virtio */
#include "../support/net_rig.h"
#include "../../dom0/base/log.h"
#include "../../dom0/virtio/keep.h"

#define MERGE (NET_BASE | NET_F(MRG_RXBUF) | NET_F(MAC) | NET_F(STATUS) | NET_F(CTRL_VQ) | NET_F(CTRL_RX) | \
	       NET_F(CTRL_RX_EXTRA) | NET_F(CTRL_VLAN) | NET_F(CTRL_MAC_ADDR) | NET_F(MQ) | NET_F(GUEST_ANNOUNCE))
#define FULL (MERGE | NET_F(CSUM) | NET_GUEST_OFFLOADS | NET_F(CTRL_GUEST_OFFLOADS))

static const u8 own_mac[6] = { 0, 0x16, 0x3e, 1, 2, 3 }, other_mac[6] = { 0, 0x16, 0x3e, 9, 9, 9 };
static const u8 group_mac[6] = { 1, 0, 0x5e, 0, 0, 1 };
static const u8 all_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static int setup(void **state)
{
	*state = rig_new();
	return 0;
}

static int teardown(void **state)
{
	rig_free(*state);
	return 0;
}

static void check_bytes(const u8 *frame, u32 from, u32 to)
{
	u32 i;

	for (i = from; i < to; i++)
		assert_int_equal(frame[i], (u8)(i * 7));
}

static void test_config(void **state)
{
	struct net_rig *f = *state;
	u8 config[12];

	assert_true(xvm_vdev_config_read(f->vdev, 0, 12, config));
	assert_memory_equal(config, own_mac, 6);
	assert_int_equal(xvm_get16(config + 6), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(xvm_get16(config + 8), RIG_PAIRS);
	assert_int_equal(xvm_get16(config + 10), 1400);
	assert_false(xvm_vdev_config_write(f->vdev, 0, 0, 1, own_mac));
	assert_false(rig_tap.attached[0] || rig_tap.attached[1]);
	assert_int_equal(rig_up(f, FULL) & XVM_S_NEEDS_RESET, 0);
	assert_true(rig_tap.attached[0]);
	assert_false(rig_tap.attached[1]);
	assert_true(rig_tap.offloads == NET_GUEST_OFFLOADS);
}

/* A frame over as many buffers as it needs; those it does not need stay the driver's. */
static void test_merge(void **state)
{
	struct net_rig *f = *state;
	u32 head, len, i;

	rig_up(f, FULL);
	rig_buffers(f, 0, 50, 1536);
	rig_run(f);
	assert_int_equal(rig_tap.polls, 1);
	rig_send(f, 0, own_mac, 5000);
	rig_run(f);
	for (i = 0; i < 4; i++) {
		assert_true(ring_take_used(&f->r[0], &head, &len));
		assert_int_equal(head, i);
		assert_int_equal(len, i < 3 ? 1536 : 5000 - 3 * 1536);
	}
	assert_false(ring_take_used(&f->r[0], &head, &len));
	assert_int_equal(xvm_get16(rig_data(f, 0, RING_DATA + 10)), 4);
	assert_int_equal(rig_data(f, 0, RING_DATA)[0], VIRTIO_NET_HDR_F_DATA_VALID);
	check_bytes(rig_data(f, 0, RING_DATA), 26, 5000);
	assert_int_equal(f->vdev->in_flight, 0);
	assert_int_equal(f->vdev->vq[0].last_avail, 4);
	assert_int_equal(f->vdev->bytes_read, 5000 - 12);
	/* The next ones go behind; both of one pass. */
	rig_send(f, 0, own_mac, 100);
	rig_send(f, 0, own_mac, 200);
	rig_buffers(f, 0, 4, 1536);	/* where the first ones lie */
	rig_run(f);
	assert_true(ring_take_used(&f->r[0], &head, &len));
	assert_int_equal(head, 4);
	assert_true(ring_take_used(&f->r[0], &head, &len));
	assert_int_equal(head, 5);
	assert_int_equal(len, 200);
	check_bytes(rig_data(f, 0, RING_DATA + 5 * 1536), 26, 200);
}

/* Too few buffers for what may come: frames stay in the tap until the driver has given more. */
static void test_starved(void **state)
{
	struct net_rig *f = *state;
	u32 head, len, i;

	rig_up(f, FULL);
	rig_send(f, 0, own_mac, 1000);
	rig_buffers(f, 0, 2, 1536);
	rig_run(f);
	assert_int_equal(ring_used_idx(&f->r[0]), 0);
	assert_int_equal(rig_tap.polls, 0);
	assert_int_equal(f->vdev->in_flight, 0);
	/* It is told when there are more. */
	assert_int_equal(ring_avail_event(&f->r[0]), 2);
	for (i = 2; i < 44; i++)
		rig_chain(f, 0, &(struct ring_seg){ RING_DATA + i * 1536, 1536, true }, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_true(ring_take_used(&f->r[0], &head, &len));
	assert_int_equal(head, 0);
	assert_int_equal(len, 1000);
}

/* Without merging a chain is a frame, and a frame that is longer is lost, not cut. */
static void test_plain(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 12, true }, { RING_DATA + 4096, 1514, true } };
	struct net_rig *f = *state;
	u32 head, len;

	rig_up(f, NET_BASE | NET_F(MAC));
	rig_chain(f, 0, seg, 2);
	rig_chain(f, 0, &(struct ring_seg){ RING_DATA + 8192, 1526, true }, 1);
	rig_send(f, 0, own_mac, 1527);
	rig_send(f, 0, own_mac, 1526);
	rig_send(f, 0, own_mac, 60);
	xvm_vdev_kick(f->vdev, 0);
	assert_true(ring_take_used(&f->r[0], &head, &len));
	assert_int_equal(len, 1526);
	assert_int_equal(xvm_get16(rig_data(f, 0, RING_DATA + 10)), 1);
	assert_int_equal(rig_data(f, 0, RING_DATA)[0], 0);	/* GUEST_CSUM was not chosen */
	check_bytes(rig_data(f, 0, RING_DATA + 4096 - 12), 26, 1526);
	assert_true(ring_take_used(&f->r[0], &head, &len));
	assert_int_equal(len, 60);
	assert_int_equal(rig_tap.offloads, 0);
}

static void test_transmit(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 12, false }, { RING_DATA + 100, 50, false },
					       { RING_DATA + 300, 50, false } };
	struct net_rig *f = *state;
	u8 got[200];
	u32 head, len;

	rig_up(f, FULL);
	memset(rig_data(f, 1, RING_DATA + 100), 'a', 50);
	memset(rig_data(f, 1, RING_DATA + 300), 'b', 50);
	rig_chain(f, 1, seg, 3);
	xvm_vdev_kick(f->vdev, 1);
	assert_int_equal(recv(f->far[0], got, sizeof(got), 0), 112);
	assert_int_equal(got[61], 'a');
	assert_int_equal(got[62], 'b');
	assert_true(ring_take_used(&f->r[1], &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(f->vdev->bytes_written, 100);
	/* A full tap: the frame waits in the ring, and nothing of it is held. */
	rig_tap.fail = -EAGAIN;
	rig_chain(f, 1, seg, 3);
	rig_chain(f, 1, seg, 3);
	xvm_vdev_kick(f->vdev, 1);
	assert_int_equal(f->vdev->in_flight, 0);
	assert_int_equal(rig_tap.polls, 1);
	assert_int_equal(rig_tap.poll_events[0], POLLOUT);
	xvm_vdev_kick(f->vdev, 1);
	assert_int_equal(ring_used_idx(&f->r[1]), 1);
	rig_run(f);
	assert_int_equal(ring_used_idx(&f->r[1]), 3);
	assert_int_equal(recv(f->far[0], got, sizeof(got), 0), 112);
	assert_int_equal(recv(f->far[0], got, sizeof(got), 0), 112);
	assert_int_equal(recv(f->far[0], got, sizeof(got), 0), -1);
	/* What the tap refuses is lost. */
	rig_tap.fail = -EINVAL;
	rig_chain(f, 1, seg, 3);
	xvm_vdev_kick(f->vdev, 1);
	assert_int_equal(ring_used_idx(&f->r[1]), 4);
	assert_int_equal(f->vdev->status & XVM_S_NEEDS_RESET, 0);
}

static void broken_by(struct net_rig *f, u32 queue, const struct ring_seg *seg, u32 n, const char *reason)
{
	xvm_vdev_begin_reset(f->vdev);
	assert_int_equal(rig_up(f, FULL) & XVM_S_NEEDS_RESET, 0);
	rig_chain(f, queue, seg, n);
	xvm_vdev_kick(f->vdev, queue);
	assert_int_equal(f->vdev->status & XVM_S_NEEDS_RESET, XVM_S_NEEDS_RESET);
	assert_string_equal(owner.reason, reason);
	assert_int_equal(f->vdev->in_flight, 0);
}

static void test_bad_chains(void **state)
{
	static const struct ring_seg readable[] = { { RING_DATA, 100, false }, { RING_DATA + 100, 2000, true } };
	static const struct ring_seg small[] = { { RING_DATA, 11, true } };
	static const struct ring_seg bare[] = { { RING_DATA, 11, false } };
	static const struct ring_seg giant[] = { { RING_DATA, 0x10000, false }, { RING_DATA + 0x10000, 64, false } };
	static const struct ring_seg mute[] = { { RING_DATA, 3, false } }, empty[] = { { RING_DATA, 1, true } };
	struct net_rig *f = *state;

	broken_by(f, 0, readable, 2, "receive buffer that is not writable");
	broken_by(f, 0, small, 1, "receive buffer without room for a header");
	broken_by(f, 1, bare, 1, "frame without a header");
	broken_by(f, 1, giant, 2, "frame longer than 64 KiB");
	broken_by(f, 6, mute, 1, "command without a header or an answer byte");
	broken_by(f, 6, empty, 1, "command without a header or an answer byte");
}

/* Which of six frames pass, a bit each. */
static u32 passing(struct net_rig *f)
{
	static const u8 listed[6] = { 0, 1, 2, 3, 4, 5 }, listed_group[6] = { 1, 1, 2, 3, 4, 5 };
	const u8 *const macs[] = { own_mac, other_mac, group_mac, all_mac, listed, listed_group };
	u32 mask = 0, i, head, len;

	for (i = 0; i < XVM_ARRAY_SIZE(macs); i++) {
		rig_send(f, 0, macs[i], 100);
		rig_run(f);
		if (ring_take_used(&f->r[0], &head, &len))
			mask |= 1u << i;
	}
	return mask;
}

static int rx(struct net_rig *f, u8 cmd, u8 on)
{
	return rig_ctrl(f, VIRTIO_NET_CTRL_RX, cmd, &on, 1);
}

static void test_filter(void **state)
{
	static const u8 table[] = { 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5 };
	struct net_rig *f = *state;

	rig_up(f, FULL & ~(NET_GUEST_OFFLOADS));
	rig_buffers(f, 0, 60, 2048);
	assert_int_equal(passing(f), 0x3f);
	assert_int_equal(rx(f, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	assert_int_equal(passing(f), 1 | 8);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), 0);
	assert_int_equal(passing(f), 1 | 8 | 16 | 32);
	rx(f, VIRTIO_NET_CTRL_RX_ALLMULTI, 1);
	assert_int_equal(passing(f), 1 | 4 | 8 | 16 | 32);
	rx(f, VIRTIO_NET_CTRL_RX_NOMULTI, 1);
	rx(f, VIRTIO_NET_CTRL_RX_NOBCAST, 1);
	rx(f, VIRTIO_NET_CTRL_RX_ALLUNI, 1);
	assert_int_equal(passing(f), 1 | 2 | 16);
	rx(f, VIRTIO_NET_CTRL_RX_NOUNI, 1);
	assert_int_equal(passing(f), 0);
	assert_int_equal(rx(f, 6, 1), VIRTIO_NET_ERR);
	/* A reset forgets it all. */
	xvm_vdev_begin_reset(f->vdev);
	rig_up(f, FULL & ~(NET_GUEST_OFFLOADS));
	rig_buffers(f, 0, 60, 2048);
	assert_int_equal(passing(f), 0x3f);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other_mac, 6), 0);
	rx(f, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	assert_int_equal(passing(f), 2 | 8);
	assert_memory_equal(f->vdev->config, other_mac, 6);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group_mac, 6), VIRTIO_NET_ERR);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, own_mac, 5), VIRTIO_NET_ERR);
}

static bool tagged_passes(struct net_rig *f, u16 id)
{
	u8 frame[80] = { 0 };
	u32 head, len;

	memcpy(frame + 12, own_mac, 6);
	frame[24] = 0x81;
	frame[26] = (u8)(id >> 8 | 0xe0);	/* priority is no part of it */
	frame[27] = (u8)id;
	assert_int_equal(send(f->far[0], frame, sizeof(frame), 0), sizeof(frame));
	rig_run(f);
	return ring_take_used(&f->r[0], &head, &len);
}

static void test_vlan(void **state)
{
	static const u8 first[2] = { 0, 0 }, last[2] = { 0xff, 0x0f }, beyond[2] = { 0, 0x10 };
	struct net_rig *f = *state;

	rig_up(f, FULL & ~(NET_GUEST_OFFLOADS));
	rig_buffers(f, 0, 60, 2048);
	rx(f, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	assert_false(tagged_passes(f, 0));
	assert_false(tagged_passes(f, 4095));
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, first, 2), 0);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, last, 2), 0);
	assert_true(tagged_passes(f, 0));
	assert_true(tagged_passes(f, 4095));
	assert_false(tagged_passes(f, 4094));
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, last, 2), 0);
	assert_false(tagged_passes(f, 4095));
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, beyond, 2), VIRTIO_NET_ERR);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_VLAN, 2, first, 2), VIRTIO_NET_ERR);
}

/* Lists longer than there is room for pass everything of their kind; lies about lengths change nothing. */
static void test_mac_table(void **state)
{
	u8 table[8 + 6 * 66] = { 0 };
	struct net_rig *f = *state;

	rig_up(f, FULL & ~(NET_GUEST_OFFLOADS));
	rig_buffers(f, 0, 60, 2048);
	rx(f, VIRTIO_NET_CTRL_RX_PROMISC, 0);
	xvm_put32(table, 65);
	xvm_put32(table + 4 + 65 * 6, 1);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), 0);
	assert_int_equal(passing(f), 1 | 2 | 8 | 16);
	xvm_put32(table, 64);
	xvm_put32(table + 4 + 64 * 6, 1);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), 0);
	assert_int_equal(passing(f), 1 | 4 | 8 | 32);
	xvm_put32(table, 67);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), VIRTIO_NET_ERR);
	xvm_put32(table, 0xffffffff);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), VIRTIO_NET_ERR);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, 3), VIRTIO_NET_ERR);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, NULL, 0), VIRTIO_NET_ERR);
	assert_int_equal(passing(f), 1 | 4 | 8 | 32);
}

static int set_pairs(struct net_rig *f, u16 pairs)
{
	u8 word[2];

	xvm_put16(word, pairs);
	return rig_ctrl(f, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, word, 2);
}

static void test_pairs(void **state)
{
	struct net_rig *f = *state;
	u32 head, len;

	rig_up(f, FULL);
	rig_buffers(f, 4, 45, 1536);
	rig_send(f, 2, own_mac, 90);
	rig_run(f);
	assert_false(ring_take_used(&f->r[4], &head, &len));
	assert_int_equal(set_pairs(f, 3), 0);
	assert_true(rig_tap.attached[1] && rig_tap.attached[2]);
	rig_run(f);
	assert_true(ring_take_used(&f->r[4], &head, &len));
	assert_int_equal(set_pairs(f, 0), VIRTIO_NET_ERR);
	assert_int_equal(set_pairs(f, 4), VIRTIO_NET_ERR);
	assert_int_equal(set_pairs(f, 2), 0);
	assert_true(rig_tap.attached[1]);
	assert_false(rig_tap.attached[2]);
	/* Without MQ the control queue is the third, and there is one pair. */
	xvm_vdev_begin_reset(f->vdev);
	rig_up(f, FULL & ~NET_F(MQ));
	assert_false(rig_tap.attached[1]);
	assert_int_equal(rig_ctrl_on(f, 2, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, "", 1), 0);
	assert_int_equal(rig_ctrl_on(f, 2, VIRTIO_NET_CTRL_MQ, 0, "\1", 2), VIRTIO_NET_ERR);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_RX, 0, "", 1), -1);
}

static int set_offloads(struct net_rig *f, u64 offloads)
{
	u8 word[8];

	xvm_put64(word, offloads);
	return rig_ctrl(f, VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, word, 8);
}

static void test_offloads(void **state)
{
	struct net_rig *f = *state;

	rig_up(f, FULL & ~NET_F(GUEST_ECN));
	assert_int_equal(set_offloads(f, NET_F(GUEST_CSUM)), 0);
	assert_true(rig_tap.offloads == NET_F(GUEST_CSUM));
	assert_int_equal(set_offloads(f, NET_GUEST_OFFLOADS), VIRTIO_NET_ERR);
	assert_int_equal(set_offloads(f, NET_F(GUEST_TSO4)), VIRTIO_NET_ERR);	/* the tap's word */
	assert_int_equal(set_offloads(f, NET_F(CSUM)), VIRTIO_NET_ERR);
	assert_true(rig_tap.offloads == NET_F(GUEST_CSUM));
	assert_int_equal(rig_ctrl(f, 6, 0, "", 1), VIRTIO_NET_ERR);
	assert_int_equal(rig_ctrl(f, 255, 0, NULL, 0), VIRTIO_NET_ERR);
}

static void test_link(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 12, false }, { RING_DATA + 100, 50, false } };
	struct net_rig *f = *state;
	u8 got[100];

	rig_up(f, FULL);
	owner.config_changed = 0;
	f->vdev->type->link(f->vdev, false);
	f->vdev->type->link(f->vdev, false);
	assert_int_equal(owner.config_changed, 1);
	assert_int_equal(xvm_get16(f->vdev->config + 6), 0);
	assert_false(rig_tap.attached[0]);
	rig_chain(f, 1, seg, 2);
	xvm_vdev_kick(f->vdev, 1);
	assert_int_equal(ring_used_idx(&f->r[1]), 1);
	assert_int_equal(recv(f->far[0], got, sizeof(got), 0), -1);
	/* It stays as it is over a reset. */
	xvm_vdev_begin_reset(f->vdev);
	rig_up(f, FULL);
	assert_false(rig_tap.attached[0]);
	f->vdev->type->link(f->vdev, true);
	assert_true(rig_tap.attached[0]);
	assert_int_equal(xvm_get16(f->vdev->config + 6), VIRTIO_NET_S_LINK_UP);
}

static char last_line[LOG_LINE_BYTES];

static void take_line(void *arg, int level, const char *line)
{
	(void)arg, (void)level;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

/* Everything that a driver can say. */
static void say_all(struct net_rig *f)
{
	static const u8 table[] = { 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5 };
	static const u8 vlan[2] = { 0xfe, 0x0f };

	assert_int_equal(rx(f, VIRTIO_NET_CTRL_RX_PROMISC, 0), 0);
	assert_int_equal(rx(f, VIRTIO_NET_CTRL_RX_NOBCAST, 1), 0);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, other_mac, 6), 0);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof(table)), 0);
	assert_int_equal(rig_ctrl(f, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 2), 0);
	assert_int_equal(set_pairs(f, 2), 0);
	assert_int_equal(set_offloads(f, NET_F(GUEST_CSUM)), 0);
}

static void begin_kept(struct net_rig *f)
{
	f->keep = calloc(1, sizeof(*f->keep));
	xvm_vdev_keep_in(f->vdev, f->keep);
	rig_up(f, FULL);
	say_all(f);
}

static void go_on(struct net_rig *f)
{
	rig_next_worker(f);
	f->goes_on = true;
	assert_int_equal(rig_up(f, FULL) & (XVM_S_DRIVER_OK | XVM_S_NEEDS_RESET), XVM_S_DRIVER_OK);
	f->goes_on = false;
}

/* As a driver has it that has said nothing. */
static void is_forgotten(const struct net_rig *f)
{
	const struct net *net = f->vdev->model;

	assert_true(net->filter.promisc && !net->filter.macs && !net->filter.nobcast);
	assert_memory_equal(f->vdev->config, own_mac, 6);
	assert_int_equal(net->pairs, 1);
	assert_true(net->offloads == NET_GUEST_OFFLOADS);
}

static void end_kept(struct net_rig *f)
{
	xvm_vdev_keep_in(f->vdev, NULL);
	free(f->keep);
	f->keep = NULL;
}

/* Workers die one after the other, and each has what the driver said to the first, or to any in between. */
static void test_note(void **state)
{
	struct net_rig *f = *state;
	struct net_filter before;
	const struct net *net;

	begin_kept(f);
	before = ((struct net *)f->vdev->model)->filter;
	go_on(f);
	net = f->vdev->model;
	assert_memory_equal(&net->filter, &before, sizeof(before));
	assert_memory_equal(f->vdev->config, other_mac, 6);
	assert_memory_equal(f->vdev->told, other_mac, 6);
	assert_true(rig_tap.attached[0] && rig_tap.attached[1] && !rig_tap.attached[2]);
	assert_true(rig_tap.offloads == NET_F(GUEST_CSUM));
	rig_buffers(f, 0, 60, 2048);
	assert_int_equal(passing(f), 2 | 16 | 32);
	assert_false(tagged_passes(f, 4094));	/* to the old address */
	/* A refused command leaves it as it is; the next one adds to it. */
	assert_int_equal(set_pairs(f, 4), VIRTIO_NET_ERR);
	assert_int_equal(rx(f, VIRTIO_NET_CTRL_RX_NOBCAST, 0), 0);
	go_on(f);
	net = f->vdev->model;
	assert_true(!net->filter.nobcast && !net->filter.promisc && net->pairs == 2 && net->filter.macs == 2);
	/* Not for a driver that begins anew: neither after a reset, nor with queues that are not kept. */
	xvm_vdev_begin_reset(f->vdev);
	assert_false(xvm_vdev_noted(f->vdev, &before, 926));
	rig_up(f, FULL);
	is_forgotten(f);
	say_all(f);
	rig_next_worker(f);
	rig_up(f, FULL);
	is_forgotten(f);
	go_on(f);
	is_forgotten(f);
	end_kept(f);
}

/* What only a worker that is not ours any more writes: nothing of it is taken, and a line says what it was. */
static void test_bad_note(void **state)
{
	static const struct {
		u32 at, value;
		const char *line;
	} bad[] = {
		{ 520, 65, "says 65 for the MAC addresses of its table, not 0 to 64" },
		{ 520, 0xffffffff, "says 4294967295 for the MAC addresses" },
		{ 524, 0, "says 0 for the pairs in use, not 1 to 3" },
		{ 524, 4, "says 4 for the pairs in use" },
		{ 532, 1, "the group bit of its address" },
		{ 0, 1u << VIRTIO_NET_F_CSUM, "offloads that its driver did not choose" },
		{ 4, 1, "offloads that its driver did not choose" },
		{ 0, 1u << VIRTIO_NET_F_GUEST_TSO4, NULL },	/* the tap refuses */
	};
	struct net_rig *f = *state;
	u32 i;

	begin_kept(f);
	log_to(take_line, NULL);
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		u64 word = f->keep->note[0].word;

		xvm_put32(f->keep->note[0].copy[keep_note_copy(word)] + bad[i].at, bad[i].value);
		last_line[0] = 0;
		go_on(f);
		is_forgotten(f);
		if (bad[i].line && !strstr(last_line, bad[i].line))
			fail_msg("case %u says '%s'", i, last_line);
		xvm_vdev_begin_reset(f->vdev);
		rig_up(f, FULL);
		say_all(f);
	}
	log_to_stderr();
	end_kept(f);
}

/* A reset waits for polls and nothing else; a pause finds nothing to wait for. */
static void test_rest(void **state)
{
	struct net_rig *f = *state;

	rig_up(f, FULL);
	rig_buffers(f, 0, 50, 1536);
	rig_run(f);
	assert_int_equal(rig_tap.polls, 1);
	assert_true(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_ALL));
	rig_send(f, 0, own_mac, 100);
	rig_run(f);
	assert_int_equal(ring_used_idx(&f->r[0]), 0);
	xvm_vdev_end_quiet(f->vdev, XVM_QUIET_ALL);
	rig_run(f);
	assert_int_equal(ring_used_idx(&f->r[0]), 1);
	assert_int_equal(f->vdev->holds, 1);
	xvm_vdev_begin_reset(f->vdev);
	assert_int_equal(f->vdev->holds, 0);
	assert_int_equal(rig_tap.polls, 0);
	/* A ring of the kernel's that is full: asked again in the next pass. */
	rig_up(f, FULL);
	rig_tap.aio_full = true;
	owner.again = 0;
	rig_buffers(f, 0, 50, 1536);
	assert_int_equal(owner.again, 1);
	rig_tap.aio_full = false;
}

static void test_tap_lost(void **state)
{
	struct net_rig *f = *state;
	int other = open("/dev/null", O_WRONLY);

	rig_up(f, FULL);
	dup2(other, rig_tap.near[0]);	/* reads of it fail */
	rig_buffers(f, 0, 50, 1536);
	assert_int_equal(f->vdev->status & XVM_S_NEEDS_RESET, XVM_S_NEEDS_RESET);
	assert_string_equal(owner.reason, "cannot read from its tap: Bad file descriptor");
	assert_int_equal(f->vdev->in_flight, 0);
	close(other);
}

static void refused(struct xvm_ipc_dev_add *desc, u32 fds, const char *reason)
{
	struct fdset set = { .count = fds };
	char why[100] = "";
	u32 i;

	for (i = 0; i < fds; i++)
		set.fd[i] = open("/dev/null", O_RDONLY);
	assert_null(xvm_vdev_new(desc, &set, &owner_ops, NULL, NULL, why, sizeof(why)));
	assert_string_equal(why, reason);
	assert_int_equal(set.count, 0);
}

static void test_description(void **state)
{
	struct xvm_ipc_dev_add desc = ((struct net_rig *)*state)->desc;

	refused(&desc, 2, "not one queue of a tap for each pair");
	desc.net.pairs = 0;
	refused(&desc, 0, "not 1 to 16 pairs of queues");
	desc.net.pairs = 17;
	refused(&desc, 1, "not 1 to 16 pairs of queues");
	desc.net.pairs = 1;
	desc.net.mac[0] = 1;
	refused(&desc, 1, "the MAC address is a group's");
	desc.net.mac[0] = 0;
	desc.net.tap_mtu = 60;
	refused(&desc, 1, "an MTU below 68");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_config), CASE(test_merge), CASE(test_starved), CASE(test_plain), CASE(test_transmit),
		CASE(test_bad_chains), CASE(test_filter), CASE(test_vlan), CASE(test_mac_table), CASE(test_pairs),
		CASE(test_offloads), CASE(test_note), CASE(test_bad_note), CASE(test_link), CASE(test_rest), CASE(test_tap_lost), CASE(test_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
