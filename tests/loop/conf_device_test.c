// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device-side statements of docs/conformance.md over the wire: a whole
 * worker with a device that obeys orders (tests/support/toy.h). What every
 * message must keep to is judged by the observer at the end of each case.
 */
/* LINK: dom0/base dom0/virtio dom0/bus dom0/worker/aio.c dom0/worker/worker.c dom0/worker/control.c */
/* LINK: xen/proto tests/support/rig.c tests/support/drv.c tests/support/drv_vq.c tests/support/toy.c */
/* LINK: tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
/* LINK: tests/support/tap.c */
/* LIBS: -l:liburing.a -Wl,--wrap=xvm_ring_tx_put,--wrap=xvm_ring_rx_get */
#include "../support/toy_rig.h"

static u8 msg[512];

static void begin(void)
{
	add_toy(NUM);
}

/* A ring of one page, which can be filled. */
static int start_narrow(void **state)
{
	(void)state;
	return start_with(0, VIRTIO_MSG_OFFER_BYTES, 7);
}

/* For cases whose driver breaks rules of its side of the bus. */
static int stop_wrong(void **state)
{
	(void)state;
	return end("DEV") ? -1 : 0;
}

/* ---- words ---- */

static struct xvm_msg_config write_first(u32 generation, u32 off, u32 len, u8 first)
{
	u8 data[64] = { first };

	return write_config(generation, off, data, len);
}

static void order(enum toy_word word)
{
	assert_int_equal(write_first(generation(), 0, 1, (u8)word).length, 1);
}

/* ---- what the device is ---- */

static void expect_info(void)
{
	struct xvm_msg_device_info info;

	drv_info(&drv, NUM, &info);
	assert_int_equal(info.device_id, TOY_ID);
	assert_int_equal(info.num_feature_bits % 32, 0);
	assert_true(info.num_feature_bits >= 64);
	assert_int_equal(info.config_size, TOY_CONFIG);
	assert_int_equal(info.max_virtqueues, TOY_QUEUES);
	assert_int_equal(info.admin_vq_count, 0);
}

static void test_info(void **state)
{
	struct drv_vq vq;

	(void)state;
	assert_int_equal(drv_status(&drv, NUM), 0);
	expect_info();
	run(&vq, XVM_F_RING_RESET);
	expect_info();
	drv_set_status(&drv, NUM, 0);
	expect_info();
}

/* Each request has its answer, in the device's initial state too. */
static void test_core_messages(void **state)
{
	static const u32 one = 0;
	struct xvm_msg_vqueue vq = { .index = 0 };
	struct xvm_msg_config config = { 0 };
	u32 i;

	(void)state;
#define ASK(len) (drv_ask(&drv, msg, len))
	assert_int_equal(ASK(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM)),
			 rig_dialect ? 52 : 32);
	assert_int_equal(ASK(xvm_msg_put_get_features(msg, NUM, 0, 2)), 24);
	assert_int_equal(ASK(xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, 0, 1,
						  &one)), 8);
	assert_int_equal(ASK(xvm_msg_put_get_config(msg, NUM, 0, 8)), 28);
	assert_int_equal(ASK(xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &config)), 20);
	assert_int_equal(ASK(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM)), 12);
	assert_int_equal(ASK(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0)), 12);
	assert_int_equal(ASK(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_VQUEUE, NUM, 0)), 48);
	assert_int_equal(ASK(xvm_msg_put_set_vqueue(msg, rig_dialect, NUM, &vq)), 8);
	assert_int_equal(ASK(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_RESET_VQUEUE, NUM, 0)), 8);
	assert_int_equal(ASK(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_SHM, NUM, 3)),
			 rig_dialect ? 32 : 20);
	assert_int_equal(xvm_get32(drv.answer + 8), 3);
	for (i = 12; i < drv.answer_len; i++)
		assert_int_equal(drv.answer[i], 0);
}

