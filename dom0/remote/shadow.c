// SPDX-License-Identifier: GPL-2.0-or-later
#include "shadow.h"

#define DESC_BYTES	16u
#define DESC_F_NEXT	1u
#define DESC_F_WRITE	2u
#define RING_IDX	2u
#define RING_ENTRIES	4u
#define USED_BYTES	8u
#define USED_F_NO_NOTIFY 1u

#define AVAIL_AT	(DESC_BYTES * SHADOW_MAX_SIZE)
#define USED_AT		(AVAIL_AT + 1024u)

_Static_assert(AVAIL_AT + RING_ENTRIES + 2 * SHADOW_MAX_SIZE + 2 <= USED_AT &&
	       USED_AT + RING_ENTRIES + USED_BYTES * SHADOW_MAX_SIZE + 2 <= SHADOW_QUEUE_BYTES, "parts overlap");

static u16 load16(const u8 *p)
{
	return le16toh(__atomic_load_n((const u16 *)(const void *)p, __ATOMIC_RELAXED));
}

static void store16(u8 *p, u16 v)
{
	__atomic_store_n((u16 *)(void *)p, htole16(v), __ATOMIC_RELAXED);
}

void shadow_init(struct shadow *q, u8 *mem, u64 addr, u16 size)
{
	u16 i;

	memset(q, 0, sizeof(*q));
	memset(mem, 0, SHADOW_QUEUE_BYTES);
	q->desc = mem;
	q->avail = mem + AVAIL_AT;
	q->used = mem + USED_AT;
	q->desc_addr = addr;
	q->avail_addr = addr + AVAIL_AT;
	q->used_addr = addr + USED_AT;
	q->size = q->nfree = size;
	for (i = 0; i < size; i++)
		q->slot[i].next = (u16)(i + 1);
}

static void put_desc(const struct shadow *q, u16 i, const struct shadow_seg *seg, u16 flags, u16 next)
{
	u8 raw[DESC_BYTES];

	xvm_put64(raw, seg->addr);
	xvm_put32(raw + 8, seg->len);
	xvm_put16(raw + 12, flags);
	xvm_put16(raw + 14, next);
	xvm_shm_copy(q->desc + (size_t)i * DESC_BYTES, raw, sizeof(raw));
}

void shadow_put(struct shadow *q, const struct shadow_seg *seg, u32 nout, u32 nin, u16 token)
{
	u16 head = q->free, at = head, next;
	u32 i, in_bytes = 0;

	for (i = 0; i < nout + nin; i++, at = next) {
		next = q->slot[at].next;
		put_desc(q, at, &seg[i], (u16)((i + 1 < nout + nin ? DESC_F_NEXT : 0) |
					       (i >= nout ? DESC_F_WRITE : 0)), next);
		in_bytes += i >= nout ? seg[i].len : 0;
	}
	q->free = at;
	q->nfree = (u16)(q->nfree - nout - nin);
	q->slot[head].count = (u16)(nout + nin);
	q->slot[head].token = token;
	q->slot[head].in_bytes = in_bytes;
	q->out++;
	store16(q->avail + RING_ENTRIES + 2 * (q->avail_idx & (q->size - 1)), head);
	q->avail_idx++;
}

bool shadow_show(struct shadow *q)
{
	if (q->shown_idx == q->avail_idx)
		return false;
	/* Release: descriptors and entries are there before the index that covers them. */
	__atomic_store_n((u16 *)(void *)(q->avail + RING_IDX), htole16(q->avail_idx), __ATOMIC_RELEASE);
	q->shown_idx = q->avail_idx;
	/* Pairs with the server's barrier between taking its flag back and its last look at avail.idx. */
	xvm_shm_mb();
	return !(load16(q->used) & USED_F_NO_NOTIFY);
}

/* Puts a chain's descriptors back on the free list: its links are ours, not what the table says by now. */
static void free_chain(struct shadow *q, u16 head)
{
	u16 last = head, i;

	for (i = 1; i < q->slot[head].count; i++)
		last = q->slot[last].next;
	q->nfree = (u16)(q->nfree + q->slot[head].count);
	q->slot[head].count = 0;
	q->slot[last].next = q->free;
	q->free = head;
	q->out--;
}

static int fault(struct shadow *q, const char *why)
{
	q->fault = why;
	return -EPROTO;
}

int shadow_take(struct shadow *q, u16 *token, u32 *len)
{
	/* Acquire pairs with the server's barrier before used.idx: elements and data are there. */
	u16 idx = le16toh(__atomic_load_n((u16 *)(void *)(q->used + RING_IDX), __ATOMIC_ACQUIRE));
	const u8 *elem = q->used + RING_ENTRIES + USED_BYTES * (q->last_used & (q->size - 1));
	struct shadow_slot *slot;
	u32 head, bytes;

	if (idx == q->last_used)
		return 0;
	if ((u16)(idx - q->last_used) > q->out)
		return fault(q, "server used more buffers than it has");
	head = xvm_shm_load32(elem);
	bytes = xvm_shm_load32(elem + 4);
	if (head >= q->size || !q->slot[head].count)
		return fault(q, "server used a buffer that it does not have");
	slot = &q->slot[head];
	if (bytes > slot->in_bytes)
		return fault(q, "server wrote more than a buffer holds");
	*token = slot->token;
	*len = bytes;
	q->last_used++;
	free_chain(q, (u16)head);
	return 1;
}

bool shadow_drop(struct shadow *q, u16 *token)
{
	u16 i;

	for (i = 0; q->out && i < q->size; i++) {
		if (!q->slot[i].count)
			continue;
		*token = q->slot[i].token;
		free_chain(q, i);
		return true;
	}
	return false;
}
