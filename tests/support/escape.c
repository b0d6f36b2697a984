// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Confines itself as the worker does, then tries one thing that a taken-over
 * worker would try. Built from the product's objects, without sanitizers.
 *   escape WHAT   ends by SIGSYS (the filter), or exit 0: done, 1: refused with
 *   an error, 2: no such WHAT, 3: could not confine itself
 */
#include "../../dom0/ipc.h"
#include "../../dom0/worker/confine.h"
#include "../../dom0/worker/loop.h"
#include "../../xen/user/evtchn.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct xvm_aio *aio;
static int file;		/* a memfd from before */
static int pair[2];		/* a socket pair from before */
static char *page;		/* mapped from before */

/* ---- system calls; 0 or more: it worked ---- */

static long do_openat(void) { return open("/", O_RDONLY); }
static long do_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static long do_ptrace(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static long do_mprotect(void) { return mprotect(page, 4096, PROT_READ); }
static long do_madvise(void) { return madvise(page, 4096, MADV_DONTNEED); }
static long do_mremap(void) { return mremap(page, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED; }
static long do_fork(void) { return syscall(SYS_clone, 17, 0, 0, 0, 0); }
static long do_exec(void) { return execl("/bin/true", "true", NULL); }
static long do_setuid(void) { return setuid(0); }
static long do_chroot(void) { return chroot("."); }
static long do_kill(void) { return syscall(SYS_kill, getppid(), 0); }
static long do_prctl(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static long do_ring_setup(void)
{
	struct io_uring_params p = { 0 };

	return syscall(SYS_io_uring_setup, 4, &p);
}
static long do_ring_register(void)
{
	return syscall(SYS_io_uring_register, aio_ring_fd(aio), IORING_REGISTER_EVENTFD, &file, 1);
}
static long do_ioctl_gntdev(void) { return ioctl(file, _IOC(_IOC_NONE, 'G', 0, 24), page); }
static long do_ioctl_grant_copy(void) { return ioctl(file, _IOC(_IOC_NONE, 'G', 8, 16), page); }
static long do_ioctl_evtchn_bind(void) { return ioctl(file, _IOC(_IOC_NONE, 'E', 1, 8), page); }
static long do_ioctl_tty(void) { return ioctl(file, 0x5401, page); }
static long do_ioctl_tap_make(void) { return ioctl(file, TUNSETIFF, page); }
static long do_ioctl_tap_owner(void) { return ioctl(file, TUNSETOWNER, 1ul); }
/* The request passes for a slot of the table of targets alone; a memfd does not know it. */
static long set_target(unsigned long at) { return ioctl(file, VHOST_SCSI_SET_ENDPOINT, at); }
static long do_target_own(void) { return set_target((unsigned long)page); }
static long do_target_between(void) { return set_target(XVM_TARGETS_AT + 4); }
static long do_target_before(void) { return set_target(XVM_TARGETS_AT - XVM_TARGET_SLOT_BYTES); }
static long do_target_behind(void) { return set_target(XVM_TARGETS_AT + XVM_TARGETS_BYTES); }
static long do_target_slot(void) { return set_target(XVM_TARGETS_AT + XVM_TARGETS_BYTES - XVM_TARGET_SLOT_BYTES); }
static long do_targets_unmap(void) { return munmap((void *)XVM_TARGETS_AT, XVM_TARGETS_BYTES); }
static long do_targets_unmap_from_below(void) { return munmap((void *)(XVM_TARGETS_AT - 4096), 3 * XVM_TARGETS_BYTES); }
static long map_at(unsigned long at, unsigned long bytes)
{
	return mmap((void *)at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long do_targets_replace(void) { return map_at(XVM_TARGETS_AT, XVM_TARGETS_BYTES); }
static long do_targets_replace_from_0(void) { return map_at(0, XVM_TARGETS_AT + XVM_TARGETS_BYTES); }

static long do_mmap_exec(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}
static long do_stat_path(void)
{
	struct stat st;

	return syscall(SYS_newfstatat, AT_FDCWD, "/", &st, 0);
}

/* What the worker does need; each must work. */
static long do_needed(void)
{
	struct iovec batch = { .iov_base = page, .iov_len = 4096 };
	struct msghdr trace = { .msg_iov = &batch, .msg_iovlen = 1 };
	struct timespec ts;
	struct stat st;
	char *big = NULL;
	void *map;
	int i;

	for (i = 1; i <= 64; i++) {
		big = realloc(big, (size_t)i << 18);
		if (!big)
			return -1;
		memset(big, i, (size_t)i << 18);
	}
	free(big);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (map == MAP_FAILED || munmap(map, 4096))
		return -1;
	/* An event channel's requests pass the filter; a memfd does not know them. */
	if (ioctl(file, _IOC(_IOC_NONE, 'E', 4, 4), page) != -1 || errno != ENOTTY)
		return -1;
	/* A batch of a trace. */
	if (sendmsg(pair[0], &trace, MSG_DONTWAIT | MSG_NOSIGNAL) != 4096 ||
	    syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts))
		return -1;
	return flock(file, LOCK_EX) || fstat(file, &st) || getrandom(page, 16, 0) != 16 ||
	       syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) || close(file) ? -1 : 0;
}

/* libxenevtchn as the worker uses it, on a socket in place of the device. */
static long do_evtchn(void)
{
	struct evtchn *evtchn = evtchn_xen_open(pair[0]);
	uint32_t port = 77;

	if (!evtchn || syscall(SYS_write, pair[1], &port, sizeof(port)) != sizeof(port) ||
	    evtchn->ops->pending(evtchn) != 77 || evtchn->ops->unmask(evtchn, 77) ||
	    syscall(SYS_read, pair[1], &port, sizeof(port)) != sizeof(port) || port != 77 ||
	    evtchn->ops->notify(evtchn, 77) != -ENOTTY)
		return -1;
	evtchn->ops->close(evtchn);
	return 0;
}

/* ---- through the ring ---- */

/* The ring is the first thing in struct xvm_aio. */
static long ring_op(unsigned int op, unsigned int flags, int fd, void *addr, unsigned int len)
{
	struct io_uring *ring = (struct io_uring *)aio;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;

	if (!sqe)
		return -1;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (unsigned char)op;
	sqe->flags = (unsigned char)flags;
	sqe->fd = fd;
	sqe->addr = (unsigned long)addr;
	sqe->len = len;
	if (io_uring_submit_and_wait(ring, 1) < 0 || io_uring_peek_cqe(ring, &cqe))
		return -1;
	return cqe->res;
}

static struct iovec iov;

static long do_ring_openat(void) { return ring_op(IORING_OP_OPENAT, 0, AT_FDCWD, "/", 0); }
static long do_ring_socket(void) { return ring_op(45, 0, AF_INET, NULL, 0); }
static long do_ring_connect(void) { return ring_op(IORING_OP_CONNECT, 0, file, page, 16); }
static long do_ring_sendmsg(void) { return ring_op(IORING_OP_SENDMSG, 0, file, page, 1); }
static long do_ring_unlinkat(void) { return ring_op(IORING_OP_UNLINKAT, 0, AT_FDCWD, "x", 0); }
static long do_ring_madvise(void) { return ring_op(IORING_OP_MADVISE, 0, 0, page, 4096); }
static long do_ring_close(void) { return ring_op(IORING_OP_CLOSE, 0, file, NULL, 0); }
static long do_ring_nop(void) { return ring_op(IORING_OP_NOP, 0, 0, NULL, 0); }
static long do_ring_async(void) { return ring_op(IORING_OP_READV, IOSQE_ASYNC, file, &iov, 1); }
static long do_ring_fixed(void) { return ring_op(IORING_OP_READV, IOSQE_FIXED_FILE, 0, &iov, 1); }
static long do_ring_readv(void) { return ring_op(IORING_OP_READV, 0, file, &iov, 1); }
static long do_ring_writev(void) { return ring_op(IORING_OP_WRITEV, 0, file, &iov, 1); }
static long do_ring_fsync(void) { return ring_op(IORING_OP_FSYNC, 0, file, NULL, 0); }

#define TRY(name) { #name, do_##name }

static const struct {
	const char *name;
	long (*run)(void);
} tries[] = {
	TRY(openat), TRY(socket), TRY(ptrace), TRY(mprotect), TRY(madvise), TRY(mremap), TRY(fork),
	TRY(exec), TRY(setuid), TRY(chroot), TRY(kill), TRY(prctl), TRY(ring_setup),
	TRY(ring_register), TRY(ioctl_gntdev), TRY(ioctl_grant_copy), TRY(ioctl_evtchn_bind),
	TRY(ioctl_tty), TRY(ioctl_tap_make), TRY(ioctl_tap_owner), TRY(mmap_exec), TRY(target_own), TRY(target_between),
	TRY(target_before), TRY(target_behind), TRY(target_slot), TRY(targets_unmap), TRY(targets_unmap_from_below),
	TRY(targets_replace), TRY(targets_replace_from_0), TRY(stat_path), TRY(needed), TRY(evtchn), TRY(ring_openat),
	TRY(ring_socket), TRY(ring_connect), TRY(ring_sendmsg), TRY(ring_unlinkat),
	TRY(ring_madvise), TRY(ring_close), TRY(ring_nop), TRY(ring_async), TRY(ring_fixed), TRY(ring_readv),
	TRY(ring_writev), TRY(ring_fsync),
};

int main(int argc, char **argv)
{
	const char *step;
	unsigned int i;
	int err;

	file = memfd_create("file", 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	iov = (struct iovec){ page, 512 };
	if (argc != 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || ftruncate(file, 8192) || page == MAP_FAILED)
		return 2;
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]) && strcmp(tries[i].name, argv[1]); i++)
		;
	if (i == sizeof(tries) / sizeof(tries[0]))
		return 2;
	err = aio_new(&aio, file);	/* registered, as the keep file is */
	step = "io_uring";
	if (!err)
		err = confine(65534, &step);
	if (err) {
		fprintf(stderr, "# %s: %s\n", step, strerror(-err));
		return 3;
	}
	_exit(tries[i].run() < 0);
}
