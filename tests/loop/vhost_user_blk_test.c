// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk served by Debian's qemu-storage-daemon, through the whole worker: verified
 * random I/O, reset, removal, a server that dies under I/O again and again and
 * one that lies, a worker that dies.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/drv_load.c tests/support/vu_server.c */
/* LIBS: -l:liburing.a */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_load.h"
#include "../support/vu_server.h"
#include "../../dom0/virtio/vdev.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISK 5u
#define AREA 9u
#define KILLS 12u

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;
static struct drv_load load = { .seed = 3 };
static char image_path[64], sock_path[80];
static int image = -1;
static pid_t server;
static bool trusted;		/* the server gets the device's areas */

static void add_disk(int sock)
{
	struct xvm_ipc_dev_add add = { .num = DISK, .device_id = VIRTIO_ID_BLOCK, .backend = XVM_BACKEND_VHOST_USER,
				       .queues = 1, .config_bytes = 60, .flags = trusted ? XVM_DEV_TRUSTED : 0 };

	vu_server_add(&rig, &add, sock);
}

static void serve_again(void)
{
	server = vu_server_disk(sock_path, image_path, true);
	vu_server_again(&rig, DISK, sock_path, 1);
}

static int start(void **state)
{
	(void)state;
	strcpy(image_path, "/tmp/xvmsg-vu-XXXXXX");
	image = mkstemp(image_path);
	snprintf(sock_path, sizeof(sock_path), "%s.sock", image_path);
	assert_return_code(ftruncate(image, LOAD_BYTES), errno);
	rig_keep_new();
	drv_load_init(&load, &blk);
	server = -1;
	drv_start(&drv, &rig);
	return 0;
}

static int start_trusted(void **state)
{
	trusted = true;
	return start(state);
}

static void start_disk(void)
{
	if (access(QSD, X_OK))
		test_skip("no " QSD " (package qemu-system-common)");
	server = vu_server_disk(sock_path, image_path, true);
	add_disk(vu_server_connect(sock_path));
	drv_wait_ready(&drv, DISK);
	drv_blk_start(&blk, &drv, DISK, AREA, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	if (server > 0)
		vu_server_kill(server);
	rig_keep_end();
	trusted = false;
	close(image);
	unlink(image_path);
	unlink(sock_path);
	return 0;
}

static void finish(void)
{
	drv_load_finish(&load);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	drv_load_check(&load, image);
}

static void test_io(void **state)
{
	u8 id[20];

	(void)state;
	start_disk();
	assert_int_equal(blk.capacity, LOAD_BYTES / 512);
	drv_load_run(&load, 3000);
	finish();
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_GET_ID, 0, id, 20), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)id, "vhost_user_blk");
	/* A request of one slot's whole size in many pieces, and one beyond the end. */
	memset(drv_blk_data(&blk, 0), 7, DRV_BLK_SLOT_BYTES);
	drv_blk_submit(&blk, 0, VIRTIO_BLK_T_OUT, 8, DRV_BLK_SLOT_BYTES, 16);
	DRV_UNTIL(&drv, (drv_vq_force_kick(&blk.vq), drv_blk_status(&blk, 0) == VIRTIO_BLK_S_OK));
	printf("# %u requests, %lu copied, %lu wakeups\n", load.completed, rig_stats(&rig)->bounced, rig_stats(&rig)->wakeups);
	/* With the areas: those at most that came before the server had said that it has them. */
	assert_int_equal(rig.shares, trusted);
	assert_true(trusted ? rig.stats.bounced <= DRV_BLK_SLOTS : rig.stats.bounced >= load.completed);
}

/* An area goes when its server has given it back, also by its end. */
static void test_area_goes(void **state)
{
	u32 i;

	(void)state;
	start_disk();
	drv_load_run(&load, 20);
	for (i = 0; i < 20; i++) {
		drv_load_fill(&load);
		drv_area_new(&drv, AREA + 1 + i, DISK, 4);
		if (i & 1)
			RIG_UNTIL(&rig, rig.shares == 2 + i);
		if (i == 19)
			vu_server_kill(server);
		assert_int_equal(drv_area_del(&drv, AREA + 1 + i), XVM_STATUS_OK);
	}
	serve_again();
	drv_load_run(&load, 100);
	finish();
	assert_true(rig_stats(&rig)->bounced <= 3 * DRV_BLK_SLOTS);
}

static void test_reset(void **state)
{
	u32 round;

	(void)state;
	start_disk();
	for (round = 0; round < 10; round++) {
		drv_load_fill(&load);
		if (round & 1)
			drv_reset_vqueue(&drv, DISK, 0);
		assert_int_equal(drv_set_status(&drv, DISK, 0), 0);
		/* Each write may have been made or not; the driver was not told. */
		drv_load_forget(&load);
		drv_blk_restart(&blk, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);
		assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	}
}

