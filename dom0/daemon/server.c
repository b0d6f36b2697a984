// SPDX-License-Identifier: GPL-2.0-or-later
#include "server.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon.h"
#include "worker.h"

#define FIRST_WAIT_MS 100u
#define LAST_WAIT_MS 5000u	/* to connect again, which costs little, */
#define LAST_START_MS 60000u	/* and to start a program */
#define LASTED_MS 10000u	/* a connection that was not lost for so long is there to stay */
#define MANY_TRIES 6u		/* in a row are worth a word of their own */
#define MAX_WORDS 64
#define LISTEN_FD 3

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* ---- the program ---- */

/*
 * What a server that runs as root keeps: to serve files as they are (virtiofsd needs all of the first line), to shut
 * itself in, and its limits and networks. Not kept is what reaches other processes, the kernel or the hardware.
 */
#define CAP(name) (1ull << CAP_##name)
#define KEPT_CAPS (CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(SETGID) | CAP(SETUID) | CAP(MKNOD) | CAP(SETFCAP) | \
		   CAP(DAC_READ_SEARCH) | CAP(SYS_ADMIN) | CAP(SYS_CHROOT) | CAP(SETPCAP) | \
		   CAP(SYS_RESOURCE) | CAP(SYS_NICE) | CAP(IPC_LOCK) | CAP(NET_ADMIN) | CAP(NET_RAW))

/* An exec of root's gives what the bounding set leaves. One of another user gives nothing, whatever the file says. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int cap, has;

	for (cap = 0; (has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (has && !(cap < 64 && KEPT_CAPS >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capget, &header, data))
		return -errno;
	data[0].inheritable = data[1].inheritable = 0;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Ways into other processes and into the kernel. */
static const u32 refused_calls[] = {
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_bpf, SYS_perf_event_open,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot,
#ifdef __x86_64__
	SYS_iopl, SYS_ioperm,
#endif
};

/*
 * Requests of Xen's devices, by their types: those of gntdev and gntalloc ('G'), privcmd ('P'), and, without data
 * as Linux counts it, evtchn ('E', which evdev has with data) and xenbus_backend ('B').
 */
static const struct {
	u32 mask, value;
} refused_ioctls[] = {
	{ 0xff00, 'G' << 8 }, { 0xff00, 'P' << 8 }, { 0xc000ff00, 'E' << 8 }, { 0xc000ff00, 'B' << 8 },
};

#define FILTER_WORDS (5 + XVM_ARRAY_SIZE(refused_calls) + 1 + 3 * XVM_ARRAY_SIZE(refused_ioctls) + 2)

struct filter {
	struct sock_filter code[FILTER_WORDS];
	u32 words;
};

static void put(struct filter *f, u32 code, u32 k)
{
	f->code[f->words++] = (struct sock_filter)BPF_STMT((u16)code, k);
}

/* To one of the last two words: -1 refuses, -2 allows; else on to the next. */
static void put_test(struct filter *f, u32 test, u32 k, int yes, int no)
{
	u32 next = f->words + 1;

	f->code[f->words++] = (struct sock_filter)BPF_JUMP((u16)(BPF_JMP | test | BPF_K), k,
							   (u8)(yes ? FILTER_WORDS + (u32)yes - next : 0),
							   (u8)(no ? FILTER_WORDS + (u32)no - next : 0));
}

