// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../include/xvmsg/xenbus.h"

#define CONFIG_MAX_BYTES 65536
#define LINE_BYTES 800
#define VALUE_BYTES 260

enum value_kind {
	VALUE_YES,		/* bare on the command line, yes or no in the file */
	VALUE_NO,		/* the same, and --no-NAME on the command line */
	VALUE_NUMBER,
	VALUE_PATH,
	VALUE_LOG,
	VALUE_DIALECTS,
};

struct row {
	const char *name;
	enum value_kind kind;
	bool at_start;		/* a change waits for the next start */
	size_t offset;
	u32 min, max;		/* of a number; a path's bytes */
	const char *help, *arg;
	char letter;
};

#define AT(field) offsetof(struct xvm_options, field)

/* A socket's path has 107 bytes; below the run directory it is called xvmsgd.sock. */
static const struct row rows[] = {
	{ "foreground", VALUE_YES, true, AT(foreground), 0, 0, "stay in the foreground", "", 'f' },
	{ "verbose", VALUE_YES, false, AT(verbose), 0, 0, "log what goes well, too", "", 'v' },
	{ "log", VALUE_LOG, false, AT(log), 0, 255, "syslog, stderr, or a file", " WHERE", 0 },
	{ "worker", VALUE_PATH, false, AT(worker), 0, 255, "the workers' program", " PROGRAM", 0 },
	{ "run-dir", VALUE_PATH, true, AT(run_dir), 0, 90,
	  "pid file and control socket (default /run/xen-virtio-msg)", " DIR", 0 },
	{ "keep-dir", VALUE_PATH, true, AT(keep_dir), 0, 200,
	  "records of what is in flight (default keep, in the run-dir)", " DIR", 0 },
	{ "uid-base", VALUE_NUMBER, true, AT(uid_base), 1, 0x7fffffff - 32768,
	  "the worker of domain D runs as user N + D (default 131072)", " N", 0 },
	{ "pages-total", VALUE_NUMBER, false, AT(pages_total), 256, 1u << 24,
	  "guest pages mapped at once, all guests (default 65536)", " N", 0 },
	{ "pages-per-guest", VALUE_NUMBER, false, AT(pages_per_guest), 256, 1u << 24,
	  "the same for one guest (default 24576)", " N", 0 },
	{ "ring-order", VALUE_NUMBER, false, AT(ring_order), 0, XVM_MAX_RING_ORDER,
	  "offer rings of 2^N pages (default 3)", " N", 0 },
	{ "credits", VALUE_NUMBER, false, AT(credits), 1, XVM_MAX_CREDITS,
	  "offer N outstanding driver requests (default 32)", " N", 0 },
	{ "connect-interval", VALUE_NUMBER, false, AT(connect_ms), 1, 60000,
	  "a guest may connect every N ms, five times at once (default 1000)", " N", 0 },
	{ "keep", VALUE_NO, false, AT(keep), 0, 0,
	  "guests see their bus close when a worker ends or xvmsgd stops", "", 0 },
	{ "dialects", VALUE_DIALECTS, false, AT(dialects), 0, 0,
	  "offer these dialects of virtio-msg only: draft2026, pr28", " LIST", 0 },
};

#define NUM_ROWS XVM_ARRAY_SIZE(rows)

/* Values of getopt: 256 + the row, and these. */
enum { OPT_ROW = 256, OPT_CONFIG = OPT_ROW + NUM_ROWS, OPT_CHECK };

/* Where a value stands, for the line that says what is wrong with it. */
struct place {
	const char *file;	/* NULL: the command line */
	u32 line;
	xvm_options_say *say;
};

static void __attribute__((format(printf, 2, 3))) say(xvm_options_say *to, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	to(line);
}

static bool wrong(const struct place *at, const char *name, const char *value, const char *limit)
{
	if (at->file)
		say(at->say, "%s:%u: %s = %.100s: %s", at->file, at->line, name, value, limit);
	else
		say(at->say, "--%s %.100s: %s", name, value, limit);
	return false;
}

/* ---- one function per kind of value ---- */

static bool take_flag(const struct place *at, const struct row *row, const char *value, bool *flag)
{
	*flag = !strcmp(value, "yes");
	return *flag || !strcmp(value, "no") || wrong(at, row->name, value, "say yes or no");
}

static bool take_number(const struct place *at, const struct row *row, const char *value, u32 *number)
{
	char limit[60];

	if (!xvm_parse_u32(value, strlen(value), row->max, number) && *number >= row->min)
		return true;
	snprintf(limit, sizeof(limit), "give a number from %u to %u", row->min, row->max);
	return wrong(at, row->name, value, limit);
}

