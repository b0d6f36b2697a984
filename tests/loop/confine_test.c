// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The confinement, by trying to get out of it: each forbidden call and ring
 * operation in a process of its own (tests/support/escape.c), then the real
 * worker as /proc shows it. Needs root, as the worker does.
 */
/* LINK: dom0/base dom0/daemon/targets.c */
/* NEEDS: $(B)/escape $(B)/xvmsg-worker */
#include "../support/test.h"
#include "../../dom0/base/fdsock.h"
#include "../../dom0/daemon/targets.h"
#include "../../dom0/ipc.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER_UID "131073"

static const char *build(void)
{
	const char *b = getenv("B");

	return b && *b ? b : "build";
}

/* The child's wait status. */
static int try(const char *what)
{
	char path[256];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/escape", build());
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		execl(path, "escape", what, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void need_root(void)
{
	if (geteuid())
		test_skip("needs root: the worker gives up what root has");
}

static void test_system_calls(void **state)
{
	static const char *const killed[] = {
		"openat", "socket", "ptrace", "mprotect", "madvise", "mremap", "fork", "exec",
		"setuid", "chroot", "kill", "prctl", "ring_setup", "ring_register", "ioctl_gntdev",
		"ioctl_grant_copy", "ioctl_evtchn_bind", "ioctl_tty", "ioctl_tap_make", "ioctl_tap_owner",
		"mmap_exec", "stat_path", "target_own", "target_between", "target_before", "target_behind", "targets_unmap",
		"targets_unmap_from_below", "targets_replace",
	};
	static const char *const needed[] = { "needed", "evtchn" };
	unsigned int i;
	int status;

	(void)state;
	need_root();
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		status = try(needed[i]);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			fail_msg("%s does not work: status %x", needed[i], (unsigned int)status);
	}
	for (i = 0; i < sizeof(killed) / sizeof(killed[0]); i++) {
		status = try(killed[i]);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s was not stopped: status %x", killed[i], (unsigned int)status);
	}
}

/* A worker asks for the targets that the supervisor wrote down, and cannot put another name in their place. */
static void test_targets(void **state)
{
	struct xvm_targets targets;
	int fd = xvm_targets_new(&targets), i;

	(void)state;
	assert_return_code(fd, errno);
	assert_ptr_equal(mmap(NULL, XVM_TARGETS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	for (i = 0; i < (int)XVM_TARGETS; i++)
		assert_int_equal(xvm_targets_add(&targets, i ? "naa.2" : "naa.1"), i);
	assert_int_equal(xvm_targets_add(&targets, "naa.3"), -ENOSPC);
	xvm_targets_remove(&targets, "naa.1");
	assert_int_equal(xvm_targets_add(&targets, "naa.3"), 0);
	xvm_targets_free(&targets);
	close(fd);
	need_root();
	/* The filter lets these pass; the one is no request of a memfd's, the other no place for this user. */
	assert_int_equal(try("target_slot"), 1 << 8);
	assert_int_equal(try("targets_replace_from_0"), 1 << 8);
}

static void test_ring_operations(void **state)
{
	static const char *const refused[] = {
		"ring_openat", "ring_socket", "ring_connect", "ring_sendmsg", "ring_unlinkat",
		"ring_madvise", "ring_close", "ring_nop", "ring_async", "ring_fixed",
	};
	static const char *const works[] = { "ring_readv", "ring_writev", "ring_fsync" };
	unsigned int i;
	int status;

	(void)state;
	need_root();
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		status = try(refused[i]);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
			fail_msg("%s was not refused: status %x", refused[i], (unsigned int)status);
	}
	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		status = try(works[i]);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			fail_msg("%s does not work: status %x", works[i], (unsigned int)status);
	}
}

/* ---- the real worker ---- */

static pid_t start_worker(int *sock)
{
	int pair[2], keep = memfd_create("keep-file", MFD_CLOEXEC), table;
	char path[256], fd[16], keep_fd[16], table_fd[16];
	struct xvm_targets targets;
	pid_t pid;

	table = xvm_targets_new(&targets);
	assert_return_code(table, errno);
	assert_int_equal(fdsock_pair(pair), 0);
	assert_int_equal(ftruncate(keep, XVM_KEEP_BYTES), 0);
	snprintf(path, sizeof(path), "%s/xvmsg-worker", build());
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		snprintf(fd, sizeof(fd), "%d", dup(pair[1]));
		snprintf(keep_fd, sizeof(keep_fd), "%d", dup(keep));
		snprintf(table_fd, sizeof(table_fd), "%d", dup(table));
		execl(path, "xvmsg-worker", "--fd", fd, "--uid", WORKER_UID, "--domid", "1", "--targets", table_fd,
		      "--keep", keep_fd, NULL);
		_exit(127);
	}
	close(pair[1]);
	close(keep);
	close(table);
	xvm_targets_free(&targets);
	*sock = pair[0];
	return pid;
}

