// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices of a vfio-user server (tests/remote, a process of its own) over the
 * whole worker: verified I/O with memory mapped or asked for by messages, one
 * socket or two, doorbells in memory, INTx; changes of configuration; and a
 * server that dies, hangs, lies or breaks the protocol in each phase, beside a
 * disk of our own that notices nothing.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/drv_sectors.c tests/remote/vfio_server.c */
/* LIBS: -l:liburing.a */
/* TIME: 150 */
#include "../support/test.h"
#include "../remote/vfio_server.h"
#include "../support/drv_sectors.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALL_FEATURES (~0ull)
#define OTHER 2u		/* number of the disk of our own */

static struct rig rig;
static struct drv drv;
static struct drv_blk blk, other;
static struct drv_sectors load = { .seed = 1 };
static int image = -1, other_image = -1;
static pid_t server;
static struct vfio_server_seen *seen;

static const struct vfio_server plain = { .twin = TWIN_YES, .queue_size = 256 };

static int start(void **state)
{
	(void)state;
	image = memfd_create("image", MFD_CLOEXEC);
	other_image = memfd_create("other", MFD_CLOEXEC);
	assert_return_code(ftruncate(image, SECTORS_BYTES) | ftruncate(other_image, SECTORS_BYTES), errno);
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server = 0;
	drv_start(&drv, &rig);
	return 0;
}

static void reap_server(void)
{
	if (server) {
		kill(server, SIGKILL);
		assert_int_equal(waitpid(server, NULL, 0), server);
	}
	server = 0;
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	reap_server();
	close(image);
	close(other_image);
	munmap(seen, 4096);
	return 0;
}

/* Starts the server; returns our end of its socket. */
static int start_server(struct vfio_server how)
{
	int pair[2];

	how.seen = seen;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	server = fork();
	assert_true(server >= 0);
	if (!server) {
		/* So that it sees the end of the worker, and nobody else's. */
		close(pair[0]);
		close(rig.sock);
		_exit(vfio_server_run(&how, pair[1]) ? 1 : 0);
	}
	close(pair[1]);
	return pair[0];
}

static void add_with(u16 num, u16 device_id, u32 flags, int sock)
{
	struct xvm_ipc_dev_add desc = { .num = num, .device_id = device_id, .backend = XVM_BACKEND_VFIO_USER,
					.flags = flags };
	struct fdset fds = { .count = XVM_VFIO_FDS };

	fds.fd[XVM_VFIO_FD_SOCKET] = sock;
	fds.fd[XVM_VFIO_FD_RINGS] = memfd_create("rings", MFD_CLOEXEC);
	fds.fd[XVM_VFIO_FD_CONFIG] = eventfd(0, EFD_CLOEXEC);
	fds.fd[XVM_VFIO_FD_QUEUES] = eventfd(0, EFD_CLOEXEC);
	assert_return_code(ftruncate(fds.fd[XVM_VFIO_FD_RINGS], XVM_RINGS_BYTES), errno);
	rig_add_fds(&rig, &desc, &fds);
	fdset_close(&fds);
}

static void add(struct vfio_server how, u32 flags)
{
	how.image = image;
	add_with(1, 0, flags, start_server(how));
}

static void add_there(struct vfio_server how, u32 flags)
{
	add(how, flags);
	drv_wait_ready(&drv, 1);
}

static void start_io(void)
{
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	drv_sectors_init(&load, &blk);
}

static void verified_io(struct vfio_server how, u32 flags, u32 requests)
{
	add_there(how, flags);
	start_io();
	drv_sectors_run(&load, requests);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	drv_sectors_check(&load, image);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_DRIVER_OK);
}

static void test_mapped(void **state)
{
	const struct xvm_ipc_stats *stats;

	(void)state;
	verified_io(plain, XVM_DEV_TRUSTED, 2000);
	assert_int_equal(rig.shares, 1);
	assert_int_equal(seen->mapped, 2);	/* the rings, and the area, by a descriptor of its own */
	stats = rig_stats(&rig);
	assert_int_equal(rig.dev_stats[1].bytes_by_message, 0);
	assert_int_equal(stats->requests, 2001);
	assert_int_equal(stats->messages_bad, 0);
	printf("# requests %lu wakeups %lu submits %lu\n", stats->requests, stats->wakeups, stats->io_submits);
}