static void put_filter(struct filter *f)
{
	u32 i;

	put(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	f->code[f->words++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	put(f, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	put(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	/* The x32 numbers of the same architecture; no others are as high. */
	put_test(f, BPF_JSET, 0x40000000, -1, 0);
	for (i = 0; i < XVM_ARRAY_SIZE(refused_calls); i++)
		put_test(f, BPF_JEQ, refused_calls[i], -1, 0);
	put_test(f, BPF_JEQ, SYS_ioctl, 0, -2);
	for (i = 0; i < XVM_ARRAY_SIZE(refused_ioctls); i++) {
		put(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]));
		put(f, BPF_ALU | BPF_AND | BPF_K, refused_ioctls[i].mask);
		put_test(f, BPF_JEQ, refused_ioctls[i].value, -1, 0);
	}
	put(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	put(f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
}

/*
 * A server needs nothing of Xen: what its devices do for ioctls is closed to it, whatever its user may open, and so are
 * other processes. What files do for root is not (docs/threat-model.md). System calls of another architecture are closed altogether.
 */
static int refuse_calls(void)
{
	struct filter f = { .words = 0 };
	struct sock_fprog prog = { .filter = f.code };

	put_filter(&f);
	prog.len = (unsigned short)f.words;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return -errno;
	return 0;
}

/* Cuts at blanks; "%fd" in a word stands for the listening socket's number. No shell is asked. */
static int cut(const char *command, char *text, size_t bytes, char *word[MAX_WORDS + 1])
{
	size_t len = 0, n;
	u32 words = 0;

	while (*command) {
		command += strspn(command, " ");
		n = strcspn(command, " ");
		if (!n)
			break;
		if (words == MAX_WORDS)
			return -E2BIG;
		word[words++] = text + len;
		for (; n; n--, command++) {
			if (n >= 3 && !memcmp(command, "%fd", 3)) {
				text[len++] = '0' + LISTEN_FD;
				command += 2;
				n -= 2;
			} else {
				text[len++] = *command;
			}
			if (len + 2 > bytes)
				return -E2BIG;
		}
		text[len++] = 0;
	}
	word[words] = NULL;
	return words ? 0 : -EINVAL;
}

/* As the opener's child: a fork of a process with threads. */
static void __attribute__((noreturn)) child_main(int listener, char *const argv[], const struct xvm_image *image, pid_t parent)
{
	static char *const envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (!geteuid() && drop_capabilities())
		_exit(126);
	if (image->uid && (setgroups(0, NULL) || setresgid(image->gid, image->gid, image->gid) ||
			   setresuid(image->uid, image->uid, image->uid)))
		_exit(126);
	/* Behind the change of user, which forgets it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(126);
	if (listener == LISTEN_FD ? fcntl(LISTEN_FD, F_SETFD, 0) : dup2(listener, LISTEN_FD) < 0)
		_exit(126);
	close_range(LISTEN_FD + 1, ~0u, 0);
	setsid();
	if (refuse_calls())
		_exit(126);
	execve(argv[0], argv, envp);
	_exit(127);
}

int xvm_server_start(struct xvm_disk *disk, struct fdset *fds)
{
	const struct xvm_spec *spec = &disk->image.spec;
	char text[XVM_TARGET_BYTES], *argv[MAX_WORDS + 1];
	pid_t parent = getpid(), pid;
	int listener, err;

	if (!spec->command)
		return 0;
	listener = fdset_take(fds, XVM_VU_KICK + spec->queues);
	fds->count = XVM_VU_KICK + spec->queues;
	err = listener < 0 ? -EIO : cut(spec->path, text, sizeof(text), argv);
	if (!err) {
		pid = fork();
		if (!pid)
			child_main(listener, argv, &disk->image, parent);
		if (pid > 0)
			disk->server.pid = pid;
		else
			err = -errno;
	}
	if (listener >= 0)
		close(listener);
	if (!err)
		xvm_disk_log(disk, LOG_INFO, "server %.60s is process %d", argv[0], (int)pid);
	return err;
}

/* ---- the device's description ---- */

#define VIRTIO_ID_FS 26

/*
 * Types whose configuration a server is asked for, and how much of it, as virtio 1.2 draws it without what depends on
 * features; one of another type has none to ask for, unless config= says so.
 */
static const struct {
	u16 device_id, config_bytes;
} configs[] = {
	{ 2, 60 },	/* disk */
	{ 3, 12 },	/* console */
	{ 5, 8 },	/* balloon */
	{ 8, 36 },	/* scsi */
	{ 16, 16 },	/* gpu */
	{ 18, 136 },	/* input */
	{ 19, 8 },	/* vsock */
	{ 20, 56 },	/* crypto */
	{ 23, 40 },	/* iommu */
	{ 24, 56 },	/* memory */
	{ 25, 12 },	/* sound */
	{ 27, 16 },	/* pmem */
	{ 41, 8 },	/* gpio */
};

static u32 config_bytes(const struct xvm_spec *spec)
{
	u32 i;

	if (spec->config_said)
		return spec->config_bytes;
	for (i = 0; i < XVM_ARRAY_SIZE(configs); i++)
		if (configs[i].device_id == spec->device_id)
			return configs[i].config_bytes;
	return 0;
}

bool xvm_server_trusted(const struct xvm_spec *spec)
{
	return spec->trusted || (spec->kind == XVM_KIND_VHOST_USER && spec->command);
}

void xvm_server_describe(const struct xvm_spec *spec, struct xvm_ipc_dev_add *msg)
{
	msg->backend = XVM_BACKEND_VHOST_USER;
	if (xvm_server_trusted(spec))
		msg->flags |= XVM_DEV_TRUSTED;
	msg->device_id = spec->device_id;
	msg->queues = spec->queues;
	msg->config_bytes = config_bytes(spec);
	if (spec->net.mac_given)
		memcpy(msg->net.mac, spec->net.mac, sizeof(msg->net.mac));
	msg->net.mtu = (u16)spec->net.mtu;
	if (spec->device_id != VIRTIO_ID_FS)
		return;
	/* virtio 1.2, section 5.11.4: the tag, and how many queues there are for requests. */
	msg->config_given = true;
	msg->config_bytes = 40;
	memcpy(msg->config, spec->tag, sizeof(spec->tag) - 1);
	xvm_put32(msg->config + 36, spec->queues - 1u);
}

/* ---- life ---- */

static void try_later(struct xvm_disk *disk);

static void on_opened(void *arg, const struct xvm_opened *opened, struct fdset *fds)
{
	struct xvm_disk *disk = arg;
	int err;

	disk->opener = NULL;
	if (opened->err) {
		xvm_disk_log(disk, LOG_WARNING, "%s", opened->why);
		try_later(disk);
		return;
	}
	err = xvm_server_start(disk, fds);
	if (err) {
		xvm_disk_log(disk, LOG_WARNING, "its server cannot be started: %s", strerror(-err));
		try_later(disk);
		return;
	}
	disk->server.lost = false;
	xvm_worker_server(disk->guest->worker, disk->num, fds);
	xvm_timer(disk->server.retry, LASTED_MS);
}

/* The word of many tries goes with the count. */
static void forget_tries(struct xvm_disk *disk)
{
	if (disk->server.tries >= MANY_TRIES && !disk->broken)
		disk->why[0] = 0;
	disk->server.tries = disk->server.wait_ms = 0;
}

static void lasted(struct xvm_disk *disk)
{
	if (disk->server.tries >= MANY_TRIES)
		xvm_disk_log(disk, LOG_INFO, "its server is there to stay");
	forget_tries(disk);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct xvm_disk *disk = arg;

	(void)fd;
	(void)what;
	if (!disk->server.lost)
		lasted(disk);
	if (!disk->server.lost || disk->opener || disk->server.pid || !disk->in_worker)
		return;
	disk->opener = xvm_opener_start(disk->guest->daemon->base, &disk->request, true, on_opened, disk);
	if (!disk->opener)
		try_later(disk);
}

/* For who looks at the device: one line, until a connection lasts. */
static void say_tries(struct xvm_disk *disk)
{
	snprintf(disk->why, sizeof(disk->why), "its server %s again and again; it is tried again every %u s",
		 disk->image.spec.command ? "ends soon after it was started, or cannot be started," :
		 "is lost soon after it was found, or is not there,",
		 (disk->image.spec.command ? LAST_START_MS : LAST_WAIT_MS) / 1000);
	xvm_disk_log(disk, LOG_ERR, "%s", disk->why);
}

/* The wait falls back to the first one when a connection lasted; until then it doubles. */
static void try_later(struct xvm_disk *disk)
{
	struct xvm_server *server = &disk->server;
	u32 last = disk->image.spec.command ? LAST_START_MS : LAST_WAIT_MS;

	if (!server->retry)
		server->retry = evtimer_new(disk->guest->daemon->base, on_retry, disk);
	if (!server->retry)
		return;
	server->wait_ms = !server->wait_ms ? FIRST_WAIT_MS : server->wait_ms < last / 2 ? 2 * server->wait_ms : last;
	if (++server->tries == MANY_TRIES)
		say_tries(disk);
	xvm_timer(server->retry, server->wait_ms);
}

void xvm_server_lost(struct xvm_disk *disk)
{
	disk->server.lost = true;
	/* The next one begins when this one has ended, and what it had in the kernel's hands with it. */
	if (disk->server.pid) {
		kill(disk->server.pid, SIGKILL);
		return;
	}
	xvm_worker_server_end(disk->guest->worker, disk->num);
	try_later(disk);
}

bool xvm_server_end(struct xvm_disk *disk)
{
	disk->server.lost = false;
	forget_tries(disk);
	if (disk->server.pid)
		kill(disk->server.pid, SIGKILL);
	return disk->server.pid;
}

static struct xvm_disk *find(struct xvm_daemon *daemon, pid_t pid)
{
	struct xvm_guest *guest;
	struct xvm_disk *disk;

	for (guest = daemon->guests; guest; guest = guest->next)
		for (disk = guest->disks; disk; disk = disk->next)
			if (disk->server.pid == pid)
				return disk;
	return NULL;
}

bool xvm_server_exited(struct xvm_daemon *daemon, pid_t pid, int status)
{
	struct xvm_disk *disk = find(daemon, pid);

	if (!disk)
		return false;
	disk->server.pid = 0;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		xvm_disk_log(disk, LOG_WARNING, WIFSIGNALED(status) ? "its server died of signal %d" :
			     "its server ended with exit status %d",
			     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	if (disk->server.lost) {
		xvm_worker_server_end(disk->guest->worker, disk->num);
		try_later(disk);
	} else if (!disk->in_worker)
		xvm_connect_go_on(disk->guest);
	return true;
}

void xvm_server_free(struct xvm_disk *disk)
{
	xvm_server_end(disk);
	if (disk->server.retry)
		event_free(disk->server.retry);
	disk->server.retry = NULL;
}
