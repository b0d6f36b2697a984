// SPDX-License-Identifier: GPL-2.0-or-later
/* What the opener's child does for a vhost-user server: it may take as long as it takes. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "image.h"
#include "server.h"

#define SHORT "%.120s"

static int check_program(const char *command, char *why)
{
	char program[XVM_TARGET_BYTES];

	snprintf(program, sizeof(program), "%.*s", (int)strcspn(command, " "), command);
	if (access(program, X_OK))
		return xvm_refuse(why, -errno, "server " SHORT " cannot be run: %s", program, strerror(errno));
	return 0;
}

int xvm_server_user(const struct xvm_spec *spec, u32 *uid, u32 *gid, char *why)
{
	struct passwd *user;

	*uid = *gid = 0;
	if (!spec->user[0])
		return 0;
	errno = 0;
	user = getpwnam(spec->user);
	if (!user)
		return xvm_refuse(why, errno ? -errno : -ENOENT, "user=" SHORT " is not known here", spec->user);
	*uid = user->pw_uid;
	*gid = user->pw_gid;
	return 0;
}

int xvm_server_check(const struct xvm_spec *spec, char *why)
{
	struct stat st;

	if (spec->command)
		return check_program(spec->path, why);
	if (stat(spec->path, &st))
		return xvm_refuse(why, -errno, "socket " SHORT ": %s; is the server running?", spec->path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return xvm_refuse(why, -ENOTSOCK, "socket " SHORT " is no socket", spec->path);
	return 0;
}

static int connect_to(const struct sockaddr_un *at, char *why)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock >= 0 && !connect(sock, (const struct sockaddr *)at, sizeof(*at)))
		return sock;
	xvm_refuse(why, -errno, "socket " SHORT " cannot be connected to: %s; is the server running?", at->sun_path,
		   strerror(errno));
	if (sock >= 0)
		close(sock);
	return -ECONNREFUSED;
}

static int open_found(const struct xvm_spec *spec, char *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(spec->path) >= sizeof(at.sun_path))
		return xvm_refuse(why, -ENAMETOOLONG, "socket " SHORT " is longer than %zu bytes, which no socket's name is",
				  spec->path, sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, spec->path, strlen(spec->path));
	return connect_to(&at, why);
}

/*
 * Ours is the first connection in the listening socket's queue, and since its name is gone before
 * the program has it, the only one that can ever be.
 */
static int open_own(int *listener, char *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/xvmsg-server-XXXXXX";
	int sock = -1;

	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || !mkdtemp(dir))
		return xvm_refuse(why, -errno, "no socket for the server could be made: %s", strerror(errno));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	if (bind(*listener, (struct sockaddr *)&at, sizeof(at)) || listen(*listener, 1))
		xvm_refuse(why, -errno, "no socket for the server could be made: %s", strerror(errno));
	else
		sock = connect_to(&at, why);
	unlink(at.sun_path);
	rmdir(dir);
	return sock;
}

/* Sealed: a server that could shrink it would kill the worker at its next look. */
static int make_memory(u32 queues)
{
	int fd = memfd_create("vhost-user", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, (off_t)queues * XVM_VU_QUEUE_BYTES) ||
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int xvm_server_open(const struct xvm_spec *spec, struct fdset *fds, char *why)
{
	int listener = -1, sock = spec->command ? open_own(&listener, why) : open_found(spec, why);
	u32 i;

	if (sock < 0)
		return sock;
	fds->fd[XVM_VU_SOCKET] = sock;
	fds->fd[XVM_VU_MEMORY] = make_memory(spec->queues);
	fds->count = XVM_VU_KICK + spec->queues;
	if (fds->fd[XVM_VU_MEMORY] < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &fds->fd[XVM_VU_BACK]))
		return xvm_refuse(why, -errno, "no memory for the server could be made: %s", strerror(errno));
	for (i = XVM_VU_CALL; i < fds->count; i++) {
		fds->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds->fd[i] < 0)
			return xvm_refuse(why, -errno, "no eventfd for the server could be made: %s", strerror(errno));
	}
	if (listener >= 0)
		fds->fd[fds->count++] = listener;
	return 0;
}
