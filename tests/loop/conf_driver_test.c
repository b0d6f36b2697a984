// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver-side statements of docs/conformance.md, on the user-space driver
 * (tests/support/drv_life.h): it lives through all there is while an observer
 * reads every message, and each statement that messages can show was judged.
 */
/* LINK: dom0/base dom0/virtio dom0/bus dom0/worker/aio.c dom0/worker/worker.c dom0/worker/control.c */
/* LINK: xen/proto tests/support/rig.c tests/support/drv.c tests/support/drv_vq.c tests/support/toy.c */
/* LINK: tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
/* LINK: tests/support/tap.c tests/support/drv_life.c */
/* LIBS: -l:liburing.a -Wl,--wrap=xvm_ring_tx_put,--wrap=xvm_ring_rx_get */
#include "../support/toy_rig.h"
#include "../support/drv_life.h"
#include <signal.h>

#define WANTED (NEEDED | XVM_F_EVENT_IDX | XVM_F_RING_RESET)

static struct drv_life life;

static void begin(void)
{
	add_toy(NUM);
	drv_life_probe(&life, &drv, NUM, AREA, PAGES);
}

static bool order(u8 word)
{
	return drv_life_write_config(&life, 0, &word, 1);
}

static void test_life(void **state)
{
	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	assert_int_equal(life.features, WANTED);
	assert_int_equal(life.vq[0].size, TOY_QUEUE_SIZE);
	drv_life_io(&life, 0);
	drv_life_io(&life, 0);
	drv_life_reset(&life);
	assert_true(drv_life_start(&life, WANTED));
	drv_life_io(&life, 0);
	judged("01 07 08 09 10 11 13 14 15 16 17 18 19 20 21 23 24 27 28 29 30 31 32 33 40 42 43 44 "
	       "45 46 48 49 52 ",
	       "01 16 17 18 19 22 23 24 25 26 27 28 29 30 31 32 35 40 41 45 46 48 55 57 58 59 60 61 "
	       "62 63 64 65 67 71 72 ");
}

/* The newest generation goes with each write; one that was overtaken is tried again. */
static void test_config(void **state)
{
	u8 before[TOY_CONFIG];
	u32 gen;

	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	gen = life.generation;
	memcpy(before, life.config, sizeof(before));
	assert_true(order(TOY_CHANGE));
	assert_int_equal(life.generation, gen + 1);
	DRV_UNTIL(&drv, drv.configs[NUM]);
	/* Told of the change, it reads again before it goes on. */
	drv_life_events(&life);
	assert_memory_not_equal(before, life.config, TOY_CONFIG);
	assert_int_equal(life.generation, gen + 1);
	drv_life_io(&life, 0);
	assert_false(drv_life_write_config(&life, TOY_CONFIG, before, 1));
	assert_false(drv_life_write_config(&life, 0, before, TOY_CONFIG + 1));
	assert_true(order(TOY_CHANGE));
	judged("05 18 21 22 36 46 47 ", "05 06 08 26 48 49 ");
}

/* Behind by one, as if the event were still under way: refused, read again, written. The driver is made to forget. */
static void test_stale(void **state)
{
	u32 gen;

	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	assert_true(order(TOY_CHANGE));
	gen = life.generation--;
	assert_true(order(TOY_CHANGE));
	assert_int_equal(life.generation, gen + 1);
	DRV_UNTIL(&drv, drv.configs[NUM]);
}

static void test_queues(void **state)
{
	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	drv_life_io(&life, 0);
	assert_true(drv_life_queue(&life, 1, 8));
	drv_life_io(&life, 1);
	assert_true(drv_life_queue_again(&life, 0, 4));
	assert_int_equal(life.vq[0].size, 4);
	drv_life_io(&life, 0);
	drv_life_io(&life, 1);
	/* One that is in use is not set up again, one that is not there not at all. */
	assert_false(drv_life_queue(&life, 1, 8));
	assert_false(drv_life_queue(&life, 2, 8));
	/* Also when only the device knows that it is. */
	life.vq_up[1] = false;
	assert_false(drv_life_queue(&life, 1, 8));
	judged("23 24 25 38 39 49 50 ",
	       "57 58 62 63 64 65 66 67 68 69 70 ");
}

