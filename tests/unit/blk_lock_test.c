// SPDX-License-Identifier: GPL-2.0-or-later
/* Which images virtio-blk takes, and the lock of dom0/dev/blk_lock.c. */
/* LINK: dom0/dev/blk.c dom0/dev/blk_rw.c dom0/dev/blk_zero.c dom0/dev/blk_lock.c dom0/virtio */
#include "../support/blk_rig.h"

/* ---- creation and the lock ---- */

static void test_bad_images(void **state)
{
	struct fix *f = *state;

	assert_null(make(f, -1));
	f->desc.capacity_bytes = 0;
	assert_null(make(f, reopen(f->fd, O_RDWR)));
	f->desc.capacity_bytes = 1000;
	assert_null(make(f, reopen(f->fd, O_RDWR)));
	f->desc.capacity_bytes = 1024;
	f->desc.flags = XVM_DEV_DIRECT;
	f->desc.mem_align = 0;
	assert_null(make(f, reopen(f->fd, O_RDWR)));
	f->desc.mem_align = 8192;
	assert_null(make(f, reopen(f->fd, O_RDWR)));
}

static void test_lock(void **state)
{
	struct fix *f = *state;
	int other = reopen(f->fd, O_RDWR);

	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(owner_up(f->vdev, &f->r, BASE), 15);
	assert_int_equal(owner.state, XVM_DEV_LOCK_BUSY);
	assert_int_equal(owner.states, 1);
	offer(f, VIRTIO_BLK_T_IN, 9, DATA, 512, true);
	assert_int_equal(aio.count[OP_TIMER], 1);
	aio_one();
	assert_int_equal(ring_used_idx(&f->r), 0);
	/* It comes free: what was queued meanwhile is served. */
	flock(other, LOCK_UN);
	run(f);
	assert_int_equal(owner.state, XVM_DEV_DRIVER_OK);
	assert_int_equal(ring_used_idx(&f->r), 1);
	assert_int_equal(xvm_get32(f->data), 9);
	assert_int_not_equal(flock(other, LOCK_SH | LOCK_NB), 0);
	/* Kept until a reset is complete. */
	offer(f, VIRTIO_BLK_T_IN, 9, DATA, 512, true);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	assert_int_not_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	run(f);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
}

static void test_lock_never(void **state)
{
	struct fix *f = *state;
	int other = reopen(f->fd, O_RDWR);

	assert_int_equal(flock(other, LOCK_SH), 0);
	assert_int_equal(owner_up(f->vdev, &f->r, BASE), 15);
	run(f);
	assert_int_equal(aio.count[OP_TIMER], 3);		/* 300 ms */
	assert_int_equal(f->vdev->status, 15 | XVM_S_NEEDS_RESET);
	assert_int_equal(owner.state, XVM_DEV_BROKEN);
	assert_true(xvm_vdev_begin_reset(f->vdev));
	/* A reset in the middle of the wait. */
	assert_int_equal(owner_up(f->vdev, &f->r, BASE), 15);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	close(other);
	run(f);
	assert_int_equal(owner.drained, 1);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(owner_up(f->vdev, &f->r, BASE), 15);
	assert_int_equal(owner.state, XVM_DEV_DRIVER_OK);
}

/* Two that only read share the image; a writer beside them does not get it. */
static void test_lock_shared(void **state)
{
	struct fix *f = *state;
	int other = reopen(f->fd, O_RDONLY);

	assert_int_equal(flock(other, LOCK_SH | LOCK_NB), 0);
	assert_int_not_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE_ON(test_bad_images, setup_down), CASE_ON(test_lock, setup_down),
		CASE_ON(test_lock_never, setup_down), CASE_ON(test_lock_shared, setup_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
