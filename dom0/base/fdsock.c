// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdsock.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Room for one descriptor more than allowed, so that an excess is seen and closed. */
union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE((FDSOCK_MAX_FDS + 1) * sizeof(int))];
};

int fdsock_pair(int sock[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) ? -errno : 0;
}

int fdsock_send(int sock, const void *data, size_t bytes, const int *fds, unsigned int nfds,
		int wait)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = bytes };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
	union control control;
	struct cmsghdr *cmsg;
	ssize_t n;

	if (nfds > FDSOCK_MAX_FDS || bytes > FDSOCK_MAX_BYTES)
		return -EMSGSIZE;
	if (nfds) {
		memset(&control, 0, sizeof(control));
		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(sock, &hdr, flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Moves the descriptors into msg; returns false when there were too many. */
static int collect(struct msghdr *hdr, struct fdsock_msg *msg)
{
	struct cmsghdr *cmsg;
	size_t i, n;
	int fd, fits = 1;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (msg->fds.count < FDSOCK_MAX_FDS) {
				msg->fds.fd[msg->fds.count++] = fd;
			} else {
				close(fd);
				fits = 0;
			}
		}
	}
	return fits;
}

int fdsock_recv(int sock, struct fdsock_msg *msg)
{
	struct iovec iov = { .iov_base = msg->data, .iov_len = sizeof(msg->data) };
	union control control;
	struct msghdr hdr = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	ssize_t n;
	int fits;

	msg->fds.count = 0;
	msg->bytes = 0;
	do
		n = recvmsg(sock, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	fits = collect(&hdr, msg);
	if (!fits || (hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		fdsock_release(msg);
		return -EMSGSIZE;
	}
	if (!n) {
		/* An empty datagram and the end look the same; neither side sends empty ones. */
		fdsock_release(msg);
		return 0;
	}
	msg->bytes = (size_t)n;
	return 1;
}

void fdsock_release(struct fdsock_msg *msg)
{
	fdset_close(&msg->fds);
}
