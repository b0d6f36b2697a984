// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command `xvmsg console`, as it is installed: this program is the daemon, the terminal that the command runs in, and
 * what is behind the ptys of a console and of its named port.
 */
/* LIBS: -ljson-c -lutil */
/* NEEDS: $(B)/xvmsg */
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "../support/test.h"

#define ESCAPE "\x1d"
#define TEXT_BYTES 4096

enum { TERMINAL, CONSOLE, PORT, ENDS };

/* A pty: what we hold, its other side kept open, and what came out of it. */
static struct end {
	int fd, slave;
	char path[64], text[TEXT_BYTES];
	size_t len;
} ends[ENDS];

static char folder[] = "/tmp/xvm-console-XXXXXX", path[64];
static int listener = -1, status;
static pid_t command;
static char windows[200];	/* of "set", a word for each */

/* ---- the daemon ---- */

static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) ? json_object_get_string(value) : "";
}

static void show(struct json_object *answer)
{
	char text[600];

	snprintf(text, sizeof(text), "{\"devices\": [{\"name\": \"net0\", \"device\": 1, \"type\": \"net\"}, "
		 "{\"name\": \"con\", \"device\": 2, \"type\": \"console\", \"pty\": \"%s\", \"ports\": [{\"name\": \"other\", "
		 "\"pty\": \"/nowhere\"}, {\"name\": \"agent\", \"pty\": \"%s\"}]}, {\"name\": \"rng0\", \"device\": 3, \"type\": \"rng\"}]}",
		 ends[CONSOLE].path, ends[PORT].path);
	json_object_object_add(answer, "guest", json_tokener_parse(text));
}

static void serve(int sock)
{
	struct json_object *request, *answer = json_object_new_object();
	char line[TEXT_BYTES];
	ssize_t n = read(sock, line, sizeof(line) - 1);
	size_t len = strlen(windows);

	assert_true(n > 0 && line[n - 1] == '\n');
	line[n] = 0;
	request = json_tokener_parse(line);
	assert_non_null(request);
	assert_string_equal(text_of(request, "guest"), "web");
	if (!strcmp(text_of(request, "cmd"), "show"))
		show(answer);
	else
		snprintf(windows + len, sizeof(windows) - len, "%s %s=%s;", text_of(request, "device"), text_of(request, "key"),
			 text_of(request, "value"));
	json_object_object_add(answer, "ok", json_object_new_boolean(true));
	assert_true(dprintf(sock, "%s\n", json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN)) > 0);
	json_object_put(request);
	json_object_put(answer);
	close(sock);
}

/* ---- the ptys ---- */

static void open_end(struct end *end, bool raw)
{
	static const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct termios settings;

	assert_int_equal(openpty(&end->fd, &end->slave, end->path, NULL, &size), 0);
	fcntl(end->fd, F_SETFD, FD_CLOEXEC);
	end->len = 0;
	end->text[0] = 0;
	if (!raw)
		return;
	tcgetattr(end->slave, &settings);
	cfmakeraw(&settings);
	tcsetattr(end->slave, TCSANOW, &settings);
}

static void read_end(struct end *end)
{
	ssize_t n = read(end->fd, end->text + end->len, sizeof(end->text) - 1 - end->len);

	end->len += n > 0 ? (size_t)n : 0;
	end->text[end->len] = 0;
}

/* One turn of all that this program is. False: nothing happened for a while. */
static bool turn(void)
{
	struct pollfd fds[1 + ENDS] = { { .fd = listener, .events = POLLIN } };
	size_t i;

	for (i = 0; i < ENDS; i++)
		fds[1 + i] = (struct pollfd){ .fd = ends[i].fd, .events = POLLIN };
	if (poll(fds, 1 + ENDS, 50) <= 0)
		return false;
	if (fds[0].revents)
		serve(accept(listener, NULL, NULL));
	for (i = 0; i < ENDS; i++)
		if (fds[1 + i].revents & POLLIN)
			read_end(&ends[i]);
	return true;
}

static void expect(const char *text, const char *part)
{
	int idle = 0;

	while (!strstr(text, part) && idle < 200)
		idle += !turn();
	if (!strstr(text, part))
		fail_msg("'%s' has not come, but '%s'", part, text);
}

