/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the xvmsg command share. A command group is one file,
 * cmd_*.c, and one line per command in main.c's table.
 */
#ifndef XVM_TOOLS_XVMSG_H
#define XVM_TOOLS_XVMSG_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Exit statuses, as xvmsg(1) promises them. */
enum {
	XVMSG_OK,
	XVMSG_FAILED,	/* refused, not there, or the daemon does not run; one line says which */
	XVMSG_USAGE,	/* wrong arguments; one line says which */
};

struct xvmsg_command {
	const char *name, *arguments, *what;	/* the last two for the help text */
	/* argv[0] is the command's name. Returns an exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct xvmsg_command xvmsg_list, xvmsg_stat, xvmsg_ping, xvmsg_trace, xvmsg_version;
extern const struct xvmsg_command xvmsg_top;
extern const struct xvmsg_command xvmsg_check, xvmsg_create, xvmsg_apply;
extern const struct xvmsg_command xvmsg_attach, xvmsg_detach, xvmsg_show, xvmsg_set, xvmsg_forget, xvmsg_console;

/* ---- main.c ---- */

extern const char *xvmsg_socket;
extern bool xvmsg_json;

/* One line that says how the command is used. Returns XVMSG_USAGE. */
int xvmsg_usage(const struct xvmsg_command *command);

/* ---- client.c ---- */

#define XVMSG_WHY_BYTES 512

extern int xvmsg_limit_s;	/* for the daemon to answer */

/* One line on standard error; the first of them is the "error" of --json. Returns -1. */
int xvmsg_fail(const char *what, const char *why);
/* The failure, as an object on standard output. main() does so for each command that failed, unless it sets xvmsg_told. */
void xvmsg_fail_in_json(void);
extern bool xvmsg_told;
/* Sends a request whose answers are the caller's to read. Returns the socket, or -1 after one line about why not. */
int xvmsg_begin(struct json_object *request);
/* The daemon's answer, or NULL after one line about what went wrong; xvmsg_try puts that into why. */
struct json_object *xvmsg_ask(struct json_object *request);
struct json_object *xvmsg_try(struct json_object *request, char why[XVMSG_WHY_BYTES]);
/* The end of what is written to standard output. Returns an exit status. */
int xvmsg_flush(void);
/* A request of this command, with "guest" unless it is NULL. */
struct json_object *xvmsg_request(const char *command, const char *guest);
/* Asks, then prints the answer: as it came with --json, else with print. Takes the request. Returns an exit status. */
int xvmsg_ask_and_print(struct json_object *request, void (*print)(struct json_object *answer));

/* ---- cmd_device.c ---- */

/* wait_s: for the guest's driver to take it, or to let go; 0: do not wait, or as long as the daemon likes. Both set xvmsg_limit_s. */
struct json_object *xvmsg_attach_request(const char *guest, const char *spec, bool persist, int wait_s);
struct json_object *xvmsg_detach_request(const char *guest, const char *device, bool force, int wait_s);
/* Takes --wait[=SECONDS] out of argv, and argv[0]; 0: not said. False after one line. */
bool xvmsg_take_wait(const struct xvmsg_command *command, int *argc, char ***argv, int *wait_s);

/* ---- print.c ---- */

/* The value of a key as text; "-": there is none. */
const char *xvmsg_text(struct json_object *json, const char *key);
void xvmsg_print_json(struct json_object *json);

#endif
