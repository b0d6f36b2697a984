// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bus from the driver side: enumeration, every transport message, events
 * of arrival and removal, areas, and what is refused. The worker is a process
 * of its own (tests/support/rig.h).
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c */
/* LIBS: -l:liburing.a */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../../dom0/virtio/vdev.h"
#include <linux/virtio_ids.h>
#include <time.h>

static struct rig rig;
static struct drv drv;

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

static u32 devices(u16 offset, u16 count, struct xvm_msg_get_devices *m)
{
	u8 msg[16];

	drv_ask(&drv, msg, xvm_msg_put_get_devices(msg, offset, count));
	assert_int_equal(xvm_msg_get_devices(drv.answer, rig.dialect, drv.answer_len, m), 0);
	assert_int_equal(m->offset, offset);
	return m->count;
}

static void test_enumerate(void **state)
{
	struct xvm_msg_get_devices m;

	(void)state;
	rig_add_rng(&rig, 1);
	rig_add_rng(&rig, 9);
	rig_add_rng(&rig, 3000);
	DRV_UNTIL(&drv, drv.device_events == 3);
	assert_int_equal(drv.device_state[9], VIRTIO_MSG_DEVICE_READY);
	assert_int_equal(devices(0, 16, &m), 16);
	assert_int_equal(m.bitmap[0], 0x02);
	assert_int_equal(m.bitmap[1], 0x02);
	assert_int_equal(m.next_offset, drv.rules->windows_of_8 ? 3000 & ~7 : 3000);
	/* A window is cut to the message size, the last one says 0. */
	assert_int_equal(devices(2048, 8192, &m), 2000);
	assert_int_equal(m.bitmap[(3000 - 2048) / 8], 1 << (3000 - 2048) % 8);
	assert_int_equal(m.next_offset, 0);
	assert_int_equal(devices(65528, 64, &m), 8);
	assert_int_equal(m.next_offset, 0);
	if (!drv.rules->windows_of_8)
		return;
	assert_int_equal(devices(3, 16, &m), 0);
	assert_int_equal(m.next_offset, 0);
	assert_int_equal(devices(8, 9, &m), 0);
}

/* Windows of any size anywhere, and none at all. */
static void test_enumerate_any(void **state)
{
	struct xvm_msg_get_devices m;
	u32 found = 0;
	u16 at = 0;

	(void)state;
	if (drv.rules->windows_of_8)
		return;		/* refused, as test_enumerate has seen */
	rig_add_rng(&rig, 1);
	rig_add_rng(&rig, 11);
	rig_add_rng(&rig, 12);
	DRV_UNTIL(&drv, drv.device_events == 3);
	assert_int_equal(devices(3, 9, &m), 9);
	assert_int_equal(drv.answer_len, 14 + 2);
	assert_int_equal(m.bitmap[0], 0);
	assert_int_equal(m.bitmap[1], 1);		/* 11; 12 is not of this window */
	assert_int_equal(m.next_offset, 12);
	assert_int_equal(devices(12, 1, &m), 1);
	assert_int_equal(m.bitmap[0], 1);
	assert_int_equal(m.next_offset, 0);
	assert_int_equal(devices(11, 0, &m), 0);
	assert_int_equal(drv.answer_len, 14);
	assert_int_equal(m.next_offset, 0);
	assert_int_equal(devices(65535, 65535, &m), 1);
	/* One number at a time, as next_offset leads. */
	do {
		devices(at, 1, &m);
		found += m.bitmap[0] & 1;
		assert_true(!m.next_offset || m.next_offset > at);
		at = m.next_offset;
	} while (at);
	assert_int_equal(found, 3);
}