/* The bytes of header and payload, little-endian, and nothing in reserved places. */
static void test_bytes(void **state)
{
	static const u8 want[] = {
		0x01, 0x09, NUM, 0, 0, 0, 48, 0, 1, 0, 0, 0, TOY_QUEUE_SIZE, 0, 0, 0,
	};
	u32 i;

	(void)state;
	xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_VQUEUE, NUM, 1);
	msg[0] = 0xfc;		/* reserved bits are not looked at */
	drv.awaited = 0x1234;
	drv.answered = false;
	xvm_put16(msg + VIRTIO_MSG_HDR_TOKEN, 0x1234);
	drv_put(&drv, msg, 12);
	DRV_UNTIL(&drv, drv.answered);
	assert_int_equal(drv.answer_len, 48);
	assert_memory_equal(drv.answer, want, 4);
	assert_int_equal(drv.answer[4], 0x34);
	assert_int_equal(drv.answer[5], 0x12);
	assert_memory_equal(drv.answer + 6, want + 6, 10);
	for (i = 16; i < 48; i++)
		assert_int_equal(drv.answer[i], 0);
}

/* Nothing longer than the connection allows comes, whatever is asked for. */
static void test_max_message(void **state)
{
	u32 max = xvm_dialect_rules(rig_dialect)->device_message;
	struct xvm_msg_config m;
	struct drv_vq vq;

	(void)state;
	drv_ask(&drv, msg, xvm_msg_put_get_features(msg, NUM, 0, 64));
	assert_true(drv.answer_len <= max);
	drv_ask(&drv, msg, xvm_msg_put_get_devices(msg, 0, 2048));
	assert_true(drv.answer_len <= max);
	drv_ask(&drv, msg, xvm_msg_put_get_config(msg, NUM, 0, TOY_CONFIG));
	m = answered_config();
	assert_int_equal(m.length, TOY_CONFIG);
	drv_ask(&drv, msg, xvm_msg_put_get_config(msg, NUM, 0, 1000));
	assert_int_equal(answered_config().length, 0);
	run(&vq, XVM_F_RING_RESET);
	roundtrip(&vq);
}

/* ---- features ---- */

static u32 block(u32 index)
{
	struct xvm_msg_features m;

	drv_ask(&drv, msg, xvm_msg_put_get_features(msg, NUM, index, 1));
	assert_int_equal(xvm_msg_get_features(drv.answer, drv.answer_len, true, &m), 0);
	assert_int_equal(m.block_index, index);
	assert_int_equal(m.num_blocks, 1);
	return xvm_get32(m.blocks);
}

static void test_features_beyond(void **state)
{
	(void)state;
	assert_int_equal(block(0) & TOY_FEATURE, TOY_FEATURE);
	assert_int_equal(block(2), 0);
	assert_int_equal(block(1000), 0);
	assert_int_equal(block(0xffffffff), 0);
}

static void test_features_acknowledged(void **state)
{
	u64 offered = drv_features(&drv, NUM);

	(void)state;
	assert_true(offered & TOY_FEATURE);
	drv_set_status(&drv, NUM, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	drv_set_features(&drv, NUM, NEEDED);
	assert_int_equal(drv_features(&drv, NUM), NEEDED);
	drv_set_features(&drv, NUM, NEEDED | TOY_FEATURE);
	assert_int_equal(drv_features(&drv, NUM), NEEDED | TOY_FEATURE);
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_SET_UP), STATUS_SET_UP);
	assert_int_equal(drv_status(&drv, NUM), STATUS_SET_UP);
	assert_int_equal(drv_features(&drv, NUM), NEEDED | TOY_FEATURE);
	drv_set_status(&drv, NUM, 0);
	assert_int_equal(drv_features(&drv, NUM), offered);
}

