/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of split queues in a guest's keep file: what was fetched from each
 * and not given back, in such an order that a worker killed between any two
 * stores leaves a record from which the next one loses and doubles nothing.
 * Owns the layout of the file. Written by vq.c (the stores below) and keep.c
 * (begin, end, recovery, notes); nobody else includes this but vq.c, keep.c and tests.
 *
 * Trust: the file was written by a worker that a guest may have taken over.
 * Recovery copies, checks, uses; a lie in it harms that guest's queue alone.
 * While a queue runs, nothing is read back from its record but the count of
 * attempts.
 *
 * A kill ends a thread between two instructions, and its stores up to there
 * are in memory for whoever maps the file next: program order is all that is
 * needed, so the stores carry compiler barriers and no more. Loss of the host
 * loses the file and the guest with it.
 */
#ifndef XVM_DOM0_VIRTIO_KEEP_H
#define XVM_DOM0_VIRTIO_KEEP_H

#include "../ipc.h"
#include "vq.h"

#define KEEP_QUEUES 512u
#define KEEP_NOTES 64u
#define KEEP_SLOTS ((XVM_KEEP_BYTES - 64 * KEEP_QUEUES - sizeof(struct keep_note) * KEEP_NOTES) / 16)

/* Changes with the layout: a record of another one is none. */
#define KEEP_VALID 0x3150454b4d5658ull

/*
 * One queue; (dev, index) names it, slots first..first+size-1 are its own. The
 * counts run free: their low 16 bits are the queue's own positions.
 */
struct keep_queue {
	u64 valid;		/* KEEP_VALID, stored last and taken away first */
	u16 dev, index, size, zero;
	u64 desc, driver, device;
	u64 fetched;		/* chains taken from the available ring */
	u64 given;		/* used elements written */
	u32 first, zero2;
};

/* One head. word is one store: state, attempts, position in the used ring, used length. */
struct keep_slot {
	u64 word;
	u64 seq;		/* keep_queue.fetched when it was */
};

/*
 * What a device's model has noted for its successor. word is one store: KEEP_NOTED, device number,
 * bytes, and which copy they are in; a new note is written to the other one.
 */
struct keep_note {
	u64 word;
	u8 copy[2][XVM_VDEV_NOTE_BYTES];
};

#define KEEP_NOTED 0x4e58u

/* Notes are at the end, where older builds have slots that are hardly ever in use. */
struct xvm_keep {
	struct keep_queue queue[KEEP_QUEUES];
	struct keep_slot slot[KEEP_SLOTS];
	struct keep_note note[KEEP_NOTES];
};

_Static_assert(sizeof(struct keep_queue) == 64 && sizeof(struct keep_slot) == 16 &&
	       sizeof(struct keep_note) == 2048 && sizeof(struct xvm_keep) == XVM_KEEP_BYTES,
	       "layout of the keep file");

enum keep_state {
	KEEP_FREE,		/* the driver's */
	KEEP_TAKEN,		/* fetched; served, as far as anybody knows, in part */
	KEEP_DONE,		/* served; its used element, or the count of them, may not be written yet */
};

/* Workers that may die over one request (rules.md, H12). */
#define KEEP_MAX_ATTEMPTS 3u

static inline u64 keep_word(enum keep_state state, u32 attempts, u16 pos, u32 len)
{
	return (u64)state | (u64)attempts << 8 | (u64)pos << 16 | (u64)len << 32;
}

static inline u32 keep_state(u64 word)
{
	return (u8)word;
}

static inline u32 keep_attempts(u64 word)
{
	return (u8)(word >> 8);
}

static inline u16 keep_pos(u64 word)
{
	return (u16)(word >> 16);
}

static inline u32 keep_len(u64 word)
{
	return (u32)(word >> 32);
}

static inline u64 keep_note_word(u16 dev, u32 bytes, u32 copy)
{
	return KEEP_NOTED | (u64)dev << 16 | (u64)bytes << 32 | (u64)copy << 48;
}

static inline u16 keep_note_dev(u64 word)
{
	return (u16)(word >> 16);
}

static inline u32 keep_note_bytes(u64 word)
{
	return (u16)(word >> 32);
}

static inline u32 keep_note_copy(u64 word)
{
	return (u32)(word >> 48);
}

/* Whole, and neither before earlier stores to the file or a ring nor behind later ones. */
static inline void keep_store(u64 *at, u64 value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- the steps of vq.c; each is one pointer test without a record ---- */

/* A head was read from the available ring, and is free. fetched is the commit. */
static inline void keep_take(struct xvm_vq *vq, u16 head)
{
	if (!vq->log)
		return;
	keep_store(&vq->slot[head].seq, vq->fetched);
	keep_store(&vq->slot[head].word, keep_word(KEEP_TAKEN, 1, 0, 0));
	keep_store(&vq->log->fetched, ++vq->fetched);
}

/* The opposite. Between the two stores the slot is one that was not fetched yet. */
static inline void keep_untake(struct xvm_vq *vq, u16 head)
{
	if (!vq->log)
		return;
	keep_store(&vq->log->fetched, --vq->fetched);
	keep_store(&vq->slot[head].word, KEEP_FREE);
}

/* One that is served again waits again; that was no attempt. */
static inline void keep_untake_again(struct xvm_vq *vq, u16 head)
{
	u32 attempts = keep_attempts(vq->slot[head].word);

	keep_store(&vq->slot[head].word, keep_word(KEEP_TAKEN, attempts > 1 ? attempts - 1 : 1, 0, 0));
}

/* It was served; its used element is about to be written at used_next. */
static inline void keep_done(struct xvm_vq *vq, u16 head, u32 len)
{
	if (vq->log)
		keep_store(&vq->slot[head].word, keep_word(KEEP_DONE, 0, vq->used_next, len));
}

/*
 * The element is written. given is the commit: used.idx will cover the place, whoever
 * stores it; then the slot is free, whether or not the driver knows already.
 */
static inline void keep_given(struct xvm_vq *vq, u16 head)
{
	if (!vq->log)
		return;
	keep_store(&vq->log->given, ++vq->given);
	keep_store(&vq->slot[head].word, KEEP_FREE);
}

#endif
