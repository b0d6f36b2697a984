// SPDX-License-Identifier: GPL-2.0-or-later
#include "drv_vq.h"
#include "test.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <linux/virtio_ring.h>

static u16 load16(const void *p)
{
	return __atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE);
}

static void store16(void *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELEASE);
}

void drv_vq_setup(struct drv_vq *vq, struct drv *drv, u16 dev, u16 index, u16 size, u32 area,
		  u32 offset, bool event_idx)
{
	u32 avail = offset + size * 16u, used = (avail + size * 2u + 64 + 3) & ~3u;
	u8 *base = drv->rig->area[area].base;
	u16 i;

	memset(vq, 0, sizeof(*vq));
	vq->drv = drv;
	vq->dev = dev;
	vq->index = index;
	vq->size = size;
	vq->event_idx = event_idx;
	vq->desc = base + offset;
	vq->avail = base + avail;
	vq->used = base + used;
	memset(vq->desc, 0, DRV_VQ_BYTES(size));
	for (i = 0; i < size; i++)
		vq->free[vq->n_free++] = (u16)(size - 1 - i);
	vq->config = (struct xvm_msg_vqueue) {
		.index = index, .size = size, .desc_addr = xvm_addr_make(area, offset),
		.driver_addr = xvm_addr_make(area, avail), .device_addr = xvm_addr_make(area, used),
	};
	drv_set_vqueue(drv, dev, &vq->config);
}

void drv_vq_put_desc(struct drv_vq *vq, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc d = { .addr = addr, .len = len, .flags = flags, .next = next };

	memcpy(vq->desc + 16 * i, &d, sizeof(d));
}

void drv_vq_put_avail(struct drv_vq *vq, u16 head)
{
	store16(vq->avail + 4 + 2 * (vq->avail_idx % vq->size), head);
	store16(vq->avail + 2, ++vq->avail_idx);
}

int drv_vq_add(struct drv_vq *vq, const struct drv_seg *seg, u32 n)
{
	u16 head, i, at;

	if (n > vq->n_free)
		return -1;
	head = vq->free[vq->n_free - 1];
	for (i = 0; i < n; i++) {
		at = vq->free[--vq->n_free];
		drv_vq_put_desc(vq, at, seg[i].addr, seg[i].bytes,
				(u16)((seg[i].write ? VRING_DESC_F_WRITE : 0) |
				      (i + 1u < n ? VRING_DESC_F_NEXT : 0)),
				i + 1u < n ? vq->free[vq->n_free - 1] : 0);
		vq->next[at] = i + 1u < n ? vq->free[vq->n_free - 1] : at;
	}
	vq->chain[head] = (u16)n;
	drv_vq_put_avail(vq, head);
	return head;
}

void drv_vq_force_kick(struct drv_vq *vq)
{
	struct xvm_msg_event_avail m = { .vq_index = vq->index };
	u8 msg[16];
	u32 len = xvm_msg_put_event_avail(msg, vq->dev, &m);
	int i;

	xvm_msg_finish(msg, false, 0);
	for (i = 0; i < 500 && drv_put(vq->drv, msg, len) == -ENOSPC; i++)
		drv_poll(vq->drv, 5);
	vq->kicks++;
}

void drv_vq_kick(struct drv_vq *vq)
{
	u16 old = vq->kicked_idx;
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx)
		wanted = vring_need_event(load16(vq->used + 4 + 8 * vq->size), vq->avail_idx, old);
	else
		wanted = !(load16(vq->used) & VRING_USED_F_NO_NOTIFY);
	vq->kicked_idx = vq->avail_idx;
	if (wanted)
		drv_vq_force_kick(vq);
	else
		vq->suppressed++;
}

int drv_vq_get(struct drv_vq *vq, u32 *len)
{
	u16 head, at, i;
	u8 *elem;

	if (load16(vq->used + 2) == vq->used_idx) {
		/* Ask to be told of the next one, then look again. */
		store16(vq->avail + 4 + 2 * vq->size, vq->used_idx);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (load16(vq->used + 2) == vq->used_idx)
			return -1;
	}
	elem = vq->used + 4 + 8 * (vq->used_idx % vq->size);
	head = (u16)xvm_get32(elem);
	*len = xvm_get32(elem + 4);
	vq->used_idx++;
	assert_true(head < vq->size && vq->chain[head]);
	for (i = 0, at = head; i < vq->chain[head]; i++, at = vq->next[at])
		vq->free[vq->n_free++] = at;
	vq->chain[head] = 0;
	return head;
}

int drv_vq_wait(struct drv_vq *vq, u32 *len)
{
	int head = -1;

	DRV_UNTIL(vq->drv, (head = drv_vq_get(vq, len)) >= 0);
	return head;
}
