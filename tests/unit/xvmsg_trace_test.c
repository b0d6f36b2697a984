// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command `xvmsg trace` against the daemon's control socket: this program is the daemon and the guest's worker, the
 * command runs as it is installed.
 */
/* LINK: xen/proto dom0/base dom0/daemon/ctl.c dom0/daemon/report.c dom0/daemon/trace.c dom0/spec/spec.c */
/* LINK: tests/support/pcapng.c tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
/* LIBS: -levent_core -ljson-c */
/* NEEDS: $(B)/xvmsg */
/* TIME: 60 */
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../support/test.h"
#include "../support/pcapng.h"
#include "../../dom0/daemon/ctl_priv.h"
#include "../../dom0/daemon/trace.h"
#include "../../dom0/daemon/worker.h"
#include "../../include/xvmsg/ctl.h"
#include "../../xen/proto/msg.h"

#define DOMID 3
#define TEXT_BYTES 65536

static struct xvm_daemon d;
static struct xvm_guest guest;
static struct xvm_worker worker;
static struct xvm_ctl *ctl;
static char folder[] = "/tmp/xvm-trace-XXXXXX", path[64], out[64], err[64], file[64];
static int trace_fd = -1;	/* what the worker was given */
static pid_t child;

/* ---- what the control socket uses of the daemon ---- */

u64 xvm_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

void xvm_timer(struct event *timer, u32 ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(timer, &tv);
}

struct xvm_guest *xvm_guest_find(struct xvm_daemon *daemon, u32 domid)
{
	return daemon->guests && domid == DOMID ? daemon->guests : NULL;
}

/* The commands of ctl_device.c, which this test does not give. */
#define NO_COMMAND(name) \
	void name(struct client *client, struct json_object *request) { (void)request; xvm_ctl_error(client, "not here"); }
NO_COMMAND(xvm_ctl_attach)
NO_COMMAND(xvm_ctl_detach)
NO_COMMAND(xvm_ctl_show)
NO_COMMAND(xvm_ctl_set)
NO_COMMAND(xvm_ctl_records)
NO_COMMAND(xvm_ctl_forget)

struct xvm_guest *xvm_ctl_guest(struct client *client, struct json_object *request)
{
	(void)request;
	xvm_ctl_error(client, "not here");
	return NULL;
}

void xvm_own_spec(const struct xvm_disk *disk, struct xvm_spec *spec)
{
	(void)disk;
	(void)spec;
	fail_msg("the guest has no device");
}

void xvm_op_cancel(struct xvm_op *op)
{
	assert_null(op);
}

void xvm_worker_ask_stats(struct xvm_worker *w)
{
	(void)w;
}

void xvm_worker_send(struct xvm_worker *w, struct xvm_ipc_hdr *hdr, u32 type, size_t bytes, const int *fds, u32 nfds)
{
	(void)hdr;
	assert_ptr_equal(w, &worker);
	assert_int_equal(type, XVM_IPC_TRACE);
	assert_int_equal(bytes, sizeof(*hdr));
	assert_int_equal(nfds, 1);
	if (trace_fd >= 0)
		close(trace_fd);
	trace_fd = dup(fds[0]);
}

/* ---- the command ---- */

static void pump(void)
{
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	usleep(2000);
}

#define PUMP_UNTIL(condition) do { \
	int i_; \
	bool is_ = false; \
	for (i_ = 0; i_ < 5000 && !(is_ = (condition)); i_++) \
		pump(); \
	if (!is_) \
		fail_msg("never came: %s", #condition); \
} while (0)

static int redirect(const char *to, int fd)
{
	int new = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return new < 0 ? -1 : dup2(new, fd);
}

/* xvmsg --socket PATH ARGUMENTS... */
static pid_t run(const char *to, const char *const *arguments)
{
	const char *b = getenv("B"), *argv[16] = { "xvmsg", "--socket", path };
	char program[256];
	u32 i;
	pid_t pid;

	snprintf(program, sizeof(program), "%s/xvmsg", b && *b ? b : "build");
	for (i = 0; arguments[i]; i++)
		argv[3 + i] = arguments[i];
	pid = fork();
	if (pid)
		return pid;
	setenv("TZ", "UTC", 1);
	if (redirect(to, 1) < 0 || redirect(err, 2) < 0)
		_exit(126);
	execv(program, (char *const *)argv);
	_exit(127);
}

#define RUN(...) (child = run(out, (const char *const[]){ "trace", __VA_ARGS__, NULL }))

static char *text_of(const char *name)
{
	static char text[4][TEXT_BYTES];
	static u32 n;
	int fd = open(name, O_RDONLY);
	ssize_t len;

	n = (n + 1) % 4;
	len = fd < 0 ? 0 : read(fd, text[n], TEXT_BYTES - 1);
	if (fd >= 0)
		close(fd);
	text[n][len > 0 ? len : 0] = 0;
	return text[n];
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_size;
}