static bool take_text(const struct place *at, const struct row *row, const char *value, const char **text)
{
	bool word = row->kind == VALUE_LOG && (!strcmp(value, "syslog") || !strcmp(value, "stderr"));
	char *copy, limit[80];

	if (!word && (value[0] != '/' || strlen(value) > row->max)) {
		snprintf(limit, sizeof(limit), "give %san absolute path of at most %u bytes",
			 row->kind == VALUE_LOG ? "syslog, stderr, or " : "", row->max);
		return wrong(at, row->name, value, limit);
	}
	copy = strdup(value);
	if (!copy)
		return wrong(at, row->name, value, "no memory");
	free((char *)*text);
	*text = copy;
	return true;
}

/* "pr28,draft2026", in any order: the front takes the newest that it knows. */
static bool take_dialects(const struct place *at, const struct row *row, const char *value, u32 *mask)
{
	const char *word = value;
	enum xvm_dialect d;
	size_t len;

	for (*mask = 0; ; word += len + 1) {
		word += strspn(word, " ");
		len = strcspn(word, ",");
		if (xvm_dialect_find(word, len, &d))
			return wrong(at, row->name, value, "give a list of draft2026, pr28");
		*mask |= 1u << d;
		if (!word[len])
			return true;
	}
}

static bool take(const struct place *at, struct xvm_options *o, const struct row *row, const char *value)
{
	char *field = (char *)o + row->offset;

	switch (row->kind) {
	case VALUE_YES:
	case VALUE_NO:
		return take_flag(at, row, value, (bool *)field);
	case VALUE_NUMBER:
		return take_number(at, row, value, (u32 *)field);
	case VALUE_PATH:
	case VALUE_LOG:
		return take_text(at, row, value, (const char **)field);
	case VALUE_DIALECTS:
		return take_dialects(at, row, value, (u32 *)field);
	}
	return false;
}

/* ---- the file ---- */

/* 1: *text, allocated, is to be read; 0: there is no such file, and need not be; else it has been said why. */
static int read_config(const char *path, bool named, char **text, xvm_options_say *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *fault = NULL;
	ssize_t len = 0;
	struct stat st;

	if (fd < 0 && errno == ENOENT && !named)
		return 0;
	if (fd < 0) {
		say(to, "%s: cannot be read: %s", path, strerror(errno));
		return -EINVAL;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)
		fault = "must be a file of root's that only root can write";
	else if (st.st_size > CONFIG_MAX_BYTES)
		fault = "is longer than 65536 bytes";
	*text = fault ? NULL : calloc(1, (size_t)st.st_size + 1);
	if (*text)
		len = read(fd, *text, (size_t)st.st_size);
	close(fd);
	if (!fault && (!*text || len < 0))
		fault = "cannot be read";
	else if (!fault && strlen(*text) != (size_t)len)
		fault = "has a byte of zero";
	if (!fault)
		return 1;
	say(to, "%s: %s", path, fault);
	free(*text);
	*text = NULL;
	return -EINVAL;
}

static char *trimmed(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r", end[-1]))
		*--end = 0;
	return text + strspn(text, " \t");
}

static bool take_line(struct place *at, struct xvm_options *o, char *line, u32 *seen)
{
	char *key = trimmed(line), *value = strchr(key, '=');
	u32 i;

	if (!*key || *key == '#')
		return true;
	if (!value) {
		say(at->say, "%s:%u: %.100s: not \"key = value\"", at->file, at->line, key);
		return false;
	}
	*value = 0;
	key = trimmed(key);
	value = trimmed(value + 1);
	for (i = 0; i < NUM_ROWS; i++) {
		if (strcmp(key, rows[i].name))
			continue;
		if (*seen & 1u << i)
			return wrong(at, key, value, "the key stands there twice");
		*seen |= 1u << i;
		return take(at, o, &rows[i], value);
	}
	return wrong(at, key, value, "no such key; xvmsgd.conf(5) has them all");
}

static bool take_file(struct xvm_options *o, bool named, xvm_options_say *to)
{
	struct place at = { .file = o->config, .line = 1, .say = to };
	char *text = NULL, *line, *end;
	u32 seen = 0;
	bool good = true;
	int err = read_config(o->config, named, &text, to);

	if (err <= 0)
		return !err;
	for (line = text; good && line; line = end, at.line++) {
		end = strchr(line, '\n');
		if (end)
			*end++ = 0;
		good = take_line(&at, o, line, &seen);
	}
	free(text);
	return good;
}

