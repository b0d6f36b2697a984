// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk: read, write, flush. Owns the data part of a request, from the
 * guest's buffers (or an aligned copy of them) to the image and back. Called
 * by blk.c.
 *
 * A short read or write is continued; success means that every byte of the
 * request was moved, so a guest never finds old contents behind an OK.
 */
#include "blk.h"

#include <stdlib.h>

#define MAX_TRIES 8u	/* of an I/O that was interrupted */

/* ---- flush ---- */

static void flush_done(struct xvm_aio_req *aio, int result)
{
	struct blk_req *req = (struct blk_req *)aio;
	struct xvm_vdev *vdev = req->blk->vdev;
	struct xvm_vq *vq = req->vq;

	blk_finish(req, result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
	xvm_vdev_flush(vdev, vq);
}

static int flush_step(struct blk_req *req)
{
	req->aio.done = flush_done;
	return xvm_aio_fdatasync(req->blk->vdev->aio, &req->aio, req->blk->fd);
}

void blk_flush_begin(struct blk_req *req)
{
	if (req->blk->read_only)
		blk_finish(req, VIRTIO_BLK_S_OK);
	else
		blk_start(req, flush_step);
}

/* ---- read and write ---- */

static void rw_done(struct xvm_aio_req *aio, int result);

static int rw_step(struct blk_req *req)
{
	struct blk *blk = req->blk;

	req->aio.done = rw_done;
	if (req->type == VIRTIO_BLK_T_IN)
		return xvm_aio_readv(blk->vdev->aio, &req->aio, blk->fd, req->at, req->n,
				     (off_t)req->off);
	return xvm_aio_writev(blk->vdev->aio, &req->aio, blk->fd, req->at, req->n,
			      (off_t)req->off);
}

static void rw_success(struct blk_req *req)
{
	struct blk *blk = req->blk;

	if (req->type == VIRTIO_BLK_T_OUT) {
		blk->vdev->bytes_written += req->bytes;
		if (blk->write_through)
			blk_flush_begin(req);
		else
			blk_finish(req, VIRTIO_BLK_S_OK);
		return;
	}
	if (req->bounce)
		xvm_iov_put(req->chain.in, req->chain.nin, 0, req->bounce, req->bytes);
	blk->vdev->bytes_read += req->bytes;
	req->used_len = req->chain.in_bytes;
	blk_finish(req, VIRTIO_BLK_S_OK);
}

static void rw_result(struct blk_req *req, int result)
{
	if ((result == -EINTR || result == -EAGAIN) && req->tries++ < MAX_TRIES) {
		blk_start(req, rw_step);
		return;
	}
	/* 0 is the end of an image that shrank under us: the rest does not exist. */
	if (result <= 0 || (u32)result > req->left) {
		blk_finish(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	req->n = xvm_iov_trim(&req->at, req->n, (size_t)result, 0);
	req->left -= (u32)result;
	req->off += (u32)result;
	if (!req->left)
		rw_success(req);
	else if (req->blk->direct && result % (int)BLK_SECTOR)
		blk_finish(req, VIRTIO_BLK_S_IOERR);
	else
		blk_start(req, rw_step);
}

static void rw_done(struct xvm_aio_req *aio, int result)
{
	struct blk_req *req = (struct blk_req *)aio;
	struct xvm_vdev *vdev = req->blk->vdev;
	struct xvm_vq *vq = req->vq;

	rw_result(req, result);
	xvm_vdev_flush(vdev, vq);
}

static bool aligned(const struct blk_req *req)
{
	u32 i, mask = req->blk->mem_align - 1;

	for (i = 0; i < req->n; i++) {
		if ((uintptr_t)req->at[i].iov_base & mask || req->at[i].iov_len % BLK_SECTOR)
			return false;
	}
	return true;
}

/* O_DIRECT refuses odd buffers; a guest may use them all the same. */
static bool use_bounce(struct blk_req *req)
{
	void *bounce;

	if (posix_memalign(&bounce, 4096, req->bytes))
		return false;
	req->bounce = bounce;
	if (req->type == VIRTIO_BLK_T_OUT)
		xvm_iov_get(req->at, req->n, 0, bounce, req->bytes);
	req->bounce_iov.iov_base = bounce;
	req->bounce_iov.iov_len = req->bytes;
	req->at = &req->bounce_iov;
	req->n = 1;
	req->blk->vdev->bounced++;
	return true;
}

/* The data lies between header and status, wherever the descriptors cut it. */
static void find_data(struct blk_req *req)
{
	const struct xvm_chain *chain = &req->chain;
	u32 header = sizeof(struct virtio_blk_outhdr);

	if (req->type == VIRTIO_BLK_T_IN) {
		req->at = chain->in;
		req->n = xvm_iov_trim(&req->at, chain->nin, 0, 1);
		req->bytes = chain->in_bytes - 1;
	} else {
		req->at = chain->out;
		req->n = xvm_iov_trim(&req->at, chain->nout, header, 0);
		req->bytes = chain->out_bytes - header;
	}
	req->left = req->bytes;
}

void blk_rw_begin(struct blk_req *req)
{
	struct blk *blk = req->blk;

	find_data(req);
	if (req->bytes > BLK_MAX_REQUEST || req->bytes % BLK_SECTOR ||
	    !blk_range_ok(blk, req->sector, req->bytes / BLK_SECTOR) ||
	    (req->type == VIRTIO_BLK_T_OUT && blk->read_only)) {
		blk_finish(req, VIRTIO_BLK_S_IOERR);
		return;
	}
	if (!req->bytes) {
		blk_finish(req, VIRTIO_BLK_S_OK);
		return;
	}
	req->off = req->sector * BLK_SECTOR;
	req->charged = req->bytes;
	blk->in_flight_bytes += req->charged;
	if (blk->direct && !aligned(req) && !use_bounce(req))
		blk_finish(req, VIRTIO_BLK_S_IOERR);
	else
		blk_start(req, rw_step);
}

void blk_rw_end(struct blk_req *req, u8 status)
{
	if (status && req->type == VIRTIO_BLK_T_IN && req->bytes <= BLK_MAX_REQUEST) {
		/* With a bounce buffer the guest's own still holds what was there before. */
		if (req->bounce) {
			req->at = req->chain.in;
			req->n = req->chain.nin;
		}
		xvm_iov_zero(req->at, req->n);
		req->used_len = req->chain.in_bytes;
	}
	free(req->bounce);
	req->bounce = NULL;
}
