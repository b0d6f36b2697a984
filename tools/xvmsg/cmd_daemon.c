// SPDX-License-Identifier: GPL-2.0-or-later
/* xvmsg ping, xvmsg version: about the daemon itself. */
#include "xvmsg.h"

static void print_ping(struct json_object *answer)
{
	(void)answer;
	puts("xvmsgd answers");
}

static void print_version(struct json_object *answer)
{
	printf("xvmsg %s, xvmsgd %s (process %s)\n", XVM_VERSION, xvmsg_text(answer, "version"),
	       xvmsg_text(answer, "pid"));
}

static int run_ping(int argc, char **argv)
{
	(void)argv;
	return argc == 1 ? xvmsg_ask_and_print(xvmsg_request("ping", NULL), print_ping) : xvmsg_usage(&xvmsg_ping);
}

static int run_version(int argc, char **argv)
{
	(void)argv;
	return argc == 1 ? xvmsg_ask_and_print(xvmsg_request("version", NULL), print_version) :
			   xvmsg_usage(&xvmsg_version);
}

const struct xvmsg_command xvmsg_ping = { "ping", "", "is the daemon there?", run_ping };
const struct xvmsg_command xvmsg_version = { "version", "", "of this command and of the daemon", run_version };
