// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the device side does in dialect draft2026 that it does not in pr28:
 * docs/protocol.md, section 14, row by row, over the whole worker with a
 * device that obeys orders (tests/support/toy.h). That both dialects carry the
 * same devices is shown by bus_test and blk_test, which run in both.
 */
/* LINK: dom0/base dom0/virtio dom0/bus dom0/worker/aio.c dom0/worker/worker.c dom0/worker/control.c */
/* LINK: xen/proto tests/support/rig.c tests/support/drv.c tests/support/drv_vq.c tests/support/toy.c */
/* LINK: tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
/* LINK: tests/support/tap.c */
/* LIBS: -l:liburing.a -Wl,--wrap=xvm_ring_tx_put,--wrap=xvm_ring_rx_get */
#include "../support/toy_rig.h"

#define ENABLE VIRTIO_MSG_VQ_ENABLE
#define KEEP VIRTIO_MSG_VQ_KEEP
#define IGNORES VIRTIO_MSG_VQ_IGNORES

static u8 msg[512];

static void begin(void)
{
	add_toy(NUM);
}

static void order(u8 word)
{
	assert_int_equal(write_config(0, 0, &word, 1).length, 1);
}

/* ---- what the device is ---- */

static void test_info(void **state)
{
	static const u8 nil[VIRTIO_MSG_UUID_BYTES];
	struct xvm_msg_device_info m;

	(void)state;
	drv_info(&drv, NUM, &m);
	assert_int_equal(drv.answer_len, 52);
	assert_int_equal(m.device_id, TOY_ID);
	assert_memory_equal(m.uuid, nil, sizeof(nil));
	assert_int_equal(xvm_get32(drv.answer + 32), 2);	/* blocks */
	assert_int_equal(m.config_size, TOY_CONFIG);
	assert_int_equal(m.max_virtqueues, TOY_QUEUES);
	assert_int_equal(m.admin_vq_start | m.admin_vq_count, 0);
}

static void set_block(u32 block, u32 word)
{
	drv_ask(&drv, msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, block, 1,
						&word));
	assert_int_equal(drv.answer_len, 8);
}

/* What is offered is shown whatever the driver chose; each message changes the blocks it names. */
static void test_features(void **state)
{
	u64 offered;

	(void)state;
	offered = drv_features(&drv, NUM);
	assert_false(offered & 1ull << 39);		/* NOTIF_CONFIG_DATA */
	drv_set_status(&drv, NUM, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	set_block(1, (u32)(NEEDED >> 32));
	assert_int_equal(drv_features(&drv, NUM), offered);
	set_block(0, TOY_FEATURE);
	/* Block 1 still is what the first message said: without it this would be refused. */
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_SET_UP), STATUS_SET_UP);
	assert_int_equal(drv_features(&drv, NUM), offered);
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	assert_int_equal(drv_features(&drv, NUM), offered);
}

/* ---- configuration ---- */

static void test_config(void **state)
{
	static const u8 data[TOY_CONFIG + 1] = { 0 }, refused[3] = { TOY_REFUSE, 1, 2 };
	u8 before[TOY_CONFIG], after[TOY_CONFIG];
	struct xvm_msg_config m;
	u32 gen = generation();

	(void)state;
	assert_int_not_equal(gen, 0);
	/* Any generation will do; all of it is applied, and comes back. */
	m = write_config(0, 0, data, 4);
	assert_true(m.generation == gen && m.offset == 0 && m.length == 4);
	assert_int_equal(drv.answer_len, 24);
	assert_memory_equal(m.data, data, 4);
	assert_int_equal(write_config(gen + 1000, 0, data, 4).length, 4);
	/* Or nothing is: beyond the end, and what the device does not take. */
	assert_int_equal(drv_config(&drv, NUM, 0, TOY_CONFIG, before), TOY_CONFIG);
	m = write_config(0, 0, data, TOY_CONFIG + 1);
	assert_true(m.generation == gen && !m.length && !m.data && drv.answer_len == 20);
	m = write_config(0, TOY_CONFIG, data, 1);
	assert_true(m.offset == TOY_CONFIG && !m.length && drv.answer_len == 20);
	assert_int_equal(write_config(0, 0, refused, 3).length, 0);
	assert_int_equal(drv_config(&drv, NUM, 0, TOY_CONFIG, after), TOY_CONFIG);
	assert_memory_equal(before, after, TOY_CONFIG);
	/* Nothing asked for, nothing done, and no fault. */
	m = write_config(77, 2, NULL, 0);
	assert_true(m.generation == gen && m.offset == 2 && !m.length && drv.answer_len == 20);
	assert_int_equal(drv.configs[NUM], 0);
}

