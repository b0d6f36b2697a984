// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg check, create, apply: guest files with virtio_msg = [ ... ]. create and apply do all of it or nothing. */
#include "xvmsg.h"
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "guest_file.h"

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

/* A device that is put back stays in the guest's record, whether or not it can be had now. False with a line in why. */
static bool attach(const char *guest, const char *text, bool back, char name[XVM_NAME_MAX + 1],
		   char why[XVMSG_WHY_BYTES])
{
	struct json_object *request = xvmsg_attach_request(guest, text, true, 0), *answer, *device;

	json_object_object_add(request, "restore", json_object_new_boolean(back));
	answer = xvmsg_try(request, why);
	json_object_put(request);
	if (answer && json_object_object_get_ex(answer, "device", &device))
		snprintf(name, XVM_NAME_MAX + 1, "%s", xvmsg_text(device, "name"));
	json_object_put(answer);
	return answer;
}

static bool detach(const char *guest, const char *name, bool force, int wait_s, char why[XVMSG_WHY_BYTES])
{
	struct json_object *request = xvmsg_detach_request(guest, name, force, wait_s), *answer = xvmsg_try(request, why);

	json_object_put(request);
	json_object_put(answer);
	return answer;
}

static struct json_object *ask_list(const char *guest)
{
	struct json_object *request = xvmsg_request("list", guest), *answer = xvmsg_ask(request);

	json_object_put(request);
	return answer;
}

/* Of the one guest in this answer, which has them; NULL: it has none. */
static struct json_object *devices_of(struct json_object *answer)
{
	struct json_object *guests, *devices;

	if (!json_object_object_get_ex(answer, "guests", &guests) || !json_object_array_length(guests) ||
	    !json_object_object_get_ex(json_object_array_get_idx(guests, 0), "devices", &devices))
		return NULL;
	return devices;
}

static unsigned int device_count(struct json_object *devices)
{
	return devices ? (unsigned int)json_object_array_length(devices) : 0;
}

/* With --json the end is what there is now. */
static int print_guest(const char *guest)
{
	struct json_object *answer;

	if (!xvmsg_json)
		return XVMSG_OK;
	answer = ask_list(guest);
	if (answer)
		xvmsg_print_json(answer);
	json_object_put(answer);
	return answer ? XVMSG_OK : XVMSG_FAILED;
}

/* ---- from the devices there are to those of the file ---- */

#define PATIENCE_S 30		/* of all devices together, unless --wait=S says another */

struct change {
	struct json_object *device;	/* there is, and the file does not want it */
	const struct guest_device *wanted;	/* the file wants it */
	char name[XVM_NAME_MAX + 1];
};

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* A name that the file does not say may be any, and a cable that was pulled out makes no other device. */
static bool same_device(struct json_object *device, const struct xvm_spec *wanted)
{
	struct xvm_spec spec = *wanted;
	char text[XVM_SPEC_MAX_BYTES];

	if (!*spec.name)
		snprintf(spec.name, sizeof(spec.name), "%s", xvmsg_text(device, "name"));
	spec.net.link_down = !strcmp(xvmsg_text(device, "link"), "down");
	xvm_spec_print(&spec, text);
	return !strcmp(xvmsg_text(device, "spec"), text);
}

/* One that was asked to go cannot be asked to stay, and one that cannot be had, or used, is tried again. */
static bool is_lost(struct json_object *device)
{
	static const char *const states[] = { "leaving", "failed", "broken" };
	unsigned int i;

	for (i = 0; i < 3 && strcmp(xvmsg_text(device, "state"), states[i]); i++)
		;
	return i < 3;
}

/* Removals first: what comes may need the image, or the name, of what goes. Returns their number. */
static unsigned int plan(struct json_object *devices, const struct guest_file *file, struct change *changes)
{
	unsigned int i, j, n = 0, count = device_count(devices);
	bool *there = calloc(file->num_devices + 1, sizeof(*there));

	for (i = 0; there && i < count; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		/* Not xl's, nor what was attached until the next start. */
		if (strcmp(xvmsg_text(device, "from"), "record"))
			continue;
		for (j = is_lost(device) ? file->num_devices : 0; j < file->num_devices; j++)
			if (!there[j] && same_device(device, &file->devices[j].spec))
				break;
		if (j < file->num_devices)
			there[j] = true;
		else
			changes[n++] = (struct change){ .device = device };
	}
	for (j = 0; there && j < file->num_devices; j++)
		if (!there[j])
			changes[n++] = (struct change){ .wanted = &file->devices[j] };
	free(there);
	return n;
}

static const char *name_of(const struct change *change)
{
	if (!change->wanted)
		return xvmsg_text(change->device, "name");
	if (*change->name)
		return change->name;
	return *change->wanted->spec.name ? change->wanted->spec.name : xvm_kind_name(change->wanted->spec.kind);
}

