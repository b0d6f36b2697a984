// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A trace of a whole worker: nothing is missing and nothing is out of order,
 * a reader that is slow, dies, or is replaced costs the guest nothing, and
 * without a trace the worker makes no system call for it.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tools/trace tests/support/observer.c */
/* LINK: tests/support/observer_driver.c tests/support/observer_device.c */
/* LIBS: -l:liburing.a -Wl,--wrap=rig_connect,--wrap=sendmsg,--wrap=clock_gettime */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/observer.h"
#include "../../dom0/base/fdsock.h"
#include "../../dom0/virtio/vdev.h"
#include "../../include/xvmsg/ctl.h"
#include "../../tools/trace/answers.h"
#include "../../tools/trace/batch.h"
#include <linux/virtio_blk.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DISK_BYTES (1u << 20)

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;
static int reader = -1;		/* our end of the trace; the other one is the worker's alone */
static int image = -1;

/* What the reader has seen. */
static struct {
	u32 to_device, to_driver, lost, batches, answers;
	u64 last_ns;
	bool ended;
	struct xvm_trace_answers asked;
	struct xvm_observer *observer;
	u8 first[64];
} seen;

/* ---- system calls of the worker, counted in memory that it shares with us ---- */

static struct { u32 sends, clocks; } *calls;
static pid_t test_pid;

ssize_t __real_sendmsg(int sock, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int sock, const struct msghdr *msg, int flags);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
void __real_rig_connect(struct rig *r);
void __wrap_rig_connect(struct rig *r);

ssize_t __wrap_sendmsg(int sock, const struct msghdr *msg, int flags)
{
	calls->sends += calls && getpid() != test_pid;
	return __real_sendmsg(sock, msg, flags);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	calls->clocks += calls && getpid() != test_pid;
	return __real_clock_gettime(clock, ts);
}

/* ---- the reader ---- */

static void new_trace(void)
{
	int sock[2];

	assert_int_equal(fdsock_pair(sock), 0);
	shutdown(sock[0], SHUT_WR);
	if (reader >= 0)
		close(reader);
	reader = sock[0];
	rig_trace(&rig, sock[1]);
	close(sock[1]);
}

static bool trace_from_start;

/* As xvmsgd does: the trace is there before START is. */
void __wrap_rig_connect(struct rig *r)
{
	if (trace_from_start)
		new_trace();
	__real_rig_connect(r);
}

static void see_message(const struct xvm_trace_record *r)
{
	const struct xvm_msg_row *row;
	struct xvm_hdr hdr;
	int64_t ns;

	if (!seen.to_device && !seen.to_driver)
		memcpy(seen.first, r->msg, r->len < sizeof(seen.first) ? r->len : sizeof(seen.first));
	seen.to_device += r->sender == XVM_SIDE_DRIVER;
	seen.to_driver += r->sender == XVM_SIDE_DEVICE;
	assert_true(r->ns >= seen.last_ns);
	seen.last_ns = r->ns;
	if (seen.observer)
		xvm_observer_feed(seen.observer, r->sender, r->msg, r->len);
	if (xvm_frame_check(rig.dialect, r->sender, VIRTIO_MSG_OFFER_BYTES, r->msg, r->len, &hdr, &row))
		return;
	if (xvm_trace_match(&seen.asked, r->sender, &hdr, r->msg, r->ns, &ns)) {
		assert_true(ns >= 0);
		seen.answers++;
	}
}

/* Takes what is there; true: there was something. */
static bool read_some(void)
{
	static u8 data[XVM_TRACE_BATCH_MAX_BYTES + 1];
	struct xvm_trace_batch batch;
	struct xvm_trace_record r;
	ssize_t n = recv(reader, data, sizeof(data), MSG_DONTWAIT);
	int ret;

	if (n <= 0) {
		seen.ended = !n;
		return false;
	}
	assert_int_equal(xvm_trace_batch_init(&batch, data, (size_t)n), 0);
	seen.batches++;
	seen.lost += batch.lost;
	while ((ret = xvm_trace_batch_next(&batch, &r)) > 0)
		see_message(&r);
	assert_int_equal(ret, 0);
	return true;
}