static void type(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void expect_end(int want)
{
	int idle = 0;

	while (waitpid(command, &status, WNOHANG) != command && idle < 200)
		idle += !turn();
	if (idle == 200)
		kill(command, SIGKILL);
	assert_true(idle < 200 && WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
	command = 0;
	while (turn())
		;
}

/* ---- the command ---- */

/* In a terminal of its own; with input and output, there instead. */
static void start(const char *device, const char *port, const int *pipes)
{
	const char *b = getenv("B");
	char program[256];

	snprintf(program, sizeof(program), "%s/xvmsg", b && *b ? b : "build");
	command = fork();
	if (command)
		return;
	setsid();
	ioctl(ends[TERMINAL].slave, TIOCSCTTY, 0);
	if (dup2(pipes ? pipes[0] : ends[TERMINAL].slave, 0) < 0 || dup2(pipes ? pipes[1] : ends[TERMINAL].slave, 1) < 0 ||
	    dup2(ends[TERMINAL].slave, 2) < 0)
		_exit(126);
	close_range(3, ~0u, 0);
	execl(program, "xvmsg", "--socket", path, "console", "web", device, device ? port : NULL, NULL);
	_exit(127);
}

static bool is_cooked(void)
{
	struct termios settings;

	assert_int_equal(tcgetattr(ends[TERMINAL].slave, &settings), 0);
	return settings.c_lflag & ICANON && settings.c_lflag & ECHO;
}

static int setup(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ENDS; i++)
		open_end(&ends[i], i != TERMINAL);
	windows[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	size_t i;

	(void)state;
	if (command) {
		kill(command, SIGKILL);
		waitpid(command, &status, 0);
		command = 0;
	}
	for (i = 0; i < ENDS; i++) {
		close(ends[i].fd);
		close(ends[i].slave);
	}
	return 0;
}

/* Key by key there, byte by byte back, and Ctrl-] gives the terminal back as it was. */
static void test_terminal(void **state)
{
	(void)state;
	start(NULL, NULL, NULL);
	expect(windows, "con window=80x24;");	/* it is the last thing before the copying */
	expect(ends[TERMINAL].text, "con of guest web on");
	expect(ends[TERMINAL].text, "Ctrl-] ends");
	assert_false(is_cooked());
	ends[TERMINAL].len = 0;
	type(ends[TERMINAL].fd, "ls\r\x03\x1a");	/* of no meaning here: Ctrl-C, Ctrl-Z */
	expect(ends[CONSOLE].text, "ls\r\x03\x1a");
	type(ends[CONSOLE].fd, "login: \x1b[1m\n");
	expect(ends[TERMINAL].text, "login: \x1b[1m\n");
	assert_string_equal(ends[TERMINAL].text, "login: \x1b[1m\n");	/* and no echo */
	type(ends[TERMINAL].fd, "exit" ESCAPE "no more");
	expect_end(0);
	assert_string_equal(ends[CONSOLE].text, "ls\r\x03\x1a" "exit");
	assert_int_equal(ends[PORT].len, 0);
	assert_true(is_cooked());
}

static void test_window(void **state)
{
	static const struct winsize larger = { .ws_row = 43, .ws_col = 132 }, none = { 0 };

	(void)state;
	start("con", NULL, NULL);
	expect(windows, "con window=80x24;");
	assert_int_equal(ioctl(ends[TERMINAL].fd, TIOCSWINSZ, &larger), 0);
	expect(windows, "con window=132x43;");
	/* A terminal that does not know says nothing. */
	assert_int_equal(ioctl(ends[TERMINAL].fd, TIOCSWINSZ, &none), 0);
	while (turn())
		;
	assert_string_equal(windows, "con window=80x24;con window=132x43;");
	type(ends[TERMINAL].fd, ESCAPE);
	expect_end(0);
}

static void test_port(void **state)
{
	(void)state;
	start("2", "agent", NULL);	/* by its number */
	expect(windows, "con window=80x24;");
	type(ends[PORT].fd, "ready");
	expect(ends[TERMINAL].text, "ready");
	type(ends[TERMINAL].fd, "status\n");
	expect(ends[PORT].text, "status\n");
	type(ends[TERMINAL].fd, ESCAPE);
	expect_end(0);
	assert_int_equal(ends[CONSOLE].len, 0);
}

/* Without a terminal all bytes are data, the end of the input is not that of the output, and a signal is. */
static void test_pipes(void **state)
{
	char text[20] = "";
	int in[2], out[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	start("con", NULL, (int[]){ in[0], out[1] });
	type(in[1], "one" ESCAPE "two\n");
	expect(ends[CONSOLE].text, "one" ESCAPE "two\n");
	close(in[0]);
	close(in[1]);
	while (turn())
		;
	type(ends[CONSOLE].fd, "answer");
	assert_int_equal(read(out[0], text, sizeof(text) - 1), 6);
	assert_string_equal(text, "answer");
	kill(command, SIGTERM);
	expect_end(0);
	assert_int_equal(windows[0], 0);
	close(out[0]);
	close(out[1]);
}

/* The daemon that is started again makes new ptys: the old one ends, and the command. */
static void test_pty_ends(void **state)
{
	(void)state;
	start("con", NULL, NULL);
	expect(windows, "con window=80x24;");
	close(ends[CONSOLE].fd);
	ends[CONSOLE].fd = -1;
	expect_end(0);
	assert_true(is_cooked());
}

static void refused(const char *device, const char *port, const char *text)
{
	start(device, port, NULL);
	expect_end(1);
	if (!strstr(ends[TERMINAL].text, text))
		fail_msg("said '%s', expected '%s'", ends[TERMINAL].text, text);
}

static void test_refused(void **state)
{
	(void)state;
	refused("net0", NULL, "xvmsg: guest web has no net0; xvmsg show web says what it has");
	refused("con", "nosuch", "xvmsg: guest web has no con with a port nosuch;");
	refused("con", "other", "xvmsg: /nowhere: No such file or directory");
	assert_true(is_cooked());
}

static int begin(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4);
}

static int finish(void **state)
{
	(void)state;
	close(listener);
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pipes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pty_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
