// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every queue format a driver may choose, over the whole worker: split and
 * packed, with and without event index, indirect descriptors and IN_ORDER. The
 * disk does verified I/O in each, the entropy source gives bytes; queues are
 * reset and set up again while I/O runs.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/drv_blk.c */
/* LIBS: -l:liburing.a */
/* TIME: 120 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <unistd.h>

#define IMAGE_BYTES (8u << 20)
#define SLOT_SECTORS (IMAGE_BYTES / 512 / DRV_BLK_SLOTS)
#define FORMATS 16u
#define FORMAT_BITS (XVM_F_RING_PACKED | XVM_F_EVENT_IDX | XVM_F_INDIRECT_DESC | XVM_F_IN_ORDER)

static struct rig rig;
static struct drv drv;
static struct drv_blk blk;
static u8 model[IMAGE_BYTES];
static char image_path[] = "/tmp/xvmsg-fmt-XXXXXX";
static int image = -1;

static int start(void **state)
{
	int fd;

	(void)state;
	memcpy(image_path, "/tmp/xvmsg-fmt-XXXXXX", sizeof(image_path));
	image = mkstemp(image_path);
	assert_return_code(ftruncate(image, IMAGE_BYTES), errno);
	memset(model, 0, sizeof(model));
	drv_start(&drv, &rig);
	fd = open(image_path, O_RDWR | O_CLOEXEC);
	rig_add_blk(&rig, 1, fd, IMAGE_BYTES, XVM_DEV_DISCARD);
	close(fd);
	rig_add_rng(&rig, 2);
	DRV_UNTIL(&drv, drv.device_state[1] == VIRTIO_MSG_DEVICE_READY &&
			drv.device_state[2] == VIRTIO_MSG_DEVICE_READY);
	drv.formats = FORMAT_BITS;
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

/* The features of one format, bits of i; asserts that the device offers all of them. */
static u64 format_features(u32 i)
{
	return (i & 1 ? XVM_F_RING_PACKED : 0) | (i & 2 ? XVM_F_EVENT_IDX : 0) |
	       (i & 4 ? XVM_F_INDIRECT_DESC : 0) | (i & 8 ? XVM_F_IN_ORDER : 0);
}

static const char *format_name(u32 i)
{
	static char name[60];

	snprintf(name, sizeof(name), "%s%s%s%s", i & 1 ? "packed" : "split",
		 i & 2 ? " event-index" : "", i & 4 ? " indirect" : "", i & 8 ? " in-order" : "");
	return name;
}

static u32 seed = 1;

static u32 rnd(u32 below)
{
	seed = seed * 1664525 + 1013904223;
	return (u32)(((u64)(seed >> 4) * below) >> 28);
}

struct want {
	u32 type, bytes;
	u64 sector;
};

/* Each slot owns a part of the disk, so requests never overlap. */
static void submit(struct want *w, u32 slot)
{
	u32 i;

	w->type = rnd(8) ? rnd(2) ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN : VIRTIO_BLK_T_FLUSH;
	w->bytes = w->type == VIRTIO_BLK_T_FLUSH ? 0 : (1 + rnd(127)) * 512;
	w->sector = slot * SLOT_SECTORS + rnd(SLOT_SECTORS - 128);
	if (w->type == VIRTIO_BLK_T_OUT) {
		for (i = 0; i < w->bytes; i += 4)
			xvm_put32(drv_blk_data(&blk, slot) + i, rnd(1u << 28));
		memcpy(model + w->sector * 512, drv_blk_data(&blk, slot), w->bytes);
	}
	drv_blk_submit(&blk, slot, w->type, w->type == VIRTIO_BLK_T_FLUSH ? 0 : w->sector, w->bytes,
		       1 + rnd(8));
}

static void check(const struct want *w, u32 slot, u8 status, u32 len)
{
	assert_int_equal(status, VIRTIO_BLK_S_OK);
	assert_int_equal(len, w->type == VIRTIO_BLK_T_IN ? w->bytes + 1 : 1);
	if (w->type == VIRTIO_BLK_T_IN)
		assert_memory_equal(drv_blk_data(&blk, slot), model + w->sector * 512, w->bytes);
}

static void verified_io(u32 requests)
{
	struct want want[DRV_BLK_SLOTS];
	u32 sent = 0, done = 0, len, slot;
	u8 status;
	int s;

	while (done < requests) {
		while (sent < requests && (s = drv_blk_slot(&blk)) >= 0) {
			submit(&want[s], (u32)s);
			sent++;
		}
		slot = drv_blk_reap(&blk, &status, &len);
		check(&want[slot], slot, status, len);
		done++;
	}
}

static void bring_up(u32 format)
{
	u64 features = format_features(format) | XVM_F_RING_RESET | 1ull << VIRTIO_BLK_F_FLUSH;

	blk.indirect = format & 4;
	if (!blk.drv)
		drv_blk_start(&blk, &drv, 1, 1, features);
	else
		drv_blk_restart(&blk, features);
	assert_true((blk.features & FORMAT_BITS) == format_features(format));
	assert_int_equal(blk.vq.packed, format & 1);
	assert_int_equal(!!blk.vq.tables, !!(format & 4));
}

