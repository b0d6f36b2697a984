// SPDX-License-Identifier: GPL-2.0-or-later
/* The command `xvmsg apply`, as it is installed: this program is the daemon, and a guest that is slow, or does not listen. */
/* LIBS: -ljson-c */
/* NEEDS: $(B)/xvmsg */
/* TIME: 60 */
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../support/test.h"

#define MAX_DEVICES 4
#define TEXT_BYTES 4096

struct device {
	char name[24];
	const char *state;	/* NULL: no device */
	const char *from;
};

static struct device devices[MAX_DEVICES];
static char folder[] = "/tmp/xvm-apply-XXXXXX", path[64], cfg[64], out[64], err[64], said[TEXT_BYTES], wrong[TEXT_BYTES];
static const char *keeps;	/* the device that the guest does not let go of */
static unsigned int slow_s;	/* until it lets go of another */
static int driver_after;	/* lists until drivers use what was attached; -1: never */
static int waits[8], num_waits;	/* wait_s of what was detached */
static int listener = -1;
static bool restored;		/* the last attach was one of what there had been before */

/* ---- the daemon ---- */

static struct device *find(const char *name)
{
	int i;

	for (i = 0; i < MAX_DEVICES; i++)
		if (devices[i].state && !strcmp(devices[i].name, name))
			return &devices[i];
	return NULL;
}

static struct device *add(const char *name, const char *state, const char *from)
{
	struct device *device = devices;

	while (device->state)
		device++;
	assert_true(device < devices + MAX_DEVICES);
	snprintf(device->name, sizeof(device->name), "%s", name);
	device->state = state;
	device->from = from;
	return device;
}

static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) ? json_object_get_string(value) : "";
}

static struct json_object *report(const struct device *device)
{
	struct json_object *json = json_object_new_object();
	char spec[64];

	json_object_object_add(json, "name", json_object_new_string(device->name));
	json_object_object_add(json, "state", json_object_new_string(device->state));
	json_object_object_add(json, "from", json_object_new_string(device->from));
	snprintf(spec, sizeof(spec), "type=rng,name=%s", device->name);
	json_object_object_add(json, "spec", json_object_new_string(spec));
	return json;
}

static void list(struct json_object *answer)
{
	struct json_object *guest = json_object_new_object(), *array = json_object_new_array(), *guests = json_object_new_array();
	int i;

	for (i = 0; i < MAX_DEVICES; i++) {
		if (!devices[i].state)
			continue;
		if (!strcmp(devices[i].state, "ready") && !driver_after)
			devices[i].state = "driver-ok";
		json_object_array_add(array, report(&devices[i]));
	}
	driver_after -= driver_after > 0;
	json_object_object_add(guest, "devices", array);
	json_object_array_add(guests, guest);
	json_object_object_add(answer, "guests", guests);
}

static const char *attach(struct json_object *answer, const char *spec)
{
	char name[24];

	if (sscanf(spec, "type=rng,name=%23[^,]", name) != 1)
		return "not a name";
	if (find(name))
		return "its name is taken";
	json_object_object_add(answer, "device", report(add(name, "ready", "record")));
	return NULL;
}

static const char *detach(struct json_object *request)
{
	struct device *device = find(text_of(request, "device"));

	if (!device)
		return "no such device";
	waits[num_waits++ % 8] = atoi(text_of(request, "wait_s"));
	if (keeps && !strcmp(keeps, device->name)) {
		device->state = "leaving";
		return "the guest has not let go of it yet";
	}
	sleep(slow_s);
	device->state = NULL;
	return NULL;
}

static void serve(int sock)
{
	struct json_object *request, *answer = json_object_new_object();
	const char *cmd, *error = NULL;
	char line[TEXT_BYTES];
	ssize_t n = read(sock, line, sizeof(line) - 1);

	assert_true(n > 0 && line[n - 1] == '\n');
	line[n] = 0;
	request = json_tokener_parse(line);
	assert_non_null(request);
	cmd = text_of(request, "cmd");
	if (!strcmp(cmd, "list"))
		list(answer);
	else
		error = !strcmp(cmd, "attach") ? restored = !strcmp(text_of(request, "restore"), "true"), attach(answer, text_of(request, "spec")) : detach(request);
	json_object_object_add(answer, "ok", json_object_new_boolean(!error));
	if (error)
		json_object_object_add(answer, "error", json_object_new_string(error));
	assert_true(dprintf(sock, "%s\n", json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN)) > 0);
	json_object_put(request);
	json_object_put(answer);
}

/* ---- the command ---- */

static void take(const char *name, char text[TEXT_BYTES])
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, TEXT_BYTES - 1);

	close(fd);
	text[n > 0 ? n : 0] = 0;
}

static pid_t start(const char *option)
{
	const char *b = getenv("B");
	char program[256];
	pid_t pid;

	snprintf(program, sizeof(program), "%s/xvmsg", b && *b ? b : "build");
	pid = fork();
	if (pid)
		return pid;
	if (dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1) < 0 || dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2) < 0)
		_exit(126);
	execl(program, "xvmsg", "--socket", path, "apply", "g", cfg, option, NULL);
	_exit(127);
}

