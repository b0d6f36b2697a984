// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection to a vfio-user server over socket pairs, the test being the
 * server: replies in any order and in pieces, descriptors, both directions at
 * once on one socket and on two, and each way to break a rule.
 */
/* LINK: dom0/remote/vfio_user_conn.c dom0/remote/vfio_user_msg.c dom0/remote/vfio_user_json.c */
#include "../support/test.h"
#include "../../dom0/remote/vfio_user_conn.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct vfu_conn *conn;
static int sock, twin;		/* the server's ends */
static char failure[100];
static u32 failures, commands;
static u64 done_order[VFU_MAX_PENDING];
static u32 done_count;
static u32 last_error, last_bytes, last_nfds;
static const char *refusal;

static const char *command_came(void *arg, struct vfu_msg *msg)
{
	struct vfu_dma dma;
	static u8 data[VFU_MAX_XFER];
	u8 head[16];

	(void)arg;
	commands++;
	if (refusal)
		return refusal;
	assert_int_equal(vfu_get_dma(msg->body, msg->bytes, msg->cmd == VFU_DMA_WRITE, &dma), 0);
	vfu_put_dma(head, &dma);
	vfu_conn_answer(conn, msg, dma.addr == 1 ? EFAULT : 0, head, data, msg->cmd == VFU_DMA_READ ? (u32)dma.count : 0);
	return NULL;
}

static void conn_failed(void *arg, const char *why)
{
	(void)arg;
	failures++;
	snprintf(failure, sizeof(failure), "%s", why);
}

static const struct vfu_conn_ops ops = { command_came, conn_failed };

static const char *reply_came(void *arg, u64 tag, struct vfu_msg *reply)
{
	(void)arg;
	done_order[done_count++] = tag;
	last_error = reply->error;
	last_bytes = reply->bytes;
	last_nfds = reply->nfds;
	return refusal;
}

static int setup(void **state)
{
	int pair[2];

	(void)state;
	failures = commands = done_count = 0;
	failure[0] = 0;
	refusal = NULL;
	twin = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	sock = pair[0];
	conn = vfu_conn_new(pair[1], &ops, NULL);
	assert_non_null(conn);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vfu_conn_free(conn);
	close(sock);
	if (twin >= 0)
		close(twin);
	return 0;
}

static void add_twin(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	twin = pair[0];
	vfu_conn_set_twin(conn, pair[1]);
}

static void ask(u64 tag)
{
	u8 body[VFU_INFO_BYTES];

	vfu_put_info(body);
	vfu_conn_call(conn, VFU_GET_INFO, body, sizeof(body), NULL, 0, NULL, 0, reply_came, tag, 0);
}

static void ask_with(const int *fds, u32 n)
{
	u8 body[VFU_SET_IRQS_BYTES];

	vfu_put_set_irqs(body, 2, 0, n);
	vfu_conn_call(conn, VFU_SET_IRQS, body, sizeof(body), NULL, 0, fds, n, reply_came, 0, 0);
}

/* What the server gets: its header. */
static struct vfu_hdr heard(int from, u32 *nfds)
{
	u8 raw[VFU_HDR_BYTES + VFU_MAX_BODY];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = { raw, VFU_HDR_BYTES };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg;
	struct vfu_hdr hdr;
	u32 i;

	assert_int_equal(recvmsg(from, &msg, MSG_DONTWAIT), VFU_HDR_BYTES);
	cmsg = CMSG_FIRSTHDR(&msg);
	*nfds = cmsg ? (u32)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	for (i = 0; i < *nfds; i++)
		close(((int *)(void *)CMSG_DATA(cmsg))[i]);
	hdr.id = xvm_get16(raw);
	hdr.cmd = xvm_get16(raw + 2);
	hdr.bytes = xvm_get32(raw + 4);
	hdr.flags = xvm_get32(raw + 8);
	hdr.error = xvm_get32(raw + 12);
	if (hdr.bytes > VFU_HDR_BYTES)
		assert_int_equal(recv(from, raw, hdr.bytes - VFU_HDR_BYTES, MSG_DONTWAIT), hdr.bytes - VFU_HDR_BYTES);
	return hdr;
}

