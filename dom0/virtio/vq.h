/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device side of one virtqueue over areas, split or packed (virtio 1.2,
 * sections 2.7 and 2.8). Pops descriptor chains as iovecs, pushes used
 * elements, with VIRTIO_F_IN_ORDER in the order they were popped, decides about
 * notifications by VIRTIO_F_EVENT_IDX or flags. No I/O, no threads.
 *
 * Trust: every word of the rings and of the descriptors is the driver's and
 * may change while we look. Each is loaded once into private memory and
 * bounded before use; positions are private and only published.
 */
#ifndef XVM_DOM0_VIRTIO_VQ_H
#define XVM_DOM0_VIRTIO_VQ_H

#include <sys/uio.h>
#include "mem.h"

#define XVM_VQ_MAX_SIZE 1024

struct xvm_vq_config {
	u32 size;		/* 0: not configured; at most max_size; split: power of two */
	u64 desc, driver, device;
};

/* What was negotiated, for xvm_vq_enable. */
#define XVM_VQ_EVENT_IDX	1u
#define XVM_VQ_PACKED		2u
#define XVM_VQ_IN_ORDER		4u

/* A buffer that was popped, for the queues that must remember more than that. */
struct xvm_vq_out {
	u16 head, descs;	/* descs: places in a packed ring */
	u32 len;
	bool done;		/* pushed with len, behind others that are not */
};

struct xvm_keep;
struct keep_queue;
struct keep_slot;

struct xvm_vq {
	const struct xvm_mem *mem;
	struct xvm_keep *keep;	/* where split queues are recorded (keep.h); NULL: nowhere */
	u16 dev;		/* number of its device, for the record */
	u16 index;		/* in its device */
	u16 max_size;
	struct xvm_vq_config config;
	bool enabled;		/* configured, checked, and not reset since */
	bool event_idx, packed, in_order;	/* negotiated */
	u8 *desc, *avail, *used;	/* host pointers of the three parts while enabled */
	u16 last_avail;		/* private: next entry to take */
	u16 used_next;		/* private: next used position; published by flush */
	u16 used_flushed;	/* what the driver has been shown */
	bool avail_wrap, used_wrap;	/* packed: laps of last_avail and used_next, odd ones are true */
	u16 out_descs;		/* packed: descriptors of what is out */
	u16 put_descs;		/* packed: descriptors of what was pushed since the flush, */
	u16 first_flags;	/* and the flags of the first of them */
	bool outside;		/* somebody else serves it: the rings are left alone, and there is no record */
	bool stopped;		/* the device is broken or being reset: the rings are left alone */
	u32 in_flight;		/* popped and not yet pushed */
	u64 began_ns[XVM_VQ_MAX_SIZE];	/* when it was taken, by head; for counters, vdev.c's */
	u64 taken[XVM_VQ_MAX_SIZE / 64];	/* which heads those are: so never more than size */
	struct xvm_vq_out out[XVM_VQ_MAX_SIZE];	/* instead of taken, if packed or in_order */
	u32 out_first, out_count;
	bool kept;		/* position and what is out come from a connection before this one */
	struct keep_queue *log;	/* the record of this queue; NULL: none */
	struct keep_slot *slot;	/* its slots, by head */
	u64 fetched, given;	/* what stands in it */
	u16 again[XVM_VQ_MAX_SIZE];	/* heads that a former worker took; popped before others */
	u32 again_at, agains;
	const char *fault;	/* why pop said -EPROTO, for one log line */
	u32 fault_value;
};

/*
 * One request: the driver-readable iovecs, then the driver-writable ones. The
 * arrays point into the iov array given to pop; the memory is the guest's.
 */
struct xvm_chain {
	u16 head;		/* packed: the buffer id */
	bool again;		/* it was taken on a former connection */
	u16 nout, nin;
	struct iovec *out, *in;
	u32 out_bytes, in_bytes;	/* sums; a chain above 2^31 bytes is refused */
};

/*
 * Checks and enables: size, alignment of the three addresses (split 16, 2, 4,
 * packed 16, 4, 4) against the offset in the area, all of each ring inside one
 * area. how: XVM_VQ_*. Returns 0 or -EINVAL with vq->fault and fault_value;
 * nothing is changed then but those.
 */
