// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg check, create, apply: guest files with virtio_msg = [ ... ]. create and apply do all of it or nothing. */
#include "change.h"
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- faults of a file: a line each, and in the object of --json ---- */

static void take_fault(void *arg, const struct guest_file *file, unsigned int line, unsigned int column,
		       const char *what)
{
	struct json_object *fault = json_object_new_object();

	if (line)
		fprintf(stderr, "%s:%u:%u: %s\n", file->path, line, column, what);
	else
		fprintf(stderr, "%s: %s\n", file->path, what);
	json_object_object_add(fault, "file", json_object_new_string(file->path));
	json_object_object_add(fault, "line", json_object_new_int((int)line));
	json_object_object_add(fault, "column", json_object_new_int((int)column));
	json_object_object_add(fault, "error", json_object_new_string(what));
	json_object_array_add(arg, fault);
}

static void tell_faults(const struct guest_file *file, struct json_object *faults)
{
	struct json_object *answer = json_object_new_object();
	size_t n = json_object_array_length(faults);
	char error[XVMSG_WHY_BYTES];

	json_object_object_add(answer, "ok", json_object_new_boolean(!n));
	snprintf(error, sizeof(error), "%.400s: %zu faults", file->path, n);
	if (n)
		json_object_object_add(answer, "error", json_object_new_string(error));
	json_object_object_add(answer, "devices", json_object_new_int((int)file->num_devices));
	json_object_object_add(answer, "faults", json_object_get(faults));
	xvmsg_print_json(answer);
	json_object_put(answer);
	xvmsg_told = true;
}

/* A file without faults, or false after what is wrong with it. Free it in any case. */
static bool read_file(struct guest_file *file, const char *path)
{
	struct json_object *faults = json_object_new_array();
	unsigned int n = guest_file_read(file, path, take_fault, faults);

	if (n && xvmsg_json)
		tell_faults(file, faults);
	json_object_put(faults);
	return !n;
}

/* ---- check ---- */

static int run_check(int argc, char **argv)
{
	struct json_object *none;
	struct guest_file file;
	bool good;

	if (argc != 2)
		return xvmsg_usage(&xvmsg_check);
	good = read_file(&file, argv[1]);
	if (good && !xvmsg_json)
		printf("%s: good, %u devices in virtio_msg\n", argv[1], file.num_devices);
	if (good && xvmsg_json) {
		none = json_object_new_array();
		tell_faults(&file, none);
		json_object_put(none);
	}
	guest_file_free(&file);
	return good ? xvmsg_flush() : XVMSG_FAILED;
}

/* ---- what both others need ---- */

