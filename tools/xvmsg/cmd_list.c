// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg list: guests and their devices. */
#include "xvmsg.h"

static void print_guest(struct json_object *guest)
{
	struct json_object *devices;
	size_t i, n;

	if (!json_object_object_get_ex(guest, "devices", &devices))
		return;
	n = json_object_array_length(devices);
	for (i = 0; i < n; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		printf("%5s %-20s %-10s %3s %-4s %-6s %-12s %s\n", xvmsg_text(guest, "domid"),
		       xvmsg_text(guest, "name"), xvmsg_text(guest, "bus"), xvmsg_text(device, "device"),
		       xvmsg_text(device, "type"), xvmsg_text(device, "vdev"), xvmsg_text(device, "state"),
		       xvmsg_text(device, "target"));
	}
}

static void print_list(struct json_object *answer)
{
	struct json_object *guests;
	size_t i, n;

	if (!json_object_object_get_ex(answer, "guests", &guests))
		return;
	n = json_object_array_length(guests);
	printf("%5s %-20s %-10s %3s %-4s %-6s %-12s %s\n", "DOMID", "NAME", "BUS", "NUM", "TYPE", "VDEV", "STATE",
	       "TARGET");
	for (i = 0; i < n; i++)
		print_guest(json_object_array_get_idx(guests, i));
}

static int run_list(int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return xvmsg_usage(&xvmsg_list);
	return xvmsg_ask_and_print(xvmsg_request("list", NULL), print_list);
}

const struct xvmsg_command xvmsg_list = { "list", "", "guests with devices of ours", run_list };
