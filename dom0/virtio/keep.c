// SPDX-License-Identifier: GPL-2.0-or-later
/* What keep.h promises beyond single steps: records begin, end, and are taken up. Called by vdev_vq.c. */
#include "keep.h"
#include "vq_priv.h"

/* ---- the table ---- */

static bool is_valid(const struct keep_queue *q)
{
	return q->valid == KEEP_VALID && q->size && q->size <= XVM_VQ_MAX_SIZE &&
	       xvm_range_ok(q->first, q->size, KEEP_SLOTS);
}

static struct keep_queue *find(struct xvm_keep *keep, u16 dev, u32 index)
{
	u32 i;

	for (i = 0; i < KEEP_QUEUES; i++)
		if (is_valid(&keep->queue[i]) && keep->queue[i].dev == dev &&
		    keep->queue[i].index == index)
			return &keep->queue[i];
	return NULL;
}

static struct keep_queue *free_entry(struct xvm_keep *keep)
{
	u32 i;

	for (i = 0; i < KEEP_QUEUES; i++)
		if (!is_valid(&keep->queue[i]))
			return &keep->queue[i];
	return NULL;
}

/* First fit. The place only moves up, whatever the table says, so this ends. */
static u32 free_slots(const struct xvm_keep *keep, u32 count)
{
	const struct keep_queue *q;
	u32 i = 0, at = 0;

	while (i < KEEP_QUEUES && at + count <= KEEP_SLOTS) {
		q = &keep->queue[i++];
		if (is_valid(q) && q->first < at + count && at < q->first + q->size) {
			at = q->first + q->size;
			i = 0;
		}
	}
	return at;
}

void xvm_keep_end(struct xvm_keep *keep, u16 dev, u32 index)
{
	struct keep_queue *q;

	while (keep && (q = find(keep, dev, index)))
		keep_store(&q->valid, 0);
}

static void attach(struct xvm_vq *vq, struct keep_queue *q)
{
	vq->log = q;
	vq->slot = &vq->keep->slot[q->first];
	vq->fetched = q->fetched;
	vq->given = q->given;
}

bool xvm_vq_log(struct xvm_vq *vq)
{
	const struct xvm_vq_config *config = &vq->config;
	struct xvm_keep *keep = vq->keep;
	struct keep_queue *q;
	u32 first;

	vq->log = NULL;
	if (!keep)
		return true;
	xvm_keep_end(keep, vq->dev, vq->index);
	if (!vq->enabled || vq->packed || vq->in_order || vq->outside)
		return true;
	q = free_entry(keep);
	first = free_slots(keep, config->size);
	if (!q || first + config->size > KEEP_SLOTS)
		return false;
	*q = (struct keep_queue){
		.dev = vq->dev, .index = vq->index, .size = (u16)config->size,
		.desc = config->desc, .driver = config->driver, .device = config->device,
		.fetched = vq->last_avail, .given = vq->used_next, .first = first,
	};
	memset(&keep->slot[first], 0, config->size * sizeof(keep->slot[0]));
	keep_store(&q->valid, KEEP_VALID);
	attach(vq, q);
	return true;
}

/* ---- notes ---- */

static bool is_note(u64 word)
{
	return (u16)word == KEEP_NOTED && keep_note_bytes(word) <= XVM_VDEV_NOTE_BYTES && keep_note_copy(word) < 2;
}

/* The index of a device's note, or of the first that is free; KEEP_NOTES: there is none. */
static u32 find_note(const struct xvm_keep *keep, u16 dev, bool or_free)
{
	u32 i, first = KEEP_NOTES;

	for (i = 0; i < KEEP_NOTES; i++) {
		u64 word = keep->note[i].word;

		if (is_note(word) && keep_note_dev(word) == dev)
			return i;
		if (or_free && !is_note(word) && first == KEEP_NOTES)
			first = i;
	}
	return first;
}

void xvm_keep_end_note(struct xvm_keep *keep, u16 dev)
{
	u32 i;

	while (keep && (i = find_note(keep, dev, false)) < KEEP_NOTES)
		keep_store(&keep->note[i].word, 0);
}

bool xvm_keep_note(struct xvm_keep *keep, u16 dev, const void *data, u32 bytes)
{
	u32 i = find_note(keep, dev, true), copy;
	struct keep_note *note;

	if (i == KEEP_NOTES || bytes > XVM_VDEV_NOTE_BYTES)
		return false;
	note = &keep->note[i];
	copy = is_note(note->word) ? !keep_note_copy(note->word) : 0;
	memcpy(note->copy[copy], data, bytes);
	keep_store(&note->word, keep_note_word(dev, bytes, copy));
	return true;
}

bool xvm_keep_noted(const struct xvm_keep *keep, u16 dev, void *data, u32 bytes)
{
	u32 i = find_note(keep, dev, false);
	u64 word;

	if (i == KEEP_NOTES)
		return false;
	word = keep->note[i].word;
	if (!is_note(word) || keep_note_bytes(word) != bytes)
		return false;
	memcpy(data, keep->note[i].copy[keep_note_copy(word)], bytes);
	return true;
}

/* ---- recovery ---- */

/* A private copy of a record, and what was found in it. */
struct copy {
	struct keep_queue q;
	struct keep_slot slot[XVM_VQ_MAX_SIZE];
	u16 again[XVM_VQ_MAX_SIZE];	/* heads to be served again, */
	u32 agains;			/* in the order in which they were fetched */
	bool done, half;		/* a head is DONE, and its place is not counted yet */
	u16 done_head;
};

