// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk: discard and write zeroes (virtio 1.2, section 5.2.6). Turns the
 * segments of a request into fallocate calls, one after the other, and into
 * written zeroes where the file system can do no better. Called by blk.c.
 */
#include "blk.h"

#include <fcntl.h>
#include <linux/falloc.h>

#define SEGMENT_BYTES	sizeof(struct virtio_blk_discard_write_zeroes)
#define ZERO_BYTES	65536u

/* Ways to do a range, in the order in which they are tried. */
enum zero_how { ZERO_PUNCH, ZERO_RANGE, ZERO_WRITE };

static const u8 zeroes[ZERO_BYTES] __attribute__((aligned(4096)));

static void zero_done(struct xvm_aio_req *aio, int result);

/* Checks one copied segment and stores it. A range of 0 sectors is legal and nothing. */
static int load_segment(struct blk_req *req, const u8 *raw)
{
	struct blk_zero *zero = &req->blk->zero;
	u64 sector = xvm_get64(raw);
	u32 sectors = xvm_get32(raw + 8), flags = xvm_get32(raw + 12), known;

	known = req->type == VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
	if (flags & ~known)
		return -EOPNOTSUPP;
	if (sectors > BLK_ZERO_SECTORS || !blk_range_ok(req->blk, sector, sectors))
		return -EINVAL;
	if (!sectors)
		return 0;
	zero->unmap_mask |= (u64)(flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) << zero->n;
	zero->range[zero->n].off = sector * BLK_SECTOR;
	zero->range[zero->n++].len = (u64)sectors * BLK_SECTOR;
	return 0;
}

static int load_segments(struct blk_req *req)
{
	struct blk_zero *zero = &req->blk->zero;
	u8 raw[BLK_ZERO_SEGS * SEGMENT_BYTES];
	size_t bytes = req->chain.out_bytes - sizeof(struct virtio_blk_outhdr), at;
	int err = 0;

	if (!bytes || bytes > sizeof(raw) || bytes % SEGMENT_BYTES)
		return -EINVAL;
	xvm_iov_get(req->chain.out, req->chain.nout, sizeof(struct virtio_blk_outhdr), raw, bytes);
	zero->n = zero->at = 0;
	zero->unmap_mask = 0;
	for (at = 0; at < bytes && !err; at += SEGMENT_BYTES)
		err = load_segment(req, raw + at);
	return err;
}

/* Discard is a hint and knows one way; deallocating on write zeroes needs the driver's word. */
static enum zero_how best_how(const struct blk_req *req)
{
	const struct blk_zero *zero = &req->blk->zero;
	bool unmap = zero->unmap_mask >> zero->at & 1;

	if (req->type == VIRTIO_BLK_T_DISCARD ||
	    (unmap && req->blk->discard && !zero->no_punch))
		return ZERO_PUNCH;
	return zero->no_range ? ZERO_WRITE : ZERO_RANGE;
}

static int write_zeroes(struct blk_req *req, const struct blk_range *range)
{
	struct blk_zero *zero = &req->blk->zero;
	u64 left = range->len;
	u32 n;

	for (n = 0; n < XVM_ARRAY_SIZE(zero->iov) && left; n++) {
		zero->iov[n].iov_base = (void *)zeroes;
		zero->iov[n].iov_len = left < ZERO_BYTES ? left : ZERO_BYTES;
		left -= zero->iov[n].iov_len;
	}
	return xvm_aio_writev(req->blk->vdev->aio, &req->aio, req->blk->fd, zero->iov, n,
			      (off_t)range->off);
}

/* The next asynchronous call of the active request. */
static int zero_step(struct blk_req *req)
{
	struct blk_zero *zero = &req->blk->zero;
	const struct blk_range *range = &zero->range[zero->at];
	int mode = FALLOC_FL_KEEP_SIZE;

	req->aio.done = zero_done;
	if (zero->how == ZERO_WRITE)
		return write_zeroes(req, range);
	mode |= zero->how == ZERO_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	return xvm_aio_fallocate(req->blk->vdev->aio, &req->aio, req->blk->fd, mode,
				 (off_t)range->off, (off_t)range->len);
}

/* Begins the range at hand, or ends the request when there is none left. */
static void next_range(struct blk_req *req)
{
	struct blk *blk = req->blk;
	struct blk_zero *zero = &blk->zero;

	if (zero->at < zero->n &&
	    !(req->type == VIRTIO_BLK_T_DISCARD && zero->no_punch)) {
		zero->how = best_how(req);
		blk_start(req, zero_step);
	} else if (blk->write_through) {
		blk_flush_begin(req);
	} else {
		blk_finish(req, VIRTIO_BLK_S_OK);
	}
}

/* The first step: waits for its turn, then copies and checks, once. */
static int zero_enter(struct blk_req *req)
{
	struct blk_zero *zero = &req->blk->zero;
	int err;

	if (zero->active)
		return -EBUSY;
	err = load_segments(req);
	if (err)
		return err;
	zero->active = req;
	next_range(req);
	return 0;
}

/* This way is closed for the range at hand, perhaps for good: take the next one. */
static void zero_refused(struct blk_req *req, int err)
{
	struct blk_zero *zero = &req->blk->zero;

	if (err != -EINVAL && zero->how == ZERO_PUNCH)
		zero->no_punch = true;
	if (err != -EINVAL && zero->how == ZERO_RANGE)
		zero->no_range = true;
	if (req->type == VIRTIO_BLK_T_DISCARD) {
		zero->at++;
		next_range(req);
	} else {
		zero->how++;
		blk_start(req, zero_step);
	}
}

static void zero_result(struct blk_req *req, int result)
{
	struct blk_zero *zero = &req->blk->zero;
	struct blk_range *range = &zero->range[zero->at];
	bool write = zero->how == ZERO_WRITE;

	if (!write && (result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL)) {
		zero_refused(req, result);
		return;
	}
	if (result < 0 || (write && (!result || (u64)result > range->len))) {
		blk_finish(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (write && (u64)result < range->len) {
		range->off += (u64)result;
		range->len -= (u64)result;
		blk_start(req, zero_step);
		return;
	}
	zero->at++;
	next_range(req);
}

static void zero_done(struct xvm_aio_req *aio, int result)
{
	struct blk_req *req = (struct blk_req *)aio;
	struct xvm_vdev *vdev = req->blk->vdev;
	struct xvm_vq *vq = req->vq;

	zero_result(req, result);
	xvm_vdev_flush(vdev, vq);
}

void blk_zero_begin(struct blk_req *req)
{
	u32 feature = req->type == VIRTIO_BLK_T_DISCARD ? VIRTIO_BLK_F_DISCARD :
							  VIRTIO_BLK_F_WRITE_ZEROES;

	if (req->blk->read_only)
		blk_finish(req, VIRTIO_BLK_S_IOERR);
	else if (!(req->blk->vdev->acked >> feature & 1))
		blk_finish(req, VIRTIO_BLK_S_UNSUPP);
	else
		blk_start(req, zero_enter);
}

void blk_zero_end(struct blk_req *req)
{
	if (req->blk->zero.active != req)
		return;
	req->blk->zero.active = NULL;
	blk_wake(req->blk);
}
