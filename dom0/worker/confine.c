// SPDX-License-Identifier: GPL-2.0-or-later
#include "confine.h"
#include "../ipc.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <linux/vhost.h>

/* 256 devices and 64 areas; a device that dom0's kernel serves has some per queue. */
#define MAX_DESCRIPTORS 2048

/* Event channel ioctls by number, as xen/sys/evtchn.h has them: this file knows no libxen. */
#define EVTCHN_UNBIND _IOC(_IOC_NONE, 'E', 3, 4)
#define EVTCHN_NOTIFY _IOC(_IOC_NONE, 'E', 4, 4)

/*
 * malloc gives nothing back and maps nothing of its own: no mremap, madvise or
 * mprotect is ever needed, and so none is allowed. On an area of a PV dom0 each of
 * them would tear grant mappings.
 */
static int tame_malloc(void)
{
	return mallopt(M_MMAP_MAX, 0) && mallopt(M_TRIM_THRESHOLD, -1) &&
	       mallopt(M_ARENA_MAX, 1) ? 0 : -EINVAL;
}

static int limit(int resource, rlim_t value)
{
	struct rlimit rl = { .rlim_cur = value, .rlim_max = value };

	return setrlimit(resource, &rl) ? -errno : 0;
}

static int set_limits(void)
{
	int err = limit(RLIMIT_NOFILE, MAX_DESCRIPTORS);

	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_MSGQUEUE, 0);
	return err ? err : limit(RLIMIT_SIGPENDING, 0);
}

/* Kernels built without a kind of namespace say EINVAL; the filter stands in any case. */
static int own_namespaces(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) && errno != EINVAL ? -errno : 0;
}

/* The root becomes a directory that is empty and already deleted: nothing can appear in it. */
static int empty_root(void)
{
	char dir[] = "/tmp/xvmsg-worker-XXXXXX";
	int err = 0;

	if (!mkdtemp(dir))
		return -errno;
	if (chdir(dir))
		err = -errno;
	if (rmdir(dir) && !err)
		err = -errno;
	if (!err && (chroot(".") || chdir("/")))
		err = -errno;
	return err;
}

static int drop_bounding_set(void)
{
	cap_value_t cap;

	for (cap = 0; cap_get_bound(cap) >= 0; cap++)
		if (cap_drop_bound(cap))
			return -errno;
	return 0;
}

static int drop_identity(uid_t uid)
{
	cap_t none;
	int err = 0;

	if (!uid)
		return -EINVAL;
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	none = cap_init();
	if (!none || cap_set_proc(none))
		err = -errno;
	cap_free(none);
	return err;
}

/* After the change of identity, which resets some of these. */
static int seal_process(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	return 0;
}

/* Allowed whatever their arguments. */
static const int plain_calls[] = {
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(read), SCMP_SYS(write),	/* the event channel: pending, unmask; ptys */
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),	/* the supervisor */
	SCMP_SYS(close),
	SCMP_SYS(flock), SCMP_SYS(fstat),	/* images */
	SCMP_SYS(readv), SCMP_SYS(writev),	/* taps: the ring may do the same */
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(futex), SCMP_SYS(brk),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(exit_group),
};

static int allow_plain(scmp_filter_ctx ctx)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < sizeof(plain_calls) / sizeof(plain_calls[0]); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain_calls[i], 0);
	return err;
}

static int allow_ioctl(scmp_filter_ctx ctx, unsigned int request)
{
	/* No request of type 'G': a grant device descriptor is good for mmap alone. */
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A1(SCMP_CMP_EQ, request));
}

/*
 * What a part of dom0's kernel is asked for a device that it serves (dom0/dev/vhost.c). All of
 * these act on a descriptor the supervisor opened and with memory of this process; there is none to set
 * a guest's address, to log writes, to change the owner or to translate addresses.
 */
