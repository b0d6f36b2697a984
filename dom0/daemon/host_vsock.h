/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0's end of a vsock device: /dev/vhost-vsock with the guest's address, and eventfds. Called in the opener's child. */
#ifndef XVM_DAEMON_HOST_VSOCK_H
#define XVM_DAEMON_HOST_VSOCK_H

#include "image.h"

/* Adds what dom0/dev/vhost.h wants. Returns 0, or negative errno with one line in why. */
int xvm_host_vsock_open(u32 cid, struct fdset *fds, char *why);

#endif
