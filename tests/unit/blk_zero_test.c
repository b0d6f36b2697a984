// SPDX-License-Identifier: GPL-2.0-or-later
/* Discard and write zeroes of dom0/dev/blk_zero.c, on a file system that knows no ZERO_RANGE. */
/* LINK: dom0/dev/blk.c dom0/dev/blk_rw.c dom0/dev/blk_zero.c dom0/dev/blk_lock.c dom0/virtio */
#include "../support/blk_rig.h"

/* ---- discard and write zeroes ---- */

static void segment(struct fix *f, u32 i, u64 sector, u32 sectors, u32 flags)
{
	xvm_put64(f->data + 16 * i, sector);
	xvm_put32(f->data + 16 * i + 8, sectors);
	xvm_put32(f->data + 16 * i + 12, flags);
}

static void test_discard(void **state)
{
	struct fix *f = *state;

	segment(f, 0, 8, 16, 0);
	segment(f, 1, 64, 0, 0);
	segment(f, 2, 100, 1, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 48), 0);
	check_zeroes(f, 8, 24);
	check_zeroes(f, 100, 101);
	assert_int_equal(aio.count[OP_FALLOCATE], 2);
	/* A file system that cannot is asked once; the hint is void and no error. */
	aio.no_fallocate = FALLOC_FL_PUNCH_HOLE;
	segment(f, 0, 200, 8, 0);
	segment(f, 1, 300, 8, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 32), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 32), 0);
	assert_int_equal(aio.count[OP_FALLOCATE], 3);
	assert_int_equal(sector_word(f, 200), 200);
	aio.no_fallocate = 0;
}

static void test_write_zeroes(void **state)
{
	struct fix *f = *state;

	segment(f, 0, 8, 16, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	segment(f, 1, 50, 3, 0);
	/* The memory file system knows no ZERO_RANGE: written, in pieces. */
	aio.chunk = 1000;
	assert_int_equal(request(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 32), 0);
	aio.chunk = 0;
	check_zeroes(f, 8, 24);
	check_zeroes(f, 50, 53);
	assert_int_equal(aio.count[OP_WRITE], 2);
	/* More than one call writes. */
	segment(f, 0, 1000, 5000, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), 0);
	check_zeroes(f, 1000, 6000);
	aio.no_fallocate = FALLOC_FL_PUNCH_HOLE;
	segment(f, 0, 7000, 64, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	assert_int_equal(request(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), 0);
	check_zeroes(f, 7000, 7064);
	aio.fail = -EIO;
	assert_int_equal(request(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), 1);
}

static void test_bad_segments(void **state)
{
	static const struct {
		u32 type;
		u64 sector;
		u32 sectors, flags, len;
		u8 status;
	} rows[] = {
		{ VIRTIO_BLK_T_DISCARD, 0, 8, 1, 16, 2 },		/* unmap is not for discard */
		{ VIRTIO_BLK_T_DISCARD, 0, 8, 0x80000000, 16, 2 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2, 16, 2 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, SECTORS, 1, 0, 16, 1 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, SECTORS - 1, 2, 0, 16, 1 },
		{ VIRTIO_BLK_T_WRITE_ZEROES, UINT64_MAX, 2, 0, 16, 1 },
		{ VIRTIO_BLK_T_DISCARD, 0, (1u << 21) + 1, 0, 16, 1 },
		{ VIRTIO_BLK_T_DISCARD, 0, 0xffffffff, 0, 16, 1 },
		{ VIRTIO_BLK_T_DISCARD, 0, 8, 0, 15, 1 }, { VIRTIO_BLK_T_DISCARD, 0, 8, 0, 17, 1 },
		{ VIRTIO_BLK_T_DISCARD, 0, 8, 0, 0, 1 },
		{ VIRTIO_BLK_T_DISCARD, 0, 0, 0, 65 * 16, 1 },
	};
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		memset(f->data, 0, 65 * 16);
		segment(f, 0, rows[i].sector, rows[i].sectors, rows[i].flags);
		assert_int_equal(request(f, rows[i].type, 0, rows[i].len), rows[i].status);
	}
	/* One bad segment spoils all of them. */
	segment(f, 0, 8, 8, 0);
	segment(f, 1, SECTORS, 8, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 32), 1);
	assert_int_equal(aio.tail, 0);
	assert_int_equal(sector_word(f, 8), 8);
	memset(f->data, 0, 64 * 16);
	segment(f, 63, 40, 8, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 64 * 16), 0);
	check_zeroes(f, 40, 48);
}

