// SPDX-License-Identifier: GPL-2.0-or-later
/* The command `xvmsg top`, as it is installed: this program is the daemon, whose counters are known, and the terminal. */
/* LIBS: -ljson-c -lutil */
/* NEEDS: $(B)/xvmsg */
/* TIME: 60 */
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
#include <unistd.h>
#include "../support/test.h"

#define TEXT_BYTES 65536

static char folder[] = "/tmp/xvm-top-XXXXXX", path[64], out[64], err[64], said[TEXT_BYTES], wrong[TEXT_BYTES], screen[TEXT_BYTES];
static size_t screen_len;
static int listener = -1, terminal = -1, child_status;
static unsigned int looks;	/* how often the counters were asked for */
static bool new_worker;		/* at the third look */
static pid_t child;

/* ---- the daemon ---- */

/*
 * A look later the disk has 100 requests more that took 12.5 ms in all, the slowest between 1 and 1.28 ms; 40 and 30
 * notifications; 1 MiB read. A device that has just come, and one that does nothing, stand beside it.
 */
static const char *stat_web(char text[TEXT_BYTES])
{
	unsigned int n = new_worker && looks >= 3 ? looks - 3 : looks;
	const char *late = looks > 1 ? ", {\"device\": 9, \"name\": \"late\", \"type\": \"rng\", \"state\": \"ready\", "
				       "\"io_requests\": 5000, \"latency_ns\": 1, \"latency_below_us\": {\"1\": 5000}}" : "";

	snprintf(text, TEXT_BYTES, "{\"ok\": true, \"guest\": {\"domid\": 1, \"name\": \"web\", \"bus\": \"connected\", "
		 "\"pages_held\": 77, \"worker\": {\"requests\": %u, \"messages_in\": %u, \"messages_out\": %u, "
		 "\"events_taken\": %u, \"events_sent\": %u}, \"devices\": [{\"device\": 7, \"name\": \"data\", \"type\": \"disk\", "
		 "\"state\": \"driver-ok\", \"io_requests\": %u, \"io_bytes_read\": %u, \"io_bytes_written\": 0, \"in_flight\": 17, "
		 "\"notifications_in\": %u, \"notifications_out\": %u, \"latency_ns\": %u, "
		 "\"latency_below_us\": {\"112\": %u, \"1280\": %u, \"40000\": 3}}, {\"device\": 8, \"name\": \"idle\", "
		 "\"type\": \"rng\", \"state\": \"ready\", \"io_requests\": 2, \"latency_ns\": 5, \"latency_below_us\": {\"1\": 2}}%s]}}\n",
		 100 * n, 60 * n, 50 * n, 20 * n, 10 * n, 100 * n, n << 20, 40 * n, 30 * n, 12500000 * n, 90 * n, 10 * n, late);
	return text;
}

/* Guest 2 ends between the question which there are and that about it. */
static void serve(int sock)
{
	static char text[TEXT_BYTES];
	char line[4096];
	ssize_t n = read(sock, line, sizeof(line) - 1);
	const char *answer = "{\"ok\": false, \"error\": \"no such guest\"}\n";

	line[n > 0 ? n : 0] = 0;
	if (strstr(line, "\"list\"")) {
		answer = "{\"ok\": true, \"guests\": [{\"domid\": 1, \"name\": \"web\"}, {\"domid\": 2, \"name\": \"gone\"}]}\n";
		looks++;
	} else if (strstr(line, "\"1\"")) {
		answer = stat_web(text);
	}
	assert_int_equal(write(sock, answer, strlen(answer)), strlen(answer));
}

/* One turn: what the command asks, what it writes to the terminal, its end. */
static void turn(void)
{
	struct pollfd fds[2] = { { .fd = listener, .events = POLLIN }, { .fd = terminal, .events = POLLIN } };
	ssize_t n;
	int sock;

	poll(fds, 2, 20);
	if (fds[0].revents & POLLIN) {
		sock = accept(listener, NULL, NULL);
		serve(sock);
		close(sock);
	}
	if (fds[1].revents & POLLIN && screen_len < sizeof(screen) - 1) {
		n = read(terminal, screen + screen_len, sizeof(screen) - 1 - screen_len);
		screen_len += n > 0 ? (size_t)n : 0;
		screen[screen_len] = 0;
	}
	if (waitpid(child, &child_status, WNOHANG) == child)
		child = 0;
}

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	looks = 0;
	new_worker = false;
	screen_len = 0;
	screen[0] = 0;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4);
}

static int teardown(void **state)
{
	(void)state;
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = 0;
	}
	if (terminal >= 0)
		close(terminal);
	terminal = -1;
	close(listener);
	return unlink(path) && listener < 0;
}

/* ---- the command ---- */

static void take(const char *name, char text[TEXT_BYTES])
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, TEXT_BYTES - 1);

	close(fd);
	text[n > 0 ? n : 0] = 0;
}

static void exec_top(const char *option, const char *count)
{
	const char *b = getenv("B");
	char program[256];

	snprintf(program, sizeof(program), "%s/xvmsg", b && *b ? b : "build");
	execl(program, "xvmsg", "--socket", path, "top", "-d", "1", "-i", count, option, NULL);
	_exit(127);
}

static int ended(void)
{
	while (child)
		turn();
	return WIFEXITED(child_status) ? WEXITSTATUS(child_status) : 128 + WTERMSIG(child_status);
}

static int top(const char *option, const char *count)
{
	int status;

	child = fork();
	if (!child) {
		if (dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1) < 0 || dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2) < 0)
			_exit(126);
		exec_top(option, count);
	}
	status = ended();
	take(out, said);
	take(err, wrong);
	return status;
}

