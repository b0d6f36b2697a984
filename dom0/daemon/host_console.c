// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_console.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* Only root's own files: a link, a device or a pipe is no log. */
static int open_log(const char *path, char *why)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;
	int err = 0;

	if (fd < 0)
		err = errno == ELOOP ? -EINVAL : -errno;
	else if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err)
		return fd;
	snprintf(why, XVM_WHY_BYTES, "log %.150s cannot be opened: %s", path,
		 err == -EINVAL ? "it is there and no plain file" : strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

int xvm_host_console_open(const struct xvm_spec_console *console, struct fdset *fds, char *why)
{
	char path[XVM_TARGET_BYTES + 2];
	int fd[2];

	if (!console->log[0])
		return 0;
	snprintf(path, sizeof(path), "%s.1", console->log);
	fd[0] = open_log(console->log, why);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = open_log(path, why);
	if (fd[1] < 0) {
		close(fd[0]);
		return fd[1];
	}
	fds->fd[fds->count++] = fd[0];
	fds->fd[fds->count++] = fd[1];
	return 0;
}
