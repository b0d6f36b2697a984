// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk and an entropy source from negotiation to data, over the whole worker:
 * verified random I/O, the other request types, reset under I/O, re-probe,
 * removal under I/O, areas that come and go while the queue runs.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c tests/support/drv_sectors.c */
/* LIBS: -l:liburing.a */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_sectors.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_FEATURES (~0ull)

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;
static struct drv_sectors load = { .seed = 1 };
static char image_path[] = "/tmp/xvmsg-blk-XXXXXX";
static int image = -1;		/* ours; the worker gets one of its own */

static int open_image(int flags)
{
	int fd = open(image_path, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void add_disk(u16 num, u32 flags)
{
	int fd = open_image(flags & XVM_DEV_READ_ONLY ? O_RDONLY : O_RDWR);

	rig_add_blk(&rig, num, fd, SECTORS_BYTES, flags);
	close(fd);
	drv_wait_ready(&drv, num);
}

static int start(void **state)
{
	(void)state;
	memcpy(image_path, "/tmp/xvmsg-blk-XXXXXX", sizeof(image_path));
	image = mkstemp(image_path);
	assert_return_code(ftruncate(image, SECTORS_BYTES), errno);
	drv_start(&drv, &rig);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	close(image);
	unlink(image_path);
	return 0;
}

static void random_io(u64 features, u32 requests)
{
	drv_blk_start(&blk, &drv, 1, 1, features);
	drv_sectors_init(&load, &blk);
	drv_sectors_run(&load, requests);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	drv_sectors_check(&load, image);
}

static void test_random_io(void **state)
{
	const struct xvm_ipc_stats *stats;

	(void)state;
	add_disk(1, 0);
	random_io(ALL_FEATURES, 4000);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_DRIVER_OK);
	stats = rig_stats(&rig);
	assert_int_equal(stats->requests, 4001);
	assert_int_equal(stats->maps, 1);
	assert_int_equal(stats->messages_bad, 0);
	printf("# requests %lu wakeups %lu submits %lu events in %lu out %lu messages in %lu out %lu\n",
	       stats->requests, stats->wakeups, stats->io_submits, stats->events_taken,
	       stats->events_sent, stats->messages_in, stats->messages_out);
}

static void test_random_io_no_event_index(void **state)
{
	(void)state;
	add_disk(1, 0);
	random_io(ALL_FEATURES & ~XVM_F_EVENT_IDX, 1000);
}

static void test_random_io_direct(void **state)
{
	int fd = open(image_path, O_RDWR | O_DIRECT | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		test_skip("no O_DIRECT on this file system");
	rig_add_blk(&rig, 1, fd, SECTORS_BYTES, XVM_DEV_DIRECT);
	close(fd);
	drv_wait_ready(&drv, 1);
	random_io(ALL_FEATURES, 1000);
}

static void test_other_requests(void **state)
{
	struct virtio_blk_discard_write_zeroes range = { .sector = 8, .num_sectors = 8 };
	u8 data[4096], id[20];
	u32 i;

	(void)state;
	add_disk(1, XVM_DEV_DISCARD);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	assert_int_equal(blk.capacity, SECTORS_BYTES / 512);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_GET_ID, 0, id, 20), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)id, "rig-disk");
	memset(data, 0xa5, sizeof(data));
	for (i = 0; i < 4; i++)
		assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_OUT, 8 * i, data, 4096),
				 VIRTIO_BLK_S_OK);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range)),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(pread(image, data, 4096, 4096), 4096);
	for (i = 0; i < 4096; i++)
		assert_int_equal(data[i], 0);
	range.sector = 16;
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range)),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(pread(image, data, 4096, 0), 4096);
	assert_int_equal(data[0], 0xa5);
	/* Beyond the end, unknown, and a range that wraps: refused, the device lives on. */
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_IN, blk.capacity - 1, data, 4096),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_IN, ~0ull - 3, data, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(drv_blk_do(&blk, 999, 0, data, 512), VIRTIO_BLK_S_UNSUPP);
	range.sector = ~0ull - 3;
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range)),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
}

static void test_read_only(void **state)
{
	u8 data[512] = { 1 };

	(void)state;
	add_disk(1, XVM_DEV_READ_ONLY);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	assert_true(blk.features & 1ull << VIRTIO_BLK_F_RO);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_OUT, 0, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_IN, 0, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], 0);
}

