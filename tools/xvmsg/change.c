// SPDX-License-Identifier: GPL-2.0-or-later
#include "change.h"
#include <stdlib.h>
#include <time.h>

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

struct json_object *change_ask(const char *guest)
{
	struct json_object *request = xvmsg_request("list", guest), *answer = xvmsg_ask(request);

	json_object_put(request);
	return answer;
}

struct json_object *change_devices_of(struct json_object *answer)
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

static bool is_opening(struct json_object *devices)
{
	size_t i;

	for (i = 0; devices && i < json_object_array_length(devices); i++)
		if (!strcmp(xvmsg_text(json_object_array_get_idx(devices, i), "state"), "opening"))
			return true;
	return false;
}

struct json_object *change_ask_opened(const char *guest)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	time_t end = seconds() + CHANGE_PATIENCE_S;
	struct json_object *answer;

	while ((answer = change_ask(guest)) && is_opening(change_devices_of(answer)) && seconds() < end) {
		json_object_put(answer);
		nanosleep(&pause, NULL);
	}
	return answer;
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
	struct json_object *devices = answer ? change_devices_of(answer) : NULL;
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

bool change_all(const char *guest, struct json_object *devices, const struct guest_file *file, int wait_s, bool tell,
		const struct guest_device **at, char why[XVMSG_WHY_BYTES])
{
	struct change *changes = calloc(device_count(devices) + file->num_devices + 1, sizeof(*changes));
	time_t end = seconds() + (wait_s ? wait_s : CHANGE_PATIENCE_S);
	unsigned int i, n;
	bool ok;

	*at = NULL;
	snprintf(why, XVMSG_WHY_BYTES, "out of memory");
	if (!changes)
		return false;
	n = plan(devices, file, changes);
	for (i = 0; i < n && change_one(guest, &changes[i], end, why); i++)
		if (tell)
			printf("%s %s\n", changes[i].wanted ? "attached" : "detached", name_of(&changes[i]));
	if (i < n)
		*at = changes[i].wanted;
	ok = i == n && (!wait_s || wait_for_drivers(guest, changes, n, end, why));
	while (!ok && i--)
		undo(guest, &changes[i]);
	free(changes);
	return ok;
}
