// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A driver side that lies: ring indices, records, credits, queues, chains and
 * plain noise. It may cost itself the device or the connection; the worker
 * must say why, end in order with everything unmapped, or go on.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c */
/* LIBS: -l:liburing.a -Wl,--wrap=xvm_aio_timer */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../../dom0/virtio/aio.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include "../../xen/proto/page.h"
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IMAGE_BYTES (1u << 20)

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;

static void add_disk(u16 num)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_return_code(ftruncate(fd, IMAGE_BYTES), errno);
	rig_add_blk(&rig, num, fd, IMAGE_BYTES, 0);
	close(fd);
	drv_wait_ready(&drv, num);
}

static int start(void **state)
{
	(void)state;
	drv_start(&drv, &rig);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	return 0;
}

/* ---- the connection is dropped ---- */

/* A disk at work, so that the end has something to drain and unmap. */
static void start_busy(void)
{
	int s;

	drv_start(&drv, &rig);
	add_disk(1);
	drv_blk_start(&blk, &drv, 1, 1, ~0ull);
	while ((s = drv_blk_slot(&blk)) >= 0)
		drv_blk_submit(&blk, (u32)s, VIRTIO_BLK_T_IN, 0, DRV_BLK_SLOT_BYTES, 2);
	drv_vq_kick(&blk.vq);
}

static void expect_dropped(u32 reason, u32 detail)
{
	u32 got;

	rig_notify(&rig);
	RIG_UNTIL(&rig, rig.fail_reason);
	assert_int_equal(rig.fail_reason, reason);
	assert_int_equal(rig.fail_detail, detail);
	assert_int_equal(xvm_page_get_error(rig.control, true, &got), reason);
	assert_int_equal(got, detail);
	assert_int_equal(rig.logs, 1);
	rig_wait_exit(&rig);
}

static void test_prod_too_far(void **state)
{
	(void)state;
	start_busy();
	xvm_shm_store32(rig.control + XVM_CTRL_DRV_PROD, drv.tx.prod + drv.tx.mem.size + 8);
	expect_dropped(XVM_ERR_INDEX, drv.tx.prod + drv.tx.mem.size + 8);
}

static void test_prod_unaligned(void **state)
{
	(void)state;
	start_busy();
	xvm_shm_store32(rig.control + XVM_CTRL_DRV_PROD, drv.tx.prod + 9);
	expect_dropped(XVM_ERR_INDEX, drv.tx.prod + 9);
}

static void test_cons_lies(void **state)
{
	u8 msg[16];

	(void)state;
	start_busy();
	drv_sync(&drv);
	xvm_shm_store32(rig.control + XVM_CTRL_DEV_CONS, drv.rx.cons + 4096);
	xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, 1);
	xvm_msg_finish(msg, false, 7);
	drv_put(&drv, msg, 12);
	expect_dropped(XVM_ERR_INDEX, drv.rx.cons + 4096);
}

static void test_record_length(void **state)
{
	u32 at;

	(void)state;
	start_busy();
	drv_sync(&drv);
	at = drv.tx.prod & (drv.tx.mem.size - 1);
	xvm_put32(rig.drv + at, 0xfffffff8);
	xvm_shm_publish32(rig.control + XVM_CTRL_DRV_PROD, drv.tx.prod + 64);
	expect_dropped(XVM_ERR_RECORD, 0xfffffff8);
}

static void test_record_beyond_prod(void **state)
{
	u32 at;

	(void)state;
	start_busy();
	drv_sync(&drv);
	at = drv.tx.prod & (drv.tx.mem.size - 1);
	xvm_put32(rig.drv + at, 60);
	xvm_shm_publish32(rig.control + XVM_CTRL_DRV_PROD, drv.tx.prod + 64);
	expect_dropped(XVM_ERR_RECORD, 60);
}

/* Requests without end, no answer consumed: what the reserve does not hold is not owed. */
static void test_credits_unread(void **state)
{
	u8 msg[16];
	u32 i, detail;

	(void)state;
	start_busy();
	drv_sync(&drv);
	drv.deaf = true;
	for (i = 0; i < 100000 && !rig.fail_reason; i++) {
		xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, i);
		xvm_msg_finish(msg, false, (u16)(i | 1));
		if (drv_put(&drv, msg, 12))
			drv_poll(&drv, 2);
	}
	RIG_UNTIL(&rig, rig.fail_reason);
	assert_int_equal(xvm_page_get_error(rig.control, true, &detail), XVM_ERR_CREDIT);
	rig_wait_exit(&rig);
}

