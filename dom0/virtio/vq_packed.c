// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packed virtqueue, device side (virtio 1.2, section 2.8): one ring in which
 * used descriptors overwrite available ones, and two event suppression words.
 * Owns positions and lap counters; vq.c keeps what is out. Called by vq.c.
 *
 * Every descriptor is copied once, the flags that made it ours are part of the
 * copy. What we write into the ring is never read again: which descriptors a
 * buffer took is remembered, not found out.
 */
#include "vq_priv.h"

/* Layout of a descriptor and of an event suppression structure */
#define DESC_LEN		8u
#define DESC_ID			12u
#define DESC_FLAGS		14u
#define EVENT_BYTES		4u

#define DESC_F_AVAIL		(1u << 7)
#define DESC_F_USED		(1u << 15)

#define EVENT_ENABLE		0u
#define EVENT_DISABLE		1u
#define EVENT_DESC		2u	/* at the position in the other half; EVENT_IDX only */
#define EVENT_FLAGS		3u
#define EVENT_OFFSET		0x7fffu
#define EVENT_WRAP		0x8000u

int packed_place(struct xvm_vq *vq, const struct xvm_vq_config *config)
{
	u8 *desc, *driver, *device;

	/* Any size will do here: positions are compared, not masked. */
	if (!config->size || config->size > vq->max_size)
		return vq_fault(vq, -EINVAL, "queue size is out of bounds", config->size);
	if (config->desc & 15 || config->driver & 3 || config->device & 3)
		return vq_fault(vq, -EINVAL, "ring address is not aligned",
				config->desc | config->driver | config->device);
	desc = xvm_mem_at(vq->mem, config->desc, (u64)DESC_BYTES * config->size);
	driver = xvm_mem_at(vq->mem, config->driver, EVENT_BYTES);
	device = xvm_mem_at(vq->mem, config->device, EVENT_BYTES);
	if (!desc || !driver || !device)
		return vq_fault(vq, -EINVAL, "ring is not in an area", !desc ? 0 : !driver ? 1 : 2);

	xvm_vq_reset(vq);
	vq->desc = desc;
	vq->avail = driver;
	vq->used = device;
	vq->avail_wrap = vq->used_wrap = true;
	return 0;
}

static u8 *desc_at(const struct xvm_vq *vq, u32 position)
{
	return vq->desc + (size_t)position * DESC_BYTES;
}

/* Position and lap, count descriptors further on; count is at most the size. */
static void advance(const struct xvm_vq *vq, u16 *position, bool *wrap, u32 count)
{
	u32 at = *position + count;

	if (at >= vq->config.size) {
		at -= vq->config.size;
		*wrap = !*wrap;
	}
	*position = (u16)at;
}

static bool is_available(const struct xvm_vq *vq, u16 flags)
{
	return !!(flags & DESC_F_AVAIL) == vq->avail_wrap &&
	       !!(flags & DESC_F_USED) != vq->avail_wrap;
}

/* The flags were loaded before, once; the rest is copied here, once. */
static struct vq_desc copy_desc(const u8 *at, u16 flags)
{
	struct vq_desc desc = { .flags = flags };
	u8 raw[DESC_FLAGS];

	xvm_shm_copy(raw, at, sizeof(raw));
	desc.addr = xvm_get64(raw);
	desc.len = xvm_get32(raw + DESC_LEN);
	desc.next = xvm_get16(raw + DESC_ID);
	return desc;
}

/*
 * All entries of an indirect table are the chain, in order; of their flags only
 * WRITE means something (virtio 1.2, section 2.8.7), but a table in a table is
 * a rule broken.
 */
static int walk_table(struct xvm_vq *vq, struct vq_walk *walk, const struct vq_desc *desc)
{
	struct vq_desc entry;
	const u8 *at;
	u32 i;
	int err = vq_walk_enter(vq, walk, desc);

	for (i = 0; !err && i < walk->entries; i++) {
		if (walk->steps++ == walk->limit)
			return vq_fault(vq, -EPROTO, "chain longer than the queue", walk->limit);
		at = walk->table + (size_t)i * DESC_BYTES;
		entry = copy_desc(at, load16(at + DESC_FLAGS));
		if (entry.flags & DESC_F_INDIRECT)
			err = vq_walk_enter(vq, walk, &entry);
		else
			err = vq_walk_add(vq, walk, &entry);
	}
	return err;
}

