/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels as the worker needs them: one handle whose ports somebody
 * else has bound. A table of operations, so that a fake can stand in for Xen
 * (tests/support); evtchn_xen.c is the real one. A port that pending returned
 * stays masked until unmask.
 */
#ifndef XEN_USER_EVTCHN_H
#define XEN_USER_EVTCHN_H

#include <stdint.h>

struct evtchn;

struct evtchn_ops {
	/* The port that fired, after fd polled readable; -EAGAIN: none after all. */
	int (*pending)(struct evtchn *evtchn);
	int (*unmask)(struct evtchn *evtchn, uint32_t port);
	int (*notify)(struct evtchn *evtchn, uint32_t port);
	void (*close)(struct evtchn *evtchn);
};

struct evtchn {
	const struct evtchn_ops *ops;
	int fd;		/* readable: a port is pending */
};

/* Takes over the descriptor of an open event channel device. NULL: out of memory, fd is closed. */
struct evtchn *evtchn_xen_open(int fd);

#endif
