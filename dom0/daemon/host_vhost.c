// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_vhost.h"
#include "why.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int open_device(const char *kind, char *why)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/vhost-%s", kind);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : xvm_refuse(why, -errno, "%s cannot be opened: %s; is the module vhost_%s loaded?", path,
					 strerror(errno), kind);
}

int xvm_host_vhost_open(const char *kind, u32 queues, struct fdset *fds, char *why)
{
	int fd = open_device(kind, why);
	u32 i;

	if (fd < 0)
		return fd;
	fds->fd[fds->count++] = fd;
	for (i = 0; i < 1 + 2 * queues; i++) {	/* errors, and of each kick and call */
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			return xvm_refuse(why, -errno, "no eventfd to be had: %s", strerror(errno));
		fds->fd[fds->count++] = fd;
	}
	return 0;
}

int xvm_host_vhost_check(const char *kind, char *why)
{
	int fd = open_device(kind, why);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}
