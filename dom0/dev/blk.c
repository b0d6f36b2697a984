// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-blk: the device and the life of a request (virtio 1.2, section 5.2).
 * Owns the image descriptor, configuration and slots; must not know messages
 * or Xen. Called through xvm_blk_type.
 *
 * Trust: header and segments are copied once and the copy is checked; data is
 * never looked at. A chain without room for header or status breaks the
 * device, any other bad request is answered.
 */
#include "blk.h"
#include "dev.h"
#include "../ipc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_ids.h>

#define F(name) (1ull << VIRTIO_BLK_F_##name)
#define HEADER_BYTES sizeof(struct virtio_blk_outhdr)

static struct blk_queue *req_queue(const struct blk_req *req)
{
	return &req->blk->queue[req->vq->index];
}

bool blk_range_ok(const struct blk *blk, u64 sector, u64 sectors)
{
	return xvm_range_ok(sector, sectors, blk->sectors);
}

/* ---- life of a request ---- */

static void req_wait(struct blk_req *req)
{
	struct blk_queue *queue = req_queue(req);

	req->next = NULL;
	*queue->wait_tail = req;
	queue->wait_tail = &req->next;
}

void blk_start(struct blk_req *req, blk_step step)
{
	int err;

	req->step = step;
	err = step(req);
	if (!err)
		return;
	/* A stopped queue is not kicked again, so nothing there can wait. */
	if ((err == -EAGAIN || err == -EBUSY) && !req->vq->stopped) {
		req_wait(req);
		if (err == -EAGAIN)
			req->blk->vdev->ops->again(req->blk->vdev, req->vq);
		return;
	}
	blk_finish(req, err == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR);
}

static bool has_room(const struct blk *blk)
{
	return blk->in_flight_bytes <= BLK_MAX_IN_FLIGHT - BLK_MAX_REQUEST;
}

void blk_wake(struct blk *blk)
{
	struct blk_queue *queue;
	u32 i;

	for (i = 0; i < BLK_NUM_QUEUES; i++) {
		queue = &blk->queue[i];
		if (!queue->wait_head && !(queue->stalled && has_room(blk)))
			continue;
		queue->stalled = false;
		blk->vdev->ops->again(blk->vdev, &blk->vdev->vq[i]);
	}
}

static void req_free(struct blk_req *req)
{
	struct blk_queue *queue = req_queue(req);

	req->next = queue->free;
	queue->free = req;
	if (queue->stalled && has_room(req->blk))
		blk_wake(req->blk);
}

void blk_finish(struct blk_req *req, u8 status)
{
	struct blk *blk = req->blk;

	if (status)
		req->used_len = 1;
	blk_rw_end(req, status);
	blk_zero_end(req);
	blk->in_flight_bytes -= req->charged;
	/* Before the used element; the release in xvm_vq_flush keeps it so for the driver. */
	__atomic_store_n(req->status, status, __ATOMIC_RELAXED);
	xvm_vdev_complete(blk->vdev, req->vq, req->chain.head, req->used_len);
	req_free(req);
}

static void get_id(struct blk_req *req)
{
	struct iovec *at = req->chain.in;
	u32 n = xvm_iov_trim(&at, req->chain.nin, 0, 1);

	req->used_len += (u32)xvm_iov_put(at, n, 0, req->blk->serial, VIRTIO_BLK_ID_BYTES);
	blk_finish(req, VIRTIO_BLK_S_OK);
}

static void req_begin(struct blk_req *req)
{
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		blk_rw_begin(req);
		break;
	case VIRTIO_BLK_T_FLUSH:
		blk_flush_begin(req);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		blk_zero_begin(req);
		break;
	case VIRTIO_BLK_T_GET_ID:
		get_id(req);
		break;
	default:
		blk_finish(req, VIRTIO_BLK_S_UNSUPP);
	}
}

/* Sets what all types need; the rest of the slot is as another request left it. */
static void req_init(struct blk_req *req, const u8 *header)
{
	const struct iovec *last = &req->chain.in[req->chain.nin - 1];

	req->status = (u8 *)last->iov_base + last->iov_len - 1;
	req->type = xvm_get32(header + offsetof(struct virtio_blk_outhdr, type));
	req->sector = xvm_get64(header + offsetof(struct virtio_blk_outhdr, sector));
	req->bytes = req->left = req->charged = req->tries = req->n = 0;
	req->used_len = 1;
	req->bounce = NULL;
}

