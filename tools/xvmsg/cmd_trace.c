// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg trace: a guest's messages as they pass, printed or written to a capture.
 * The daemon sends a line and a socket per connection of the guest; what comes
 * out of that socket is hostile (tools/trace).
 */
#include "xvmsg.h"
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "../../include/xvmsg/ctl.h"
#include "../../xen/proto/num.h"
#include "../capture.h"
#include "../trace/answers.h"
#include "../trace/batch.h"
#include "../trace/describe.h"

#define MAX_LINE_BYTES 4096
#define MAX_SLEEP_MS 60000
#define MAX_WAITING 4		/* descriptors that came before their line was read */

struct trace {
	/* what was asked for */
	const char *guest, *file;
	bool wait;
	u32 count, seconds;		/* 0: without end */

	int control;
	int sock;			/* of the connection; -1: none now */
	char line[MAX_LINE_BYTES];
	size_t have;
	int waiting[MAX_WAITING];
	u32 num_waiting;

	/* of the connection */
	enum xvm_dialect dialect;
	u32 domid, max_message, connection;
	struct xvm_trace_answers answers;

	FILE *capture;
	u64 messages, lost;
	u64 lost_before;		/* the next message of the capture */
	u64 end_ms;			/* 0: never */
	bool done;
	int status;
};

/* Wakes the loop up; a write to somebody who does not read is interrupted by the signal itself. */
static int stop_event;
static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	static const u64 one = 1;
	int saved = errno;

	(void)number;
	stopped = 1;
	if (write(stop_event, &one, sizeof(one)) < 0)
		stopped = 2;	/* it is full: the loop wakes up in any case */
	errno = saved;
}

static int catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };	/* no SA_RESTART */

	stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return stop_event < 0 || sigaction(SIGINT, &action, NULL) || sigaction(SIGTERM, &action, NULL) ? -1 : 0;
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void give_up(struct trace *t, const char *what, const char *why)
{
	xvmsg_fail(what, why);
	t->status = XVMSG_FAILED;
	t->done = true;
}

/* Messages are printed unless they go to a file alone. */
static bool prints(const struct trace *t)
{
	return !t->capture || xvmsg_json;
}

/* ---- a message ---- */

static void print_text(const struct trace *t, const struct xvm_trace_record *r, const struct xvm_described *d,
		       bool answer, int64_t ns)
{
	time_t second = (time_t)(r->ns / 1000000000u);
	struct tm tm = { 0 };

	(void)t;
	localtime_r(&second, &tm);
	printf("%02d:%02d:%02d.%09u %s ", tm.tm_hour, tm.tm_min, tm.tm_sec, (u32)(r->ns % 1000000000u),
	       r->sender == XVM_SIDE_DRIVER ? "->" : "<-");
	xvm_describe_text(stdout, d);
	if (answer && ns >= 0)
		printf(" (%lld.%03lld us)", (long long)ns / 1000, (long long)ns % 1000);
	else if (answer)
		fputs(" (request not seen)", stdout);
	putchar('\n');
}

static void print_json(const struct trace *t, const struct xvm_trace_record *r, const struct xvm_described *d,
		       bool answer, int64_t ns)
{
	printf("{\"ns\": %llu, \"domid\": %u, ", (unsigned long long)r->ns, t->domid);
	xvm_describe_json(stdout, d);
	if (answer && ns >= 0)
		printf(", \"latency_ns\": %lld", (long long)ns);
	else if (answer)
		fputs(", \"latency_ns\": null", stdout);
	puts("}");
}

static void write_message(struct trace *t, const struct xvm_trace_record *r)
{
	struct xvm_capture_packet packet = {
		.ns = r->ns,
		.direction = r->sender == XVM_SIDE_DRIVER ? XVM_CAPTURE_TO_DEVICE : XVM_CAPTURE_TO_DRIVER,
		.dialect = (u8)t->dialect,
		.domid = t->domid,
		.connection = t->connection - 1,
		.lost = t->lost_before,
	};

	t->lost_before = 0;
	if (xvm_capture_message(t->capture, &packet, r->msg, r->len))
		give_up(t, t->file, strerror(errno));
}

