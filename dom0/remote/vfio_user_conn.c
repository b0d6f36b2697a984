// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio_user_conn.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAIN 0u
#define TWIN 1u
#define PUMP_BUDGET 16u		/* messages per socket and pump */

struct out {
	struct out *next;
	size_t bytes, sent;
	u32 nfds;
	int fd[VFU_MAX_FDS];
	u8 data[];
};

struct stream {
	int sock;
	struct out *head, **tail;
	size_t queued;			/* bytes of answers among them */
	u32 have;			/* bytes of the message that comes in */
	u64 since_ms;			/* when its first byte came */
	int fd[VFU_MAX_FDS];
	u32 nfds;
	u8 in[VFU_HDR_BYTES + VFU_MAX_BODY];
};

struct pending {
	vfu_done done;			/* NULL: free */
	u64 tag, since_ms;
	u16 id, cmd;
};

struct vfu_conn {
	const struct vfu_conn_ops *ops;
	void *arg;
	bool dead, twin;
	u32 max_fds, max_xfer;
	u32 pending_count;
	struct pending pending[VFU_MAX_PENDING];	/* by the low bits of the id */
	u16 next_id;
	struct stream stream[2];
};

static void stream_init(struct stream *s, int sock)
{
	s->sock = sock;
	s->tail = &s->head;
}

static void close_fds(int *fd, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
}

static void stream_end(struct stream *s)
{
	struct out *out, *next;

	for (out = s->head; out; out = next) {
		next = out->next;
		free(out);
	}
	s->head = NULL;
	close_fds(s->fd, s->nfds);
	s->nfds = 0;
	if (s->sock >= 0)
		close(s->sock);
	s->sock = -1;
}

struct vfu_conn *vfu_conn_new(int sock, const struct vfu_conn_ops *ops, void *arg)
{
	struct vfu_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(sock);
		return NULL;
	}
	conn->ops = ops;
	conn->arg = arg;
	conn->max_fds = 1;
	conn->max_xfer = VFU_MAX_XFER;
	stream_init(&conn->stream[MAIN], sock);
	stream_init(&conn->stream[TWIN], -1);
	return conn;
}

void vfu_conn_free(struct vfu_conn *conn)
{
	if (!conn)
		return;
	stream_end(&conn->stream[MAIN]);
	stream_end(&conn->stream[TWIN]);
	free(conn);
}

void vfu_conn_set_twin(struct vfu_conn *conn, int sock)
{
	conn->stream[TWIN].sock = sock;
	conn->twin = true;
}

void vfu_conn_set_limits(struct vfu_conn *conn, u32 max_fds, u32 max_xfer)
{
	conn->max_fds = max_fds < VFU_MAX_FDS ? max_fds : VFU_MAX_FDS;
	conn->max_xfer = max_xfer < VFU_MAX_XFER ? max_xfer : VFU_MAX_XFER;
}

void vfu_conn_fail(struct vfu_conn *conn, const char *why)
{
	if (conn->dead)
		return;
	conn->dead = true;
	conn->ops->failed(conn->arg, why);
}

bool vfu_conn_dead(const struct vfu_conn *conn)
{
	return conn->dead;
}

u32 vfu_conn_pending(const struct vfu_conn *conn)
{
	return conn->pending_count;
}

bool vfu_conn_waits(const struct vfu_conn *conn)
{
	return !conn->dead && (conn->pending_count || conn->stream[MAIN].have || conn->stream[TWIN].have);
}

int vfu_conn_fd(const struct vfu_conn *conn, bool twin)
{
	return conn->dead ? -1 : conn->stream[twin].sock;
}

bool vfu_conn_wants_out(const struct vfu_conn *conn, bool twin)
{
	return !conn->dead && conn->stream[twin].head;
}

/* ---- out ---- */

