/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verified I/O on a disk driver of drv_vq.h: requests of any length at any
 * sector, random data, in as many pieces as come. Each slot has a sixteenth of
 * the disk, so requests never overlap, and a read must see the last write.
 * Where the newest write was not seen to end, the image may have it or not.
 * And what a disk under full load must stand, whoever serves it.
 */
#ifndef TESTS_SUPPORT_DRV_SECTORS_H
#define TESTS_SUPPORT_DRV_SECTORS_H

#include "drv_vq.h"

#define SECTORS_BYTES (8u << 20)	/* of the image, zero at first */

struct drv_sectors {
	struct drv_blk *blk;
	u32 seed;			/* the program's; runs on from case to case */
	u8 model[SECTORS_BYTES];	/* what the image must hold, */
	u8 pending[SECTORS_BYTES];	/* and may where it is in doubt */
	bool in_doubt[SECTORS_BYTES / 512];
	struct {
		u32 type, bytes;
		u64 sector;
	} want[DRV_BLK_SLOTS];
};

/* All but the seed; the disk is started. */
void drv_sectors_init(struct drv_sectors *load, struct drv_blk *blk);
u32 drv_sectors_rnd(struct drv_sectors *load, u32 below);
/* A request in this slot, not notified. */
void drv_sectors_submit(struct drv_sectors *load, u32 slot);
/* A request in each slot that is free, at most so many; not notified. Returns how many. */
u32 drv_sectors_fill(struct drv_sectors *load, u32 most);
/* What has come back for this slot is right. */
void drv_sectors_done(struct drv_sectors *load, u32 slot, u8 status, u32 len);
/* Kicks, waits for any request that is out, and checks it. */
void drv_sectors_reap(struct drv_sectors *load);
/* So many requests from start to end. */
void drv_sectors_run(struct drv_sectors *load, u32 requests);
void drv_sectors_check(const struct drv_sectors *load, int image);

/* ---- full load of one type, unverified ---- */

/* A request of a whole slot in each one that is free, kicked. */
void drv_blk_fill(struct drv_blk *blk, u32 type);
/* Reset: afterwards nobody touches the memory, and the disk can be used again. mark: any byte. */
void drv_blk_reset_under_io(struct drv_blk *blk, u8 mark, u64 features);
/* An area comes, and goes under reads, none of which is lost. */
void drv_blk_area_under_io(struct drv_blk *blk, u32 area);

#endif
