// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The supervisor over a store in memory: what xl and a guest write, and what must stand there afterwards. The worker
 * is this program again, started by the supervisor with --fd.
 */
/* LINK: xen/proto xen/user/store.c dom0/base/fdsock.c dom0/base/log.c */
/* LINK: dom0/daemon/decide.c dom0/daemon/budget.c dom0/spec/spec.c dom0/daemon/image.c dom0/daemon/vfio_user.c dom0/daemon/host_*.c dom0/daemon/pty.c dom0/daemon/opener.c */
/* LINK: dom0/daemon/disk.c dom0/daemon/link.c dom0/daemon/connect.c dom0/daemon/guests.c dom0/daemon/worker.c dom0/daemon/targets.c */
/* LINK: dom0/daemon/own.c dom0/daemon/warn.c dom0/daemon/driver.c dom0/daemon/record.c dom0/daemon/op.c dom0/daemon/trace.c dom0/daemon/keep.c dom0/daemon/server.c dom0/daemon/server_*.c */
/* LINK: dom0/daemon/requests.c dom0/daemon/util.c dom0/daemon/paths.c tests/support/fake_store.c tests/support/fake_xen.c */
/* LIBS: -levent_core -ljson-c */
/* TIME: 60 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../support/test.h"
#include "../support/fake_store.h"
#include <sys/stat.h>
#include "../../dom0/daemon/op.h"
#include "../../dom0/daemon/record.h"
#include "../../dom0/daemon/trace.h"
#include "../../dom0/daemon/worker.h"

/* What the worker does is chosen by the domain it is for. */
enum { GOOD = 1, OTHER = 2, CRASHES = 7, STUCK = 8, LIES = 9, LATE_DEATH = 10, REFUSES = 11,
       NO_RINGS = 12 };

static struct xvm_daemon d;
static char image[] = "/tmp/xvm-flow-XXXXXX", records[] = "/tmp/xvm-flow-dir-XXXXXX";
static bool stopped;

/* ---- the worker's side ---- */

static void w_send(void *msg, u32 type, size_t bytes)
{
	struct xvm_ipc_hdr *hdr = msg;

	hdr->type = type;
	hdr->bytes = (u32)bytes;
	if (fdsock_send(3, msg, bytes, NULL, 0, true))
		_exit(3);
}

static void w_state(u16 num, u16 state)
{
	struct xvm_ipc_dev_state msg = { .num = num, .state = state };

	w_send(&msg, XVM_IPC_DEV_STATE, sizeof(msg));
}

static void w_gone(u16 num, const char *reason)
{
	struct xvm_ipc_dev_state msg = { .num = num, .state = XVM_DEV_GONE };

	strcpy(msg.reason, reason);
	w_send(&msg, XVM_IPC_DEV_STATE, sizeof(msg));
}

/* Of a device there is, and one there is not. */
static void w_stats(u16 num, u32 count)
{
	struct xvm_ipc_dev_stats msg = { .count = count, .device = { { .num = num, .requests = 77, .in_flight = 3 },
								     { .num = 60001, .requests = 78 } } };

	w_send(&msg, XVM_IPC_DEV_STATS, sizeof(msg));
}

static void w_lie(void)
{
	struct xvm_ipc_map map = { .area = 1, .npages = 5, .ndirs = 2 };

	w_send(&map, XVM_IPC_MAP, sizeof(map));
}

static void w_fail(void)
{
	struct xvm_ipc_fail fail = { .reason = XVM_FAIL_RINGS };

	w_send(&fail, XVM_IPC_FAIL, sizeof(fail));
	_exit(0);
}

/* A console comes with a pty for each port and the files of its log. */
static bool descriptors_fit(const struct xvm_ipc_dev_add *add, u32 count)
{
	return add->device_id != 3 || count == add->console.ports + 2 * add->console.log;
}

static void w_take(struct fdsock_msg *msg, int domid)
{
	static bool started;
	static u16 nums[8];
	static u32 n;
	const struct xvm_ipc_hdr *hdr = (void *)msg->data;
	u32 i;

	switch (hdr->type) {
	case XVM_IPC_TRACE:
		if (msg->fds.count != 1 || fdsock_send(msg->fds.fd[0], &domid, sizeof(domid), NULL, 0, true))
			_exit(4);
		return;
	case XVM_IPC_DEV_ADD:
		if (!descriptors_fit((const void *)hdr, msg->fds.count))
			_exit(5);
		if (n < 8)
			nums[n++] = ((const struct xvm_ipc_dev_add *)hdr)->num;
		if (domid == REFUSES && started)
			w_gone(nums[n - 1], "the guest has not released this number");
		else if (started)
			w_state(nums[n - 1], XVM_DEV_DRIVER_OK);
		return;
	case XVM_IPC_STATS_REQ:
		w_stats(nums[0], domid == LATE_DEATH ? XVM_IPC_DEV_STATS_MAX + 1 : 2);
		return;
	case XVM_IPC_DEV_RESIZE:
		/* Seen from outside as the end of the driver. */
		w_state(((const struct xvm_ipc_dev_resize *)hdr)->num, XVM_DEV_RESET);
		return;
	case XVM_IPC_START:
		started = true;
		if (domid == CRASHES)
			_exit(9);
		if (domid == NO_RINGS)
			w_fail();
		if (domid == LIES)
			w_lie();
		for (i = 0; i < n; i++)
			w_state(nums[i], XVM_DEV_DRIVER_OK);
		return;
	case XVM_IPC_DEV_DEL:
		if (domid == LATE_DEATH)
			_exit(0);
		if (domid != STUCK)
			w_state(((const struct xvm_ipc_dev_del *)hdr)->num, XVM_DEV_GONE);
		return;
	case XVM_IPC_STOP:
		if (domid != STUCK)
			_exit(0);
	}
}

static int worker_main(int domid)
{
	struct xvm_ipc_hello hello = { .version = XVM_IPC_VERSION };
	struct pollfd p = { .fd = 3, .events = POLLIN };
	struct fdsock_msg msg;
	int got;

	w_send(&hello, XVM_IPC_HELLO, sizeof(hello));
	for (;;) {
		poll(&p, 1, -1);
		got = fdsock_recv(3, &msg);
		if (got == -EAGAIN)
			continue;
		if (got != 1)
			_exit(0);
		w_take(&msg, domid);
		fdsock_release(&msg);
	}
}

/* ---- the supervisor's loop, without its main.c ---- */

void xvm_ctl_stats_came(struct xvm_guest *guest)
{
	(void)guest;
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	xvm_guests_settle(arg);
}

static void on_stopped(struct xvm_daemon *daemon)
{
	(void)daemon;
	stopped = true;
}

static void pump(void)
{
	int status;
	pid_t pid;

	xvm_guests_on_store(&d);
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		xvm_worker_exited(&d, pid, status);
}

