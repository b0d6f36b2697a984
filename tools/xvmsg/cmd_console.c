// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg console: joins the terminal it runs in with the pty behind a guest's
 * console, or one of its named ports, until Ctrl-]. With no terminal it copies
 * both ways until its input ends and, from then on, until it is killed.
 */
#include "xvmsg.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x1d	/* Ctrl-] */

static volatile sig_atomic_t resized, ended;

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		ended = 1;
}

/* The device called name, or the first console if that is NULL. */
static struct json_object *find_console(struct json_object *guest, const char *name)
{
	struct json_object *devices, *device;
	size_t i;

	if (!json_object_object_get_ex(guest, "devices", &devices))
		return NULL;
	for (i = 0; i < json_object_array_length(devices); i++) {
		device = json_object_array_get_idx(devices, i);
		if (strcmp(xvmsg_text(device, "type"), "console"))
			continue;
		if (!name || !strcmp(xvmsg_text(device, "name"), name) || !strcmp(xvmsg_text(device, "device"), name))
			return device;
	}
	return NULL;
}

static const char *find_pty(struct json_object *device, const char *port)
{
	struct json_object *ports, *one;
	size_t i;

	if (!port)
		return xvmsg_text(device, "pty");
	if (!json_object_object_get_ex(device, "ports", &ports))
		return "-";
	for (i = 0; i < json_object_array_length(ports); i++) {
		one = json_object_array_get_idx(ports, i);
		if (!strcmp(xvmsg_text(one, "name"), port))
			return xvmsg_text(one, "pty");
	}
	return "-";
}

/* Tells the guest how large the terminal is. What comes of it is of no importance to the console. */
static void tell_window(const char *guest, const char *device)
{
	struct json_object *request = xvmsg_request("set", guest), *answer;
	struct winsize size;
	char text[24];

	resized = 0;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row) {
		json_object_put(request);
		return;
	}
	snprintf(text, sizeof(text), "%ux%u", size.ws_col, size.ws_row);
	json_object_object_add(request, "device", json_object_new_string(device));
	json_object_object_add(request, "key", json_object_new_string("window"));
	json_object_object_add(request, "value", json_object_new_string(text));
	answer = xvmsg_ask(request);
	json_object_put(request);
	json_object_put(answer);
}

static bool write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	for (; len; data += n, len -= (size_t)n) {
		n = write(fd, data, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n < 0)
			n = 0;
	}
	return true;
}

/* False: the end, by Ctrl-] or because a side is gone. */
static bool copy(int from, int to, bool escape)
{
	char data[4096], *end;
	ssize_t n = read(from, data, sizeof(data));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	end = escape ? memchr(data, ESCAPE, (size_t)n) : NULL;
	return write_all(to, data, end ? (size_t)(end - data) : (size_t)n) && !end;
}

/* Signals end the waiting: they are let in by ppoll alone. */
static void join(int pty, const char *guest, const char *device)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = pty, .events = POLLIN } };
	bool terminal = isatty(STDIN_FILENO);
	sigset_t none;

	sigemptyset(&none);
	resized = terminal;
	while (!ended) {
		if (resized)
			tell_window(guest, device);
		if (ppoll(fds, 2, NULL, &none) < 0)
			continue;
		if (fds[1].revents && !copy(pty, STDOUT_FILENO, false))
			return;
		if (fds[0].revents && !copy(STDIN_FILENO, pty, terminal)) {
			if (terminal)
				return;
			fds[0].fd = -1;
		}
	}
}

static void catch_signals(void)
{
	static const int signals[] = { SIGWINCH, SIGTERM, SIGHUP, SIGINT };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaddset(&set, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int run_on(const char *path, const char *guest, const char *device)
{
	struct termios old, raw;
	bool terminal = !tcgetattr(STDIN_FILENO, &old);
	int pty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (pty < 0) {
		xvmsg_fail(path, strerror(errno));
		return XVMSG_FAILED;
	}
	catch_signals();
	if (terminal) {
		fprintf(stderr, "%s of guest %s on %s; Ctrl-] ends\r\n", device, guest, path);
		raw = old;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	join(pty, guest, device);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSANOW, &old);
		fputc('\n', stderr);
	}
	close(pty);
	return XVMSG_OK;
}

static int run_console(int argc, char **argv)
{
	struct json_object *request, *answer, *guest, *device = NULL;
	const char *path = "-";
	int status;

	if (argc < 2 || argc > 4)
		return xvmsg_usage(&xvmsg_console);
	request = xvmsg_request("show", argv[1]);
	answer = xvmsg_ask(request);
	json_object_put(request);
	if (!answer)
		return XVMSG_FAILED;
	if (json_object_object_get_ex(answer, "guest", &guest))
		device = find_console(guest, argc > 2 ? argv[2] : NULL);
	if (device)
		path = find_pty(device, argc > 3 ? argv[3] : NULL);
	if (path[0] == '/') {
		status = run_on(path, argv[1], xvmsg_text(device, "name"));
	} else {
		fprintf(stderr, "xvmsg: guest %s has no %s%s%s; xvmsg show %s says what it has\n", argv[1],
			argc > 2 ? argv[2] : "console", argc > 3 ? " with a port " : device ? " in use" : "",
			argc > 3 ? argv[3] : "", argv[1]);
		status = XVMSG_FAILED;
	}
	json_object_put(answer);
	return status;
}

const struct xvmsg_command xvmsg_console = { "console", "GUEST [DEVICE [PORT]]",
					     "this terminal on a console or named port; Ctrl-] ends", run_console };