/* What is not offered is refused by leaving FEATURES_OK clear, and so is what lacks a must. */
static void test_features_refused(void **state)
{
	u32 far[3] = { 0, (u32)(NEEDED >> 32), 1 };

	(void)state;
	drv_set_status(&drv, NUM, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	drv_set_features(&drv, NUM, NEEDED | 1ull << 20);
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_SET_UP), 3);
	assert_int_equal(drv_status(&drv, NUM), 3);
	drv_set_features(&drv, NUM, TOY_FEATURE);
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_SET_UP), 3);
	drv_ask(&drv, msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, 0, 3,
						far));
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_SET_UP), 3);
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_RUNNING), 3);
}

/* ---- configuration ---- */

static void test_generation(void **state)
{
	u8 before[TOY_CONFIG], after[TOY_CONFIG];
	struct drv_vq vq;
	u32 gen;

	(void)state;
	run(&vq, XVM_F_RING_RESET);
	assert_int_equal(drv_config(&drv, NUM, 0, TOY_CONFIG, before), TOY_CONFIG);
	gen = answered_config().generation;
	order(TOY_CHANGE);
	DRV_UNTIL(&drv, drv.configs[NUM]);
	assert_int_equal(drv.config[NUM].generation, gen + 1);
	assert_int_equal(drv.config[NUM].device_status, STATUS_RUNNING);
	assert_int_equal(drv.config[NUM].offset, 8);
	assert_int_equal(drv.config[NUM].length, TOY_CONFIG - 8);
	assert_null(drv.config[NUM].data);
	assert_int_equal(drv_config(&drv, NUM, 0, TOY_CONFIG, after), TOY_CONFIG);
	assert_int_equal(answered_config().generation, gen + 1);
	assert_memory_not_equal(before + 8, after + 8, TOY_CONFIG - 8);
	/* A write that changes nothing else leaves the generation alone: the next one is good. */
	order(TOY_SLOW);
	assert_int_equal(generation(), gen + 1);
	/* A reset does not bring old generations back. */
	drv_set_status(&drv, NUM, 0);
	assert_true((int32_t)(generation() - gen) > 0);
}

/* Fills the ring to the driver side until no event may be written any more. */
static void stuff(struct drv_vq *vq)
{
	u32 i, len;

	drv.deaf = true;
	for (i = 0; i < 200; i++) {
		offer(vq);
		drv_vq_force_kick(vq);
		while (drv_vq_get(vq, &len) < 0)
			drv_poll(&drv, 1);
	}
}

/* A change that could not be told before the driver reset the device is told after. */
static void test_news_survive_reset(void **state)
{
	u8 word = TOY_CHANGE;
	struct xvm_msg_config m = { .length = 1, .data = &word };
	struct drv_vq vq;

	(void)state;
	drv_area_new(&drv, AREA, NUM, PAGES);
	drv_negotiate(&drv, NUM, NEEDED);
	drv_vq_setup(&vq, &drv, NUM, 0, TOY_QUEUE_SIZE, AREA, 0, false);
	drv_set_status(&drv, NUM, STATUS_RUNNING);
	m.generation = generation();
	stuff(&vq);
	drv_send(&drv, msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &m));
	drv_send(&drv, msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0));
	drv.answers = 0;
	(void)rig_stats(&rig);
	drv.deaf = false;
	DRV_UNTIL(&drv, drv.answers == 2);
	DRV_UNTIL(&drv, drv.configs[NUM]);
	assert_int_equal(drv.config[NUM].generation, m.generation + 1);
	assert_int_equal(drv.config[NUM].length, TOY_CONFIG - 8);
	assert_int_equal(drv.config[NUM].device_status, 0);
}

static void test_stale_generation(void **state)
{
	u8 before[TOY_CONFIG], after[TOY_CONFIG];
	struct xvm_msg_config m;
	u32 gen = generation();

	(void)state;
	order(TOY_CHANGE);
	drv_config(&drv, NUM, 0, TOY_CONFIG, before);
	m = write_first(gen, 0, 1, TOY_CHANGE);
	assert_int_equal(m.length, 0);
	assert_int_equal(m.generation, gen + 1);
	m = write_first(gen + 2, 0, 1, TOY_CHANGE);
	assert_int_equal(m.length, 0);
	drv_config(&drv, NUM, 0, TOY_CONFIG, after);
	assert_memory_equal(before, after, TOY_CONFIG);
	m = write_first(gen + 1, 0, 1, TOY_CHANGE);
	assert_int_equal(m.length, 1);
}

