// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Servers of tests/remote through the whole worker: one that dies and whose successor goes on by its log of requests in
 * flight, with a device that must do nothing twice; and ones that lie, beside a disk that notices nothing of it.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/vu_server.c tests/remote/vhost_server.c */
/* LIBS: -l:liburing.a */
/* TIME: 120 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/vu_server.h"
#include "../remote/vhost_server.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DEV 5u			/* of the server */
#define BESIDE 1u		/* a disk of our own */
#define ODD_TYPE 45u		/* a type of which nothing is known: what it does must not be done twice */
#define AREA_BESIDE 1u
#define IMAGE_BYTES (1u << 20)
#define REQUESTS 300u
#define QUEUE_SIZE 64u

static struct rig rig;
static struct drv drv;
static struct drv_blk beside, blk;
static struct drv_vq vq;
static char file_path[64], sock_path[80];
static int image = -1, file = -1;
static pid_t server;
static u8 *base;
static bool trusted;
static u32 area;			/* of the device: an id is not used again so soon */

/* Runs it in a process of its own; arguments up to a NULL. */
static void run_server(const char *what, const char *inflight, const char *at, const char *lie, const char *after)
{
	const char *argv[16] = { "server", "--socket", sock_path, what, file_path };
	int n = 5;

	unlink(sock_path);
	if (inflight)
		argv[n++] = inflight;
	if (at) {
		argv[n++] = "--at";
		argv[n++] = at;
		argv[n++] = "--do";
		argv[n++] = lie;
		argv[n++] = "--after";
		argv[n++] = after;
	}
	server = fork();
	assert_true(server >= 0);
	if (server)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0u, 0);
	_exit(vhost_server(n, (char **)argv));
}

static void end_server(void)
{
	if (server <= 0)
		return;
	vu_server_kill(server);
	server = -1;
}

static void add(u16 device_id)
{
	struct xvm_ipc_dev_add desc = { .num = DEV, .device_id = device_id, .backend = XVM_BACKEND_VHOST_USER, .queues = 1,
					.config_bytes = device_id == VIRTIO_ID_BLOCK ? 60 : 0,
					.flags = trusted ? XVM_DEV_TRUSTED : 0 };

	vu_server_add(&rig, &desc, vu_server_connect(sock_path));
}

static int start(void **state)
{
	(void)state;
	strcpy(file_path, "/tmp/xvmsg-vl-XXXXXX");
	file = mkstemp(file_path);
	snprintf(sock_path, sizeof(sock_path), "%s.sock", file_path);
	image = memfd_create("image", MFD_CLOEXEC);
	assert_return_code(ftruncate(image, IMAGE_BYTES), errno);
	server = -1;
	area = AREA_BESIDE + 1;
	drv_start(&drv, &rig);
	rig_add_blk(&rig, BESIDE, image, IMAGE_BYTES, 0);
	drv_wait_ready(&drv, BESIDE);
	drv_blk_start(&beside, &drv, BESIDE, AREA_BESIDE, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
	return 0;
}

static int start_trusted(void **state)
{
	trusted = true;
	return start(state);
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	end_server();
	trusted = false;
	close(image);
	close(file);
	unlink(file_path);
	unlink(sock_path);
	return 0;
}

/* The disk beside works: what is written is read. */
static void beside_works(void)
{
	static u32 word;
	u8 out[512], in[512] = { 0 };

	memset(out, (int)++word, sizeof(out));
	assert_int_equal(drv_blk_do(&beside, VIRTIO_BLK_T_OUT, word % 100, out, sizeof(out)), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_blk_do(&beside, VIRTIO_BLK_T_IN, word % 100, in, sizeof(in)), VIRTIO_BLK_S_OK);
	assert_memory_equal(in, out, sizeof(in));
}

/* ---- the log of requests in flight ---- */

static void start_log(void)
{
	add(ODD_TYPE);
	drv_wait_ready(&drv, DEV);
	base = drv_area_new(&drv, area, DEV, 16);
	drv_negotiate(&drv, DEV, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX);
	drv_vq_setup(&vq, &drv, DEV, 0, QUEUE_SIZE, area, 0, true);
	drv_set_status(&drv, DEV, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_FEATURES_OK | XVM_S_DRIVER_OK);
}

/* The next number, at a place of its own while it is out. False: all places are. */
static bool submit_number(u32 number)
{
	u32 at = 0x4000 + number % QUEUE_SIZE * 4;
	struct drv_seg seg = { xvm_addr_make(area, at), 4, false };

	if (vq.n_free < 2)
		return false;
	xvm_put32(base + at, number);
	return drv_vq_add(&vq, &seg, 1) >= 0;
}

static void check_numbers(u32 count)
{
	u32 i, number;

	for (i = 0; i < count; i++) {
		assert_int_equal(pread(file, &number, 4, 4 * i), 4);
		if (number != i)
			fail_msg("entry %u of the log is %u", i, number);
	}
	assert_int_equal(pread(file, &number, 4, 4 * count), 0);
}

static void test_successor_goes_on(void **state)
{
	u32 sent = 0, back = 0, ends = 0, idle = 0, len;

	(void)state;
	run_server("--log", "--inflight", "request", "die", "20");
	start_log();
	while (back < REQUESTS) {
		while (sent < REQUESTS && submit_number(sent))
			sent++;
		drv_vq_kick(&vq);
		drv_poll(&drv, 5);
		for (idle++; drv_vq_get(&vq, &len) >= 0; idle = 0)
			back++;
		assert_true(idle < 1000);
		if (!(rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST))
			continue;
		rig.states[DEV] = 0;
		end_server();
		ends++;
		run_server("--log", "--inflight", "request", "die", "40");
		vu_server_again(&rig, DEV, sock_path, 1);
	}
	check_numbers(REQUESTS);
	assert_in_range(ends, 5, 20);
	assert_int_not_equal(rig.state[DEV], XVM_DEV_BROKEN);
	beside_works();
	printf("# %u servers died, %u requests, each done once\n", ends, back);
	assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
}

/* Without one nobody knows what was done: the device needs a reset, whoever died and whoever comes. */
static void test_no_log(void **state)
{
	u32 i, round;

	(void)state;
	for (round = 0; round < 2; round++) {
		run_server("--log", round ? "--inflight" : NULL, "request", "die", "3");
		start_log();
		for (i = 0; i < 10; i++)
			submit_number(i);
		drv_vq_kick(&vq);
		RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_SERVER_LOST);
		assert_int_equal(!!(rig.states[DEV] & 1u << XVM_DEV_BROKEN), !round);
		end_server();
		if (round) {
			run_server("--log", NULL, NULL, NULL, NULL);
			vu_server_again(&rig, DEV, sock_path, 1);
			RIG_UNTIL(&rig, rig.states[DEV] & 1u << XVM_DEV_BROKEN);
		}
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
		end_server();
		rig_del(&rig, DEV, true);
		RIG_UNTIL(&rig, rig.state[DEV] == XVM_DEV_GONE);
		drv_release(&drv, DEV);
		rig_area_free(&rig, area++);
		rig.states[DEV] = 0;
		drv.device_state[DEV] = 0;
		beside_works();
	}
}

