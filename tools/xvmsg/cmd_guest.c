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

/* ---- check ---- */

static void print_fault(void *arg, const struct guest_file *file, unsigned int line, unsigned int column,
			const char *what)
{
	(void)arg;
	if (line)
		fprintf(stderr, "%s:%u:%u: %s\n", file->path, line, column, what);
	else
		fprintf(stderr, "%s: %s\n", file->path, what);
}

static void note_fault(void *arg, const struct guest_file *file, unsigned int line, unsigned int column,
		       const char *what)
{
	struct json_object *fault = json_object_new_object();

	json_object_object_add(fault, "file", json_object_new_string(file->path));
	json_object_object_add(fault, "line", json_object_new_int((int)line));
	json_object_object_add(fault, "column", json_object_new_int((int)column));
	json_object_object_add(fault, "error", json_object_new_string(what));
	json_object_array_add(arg, fault);
}

static int run_check(int argc, char **argv)
{
	struct json_object *answer, *faults;
	struct guest_file file;
	unsigned int n;

	if (argc != 2)
		return xvmsg_usage(&xvmsg_check);
	faults = json_object_new_array();
	n = guest_file_read(&file, argv[1], xvmsg_json ? note_fault : print_fault, faults);
	if (xvmsg_json) {
		answer = json_object_new_object();
		json_object_object_add(answer, "ok", json_object_new_boolean(!n));
		json_object_object_add(answer, "devices", json_object_new_int((int)file.num_devices));
		json_object_object_add(answer, "faults", json_object_get(faults));
		xvmsg_print_json(answer);
		json_object_put(answer);
	} else if (!n) {
		printf("%s: good, %u devices in virtio_msg\n", argv[1], file.num_devices);
	}
	json_object_put(faults);
	guest_file_free(&file);
	return n ? XVMSG_FAILED : XVMSG_OK;
}

/* ---- what both others need ---- */

/* Runs xl with these words, at most six; its output is ours. Returns its exit status, or -1 after one line. */
static int xl(const char *a, const char *b, const char *c, const char *d)
{
	const char *const argv[] = { "xl", a, b, c, d, NULL };
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, "xl", NULL, NULL, (char *const *)argv, environ))
		return xvmsg_fail("xl cannot be run; is it in the PATH?", "");
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return xvmsg_fail("xl was killed", a);
	return WEXITSTATUS(status);
}

static bool attach(const char *guest, const char *text, char name[XVM_NAME_MAX + 1])
{
	struct json_object *request = xvmsg_attach_request(guest, text, true, 0), *answer = xvmsg_ask(request), *device;

	json_object_put(request);
	if (answer && json_object_object_get_ex(answer, "device", &device))
		snprintf(name, XVM_NAME_MAX + 1, "%s", xvmsg_text(device, "name"));
	json_object_put(answer);
	return answer;
}

static bool attach_spec(const char *guest, const struct xvm_spec *spec, char name[XVM_NAME_MAX + 1])
{
	char text[XVM_SPEC_MAX_BYTES];

	xvm_spec_print(spec, text);
	return attach(guest, text, name);
}

