/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's worker once it is confined: the loop, and the conversation with
 * the supervisor. Joins the bus, the event channel and the ring; decides
 * nothing about devices or messages itself.
 */
#ifndef DOM0_WORKER_WORKER_H
#define DOM0_WORKER_WORKER_H

struct evtchn;
struct xvm_aio;
struct xvm_keep;

/*
 * Says HELLO and serves until STOP, a lost supervisor or a dropped connection.
 * open turns the descriptor that START brings into event channels. Returns the
 * exit status: 0 when all was drained and unmapped. keep: the guest's keep file, NULL: none.
 */
int worker_run(struct xvm_aio *aio, int control, struct evtchn *(*open)(int fd), struct xvm_keep *keep);

#endif
