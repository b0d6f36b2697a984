// SPDX-License-Identifier: GPL-2.0-or-later
#include "drv_sectors.h"
#include "test.h"
#include <linux/virtio_blk.h>
#include <unistd.h>

#define OWN (SECTORS_BYTES / 512 / DRV_BLK_SLOTS)	/* sectors of a slot */

void drv_sectors_init(struct drv_sectors *load, struct drv_blk *blk)
{
	u32 seed = load->seed;

	memset(load, 0, sizeof(*load));
	load->blk = blk;
	load->seed = seed;
	assert_int_equal(blk->capacity, SECTORS_BYTES / 512);
}

u32 drv_sectors_rnd(struct drv_sectors *load, u32 below)
{
	load->seed = load->seed * 1664525 + 1013904223;
	return (u32)(((u64)(load->seed >> 4) * below) >> 28);
}

void drv_sectors_submit(struct drv_sectors *load, u32 slot)
{
	u32 bytes = (1 + drv_sectors_rnd(load, 127)) * 512, i;
	u64 sector = (u64)slot * OWN + drv_sectors_rnd(load, OWN - 128);
	u8 *data = drv_blk_data(load->blk, slot);

	load->want[slot].type = drv_sectors_rnd(load, 2) ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	load->want[slot].bytes = bytes;
	load->want[slot].sector = sector;
	if (load->want[slot].type == VIRTIO_BLK_T_OUT) {
		for (i = 0; i < bytes; i += 4)
			xvm_put32(data + i, drv_sectors_rnd(load, 1u << 28));
		memcpy(load->pending + sector * 512, data, bytes);
		memset(load->in_doubt + sector, true, bytes / 512);
	}
	drv_blk_submit(load->blk, slot, load->want[slot].type, sector, bytes, 1 + drv_sectors_rnd(load, 8));
}

u32 drv_sectors_fill(struct drv_sectors *load, u32 most)
{
	u32 n;
	int slot;

	for (n = 0; n < most && (slot = drv_blk_slot(load->blk)) >= 0; n++)
		drv_sectors_submit(load, (u32)slot);
	return n;
}

void drv_sectors_done(struct drv_sectors *load, u32 slot, u8 status, u32 len)
{
	u32 bytes = load->want[slot].bytes;
	u64 sector = load->want[slot].sector;
	bool in = load->want[slot].type == VIRTIO_BLK_T_IN;

	assert_int_equal(status, VIRTIO_BLK_S_OK);
	assert_int_equal(len, in ? bytes + 1 : 1);
	if (in) {
		assert_memory_equal(drv_blk_data(load->blk, slot), load->model + sector * 512, bytes);
		return;
	}
	memcpy(load->model + sector * 512, load->pending + sector * 512, bytes);
	memset(load->in_doubt + sector, false, bytes / 512);
}

void drv_sectors_reap(struct drv_sectors *load)
{
	u32 len, slot;
	u8 status;

	slot = drv_blk_reap(load->blk, &status, &len);
	drv_sectors_done(load, slot, status, len);
}

void drv_sectors_run(struct drv_sectors *load, u32 requests)
{
	u32 sent = 0, done;

	for (done = 0; done < requests; done++) {
		sent += drv_sectors_fill(load, requests - sent);
		drv_sectors_reap(load);
	}
}

void drv_sectors_check(const struct drv_sectors *load, int image)
{
	u8 sector[512];
	u32 i;

	for (i = 0; i < SECTORS_BYTES / 512; i++) {
		assert_int_equal(pread(image, sector, 512, i * 512L), 512);
		if (!load->in_doubt[i] || memcmp(sector, load->pending + i * 512, 512))
			assert_memory_equal(sector, load->model + i * 512, 512);
	}
}

/* ---- full load ---- */

void drv_blk_fill(struct drv_blk *blk, u32 type)
{
	int slot;

	while ((slot = drv_blk_slot(blk)) >= 0)
		drv_blk_submit(blk, (u32)slot, type, (u64)slot * 128, DRV_BLK_SLOT_BYTES, 4);
	drv_vq_kick(&blk->vq);
}

void drv_blk_reset_under_io(struct drv_blk *blk, u8 mark, u64 features)
{
	u8 data[512];
	u32 i;

	assert_int_equal(drv_set_status(blk->drv, blk->dev, 0), 0);
	memset(blk->base, mark, 1 << 20);
	usleep(2000);
	for (i = 0; i < 1 << 20; i += 4096)
		assert_int_equal(blk->base[i], mark);
	blk->drv->used[blk->dev] = 0;
	drv_blk_restart(blk, features);
	assert_int_equal(drv_blk_do(blk, VIRTIO_BLK_T_IN, 1, data, 512), VIRTIO_BLK_S_OK);
}

void drv_blk_area_under_io(struct drv_blk *blk, u32 area)
{
	u8 status;
	u32 len;

	drv_area_new(blk->drv, area, blk->dev, 16);
	drv_blk_fill(blk, VIRTIO_BLK_T_IN);
	/* Requests that are under way end, those that come meanwhile wait, none is lost. */
	assert_int_equal(drv_area_del(blk->drv, area), XVM_STATUS_OK);
	while (blk->busy) {
		drv_blk_reap(blk, &status, &len);
		assert_int_equal(status, VIRTIO_BLK_S_OK);
	}
}
