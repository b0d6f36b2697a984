// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands of the control socket that change a guest's devices, or show one. Each is answered when it is done. */
#include "ctl_priv.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "host_net.h"
#include "record.h"
#include "report.h"
#include "worker.h"

#define ATTACH_LIMIT_MS (XVM_OPENER_LIMIT_MS + 4000)
#define MAX_WAIT_S 600

/* Seconds of the request's key, or the default. */
static u32 limit_of(struct json_object *request, const char *key, u32 default_ms)
{
	struct json_object *value;
	int s;

	if (!json_object_object_get_ex(request, key, &value) || !json_object_is_type(value, json_type_int))
		return default_ms;
	s = json_object_get_int(value);
	return (u32)(s < 1 ? 1 : s > MAX_WAIT_S ? MAX_WAIT_S : s) * 1000;
}

static bool flag_of(struct json_object *request, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(request, key, &value) && json_object_get_boolean(value);
}

struct xvm_guest *xvm_ctl_guest(struct client *client, struct json_object *request)
{
	const char *word = xvm_ctl_text(request, "guest");
	struct xvm_guest *guest;
	char why[XVM_WHY_BYTES];

	if (!word) {
		xvm_ctl_error(client, "say which guest, by name or domain id");
		return NULL;
	}
	guest = xvm_guest_get(xvm_ctl_daemon(client), word);
	if (guest)
		return guest;
	snprintf(why, sizeof(why), "no domain %.100s runs here; xl list shows them", word);
	xvm_ctl_error(client, why);
	return NULL;
}

static struct xvm_disk *disk_of(struct client *client, struct json_object *request)
{
	struct xvm_guest *guest = xvm_ctl_guest(client, request);
	const char *word = xvm_ctl_text(request, "device");
	struct xvm_disk *disk = guest && word ? xvm_disk_find(guest, word) : NULL;
	char why[XVM_WHY_BYTES];

	if (!guest || disk)
		return disk;
	snprintf(why, sizeof(why), "guest %u (%.40s) has no device %.60s; xvmsg list %u shows them", guest->domid,
		 guest->name, word ? word : "without a name", guest->domid);
	xvm_ctl_error(client, why);
	return NULL;
}

static void on_device(void *arg, const char *error, struct xvm_disk *disk)
{
	struct client *client = arg;
	struct json_object *answer;

	if (error) {
		xvm_ctl_error(client, error);
		return;
	}
	answer = xvm_ctl_new(true);
	if (disk) {
		json_object_object_add(answer, "domid", json_object_new_int((int)disk->guest->domid));
		json_object_object_add(answer, "device", xvm_report_device(disk));
	}
	xvm_ctl_answer(client, answer);
}

void xvm_ctl_attach(struct client *client, struct json_object *request)
{
	struct xvm_guest *guest = xvm_ctl_guest(client, request);
	const char *text = xvm_ctl_text(request, "spec");
	bool driver = json_object_object_get_ex(request, "wait_s", NULL), back = flag_of(request, "restore");
	struct xvm_spec_fault fault;
	char why[XVM_WHY_BYTES];
	struct xvm_spec spec;
	struct xvm_disk *disk;

	if (!guest)
		return;
	if (xvm_spec_parse(XVM_SPEC_LIST, text ? text : "", text ? strlen(text) : 0, &spec, &fault)) {
		snprintf(why, sizeof(why), "column %zu of the device: %s", fault.at + 1, fault.why);
		xvm_ctl_error(client, why);
	} else if (xvm_own_new(guest, &spec, flag_of(request, "persist"), &disk, why)) {
		xvm_ctl_error(client, why);
	} else {
		disk->recorded = back;
		xvm_ctl_wait(client, xvm_op_new(disk, back ? XVM_OP_RESTORE : driver ? XVM_OP_ATTACH_DRIVER : XVM_OP_ATTACH,
						limit_of(request, "wait_s", ATTACH_LIMIT_MS + xvm_net_script_ms(&disk->request)),
						on_device, client));
	}
}