static void say_with(int to, u16 id, u16 cmd, u32 body, u32 flags, u32 error, const int *fds, u32 n)
{
	struct vfu_hdr hdr = { id, cmd, VFU_HDR_BYTES + body, flags, error };
	static u8 raw[VFU_HDR_BYTES + VFU_MAX_BODY];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { raw, VFU_HDR_BYTES + body };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(raw, 0, sizeof(raw));
	vfu_put_hdr(raw, &hdr);
	if (cmd == VFU_DMA_READ || cmd == VFU_DMA_WRITE)
		xvm_put64(raw + VFU_HDR_BYTES + 8, cmd == VFU_DMA_READ ? 512 : body - 16);
	if (n) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, sizeof(int) * n);
	}
	assert_int_equal(sendmsg(to, &msg, MSG_DONTWAIT), VFU_HDR_BYTES + body);
}

static void say(int to, u16 id, u16 cmd, u32 body, u32 flags)
{
	say_with(to, id, cmd, body, flags, 0, NULL, 0);
}

static void reply(u16 id)
{
	say(sock, id, VFU_GET_INFO, 16, VFU_F_REPLY);
}

static void pump(void)
{
	while (vfu_conn_pump(conn, 0))
		;
}

static void expect_end(const char *why)
{
	pump();
	assert_int_equal(failures, 1);
	assert_string_equal(failure, why);
	assert_true(vfu_conn_dead(conn));
	/* Nothing more is said, and nobody is called. */
	ask(99);
	pump();
	vfu_conn_tick(conn, 1000000);
	assert_int_equal(failures, 1);
}

static void test_order(void **state)
{
	u16 id[3];
	u32 n, i;

	(void)state;
	for (i = 0; i < 3; i++)
		ask(100 + i);
	assert_int_equal(vfu_conn_pending(conn), 3);
	for (i = 0; i < 3; i++)
		id[i] = heard(sock, &n).id;
	reply(id[2]);
	reply(id[0]);
	pump();
	say_with(sock, id[1], VFU_GET_INFO, 0, VFU_F_REPLY | VFU_F_ERROR, ENOTSUP, NULL, 0);
	pump();
	assert_int_equal(done_count, 3);
	assert_int_equal(done_order[0], 102);
	assert_int_equal(done_order[1], 100);
	assert_int_equal(done_order[2], 101);
	assert_int_equal(last_error, ENOTSUP);
	assert_int_equal(vfu_conn_pending(conn), 0);
	assert_int_equal(failures, 0);
}

static void test_pieces(void **state)
{
	u8 raw[32] = { 0 };
	struct vfu_hdr hdr;
	u32 n, i;

	(void)state;
	ask(1);
	hdr = heard(sock, &n);
	hdr.flags = VFU_F_REPLY;
	vfu_put_hdr(raw, &hdr);
	for (i = 0; i < sizeof(raw); i++) {
		assert_int_equal(done_count, 0);
		assert_int_equal(send(sock, raw + i, 1, 0), 1);
		pump();
	}
	assert_int_equal(done_count, 1);
	assert_int_equal(last_bytes, 16);
}