static void test_disk(void **state)
{
	u32 i;

	(void)state;
	memset(&blk, 0, sizeof(blk));
	for (i = 0; i < FORMATS; i++) {
		bring_up(i);
		verified_io(600);
		printf("# %s: 600 requests, %u kicks sent, %u not wanted\n", format_name(i),
		       blk.vq.kicks, blk.vq.suppressed);
	}
	assert_int_equal(rig_stats(&rig)->requests, 600 * FORMATS);
}

/* Ids and places wrap many times in a small queue, of any size when it is packed. */
static void test_entropy(void **state)
{
	static const u16 sizes[] = { 1, 2, 8, 3, 7 };
	struct drv_vq vq;
	struct drv_seg seg[2];
	u32 i, k, n, len, size;
	u8 *base;

	(void)state;
	base = drv_area_new(&drv, 9, 2, 64);
	seg[0] = (struct drv_seg){ xvm_addr_make(9, 65536), 100, true };
	seg[1] = (struct drv_seg){ xvm_addr_make(9, 66536), 28, true };
	for (i = 0; i < FORMATS; i++)
		for (size = 0; size < (i & 1 ? 5 : 3); size++) {
			drv_negotiate(&drv, 2, format_features(i) | XVM_F_VERSION_1 |
				      XVM_F_ACCESS_PLATFORM);
			drv_vq_setup(&vq, &drv, 2, 0, sizes[size], 9, 0, i & 2);
			if (i & 4) {
				vq.tables = base + 4096;
				vq.tables_addr = xvm_addr_make(9, 4096);
			}
			drv_set_status(&drv, 2, 15);
			for (k = 0; k < 40; k++) {
				n = sizes[size] == 1 && !(i & 4) ? 1 : 2;
				while (drv_vq_add(&vq, seg, n) >= 0)
					;
				drv_vq_kick(&vq);
				drv_vq_wait(&vq, &len);
				assert_int_equal(len, n == 1 ? 100 : 128);
			}
		}
}

static void fill(struct want *want)
{
	int s;

	while ((s = drv_blk_slot(&blk)) >= 0)
		submit(&want[s], (u32)s);
	drv_vq_kick(&blk.vq);
}

/* The queue is reset under I/O and set up again, in every format, without the device noticing. */
static void test_queue_reset(void **state)
{
	struct xvm_msg_vqueue vq;
	struct want want[DRV_BLK_SLOTS];
	u32 i, round, off;
	bool event_idx;

	(void)state;
	memset(&blk, 0, sizeof(blk));
	for (i = 0; i < FORMATS; i++) {
		bring_up(i);
		for (round = 0; round < 6; round++) {
			fill(want);
			drv_reset_vqueue(&drv, 1, 0);
			drv_vqueue(&drv, 1, 0, &vq);
			assert_int_equal(vq.size, 0);
			/* Nothing may touch memory any more: neither rings nor buffers. */
			memset(blk.base, (int)round, DRV_BLK_TABLES);
			usleep(1000);
			for (off = 0; off < DRV_BLK_TABLES; off += 512)
				assert_int_equal(blk.base[off], round);
			/* What was cut off may have reached the disk or not: begin with what is there. */
			assert_int_equal(pread(image, model, IMAGE_BYTES, 0), IMAGE_BYTES);
			event_idx = blk.vq.event_idx;
			drv_vq_setup(&blk.vq, &drv, 1, 0, 256, 1, 0, event_idx);
			if (i & 4) {
				blk.vq.tables = blk.base + DRV_BLK_TABLES;
				blk.vq.tables_addr = xvm_addr_make(1, DRV_BLK_TABLES);
			}
			blk.busy = 0;
			verified_io(40);
		}
		assert_int_equal(drv_status(&drv, 1), 15);
	}
}

/* A queue that comes only after DRIVER_OK: what lies in it already is taken without a notification. */
static void test_late_queue(void **state)
{
	struct drv_seg seg = { xvm_addr_make(9, 65536), 64, true };
	struct drv_vq vq;
	u32 i, len;

	(void)state;
	drv_area_new(&drv, 9, 2, 64);
	for (i = 0; i < FORMATS; i++) {
		drv_negotiate(&drv, 2, format_features(i) | XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM |
			      XVM_F_RING_RESET);
		assert_int_equal(drv_set_status(&drv, 2, 15), 15);
		drv_vq_setup(&vq, &drv, 2, 0, 8, 9, 0, i & 2);
		drv_vq_add(&vq, &seg, 1);
		drv_vq_force_kick(&vq);
		drv_vq_wait(&vq, &len);
		/* Again with the buffer there first: reset, then the ring as it was left, one lap on. */
		drv_reset_vqueue(&drv, 2, 0);
		drv_vq_setup(&vq, &drv, 2, 0, 8, 9, 0, i & 2);
		drv_reset_vqueue(&drv, 2, 0);
		drv_vq_add(&vq, &seg, 1);
		drv_set_vqueue(&drv, 2, &vq.config);
		drv_vq_wait(&vq, &len);
		assert_int_equal(len, 64);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_disk, start, stop),
		cmocka_unit_test_setup_teardown(test_entropy, start, stop),
		cmocka_unit_test_setup_teardown(test_queue_reset, start, stop),
		cmocka_unit_test_setup_teardown(test_late_queue, start, stop),
	};

	return RIG_RUN_BOTH(tests);
}