/* The file wants these; returns the command's exit status. */
static int apply(const char *names, const char *option)
{
	char copy[64], *name, *rest = copy;
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	FILE *file = fopen(cfg, "w");
	int status, sock;
	pid_t pid;

	assert_non_null(file);
	fprintf(file, "name = \"g\"\nvirtio_msg = [ ");
	snprintf(copy, sizeof(copy), "%s", names);
	while ((name = strsep(&rest, " ")) && *name)
		fprintf(file, "\"type=rng,name=%s\", ", name);
	fprintf(file, "]\n");
	fclose(file);
	num_waits = 0;
	pid = start(option);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (poll(&pfd, 1, 20) != 1)
			continue;
		sock = accept(listener, NULL, NULL);
		assert_true(sock >= 0);
		serve(sock);
		close(sock);
	}
	take(out, said);
	take(err, wrong);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define there(name) (find(name) ? find(name)->state : "gone")

/* ---- the cases ---- */

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	memset(devices, 0, sizeof(devices));
	keeps = NULL;
	slow_s = 0;
	driver_after = 0;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4);
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	return unlink(path);
}

static void test_changes(void **state)
{
	(void)state;
	add("old", "driver-ok", "record");
	add("passing", "driver-ok", "attach");
	assert_int_equal(apply("a b", NULL), 0);
	assert_string_equal(said, "detached old\nattached a\nattached b\n");
	assert_string_equal(wrong, "");
	assert_string_equal(there("passing"), "driver-ok");
	assert_int_equal(num_waits, 1);
	assert_in_range(waits[0], 25, 30);
	assert_int_equal(apply("b a", NULL), 0);
	assert_string_equal(said, "");
}

/* One limit for all of them. */
static void test_limit(void **state)
{
	(void)state;
	add("x", "driver-ok", "record");
	add("y", "driver-ok", "record");
	add("z", "driver-ok", "record");
	slow_s = 2;
	assert_int_equal(apply("", "--wait=3"), 0);
	assert_int_equal(num_waits, 3);
	assert_int_equal(waits[0], 3);
	assert_int_equal(waits[1], 1);
	assert_int_equal(waits[2], 1);
	assert_int_equal(apply("", "--wait=0"), 2);
	assert_int_equal(apply("", "--persist"), 2);
}

static void test_does_not_let_go(void **state)
{
	(void)state;
	add("x", "driver-ok", "record");
	add("y", "driver-ok", "record");
	keeps = "y";
	assert_int_equal(apply("new", "--wait=5"), 1);
	assert_string_equal(said, "detached x\n");
	assert_string_equal(wrong, "xvmsg: y: could not be detached: the guest has not let go of it yet; what was changed is undone\n");
	assert_string_equal(there("x"), "ready");
	assert_string_equal(there("new"), "gone");
	assert_string_equal(there("y"), "leaving");
	/* It lets go after all, and the file of before is wanted. */
	keeps = NULL;
	assert_int_equal(apply("x y", "--wait=5"), 0);
	assert_string_equal(said, "detached y\nattached y\n");
	assert_string_equal(there("y"), "driver-ok");
}

static void test_drivers(void **state)
{
	(void)state;
	driver_after = 4;
	assert_int_equal(apply("a", "--wait=10"), 0);
	assert_string_equal(there("a"), "driver-ok");
	driver_after = -1;
	assert_int_equal(apply("b", "--wait=1"), 1);
	assert_string_equal(wrong, "xvmsg: b: the guest's driver does not use it (is its module loaded?); what was changed is undone\n");
	assert_string_equal(there("b"), "gone");
	assert_string_equal(there("a"), "ready");	/* as it was, for a driver to come */
	assert_int_equal(apply("b", NULL), 0);
	assert_string_equal(there("b"), "ready");
}

/* One that cannot be used is no device of the file: it is had again, and put back if another cannot be. */
static void test_lost(void **state)
{
	(void)state;
	add("x", "failed", "record");
	add("y", "broken", "record");
	assert_int_equal(apply("x y", "--wait=5"), 0);
	assert_string_equal(said, "detached x\ndetached y\nattached x\nattached y\n");
	assert_string_equal(there("x"), "driver-ok");
	find("x")->state = "failed";
	keeps = "old";
	add("old", "driver-ok", "record");
	assert_int_equal(apply("x y", "--wait=5"), 1);
	assert_string_equal(there("x"), "ready");
	assert_true(restored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_not_let_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drivers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost, setup, teardown),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/sock", folder);
	snprintf(cfg, sizeof(cfg), "%s/g.cfg", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	snprintf(err, sizeof(err), "%s/err", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(cfg);
	unlink(out);
	unlink(err);
	rmdir(folder);
	return failed;
}