/* Told when the device changes something of its own, not when the driver did. */
static void test_event_config(void **state)
{
	struct drv_vq vq;
	u32 gen;

	(void)state;
	run(&vq, 0);
	drv_sync(&drv);
	assert_int_equal(drv.configs[NUM], 0);
	gen = generation();
	order(TOY_CHANGE);
	DRV_UNTIL(&drv, drv.configs[NUM] == 1);
	assert_int_not_equal(drv.config[NUM].generation, gen);
	assert_int_equal(drv.config[NUM].generation, generation());
	assert_int_equal(drv.config[NUM].offset, 8);
	assert_int_equal(drv.config[NUM].length, TOY_CONFIG - 8);
	order(TOY_BREAK);
	DRV_UNTIL(&drv, drv.configs[NUM] == 2);
	assert_int_equal(drv.config[NUM].device_status, STATUS_RUNNING | XVM_S_NEEDS_RESET);
	assert_int_equal(drv.config[NUM].offset | drv.config[NUM].length, 0);
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	drv_sync(&drv);
	assert_int_equal(drv.configs[NUM], 2);
}

/* ---- queues ---- */

static struct xvm_msg_vqueue seen(u32 index)
{
	struct xvm_msg_vqueue m;

	drv_vqueue(&drv, NUM, index, &m);
	assert_int_equal(m.index, index);
	return m;
}

static void put(struct xvm_msg_vqueue m, u32 flags)
{
	m.flags = flags;
	drv_put_vqueue(&drv, NUM, &m);
}

static void same(const struct xvm_msg_vqueue *a, const struct xvm_msg_vqueue *b)
{
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->desc_addr, b->desc_addr);
	assert_int_equal(a->driver_addr, b->driver_addr);
	assert_int_equal(a->device_addr, b->device_addr);
}

/* Configured piece by piece, enabled at last, and not looked at before. */
static void test_configure_then_enable(void **state)
{
	struct xvm_msg_vqueue m, junk;
	struct drv_vq first, vq;
	u32 len;

	(void)state;
	run(&first, XVM_F_RING_RESET);
	queue_at(&vq, 1);
	drv_reset_vqueue(&drv, NUM, 1);
	junk = vq.config;
	junk.size = 8;
	junk.desc_addr = junk.driver_addr = junk.device_addr = 0x123456;
	/* Without a word about the state it stays disabled, with all that was said. */
	put(vq.config, 0);
	m = seen(1);
	assert_int_equal(m.flags, 0);
	same(&m, &vq.config);
	offer(&vq);
	drv_vq_force_kick(&vq);
	drv_sync(&drv);
	assert_int_equal(drv_vq_get(&vq, &len), -1);
	assert_int_equal(buffer()[0], 0);
	/* Each part can be left alone. */
	put(junk, KEEP | IGNORES);
	put(junk, IGNORES & ~VIRTIO_MSG_VQ_NO_SIZE);
	m = seen(1);
	assert_int_equal(m.size, 8);
	assert_int_equal(m.desc_addr, vq.config.desc_addr);
	put(junk, IGNORES & ~VIRTIO_MSG_VQ_NO_DESC);
	put(junk, KEEP | (IGNORES & ~VIRTIO_MSG_VQ_NO_DRIVER));
	m = seen(1);
	assert_int_equal(m.desc_addr, 0x123456);
	assert_int_equal(m.driver_addr, 0x123456);
	assert_int_equal(m.device_addr, vq.config.device_addr);
	put(junk, IGNORES & ~VIRTIO_MSG_VQ_NO_DEVICE);
	assert_int_equal(seen(1).device_addr, 0x123456);
	/* What is there cannot be enabled, and stays. */
	put(junk, ENABLE | IGNORES);
	m = seen(1);
	assert_int_equal(m.flags, 0);
	same(&m, &junk);
	put(vq.config, KEEP);
	assert_int_equal(seen(1).flags, 0);
	put(junk, ENABLE | IGNORES);
	m = seen(1);
	assert_int_equal(m.flags, VIRTIO_MSG_VQ_ENABLED);
	same(&m, &vq.config);
	drv_vq_wait(&vq, &len);
	assert_int_equal(buffer()[0], TOY_BYTE);
	roundtrip(&vq);
	roundtrip(&first);
}