static void test_descriptors(void **state)
{
	int fd[VFU_MAX_FDS], i;
	struct vfu_hdr hdr;
	u32 n;

	(void)state;
	for (i = 0; i < (int)VFU_MAX_FDS; i++)
		fd[i] = eventfd(0, EFD_CLOEXEC);
	vfu_conn_set_limits(conn, VFU_MAX_FDS + 5, 4096);
	ask_with(fd, VFU_MAX_FDS);
	hdr = heard(sock, &n);
	assert_int_equal(n, VFU_MAX_FDS);
	say_with(sock, hdr.id, VFU_SET_IRQS, 0, VFU_F_REPLY, 0, fd, 3);
	pump();
	/* Three came, nobody took them, so they are closed: the table is as before. */
	assert_int_equal(last_nfds, 3);
	i = dup(sock);
	close(i);
	assert_true(i <= fd[VFU_MAX_FDS - 1] + 2);
	vfu_conn_set_limits(conn, 1, 4096);
	ask_with(fd, 2);
	for (i = 0; i < (int)VFU_MAX_FDS; i++)
		close(fd[i]);
	expect_end("server takes fewer descriptors than a command needs");
}

static void test_too_many_descriptors(void **state)
{
	int fd[9], i;
	u32 n;

	(void)state;
	for (i = 0; i < 9; i++)
		fd[i] = sock;
	ask(1);
	say_with(sock, heard(sock, &n).id, VFU_GET_INFO, 16, VFU_F_REPLY, 0, fd, 9);
	expect_end("server sent more descriptors than a message may have");
}

static void test_fd_gone(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC), i;
	u32 n;

	(void)state;
	ask_with(&fd, 1);
	vfu_conn_fd_gone(conn, fd);
	assert_int_equal(failures, 0);	/* it is with the server */
	heard(sock, &n);
	/* The server takes nothing more, so it stays here. */
	for (i = 0; i < 1000 && !vfu_conn_wants_out(conn, false); i++) {
		say(sock, 1, VFU_DMA_READ, 16, 0);
		pump();
	}
	assert_true(vfu_conn_wants_out(conn, false));
	ask_with(&fd, 1);
	vfu_conn_fd_gone(conn, sock);
	assert_int_equal(failures, 0);
	vfu_conn_fd_gone(conn, fd);
	assert_string_equal(failure, "server did not take memory before it was gone");
	close(fd);
}

/* Commands and replies cross on one socket: neither waits for the other. */
static void both_directions(int from)
{
	u16 id[4];
	u32 n, i;

	for (i = 0; i < 4; i++) {
		ask(i);
		say(from, (u16)(40 + i), i & 1 ? VFU_DMA_WRITE : VFU_DMA_READ, i & 1 ? 116 : 16, 0);
	}
	for (i = 0; i < 4; i++)
		id[i] = heard(sock, &n).id;
	pump();
	assert_int_equal(commands, 4);
	assert_int_equal(done_count, 0);
	for (i = 0; i < 4; i++) {
		struct vfu_hdr hdr = heard(from, &n);

		assert_int_equal(hdr.id, 40 + i);
		assert_int_equal(hdr.flags, VFU_F_REPLY);
		assert_int_equal(hdr.bytes, VFU_HDR_BYTES + 16 + (i & 1 ? 0 : 512));
		reply(id[3 - i]);
	}
	pump();
	assert_int_equal(done_count, 4);
	assert_int_equal(failures, 0);
}

static void test_one_socket(void **state)
{
	(void)state;
	both_directions(sock);
}

static void test_two_sockets(void **state)
{
	(void)state;
	add_twin();
	both_directions(twin);
}

static void test_command_beside_twin(void **state)
{
	(void)state;
	add_twin();
	say(sock, 1, VFU_DMA_READ, 16, 0);
	expect_end("server sent a command beside the socket for them");
	assert_int_equal(commands, 0);
}

static void test_reply_on_twin(void **state)
{
	u32 n;

	(void)state;
	add_twin();
	ask(1);
	say(twin, heard(sock, &n).id, VFU_GET_INFO, 16, VFU_F_REPLY);
	expect_end("server sent a reply on the socket for its commands");
	assert_int_equal(done_count, 0);
}

static void test_twin_closed(void **state)
{
	(void)state;
	add_twin();
	close(twin);
	twin = -1;
	expect_end("server has closed the connection");
}