static void test_every_message(void **state)
{
	struct xvm_msg_device_info info;
	struct xvm_msg_vqueue vq;
	struct xvm_msg_shm shm;
	u8 byte;

	(void)state;
	rig_add_rng(&rig, 1);
	DRV_UNTIL(&drv, drv.device_events);
	drv_info(&drv, 1, &info);
	assert_int_equal(info.device_id, VIRTIO_ID_RNG);
	assert_int_equal(info.num_feature_bits, 64);
	assert_int_equal(info.max_virtqueues, 1);
	assert_true(drv_features(&drv, 1) & XVM_F_VERSION_1);
	/* Status: FEATURES_OK is refused without what the bus requires. */
	assert_int_equal(drv_set_status(&drv, 1, 3), 3);
	drv_set_features(&drv, 1, XVM_F_VERSION_1);
	assert_int_equal(drv_set_status(&drv, 1, 11), 3);
	drv_set_features(&drv, 1, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM);
	if (drv.rules->acked_is_shown)
		assert_int_equal(drv_features(&drv, 1), XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM);
	else
		assert_true(drv_features(&drv, 1) & XVM_F_EVENT_IDX);
	assert_int_equal(drv_set_status(&drv, 1, 11), 11);
	assert_int_equal(drv_status(&drv, 1), 11);
	/* A range outside the configuration, or too long for an answer: length 0. */
	assert_int_equal(drv_config(&drv, 1, 0, 1, &byte), 0);
	assert_int_equal(drv_config(&drv, 1, 0xffffffff, 2, &byte), 0);
	assert_int_equal(drv_config(&drv, 1, 0, 0xffffffff, &byte), 0);
	/* Queues that are not there, and a set-up that cannot be. */
	drv_vqueue(&drv, 1, 0, &vq);
	assert_true(vq.max_size && !vq.size);
	drv_vqueue(&drv, 1, 77, &vq);
	assert_true(vq.index == 77 && !vq.max_size);
	vq = (struct xvm_msg_vqueue){ .index = 0, .size = 8, .desc_addr = 0x10000000000 };
	drv_set_vqueue(&drv, 1, &vq);
	vq.index = 4000;
	drv_set_vqueue(&drv, 1, &vq);
	drv_vqueue(&drv, 1, 0, &vq);
	assert_int_equal(vq.size, 0);
	drv_reset_vqueue(&drv, 1, 0);
	drv_reset_vqueue(&drv, 1, 4000);
	drv_shm(&drv, 1, 5, &shm);
	assert_true(shm.index == 5 && shm.length == 0);
	drv_sync(&drv);
	/* A reset gives the offered features back. */
	assert_int_equal(drv_set_status(&drv, 1, 0), 0);
	assert_true(drv_features(&drv, 1) & XVM_F_EVENT_IDX);
}

static void test_feature_blocks(void **state)
{
	struct xvm_msg_features m;
	u32 words[4] = { 1, 2, 3, 4 };
	u8 msg[64];

	(void)state;
	rig_add_rng(&rig, 1);
	/* As many blocks as fit, zero beyond what there is, no wrap of the index. */
	drv_ask(&drv, msg, xvm_msg_put_get_features(msg, 1, 1, 1000));
	assert_int_equal(xvm_msg_get_features(drv.answer, drv.answer_len, true, &m), 0);
	assert_int_equal(m.num_blocks, 62);
	assert_true(xvm_get32(m.blocks) & 1);
	assert_int_equal(xvm_get32(m.blocks + 4), 0);
	drv_ask(&drv, msg, xvm_msg_put_get_features(msg, 1, 0xffffffff, 2));
	assert_int_equal(xvm_msg_get_features(drv.answer, drv.answer_len, true, &m), 0);
	assert_int_equal(xvm_get32(m.blocks + 4), 0);
	drv_ask(&drv, msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, 1, 0xfffffffe,
						4, words));
	assert_int_equal(drv.answer_len, 8);
}

static void test_absent_device(void **state)
{
	u8 msg[16];

	(void)state;
	assert_int_equal(drv_ask(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO,
							      5)), 0);
	assert_int_equal(drv.failed.dev_num, 5);
	assert_int_equal(drv.failed.id, VIRTIO_MSG_GET_DEVICE_INFO);
	assert_int_equal(drv.failed.reason, XVM_FAILED_NO_DEVICE);
	/* Number 0 is no device's, for transport messages too. */
	assert_int_equal(drv_ask(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS,
							      0)), 0);
	assert_int_equal(drv_release(&drv, 5), XVM_STATUS_NO_DEVICE);
	assert_int_equal(drv_area_add(&drv, 1, 5, 1), XVM_STATUS_NO_DEVICE);
	/* What it asks nobody knows either: in the draft routing comes first. */
	drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, 0x3f, 5));
	drv_sync(&drv);
	assert_int_equal(drv.requests_failed, drv.rules->ids_opaque ? 3 : 2);
	/* An event to nobody is no fault. */
	xvm_msg_put_event_avail(msg, 5, &(struct xvm_msg_event_avail){ 0 });
	xvm_msg_finish(msg, false, 0);
	drv_put(&drv, msg, 16);
	drv_sync(&drv);
}

