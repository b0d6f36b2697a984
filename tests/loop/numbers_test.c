// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device numbers up to 65535, found in windows: the module's enumeration
 * (domU/virtio_msg_enum.c) and plain questions, against a worker whose devices
 * are spread over all numbers, and against device sides that it must not trust.
 */
/* LINK: dom0/base dom0/virtio dom0/bus dom0/worker/aio.c dom0/worker/worker.c dom0/worker/control.c */
/* LINK: xen/proto tests/support/rig.c tests/support/drv.c tests/support/drv_vq.c tests/support/toy.c */
/* LINK: tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
/* LINK: tests/support/tap.c domU/virtio_msg_enum.c */
/* LIBS: -l:liburing.a -Wl,--wrap=xvm_ring_tx_put,--wrap=xvm_ring_rx_get */
#include "../support/toy_rig.h"
#include "../../domU/virtio_msg_enum.h"

#define SPREAD 256u	/* as many devices as a bus may have */
#define STEP 257u	/* 255 * 257 is 65535 */

static bool found[65536];
static u32 nfound, windows;

static u16 spread(u32 i)
{
	return (u16)(i ? i * STEP : 1);
}

static void add_spread(void)
{
	struct xvm_ipc_dev_add desc = { .device_id = TOY_ID };
	u32 i;

	for (i = 0; i < SPREAD; i++) {
		desc.num = spread(i);
		rig_add(&rig, &desc, -1);
	}
	DRV_UNTIL(&drv, drv.device_events == SPREAD);
}

static void forget(void)
{
	memset(found, 0, sizeof(found));
	nfound = windows = 0;
}

static void note(void *arg, const struct xvm_msg_get_devices *m)
{
	u32 i;

	(void)arg;
	windows++;
	for (i = 0; i < m->count; i++) {
		if (!vmsg_enum_has(m, i))
			continue;
		assert_false(found[m->offset + i]);	/* windows do not overlap */
		found[m->offset + i] = true;
		nfound++;
	}
}

static void expect_spread(void)
{
	u32 i;

	for (i = 0; i < SPREAD; i++)
		assert_true(found[spread(i)]);
	assert_int_equal(nfound, SPREAD);
}

static void begin(void)
{
	forget();
}

/* The driver side asked about devices that it was not told of, which the observer says. */
static int stop_rude(void **state)
{
	(void)state;
	return end("DRV") ? 0 : -1;
}

/* ---- the module's enumeration, against a worker ---- */

static int ask_worker(void *arg, const u8 *msg, u32 len, u8 *answer)
{
	u8 copy[16];

	(void)arg;
	memcpy(copy, msg, len);
	len = drv_ask(&drv, copy, len);
	assert_in_range(len, 1, VMSG_ENUM_BYTES);
	memcpy(answer, drv.answer, len);
	return (int)len;
}

static int enumerate(int (*transfer)(void *arg, const u8 *msg, u32 len, u8 *answer))
{
	struct vmsg_enum e = {
		.dialect = rig.dialect, .max_message = rig.max_message,
		.transfer = transfer, .window = note,
	};

	return vmsg_enumerate(&e);
}

static void test_spread(void **state)
{
	struct xvm_ipc_dev_add one_more = { .num = 2, .device_id = TOY_ID };

	(void)state;
	assert_int_equal(enumerate(ask_worker), 0);
	assert_int_equal(nfound, 0);
	assert_int_equal(windows, 1);
	add_spread();
	forget();
	assert_int_equal(enumerate(ask_worker), 0);
	expect_spread();
	/* The device side leads over what is empty: no window without a device. */
	assert_in_range(windows, 65536 / 2000, SPREAD);
	/* Each of them can be talked to; and one more there cannot be. */
	assert_int_equal(drv_status(&drv, 65535), 0);
	assert_int_equal(drv_status(&drv, 257), 0);
	rig_add(&rig, &one_more, -1);
	RIG_UNTIL(&rig, rig.states[2]);
	forget();
	assert_int_equal(enumerate(ask_worker), 0);
	expect_spread();
}

/* Windows of a few hundred numbers: what the smallest messages carry. */
static void test_small(void **state)
{
	(void)state;
	add_spread();
	assert_int_equal(enumerate(ask_worker), 0);
	expect_spread();
	assert_true(windows > 100);
}

/* Windows side by side over all numbers, wherever next_offset leads. */
static void test_small_windows(void **state)
{
	u16 count = drv.rules->windows_of_8 ? 8 * 31 : 333;
	struct xvm_msg_get_devices m;
	u8 msg[16];
	u32 at;

	(void)state;
	add_spread();
	for (at = 0; at < 65536; at += count) {
		drv_ask(&drv, msg, xvm_msg_put_get_devices(msg, (u16)at, count));
		assert_int_equal(xvm_msg_get_devices(drv.answer, rig.dialect, drv.answer_len, &m), 0);
		assert_int_equal(m.offset, at);
		assert_int_equal(m.count, count < 65536 - at ? count : 65536 - at);
		note(NULL, &m);
	}
	expect_spread();
}

/* ---- and against device sides that are made up ---- */

static struct xvm_msg_get_devices reply;
static u8 reply_bits[65536 / 8];
static u16 asked_offset, asked_count;

static int answer_reply(u8 *answer)
{
	u32 len;

	reply.bitmap = reply_bits;
	len = xvm_msg_put_devices(answer, rig.dialect, &reply);
	xvm_msg_finish(answer, true, 1);
	return (int)len;
}