/* Runs xl with these words; what it says is no answer of ours. Returns its exit status, or -1 after one line. */
static int xl(const char *a, const char *b, const char *c, const char *d)
{
	const char *const argv[] = { "xl", a, b, c, d, NULL };
	posix_spawn_file_actions_t files;
	int status, err;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	err = posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawnp(&pid, "xl", &files, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (err)
		return xvmsg_fail("xl cannot be run; is it in the PATH?", strerror(err));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return xvmsg_fail("xl was killed", a);
	return WEXITSTATUS(status);
}

/* With --json the end is what there is now. */
static int print_guest(const char *guest)
{
	struct json_object *answer;

	if (!xvmsg_json)
		return XVMSG_OK;
	answer = change_ask(guest);
	if (answer)
		xvmsg_print_json(answer);
	json_object_put(answer);
	return answer ? XVMSG_OK : XVMSG_FAILED;
}

/* ---- create ---- */

/* What is kept for a guest of this name, or UUID if that is not empty; NULL: nothing. */
static struct json_object *find_record(struct json_object *records, const char *name, const char *uuid)
{
	size_t i;

	for (i = 0; i < json_object_array_length(records); i++) {
		struct json_object *record = json_object_array_get_idx(records, i);

		if (*uuid ? !strcasecmp(xvmsg_text(record, "uuid"), uuid) : !strcmp(xvmsg_text(record, "name"), name))
			return record;
	}
	return NULL;
}

static bool random_uuid(char uuid[40])
{
	FILE *random = fopen("/proc/sys/kernel/random/uuid", "re");
	bool ok = random && fscanf(random, "%39s", uuid) == 1;

	if (random)
		fclose(random);
	return ok || !xvmsg_fail("no random UUID to be had", "");
}

static bool take_record(struct guest_file *file, struct json_object *record)
{
	char text[XVMSG_WHY_BYTES];

	snprintf(file->uuid, sizeof(file->uuid), "%s", xvmsg_text(record, "uuid"));
	if (!json_object_object_get_ex(record, "domid", NULL))
		return true;
	snprintf(text, sizeof(text), "domain %s runs with the UUID, and the devices kept for guest %.100s; destroy that, or give "
		 "the file a uuid= of its own", xvmsg_text(record, "domid"), file->name);
	return !xvmsg_fail(text, "");
}

/*
 * A guest is known by its UUID. One without a uuid= has that of its last life, if
 * devices were kept for it, or a new one.
 */
static bool choose_uuid(struct guest_file *file)
{
	struct json_object *request = xvmsg_request("records", NULL), *answer = xvmsg_ask(request), *records, *record;
	bool ok = answer && json_object_object_get_ex(answer, "records", &records);

	json_object_put(request);
	record = ok ? find_record(records, file->name, file->uuid) : NULL;
	if (record)
		ok = take_record(file, record);
	else if (ok && !file->uuid[0])
		ok = random_uuid(file->uuid);
	json_object_put(answer);
	return ok;
}

/* Its devices are those of the file, whatever was kept for it; or else they are what they were, after one line. */
static bool fill(const struct guest_file *file)
{
	struct json_object *answer = change_ask_opened(file->name);
	char why[XVMSG_WHY_BYTES], text[2 * XVMSG_WHY_BYTES];
	const struct guest_device *at;
	bool ok = answer && change_all(file->name, change_devices_of(answer), file, 0, false, &at, why);

	if (answer && !ok && at)
		snprintf(text, sizeof(text), "%.300s:%u:%u: %s; the guest is destroyed", file->path, at->line, at->column, why);
	else if (answer && !ok)
		snprintf(text, sizeof(text), "%s; the guest is destroyed", why);
	if (answer && !ok)
		xvmsg_fail(text, "");
	json_object_put(answer);
	return ok;
}

static int create(struct guest_file *file, bool paused)
{
	char setting[64];

	if (!choose_uuid(file))
		return XVMSG_FAILED;
	snprintf(setting, sizeof(setting), "uuid=\"%s\"", file->uuid);
	if (xl("create", "-pq", file->path, setting)) {
		xvmsg_fail("xl could not create the guest; nothing was attached", "");
		return XVMSG_FAILED;
	}
	if (!fill(file)) {
		xl("destroy", file->name, NULL, NULL);
		return XVMSG_FAILED;
	}
	if (!paused && xl("unpause", file->name, NULL, NULL)) {
		xvmsg_fail("xl could not unpause the guest; it is there, with its devices", "");
		return XVMSG_FAILED;
	}
	return print_guest(file->name);
}

static int run_create(int argc, char **argv)
{
	bool paused = argc == 3 && (!strcmp(argv[1], "-p") || !strcmp(argv[1], "--paused"));
	struct guest_file file;
	int status = XVMSG_FAILED;

	if (argc != 2 + paused || argv[1 + paused][0] == '-')
		return xvmsg_usage(&xvmsg_create);
	if (read_file(&file, argv[1 + paused]))
		status = create(&file, paused);
	guest_file_free(&file);
	return status;
}

/* ---- apply ---- */

static int apply(const char *guest, struct json_object *devices, const struct guest_file *file, int wait_s)
{
	char why[XVMSG_WHY_BYTES], text[XVMSG_WHY_BYTES + 64];
	const struct guest_device *at;

	if (change_all(guest, devices, file, wait_s, !xvmsg_json, &at, why))
		return print_guest(guest);
	snprintf(text, sizeof(text), "%s; what was changed is undone", why);
	xvmsg_fail(text, "");
	return XVMSG_FAILED;
}

static int run_apply(int argc, char **argv)
{
	struct json_object *answer;
	struct guest_file file;
	int status = XVMSG_FAILED, wait_s;

	if (!xvmsg_take_wait(&xvmsg_apply, &argc, &argv, &wait_s))
		return XVMSG_USAGE;
	if (argc != 2)
		return xvmsg_usage(&xvmsg_apply);
	if (read_file(&file, argv[1])) {
		answer = change_ask(argv[0]);
		if (answer)
			status = apply(argv[0], change_devices_of(answer), &file, wait_s);
		json_object_put(answer);
	}
	guest_file_free(&file);
	return status;
}

const struct xvmsg_command xvmsg_check = { "check", "FILE", "what is wrong with a guest file, line and column", run_check };
const struct xvmsg_command xvmsg_create = { "create", "[-p] FILE", "xl create, with the devices of virtio_msg = [ ... ]",
					    run_create };
const struct xvmsg_command xvmsg_apply = { "apply", "GUEST FILE [--wait[=S]]", "the devices of virtio_msg = [ ... ], no more, no fewer",
					   run_apply };