static void test_config_range(void **state)
{
	u32 gen = generation();

	(void)state;
	assert_int_equal(write_first(gen, TOY_CONFIG, 1, 0).length, 0);
	assert_int_equal(write_first(gen, 0, TOY_CONFIG + 1, 0).length, 0);
	assert_int_equal(write_first(gen, 0xffffffff, 2, 0).length, 0);
	assert_int_equal(write_first(gen, 0, 1, TOY_REFUSE).length, 0);
	drv_ask(&drv, msg, xvm_msg_put_get_config(msg, NUM, TOY_CONFIG - 1, 2));
	assert_int_equal(answered_config().length, 0);
	assert_int_equal(answered_config().generation, gen);
}

/* ---- status and reset ---- */

static void test_status(void **state)
{
	(void)state;
	assert_int_equal(drv_set_status(&drv, NUM, 1), 1);
	assert_int_equal(drv_status(&drv, NUM), 1);
	/* The device's own bits are not the driver's to set. */
	assert_int_equal(drv_set_status(&drv, NUM, 3 | XVM_S_NEEDS_RESET), 3);
	assert_int_equal(drv_set_status(&drv, NUM, 3 | XVM_S_FAILED), 3 | XVM_S_FAILED);
	assert_int_equal(drv_status(&drv, NUM), 3 | XVM_S_FAILED);
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	assert_int_equal(drv_status(&drv, NUM), 0);
}

/* The answer comes when nothing of the device is under way, and says 0. */
static void test_reset_waits(void **state)
{
	struct xvm_msg_vqueue m;
	struct drv_vq vq;
	long begin;
	u32 len;

	(void)state;
	run(&vq, XVM_F_RING_RESET);
	roundtrip(&vq);
	order(TOY_SLOW);
	offer(&vq);
	begin = now_ms();
	drv_vq_force_kick(&vq);
	drv_sync(&drv);
	drv.used_events = 0;
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	assert_true(now_ms() - begin >= (long)TOY_SLOW_MS - 2);
	/* What was pending is discarded, not completed. */
	assert_int_equal(drv_vq_get(&vq, &len), -1);
	drv_sync(&drv);
	assert_int_equal(drv.used_events, 0);
	assert_int_equal(drv_status(&drv, NUM), 0);
	drv_vqueue(&drv, NUM, 0, &m);
	assert_int_equal(m.size, 0);
	assert_int_equal(m.desc_addr | m.driver_addr | m.device_addr, 0);
	/* And the device can be used again. */
	drv_negotiate(&drv, NUM, NEEDED | XVM_F_EVENT_IDX);
	queue_at(&vq, 0);
	drv_set_status(&drv, NUM, STATUS_RUNNING);
	roundtrip(&vq);
}

static void test_needs_reset(void **state)
{
	struct drv_vq vq;
	u32 len;

	(void)state;
	run(&vq, XVM_F_RING_RESET);
	roundtrip(&vq);
	order(TOY_BREAK);
	DRV_UNTIL(&drv, drv.configs[NUM]);
	assert_int_equal(drv.config[NUM].device_status, STATUS_RUNNING | XVM_S_NEEDS_RESET);
	assert_int_equal(drv_status(&drv, NUM), STATUS_RUNNING | XVM_S_NEEDS_RESET);
	offer(&vq);
	drv_vq_force_kick(&vq);
	drv_sync(&drv);
	assert_int_equal(drv_vq_get(&vq, &len), -1);
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	drv_negotiate(&drv, NUM, NEEDED | XVM_F_EVENT_IDX);
	queue_at(&vq, 0);
	drv_set_status(&drv, NUM, STATUS_RUNNING);
	roundtrip(&vq);
}

/* ---- queues ---- */

