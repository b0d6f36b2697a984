/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a console stands on besides its ptys: the two files of its log. Called in the opener's child. */
#ifndef XVM_DAEMON_HOST_CONSOLE_H
#define XVM_DAEMON_HOST_CONSOLE_H

#include "image.h"

/* Adds them to fds, if there is a log. Returns 0, or negative errno with one line in why. */
int xvm_host_console_open(const struct xvm_spec_console *console, struct fdset *fds, char *why);

#endif
