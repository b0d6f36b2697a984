// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Servers as the daemon starts them, dom0/daemon/server.c: this program is the
 * server, too, and says over its first connection what it finds around itself.
 */
/* LINK: dom0/daemon/server.c dom0/daemon/server_open.c dom0/daemon/server_find.c dom0/base/log.c */
/* LIBS: -levent_core -ljson-c */
#include "../support/test.h"
#include "../../dom0/daemon/daemon.h"
#include "../../dom0/daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/input.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ways to other memory than a server's own, and into the kernel. */
static const struct {
	const char *name;
	long call, arg1, arg2, arg3;
} ways[] = {
	{ "gntdev: map a grant", SYS_ioctl, -1, _IOC(_IOC_NONE, 'G', 0, 24), 0 },
	{ "gntalloc", SYS_ioctl, -1, _IOC(_IOC_NONE, 'G', 5, 24), 0 },
	{ "a request with rubbish above its 32 bits", SYS_ioctl, -1, (long)(1ull << 32 | _IOC(_IOC_NONE, 'G', 0, 24)), 0 },
	{ "privcmd: a hypercall", SYS_ioctl, -1, _IOC(_IOC_NONE, 'P', 0, 48), 0 },
	{ "privcmd: map a domain's memory", SYS_ioctl, -1, _IOC(_IOC_NONE, 'P', 4, 32), 0 },
	{ "privcmd: irqfd", SYS_ioctl, -1, _IOC(_IOC_WRITE, 'P', 8, 32), 0 },
	{ "evtchn: bind", SYS_ioctl, -1, _IOC(_IOC_NONE, 'E', 1, 8), 0 },
	{ "xenbus_backend: the store's ring", SYS_ioctl, -1, _IOC(_IOC_NONE, 'B', 1, 0), 0 },
	{ "ptrace", SYS_ptrace, 0, 0, 0 },
	{ "process_vm_readv", SYS_process_vm_readv, 1, 0, 0 },
	{ "process_vm_writev", SYS_process_vm_writev, 1, 0, 0 },
	{ "pidfd_getfd", SYS_pidfd_getfd, -1, 0, 0 },
	{ "bpf", SYS_bpf, -1, 0, 0 },
	{ "perf_event_open", SYS_perf_event_open, 0, 0, 0 },
	{ "init_module", SYS_init_module, 0, 0, 0 },
	{ "finit_module", SYS_finit_module, -1, 0, 0 },
	{ "delete_module", SYS_delete_module, 0, 0, 0 },
	{ "kexec_load", SYS_kexec_load, 0, 1000, 0 },
	{ "kexec_file_load", SYS_kexec_file_load, -1, -1, 0 },
	{ "reboot", SYS_reboot, 0, 0, 0 },
};

/* What no server has, and what virtiofsd cannot do without. */
static const int none_of[] = { CAP_SYS_PTRACE, CAP_SYS_RAWIO, CAP_SYS_MODULE, CAP_SYS_BOOT, CAP_MAC_ADMIN, CAP_KILL, CAP_BPF, CAP_SYSLOG };
static const int all_of[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETGID, CAP_SETUID, CAP_MKNOD, CAP_SETFCAP };

static struct xvm_disk disk;
static struct xvm_guest guest;
static struct xvm_daemon the_daemon;
static u32 tries, tried_ms, handed, went_on, ends;
static void (*opened_done)(void *arg, const struct xvm_opened *opened, struct fdset *fds);
static char self[200];

/* ---- what server.c asks of the rest of the daemon ---- */

void xvm_disk_log(struct xvm_disk *d, int level, const char *format, ...)
{
	(void)d, (void)level, (void)format;
}

void xvm_timer(struct event *timer, u32 ms)
{
	(void)timer;
	tries++;
	tried_ms = ms;
}

void xvm_connect_go_on(struct xvm_guest *g)
{
	(void)g;
	went_on++;
}

void xvm_worker_server(struct xvm_worker *worker, u32 num, const struct fdset *fds)
{
	(void)worker, (void)num, (void)fds;
	handed++;
}

void xvm_worker_server_end(struct xvm_worker *worker, u32 num)
{
	(void)worker, (void)num;
	ends++;
}