/* With a command of ours unread, the end of a server is a reset of the connection. */
static void test_closed_unread(void **state)
{
	(void)state;
	ask(1);
	close(sock);
	sock = -1;
	expect_end("server has closed the connection");
}

static void test_reply_to_nothing(void **state)
{
	(void)state;
	reply(5);
	expect_end("server replied to nothing that was asked");
}

static void test_reply_twice(void **state)
{
	u32 n;
	u16 id;

	(void)state;
	ask(1);
	id = heard(sock, &n).id;
	reply(id);
	reply(id);
	expect_end("server replied to nothing that was asked");
	assert_int_equal(done_count, 1);
}

static void test_reply_of_other_kind(void **state)
{
	u32 n;

	(void)state;
	ask(1);
	say(sock, heard(sock, &n).id, VFU_GET_IRQ_INFO, 16, VFU_F_REPLY);
	expect_end("server replied to nothing that was asked");
}

static void test_reply_of_other_round(void **state)
{
	u32 n;

	(void)state;
	ask(1);
	reply((u16)(heard(sock, &n).id + VFU_MAX_PENDING));
	expect_end("server replied to nothing that was asked");
}

static void test_garbage(void **state)
{
	u8 raw[64];

	(void)state;
	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(send(sock, raw, sizeof(raw), 0), sizeof(raw));
	expect_end("server sent a message of no known kind or length");
}

static void test_descriptor_with_command(void **state)
{
	(void)state;
	say_with(sock, 1, VFU_DMA_READ, 16, 0, 0, &sock, 1);
	expect_end("server sent descriptors with a command");
}

static void test_refused_by_owner(void **state)
{
	(void)state;
	refusal = "no";
	say(sock, 1, VFU_DMA_READ, 16, 0);
	expect_end("no");
}

static void test_closed(void **state)
{
	(void)state;
	ask(1);
	close(sock);
	sock = -1;
	pump();
	assert_int_equal(failures, 1);
	sock = eventfd(0, 0);	/* for teardown */
}

static void test_no_reply(void **state)
{
	u32 n;

	(void)state;
	ask(1);
	vfu_conn_tick(conn, VFU_REPLY_MS);
	assert_int_equal(failures, 0);
	vfu_conn_tick(conn, VFU_REPLY_MS + 1);
	assert_string_equal(failure, "server does not reply");
	(void)heard(sock, &n);
}

static void test_half_a_message(void **state)
{
	(void)state;
	assert_int_equal(send(sock, "abc", 3, 0), 3);
	pump();
	vfu_conn_tick(conn, VFU_REPLY_MS + 1);
	assert_string_equal(failure, "server does not send the rest of a message");
}

static void test_too_many_commands(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < VFU_MAX_PENDING; i++)
		ask(i);
	assert_int_equal(failures, 0);
	ask(i);
	assert_string_equal(failure, "too many commands wait for the server");
}

/* Asks and asks, and never looks at an answer: a bound, not our memory, ends it. */
static void test_answers_not_taken(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 100000 && !failures; i++) {
		say(sock, 1, VFU_DMA_READ, 16, 0);
		vfu_conn_pump(conn, 0);
	}
	assert_string_equal(failure, "server sends commands and does not take the answers");
	assert_true(i < 4000);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_order), CASE(test_pieces), CASE(test_descriptors), CASE(test_too_many_descriptors),
		CASE(test_fd_gone), CASE(test_one_socket), CASE(test_two_sockets), CASE(test_command_beside_twin),
		CASE(test_reply_on_twin), CASE(test_twin_closed), CASE(test_closed_unread),
		CASE(test_reply_to_nothing),
		CASE(test_reply_twice), CASE(test_reply_of_other_kind), CASE(test_reply_of_other_round),
		CASE(test_garbage), CASE(test_descriptor_with_command), CASE(test_refused_by_owner),
		CASE(test_closed), CASE(test_no_reply), CASE(test_half_a_message), CASE(test_too_many_commands),
		CASE(test_answers_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
