// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk served by Debian's qemu-storage-daemon, through the whole worker: verified
 * random I/O, reset, removal, a server that dies under I/O again and again and
 * one that lies, a worker that dies.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/vu_server.c */
/* LIBS: -l:liburing.a */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_vq.h"
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
#define IMAGE_BYTES (4u << 20)
#define BLOCK 4096u
#define BLOCKS (IMAGE_BYTES / BLOCK)
#define KILLS 12u

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;
static char image_path[64], sock_path[80];
static int image = -1;
static pid_t server;
static u32 seed = 3;

/* What stands in the image, as the driver was told: a block is filled with one word. */
static u32 content[BLOCKS];
static struct request {
	u32 type, block, word;
	bool busy;
} request[DRV_BLK_SLOTS];
static u32 words, submitted, completed;
static bool trusted;		/* the server gets the device's areas */

static u32 rnd(u32 n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static void add_disk(int sock)
{
	struct xvm_ipc_dev_add add = { .num = DISK, .device_id = VIRTIO_ID_BLOCK, .backend = XVM_BACKEND_VHOST_USER,
				       .queues = 1, .config_bytes = 60, .flags = trusted ? XVM_DEV_TRUSTED : 0 };
	struct fdset fds;

	vu_server_fds(&fds, sock, 1);
	rig_add_fds(&rig, &add, &fds);
	fdset_close(&fds);
}

static void serve_again(void)
{
	struct fdset fds;

	server = vu_server_disk(sock_path, image_path, true);
	vu_server_fds(&fds, vu_server_connect(sock_path), 1);
	rig_server(&rig, DISK, &fds);
	fdset_close(&fds);
}

static int start(void **state)
{
	(void)state;
	strcpy(image_path, "/tmp/xvmsg-vu-XXXXXX");
	image = mkstemp(image_path);
	snprintf(sock_path, sizeof(sock_path), "%s.sock", image_path);
	assert_return_code(ftruncate(image, IMAGE_BYTES), errno);
	rig_keep_new();
	memset(content, 0, sizeof(content));
	memset(request, 0, sizeof(request));
	submitted = completed = 0;
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

/* ---- verified I/O: no two requests of one block at a time ---- */

static bool block_busy(u32 block)
{
	u32 i;

	for (i = 0; i < DRV_BLK_SLOTS; i++)
		if (request[i].busy && request[i].block == block)
			return true;
	return false;
}

static void fill(u8 *data, u32 word)
{
	u32 i;

	for (i = 0; i < BLOCK; i += 4)
		xvm_put32(data + i, word);
}

static void submit(u32 slot)
{
	struct request *r = &request[slot];

	do
		r->block = rnd(BLOCKS);
	while (block_busy(r->block));
	r->type = rnd(2) ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	r->word = ++words;
	r->busy = true;
	if (r->type == VIRTIO_BLK_T_OUT)
		fill(drv_blk_data(&blk, slot), r->word);
	else
		memset(drv_blk_data(&blk, slot), 0xee, BLOCK);
	drv_blk_submit(&blk, slot, r->type, (u64)r->block * (BLOCK / 512), BLOCK, 1 + rnd(4));
	submitted++;
}

static void submit_all(void)
{
	int slot;

	while ((slot = drv_blk_slot(&blk)) >= 0)
		submit((u32)slot);
	drv_vq_kick(&blk.vq);
}

/* A request that comes back twice, or with other data than was written last, ends the test. */
static void completed_one(u32 slot, u32 len)
{
	struct request *r = &request[slot];
	u8 want[BLOCK];

	assert_true(r->busy);
	assert_int_equal(drv_blk_status(&blk, slot), VIRTIO_BLK_S_OK);
	if (r->type == VIRTIO_BLK_T_OUT) {
		content[r->block] = r->word;
	} else {
		assert_int_equal(len, BLOCK + 1);
		fill(want, content[r->block]);
		assert_memory_equal(drv_blk_data(&blk, slot), want, BLOCK);
	}
	r->busy = false;
	completed++;
}

static bool reap(void)
{
	u32 len, slot;
	int head = drv_vq_get(&blk.vq, &len);

	if (head < 0)
		return false;
	slot = (u32)blk.slot_of[head];
	blk.busy &= ~(1u << slot);
	completed_one(slot, len);
	return true;
}

static void io(u32 requests)
{
	u32 until = completed + requests, idle = 0;

	while (completed < until) {
		submit_all();
		drv_poll(&drv, 5);
		idle = reap() ? 0 : idle + 1;
		while (reap())
			;
		assert_true(idle < 3000);
	}
}

static void finish(void)
{
	u8 want[BLOCK], disk[BLOCK];
	u32 i, idle = 0;

	while (completed < submitted) {
		drv_poll(&drv, 5);
		idle = reap() ? 0 : idle + 1;
		assert_true(idle < 3000);
	}
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	for (i = 0; i < BLOCKS; i++) {
		fill(want, content[i]);
		assert_int_equal(pread(image, disk, BLOCK, i * (off_t)BLOCK), BLOCK);
		assert_memory_equal(disk, want, BLOCK);
	}
}

static void test_io(void **state)
{
	u8 id[20];

	(void)state;
	start_disk();
	assert_int_equal(blk.capacity, IMAGE_BYTES / 512);
	io(3000);
	finish();
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_GET_ID, 0, id, 20), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)id, "vhost_user_blk");
	/* A request of one slot's whole size in many pieces, and one beyond the end. */
	memset(drv_blk_data(&blk, 0), 7, DRV_BLK_SLOT_BYTES);
	drv_blk_submit(&blk, 0, VIRTIO_BLK_T_OUT, 8, DRV_BLK_SLOT_BYTES, 16);
	DRV_UNTIL(&drv, (drv_vq_force_kick(&blk.vq), drv_blk_status(&blk, 0) == VIRTIO_BLK_S_OK));
	printf("# %u requests, %lu copied, %lu wakeups\n", completed, rig_stats(&rig)->bounced, rig_stats(&rig)->wakeups);
	/* With the areas: those at most that came before the server had said that it has them. */
	assert_int_equal(rig.shares, trusted);
	assert_true(trusted ? rig.stats.bounced <= DRV_BLK_SLOTS : rig.stats.bounced >= completed);
}