/* ---- the command line ---- */

static void usage(void)
{
	char left[40];
	u32 i;

	puts("usage: xvmsgd [options]\n"
	     "Serves virtio devices to Xen guests: adopts the virtio disks of xl guest files.\n"
	     "      --config FILE         read this (default " XVM_SYSCONFDIR "/xen-virtio-msg/xvmsgd.conf)\n"
	     "      --check               say what is wrong with it and with the options, and end");
	for (i = 0; i < NUM_ROWS; i++) {
		const struct row *row = &rows[i];

		snprintf(left, sizeof(left), "--%s%s%s", row->kind == VALUE_NO ? "no-" : "", row->name, row->arg);
		printf("  %c%c%c %-21s %s\n", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
		       row->letter ? ',' : ' ', left, row->help);
	}
	puts("  -h, --help                this text\n"
	     "  -V, --version             the version\n"
	     "In the file, one \"name = value\" per line; --no-keep is \"keep = no\" there.");
}

static const struct option *long_options(void)
{
	static struct option options[NUM_ROWS + 5];
	static char names[NUM_ROWS][24];
	u32 i;

	for (i = 0; i < NUM_ROWS; i++) {
		bool bare = rows[i].kind == VALUE_YES || rows[i].kind == VALUE_NO;

		snprintf(names[i], sizeof(names[i]), "%s%s", rows[i].kind == VALUE_NO ? "no-" : "", rows[i].name);
		options[i] = (struct option){ names[i], bare ? no_argument : required_argument, NULL, OPT_ROW + (int)i };
	}
	options[i++] = (struct option){ "config", required_argument, NULL, OPT_CONFIG };
	options[i++] = (struct option){ "check", no_argument, NULL, OPT_CHECK };
	options[i++] = (struct option){ "help", no_argument, NULL, 'h' };
	options[i++] = (struct option){ "version", no_argument, NULL, 'V' };
	return options;
}

static enum xvm_options_result take_option(int opt, struct xvm_options *o, bool *named, xvm_options_say *to)
{
	static const struct row config = { .name = "config", .kind = VALUE_PATH, .max = 255 };
	struct place at = { .say = to };
	const struct row *row;
	bool good = true;

	switch (opt) {
	case 'h':
		usage();
		return XVM_OPTIONS_EXIT;
	case 'V':
		puts("xvmsgd " XVM_VERSION);
		return XVM_OPTIONS_EXIT;
	case 'f':
		o->foreground = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	case OPT_CHECK:
		o->check = true;
		break;
	case OPT_CONFIG:
		*named = true;
		good = take_text(&at, &config, optarg, &o->config);
		break;
	case '?':
		return XVM_OPTIONS_WRONG;
	default:
		row = &rows[opt - OPT_ROW];
		good = take(&at, o, row, optarg ? optarg : row->kind == VALUE_NO ? "no" : "yes");
	}
	return good ? XVM_OPTIONS_RUN : XVM_OPTIONS_WRONG;
}

static enum xvm_options_result take_command_line(int argc, char **argv, struct xvm_options *o, bool *named,
						 xvm_options_say *to)
{
	enum xvm_options_result result = XVM_OPTIONS_RUN;
	int opt;

	optind = 0;	/* from the start, whenever */
	while (result == XVM_OPTIONS_RUN && (opt = getopt_long(argc, argv, "fvhV", long_options(), NULL)) != -1)
		result = take_option(opt, o, named, to);
	if (result == XVM_OPTIONS_RUN && optind < argc) {
		say(to, "%s: takes no arguments; see xvmsgd --help", argv[optind]);
		return XVM_OPTIONS_WRONG;
	}
	return result;
}

/* ---- together ---- */

static bool set_defaults(struct xvm_options *o)
{
	*o = (struct xvm_options){
		.config = strdup(XVM_SYSCONFDIR "/xen-virtio-msg/xvmsgd.conf"),
		.worker = strdup(XVM_LIBEXECDIR "/xvmsg-worker"),
		.run_dir = strdup("/run/xen-virtio-msg"),
		.guests_dir = strdup(XVM_SYSCONFDIR "/xen-virtio-msg/guests"),
		.uid_base = 131072,
		.pages_total = 65536,
		.pages_per_guest = 24576,
		.ring_order = XVM_DEFAULT_RING_ORDER,
		.credits = XVM_DEFAULT_CREDITS,
		.connect_ms = 1000,
		.dialects = (1u << XVM_DIALECT_COUNT) - 1,
		.keep = true,
	};
	return o->config && o->worker && o->run_dir && o->guests_dir;
}