static void test_queue_parameters(void **state)
{
	struct xvm_msg_vqueue m, bad;
	struct drv_vq vq;

	(void)state;
	set_up(&vq, XVM_F_RING_RESET);
	drv_vqueue(&drv, NUM, 0, &m);
	assert_int_equal(m.max_size, TOY_QUEUE_SIZE);
	assert_int_equal(m.size, TOY_QUEUE_SIZE);
	assert_int_equal(m.desc_addr, vq.config.desc_addr);
	assert_int_equal(m.driver_addr, vq.config.driver_addr);
	assert_int_equal(m.device_addr, vq.config.device_addr);
	drv_vqueue(&drv, NUM, 1, &m);
	assert_int_equal(m.max_size, TOY_QUEUE_SIZE);
	assert_int_equal(m.size, 0);
	/* What cannot be set up is not there. */
	bad = vq.config;
	bad.index = 1;
	bad.size = TOY_QUEUE_SIZE * 2;
	drv_set_vqueue(&drv, NUM, &bad);
	drv_vqueue(&drv, NUM, 1, &m);
	assert_int_equal(m.size, 0);
	drv_vqueue(&drv, NUM, TOY_QUEUES, &m);
	assert_int_equal(m.max_size, 0);
}

/* Buffers and notifications from before DRIVER_OK wait for it, and are seen then. */
static void test_io_begins_with_driver_ok(void **state)
{
	struct drv_vq vq;
	u32 len;

	(void)state;
	set_up(&vq, XVM_F_RING_RESET);
	offer(&vq);
	drv_vq_force_kick(&vq);
	drv_sync(&drv);
	assert_int_equal(drv_vq_get(&vq, &len), -1);
	assert_int_equal(buffer()[0], 0);
	drv_set_status(&drv, NUM, STATUS_RUNNING);
	drv_vq_wait(&vq, &len);
	assert_int_equal(buffer()[0], TOY_BYTE);
	assert_true(drv.used_events > 0);
}

/* A queue is inactive before its SET_VQUEUE, and one can be added while the device runs. */
static void test_runtime_queue(void **state)
{
	struct xvm_msg_event_avail avail = { .vq_index = 1 };
	struct drv_vq vq, second;

	(void)state;
	run(&vq, XVM_F_RING_RESET);
	xvm_msg_put_event_avail(msg, NUM, &avail);
	xvm_msg_finish(msg, false, 0);
	drv_put(&drv, msg, 16);
	drv_sync(&drv);
	assert_int_equal(drv_status(&drv, NUM), STATUS_RUNNING);
	queue_at(&second, 1);
	roundtrip(&second);
	roundtrip(&vq);
}

/* Quiesced when the answer comes; then as new, with nothing left from before. */
static void test_vq_reset(void **state)
{
	struct xvm_msg_vqueue m;
	struct drv_vq vq, other;
	long begin;
	u32 len;

	(void)state;
	run(&vq, XVM_F_RING_RESET);
	queue_at(&other, 1);
	roundtrip(&vq);
	order(TOY_SLOW);
	offer(&vq);
	begin = now_ms();
	drv_vq_force_kick(&vq);
	drv_reset_vqueue(&drv, NUM, 0);
	assert_true(now_ms() - begin >= (long)TOY_SLOW_MS - 2);
	assert_int_equal(drv_vq_get(&vq, &len), -1);
	drv_vqueue(&drv, NUM, 0, &m);
	assert_int_equal(m.size, 0);
	assert_int_equal(m.max_size, TOY_QUEUE_SIZE);
	drv_vq_force_kick(&vq);
	drv_sync(&drv);
	assert_int_equal(drv_status(&drv, NUM), STATUS_RUNNING);
	queue_at(&vq, 0);
	roundtrip(&vq);
	roundtrip(&other);
}

/* ---- the bus ---- */

