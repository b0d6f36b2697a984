/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two ring formats share: vq.c (the contract of vq.h, the split ring,
 * the order of what is out) and vq_packed.c (the packed ring). Nobody else
 * includes this.
 */
#ifndef XVM_DOM0_VIRTIO_VQ_PRIV_H
#define XVM_DOM0_VIRTIO_VQ_PRIV_H

#include "vq.h"

#define DESC_BYTES		16u
#define DESC_F_NEXT		1u
#define DESC_F_WRITE		2u
#define DESC_F_INDIRECT		4u

/* A private copy of a descriptor. */
struct vq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;	/* packed: the buffer id */
};

/* Where the walk of one chain is. */
struct vq_walk {
	const u8 *table;	/* queue's own table or an indirect one */
	u32 entries;		/* of that table */
	u32 steps, limit;	/* descriptors seen, and how many may be */
	bool indirect;
	struct iovec *iov;
	u32 max_iov, n, nout;
	u64 out_bytes, in_bytes;
};

/* The ring words are 16 bits wide and 2-aligned; plat.h has the 32-bit ones. */
static inline u16 load16(const u8 *p)
{
	return le16toh(__atomic_load_n((const u16 *)p, __ATOMIC_RELAXED));
}

static inline u16 acquire16(const u8 *p)
{
	return le16toh(__atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE));
}

static inline void store16(u8 *p, u16 v)
{
	__atomic_store_n((u16 *)p, htole16(v), __ATOMIC_RELAXED);
}

static inline void publish16(u8 *p, u16 v)
{
	__atomic_store_n((u16 *)p, htole16(v), __ATOMIC_RELEASE);
}

static inline int vq_fault(struct xvm_vq *vq, int err, const char *fault, u64 value)
{
	vq->fault = fault;
	vq->fault_value = (u32)value;
	return err;
}

/* ---- vq.c ---- */

/* Goes on in the indirect table that desc names. 0 or -EPROTO. */
int vq_walk_enter(struct xvm_vq *vq, struct vq_walk *walk, const struct vq_desc *desc);
/* One more buffer of the chain. 0 or -EPROTO. */
int vq_walk_add(struct xvm_vq *vq, struct vq_walk *walk, const struct vq_desc *desc);
/* True when a buffer of this head or id was popped and not shown as used since. */
bool vq_is_out(const struct xvm_vq *vq, u16 head);

/* A used element, not shown yet; used.idx up to used_next; used.idx as it is. */
void split_put(struct xvm_vq *vq, u16 position, u16 head, u32 len);
void split_show(struct xvm_vq *vq);
u16 split_shown(const struct xvm_vq *vq);

/* ---- keep.c ---- */

/* The next head to be served again: 1, or -EPROTO. Takes nothing. */
int vq_next_again(struct xvm_vq *vq, u16 *head);

/* ---- vq_packed.c ---- */

int packed_place(struct xvm_vq *vq, const struct xvm_vq_config *config);
/* Walks the next chain: 1 with its id and its length in the ring, 0, or -EPROTO. Takes nothing. */
int packed_next(struct xvm_vq *vq, struct vq_walk *walk, u16 *id, u16 *count);
void packed_take(struct xvm_vq *vq, u16 count);
void packed_untake(struct xvm_vq *vq, u16 count);
/* Writes a used descriptor in place of count available ones; not shown before packed_flush. */
void packed_put(struct xvm_vq *vq, u16 id, u16 count, u32 len);
bool packed_flush(struct xvm_vq *vq);
bool packed_arm(struct xvm_vq *vq);
void packed_disarm(struct xvm_vq *vq);

#endif
