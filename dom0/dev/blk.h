/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of virtio-blk share: blk.c (device, queue, request life),
 * blk_rw.c (read, write, flush), blk_zero.c (discard, write zeroes),
 * blk_lock.c (the image lock). Nobody else includes this.
 *
 * A request is taken from its queue's free list, begun from kick, runs as a
 * chain of asynchronous steps, and ends in blk_finish exactly once.
 */
#ifndef XVM_DOM0_DEV_BLK_H
#define XVM_DOM0_DEV_BLK_H

#include <linux/virtio_blk.h>

#include "../virtio/aio.h"
#include "../virtio/vdev.h"

#define BLK_NUM_QUEUES		1u
#define BLK_QUEUE_SIZE		256u	/* also what may be in flight per queue (rules.md, section 7) */
#define BLK_SECTOR		512u
#define BLK_MAX_REQUEST		(8u << 20)
#define BLK_MAX_IN_FLIGHT	(64u << 20)	/* data bytes, per device */

/* The longest request a driver that obeys these can make stays within BLK_MAX_REQUEST. */
#define BLK_SEG_MAX		126u
#define BLK_SIZE_MAX		65536u

#define BLK_ZERO_SEGS		64u
#define BLK_ZERO_SECTORS	(1u << 21)	/* 1 GiB per segment */

struct blk;
struct blk_req;

typedef int (*blk_step)(struct blk_req *req);

struct blk_req {
	struct xvm_aio_req aio;		/* first: done gets the request by it */
	struct blk *blk;
	struct xvm_vq *vq;
	struct blk_req *next;		/* on the free list or waiting */
	blk_step step;			/* starts, or starts again, what comes next */
	struct xvm_chain chain;
	u8 *status;			/* in guest memory: written, never read */
	u32 type;
	u64 sector;
	u64 off;			/* of the I/O that comes next */
	u32 bytes, left;		/* of data: all, and still to move */
	u32 used_len;			/* to report with success */
	u32 charged;			/* of blk->in_flight_bytes */
	u32 tries;
	u8 *bounce;			/* aligned copy of the data, or NULL */
	struct iovec bounce_iov;
	struct iovec *at;		/* what is left of the data */
	u32 n;
	struct iovec iov[BLK_QUEUE_SIZE];	/* any chain the queue allows */
};

struct blk_queue {
	struct blk_req *slots, *free;
	struct blk_req *wait_head, **wait_tail;	/* popped; step could not start yet */
	bool stalled;			/* not popped from: no room */
};

struct blk_range {
	u64 off, len;
};

/* Discard and write zeroes: one request at a time per device, they are long on the host. */
struct blk_zero {
	struct blk_req *active;
	struct blk_range range[BLK_ZERO_SEGS];
	u32 n, at;
	u32 how;			/* enum zero_how for the range at hand */
	u64 unmap_mask;			/* bit per range: deallocating it is allowed */
	bool no_punch, no_range;	/* the file system said so */
	struct iovec iov[16];
};

struct blk {
	struct xvm_vdev *vdev;
	int fd;
	bool read_only, discard, direct;
	bool write_through;		/* FLUSH was not negotiated: each write is made stable */
	u32 mem_align;
	u64 sectors;
	char serial[VIRTIO_BLK_ID_BYTES];
	u32 in_flight_bytes;
	struct blk_queue queue[BLK_NUM_QUEUES];
	struct blk_zero zero;
	struct xvm_aio_req lock_timer;
	u32 lock_wait_ms, lock_waited_ms;
	bool lock_waiting, locked;
};

/* ---- blk.c ---- */

/*
 * Runs step now. It returns 0 when an asynchronous call was made, -EAGAIN or
 * -EBUSY to be tried again from a later kick, anything else ends the request.
 */
void blk_start(struct blk_req *req, blk_step step);
void blk_finish(struct blk_req *req, u8 status);
/* Lets waiting requests of all queues try again. */
void blk_wake(struct blk *blk);
bool blk_range_ok(const struct blk *blk, u64 sector, u64 sectors);

/* ---- the others ---- */

void blk_rw_begin(struct blk_req *req);
/* Cleans up after blk_rw_begin; a failed read leaves zeroes, not what was there before. */
void blk_rw_end(struct blk_req *req, u8 status);
void blk_flush_begin(struct blk_req *req);
void blk_zero_begin(struct blk_req *req);
void blk_zero_end(struct blk_req *req);

/* Takes the image lock; false: not yet (or the device was broken), blk_lock.c goes on. */
bool blk_lock(struct blk *blk);
void blk_unlock(struct blk *blk);

#endif