static void test_indirect(void **state)
{
	(void)state;
	blk.indirect = true;
	verified_io(plain, XVM_DEV_TRUSTED, 500);
	blk.indirect = false;
}

static void test_mapped_one_socket(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.twin = TWIN_NO;
	verified_io(how, XVM_DEV_TRUSTED, 500);
}

static void test_not_offered(void **state)
{
	(void)state;
	verified_io(plain, XVM_DEV_TRUSTED | XVM_DEV_ONE_SOCKET, 200);
}

/* Nobody gave it the areas: all data goes through messages, on the second socket. */
static void test_messages(void **state)
{
	const struct xvm_ipc_stats *stats;

	(void)state;
	verified_io(plain, 0, 500);
	assert_int_equal(rig.shares, 0);
	assert_int_equal(seen->mapped, 1);
	stats = rig_stats(&rig);
	/* A header of 16 bytes, the data and a byte of status of each. */
	assert_int_equal(rig.dev_stats[1].bytes_by_message, stats->bytes_read + stats->bytes_written);
	printf("# %lu bytes by messages in %lu requests\n", rig.dev_stats[1].bytes_by_message, stats->requests);
}

/* A server that cannot map an area goes on by messages; so does one for which there is no descriptor to be had. */
static void test_cannot_map(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.maps_once = true;
	verified_io(how, XVM_DEV_TRUSTED, 200);
	assert_int_equal(rig.shares, 1);
	rig_stats(&rig);
	assert_true(rig.dev_stats[1].bytes_by_message > 200 * 512);
}

static void test_nothing_to_map(void **state)
{
	(void)state;
	rig.share_nothing = true;
	verified_io(plain, XVM_DEV_TRUSTED, 200);
	assert_int_equal(seen->mapped, 1);
	rig_stats(&rig);
	assert_true(rig.dev_stats[1].bytes_by_message > 200 * 512);
}

/* On one socket its commands cross ours, and neither waits for the other. */
static void test_messages_one_socket(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.twin = TWIN_NO;
	verified_io(how, 0, 500);
}

static void test_messages_beside_mapping(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.bounce = true;
	verified_io(how, XVM_DEV_TRUSTED, 300);
}

static void test_doorbell_memory(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.map_notify = true;
	verified_io(how, 0, 500);
	assert_int_equal(seen->notified, 0);
}

/* A file that shrinks under the worker would be a signal to it: one that may is mapped for a trusted server alone. */
static void test_doorbell_unsealed(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.map_notify = how.unsealed = true;
	verified_io(how, XVM_DEV_TRUSTED, 200);
	assert_int_equal(seen->notified, 0);
}

static void test_doorbell_shrinks(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.map_notify = how.unsealed = how.shrinks = true;
	verified_io(how, 0, 200);
	assert_true(seen->notified);
}

/* A write and a read of what it wrote, in one queue. */
static void queue_io(struct drv_vq *vq, u32 area, u8 *base, u32 q)
{
	struct virtio_blk_outhdr hdr = { .sector = 8 * q };
	struct drv_seg seg[3] = {
		{ xvm_addr_make(area, 0x1000 * (3 * q)), sizeof(hdr), false },
		{ xvm_addr_make(area, 0x1000 * (3 * q + 1)), 4096, false },
		{ xvm_addr_make(area, 0x1000 * (3 * q + 2)), 1, true },
	};
	u8 *at = base + 0x1000 * (3 * q), want[4096];
	u32 len, i;

	memset(want, (int)(0x51 + q), sizeof(want));
	for (i = 0; i < 2; i++) {
		hdr.type = i ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
		seg[1].write = i;
		memcpy(at, &hdr, sizeof(hdr));
		memset(at + 0x1000, i ? 0 : want[0], 4096);
		at[0x2000] = 0xff;
		assert_true(drv_vq_add(vq, seg, 3) >= 0);
		drv_vq_kick(vq);
		drv_vq_wait(vq, &len);
		assert_int_equal(at[0x2000], VIRTIO_BLK_S_OK);
		assert_memory_equal(at + 0x1000, want, sizeof(want));
	}
}

