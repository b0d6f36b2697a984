/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens targets in short-lived children, because open and stat can hang (NFS, a
 * device that retries) and the supervisor's loop may not. A child that takes
 * too long is killed and answered for. One that calls a hotplug script has the
 * script's time besides.
 */
#ifndef XVM_DAEMON_OPENER_H
#define XVM_DAEMON_OPENER_H

#include "image.h"

#define XVM_OPENER_LIMIT_MS 8000

struct event_base;
struct xvm_opener;

struct xvm_opened {
	int err;		/* 0 or negative errno, then why has one line */
	struct xvm_image image;
	char why[XVM_WHY_BYTES];
};

/*
 * Calls done once, from the loop, unless cancelled before; the opener is gone
 * then. Descriptors that done leaves in fds are closed behind it; without want_fds
 * there are none. NULL when no child could be made.
 */
struct xvm_opener *xvm_opener_start(struct event_base *base, const struct xvm_image_request *request,
				    bool want_fds,
				    void (*done)(void *arg, const struct xvm_opened *opened, struct fdset *fds),
				    void *arg);
void xvm_opener_cancel(struct xvm_opener *opener);

#endif
