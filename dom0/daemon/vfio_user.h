/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker needs for a device of a vfio-user server. Only the opener's child calls this. */
#ifndef XVM_DAEMON_VFIO_USER_H
#define XVM_DAEMON_VFIO_USER_H

#include <stdbool.h>
#include "../base/fdset.h"

/*
 * Sees that there is a socket at path; unless it is only a look, connects to it and
 * makes the rest of enum xvm_vfio_fd. Nothing is said to the server: that is the
 * worker's, which is confined. Returns 0 or negative errno with a line in why.
 */
int xvm_vfio_user_open(const char *path, bool look, struct fdset *fds, char *why);

#endif
