/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driver side of a split virtqueue (virtio 1.2, section 2.7) in memory that a
 * server shares with us: chains of addresses go out, used elements come back.
 * The queue shadows one of the guest's, of the same size at most: a request is
 * popped from that one and put here, and given back there when it is done here.
 * The server never sees the guest's rings, and a request that it loses is known.
 *
 * Trust: the server writes the used ring, and can write the rest too. Nothing
 * is read back but used.idx and used elements, once each; an element must name
 * a chain that is out, and no more than its writable bytes.
 */
#ifndef XVM_DOM0_REMOTE_SHADOW_H
#define XVM_DOM0_REMOTE_SHADOW_H

#include "../../xen/proto/num.h"

#define SHADOW_MAX_SIZE 256u
#define SHADOW_QUEUE_BYTES 8192u	/* of a queue of SHADOW_MAX_SIZE, on a page */

struct shadow_seg {
	u64 addr;
	u32 len;
};

/* One head, private. */
struct shadow_slot {
	u16 next;		/* of its chain, or of the free list */
	u16 count;		/* descriptors, at the head of what is out; 0: not out */
	u16 token;
	u32 in_bytes;
};

struct shadow {
	u8 *desc, *avail, *used;
	u64 desc_addr, avail_addr, used_addr;	/* as the server is told */
	u16 size, free, nfree;
	u16 avail_idx, shown_idx, last_used;
	u32 out;		/* chains */
	struct shadow_slot slot[SHADOW_MAX_SIZE];
	const char *fault;	/* why take said -EPROTO */
};

/*
 * A queue as new, in SHADOW_QUEUE_BYTES at mem, which the server finds at addr. size is a power of
 * two, up to SHADOW_MAX_SIZE.
 */
void shadow_init(struct shadow *q, u8 *mem, u64 addr, u16 size);
/* Room for a chain of n. */
static inline bool shadow_has_room(const struct shadow *q, u32 n)
{
	return n <= q->nfree;
}
/* Adds a chain, nout readable and nin writable, together at least one; the caller has seen that there is room. */
void shadow_put(struct shadow *q, const struct shadow_seg *seg, u32 nout, u32 nin, u16 token);
/* Shows what was put. True: the server wants to be notified of it. */
bool shadow_show(struct shadow *q);
/* The next chain that is done. 1; 0: none; -EPROTO: the server broke the queue. */
int shadow_take(struct shadow *q, u16 *token, u32 *len);
/* Any chain that is out, which then no longer is. False: none is. */
bool shadow_drop(struct shadow *q, u16 *token);

#endif