static const unsigned int vhost_requests[] = {
	VHOST_SET_OWNER,	/* the kernel takes this process's memory for addresses */
	VHOST_GET_FEATURES, VHOST_SET_FEATURES,
	VHOST_SET_MEM_TABLE,	/* areas, by their addresses here */
	VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_SET_VRING_ADDR,	/* a queue, in them */
	VHOST_GET_VRING_BASE,	/* where it stopped */
	VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,	/* eventfds; any other descriptor is refused */
	VHOST_VSOCK_SET_RUNNING,
	VHOST_NET_SET_BACKEND,	/* a tap, or a socket of packets, which the worker can neither make nor find */
};

/* A pointer to a slot of the table, and to nothing else: what stands there is the supervisor's word. */
static int allow_target(scmp_filter_ctx ctx, unsigned int request)
{
	static const uint64_t slots = XVM_TARGETS_BYTES - XVM_TARGET_SLOT_BYTES;	/* the bits that choose one */

	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 2, SCMP_A1(SCMP_CMP_EQ, request),
				SCMP_A2(SCMP_CMP_MASKED_EQ, ~slots, XVM_TARGETS_AT));
}

static int allow_vhost(scmp_filter_ctx ctx)
{
	unsigned int i;
	int err = allow_target(ctx, VHOST_SCSI_SET_ENDPOINT);

	if (!err)
		err = allow_target(ctx, VHOST_SCSI_CLEAR_ENDPOINT);

	for (i = 0; !err && i < sizeof(vhost_requests) / sizeof(vhost_requests[0]); i++)
		err = allow_ioctl(ctx, vhost_requests[i]);
	return err;
}

/*
 * Areas, wherever the kernel finds room: nobody chooses a place (none below XVM_TARGETS_AT is this user's to take, so
 * one that is fixed at 0 fails), and the table of targets is below all that may be unmapped.
 */
static int allow_maps(scmp_filter_ctx ctx)
{
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A0(SCMP_CMP_EQ, 0),
				   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	return err ? err : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(munmap), 1,
					    SCMP_A0(SCMP_CMP_GE, XVM_TARGETS_AT + XVM_TARGETS_BYTES));
}

static int allow_checked(scmp_filter_ctx ctx)
{
	static const unsigned int requests[] = {
		EVTCHN_NOTIFY, EVTCHN_UNBIND,
		/* Of a tap that the supervisor opened: what its guest understands, and which queues are in use. */
		TUNSETOFFLOAD, TUNSETQUEUE,
	};
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < sizeof(requests) / sizeof(requests[0]); i++)
		err = allow_ioctl(ctx, requests[i]);
	if (!err)
		err = allow_vhost(ctx);
	if (!err)
		err = allow_maps(ctx);
	/* Whether a server's memory can be cut short under us; no other command of fcntl's. */
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS));
	/* Emptying a file, the older one of a console's log: no more than writing to it could do. */
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ftruncate), 1, SCMP_A1(SCMP_CMP_EQ, 0));
	/* What fstat() is in the C library of 2023: the descriptor itself, no path. */
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				       SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	return err;
}

static int filter_calls(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!ctx)
		return -ENOMEM;
	err = allow_plain(ctx);
	if (!err)
		err = allow_checked(ctx);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

int confine(uid_t uid, const char **step)
{
	static const struct {
		const char *name;
		int (*plain)(void);
		int (*identity)(uid_t uid);
	} steps[] = {
		{ "memory allocation", tame_malloc, NULL },
		{ "limits", set_limits, NULL },
		{ "namespaces", own_namespaces, NULL },
		{ "empty root", empty_root, NULL },
		{ "capabilities", drop_bounding_set, NULL },
		{ "identity", NULL, drop_identity },
		{ "process flags", seal_process, NULL },
		{ "system call filter", filter_calls, NULL },
	};
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++) {
		*step = steps[i].name;
		err = steps[i].identity ? steps[i].identity(uid) : steps[i].plain();
	}
	return err;
}
