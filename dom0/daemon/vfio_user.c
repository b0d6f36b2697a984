// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio_user.h"
#include "image.h"
#include "../ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int refuse(char *why, const char *path, const char *what, int err)
{
	snprintf(why, XVM_WHY_BYTES, "socket %.107s %s: %s", path, what, strerror(err));
	return -err;
}

static int connect_to(const char *path, char *why)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (sock < 0)
		return refuse(why, path, "cannot be made", errno);
	if (strlen(path) >= sizeof(addr.sun_path)) {
		close(sock);
		return refuse(why, path, "has a name longer than 107 bytes", ENAMETOOLONG);
	}
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return sock;
	err = errno;
	close(sock);
	return refuse(why, path, "cannot be connected to; does its server run?", err);
}

/* For rings that the server maps, too: it must not be able to cut them short under the worker. */
static int make_rings(void)
{
	int fd = memfd_create("xvmsg-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, XVM_RINGS_BYTES) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -1;
}

static int look_at(const char *path, char *why)
{
	struct stat st;

	if (stat(path, &st))
		return refuse(why, path, "cannot be found", errno);
	return S_ISSOCK(st.st_mode) ? 0 : refuse(why, path, "is none", ENOTSOCK);
}

int xvm_vfio_user_open(const char *path, bool look, struct fdset *fds, char *why)
{
	int err = look_at(path, why), sock;
	unsigned int i;

	if (err || look)
		return err;
	sock = connect_to(path, why);
	if (sock < 0)
		return sock;
	fds->count = XVM_VFIO_FDS;
	fds->fd[XVM_VFIO_FD_SOCKET] = sock;
	fds->fd[XVM_VFIO_FD_RINGS] = make_rings();
	fds->fd[XVM_VFIO_FD_CONFIG] = eventfd(0, EFD_CLOEXEC);
	fds->fd[XVM_VFIO_FD_QUEUES] = eventfd(0, EFD_CLOEXEC);
	for (i = 0; i < fds->count; i++) {
		if (fds->fd[i] >= 0)
			continue;
		err = refuse(why, path, "is there, but no memory for its rings", errno);
		fdset_close(fds);
		return err;
	}
	return 0;
}