static void test_malformed(void **state)
{
	u8 good[16], msg[264] = { 0 };
	u64 bad;

	(void)state;
	rig_add_rng(&rig, 1);
	DRV_UNTIL(&drv, drv.device_events);
	bad = rig_stats(&rig)->messages_bad;
	xvm_msg_put_u32(good, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, 1);
	xvm_msg_finish(good, false, 99);
	drv_put(&drv, good, 0);			/* empty */
	drv_put(&drv, good, 7);			/* shorter than a header */
	drv_put(&drv, good, 11);		/* not its msg_size */
	memcpy(msg, good, 12);
	xvm_put16(msg + VIRTIO_MSG_HDR_SIZE, 264);
	drv_put(&drv, msg, 264);		/* longer than a PING may be */
	memcpy(msg, good, 12);
	msg[VIRTIO_MSG_HDR_ID] = 0x3f;
	drv_put(&drv, msg, 12);			/* unknown */
	memcpy(msg, good, 12);
	msg[VIRTIO_MSG_HDR_DEV_NUM] = 1;
	drv_put(&drv, msg, 12);			/* a bus message with a device number */
	xvm_msg_put_event_device(msg, 1, 1);
	drv_put(&drv, msg, 12);			/* not the driver's to send */
	xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, 1);
	xvm_msg_finish(msg, true, 99);
	drv_put(&drv, msg, 12);			/* an answer to nothing */
	xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, 1, 0, 2, (u32[]){ 0, 0 });
	xvm_put32(msg + 12, 1000);
	drv_put(&drv, msg, 24);			/* a count its length does not hold */
	drv.answers = 0;
	drv_sync(&drv);
	assert_int_equal(drv.answers, 1);	/* the sync's own */
	assert_int_equal(rig_stats(&rig)->messages_bad - bad, 9);
	/* Reserved bits of type are ignored. */
	good[0] |= 0xfc;
	drv_put(&drv, good, 12);
	drv_sync(&drv);
	assert_int_equal(drv.answers, 3);
}

static void test_areas(void **state)
{
	struct xvm_msg_area_add m = { .id = 5, .npages = 4, .first_byte = 8, .ndirs = 1 };
	u8 msg[128];
	u32 i;

	(void)state;
	rig_add_rng(&rig, 1);
	rig_add_rng(&rig, 2);
	for (i = 1; i <= 12; i++)
		rig_area_new(&rig, i, 4);
	assert_int_equal(drv_area_add(&drv, 1, 1, 4), XVM_STATUS_OK);
	assert_int_equal(drv_area_add(&drv, 1, 1, 4), XVM_STATUS_OK);	/* exact replay */
	assert_int_equal(rig.maps, 1);
	assert_int_equal(drv_area_add(&drv, 1, 1, 3), XVM_STATUS_EXISTS);
	assert_int_equal(drv_area_add(&drv, 1, 2, 4), XVM_STATUS_EXISTS);
	assert_int_equal(drv_area_add(&drv, 0, 1, 4), XVM_STATUS_INVALID);
	assert_int_equal(drv_area_add(&drv, 128, 1, 4), XVM_STATUS_INVALID);
	drv_ask(&drv, msg, xvm_msg_put_area_add(msg, &m));
	assert_int_equal(xvm_get16(drv.answer + 10), XVM_STATUS_INVALID);
	m.first_byte = 0;
	m.npages = 0;
	drv_ask(&drv, msg, xvm_msg_put_area_add(msg, &m));
	assert_int_equal(xvm_get16(drv.answer + 10), XVM_STATUS_INVALID);
	m.npages = 1025;
	drv_ask(&drv, msg, xvm_msg_put_area_add(msg, &m));
	assert_int_equal(xvm_get16(drv.answer + 10), XVM_STATUS_INVALID);
	assert_int_equal(drv_area_add(&drv, 2, 7, 4), XVM_STATUS_NO_DEVICE);
	assert_int_equal(drv_area_add(&drv, 100, 1, 16384), XVM_STATUS_BAD_REF);
	/* What could not be mapped leaves nothing: pages, id. */
	drv_area_new(&drv, 100, 2, 1);
	rig.area[2].refuse = XVM_STATUS_NO_SPACE;
	assert_int_equal(drv_area_add(&drv, 2, 1, 4), XVM_STATUS_NO_SPACE);
	rig.area[2].refuse = 0;
	for (i = 2; i <= 8; i++)
		assert_int_equal(drv_area_add(&drv, i, 1, 4), XVM_STATUS_OK);
	assert_int_equal(drv_area_add(&drv, 9, 1, 4), XVM_STATUS_NO_SPACE);
	assert_int_equal(drv_area_add(&drv, 9, 2, 4), XVM_STATUS_OK);
	assert_int_equal(drv_area_del(&drv, 50), XVM_STATUS_NO_AREA);
	assert_int_equal(drv_area_del(&drv, 200), XVM_STATUS_NO_AREA);
	assert_int_equal(drv_area_del(&drv, 9), XVM_STATUS_OK);
	assert_int_equal(drv_area_del(&drv, 9), XVM_STATUS_NO_AREA);
	/* A freed id rests for 64 additions. */
	for (i = 0; i < 64; i++) {
		assert_int_equal(drv_area_add(&drv, 9, 2, 4), XVM_STATUS_EXISTS);
		drv_area_new(&drv, 20 + i, 2, 1);
		assert_int_equal(drv_area_del(&drv, 20 + i), XVM_STATUS_OK);
	}
	assert_int_equal(drv_area_add(&drv, 9, 2, 4), XVM_STATUS_OK);
	assert_int_equal(rig_stats(&rig)->areas, 10);
	assert_int_equal(rig.stats.area_pages, 8 * 4 + 1 + 4);
}

