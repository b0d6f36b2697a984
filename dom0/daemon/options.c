// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"
#include <getopt.h>
#include <stdio.h>
#include "../../include/xvmsg/xenbus.h"

enum { OPT_WORKER = 256, OPT_UID_BASE, OPT_PAGES_TOTAL, OPT_PAGES_PER_GUEST, OPT_RING_ORDER, OPT_CREDITS,
       OPT_CONNECT, OPT_DIALECTS, OPT_LOG, OPT_RUN_DIR, OPT_KEEP_DIR, OPT_NO_KEEP };

static const struct option long_options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "worker", required_argument, NULL, OPT_WORKER },
	{ "uid-base", required_argument, NULL, OPT_UID_BASE },
	{ "pages-total", required_argument, NULL, OPT_PAGES_TOTAL },
	{ "pages-per-guest", required_argument, NULL, OPT_PAGES_PER_GUEST },
	{ "ring-order", required_argument, NULL, OPT_RING_ORDER },
	{ "credits", required_argument, NULL, OPT_CREDITS },
	{ "connect-interval", required_argument, NULL, OPT_CONNECT },
	{ "dialects", required_argument, NULL, OPT_DIALECTS },
	{ "no-keep", no_argument, NULL, OPT_NO_KEEP },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "keep-dir", required_argument, NULL, OPT_KEEP_DIR },
	{ 0 }
};

static const char help[] =
	"usage: xvmsgd [options]\n"
	"Serves virtio devices to Xen guests: adopts the virtio disks of xl guest files.\n"
	"  -f, --foreground        stay in the foreground, log to stderr\n"
	"  -v, --verbose           log what goes well, too\n"
	"      --log WHERE         syslog, stderr, or a file (SIGHUP opens it again)\n"
	"      --worker PROGRAM    the workers' program\n"
	"      --run-dir DIR       pid file and control socket (default /run/xen-virtio-msg)\n"
	"      --keep-dir DIR      records of what is in flight (default keep, in the run-dir)\n"
	"      --uid-base N        the worker of domain D runs as user N + D (default 131072)\n"
	"      --pages-total N     guest pages mapped at once, all guests (default 65536)\n"
	"      --pages-per-guest N the same for one guest (default 24576)\n"
	"      --ring-order N      offer rings of 2^N pages (default 3)\n"
	"      --credits N         offer N outstanding driver requests (default 32)\n"
	"      --connect-interval N  a guest may connect every N ms, five times at once (default 1000)\n"
	"      --no-keep           guests see their bus close when a worker ends or xvmsgd stops\n"
	"      --dialects LIST     offer these dialects of virtio-msg only: draft2026, pr28\n"
	"  -V, --version           print the version\n";

static bool number(const char *option, const char *text, u32 min, u32 max, u32 *value)
{
	if (!xvm_parse_u32(text, strlen(text), max, value) && *value >= min)
		return true;
	fprintf(stderr, "xvmsgd: --%s %s: give a number from %u to %u\n", option, text, min, max);
	return false;
}

/* "pr28,draft2026", in any order: the front takes the newest that it knows. */
static bool dialects(const char *text, u32 *mask)
{
	const char *at = text;
	enum xvm_dialect d;
	size_t len;

	for (*mask = 0; ; at += len + 1) {
		len = strcspn(at, ",");
		if (xvm_dialect_find(at, len, &d))
			break;
		*mask |= 1u << d;
		if (!at[len])
			return true;
	}
	fprintf(stderr, "xvmsgd: --dialects %s: give a list of draft2026, pr28\n", text);
	return false;
}

static bool take(int opt, struct xvm_options *o)
{
	switch (opt) {
	case 'f':
		o->foreground = true;
		return true;
	case 'v':
		o->verbose = true;
		return true;
	case OPT_WORKER:
		o->worker = optarg;
		return true;
	case OPT_LOG:
		o->log = optarg;
		return true;
	case OPT_RUN_DIR:
		o->run_dir = optarg;
		return true;
	case OPT_KEEP_DIR:
		o->keep_dir = optarg;
		return true;
	case OPT_NO_KEEP:
		o->keep = false;
		return true;
	case OPT_UID_BASE:
		return number("uid-base", optarg, 1, 0x7fffffff - 32768, &o->uid_base);
	case OPT_PAGES_TOTAL:
		return number("pages-total", optarg, 256, 1u << 24, &o->pages_total);
	case OPT_PAGES_PER_GUEST:
		return number("pages-per-guest", optarg, 256, 1u << 24, &o->pages_per_guest);
	case OPT_RING_ORDER:
		return number("ring-order", optarg, 0, XVM_MAX_RING_ORDER, &o->ring_order);
	case OPT_CREDITS:
		return number("credits", optarg, 1, XVM_MAX_CREDITS, &o->credits);
	case OPT_CONNECT:
		return number("connect-interval", optarg, 1, 60000, &o->connect_ms);
	case OPT_DIALECTS:
		return dialects(optarg, &o->dialects);
	default:
		return false;
	}
}

enum xvm_options_result xvm_options_parse(int argc, char **argv, struct xvm_options *o)
{
	int opt;

	*o = (struct xvm_options){
		.worker = XVM_LIBEXECDIR "/xvmsg-worker",
		.run_dir = "/run/xen-virtio-msg",
		.guests_dir = XVM_SYSCONFDIR "/xen-virtio-msg/guests",
		.uid_base = 131072,
		.pages_total = 65536,
		.pages_per_guest = 24576,
		.ring_order = XVM_DEFAULT_RING_ORDER,
		.credits = XVM_DEFAULT_CREDITS,
		.connect_ms = 1000,
		.dialects = (1u << XVM_DIALECT_COUNT) - 1,
		.keep = true,
	};
	while ((opt = getopt_long(argc, argv, "fvhV", long_options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return XVM_OPTIONS_EXIT;
		}
		if (opt == 'V') {
			puts("xvmsgd " XVM_VERSION);
			return XVM_OPTIONS_EXIT;
		}
		if (!take(opt, o))
			return XVM_OPTIONS_WRONG;
	}
	if (optind < argc) {
		fprintf(stderr, "xvmsgd: %s: takes no arguments; see xvmsgd --help\n", argv[optind]);
		return XVM_OPTIONS_WRONG;
	}
	if (!o->log)
		o->log = o->foreground ? "stderr" : "syslog";
	return XVM_OPTIONS_RUN;
}
