/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driver side of a virtqueue in an area, split or packed, with event index and
 * indirect descriptors, and a disk driver on it: requests of any shape, one
 * buffer slot per request.
 */
#ifndef TESTS_SUPPORT_DRV_VQ_H
#define TESTS_SUPPORT_DRV_VQ_H

#include "drv.h"

#define DRV_VQ_MAX 256

struct drv_seg {
	u64 addr;
	u32 bytes;
	bool write;	/* by the device */
};

struct drv_vq {
	struct drv *drv;
	u16 dev, index, size;
	bool event_idx;
	bool packed, in_order;		/* as drv_negotiate took them */
	u8 *tables;			/* of DRV_VQ_TABLE bytes per buffer: indirect; NULL: direct */
	u64 tables_addr;
	u8 *desc, *avail, *used;	/* in the area; packed: the two event structures */
	struct xvm_msg_vqueue config;
	u16 avail_idx, kicked_idx, used_idx;
	u16 free[DRV_VQ_MAX], n_free;
	u16 chain[DRV_VQ_MAX];		/* descriptors of the chain that starts here */
	u16 next[DRV_VQ_MAX];
	/* packed: laps; avail_idx and used_idx are places, free has buffer ids */
	bool avail_wrap, used_wrap;
	u16 room, added;		/* free places; those filled since the last kick */
	u16 order[DRV_VQ_MAX], order_first, order_count;	/* what is out, as it was added */
	u32 kicks, suppressed;
};

/* Bytes of a queue's three parts, with the padding we use. */
#define DRV_VQ_BYTES(size) (((size) * 16 + (size) * 2 + 64 + (size) * 8 + 64 + 4095) & ~4095u)

#define DRV_VQ_TABLE (32 * 16)

/* Lays the queue out at offset of area, with addresses in vq->config; the device is told nothing. */
void drv_vq_init(struct drv_vq *vq, struct drv *drv, u16 dev, u16 index, u16 size, u32 area,
		 u32 offset, bool event_idx, bool packed);
/* The same with the features that drv_negotiate took, and SET_VQUEUE. */
void drv_vq_setup(struct drv_vq *vq, struct drv *drv, u16 dev, u16 index, u16 size, u32 area,
		  u32 offset, bool event_idx);
/*
 * After drv_join_again, with the device and its areas there: what drv_negotiate took, and all n queues from 0 on, go on
 * as docs/protocol.md, section 15 says, up to DRIVER_OK. Nothing is notified. Returns what KEEP_QUEUE said, the first
 * refusal if there was one.
 */
u16 drv_vq_replay(const struct drv_vq *vq, u32 n, u16 flags);
/* Makes a chain available, not yet notified. Returns its head, or -1 if there is no room. */
int drv_vq_add(struct drv_vq *vq, const struct drv_seg *seg, u32 n);
/* EVENT_AVAIL, unless the device does not want it. */
void drv_vq_kick(struct drv_vq *vq);
/* EVENT_AVAIL whether or not it is wanted. */
void drv_vq_force_kick(struct drv_vq *vq);
/* The next used chain: head, and its length; -1: none yet. With in_order: asserts that it is. */
int drv_vq_get(struct drv_vq *vq, u32 *len);
/* Waits for one; asserts that it comes. */
int drv_vq_wait(struct drv_vq *vq, u32 *len);
/* Raw access for those who lie, split only. */
void drv_vq_put_desc(struct drv_vq *vq, u16 i, u64 addr, u32 len, u16 flags, u16 next);
void drv_vq_put_avail(struct drv_vq *vq, u16 head);	/* and shows it */

/* ---- a disk driver: slots of 64 KiB, header and status in a page each ---- */

#define DRV_BLK_SLOTS 16
#define DRV_BLK_SLOT_BYTES (64u << 10)
#define DRV_BLK_TABLES (1536u << 10)	/* indirect tables, behind the slots */

struct drv_blk {
	struct drv *drv;
	u16 dev;
	u32 area;
	u8 *base;
	u64 capacity;			/* sectors */
	u64 features;
	bool indirect;			/* set before start: use tables, if the device lets us */
	struct drv_vq vq;
	int slot_of[DRV_VQ_MAX];	/* by head */
	u32 busy;			/* bit per slot */
};

/* Areas are rig_area_new(area) with this many pages. */
#define DRV_BLK_AREA_PAGES 512

/* Makes the area and brings the disk up to DRIVER_OK. */
void drv_blk_start(struct drv_blk *blk, struct drv *drv, u16 dev, u32 area, u64 features);
/* Again after a reset; the area is there. */
void drv_blk_restart(struct drv_blk *blk, u64 features);
u8 *drv_blk_data(struct drv_blk *blk, u32 slot);
/* A free slot or -1. */
int drv_blk_slot(struct drv_blk *blk);
/* Puts a request into a slot; bytes of data already there for writes. split: into that many pieces. */
void drv_blk_submit(struct drv_blk *blk, u32 slot, u32 type, u64 sector, u32 bytes, u32 split);
/* What stands as the status of the request in this slot; 0xff: nothing yet. */
u8 drv_blk_status(struct drv_blk *blk, u32 slot);
/* Kicks and waits for any request: returns its slot, *status as answered. */
u32 drv_blk_reap(struct drv_blk *blk, u8 *status, u32 *len);
/* One request from start to end; returns the status. */
u8 drv_blk_do(struct drv_blk *blk, u32 type, u64 sector, void *data, u32 bytes);

#endif