/* A queue that is enabled stays as it is, whatever is asked of it. */
static void test_enabled_stays(void **state)
{
	static const u32 flags[] = { 0, ENABLE, KEEP, IGNORES, ENABLE | IGNORES, KEEP | IGNORES };
	struct xvm_msg_vqueue m, other;
	struct drv_vq vq;
	u32 i;

	(void)state;
	run(&vq, 0);
	other = vq.config;
	other.size = 4;
	other.desc_addr += 0x4000;
	for (i = 0; i < XVM_ARRAY_SIZE(flags); i++) {
		put(other, flags[i]);
		m = seen(0);
		assert_int_equal(m.flags, VIRTIO_MSG_VQ_ENABLED);
		same(&m, &vq.config);
		roundtrip(&vq);
	}
}

/* All or nothing: each of these changes nothing, in silence. */
static void test_vqueue_refused(void **state)
{
	static const u32 flags[] = { 3, 3 | IGNORES, ENABLE | 0x40, 0x80000000, ENABLE | 0xffffffc0 };
	struct xvm_msg_vqueue m, good, bad;
	struct drv_vq vq;
	u32 i;

	(void)state;
	set_up(&vq, XVM_F_RING_RESET);
	drv_reset_vqueue(&drv, NUM, 0);
	good = vq.config;
	good.size = 8;
	put(good, 0);
	for (i = 0; i < XVM_ARRAY_SIZE(flags); i++)
		put(vq.config, flags[i]);
	bad = vq.config;
	bad.reserved = 1;
	put(bad, ENABLE);
	put(bad, 0);
	bad = vq.config;
	bad.size = TOY_QUEUE_SIZE * 2;
	put(bad, 0);
	put(bad, ENABLE);
	bad = vq.config;
	bad.size = 0;
	put(bad, ENABLE);
	bad = vq.config;
	bad.device_addr = xvm_addr_make(AREA + 1, 0);	/* no such area */
	put(bad, ENABLE);
	bad.device_addr = vq.config.device_addr + 1;	/* not aligned */
	put(bad, ENABLE);
	m = seen(0);
	assert_int_equal(m.flags, 0);
	same(&m, &good);
	/* Queues that are not there: a sentinel of zeroes, before and after. */
	bad = vq.config;
	bad.index = TOY_QUEUES;
	put(bad, ENABLE);
	drv_reset_vqueue(&drv, NUM, TOY_QUEUES);
	m = seen(TOY_QUEUES);
	assert_int_equal(m.max_size | m.size | m.flags, 0);
	assert_int_equal(m.desc_addr | m.driver_addr | m.device_addr, 0);
	put(vq.config, ENABLE);
	assert_int_equal(seen(0).flags, VIRTIO_MSG_VQ_ENABLED);
}

/* Only who negotiated it can reset a queue. */
static void test_vq_reset(void **state)
{
	struct xvm_msg_vqueue m;
	struct drv_vq vq;

	(void)state;
	run(&vq, 0);
	drv_reset_vqueue(&drv, NUM, 0);
	m = seen(0);
	assert_int_equal(m.flags, VIRTIO_MSG_VQ_ENABLED);
	same(&m, &vq.config);
	roundtrip(&vq);
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	m = seen(0);
	assert_int_equal(m.flags | m.size, 0);
	drv_negotiate(&drv, NUM, NEEDED | XVM_F_EVENT_IDX | XVM_F_RING_RESET);
	queue_at(&vq, 0);
	drv_set_status(&drv, NUM, STATUS_RUNNING);
	roundtrip(&vq);
	drv_reset_vqueue(&drv, NUM, 0);
	m = seen(0);
	assert_int_equal(m.flags | m.size, 0);
	assert_int_equal(m.max_size, TOY_QUEUE_SIZE);
}