static void test_server_killed(void **state)
{
	u32 i;

	(void)state;
	start_disk();
	for (i = 0; i < KILLS; i++) {
		drv_load_run(&load, 100 + drv_load_rnd(&load, 100));
		drv_load_fill(&load);
		usleep(drv_load_rnd(&load, 3000));
		vu_server_kill(server);
		RIG_UNTIL(&rig, rig.states[DISK] & 1u << XVM_DEV_SERVER_LOST);
		rig.states[DISK] = 0;
		/* Requests of the time without a server wait, too. */
		drv_load_fill(&load);
		serve_again();
	}
	drv_load_run(&load, 200);
	finish();
	assert_int_equal(rig.state[DISK] == XVM_DEV_BROKEN, false);
	printf("# %u kills, %u requests, each completed once\n", KILLS, load.completed);
}

/* A server that does not come back costs its device, and nothing else. */
static void test_server_gone(void **state)
{
	(void)state;
	start_disk();
	drv_load_run(&load, 50);
	drv_load_fill(&load);
	vu_server_kill(server);
	server = -1;
	for (int i = 0; i < 600 && rig.state[DISK] != XVM_DEV_BROKEN; i++)
		drv_poll(&drv, 50);
	assert_int_equal(rig.state[DISK], XVM_DEV_BROKEN);
	assert_true(drv_status(&drv, DISK) & XVM_S_NEEDS_RESET);
	assert_int_equal(drv_set_status(&drv, DISK, 0), 0);
}

/* Until it is said that a server has ended it may write to what it had: nothing is given back before. */
static void test_server_lingers(void **state)
{
	u32 i, answers;
	u8 msg[16];

	(void)state;
	start_disk();
	drv_load_run(&load, 50);
	drv_load_fill(&load);
	rig.hold_server_end = true;
	vu_server_kill(server);
	server = -1;
	RIG_UNTIL(&rig, rig.states[DISK] & 1u << XVM_DEV_SERVER_LOST);
	answers = drv.answers;
	drv_send(&drv, msg, xvm_msg_put_u32(msg, false, VIRTIO_MSG_SET_DEVICE_STATUS, DISK, 0));
	for (i = 0; i < 30; i++)
		drv_poll(&drv, 10);
	assert_int_equal(drv.answers, answers);
	rig_server_end(&rig, DISK);
	DRV_UNTIL(&drv, drv.answers == answers + 1);
	rig.hold_server_end = false;
}

/* The worker dies: its successor has the record of the queue, and a server has the disk. */
static void test_worker_killed(void **state)
{
	u32 i;

	(void)state;
	start_disk();
	for (i = 0; i < 6; i++) {
		drv_load_run(&load, 60 + drv_load_rnd(&load, 60));
		drv_load_fill(&load);
		usleep(drv_load_rnd(&load, 2000));
		rig_kill(&rig);
		/* The supervisor ends the server too, and waits for that, so nothing of the old one is under way. */
		vu_server_kill(server);
		drv_join_again(&drv);
		server = vu_server_disk(sock_path, image_path, true);
		add_disk(vu_server_connect(sock_path));
		drv_wait_ready(&drv, DISK);
		assert_int_equal(drv_area_add(&drv, AREA, DISK, DRV_BLK_AREA_PAGES), XVM_STATUS_OK);
		assert_int_equal(drv_vq_replay(&blk.vq, 1, 0), XVM_STATUS_OK);
		drv_vq_force_kick(&blk.vq);
	}
	drv_load_run(&load, 100);
	finish();
}

/* ---- servers that are none ---- */

static int socket_of(int pair[2])
{
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	return pair[0];
}

/* Closes, or answers nonsense: the device never comes to be, and another one is not touched. */
static void test_no_server(void **state)
{
	static const u32 junk[5] = { 1, 5, 0xffff };
	u8 data[512];
	int pair[2];

	(void)state;
	rig_add_blk(&rig, 1, image, LOAD_BYTES, 0);
	drv_wait_ready(&drv, 1);
	drv_blk_start(&blk, &drv, 1, AREA, ~0ull & ~XVM_F_RING_PACKED & ~XVM_F_IN_ORDER);

	add_disk(socket_of(pair));
	close(pair[1]);
	RIG_UNTIL(&rig, rig.state[DISK] == XVM_DEV_GONE);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_IN, 0, data, 512), VIRTIO_BLK_S_OK);

	rig.state[DISK] = 0;
	add_disk(socket_of(pair));
	assert_int_equal(send(pair[1], junk, sizeof(junk), 0), sizeof(junk));
	RIG_UNTIL(&rig, rig.state[DISK] == XVM_DEV_GONE);
	close(pair[1]);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_IN, 0, data, 512), VIRTIO_BLK_S_OK);

	assert_int_equal(drv.device_state[DISK], 0);
}

#define TRUSTED(f) { .name = #f " with areas", .test_func = f, .setup_func = start_trusted, .teardown_func = stop }
#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_io), CASE(test_reset), CASE(test_server_killed), CASE(test_server_gone),
		CASE(test_worker_killed), CASE(test_no_server),
		TRUSTED(test_io), TRUSTED(test_reset), TRUSTED(test_server_killed), TRUSTED(test_area_goes),
		TRUSTED(test_server_lingers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