static const char *P(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *P(const char *format, ...)
{
	static char text[4][XVM_STORE_PATH_BYTES];
	static int n;
	va_list args;

	n = (n + 1) % 4;
	va_start(args, format);
	vsnprintf(text[n], sizeof(text[n]), format, args);
	va_end(args);
	return text[n];
}

static const char *front_features = "0";

static bool is(const char *path, const char *value)
{
	const char *text = fake_store_get(d.store, path);

	return value ? text && !strcmp(text, value) : !text;
}

/* Until path has the value (NULL: is not there), at most 6 seconds. */
static void await(const char *path, const char *value)
{
	int i;

	for (i = 0; i < 3000 && !is(path, value); i++) {
		pump();
		usleep(2000);
	}
	if (!is(path, value))
		fail_msg("%s is %s, expected %s", path, fake_store_get(d.store, path), value ? value : "nothing");
}

static void let_run(u32 ms)
{
	u64 end = xvm_now_ms() + ms;

	while (xvm_now_ms() < end) {
		pump();
		usleep(2000);
	}
}

static void daemon_start(void)
{
	d.options = (struct xvm_options){ .worker = "/proc/self/exe", .uid_base = 1000, .ring_order = 3, .credits = 32,
					  .run_dir = records, .guests_dir = records, .connect_ms = 1000,
					  .dialects = (1u << XVM_DIALECT_COUNT) - 1, .keep = true };
	d.budget = (struct xvm_budget){ .total_pages = 1000, .guest_pages = 1000 };
	d.stopping = stopped = false;
	d.stopped = on_stopped;
	d.base = event_base_new();
	d.settle = event_new(d.base, -1, 0, on_settle, &d);
	assert_int_equal(xvm_guests_start(&d), 0);
}

/* As after kill -9: nothing is said to anybody, workers see their sockets close. */
static void daemon_die(void)
{
	char path[XVM_STORE_PATH_BYTES], token[XVM_STORE_TOKEN_BYTES];

	xvm_guests_free(&d);
	event_free(d.settle);
	event_base_free(d.base);
	while (d.store->ops->next_event(d.store, path, token) > 0)
		;
	d.store->ops->unwatch(d.store, "/local/domain/0/backend/virtio_disk", "disks");
	d.store->ops->unwatch(d.store, "@releaseDomain", "domains");
	d.store->ops->unwatch(d.store, "@introduceDomain", "new");
	d.store->ops->unwatch(d.store, "/libxl", XVM_TOKEN_LIBXL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	front_features = "0";
	d.store = fake_store_new();
	daemon_start();
	return 0;
}

static int teardown(void **state)
{
	struct xvm_guest *guest;

	(void)state;
	for (guest = d.guests; guest; guest = guest->next) {
		if (!guest->worker)
			continue;
		kill(guest->worker->pid, SIGKILL);
		waitpid(guest->worker->pid, NULL, 0);
		/* The record goes as it does when the child is seen to end. */
		xvm_worker_exited(&d, guest->worker->pid, SIGKILL);
	}
	daemon_die();
	fake_store_free(d.store);
	return 0;
}

/* ---- what xl and guests do ---- */

#define BE "/local/domain/0/backend/virtio_disk/%d/%d"
#define FE "/local/domain/%d/device/virtio_disk/%d"
#define BUS "/local/domain/0/backend/virtio-msg/%d/0"
#define FRONT "/local/domain/%d/device/virtio-msg/0"

static void xl_add(int domid, int devid, const char *target, const char *mode)
{
	const char *const keys[][2] = {
		{ "params", target }, { "mode", mode }, { "dev", "xvda" }, { "specification", "virtio" },
		{ "discard-enable", "1" }, { "online", "1" }, { "frontend-id", "x" }, { "state", "1" },
	};
	size_t i;

	fake_store_put(d.store, P("/local/domain/%d/name", domid), P("guest%d", domid));
	fake_store_put(d.store, P("/local/domain/%d/vm", domid), P("/vm/uuid-%d", domid));
	fake_store_put(d.store, P("/libxl/%d/device/virtio_disk/%d", domid, devid), "");
	fake_store_put(d.store, P(FE "/state", domid, devid), "1");
	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++)
		fake_store_put(d.store, P(BE "/%s", domid, devid, keys[i][0]), keys[i][1]);
}

static void xl_remove(int domid, int devid, bool forced)
{
	if (forced)
		fake_store_del(d.store, P(FE, domid, devid));
	fake_store_put(d.store, P(BE "/online", domid, devid), "0");
	fake_store_put(d.store, P(BE "/state", domid, devid), "5");
}

static void guest_opens(int domid)
{
	const char *const keys[][2] = {
		{ "version", "1" }, { "dialect", "pr28" }, { "max-message-bytes", "264" }, { "ring-page-order", "3" },
		{ "driver-credits", "32" }, { "control-ref", "8" }, { "num-event-channels", "1" },
		{ "bus-features", front_features }, { "event-channel-0", "11" },
	};
	size_t i;

	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++)
		fake_store_put(d.store, P(FRONT "/%s", domid, keys[i][0]), keys[i][1]);
	fake_store_put(d.store, P(FRONT "/connection-id", domid), fake_store_get(d.store, P(BUS "/connection-id", domid)));
	fake_store_put(d.store, P(FRONT "/state", domid), "3");
}

static void connected(int domid)
{
	xl_add(domid, 51712, image, "w");
	await(P(BE "/state", domid, 51712), "2");
	guest_opens(domid);
	await(P(BUS "/state", domid), "4");
	await(P(BE "/state", domid, 51712), "4");
}

static void nothing_left(int domid)
{
	u32 i;

	assert_int_equal(fake_store_count(d.store, P("/local/domain/0/backend/virtio-msg")), 0);
	assert_int_equal(fake_store_count(d.store, P("/local/domain/%d/device/virtio-msg", domid)), 0);
	/* libxl's last step; the record goes with the node. */
	fake_store_del(d.store, P("/local/domain/0/backend/virtio_disk"));
	for (i = 0; i < 100 && d.guests; i++) {
		pump();
		usleep(1000);
	}
	assert_null(d.guests);
	assert_int_equal(d.budget.used_pages, 0);
	let_run(20);
	assert_in_range(fake_store_count(d.store, "/local/domain/0/backend"), 0, 1);
}

/* ---- cases ---- */

static void test_adopt(void **state)
{
	u32 owner, reader;

	(void)state;
	fake_store_fail_commits(d.store, 2);
	xl_add(GOOD, 51712, image, "w");
	await(P(BE "/state", GOOD, 51712), "2");
	assert_true(is(P(BUS "/state", GOOD), "2"));
	assert_true(is(P(BUS "/frontend", GOOD), P(FRONT, GOOD)));
	assert_true(is(P(FRONT "/backend", GOOD), P(BUS, GOOD)));
	assert_true(is(P(FRONT "/state", GOOD), "1"));
	assert_true(is(P(BUS "/dialects", GOOD), "draft2026,pr28"));
	assert_true(fake_store_perms(d.store, P(BUS "/state", GOOD), &owner, &reader));
	assert_true(owner == 0 && reader == GOOD);
	assert_true(fake_store_perms(d.store, P(FRONT "/state", GOOD), &owner, &reader));
	assert_true(owner == GOOD && reader == 0);
	assert_int_equal(strlen(fake_store_get(d.store, P(BUS "/connection-id", GOOD))), 16);
	xl_remove(GOOD, 51712, true);
	await(P(BE "/state", GOOD, 51712), "6");
	nothing_left(GOOD);
}

static void refused(const char *text)
{
	await(P(BE "/state", GOOD, 51712), NULL);
	if (!strstr(fake_store_get(d.store, P(BE "/vmsg-error", GOOD, 51712)), text))
		fail_msg("vmsg-error is '%s'", fake_store_get(d.store, P(BE "/vmsg-error", GOOD, 51712)));
	assert_int_equal(fake_store_count(d.store, P(BUS, GOOD)), 0);
	nothing_left(GOOD);
}

static void test_refuse(void **state)
{
	(void)state;
	xl_add(GOOD, 51712, "/nowhere/image", "w");
	refused("does not exist");
	xl_add(GOOD, 51712, image, "x");
	refused("mode is neither");
	xl_add(GOOD, 51712, "/tmp", "w");
	refused("neither a file nor a block device");
	xl_add(GOOD, 268439808, image, "w");
	await(P(BE "/state", GOOD, 268439808), NULL);
	fake_store_del(d.store, P(BE, GOOD, 268439808));
	fake_store_put(d.store, P("/libxl/%d/device/vbd/51728", GOOD), "");
	xl_add(GOOD, 51712, image, "w");
	refused("PV disks");
}

#define VBE "/local/domain/0/backend/virtio/%d/%d"

static void xl_add_virtio(int domid, int devid, const char *type)
{
	const char *const keys[][2] = {
		{ "type", type }, { "transport", "unknown" }, { "online", "1" }, { "frontend-id", "x" }, { "state", "1" },
	};
	size_t i;

	fake_store_put(d.store, P("/local/domain/%d/name", domid), P("guest%d", domid));
	fake_store_put(d.store, P("/libxl/%d/device/virtio/%d", domid, devid), "");
	fake_store_put(d.store, P("/local/domain/%d/device/virtio/%d/state", domid, devid), "1");
	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++)
		fake_store_put(d.store, P(VBE "/%s", domid, devid, keys[i][0]), keys[i][1]);
}

