/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's side of one packed queue in one area, beside ring_mem.h and in the
 * same places: descriptors at RING_DESC, the driver's event structure at
 * RING_AVAIL, the device's at RING_USED. Keeps laps and what each buffer id
 * took; obeys nothing by itself, so tests can break each rule.
 */
#ifndef XVM_TEST_PACKED_MEM_H
#define XVM_TEST_PACKED_MEM_H

#include "ring_mem.h"

#define PACKED_AVAIL	(1u << 7)
#define PACKED_USED	(1u << 15)

#define PACKED_ENABLE	0u
#define PACKED_DISABLE	1u
#define PACKED_DESC	2u

struct packed_mem {
	struct ring_mem r;
	u16 next, used;
	bool wrap, used_wrap;
	u16 count[65536];	/* descriptors of a buffer, by id */
};

static inline void packed_restart(struct packed_mem *p)
{
	memset(p->r.base, 0, RING_DATA);
	p->next = p->used = 0;
	p->wrap = p->used_wrap = true;
	memset(p->count, 0, sizeof(p->count));
}

static inline u16 packed_flags(bool wrap)
{
	return wrap ? PACKED_AVAIL : PACKED_USED;
}

/* One descriptor at the next place, shown at once unless flags are held back. */
static inline u8 *packed_desc(struct packed_mem *p, u64 addr, u32 len, u16 id, u16 *flags)
{
	u8 *at = p->r.base + RING_DESC + 16 * p->next;

	xvm_put64(at, addr);
	xvm_put32(at + 8, len);
	xvm_put16(at + 12, id);
	*flags |= packed_flags(p->wrap);
	if (++p->next == p->r.size) {
		p->next = 0;
		p->wrap = !p->wrap;
	}
	return at;
}

/* One descriptor that stands for a whole buffer, with any flags. */
static inline void packed_one(struct packed_mem *p, u64 addr, u32 len, u16 id, u16 flags)
{
	u8 *at = packed_desc(p, addr, len, id, &flags);

	p->count[id]++;
	xvm_put16(at + 14, flags);
}

/* A chain of these buffers; only the last descriptor has the id. */
static inline void packed_chain(struct packed_mem *p, const struct ring_seg *seg, u32 n, u16 id)
{
	u8 *first = NULL, *at;
	u16 flags, first_flags = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		flags = (u16)((seg[i].write ? RING_WRITE : 0) | (i + 1 < n ? RING_NEXT : 0));
		at = packed_desc(p, ring_addr(seg[i].off), seg[i].len, i + 1 < n ? 0xdead : id,
				 &flags);
		if (first)
			xvm_put16(at + 14, flags);
		else
			first_flags = flags;
		first = first ? first : at;
	}
	p->count[id] = (u16)n;
	xvm_put16(first + 14, first_flags);
}

/* The next used descriptor; false: none. */
static inline bool packed_take_used(struct packed_mem *p, u32 *id, u32 *len)
{
	const u8 *at = p->r.base + RING_DESC + 16 * p->used;
	u16 flags = xvm_get16(at + 14);

	if (!!(flags & PACKED_USED) != p->used_wrap || !!(flags & PACKED_AVAIL) != p->used_wrap)
		return false;
	*id = xvm_get16(at + 12);
	*len = xvm_get32(at + 8);
	p->used = (u16)(p->used + p->count[*id]);
	p->count[*id] = 0;
	if (p->used >= p->r.size) {
		p->used = (u16)(p->used - p->r.size);
		p->used_wrap = !p->used_wrap;
	}
	return true;
}

/* What the driver asks for: told at this place and lap, or ENABLE, DISABLE. */
static inline void packed_ask(struct packed_mem *p, u16 at, bool wrap, u16 flags)
{
	xvm_put16(p->r.base + RING_AVAIL, (u16)(at | wrap << 15));
	xvm_put16(p->r.base + RING_AVAIL + 2, flags);
}

static inline u32 packed_device_event(const struct packed_mem *p)
{
	return xvm_get32(p->r.base + RING_USED);
}

#endif
