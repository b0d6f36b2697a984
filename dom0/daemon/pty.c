// SPDX-License-Identifier: GPL-2.0-or-later
#include "pty.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include "image.h"

/* A line to the guest, not to a shell: nothing is echoed, changed or held back. */
static int make_raw(int slave)
{
	struct termios mode;

	if (tcgetattr(slave, &mode))
		return -errno;
	cfmakeraw(&mode);
	return tcsetattr(slave, TCSANOW, &mode) ? -errno : 0;
}

static int open_pty(int *master, int *slave, char *path, size_t bytes)
{
	int err = 0;

	*slave = -1;
	*master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (*master < 0)
		return -errno;
	if (grantpt(*master) || unlockpt(*master) || ptsname_r(*master, path, bytes))
		err = -errno;
	if (!err)
		*slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (!err && *slave < 0)
		err = -errno;
	if (!err)
		err = make_raw(*slave);
	if (!err)
		return 0;
	if (*slave >= 0)
		close(*slave);
	close(*master);
	return err;
}

int xvm_ptys_open(struct xvm_ptys *ptys, uint32_t count, char *why)
{
	int err = 0;

	while (!err && ptys->count < count) {
		err = open_pty(&ptys->pty[ptys->count].master, &ptys->pty[ptys->count].slave,
			       ptys->pty[ptys->count].path, sizeof(ptys->pty[0].path));
		ptys->count += !err;
	}
	if (err) {
		snprintf(why, XVM_WHY_BYTES, "no pty for port %u of %u: %s; is /dev/pts mounted, and its max= large enough?",
			 ptys->count, count, strerror(-err));
		xvm_ptys_close(ptys);
	}
	return err;
}

void xvm_ptys_close(struct xvm_ptys *ptys)
{
	uint32_t i;

	for (i = 0; i < ptys->count; i++) {
		close(ptys->pty[i].master);
		close(ptys->pty[i].slave);
	}
	ptys->count = 0;
}

void xvm_ptys_add(const struct xvm_ptys *ptys, struct fdset *fds)
{
	uint32_t i;

	for (i = 0; i < ptys->count; i++)
		fds->fd[fds->count++] = ptys->pty[i].master;
}