/* xl's virtio = [ ... ] of Xen 4.18: ours are those whose type says so, and what cannot be is 6 with a reason. */
static void test_virtio_entries(void **state)
{
	(void)state;
	xl_add_virtio(GOOD, 0, "virtio,device22");
	xl_add_virtio(GOOD, 1, "xen-virtio-msg:nowhere");
	xl_add_virtio(GOOD, 2, "xen-virtio-msg:../passwd");
	xl_add_virtio(GOOD, 3, "xen-virtio-msg:");
	await(P(VBE "/state", GOOD, 1), "6");
	await(P(VBE "/state", GOOD, 2), "6");
	await(P(VBE "/state", GOOD, 3), "6");
	assert_true(strstr(fake_store_get(d.store, P(VBE "/vmsg-error", GOOD, 1)), "devices/nowhere does not exist"));
	assert_true(strstr(fake_store_get(d.store, P(VBE "/vmsg-error", GOOD, 2)), "name of a descriptor"));
	assert_true(strstr(fake_store_get(d.store, P(VBE "/vmsg-error", GOOD, 3)), "name of a descriptor"));
	/* Somebody else's. */
	let_run(20);
	assert_true(is(P(VBE "/state", GOOD, 0), "1"));
	assert_int_equal(fake_store_count(d.store, P(BUS, GOOD)), 0);
	fake_store_del(d.store, P("/local/domain/0/backend/virtio"));
	nothing_left(GOOD);
}

static void test_two_writers(void **state)
{
	(void)state;
	xl_add(OTHER, 51712, image, "w");
	await(P(BE "/state", OTHER, 51712), "2");
	xl_add(GOOD, 51712, image, "w");
	await(P(BE "/state", GOOD, 51712), NULL);
	assert_non_null(strstr(fake_store_get(d.store, P(BE "/vmsg-error", GOOD, 51712)), "in use by guest 2 (guest2)"));
	fake_store_del(d.store, P(BE, GOOD, 51712));
	/* The holder has not noticed, and lets go of it. */
	assert_true(is(P(BE "/state", OTHER, 51712), "2"));
	xl_remove(OTHER, 51712, true);
	await(P(BE "/state", OTHER, 51712), "6");
	xl_add(GOOD, 51712, image, "w");
	await(P(BE "/state", GOOD, 51712), "2");
}

static void test_connect_and_destroy(void **state)
{
	(void)state;
	connected(GOOD);
	assert_int_equal(d.budget.used_pages, 17);
	xl_remove(GOOD, 51712, true);
	await(P(BE "/state", GOOD, 51712), "6");
	nothing_left(GOOD);
}

static void test_detach_one_of_two(void **state)
{
	char second[] = "/tmp/xvm-flow-XXXXXX";
	int fd = mkstemp(second);

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	close(fd);
	xl_add(GOOD, 51728, second, "r");
	await(P(BE "/state", GOOD, 51728), "2");
	connected(GOOD);
	await(P(BE "/state", GOOD, 51728), "4");
	xl_remove(GOOD, 51728, false);
	await(P(BE "/state", GOOD, 51728), "6");
	assert_true(is(P(BUS "/state", GOOD), "4"));
	assert_true(is(P(BE "/state", GOOD, 51712), "4"));
	fake_store_del(d.store, P(BE, GOOD, 51728));
	xl_remove(GOOD, 51712, false);
	await(P(BE "/state", GOOD, 51712), "6");
	unlink(second);
	nothing_left(GOOD);
}

static void test_power_off_and_reopen(void **state)
{
	char id[20];

	(void)state;
	connected(GOOD);
	strcpy(id, fake_store_get(d.store, P(BUS "/connection-id", GOOD)));
	fake_store_put(d.store, P(FRONT "/state", GOOD), "5");
	await(P(BUS "/state", GOOD), "6");
	await(P(BE "/state", GOOD, 51712), "2");
	fake_store_put(d.store, P(FRONT "/state", GOOD), "1");
	await(P(BUS "/state", GOOD), "2");
	assert_false(is(P(BUS "/connection-id", GOOD), id));
	guest_opens(GOOD);
	await(P(BE "/state", GOOD, 51712), "4");
	/* A kernel that never said good-bye (kexec): straight to 1. */
	fake_store_put(d.store, P(FRONT "/state", GOOD), "1");
	await(P(BUS "/state", GOOD), "2");
	guest_opens(GOOD);
	await(P(BE "/state", GOOD, 51712), "4");
}

static void test_bad_front_keys(void **state)
{
	static const char *const bad[][2] = {
		{ "ring-page-order", "99" }, { "control-ref", "-1" }, { "driver-credits", "0" },
		{ "connection-id", "0000000000000000" }, { "dialect", "klingon" },
		{ "event-channel-0", "0x12345678901234567890123456789012345" }, { "control-ref", "666" },
	};
	size_t i;

	(void)state;
	xl_add(GOOD, 51712, image, "w");
	await(P(BE "/state", GOOD, 51712), "2");
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		const char *error;

		d.guests->link.connects.tokens = 5;
		d.guests->link.connects.closed_until_ms = 0;
		fake_store_put(d.store, P(FRONT "/state", GOOD), "2");
		guest_opens(GOOD);
		fake_store_put(d.store, P(FRONT "/%s", GOOD, bad[i][0]), bad[i][1]);
		await(P(BUS "/state", GOOD), "6");
		error = fake_store_get(d.store, P(BUS "/vmsg-error", GOOD));
		if (!error || !strstr(error, bad[i][0]))
			fail_msg("%s: error is %s", bad[i][0], error);
		fake_store_put(d.store, P(FRONT "/state", GOOD), "1");
		await(P(BUS "/state", GOOD), "2");
	}
	assert_true(is(P(BE "/state", GOOD, 51712), "2"));
	assert_int_equal(d.budget.used_pages, 0);
}

static void test_worker_crash(void **state)
{
	(void)state;
	xl_add(CRASHES, 51712, image, "w");
	await(P(BE "/state", CRASHES, 51712), "2");
	guest_opens(CRASHES);
	await(P(BUS "/state", CRASHES), "6");
	assert_non_null(strstr(fake_store_get(d.store, P(BUS "/vmsg-error", CRASHES)), "exit status 9"));
	fake_store_put(d.store, P(FRONT "/state", CRASHES), "1");
	await(P(BUS "/state", CRASHES), "2");
	xl_remove(CRASHES, 51712, true);
	await(P(BE "/state", CRASHES, 51712), "6");
	nothing_left(CRASHES);
}

static void test_worker_breaks_a_rule(void **state)
{
	(void)state;
	xl_add(LIES, 51712, image, "w");
	await(P(BE "/state", LIES, 51712), "2");
	guest_opens(LIES);
	await(P(BUS "/state", LIES), "6");
	assert_non_null(strstr(fake_store_get(d.store, P(BUS "/vmsg-error", LIES)), "wrong number of pages"));
}

static void test_rings_unmappable(void **state)
{
	(void)state;
	xl_add(NO_RINGS, 51712, image, "w");
	await(P(BE "/state", NO_RINGS, 51712), "2");
	guest_opens(NO_RINGS);
	await(P(BUS "/state", NO_RINGS), "6");
	assert_non_null(strstr(fake_store_get(d.store, P(BUS "/vmsg-error", NO_RINGS)), "cannot be mapped (code 16"));
}

static void test_worker_stuck(void **state)
{
	u64 t;

	(void)state;
	connected(STUCK);
	t = xvm_now_ms();
	xl_remove(STUCK, 51712, true);
	await(P(BE "/state", STUCK, 51712), "6");
	assert_in_range(xvm_now_ms() - t, 1900, 5000);
	nothing_left(STUCK);
}

static void test_worker_dies_in_removal(void **state)
{
	(void)state;
	connected(LATE_DEATH);
	xl_remove(LATE_DEATH, 51712, true);
	await(P(BE "/state", LATE_DEATH, 51712), "6");
	nothing_left(LATE_DEATH);
}

