// SPDX-License-Identifier: GPL-2.0-or-later
#include "worker.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER_FD 3		/* where the worker finds its socket, */
#define TARGETS_FD 4		/* the table of its SCSI targets, */
#define KEEP_FD 5		/* and its keep file */
#define READS_PER_PASS 64	/* then other guests have their turn */
#define SEND_BUFFER_BYTES (1 << 20)

static void worker_free(struct xvm_worker *w)
{
	u32 id;

	for (id = 0; id <= XVM_AREA_ID_MAX; id++)
		free(w->area_refs[id]);
	if (w->readable)
		event_free(w->readable);
	if (w->limit)
		event_free(w->limit);
	if (w->sock >= 0)
		close(w->sock);
	xvm_targets_free(&w->targets);
	free(w);
}

void xvm_worker_kill(struct xvm_worker *w, const char *why)
{
	if (!w || w->killed)
		return;
	w->killed = true;
	event_del(w->readable);	/* nothing it says counts any more */
	if (!w->why[0])
		snprintf(w->why, sizeof(w->why), "%s", why);
	kill(w->pid, SIGKILL);
}

void xvm_worker_send(struct xvm_worker *w, struct xvm_ipc_hdr *hdr, u32 type, size_t bytes, const int *fds,
		     u32 nfds)
{
	int err;

	if (!w || w->killed || w->sock < 0)
		return;
	hdr->type = type;
	hdr->bytes = (u32)bytes;
	err = fdsock_send(w->sock, hdr, bytes, fds, nfds, false);
	if (err == -EAGAIN)
		xvm_worker_kill(w, "it does not read its socket");
	else if (err)
		xvm_worker_kill(w, "its socket failed");
}

void xvm_worker_add_device(struct xvm_worker *w, const struct xvm_ipc_dev_add *device, const struct fdset *fds)
{
	struct xvm_ipc_dev_add msg = *device;

	xvm_worker_send(w, &msg.hdr, XVM_IPC_DEV_ADD, sizeof(msg), fds->fd, fds->count);
}

void xvm_worker_del_device(struct xvm_worker *w, u32 num, bool forced)
{
	struct xvm_ipc_dev_del msg = { .num = (u16)num, .forced = forced };

	xvm_worker_send(w, &msg.hdr, XVM_IPC_DEV_DEL, sizeof(msg), NULL, 0);
}

void xvm_worker_resize_device(struct xvm_worker *w, u32 num, u64 bytes)
{
	struct xvm_ipc_dev_resize msg = { .num = (u16)num, .capacity_bytes = bytes };

	xvm_worker_send(w, &msg.hdr, XVM_IPC_DEV_RESIZE, sizeof(msg), NULL, 0);
}

void xvm_worker_server(struct xvm_worker *w, u32 num, const struct fdset *fds)
{
	struct xvm_ipc_dev_server msg = { .num = (u16)num };

	xvm_worker_send(w, &msg.hdr, XVM_IPC_DEV_SERVER, sizeof(msg), fds->fd, fds->count);
}

void xvm_worker_unshare(struct xvm_worker *w, u32 area)
{
	if (!w->area_shared[area])
		return;
	w->area_shared[area] = 0;
	xvm_budget_give(&w->guest->daemon->budget, &w->guest->pages_held, w->area_pages[area]);
}

void xvm_worker_server_end(struct xvm_worker *w, u32 num)
{
	struct xvm_ipc_dev_server msg = { .num = (u16)num };
	u32 id;

	if (!w)
		return;
	for (id = 0; id <= XVM_AREA_ID_MAX; id++)
		if (w->area_shared[id] == num)
			xvm_worker_unshare(w, id);
	xvm_worker_send(w, &msg.hdr, XVM_IPC_DEV_SERVER_END, sizeof(msg), NULL, 0);
}

void xvm_worker_link_device(struct xvm_worker *w, u32 num, bool up)
{
	struct xvm_ipc_dev_link msg = { .num = (u16)num, .up = up };

	xvm_worker_send(w, &msg.hdr, XVM_IPC_DEV_LINK, sizeof(msg), NULL, 0);
}