/* Returns 1, 0 (no room), or -1: it is broken. */
static int out_send(struct stream *s, struct out *out)
{
	struct iovec iov = { .iov_base = out->data + out->sent, .iov_len = out->bytes - out->sent };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(out->fd))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t ret;

	if (out->nfds && !out->sent) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * out->nfds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * out->nfds);
		memcpy(CMSG_DATA(cmsg), out->fd, sizeof(int) * out->nfds);
	}
	ret = sendmsg(s->sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (ret < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS ? 0 : -1;
	out->sent += (size_t)ret;
	return out->sent == out->bytes;
}

static void flush(struct vfu_conn *conn, struct stream *s)
{
	struct out *out;
	int ret;

	while (!conn->dead && (out = s->head)) {
		ret = out_send(s, out);
		if (ret < 0)
			vfu_conn_fail(conn, "server has closed the connection");
		if (ret <= 0)
			return;
		if ((xvm_get32(out->data + 8) & VFU_F_TYPE) == VFU_F_REPLY)
			s->queued -= out->bytes;
		s->head = out->next;
		if (!s->head)
			s->tail = &s->head;
		free(out);
	}
}

/* In one piece, and sent in one piece if there is room: some servers take no body in two. */
static struct out *out_new(const struct vfu_hdr *hdr, const u8 *head, u32 head_bytes, const void *data,
			   u32 bytes)
{
	struct out *out = malloc(sizeof(*out) + hdr->bytes);

	if (!out)
		return NULL;
	out->next = NULL;
	out->bytes = hdr->bytes;
	out->sent = 0;
	out->nfds = 0;
	vfu_put_hdr(out->data, hdr);
	if (head_bytes)
		memcpy(out->data + VFU_HDR_BYTES, head, head_bytes);
	if (bytes)
		xvm_shm_copy(out->data + VFU_HDR_BYTES + head_bytes, data, bytes);
	return out;
}

static void out_queue(struct vfu_conn *conn, struct stream *s, struct out *out)
{
	*s->tail = out;
	s->tail = &out->next;
	flush(conn, s);
}

/* Ids go round, so that a late answer meets nobody rather than the wrong one. */
static struct pending *pending_new(struct vfu_conn *conn, u16 *id)
{
	u32 i;

	for (i = 0; i < VFU_MAX_PENDING; i++) {
		*id = conn->next_id++;
		if (!conn->pending[*id % VFU_MAX_PENDING].done)
			return &conn->pending[*id % VFU_MAX_PENDING];
	}
	return NULL;
}

void vfu_conn_call(struct vfu_conn *conn, u16 cmd, const u8 *head, u32 head_bytes, const void *data,
		   u32 bytes, const int *fds, u32 nfds, vfu_done done, u64 tag, u64 now_ms)
{
	struct vfu_hdr hdr = { .cmd = cmd, .bytes = VFU_HDR_BYTES + head_bytes + bytes };
	struct pending *p;
	struct out *out;

	if (conn->dead)
		return;
	p = pending_new(conn, &hdr.id);
	out = p && bytes <= conn->max_xfer && nfds <= conn->max_fds ?
	      out_new(&hdr, head, head_bytes, data, bytes) : NULL;
	if (!out) {
		vfu_conn_fail(conn, !p ? "too many commands wait for the server" :
			      nfds > conn->max_fds ? "server takes fewer descriptors than a command needs" :
			      bytes > conn->max_xfer ? "server takes less data than a command needs" :
			      "out of memory");
		return;
	}
	*p = (struct pending){ .done = done, .tag = tag, .since_ms = now_ms,
				.id = hdr.id, .cmd = cmd };
	conn->pending_count++;
	out->nfds = nfds;
	if (nfds)
		memcpy(out->fd, fds, sizeof(int) * nfds);
	out_queue(conn, &conn->stream[MAIN], out);
}

void vfu_conn_answer(struct vfu_conn *conn, const struct vfu_msg *command, u32 error, const u8 *head,
		     const void *data, u32 bytes)
{
	struct stream *s = &conn->stream[command->on_twin];
	struct vfu_hdr hdr = { .id = command->id, .cmd = command->cmd,
			       .flags = VFU_F_REPLY | (error ? VFU_F_ERROR : 0), .error = error };
	struct out *out;

	if (conn->dead || command->flags & VFU_F_NO_REPLY)
		return;
	hdr.bytes = VFU_HDR_BYTES + (error ? 0 : VFU_ACCESS_BYTES + bytes);
	if (s->queued + hdr.bytes > VFU_MAX_QUEUED) {
		vfu_conn_fail(conn, "server sends commands and does not take the answers");
		return;
	}
	out = error ? out_new(&hdr, NULL, 0, NULL, 0) : out_new(&hdr, head, VFU_ACCESS_BYTES, data, bytes);
	if (!out) {
		vfu_conn_fail(conn, "out of memory");
		return;
	}
	s->queued += hdr.bytes;
	out_queue(conn, s, out);
}

void vfu_conn_fd_gone(struct vfu_conn *conn, int fd)
{
	struct out *out;
	u32 i;

	for (out = conn->stream[MAIN].head; out && !conn->dead; out = out->next) {
		for (i = 0; i < out->nfds && !out->sent; i++) {
			if (out->fd[i] == fd)
				vfu_conn_fail(conn, "server did not take memory before it was gone");
		}
	}
}

/* ---- in ---- */

static bool take_fds(struct stream *s, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	u32 n, room;
	bool fits = !(msg->msg_flags & MSG_CTRUNC);
	int *fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		fd = (int *)(void *)CMSG_DATA(cmsg);
		n = (u32)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		room = VFU_MAX_FDS - s->nfds;
		if (n > room) {
			close_fds(fd + room, n - room);
			n = room;
			fits = false;
		}
		memcpy(s->fd + s->nfds, fd, sizeof(int) * n);
		s->nfds += n;
	}
	return fits;
}