static void take_message(struct trace *t, const struct xvm_trace_record *r)
{
	struct xvm_described d;
	bool answer = false;
	int64_t ns = -1;

	t->messages++;
	if (t->capture)
		write_message(t, r);
	if (prints(t)) {
		xvm_describe(&d, t->dialect, r->sender, t->max_message, r->msg, r->len);
		if (!d.fault)
			answer = xvm_trace_match(&t->answers, r->sender, &d.hdr, r->msg, r->ns, &ns);
		(xvmsg_json ? print_json : print_text)(t, r, &d, answer, ns);
	}
	if (t->messages == t->count)
		t->done = true;
}

static void take_loss(struct trace *t, u32 lost)
{
	t->lost += lost;
	t->lost_before += lost;
	if (!lost || !prints(t))
		return;
	printf(xvmsg_json ? "{\"lost\": %u}\n" : "-- %u messages lost: this reader was too slow\n", lost);
}

/* ---- a connection ---- */

static void end_connection(struct trace *t)
{
	close(t->sock);
	t->sock = -1;
	if (!prints(t))
		return;
	puts(xvmsg_json ? "{\"connection_ended\": true}" : "-- the connection has ended");
	fflush(stdout);
}

static void take_batch(struct trace *t)
{
	/* One byte more than a batch may have, to tell one that was cut off. */
	static u8 data[XVM_TRACE_BATCH_MAX_BYTES + 1];
	ssize_t n = recv(t->sock, data, sizeof(data), MSG_DONTWAIT);
	struct xvm_trace_batch batch;
	struct xvm_trace_record r;
	int ret;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_connection(t);
		return;
	}
	ret = xvm_trace_batch_init(&batch, data, (size_t)n);
	if (!ret)
		take_loss(t, batch.lost);
	while (!ret && !t->done && (ret = xvm_trace_batch_next(&batch, &r)) > 0) {
		take_message(t, &r);
		ret = 0;
	}
	if (ret < 0)
		give_up(t, "the guest's worker sends something that is no trace", "");
	if (t->capture && fflush(t->capture))
		give_up(t, t->file, strerror(errno));
	if (fflush(stdout) && !stopped)
		give_up(t, "output", strerror(errno));
}

/* ---- what the daemon says ---- */

static u32 number_of(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) ? (u32)json_object_get_int64(value) : 0;
}

static void begin_connection(struct trace *t, struct json_object *json)
{
	const char *dialect = xvmsg_text(json, "dialect");

	if (!t->num_waiting || xvm_dialect_find(dialect, strlen(dialect), &t->dialect)) {
		give_up(t, "the daemon speaks of a connection that this command does not understand", dialect);
		return;
	}
	t->sock = t->waiting[0];
	memmove(t->waiting, t->waiting + 1, --t->num_waiting * sizeof(t->waiting[0]));
	t->domid = number_of(json, "domid");
	t->max_message = number_of(json, "max_message");
	t->connection++;
	memset(&t->answers, 0, sizeof(t->answers));
	if (!prints(t))
		return;
	if (xvmsg_json)
		puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_SPACED));
	else
		printf("-- domain %u, dialect %s, messages of up to %u bytes, %u credits%s\n", t->domid, dialect,
		       t->max_message, number_of(json, "credits"),
		       strcmp(xvmsg_text(json, "from_start"), "true") ? ", joined while it runs" : "");
	fflush(stdout);
}

static void open_capture(struct trace *t)
{
	if (!t->file)
		return;
	t->capture = fopen(t->file, "we");
	if (!t->capture || xvm_capture_begin(t->capture, "xvmsg " XVM_VERSION) || fflush(t->capture))
		give_up(t, t->file, strerror(errno));
}

static void take_line(struct trace *t, const char *line)
{
	struct json_object *json = json_tokener_parse(line), *value;
	const char *event = xvmsg_text(json, "event");

	if (json_object_object_get_ex(json, "ok", &value)) {
		if (json_object_get_boolean(value))
			open_capture(t);
		else
			give_up(t, xvmsg_text(json, "error"), "");
	} else if (!strcmp(event, "connection")) {
		begin_connection(t, json);
	} else if (!strcmp(event, "end")) {
		fprintf(stderr, "xvmsg: %s\n", xvmsg_text(json, "why"));
		t->done = true;
	}
	json_object_put(json);
}