/* More requests in wait than agreed. */
static void test_credits_waiting(void **state)
{
	struct xvm_msg_area_add m = { .id = 2, .scope = 1, .npages = 4, .ndirs = 1 };
	u8 msg[128];
	u32 i;

	(void)state;
	drv_start(&drv, &rig);
	add_disk(1);
	rig_area_new(&rig, 2, 4);
	rig.hold_maps = true;
	drv_send(&drv, msg, xvm_msg_put_area_add(msg, &m));
	RIG_UNTIL(&rig, rig.held_map);
	for (i = 1; i < XVM_DEFAULT_CREDITS; i++)
		drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, 1));
	drv_sync(&drv);		/* one that needs no waiting is answered even so */
	drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, 1));
	RIG_UNTIL(&rig, rig.fail_reason);
	assert_int_equal(rig.fail_reason, XVM_ERR_CREDIT);
	assert_int_equal(rig.fail_detail, drv.token);
	rig_map_reply(&rig, 2);		/* it still waits for this, to give the area back */
	rig_wait_exit(&rig);
}

/* ---- a device breaks, the rest goes on ---- */

static void expect_broken(void)
{
	u8 data[512];

	drv_vq_force_kick(&blk.vq);
	DRV_UNTIL(&drv, drv.config[1].device_status & XVM_S_NEEDS_RESET);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_BROKEN);
	assert_true(drv_status(&drv, 1) & XVM_S_NEEDS_RESET);
	drv_sync(&drv);
	memset(&drv.config[1], 0, sizeof(drv.config[1]));
	rig.state[1] = 0;
	drv_blk_restart(&blk, ~0ull);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_IN, 0, data, 512), VIRTIO_BLK_S_OK);
}

static void test_bad_chains(void **state)
{
	struct drv_vq *vq = &blk.vq;
	u64 good;
	u16 i;

	(void)state;
	add_disk(1);
	drv_blk_start(&blk, &drv, 1, 1, ~0ull);
	good = xvm_addr_make(1, 0x40000);

	drv_vq_put_desc(vq, 0, good, 16, VRING_DESC_F_NEXT, 1);		/* a loop */
	drv_vq_put_desc(vq, 1, good, 16, VRING_DESC_F_NEXT, 0);
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, good, 16, VRING_DESC_F_NEXT, 0);		/* to itself */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_avail(vq, vq->size);					/* head out of range */
	expect_broken();
	drv_vq_put_desc(vq, 0, good, 16, VRING_DESC_F_NEXT, 60000);	/* next out of range */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	for (i = 0; i < 300; i++)					/* further ahead than the queue */
		drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, ~0ull - 7, 16, 0, 0);			/* an address that wraps */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, xvm_addr_make(1, (1ull << 40) - 8), 16, 0, 0);
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, xvm_addr_make(1, DRV_BLK_AREA_PAGES * 4096 - 8), 16, 0, 0);
	drv_vq_put_avail(vq, 0);					/* over the end */
	expect_broken();
	drv_vq_put_desc(vq, 0, xvm_addr_make(2, 0), 16, 0, 0);		/* no such area */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, good | 1ull << 63, 16, 0, 0);		/* the reserved bit */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, good, 0xffffffff, 0, 0);			/* a length that wraps */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, good, 17, VRING_DESC_F_INDIRECT, 0);	/* no whole descriptors */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	memset(blk.base + 0x40000, 0, 64);
	xvm_put64(blk.base + 0x40000, good);
	xvm_put32(blk.base + 0x40008, 16);
	blk.base[0x4000c] = VRING_DESC_F_INDIRECT;
	drv_vq_put_desc(vq, 0, good, 16, VRING_DESC_F_INDIRECT, 0);	/* nested indirect */
	drv_vq_put_avail(vq, 0);
	expect_broken();
	drv_vq_put_desc(vq, 0, good, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	drv_vq_put_desc(vq, 1, good, 16, 0, 0);				/* readable after writable */
	drv_vq_put_avail(vq, 0);
	expect_broken();
}

