// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk: the image lock. Taken at DRIVER_OK and dropped when a reset is
 * complete, so a guest that hands over (migration, two guests with one image)
 * holds it just as long as it can write. The lock belongs to the open file
 * description: after a crash it falls with the last I/O of the dead worker,
 * which makes it the fence of recovery too. Called by blk.c.
 */
#include "blk.h"
#include "../ipc.h"

#include <sys/file.h>

#define LOCK_RETRY_MS 100u

static void lock_tick(struct xvm_aio_req *aio, int result);

static int try_lock(struct blk *blk)
{
	int op = blk->read_only ? LOCK_SH : LOCK_EX;

	if (flock(blk->fd, op | LOCK_NB))
		return -errno;
	blk->locked = true;
	return 0;
}

/* Requests stay in the queue meanwhile: the device is not ready. */
static void lock_wait(struct blk *blk)
{
	struct xvm_vdev *vdev = blk->vdev;

	blk->lock_waiting = false;
	if (blk->lock_waited_ms >= blk->lock_wait_ms) {
		xvm_vdev_broken(vdev, "image is locked by somebody else, gave up waiting");
		return;
	}
	blk->lock_timer.done = lock_tick;
	if (xvm_aio_timer(vdev->aio, &blk->lock_timer, LOCK_RETRY_MS)) {
		xvm_vdev_broken(vdev, "no timer to wait for the image lock");
		return;
	}
	blk->lock_waiting = true;
	/* The timer cannot be called back, so a reset waits for it: at most one period. */
	xvm_vdev_hold(vdev);
}

static void lock_tick(struct xvm_aio_req *aio, int result)
{
	struct blk *blk = (struct blk *)((u8 *)aio - offsetof(struct blk, lock_timer));
	struct xvm_vdev *vdev = blk->vdev;

	(void)result;
	if (blk->lock_waiting) {
		blk->lock_waited_ms += LOCK_RETRY_MS;
		if (try_lock(blk)) {
			lock_wait(blk);
		} else {
			blk->lock_waiting = false;
			xvm_vdev_ready(vdev);
		}
	}
	xvm_vdev_release(vdev);
}

bool blk_lock(struct blk *blk)
{
	struct xvm_vdev *vdev = blk->vdev;
	int err = try_lock(blk);

	if (!err)
		return true;
	if (err != -EWOULDBLOCK) {
		xvm_vdev_broken(vdev, "image cannot be locked");
		return false;
	}
	vdev->ops->state(vdev, XVM_DEV_LOCK_BUSY, "image is locked by somebody else");
	blk->lock_waited_ms = 0;
	lock_wait(blk);
	return false;
}

void blk_unlock(struct blk *blk)
{
	if (blk->locked)
		flock(blk->fd, LOCK_UN);
	blk->locked = false;
}