/* ---- reset ---- */

static void make_busy(struct drv_vq *vq)
{
	run(vq, 0);
	order(TOY_SLOW);
	offer(vq);
	drv_vq_force_kick(vq);
	drv_sync(&drv);
}

/* Answered at once, complete when the I/O is; asked after meanwhile, all else waits. */
static void test_reset_polled(void **state)
{
	long begin = now_ms();
	struct drv_vq vq;
	u32 status, polls = 0;

	(void)state;
	make_busy(&vq);
	begin = now_ms();
	drv_ask(&drv, msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0));
	assert_int_equal(xvm_msg_get_u32(drv.answer), STATUS_RUNNING);
	while ((status = drv_status(&drv, NUM))) {
		assert_int_equal(status, STATUS_RUNNING);
		polls++;
		drv_poll(&drv, 2);
	}
	assert_true(polls > 1);
	assert_true(now_ms() - begin >= (long)TOY_SLOW_MS - 5);
	/* From now on nobody touches the memory, and the device is as new. */
	assert_int_equal(seen(0).size, 0);
	drv_negotiate(&drv, NUM, NEEDED | XVM_F_EVENT_IDX);
	queue_at(&vq, 0);
	drv_set_status(&drv, NUM, STATUS_RUNNING);
	roundtrip(&vq);
}

/* Requests behind the reset see a device that was reset, in their order; another device does not wait. */
static void test_reset_order(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = 6, .device_id = TOY_ID };
	struct drv_vq vq;

	(void)state;
	rig_add(&rig, &desc, -1);
	make_busy(&vq);
	drv.answers = 0;
	drv_send(&drv, msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0));
	drv_send(&drv, msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_VQUEUE, NUM, 0));
	drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
	assert_int_equal(drv_status(&drv, 6), 0);
	assert_int_equal(drv.answers, 2);	/* of the reset, and of device 6 */
	assert_int_equal(seen(0).size, 0);
	assert_int_equal(drv.answers, 5);
	assert_int_equal(drv_status(&drv, NUM), 0);
}

/* A device that is to go while it is being reset goes when that is done. */
static void test_reset_then_gone(void **state)
{
	struct drv_vq vq;

	(void)state;
	make_busy(&vq);
	drv_send(&drv, msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0));
	rig_del(&rig, NUM, false);
	DRV_UNTIL(&drv, rig.state[NUM] == XVM_DEV_GONE);
	assert_int_equal(rig.maps, rig.unmaps);
	assert_int_equal(drv_ask(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS,
							      NUM)), 0);
	assert_int_equal(drv.failed.reason, XVM_FAILED_REMOVED);
	/* Whatever is asked of a number that was: one failure each. */
	drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, 0x3f, NUM));
	drv_sync(&drv);
	assert_int_equal(drv.requests_failed, 2);
}

/* ---- the smallest bus ---- */

static void test_small(void **state)
{
	struct xvm_msg_device_info info;
	struct drv_vq vq;
	u8 config[TOY_CONFIG];

	(void)state;
	drv_info(&drv, NUM, &info);
	assert_int_equal(info.max_virtqueues, TOY_QUEUES);
	/* 52 - 20 bytes are what an answer carries. */
	assert_int_equal(drv_config(&drv, NUM, 0, TOY_CONFIG, config), TOY_CONFIG);
	run(&vq, 0);
	roundtrip(&vq);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_info), CASE(test_features), CASE(test_config), CASE(test_event_config),
		CASE(test_configure_then_enable), CASE(test_enabled_stays),
		CASE(test_vqueue_refused), CASE(test_vq_reset), CASE(test_reset_polled),
		CASE(test_reset_order), CASE(test_reset_then_gone),
		cmocka_unit_test_setup_teardown(test_small, start_small, stop_device),
	};

	return RIG_RUN_IN(XVM_DIALECT_DRAFT2026, tests);
}