void xvm_worker_run(struct xvm_worker *w, const struct xvm_ipc_start *start, int channel_fd, int bus_fd)
{
	struct xvm_ipc_start msg = *start;
	int fds[2] = { channel_fd, bus_fd };

	w->started = true;
	xvm_worker_send(w, &msg.hdr, XVM_IPC_START, sizeof(msg), fds, 2);
}

void xvm_worker_ask_stats(struct xvm_worker *w)
{
	struct xvm_ipc_hdr msg;

	xvm_worker_send(w, &msg, XVM_IPC_STATS_REQ, sizeof(msg), NULL, 0);
}

void xvm_worker_stop(struct xvm_worker *w)
{
	struct xvm_ipc_hdr msg;

	if (w->stopping)
		return;
	w->stopping = true;
	if (w->hello)
		xvm_worker_send(w, &msg, XVM_IPC_STOP, sizeof(msg), NULL, 0);
	else
		kill(w->pid, SIGKILL);	/* it has nothing yet that could be drained */
	xvm_timer(w->limit, XVM_STOP_LIMIT_MS);
}

/* The first line of a file of the process's in /proc, cut to what fits; "?" when there is none. */
static void read_proc(pid_t pid, const char *name, char *text, size_t bytes)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, bytes - 1);
	if (fd >= 0)
		close(fd);
	if (got <= 0)
		text[0] = '?', got = 1;
	text[got] = 0;
	text[strcspn(text, "\n")] = 0;
}

/* For the account of a worker that does not end: its state, and where in the kernel it is. */
static void say_late(struct xvm_worker *w)
{
	char stat[64], wchan[64];
	const char *state;

	read_proc(w->pid, "stat", stat, sizeof(stat));
	read_proc(w->pid, "wchan", wchan, sizeof(wchan));
	state = strrchr(stat, ')');	/* "PID (NAME) STATE ..." */
	xvm_guest_log(w->guest, LOG_WARNING, "worker %d did not end within %u ms (%.1s in %s); killed", (int)w->pid,
		      XVM_STOP_LIMIT_MS, state && state[1] ? state + 2 : "?", wchan);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct xvm_worker *w = arg;

	(void)fd;
	(void)what;
	if (w->stopping)
		say_late(w);
	xvm_worker_kill(w, w->hello ? "it did not end in time" : "it did not start in time");
}

/* The other end is closed: the process ends, or else is made to. */
static void end_of_socket(struct xvm_worker *w)
{
	event_del(w->readable);
	close(w->sock);
	w->sock = -1;
	if (!w->stopping)
		xvm_timer(w->limit, XVM_STOP_LIMIT_MS);
}

/* Takes at most budget datagrams. */
static void take_requests(struct xvm_worker *w, int budget)
{
	struct fdsock_msg msg;
	const char *fault;

	while (budget-- && w->sock >= 0 && !w->killed) {
		int got = fdsock_recv(w->sock, &msg);

		if (got == -EAGAIN)
			return;
		if (got <= 0 && got != -EMSGSIZE) {
			end_of_socket(w);
			return;
		}
		if (got == 1) {
			fault = msg.fds.count ? "it sent a descriptor" : xvm_worker_request(w, &msg);
			fdsock_release(&msg);
		} else {
			fault = "it sent a message longer than any";
		}
		if (fault)
			xvm_worker_kill(w, fault);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	take_requests(arg, READS_PER_PASS);
}

/* Signals as a fresh program expects them, socket and keep file at their places, nothing else of ours. */
static int spawn(const struct xvm_guest *guest, int sock, int targets_fd, int keep_fd, pid_t *pid)
{
	const struct xvm_options *options = &guest->daemon->options;
	char fd_arg[16], uid_arg[16], domid_arg[16], targets_arg[16], keep_arg[16];
	char *argv[] = { "xvmsg-worker", "--fd", fd_arg, "--uid", uid_arg, "--domid", domid_arg,
			 targets_arg, keep_fd >= 0 ? keep_arg : NULL, NULL };
	char *envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int err;

	snprintf(fd_arg, sizeof(fd_arg), "%d", WORKER_FD);
	snprintf(uid_arg, sizeof(uid_arg), "%u", options->uid_base + guest->domid);
	snprintf(domid_arg, sizeof(domid_arg), "%u", guest->domid);
	snprintf(targets_arg, sizeof(targets_arg), "--targets=%d", TARGETS_FD);
	snprintf(keep_arg, sizeof(keep_arg), "--keep=%d", KEEP_FD);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn_file_actions_adddup2(&files, sock, WORKER_FD);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, targets_fd, TARGETS_FD);
	if (!err && keep_fd >= 0)
		err = posix_spawn_file_actions_adddup2(&files, keep_fd, KEEP_FD);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&files, keep_fd >= 0 ? KEEP_FD + 1 : TARGETS_FD + 1);
	if (!err)
		err = posix_spawn(pid, options->worker, &files, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -err;
}