/* For the guest to let go of it, and for a script that takes it from the host. */
static u32 detach_limit(const struct xvm_disk *disk, bool force)
{
	struct xvm_image_request request = disk->request;

	request.net.task = XVM_NET_REMOVE;
	return (force ? 3 * XVM_STOP_LIMIT_MS : XVM_ASK_LIMIT_MS) + xvm_net_script_ms(&request);
}

void xvm_ctl_detach(struct client *client, struct json_object *request)
{
	struct xvm_disk *disk = disk_of(client, request);
	bool force = flag_of(request, "force");
	char why[XVM_WHY_BYTES];

	if (!disk)
		return;
	if (!disk->own) {
		snprintf(why, sizeof(why), "%s stands in the disk list of xl's guest file; take it out there, it goes with the next start",
			 disk->vdev);
		xvm_ctl_error(client, why);
		return;
	}
	xvm_own_leave(disk, force);
	if (disk->guest->alive && xvm_record_write(disk->guest, why))
		xvm_guest_log(disk->guest, LOG_ERR, "%s", why);
	xvm_ctl_wait(client, xvm_op_new(disk, XVM_OP_DETACH,
					limit_of(request, "wait_s", detach_limit(disk, force)), on_device, client));
}

void xvm_ctl_show(struct client *client, struct json_object *request)
{
	bool one = json_object_object_get_ex(request, "device", NULL);
	struct xvm_disk *disk = one ? disk_of(client, request) : NULL;
	struct xvm_guest *guest = one ? NULL : xvm_ctl_guest(client, request);
	struct json_object *answer;

	if (!disk && !guest)
		return;
	answer = xvm_ctl_new(true);
	if (disk)
		json_object_object_add(answer, "device", xvm_report_device(disk));
	else
		json_object_object_add(answer, "guest", xvm_report_stat(guest));
	xvm_ctl_answer(client, answer);
}

/* "64M": bytes, or K, M, G, T of 1024; "image": 0, as large as the image is. */
static int parse_size(const char *text, u64 *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	u32 number, shift = 0;
	size_t len = strlen(text);

	*bytes = 0;
	if (!strcmp(text, "image"))
		return 0;
	unit = len ? strchr(units, text[len - 1]) : NULL;
	if (unit && *unit) {
		shift = 10 * (u32)(unit - units + 1);
		len--;
	}
	/* Plain bytes may need more digits than a u32 has. */
	if (!shift) {
		char *end;

		errno = 0;
		*bytes = strtoull(text, &end, 10);
		return !len || *end || errno || text[0] < '1' || text[0] > '9' || *bytes > INT64_MAX ? -EINVAL : 0;
	}
	if (xvm_parse_u32(text, len, 0xffffffffu, &number) || !number || (u64)number > (u64)INT64_MAX >> shift)
		return -EINVAL;
	*bytes = (u64)number << shift;
	return 0;
}

/* "80x25", what xvmsg console says of its terminal. */
static bool take_window(struct xvm_disk *disk, const char *text)
{
	const char *x = strchr(text, 'x');
	u32 cols, rows;

	if (!x || xvm_parse_u32(text, (size_t)(x - text), 0xffff, &cols) || xvm_parse_u32(x + 1, strlen(x + 1), 0xffff, &rows))
		return false;
	if (disk->in_worker && (disk->cols != cols || disk->rows != rows))
		xvm_worker_resize_device(disk->guest->worker, disk->num, cols << 16 | rows);
	disk->cols = (u16)cols;
	disk->rows = (u16)rows;
	return true;
}

static void set_window(struct client *client, struct xvm_disk *disk, const char *value)
{
	char why[XVM_WHY_BYTES];

	if (disk->image.spec.kind == XVM_KIND_CONSOLE && take_window(disk, value)) {
		on_device(client, NULL, disk);
		return;
	}
	snprintf(why, sizeof(why), "window=%.20s is a console's, and COLUMNSxROWS, each at most 65535", value);
	xvm_ctl_error(client, why);
}

