/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verified I/O on a disk driver of drv_vq.h: random blocks of which each is
 * filled with one word, all slots busy, no two requests of one block at a time.
 * A request that comes back twice, failed, or with other data than was written
 * last, ends the test. For disks that lose their worker or server meanwhile.
 */
#ifndef TESTS_SUPPORT_DRV_LOAD_H
#define TESTS_SUPPORT_DRV_LOAD_H

#include "drv_vq.h"

#define LOAD_BLOCK 4096u
#define LOAD_BLOCKS 1024u
#define LOAD_BYTES (LOAD_BLOCK * LOAD_BLOCKS)	/* of the image, zero at first */

struct drv_load {
	struct drv_blk *blk;
	u32 seed;			/* the program's; runs on from case to case */
	u32 content[LOAD_BLOCKS];	/* of the image, as the driver was told */
	struct {
		u32 type, block, word;
		bool busy;
	} request[DRV_BLK_SLOTS];
	u32 words, submitted, completed;
};

/* All but the seed. The disk may be started later. */
void drv_load_init(struct drv_load *load, struct drv_blk *blk);
u32 drv_load_rnd(struct drv_load *load, u32 below);
/* A request in each slot that is free, notified. */
void drv_load_fill(struct drv_load *load);
/* Takes one that has come back; false: none has. */
bool drv_load_reap(struct drv_load *load);
/* Keeps the slots full until so many more have come back. */
void drv_load_run(struct drv_load *load, u32 requests);
/* Waits for all that are out. */
void drv_load_finish(struct drv_load *load);
/* A reset ended what was out; of the blocks nothing is said. */
void drv_load_forget(struct drv_load *load);
/* The file holds what the driver was told. */
void drv_load_check(const struct drv_load *load, int image);

#endif
