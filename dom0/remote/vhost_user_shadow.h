/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue as a server sees it: a split ring, in memory that is the worker's and not the guest's. The
 * buffers of a request are the guest's own where the server has the areas they lie in, else requests are copied
 * into that memory and their answers out of it, so that such a server sees what was sent to it and nothing
 * else of a guest; the guest's own queue stays with vq.h and its record.
 *
 * Trust: the server writes to all of this memory at any time. Positions, sizes and
 * what is out are kept apart from it; of the used ring each word is read once.
 */
#ifndef XVM_DOM0_REMOTE_VHOST_USER_SHADOW_H
#define XVM_DOM0_REMOTE_VHOST_USER_SHADOW_H

#include "../ipc.h"
#include "../virtio/vq.h"

#define VU_SHADOW_SIZE 256u		/* descriptors, and so requests */
#define VU_SHADOW_AVAIL 4096u		/* where the parts begin */
#define VU_SHADOW_USED 8192u
#define VU_SHADOW_POOL 16384u
#define VU_SHADOW_PAGE 4096u
#define VU_SHADOW_PAGES ((XVM_VU_QUEUE_BYTES - VU_SHADOW_POOL) / VU_SHADOW_PAGE)
/* The largest request: when nothing else is in it, it fits. */
#define VU_SHADOW_MAX_REQUEST ((VU_SHADOW_PAGES - 2) * VU_SHADOW_PAGE)

struct vu_piece {
	u32 off, bytes;			/* in the memory */
	u64 addr;			/* as the server calls it */
	u16 next;			/* VU_SHADOW_SIZE: the last one */
	bool write;			/* by the server */
};

struct vu_shadow {
	u8 *mem;			/* XVM_VU_QUEUE_BYTES */
	u64 addr;			/* what the server calls its first byte */
	u16 avail_next, avail_shown, used_next;
	u32 out;			/* requests */
	struct vu_piece piece[VU_SHADOW_SIZE];
	u16 free_first;
	u32 free_count;
	void *request[VU_SHADOW_SIZE];	/* by head; NULL: not out */
	const struct xvm_chain *chain[VU_SHADOW_SIZE];
	bool direct[VU_SHADOW_SIZE];	/* by head: its buffers are the guest's */
	u64 busy[(VU_SHADOW_PAGES + 63) / 64];	/* pages of the pool */
	u32 next_page;			/* where to look first */
	const char *fault;		/* why take said -EPROTO */
};

/* Forgets all; the ring begins at 0. */
void vu_shadow_init(struct vu_shadow *s, u8 *mem, u64 addr);
/*
 * Copies what the server is to read and makes the chain available to it. chain and
 * request stay until take gives the request back. False: no room now.
 */
bool vu_shadow_put(struct vu_shadow *s, const struct xvm_chain *chain, void *request);
/* The same without a copy: addr says what the server calls each buffer, those to be read first. */
bool vu_shadow_put_direct(struct vu_shadow *s, const struct xvm_chain *chain, const u64 *addr, void *request);
/* Shows what was put; true: the server wants to be told. */
bool vu_shadow_show(struct vu_shadow *s);
/*
 * The next request that the server gave back, with what it wrote being where it
 * belongs, *bytes of it. NULL: none, or with s->fault: the server broke a rule of the ring.
 */
void *vu_shadow_take(struct vu_shadow *s, u32 *bytes);

#endif