#define QUEUES 3u

static void several_queues(struct vfio_server how, u32 flags)
{
	struct drv_vq vq[QUEUES];
	u16 count;
	u8 *base;
	u32 q, round;

	how.queues = QUEUES;
	add_there(how, flags);
	base = drv_area_new(&drv, 9, 1, 64);
	assert_true(drv_negotiate(&drv, 1, ALL_FEATURES) & 1ull << VIRTIO_BLK_F_MQ);
	assert_int_equal(drv_config(&drv, 1, offsetof(struct virtio_blk_config, num_queues), 2, &count), 2);
	assert_int_equal(count, QUEUES);
	for (q = 0; q < QUEUES; q++)
		drv_vq_setup(&vq[q], &drv, 1, (u16)q, 64, 9, 0x20000 + q * 0x4000, true);
	drv_set_status(&drv, 1, 15);
	for (round = 0; round < 20; round++)
		for (q = 0; q < QUEUES; q++)
			queue_io(&vq[q], 9, base, q);
	for (q = 0; q < QUEUES; q++)
		assert_int_equal(seen->requests[q], 40);
}

static void test_queues(void **state)
{
	(void)state;
	several_queues(plain, XVM_DEV_TRUSTED);
	assert_int_not_equal(seen->notified, 0);
}

static void test_queues_by_doorbells(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.map_notify = true;
	several_queues(how, 0);
	assert_int_equal(seen->notified, 0);
}

/* Every message waits for some time. */
static void test_slow(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.late_ms = 3;
	verified_io(how, XVM_DEV_TRUSTED, 30);
}

/* A reset takes longer than thousands of answers. */
static void test_slow_reset(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.reset_ms = 800;
	verified_io(how, XVM_DEV_TRUSTED, 30);
	assert_int_equal(drv_set_status(&drv, 1, 0), 0);
	drv_blk_restart(&blk, ALL_FEATURES);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
}

#define WCE offsetof(struct virtio_blk_config, wce)

static u8 read_wce(void)
{
	u8 wce;

	assert_int_equal(drv_config(&drv, 1, WCE, 1, &wce), 1);
	return wce;
}

static void write_wce(u8 wce)
{
	struct xvm_msg_config m;
	u8 msg[64];

	read_wce();
	assert_int_equal(xvm_msg_get_config(drv.answer, drv.answer_len, false, &m), 0);
	m.data = &wce;
	assert_true(drv_ask(&drv, msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, 1, &m)));
}

/* What the guest writes is the function's in the end: so is what the guest reads afterwards, taken or not. */
static void test_config_written(void **state)
{
	u64 capacity;

	(void)state;
	verified_io(plain, XVM_DEV_TRUSTED, 50);
	assert_int_equal(read_wce(), 1);
	write_wce(0);
	DRV_UNTIL(&drv, !seen->wce);
	assert_return_code(ftruncate(image, 2 * SECTORS_BYTES), errno);
	seen->grown = true;
	DRV_UNTIL(&drv, drv.configs[1] && drv_config(&drv, 1, 0, 8, &capacity) == 8 &&
		  capacity == 2 * SECTORS_BYTES / 512);
	assert_int_equal(read_wce(), 0);
	drv.configs[1] = 0;
	write_wce(2);
	DRV_UNTIL(&drv, drv.configs[1]);
	assert_int_equal(read_wce(), 0);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
}