struct xvm_opener *xvm_opener_start(struct event_base *base, const struct xvm_image_request *request, bool want_fds,
				    void (*done)(void *arg, const struct xvm_opened *opened, struct fdset *fds), void *arg)
{
	(void)base, (void)request, (void)want_fds, (void)arg;
	opened_done = done;
	return (struct xvm_opener *)&opened_done;
}

/* ---- the server ---- */

struct report {
	int accepted, more, other_errno, evdev_errno, extra_fd, death, groups, no_new_privs;
	int way_errno[XVM_ARRAY_SIZE(ways)];
	u64 caps, bounding;
	u32 uid, gid;
	char word[20];
};

static u64 own_caps(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	syscall(SYS_capget, &header, data);
	return (data[0].permitted | data[0].inheritable) | (u64)(data[1].permitted | data[1].inheritable) << 32;
}

static u64 bounding_set(void)
{
	u64 set = 0;
	int cap;

	for (cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			set |= 1ull << cap;
	return set;
}

static void try_ways(struct report *report)
{
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(ways); i++) {
		errno = 0;
		syscall(ways[i].call, ways[i].arg1, ways[i].arg2, ways[i].arg3, 0, 0, 0);
		report->way_errno[i] = errno;
	}
	report->caps = own_caps();
	report->bounding = bounding_set();
	report->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static int serve(const char *fd, const char *word)
{
	struct pollfd wait = { .fd = atoi(fd), .events = POLLIN };
	struct report report = { 0 };
	int sock = accept(wait.fd, NULL, NULL);

	report.accepted = sock >= 0;
	report.more = poll(&wait, 1, 0);
	try_ways(&report);
	errno = 0;
	report.evdev_errno = ioctl(sock, EVIOCGVERSION, NULL) ? errno : 0;
	report.other_errno = ioctl(sock, FIONREAD, &report.extra_fd) ? errno : 0;
	report.extra_fd = fcntl(wait.fd + 1 == sock ? sock + 1 : wait.fd + 1, F_GETFD) >= 0;
	prctl(PR_GET_PDEATHSIG, &report.death);
	report.groups = getgroups(0, NULL);
	report.uid = getuid();
	report.gid = getgid();
	snprintf(report.word, sizeof(report.word), "%s", word);
	if (send(sock, &report, sizeof(report), 0) != sizeof(report))
		return 1;
	pause();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&disk, 0, sizeof(disk));
	memset(&guest, 0, sizeof(guest));
	disk.guest = &guest;
	guest.daemon = &the_daemon;
	guest.disks = &disk;
	the_daemon.guests = &guest;
	the_daemon.base = event_base_new();
	tries = handed = went_on = ends = 0;
	disk.image.spec = (struct xvm_spec){ .kind = XVM_KIND_VHOST_USER, .device_id = 2, .queues = 2, .command = true };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	xvm_server_free(&disk);
	event_base_free(the_daemon.base);
	return 0;
}

static void wait_end(void)
{
	int status;
	pid_t pid = disk.server.pid;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(xvm_server_exited(&the_daemon, pid, status));
	assert_false(xvm_server_exited(&the_daemon, pid, status));
	assert_int_equal(disk.server.pid, 0);
}

static void expect_shut(const struct report *report, bool root)
{
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(ways); i++)
		if (report->way_errno[i] != EPERM)
			fail_msg("%s: %s", ways[i].name, strerror(report->way_errno[i]));
	assert_int_equal(report->evdev_errno, ENOTTY);	/* of type 'E' as well, and none of Xen's */
	assert_int_equal(report->no_new_privs, 1);
	for (i = 0; root && i < XVM_ARRAY_SIZE(none_of); i++)
		assert_int_equal((report->caps | report->bounding) >> none_of[i] & 1, 0);
	for (i = 0; root && i < XVM_ARRAY_SIZE(all_of); i++)
		assert_int_equal(report->caps >> all_of[i] & 1, 1);
	if (!root)
		assert_int_equal(report->caps, 0);
}