/* Whole lines, as far as they can be taken now: one connection at a time. */
static void take_lines(struct trace *t)
{
	char *end;

	while (t->sock < 0 && !t->done && (end = memchr(t->line, '\n', t->have))) {
		*end++ = 0;
		take_line(t, t->line);
		t->have -= (size_t)(end - t->line);
		memmove(t->line, end, t->have);
	}
}

static void keep_descriptors(struct trace *t, struct msghdr *hdr)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (t->num_waiting < MAX_WAITING)
				t->waiting[t->num_waiting++] = fd;
			else
				close(fd);
		}
	}
}

static void take_control(struct trace *t)
{
	struct iovec iov = { .iov_base = t->line + t->have, .iov_len = sizeof(t->line) - t->have };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MAX_WAITING * sizeof(int))];
	} control;
	struct msghdr hdr = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(t->control, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		give_up(t, "the daemon has ended", "");
		return;
	}
	keep_descriptors(t, &hdr);
	t->have += (size_t)n;
	take_lines(t);
}

/* ---- the loop ---- */

static int timeout_of(const struct trace *t)
{
	u64 now = now_ms();

	if (!t->end_ms)
		return -1;
	if (t->end_ms <= now)
		return 0;
	return t->end_ms - now < MAX_SLEEP_MS ? (int)(t->end_ms - now) : MAX_SLEEP_MS;
}

static void loop(struct trace *t)
{
	struct pollfd fds[2] = { { .fd = stop_event, .events = POLLIN }, { .events = POLLIN } };

	while (!t->done) {
		/* The control socket waits while a connection is read: what it says comes after. */
		fds[1].fd = t->sock >= 0 ? t->sock : t->control;
		if (poll(fds, 2, timeout_of(t)) < 0 && errno != EINTR)
			give_up(t, "poll", strerror(errno));
		else if (fds[0].revents || !timeout_of(t))
			t->done = true;
		else if (fds[1].revents && t->sock >= 0)
			take_batch(t);
		else if (fds[1].revents)
			take_control(t);
		take_lines(t);
	}
}

static int ask(struct trace *t)
{
	struct json_object *request = xvmsg_request("trace", t->guest);

	json_object_object_add(request, "wait", json_object_new_boolean(t->wait));
	t->control = xvmsg_begin(request);
	json_object_put(request);
	return t->control < 0 ? -1 : 0;
}

static int run(struct trace *t)
{
	if (catch_signals() || ask(t))
		return XVMSG_FAILED;
	if (t->seconds)
		t->end_ms = now_ms() + (u64)t->seconds * 1000;
	loop(t);
	if (t->capture && fclose(t->capture) && !t->status)
		give_up(t, t->file, strerror(errno));
	if (t->connection && !t->status)
		fprintf(stderr, "xvmsg: %llu messages, %llu lost\n", (unsigned long long)t->messages,
			(unsigned long long)t->lost);
	if (stopped)
		_exit(t->status);	/* what its reader did not take by now, it will not */
	return t->status ? t->status : xvmsg_flush();
}

static bool number(const char *option, const char *text, u32 *value)
{
	char what[128];

	if (!xvm_parse_u32(text, strlen(text), 1000000000, value) && *value)
		return true;
	snprintf(what, sizeof(what), "--%s %.100s", option, text);
	xvmsg_fail(what, "give a number from 1 to 1000000000");
	return false;
}

static int run_trace(int argc, char **argv)
{
	static const struct option options[] = {
		{ "wait", no_argument, NULL, 'w' },
		{ "write", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ 0 }
	};
	static struct trace t = { .sock = -1, .control = -1 };
	int opt;

	optind = 0;	/* main() has used it */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'w')
			t.wait = true;
		else if (opt == 'f')
			t.file = optarg;
		else if (opt == '?')
			return xvmsg_usage(&xvmsg_trace);
		else if (!number(opt == 'c' ? "count" : "seconds", optarg, opt == 'c' ? &t.count : &t.seconds))
			return XVMSG_USAGE;
	}
	if (argc - optind != 1)
		return xvmsg_usage(&xvmsg_trace);
	t.guest = argv[optind];
	return run(&t);
}

const struct xvmsg_command xvmsg_trace = {
	"trace", "GUEST [OPTIONS]",
	"messages as they pass; --wait, --write FILE, --count N, --seconds S", run_trace,
};