static void test_node_vanishes(void **state)
{
	(void)state;
	connected(GOOD);
	fake_store_del(d.store, P("/local/domain/0/backend/virtio_disk"));
	await(P(BUS "/state", GOOD), NULL);
	nothing_left(GOOD);
}

/* The domain id's next owner, before we have looked at the end of the first. */
static void test_node_replaced(void **state)
{
	char mark[20];

	(void)state;
	connected(GOOD);
	strcpy(mark, fake_store_get(d.store, P(BE "/vmsg-mark", GOOD, 51712)));
	fake_store_del(d.store, P("/local/domain/0/backend/virtio_disk"));
	fake_store_del(d.store, P("/local/domain/%d", GOOD));
	xl_add(GOOD, 51712, image, "r");
	await(P(BE "/state", GOOD, 51712), "2");
	assert_false(is(P(BE "/vmsg-mark", GOOD, 51712), mark));
	assert_true(is(P(FRONT "/state", GOOD), "1"));
}

static void test_domain_dies(void **state)
{
	(void)state;
	connected(GOOD);
	fake_store_set_alive(d.store, GOOD, false);
	await(P(BE "/state", GOOD, 51712), "6");
	assert_int_equal(fake_store_count(d.store, P(BUS, GOOD)), 0);
	/* xl died half way too. */
	fake_store_del(d.store, P("/libxl/%d", GOOD));
	fake_store_set_alive(d.store, GOOD, false);
	await(P(BE "/state", GOOD, 51712), NULL);
	nothing_left(GOOD);
}

static void test_stop_and_start(void **state)
{
	u32 i;

	(void)state;
	connected(GOOD);
	xvm_guests_stop(&d);
	for (i = 0; i < 2000 && !stopped; i++) {
		pump();
		usleep(1000);
	}
	assert_true(stopped);
	assert_true(is(P(BUS "/state", GOOD), "6"));
	assert_true(is(P(BE "/state", GOOD, 51712), "6"));
	daemon_die();
	daemon_start();
	await(P(BE "/state", GOOD, 51712), "2");
	assert_true(is(P(BUS "/state", GOOD), "6"));
	fake_store_put(d.store, P(FRONT "/state", GOOD), "1");
	await(P(BUS "/state", GOOD), "2");
	guest_opens(GOOD);
	await(P(BE "/state", GOOD, 51712), "4");
	xl_remove(GOOD, 51712, true);
	await(P(BE "/state", GOOD, 51712), "6");
	nothing_left(GOOD);
}

static void remember_id(char id[20])
{
	snprintf(id, 20, "%s", fake_store_get(d.store, P(BUS "/connection-id", GOOD)));
}

/* A front that keeps its devices sees an offer, not a bus that closes, and its old keys answer nothing. */
static void connects_again(const char *old_id)
{
	await(P(BUS "/state", GOOD), "2");
	assert_false(is(P(BUS "/connection-id", GOOD), old_id));
	let_run(200);
	assert_true(is(P(BUS "/state", GOOD), "2"));
	assert_true(is(P(BE "/state", GOOD, 51712), "4") || is(P(BE "/state", GOOD, 51712), "2"));
	guest_opens(GOOD);
	await(P(BUS "/state", GOOD), "4");
	await(P(BE "/state", GOOD, 51712), "4");
	assert_int_equal(d.guests->disks->num, 1);
}

static void test_keep_over_worker(void **state)
{
	char id[20];

	(void)state;
	front_features = "2";
	connected(GOOD);
	remember_id(id);
	kill(d.guests->worker->pid, SIGKILL);
	connects_again(id);
	assert_int_equal(d.guests->worker_deaths, 1);
	xl_remove(GOOD, 51712, true);
	await(P(BE "/state", GOOD, 51712), "6");
	nothing_left(GOOD);
}

static void test_keep_over_daemon(void **state)
{
	char id[20];
	u32 i;

	(void)state;
	front_features = "2";
	connected(GOOD);
	remember_id(id);
	xvm_guests_stop(&d);
	for (i = 0; i < 2000 && !stopped; i++) {
		pump();
		usleep(1000);
	}
	assert_true(stopped);
	assert_true(is(P(BUS "/state", GOOD), "4"));
	assert_true(is(P(BE "/state", GOOD, 51712), "4"));
	daemon_die();
	daemon_start();
	connects_again(id);
	xl_remove(GOOD, 51712, true);
	await(P(BE "/state", GOOD, 51712), "6");
	nothing_left(GOOD);
}

static bool kept(const char *name)
{
	return !access(P("%s/%s", records, name), F_OK);
}

static void record_of(const char *name)
{
	FILE *file;

	mkdir(P("%s/guests", records), 0700);
	file = fopen(P("%s/%s", records, name), "w");
	assert_non_null(file);
	fclose(file);
}

/* libxl knows nothing of the bus: what it leaves of a guest that goes while no daemon runs is ours to remove. */
static void test_guest_goes_without_daemon(void **state)
{
	u32 i;

	(void)state;
	connected(GOOD);
	xvm_guests_stop(&d);
	for (i = 0; i < 2000 && !stopped; i++) {
		pump();
		usleep(1000);
	}
	daemon_die();
	fake_store_del(d.store, "/local/domain/0/backend/virtio_disk");
	fake_store_del(d.store, P("/local/domain/%d", GOOD));
	assert_true(is(P(BUS "/state", GOOD), "6"));
	fake_store_set_alive(d.store, GOOD, false);
	record_of("guests/notes");
	record_of(P("guests/%d", GOOD));
	record_of(P("guests/%d", GOOD + 1));
	daemon_start();
	let_run(20);
	assert_int_equal(fake_store_count(d.store, "/local/domain/0/backend"), 1);
	assert_true(kept("guests/notes") && kept(P("guests/%d", GOOD + 1)));
	assert_false(kept(P("guests/%d", GOOD)));
}

/* ---- traces ---- */

static struct {
	char lines[8][400];
	u32 count;
	int fd;			/* of the last connection */
	bool deaf;
} heard = { .fd = -1 };

static bool hear(void *arg, const char *line, int fd)
{
	assert_ptr_equal(arg, &heard);
	assert_true(heard.count < 8);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	snprintf(heard.lines[heard.count++], sizeof(heard.lines[0]), "%s", line);
	if (fd >= 0) {
		if (heard.fd >= 0)
			close(heard.fd);
		heard.fd = dup(fd);
	}
	return !heard.deaf;
}

static void heard_line(u32 i, const char *text)
{
	u32 tries;

	for (tries = 0; tries < 2000 && heard.count <= i; tries++) {
		pump();
		usleep(1000);
	}
	if (heard.count <= i || !strstr(heard.lines[i], text))
		fail_msg("line %u is '%s', expected '%s'", i, heard.lines[i], text);
}

/* What the fake worker writes into a trace: its domain; and that it is the last one who could. */
static void heard_worker(int domid)
{
	struct pollfd p = { .fd = heard.fd, .events = POLLIN };
	int is = 0;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(recv(heard.fd, &is, sizeof(is), MSG_DONTWAIT), sizeof(is));
	assert_int_equal(is, domid);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(recv(heard.fd, &is, sizeof(is), MSG_DONTWAIT), 0);
	assert_int_equal(send(heard.fd, &is, sizeof(is), MSG_NOSIGNAL), -1);
}

static void trace_teardown(struct xvm_tracer *t)
{
	xvm_tracer_free(t);
	assert_null(d.tracers);
	if (heard.fd >= 0)
		close(heard.fd);
	memset(&heard, 0, sizeof(heard));
	heard.fd = -1;
}

