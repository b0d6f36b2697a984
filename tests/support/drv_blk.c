// SPDX-License-Identifier: GPL-2.0-or-later
#include "drv_vq.h"
#include "test.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <linux/virtio_blk.h>

#define QUEUE_SIZE 256
/* After the queue: a page of headers and status bytes, then the slots. */
#define HDRS DRV_VQ_BYTES(QUEUE_SIZE)
#define DATA ((HDRS + 4096 + 65535) & ~65535u)
#define STATUS_OFF 64

static u8 *hdr_of(struct drv_blk *blk, u32 slot)
{
	return blk->base + HDRS + slot * 128;
}

u8 *drv_blk_data(struct drv_blk *blk, u32 slot)
{
	return blk->base + DATA + slot * DRV_BLK_SLOT_BYTES;
}

static u64 addr_of(struct drv_blk *blk, const u8 *p)
{
	return xvm_addr_make(blk->area, (u64)(p - blk->base));
}

void drv_blk_restart(struct drv_blk *blk, u64 features)
{
	blk->features = drv_negotiate(blk->drv, blk->dev, features | XVM_F_VERSION_1 |
				      XVM_F_ACCESS_PLATFORM);
	blk->busy = 0;
	assert_int_equal(drv_config(blk->drv, blk->dev, 0, 8, &blk->capacity), 8);
	drv_vq_setup(&blk->vq, blk->drv, blk->dev, 0, QUEUE_SIZE, blk->area, 0,
		     blk->features & XVM_F_EVENT_IDX);
	if (blk->indirect && blk->features & XVM_F_INDIRECT_DESC) {
		blk->vq.tables = blk->base + DRV_BLK_TABLES;
		blk->vq.tables_addr = xvm_addr_make(blk->area, DRV_BLK_TABLES);
	}
	assert_true(drv_set_status(blk->drv, blk->dev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER |
				   XVM_S_FEATURES_OK | XVM_S_DRIVER_OK) & XVM_S_DRIVER_OK);
}

void drv_blk_start(struct drv_blk *blk, struct drv *drv, u16 dev, u32 area, u64 features)
{
	bool indirect = blk->indirect;

	memset(blk, 0, sizeof(*blk));
	blk->indirect = indirect;
	blk->drv = drv;
	blk->dev = dev;
	blk->area = area;
	blk->base = drv_area_new(drv, area, dev, DRV_BLK_AREA_PAGES);
	drv_blk_restart(blk, features);
}

int drv_blk_slot(struct drv_blk *blk)
{
	int i;

	for (i = 0; i < DRV_BLK_SLOTS; i++)
		if (!(blk->busy & 1u << i))
			return i;
	return -1;
}

void drv_blk_submit(struct drv_blk *blk, u32 slot, u32 type, u64 sector, u32 bytes, u32 split)
{
	struct virtio_blk_outhdr hdr = { .type = type, .sector = sector };
	u8 *data = drv_blk_data(blk, slot);
	struct drv_seg seg[32];
	u32 i, n = 0, piece = bytes / split;
	bool write = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	int head;

	memcpy(hdr_of(blk, slot), &hdr, sizeof(hdr));
	hdr_of(blk, slot)[STATUS_OFF] = 0xff;
	seg[n++] = (struct drv_seg){ addr_of(blk, hdr_of(blk, slot)), sizeof(hdr), false };
	for (i = 0; bytes && i < split; i++)
		seg[n++] = (struct drv_seg){ addr_of(blk, data + i * piece),
					     i + 1 < split ? piece : bytes - i * piece, write };
	seg[n++] = (struct drv_seg){ addr_of(blk, hdr_of(blk, slot) + STATUS_OFF), 1, true };
	head = drv_vq_add(&blk->vq, seg, n);
	assert_true(head >= 0);
	blk->slot_of[head] = (int)slot;
	blk->busy |= 1u << slot;
}

u8 drv_blk_status(struct drv_blk *blk, u32 slot)
{
	return hdr_of(blk, slot)[STATUS_OFF];
}

u32 drv_blk_reap(struct drv_blk *blk, u8 *status, u32 *len)
{
	int head, slot;

	drv_vq_kick(&blk->vq);
	head = drv_vq_wait(&blk->vq, len);
	slot = blk->slot_of[head];
	blk->busy &= ~(1u << slot);
	*status = drv_blk_status(blk, (u32)slot);
	return (u32)slot;
}

u8 drv_blk_do(struct drv_blk *blk, u32 type, u64 sector, void *data, u32 bytes)
{
	int slot = drv_blk_slot(blk);
	u8 status;
	u32 len;

	assert_true(slot >= 0);
	memcpy(drv_blk_data(blk, (u32)slot), data ? data : "", data ? bytes : 0);
	drv_blk_submit(blk, (u32)slot, type, sector, bytes, 1);
	assert_int_equal(drv_blk_reap(blk, &status, &len), slot);
	if (data)
		memcpy(data, drv_blk_data(blk, (u32)slot), bytes);
	return status;
}