/* Until all is seen that the worker has counted so far. */
static void catch_up(void)
{
	struct xvm_ipc_stats stats;
	u32 i;

	drv_sync(&drv);
	stats = *rig_stats(&rig);
	for (i = 0; i < 2000 && seen.to_device + seen.to_driver + seen.lost < stats.traced + stats.trace_lost; i++)
		if (!read_some())
			usleep(2000);
	assert_int_equal(seen.to_device + seen.to_driver, stats.traced);
	assert_int_equal(seen.lost, stats.trace_lost);
}

/* ---- cases ---- */

static void open_observer(void)
{
	struct xvm_observer_config config = {
		.dialect = rig.dialect, .max_message = VIRTIO_MSG_OFFER_BYTES, .credits = XVM_DEFAULT_CREDITS,
	};

	seen.observer = xvm_observer_new(&config);
}

static int start_with(bool traced)
{
	memset(&seen, 0, sizeof(seen));
	trace_from_start = traced;
	image = memfd_create("disk", MFD_CLOEXEC);
	assert_return_code(ftruncate(image, DISK_BYTES), errno);
	drv_start(&drv, &rig);
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with(true);
}

static int start_quiet(void **state)
{
	(void)state;
	return start_with(false);
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	if (reader >= 0)
		close(reader);
	reader = -1;
	close(image);
	xvm_observer_free(seen.observer);
	return 0;
}

static void ask_devices(void)
{
	u8 msg[16];

	drv_ask(&drv, msg, xvm_msg_put_get_devices(msg, 0, 16));
}

static void disk_up(void)
{
	struct xvm_msg_device_info info;

	rig_add_blk(&rig, 1, image, DISK_BYTES, 0);
	drv_wait_ready(&drv, 1);
	ask_devices();
	drv_info(&drv, 1, &info);
	drv_blk_start(&blk, &drv, 1, 1, XVM_F_EVENT_IDX);
}

static void no_findings(void)
{
	const struct xvm_finding *list;
	u32 i, n, count = 0;

	xvm_observer_finish(seen.observer);
	n = xvm_observer_findings(seen.observer, &list);
	for (i = 0; i < n && i < XVM_OBSERVER_KEPT; i++) {
		/* The disk driver of these tests takes short cuts; conf_driver_test has one that does not. */
		if (!strncmp(list[i].rules, "DRV", 3))
			continue;
		count++;
		print_message("message %llu: %s: %s\n", (unsigned long long)list[i].message, list[i].rules,
			      list[i].text);
	}
	assert_int_equal(count, 0);
}

/* From the first message to the end of the connection. */
static void test_life(void **state)
{
	const struct xvm_ipc_stats *stats;
	u8 data[4096];
	u32 i;

	(void)state;
	open_observer();
	drv_sync(&drv);
	disk_up();
	for (i = 0; i < 50; i++)
		assert_int_equal(drv_blk_do(&blk, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i * 8, data,
					    sizeof(data)), VIRTIO_BLK_S_OK);
	drv_set_status(&drv, 1, 0);
	catch_up();
	assert_int_equal(seen.lost, 0);
	stats = &rig.stats;
	assert_int_equal(seen.to_device, stats->messages_in);
	assert_int_equal(seen.to_driver, stats->messages_out);
	assert_true(seen.batches <= seen.to_device + seen.to_driver);
	assert_int_equal(seen.answers, drv.answers + drv.requests_failed);
	assert_int_equal(seen.first[VIRTIO_MSG_HDR_ID], VIRTIO_BUS_MSG_PING);
	no_findings();
	drv_stop(&drv);
	while (!seen.ended)
		read_some();
	drv_start(&drv, &rig);
}

/* What is malformed is seen as it came. */
static void test_malformed(void **state)
{
	u8 msg[16] = { 0xfc, 0x7e, 1, 2, 3, 4, 5, 6, 'x' };

	(void)state;
	assert_int_equal(drv_put(&drv, msg, 9), 0);
	catch_up();
	assert_memory_equal(seen.first, msg, 9);
	assert_int_equal(rig.stats.messages_bad, 1);
}

