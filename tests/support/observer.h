/* SPDX-License-Identifier: MIT */
/*
 * A third party that reads both directions of a connection and knows the
 * normative statements of virtio-msg that can be judged from messages alone.
 * Pure: bytes in, findings out; it sends nothing and asks nobody. Each check
 * carries the ids of docs/conformance.md (pr28) or docs/conformance-draft2026.md,
 * as the connection's dialect is, so that a stream tells which statements it
 * exercised and which it broke.
 *
 * Feed messages in the order in which they pass one point, best the device
 * side: a request when it is taken from the ring, an answer when it is put.
 */
#ifndef XVM_TEST_OBSERVER_H
#define XVM_TEST_OBSERVER_H

#include "../../include/xvmsg/xenbus.h"
#include "../../xen/proto/frame.h"

struct xvm_observer;

struct xvm_observer_config {
	enum xvm_dialect dialect;
	u32 max_message;	/* of the connection */
	u32 credits;		/* most requests of the driver side without answer; 0: not judged */
};

struct xvm_finding {
	u64 message;		/* 1: the first that was fed */
	char rules[48];		/* ids of docs/conformance.md; "BUS": docs/protocol.md */
	char text[144];
};

struct xvm_observer *xvm_observer_new(const struct xvm_observer_config *config);
void xvm_observer_free(struct xvm_observer *o);

/* One message as sent by this side. Malformed ones are findings and change nothing else. */
void xvm_observer_feed(struct xvm_observer *o, enum xvm_side sender, const u8 *msg, u32 len);

/* The stream ended in a quiet moment: judges what is still owed. */
void xvm_observer_finish(struct xvm_observer *o);

/* Findings so far; the first XVM_OBSERVER_KEPT are kept, all are counted. */
#define XVM_OBSERVER_KEPT 64u
u32 xvm_observer_findings(const struct xvm_observer *o, const struct xvm_finding **list);

/* How often a statement ("DRV-07") was judged. */
u32 xvm_observer_judged(const struct xvm_observer *o, const char *id);

#endif
