// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsgd, the supervisor: start, signals, end. It goes into the background only
 * when it is ready to adopt, so that an init script that has returned means a
 * service that works.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ctl.h"
#include "daemon.h"
#include "worker.h"
#include "../base/notify.h"
#include "../../xen/user/xen.h"

#define XENBUS "/dev/xen/xenbus"
#define STORE_LIMIT_S 10	/* for xenstored to answer at start */

static struct {
	struct xvm_daemon daemon;
	struct xvm_ctl *ctl;
	struct event *store_event, *on_child, *on_term, *on_int, *on_hup, *stop_limit;
	int store_fd, pid_fd, door_fd, ready_fd, status;
	bool running;			/* the log is open, nobody reads stderr */
	int argc;
	char **argv;
	FILE *log;
	char pid_path[128], ctl_path[128];
} self = { .pid_fd = -1, .door_fd = -1, .ready_fd = -1 };

static int fail(const char *text)
{
	fprintf(stderr, "xvmsgd: %s\n", text);
	return -1;
}

/* ---- log file ---- */

static void log_to_file(void *arg, int level, const char *line)
{
	static const char *const name[] = { "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug" };
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	(void)arg;
	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	if (self.log)
		fprintf(self.log, "%s %s: %s\n", stamp, name[level & 7], line);
}

static bool log_is_file(void)
{
	return strcmp(self.daemon.options.log, "syslog") && strcmp(self.daemon.options.log, "stderr");
}

/* After a failure lines go where they went. */
static int open_log(void)
{
	const char *where = self.daemon.options.log;
	FILE *log = NULL;

	log_set_level(self.daemon.options.verbose ? LOG_DEBUG : LOG_INFO);
	if (log_is_file()) {
		log = fopen(where, "ae");
		if (!log && self.running)
			log_err("log file %s cannot be opened: %s", where, strerror(errno));
		else if (!log)
			fprintf(stderr, "xvmsgd: log file %s cannot be opened: %s\n", where, strerror(errno));
		if (!log)
			return -1;
		setlinebuf(log);
		log_to(log_to_file, NULL);
	} else if (!strcmp(where, "stderr")) {
		log_to_stderr();
	} else {
		log_to_syslog("xvmsgd");
	}
	if (self.log)
		fclose(self.log);
	self.log = log;
	return 0;
}

/* ---- pid file ---- */