/* An area of one device is no memory of another's. */
static void test_foreign_area(void **state)
{
	struct drv_blk other = { 0 };

	(void)state;
	add_disk(1);
	add_disk(2);
	drv_blk_start(&blk, &drv, 1, 1, ~0ull);
	drv_blk_start(&other, &drv, 2, 2, ~0ull);
	drv_vq_put_desc(&blk.vq, 0, xvm_addr_make(2, 0), 16, 0, 0);
	drv_vq_put_avail(&blk.vq, 0);
	expect_broken();
	assert_int_equal(drv_blk_do(&other, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
}

static void test_bad_queues(void **state)
{
	static const struct xvm_msg_vqueue bad[] = {
		{ .size = 8, .desc_addr = 0x10000000000, .driver_addr = 0x20000000000,
		  .device_addr = 0x10000002000 },			/* one part in no area */
		{ .size = 7, .desc_addr = 0x10000000000, .driver_addr = 0x10000001000,
		  .device_addr = 0x10000002000 },
		{ .size = 0x10000, .desc_addr = 0x10000000000, .driver_addr = 0x10000001000,
		  .device_addr = 0x10000002000 },
		{ .size = 8, .desc_addr = 0x10000000008, .driver_addr = 0x10000001000,
		  .device_addr = 0x10000002000 },
		{ .size = 8, .desc_addr = 0, .driver_addr = 0, .device_addr = 0 },
		{ .size = 8, .desc_addr = 0x10000003ff0, .driver_addr = 0x10000001000,
		  .device_addr = 0x10000002000 },			/* over the end */
		{ .size = 8, .desc_addr = ~15ull, .driver_addr = 0x10000001000,
		  .device_addr = 0x10000002000 },
		{ .size = 8, .desc_addr = 0x10000000000, .driver_addr = 0x10000001000,
		  .device_addr = 0x8000010000002000 },
	};
	struct xvm_msg_vqueue m;
	u32 i;

	(void)state;
	add_disk(1);
	drv_area_new(&drv, 1, 1, 4);
	drv_negotiate(&drv, 1, ~0ull);
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		drv_set_vqueue(&drv, 1, &bad[i]);
		drv_vqueue(&drv, 1, 0, &m);
		assert_int_equal(m.size, 0);
	}
	m = bad[0];
	m.driver_addr = 0x10000001000;
	drv_set_vqueue(&drv, 1, &m);
	drv_vqueue(&drv, 1, 0, &m);
	assert_int_equal(m.size, 8);
	/* Set, but not in use: it still holds its area. */
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_BUSY);
	drv_reset_vqueue(&drv, 1, 0);
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_OK);
}

/* ---- floods ---- */

/* Nobody listens, a small ring fills with events; answers still fit, and nothing is lost after. */
/* From now on the driver takes no message; it has a device to make requests of. */
static void go_deaf(struct drv_vq *vq)
{
	drv_start_with(&drv, &rig, 0, VIRTIO_MSG_OFFER_BYTES, 7);
	rig_add_rng(&rig, 3);
	drv_area_new(&drv, 1, 3, 16);
	drv_negotiate(&drv, 3, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM);
	drv_vq_setup(vq, &drv, 3, 0, 64, 1, 0, false);
	drv_set_status(&drv, 3, 15);
	drv.deaf = true;
}

/* As long as it takes until a request ends and nothing tells of it: an event waits. */
static void fill_events(struct drv_vq *vq)
{
	struct drv_seg seg = { xvm_addr_make(1, 32768), 8, true };
	u32 len, told, silent = 0;

	while (silent < 8) {
		told = xvm_shm_load32(rig.control + XVM_CTRL_DEV_PROD);
		assert_true(drv_vq_add(vq, &seg, 1) >= 0);
		drv_vq_force_kick(vq);
		DRV_UNTIL(&drv, drv_vq_get(vq, &len) >= 0);
		drv_poll(&drv, 5);
		silent = told == xvm_shm_load32(rig.control + XVM_CTRL_DEV_PROD) ? silent + 1 : 0;
	}
}

