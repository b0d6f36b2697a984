// SPDX-License-Identifier: GPL-2.0-or-later
/* Datagrams with descriptors: what is not taken is closed, what is too long or too much is refused. */
/* LINK: dom0/base */
#include "../support/test.h"
#include "../../dom0/base/fdsock.h"
#include "../../dom0/base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int sock[2];

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int start(void **state)
{
	(void)state;
	return fdsock_pair(sock);
}

static int stop(void **state)
{
	(void)state;
	close(sock[0]);
	if (sock[1] >= 0)
		close(sock[1]);
	return 0;
}

static void test_round_trip(void **state)
{
	int before = open_fds(), fds[2] = { 0, 1 }, fd;
	struct fdsock_msg msg;

	(void)state;
	assert_int_equal(fdsock_recv(sock[1], &msg), -EAGAIN);
	assert_int_equal(fdsock_send(sock[0], "hello", 5, fds, 2, 1), 0);
	assert_int_equal(fdsock_recv(sock[1], &msg), 1);
	assert_int_equal(msg.bytes, 5);
	assert_memory_equal(msg.data, "hello", 5);
	assert_int_equal(msg.fds.count, 2);
	assert_int_equal(open_fds(), before + 2);
	fd = fdset_take(&msg.fds, 1);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fdset_take(&msg.fds, 1), -1);
	assert_int_equal(fdset_take(&msg.fds, 2), -1);
	fdsock_release(&msg);
	assert_int_equal(open_fds(), before + 1);
	close(fd);
}

static void test_too_many(void **state)
{
	int before = open_fds(), fds[FDSOCK_MAX_FDS + 1] = { 0 }, n;
	char control[CMSG_SPACE((FDSOCK_MAX_FDS + 16) * sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *cmsg;
	struct fdsock_msg msg;

	(void)state;
	assert_int_equal(fdsock_send(sock[0], "x", 1, fds, FDSOCK_MAX_FDS + 1, 1), -EMSGSIZE);
	for (n = FDSOCK_MAX_FDS + 1; n <= FDSOCK_MAX_FDS + 16; n += 15) {
		hdr.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		assert_int_equal(sendmsg(sock[0], &hdr, 0), 1);
		assert_int_equal(fdsock_recv(sock[1], &msg), -EMSGSIZE);
		assert_int_equal(open_fds(), before);
	}
}

static void test_sizes(void **state)
{
	char big[FDSOCK_MAX_BYTES + 1] = { 0 };
	struct fdsock_msg msg;

	(void)state;
	assert_int_equal(fdsock_send(sock[0], big, sizeof(big), NULL, 0, 1), -EMSGSIZE);
	assert_int_equal(send(sock[0], big, sizeof(big), 0), sizeof(big));
	assert_int_equal(fdsock_recv(sock[1], &msg), -EMSGSIZE);
	assert_int_equal(fdsock_send(sock[0], big, FDSOCK_MAX_BYTES, NULL, 0, 1), 0);
	assert_int_equal(fdsock_recv(sock[1], &msg), 1);
	assert_int_equal(msg.bytes, FDSOCK_MAX_BYTES);
	fdsock_release(&msg);
}

static void test_end_and_full(void **state)
{
	struct fdsock_msg msg;
	int i, err = 0;

	(void)state;
	for (i = 0; i < 100000 && !err; i++)
		err = fdsock_send(sock[1], "x", 1, NULL, 0, 0);
	assert_int_equal(err, -EAGAIN);
	close(sock[1]);
	sock[1] = -1;
	assert_int_equal(fdsock_send(sock[0], "x", 1, NULL, 0, 1), -EPIPE);
	while ((err = fdsock_recv(sock[0], &msg)) == 1)
		fdsock_release(&msg);
	assert_int_equal(err, 0);
}

/* 50 at once, then 5 a second, and what was dropped is counted once. */
static void test_log_rate(void **state)
{
	struct log_bucket bucket = { 0 };
	uint32_t dropped = 0, i, passed = 0;

	(void)state;
	for (i = 0; i < 60; i++)
		passed += log_allow(&bucket, 1000000, &dropped);
	assert_int_equal(passed, 50);
	assert_false(log_allow(&bucket, 1000199, &dropped));
	assert_true(log_allow(&bucket, 1000200, &dropped));
	assert_int_equal(dropped, 11);
	for (i = 0, passed = 0; i < 1000; i++)
		passed += log_allow(&bucket, 1000200 + i * 10, &dropped);
	assert_in_range(passed, 49, 50);
	for (i = 0, passed = 0; i < 100; i++)
		passed += log_allow(&bucket, 9000000, &dropped);
	assert_int_equal(passed, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, start, stop),
		cmocka_unit_test_setup_teardown(test_too_many, start, stop),
		cmocka_unit_test_setup_teardown(test_sizes, start, stop),
		cmocka_unit_test_setup_teardown(test_end_and_full, start, stop),
		cmocka_unit_test(test_log_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
