// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtqueue, device side: the contract of vq.h, what is out and in which order
 * it goes back, and the split ring; the packed one is in vq_packed.c. Must not
 * know devices, messages or Xen. Called by vdev.c, and by tests and the fuzzer
 * directly.
 *
 * Every shared word is loaded once, every descriptor copied once, and only
 * the private copy is checked and used.
 */
#include "keep.h"
#include "vq_priv.h"

/* Layout of the three parts (virtio 1.2, sections 2.7.5, 2.7.6, 2.7.8) */
#define AVAIL_FLAGS		0u
#define AVAIL_IDX		2u
#define AVAIL_RING		4u
#define USED_FLAGS		0u
#define USED_IDX		2u
#define USED_RING		4u
#define USED_ELEM_BYTES		8u

#define AVAIL_F_NO_INTERRUPT	1u
#define USED_F_NO_NOTIFY	1u

#define CHAIN_MAX_BYTES		(1ull << 31)

static u8 *avail_event(const struct xvm_vq *vq)
{
	return vq->used + USED_RING + USED_ELEM_BYTES * vq->config.size;
}

static const u8 *used_event(const struct xvm_vq *vq)
{
	return vq->avail + AVAIL_RING + 2 * vq->config.size;
}

/* ---- what is out ---- */

/*
 * The split ring marks heads in a bitmap. Packed ids are any 16 bits, and with
 * IN_ORDER the order counts: those are listed, in the order they were popped.
 */
static bool is_listed(const struct xvm_vq *vq)
{
	return vq->packed || vq->in_order;
}

static struct xvm_vq_out *out_at(struct xvm_vq *vq, u32 i)
{
	return &vq->out[(vq->out_first + i) % XVM_VQ_MAX_SIZE];
}

/* The list is no longer than the queue; most drivers keep a few. */
static u32 out_find(const struct xvm_vq *vq, u16 head)
{
	u32 i;

	for (i = 0; i < vq->out_count; i++) {
		if (vq->out[(vq->out_first + i) % XVM_VQ_MAX_SIZE].head == head)
			break;
	}
	return i;
}

bool vq_is_out(const struct xvm_vq *vq, u16 head)
{
	if (is_listed(vq))
		return out_find(vq, head) < vq->out_count;
	return vq->taken[head / 64] >> (head % 64) & 1;
}

static void head_mark(struct xvm_vq *vq, u16 head, bool taken)
{
	u64 bit = 1ull << (head % 64);

	if (taken)
		vq->taken[head / 64] |= bit;
	else
		vq->taken[head / 64] &= ~bit;
}

static void out_add(struct xvm_vq *vq, u16 head, u16 descs)
{
	struct xvm_vq_out out = { .head = head, .descs = descs };

	vq->in_flight++;
	if (is_listed(vq))
		*out_at(vq, vq->out_count++) = out;
	else
		head_mark(vq, head, true);
}

/* ---- set-up ---- */

static int split_place(struct xvm_vq *vq, const struct xvm_vq_config *config)
{
	u8 *desc, *avail, *used;
	u32 size = config->size;

	if (!xvm_is_pow2(size) || size > vq->max_size)
		return vq_fault(vq, -EINVAL, "queue size is no power of two in bounds", size);
	/* Areas start on a page, so the address has the alignment of the offset. */
	if (config->desc & 15 || config->driver & 1 || config->device & 3)
		return vq_fault(vq, -EINVAL, "ring address is not aligned",
				config->desc | config->driver | config->device);
	desc = xvm_mem_at(vq->mem, config->desc, (u64)DESC_BYTES * size);
	avail = xvm_mem_at(vq->mem, config->driver, AVAIL_RING + 2ull * size + 2);
	used = xvm_mem_at(vq->mem, config->device,
			  USED_RING + (u64)USED_ELEM_BYTES * size + 2);
	if (!desc || !avail || !used)
		return vq_fault(vq, -EINVAL, "ring is not in an area", !desc ? 0 : !avail ? 1 : 2);

	xvm_vq_reset(vq);
	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	return 0;
}