/* Requests of one device are answered in order, though the first takes long; others go ahead. */
static void test_order(void **state)
{
	struct drv_vq vq;
	u16 reset, get;

	(void)state;
	add_toy(6);
	run(&vq, XVM_F_RING_RESET);
	order(TOY_SLOW);
	offer(&vq);
	drv_vq_force_kick(&vq);
	drv.answers = 0;
	reset = drv_send(&drv, msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0));
	get = drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
	assert_int_equal(get, (u16)(reset + 1));
	assert_int_equal(drv_status(&drv, 6), 0);
	assert_int_equal(drv.answers, 1);
	DRV_UNTIL(&drv, drv.answers == 3);
}

/* Discarded without a word, and the next message is served. */
static void test_discarded(void **state)
{
	static const u8 ids[] = { 0x00, 0x01, 0x0d, 0x3f, 0x43, 0x80, 0xc0, 0xff };
	u32 i, sent = 0;
	u64 bad = rig_stats(&rig)->messages_bad;

	(void)state;
	for (i = 0; i < sizeof(ids); i++, sent++) {
		xvm_msg_put_u32(msg, 0, ids[i], NUM, 0);
		drv_put(&drv, msg, 12);
	}
	/* Too short and too long for their ids; a response bit on a request. */
	xvm_msg_put_empty(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM);
	drv_put(&drv, msg, 8);
	xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0);
	drv_put(&drv, msg, 12);
	xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM);
	xvm_msg_finish(msg, true, 0);
	drv_put(&drv, msg, 8);
	sent += 3;
	drv.answers = 0;
	drv.requests_failed = 0;
	drv_sync(&drv);
	assert_int_equal(drv.answers, 1);
	assert_int_equal(drv.requests_failed, 0);
	assert_int_equal(rig_stats(&rig)->messages_bad - bad, sent);
}

/* An event gets no answer, whatever is wrong with it. */
static void test_events_unanswered(void **state)
{
	struct xvm_msg_event_avail far = { .vq_index = 4000 };

	(void)state;
	drv.answers = 0;
	drv.requests_failed = 0;
	xvm_msg_put_event_avail(msg, NUM, &far);
	xvm_msg_finish(msg, false, 0);
	drv_put(&drv, msg, 16);
	xvm_msg_put_event_avail(msg, NUM + 1, &far);
	xvm_msg_finish(msg, false, 0);
	drv_put(&drv, msg, 16);
	drv_sync(&drv);
	assert_int_equal(drv.answers, 1);
	assert_int_equal(drv.requests_failed, 0);
}

/* A number is one device's: a second one for it is not taken. */
static void test_unique_number(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = NUM, .device_id = TOY_ID };
	u32 events = drv.device_events;
	struct drv_vq vq;

	(void)state;
	run(&vq, XVM_F_RING_RESET);
	rig_add(&rig, &desc, -1);
	drv_sync(&drv);
	rig_stats(&rig);
	drv_sync(&drv);
	assert_int_equal(drv.device_events, events);
	assert_int_equal(rig.stats.devices, 1);
	roundtrip(&vq);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_info), CASE(test_core_messages), CASE(test_bytes),
		cmocka_unit_test_setup_teardown(test_max_message, start_small, stop_device),
		CASE(test_features_beyond), CASE(test_features_refused), CASE(test_generation),
		cmocka_unit_test_setup_teardown(test_news_survive_reset, start_narrow, stop_device),
		CASE(test_config_range), CASE(test_status), CASE(test_reset_waits),
		CASE(test_needs_reset), CASE(test_queue_parameters),
		CASE(test_io_begins_with_driver_ok), CASE(test_runtime_queue), CASE(test_vq_reset),
		CASE(test_discarded),
		cmocka_unit_test_setup_teardown(test_events_unanswered, start, stop_wrong),
		CASE(test_unique_number),
	};
	/* What the draft asks for instead is in draft_test. */
	const struct CMUnitTest pr28[] = {
		CASE(test_features_acknowledged), CASE(test_stale_generation), CASE(test_order),
	};

	return RIG_RUN_BOTH(tests) + RIG_RUN_IN(XVM_DIALECT_PR28, pr28);
}
