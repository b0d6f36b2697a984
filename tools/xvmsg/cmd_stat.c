// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg stat: one guest's counters. */
#include "xvmsg.h"

static void print_counters(struct json_object *json, const char *prefix)
{
	json_object_object_foreach(json, key, value) {
		if (json_object_is_type(value, json_type_object))
			print_counters(value, "worker ");
		else if (!json_object_is_type(value, json_type_array))
			printf("%s%-*s %s\n", prefix, 24 - (int)strlen(prefix), key, json_object_get_string(value));
	}
}

static void print_stat(struct json_object *answer)
{
	struct json_object *guest;

	if (json_object_object_get_ex(answer, "guest", &guest))
		print_counters(guest, "");
}

static int run_stat(int argc, char **argv)
{
	if (argc != 2)
		return xvmsg_usage(&xvmsg_stat);
	return xvmsg_ask_and_print(xvmsg_request("stat", argv[1]), print_stat);
}

const struct xvmsg_command xvmsg_stat = { "stat", "GUEST", "counters of one guest, by name or domain id", run_stat };
