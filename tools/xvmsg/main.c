// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg: asks the daemon, by its control socket, and prints the answer as a
 * table or, with --json, as the daemon gave it.
 */
#include "xvmsg.h"
#include <getopt.h>

const char *xvmsg_socket = "/run/xen-virtio-msg/xvmsgd.sock";
bool xvmsg_json, xvmsg_told;

static const struct xvmsg_command *const commands[] = {
	&xvmsg_list,
	&xvmsg_show,
	&xvmsg_check,
	&xvmsg_create,
	&xvmsg_apply,
	&xvmsg_attach,
	&xvmsg_detach,
	&xvmsg_set,
	&xvmsg_console,
	&xvmsg_forget,
	&xvmsg_stat,
	&xvmsg_top,
	&xvmsg_trace,
	&xvmsg_ping,
	&xvmsg_version,
};

#define NUM_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(void)
{
	size_t i;

	puts("usage: xvmsg [--json] [--socket PATH] COMMAND");
	for (i = 0; i < NUM_COMMANDS; i++)
		printf("  %s %s\n%*s%s\n", commands[i]->name, commands[i]->arguments, 20, "", commands[i]->what);
}

int xvmsg_usage(const struct xvmsg_command *command)
{
	char text[XVMSG_WHY_BYTES];

	snprintf(text, sizeof(text), "xvmsg %s%s%s: %s", command->name, *command->arguments ? " " : "", command->arguments,
		 command->what);
	xvmsg_fail("usage", text);
	return XVMSG_USAGE;
}

static int wrong(const char *what, const char *word)
{
	char text[XVMSG_WHY_BYTES];

	snprintf(text, sizeof(text), "%s%.100s; xvmsg --help lists commands and options", what, word);
	xvmsg_fail(text, "");
	return XVMSG_USAGE;
}

/* --json may stand behind the command too; what else stands there is the command's. Returns the new argc. */
static int take_json(int argc, char **argv)
{
	int from, to = 0;

	for (from = 0; from < argc; from++) {
		if (strcmp(argv[from], "--json"))
			argv[to++] = argv[from];
		else
			xvmsg_json = true;
	}
	argv[to] = NULL;
	return to;
}

static int run(int argc, char **argv)
{
	size_t i;

	if (!argc)
		return wrong("no command", "");
	for (i = 0; i < NUM_COMMANDS && strcmp(argv[0], commands[i]->name); i++)
		;
	if (i == NUM_COMMANDS)
		return wrong("unknown command ", argv[0]);
	if (xvmsg_json && commands[i] == &xvmsg_console)
		return wrong("console passes on what the guest says, and has no --json", "");
	return commands[i]->run(argc, argv);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int opt, status = XVMSG_OK;

	opterr = 0;
	while (!status && (opt = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (opt == 'j') {
			xvmsg_json = true;
		} else if (opt == 's') {
			xvmsg_socket = optarg;
		} else if (opt == 'h') {
			help();
			return XVMSG_OK;
		} else {
			status = wrong(opt == ':' ? "an argument is missing to " : "unknown option ", argv[optind - 1]);
		}
	}
	argv += optind;
	argc = take_json(argc - optind, argv);
	if (!status)
		status = run(argc, argv);
	if (status && xvmsg_json && !xvmsg_told)
		xvmsg_fail_in_json();
	return status;
}