/* The guest has its pages back when the server has said that it has let go of them, and not before. */
static void test_area_taken_back(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.unmap_ms = 200;
	verified_io(how, XVM_DEV_TRUSTED, 50);
	drv_area_new(&drv, 10, 1, 16);
	DRV_UNTIL(&drv, seen->mapped == 3);
	assert_int_equal(drv_area_del(&drv, 10), XVM_STATUS_OK);
	assert_int_equal(seen->let_go, 1);
	/* The same when the device goes, and the areas with it. */
	rig_del(&rig, 1, true);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_GONE);
	assert_true(seen->let_go >= 2);		/* the rings may follow */
}

/* It cannot keep them by what it says instead, nor by its end. */
static void keeps(enum vfio_server_act act)
{
	struct vfio_server how = plain;

	how.at = AT_UNMAP;
	how.act = act;
	verified_io(how, XVM_DEV_TRUSTED, 50);
	drv_area_new(&drv, 10, 1, 16);
	DRV_UNTIL(&drv, seen->mapped == 3);
	assert_int_equal(drv_area_del(&drv, 10), XVM_STATUS_OK);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_BROKEN);
	printf("# act %d: %s\n", act, rig.last_log);
}

static void test_dies_at_unmap(void **state)
{
	(void)state;
	keeps(DO_DIE);
}

static void test_refuses_unmap(void **state)
{
	(void)state;
	keeps(DO_REFUSE);
}

static void test_intx(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.intx = true;
	verified_io(how, XVM_DEV_TRUSTED, 500);
}

static void test_small_queue(void **state)
{
	struct vfio_server how = plain;
	struct xvm_msg_device_info info;
	struct xvm_msg_vqueue m;

	(void)state;
	how.queue_size = 16;
	add_there(how, 0);
	drv_info(&drv, 1, &info);
	assert_int_equal(info.config_size, 60);
	drv_negotiate(&drv, 1, ALL_FEATURES);
	drv_vqueue(&drv, 1, 0, &m);
	assert_int_equal(m.max_size, 16);
	drv_vqueue(&drv, 1, 1, &m);
	assert_int_equal(m.max_size, 0);
}

static void test_random_numbers(void **state)
{
	static u8 zero[4096];
	struct vfio_server how = { .image = -1, .twin = TWIN_YES };
	struct xvm_msg_device_info info;
	struct drv_vq vq;
	struct drv_seg seg = { xvm_addr_make(9, 0x10000), 4096, true };
	u8 *base;
	u32 len;

	(void)state;
	add_with(1, VIRTIO_ID_RNG, XVM_DEV_TRUSTED, start_server(how));
	drv_wait_ready(&drv, 1);
	drv_info(&drv, 1, &info);
	assert_int_equal(info.device_id, VIRTIO_ID_RNG);
	base = drv_area_new(&drv, 9, 1, 64);
	drv_negotiate(&drv, 1, ALL_FEATURES);
	drv_vq_setup(&vq, &drv, 1, 0, 64, 9, 0, true);
	drv_set_status(&drv, 1, 15);
	drv_vq_add(&vq, &seg, 1);
	drv_vq_kick(&vq);
	drv_vq_wait(&vq, &len);
	assert_int_equal(len, 4096);
	assert_memory_not_equal(base + 0x10000, zero, 4096);
}

/* What the server changes reaches the guest; what is the transport's never reached the server (it checks that). */
static void test_grows(void **state)
{
	u64 capacity;

	(void)state;
	verified_io(plain, XVM_DEV_TRUSTED, 50);
	assert_return_code(ftruncate(image, 2 * SECTORS_BYTES), errno);
	seen->grown = true;
	DRV_UNTIL(&drv, drv.configs[1]);
	assert_int_equal(drv_config(&drv, 1, 0, 8, &capacity), 8);
	assert_int_equal(capacity, 2 * SECTORS_BYTES / 512);
}