void xvm_options_free(struct xvm_options *o)
{
	u32 i;

	for (i = 0; i < NUM_ROWS; i++)
		if (rows[i].kind == VALUE_PATH || rows[i].kind == VALUE_LOG)
			free(*(char **)((char *)o + rows[i].offset));
	free((char *)o->config);
	free((char *)o->guests_dir);
	*o = (struct xvm_options){ 0 };
}

/* In the foreground for a person to look at, or for a service manager, which has a log. */
static const char *usual_log(const struct xvm_options *o)
{
	return o->foreground && !getenv("NOTIFY_SOCKET") ? "stderr" : "syslog";
}

enum xvm_options_result xvm_options_parse(int argc, char **argv, struct xvm_options *o, xvm_options_say *to)
{
	enum xvm_options_result result;
	bool named = false;

	if (!set_defaults(o)) {
		say(to, "no memory");
		return XVM_OPTIONS_WRONG;
	}
	/* Twice: it says which file, and it has the last word. */
	result = take_command_line(argc, argv, o, &named, to);
	if (result != XVM_OPTIONS_RUN)
		return result;
	if (!take_file(o, named, to))
		return XVM_OPTIONS_WRONG;
	result = take_command_line(argc, argv, o, &named, to);
	if (result == XVM_OPTIONS_RUN && !o->log)
		o->log = strdup(usual_log(o));
	return result != XVM_OPTIONS_RUN || o->log ? result : XVM_OPTIONS_WRONG;
}

static void print_value(const struct row *row, const struct xvm_options *o, char text[VALUE_BYTES])
{
	const char *field = (const char *)o + row->offset, *string;
	u32 d;
	int n = 0;

	switch (row->kind) {
	case VALUE_YES:
	case VALUE_NO:
		snprintf(text, VALUE_BYTES, "%s", *(const bool *)field ? "yes" : "no");
		break;
	case VALUE_NUMBER:
		snprintf(text, VALUE_BYTES, "%u", *(const u32 *)field);
		break;
	case VALUE_PATH:
	case VALUE_LOG:
		string = *(const char *const *)field;
		snprintf(text, VALUE_BYTES, "%s", string ? string : "(the usual)");
		break;
	case VALUE_DIALECTS:
		for (d = 0; d < XVM_DIALECT_COUNT; d++)
			if (*(const u32 *)field & 1u << d)
				n += snprintf(text + n, VALUE_BYTES - (size_t)n, "%s%s", n ? "," : "",
					      xvm_dialect_name((enum xvm_dialect)d));
		break;
	}
}

static size_t value_bytes(const struct row *row)
{
	switch (row->kind) {
	case VALUE_YES:
	case VALUE_NO:
		return sizeof(bool);
	case VALUE_NUMBER:
	case VALUE_DIALECTS:
		return sizeof(u32);
	case VALUE_PATH:
	case VALUE_LOG:
		return sizeof(char *);
	}
	return 0;
}

/* Both keep one valid value, so that both can be freed. */
static void exchange(const struct row *row, struct xvm_options *a, struct xvm_options *b)
{
	char *x = (char *)a + row->offset, *y = (char *)b + row->offset, hold[sizeof(char *)];

	memcpy(hold, x, value_bytes(row));
	memcpy(x, y, value_bytes(row));
	memcpy(y, hold, value_bytes(row));
}

int xvm_options_reload(int argc, char **argv, struct xvm_options *o, xvm_options_say *to)
{
	char was[VALUE_BYTES], is[VALUE_BYTES];
	struct xvm_options fresh;
	u32 i, changed = 0;

	if (xvm_options_parse(argc, argv, &fresh, to) != XVM_OPTIONS_RUN) {
		say(to, "configuration: everything stays as it was");
		xvm_options_free(&fresh);
		return -EINVAL;
	}
	for (i = 0; i < NUM_ROWS; i++) {
		print_value(&rows[i], o, was);
		print_value(&rows[i], &fresh, is);
		if (!strcmp(was, is))
			continue;
		changed++;
		if (rows[i].at_start) {
			say(to, "configuration: %s stays %s; %s waits for the next start", rows[i].name, was, is);
			continue;
		}
		say(to, "configuration: %s was %s, is %s", rows[i].name, was, is);
		exchange(&rows[i], o, &fresh);
	}
	if (!changed)
		say(to, "configuration: nothing has changed");
	xvm_options_free(&fresh);
	return 0;
}
