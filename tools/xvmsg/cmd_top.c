// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg top: what guests and their devices do, per second. Full-screen on a
 * terminal, as xentop; tables one after the other with --batch. The daemon is
 * asked twice and the difference shown.
 */
#include "xvmsg.h"
#include <curses.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct top {
	struct json_object *before, *now;	/* arrays of guests, as from stat */
	char why[XVMSG_WHY_BYTES];		/* it cannot go on */
	double seconds;				/* between the two; 0: there was none before */
	int delay, count;
	bool batch;
	void (*line)(const char *text, bool strong);
};

static double clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- asking ---- */

static struct json_object *ask_guest(const char *domid)
{
	struct json_object *request = xvmsg_request("stat", domid), *answer, *guest = NULL;
	char why[XVMSG_WHY_BYTES];

	answer = xvmsg_try(request, why);
	json_object_put(request);
	if (answer && json_object_object_get_ex(answer, "guest", &guest))
		json_object_get(guest);
	json_object_put(answer);
	return guest;
}

/* Every guest's counters, or NULL with a line in why. A guest that goes meanwhile is left out. */
static struct json_object *ask_all(char why[XVMSG_WHY_BYTES])
{
	struct json_object *request = xvmsg_request("list", NULL), *answer = xvmsg_try(request, why), *guests, *all;
	size_t i;

	json_object_put(request);
	if (!answer || !json_object_object_get_ex(answer, "guests", &guests)) {
		json_object_put(answer);
		return NULL;
	}
	all = json_object_new_array();
	for (i = 0; i < json_object_array_length(guests); i++) {
		struct json_object *guest = ask_guest(xvmsg_text(json_object_array_get_idx(guests, i), "domid"));

		if (guest)
			json_object_array_add(all, guest);
	}
	json_object_put(answer);
	return all;
}

/* ---- rates ---- */

static double number(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json && json_object_object_get_ex(json, key, &value) ? json_object_get_double(value) : 0;
}

/* The entry of an array with the same text under key; NULL: none. */
static struct json_object *find(struct json_object *array, const char *key, struct json_object *like)
{
	size_t i, n = array ? json_object_array_length(array) : 0;

	for (i = 0; i < n; i++)
		if (!strcmp(xvmsg_text(json_object_array_get_idx(array, i), key), xvmsg_text(like, key)))
			return json_object_array_get_idx(array, i);
	return NULL;
}

static struct json_object *part(struct json_object *json, const char *key)
{
	struct json_object *value = NULL;

	return json && json_object_object_get_ex(json, key, &value) ? value : NULL;
}

/* Counters begin anew with a new worker, so one that went back has counted from 0. */
static double rate(const struct top *top, struct json_object *before, struct json_object *now, const char *key)
{
	double a = number(before, key), b = number(now, key);

	return !before || top->seconds <= 0 ? 0 : (b < a ? b : b - a) / top->seconds;
}

static void put_number(char text[16], double value)
{
	static const char units[] = " KMGTP";
	int unit = 0;

	while (value >= 10000 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	snprintf(text, 16, "%.0f%.*s", value, unit > 0, units + unit);
}

/* ---- showing ---- */

static void show_device(const struct top *top, struct json_object *before, struct json_object *device)
{
	char requests[16], read_bytes[16], written[16], text[200];

	put_number(requests, rate(top, before, device, "io_requests"));
	put_number(read_bytes, rate(top, before, device, "io_bytes_read"));
	put_number(written, rate(top, before, device, "io_bytes_written"));
	snprintf(text, sizeof(text), "      %-20.20s %-5s %-12s %8s %9s %9s %6.0f", xvmsg_text(device, "name"),
		 xvmsg_text(device, "type"), xvmsg_text(device, "state"), requests, read_bytes, written,
		 number(device, "in_flight"));
	top->line(text, false);
}

static void show_guest(const struct top *top, struct json_object *guest)
{
	struct json_object *before = find(top->before, "domid", guest), *devices = part(guest, "devices");
	struct json_object *w0 = part(before, "worker"), *w1 = part(guest, "worker");
	char requests[16], messages[16], in[16], out[16], text[200];
	size_t i;

	put_number(requests, rate(top, w0, w1, "requests"));
	put_number(messages, rate(top, w0, w1, "messages_in") + rate(top, w0, w1, "messages_out"));
	put_number(in, rate(top, w0, w1, "events_taken"));
	put_number(out, rate(top, w0, w1, "events_sent"));
	snprintf(text, sizeof(text), "%5s %-20.20s %-10s requests %s/s, messages %s/s, notifications %s in, %s out/s, %s pages",
		 xvmsg_text(guest, "domid"), xvmsg_text(guest, "name"), xvmsg_text(guest, "bus"), requests, messages, in,
		 out, xvmsg_text(guest, "pages_held"));
	top->line(text, true);
	for (i = 0; devices && i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		show_device(top, find(part(before, "devices"), "device", device), device);
	}
}

static void show(const struct top *top)
{
	size_t i;

	top->line("DOMID DEVICE               TYPE  STATE         REQ/s    READ/s   WRITE/s  QUEUE", true);
	for (i = 0; i < json_object_array_length(top->now); i++)
		show_guest(top, json_object_array_get_idx(top->now, i));
}

static void show_json(const struct top *top)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "seconds", json_object_new_double(top->seconds));
	if (top->before)
		json_object_object_add(json, "before", json_object_get(top->before));
	json_object_object_add(json, "guests", json_object_get(top->now));
	puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}

