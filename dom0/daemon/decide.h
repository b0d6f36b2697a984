/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do about one virtio_disk node, from what the store says and what we
 * know: a pure function, so that the contract with xl can be read, and tested,
 * in one place.
 */
#ifndef XVM_DAEMON_DECIDE_H
#define XVM_DAEMON_DECIDE_H

#include "../../xen/proto/plat.h"

enum xvm_disk_phase {
	XVM_DISK_NEW,		/* just seen */
	XVM_DISK_OPENING,	/* its target is being looked at */
	XVM_DISK_READY,		/* adopted: state 2 or 4 */
	XVM_DISK_LEAVING,	/* the worker is asked to let go */
	XVM_DISK_LEFT,		/* nobody uses it; waits for the end of the bus, then closes */
	XVM_DISK_CLOSED,	/* state 6 written, or refused; waits for the node to go */
};

/* As read in one transaction. */
struct xvm_node_view {
	bool exists, has_state;
	u32 state, online;
	bool front;		/* the front-end directory is there */
	bool ours;		/* our mark stands in it */
	bool alive;		/* the domain is */
};

enum xvm_disk_step {
	XVM_STEP_WAIT,
	XVM_STEP_ADOPT,
	XVM_STEP_REMOVE,	/* ask the guest, then close */
	XVM_STEP_REMOVE_FORCED,	/* close without asking */
	XVM_STEP_CLOSE,		/* nothing is connected: state 6 at once */
	XVM_STEP_DROP,		/* let go, and never write to the node again */
};

enum xvm_disk_step xvm_disk_decide(enum xvm_disk_phase phase, const struct xvm_node_view *node);

#endif
