// SPDX-License-Identifier: GPL-2.0-or-later
/* Granted pages by xen-gntalloc, event channels by xen-evtchn, both by plain ioctl. */
#include "front.h"
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/evtchn.h>
#include <xen/gntalloc.h>

struct pages *pages_new(u32 n, u16 domid, bool writable)
{
	struct ioctl_gntalloc_alloc_gref *op = calloc(1, sizeof(*op) + n * sizeof(u32));
	struct pages *pages = calloc(1, sizeof(*pages) + n * sizeof(u32));

	op->domid = domid;
	op->flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
	op->count = n;
	pages->n = n;
	/* A descriptor each: closing it ends these grants and no others. */
	pages->fd = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC);
	if (pages->fd < 0)
		die("/dev/xen/gntalloc: %s", strerror(errno));
	if (ioctl(pages->fd, IOCTL_GNTALLOC_ALLOC_GREF, op))
		die("granting %u pages: %s", n, strerror(errno));
	memcpy(pages->ref, op->gref_ids, n * sizeof(u32));
	pages->mem = mmap(NULL, (size_t)n * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, pages->fd, (off_t)op->index);
	if (pages->mem == MAP_FAILED)
		die("mapping %u pages: %s", n, strerror(errno));
	memset(pages->mem, 0, (size_t)n * 4096);
	free(op);
	return pages;
}

void pages_free(struct pages *pages)
{
	if (!pages)
		return;
	munmap(pages->mem, (size_t)pages->n * 4096);
	close(pages->fd);
	free(pages);
}

int channel_open(u32 *port)
{
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = 0 };
	int fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK), ret;

	if (fd < 0)
		die("/dev/xen/evtchn: %s", strerror(errno));
	ret = ioctl(fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
	if (ret < 0)
		die("event channel: %s", strerror(errno));
	*port = (u32)ret;
	return fd;
}

void channel_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void channel_notify(int fd, u32 port)
{
	struct ioctl_evtchn_notify notify = { .port = port };

	if (fd >= 0)
		ioctl(fd, IOCTL_EVTCHN_NOTIFY, &notify);
}

void channel_wait(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	u32 port;

	if (poll(&p, 1, ms) > 0 && read(fd, &port, sizeof(port)) == sizeof(port) &&
	    write(fd, &port, sizeof(port)) != sizeof(port))
		die("event channel: unmask: %s", strerror(errno));
}