/* Reads until the message has want bytes. Returns 1, 0 (not yet), or -1 with why. */
static int read_to(struct stream *s, u32 want, u64 now_ms, const char **why)
{
	struct iovec iov = { .iov_base = s->in + s->have, .iov_len = want - s->have };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(s->fd))];
	} control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	ssize_t ret;

	if (s->have == want)
		return 1;
	ret = recvmsg(s->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (ret < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	/* A reset is the end of a server that had not read everything. */
	*why = ret < 0 && errno != ECONNRESET ? "connection to the server is broken" : "server has closed the connection";
	if (ret <= 0)
		return -1;
	*why = "server sent more descriptors than a message may have";
	if (!take_fds(s, &msg))
		return -1;
	if (!s->have)
		s->since_ms = now_ms;
	s->have += (u32)ret;
	return s->have == want;
}

static const char *take_reply(struct vfu_conn *conn, struct vfu_msg *msg)
{
	struct pending *p = &conn->pending[msg->id % VFU_MAX_PENDING], was = *p;

	if (msg->on_twin)
		return "server sent a reply on the socket for its commands";
	if (!was.done || was.id != msg->id || was.cmd != msg->cmd)
		return "server replied to nothing that was asked";
	p->done = NULL;
	conn->pending_count--;
	return was.done(conn->arg, was.tag, msg);
}

static const char *take_message(struct vfu_conn *conn, struct stream *s, const struct vfu_hdr *hdr)
{
	struct vfu_msg msg = { .id = hdr->id, .cmd = hdr->cmd, .flags = hdr->flags,
			       .body = s->in + VFU_HDR_BYTES, .bytes = hdr->bytes - VFU_HDR_BYTES,
			       .nfds = s->nfds, .on_twin = s == &conn->stream[TWIN] };
	const char *why;

	memcpy(msg.fd, s->fd, sizeof(int) * s->nfds);
	s->nfds = 0;
	s->have = 0;
	if ((hdr->flags & VFU_F_TYPE) == VFU_F_REPLY) {
		if (hdr->flags & VFU_F_ERROR)
			msg.error = hdr->error && hdr->error < 4096 ? hdr->error : EIO;
		why = take_reply(conn, &msg);
	} else if (msg.nfds) {
		why = "server sent descriptors with a command";
	} else if (conn->twin && !msg.on_twin) {
		why = "server sent a command beside the socket for them";
	} else {
		why = conn->ops->command(conn->arg, &msg);
	}
	close_fds(msg.fd, msg.nfds);
	return why;
}

/* Takes one message; returns 1, 0 (not all there), or -1: the connection is over. */
static int take_one(struct vfu_conn *conn, struct stream *s, u64 now_ms)
{
	const char *why = NULL;
	struct vfu_hdr hdr;
	int ret = 1;

	if (s->have < VFU_HDR_BYTES)
		ret = read_to(s, VFU_HDR_BYTES, now_ms, &why);
	if (ret == 1) {
		if (vfu_get_hdr(s->in, &hdr)) {
			why = "server sent a message of no known kind or length";
			ret = -1;
		} else {
			ret = read_to(s, hdr.bytes, now_ms, &why);
		}
	}
	if (ret == 1) {
		why = take_message(conn, s, &hdr);
		ret = why ? -1 : 1;
	}
	if (ret < 0)
		vfu_conn_fail(conn, why);
	return conn->dead ? -1 : ret;
}

static bool pump_one(struct vfu_conn *conn, struct stream *s, u64 now_ms)
{
	u32 i;

	if (s->sock < 0 || conn->dead)
		return false;
	flush(conn, s);
	for (i = 0; i < PUMP_BUDGET && !conn->dead; i++) {
		if (take_one(conn, s, now_ms) <= 0)
			return false;
	}
	return !conn->dead;
}

bool vfu_conn_pump(struct vfu_conn *conn, u64 now_ms)
{
	bool more = pump_one(conn, &conn->stream[MAIN], now_ms);

	/* The twin may have come with what was just read. */
	return pump_one(conn, &conn->stream[TWIN], now_ms) || more;
}

void vfu_conn_tick(struct vfu_conn *conn, u64 now_ms)
{
	const struct stream *s;
	u32 i;

	for (i = 0; i < VFU_MAX_PENDING; i++) {
		if (conn->pending[i].done && now_ms - conn->pending[i].since_ms > VFU_REPLY_MS)
			vfu_conn_fail(conn, "server does not reply");
	}
	for (i = 0; i < XVM_ARRAY_SIZE(conn->stream); i++) {
		s = &conn->stream[i];
		if (s->have && now_ms - s->since_ms > VFU_REPLY_MS)
			vfu_conn_fail(conn, "server does not send the rest of a message");
	}
}