static void test_area_budget(void **state)
{
	struct xvm_msg_area_status m;

	(void)state;
	rig_add_rng(&rig, 1);
	rig_area_new(&rig, 1, 16384);
	rig_area_new(&rig, 2, 8192);
	rig_area_new(&rig, 3, 8192);
	assert_int_equal(drv_area_add(&drv, 1, 1, 16384), XVM_STATUS_OK);
	assert_int_equal(drv_area_add(&drv, 2, 0, 8192), XVM_STATUS_OK);
	assert_int_equal(drv_area_add(&drv, 3, 1, 1), XVM_STATUS_NO_SPACE);
	xvm_msg_get_area_status(drv.answer, XVM_BUS_MSG_AREA_ADD, &m);
	assert_int_equal(m.limit, 0);
	assert_int_equal(drv_area_del(&drv, 2), XVM_STATUS_OK);
	assert_int_equal(drv_area_add(&drv, 4, 1, 8193), XVM_STATUS_NO_SPACE);
	xvm_msg_get_area_status(drv.answer, XVM_BUS_MSG_AREA_ADD, &m);
	assert_int_equal(m.limit, 8192);
}

/* Announcing memory all the time is slowed down, and nothing else is. */
static void test_area_rate(void **state)
{
	struct timespec from, to;
	u32 i, id;

	(void)state;
	rig_add_rng(&rig, 1);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < 100; i++) {
		id = 1 + i % 100;
		drv_area_new(&drv, id, 1, 1);
		assert_int_equal(drv_area_del(&drv, id), XVM_STATUS_OK);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 > 500);
}

/* While one device's area is with the supervisor, only that device's messages wait, in order. */
static void test_order(void **state)
{
	struct xvm_msg_area_add m = { .id = 1, .scope = 1, .npages = 4, .ndirs = 1 };
	u8 msg[128];

	(void)state;
	rig_add_rng(&rig, 1);
	rig_add_rng(&rig, 2);
	rig_add_rng(&rig, 3);
	rig_area_new(&rig, 1, 4);
	rig_area_new(&rig, 2, 4);
	rig.hold_maps = true;
	drv_send(&drv, msg, xvm_msg_put_area_add(msg, &m));
	RIG_UNTIL(&rig, rig.held_map == 1);
	drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, 1));
	m.id = m.scope = 2;
	drv_send(&drv, msg, xvm_msg_put_area_add(msg, &m));
	drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, 2));
	drv_sync(&drv);
	assert_int_equal(drv_status(&drv, 3), 0);
	assert_int_equal(drv.answers, 2);	/* of these two; devices 1 and 2 wait */
	rig_map_reply(&rig, 1);
	RIG_UNTIL(&rig, rig.held_map == 2);
	DRV_UNTIL(&drv, drv.answers == 4);
	rig_map_reply(&rig, 2);
	DRV_UNTIL(&drv, drv.answers == 6);
	/* A device that goes while its area is with the supervisor takes the area along. */
	m.id = 3;
	rig_area_new(&rig, 3, 4);
	drv_send(&drv, msg, xvm_msg_put_area_add(msg, &m));
	RIG_UNTIL(&rig, rig.held_map == 3);
	rig_del(&rig, 2, true);
	drv_sync(&drv);
	assert_int_equal(rig.state[2], 0);
	rig_map_reply(&rig, 3);
	DRV_UNTIL(&drv, rig.state[2] == XVM_DEV_GONE);
	assert_int_equal(rig.maps - rig.unmaps, 1);
}