/* All numbers have a device. */
static int ask_full(void *arg, const u8 *msg, u32 len, u8 *answer)
{
	(void)arg;
	(void)len;
	xvm_msg_get_get_devices(msg, &asked_offset, &asked_count);
	memset(reply_bits, 0xff, sizeof(reply_bits));
	reply.offset = asked_offset;
	reply.count = asked_count < 65536 - asked_offset ? asked_count : (u16)(65536 - asked_offset);
	reply.next_offset = (u16)(asked_offset + reply.count);	/* 0 at the end */
	return answer_reply(answer);
}

static void test_full(void **state)
{
	(void)state;
	assert_int_equal(enumerate(ask_full), 0);
	assert_int_equal(nfound, 65535);
	assert_false(found[0]);
	assert_true(found[65535]);
	assert_int_equal(windows, (65536 + 1999) / 2000);
}

static u32 lie;

static int ask_liar(void *arg, const u8 *msg, u32 len, u8 *answer)
{
	(void)arg;
	(void)len;
	xvm_msg_get_get_devices(msg, &asked_offset, &asked_count);
	reply = (struct xvm_msg_get_devices){ .offset = asked_offset, .count = 8,
					      .next_offset = (u16)(asked_offset + 8) };
	if (lie == 0)
		reply.next_offset = asked_offset ? asked_offset : 8;	/* stays where it is */
	if (lie == 1 && asked_offset)
		reply.next_offset = 8;					/* goes round */
	if (lie == 2)
		reply.offset = 16;					/* another window */
	if (lie == 3)
		return -ETIMEDOUT;
	/* else ever on, 8 numbers at a time, and beyond the end: 8192 windows */
	if (lie == 4 && asked_offset == 65528)
		reply.next_offset = 0;
	if (lie == 5) {
		reply.count = asked_offset == 65528 ? 512 : 8;		/* numbers that there are not */
		reply.next_offset = asked_offset == 65528 ? 0 : 65528;
		memset(reply_bits, 0xff, sizeof(reply_bits));
	}
	return answer_reply(answer);
}

static void test_liars(void **state)
{
	(void)state;
	memset(reply_bits, 0, sizeof(reply_bits));
	for (lie = 0; lie < 3; lie++)
		assert_int_equal(enumerate(ask_liar), -EPROTO);
	assert_int_equal(enumerate(ask_liar), -ETIMEDOUT);
	lie = 4;
	forget();
	assert_int_equal(enumerate(ask_liar), 0);
	assert_int_equal(windows, 8192);
	lie = 5;
	forget();
	assert_int_equal(enumerate(ask_liar), 0);
	assert_int_equal(nfound, 15);
}

/* GET_DEVICES and a request about it say whether the driver side can have the device. */
static void expect_there(u16 num, bool there)
{
	u8 buf[64];

	forget();
	assert_int_equal(enumerate(ask_worker), 0);
	assert_int_equal(found[num], there);
	assert_int_equal(drv_ask(&drv, buf, xvm_msg_put_empty(buf, 0, VIRTIO_MSG_GET_DEVICE_STATUS, num)) != 0,
			 there);
	assert_int_equal(drv.failed.reason, there ? 0 : XVM_FAILED_NO_DEVICE);
	memset(&drv.failed, 0, sizeof(drv.failed));
}

static void test_late(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = 3, .device_id = TOY_ID, .flags = TOY_LATE };

	(void)state;
	rig_add(&rig, &desc, -1);
	expect_there(3, false);
	DRV_UNTIL(&drv, drv.device_events == 1);
	assert_int_equal(drv.device_state[3], VIRTIO_MSG_DEVICE_READY);
	expect_there(3, true);
	/* One that fails, and one that is taken back before: no word to the driver side, the number is free. */
	desc.num = 4;
	desc.flags = TOY_NEVER;
	rig_add(&rig, &desc, -1);
	expect_there(4, false);
	RIG_UNTIL(&rig, rig.state[4] == XVM_DEV_GONE);
	expect_there(4, false);
	desc.flags = TOY_LATE;
	rig.state[4] = 0;
	rig_add(&rig, &desc, -1);
	rig_del(&rig, 4, false);
	RIG_UNTIL(&rig, rig.state[4] == XVM_DEV_GONE);
	assert_int_equal(drv.device_events, 1);
	desc.flags = 0;
	rig_add(&rig, &desc, -1);
	DRV_UNTIL(&drv, drv.device_events == 2);
	expect_there(4, true);
	expect_there(3, true);
}

static u32 put_think(u8 *msg, u16 num)
{
	static const u8 word = TOY_THINK;
	struct xvm_msg_config m = { 7, 0, 1, &word };

	return xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, num, &m);
}

/* One request more than agreed, to a device that answers none at once: the bus ends as it does for any other. */
static void test_one_too_many(void **state)
{
	u8 msg[64];
	u32 i;

	(void)state;
	add_toy(NUM);
	add_toy(NUM + 1);
	drv_send(&drv, msg, put_think(msg, NUM));
	for (i = 1; i < XVM_DEFAULT_CREDITS; i++)
		drv_send(&drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM));
	drv_sync(&drv);
	drv_send(&drv, msg, put_think(msg, NUM + 1));
	RIG_UNTIL(&rig, rig.fail_reason);
	assert_int_equal(rig.fail_reason, XVM_ERR_CREDIT);
	rig_wait_exit(&rig);
}

static int stop_over(void **state)
{
	(void)state;
	tap_stop("");
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_spread), cmocka_unit_test_setup_teardown(test_small, start_small, stop_all),
		CASE(test_small_windows), CASE(test_full), cmocka_unit_test_setup_teardown(test_late, start, stop_rude), CASE(test_liars),
		cmocka_unit_test_setup_teardown(test_one_too_many, start, stop_over),
	};

	return RIG_RUN_BOTH(tests);
}