static bool gone(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

static int ended(void)
{
	int status = 0;

	PUMP_UNTIL(gone(child, &status));
	child = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- the guest ---- */

static void worker_is_up(void)
{
	guest.worker = &worker;
	worker.guest = &guest;
	worker.started = true;
}

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	guest = (struct xvm_guest){ .daemon = &d, .domid = DOMID, .name = "web", .link = {
		.id = 0x1234, .pick = { .dialect = XVM_DIALECT_PR28, .max_message = 264, .credits = 32 } } };
	memset(&worker, 0, sizeof(worker));
	d.guests = &guest;
	d.base = event_base_new();
	worker_is_up();
	return xvm_ctl_open(&d, path, &ctl);
}

static int teardown(void **state)
{
	(void)state;
	if (child) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = 0;
	}
	pump();
	xvm_ctl_close(ctl);
	ctl = NULL;
	assert_null(d.tracers);
	event_base_free(d.base);
	if (trace_fd >= 0)
		close(trace_fd);
	trace_fd = -1;
	unlink(file);
	return 0;
}

/* ---- batches ---- */

static u8 batch[4096];
static size_t batch_bytes;
static u64 ns;

static void batch_begin(u32 lost)
{
	memset(batch, 0, sizeof(batch));
	xvm_put32(batch, lost);
	batch_bytes = XVM_TRACE_BATCH_HDR_BYTES;
}

static void batch_add(u8 direction, const u8 *msg, u32 len)
{
	u8 *at = batch + batch_bytes;

	ns += 12345;
	xvm_put64(at, ns);
	xvm_put32(at + XVM_TRACE_LENGTH, len);
	at[XVM_TRACE_DIRECTION] = direction;
	memcpy(at + XVM_TRACE_RECORD_HDR_BYTES, msg, len);
	batch_bytes += XVM_TRACE_RECORD_HDR_BYTES + ((len + 7u) & ~7u);
}

static void batch_send(void)
{
	assert_int_equal(send(trace_fd, batch, batch_bytes, MSG_NOSIGNAL), batch_bytes);
}

static void put_ping(u8 direction, bool answer, u16 token)
{
	u8 msg[16];
	u32 len = xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, 0xcafe);

	xvm_msg_finish(msg, answer, token);
	batch_add(direction, msg, len);
}

static void send_pings(u32 n, u32 lost)
{
	u32 i;

	batch_begin(lost);
	for (i = 0; i < n; i++) {
		put_ping(0, false, (u16)(i + 1));
		put_ping(1, true, (u16)(i + 1));
	}
	batch_send();
}

static void send_kinds(void)
{
	static const u8 bad[10] = { 0x00, 0x7e, 0x01, 0x00, 0x1b, '[', '3', '1', 'm', 0x07 };
	u8 msg[64];
	u32 len;

	ns = 1700000000000000000;
	batch_begin(0);
	put_ping(0, false, 7);
	len = xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, 1, 0xf);
	xvm_msg_finish(msg, false, 8);
	batch_add(0, msg, len);
	xvm_msg_finish(msg, true, 8);
	batch_add(1, msg, len);
	put_ping(1, true, 7);
	batch_add(0, bad, sizeof(bad));
	put_ping(1, true, 7);
	batch_send();
}

static void the_end(void)
{
	close(trace_fd);
	trace_fd = -1;
	xvm_trace_guest_gone(&guest);
}

/* ---- cases ---- */

static void test_text(void **state)
{
	(void)state;
	RUN("web");
	PUMP_UNTIL(trace_fd >= 0);
	send_kinds();
	the_end();
	assert_int_equal(ended(), 0);
	assert_string_equal(text_of(out),
		"-- domain 3, dialect pr28, messages of up to 264 bytes, 32 credits, joined while it runs\n"
		"22:13:20.000012345 -> bus   PING data=0xcafe\n"
		"22:13:20.000024690 -> dev 1 SET_DEVICE_STATUS status=0x0f (ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK)\n"
		"22:13:20.000037035 <- dev 1 SET_DEVICE_STATUS answer status=0x0f (ACKNOWLEDGE DRIVER FEATURES_OK DRIVER_OK) (12.345 us)\n"
		"22:13:20.000049380 <- bus   PING answer data=0xcafe (37.035 us)\n"
		"22:13:20.000061725 -> dev 1 id 0x7e malformed (msg_size is not the record's length), 10 bytes: 007e01001b5b33316d07\n"
		"22:13:20.000074070 <- bus   PING answer data=0xcafe (request not seen)\n"
		"-- the connection has ended\n");
	assert_string_equal(text_of(err), "xvmsg: the guest is gone\nxvmsg: 6 messages, 0 lost\n");
}