static int lock_pid_file(void)
{
	char text[16];
	ssize_t len;

	mkdir("/run", 0755);
	if (mkdir(self.daemon.options.run_dir, 0755) && errno != EEXIST) {
		fprintf(stderr, "xvmsgd: %s cannot be made: %s\n", self.daemon.options.run_dir, strerror(errno));
		return -1;
	}
	self.pid_fd = open(self.pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (self.pid_fd < 0) {
		fprintf(stderr, "xvmsgd: %s cannot be written: %s\n", self.pid_path, strerror(errno));
		return -1;
	}
	if (!flock(self.pid_fd, LOCK_EX | LOCK_NB))
		return 0;
	len = pread(self.pid_fd, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	fprintf(stderr, "xvmsgd: already running, process %s; its pid file is %s\n", text, self.pid_path);
	return -1;
}

/*
 * One for a domain, whatever its --run-dir: a second one would take the first one's guests. What it locks is that domain's door to
 * xenstore, which is there wherever there is something to serve.
 */
static int lock_domain(void)
{
	self.door_fd = open(XENBUS, O_RDONLY | O_CLOEXEC);
	if (self.door_fd < 0 || !flock(self.door_fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
		return 0;
	fprintf(stderr, "xvmsgd: another xvmsgd serves this domain's guests, with another --run-dir than %s; stop it first\n",
		self.daemon.options.run_dir);
	return -1;
}

static int write_pid(void)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	return ftruncate(self.pid_fd, 0) || pwrite(self.pid_fd, text, (size_t)n, 0) != n ?
	       fail("pid file cannot be written") : 0;
}

/* ---- into the background ---- */

/* The parent: ends when the child is ready, or has failed and said why. */
static void __attribute__((noreturn)) wait_for_child(int fd)
{
	char byte;

	_exit(read(fd, &byte, 1) == 1 ? 0 : 1);
}

static int to_background(void)
{
	int pair[2];
	pid_t child;

	if (pipe2(pair, O_CLOEXEC))
		return fail("no pipe to be had");
	child = fork();
	if (child < 0)
		return fail("no process to be had");
	if (child) {
		close(pair[1]);
		wait_for_child(pair[0]);
	}
	close(pair[0]);
	self.ready_fd = pair[1];
	setsid();
	return chdir("/");
}

static void say_ready(void)
{
	int null;

	self.running = true;
	if (service_notify("READY=1") < 0)
		log_warn("the service manager cannot be told that this start is complete");
	if (self.ready_fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		if (strcmp(self.daemon.options.log, "stderr"))
			dup2(null, 2);
		if (null > 2)
			close(null);
	}
	if (write(self.ready_fd, "", 1) != 1)
		log_warn("nobody waits for this start any more");
	close(self.ready_fd);
	self.ready_fd = -1;
}

/* Descriptors 0 to 2 are always taken, so that no socket becomes a standard stream. */
static void hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* ---- events ---- */

static void on_store(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (xvm_guests_on_store(&self.daemon) >= 0)
		return;
	log_err("the connection to xenstored is lost; ending, start xvmsgd again when xenstored runs");
	self.status = 1;
	event_base_loopbreak(self.daemon.base);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	xvm_guests_settle(arg);
}

static void on_child(evutil_socket_t fd, short what, void *arg)
{
	int status;
	pid_t pid;

	(void)fd;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!xvm_worker_exited(arg, pid, status))
			xvm_server_exited(arg, pid, status);	/* openers need no more than this */
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval limit = { .tv_sec = 6 };

	(void)fd;
	(void)what;
	log_line(LOG_NOTICE, "stopping");
	service_notify("STOPPING=1");
	event_add(self.stop_limit, &limit);
	xvm_guests_stop(arg);
}

static void on_stopped(struct xvm_daemon *daemon)
{
	event_base_loopbreak(daemon->base);
}

static void on_stop_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_warn("a worker does not end; stopping without it");
	on_stopped(arg);
}

static void take_limits(struct xvm_daemon *d)
{
	d->budget.total_pages = d->options.pages_total;
	d->budget.guest_pages = d->options.pages_per_guest;
}

static void say_to_log(const char *line)
{
	log_line(LOG_NOTICE, "%s", line);
}

/* The log file is opened again in any case: it may have been rotated. */
static void on_reload(evutil_socket_t fd, short what, void *arg)
{
	struct xvm_daemon *d = arg;

	(void)fd;
	(void)what;
	service_notify("RELOADING=1");
	xvm_options_reload(self.argc, self.argv, &d->options, say_to_log);
	take_limits(d);
	if (!d->options.foreground && !strcmp(d->options.log, "stderr"))
		log_warn("nobody reads stderr of a process in the background");
	open_log();
	service_notify("READY=1");
}

/* ---- start and end ---- */

static void on_alarm(int signal)
{
	static const char text[] = "xvmsgd: xenstored does not answer; is it running (xencommons, or xen, in init.d)?\n";

	(void)signal;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* Without a xenstored the library can wait for ever. */
static int open_store(void)
{
	struct xvm_daemon *d = &self.daemon;
	int err;

	signal(SIGALRM, on_alarm);
	alarm(STORE_LIMIT_S);
	err = xvm_store_open(&d->store, &self.store_fd);
	if (err)
		return fail("no connection to xenstored; is it running (xencommons, or xen, in init.d), is this a Xen host?");
	if (xvm_store_read_u32(d->store, XVM_STORE_NO_TXN, "domid", 0x7fef, &d->own_domid))
		return fail("xenstore has no domid for this domain; has xen-init-dom0 run?");
	alarm(0);
	return 0;
}

static struct event *add_signal(int number, event_callback_fn callback)
{
	struct event *event = evsignal_new(self.daemon.base, number, callback, &self.daemon);

	if (event)
		event_add(event, NULL);
	return event;
}

static int open_events(void)
{
	struct xvm_daemon *d = &self.daemon;

	d->settle = event_new(d->base, -1, 0, on_settle, d);
	self.store_event = event_new(d->base, self.store_fd, EV_READ | EV_PERSIST, on_store, d);
	self.on_child = add_signal(SIGCHLD, on_child);
	self.on_term = add_signal(SIGTERM, on_stop);
	self.on_int = add_signal(SIGINT, on_stop);
	self.on_hup = add_signal(SIGHUP, on_reload);
	self.stop_limit = evtimer_new(d->base, on_stop_limit, d);
	if (!d->settle || !self.store_event || !self.on_child || !self.on_term || !self.on_int || !self.on_hup ||
	    !self.stop_limit)
		return fail("no memory");
	return event_add(self.store_event, NULL);
}

static int start(void)
{
	struct xvm_daemon *d = &self.daemon;
	int err;

	take_limits(d);
	d->stopped = on_stopped;
	d->base = event_base_new();
	if (!d->base)
		return fail("no event loop to be had");
	if (open_store())
		return -1;
	err = xvm_xen_open();
	if (err) {
		fprintf(stderr, "xvmsgd: grants cannot be mapped: %s; is the module xen-gntdev loaded?\n", strerror(-err));
		return -1;
	}
	if (access("/dev/xen/evtchn", R_OK | W_OK))
		return fail("no event channels: is the module xen-evtchn loaded?");
	if (access(d->options.worker, X_OK)) {
		fprintf(stderr, "xvmsgd: worker %s: %s; install it, or name it with --worker\n", d->options.worker,
			strerror(errno));
		return -1;
	}
	if (open_events() || write_pid())
		return -1;
	err = xvm_ctl_open(d, self.ctl_path, &self.ctl);
	if (err) {
		fprintf(stderr, "xvmsgd: control socket %s: %s\n", self.ctl_path, strerror(-err));
		return -1;
	}
	err = xvm_guests_start(d);
	return err ? fail("xenstored refuses a watch") : 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void finish(void)
{
	struct xvm_daemon *d = &self.daemon;

	xvm_ctl_close(self.ctl);
	if (d->store) {
		xvm_guests_free(d);
		xvm_store_close(d->store);
	}
	xvm_xen_close();
	free_event(d->settle);
	free_event(self.store_event);
	free_event(self.on_child);
	free_event(self.on_term);
	free_event(self.on_int);
	free_event(self.on_hup);
	free_event(self.stop_limit);
	if (d->base)
		event_base_free(d->base);
	if (self.log)
		fclose(self.log);
	if (self.pid_fd >= 0 && !self.status)
		unlink(self.pid_path);
	xvm_options_free(&d->options);
}

static void say_to_stderr(const char *line)
{
	fprintf(stderr, "xvmsgd: %s\n", line);
}

/* Whether there is anything to run; else *status is what this process ends with. */
static bool take_options(int argc, char **argv, int *status)
{
	struct xvm_options *options = &self.daemon.options;
	enum xvm_options_result result = xvm_options_parse(argc, argv, options, say_to_stderr);

	*status = result == XVM_OPTIONS_WRONG ? 2 : 0;
	self.argc = argc;
	self.argv = argv;
	return result == XVM_OPTIONS_RUN && !options->check;
}

int main(int argc, char **argv)
{
	struct xvm_daemon *d = &self.daemon;

	hold_standard_streams();
	if (!take_options(argc, argv, &self.status)) {
		xvm_options_free(&d->options);
		return self.status;
	}
	snprintf(self.pid_path, sizeof(self.pid_path), "%s/xvmsgd.pid", d->options.run_dir);
	snprintf(self.ctl_path, sizeof(self.ctl_path), "%s/xvmsgd.sock", d->options.run_dir);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (geteuid())
		return fail("must run as root"), 1;
	if (lock_pid_file() || lock_domain() || (!d->options.foreground && to_background()))
		return 1;
	self.status = start() || open_log();
	if (!self.status) {
		log_line(LOG_NOTICE, "version " XVM_VERSION " serves domain %u's guests, at most %u pages, %u per guest",
			 d->own_domid, d->options.pages_total, d->options.pages_per_guest);
		say_ready();
		event_base_dispatch(d->base);
	}
	finish();
	return self.status;
}
