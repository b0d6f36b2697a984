// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg: asks the daemon, by its control socket, and prints the answer as a
 * table or, with --json, as the daemon gave it.
 */
#include "xvmsg.h"
#include <getopt.h>

const char *xvmsg_socket = "/run/xen-virtio-msg/xvmsgd.sock";
bool xvmsg_json;

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

static void help(FILE *to)
{
	size_t i;

	fputs("usage: xvmsg [--json] [--socket PATH] COMMAND\n", to);
	for (i = 0; i < NUM_COMMANDS; i++)
		fprintf(to, "  %s %s\n%*s%s\n", commands[i]->name, commands[i]->arguments, 20, "", commands[i]->what);
}

int xvmsg_usage(const struct xvmsg_command *command)
{
	fprintf(stderr, "usage: xvmsg %s%s%s: %s\n", command->name, *command->arguments ? " " : "",
		command->arguments, command->what);
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

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	size_t i;
	int opt;

	while ((opt = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (opt == 'j') {
			xvmsg_json = true;
		} else if (opt == 's') {
			xvmsg_socket = optarg;
		} else {
			help(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? XVMSG_OK : XVMSG_USAGE;
		}
	}
	argv += optind;
	argc = take_json(argc - optind, argv);
	for (i = 0; i < NUM_COMMANDS && argc; i++)
		if (!strcmp(argv[0], commands[i]->name))
			return commands[i]->run(argc, argv);
	help(stderr);
	return XVMSG_USAGE;
}
