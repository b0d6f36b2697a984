// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workers that are killed under a guest's I/O: each next one takes the disk's queue up from the keep file, the driver
 * goes on as docs/protocol.md, section 15 says, and every request is completed once, with its data.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/drv_load.c */
/* LIBS: -l:liburing.a */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_load.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define DISK		5u
#define AREA		9u
#define KILLS		40u

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;
static struct drv_load load = { .seed = 7 };
static int image = -1;
static char image_path[32];

static void add_disk(void)
{
	int fd = open(image_path, O_RDWR | O_CLOEXEC);

	rig_add_blk(&rig, DISK, fd, LOAD_BYTES, 0);
	close(fd);
	drv_wait_ready(&drv, DISK);
}

static int start(void **state)
{
	(void)state;
	strcpy(image_path, "/tmp/xvmsg-keep-XXXXXX");
	image = mkstemp(image_path);
	assert_return_code(ftruncate(image, LOAD_BYTES), errno);
	rig_keep_new();
	drv_load_init(&load, &blk);
	drv_start(&drv, &rig);
	add_disk();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	rig_keep_end();
	close(image);
	unlink(image_path);
	return 0;
}

/* The next worker; returns what KEEP_QUEUE said. */
static u16 replay(u16 flags)
{
	u16 status;

	drv_join_again(&drv);
	add_disk();
	assert_int_equal(drv_area_add(&drv, AREA, DISK, DRV_BLK_AREA_PAGES), XVM_STATUS_OK);
	status = drv_vq_replay(&blk.vq, 1, flags);
	drv_vq_force_kick(&blk.vq);
	return status;
}

/* Killed at any moment, with the queue full and answers on their way. */
static void killed_under_io(u64 features)
{
	u32 i, n, open = 0;

	drv_blk_start(&blk, &drv, DISK, AREA, features);
	for (i = 0; i < KILLS; i++) {
		drv_load_fill(&load);
		for (n = drv_load_rnd(&load, 40); n; n--) {
			drv_poll(&drv, 0);
			while (drv_load_reap(&load))
				drv_load_fill(&load);
		}
		usleep(drv_load_rnd(&load, 4) * drv_load_rnd(&load, 1500));
		/* One in five ends in good order, as with a daemon that is upgraded. */
		if (drv_load_rnd(&load, 5))
			rig_kill(&rig);
		else
			rig_end(&rig);
		open += load.submitted - load.completed;
		assert_int_equal(replay(0), XVM_STATUS_OK);
		/* Each worker answers once before it is killed: none is to be the third of a request. */
		if (i % 2)
			drv_load_finish(&load);
	}
	drv_load_finish(&load);
	drv_load_check(&load, image);
	printf("# %u kills, %u requests, %u of them out when a worker was killed\n", KILLS, load.submitted, open);
	assert_true(open > KILLS);
}

static void test_killed_under_io(void **state)
{
	(void)state;
	killed_under_io(~0ull & ~XVM_F_EVENT_IDX);
}

static void test_killed_under_io_event_idx(void **state)
{
	(void)state;
	killed_under_io(~0ull);
}

static void wipe_keep_file(void)
{
	assert_return_code(ftruncate(rig_keep_fd, 0), errno);
	assert_return_code(ftruncate(rig_keep_fd, XVM_KEEP_BYTES), errno);
}

/* At rest the used ring says it all: another host has no more, and needs no more. */
static void test_moved_at_rest(void **state)
{
	u32 i;

	(void)state;
	drv_blk_start(&blk, &drv, DISK, AREA, ~0ull);
	for (i = 0; i < 5; i++) {
		drv_load_fill(&load);
		drv_poll(&drv, 0);
		assert_int_equal(drv_quiesce(&drv, DISK), XVM_STATUS_OK);
		/* All that was taken is back; what is offered now is not looked at. */
		while (drv_load_reap(&load))
			drv_load_fill(&load);
		drv_vq_force_kick(&blk.vq);
		drv_sync(&drv);
		usleep(2000);
		assert_false(drv_load_reap(&load));
		rig_kill(&rig);
		wipe_keep_file();
		assert_int_equal(replay(XVM_KEEP_IDLE), XVM_STATUS_OK);
		drv_load_finish(&load);
	}
	drv_load_check(&load, image);
}