static void expect(int sock, struct fdsock_msg *msg, uint32_t type)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	struct xvm_ipc_hdr hdr;

	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_int_equal(fdsock_recv(sock, msg), 1);
	memcpy(&hdr, msg->data, sizeof(hdr));
	assert_int_equal(hdr.type, type);
	assert_int_equal(hdr.bytes, msg->bytes);
}

static void tell_with(int sock, uint32_t type, int fd)
{
	struct xvm_ipc_hdr hdr = { type, sizeof(hdr) };

	assert_int_equal(fdsock_send(sock, &hdr, sizeof(hdr), &fd, fd >= 0, 1), 0);
}

static void tell(int sock, uint32_t type)
{
	tell_with(sock, type, -1);
}

static void check_status(pid_t pid)
{
	static const char *const lines[] = {
		"\nUid:\t" WORKER_UID "\t" WORKER_UID "\t" WORKER_UID "\t" WORKER_UID "\n",
		"\nGid:\t" WORKER_UID "\t" WORKER_UID "\t" WORKER_UID "\t" WORKER_UID "\n",
		"\nGroups:\t \n", "\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n", "\nCapBnd:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n",
		"\nThreads:\t1\n",
	};
	char path[64], text[8192] = "";
	unsigned int i;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	close(fd);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(text, lines[i]))
			fail_msg("/proc/PID/status lacks %s", lines[i] + 1);
}

static void check_root(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/root/.", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		assert_true(!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."));
	closedir(dir);
}

static void check_namespaces(pid_t pid)
{
	static const char *const kinds[] = { "net", "mnt", "ipc" };
	char path[64], own[64] = "", its[64] = "";
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		assert_true(readlink(path, own, sizeof(own) - 1) > 0);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i]);
		assert_true(readlink(path, its, sizeof(its) - 1) > 0);
		assert_string_not_equal(own, its);
	}
}

/* Mapped, and held by the ring; no descriptor is left that anything could be done with. */
static void check_keep_file(pid_t pid)
{
	char path[64], name[256], *text = calloc(1, 1 << 16);
	struct dirent *entry;
	size_t got = 0;
	ssize_t n;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY);
	while ((n = read(fd, text + got, (1 << 16) - 1 - got)) > 0)
		got += (size_t)n;
	close(fd);
	assert_non_null(strstr(text, "memfd:keep-file"));
	free(text);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		memset(name, 0, sizeof(name));
		if (readlinkat(dirfd(dir), entry->d_name, name, sizeof(name) - 1) > 0)
			assert_null(strstr(name, "keep-file"));
	}
	closedir(dir);
}

static void test_real_worker(void **state)
{
	struct fdsock_msg msg;
	int sock, status, trace[2];
	pid_t pid;

	(void)state;
	need_root();
	assert_int_equal(fdsock_pair(trace), 0);
	pid = start_worker(&sock);
	expect(sock, &msg, XVM_IPC_HELLO);
	check_status(pid);
	check_root(pid);
	check_namespaces(pid);
	check_keep_file(pid);
	tell_with(sock, XVM_IPC_TRACE, trace[1]);
	close(trace[1]);
	tell(sock, XVM_IPC_STATS_REQ);
	expect(sock, &msg, XVM_IPC_STATS);
	tell(sock, XVM_IPC_STOP);
	/* It had the trace, and let go of it. */
	assert_int_equal(recv(trace[0], &status, sizeof(status), 0), 0);
	close(trace[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(sock);
}

static void test_lost_supervisor(void **state)
{
	struct fdsock_msg msg;
	int sock, status;
	pid_t pid;

	(void)state;
	need_root();
	pid = start_worker(&sock);
	expect(sock, &msg, XVM_IPC_HELLO);
	close(sock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_calls),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_ring_operations),
		cmocka_unit_test(test_real_worker),
		cmocka_unit_test(test_lost_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