/* An area goes when its server has given it back, also by its end. */
static void test_area_goes(void **state)
{
	u32 i;

	(void)state;
	start_disk();
	io(20);
	for (i = 0; i < 20; i++) {
		submit_all();
		drv_area_new(&drv, AREA + 1 + i, DISK, 4);
		if (i & 1)
			RIG_UNTIL(&rig, rig.shares == 2 + i);
		if (i == 19)
			vu_server_kill(server);
		assert_int_equal(drv_area_del(&drv, AREA + 1 + i), XVM_STATUS_OK);
	}
	serve_again();
	io(100);
	finish();
	assert_true(rig_stats(&rig)->bounced <= 3 * DRV_BLK_SLOTS);
}

static void test_reset(void **state)
{
	u32 round;

	(void)state;
	start_disk();
	for (round = 0; round < 10; round++) {
		submit_all();
		if (round & 1)
			drv_reset_vqueue(&drv, DISK, 0);
		assert_int_equal(drv_set_status(&drv, DISK, 0), 0);
		/* Each write may have been made or not; the driver was not told. */
		memset(request, 0, sizeof(request));
		submitted = completed;
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
		io(100 + rnd(100));
		submit_all();
		usleep(rnd(3000));
		vu_server_kill(server);
		RIG_UNTIL(&rig, rig.states[DISK] & 1u << XVM_DEV_SERVER_LOST);
		rig.states[DISK] = 0;
		/* Requests of the time without a server wait, too. */
		submit_all();
		serve_again();
	}
	io(200);
	finish();
	assert_int_equal(rig.state[DISK] == XVM_DEV_BROKEN, false);
	printf("# %u kills, %u requests, each completed once\n", KILLS, completed);
}

/* A server that does not come back costs its device, and nothing else. */
static void test_server_gone(void **state)
{
	(void)state;
	start_disk();
	io(50);
	submit_all();
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
	io(50);
	submit_all();
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
		io(60 + rnd(60));
		submit_all();
		usleep(rnd(2000));
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
	io(100);
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
	rig_add_blk(&rig, 1, image, IMAGE_BYTES, 0);
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
