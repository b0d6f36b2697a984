// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * evtchn.h over libxenevtchn. Runs inside the worker's system call filter: after
 * opening, only read, write and the NOTIFY ioctl reach the kernel.
 */
#include "evtchn.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xentoollog.h>

struct evtchn_xen {
	struct evtchn base;
	xenevtchn_handle *handle;
};

static xenevtchn_handle *handle_of(struct evtchn *evtchn)
{
	return ((struct evtchn_xen *)evtchn)->handle;
}

static int xen_pending(struct evtchn *evtchn)
{
	int port = xenevtchn_pending(handle_of(evtchn));

	return port < 0 ? -errno : port;
}

static int xen_unmask(struct evtchn *evtchn, uint32_t port)
{
	return xenevtchn_unmask(handle_of(evtchn), port) ? -errno : 0;
}

static int xen_notify(struct evtchn *evtchn, uint32_t port)
{
	return xenevtchn_notify(handle_of(evtchn), port) ? -errno : 0;
}

static void xen_close(struct evtchn *evtchn)
{
	xenevtchn_close(handle_of(evtchn));
	free(evtchn);
}

static const struct evtchn_ops ops = {
	.pending = xen_pending,
	.unmask = xen_unmask,
	.notify = xen_notify,
	.close = xen_close,
};

/*
 * The library's default logger asks whether stderr is a terminal, an ioctl
 * that the filter does not let pass. We look at return values anyway.
 */
static void drop_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
			 const char *context, const char *format, va_list al)
{
	(void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)al;
}

static void drop_progress(struct xentoollog_logger *logger, const char *context,
			  const char *doing_what, int percent, unsigned long done,
			  unsigned long total)
{
	(void)logger, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void drop_destroy(struct xentoollog_logger *logger)
{
	(void)logger;
}

static struct xentoollog_logger quiet = {
	.vmessage = drop_message,
	.progress = drop_progress,
	.destroy = drop_destroy,
};

struct evtchn *evtchn_xen_open(int fd)
{
	struct evtchn_xen *x = calloc(1, sizeof(*x));

	if (x)
		x->handle = xenevtchn_fdopen(&quiet, fd, 0);
	if (!x || !x->handle) {
		free(x);
		close(fd);
		return NULL;
	}
	x->base.ops = &ops;
	x->base.fd = fd;
	return &x->base;
}