static void test_started(void **state)
{
	struct fdset fds = { 0 };
	struct report report;
	char why[XVM_WHY_BYTES];
	u64 bytes;

	(void)state;
	snprintf(disk.image.spec.path, sizeof(disk.image.spec.path), "%s  serve %%fd a=%%fd,b%%fdx", self);
	assert_int_equal(xvm_server_check(&disk.image.spec, why), 0);
	assert_int_equal(xvm_server_open(&disk.image.spec, &fds, why), 0);
	assert_int_equal(fds.count, XVM_VU_KICK + 3);
	/* A memory that nobody can shrink. */
	bytes = (u64)lseek(fds.fd[XVM_VU_MEMORY], 0, SEEK_END);
	assert_int_equal(bytes, 2 * XVM_VU_QUEUE_BYTES);
	assert_int_equal(ftruncate(fds.fd[XVM_VU_MEMORY], 4096), -1);
	assert_int_equal(xvm_server_start(&disk, &fds), 0);
	assert_int_equal(fds.count, XVM_VU_KICK + 2);
	assert_true(disk.server.pid > 0);
	assert_int_equal(recv(fds.fd[XVM_VU_SOCKET], &report, sizeof(report), MSG_WAITALL), sizeof(report));
	assert_int_equal(report.accepted, 1);
	assert_int_equal(report.more, 0);
	expect_shut(&report, !geteuid());
	assert_int_equal(report.other_errno, 0);
	assert_int_equal(report.extra_fd, 0);
	assert_int_equal(report.death, SIGKILL);
	assert_string_equal(report.word, "a=3,b3x");

	/* Lost: it is ended, and only when that has happened the next one is on its way. */
	disk.in_worker = true;
	xvm_server_lost(&disk);
	assert_int_equal(tries, 0);
	assert_int_equal(ends, 0);
	wait_end();
	assert_int_equal(tries, 1);
	assert_int_equal(ends, 1);
	/* The worker is gone: a new one waits for the end. */
	fdset_close(&fds);
	assert_int_equal(xvm_server_open(&disk.image.spec, &fds, why), 0);
	assert_int_equal(xvm_server_start(&disk, &fds), 0);
	disk.in_worker = false;
	assert_true(xvm_server_end(&disk));
	wait_end();
	assert_int_equal(went_on, 1);
	assert_int_equal(tries, 1);
	assert_false(xvm_server_end(&disk));
	fdset_close(&fds);
}

/* The timer fires, and the next connection is opened, or not. */
static void try_again(int err)
{
	struct xvm_opened opened = { .err = err };
	struct fdset fds = { 0 };

	opened_done = NULL;
	event_active(disk.server.retry, EV_TIMEOUT, 0);
	event_base_loop(the_daemon.base, EVLOOP_NONBLOCK);
	assert_non_null(opened_done);
	opened_done(&disk, &opened, &fds);
}

/* Waits grow while servers are lost soon, and begin anew behind one that has lasted, whatever the driver does. */
static void test_waits(void **state)
{
	static const u32 found[] = { 100, 200, 400, 800, 1600, 3200, 5000 };
	u32 i;

	(void)state;
	disk.image.spec.command = false;
	disk.in_worker = true;
	for (i = 0; i < XVM_ARRAY_SIZE(found); i++) {
		assert_int_equal(!!disk.why[0], i >= 6);
		xvm_server_lost(&disk);
		assert_int_equal(tried_ms, found[i]);
		try_again(0);
		assert_int_equal(handed, i + 1);
	}
	assert_non_null(strstr(disk.why, "every 5 s"));
	assert_in_range(tried_ms, 5001, 60000);
	event_active(disk.server.retry, EV_TIMEOUT, 0);
	event_base_loop(the_daemon.base, EVLOOP_NONBLOCK);
	assert_int_equal(disk.why[0], 0);
	xvm_server_lost(&disk);
	assert_int_equal(tried_ms, 100);
	/* A program that cannot be started is tried once a minute in the end. */
	disk.image.spec.command = true;
	for (i = 0; i < 12; i++)
		try_again(-ENOENT);
	assert_int_equal(tried_ms, 60000);
	assert_non_null(strstr(disk.why, "every 60 s"));
}