/* From before the guest is there to its end. */
static void test_trace(void **state)
{
	struct xvm_tracer *t, *other;

	(void)state;
	assert_string_equal(xvm_tracer_new(&d, "guest1", false, hear, &heard, &t),
			    "no such guest with devices of ours; xvmsg list shows them, trace --wait waits for one");
	assert_null(xvm_tracer_new(&d, "guest1", true, hear, &heard, &t));
	heard_line(0, "{\"ok\": true}");
	assert_string_equal(xvm_tracer_new(&d, "guest1", true, hear, &heard, &other),
			    "this guest is being traced already; one trace at a time");
	connected(GOOD);
	heard_line(1, "{\"event\": \"connection\", \"domid\": 1, \"dialect\": \"pr28\", \"max_message\": 264, "
		   "\"credits\": 32, \"connection_id\": \"");
	heard_line(1, "\"from_start\": true}");
	heard_worker(GOOD);
	assert_non_null(xvm_tracer_new(&d, "1", true, hear, &heard, &other));
	xl_remove(GOOD, 51712, true);
	await(P(BE "/state", GOOD, 51712), "6");
	nothing_left(GOOD);
	heard_line(2, "{\"event\": \"end\", \"why\": \"the guest is gone\"}");
	assert_int_equal(heard.count, 3);
	trace_teardown(t);
}

static void test_trace_joins(void **state)
{
	struct xvm_tracer *t;

	(void)state;
	connected(GOOD);
	assert_null(xvm_tracer_new(&d, "1", false, hear, &heard, &t));
	heard_line(1, "\"from_start\": false}");
	heard_worker(GOOD);
	trace_teardown(t);
	/* It has ended, so another one may come; who does not listen gets no worker's socket. */
	heard.deaf = true;
	assert_null(xvm_tracer_new(&d, "guest1", false, hear, &heard, &t));
	heard_line(1, "\"event\": \"connection\"");
	let_run(50);
	trace_teardown(t);
}

/* Each worker of the guest is a connection of its own. */
static void test_trace_over_a_crash(void **state)
{
	struct xvm_tracer *t;

	(void)state;
	assert_null(xvm_tracer_new(&d, P("%d", CRASHES), true, hear, &heard, &t));
	xl_add(CRASHES, 51712, image, "w");
	await(P(BE "/state", CRASHES, 51712), "2");
	guest_opens(CRASHES);
	await(P(BUS "/state", CRASHES), "6");
	heard_worker(CRASHES);
	fake_store_put(d.store, P(FRONT "/state", CRASHES), "1");
	await(P(BUS "/state", CRASHES), "2");
	guest_opens(CRASHES);
	heard_line(2, "\"from_start\": true");
	heard_worker(CRASHES);
	trace_teardown(t);
}

static void test_trace_limit(void **state)
{
	struct xvm_tracer *t[XVM_MAX_TRACERS + 1];
	u32 i;

	(void)state;
	for (i = 0; i < XVM_MAX_TRACERS; i++)
		assert_null(xvm_tracer_new(&d, P("%u", 100 + i), true, hear, &heard, &t[i]));
	assert_string_equal(xvm_tracer_new(&d, "99", true, hear, &heard, &t[i]),
			    "as many traces run as there may be; end one first");
	while (i-- > 1)
		xvm_tracer_free(t[i]);
	assert_string_equal(xvm_tracer_new(&d, P("%0200d", 0), true, hear, &heard, &t[1]), "no guest has so long a name");
	trace_teardown(t[0]);
}

/* One waits by name and one by number: the older one has it. */
static void test_trace_twice(void **state)
{
	struct xvm_tracer *first, *second;

	(void)state;
	assert_null(xvm_tracer_new(&d, "guest1", true, hear, &heard, &first));
	assert_null(xvm_tracer_new(&d, "1", true, hear, &heard, &second));
	connected(GOOD);
	heard_line(2, "another trace of this guest was there before");
	heard_line(3, "\"event\": \"connection\"");
	heard_worker(GOOD);
	xvm_tracer_free(second);
	trace_teardown(first);
}

/* ---- devices of our own ---- */

#define UUID "0badcafe-0000-0000-0000-%012d"
static char op_error[XVM_WHY_BYTES];
static bool op_over;

static void on_op(void *arg, const char *error, struct xvm_disk *disk)
{
	(void)arg;
	(void)disk;
	op_over = true;
	snprintf(op_error, sizeof(op_error), "%s", error ? error : "");
}

/* Runs it to its end; error NULL: it succeeded, else it said so. */
static void op_run(struct xvm_disk *disk, enum xvm_op_kind kind, u32 limit_ms, const char *error)
{
	u32 i;

	op_over = false;
	assert_non_null(xvm_op_new(disk, kind, limit_ms, on_op, NULL));
	for (i = 0; i < 4000 && !op_over; i++) {
		pump();
		usleep(2000);
	}
	assert_true(op_over);
	if (error ? !strstr(op_error, error) : *op_error)
		fail_msg("'%s', expected '%s'", op_error, error ? error : "success");
}

static void xl_domain(int domid, int uuid)
{
	fake_store_set_alive(d.store, (u32)domid, true);
	fake_store_put(d.store, P("/local/domain/%d/name", domid), P("guest%d", domid));
	fake_store_put(d.store, P("/local/domain/%d/vm", domid), P("/vm/" UUID, uuid));
}

static struct xvm_guest *domain(int domid)
{
	struct xvm_guest *guest;

	xl_domain(domid, domid);
	guest = xvm_guest_get(&d, P("guest%d", domid));
	assert_ptr_equal(xvm_guest_get(&d, P("%d", domid)), guest);
	assert_non_null(guest);
	return guest;
}

static struct xvm_disk *own(struct xvm_guest *guest, const char *text, bool persist)
{
	struct xvm_spec_fault fault;
	char why[XVM_WHY_BYTES];
	struct xvm_disk *disk;
	struct xvm_spec spec;

	assert_int_equal(xvm_spec_parse(XVM_SPEC_LIST, text, strlen(text), &spec, &fault), 0);
	return xvm_own_new(guest, &spec, persist, &disk, why) ? NULL : disk;
}

static struct xvm_disk *own_disk(struct xvm_guest *guest, bool persist)
{
	return own(guest, P("type=disk,vdev=xvdb,path=%s", image), persist);
}

static bool no_guest_left(void)
{
	u32 i;

	for (i = 0; i < 1500 && d.guests; i++) {
		pump();
		usleep(2000);
	}
	return !d.guests && !d.budget.used_pages;
}

static void test_own_without_a_bus(void **state)
{
	struct xvm_guest *guest = domain(GOOD);
	struct xvm_disk *rng = own(guest, "type=rng", false), *disk;

	(void)state;
	op_run(rng, XVM_OP_ATTACH, 5000, NULL);
	assert_string_equal(rng->vdev, "rng0");
	assert_true(is(P(BUS "/state", GOOD), "2"));
	assert_true(kept("guests/1") && !kept(P(UUID, GOOD)));
	guest_opens(GOOD);
	await(P(BUS "/state", GOOD), "4");
	disk = own_disk(guest, false);
	op_run(disk, XVM_OP_ATTACH_DRIVER, 5000, NULL);
	assert_null(own(guest, "type=rng,name=xvdb", false));
	assert_ptr_equal(xvm_disk_find(guest, "xvdb"), disk);
	assert_ptr_equal(xvm_disk_find(guest, P("%u", disk->num)), disk);
	assert_true(disk->num > XVM_FIRST_OWN_NUM && rng->num == XVM_FIRST_OWN_NUM);
	xvm_own_leave(disk, false);
	op_run(disk, XVM_OP_DETACH, 5000, NULL);
	assert_true(is(P(BUS "/state", GOOD), "4"));
	xvm_own_leave(rng, false);
	op_run(rng, XVM_OP_DETACH, 5000, NULL);
	/* With the last device the bus goes; another one makes it anew. */
	await(P(BUS "/state", GOOD), NULL);
	assert_true(no_guest_left());
	op_run(own(domain(GOOD), "type=rng", false), XVM_OP_ATTACH, 5000, NULL);
	assert_true(is(P(BUS "/state", GOOD), "2"));
	fake_store_set_alive(d.store, GOOD, false);
	assert_true(no_guest_left());
	assert_false(kept("guests/1"));
}