static void test_reset_under_io(void **state)
{
	u32 round;

	(void)state;
	add_there(plain, XVM_DEV_TRUSTED);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	for (round = 0; round < 10; round++) {
		drv_blk_fill(&blk, round & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
		drv_blk_reset_under_io(&blk, (u8)round, ALL_FEATURES);
	}
}

static void test_areas_come_and_go(void **state)
{
	u32 round;

	(void)state;
	add_there(plain, XVM_DEV_TRUSTED);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	for (round = 0; round < 8; round++)
		drv_blk_area_under_io(&blk, 10 + round);
}

static void test_remove_under_io(void **state)
{
	(void)state;
	add_there(plain, XVM_DEV_TRUSTED);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	drv_blk_fill(&blk, VIRTIO_BLK_T_OUT);
	rig_del(&rig, 1, true);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_GONE);
	DRV_UNTIL(&drv, drv.device_state[1] == VIRTIO_MSG_DEVICE_REMOVED);
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_OK);
	assert_int_equal(drv_release(&drv, 1), XVM_STATUS_OK);
	/* The server saw the end of it, and no rule broken. */
	assert_int_equal(waitpid(server, &(int){ 0 }, 0), server);
	drv.device_state[1] = 0;
	rig.state[1] = 0;
	add_there(plain, XVM_DEV_TRUSTED);
	drv_blk_start(&blk, &drv, 1, 2, ALL_FEATURES);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
}

static void test_stop_under_io(void **state)
{
	(void)state;
	add_there(plain, XVM_DEV_TRUSTED);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	drv_blk_fill(&blk, VIRTIO_BLK_T_OUT);
}

static int start_kept(void **state)
{
	rig_keep_new();
	return start(state);
}

static int stop_kept(void **state)
{
	stop(state);
	rig_keep_end();
	return 0;
}

/* A server that has seen the end of its connection has ended the I/O of it. Then another one serves another worker. */
static void succeed(void)
{
	rig_kill(&rig);
	assert_int_equal(waitpid(server, NULL, 0), server);
	drv_join_again(&drv);
	add_there(plain, XVM_DEV_TRUSTED);
	assert_int_equal(drv_area_add(&drv, 1, 1, DRV_BLK_AREA_PAGES), XVM_STATUS_OK);
	assert_int_equal(drv_vq_replay(&blk.vq, 1, 0), XVM_STATUS_OK);
	drv_vq_force_kick(&blk.vq);
}

/* What was in flight is sent again, each request comes back once, and nothing is lost. */
static void test_worker_dies(void **state)
{
	u32 i, n;

	(void)state;
	add_there(plain, XVM_DEV_TRUSTED);
	start_io();
	for (i = 0; i < 8; i++) {
		drv_sectors_fill(&load, DRV_BLK_SLOTS);
		drv_vq_kick(&blk.vq);
		for (n = drv_sectors_rnd(&load, 12); n; n--)
			drv_sectors_reap(&load);
		succeed();
	}
	while (blk.busy)
		drv_sectors_reap(&load);
	drv_sectors_check(&load, image);
	drv_sectors_run(&load, 200);
	drv_sectors_check(&load, image);
}

static void test_other_type(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.image = image;
	add_with(1, VIRTIO_ID_NET, 0, start_server(how));
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_GONE);
	assert_string_equal(rig.last_log, "device 1: server has a device of type 2, not 1");
}

static void test_twin_lies(void **state)
{
	struct vfio_server how = plain;

	(void)state;
	how.twin = TWIN_NONE;
	add(how, 0);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_GONE);
	assert_string_equal(rig.last_log, "device 1: server accepts a second socket and does not send just that");
	reap_server();
	rig.state[1] = 0;
	add(how, XVM_DEV_ONE_SOCKET);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_GONE);
	assert_string_equal(rig.last_log, "device 1: server accepts a second socket that was not offered");
	reap_server();
	rig.state[1] = 0;
	how.twin = TWIN_FILE;
	add(how, 0);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_GONE);
	assert_string_equal(rig.last_log, "device 1: server's second socket is none");
	reap_server();
	rig.state[1] = 0;
	how.twin = TWIN_UNSAID;
	add(how, 0);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_GONE);
	assert_string_equal(rig.last_log, "device 1: server sent a second socket and does not say so");
}

/* ---- what a server can do, and when ---- */