int xvm_vq_enable(struct xvm_vq *vq, const struct xvm_vq_config *config, u32 how);

/* Forgets configuration and position. The caller has drained in_flight first. */
void xvm_vq_reset(struct xvm_vq *vq);

/*
 * Takes the next available chain. iov has room for max_iov entries (at least
 * the queue's size bounds any legal chain). Returns 1, 0 (none), or -EPROTO:
 * the driver broke a rule of the queue (loop, index or address out of bounds,
 * longer than the queue, nested indirect, readable after writable, a head that
 * is out already, a buffer of length 0, ...); the queue must not be touched
 * again before a reset. A stopped queue has none.
 */
int xvm_vq_pop(struct xvm_vq *vq, struct xvm_chain *chain, struct iovec *iov, u32 max_iov);

/*
 * Begins the record of an enabled queue at its position, in place of whatever is recorded under
 * its name; ends that for a format that is not recorded. False: no room, so there is none.
 */
bool xvm_vq_log(struct xvm_vq *vq);
/* Ends the record of a queue. keep may be NULL. */
void xvm_keep_end(struct xvm_keep *keep, u16 dev, u32 index);
/* The same of a device's note. */
void xvm_keep_end_note(struct xvm_keep *keep, u16 dev);
#define XVM_VDEV_NOTE_BYTES 1020u
/* Replaces a device's note as a whole; false: there is no room for one. */
bool xvm_keep_note(struct xvm_keep *keep, u16 dev, const void *data, u32 bytes);
/* Copies a device's note of so many bytes, which nobody has checked; false: there is none. */
bool xvm_keep_noted(const struct xvm_keep *keep, u16 dev, void *data, u32 bytes);
/*
 * Goes on where a former connection left this queue, which was just enabled: from the record, and
 * with idle, if there is none, from the used ring, all of what was taken being back. What was
 * taken and not given back will be popped first, in its old order; repeatable: such requests may
 * be served twice. Returns 0, or -ENODATA: not known, the queue is as new.
 */
int xvm_vq_keep(struct xvm_vq *vq, bool idle, bool repeatable);
/* How many of those are still to be popped. */
static inline u32 xvm_vq_agains(const struct xvm_vq *vq)
{
	return vq->agains - vq->again_at;
}

/*
 * Undoes a pop, as if it had not been: the next one finds the same chain. Chains go back in
 * the opposite order of their pops, and none that was popped before them is out of turn.
 */
void xvm_vq_unpop(struct xvm_vq *vq, const struct xvm_chain *chain);

/* Forgets a popped chain without a word to the driver: the queue is stopped. */
void xvm_vq_drop(struct xvm_vq *vq, u16 head);

/*
 * Gives a chain back with len bytes written to its in part. Not shown to the
 * driver yet; with IN_ORDER not before those that were popped earlier.
 */
void xvm_vq_push(struct xvm_vq *vq, u16 head, u32 len);

/* Publishes what was pushed. True when the driver wants a notification for it. */
bool xvm_vq_flush(struct xvm_vq *vq);

/*
 * Says that the device goes to sleep on this queue: asks for a notification on
 * the next available entry, full barrier, looks again. True: there is one.
 */
bool xvm_vq_arm(struct xvm_vq *vq);
/* Does an enabled split queue have entries that were not taken? Touches nothing, so also for one that is served outside. */
bool xvm_vq_has_more(const struct xvm_vq *vq);
/* Says that the device is busy and polls: no notifications wanted (a hint). */
void xvm_vq_disarm(struct xvm_vq *vq);

/* Bounded copies between a chain's iovecs and private memory; return bytes copied. */
size_t xvm_iov_get(const struct iovec *iov, u32 n, size_t off, void *dst, size_t bytes);
size_t xvm_iov_put(const struct iovec *iov, u32 n, size_t off, const void *src, size_t bytes);
/* Fills all of them with zeroes; returns the bytes. */
size_t xvm_iov_zero(const struct iovec *iov, u32 n);
/* Cuts the first and last bytes off; returns the new number of iovecs, the array is changed. */
u32 xvm_iov_trim(struct iovec **iov, u32 n, size_t front, size_t back);

#endif