static void test_own_refused(void **state)
{
	struct xvm_guest *guest = domain(GOOD);

	(void)state;
	op_run(own(guest, "type=disk,path=/nowhere/image", true), XVM_OP_ATTACH, 5000, "does not exist");
	assert_true(no_guest_left());
	assert_false(kept(P(UUID, GOOD)));
	assert_int_equal(fake_store_count(d.store, P(BUS, GOOD)), 0);
	/* A path below a file: nothing can be kept there, so nothing is attached. */
	d.options.guests_dir = image;
	op_run(own(domain(GOOD), "type=rng", true), XVM_OP_ATTACH, 5000, "cannot be written");
	assert_true(no_guest_left());
	d.options.guests_dir = records;
	assert_null(xvm_guest_get(&d, "nobody"));
	assert_null(xvm_guest_get(&d, "0"));
}

/* Ptys are there as long as the device; its worker gets them, and the log, with it. */
static void test_own_console(void **state)
{
	struct xvm_guest *guest = domain(GOOD);
	struct xvm_disk *console = own(guest, P("type=console,ports=agent:monitor,log=%s/console.log", records), false);
	char pty[32];

	(void)state;
	op_run(console, XVM_OP_ATTACH, 5000, NULL);
	assert_string_equal(console->vdev, "console0");
	assert_int_equal(console->ptys.count, 3);
	strcpy(pty, console->ptys.pty[2].path);
	assert_int_equal(access(pty, F_OK), 0);
	guest_opens(GOOD);
	await(P(BUS "/state", GOOD), "4");
	op_run(own(guest, "type=console,name=late", false), XVM_OP_ATTACH_DRIVER, 5000, NULL);
	assert_true(console->driver_ok);
	op_run(own(guest, "type=console,log=/nowhere/log", false), XVM_OP_ATTACH, 5000, "log /nowhere/log cannot be opened");
	op_run(own(guest, P("type=console,log=%s", records), false), XVM_OP_ATTACH, 5000, "cannot be opened");
	assert_true(kept("console.log") && kept("console.log.1"));
	xvm_own_leave(console, false);
	op_run(console, XVM_OP_DETACH, 5000, NULL);
	assert_int_equal(access(pty, F_OK), -1);
}

static void test_own_two_writers(void **state)
{
	(void)state;
	op_run(own_disk(domain(OTHER), false), XVM_OP_ATTACH, 5000, NULL);
	op_run(own_disk(domain(GOOD), false), XVM_OP_ATTACH, 5000, "in use by guest 2 (guest2)");
	op_run(own(xvm_guest_get(&d, "2"), P("type=disk,path=%s", image), false), XVM_OP_ATTACH, 5000, "in use by guest 2");
}

static void test_own_reboot(void **state)
{
	struct xvm_disk *disk;

	(void)state;
	op_run(own(domain(GOOD), "type=rng,name=passing", false), XVM_OP_ATTACH, 5000, NULL);
	op_run(own_disk(xvm_guest_get(&d, "1"), true), XVM_OP_ATTACH, 5000, NULL);
	assert_true(kept(P(UUID, GOOD)));
	fake_store_del(d.store, P("/local/domain/%d", GOOD));
	fake_store_set_alive(d.store, GOOD, false);
	assert_true(no_guest_left());
	/* xl makes the guest anew, under another domain id. Its own disk comes first, whatever came earlier. */
	xl_domain(OTHER, GOOD);
	fake_store_put(d.store, "@introduceDomain", "");
	await(P(BUS "/state", OTHER), "2");
	assert_null(xvm_disk_find(d.guests, "passing"));
	disk = xvm_disk_find(d.guests, "xvdb");
	assert_true(disk && disk->persist && disk->num >= XVM_FIRST_OWN_NUM);
	xvm_own_leave(disk, false);
	op_run(disk, XVM_OP_DETACH, 5000, NULL);
	assert_true(no_guest_left());
	unlink(P("%s/" UUID, records, GOOD));
}

/* A record whose image is gone: seen as failed, kept, and taken away by a detach. */
static void test_own_record_fails(void **state)
{
	FILE *file = fopen(P("%s/" UUID, records, GOOD), "w");
	char why[XVM_WHY_BYTES];
	struct xvm_disk *disk;
	u32 i;

	(void)state;
	fputs("# guest1: x\n40000 type=disk,name=lost,target=/nowhere/image\ntype=nonsense\n40001 type=rng,name=r\n40001 type=rng,name=s\n", file);
	fclose(file);
	op_run(own(domain(GOOD), "type=rng", true), XVM_OP_ATTACH, 5000, NULL);
	disk = xvm_disk_find(d.guests, "lost");
	assert_non_null(disk);
	/* Another process looks at its image. */
	for (i = 0; i < 4000 && disk->phase != XVM_DISK_CLOSED; i++) {
		pump();
		usleep(2000);
	}
	assert_true(disk->phase == XVM_DISK_CLOSED && strstr(disk->why, "does not exist"));
	/* A number that stands there is kept, for a guest that keeps its devices; not twice. */
	assert_ptr_equal(xvm_disk_find(d.guests, "40001"), xvm_disk_find(d.guests, "r"));
	assert_int_equal(xvm_disk_find(d.guests, "s")->num, XVM_FIRST_OWN_NUM);
	xvm_own_leave(disk, false);
	assert_int_equal(xvm_record_write(d.guests, why), 0);
	op_run(disk, XVM_OP_DETACH, 5000, NULL);
	assert_null(xvm_disk_find(d.guests, "lost"));
	/* Others could have written it: not read. */
	chmod(P("%s/" UUID, records, GOOD), 0666);
	fake_store_set_alive(d.store, GOOD, false);
	assert_true(no_guest_left());
	assert_null(domain(GOOD)->disks);
	unlink(P("%s/" UUID, records, GOOD));
}

static void test_own_daemon_restarts(void **state)
{
	struct xvm_disk *disk;
	u32 i;

	(void)state;
	op_run(own_disk(domain(GOOD), false), XVM_OP_ATTACH, 5000, NULL);
	xvm_guests_stop(&d);
	for (i = 0; i < 2000 && !stopped; i++) {
		pump();
		usleep(1000);
	}
	assert_true(stopped && kept("guests/1"));
	daemon_die();
	daemon_start();
	let_run(300);
	disk = d.guests ? xvm_disk_find(d.guests, "xvdb") : NULL;
	assert_true(disk && disk->phase == XVM_DISK_READY && !disk->persist);
	/* The domain id's next owner has another UUID. */
	fake_store_set_alive(d.store, GOOD, false);
	daemon_die();
	fake_store_del(d.store, "/local/domain/0/backend");
	xl_domain(GOOD, OTHER);
	assert_true(kept("guests/1"));
	daemon_start();
	let_run(100);
	assert_true(no_guest_left());
	assert_false(kept("guests/1"));
}

static void test_own_guest_never_answers(void **state)
{
	struct xvm_guest *guest = domain(STUCK);
	struct xvm_disk *disk = own_disk(guest, false);
	u64 t;

	(void)state;
	op_run(disk, XVM_OP_ATTACH, 5000, NULL);
	guest_opens(STUCK);
	await(P(BUS "/state", STUCK), "4");
	xvm_own_leave(disk, false);
	op_run(disk, XVM_OP_DETACH, 1000, "has not let go of it yet");
	assert_int_equal(disk->phase, XVM_DISK_LEAVING);
	t = xvm_now_ms();
	xvm_own_leave(disk, true);
	op_run(disk, XVM_OP_DETACH, 8000, NULL);
	assert_in_range(xvm_now_ms() - t, 1900, 5000);
	assert_true(no_guest_left());
}

static void test_own_worker_refuses(void **state)
{
	struct xvm_guest *guest = domain(REFUSES);
	struct xvm_disk *disk;

	(void)state;
	xl_add(REFUSES, 51712, image, "r");
	await(P(BE "/state", REFUSES, 51712), "2");
	guest_opens(REFUSES);
	await(P(BUS "/state", REFUSES), "4");
	disk = own(xvm_guest_get(&d, P("%d", REFUSES)), "type=rng", false);
	op_run(disk, XVM_OP_ATTACH_DRIVER, 5000, "has not released");
	guest = xvm_guest_find(&d, REFUSES);
	assert_null(xvm_disk_find(guest, "rng0"));
	assert_true(is(P(BUS "/state", REFUSES), "4"));
}