int xvm_vq_enable(struct xvm_vq *vq, const struct xvm_vq_config *config, u32 how)
{
	int err;

	err = how & XVM_VQ_PACKED ? packed_place(vq, config) : split_place(vq, config);
	if (err)
		return err;
	vq->config = *config;
	vq->packed = how & XVM_VQ_PACKED;
	vq->event_idx = how & XVM_VQ_EVENT_IDX;
	vq->in_order = how & XVM_VQ_IN_ORDER;
	vq->enabled = true;
	return 0;
}

void xvm_vq_reset(struct xvm_vq *vq)
{
	struct xvm_vq clean = { .mem = vq->mem, .keep = vq->keep, .dev = vq->dev,
				.index = vq->index, .max_size = vq->max_size, .outside = vq->outside };

	*vq = clean;
}

static struct vq_desc read_desc(const u8 *table, u32 index)
{
	struct vq_desc desc;
	u8 raw[DESC_BYTES];

	xvm_shm_copy(raw, table + (size_t)index * DESC_BYTES, sizeof(raw));
	desc.addr = xvm_get64(raw);
	desc.len = xvm_get32(raw + 8);
	desc.flags = xvm_get16(raw + 12);
	desc.next = xvm_get16(raw + 14);
	return desc;
}

/*
 * Goes on in an indirect table. The device must accept direct descriptors
 * before it, but it ends the chain, and tables do not nest (virtio 1.2,
 * section 2.7.5.3). A table may be longer than the walk through it.
 */
int vq_walk_enter(struct xvm_vq *vq, struct vq_walk *walk, const struct vq_desc *desc)
{
	if (walk->indirect)
		return vq_fault(vq, -EPROTO, "indirect table inside an indirect table", desc->flags);
	if (desc->flags & DESC_F_NEXT)
		return vq_fault(vq, -EPROTO, "indirect descriptor with a next one", desc->flags);
	if (!desc->len || desc->len % DESC_BYTES)
		return vq_fault(vq, -EPROTO, "indirect table of no whole descriptors", desc->len);
	walk->table = xvm_mem_at(vq->mem, desc->addr, desc->len);
	if (!walk->table)
		return vq_fault(vq, -EPROTO, "indirect table is not in an area", desc->addr);
	walk->entries = desc->len / DESC_BYTES;
	walk->indirect = true;
	/*
	 * A driver may run a smaller queue than we offer and still build the
	 * longest requests (Linux does), so the bound here is the offer. The
	 * descriptor that led here is no buffer and does not count.
	 */
	walk->limit = vq->max_size;
	walk->steps--;
	return 0;
}

/*
 * A buffer of length 0 is refused: the address of no byte cannot be checked,
 * and no driver sends one. Bounds the sums, so the u32 of xvm_chain hold them.
 */
int vq_walk_add(struct xvm_vq *vq, struct vq_walk *walk, const struct vq_desc *desc)
{
	bool write = desc->flags & DESC_F_WRITE;
	void *base;

	if (!desc->len)
		return vq_fault(vq, -EPROTO, "buffer of length zero", walk->n);
	base = xvm_mem_at(vq->mem, desc->addr, desc->len);
	if (!base)
		return vq_fault(vq, -EPROTO, "buffer is not in an area", desc->addr);
	if (!write && walk->n != walk->nout)
		return vq_fault(vq, -EPROTO, "readable buffer after a writable one", walk->n);
	if (walk->n == walk->max_iov)
		return vq_fault(vq, -EPROTO, "more buffers than the device takes", walk->n);
	if (write)
		walk->in_bytes += desc->len;
	else
		walk->out_bytes += desc->len;
	if (walk->in_bytes + walk->out_bytes > CHAIN_MAX_BYTES)
		return vq_fault(vq, -EPROTO, "chain of more than 2 GiB", walk->n);
	walk->iov[walk->n].iov_base = base;
	walk->iov[walk->n++].iov_len = desc->len;
	walk->nout += !write;
	return 0;
}