/* A reset is answered when no I/O is left, requests of others meanwhile; then the disk works again. */
static void test_reset_under_io(void **state)
{
	u32 round;

	(void)state;
	add_disk(1, 0);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	for (round = 0; round < 20; round++) {
		drv_blk_fill(&blk, round & 1 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
		if (round % 3 == 1)
			drv_reset_vqueue(&drv, 1, 0);
		drv_blk_reset_under_io(&blk, (u8)round, ALL_FEATURES);
	}
}

static void test_area_del_under_io(void **state)
{
	struct drv_seg seg;
	u32 round;

	(void)state;
	add_disk(1, 0);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_BUSY);
	for (round = 0; round < 8; round++)
		drv_blk_area_under_io(&blk, 10 + round);
	/* The memory is gone: a buffer there breaks the device, not the worker. */
	seg = (struct drv_seg){ xvm_addr_make(10, 0), 16, false };
	drv_vq_add(&blk.vq, &seg, 1);
	drv_vq_force_kick(&blk.vq);
	DRV_UNTIL(&drv, drv.configs[1]);
	assert_true(drv.config[1].device_status & XVM_S_NEEDS_RESET);
	drv_blk_restart(&blk, ALL_FEATURES);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
}

static void test_remove_under_io(void **state)
{
	(void)state;
	add_disk(1, 0);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	drv_blk_fill(&blk, VIRTIO_BLK_T_OUT);
	rig_del(&rig, 1, true);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_GONE);
	assert_int_equal(rig.maps, rig.unmaps);
	DRV_UNTIL(&drv, drv.device_state[1] == VIRTIO_MSG_DEVICE_REMOVED);
	assert_int_equal(drv_area_del(&drv, 1), XVM_STATUS_OK);
	assert_int_equal(drv_release(&drv, 1), XVM_STATUS_OK);
	/* And once more, politely, with the driver flushing what it has first. */
	drv.device_state[1] = 0;
	add_disk(1, 0);
	drv_blk_start(&blk, &drv, 1, 2, ALL_FEATURES);
	rig_del(&rig, 1, false);
	DRV_UNTIL(&drv, drv.device_state[1] == VIRTIO_MSG_DEVICE_REMOVED);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_set_status(&drv, 1, 0), 0);
	DRV_UNTIL(&drv, rig.state[1] == XVM_DEV_GONE);
}

/* STOP with I/O under way: the teardown asserts exit 0 and that all is unmapped. */
static void test_stop_under_io(void **state)
{
	(void)state;
	add_disk(1, 0);
	rig_add_rng(&rig, 2);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	drv_blk_fill(&blk, VIRTIO_BLK_T_OUT);
}

static void test_two_disks_one_image(void **state)
{
	(void)state;
	add_disk(1, 0);
	drv_blk_start(&blk, &drv, 1, 1, ALL_FEATURES);
	/* The lock is per open file: a second one on the same image has to wait, then breaks. */
	add_disk(2, 0);
	drv_negotiate(&drv, 2, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM);
	drv_set_status(&drv, 2, 15);
	DRV_UNTIL(&drv, rig.states[2] & 1 << XVM_DEV_LOCK_BUSY);
	DRV_UNTIL(&drv, drv.configs[2]);
	assert_true(drv.config[2].device_status & XVM_S_NEEDS_RESET);
	assert_int_equal(drv_blk_do(&blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(drv_set_status(&drv, 2, 0), 0);
}

static void test_rng(void **state)
{
	struct drv_vq vq;
	struct drv_seg seg;
	u32 i, len, zero = 0, bytes = 0;
	u8 *base;

	(void)state;
	rig_add_rng(&rig, 3);
	base = drv_area_new(&drv, 9, 3, 64);
	drv_negotiate(&drv, 3, ALL_FEATURES);
	drv_vq_setup(&vq, &drv, 3, 0, 8, 9, 0, true);
	drv_set_status(&drv, 3, 15);
	seg = (struct drv_seg){ xvm_addr_make(9, 65536), 4096, true };
	for (i = 0; i < 16; i++) {
		memset(base + 65536, 0, 4096);
		drv_vq_add(&vq, &seg, 1);
		drv_vq_kick(&vq);
		drv_vq_wait(&vq, &len);
		assert_true(len && len <= 4096);
		for (u32 k = 0; k < len; k++, bytes++)
			zero += !base[65536 + k];
	}
	assert_true(zero < bytes / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_io, start, stop),
		cmocka_unit_test_setup_teardown(test_random_io_no_event_index, start, stop),
		cmocka_unit_test_setup_teardown(test_random_io_direct, start, stop),
		cmocka_unit_test_setup_teardown(test_other_requests, start, stop),
		cmocka_unit_test_setup_teardown(test_read_only, start, stop),
		cmocka_unit_test_setup_teardown(test_reset_under_io, start, stop),
		cmocka_unit_test_setup_teardown(test_area_del_under_io, start, stop),
		cmocka_unit_test_setup_teardown(test_remove_under_io, start, stop),
		cmocka_unit_test_setup_teardown(test_stop_under_io, start, stop),
		cmocka_unit_test_setup_teardown(test_two_disks_one_image, start, stop),
		cmocka_unit_test_setup_teardown(test_rng, start, stop),
	};

	return RIG_RUN_BOTH(tests);
}