/* Takes one chain and begins it; false: there is none. */
static bool take_one(struct blk *blk, struct xvm_vq *vq)
{
	struct blk_queue *queue = &blk->queue[vq->index];
	struct blk_req *req = queue->free;
	u8 header[HEADER_BYTES];

	if (!xvm_vdev_pop(blk->vdev, vq, &req->chain, req->iov, XVM_ARRAY_SIZE(req->iov)))
		return false;
	if (xvm_iov_get(req->chain.out, req->chain.nout, 0, header, HEADER_BYTES) < HEADER_BYTES ||
	    !req->chain.in_bytes) {
		xvm_vdev_broken(blk->vdev, "request without a header or a status byte");
		xvm_vdev_complete(blk->vdev, vq, req->chain.head, 0);
		return false;
	}
	queue->free = req->next;
	req_init(req, header);
	req_begin(req);
	return true;
}

static struct blk_req *take_waiting(struct blk_queue *queue)
{
	struct blk_req *list = queue->wait_head;

	queue->wait_head = NULL;
	queue->wait_tail = &queue->wait_head;
	return list;
}

/* What still cannot start comes back to the list in the same order. */
static void start_waiting(struct blk_queue *queue)
{
	struct blk_req *req = take_waiting(queue), *next;

	for (; req; req = next) {
		next = req->next;
		blk_start(req, req->step);
	}
}

static bool blk_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct blk *blk = vdev->model;
	struct blk_queue *queue = &blk->queue[vq->index];

	start_waiting(queue);
	for (; budget; budget--) {
		if (!queue->free || !has_room(blk)) {
			queue->stalled = true;
			return false;
		}
		if (!take_one(blk, vq))
			return false;
	}
	return true;
}

/* ---- device ---- */

static bool blk_start_device(struct xvm_vdev *vdev)
{
	struct blk *blk = vdev->model;

	blk->write_through = !(vdev->acked & F(FLUSH));
	return blk_lock(blk);
}

static void blk_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct blk *blk = vdev->model;
	struct blk_req *req, *next;
	u32 i;

	if (!vq)
		blk->lock_waiting = false;
	for (i = 0; i < BLK_NUM_QUEUES; i++) {
		if (vq && vq->index != i)
			continue;
		for (req = take_waiting(&blk->queue[i]); req; req = next) {
			next = req->next;
			blk_finish(req, VIRTIO_BLK_S_IOERR);
		}
		blk->queue[i].stalled = false;
	}
}

static void blk_reset(struct xvm_vdev *vdev)
{
	blk_unlock(vdev->model);
}

static void blk_destroy(struct xvm_vdev *vdev)
{
	struct blk *blk = vdev->model;
	u32 i;

	for (i = 0; i < BLK_NUM_QUEUES; i++)
		free(blk->queue[i].slots);
	close(blk->fd);
	free(blk);
}

static int queue_create(struct blk *blk, struct blk_queue *queue, struct xvm_vq *vq)
{
	u32 i;

	/* Zero pages until used: a driver that keeps few in flight costs little. */
	queue->slots = calloc(BLK_QUEUE_SIZE, sizeof(*queue->slots));
	if (!queue->slots)
		return -ENOMEM;
	for (i = BLK_QUEUE_SIZE; i--;) {
		queue->slots[i].blk = blk;
		queue->slots[i].vq = vq;
		queue->slots[i].next = queue->free;
		queue->free = &queue->slots[i];
	}
	queue->wait_tail = &queue->wait_head;
	vq->max_size = BLK_QUEUE_SIZE;
	return 0;
}

static const char *desc_fault(const struct xvm_ipc_dev_add *desc, int fd)
{
	if (fd < 0)
		return "no image";
	if (!desc->capacity_bytes)
		return "image is empty";
	if (desc->capacity_bytes % BLK_SECTOR || desc->capacity_bytes > INT64_MAX)
		return "image size is not a multiple of 512";
	if (desc->flags & XVM_DEV_DIRECT &&
	    (!xvm_is_pow2(desc->mem_align) || desc->mem_align > 4096))
		return "memory alignment of the image is no power of two up to 4096";
	return NULL;
}