static void test_join(void **state)
{
	u32 before;

	(void)state;
	disk_up();
	before = (u32)(rig_stats(&rig)->messages_in + rig.stats.messages_out);
	assert_int_equal(rig.stats.traced, 0);
	new_trace();
	rig_stats(&rig);	/* it has taken the one before */
	drv_sync(&drv);
	catch_up();
	assert_int_equal(seen.to_device + seen.to_driver, 4);
	assert_int_equal(rig.stats.messages_in + rig.stats.messages_out, before + 4);
}

static double cost(u32 n)
{
	struct timespec a, b;
	u32 i;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < n; i++)
		drv_sync(&drv);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / n / 1000;
}

/* One pointer test and no call while it is off; one call per pass while it is on. */
static void test_cost(void **state)
{
	double off, on;
	u64 wakeups;

	(void)state;
	drv_sync(&drv);
	wakeups = rig_stats(&rig)->wakeups;
	calls->sends = calls->clocks = 0;
	off = cost(200);
	assert_int_equal(calls->sends, 0);
	assert_int_equal(calls->clocks, 0);
	wakeups = rig_stats(&rig)->wakeups - wakeups;
	new_trace();
	rig_stats(&rig);
	calls->sends = calls->clocks = 0;
	on = cost(200);
	assert_int_equal(calls->clocks, 400);
	assert_in_range(calls->sends, 1, 400);
	print_message("a PING there and back: %.1f us, traced %.1f us with %u sends\n", off, on, calls->sends);
	catch_up();
	assert_int_equal(rig.stats.traced, 402);
}

/* Each request's time is counted, with two looks at the clock at most, and so are its notifications. */
static void test_latency(void **state)
{
	const struct xvm_ipc_one_dev_stats *disk = &rig.dev_stats[1];
	struct xvm_ipc_one_dev_stats before;
	struct xvm_ipc_stats all;
	struct timespec a, b;
	u64 n = 0, ns;
	u8 data[4096];
	u32 i;

	(void)state;
	disk_up();
	all = *rig_stats(&rig);
	before = *disk;
	calls->clocks = 0;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < 200; i++)
		assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_OUT, i, data, 512), VIRTIO_BLK_S_OK);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_in_range(calls->clocks, 200, 400);
	rig_stats(&rig);
	for (i = 0; i < XVM_LATENCY_STEPS; i++)
		n += disk->latency[i];
	ns = (u64)(b.tv_sec - a.tv_sec) * 1000000000u + (u64)b.tv_nsec - (u64)a.tv_nsec;
	assert_int_equal(disk->requests, 200);
	assert_int_equal(n, 200);
	assert_in_range(disk->latency_ns, 1, ns);
	/* There are no other messages. */
	assert_true(disk->kicks > before.kicks && disk->calls > before.calls);
	assert_int_equal(disk->kicks - before.kicks, rig.stats.messages_in - all.messages_in);
	assert_int_equal(disk->calls - before.calls, rig.stats.messages_out - all.messages_out);
	print_message("200 writes one after the other: %llu ns each, %llu ns of them in the worker, %u looks at the clock\n",
		      (unsigned long long)ns / 200, (unsigned long long)disk->latency_ns / 200, calls->clocks);
}

/* Nobody reads: messages are lost, counted, and the guest is served as before. */
static void test_slow_reader(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 20000 && !rig_stats(&rig)->trace_lost; i += 200)
		cost(200);
	assert_true(rig.stats.trace_lost > 0);
	cost(100);
	catch_up();
	assert_true(seen.lost > 0);
	/* From here on it is quick enough, and nothing is missing. */
	i = seen.lost;
	cost(20);
	catch_up();
	assert_int_equal(seen.lost, i);
	assert_int_equal(seen.to_device + seen.to_driver + seen.lost,
			 rig.stats.messages_in + rig.stats.messages_out);
}