static void test_deaf(void **state)
{
	struct drv_seg seg = { xvm_addr_make(1, 32768), 8, true };
	struct xvm_msg_event_avail kick = { 0 };
	u32 i, len, got = 0;
	struct drv_vq vq;
	u8 msg[16];

	(void)state;
	go_deaf(&vq);
	for (i = 0; i < 2000; i++) {
		while (drv_vq_get(&vq, &len) >= 0)
			got++;
		if (drv_vq_add(&vq, &seg, 1) < 0)
			i--;
		drv_vq_force_kick(&vq);
	}
	for (i = 0; i < 7; i++) {
		xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, i);
		xvm_msg_finish(msg, false, (u16)(1000 + i));
		while (drv_put(&drv, msg, 12))
			drv_poll(&drv, 1);
	}
	rig_add_rng(&rig, 4);
	rig_add_rng(&rig, 5);
	rig_del(&rig, 5, true);
	(void)rig_stats(&rig);
	drv.answers = 0;
	drv.device_events = 0;
	drv.deaf = false;
	DRV_UNTIL(&drv, drv.answers == 7);
	drv_wait_ready(&drv, 4);
	DRV_UNTIL(&drv, drv.device_state[5] == VIRTIO_MSG_DEVICE_REMOVED);
	DRV_UNTIL(&drv, (got += drv_vq_get(&vq, &len) >= 0) == 2000);
	/* Events to nobody and for queues that are not there, more than the ring holds. */
	for (i = 0; i < 5000; i++) {
		kick.vq_index = i;
		xvm_msg_put_event_avail(msg, (u16)(i % 7), &kick);
		xvm_msg_finish(msg, false, 0);
		while (drv_put(&drv, msg, 16))
			drv_poll(&drv, 1);
	}
	drv_sync(&drv);
}

/* Time is 60 times as fast for a worker that is about to wait for a minute. */
int __real_xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms);
int __wrap_xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms);
static bool fast;

int __wrap_xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms)
{
	return __real_xvm_aio_timer(aio, req, fast && ms == 60000 ? 1000 : ms);
}

/* An event that waits for ever: the draft has a bound for it, pr28 has not. */
static void test_stalled(void **state)
{
	struct drv_vq vq;

	(void)state;
	fast = true;
	go_deaf(&vq);
	fast = false;
	fill_events(&vq);
	if (!drv.rules->event_seconds) {
		usleep(1500000);
		assert_int_equal(rig_stats(&rig)->devices, 1);
		drv.deaf = false;
		drv_sync(&drv);
		drv_stop(&drv);
		return;
	}
	expect_dropped(XVM_ERR_STALLED, 60);
}

/* It takes a message now and then: slow is not stalled. */
static void test_slow(void **state)
{
	struct drv_vq vq;
	u8 buf[512];
	u32 i;

	(void)state;
	fast = true;
	go_deaf(&vq);
	fast = false;
	fill_events(&vq);
	for (i = 0; i < 15; i++) {
		assert_true(xvm_ring_rx_get(&drv.rx, buf, sizeof(buf)) > 0);
		xvm_ring_rx_publish(&drv.rx);
		usleep(100000);
	}
	assert_int_equal(rig_stats(&rig)->devices, 1);
	drv.deaf = false;
	drv_sync(&drv);
	drv_stop(&drv);
}

/* Where devices can be kept, it is the worker that ends, as if it had died. */
static void test_stalled_and_kept(void **state)
{
	struct drv_vq vq;
	int status;

	(void)state;
	rig_keep_new();
	fast = true;
	go_deaf(&vq);
	fast = false;
	fill_events(&vq);
	if (drv.rules->event_seconds) {
		RIG_UNTIL(&rig, rig.eof);
		assert_int_equal(rig.fail_reason, 0);
		assert_int_equal(rig.logs, 1);
		assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		drv.deaf = false;
		drv_join_again(&drv);
	}
	drv.deaf = false;
	drv_sync(&drv);
	drv_stop(&drv);
	rig_keep_end();
}

static u32 ms_of_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u32)(ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

/* A thousand changes are not a thousand words to the supervisor, which ends a worker that talks so much; the last one is told. */
static void test_state_flood(void **state)
{
	u32 i, before, start_ms;

	(void)state;
	add_disk(1);
	before = rig.state_words;
	start_ms = ms_of_clock();
	for (i = 0; i < 500; i++) {
		drv_negotiate(&drv, 1, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM);
		drv_set_status(&drv, 1, 15);
	}
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_DRIVER_OK);
	drv_set_status(&drv, 1, 0);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_RESET);
	/* 64 at once, then 50 a second. */
	assert_in_range(rig.state_words - before, 2, 66 + (ms_of_clock() - start_ms) / 20);
	drv_sync(&drv);
}

