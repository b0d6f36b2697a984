/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vhost-user server of a device: found at a socket, or a program that is
 * started for it and ended with it. A worker that has lost its server asks for
 * another connection (DEV_STATE SERVER_LOST) and gets one, after a wait that
 * grows from try to try, until one has lasted.
 *
 * A server gets a connected socket and, from the worker, memory of that connection. One that is started here
 * gets the areas of its device, too, and cannot do more with them than map them: by a system call filter,
 * ioctls of the grant devices are refused. One that was found gets them if its description says `trusted`.
 */
#ifndef XVM_DAEMON_SERVER_H
#define XVM_DAEMON_SERVER_H

#include <sys/types.h>
#include "../base/fdset.h"
#include "../ipc.h"
#include "../spec/spec.h"

struct event;
struct xvm_daemon;
struct xvm_disk;

struct xvm_server {
	pid_t pid;		/* of a program started here; 0: none */
	struct event *retry;
	u32 wait_ms;		/* before the next try */
	u32 tries;		/* in a row, none of which brought a server that lasted */
	bool lost;		/* the worker waits for another connection */
};

/* ---- in the opener's child ---- */

/*
 * Puts the program in place of a name (server=virtiofsd), as descriptions in these directories have it; NULL:
 * the usual ones. 0, or negative errno with a line in why.
 */
int xvm_server_find(struct xvm_spec *spec, const char *const *dirs, char *why);
/* The user whom it is to run as. */
int xvm_server_user(const struct xvm_spec *spec, u32 *uid, u32 *gid, char *why);
/* Is there something that could serve? 0, or negative errno with a line in why. */
int xvm_server_check(const struct xvm_spec *spec, char *why);
/* Connects; fds as enum xvm_vu_fd has them, and for a program its listening socket behind them. */
int xvm_server_open(const struct xvm_spec *spec, struct fdset *fds, char *why);

/* ---- in the supervisor ---- */

/* May it have areas of its device? One that we started cannot do more with them than map them. */
bool xvm_server_trusted(const struct xvm_spec *spec);
/* Fields of DEV_ADD that are about a server's device. */
void xvm_server_describe(const struct xvm_spec *spec, struct xvm_ipc_dev_add *msg);
/* A connection was opened: takes the listening socket out of fds and starts the program on it. 0 or negative errno. */
int xvm_server_start(struct xvm_disk *disk, struct fdset *fds);
/* The worker says so. */
void xvm_server_lost(struct xvm_disk *disk);
/* Ends the program. True: it has not ended yet, and xvm_connect_go_on will be called. */
bool xvm_server_end(struct xvm_disk *disk);
/* A child has ended; false: it was none of these. */
bool xvm_server_exited(struct xvm_daemon *daemon, pid_t pid, int status);
void xvm_server_free(struct xvm_disk *disk);

#endif
