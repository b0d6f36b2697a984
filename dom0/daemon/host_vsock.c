// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_vsock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#define DEVICE "/dev/vhost-vsock"
#define EVENTFDS 4		/* kick and call of two queues */
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

static int add(struct fdset *fds, int fd)
{
	if (fd < 0)
		return -errno;
	fds->fd[fds->count++] = fd;
	return 0;
}

int xvm_host_vsock_open(u32 cid, struct fdset *fds, char *why)
{
	int err = add(fds, open(DEVICE, O_RDWR | O_CLOEXEC)), i;

	if (err) {
		snprintf(why, XVM_WHY_BYTES, "%s cannot be opened: %s; is the module vhost_vsock loaded?", DEVICE, strerror(-err));
		return err;
	}
	err = set_cid(fds->fd[0], cid, why);
	for (i = 0; !err && i < EVENTFDS; i++) {
		err = add(fds, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		if (err)
			snprintf(why, XVM_WHY_BYTES, "no eventfd to be had: %s", strerror(-err));
	}
	if (err)
		fdset_close(fds);
	return err;
}