static u64 blk_features(const struct blk *blk)
{
	u64 features = F(SIZE_MAX) | F(SEG_MAX) | F(BLK_SIZE) | F(TOPOLOGY);

	if (BLK_NUM_QUEUES > 1)
		features |= F(MQ);
	if (blk->read_only)
		return features | F(RO);
	features |= F(FLUSH) | F(WRITE_ZEROES);
	return blk->discard ? features | F(DISCARD) : features;
}

static void fill_config(const struct blk *blk, struct xvm_vdev *vdev)
{
	struct virtio_blk_config config = {
		.capacity = htole64(blk->sectors),
		.size_max = htole32(BLK_SIZE_MAX),
		.seg_max = htole32(BLK_SEG_MAX),
		.blk_size = htole32(BLK_SECTOR),
		/* 4 KiB: what file systems and disks below us write without reading first */
		.physical_block_exp = 3,
		.min_io_size = htole16(8),
		.num_queues = htole16(BLK_NUM_QUEUES),
		.max_discard_sectors = htole32(BLK_ZERO_SECTORS),
		.max_discard_seg = htole32(BLK_ZERO_SEGS),
		.discard_sector_alignment = htole32(8),
		.max_write_zeroes_sectors = htole32(BLK_ZERO_SECTORS),
		.max_write_zeroes_seg = htole32(BLK_ZERO_SEGS),
		.write_zeroes_may_unmap = blk->discard,
	};

	vdev->config_bytes = offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	memcpy(vdev->config, &config, vdev->config_bytes);
}

/* Requests in flight were checked against a smaller disk; the supervisor never shrinks one. */
static void blk_resize(struct xvm_vdev *vdev, u64 bytes)
{
	struct blk *blk = vdev->model;
	u64 capacity = htole64(bytes / BLK_SECTOR);

	if (bytes % BLK_SECTOR || bytes > INT64_MAX || bytes / BLK_SECTOR < blk->sectors)
		return;
	blk->sectors = bytes / BLK_SECTOR;
	memcpy(vdev->config + offsetof(struct virtio_blk_config, capacity), &capacity, sizeof(capacity));
	xvm_vdev_config_changed(vdev);
}

static struct blk *blk_new(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, int fd)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	u32 i;

	if (!blk)
		return NULL;
	blk->vdev = vdev;
	blk->fd = fd;
	vdev->model = blk;
	for (i = 0; i < BLK_NUM_QUEUES; i++) {
		if (!queue_create(blk, &blk->queue[i], &vdev->vq[i]))
			continue;
		while (i--)
			free(blk->queue[i].slots);
		free(blk);
		return NULL;
	}
	blk->read_only = desc->flags & XVM_DEV_READ_ONLY;
	blk->discard = desc->flags & XVM_DEV_DISCARD && !blk->read_only;
	blk->direct = desc->flags & XVM_DEV_DIRECT;
	blk->mem_align = desc->mem_align;
	blk->sectors = desc->capacity_bytes / BLK_SECTOR;
	blk->lock_wait_ms = desc->lock_wait_ms;
	memcpy(blk->serial, desc->serial, sizeof(blk->serial));
	return blk;
}

static int blk_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
		      char *why, size_t why_bytes)
{
	int fd = fdset_take(fds, 0);
	const char *fault = desc_fault(desc, fd);
	struct blk *blk = fault ? NULL : blk_new(vdev, desc, fd);

	if (!blk) {
		snprintf(why, why_bytes, "%s", fault ? fault : "out of memory");
		if (fd >= 0)
			close(fd);
		return fault ? -EINVAL : -ENOMEM;
	}
	vdev->offered = blk_features(blk);
	fill_config(blk, vdev);
	return 0;
}

const struct xvm_vdev_type xvm_blk_type = {
	.name = "blk",
	.device_id = VIRTIO_ID_BLOCK,
	.num_vqs = BLK_NUM_QUEUES,
	.repeatable = true,
	.create = blk_create,
	.destroy = blk_destroy,
	.start = blk_start_device,
	.kick = blk_kick,
	.cancel = blk_cancel,
	.reset = blk_reset,
	.resize = blk_resize,
};