static void test_hotplug(void **state)
{
	struct xvm_msg_get_devices m;
	u8 msg[16];

	(void)state;
	rig_add_rng(&rig, 4);
	drv_wait_ready(&drv, 4);
	assert_int_equal(drv_release(&drv, 4), XVM_STATUS_INVALID);
	drv_area_new(&drv, 1, 4, 4);
	assert_int_equal(drv_set_status(&drv, 4, 3), 3);

	/* Not forced: told, served until reset, then gone and quarantined. */
	rig_del(&rig, 4, false);
	DRV_UNTIL(&drv, drv.device_state[4] == VIRTIO_MSG_DEVICE_REMOVED);
	devices(0, 8, &m);
	assert_int_equal(m.bitmap[0], 0);
	assert_int_equal(drv_status(&drv, 4), 3);
	assert_int_equal(rig.state[4], 0);
	assert_int_equal(drv_set_status(&drv, 4, 0), 0);
	DRV_UNTIL(&drv, rig.state[4] == XVM_DEV_GONE);
	assert_int_equal(rig.unmaps, 1);
	assert_int_equal(drv_ask(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS,
							      4)), 0);
	assert_int_equal(drv.failed.reason, XVM_FAILED_REMOVED);
	/* The number is not free before it is released, and neither is the area's id. */
	rig.state[4] = 0;
	rig_add_rng(&rig, 4);
	DRV_UNTIL(&drv, rig.state[4] == XVM_DEV_GONE);
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_OK);
	assert_int_equal(drv_release(&drv, 4), XVM_STATUS_OK);
	assert_int_equal(drv_release(&drv, 4), XVM_STATUS_NO_DEVICE);
	rig_add_rng(&rig, 4);
	drv_wait_ready(&drv, 4);

	/* Forced: gone at once, whatever the driver thinks. */
	drv_set_status(&drv, 4, 3);
	rig_del(&rig, 4, true);
	DRV_UNTIL(&drv, drv.device_state[4] == VIRTIO_MSG_DEVICE_REMOVED);
	DRV_UNTIL(&drv, rig.state[4] == XVM_DEV_GONE);
	/* A driver that releases without a reset is believed as well. */
	assert_int_equal(drv_release(&drv, 4), XVM_STATUS_OK);
	rig_add_rng(&rig, 4);
	drv_wait_ready(&drv, 4);
	drv_set_status(&drv, 4, 3);
	rig_del(&rig, 4, false);
	DRV_UNTIL(&drv, drv.device_state[4] == VIRTIO_MSG_DEVICE_REMOVED);
	assert_int_equal(drv_release(&drv, 4), XVM_STATUS_OK);
	assert_int_equal(rig.state[4], XVM_DEV_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_enumerate, start, stop),
		cmocka_unit_test_setup_teardown(test_enumerate_any, start, stop),
		cmocka_unit_test_setup_teardown(test_every_message, start, stop),
		cmocka_unit_test_setup_teardown(test_feature_blocks, start, stop),
		cmocka_unit_test_setup_teardown(test_absent_device, start, stop),
		cmocka_unit_test_setup_teardown(test_malformed, start, stop),
		cmocka_unit_test_setup_teardown(test_areas, start, stop),
		cmocka_unit_test_setup_teardown(test_area_budget, start, stop),
		cmocka_unit_test_setup_teardown(test_area_rate, start, stop),
		cmocka_unit_test_setup_teardown(test_order, start, stop),
		cmocka_unit_test_setup_teardown(test_hotplug, start, stop),
	};

	return RIG_RUN_BOTH(tests);
}
