// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_vsock.h"
#include "host_vhost.h"
#include <errno.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DATA_QUEUES 2
#define TRIES 60		/* a worker that was killed may hold the address for a moment more */
#define TRY_US 50000

static int set_cid(int fd, u32 cid, char *why)
{
	u64 number = cid;
	int tries = TRIES, err;

	do {
		err = ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &number) ? -errno : 0;
	} while (err == -EADDRINUSE && --tries && !usleep(TRY_US));
	if (err)
		snprintf(why, XVM_WHY_BYTES, "cid=%u cannot be had: %s", cid,
			 err == -EADDRINUSE ? "another program of this host has it; choose another" : strerror(-err));
	return err;
}

int xvm_host_vsock_open(u32 cid, struct fdset *fds, char *why)
{
	u32 at = fds->count;
	int err = xvm_host_vhost_open("vsock", DATA_QUEUES, fds, why);

	if (!err)
		err = set_cid(fds->fd[at], cid, why);
	if (err)
		fdset_close(fds);
	return err;
}