static bool detach(const char *guest, const char *name, bool force, int wait_s)
{
	struct json_object *request = xvmsg_detach_request(guest, name, force, wait_s), *answer = xvmsg_ask(request);

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

/* ---- create ---- */

static bool forget(const char *uuid)
{
	struct json_object *request = xvmsg_request("forget", NULL), *answer;

	json_object_object_add(request, "uuid", json_object_new_string(uuid));
	answer = xvmsg_ask(request);
	json_object_put(request);
	json_object_put(answer);
	return answer;
}

/* The UUID under which the daemon keeps devices for a guest of this name; false: none is kept. */
static bool kept_uuid(struct json_object *records, const char *name, const char *uuid, char found[40])
{
	size_t i;

	for (i = 0; i < json_object_array_length(records); i++) {
		struct json_object *record = json_object_array_get_idx(records, i);

		if (*uuid ? strcasecmp(xvmsg_text(record, "uuid"), uuid) : strcmp(xvmsg_text(record, "name"), name))
			continue;
		snprintf(found, 40, "%s", xvmsg_text(record, "uuid"));
		return true;
	}
	return false;
}

/*
 * A guest is known by its UUID. One without a uuid= has that of its last life, if
 * devices were kept for it, or a new one. What was kept gives way to the file.
 */
static bool choose_uuid(struct guest_file *file)
{
	struct json_object *request = xvmsg_request("records", NULL), *answer = xvmsg_ask(request), *records;
	bool ok = answer && json_object_object_get_ex(answer, "records", &records), kept;
	FILE *random;

	json_object_put(request);
	kept = ok && kept_uuid(records, file->name, file->uuid, file->uuid);
	json_object_put(answer);
	if (kept)
		return forget(file->uuid);
	if (!ok || file->uuid[0])
		return ok;
	random = fopen("/proc/sys/kernel/random/uuid", "re");
	ok = random && fscanf(random, "%39s", file->uuid) == 1;
	if (random)
		fclose(random);
	return ok || xvmsg_fail("no random UUID to be had", "") == 0;
}

static int fill_and_start(const struct guest_file *file, bool paused)
{
	char name[XVM_NAME_MAX + 1];
	unsigned int i;

	for (i = 0; i < file->num_devices; i++) {
		if (attach_spec(file->name, &file->devices[i].spec, name))
			continue;
		fprintf(stderr, "xvmsg: %s:%u:%u: this device cannot be had, so the guest is destroyed\n", file->path,
			file->devices[i].line, file->devices[i].column);
		return XVMSG_FAILED;
	}
	return paused || !xl("unpause", file->name, NULL, NULL) ? XVMSG_OK : XVMSG_FAILED;
}

static int create(struct guest_file *file, bool paused)
{
	char setting[64];
	int status;

	if (!choose_uuid(file))
		return XVMSG_FAILED;
	snprintf(setting, sizeof(setting), "uuid=\"%s\"", file->uuid);
	if (xl("create", "-p", file->path, setting)) {
		xvmsg_fail("xl could not create the guest; nothing was attached", "");
		return XVMSG_FAILED;
	}
	status = fill_and_start(file, paused);
	if (status) {
		xl("destroy", file->name, NULL, NULL);
		forget(file->uuid);
		return status;
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
	if (!guest_file_read(&file, argv[1 + paused], print_fault, NULL))
		status = create(&file, paused);
	guest_file_free(&file);
	return status;
}

/* ---- apply ---- */

#define PATIENCE_S 30		/* of all devices together, unless --wait=S says another */

struct change {
	struct json_object *device;	/* there is, and the file does not want it */
	const struct xvm_spec *spec;	/* the file wants it */
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
		/* One that was asked to go cannot be asked to stay; it goes, and may come again. */
		for (j = strcmp(xvmsg_text(device, "state"), "leaving") ? 0 : file->num_devices; j < file->num_devices; j++)
			if (!there[j] && same_device(device, &file->devices[j].spec))
				break;
		if (j < file->num_devices)
			there[j] = true;
		else
			changes[n++] = (struct change){ .device = device };
	}
	for (j = 0; there && j < file->num_devices; j++)
		if (!there[j])
			changes[n++] = (struct change){ .spec = &file->devices[j].spec };
	free(there);
	return n;
}

static const char *name_of(const struct change *change)
{
	if (!change->spec)
		return xvmsg_text(change->device, "name");
	if (*change->name)
		return change->name;
	return *change->spec->name ? change->spec->name : xvm_kind_name(change->spec->kind);
}

/* Until end for all of them; each gets a moment in any case. */
static bool change_one(const char *guest, struct change *change, time_t end)
{
	time_t now = seconds();
	bool ok;

	if (change->spec)
		ok = attach_spec(guest, change->spec, change->name);
	else
		ok = detach(guest, name_of(change), false, now < end ? (int)(end - now) : 1);
	if (!ok)
		xvmsg_fail(name_of(change), change->spec ? "could not be attached" : "could not be detached");
	else if (!xvmsg_json)
		printf("%s %s\n", change->spec ? "attached" : "detached", name_of(change));
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

/* The first that no driver uses yet, n if there is none, or -1 after one line. */
static int first_unused(const char *guest, const struct change *changes, unsigned int n)
{
	struct json_object *answer = ask_list(guest), *devices = answer ? devices_of(answer) : NULL;
	unsigned int i;

	for (i = 0; devices && i < n; i++)
		if (changes[i].spec && !in_use(devices, changes[i].name))
			break;
	json_object_put(answer);
	return answer ? devices ? (int)i : 0 : -1;
}

static bool wait_for_drivers(const char *guest, const struct change *changes, unsigned int n, time_t end)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	int unused;

	while ((unused = first_unused(guest, changes, n)) >= 0 && (unsigned int)unused < n) {
		if (seconds() >= end) {
			xvmsg_fail(changes[unused].name, "the guest's driver does not use it; is its module loaded?");
			return false;
		}
		nanosleep(&pause, NULL);
	}
	return unused >= 0;
}

static void undo(const char *guest, struct change *change)
{
	char name[XVM_NAME_MAX + 1];

	if (change->spec)
		detach(guest, change->name, true, 0);
	else
		attach(guest, xvmsg_text(change->device, "spec"), name);
}

/* wait_s: 0 is not to wait for drivers. */
static int apply(const char *guest, struct json_object *devices, const struct guest_file *file, int wait_s)
{
	struct change *changes = calloc(device_count(devices) + file->num_devices + 1, sizeof(*changes));
	time_t end = seconds() + (wait_s ? wait_s : PATIENCE_S);
	unsigned int i, n;
	bool ok;

	if (!changes)
		return XVMSG_FAILED;
	n = plan(devices, file, changes);
	for (i = 0; i < n && change_one(guest, &changes[i], end); i++)
		;
	ok = i == n && (!wait_s || wait_for_drivers(guest, changes, n, end));
	if (!ok && i)
		xvmsg_fail("what was changed so far is undone", "");
	while (!ok && i--)
		undo(guest, &changes[i]);
	free(changes);
	return ok ? print_guest(guest) : XVMSG_FAILED;
}

static int run_apply(int argc, char **argv)
{
	struct json_object *answer, *devices;
	struct guest_file file;
	int status = XVMSG_FAILED, wait_s;

	if (!xvmsg_take_wait(&argc, &argv, &wait_s) || argc != 2)
		return xvmsg_usage(&xvmsg_apply);
	if (!guest_file_read(&file, argv[1], print_fault, NULL)) {
		answer = ask_list(argv[0]);
		devices = answer ? devices_of(answer) : NULL;
		if (answer)
			status = apply(argv[0], devices, &file, wait_s);
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