/* Without the feature it does not reset single queues. */
static void test_no_ring_reset(void **state)
{
	(void)state;
	assert_true(drv_life_start(&life, WANTED & ~XVM_F_RING_RESET));
	assert_false(drv_life_queue_again(&life, 0, 4));
	drv_life_io(&life, 0);
}

/* A device that refuses the features is given up; with the right ones it is tried again. */
static void test_refused(void **state)
{
	(void)state;
	assert_false(drv_life_start(&life, XVM_F_VERSION_1));
	assert_true(life.status & XVM_S_FAILED);
	assert_false(life.vq_up[0]);
	assert_true(drv_life_start(&life, WANTED));
	drv_life_io(&life, 0);
}

static void test_needs_reset(void **state)
{
	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	drv_life_io(&life, 0);
	assert_true(order(TOY_BREAK));
	DRV_UNTIL(&drv, drv.configs[NUM]);
	drv_life_events(&life);
	assert_false(life.status & XVM_S_NEEDS_RESET);
	drv_life_io(&life, 0);
	judged("41 ", "53 ");
}

static void test_removal(void **state)
{
	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	drv_life_io(&life, 0);
	rig_del(&rig, NUM, false);
	DRV_UNTIL(&drv, drv.device_state[NUM] == VIRTIO_MSG_DEVICE_REMOVED);
	drv_life_remove(&life);
}

/* The smallest connection that carries a device: what is sent fits. */
static void test_small(void **state)
{
	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	assert_true(order(TOY_CHANGE));
	DRV_UNTIL(&drv, drv.configs[NUM]);
	drv_life_events(&life);
	drv_life_io(&life, 0);
	judged("01 09 ", "01 18 ");
}

static void discard(u8 *msg, u32 len)
{
	u32 discarded = drv.discarded;

	tap_inject(msg, len);
	DRV_UNTIL(&drv, drv.discarded == discarded + 1);
	drv_life_io(&life, 0);
}

/* What has a fault in its header, or is no message of this side, changes nothing. */
static void test_malformed(void **state)
{
	u32 len, answers, used;
	u8 msg[64];

	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	drv.suspicious = true;
	answers = drv.answers;
	used = drv.used_events;
	len = xvm_msg_put_u32(msg, 0, VIRTIO_MSG_EVENT_USED, NUM, 0);
	xvm_msg_finish(msg, false, 0);
	discard(msg, 4);
	discard(msg, len - 1);
	msg[VIRTIO_MSG_HDR_ID] = VIRTIO_MSG_EVENT_AVAIL;
	discard(msg, len);
	msg[VIRTIO_MSG_HDR_ID] = 0x7f;
	discard(msg, len);
	msg[VIRTIO_MSG_HDR_ID] = VIRTIO_MSG_GET_VQUEUE;
	discard(msg, len);
	xvm_msg_finish(msg, true, drv.token);
	discard(msg, len);
	assert_int_equal(drv.answers, answers);
	/* Those of the I/O in between. */
	assert_true(drv.used_events - used <= drv.discarded + 1);
	drv.suspicious = false;
}

/* A device side that stands still: the request has failed, a reset makes the device usable again. */
static void test_no_answer(void **state)
{
	u32 answers;
	u8 order = TOY_CHANGE;

	(void)state;
	assert_true(drv_life_start(&life, WANTED));
	drv_life_io(&life, 0);
	answers = drv.answers;
	drv.patience_ms = 50;
	assert_int_equal(kill(rig.pid, SIGSTOP), 0);
	assert_false(drv_life_write_config(&life, 0, &order, 1));
	assert_int_equal(drv.answers, answers);
	assert_int_equal(kill(rig.pid, SIGCONT), 0);
	drv.patience_ms = 0;
	/* Late, and nobody's: not taken for the answer of what is asked next. */
	assert_true(drv_life_start(&life, WANTED));
	assert_true(drv.answers > answers + 1);
	drv_life_io(&life, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_life), CASE(test_config),
		cmocka_unit_test_setup_teardown(test_stale, start, stop_device), CASE(test_queues),
		CASE(test_no_ring_reset), CASE(test_refused), CASE(test_needs_reset),
		CASE(test_removal), CASE(test_malformed), CASE(test_no_answer),
		cmocka_unit_test_setup_teardown(test_small, start_small, stop_all),
	};

	return RIG_RUN_BOTH(tests);
}