static void set_size(struct client *client, struct xvm_disk *disk, const char *value)
{
	char why[XVM_WHY_BYTES];
	u64 bytes;

	if (parse_size(value, &bytes)) {
		snprintf(why, sizeof(why), "size=%.40s is neither bytes, nor a number with K, M, G or T, nor image", value);
		xvm_ctl_error(client, why);
	} else if (xvm_disk_resize(disk, bytes, why)) {
		xvm_ctl_error(client, why);
	} else {
		xvm_ctl_wait(client, xvm_op_new(disk, XVM_OP_RESIZE, ATTACH_LIMIT_MS, on_device, client));
	}
}

static void set_link(struct client *client, struct xvm_disk *disk, const char *value)
{
	bool up = !strcmp(value, "up");
	char why[XVM_WHY_BYTES];

	if (!up && strcmp(value, "down")) {
		snprintf(why, sizeof(why), "link=%.40s is neither up nor down", value);
		xvm_ctl_error(client, why);
	} else if (xvm_disk_link(disk, up, why) || (disk->own && xvm_record_write(disk->guest, why))) {
		xvm_ctl_error(client, why);
	} else {
		on_device(client, NULL, disk);
	}
}

void xvm_ctl_set(struct client *client, struct json_object *request)
{
	static const struct {
		const char *key;
		void (*set)(struct client *client, struct xvm_disk *disk, const char *value);
	} keys[] = { { "size", set_size }, { "link", set_link }, { "window", set_window } };
	const char *key = xvm_ctl_text(request, "key"), *value = xvm_ctl_text(request, "value");
	struct xvm_disk *disk = disk_of(client, request);
	char why[XVM_WHY_BYTES];
	u32 i;

	if (!disk)
		return;
	for (i = 0; i < XVM_ARRAY_SIZE(keys) && key && value; i++) {
		if (strcmp(key, keys[i].key))
			continue;
		keys[i].set(client, disk, value);
		return;
	}
	snprintf(why, sizeof(why), "%.40s cannot be set; known are size, link, window", key ? key : "nothing");
	xvm_ctl_error(client, why);
}

/* The guest of this UUID, as long as its domain has not begun to die; its end may still be going on then. */
static const struct xvm_guest *living(const struct client *client, const char *uuid)
{
	struct xvm_daemon *daemon = xvm_ctl_daemon(client);
	const struct xvm_guest *guest;

	for (guest = daemon->guests; guest; guest = guest->next)
		if (!strcmp(guest->uuid, uuid) && xvm_domain_alive(daemon, guest->domid))
			return guest;
	return NULL;
}

void xvm_ctl_records(struct client *client, struct json_object *request)
{
	struct json_object *answer = xvm_ctl_new(true), *records = xvm_record_list(xvm_ctl_daemon(client)), *uuid;
	const struct xvm_guest *guest;
	size_t i;

	(void)request;
	for (i = 0; i < json_object_array_length(records); i++) {
		struct json_object *record = json_object_array_get_idx(records, i);

		guest = json_object_object_get_ex(record, "uuid", &uuid) ? living(client, json_object_get_string(uuid)) : NULL;
		if (guest)
			json_object_object_add(record, "domid", json_object_new_int((int)guest->domid));
	}
	json_object_object_add(answer, "records", records);
	xvm_ctl_answer(client, answer);
}

void xvm_ctl_forget(struct client *client, struct json_object *request)
{
	const char *uuid = xvm_ctl_text(request, "uuid");
	const struct xvm_guest *guest = uuid ? living(client, uuid) : NULL;
	char why[XVM_WHY_BYTES];
	int err;

	if (guest) {
		snprintf(why, sizeof(why), "guest %u (%.40s) runs with these devices; detach them instead", guest->domid,
			 guest->name);
		xvm_ctl_error(client, why);
		return;
	}
	err = uuid ? xvm_record_forget(xvm_ctl_daemon(client), uuid) : -EINVAL;
	if (!err) {
		xvm_ctl_answer(client, xvm_ctl_new(true));
		return;
	}
	snprintf(why, sizeof(why), "record %.60s: %s; xvmsg list --kept shows them", uuid ? uuid : "without a UUID",
		 err == -ENOENT ? "there is none" : strerror(-err));
	xvm_ctl_error(client, why);
}