/* Out of the way of the places that spawn gives away; -1 stays -1. */
static int move_up(int fd)
{
	int up = fd >= 0 && fd <= KEEP_FD ? fcntl(fd, F_DUPFD_CLOEXEC, KEEP_FD + 1) : fd;

	if (up != fd)
		close(fd);
	return up;
}

static int start(struct xvm_guest *guest, int keep_fd)
{
	static const int buffer = SEND_BUFFER_BYTES;
	struct xvm_worker *w = calloc(1, sizeof(*w));
	int sock[2], targets_fd, err;

	if (!w)
		return -ENOMEM;
	w->guest = guest;
	w->sock = -1;
	w->requests = (struct xvm_rate)XVM_RATE(400, 5, 1000);
	err = fdsock_pair(sock);
	if (err)
		goto fail;
	w->sock = sock[0];
	setsockopt(sock[0], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	w->readable = event_new(guest->daemon->base, sock[0], EV_READ | EV_PERSIST, on_readable, w);
	w->limit = evtimer_new(guest->daemon->base, on_limit, w);
	targets_fd = move_up(xvm_targets_new(&w->targets));
	if (targets_fd < 0)
		err = targets_fd;
	else if (!w->readable || !w->limit || event_add(w->readable, NULL))
		err = -ENOMEM;
	else
		err = spawn(guest, sock[1], targets_fd, keep_fd, &w->pid);
	if (targets_fd >= 0)
		close(targets_fd);
	close(sock[1]);
	if (err)
		goto fail;
	xvm_timer(w->limit, XVM_HELLO_LIMIT_MS);
	guest->worker = w;
	return 0;
fail:
	worker_free(w);
	return err;
}

int xvm_worker_start(struct xvm_guest *guest, int keep_fd)
{
	int fd = move_up(keep_fd), err = start(guest, fd);

	/* The worker's is the only one left: its lock falls with the worker's last I/O. */
	if (fd >= 0)
		close(fd);
	return err;
}

static void describe_end(struct xvm_worker *w, int status)
{
	if (w->why[0])
		return;
	snprintf(w->why, sizeof(w->why), WIFSIGNALED(status) ? "signal %d%s" : "exit status %d%s",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		 w->hello ? "" : " before it was ready; xvmsgd -f shows what it says");
}

bool xvm_worker_exited(struct xvm_daemon *daemon, pid_t pid, int status)
{
	struct xvm_guest *guest;
	struct xvm_worker *w = NULL;

	for (guest = daemon->guests; guest && !w; guest = guest->next)
		if (guest->worker && guest->worker->pid == pid)
			w = guest->worker;
	if (!w)
		return false;
	guest = w->guest;
	take_requests(w, 1024);	/* what it said before it ended: GONE, FAIL, the last log lines */
	describe_end(w, status);
	guest->worker = NULL;
	xvm_budget_give(&daemon->budget, &guest->pages_held, guest->pages_held);
	if (w->stopping)
		xvm_link_stopped(guest);
	else
		xvm_link_broken(guest, w->why, w->guest_fault);
	worker_free(w);
	return true;
}
