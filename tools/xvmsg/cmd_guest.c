// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg check, create, apply: guest files with virtio_msg = [ ... ]. create and apply do all of it or nothing. */
#include "xvmsg.h"
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
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

static bool attach(const char *guest, const struct xvm_spec *spec, char name[XVM_NAME_MAX + 1])
{
	char text[XVM_SPEC_MAX_BYTES];
	struct json_object *request, *answer, *device;

	xvm_spec_print(spec, text);
	request = xvmsg_attach_request(guest, text, true, 0);
	answer = xvmsg_ask(request);
	json_object_put(request);
	if (answer && json_object_object_get_ex(answer, "device", &device))
		snprintf(name, XVM_NAME_MAX + 1, "%s", xvmsg_text(device, "name"));
	json_object_put(answer);
	return answer;
}

static bool detach(const char *guest, const char *name, bool force)
{
	struct json_object *request = xvmsg_detach_request(guest, name, force), *answer = xvmsg_ask(request);

	json_object_put(request);
	json_object_put(answer);
	return answer;
}

static int print_guest(const char *guest, bool quiet)
{
	struct json_object *request, *answer;

	if (!xvmsg_json && quiet)
		return XVMSG_OK;
	request = xvmsg_request("list", guest);
	answer = xvmsg_ask(request);
	json_object_put(request);
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
		if (attach(file->name, &file->devices[i].spec, name))
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
	return print_guest(file->name, true);
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

struct change {
	struct json_object *device;	/* there is, and the file does not want it */
	const struct xvm_spec *spec;	/* the file wants it */
	char name[XVM_NAME_MAX + 1];
	bool done;
};

static bool same_device(struct json_object *device, const struct xvm_spec *spec)
{
	struct json_object *ro, *discard;

	return !strcmp(xvmsg_text(device, "type"), xvm_kind_name(spec->kind)) &&
	       (!*spec->name || !strcmp(xvmsg_text(device, "name"), spec->name)) &&
	       !strcmp(xvmsg_text(device, "target"), spec->path) && json_object_object_get_ex(device, "read_only", &ro) &&
	       json_object_object_get_ex(device, "discard", &discard) && json_object_get_boolean(ro) == spec->read_only &&
	       json_object_get_boolean(discard) == spec->discard;
}

static void spec_of(struct json_object *device, struct xvm_spec *spec)
{
	struct json_object *value;

	memset(spec, 0, sizeof(*spec));
	spec->kind = !strcmp(xvmsg_text(device, "type"), xvm_kind_name(XVM_KIND_BLK)) ? XVM_KIND_BLK : XVM_KIND_RNG;
	snprintf(spec->name, sizeof(spec->name), "%s", xvmsg_text(device, "name"));
	snprintf(spec->path, sizeof(spec->path), "%s", spec->kind == XVM_KIND_BLK ? xvmsg_text(device, "target") : "");
	spec->read_only = json_object_object_get_ex(device, "read_only", &value) && json_object_get_boolean(value);
	spec->discard = json_object_object_get_ex(device, "discard", &value) && json_object_get_boolean(value);
}

/* Removals first: what comes may need the image, or the name, of what goes. Returns their number. */
static unsigned int plan(struct json_object *devices, const struct guest_file *file, struct change *changes)
{
	unsigned int i, j, n = 0, count = (unsigned int)json_object_array_length(devices);
	bool *there = calloc(file->num_devices + 1, sizeof(*there));

	for (i = 0; there && i < count; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		/* Not xl's, nor what was attached until the next start. */
		if (strcmp(xvmsg_text(device, "from"), "record"))
			continue;
		for (j = 0; j < file->num_devices; j++)
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

static bool change_one(const char *guest, struct change *change)
{
	if (change->spec)
		return attach(guest, change->spec, change->name);
	return detach(guest, xvmsg_text(change->device, "name"), false);
}

static void undo(const char *guest, struct change *change)
{
	char name[XVM_NAME_MAX + 1];
	struct xvm_spec spec;

	if (change->spec) {
		detach(guest, change->name, true);
	} else {
		spec_of(change->device, &spec);
		attach(guest, &spec, name);
	}
}

static int apply(const char *guest, struct json_object *devices, const struct guest_file *file)
{
	struct change *changes = calloc(json_object_array_length(devices) + file->num_devices + 1, sizeof(*changes));
	unsigned int i, n;

	if (!changes)
		return XVMSG_FAILED;
	n = plan(devices, file, changes);
	for (i = 0; i < n && change_one(guest, &changes[i]); i++)
		if (!xvmsg_json)
			printf("%s %s\n", changes[i].spec ? "attached" : "detached",
			       changes[i].spec ? changes[i].name : xvmsg_text(changes[i].device, "name"));
	if (i < n) {
		xvmsg_fail("what was changed so far is undone", "");
		while (i--)
			undo(guest, &changes[i]);
		n = ~0u;
	}
	free(changes);
	return n == ~0u ? XVMSG_FAILED : print_guest(guest, true);
}

static int run_apply(int argc, char **argv)
{
	struct json_object *request, *answer, *guests, *devices;
	struct guest_file file;
	int status = XVMSG_FAILED;

	if (argc != 3)
		return xvmsg_usage(&xvmsg_apply);
	if (guest_file_read(&file, argv[2], print_fault, NULL)) {
		guest_file_free(&file);
		return XVMSG_FAILED;
	}
	request = xvmsg_request("list", argv[1]);
	answer = xvmsg_ask(request);
	json_object_put(request);
	if (answer && json_object_object_get_ex(answer, "guests", &guests)) {
		struct json_object *none = json_object_new_array();

		if (!json_object_array_length(guests) ||
		    !json_object_object_get_ex(json_object_array_get_idx(guests, 0), "devices", &devices))
			devices = none;
		status = apply(argv[1], devices, &file);
		json_object_put(none);
	}
	json_object_put(answer);
	guest_file_free(&file);
	return status;
}

const struct xvmsg_command xvmsg_check = { "check", "FILE", "what is wrong with a guest file, line and column", run_check };
const struct xvmsg_command xvmsg_create = { "create", "[-p] FILE", "xl create, with the devices of virtio_msg = [ ... ]",
					    run_create };
const struct xvmsg_command xvmsg_apply = { "apply", "GUEST FILE", "the devices of virtio_msg = [ ... ], no more, no fewer",
					   run_apply };