/* The guest falls silent: what was held back, and the loss, are told all the same. */
static void test_slow_reader_of_a_silent_guest(void **state)
{
	struct xvm_ipc_stats stats;
	u32 i;

	(void)state;
	for (i = 0; i < 20000 && !rig_stats(&rig)->trace_lost; i += 200)
		cost(200);
	stats = *rig_stats(&rig);
	assert_true(stats.trace_lost > 0);
	for (i = 0; i < 1000 && seen.to_device + seen.to_driver < stats.traced; i++)
		if (!read_some())
			usleep(5000);
	for (i = 0; i < 1000 && seen.lost < stats.trace_lost; i++)
		if (!read_some())
			usleep(5000);
	assert_int_equal(seen.to_device + seen.to_driver, stats.traced);
	assert_int_equal(seen.lost, stats.trace_lost);
}

static void test_dead_reader(void **state)
{
	u64 traced;

	(void)state;
	drv_sync(&drv);
	close(reader);
	reader = -1;
	cost(10);
	traced = rig_stats(&rig)->traced;
	calls->sends = 0;
	cost(100);
	assert_int_equal(calls->sends, 0);
	assert_int_equal(rig_stats(&rig)->traced, traced);
	assert_int_equal(rig.stats.trace_lost, 0);
	/* And another one may come. */
	new_trace();
	rig_stats(&rig);
	drv_sync(&drv);
	assert_true(rig_stats(&rig)->traced > traced);
}

/* The supervisor lets one in at a time; a worker that is told of another goes over to it. */
static void test_replaced(void **state)
{
	int old, i;

	(void)state;
	drv_sync(&drv);
	old = dup(reader);
	new_trace();
	rig_stats(&rig);
	drv_sync(&drv);
	for (i = 0; i < 1000 && seen.to_device + seen.to_driver < 2; i++)
		if (!read_some())
			usleep(1000);
	assert_int_equal(seen.to_device + seen.to_driver, 2);
	close(reader);
	reader = old;
	seen.last_ns = 0;
	while (!seen.ended)
		read_some();
	rig_trace(&rig, -1);
	cost(10);
}

/* Nothing that reaches the worker through the trace's socket is taken. */
static void test_one_way(void **state)
{
	(void)state;
	drv_sync(&drv);
	assert_true(send(reader, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
	assert_int_equal(errno, EPIPE);
	drv_sync(&drv);
}

/* A worker dies; its successor's trace begins with the first message again. */
static void test_restart(void **state)
{
	u32 first;

	(void)state;
	drv_sync(&drv);
	catch_up();
	first = seen.to_device;
	drv_stop(&drv);
	while (!seen.ended)
		read_some();
	memset(&seen, 0, sizeof(seen));
	drv_start(&drv, &rig);
	drv_sync(&drv);
	catch_up();
	assert_int_equal(seen.to_device, first);
	assert_int_equal(seen.to_device, rig.stats.messages_in);
}

/* A guest that breaks its rings: all it sent before is in the trace, which then ends. */
static void test_dropped(void **state)
{
	u8 msg[64];
	u32 i;

	(void)state;
	for (i = 0; i < 100; i++) {
		memset(msg, (int)i, sizeof(msg));
		if (drv_put(&drv, msg, i % 57))
			drv_poll(&drv, 2);
	}
	drv_sync(&drv);
	i = (u32)rig_stats(&rig)->messages_in;
	xvm_shm_store32(rig.control + XVM_CTRL_DRV_PROD, drv.tx.prod + 9);
	rig_notify(&rig);
	RIG_UNTIL(&rig, rig.fail_reason);
	assert_int_equal(rig.fail_reason, XVM_ERR_INDEX);
	rig_wait_exit(&rig);
	while (!seen.ended)
		read_some();
	assert_int_equal(seen.to_device, i);
	assert_int_equal(seen.lost, 0);
	drv_start(&drv, &rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(name, how) cmocka_unit_test_setup_teardown(name, how, stop)
		CASE(test_life, start),
		CASE(test_malformed, start),
		CASE(test_join, start_quiet),
		CASE(test_cost, start_quiet),
		CASE(test_latency, start_quiet),
		CASE(test_slow_reader, start),
		CASE(test_slow_reader_of_a_silent_guest, start),
		CASE(test_dead_reader, start),
		CASE(test_replaced, start),
		CASE(test_one_way, start),
		CASE(test_restart, start),
		CASE(test_dropped, start),
	};

	calls = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (calls == MAP_FAILED)
		return 1;
	test_pid = getpid();
	return RIG_RUN_BOTH(tests);
}
