/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ptys behind a console: made when the device is adopted, kept while it is
 * there, so that a program at the other end outlives any worker. Workers get the masters.
 */
#ifndef XVM_DAEMON_PTY_H
#define XVM_DAEMON_PTY_H

#include "../base/fdset.h"
#include "../ipc.h"

struct xvm_ptys {
	uint32_t count;
	struct {
		int master, slave;	/* the slave open too: its end would be a hang-up for the worker */
		char path[32];
	} pty[XVM_CONSOLE_MAX_PORTS];
};

/* Nothing to do if they are there. Returns 0, or negative errno with one line in why (XVM_WHY_BYTES). */
int xvm_ptys_open(struct xvm_ptys *ptys, uint32_t count, char *why);
void xvm_ptys_close(struct xvm_ptys *ptys);
/* Adds the masters; they stay ours. */
void xvm_ptys_add(const struct xvm_ptys *ptys, struct fdset *fds);

#endif
