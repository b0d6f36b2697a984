// SPDX-License-Identifier: GPL-2.0-or-later
/* Command line and configuration file of the daemon: what is taken, what is refused and in which words, what a reload changes. */
/* LINK: xen/proto dom0/daemon/options.c */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../dom0/daemon/options.h"

static char said[4096], path[] = "/tmp/xvm-options-XXXXXX", config[64];
static struct xvm_options o;

static void note(const char *line)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", line);
}

static void file(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* xvmsgd --config PATH, and one more argument. */
static enum xvm_options_result parse(const char *more)
{
	char *argv[] = { "xvmsgd", config, (char *)more, NULL };

	said[0] = 0;
	xvm_options_free(&o);
	return xvm_options_parse(more ? 3 : 2, argv, &o, note);
}

static int reload(const char *text)
{
	char *argv[] = { "xvmsgd", config, "--credits=7", NULL };

	file(text);
	said[0] = 0;
	return xvm_options_reload(3, argv, &o, note);
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	snprintf(config, sizeof(config), "--config=%s", path);
	return fd < 0 || close(fd);
}

static int teardown(void **state)
{
	(void)state;
	xvm_options_free(&o);
	return unlink(path);
}

static void test_file(void **state)
{
	(void)state;
	file("# a comment\n\n\tpages-total=1000 \n log = /var/log/x y.log\r\nkeep = no\nverbose = yes\n"
	     "dialects = draft2026, pr28\ncredits = 3");
	assert_int_equal(parse(NULL), XVM_OPTIONS_RUN);
	assert_string_equal(said, "");
	assert_int_equal(o.pages_total, 1000);
	assert_int_equal(o.credits, 3);
	assert_string_equal(o.log, "/var/log/x y.log");
	assert_true(!o.keep && o.verbose && !o.foreground);
	assert_int_equal(o.dialects, 3);
	assert_int_equal(o.pages_per_guest, 24576);
}

static void test_command_line_wins(void **state)
{
	(void)state;
	file("credits = 3\nlog = syslog\n");
	assert_int_equal(parse("--credits=5"), XVM_OPTIONS_RUN);
	assert_int_equal(o.credits, 5);
	assert_int_equal(parse("--log=/l"), XVM_OPTIONS_RUN);
	assert_string_equal(o.log, "/l");
	assert_int_equal(o.credits, 3);
	assert_int_equal(parse("-f"), XVM_OPTIONS_RUN);
	assert_string_equal(o.log, "syslog");
	file("");
	assert_int_equal(parse("-f"), XVM_OPTIONS_RUN);
	assert_string_equal(o.log, "stderr");
	assert_int_equal(setenv("NOTIFY_SOCKET", "/x", 1), 0);
	assert_int_equal(parse("-f"), XVM_OPTIONS_RUN);
	assert_string_equal(o.log, "syslog");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
		{ "credits = 3\npages-total = 12x\n", ":2: pages-total = 12x: give a number from 256 to 16777216\n" },
		{ "pages-total = 255", ":1: pages-total = 255: give a number from 256" },
		{ "pages-total =", ":1: pages-total = : give a number from 256" },
		{ "ring-order = 99999999999", "give a number from 0 to " },
		{ "keep = maybe", ":1: keep = maybe: say yes or no\n" },
		{ "log = here", ":1: log = here: give syslog, stderr, or an absolute path of at most 255 bytes\n" },
		{ "worker = x", "give an absolute path" },
		{ "dialects = pr27", ":1: dialects = pr27: give a list of draft2026, pr28\n" },
		{ "dialects = pr28,", "give a list" },
		{ "\n\ncolour = red", ":3: colour = red: no such key" },
		{ "no-keep = yes", "no such key" },
		{ "config = /x", "no such key" },
		{ "credits", ":1: credits: not \"key = value\"" },
		{ "credits = 3\ncredits = 4", ":2: credits = 4: the key stands there twice" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(cases); i++) {
		file(cases[i].text);
		if (parse(NULL) != XVM_OPTIONS_WRONG)
			fail_msg("accepted: %s", cases[i].text);
		if (strncmp(said, path, strlen(path)) || !strstr(said, cases[i].line) || strchr(said, '\n')[1])
			fail_msg("%s: %s", cases[i].text, said);
	}
}

static void test_bad_arguments(void **state)
{
	(void)state;
	file("");
	assert_int_equal(parse("--credits=0"), XVM_OPTIONS_WRONG);
	assert_int_equal(strncmp(said, "--credits 0: give a number from 1 to ", 37), 0);
	assert_int_equal(parse("here"), XVM_OPTIONS_WRONG);
	assert_string_equal(said, "here: takes no arguments; see xvmsgd --help\n");
	assert_int_equal(parse("--config=/nowhere"), XVM_OPTIONS_WRONG);
	assert_string_equal(said, "/nowhere: cannot be read: No such file or directory\n");
}

/* Who writes the file names the program that is run as root. */
static void test_bad_files(void **state)
{
	char longest[65600];

	(void)state;
	file("credits = 3\n");
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(parse(NULL), XVM_OPTIONS_WRONG);
	assert_non_null(strstr(said, "must be a file of root's that only root can write\n"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(parse("--config=/tmp"), XVM_OPTIONS_WRONG);
	assert_string_equal(said, "/tmp: must be a file of root's that only root can write\n");
	memset(longest, '#', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	file(longest);
	assert_int_equal(parse(NULL), XVM_OPTIONS_WRONG);
	assert_non_null(strstr(said, "is longer than 65536 bytes\n"));
	file("credits = 3\n");
	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(parse(NULL), XVM_OPTIONS_WRONG);
	assert_non_null(strstr(said, "has a byte of zero\n"));
}

static void test_reload(void **state)
{
	(void)state;
	file("log = /a\n");
	assert_int_equal(parse("--credits=7"), XVM_OPTIONS_RUN);
	assert_int_equal(reload("log = /a\n"), 0);
	assert_string_equal(said, "configuration: nothing has changed\n");
	assert_int_equal(reload("log = /b\npages-total = 300\nuid-base = 5\nkeep = no\nrun-dir = /r\ncredits = 9\n"), 0);
	assert_string_equal(said, "configuration: log was /a, is /b\n"
				  "configuration: run-dir stays /run/xen-virtio-msg; /r waits for the next start\n"
				  "configuration: uid-base stays 131072; 5 waits for the next start\n"
				  "configuration: pages-total was 65536, is 300\n"
				  "configuration: keep was yes, is no\n");
	assert_string_equal(o.log, "/b");
	assert_string_equal(o.run_dir, "/run/xen-virtio-msg");
	assert_int_equal(o.pages_total, 300);
	assert_int_equal(o.uid_base, 131072);
	assert_int_equal(o.credits, 7);
	assert_true(!o.keep);
	assert_int_equal(reload("pages-total = 400\nkeep = 1\n"), -EINVAL);
	assert_non_null(strstr(said, ":2: keep = 1: say yes or no\nconfiguration: everything stays as it was\n"));
	assert_int_equal(o.pages_total, 300);
	assert_int_equal(reload("pages-total = 400\n"), 0);
	assert_int_equal(o.pages_total, 400);
	assert_true(o.keep);
	assert_string_equal(o.log, "syslog");
}

/* The file that is installed: with each "#key = value" taken literally it says what is the default anyhow. */
static void test_installed_file(void **state)
{
	FILE *in = fopen("dom0/init/xvmsgd.conf", "r"), *out = fopen(path, "w");
	struct xvm_options usual;
	char line[400];
	u32 keys = 0;

	(void)state;
	assert_true(in && out);
	while (fgets(line, sizeof(line), in)) {
		bool key = line[0] == '#' && line[1] >= 'a' && line[1] <= 'z';
		const char *at = strstr(line, "@LIBEXECDIR@");

		keys += key;
		fprintf(out, "%.*s%s", at ? (int)(at - line - key) : 400, line + key, at ? XVM_LIBEXECDIR : "");
		fputs(at ? at + 12 : "", out);
	}
	fclose(in);
	fclose(out);
	assert_int_equal(parse(NULL), XVM_OPTIONS_RUN);
	usual = o;
	o = (struct xvm_options){ 0 };
	file("");
	assert_int_equal(parse(NULL), XVM_OPTIONS_RUN);
	assert_string_equal(usual.worker, o.worker);
	assert_string_equal(usual.run_dir, o.run_dir);
	assert_string_equal(usual.keep_dir, "/run/xen-virtio-msg/keep");
	assert_string_equal(usual.log, o.log);
	assert_true(usual.keep == o.keep && usual.verbose == o.verbose && usual.foreground == o.foreground);
	assert_true(usual.uid_base == o.uid_base && usual.pages_total == o.pages_total &&
		    usual.pages_per_guest == o.pages_per_guest && usual.ring_order == o.ring_order &&
		    usual.credits == o.credits && usual.connect_ms == o.connect_ms && usual.dialects == o.dialects);
	assert_int_equal(keys, 14);
	xvm_options_free(&usual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_command_line_wins),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_installed_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
