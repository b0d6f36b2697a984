/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of dom0's kernel that serves queues: its device and eventfds, for dom0/dev/vhost.h. Called in the opener's child. */
#ifndef XVM_DAEMON_HOST_VHOST_H
#define XVM_DAEMON_HOST_VHOST_H

#include "image.h"

/* kind: "net", as in /dev/vhost-net. Adds its descriptors. Returns 0, or negative errno with one line in why. */
int xvm_host_vhost_open(const char *kind, u32 queues, struct fdset *fds, char *why);
/* Whether that could be done, as far as can be seen. */
int xvm_host_vhost_check(const char *kind, char *why);

#endif
