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

#define EVENT_DISABLE	1u
#define EVENT_DESC	2u
#define FLAG_AVAIL	(1u << 7)
#define FLAG_USED	(1u << 15)

void drv_vq_init(struct drv_vq *vq, struct drv *drv, u16 dev, u16 index, u16 size, u32 area,
		 u32 offset, bool event_idx, bool packed)
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
	vq->packed = packed;
	vq->avail_wrap = vq->used_wrap = true;
	vq->room = size;
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
}

void drv_vq_setup(struct drv_vq *vq, struct drv *drv, u16 dev, u16 index, u16 size, u32 area,
		  u32 offset, bool event_idx)
{
	u64 acked = dev < RIG_DEVICES ? drv->acked[dev] : 0;

	drv_vq_init(vq, drv, dev, index, size, area, offset, event_idx, acked & XVM_F_RING_PACKED);
	vq->in_order = acked & XVM_F_IN_ORDER;
	drv_set_vqueue(drv, dev, &vq->config);
}

u16 drv_vq_replay(const struct drv_vq *vq, u32 n, u16 flags)
{
	const u32 basic = XVM_S_ACKNOWLEDGE | XVM_S_DRIVER, set_up = basic | XVM_S_FEATURES_OK;
	struct drv *drv = vq->drv;
	u16 dev = vq->dev, status, all = XVM_STATUS_OK;
	u32 i;

	drv_set_status(drv, dev, XVM_S_ACKNOWLEDGE);
	drv_set_status(drv, dev, basic);
	drv_set_features(drv, dev, drv->acked[dev]);
	assert_true(drv_set_status(drv, dev, set_up) & XVM_S_FEATURES_OK);
	for (i = 0; i < n; i++) {
		drv_set_vqueue(drv, dev, &vq[i].config);
		status = drv_keep_queue(drv, dev, vq[i].index, flags);
		all = all ? all : status;
	}
	assert_true(drv_set_status(drv, dev, set_up | XVM_S_DRIVER_OK) & XVM_S_DRIVER_OK);
	return all;
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

static u16 seg_flags(const struct drv_seg *seg, u32 i, u32 n)
{
	return (u16)((seg[i].write ? VRING_DESC_F_WRITE : 0) | (i + 1 < n ? VRING_DESC_F_NEXT : 0));
}

/* The chain as an indirect table of this buffer; the one descriptor that is left of it. */
static struct drv_seg make_table(struct drv_vq *vq, u16 head, const struct drv_seg *seg, u32 n)
{
	u8 *table = vq->tables + head * DRV_VQ_TABLE;
	struct vring_desc d;
	u32 i;

	assert_true(n * sizeof(d) <= DRV_VQ_TABLE);
	for (i = 0; i < n; i++) {
		d = (struct vring_desc){ seg[i].addr, seg[i].bytes, seg_flags(seg, i, n),
					 (u16)(i + 1) };
		/* What would be next is no flag's business in a packed queue: leave none there. */
		if (vq->packed)
			memcpy((u8 *)&d + 12, (u16[]){ 0, seg[i].write ? VRING_DESC_F_WRITE : 0 }, 4);
		memcpy(table + i * sizeof(d), &d, sizeof(d));
	}
	return (struct drv_seg){ vq->tables_addr + head * DRV_VQ_TABLE, n * (u32)sizeof(d), false };
}

static int add_split(struct drv_vq *vq, const struct drv_seg *seg, u32 n, u16 indirect)
{
	u16 head = vq->free[vq->n_free - 1], i, at;

	for (i = 0; i < n; i++) {
		at = vq->free[--vq->n_free];
		drv_vq_put_desc(vq, at, seg[i].addr, seg[i].bytes,
				(u16)(seg_flags(seg, i, n) | indirect),
				i + 1u < n ? vq->free[vq->n_free - 1] : 0);
		vq->next[at] = i + 1u < n ? vq->free[vq->n_free - 1] : at;
	}
	vq->chain[head] = (u16)n;
	drv_vq_put_avail(vq, head);
	return head;
}

/* The flags of the first descriptor last: they show the whole chain. */
static int add_packed(struct drv_vq *vq, const struct drv_seg *seg, u32 n, u16 indirect)
{
	u16 id = vq->free[--vq->n_free], flags, first_flags = 0;
	u8 *at, *first = NULL;
	u32 i;

	for (i = 0; i < n; i++) {
		at = vq->desc + 16 * vq->avail_idx;
		flags = (u16)(seg_flags(seg, i, n) | indirect |
			      (vq->avail_wrap ? FLAG_AVAIL : FLAG_USED));
		xvm_put64(at, seg[i].addr);
		xvm_put32(at + 8, seg[i].bytes);
		xvm_put16(at + 12, id);
		if (first)
			store16(at + 14, flags);
		else
			first_flags = flags;
		first = first ? first : at;
		if (++vq->avail_idx == vq->size) {
			vq->avail_idx = 0;
			vq->avail_wrap = !vq->avail_wrap;
		}
	}
	vq->chain[id] = (u16)n;
	vq->room = (u16)(vq->room - n);
	vq->added = (u16)(vq->added + n);
	store16(first + 14, first_flags);
	return id;
}

int drv_vq_add(struct drv_vq *vq, const struct drv_seg *seg, u32 n)
{
	struct drv_seg table;
	u16 indirect = 0;
	int head;

	if (!vq->n_free || (vq->tables ? 1 : n) > (vq->packed ? vq->room : vq->n_free))
		return -1;
	if (vq->tables) {
		table = make_table(vq, vq->free[vq->n_free - 1], seg, n);
		indirect = VRING_DESC_F_INDIRECT;
		seg = &table;
		n = 1;
	}
	head = vq->packed ? add_packed(vq, seg, n, indirect) : add_split(vq, seg, n, indirect);
	vq->order[(vq->order_first + vq->order_count++) % DRV_VQ_MAX] = (u16)head;
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

static bool packed_wants_kick(struct drv_vq *vq)
{
	u32 event = __atomic_load_n((const u32 *)vq->used, __ATOMIC_ACQUIRE);
	u16 off = event & 0x7fff, new = vq->avail_idx, old = (u16)(new - vq->added);

	if ((event >> 16 & 3) != EVENT_DESC || !vq->event_idx)
		return (event >> 16 & 3) != EVENT_DISABLE;
	if ((event >> 15 & 1) != vq->avail_wrap)
		off = (u16)(off - vq->size);
	return vring_need_event(off, new, old);
}

void drv_vq_kick(struct drv_vq *vq)
{
	u16 old = vq->kicked_idx;
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->packed)
		wanted = vq->added && packed_wants_kick(vq);
	else if (vq->event_idx)
		wanted = vring_need_event(load16(vq->used + 4 + 8 * vq->size), vq->avail_idx, old);
	else
		wanted = !(load16(vq->used) & VRING_USED_F_NO_NOTIFY);
	vq->kicked_idx = vq->avail_idx;
	vq->added = 0;
	if (wanted)
		drv_vq_force_kick(vq);
	else
		vq->suppressed++;
}

static bool is_used(const struct drv_vq *vq)
{
	u16 flags;

	if (!vq->packed)
		return load16(vq->used + 2) != vq->used_idx;
	flags = load16(vq->desc + 16 * vq->used_idx + 14);
	return !!(flags & FLAG_USED) == vq->used_wrap && !!(flags & FLAG_AVAIL) == vq->used_wrap;
}

/* Tell us of the next one. */
static void want_used(struct drv_vq *vq)
{
	u32 event;

	if (!vq->packed) {
		store16(vq->avail + 4 + 2 * vq->size, vq->used_idx);
		return;
	}
	event = vq->event_idx ? EVENT_DESC << 16 | (u32)vq->used_wrap << 15 | vq->used_idx : 0;
	__atomic_store_n((u32 *)vq->avail, event, __ATOMIC_RELEASE);
}

static u16 take_split(struct drv_vq *vq, u32 *len)
{
	const u8 *elem = vq->used + 4 + 8 * (vq->used_idx % vq->size);
	u16 head = (u16)xvm_get32(elem), at, i;

	*len = xvm_get32(elem + 4);
	vq->used_idx++;
	assert_true(head < vq->size && vq->chain[head]);
	for (i = 0, at = head; i < vq->chain[head]; i++, at = vq->next[at])
		vq->free[vq->n_free++] = at;
	return head;
}

static u16 take_packed(struct drv_vq *vq, u32 *len)
{
	const u8 *at = vq->desc + 16 * vq->used_idx;
	u16 id = xvm_get16(at + 12);

	*len = xvm_get32(at + 8);
	assert_true(id < vq->size && vq->chain[id]);
	assert_int_equal(!!(xvm_get16(at + 14) & VRING_DESC_F_WRITE), !!*len);
	vq->used_idx = (u16)(vq->used_idx + vq->chain[id]);
	vq->room = (u16)(vq->room + vq->chain[id]);
	if (vq->used_idx >= vq->size) {
		vq->used_idx = (u16)(vq->used_idx - vq->size);
		vq->used_wrap = !vq->used_wrap;
	}
	vq->free[vq->n_free++] = id;
	return id;
}

/* Forgets head; with IN_ORDER it is the oldest. */
static void order_check(struct drv_vq *vq, u16 head)
{
	u16 i, *first = &vq->order[vq->order_first];

	if (!vq->order_count)		/* put there by hand */
		return;
	if (vq->in_order)
		assert_int_equal(head, *first);
	for (i = 0; i < vq->order_count; i++) {
		u16 *at = &vq->order[(vq->order_first + i) % DRV_VQ_MAX];

		if (*at == head) {
			*at = *first;
			break;
		}
	}
	vq->order_first = (vq->order_first + 1) % DRV_VQ_MAX;
	vq->order_count--;
}

int drv_vq_get(struct drv_vq *vq, u32 *len)
{
	u16 head;

	if (!is_used(vq)) {
		want_used(vq);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!is_used(vq))
			return -1;
	}
	head = vq->packed ? take_packed(vq, len) : take_split(vq, len);
	vq->chain[head] = 0;
	order_check(vq, head);
	return head;
}

int drv_vq_wait(struct drv_vq *vq, u32 *len)
{
	int head = -1;

	DRV_UNTIL(vq->drv, (head = drv_vq_get(vq, len)) >= 0);
	return head;
}
