// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg list: guests and their devices, or the devices kept for guests. */
#include "xvmsg.h"

/* What a device stands on: an image, or a tap and its bridge. */
static const char *target_of(struct json_object *device, char text[64])
{
	if (strcmp(xvmsg_text(device, "type"), "net"))
		return xvmsg_text(device, "target");
	snprintf(text, 64, "%s %s %s%s", xvmsg_text(device, "mac"), xvmsg_text(device, "tap"), xvmsg_text(device, "bridge"),
		 strcmp(xvmsg_text(device, "link"), "down") ? "" : " (link down)");
	return text;
}

static void print_guest(struct json_object *guest)
{
	struct json_object *devices;
	char target[64];
	size_t i, n;

	if (!json_object_object_get_ex(guest, "devices", &devices))
		return;
	n = json_object_array_length(devices);
	for (i = 0; i < n; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		printf("%5s %-20s %-10s %5s %-4s %-8s %-12s %-6s %s\n", xvmsg_text(guest, "domid"),
		       xvmsg_text(guest, "name"), xvmsg_text(guest, "bus"), xvmsg_text(device, "device"),
		       xvmsg_text(device, "type"), xvmsg_text(device, "name"), xvmsg_text(device, "state"),
		       xvmsg_text(device, "from"), target_of(device, target));
	}
}

static void print_list(struct json_object *answer)
{
	struct json_object *guests;
	size_t i, n;

	if (!json_object_object_get_ex(answer, "guests", &guests))
		return;
	n = json_object_array_length(guests);
	printf("%5s %-20s %-10s %5s %-4s %-8s %-12s %-6s %s\n", "DOMID", "NAME", "BUS", "NUM", "TYPE", "DEVICE", "STATE",
	       "FROM", "TARGET");
	for (i = 0; i < n; i++)
		print_guest(json_object_array_get_idx(guests, i));
}

static void print_records(struct json_object *answer)
{
	struct json_object *records, *devices;
	size_t i, j;

	if (!json_object_object_get_ex(answer, "records", &records))
		return;
	printf("%-36s %-20s %s\n", "UUID", "NAME", "DEVICE");
	for (i = 0; i < json_object_array_length(records); i++) {
		struct json_object *record = json_object_array_get_idx(records, i);

		if (!json_object_object_get_ex(record, "devices", &devices))
			continue;
		for (j = 0; j < json_object_array_length(devices); j++)
			printf("%-36s %-20s %s\n", xvmsg_text(record, "uuid"), xvmsg_text(record, "name"),
			       json_object_get_string(json_object_array_get_idx(devices, j)));
	}
}

static int run_list(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--kept"))
		return xvmsg_ask_and_print(xvmsg_request("records", NULL), print_records);
	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		return xvmsg_usage(&xvmsg_list);
	return xvmsg_ask_and_print(xvmsg_request("list", argc == 2 ? argv[1] : NULL), print_list);
}

const struct xvmsg_command xvmsg_list = { "list", "[GUEST | --kept]", "devices of guests, or those kept for guests",
					  run_list };