/* One at a time; the others wait their turn, and a reset ends those that wait. */
static void test_zero_queue(void **state)
{
	struct fix *f = *state;
	u32 i;

	segment(f, 0, 8, 8, 0);
	for (i = 0; i < 5; i++)
		offer(f, VIRTIO_BLK_T_DISCARD, 0, DATA, 16, false);
	owner_pass(f->vdev);
	assert_int_equal(aio.tail, 1);
	assert_int_equal(f->vdev->in_flight, 5);
	aio_one();
	owner_pass(f->vdev);
	assert_int_equal(aio.tail, 2);
	assert_int_equal(f->vdev->in_flight, 4);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	assert_int_equal(f->vdev->in_flight, 1);
	aio_one();
	assert_int_equal(owner.drained, 1);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	segment(f, 0, 80, 8, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 16), 0);
	check_zeroes(f, 80, 88);
}

/* Before an area is taken back the device comes to rest: those that wait go on all the same. */
static void test_quiet(void **state)
{
	struct fix *f = *state;
	u32 i;

	segment(f, 0, 8, 8, 0);
	for (i = 0; i < 5; i++)
		offer(f, VIRTIO_BLK_T_DISCARD, 0, DATA, 16, false);
	assert_false(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_AREA));
	offer(f, VIRTIO_BLK_T_DISCARD, 0, DATA, 16, false);	/* waits for the end of it */
	for (i = 0; i < 5; i++) {
		assert_int_equal(owner.drained, 0);
		aio_one();
		owner_pass(f->vdev);
	}
	assert_int_equal(owner.drained, 1);
	assert_int_equal(f->vdev->in_flight, 0);
	assert_int_equal(ring_used_idx(&f->r), 5);
	xvm_vdev_end_quiet(f->vdev, XVM_QUIET_AREA);
	run(f);
	assert_int_equal(ring_used_idx(&f->r), 6);
}

/* The one request in flight could not be handed over; only the next kick can do that. */
static void test_quiet_retry(void **state)
{
	struct fix *f = *state;

	aio.full = 3;
	offer(f, VIRTIO_BLK_T_IN, 0, DATA, 512, true);
	assert_int_equal(aio.tail, 0);
	assert_false(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_AREA));
	run(f);
	assert_int_equal(owner.drained, 1);
	assert_int_equal(f->r.base[STATUS], VIRTIO_BLK_S_OK);
	xvm_vdev_end_quiet(f->vdev, XVM_QUIET_AREA);
}

/* A device that breaks gets no kicks any more: nothing may wait for one. */
static void test_broken_waiting(void **state)
{
	struct fix *f = *state;

	aio.full = 100;
	offer(f, VIRTIO_BLK_T_IN, 0, DATA, 512, true);
	assert_int_equal(f->vdev->in_flight, 1);
	ring_offer(&f->r, 0x1234);
	xvm_vdev_kick(f->vdev, 0);
	assert_true(f->vdev->status & XVM_S_NEEDS_RESET);
	assert_int_equal(f->vdev->in_flight, 0);
	assert_true(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_AREA));
	assert_int_equal(ring_used_idx(&f->r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_discard), CASE(test_write_zeroes), CASE(test_bad_segments),
		CASE(test_zero_queue), CASE(test_quiet), CASE(test_quiet_retry),
		CASE(test_broken_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