static void other_works(void)
{
	u8 data[4096];

	memset(data, (int)drv_sectors_rnd(&load, 256), sizeof(data));
	assert_int_equal(drv_blk_do(&other, VIRTIO_BLK_T_OUT, 8 * drv_sectors_rnd(&load, 100), data, sizeof(data)), VIRTIO_BLK_S_OK);
}

static void add_other(void)
{
	rig_add_blk(&rig, OTHER, other_image, SECTORS_BYTES, 0);
	drv_wait_ready(&drv, OTHER);
	drv_blk_start(&other, &drv, OTHER, 20, ALL_FEATURES);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The guest never hears of the device; whoever asked for it hears why; in time. */
static void absent(enum vfio_server_phase at, enum vfio_server_act act, u32 count)
{
	struct vfio_server how = plain;
	double began = seconds();
	u32 logs = rig.logs;

	how.at = at;
	how.act = act;
	how.count = count;
	rig.state[1] = 0;
	add(how, XVM_DEV_TRUSTED);
	while (rig.state[1] != XVM_DEV_GONE) {
		other_works();
		drv_poll(&drv, 5);
		assert_true(seconds() - began < 20);
	}
	assert_int_equal(drv.device_state[1], 0);
	assert_true(rig.logs > logs);
	printf("# phase %d act %d: %s\n", at, act, rig.last_log);
	other_works();
	reap_server();
}

static void test_fails_before(void **state)
{
	static const enum vfio_server_phase phases[] = { AT_VERSION, AT_INFO, AT_REGION, AT_IRQ, AT_RESET, AT_READ, AT_DOWN };
	static const enum vfio_server_act acts[] = { DO_DIE, DO_REFUSE, DO_GARBAGE, DO_STRANGER };
	u32 i, k;

	(void)state;
	add_other();
	for (i = 0; i < XVM_ARRAY_SIZE(phases); i++)
		for (k = 0; k < XVM_ARRAY_SIZE(acts); k++)
			absent(phases[i], acts[k], 0);
	/* The first two may be refused: of the command register, and of MSI-X. */
	for (k = 0; k < XVM_ARRAY_SIZE(acts); k++)
		absent(AT_WRITE, acts[k], 3);
	absent(AT_INFO, DO_LONG, 0);
	absent(AT_INFO, DO_TWICE, 0);
	absent(AT_VERSION, DO_DESCRIPTORS, 0);
	absent(AT_READ, DO_FLOOD, 0);
}

/* It can be started, says NEEDS_RESET again, and can be removed. */
static void stays_broken(void)
{
	drv.configs[1] = 0;
	drv_blk_restart(&blk, ALL_FEATURES);
	DRV_UNTIL(&drv, drv.configs[1]);
	assert_true(drv.config[1].device_status & XVM_S_NEEDS_RESET);
	other_works();
	rig_del(&rig, 1, true);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_GONE);
	DRV_UNTIL(&drv, drv.device_state[1] == VIRTIO_MSG_DEVICE_REMOVED);
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_OK);
	assert_int_equal(drv_release(&drv, 1), XVM_STATUS_OK);
}

/*
 * The device is up, or about to be, under random I/O. It then says NEEDS_RESET, what it answered is true, a reset
 * is answered, and it does not come up again; it can be removed.
 */
static void breaks(enum vfio_server_phase at, enum vfio_server_act act, u32 count, u32 flags)
{
	struct vfio_server how = plain;
	double began = seconds();
	u32 len, slot;
	int head;

	how.at = at;
	how.act = act;
	how.count = count;
	assert_return_code(ftruncate(image, 0) | ftruncate(image, SECTORS_BYTES), errno);
	rig.state[1] = 0;
	drv.device_state[1] = 0;
	drv.configs[1] = 0;
	add_there(how, flags);
	start_io();
	if (at == AT_MAP) {
		drv_area_new(&drv, 10, 1, 16);
	}
	while (!drv.configs[1]) {
		drv_sectors_fill(&load, DRV_BLK_SLOTS);
		drv_vq_kick(&blk.vq);
		while ((head = drv_vq_get(&blk.vq, &len)) >= 0) {
			slot = (u32)blk.slot_of[head];
			blk.busy &= ~(1u << slot);
			drv_sectors_done(&load, slot, drv_blk_status(&blk, slot), len);
		}
		other_works();
		drv_poll(&drv, 5);
		assert_true(seconds() - began < 30);
	}
	assert_true(drv.config[1].device_status & XVM_S_NEEDS_RESET);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_BROKEN);
	reap_server();
	drv_sectors_check(&load, image);
	assert_int_equal(drv_set_status(&drv, 1, 0), 0);
	stays_broken();
}


