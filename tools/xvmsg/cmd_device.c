// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg attach, detach, show, set, forget: devices of a running guest. */
#include "xvmsg.h"
#include <getopt.h>
#include <stdlib.h>
#include "../../dom0/spec/spec.h"

#define DONE_LIMIT_S 65		/* what the daemon may take for what waits for no guest: a hotplug script has 40 */
#define MAX_WAIT_S 600

struct flags {
	bool persist, force;
	int wait_s;	/* 0: not said */
};

static bool parse_wait(const char *text, int *seconds)
{
	char *end = NULL;
	long value = text ? strtol(text, &end, 10) : 30;

	*seconds = (int)value;
	return !text || (*text && !*end && value >= 1 && value <= MAX_WAIT_S);
}

/* Takes the options out of argv; false after one line. */
static bool parse_flags(const struct xvmsg_command *command, int *argc, char ***argv, const char *allowed,
			struct flags *flags)
{
	static const struct option options[] = {
		{ "persist", no_argument, NULL, 'p' },
		{ "force", no_argument, NULL, 'f' },
		{ "wait", optional_argument, NULL, 'w' },
		{ 0 }
	};
	int opt;

	memset(flags, 0, sizeof(*flags));
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(*argc, *argv, "f", options, NULL)) != -1) {
		if (!strchr(allowed, opt)) {
			xvmsg_usage(command);
			return false;
		}
		if (opt == 'w' && !parse_wait(optarg, &flags->wait_s)) {
			xvmsg_fail("--wait takes seconds, 1 to 600, and not", *optarg ? optarg : "none");
			return false;
		}
		flags->persist |= opt == 'p';
		flags->force |= opt == 'f';
	}
	*argc -= optind;
	*argv += optind;
	return true;
}

bool xvmsg_take_wait(const struct xvmsg_command *command, int *argc, char ***argv, int *wait_s)
{
	struct flags flags;

	if (!parse_flags(command, argc, argv, "w", &flags))
		return false;
	*wait_s = flags.wait_s;
	return true;
}

static void add_text(struct json_object *request, const char *key, const char *text)
{
	json_object_object_add(request, key, json_object_new_string(text));
}

static void add_wait(struct json_object *request, int wait_s)
{
	if (wait_s)
		json_object_object_add(request, "wait_s", json_object_new_int(wait_s));
	xvmsg_limit_s = DONE_LIMIT_S + wait_s;
}

static struct json_object *device_of(struct json_object *answer)
{
	struct json_object *device = NULL;

	json_object_object_get_ex(answer, "device", &device);
	return device;
}

/* ---- attach ---- */

struct json_object *xvmsg_attach_request(const char *guest, const char *spec, bool persist, int wait_s)
{
	struct json_object *request = xvmsg_request("attach", guest);

	add_text(request, "spec", spec);
	json_object_object_add(request, "persist", json_object_new_boolean(persist));
	add_wait(request, wait_s);
	return request;
}

static void print_attached(struct json_object *answer)
{
	struct json_object *device = device_of(answer);

	printf("%s: device %s of domain %s%s\n", xvmsg_text(device, "name"), xvmsg_text(device, "device"),
	       xvmsg_text(answer, "domid"), strcmp(xvmsg_text(device, "from"), "record") ?
	       "; gone after a reboot, save or migration (--persist keeps it)" : ", kept over reboots");
}

static int run_attach(int argc, char **argv)
{
	struct xvm_spec_fault fault;
	char why[XVMSG_WHY_BYTES];
	struct xvm_spec spec;
	struct flags flags;

	if (!parse_flags(&xvmsg_attach, &argc, &argv, "pw", &flags))
		return XVMSG_USAGE;
	if (argc != 2)
		return xvmsg_usage(&xvmsg_attach);
	/* The daemon checks it too; here the place can be shown. */
	if (xvm_spec_parse(XVM_SPEC_LIST, argv[1], strlen(argv[1]), &spec, &fault)) {
		snprintf(why, sizeof(why), "column %zu of '%.250s'", fault.at + 1, argv[1]);
		xvmsg_fail(why, fault.why);
		return XVMSG_FAILED;
	}
	return xvmsg_ask_and_print(xvmsg_attach_request(argv[0], argv[1], flags.persist, flags.wait_s), print_attached);
}

/* ---- the others ---- */

static void print_nothing(struct json_object *answer)
{
	(void)answer;
}