static void test_device_counters(void **state)
{
	int i;

	(void)state;
	connected(GOOD);
	xvm_worker_ask_stats(d.guests->worker);
	for (i = 0; i < 300 && !d.guests->disks->stats.requests; i++)
		let_run(10);
	assert_int_equal(d.guests->disks->stats.requests, 77);
	assert_int_equal(d.guests->disks->stats.in_flight, 3);
	assert_non_null(d.guests->worker);
}

static void test_device_counters_of_too_many(void **state)
{
	(void)state;
	connected(LATE_DEATH);
	xvm_worker_ask_stats(d.guests->worker);
	await(P(BUS "/state", LATE_DEATH), "6");
	assert_non_null(strstr(fake_store_get(d.store, P(BUS "/vmsg-error", LATE_DEATH)), "impossible number of devices"));
}

static void test_own_resize(void **state)
{
	struct xvm_guest *guest = domain(GOOD);
	struct xvm_disk *disk = own_disk(guest, false);
	char why[XVM_WHY_BYTES];

	(void)state;
	op_run(disk, XVM_OP_ATTACH, 5000, NULL);
	guest_opens(GOOD);
	await(P(BUS "/state", GOOD), "4");
	op_run(disk, XVM_OP_ATTACH_DRIVER, 5000, NULL);
	assert_int_equal(xvm_disk_resize(disk, 4096, why), -EINVAL);
	assert_non_null(strstr(why, "only grows"));
	assert_int_equal(xvm_disk_resize(disk, (1 << 20) + 5, why), -EINVAL);
	assert_int_equal(xvm_disk_resize(disk, 2 << 20, why), 0);
	assert_int_equal(xvm_disk_resize(disk, 3 << 20, why), -EBUSY);
	op_run(disk, XVM_OP_RESIZE, 5000, NULL);
	assert_int_equal(disk->image.bytes, 2 << 20);
	let_run(100);
	assert_false(disk->driver_ok);	/* so the worker was told */
	/* Somebody else enlarges it, or makes it smaller. */
	assert_int_equal(truncate(image, 3 << 20), 0);
	assert_int_equal(xvm_disk_resize(disk, 0, why), 0);
	op_run(disk, XVM_OP_RESIZE, 5000, NULL);
	assert_int_equal(disk->image.bytes, 3 << 20);
	assert_int_equal(truncate(image, 1 << 20), 0);
	assert_int_equal(xvm_disk_resize(disk, 0, why), 0);
	op_run(disk, XVM_OP_RESIZE, 5000, "only grows");
	assert_int_equal(disk->image.bytes, 3 << 20);
	assert_int_equal(xvm_disk_resize(own(guest, "type=rng", false), 0, why), -EINVAL);
}

/* ---- driver domains ---- */

#define DRIVER 5
#define DBACK "/local/domain/5/backend/virtio_disk/1/51712"
#define DBUS "/local/domain/5/backend/virtio-msg/1/5"
#define DFRONT "/local/domain/1/device/virtio-msg/5"
#define DINFO "/local/domain/5/virtio-msg/1"

/* What xl makes for a disk with backend=DRIVER. */
static void xl_add_driver_disk(void)
{
	const char *const keys[][2] = {
		{ "params", image }, { "mode", "w" }, { "dev", "xvda" }, { "specification", "virtio" },
		{ "discard-enable", "1" }, { "online", "1" }, { "frontend-id", "1" }, { "state", "1" },
	};
	size_t i;

	fake_store_put(d.store, "/local/domain/1/name", "guest1");
	fake_store_put(d.store, "/local/domain/1/vm", "/vm/0001-22");
	fake_store_put(d.store, "/libxl/1/device/virtio_disk/51712/backend", DBACK);
	fake_store_put(d.store, "/local/domain/1/device/virtio_disk/51712/state", "1");
	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++)
		fake_store_put(d.store, P(DBACK "/%s", keys[i][0]), keys[i][1]);
}

static void perms_are(const char *path, u32 owner, u32 reader)
{
	u32 o, r;

	assert_true(fake_store_perms(d.store, path, &o, &r));
	if (o != owner || r != reader)
		fail_msg("%s: owner %u, reader %u", path, o, r);
}

/* Domain 0 makes what the driver domain cannot, on libxl's word alone, and takes it away. */
static void test_driver_nodes(void **state)
{
	(void)state;
	xl_add_driver_disk();
	await(DFRONT "/state", "1");
	assert_true(is(DFRONT "/backend", DBUS));
	assert_true(is(DFRONT "/backend-id", "5"));
	assert_true(is(DINFO "/name", "guest1") && is(DINFO "/vm", "/vm/0001-22"));
	perms_are(DFRONT "/state", 1, DRIVER);
	perms_are(DINFO "/vm", 0, DRIVER);
	perms_are(DBUS, DRIVER, 1);
	perms_are("/local/domain/5/virtio-msg", 0, DRIVER);
	assert_null(d.guests);	/* none of ours */

	/* A later xvmsgd finds them, and a front as its guest has it stays. */
	fake_store_put(d.store, DFRONT "/state", "4");
	daemon_die();
	daemon_start();
	let_run(20);
	assert_true(is(DFRONT "/state", "4"));
	fake_store_del(d.store, "/libxl/1/device/virtio_disk/51712");
	await(DFRONT "/state", NULL);
	await(DINFO, NULL);
	assert_int_equal(fake_store_count(d.store, DBUS), 0);

	/* The end of the guest while xvmsgd runs, and while it does not. */
	xl_add_driver_disk();
	await(DFRONT "/state", "1");
	fake_store_set_alive(d.store, GOOD, false);
	await(DINFO, NULL);
	fake_store_set_alive(d.store, GOOD, true);
	fake_store_put(d.store, "/libxl/1/device/virtio_disk/51712/backend", DBACK);
	await(DINFO "/name", "guest1");
	daemon_die();
	fake_store_set_alive(d.store, GOOD, false);
	fake_store_del(d.store, "/local/domain/1");
	daemon_start();
	await(DINFO, NULL);
	assert_int_equal(fake_store_count(d.store, "/local/domain/1"), 0);
}

/* Its words for a backend: of itself, no path, too long a number, a domain that is gone. */
static void test_driver_refused(void **state)
{
	static const char *const words[] = {
		"/local/domain/0/backend/virtio_disk/1/51712", "/local/domain/x/backend", "", "/local/domain/",
		"/local/domain/99999999999/backend", "/local/domain/9/backend/virtio_disk/1/51712", "5",
	};
	size_t i;

	(void)state;
	fake_store_put(d.store, "/local/domain/1/name", "guest1");
	fake_store_set_alive(d.store, 9, false);
	for (i = 0; i < XVM_ARRAY_SIZE(words); i++) {
		fake_store_put(d.store, "/libxl/1/device/virtio_disk/51712/backend", words[i]);
		let_run(5);
		assert_null(d.drivers);
	}
	assert_int_equal(fake_store_count(d.store, "/local/domain/1/device"), 0);
}

