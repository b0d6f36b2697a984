/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's side of one split queue in one area, for tests that drive vq.c or
 * a device model directly: writes descriptors and entries, reads what is used.
 * Obeys nothing by itself, so tests can break each rule.
 */
#ifndef XVM_TEST_RING_MEM_H
#define XVM_TEST_RING_MEM_H

#include <stdlib.h>

#include "../../dom0/virtio/vq.h"

#define RING_AREA	3u
#define RING_DESC	0x0000u		/* offsets in the area */
#define RING_AVAIL	0x4000u
#define RING_USED	0x5000u
#define RING_DATA	0x8000u

#define RING_NEXT	1u
#define RING_WRITE	2u
#define RING_INDIRECT	4u

struct ring_mem {
	u8 *base;
	size_t bytes;
	u32 size;
	u16 avail_idx, used_seen;
	u32 next_desc;
};

static inline u64 ring_addr(u32 off)
{
	return xvm_addr_make(RING_AREA, off);
}

/* The block has just these bytes, so that the sanitizer sees one beyond. */
static inline void ring_mem_init(struct ring_mem *r, struct xvm_mem *mem, u32 size, size_t bytes)
{
	memset(r, 0, sizeof(*r));
	r->base = aligned_alloc(4096, bytes);
	memset(r->base, 0, bytes);
	r->bytes = bytes;
	r->size = size;
	mem->area[RING_AREA].base = r->base;
	mem->area[RING_AREA].bytes = bytes;
}

static inline void ring_mem_free(struct ring_mem *r)
{
	free(r->base);
}

/* A fresh queue over the same memory, as after a reset. */
static inline void ring_mem_restart(struct ring_mem *r)
{
	memset(r->base, 0, RING_DATA);
	r->avail_idx = r->used_seen = 0;
	r->next_desc = 0;
}

static inline struct xvm_vq_config ring_config(const struct ring_mem *r)
{
	struct xvm_vq_config config = { r->size, ring_addr(RING_DESC), ring_addr(RING_AVAIL),
					ring_addr(RING_USED) };

	return config;
}

static inline void ring_put_desc(u8 *at, u64 addr, u32 len, u16 flags, u16 next)
{
	xvm_put64(at, addr);
	xvm_put32(at + 8, len);
	xvm_put16(at + 12, flags);
	xvm_put16(at + 14, next);
}

static inline void ring_desc(struct ring_mem *r, u32 i, u64 addr, u32 len, u16 flags, u16 next)
{
	ring_put_desc(r->base + RING_DESC + 16 * i, addr, len, flags, next);
}

/* An entry of an indirect table at a data offset. */
static inline void ring_indirect(struct ring_mem *r, u32 table, u32 i, u64 addr, u32 len,
				 u16 flags, u16 next)
{
	ring_put_desc(r->base + table + 16 * i, addr, len, flags, next);
}

static inline void ring_set_avail_idx(struct ring_mem *r, u16 idx)
{
	r->avail_idx = idx;
	xvm_put16(r->base + RING_AVAIL + 2, idx);
}

static inline void ring_offer(struct ring_mem *r, u16 head)
{
	xvm_put16(r->base + RING_AVAIL + 4 + 2 * (r->avail_idx % r->size), head);
	ring_set_avail_idx(r, (u16)(r->avail_idx + 1));
}

struct ring_seg {
	u32 off, len;
	bool write;
};

/* Lays a direct chain of these buffers and offers it; returns its head. */
static inline u16 ring_chain(struct ring_mem *r, const struct ring_seg *seg, u32 n)
{
	u16 head = (u16)(r->next_desc % r->size);
	u32 i;

	for (i = 0; i < n; i++) {
		u32 at = r->next_desc++ % r->size;
		u16 flags = (u16)((seg[i].write ? RING_WRITE : 0) | (i + 1 < n ? RING_NEXT : 0));

		ring_desc(r, at, ring_addr(seg[i].off), seg[i].len, flags,
			  (u16)(r->next_desc % r->size));
	}
	ring_offer(r, head);
	return head;
}

static inline u16 ring_used_idx(const struct ring_mem *r)
{
	return xvm_get16(r->base + RING_USED + 2);
}

/* The next used element; false: none. */
static inline bool ring_take_used(struct ring_mem *r, u32 *head, u32 *len)
{
	const u8 *elem = r->base + RING_USED + 4 + 8 * (r->used_seen % r->size);

	if (ring_used_idx(r) == r->used_seen)
		return false;
	*head = xvm_get32(elem);
	*len = xvm_get32(elem + 4);
	r->used_seen++;
	return true;
}

static inline void ring_set_used_event(struct ring_mem *r, u16 v)
{
	xvm_put16(r->base + RING_AVAIL + 4 + 2 * r->size, v);
}

static inline u16 ring_avail_event(const struct ring_mem *r)
{
	return xvm_get16(r->base + RING_USED + 4 + 8 * r->size);
}

static inline void ring_set_avail_flags(struct ring_mem *r, u16 v)
{
	xvm_put16(r->base + RING_AVAIL, v);
}

static inline u16 ring_used_flags(const struct ring_mem *r)
{
	return xvm_get16(r->base + RING_USED);
}

#endif
