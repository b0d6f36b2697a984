// SPDX-License-Identifier: GPL-2.0-or-later
#include "drv_load.h"
#include "test.h"
#include <linux/virtio_blk.h>
#include <unistd.h>

#define PATIENCE 3000u		/* polls of 5 ms without a request that comes back */

void drv_load_init(struct drv_load *load, struct drv_blk *blk)
{
	u32 seed = load->seed;

	memset(load, 0, sizeof(*load));
	load->blk = blk;
	load->seed = seed;
}

u32 drv_load_rnd(struct drv_load *load, u32 below)
{
	load->seed = load->seed * 1103515245u + 12345u;
	return (load->seed >> 16) % below;
}

static void fill(u8 *data, u32 word)
{
	u32 i;

	for (i = 0; i < LOAD_BLOCK; i += 4)
		xvm_put32(data + i, word);
}

static void check(const u8 *data, u32 word)
{
	u8 want[LOAD_BLOCK];

	fill(want, word);
	assert_memory_equal(data, want, LOAD_BLOCK);
}

static bool block_is_busy(const struct drv_load *load, u32 block)
{
	u32 i;

	for (i = 0; i < DRV_BLK_SLOTS; i++)
		if (load->request[i].busy && load->request[i].block == block)
			return true;
	return false;
}

static void submit(struct drv_load *load, u32 slot)
{
	bool out = drv_load_rnd(load, 2);
	u32 block;

	do
		block = drv_load_rnd(load, LOAD_BLOCKS);
	while (block_is_busy(load, block));
	load->request[slot].type = out ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	load->request[slot].block = block;
	load->request[slot].word = out ? ++load->words : load->content[block];
	load->request[slot].busy = true;
	fill(drv_blk_data(load->blk, slot), out ? load->words : 0xdeadbeef);
	drv_blk_submit(load->blk, slot, load->request[slot].type, (u64)block * (LOAD_BLOCK / 512), LOAD_BLOCK,
		       1 + drv_load_rnd(load, 4));
	load->submitted++;
}

void drv_load_fill(struct drv_load *load)
{
	int slot;

	while ((slot = drv_blk_slot(load->blk)) >= 0)
		submit(load, (u32)slot);
	drv_vq_kick(&load->blk->vq);
}

bool drv_load_reap(struct drv_load *load)
{
	struct drv_blk *blk = load->blk;
	u32 len, slot;
	int head = drv_vq_get(&blk->vq, &len);

	if (head < 0)
		return false;
	slot = (u32)blk->slot_of[head];
	assert_true(blk->busy & 1u << slot);
	assert_true(load->request[slot].busy);
	blk->busy &= ~(1u << slot);
	load->request[slot].busy = false;
	assert_int_equal(drv_blk_status(blk, slot), VIRTIO_BLK_S_OK);
	assert_int_equal(len, load->request[slot].type == VIRTIO_BLK_T_IN ? LOAD_BLOCK + 1 : 1);
	check(drv_blk_data(blk, slot), load->request[slot].word);
	load->content[load->request[slot].block] = load->request[slot].word;
	load->completed++;
	return true;
}

static void wait_for(struct drv_load *load, u32 *idle)
{
	drv_poll(load->blk->drv, 5);
	*idle = drv_load_reap(load) ? 0 : *idle + 1;
	assert_true(*idle < PATIENCE);
}

void drv_load_run(struct drv_load *load, u32 requests)
{
	u32 until = load->completed + requests, idle = 0;

	while (load->completed < until) {
		drv_load_fill(load);
		wait_for(load, &idle);
		while (drv_load_reap(load))
			;
	}
}

void drv_load_finish(struct drv_load *load)
{
	u32 idle = 0;

	drv_vq_kick(&load->blk->vq);
	while (load->completed < load->submitted)
		wait_for(load, &idle);
	assert_int_equal(load->blk->busy, 0);
}

void drv_load_forget(struct drv_load *load)
{
	memset(load->request, 0, sizeof(load->request));
	load->submitted = load->completed;
}

void drv_load_check(const struct drv_load *load, int image)
{
	u8 disk[LOAD_BLOCK];
	u32 i;

	for (i = 0; i < LOAD_BLOCKS; i++) {
		assert_int_equal(pread(image, disk, LOAD_BLOCK, i * (off_t)LOAD_BLOCK), LOAD_BLOCK);
		check(disk, load->content[i]);
	}
}