static void test_refused(void **state)
{
	struct fdset fds = { 0 };
	char why[XVM_WHY_BYTES];
	u32 i;

	(void)state;
	strcpy(disk.image.spec.path, "/nowhere/server --fd=%fd");
	assert_int_equal(xvm_server_check(&disk.image.spec, why), -ENOENT);
	assert_non_null(strstr(why, "server /nowhere/server cannot be run"));
	disk.image.spec.command = false;
	strcpy(disk.image.spec.path, "/nowhere.sock");
	assert_int_equal(xvm_server_check(&disk.image.spec, why), -ENOENT);
	assert_true(xvm_server_open(&disk.image.spec, &fds, why) < 0);
	assert_non_null(strstr(why, "is the server running"));
	strcpy(disk.image.spec.path, "/proc/self/exe");
	assert_int_equal(xvm_server_check(&disk.image.spec, why), -ENOTSOCK);
	memset(disk.image.spec.path, 'x', 200);
	disk.image.spec.path[200] = 0;
	assert_int_equal(xvm_server_open(&disk.image.spec, &fds, why), -ENAMETOOLONG);
	/* More words than any server has. */
	disk.image.spec.command = true;
	for (i = 0; i < 400; i += 2)
		memcpy(disk.image.spec.path + i, "x ", 3);
	assert_int_equal(xvm_server_open(&disk.image.spec, &fds, why), 0);
	assert_int_equal(xvm_server_start(&disk, &fds), -E2BIG);
	assert_int_equal(disk.server.pid, 0);
	fdset_close(&fds);
}

/* A program that is named and not spelled out. */
static void describe(const char *dir, const char *file, const char *type, const char *binary)
{
	char path[300];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, type ? "{ \"description\": \"x\", \"type\": \"%s\", \"binary\": \"%s\" }" : "", type, binary);
	fclose(out);
}

static void find(const char *const *dirs, u16 device_id, const char *server, int want, const char *words)
{
	struct xvm_spec spec = { .kind = XVM_KIND_VHOST_USER, .device_id = device_id, .command = true };
	char why[XVM_WHY_BYTES] = "";
	int err;

	snprintf(spec.path, sizeof(spec.path), "%s", server);
	err = xvm_server_find(&spec, dirs, why);
	if (err != want || strcmp(want ? strstr(why, words) ? words : why : spec.path, words))
		fail_msg("%s: %d, '%s', '%s'", server, err, spec.path, why);
}

static void test_found(void **state)
{
	char first[] = "/tmp/xvmsg-st-XXXXXX", second[] = "/tmp/xvmsg-st-XXXXXX", command[200], name[60], words[400];
	const char *const dirs[] = { mkdtemp(first), "/nowhere", mkdtemp(second), NULL };
	int len;

	(void)state;
	snprintf(name, sizeof(name), "%s", strrchr(self, '/') + 1);
	describe(second, "50-self.json", "fs", self);
	describe(second, "40-true.json", "fs", "/bin/true");
	describe(second, "30-other.json", "block", "/bin/false");
	describe(second, "10-relative.json", "fs", "self");
	describe(first, "45-broken.json", NULL, NULL);
	/* By its name, with the socket said or not; the other names come before it. */
	snprintf(command, sizeof(command), "%s -o a", name);
	snprintf(words, sizeof(words), "%s -o a --fd=%%fd", self);
	find(dirs, 26, command, 0, words);
	snprintf(command, sizeof(command), "%s --fd=%%fd", name);
	snprintf(words, sizeof(words), "%s --fd=%%fd", self);
	find(dirs, 26, command, 0, words);
	find(dirs, 26, words, 0, words);
	/* Any of this type: the first, which does not say what it is; hidden, the second. */
	find(dirs, 26, "auto", -EIO, "server /bin/true --print-capabilities does not answer");
	describe(first, "40-true.json", NULL, NULL);
	find(dirs, 26, "auto", 0, words);
	/* Of another type than its description says, of a type that nothing is about, not there. */
	describe(first, "20-lie.json", "block", self);
	find(dirs, 2, name, -ENODEV, "says that it is of type 'fs'");
	find(dirs, 34, name, -ENOENT, "no description is about such a device");
	find(dirs, 26, "nobody", -ENOENT, "is in no description");
	find(dirs + 1, 2, "false", -EIO, "does not answer");
	len = snprintf(command, sizeof(command), "rm -r %s %s", first, second);
	assert_in_range(len, 1, sizeof(command) - 1);
	assert_int_equal(system(command), 0);
}

