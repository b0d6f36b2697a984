// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fence: I/O of a worker that was killed can outlive it, and the lock on its keep file stays as long. The disk is
 * a file whose file system is this test, which answers a read when it likes. Needs root and /dev/fuse.
 */
/* LINK: dom0/worker/aio.c */
/* LIBS: -l:liburing.a */
#include "../support/test.h"
#include "../../dom0/worker/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES 4096

static char disk[] = "/tmp/xvmsg-fence-XXXXXX", keep[] = "/tmp/xvmsg-held-XXXXXX";
static int fuse = -1;

static int mount_disk(void)
{
	char options[100];
	int fd = mkstemp(disk);

	if (fd < 0)
		return -1;
	close(fd);
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return -1;
	/* Seen by nobody else, and gone with this process. */
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=0,group_id=0", fuse);
	return mount("fence", disk, "fuse", MS_NOSUID | MS_NODEV, options);
}

static void answer(uint64_t unique, int error, const void *data, size_t bytes)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + bytes), .error = error, .unique = unique };
	char out[sizeof(head) + FILE_BYTES];

	memcpy(out, &head, sizeof(head));
	if (bytes)
		memcpy(out + sizeof(head), data, bytes);
	assert_int_equal(write(fuse, out, sizeof(head) + bytes), sizeof(head) + bytes);
}

static void answer_attr(uint64_t unique)
{
	struct fuse_attr_out attr = { .attr = { .ino = 1, .size = FILE_BYTES, .mode = 0100644, .nlink = 1,
						.blksize = 4096 } };

	answer(unique, 0, &attr, sizeof(attr));
}

static void answer_init(uint64_t unique, const struct fuse_init_in *in)
{
	/* ASYNC_DIO: a request with O_DIRECT is nobody's thread, as on a disk. */
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = in->minor, .max_write = FILE_BYTES,
				      .max_readahead = 0, .flags = FUSE_ASYNC_DIO | FUSE_ASYNC_READ };

	answer(unique, 0, &init, sizeof(init));
}

/* Serves for at most ms; returns the number of a READ that came, which stays unanswered, or 0. */
static uint64_t serve(int ms)
{
	char in[FUSE_MIN_READ_BUFFER + FILE_BYTES];
	const struct fuse_in_header *head = (const void *)in;
	struct pollfd p = { .fd = fuse, .events = POLLIN };
	struct fuse_open_out open_out = { 0 };

	while (poll(&p, 1, ms) > 0) {
		if (read(fuse, in, sizeof(in)) < (ssize_t)sizeof(*head))
			continue;
		switch (head->opcode) {
		case FUSE_INIT:
			answer_init(head->unique, (const void *)(head + 1));
			break;
		case FUSE_GETATTR:
			answer_attr(head->unique);
			break;
		case FUSE_OPEN:
			answer(head->unique, 0, &open_out, sizeof(open_out));
			break;
		case FUSE_READ:
			return head->unique;
		case FUSE_INTERRUPT:
		case FUSE_FORGET:
			break;
		default:
			answer(head->unique, head->opcode == FUSE_RELEASE ? 0 : -ENOSYS, NULL, 0);
		}
	}
	return 0;
}

/* What a worker has of the file: the lock that its supervisor took, through the ring alone. */
static void worker(bool registered)
{
	static struct xvm_aio_req req;
	static char page[FILE_BYTES] __attribute__((aligned(4096)));
	struct iovec iov = { page, sizeof(page) };
	int fd = open(keep, O_RDWR), image;
	struct xvm_aio *aio;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Or the file system would never end with its server. */
	close(fuse);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || aio_new(&aio, registered ? fd : -1))
		_exit(1);
	if (registered)
		close(fd);
	image = open(disk, O_RDONLY | O_DIRECT);
	if (image < 0 || xvm_aio_readv(aio, &req, image, &iov, 1, 0) || aio_enter(aio, false))
		_exit(2);
	for (;;)
		pause();
}

static bool is_locked(void)
{
	int fd = open(keep, O_RDWR | O_CLOEXEC);
	bool locked = flock(fd, LOCK_EX | LOCK_NB);

	assert_true(!locked || errno == EWOULDBLOCK);
	close(fd);
	return locked;
}

/* Killed with the read under way. Returns its number. */
static uint64_t killed_in_io(bool registered)
{
	uint64_t unique;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		worker(registered);
	unique = serve(5000);
	assert_true(unique);
	assert_true(is_locked());
	kill(pid, SIGKILL);
	while (!waitpid(pid, NULL, WNOHANG))
		serve(1);	/* the close of the file says FLUSH */
	return unique;
}

static void test_lock_outlives_worker(void **state)
{
	static const char data[FILE_BYTES];
	uint64_t unique;
	int i;

	(void)state;
	/* Without the ring's hold the lock falls with the process, while its read still runs. */
	unique = killed_in_io(false);
	for (i = 0; i < 100 && is_locked(); i++)
		usleep(10000);
	assert_false(is_locked());
	answer(unique, 0, data, sizeof(data));

	unique = killed_in_io(true);
	for (i = 0; i < 50; i++) {
		assert_true(is_locked());
		serve(10);
	}
	answer(unique, 0, data, sizeof(data));
	for (i = 0; i < 500 && is_locked(); i++)
		serve(10);
	assert_false(is_locked());
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lock_outlives_worker) };
	int fd = mkstemp(keep), failed;

	close(fd);
	if (mount_disk()) {
		printf("1..0 # SKIP needs root and /dev/fuse\n");
		failed = 77;
	} else {
		failed = cmocka_run_group_tests(tests, NULL, NULL);
		umount2(disk, MNT_DETACH);
	}
	unlink(disk);
	unlink(keep);
	return failed;
}
