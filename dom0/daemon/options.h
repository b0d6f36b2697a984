/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of the supervisor. Numbers are strict decimals with limits. */
#ifndef XVM_DAEMON_OPTIONS_H
#define XVM_DAEMON_OPTIONS_H

#include "../../xen/proto/msgtab.h"
#include "../../xen/proto/num.h"

struct xvm_options {
	bool foreground;
	const char *worker;	/* program of the workers */
	const char *log;	/* "syslog", "stderr" or a file; NULL: by foreground */
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

/* Prints help, version or one line about what is wrong. */
enum xvm_options_result xvm_options_parse(int argc, char **argv, struct xvm_options *options);

#endif