static void print_line(const char *text, bool strong)
{
	(void)strong;
	puts(text);
}

static void screen_line(const char *text, bool strong)
{
	if (strong)
		attron(A_BOLD);
	addnstr(text, COLS - 1);
	addch('\n');
	attroff(A_BOLD);
}

/* ---- the loop ---- */

static void draw(const struct top *top)
{
	if (xvmsg_json) {
		show_json(top);
	} else if (top->batch) {
		show(top);
		putchar('\n');
	} else {
		erase();
		show(top);
		refresh();
	}
	fflush(stdout);
}

/* Waits; false: the user has had enough. Another size of the terminal shows what there is once more. */
static bool pause_for(const struct top *top)
{
	double end = clock_now() + top->delay, left;
	int key;

	if (top->batch)
		return !usleep((useconds_t)top->delay * 1000000u);
	while ((left = end - clock_now()) > 0) {
		timeout((int)(left * 1000) + 1);
		key = getch();
		/* The last: there is nobody at the keys any more. */
		if (key == 'q' || key == 'Q' || (key == ERR && clock_now() < end - 0.1))
			return false;
		if (key == KEY_RESIZE && top->before)
			draw(top);
		else if (key != ERR && key != KEY_RESIZE)
			return true;
	}
	return true;
}

static bool look(struct top *top)
{
	static double last;
	double now;

	json_object_put(top->before);
	top->before = top->now;
	top->now = ask_all(top->why);
	now = clock_now();
	top->seconds = last > 0 ? now - last : 0;
	last = now;
	return top->now;
}

/* The first table shows the rates of one interval, as all others do. */
static int run_loop(struct top *top)
{
	if (!look(top))
		return XVMSG_FAILED;
	while (pause_for(top)) {
		if (!look(top))
			return XVMSG_FAILED;
		draw(top);
		if (top->count && !--top->count)
			break;
	}
	return XVMSG_OK;
}

static bool small_number(const char *text, int *value)
{
	char *end;
	long n = strtol(text, &end, 10);

	*value = (int)n;
	return *text && !*end && n >= 1 && n <= 86400;
}

static int run_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "batch", no_argument, NULL, 'b' },
		{ "delay", required_argument, NULL, 'd' },
		{ "iterations", required_argument, NULL, 'i' },
		{ 0 }
	};
	struct top top = { .delay = 3, .why = "the daemon does not answer", .batch = xvmsg_json || !isatty(STDOUT_FILENO), .line = print_line };
	int opt, status;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "bd:i:", options, NULL)) != -1) {
		if (opt == 'b')
			top.batch = true;
		else if (opt == '?' || !small_number(optarg, opt == 'd' ? &top.delay : &top.count))
			return xvmsg_usage(&xvmsg_top);
	}
	if (optind != argc)
		return xvmsg_usage(&xvmsg_top);
	if (!top.batch) {
		if (!newterm(NULL, stdout, stdin)) {
			xvmsg_fail("this terminal has no full screen; use --batch", "");
			return XVMSG_FAILED;
		}
		cbreak();
		noecho();
		curs_set(0);
		top.line = screen_line;
	}
	status = run_loop(&top);
	if (!top.batch)
		endwin();
	if (status)
		xvmsg_fail(top.why, "");
	json_object_put(top.before);
	json_object_put(top.now);
	return status;
}

const struct xvmsg_command xvmsg_top = { "top", "[-b] [-d SECONDS] [-i COUNT]", "what guests and devices do per second; q ends it",
					 run_top };