/* Until end for all of them; each gets a moment in any case. False with a line in why. */
static bool change_one(const char *guest, struct change *change, time_t end, char why[XVMSG_WHY_BYTES])
{
	char text[XVM_SPEC_MAX_BYTES], reason[XVMSG_WHY_BYTES];
	time_t now = seconds();
	bool ok;

	if (change->wanted) {
		xvm_spec_print(&change->wanted->spec, text);
		ok = attach(guest, text, false, change->name, reason);
	} else {
		ok = detach(guest, name_of(change), false, now < end ? (int)(end - now) : 1, reason);
	}
	if (!ok)
		snprintf(why, XVMSG_WHY_BYTES, "%s: could not be %s: %.400s", name_of(change),
			 change->wanted ? "attached" : "detached", reason);
	return ok;
}

/* The guest's driver uses it; false: not yet, or it is gone. */
static bool in_use(struct json_object *devices, const char *name)
{
	size_t i;

	for (i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		if (!strcmp(xvmsg_text(device, "name"), name))
			return !strcmp(xvmsg_text(device, "state"), "driver-ok");
	}
	return false;
}

/* The first that no driver uses yet, n if there is none, or -1 with a line in why. */
static int first_unused(const char *guest, const struct change *changes, unsigned int n, char why[XVMSG_WHY_BYTES])
{
	struct json_object *request = xvmsg_request("list", guest), *answer = xvmsg_try(request, why);
	struct json_object *devices = answer ? devices_of(answer) : NULL;
	unsigned int i;

	json_object_put(request);

	for (i = 0; devices && i < n; i++)
		if (changes[i].wanted && !in_use(devices, changes[i].name))
			break;
	json_object_put(answer);
	return answer ? devices ? (int)i : 0 : -1;
}

static bool wait_for_drivers(const char *guest, const struct change *changes, unsigned int n, time_t end,
			     char why[XVMSG_WHY_BYTES])
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	int unused;

	while ((unused = first_unused(guest, changes, n, why)) >= 0 && (unsigned int)unused < n) {
		if (seconds() >= end) {
			snprintf(why, XVMSG_WHY_BYTES, "%s: the guest's driver does not use it (is its module loaded?)",
				 changes[unused].name);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	return unused >= 0;
}

static void undo(const char *guest, struct change *change)
{
	char name[XVM_NAME_MAX + 1], why[XVMSG_WHY_BYTES];

	if (change->wanted)
		detach(guest, change->name, true, 0, why);
	else
		attach(guest, xvmsg_text(change->device, "spec"), true, name, why);
}

static void tell_change(const struct change *change)
{
	printf("%s %s\n", change->wanted ? "attached" : "detached", name_of(change));
}

/*
 * wait_s: 0 is not to wait for drivers. False with a line in why, and the device of the file that could not be had, if it
 * is one (else NULL); all is as it was then.
 */
static bool change_all(const char *guest, struct json_object *devices, const struct guest_file *file, int wait_s,
		       void (*tell)(const struct change *change), const struct guest_device **at,
		       char why[XVMSG_WHY_BYTES])
{
	struct change *changes = calloc(device_count(devices) + file->num_devices + 1, sizeof(*changes));
	time_t end = seconds() + (wait_s ? wait_s : PATIENCE_S);
	unsigned int i, n;
	bool ok;

	*at = NULL;
	snprintf(why, XVMSG_WHY_BYTES, "out of memory");
	if (!changes)
		return false;
	n = plan(devices, file, changes);
	for (i = 0; i < n && change_one(guest, &changes[i], end, why); i++)
		tell(&changes[i]);
	if (i < n)
		*at = changes[i].wanted;
	ok = i == n && (!wait_s || wait_for_drivers(guest, changes, n, end, why));
	while (!ok && i--)
		undo(guest, &changes[i]);
	free(changes);
	return ok;
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

static bool is_opening(struct json_object *devices)
{
	unsigned int i;

	for (i = 0; i < device_count(devices); i++)
		if (!strcmp(xvmsg_text(json_object_array_get_idx(devices, i), "state"), "opening"))
			return true;
	return false;
}

/* The new guest with what was kept for it, once all of that can be had, or cannot. NULL after one line. */
static struct json_object *ask_opened(const char *guest)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	time_t end = seconds() + PATIENCE_S;
	struct json_object *answer;

	while ((answer = ask_list(guest)) && is_opening(devices_of(answer)) && seconds() < end) {
		json_object_put(answer);
		nanosleep(&pause, NULL);
	}
	return answer;
}

static void tell_nobody(const struct change *change)
{
	(void)change;
}

/* Its devices are those of the file, whatever was kept for it; or else they are what they were, after one line. */
static bool fill(const struct guest_file *file)
{
	struct json_object *answer = ask_opened(file->name);
	char why[XVMSG_WHY_BYTES], text[2 * XVMSG_WHY_BYTES];
	const struct guest_device *at;
	bool ok = answer && change_all(file->name, devices_of(answer), file, 0, tell_nobody, &at, why);

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

	if (change_all(guest, devices, file, wait_s, xvmsg_json ? tell_nobody : tell_change, &at, why))
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
		answer = ask_list(argv[0]);
		if (answer)
			status = apply(argv[0], devices_of(answer), &file, wait_s);
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