/* In the driver domain: nothing outside of its own directory is written. */
static void test_driver_serves(void **state)
{
	const char *const keys[][2] = {
		{ "version", "1" }, { "dialect", "pr28" }, { "max-message-bytes", "264" }, { "ring-page-order", "3" },
		{ "driver-credits", "32" }, { "control-ref", "8" }, { "num-event-channels", "1" },
		{ "bus-features", "0" }, { "event-channel-0", "11" },
	};
	u32 before;
	size_t i;

	(void)state;
	daemon_die();
	d.own_domid = DRIVER;
	daemon_start();
	fake_store_set_alive(d.store, GOOD, false);	/* what xenstored answers such a domain */
	xl_add_driver_disk();
	let_run(20);
	assert_true(is(DBACK "/state", "1"));
	fake_store_put(d.store, DINFO "/name", "guest1");
	fake_store_put(d.store, DINFO "/vm", "/vm/0001-22");
	before = fake_store_count(d.store, "/local/domain/1");
	await(DBACK "/state", "2");
	assert_true(is(DBUS "/frontend", DFRONT));
	perms_are(DBUS "/state", DRIVER, GOOD);
	assert_non_null(xvm_guest_get(&d, "guest1"));
	assert_string_equal(xvm_guest_get(&d, "guest1")->uuid, "0001-22");
	assert_null(xvm_guest_get(&d, "0"));
	assert_int_equal(fake_store_count(d.store, "/local/domain/1"), before);
	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++)
		fake_store_put(d.store, P(DFRONT "/%s", keys[i][0]), keys[i][1]);
	fake_store_put(d.store, DFRONT "/connection-id", fake_store_get(d.store, DBUS "/connection-id"));
	fake_store_put(d.store, DFRONT "/state", "3");
	await(DBUS "/state", "4");
	await(DBACK "/state", "4");
	fake_store_put(d.store, DBACK "/online", "0");
	fake_store_put(d.store, DBACK "/state", "5");
	await(DBACK "/state", "6");
	assert_true(is(DFRONT "/state", "3"));
	await(DBACK, NULL);	/* libxl waits for this, too */
	let_run(20);
	assert_null(d.guests);
	/* Directories that it could not make again stay; there is no offer in this one. */
	assert_true(fake_store_count(d.store, DBUS) > 0);
	assert_true(is(DBUS "/state", NULL) && is(DBUS "/connection-id", NULL));
}

/* ---- what the log says ---- */

static char said[4096];

static void keep_line(void *arg, int level, const char *line)
{
	size_t len = strlen(said);

	(void)arg;
	(void)level;
	snprintf(said + len, sizeof(said) - len, "%s\n", line);
}

static u32 times_said(const char *text)
{
	const char *at = said;
	u32 n = 0;

	while ((at = strstr(at, text))) {
		at += strlen(text);
		n++;
	}
	return n;
}

static int setup_log(void **state)
{
	said[0] = 0;
	log_set_level(LOG_WARNING);
	log_to(keep_line, NULL);
	return setup(state);
}

static int teardown_log(void **state)
{
	int err = teardown(state);

	log_set_level(getenv("V") ? LOG_DEBUG : LOG_EMERG);
	log_to_stderr();
	return err;
}

/* In a driver domain watches are counted: then the front is looked at, until there is one. */
static void test_watch_refused(void **state)
{
	struct xvm_guest *guest;

	(void)state;
	fake_store_refuse(d.store, E2BIG, 0);
	xl_add(GOOD, 51712, image, "w");
	await(P(BE "/state", GOOD, 51712), "2");
	let_run(1200);
	assert_int_equal(times_said("refuses a watch on its bus node: this domain's quota"), 1);
	guest_opens(GOOD);
	await(P(BUS "/state", GOOD), "4");
	guest = xvm_guest_find(&d, GOOD);
	assert_false(guest->link.watched);
	fake_store_refuse(d.store, 0, 0);
	let_run(1200);
	assert_true(guest->link.watched);
	fake_store_put(d.store, P(FRONT "/state", GOOD), "5");
	await(P(BUS "/state", GOOD), "6");
	assert_int_equal(times_said("refuses a watch"), 1);
}

static void test_store_full(void **state)
{
	(void)state;
	fake_store_refuse(d.store, 0, ENOSPC);
	xl_add(GOOD, 51712, image, "w");
	await(P(BE "/state", GOOD, 51712), NULL);
	assert_int_equal(fake_store_count(d.store, P(BUS, GOOD)), 0);
	assert_int_equal(times_said("xenstore refuses the nodes of the bus: this domain's quota"), 1);
	fake_store_refuse(d.store, 0, 0);
	fake_store_del(d.store, P(BE, GOOD, 51712));
	assert_true(no_guest_left());
	connected(GOOD);
}

static void test_pv_disk_comes_later(void **state)
{
	static const char line[] = "was given a PV disk (vbd 51728) beside its virtio disks";

	(void)state;
	fake_store_put(d.store, P("/libxl/%d/device/vbd/51728", OTHER), "");
	connected(GOOD);
	assert_int_equal(times_said("PV disk"), 0);
	fake_store_put(d.store, P("/libxl/%d/device/vbd/51728", GOOD), "");
	fake_store_put(d.store, P("/libxl/%d/device/vbd/51728/frontend", GOOD), "x");
	let_run(50);
	assert_int_equal(times_said(line), 1);
	fake_store_del(d.store, P("/libxl/%d/device/vbd/51728", GOOD));
	let_run(50);
	assert_int_equal(times_said(line), 1);
	assert_true(is(P(BE "/state", GOOD, 51712), "4"));
}

static void test_saved_without(void **state)
{
	struct xvm_guest *guest = domain(GOOD);

	(void)state;
	op_run(own_disk(guest, true), XVM_OP_ATTACH, 5000, NULL);
	fake_store_put(d.store, P("/local/domain/%d/control/shutdown", GOOD), "suspend");
	let_run(50);
	assert_int_equal(times_said("saved"), 0);
	op_run(own(guest, "type=rng", false), XVM_OP_ATTACH, 5000, NULL);
	fake_store_put(d.store, P("/local/domain/%d/control/shutdown", GOOD), "");
	let_run(50);
	assert_int_equal(times_said("saved"), 0);
	fake_store_put(d.store, P("/local/domain/%d/control/shutdown", GOOD), "suspend");
	let_run(50);
	assert_int_equal(times_said("is being saved or migrated without rng0, attached without --persist"), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_adopt),
		CASE(test_refuse), CASE(test_virtio_entries),
		CASE(test_two_writers),
		CASE(test_connect_and_destroy),
		CASE(test_detach_one_of_two),
		CASE(test_power_off_and_reopen),
		CASE(test_bad_front_keys),
		CASE(test_worker_crash),
		CASE(test_worker_breaks_a_rule),
		CASE(test_rings_unmappable),
		CASE(test_worker_stuck),
		CASE(test_worker_dies_in_removal),
		CASE(test_node_vanishes),
		CASE(test_node_replaced),
		CASE(test_domain_dies),
		CASE(test_stop_and_start),
		CASE(test_keep_over_worker),
		CASE(test_keep_over_daemon),
		CASE(test_guest_goes_without_daemon),
		CASE(test_trace),
		CASE(test_trace_joins),
		CASE(test_trace_over_a_crash),
		CASE(test_trace_limit),
		CASE(test_trace_twice),
		CASE(test_own_without_a_bus),
		CASE(test_own_refused),
		CASE(test_own_console),
		CASE(test_own_two_writers),
		CASE(test_own_reboot),
		CASE(test_own_record_fails),
		CASE(test_own_daemon_restarts),
		CASE(test_own_guest_never_answers),
		CASE(test_own_worker_refuses),
		CASE(test_own_resize),
		CASE(test_driver_nodes),
		CASE(test_driver_refused),
		CASE(test_driver_serves),
		CASE(test_device_counters),
		CASE(test_device_counters_of_too_many),
#define CASE_LOG(name) cmocka_unit_test_setup_teardown(name, setup_log, teardown_log)
		CASE_LOG(test_watch_refused),
		CASE_LOG(test_store_full),
		CASE_LOG(test_pv_disk_comes_later),
		CASE_LOG(test_saved_without),
	};
	int fd, failed;

	if (argc > 2 && !strcmp(argv[1], "--fd"))
		return worker_main(argc > 6 ? atoi(argv[6]) : 0);
	signal(SIGPIPE, SIG_IGN);
	log_set_level(getenv("V") ? LOG_DEBUG : LOG_EMERG);
	fd = mkstemp(image);
	if (fd < 0 || ftruncate(fd, 1 << 20) || !mkdtemp(records))
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(image);
	if (system(P("rm -rf %s", records)))	/* with the records of guests that outlived their daemon */
		failed = 1;
	return failed;
}
