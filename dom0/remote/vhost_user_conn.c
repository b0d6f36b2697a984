// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_user_conn.h"
#include <sys/socket.h>
#include <unistd.h>

/* Room to see that there are too many, rather than to have the kernel cut them off. */
#define CONTROL_FDS 16u

static void drop_fds(struct vu_conn *conn)
{
	u32 i;

	for (i = 0; i < conn->nfds; i++)
		if (conn->fds[i] >= 0)
			close(conn->fds[i]);
	conn->nfds = 0;
}

void vu_conn_open(struct vu_conn *conn, int fd)
{
	memset(conn, 0, sizeof(*conn));
	conn->fd = fd;
}

void vu_conn_close(struct vu_conn *conn)
{
	if (conn->fd < 0)
		return;
	drop_fds(conn);
	close(conn->fd);
	conn->fd = -1;
}

int vu_conn_send(struct vu_conn *conn, const u8 *msg, u32 bytes, const int *fds, u32 nfds)
{
	union {
		struct cmsghdr align;
		u8 space[CMSG_SPACE(VU_MAX_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = bytes };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t sent;

	if (nfds) {
		hdr.msg_control = control.space;
		hdr.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	do
		sent = sendmsg(conn->fd, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	/* A message is far below what one piece of a socket's queue holds, so it goes whole. */
	return (u32)sent == bytes ? 0 : -EMSGSIZE;
}

static int bad(struct vu_conn *conn, const char *fault, u32 value)
{
	conn->fault = fault;
	conn->fault_value = value;
	return -EPROTO;
}

/* All of them are looked at, so that what is too much is closed. */
static int take_control(struct vu_conn *conn, struct msghdr *hdr)
{
	struct cmsghdr *cmsg;
	u32 i, n, over = 0;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (u32)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (conn->nfds < VU_MAX_FDS && !conn->got) {
				conn->fds[conn->nfds++] = fd;
			} else {
				close(fd);
				over++;
			}
		}
	}
	if (over || hdr->msg_flags & MSG_CTRUNC)
		return bad(conn, conn->got ? "descriptors in the middle of a message" :
					     "more descriptors than a message has", conn->nfds + over);
	return 0;
}

/* Up to the given number of bytes; 1 when they are all there. */
static int recv_upto(struct vu_conn *conn, u32 upto)
{
	union {
		struct cmsghdr align;
		u8 space[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = conn->in + conn->got, .iov_len = upto - conn->got };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	ssize_t got;
	int err;

	if (conn->got == upto)
		return 1;
	do
		got = recvmsg(conn->fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? 0 : -errno;
	err = take_control(conn, &hdr);
	if (err || !got)
		return err;
	conn->got += (u32)got;
	return conn->got == upto ? 1 : -EAGAIN;
}

int vu_conn_recv(struct vu_conn *conn)
{
	int ret;

	if (conn->got >= VU_HDR_BYTES && conn->got == VU_HDR_BYTES + conn->header.bytes) {
		drop_fds(conn);
		conn->got = 0;
	}
	if (conn->got < VU_HDR_BYTES) {
		ret = recv_upto(conn, VU_HDR_BYTES);
		if (ret <= 0)
			return ret;
		vu_decode_header(conn->in, &conn->header);
		if (conn->header.bytes > VU_MAX_PAYLOAD)
			return bad(conn, "a message longer than any", conn->header.bytes);
	}
	return recv_upto(conn, VU_HDR_BYTES + conn->header.bytes);
}

const u8 *vu_conn_payload(const struct vu_conn *conn)
{
	return conn->in + VU_HDR_BYTES;
}

int vu_conn_take_fd(struct vu_conn *conn)
{
	u32 i;
	int fd;

	for (i = 0; i < conn->nfds; i++) {
		fd = conn->fds[i];
		conn->fds[i] = -1;
		if (fd >= 0)
			return fd;
	}
	return -1;
}
