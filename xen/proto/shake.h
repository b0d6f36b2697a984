/* SPDX-License-Identifier: MIT */
/*
 * The handshake over xenstore as pure functions: what the back offers, what
 * the front picks, what each side does next. No store is touched here; callers
 * read the keys, pass the texts in, and carry the answer out.
 */
#ifndef XVM_PROTO_SHAKE_H
#define XVM_PROTO_SHAKE_H

#include "msgtab.h"
#include "../../include/xvmsg/xenbus.h"

/* A key's value as read; text NULL: not there. Not terminated. */
struct xvm_text {
	const char *text;
	size_t len;
};

enum xvm_back_key {
	XVM_BK_VERSIONS,
	XVM_BK_DIALECTS,
	XVM_BK_MAX_MESSAGE,
	XVM_BK_MAX_RING_ORDER,
	XVM_BK_MAX_CREDITS,
	XVM_BK_MAX_CHANNELS,
	XVM_BK_BUS_FEATURES,
	XVM_BK_CONNECTION_ID,
	XVM_BK_COUNT
};

enum xvm_front_key {
	XVM_FK_VERSION,
	XVM_FK_DIALECT,
	XVM_FK_MAX_MESSAGE,
	XVM_FK_RING_ORDER,
	XVM_FK_CREDITS,
	XVM_FK_CONTROL_REF,
	XVM_FK_NUM_CHANNELS,
	XVM_FK_BUS_FEATURES,
	XVM_FK_CONNECTION_ID,
	XVM_FK_CHANNEL0,	/* event-channel-0 and up, XVM_MAX_CHANNELS of them */
	XVM_FK_COUNT = XVM_FK_CHANNEL0 + XVM_MAX_CHANNELS
};

/* Leaf names, indexed by the enums above. */
extern const char *const xvm_back_key_name[XVM_BK_COUNT];
extern const char *const xvm_front_key_name[XVM_FK_COUNT];

/* What one side can do; the back publishes it, the front has one of its own. */
struct xvm_offer {
	u32 dialects;		/* bit per enum xvm_dialect; the newest common one is taken */
	u32 max_message, max_ring_order, max_credits, max_channels;
	u32 bus_features;
	u64 connection_id;	/* random per connection, chosen by the back */
};

/* What a connection is: the front's choice within both offers. */
struct xvm_pick {
	enum xvm_dialect dialect;
	u32 max_message, ring_order, credits, num_channels;
	u32 bus_features;
	u64 connection_id;
	u32 control_ref;
	u32 channel[XVM_MAX_CHANNELS];
};

/* What is wrong with a key: name, value's rule and limit, for one log line. */
struct xvm_shake_fault {
	const char *key;
	const char *rule;
	u32 limit;
};

/* Reads the back's keys. Returns 0, or -EPROTO with the fault. */
int xvm_shake_read_offer(const struct xvm_text keys[XVM_BK_COUNT], struct xvm_offer *offer,
			 struct xvm_shake_fault *fault);

/*
 * The front's choice: the best of both offers; control_ref and channel[] are
 * the caller's to fill. Credits shrink until the ring rule C >= 2*N*S holds.
 * Returns 0, or -EPROTO with the fault when nothing fits both.
 */
int xvm_shake_choose(const struct xvm_offer *back, const struct xvm_offer *own,
		     struct xvm_pick *pick, struct xvm_shake_fault *fault);

/* Checks the front's keys against what the back offered. Returns 0, or -EPROTO with the fault. */
int xvm_shake_check_pick(const struct xvm_text keys[XVM_FK_COUNT], const struct xvm_offer *offer,
			 struct xvm_pick *pick, struct xvm_shake_fault *fault);

/* XenbusState values of xen/io/xenbus.h, as both sides use them. */
enum xvm_bus_state {
	XVM_BUS_UNKNOWN, XVM_BUS_INITIALISING, XVM_BUS_INIT_WAIT, XVM_BUS_INITIALISED,
	XVM_BUS_CONNECTED, XVM_BUS_CLOSING, XVM_BUS_CLOSED,
};

/* What the back does when either state changed. */
enum xvm_back_step {
	XVM_BACK_WAIT,		/* nothing */
	XVM_BACK_OFFER,		/* drop what is connected, write keys with a new id, state 2 */
	XVM_BACK_CONNECT,	/* read the front's keys, map, start the worker, state 4 */
	XVM_BACK_CLOSE,		/* drop what is connected, state 6 */
};

enum xvm_back_step xvm_shake_back(enum xvm_bus_state back, enum xvm_bus_state front);

#endif