struct json_object *xvmsg_detach_request(const char *guest, const char *device, bool force, int wait_s)
{
	struct json_object *request = xvmsg_request("detach", guest);

	add_text(request, "device", device);
	json_object_object_add(request, "force", json_object_new_boolean(force));
	add_wait(request, wait_s);
	return request;
}

static int run_detach(int argc, char **argv)
{
	struct flags flags;

	if (!parse_flags(&xvmsg_detach, &argc, &argv, "fw", &flags))
		return XVMSG_USAGE;
	if (argc != 2)
		return xvmsg_usage(&xvmsg_detach);
	return xvmsg_ask_and_print(xvmsg_detach_request(argv[0], argv[1], flags.force, flags.wait_s), print_nothing);
}

/* Ports of a console: name and pty. */
static void print_ports(struct json_object *ports)
{
	size_t i;

	for (i = 0; i < json_object_array_length(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);

		printf("%-16s %s %s\n", "port", xvmsg_text(port, "name"), xvmsg_text(port, "pty"));
	}
}

static void print_keys(struct json_object *json, const char *prefix)
{
	json_object_object_foreach(json, key, value) {
		if (!strcmp(key, "worker"))
			print_keys(value, "worker ");
		else if (!strcmp(key, "ports"))
			print_ports(value);
		else if (!json_object_is_type(value, json_type_array) && !json_object_is_type(value, json_type_object))
			printf("%s%-*s %s\n", prefix, 16 - (int)strlen(prefix), key, json_object_get_string(value));
	}
}

static void print_show(struct json_object *answer)
{
	struct json_object *guest, *devices;
	size_t i;

	if (!json_object_object_get_ex(answer, "guest", &guest)) {
		print_keys(device_of(answer), "");
		return;
	}
	print_keys(guest, "");
	if (!json_object_object_get_ex(guest, "devices", &devices))
		return;
	for (i = 0; i < json_object_array_length(devices); i++) {
		putchar('\n');
		print_keys(json_object_array_get_idx(devices, i), "");
	}
}

static int run_show(int argc, char **argv)
{
	struct json_object *request;

	if (argc != 2 && argc != 3)
		return xvmsg_usage(&xvmsg_show);
	request = xvmsg_request("show", argv[1]);
	if (argc == 3)
		add_text(request, "device", argv[2]);
	return xvmsg_ask_and_print(request, print_show);
}

static void print_set(struct json_object *answer)
{
	struct json_object *device = device_of(answer);
	const char *type = xvmsg_text(device, "type");
	const char *key = !strcmp(type, "net") ? "link" : !strcmp(type, "console") ? "window" : "size_bytes";

	printf("%s: %s %s\n", xvmsg_text(device, "name"), key, xvmsg_text(device, key));
}

static int run_set(int argc, char **argv)
{
	struct json_object *request;
	char *value = argc == 4 ? strchr(argv[3], '=') : NULL;

	if (!value)
		return xvmsg_usage(&xvmsg_set);
	*value++ = 0;
	request = xvmsg_request("set", argv[1]);
	add_text(request, "device", argv[2]);
	add_text(request, "key", argv[3]);
	add_text(request, "value", value);
	add_wait(request, 0);
	return xvmsg_ask_and_print(request, print_set);
}

static int run_forget(int argc, char **argv)
{
	struct json_object *request;

	if (argc != 2)
		return xvmsg_usage(&xvmsg_forget);
	request = xvmsg_request("forget", NULL);
	add_text(request, "uuid", argv[1]);
	return xvmsg_ask_and_print(request, print_nothing);
}

const struct xvmsg_command xvmsg_attach = { "attach", "GUEST SPEC [--persist] [--wait[=S]]",
					    "type=disk,path=..., net, console, rng, ...: a device, now", run_attach };
const struct xvmsg_command xvmsg_detach = { "detach", "GUEST DEVICE [--force] [--wait=S]",
					    "ask the guest to let go; --force does not ask", run_detach };
const struct xvmsg_command xvmsg_show = { "show", "GUEST [DEVICE]", "all there is to know", run_show };
const struct xvmsg_command xvmsg_set = { "set", "GUEST DEVICE size=SIZE | link=up|down | window=COLSxROWS",
					 "a disk larger: 2G, or image: as large as that is; a network cable; a console's window", run_set };
const struct xvmsg_command xvmsg_forget = { "forget", "UUID", "the kept devices of a guest that does not run", run_forget };