static u32 check_json(char *text, u32 *messages)
{
	struct json_object *json, *value;
	char *line, *next;
	u32 lines = 0;

	*messages = 0;
	for (line = text; (next = strchr(line, '\n')); line = next + 1, lines++) {
		*next = 0;
		json = json_tokener_parse(line);
		assert_true(json_object_is_type(json, json_type_object));
		if (json_object_object_get_ex(json, "message", &value)) {
			++*messages;
			assert_true(json_object_object_get_ex(json, "fields", &value));
			assert_true(json_object_object_get_ex(json, "ns", &value));
			assert_int_equal(json_object_get_int64(value) / 1000000000, 1700000000);
		}
		json_object_put(json);
	}
	assert_int_equal(*line, 0);
	return lines;
}

static void test_json(void **state)
{
	u32 messages;

	(void)state;
	RUN("3", "--json");
	PUMP_UNTIL(trace_fd >= 0);
	send_kinds();
	the_end();
	assert_int_equal(ended(), 0);
	assert_non_null(strstr(text_of(out), "\"latency_ns\": 37035}"));
	assert_non_null(strstr(text_of(out), "\"latency_ns\": null}"));
	assert_non_null(strstr(text_of(out), "\"status\": 15"));
	assert_int_equal(check_json(text_of(out), &messages), 8);
	assert_int_equal(messages, 6);
}

static void test_write(void **state)
{
	struct xvm_observer_config config = { .max_message = 264, .credits = 32 };
	struct xvm_observer *o = xvm_observer_new(&config);
	FILE *f;

	(void)state;
	RUN("web", "--write", file);
	PUMP_UNTIL(trace_fd >= 0);
	send_kinds();
	the_end();
	assert_int_equal(ended(), 0);
	assert_string_equal(text_of(out), "");
	f = fopen(file, "r");
	assert_non_null(f);
	assert_int_equal(xvm_pcapng_dialect(f, DOMID), XVM_DIALECT_PR28);
	assert_int_equal(xvm_pcapng_observe(f, DOMID, o), 6);
	fclose(f);
	xvm_observer_free(o);
}

/* A capture with a hole says so, and is not judged. */
static void test_lost(void **state)
{
	struct xvm_observer_config config = { .max_message = 264, .credits = 32 };
	struct xvm_observer *o = xvm_observer_new(&config);
	FILE *f;

	(void)state;
	RUN("web", "--write", file, "--json");
	PUMP_UNTIL(trace_fd >= 0);
	send_pings(1, 0);
	send_pings(1, 7);
	the_end();
	assert_int_equal(ended(), 0);
	assert_non_null(strstr(text_of(out), "\n{\"lost\": 7}\n"));
	assert_non_null(strstr(text_of(err), "xvmsg: 4 messages, 7 lost\n"));
	f = fopen(file, "r");
	assert_int_equal(xvm_pcapng_observe(f, DOMID, o), -1);
	fclose(f);
	xvm_observer_free(o);
}

static void test_count(void **state)
{
	(void)state;
	RUN("web", "--count", "5");
	PUMP_UNTIL(trace_fd >= 0);
	send_pings(2, 0);
	send_pings(4, 0);
	assert_int_equal(ended(), 0);
	assert_string_equal(text_of(err), "xvmsg: 5 messages, 0 lost\n");
	/* The daemon has seen it go, and nothing stays. */
	PUMP_UNTIL(!d.tracers);
	assert_true(send(trace_fd, batch, 8, MSG_NOSIGNAL) < 0);
}

static void test_seconds(void **state)
{
	u64 start = xvm_now_ms();

	(void)state;
	RUN("web", "--seconds", "1");
	PUMP_UNTIL(trace_fd >= 0);
	send_pings(1, 0);
	assert_int_equal(ended(), 0);
	assert_in_range(xvm_now_ms() - start, 1000, 8000);
	assert_string_equal(text_of(err), "xvmsg: 2 messages, 0 lost\n");
}

static void test_signal(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM };
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		RUN("web", "--write", file);
		PUMP_UNTIL(d.tracers && trace_fd >= 0);
		send_pings(1, 0);
		PUMP_UNTIL(size_of(file) > 200);	/* both of them, not the head of the file alone */
		kill(child, signals[i]);
		assert_int_equal(ended(), 0);
		assert_string_equal(text_of(err), "xvmsg: 2 messages, 0 lost\n");
		PUMP_UNTIL(!d.tracers);
		close(trace_fd);
		trace_fd = -1;
		unlink(file);
	}
}

