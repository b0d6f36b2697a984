// SPDX-License-Identifier: GPL-2.0-or-later
/* The keep file of a guest as the supervisor handles it: made, locked, refused, forgotten, swept; and handed to a worker. */
/* LINK: xen/proto xen/user/store.c dom0/base/fdsock.c dom0/base/log.c dom0/daemon/keep.c dom0/daemon/worker.c dom0/daemon/targets.c */
/* LINK: dom0/daemon/budget.c dom0/daemon/util.c dom0/daemon/paths.c tests/support/fake_store.c */
/* LIBS: -levent_core */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../support/test.h"
#include "../support/fake_store.h"
#include "../../dom0/daemon/keep.h"
#include "../../dom0/daemon/worker.h"

#define UUID "0a1b2c3d-0000-4000-8000-00000000000f"

static struct xvm_daemon d;
static struct xvm_guest g;
static char top[64], dir[80], file[160], self[256];

/* What worker.c calls and no case here comes to. */
void xvm_link_stopped(struct xvm_guest *guest)
{
	(void)guest;
}

void xvm_link_broken(struct xvm_guest *guest, const char *why, bool guest_fault)
{
	(void)guest, (void)why, (void)guest_fault;
}

const char *xvm_worker_request(struct xvm_worker *worker, const struct fdsock_msg *msg)
{
	(void)worker, (void)msg;
	return "not here";
}

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	memset(&g, 0, sizeof(g));
	strcpy(top, "/tmp/xvm-keep-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/keep", top);
	snprintf(file, sizeof(file), "%s/5-" UUID, dir);
	d.options.run_dir = top;
	d.options.worker = self;
	d.options.uid_base = 1000;
	d.base = event_base_new();
	d.store = fake_store_new();
	g.daemon = &d;
	g.domid = 5;
	g.alive = true;
	strcpy(g.uuid, UUID);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	fake_store_free(d.store);
	event_base_free(d.base);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static void test_open(void **state)
{
	char byte = 'x';
	struct stat st;
	int fd, again;

	(void)state;
	fd = xvm_keep_open(&g);
	assert_true(fd >= 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, XVM_KEEP_BYTES);
	assert_int_equal(st.st_blocks * 512 >= XVM_KEEP_BYTES, 1);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(pwrite(fd, &byte, 1, 70000), 1);

	/* The former worker's I/O runs as long as anybody has this open file, whatever name or copy of it. */
	assert_int_equal(xvm_keep_open(&g), -EAGAIN);
	again = dup(fd);
	close(fd);
	assert_int_equal(xvm_keep_open(&g), -EAGAIN);
	close(again);
	fd = xvm_keep_open(&g);
	assert_true(fd >= 0);
	byte = 0;
	assert_int_equal(pread(fd, &byte, 1, 70000), 1);
	assert_int_equal(byte, 'x');
	close(fd);
}

/* A file of another build means nothing here: it is emptied, but never under somebody's feet. */
static void test_other_size(void **state)
{
	char byte = 'x';
	int fd, held;

	(void)state;
	fd = xvm_keep_open(&g);
	assert_int_equal(pwrite(fd, &byte, 1, 0), 1);
	close(fd);
	assert_int_equal(truncate(file, 4096), 0);
	held = open(file, O_RDWR);
	assert_int_equal(flock(held, LOCK_EX), 0);
	assert_int_equal(xvm_keep_open(&g), -EAGAIN);
	assert_int_equal(size_of(file), 4096);
	close(held);
	fd = xvm_keep_open(&g);
	assert_int_equal(size_of(file), XVM_KEEP_BYTES);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 0);
	close(fd);
}

static void test_refused(void **state)
{
	static const char *const bad_uuid[] = { "", "..", "a/b", "../../etc/x", "0a g", "\n" };
	char other[100];
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(bad_uuid); i++) {
		strcpy(g.uuid, bad_uuid[i]);
		assert_int_equal(xvm_keep_open(&g), -EINVAL);
		xvm_keep_forget(&g);
	}
	strcpy(g.uuid, UUID);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(other, sizeof(other), "%s/other", top);
	fd = open(other, O_RDWR | O_CREAT, 0600);
	close(fd);
	assert_int_equal(symlink(other, file), 0);
	assert_int_equal(xvm_keep_open(&g), -ELOOP);
	unlink(file);
	assert_int_equal(link(other, file), 0);
	assert_int_equal(xvm_keep_open(&g), -EPERM);
	unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(xvm_keep_open(&g), -EPERM);
	unlink(file);
	fd = open(file, O_RDWR | O_CREAT, 0600);
	assert_int_equal(fchmod(fd, 0620), 0);
	assert_int_equal(xvm_keep_open(&g), -EPERM);
	assert_int_equal(size_of(file), 0);
	assert_int_equal(size_of(other), 0);
	close(fd);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(xvm_keep_open(&g), -EPERM);
	assert_int_equal(rename(dir, other), -1);
	d.options.keep_dir = "/proc/nowhere/keep";
	assert_int_equal(xvm_keep_open(&g), -ENOENT);
}