int packed_next(struct xvm_vq *vq, struct vq_walk *walk, u16 *id, u16 *count)
{
	u32 position = vq->last_avail, left = vq->config.size - vq->out_descs, n = 0;
	struct vq_desc desc;
	u16 flags;
	int err;

	/* Acquire pairs with the driver's barrier before it sets these flags: the chain is there. */
	flags = acquire16(desc_at(vq, position) + DESC_FLAGS);
	if (!is_available(vq, flags))
		return 0;
	walk->limit = vq->config.size;
	for (;;) {
		/* The ring cannot hold what is out and this: the driver offers places that are ours. */
		if (n++ == left)
			return vq_fault(vq, -EPROTO, "chain longer than the queue", left);
		walk->steps++;
		desc = copy_desc(desc_at(vq, position), flags);
		if (flags & DESC_F_INDIRECT)
			err = walk_table(vq, walk, &desc);
		else
			err = vq_walk_add(vq, walk, &desc);
		if (err)
			return err;
		if (!(flags & DESC_F_NEXT))
			break;
		position = position + 1 == vq->config.size ? 0 : position + 1;
		flags = load16(desc_at(vq, position) + DESC_FLAGS);
	}
	if (vq_is_out(vq, desc.next))
		return vq_fault(vq, -EPROTO, "buffer id is already in use by the device", desc.next);
	*id = desc.next;
	*count = (u16)n;
	return 1;
}

void packed_take(struct xvm_vq *vq, u16 count)
{
	advance(vq, &vq->last_avail, &vq->avail_wrap, count);
	vq->out_descs = (u16)(vq->out_descs + count);
}

/* The opposite, of what was taken last. */
void packed_untake(struct xvm_vq *vq, u16 count)
{
	if (vq->last_avail < count) {
		vq->last_avail = (u16)(vq->last_avail + vq->config.size);
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->last_avail = (u16)(vq->last_avail - count);
	vq->out_descs = (u16)(vq->out_descs - count);
}

/*
 * The flags of the first one since the flush are written by the flush: the
 * driver looks at used descriptors in order and stops there until then.
 */
void packed_put(struct xvm_vq *vq, u16 id, u16 count, u32 len)
{
	u16 flags = vq->used_wrap ? DESC_F_AVAIL | DESC_F_USED : 0;
	u8 *at = desc_at(vq, vq->used_next);

	if (len)
		flags |= DESC_F_WRITE;
	xvm_shm_store32(at + DESC_LEN, len);
	store16(at + DESC_ID, id);
	if (vq->put_descs)
		store16(at + DESC_FLAGS, flags);
	else
		vq->first_flags = flags;
	vq->put_descs = (u16)(vq->put_descs + count);
	vq->out_descs = (u16)(vq->out_descs - count);
	advance(vq, &vq->used_next, &vq->used_wrap, count);
}

/* The driver's position is of this lap or of the one before (virtio 1.2, section 2.8.10). */
static bool wants_used(const struct xvm_vq *vq, u16 old)
{
	u32 event = xvm_shm_load32(vq->avail);
	u16 at = event & EVENT_OFFSET;

	switch (event >> 16 & EVENT_FLAGS) {
	case EVENT_DISABLE:
		return false;
	case EVENT_DESC:
		if (!vq->event_idx)
			return true;
		if (!!(event & EVENT_WRAP) != vq->used_wrap)
			at = (u16)(at - vq->config.size);
		return (u16)(vq->used_next - at - 1) < (u16)(vq->used_next - old);
	default:
		return true;
	}
}

bool packed_flush(struct xvm_vq *vq)
{
	u16 old = (u16)(vq->used_next - vq->put_descs);

	if (!vq->put_descs)
		return false;
	/* Release: data, ids, lengths and the later descriptors are visible before the first one. */
	publish16(desc_at(vq, vq->used_flushed) + DESC_FLAGS, vq->first_flags);
	vq->used_flushed = vq->used_next;
	vq->put_descs = 0;
	/*
	 * Pairs with the driver's barrier between writing its event structure and
	 * looking at the next used descriptor: one of the two sees the other.
	 */
	xvm_shm_mb();
	return wants_used(vq, old);
}

bool packed_arm(struct xvm_vq *vq)
{
	u32 event = EVENT_ENABLE << 16;

	if (vq->event_idx)
		event = EVENT_DESC << 16 | (vq->avail_wrap ? EVENT_WRAP : 0) | vq->last_avail;
	/* One store for both halves: the driver sees no position with the flags of another. */
	xvm_shm_store32(vq->used, event);
	/*
	 * Pairs with the driver's barrier between its descriptors and its look at
	 * this structure: either it sees that we sleep or we see its new buffer.
	 */
	xvm_shm_mb();
	return is_available(vq, load16(desc_at(vq, vq->last_avail) + DESC_FLAGS));
}

void packed_disarm(struct xvm_vq *vq)
{
	xvm_shm_store32(vq->used, EVENT_DISABLE << 16);
}