/* ---- lies ---- */

static const struct {
	const char *at, *lie;
	bool io;		/* it comes up, and lies when it has requests */
} lies[] = {
	{ "GET_FEATURES", "garbage", false }, { "GET_FEATURES", "short", false }, { "GET_FEATURES", "fds", false },
	{ "GET_FEATURES", "die", false }, { "GET_PROTOCOL_FEATURES", "die", false }, { "GET_CONFIG", "garbage", false },
	{ "GET_CONFIG", "die", false }, { "GET_MAX_MEM_SLOTS", "short", false }, { "SET_OWNER", "refuse", false },
	{ "GET_FEATURES", "hang", false }, { "SET_VRING_ADDR", "die", true }, { "SET_VRING_KICK", "refuse", true },
	{ "SET_FEATURES", "garbage", true }, { "ADD_MEM_REG", "die", true },
	{ "request", "die", true }, { "used", "twice", true }, { "used", "unknown", true }, { "used", "long", true },
	{ "used", "ahead", true }, { "used", "noise", true },
};

static void lie_once(u32 i)
{
	int slot;

	run_server("--image", NULL, lies[i].at, lies[i].lie, "1");
	add(VIRTIO_ID_BLOCK);
	if (lies[i].io) {
		drv_wait_ready(&drv, DEV);
		drv_blk_start(&blk, &drv, DEV, area, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
		while ((slot = drv_blk_slot(&blk)) >= 0)
			drv_blk_submit(&blk, (u32)slot, VIRTIO_BLK_T_IN, 0, 512, 1);
		drv_vq_kick(&blk.vq);
	}
	for (u32 wait = 0; !(rig.states[DEV] & (1u << XVM_DEV_SERVER_LOST | 1u << XVM_DEV_GONE)); wait++) {
		if (wait == 150)
			fail_msg("%s at %s was not noticed", lies[i].lie, lies[i].at);
		drv_poll(&drv, 100);
		beside_works();
	}
	end_server();
	if (rig.state[DEV] != XVM_DEV_GONE) {
		drv_set_status(&drv, DEV, 0);
		rig_del(&rig, DEV, true);
		RIG_UNTIL(&rig, rig.state[DEV] == XVM_DEV_GONE);
		drv_release(&drv, DEV);
	}
	rig.states[DEV] = 0;
	rig.state[DEV] = 0;
	drv.device_state[DEV] = 0;
	rig_area_free(&rig, area++);
	beside_works();
}

/* Each costs its own device, is noticed, and nobody else. */
static void test_lies(void **state)
{
	u32 i;

	(void)state;
	assert_return_code(ftruncate(file, IMAGE_BYTES), errno);
	for (i = 0; i < XVM_ARRAY_SIZE(lies); i++)
		if (!trusted || lies[i].io)	/* areas come into it then only */
			lie_once(i);
}

#define TRUSTED(f) { .name = #f " with areas", .test_func = f, .setup_func = start_trusted, .teardown_func = stop }
#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_successor_goes_on), TRUSTED(test_successor_goes_on), CASE(test_no_log), TRUSTED(test_no_log),
		CASE(test_lies), TRUSTED(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
