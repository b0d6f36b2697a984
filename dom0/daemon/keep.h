/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keep files: one per guest, in which its worker records what it took from each
 * queue, so that the next worker loses and doubles nothing (docs/architecture.md,
 * "What survives a worker"). The supervisor makes, locks and removes the file; it
 * never reads it, since a worker that was taken over may have written it.
 */
#ifndef XVM_DAEMON_KEEP_H
#define XVM_DAEMON_KEEP_H

#include "daemon.h"

/*
 * Opens or makes the guest's file and locks it: the lock is the fence, since it
 * falls only with the last I/O of the worker that had it. Returns a descriptor for
 * xvm_worker_start; -EAGAIN: I/O of the former worker still runs, ask again later;
 * another negative errno: there is no file, which is said in a log line.
 */
int xvm_keep_open(struct xvm_guest *guest);
/* The guest is gone, or its bus was closed in good order. */
void xvm_keep_forget(struct xvm_guest *guest);
/* At start: removes the files of domains that do not live. */
void xvm_keep_sweep(struct xvm_daemon *daemon);

#endif