/* A reader of its output that has stopped reading does not keep it from ending. */
static void test_signal_when_stuck(void **state)
{
	int reader, i;

	(void)state;
	assert_int_equal(mkfifo(file, 0600), 0);
	child = run(file, (const char *const[]){ "trace", "web", NULL });
	reader = open(file, O_RDONLY | O_CLOEXEC);
	PUMP_UNTIL(trace_fd >= 0);
	for (i = 0; i < 200; i++) {
		send_pings(20, 0);
		usleep(1000);
	}
	kill(child, SIGINT);
	assert_int_equal(ended(), 0);
	assert_non_null(strstr(text_of(err), " messages, 0 lost\n"));
	close(reader);
}

static void test_not_there(void **state)
{
	(void)state;
	RUN("mail");
	assert_int_equal(ended(), 1);
	assert_string_equal(text_of(err), "xvmsg: no such guest with devices of ours; xvmsg list shows them, "
			    "trace --wait waits for one\n");
	RUN("web", "--count", "none");
	assert_int_equal(ended(), 2);
	RUN("web", "mail");
	assert_int_equal(ended(), 2);
	RUN("--write", file);
	assert_int_equal(ended(), 2);
}

static void test_wait(void **state)
{
	(void)state;
	d.guests = NULL;
	guest.worker = NULL;
	worker.started = false;
	RUN("web", "--wait", "--count", "2");
	PUMP_UNTIL(d.tracers);
	assert_int_equal(trace_fd, -1);
	/* It comes under the name that was waited for, and has it all from START on. */
	d.guests = &guest;
	guest.worker = &worker;
	xvm_trace_connecting(&guest);
	assert_true(trace_fd >= 0);
	send_pings(1, 0);
	assert_int_equal(ended(), 0);
	assert_non_null(strstr(text_of(out), "-- domain 3, dialect pr28, messages of up to 264 bytes, 32 credits\n"));
}

static void test_second(void **state)
{
	pid_t first;

	(void)state;
	first = RUN("web", "--count", "2");
	PUMP_UNTIL(trace_fd >= 0);
	child = run(file, (const char *const[]){ "trace", "3", NULL });
	assert_int_equal(ended(), 1);
	child = first;
	send_pings(1, 0);
	assert_int_equal(ended(), 0);
}

/* The guest's worker comes back: another connection, another socket, the same trace. */
static void test_two_connections(void **state)
{
	int old;

	(void)state;
	RUN("web", "--count", "4");
	PUMP_UNTIL(trace_fd >= 0);
	send_pings(1, 0);
	old = dup(trace_fd);
	xvm_trace_connecting(&guest);
	send_pings(1, 0);
	usleep(100000);
	assert_non_null(strstr(text_of(out), "joined"));
	close(old);
	assert_int_equal(ended(), 0);
	assert_non_null(strstr(text_of(out), "-- the connection has ended\n-- domain 3, dialect pr28, messages of up to "
			       "264 bytes, 32 credits\n"));
}

static void test_hostile_worker(void **state)
{
	static const u8 noise[40] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	RUN("web");
	PUMP_UNTIL(trace_fd >= 0);
	assert_int_equal(send(trace_fd, noise, sizeof(noise), MSG_NOSIGNAL), sizeof(noise));
	assert_int_equal(ended(), 1);
	assert_non_null(strstr(text_of(err), "something that is no trace"));
	RUN("web");
	PUMP_UNTIL(trace_fd >= 0 && send(trace_fd, noise, 3, MSG_NOSIGNAL) == 3);
	assert_int_equal(ended(), 1);
}

static void test_daemon_ends(void **state)
{
	(void)state;
	guest.worker = NULL;
	RUN("web");
	PUMP_UNTIL(d.tracers);
	xvm_ctl_close(ctl);
	assert_int_equal(ended(), 1);
	assert_string_equal(text_of(err), "xvmsg: the daemon has ended\n");
	assert_int_equal(xvm_ctl_open(&d, path, &ctl), 0);
}

static void test_no_file(void **state)
{
	(void)state;
	RUN("web", "--write", "/nowhere/file");
	assert_int_equal(ended(), 1);
	assert_string_equal(text_of(err), "xvmsg: /nowhere/file: No such file or directory\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(test_text),
		CASE(test_json),
		CASE(test_write),
		CASE(test_lost),
		CASE(test_count),
		CASE(test_seconds),
		CASE(test_signal),
		CASE(test_signal_when_stuck),
		CASE(test_not_there),
		CASE(test_wait),
		CASE(test_second),
		CASE(test_two_connections),
		CASE(test_hostile_worker),
		CASE(test_daemon_ends),
		CASE(test_no_file),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	snprintf(err, sizeof(err), "%s/err", folder);
	snprintf(file, sizeof(file), "%s/file", folder);
	signal(SIGPIPE, SIG_IGN);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(out);
	unlink(err);
	unlink(file);
	rmdir(folder);
	return failed;
}