/* Area ids rest for a while before they may come again, so that each case is a worker of its own. */
static void test_dies_at_start(void **state)
{
	(void)state;
	add_other();
	breaks(AT_FEATURES, DO_DIE, 0, XVM_DEV_TRUSTED);
}

static void test_refuses_queue(void **state)
{
	(void)state;
	add_other();
	breaks(AT_QUEUE, DO_REFUSE, 0, XVM_DEV_TRUSTED);
}

static void test_garbage_at_driver_ok(void **state)
{
	(void)state;
	add_other();
	breaks(AT_DRIVER_OK, DO_GARBAGE, 0, 0);
}

static void test_dies_at_map(void **state)
{
	(void)state;
	add_other();
	breaks(AT_MAP, DO_DIE, 3, XVM_DEV_TRUSTED);	/* the rings, the first area, one more */
}

static void test_dies_at_request(void **state)
{
	(void)state;
	add_other();
	breaks(AT_REQUEST, DO_DIE, 150, XVM_DEV_TRUSTED);
}

static void test_dies_at_data(void **state)
{
	(void)state;
	add_other();
	breaks(AT_DATA, DO_DIE, 100, 0);
}

static void test_dies_at_used(void **state)
{
	(void)state;
	add_other();
	breaks(AT_USED, DO_DIE, 77, XVM_DEV_TRUSTED);
}

static void test_floods(void **state)
{
	(void)state;
	add_other();
	breaks(AT_DATA, DO_FLOOD, 10, XVM_DEV_TRUSTED);
}

static void test_hangs(void **state)
{
	struct vfio_server how = plain;
	double began;

	(void)state;
	add_other();
	how.at = AT_REQUEST;
	how.act = DO_HANG;
	add_there(how, XVM_DEV_TRUSTED);
	start_io();
	drv_blk_fill(&blk, VIRTIO_BLK_T_IN);
	for (began = seconds(); seconds() - began < 1;)
		other_works();
	/* A slow request is none that failed. A reset needs the server's word, for which there is a limit. */
	assert_int_equal(blk.busy, 0xffff);
	drv.patience_ms = 30000;
	assert_int_equal(drv_set_status(&drv, 1, 0), 0);
	drv.patience_ms = 0;
	other_works();
	stays_broken();
}

/*
 * Three servers at once: one that does not reply when an area is to go, one that stops in the midst of the negotiation,
 * and one whose every reply comes, later and later. Each has 5 s.
 */
static void test_no_reply(void **state)
{
	struct vfio_server how = plain;
	double began = seconds();
	pid_t first, second;

	(void)state;
	add_other();
	how.at = AT_READ;
	how.act = DO_HANG;
	add_with(3, 0, 0, start_server(how));
	first = server;
	how = plain;
	how.late_ms = 600;
	add_with(4, 0, 0, start_server(how));
	second = server;
	how = plain;
	how.at = AT_UNMAP;
	how.act = DO_HANG;
	verified_io(how, XVM_DEV_TRUSTED, 50);
	drv_area_new(&drv, 10, 1, 16);
	DRV_UNTIL(&drv, seen->mapped >= 3);
	drv.patience_ms = 10000;
	assert_int_equal(drv_area_del(&drv, 10), XVM_STATUS_OK);
	assert_true(seconds() - began > 4);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_BROKEN);
	other_works();
	while (rig.state[3] != XVM_DEV_GONE || rig.state[4] != XVM_DEV_GONE) {
		other_works();
		drv_poll(&drv, 5);
		assert_true(seconds() - began < 15);
	}
	assert_int_equal(drv.device_state[3] | drv.device_state[4], 0);
	kill(first, SIGKILL);
	kill(second, SIGKILL);
	assert_int_equal(waitpid(first, NULL, 0), first);
	assert_int_equal(waitpid(second, NULL, 0), second);
}