/* A loop has no end, so it meets the limit: nothing else is needed against it. */
static int walk_chain(struct xvm_vq *vq, struct vq_walk *walk, u32 index)
{
	struct vq_desc desc;
	int err;

	for (;;) {
		if (index >= walk->entries)
			return vq_fault(vq, -EPROTO, "descriptor index beyond its table", index);
		if (walk->steps++ == walk->limit)
			return vq_fault(vq, -EPROTO, "chain longer than the queue", walk->limit);
		desc = read_desc(walk->table, index);
		if (desc.flags & DESC_F_INDIRECT) {
			err = vq_walk_enter(vq, walk, &desc);
			index = 0;
		} else {
			err = vq_walk_add(vq, walk, &desc);
			if (!err && !(desc.flags & DESC_F_NEXT))
				return 0;
			index = desc.next;
		}
		if (err)
			return err;
	}
}

/* Returns 1 with the head of the next chain, 0, or -EPROTO. Takes nothing. */
static int next_head(struct xvm_vq *vq, u16 *head)
{
	u32 size = vq->config.size;
	u16 idx, ahead;

	/* Acquire pairs with the driver's barrier before avail.idx: ring and descriptors are there. */
	idx = acquire16(vq->avail + AVAIL_IDX);
	ahead = (u16)(idx - vq->last_avail);
	if (!ahead)
		return 0;
	if (ahead > size)
		return vq_fault(vq, -EPROTO, "available index runs ahead of the queue", idx);
	*head = load16(vq->avail + AVAIL_RING + 2 * (vq->last_avail & (size - 1)));
	if (*head >= size)
		return vq_fault(vq, -EPROTO, "head beyond the queue", *head);
	/* A chain given twice would be two requests on one buffer, and in_flight above size. */
	if (vq_is_out(vq, *head))
		return vq_fault(vq, -EPROTO, "head is already in use by the device", *head);
	return 1;
}

/* As packed_next. */
static int split_next(struct xvm_vq *vq, struct vq_walk *walk, u16 *head)
{
	bool again = xvm_vq_agains(vq);
	int ret = again ? vq_next_again(vq, head) : next_head(vq, head), err;

	if (ret <= 0)
		return ret;
	/* Before the chain is looked at, so that one that kills by that is counted too. */
	if (!again)
		keep_take(vq, *head);
	walk->table = vq->desc;
	walk->entries = walk->limit = vq->config.size;
	err = walk_chain(vq, walk, *head);
	return err ? err : 1;
}

int xvm_vq_pop(struct xvm_vq *vq, struct xvm_chain *chain, struct iovec *iov, u32 max_iov)
{
	struct vq_walk walk = { .iov = iov, .max_iov = max_iov };
	u16 head, descs = 0;
	bool again;
	int ret;

	if (!vq->enabled || vq->stopped)
		return 0;
	if (vq->fault)
		return -EPROTO;
	again = xvm_vq_agains(vq);
	ret = vq->packed ? packed_next(vq, &walk, &head, &descs) : split_next(vq, &walk, &head);
	if (ret <= 0)
		return ret;

	if (vq->packed)
		packed_take(vq, descs);
	else if (again)
		vq->again_at++;
	else
		vq->last_avail++;
	out_add(vq, head, descs);
	chain->head = head;
	chain->again = again;
	chain->nout = (u16)walk.nout;
	chain->nin = (u16)(walk.n - walk.nout);
	chain->out = iov;
	chain->in = iov + walk.nout;
	chain->out_bytes = (u32)walk.out_bytes;
	chain->in_bytes = (u32)walk.in_bytes;
	return 1;
}

/* The last one popped is the last of the list, unless a push has filled its gap with that. */
static u16 out_remove(struct xvm_vq *vq, u16 head)
{
	struct xvm_vq_out *out = out_at(vq, out_find(vq, head));
	u16 descs = out->descs;

	*out = *out_at(vq, --vq->out_count);
	return descs;
}

void xvm_vq_unpop(struct xvm_vq *vq, const struct xvm_chain *chain)
{
	u16 descs = 0;

	vq->in_flight--;
	if (is_listed(vq))
		descs = out_remove(vq, chain->head);
	else
		head_mark(vq, chain->head, false);
	if (vq->packed) {
		packed_untake(vq, descs);
	} else if (chain->again) {
		vq->again_at--;
		keep_untake_again(vq, chain->head);
	} else {
		vq->last_avail--;
		keep_untake(vq, chain->head);
	}
}

/* ---- giving back ---- */