static void begin_on_terminal(unsigned short rows, unsigned short cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	child = forkpty(&terminal, NULL, NULL, &size);
	if (!child) {
		setenv("TERM", "xterm", 1);
		exec_top(NULL, "1000");
	}
}

static void await(const char *text, size_t from)
{
	int i;

	for (i = 0; i < 1000 && child && !strstr(screen + from, text); i++)
		turn();
	if (!strstr(screen + from, text))
		fail_msg("no '%s' on the screen: '%s'", text, screen + from);
}

/* ---- cases ---- */

static struct json_object *at(struct json_object *json, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(json, key, &value))
		fail_msg("no %s in %s", key, json_object_to_json_string(json));
	return value;
}

static struct json_object *device_of(struct json_object *line, size_t i)
{
	return json_object_array_get_idx(at(json_object_array_get_idx(at(line, "guests"), 0), "devices"), i);
}

static void rate_is(struct json_object *line, struct json_object *of, const char *name, double grown)
{
	double seconds = json_object_get_double(at(line, "seconds")), is = json_object_get_double(at(at(of, "rates"), name));

	assert_true(seconds > 0.9);
	if (is * seconds < grown * 0.999 || is * seconds > grown * 1.001)
		fail_msg("%s: %f in %f s, expected %f", name, is, seconds, grown);
}

static void check_line(struct json_object *line)
{
	struct json_object *disk = device_of(line, 0), *guest = json_object_array_get_idx(at(line, "guests"), 0);

	assert_int_equal(json_object_array_length(at(line, "guests")), 1);
	rate_is(line, disk, "requests", 100);
	rate_is(line, disk, "bytes_read", 1 << 20);
	rate_is(line, disk, "bytes_written", 0);
	rate_is(line, disk, "notifications_in", 40);
	rate_is(line, disk, "notifications_out", 30);
	assert_int_equal(json_object_get_int(at(disk, "in_flight")), 17);
	assert_int_equal(json_object_get_int(at(at(disk, "rates"), "latency_mean_us")), 125);
	assert_int_equal(json_object_get_int(at(at(disk, "rates"), "latency_worst_us")), 1280);
	rate_is(line, guest, "requests", 100);
	rate_is(line, guest, "messages_in", 60);
	rate_is(line, guest, "messages_out", 50);
	rate_is(line, guest, "notifications_in", 20);
	rate_is(line, guest, "notifications_out", 10);
	/* Nothing was done, so nothing took long. */
	assert_false(json_object_object_get_ex(at(device_of(line, 1), "rates"), "latency_worst_us", NULL));
}

static void test_rates(void **state)
{
	struct json_object *line;
	char *text = said, *one;

	(void)state;
	assert_int_equal(top("--json", "2"), 0);
	assert_string_equal(wrong, "");
	one = strsep(&text, "\n");
	line = json_tokener_parse(one);
	check_line(line);
	/* It has just come: what it did before is no rate. */
	rate_is(line, device_of(line, 2), "requests", 0);
	json_object_put(line);
	line = json_tokener_parse(strsep(&text, "\n"));
	check_line(line);
	json_object_put(line);
	assert_string_equal(text, "");
}

/* Its counters begin at 0, and all that they have was done since. */
static void test_new_worker(void **state)
{
	struct json_object *line;

	(void)state;
	new_worker = true;
	looks = 1;	/* so 2 looks' worth, then none, then that of one */
	assert_int_equal(top("--json", "2"), 0);
	line = json_tokener_parse(strchr(said, '\n') + 1);
	rate_is(line, device_of(line, 0), "requests", 100);
	assert_int_equal(json_object_get_int(at(at(device_of(line, 0), "rates"), "latency_mean_us")), 125);
	json_object_put(line);
}

static void test_batch(void **state)
{
	(void)state;
	assert_int_equal(top("-b", "1"), 0);
	assert_string_equal(wrong, "");
	assert_non_null(strstr(said, "    1 web              connected requests "));
	assert_non_null(strstr(said, "      data             disk    driver-ok "));
	assert_non_null(strstr(said, "    17  125us  1.3ms "));
	assert_non_null(strstr(said, "      idle             rng     ready          0      0      0     0      -      -      0      0\n"));
	assert_null(strstr(said, "gone"));
}

static void test_screen(void **state)
{
	struct winsize size = { .ws_row = 24, .ws_col = 110 };
	size_t from;

	(void)state;
	begin_on_terminal(3, 60);
	await("DOMID DEVICE", 0);
	await("data", 0);
	assert_null(strstr(screen, "OUT/s"));
	assert_null(strstr(screen, "idle"));
	from = screen_len;
	assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
	await("OUT/s", from);
	await("idle", from);
	assert_int_equal(write(terminal, "q", 1), 1);
	assert_int_equal(ended(), 0);
}

/* The reason is the last that is written, to the screen of before. */
static void test_daemon_ends(void **state)
{
	static const char leave[] = "\033[?1049l";
	char *last, *reason;

	(void)state;
	begin_on_terminal(24, 110);
	await("idle", 0);
	close(listener);
	assert_int_equal(ended(), 1);
	while (poll(&(struct pollfd){ .fd = terminal, .events = POLLIN }, 1, 100) == 1 && screen_len < sizeof(screen) - 1) {
		ssize_t n = read(terminal, screen + screen_len, sizeof(screen) - 1 - screen_len);

		if (n <= 0)
			break;
		screen_len += (size_t)n;
	}
	screen[screen_len] = 0;
	last = strstr(screen, leave);
	reason = strstr(screen, "xvmsg: xvmsgd does not run");
	if (!last || !reason || reason < last)
		fail_msg("the screen's end: '%s'", last ? last : screen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_screen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_daemon_ends, setup, teardown),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/sock", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	snprintf(err, sizeof(err), "%s/err", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(out);
	unlink(err);
	rmdir(folder);
	return failed;
}