static bool same_queue(const struct keep_queue *q, const struct xvm_vq_config *config)
{
	return q->size == config->size && q->desc == config->desc && q->driver == config->driver &&
	       q->device == config->device;
}

static void add_again(struct copy *c, u16 head)
{
	u32 i = c->agains++;

	for (; i && c->slot[c->again[i - 1]].seq > c->slot[head].seq; i--)
		c->again[i] = c->again[i - 1];
	c->again[i] = head;
}

/* A TAKEN slot. Killed between the slot and the count: it was not fetched, and will be again. */
static bool check_taken(struct copy *c, u16 head)
{
	struct keep_slot *slot = &c->slot[head];

	if (!keep_attempts(slot->word) || keep_attempts(slot->word) > KEEP_MAX_ATTEMPTS)
		return false;
	if (slot->seq == c->q.fetched)
		slot->word = KEEP_FREE;
	else if (slot->seq < c->q.fetched)
		add_again(c, head);
	else
		return false;
	return true;
}

/* The DONE slot: there is one at most, at the place that is counted next or was counted last. */
static bool check_done(struct copy *c, u16 head)
{
	u16 back = (u16)((u16)c->q.given - keep_pos(c->slot[head].word));

	if (c->done || back > 1)
		return false;
	c->done = true;
	c->half = !back;
	c->done_head = head;
	return true;
}

/* What was fetched and not given back is there, no more and no less. */
static bool check(struct copy *c)
{
	u32 i;
	bool ok = true;

	for (i = 0; ok && i < c->q.size; i++) {
		switch (keep_state(c->slot[i].word)) {
		case KEEP_FREE:
			break;
		case KEEP_TAKEN:
			ok = check_taken(c, (u16)i);
			break;
		case KEEP_DONE:
			ok = check_done(c, (u16)i);
			break;
		default:
			ok = false;
		}
	}
	/* Counts that begin at 0 do not come this far; so none wraps. */
	return ok && !(c->q.fetched >> 62) && c->q.fetched - c->q.given == c->agains + c->half;
}

/*
 * Finishes what was done, in the order of vq.c, so that this may be cut off at any
 * point and begun again. The elements before the last one are in the ring; the last
 * is written with the bytes it may have already. used.idx is stored from the count,
 * and so covers what was given and not shown; it is never read.
 */
static void finish_done(struct xvm_vq *vq, const struct copy *c)
{
	u64 word = c->slot[c->done_head].word;
	u32 i;

	if (c->done)
		split_put(vq, keep_pos(word), c->done_head, keep_len(word));
	if (c->half)
		keep_store(&vq->log->given, ++vq->given);
	vq->used_next = vq->used_flushed = (u16)vq->given;
	split_show(vq);
	for (i = 0; i < c->q.size; i++)
		if (keep_state(c->slot[i].word) != KEEP_TAKEN)
			keep_store(&vq->slot[i].word, KEEP_FREE);
}

static int recover(struct xvm_vq *vq, bool repeatable)
{
	struct keep_queue *q = vq->keep ? find(vq->keep, vq->dev, vq->index) : NULL;
	struct copy c = { 0 };
	u32 i;

	if (!q || vq->in_order)
		return -ENODATA;
	xvm_shm_copy(&c.q, q, sizeof(c.q));
	if (!is_valid(&c.q) || !same_queue(&c.q, &vq->config))
		return -ENODATA;
	xvm_shm_copy(c.slot, &vq->keep->slot[c.q.first], c.q.size * sizeof(c.slot[0]));
	if (!check(&c) || (c.agains && !repeatable))
		return -ENODATA;

	attach(vq, q);
	vq->last_avail = (u16)c.q.fetched;
	finish_done(vq, &c);
	/* They are popped before anything new is looked at, so nothing else can be given their heads. */
	for (i = 0; i < c.agains; i++)
		vq->again[i] = c.again[i];
	vq->agains = c.agains;
	return 0;
}

int xvm_vq_keep(struct xvm_vq *vq, bool idle, bool repeatable)
{
	/* Where a packed ring is cannot be told from the ring, and no record of one is kept. */
	if (vq->packed)
		return -ENODATA;
	if (!vq->outside && !recover(vq, repeatable))
		return 0;
	/* Who serves it outside does so in order: what was taken and not given back is taken again. */
	if (!idle && !vq->outside)
		return -ENODATA;
	/* The driver's word for both positions; a lie is its own loss. */
	vq->last_avail = vq->used_next = vq->used_flushed = split_shown(vq);
	xvm_vq_log(vq);
	return 0;
}

/* ---- serving again ---- */

int vq_next_again(struct xvm_vq *vq, u16 *head)
{
	u64 *word;
	u32 attempts;

	*head = vq->again[vq->again_at];
	word = &vq->slot[*head].word;
	attempts = keep_attempts(*word);
	if (attempts >= KEEP_MAX_ATTEMPTS)
		return vq_fault(vq, -EPROTO, "too many workers died while they served this request",
				*head);
	/* Before anything of the request is looked at: looking may be what kills. */
	keep_store(word, keep_word(KEEP_TAKEN, attempts + 1, 0, 0));
	return 1;
}