/* The list is never read again: a stopped queue ends with a reset. */
void xvm_vq_drop(struct xvm_vq *vq, u16 head)
{
	if (!is_listed(vq))
		head_mark(vq, head, false);
	vq->in_flight--;
}

/* The driver looks at these only once flush has moved used.idx past them. */
void split_put(struct xvm_vq *vq, u16 position, u16 head, u32 len)
{
	u8 *elem = vq->used + USED_RING + USED_ELEM_BYTES * (position & (vq->config.size - 1));

	xvm_shm_store32(elem, head);
	xvm_shm_store32(elem + 4, len);
}

/* Release: data, status and used elements are visible before the index that covers them. */
void split_show(struct xvm_vq *vq)
{
	publish16(vq->used + USED_IDX, vq->used_next);
}

u16 split_shown(const struct xvm_vq *vq)
{
	return load16(vq->used + USED_IDX);
}

/* The order of these steps, and of those in keep_take, is what recovery rests on (keep.c). */
static void put_used(struct xvm_vq *vq, u16 head, u16 descs, u32 len)
{
	if (vq->packed) {
		packed_put(vq, head, descs, len);
		return;
	}
	keep_done(vq, head, len);
	split_put(vq, vq->used_next, head, len);
	keep_given(vq, head);
	vq->used_next++;
}

/* IN_ORDER: what is done goes back when all that was popped before it has. */
static void push_in_order(struct xvm_vq *vq, struct xvm_vq_out *out, u32 len)
{
	out->done = true;
	out->len = len;
	while (vq->out_count && out_at(vq, 0)->done) {
		out = out_at(vq, 0);
		put_used(vq, out->head, out->descs, out->len);
		vq->out_first = (vq->out_first + 1) % XVM_VQ_MAX_SIZE;
		vq->out_count--;
	}
}

void xvm_vq_push(struct xvm_vq *vq, u16 head, u32 len)
{
	struct xvm_vq_out *out;

	vq->in_flight--;
	if (!is_listed(vq)) {
		put_used(vq, head, 0, len);
		head_mark(vq, head, false);
		return;
	}
	out = out_at(vq, out_find(vq, head));
	if (vq->in_order) {
		push_in_order(vq, out, len);
		return;
	}
	put_used(vq, head, out->descs, len);
	/* The order of the others does not matter then. */
	*out = *out_at(vq, --vq->out_count);
}

bool xvm_vq_flush(struct xvm_vq *vq)
{
	u16 old = vq->used_flushed, now = vq->used_next, event;

	if (!vq->enabled)
		return false;
	if (vq->packed)
		return packed_flush(vq);
	if (now == old)
		return false;
	split_show(vq);
	vq->used_flushed = now;
	/*
	 * Pairs with the driver's barrier between setting used_event (or clearing
	 * its flag) and looking at used.idx again: one of the two sees the other.
	 */
	xvm_shm_mb();
	if (!vq->event_idx)
		return !(load16(vq->avail + AVAIL_FLAGS) & AVAIL_F_NO_INTERRUPT);
	event = load16(used_event(vq));
	return (u16)(now - event - 1) < (u16)(now - old);
}

bool xvm_vq_has_more(const struct xvm_vq *vq)
{
	return load16(vq->avail + AVAIL_IDX) != vq->last_avail;
}

bool xvm_vq_arm(struct xvm_vq *vq)
{
	if (!vq->enabled || vq->stopped || vq->outside)
		return false;
	if (vq->packed)
		return packed_arm(vq);
	if (vq->event_idx)
		store16(avail_event(vq), vq->last_avail);
	else
		store16(vq->used + USED_FLAGS, 0);
	/*
	 * Pairs with the driver's barrier between avail.idx and its look at
	 * avail_event: either it sees that we sleep or we see its new entry.
	 */
	xvm_shm_mb();
	return xvm_vq_has_more(vq);
}

void xvm_vq_disarm(struct xvm_vq *vq)
{
	if (!vq->enabled || vq->stopped || vq->outside)
		return;
	if (vq->packed)
		packed_disarm(vq);
	/* With event index nothing is to do: the driver passes avail_event once and is quiet then. */
	else if (!vq->event_idx)
		store16(vq->used + USED_FLAGS, USED_F_NO_NOTIFY);
}
