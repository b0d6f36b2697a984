/* SPDX-License-Identifier: MIT */
/*
 * One-producer one-consumer message rings with credits, as docs/protocol.md,
 * "Rings", says. Knows bytes and indices, not messages. Both ends are here;
 * the caller serialises each end, maps the memory, sends the notifications
 * that the functions ask for, and drops the connection on -EPROTO.
 *
 * Trust: the peer may write anything anywhere at any time. The own index lives
 * in the private struct and is only published; the peer's is loaded once per
 * call and checked by one subtraction against the size agreed at connect.
 */
#ifndef XVM_PROTO_RING_H
#define XVM_PROTO_RING_H

#include "plat.h"

/* Where a ring lives: the data, and the four words of the control page. */
struct xvm_ring_mem {
	u8 *data;
	u32 size;		/* bytes, a power of two */
	u8 *prod, *cons_event;	/* written by the producer */
	u8 *cons, *prod_event;	/* written by the consumer */
};

struct xvm_ring_tx {
	struct xvm_ring_mem mem;
	u32 prod;		/* written so far, private */
	u32 published;		/* what the peer has been shown */
	u32 max_msg;		/* bytes of the longest message of this connection */
	u32 reserve;		/* room kept free for answers still owed to the peer */
	u32 bad;		/* the peer's index that made -EPROTO */
};

struct xvm_ring_rx {
	struct xvm_ring_mem mem;
	u32 cons;		/* consumed so far, private */
	u32 published;
	u32 avail;		/* bytes seen by the last look and not yet taken */
	u32 max_msg;
	u32 bad;		/* index or length that made -EPROTO */
};

/* Bytes that a message of len bytes takes in a ring. */
static inline u32 xvm_ring_record_bytes(u32 len)
{
	return 8u + ((len + 7u) & ~7u);
}

/*
 * The two rings of a control page (at least XVM_PAGE_BYTES, mapped for the
 * life of the ring); driver_ring chooses which. data holds size bytes.
 */
void xvm_ring_mem_init(struct xvm_ring_mem *mem, u8 *control, u8 *data, u32 size, bool driver_ring);

/*
 * Starts an end at index 0. peer_credits: how many requests the peer may have
 * outstanding, so how many answers must always fit. Returns 0 or -EINVAL when
 * the ring is smaller than twice the reserve.
 */
int xvm_ring_tx_init(struct xvm_ring_tx *tx, const struct xvm_ring_mem *mem, u32 max_msg,
		     u32 peer_credits);
void xvm_ring_rx_init(struct xvm_ring_rx *rx, const struct xvm_ring_mem *mem, u32 max_msg);

/* The smallest ring that keeps rule C >= 2*N*S for this many credits; 2^32 - 1 when none does. */
u32 xvm_ring_min_bytes(u32 max_msg, u32 credits);

/*
 * Appends a record without showing it to the peer yet. An answer uses the
 * reserve, anything else leaves it free. Returns 0, -ENOSPC (not now; see
 * xvm_ring_tx_arm; for an answer: the peer broke its credits), -EMSGSIZE
 * (longer than max_msg), -EPROTO (peer's index lies, tx->bad has it).
 */
int xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer);

/* Shows the peer all that was put. Returns true when the peer wants a notification. */
bool xvm_ring_tx_publish(struct xvm_ring_tx *tx);

/*
 * Asks to be notified once a non-answer of len bytes fits, then looks again:
 * true means it fits already, and no notification is owed.
 */
bool xvm_ring_tx_arm(struct xvm_ring_tx *tx, u32 len);

/*
 * Copies the next record to buf (cap >= max_msg bytes) and consumes it
 * privately. Returns its length >= 0, -EAGAIN (none), or -EPROTO with rx->bad.
 */
int xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap);

/* Gives the room of consumed records back. True when the peer wants a notification. */
bool xvm_ring_rx_publish(struct xvm_ring_rx *rx);

/* Asks for a notification on the next record, then looks again: true means one is there. */
bool xvm_ring_rx_arm(struct xvm_ring_rx *rx);

#endif
