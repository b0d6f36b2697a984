/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator asks of the supervisor: one table of options, each of them
 * on the command line as --name and in the configuration file as "name = value".
 * Numbers are strict decimals with limits; the command line wins. The file is
 * root's word: one that others could write is refused.
 */
#ifndef XVM_DAEMON_OPTIONS_H
#define XVM_DAEMON_OPTIONS_H

#include "../../xen/proto/msgtab.h"
#include "../../xen/proto/num.h"

struct xvm_options {
	const char *config;	/* the file; need not be there unless it was named */
	bool check;		/* only look whether all of this is right */
	bool foreground;
	const char *worker;	/* program of the workers */
	const char *log;	/* "syslog", "stderr" or a file */
	const char *run_dir;
	const char *keep_dir;	/* NULL: keep, below run_dir */
	const char *guests_dir;	/* records of persistent devices */
	u32 uid_base;		/* the worker of domain D runs as uid_base + D */
	u32 pages_total, pages_per_guest;
	u32 ring_order, credits;
	u32 connect_ms;		/* a guest may connect once in this time */
	u32 dialects;		/* offered: bit per enum xvm_dialect */
	bool keep;		/* offer XVM_BUS_F_KEEP */
	bool verbose;
};

enum xvm_options_result { XVM_OPTIONS_RUN, XVM_OPTIONS_EXIT, XVM_OPTIONS_WRONG };

/* One line for the operator, without an end of line. */
typedef void xvm_options_say(const char *line);

/* Prints help and version; says in one line what is wrong. Whatever it returns, xvm_options_free is due. */
enum xvm_options_result xvm_options_parse(int argc, char **argv, struct xvm_options *options, xvm_options_say *say);

/*
 * The file once more, under the same command line: takes over what can change
 * while the daemon runs, and says so; says what waits for the next start. A
 * fault changes nothing. Returns 0 or -EINVAL.
 */
int xvm_options_reload(int argc, char **argv, struct xvm_options *options, xvm_options_say *say);

void xvm_options_free(struct xvm_options *options);

#endif
