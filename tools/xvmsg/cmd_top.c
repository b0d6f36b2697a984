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
static double grown(struct json_object *before, struct json_object *now, const char *key)
{
	double a = number(before, key), b = number(now, key);

	return b < a ? b : b - a;
}

static void add_number(struct json_object *json, const char *key, double value)
{
	json_object_object_add(json, key, json_object_new_double(value));
}

static void add_rate(struct json_object *rates, const char *name, const struct top *top, struct json_object *before,
		     struct json_object *now, const char *key)
{
	add_number(rates, name, top->seconds > 0 ? grown(before, now, key) / top->seconds : 0);
}

/* The slowest request is in the last step that grew. */
static double worst_us(struct json_object *before, struct json_object *now)
{
	double below, worst = 0;

	if (!now)
		return 0;
	json_object_object_foreach(now, key, count) {
		below = strtod(key, NULL);
		if (below > worst && json_object_get_double(count) > number(before, key))
			worst = below;
	}
	return worst;
}

/* A new worker's counts are compared with nothing. */
static void add_latency(struct json_object *rates, struct json_object *before, struct json_object *now)
{
	double requests;

	if (number(now, "io_requests") < number(before, "io_requests"))
		before = NULL;
	requests = grown(before, now, "io_requests");
	if (requests < 1)
		return;
	add_number(rates, "latency_mean_us", grown(before, now, "latency_ns") / requests / 1000);
	add_number(rates, "latency_worst_us", worst_us(part(before, "latency_below_us"), part(now, "latency_below_us")));
}

/* A device that has just come has no rates. */
static void rate_device(const struct top *top, struct json_object *before, struct json_object *device)
{
	struct json_object *rates = json_object_new_object();

	json_object_object_add(device, "rates", rates);
	if (!before)
		before = device;
	add_rate(rates, "requests", top, before, device, "io_requests");
	add_rate(rates, "bytes_read", top, before, device, "io_bytes_read");
	add_rate(rates, "bytes_written", top, before, device, "io_bytes_written");
	add_rate(rates, "notifications_in", top, before, device, "notifications_in");
	add_rate(rates, "notifications_out", top, before, device, "notifications_out");
	add_latency(rates, before, device);
}

static void rate_guest(const struct top *top, struct json_object *guest)
{
	struct json_object *before = find(top->before, "domid", guest), *devices = part(guest, "devices");
	struct json_object *w1 = part(guest, "worker"), *w0 = before ? part(before, "worker") : w1;
	struct json_object *rates = json_object_new_object();
	size_t i;

	json_object_object_add(guest, "rates", rates);
	add_rate(rates, "requests", top, w0, w1, "requests");
	add_rate(rates, "messages_in", top, w0, w1, "messages_in");
	add_rate(rates, "messages_out", top, w0, w1, "messages_out");
	add_rate(rates, "notifications_in", top, w0, w1, "events_taken");
	add_rate(rates, "notifications_out", top, w0, w1, "events_sent");
	for (i = 0; devices && i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		rate_device(top, find(part(before, "devices"), "device", device), device);
	}
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

static void put_time(char text[16], struct json_object *rates, const char *key)
{
	double us = number(rates, key);

	if (!part(rates, key))
		strcpy(text, "-");
	else if (us < 1000)
		snprintf(text, 16, "%.0fus", us);
	else if (us < 1e6)
		snprintf(text, 16, us < 1e4 ? "%.1fms" : "%.0fms", us / 1000);
	else
		snprintf(text, 16, "%.1fs", us / 1e6);
}

/* ---- showing ---- */

static void show_device(const struct top *top, struct json_object *device)
{
	struct json_object *rates = part(device, "rates");
	char requests[16], read_bytes[16], written[16], mean[16], worst[16], in[16], out[16], text[200];

	put_number(requests, number(rates, "requests"));
	put_number(read_bytes, number(rates, "bytes_read"));
	put_number(written, number(rates, "bytes_written"));
	put_number(in, number(rates, "notifications_in"));
	put_number(out, number(rates, "notifications_out"));
	put_time(mean, rates, "latency_mean_us");
	put_time(worst, rates, "latency_worst_us");
	snprintf(text, sizeof(text), "      %-16.16s %-7.7s %-9.9s %6s %6s %6s %5.0f %6s %6s %6s %6s", xvmsg_text(device, "name"),
		 xvmsg_text(device, "type"), xvmsg_text(device, "state"), requests, read_bytes, written,
		 number(device, "in_flight"), mean, worst, in, out);
	top->line(text, false);
}

static void show_guest(const struct top *top, struct json_object *guest)
{
	struct json_object *devices = part(guest, "devices"), *rates = part(guest, "rates");
	char requests[16], messages[16], in[16], out[16], text[200];
	size_t i;

	put_number(requests, number(rates, "requests"));
	put_number(messages, number(rates, "messages_in") + number(rates, "messages_out"));
	put_number(in, number(rates, "notifications_in"));
	put_number(out, number(rates, "notifications_out"));
	snprintf(text, sizeof(text), "%5s %-16.16s %-9.9s requests %s/s, messages %s/s, notifications %s in, %s out/s, %s pages",
		 xvmsg_text(guest, "domid"), xvmsg_text(guest, "name"), xvmsg_text(guest, "bus"), requests, messages, in,
		 out, xvmsg_text(guest, "pages_held"));
	top->line(text, true);
	for (i = 0; devices && i < json_object_array_length(devices); i++)
		show_device(top, json_object_array_get_idx(devices, i));
}

static void show(const struct top *top)
{
	size_t i;

	top->line("DOMID DEVICE           TYPE    STATE      REQ/s READ/s WRIT/s QUEUE   MEAN  WORST   IN/s  OUT/s", true);
	for (i = 0; i < json_object_array_length(top->now); i++)
		show_guest(top, json_object_array_get_idx(top->now, i));
}

static void show_json(const struct top *top)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "seconds", json_object_new_double(top->seconds));
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
	size_t i;

	json_object_put(top->before);
	top->before = top->now;
	top->now = ask_all(top->why);
	now = clock_now();
	top->seconds = last > 0 ? now - last : 0;
	last = now;
	for (i = 0; top->now && i < json_object_array_length(top->now); i++)
		rate_guest(top, json_object_array_get_idx(top->now, i));
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