static void test_quiesce_and_resume(void **state)
{
	(void)state;
	drv_blk_start(&blk, &drv, DISK, AREA, ~0ull);
	assert_int_equal(drv_quiesce(&drv, DISK), XVM_STATUS_OK);
	assert_int_equal(drv_quiesce(&drv, DISK), XVM_STATUS_OK);
	/* An area that comes and goes meanwhile ends nothing. */
	drv_area_new(&drv, AREA + 1, DISK, 1);
	assert_int_equal(drv_area_del(&drv, AREA + 1), XVM_STATUS_OK);
	drv_load_fill(&load);
	drv_vq_force_kick(&blk.vq);
	drv_sync(&drv);
	usleep(20000);
	assert_false(drv_load_reap(&load));
	assert_int_equal(drv_resume(&drv, DISK), XVM_STATUS_OK);
	drv_load_finish(&load);
	assert_int_equal(drv_resume(&drv, DISK), XVM_STATUS_OK);
	/* A reset ends it. */
	assert_int_equal(drv_quiesce(&drv, DISK), XVM_STATUS_OK);
	drv_blk_restart(&blk, ~0ull);
	drv_load_fill(&load);
	drv_load_finish(&load);
	drv_load_check(&load, image);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_int_equal(drv_quiesce(&drv, 77), XVM_STATUS_NO_DEVICE);
	assert_int_equal(drv_resume(&drv, 77), XVM_STATUS_NO_DEVICE);
	assert_int_equal(drv_keep_queue(&drv, 77, 0, 0), XVM_STATUS_NO_DEVICE);
	assert_int_equal(drv_keep_queue(&drv, DISK, 0, 0), XVM_STATUS_INVALID);
	drv_blk_start(&blk, &drv, DISK, AREA, ~0ull);
	assert_int_equal(drv_keep_queue(&drv, DISK, 0, XVM_KEEP_IDLE), XVM_STATUS_INVALID);
	drv_load_fill(&load);
	rig_kill(&rig);
	/* Flags that nobody knows; the queue is as new then. */
	assert_int_equal(replay(2), XVM_STATUS_INVALID);
	drv_blk_restart(&blk, ~0ull);
	drv_load_forget(&load);
	drv_load_fill(&load);
	rig_kill(&rig);
	wipe_keep_file();
	assert_int_equal(replay(0), XVM_STATUS_LOST);
	assert_non_null(strstr(rig.last_log, "queue 0 cannot be kept"));
}

/* Without the feature there are no such messages. */
static void test_unknown_without_feature(void **state)
{
	static const u8 id[] = { XVM_BUS_MSG_QUIESCE, XVM_BUS_MSG_RESUME };
	struct xvm_msg_keep_queue m = { DISK, 0, 0 };
	u64 bad = rig_stats(&rig)->messages_bad;
	int keep = rig_keep_fd;
	u8 msg[16];
	u32 i, len;

	(void)state;
	assert_int_equal(bad, 0);
	rig_keep_fd = -1;
	rig_kill(&rig);
	drv_join_again(&drv);
	add_disk();
	for (i = 0; i < 2; i++) {
		len = xvm_msg_put_number(msg, id[i], DISK);
		xvm_msg_finish(msg, false, 500);
		assert_int_equal(drv_put(&drv, msg, len), 0);
	}
	len = xvm_msg_put_keep_queue(msg, &m);
	xvm_msg_finish(msg, false, 500);
	assert_int_equal(drv_put(&drv, msg, len), 0);
	i = drv.answers;
	drv_sync(&drv);
	assert_int_equal(drv.answers, i + 1);
	assert_int_equal(rig_stats(&rig)->messages_bad, 3);
	rig_keep_fd = keep;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)
		CASE(test_killed_under_io),
		CASE(test_killed_under_io_event_idx),
		CASE(test_moved_at_rest),
		CASE(test_quiesce_and_resume),
		CASE(test_refusals),
		CASE(test_unknown_without_feature),
	};

	return RIG_RUN_BOTH(tests);
}
