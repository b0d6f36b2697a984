/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes everything away from the process that serving a guest does not need:
 * file system, network, identity, capabilities, and nearly all system calls.
 * Called once, before anything that a guest wrote is seen. The io_uring must
 * exist already (loop.h): it cannot be made afterwards.
 */
#ifndef DOM0_WORKER_CONFINE_H
#define DOM0_WORKER_CONFINE_H

#include <sys/types.h>

/*
 * Needs root; uid is what remains (also as gid). Returns 0, or negative errno with
 * *step saying what could not be done; the process must end then.
 */
int confine(uid_t uid, const char **step);

#endif