/* While the fence is held the name stays, unless the domain is gone. */
static void test_forget(void **state)
{
	int fd = xvm_keep_open(&g);

	(void)state;
	xvm_keep_forget(&g);
	assert_int_equal(size_of(file), XVM_KEEP_BYTES);
	close(fd);
	xvm_keep_forget(&g);
	assert_int_equal(size_of(file), -1);
	xvm_keep_forget(&g);

	fd = xvm_keep_open(&g);
	g.alive = false;
	xvm_keep_forget(&g);
	assert_int_equal(size_of(file), -1);
	close(fd);
}

static void touch(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	close(open(path, O_RDWR | O_CREAT, 0600));
}

static bool there(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return size_of(path) >= 0;
}

static void test_sweep(void **state)
{
	(void)state;
	xvm_keep_sweep(&d);	/* makes the directory */
	touch("5-" UUID);
	touch("5-11111111-0000-4000-8000-000000000000");
	touch("6-" UUID);
	touch("notes");
	touch("x-" UUID);
	touch("99999-" UUID);
	fake_store_set_alive(d.store, 5, true);
	fake_store_put(d.store, "/local/domain/5/vm", "/vm/" UUID);
	fake_store_set_alive(d.store, 6, false);
	fake_store_put(d.store, "/local/domain/6/vm", "/vm/" UUID);
	xvm_keep_sweep(&d);
	assert_true(there("5-" UUID));
	assert_false(there("5-11111111-0000-4000-8000-000000000000"));
	assert_false(there("6-" UUID));
	/* What we did not name is not ours. */
	assert_true(there("notes"));
	assert_true(there("x-" UUID));
	assert_true(there("99999-" UUID));
}

/* ---- what the worker finds ---- */

/* The worker's side: 3 is a socket, 4 the table of targets, to be read; with --keep=5, 5 is the locked file; nothing is above. */
static int worker_main(int argc, char **argv)
{
	bool keep = !strcmp(argv[argc - 1], "--keep=5");
	struct stat st;

	if (fstat(3, &st) || !S_ISSOCK(st.st_mode))
		return 10;
	if (fstat(4, &st) || st.st_size != XVM_TARGETS_BYTES || !(fcntl(4, F_GET_SEALS) & F_SEAL_FUTURE_WRITE))
		return 13;
	if (keep && (fstat(5, &st) || st.st_size != XVM_KEEP_BYTES || flock(5, LOCK_EX | LOCK_NB)))
		return 11;
	return fcntl(keep ? 6 : 5, F_GETFD) >= 0 ? 12 : keep ? 1 : 0;
}

static int run_worker(int keep_fd)
{
	int status = -1;

	assert_int_equal(xvm_worker_start(&g, keep_fd), 0);
	/* Ours is closed: what the worker has is all there is of the lock. */
	assert_int_equal(waitpid(g.worker->pid, &status, 0), g.worker->pid);
	assert_true(xvm_worker_exited(&d, g.worker->pid, status) == false || !g.worker);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_spawn(void **state)
{
	int fd, low;

	(void)state;
	d.guests = &g;
	assert_int_equal(run_worker(-1), 0);
	assert_int_equal(run_worker(xvm_keep_open(&g)), 1);
	/* The worker is gone, and nobody here has it open. */
	fd = xvm_keep_open(&g);
	assert_true(fd >= 0);
	/* At the places where the worker's own descriptors go. */
	for (low = 3; low <= 5; low++) {
		assert_int_equal(dup3(fd, low, O_CLOEXEC), low);
		if (low != fd)
			close(fd);
		assert_int_equal(run_worker(low), 1);
		fd = xvm_keep_open(&g);
		assert_true(fd >= 0);
	}
	close(fd);
	/* No such program: the file is closed all the same. */
	d.options.worker = "/nowhere";
	assert_int_equal(xvm_worker_start(&g, xvm_keep_open(&g)), -ENOENT);
	fd = xvm_keep_open(&g);
	assert_true(fd >= 0);
	close(fd);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_open), CASE(test_other_size), CASE(test_refused), CASE(test_forget), CASE(test_sweep),
		CASE(test_spawn),
	};

	if (argc > 2 && !strcmp(argv[1], "--fd"))
		return worker_main(argc, argv);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	/* 3 to 5 are free for test_spawn, whatever libraries open, or make has left open for its jobs. */
	close_range(3, ~0u, 0);
	if (open("/dev/null", O_RDWR | O_CLOEXEC) > 3 || open("/dev/null", O_RDWR | O_CLOEXEC) > 4 ||
	    open("/dev/null", O_RDWR | O_CLOEXEC) > 5)
		return 1;
	log_set_level(LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