static void test_user(void **state)
{
	struct xvm_spec spec = { .user = "nobody" };
	struct fdset fds = { 0 };
	struct report report;
	char why[XVM_WHY_BYTES];
	u32 uid, gid;

	(void)state;
	assert_int_equal(xvm_server_user(&spec, &uid, &gid, why), 0);
	assert_int_equal(uid, 65534);
	strcpy(spec.user, "no-such-user");
	assert_int_equal(xvm_server_user(&spec, &uid, &gid, why), -ENOENT);
	assert_string_equal(why, "user=no-such-user is not known here");
	spec.user[0] = 0;
	assert_int_equal(xvm_server_user(&spec, &uid, &gid, why), 0);
	assert_int_equal(uid, 0);
	if (geteuid())
		return;
	/* All else holds of such a one, too. */
	snprintf(disk.image.spec.path, sizeof(disk.image.spec.path), "/proc/self/exe serve %%fd x");
	disk.image.uid = 65534;
	disk.image.gid = 65533;
	assert_int_equal(xvm_server_open(&disk.image.spec, &fds, why), 0);
	assert_int_equal(xvm_server_start(&disk, &fds), 0);
	assert_int_equal(recv(fds.fd[XVM_VU_SOCKET], &report, sizeof(report), MSG_WAITALL), sizeof(report));
	assert_int_equal(report.uid, 65534);
	assert_int_equal(report.gid, 65533);
	assert_int_equal(report.groups, 0);
	expect_shut(&report, false);
	assert_int_equal(report.death, SIGKILL);
	assert_true(xvm_server_end(&disk));
	wait_end();
	fdset_close(&fds);
}

static void test_description(void **state)
{
	struct xvm_ipc_dev_add add = { 0 };
	struct xvm_spec fs = { .device_id = 26, .queues = 3, .tag = "share" };

	(void)state;
	xvm_server_describe(&disk.image.spec, &add);
	assert_int_equal(add.backend, XVM_BACKEND_VHOST_USER);
	assert_int_equal(add.config_bytes, 60);
	assert_int_equal(add.config_given, 0);
	/* One that we start may have areas; one that is found, if it is said to be trusted. */
	assert_int_equal(add.flags, XVM_DEV_TRUSTED);
	assert_true(xvm_server_trusted(&(struct xvm_spec){ .kind = XVM_KIND_VHOST_USER, .trusted = true }));
	assert_false(xvm_server_trusted(&(struct xvm_spec){ .kind = XVM_KIND_VHOST_USER }));
	memset(&add, 0, sizeof(add));
	xvm_server_describe(&fs, &add);
	assert_int_equal(add.device_id, 26);
	assert_int_equal(add.config_given, 1);
	assert_string_equal((char *)add.config, "share");
	assert_int_equal(add.config[36], 2);
	assert_int_equal(add.queues, 3);
	memset(&add, 0, sizeof(add));
	xvm_server_describe(&(struct xvm_spec){ .device_id = 18, .queues = 2 }, &add);
	assert_int_equal(add.config_bytes, 136);
	xvm_server_describe(&(struct xvm_spec){ .device_id = 45, .config_said = true, .config_bytes = 256 }, &add);
	assert_int_equal(add.config_bytes, 256);
	xvm_server_describe(&(struct xvm_spec){ .device_id = 1, .net = { .mac = { 2, 0, 0, 0, 0, 9 }, .mac_given = true,
									 .mtu = 1400 } }, &add);
	assert_int_equal(add.net.mac[5], 9);
	assert_int_equal(add.net.mtu, 1400);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_started, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_description, setup, teardown),
	};

	if (argc == 2 && !strcmp(argv[1], "--print-capabilities"))
		return puts("{ \"type\": \"fs\", \"features\": [] }") < 0;
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