/* A worker that sleeps does not wake: nothing here polls. */
static void test_idle(void **state)
{
	u64 wakeups;

	(void)state;
	add_disk(1);
	drv_blk_start(&blk, &drv, 1, 1, ~0ull);
	drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	usleep(20000);
	wakeups = rig_stats(&rig)->wakeups;
	usleep(200000);
	assert_true(rig_stats(&rig)->wakeups - wakeups <= 2);
}

static u32 seed = 12345;

static u32 rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* Records of every id with random payloads, to devices in all states. Seeded, so a failure repeats. */
static void test_noise(void **state)
{
	static const u8 ids[] = { 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x40, 0x41, 0x42, 0x80, 0x81,
				  0x84, 0xc0, 0x13, 0xff };
	static const u16 lens[] = { 8, 12, 16, 20, 24, 28, 48, 264 };
	u8 msg[264];
	u32 i, k, len;

	(void)state;
	add_disk(1);
	rig_add_rng(&rig, 2);
	for (i = 1; i < 9; i++)
		rig_area_new(&rig, i, 8);
	for (i = 0; i < 20000 && !rig.fail_reason; i++) {
		for (k = 0; k < sizeof(msg); k++)
			msg[k] = rnd() % 3 ? 0 : rnd() % 4 ? (u8)(rnd() % 9) : (u8)rnd();
		len = lens[rnd() % XVM_ARRAY_SIZE(lens)];
		msg[VIRTIO_MSG_HDR_TYPE] = (u8)(rnd() % 3 ? 0 : 2);
		msg[VIRTIO_MSG_HDR_ID] = ids[rnd() % XVM_ARRAY_SIZE(ids)];
		xvm_put16(msg + VIRTIO_MSG_HDR_DEV_NUM, msg[0] ? 0 : (u16)(rnd() % 4));
		xvm_put16(msg + VIRTIO_MSG_HDR_TOKEN, (u16)(0xf000 | i));	/* none of ours */
		xvm_put16(msg + VIRTIO_MSG_HDR_SIZE, (u16)len);
		if (drv_put(&drv, msg, len))
			drv_poll(&drv, 2);
		/* Never more than a few unanswered. */
		if (i % 8 == 0)
			drv_sync(&drv);
	}
	assert_int_equal(rig.fail_reason, 0);
	assert_true(rig_stats(&rig)->messages_bad > 1000);
	drv_sync(&drv);
}

/* Grants that are none: found out where they are mapped, and not taken for a fault of ours. */
static void test_rings_unmappable(void **state)
{
	(void)state;
	rig_start(&rig, 3, 264, 32);
	close(rig.shared_fd);
	rig.shared_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	rig_connect(&rig);
	RIG_UNTIL(&rig, rig.fail_reason);
	assert_int_equal(rig.fail_reason, XVM_FAIL_RINGS);
	rig_wait_exit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rings_unmappable),
		cmocka_unit_test(test_prod_too_far),
		cmocka_unit_test(test_prod_unaligned),
		cmocka_unit_test(test_cons_lies),
		cmocka_unit_test(test_record_length),
		cmocka_unit_test(test_record_beyond_prod),
		cmocka_unit_test(test_credits_unread),
		cmocka_unit_test(test_credits_waiting),
		cmocka_unit_test_setup_teardown(test_bad_chains, start, stop),
		cmocka_unit_test_setup_teardown(test_foreign_area, start, stop),
		cmocka_unit_test_setup_teardown(test_bad_queues, start, stop),
		cmocka_unit_test_teardown(test_deaf, stop), cmocka_unit_test(test_stalled),
		cmocka_unit_test(test_slow), cmocka_unit_test(test_stalled_and_kept),
		cmocka_unit_test_setup_teardown(test_state_flood, start, stop),
		cmocka_unit_test_setup_teardown(test_idle, start, stop),
		cmocka_unit_test_setup_teardown(test_noise, start, stop),
	};

	return RIG_RUN_BOTH(tests);
}
