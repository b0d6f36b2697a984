/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's worker as its supervisor sees it: process, socket, what it has
 * mapped. Nothing it says is believed unchecked; a worker that breaks a rule of
 * ipc.h is killed, and its guest's bus closes and may open again.
 */
#ifndef XVM_DAEMON_WORKER_H
#define XVM_DAEMON_WORKER_H

#include "daemon.h"
#include "../base/fdsock.h"
#include "targets.h"

struct xvm_worker {
	struct xvm_guest *guest;
	pid_t pid;
	int sock;			/* -1: at its end */
	struct event *readable;
	struct event *limit;		/* until HELLO, or until it has ended */
	bool hello, started, stopping, killed;
	char why[XVM_WHY_BYTES];	/* it was killed, or failed */
	bool guest_fault;		/* it said that the guest broke a rule of the rings */
	u32 area_pages[XVM_AREA_ID_MAX + 1];
	u16 area_num[XVM_AREA_ID_MAX + 1];	/* the device that it is of, the worker says */
	struct xvm_targets targets;
	u32 *area_refs[XVM_AREA_ID_MAX + 1];	/* where something was mapped: as it was */
	u16 area_shared[XVM_AREA_ID_MAX + 1];	/* the device whose server has it, too; 0: none */
	struct xvm_rate requests;
	struct log_bucket log_bucket;
	struct xvm_ipc_stats stats;
	u64 stats_ms;			/* when they came; 0: never */
};

/* Starts the process; takes keep_fd (xvm_keep_open; -1: none) in any case. Returns 0 or negative errno. */
int xvm_worker_start(struct xvm_guest *guest, int keep_fd);
/* All of these kill the worker when it does not listen; NULL is ignored. */
void xvm_worker_add_device(struct xvm_worker *worker, const struct xvm_ipc_dev_add *device, const struct fdset *fds);
void xvm_worker_del_device(struct xvm_worker *worker, u32 num, bool forced);
void xvm_worker_link_device(struct xvm_worker *worker, u32 num, bool up);
void xvm_worker_resize_device(struct xvm_worker *worker, u32 num, u64 bytes);
void xvm_worker_server(struct xvm_worker *worker, u32 num, const struct fdset *fds);	/* DEV_SERVER */
void xvm_worker_server_end(struct xvm_worker *worker, u32 num);	/* DEV_SERVER_END */
void xvm_worker_run(struct xvm_worker *worker, const struct xvm_ipc_start *start, int channel_fd, int bus_fd);
void xvm_worker_ask_stats(struct xvm_worker *worker);
void xvm_worker_send(struct xvm_worker *worker, struct xvm_ipc_hdr *hdr, u32 type, size_t bytes,
		     const int *fds, u32 nfds);
/* Ends it: asks, then SIGKILL. xvm_link_stopped follows when it is gone. */
void xvm_worker_stop(struct xvm_worker *worker);
/* SIGKILL, for a reason that is logged. */
void xvm_worker_kill(struct xvm_worker *worker, const char *why);
/* A child ended; false when it is no worker's. */
bool xvm_worker_exited(struct xvm_daemon *daemon, pid_t pid, int status);

/* No server has this area any more. */
void xvm_worker_unshare(struct xvm_worker *worker, u32 area);

/* requests.c: one datagram of the worker's. Returns 0, or a text: the rule it breaks. */
const char *xvm_worker_request(struct xvm_worker *worker, const struct fdsock_msg *msg);

/* Called with fresh counters, for the control socket. */
void xvm_ctl_stats_came(struct xvm_guest *guest);

#endif
