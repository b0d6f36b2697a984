/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by worker.c (the loop) and control.c (the supervisor's socket). */
#ifndef DOM0_WORKER_WORKER_PRIV_H
#define DOM0_WORKER_WORKER_PRIV_H

#include "worker.h"
#include "loop.h"
#include "../bus/bus.h"
#include "../ipc.h"

struct worker {
	struct xvm_aio *aio;
	struct bus *bus;
	int control;
	struct evtchn *(*open)(int fd);

	struct evtchn *evtchn;		/* NULL before START */
	uint32_t port;
	bool masked;			/* the port fired and was not unmasked since */
	uint8_t *shared;		/* control page and rings */
	size_t shared_bytes;
	uint32_t domid;

	struct xvm_aio_req control_poll, evtchn_poll;
	bool done;			/* leave the loop, whatever is in flight */
	bool stopping;			/* leave it when all is drained */
	uint64_t events_sent, events_taken, wakeups;

	struct waiting_state *states;	/* of devices, not yet told */
	struct xvm_aio_req states_timer;
	bool states_wait;		/* for the timer */
	uint64_t states_paid_ms;	/* words are paid for up to this moment */
};

/* control.c */
extern const struct bus_host worker_bus_host;
int control_hello(struct worker *w);
/* Takes what the supervisor has sent; sets done when it is gone. */
void control_take(struct worker *w);
void control_fail(struct worker *w, uint32_t reason, uint32_t detail);
void control_free(struct worker *w);
void control_log(void *arg, int level, const char *line);

/* worker.c: START arrived; takes both descriptors. Returns 0 or negative errno. */
int worker_start(struct worker *w, const struct xvm_ipc_start *start, int evtchn_fd, int shared_fd);

#endif