/* Before any driver: who asked for the device is told at once, a driver when it comes. */
static void breaks_unused(enum vfio_server_phase at, enum vfio_server_act act, u32 count)
{
	struct vfio_server how = plain;

	how.at = at;
	how.act = act;
	how.count = count;
	add_other();
	add_there(how, XVM_DEV_TRUSTED);
	if (at == AT_NOTHING)
		kill(server, SIGKILL);
	RIG_UNTIL(&rig, rig.state[1] == XVM_DEV_BROKEN);
	reap_server();
	assert_int_equal(drv_status(&drv, 1), 0);
	drv.configs[1] = 0;
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	DRV_UNTIL(&drv, drv.configs[1]);
	assert_true(drv.config[1].device_status & XVM_S_NEEDS_RESET);
	other_works();
}

static void test_dies_unused(void **state)
{
	(void)state;
	breaks_unused(AT_NOTHING, DO_DIE, 0);
}

static void test_dies_at_irqs(void **state)
{
	(void)state;
	breaks_unused(AT_SET_IRQS, DO_DIE, 2);
}

static void test_refuses_irqs(void **state)
{
	(void)state;
	breaks_unused(AT_SET_IRQS, DO_REFUSE, 0);
}

static void test_lies_head(void **state)
{
	(void)state;
	add_other();
	breaks(AT_USED, DO_USED_HEAD, 20, XVM_DEV_TRUSTED);
}

static void test_lies_length(void **state)
{
	(void)state;
	add_other();
	breaks(AT_USED, DO_USED_LEN, 20, XVM_DEV_TRUSTED);
}

static void test_lies_index(void **state)
{
	(void)state;
	add_other();
	breaks(AT_USED, DO_USED_IDX, 20, XVM_DEV_TRUSTED);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_mapped), CASE(test_mapped_one_socket), CASE(test_not_offered), CASE(test_indirect),
		CASE(test_messages), CASE(test_cannot_map), CASE(test_nothing_to_map), CASE(test_messages_one_socket),
		CASE(test_messages_beside_mapping), CASE(test_doorbell_memory), CASE(test_doorbell_unsealed),
		CASE(test_doorbell_shrinks), CASE(test_queues), CASE(test_queues_by_doorbells), CASE(test_slow), CASE(test_slow_reset),
		CASE(test_config_written), CASE(test_area_taken_back), CASE(test_dies_at_unmap), CASE(test_refuses_unmap),
		CASE(test_intx), CASE(test_small_queue), CASE(test_random_numbers),
		CASE(test_grows), cmocka_unit_test_setup_teardown(test_worker_dies, start_kept, stop_kept),
		CASE(test_reset_under_io), CASE(test_areas_come_and_go),
		CASE(test_remove_under_io), CASE(test_stop_under_io), CASE(test_other_type), CASE(test_twin_lies),
		CASE(test_fails_before), CASE(test_dies_at_start), CASE(test_refuses_queue),
		CASE(test_dies_at_irqs), CASE(test_refuses_irqs), CASE(test_garbage_at_driver_ok), CASE(test_dies_at_map), CASE(test_dies_at_request),
		CASE(test_dies_at_data), CASE(test_dies_at_used), CASE(test_floods), CASE(test_hangs), CASE(test_no_reply),
		CASE(test_dies_unused), CASE(test_lies_head), CASE(test_lies_length), CASE(test_lies_index),
	};

	/* The server's side is the same in both dialects. */
	const struct CMUnitTest in_draft[] = { CASE(test_mapped), CASE(test_grows), CASE(test_dies_at_data) };

	return RIG_RUN_IN(XVM_DIALECT_PR28, tests) + RIG_RUN_IN(XVM_DIALECT_DRAFT2026, in_draft);
}
