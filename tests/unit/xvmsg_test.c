// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The xvmsg command as it is installed, before the daemon: this program is xvmsgd over a store in memory, the worker,
 * and the other end of a script that stands for xl. Every sub-command is run with and without --json, in success and
 * in failure.
 */
/* LINK: xen/proto xen/user/store.c dom0/base/fdsock.c dom0/base/log.c */
/* LINK: dom0/daemon/decide.c dom0/daemon/budget.c dom0/spec/spec.c dom0/daemon/image.c dom0/daemon/vfio_user.c dom0/daemon/host_*.c dom0/daemon/pty.c dom0/daemon/opener.c */
/* LINK: dom0/daemon/disk.c dom0/daemon/link.c dom0/daemon/connect.c dom0/daemon/guests.c dom0/daemon/worker.c dom0/daemon/targets.c */
/* LINK: dom0/daemon/own.c dom0/daemon/warn.c dom0/daemon/driver.c dom0/daemon/record.c dom0/daemon/op.c dom0/daemon/trace.c dom0/daemon/keep.c dom0/daemon/server.c dom0/daemon/server_*.c */
/* LINK: dom0/daemon/requests.c dom0/daemon/util.c dom0/daemon/paths.c dom0/daemon/ctl.c dom0/daemon/ctl_device.c dom0/daemon/report.c */
/* LINK: tests/support/fake_store.c tests/support/fake_xen.c */
/* LIBS: -levent_core -ljson-c */
/* NEEDS: $(B)/xvmsg */
/* TIME: 90 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../support/test.h"
#include "../support/fake_store.h"
#include "../../dom0/daemon/ctl.h"
#include "../../dom0/daemon/op.h"
#include "../../dom0/daemon/record.h"
#include "../../dom0/daemon/worker.h"

#define WEB 1			/* a guest whose driver takes everything */
#define STUCK 8			/* one whose worker lets go of nothing */
#define UUID "0badcafe-0000-0000-0000-%012d"
#define TEXT_BYTES 65536

static struct xvm_daemon d;
static struct xvm_ctl *ctl;
static char folder[] = "/tmp/xvm-xvmsg-XXXXXX", kept[64], ctl_path[64], cfg[64], out[64], err[64], xl_run[64], xl_log[64];
static char path[512], program[256], said[TEXT_BYTES], wrong[TEXT_BYTES];
static const char *sock_path;	/* NULL: the daemon's */
static int child_status;
static pid_t child;

/* For the cases; what they call has paths of its own. */
static const char *P(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *P(const char *format, ...)
{
	static char text[16][512];
	static int n;
	va_list args;

	n = (n + 1) % 16;
	va_start(args, format);
	vsnprintf(text[n], sizeof(text[n]), format, args);
	va_end(args);
	return text[n];
}


static void put_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void take_file(const char *path, char text[TEXT_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, TEXT_BYTES - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
}

/* ---- the worker's side ---- */

static void w_send(void *msg, u32 type, size_t bytes)
{
	struct xvm_ipc_hdr *hdr = msg;

	hdr->type = type;
	hdr->bytes = (u32)bytes;
	if (fdsock_send(3, msg, bytes, NULL, 0, true))
		_exit(3);
}

static void w_state(u16 num, u16 state)
{
	struct xvm_ipc_dev_state msg = { .num = num, .state = state };

	w_send(&msg, XVM_IPC_DEV_STATE, sizeof(msg));
}

static void w_take(const struct xvm_ipc_hdr *hdr, int domid)
{
	struct xvm_ipc_stats stats = { .requests = 12 };

	switch (hdr->type) {
	case XVM_IPC_DEV_ADD:
		w_state(((const struct xvm_ipc_dev_add *)hdr)->num, XVM_DEV_DRIVER_OK);
		return;
	case XVM_IPC_DEV_DEL:
		if (domid != STUCK)
			w_state(((const struct xvm_ipc_dev_del *)hdr)->num, XVM_DEV_GONE);
		return;
	case XVM_IPC_STATS_REQ:
		w_send(&stats, XVM_IPC_STATS, sizeof(stats));
		return;
	case XVM_IPC_STOP:
		if (domid != STUCK)
			_exit(0);
	}
}

static int worker_main(int domid)
{
	struct xvm_ipc_hello hello = { .version = XVM_IPC_VERSION };
	struct pollfd p = { .fd = 3, .events = POLLIN };
	struct fdsock_msg msg;
	int got;

	w_send(&hello, XVM_IPC_HELLO, sizeof(hello));
	for (;;) {
		poll(&p, 1, -1);
		got = fdsock_recv(3, &msg);
		if (got == -EAGAIN)
			continue;
		if (got != 1)
			_exit(0);
		w_take((void *)msg.data, domid);
		fdsock_release(&msg);
	}
}

/* ---- the daemon ---- */

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	xvm_guests_settle(arg);
}

static void on_stopped(struct xvm_daemon *daemon)
{
	(void)daemon;
}

static void xl_serve(void);

static void pump(void)
{
	int status;
	pid_t pid;

	xl_serve();
	xvm_guests_on_store(&d);
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == child)
			child_status = status;
		else
			xvm_worker_exited(&d, pid, status);
		child = pid == child ? 0 : child;
	}
}

static void let_run(u32 ms)
{
	u64 end = xvm_now_ms() + ms;

	while (xvm_now_ms() < end) {
		pump();
		usleep(1000);
	}
}

static int setup(void **state)
{
	(void)state;
	memset(&d, 0, sizeof(d));
	sock_path = NULL;
	d.store = fake_store_new();
	d.options = (struct xvm_options){ .worker = "/proc/self/exe", .uid_base = 1000, .ring_order = 3, .credits = 32,
					  .run_dir = folder, .guests_dir = kept, .connect_ms = 1000,
					  .dialects = (1u << XVM_DIALECT_COUNT) - 1, .keep = true };
	d.budget = (struct xvm_budget){ .total_pages = 1000, .guest_pages = 1000 };
	d.stopped = on_stopped;
	d.base = event_base_new();
	d.settle = event_new(d.base, -1, 0, on_settle, &d);
	assert_int_equal(xvm_guests_start(&d), 0);
	return xvm_ctl_open(&d, ctl_path, &ctl);
}

static int teardown(void **state)
{
	struct xvm_guest *guest;

	(void)state;
	xvm_ctl_close(ctl);
	for (guest = d.guests; guest; guest = guest->next) {
		if (!guest->worker)
			continue;
		kill(guest->worker->pid, SIGKILL);
		waitpid(guest->worker->pid, NULL, 0);
		xvm_worker_exited(&d, guest->worker->pid, SIGKILL);
	}
	xvm_guests_free(&d);
	event_free(d.settle);
	event_base_free(d.base);
	fake_store_free(d.store);
	return system(P("rm -rf %s/kept %s/guests %s/keep %s/xl.*", folder, folder, folder, folder));
}

/* ---- xl and guests ---- */

#define BUS "/local/domain/0/backend/virtio-msg/%d/0"
#define FRONT "/local/domain/%d/device/virtio-msg/0"

static void domain(int domid, const char *name, const char *uuid)
{
	fake_store_set_alive(d.store, (u32)domid, true);
	fake_store_put(d.store, P("/local/domain/%d/name", domid), name);
	fake_store_put(d.store, P("/local/domain/%d/vm", domid), P("/vm/%s", uuid));
	fake_store_put(d.store, "@introduceDomain", "");
}

static void domain_ends(int domid)
{
	fake_store_del(d.store, P("/local/domain/%d", domid));
	fake_store_set_alive(d.store, (u32)domid, false);
}

/* The stub has written what it was called with, and waits until it was done. A new guest is WEB; no other can be made. */
static void xl_serve(void)
{
	char text[TEXT_BYTES], uuid[40], *last;

	if (access(xl_run, F_OK))
		return;
	take_file(xl_log, text);
	text[strlen(text) - 1] = 0;
	last = strrchr(text, '\n');
	last = last ? last + 1 : text;
	if (sscanf(last, "create -pq %*s uuid=\"%39[^\"]\"", uuid) == 1)
		domain(WEB, "web", uuid);
	else if (!strncmp(last, "destroy ", 8))
		domain_ends(WEB);
	unlink(xl_run);
}

static const char xl_stub[] =
	"#!/bin/sh\n"
	"cd $(dirname $0)\n"
	"[ \"$1\" = list ] && { printf 'Name ID\\nDomain-0 0\\nother 9\\n'; exit; }\n"
	"echo \"$@\" >> xl.log\n"
	"[ \"$1 $2\" = 'create -pq' ] || [ $1 != create ] || echo 'Parsing config from somewhere'\n"
	"[ -e xl.talks ] && echo 'a word of xl'\n"
	"[ -e xl.fails ] && { echo 'xl: no kernel' >&2; exit 1; }\n"
	"touch xl.run\n"
	"while [ -e xl.run ]; do sleep 0.01; done\n";

static void guest_opens(int domid)
{
	const char *const keys[][2] = {
		{ "version", "1" }, { "dialect", "pr28" }, { "max-message-bytes", "264" }, { "ring-page-order", "3" },
		{ "driver-credits", "32" }, { "control-ref", "8" }, { "num-event-channels", "1" },
		{ "bus-features", "0" }, { "event-channel-0", "11" },
	};
	size_t i;

	for (i = 0; i < XVM_ARRAY_SIZE(keys); i++)
		fake_store_put(d.store, P(FRONT "/%s", domid, keys[i][0]), keys[i][1]);
	fake_store_put(d.store, P(FRONT "/connection-id", domid), fake_store_get(d.store, P(BUS "/connection-id", domid)));
	fake_store_put(d.store, P(FRONT "/state", domid), "3");
}

static bool bus_is(int domid, const char *state)
{
	const char *text;
	int i;

	for (i = 0; i < 3000; i++) {
		text = fake_store_get(d.store, P(BUS "/state", domid));
		if (text && !strcmp(text, state))
			return true;
		let_run(2);
	}
	return false;
}

/* ---- the command ---- */

static void begin(const char *const *argv)
{
	const char *words[16] = { "xvmsg", "--socket", sock_path ? sock_path : ctl_path };
	int to, wrong_to, i = 3;

	while ((words[i] = *argv++))
		assert_true(++i < 16);
	child = fork();
	if (child)
		return;
	to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	wrong_to = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(to, 1) < 0 || dup2(wrong_to, 2) < 0 || dup2(open("/dev/null", O_RDONLY), 0) < 0)
		_exit(126);
	execv(program, (char **)words);
	_exit(127);
}

/* The exit status, 128 + signal if it was killed. What it wrote is in said and wrong. */
static int ended(void)
{
	while (child) {
		pump();
		usleep(500);
	}
	take_file(out, said);
	take_file(err, wrong);
	return WIFEXITED(child_status) ? WEXITSTATUS(child_status) : 128 + WTERMSIG(child_status);
}

static int run(const char *const *argv)
{
	begin(argv);
	return ended();
}

#define RUN(...) run((const char *const []){ __VA_ARGS__, NULL })

static int lines_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* All of what was said is objects; the last one of them, or NULL. */
static struct json_object *last_object(void)
{
	struct json_tokener *parser = json_tokener_new();
	struct json_object *last = NULL;
	const char *at = said;

	while (*(at += strspn(at, " \n"))) {
		json_object_put(last);
		last = json_tokener_parse_ex(parser, at, (int)strlen(at));
		if (!json_object_is_type(last, json_type_object))
			fail_msg("no JSON: '%s'", said);
		at += json_tokener_get_parse_end(parser);
		json_tokener_reset(parser);
	}
	json_tokener_free(parser);
	return last;
}

static const char *text_in(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) ? json_object_get_string(value) : "";
}

/* ---- which commands were run how ---- */

enum { PLAIN, JSON, WAYS };
static struct {
	char name[16];
	bool done[WAYS][2];	/* [success] */
} commands[32];
static u32 num_commands;

static void note(const char *name, int way, bool success)
{
	u32 i;

	for (i = 0; i < num_commands; i++)
		if (!strcmp(commands[i].name, name))
			commands[i].done[way][success] = true;
}

static void learn_commands(void)
{
	char *line, *rest = said;

	assert_int_equal(RUN("--help"), 0);
	num_commands = 0;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "  ", 2) && line[2] != ' ')
			sscanf(line, " %15s", commands[num_commands++].name);
	assert_in_range(num_commands, 10, 31);
}

/* ---- what is true of every command ---- */

static void failed_well(int status, int is, const char *error, int way)
{
	struct json_object *json;
	char *line = wrong;

	if (is != status || lines_of(wrong) != 1 || !strstr(wrong, error))
		fail_msg("status %d, expected %d with one line '%s': '%s'", is, status, error, wrong);
	if (!strncmp(wrong, "xvmsg: ", 7))
		line += 7;
	if (way == PLAIN)
		return;
	json = last_object();
	if (!json || strcmp(text_in(json, "ok"), "false") || !*text_in(json, "error"))
		fail_msg("no object of an error: '%s'", said);
	/* A fault of a file has its text in a list. */
	line[strlen(line) - 1] = 0;
	if (!json_object_object_get_ex(json, "faults", NULL))
		assert_string_equal(text_in(json, "error"), line);
	json_object_put(json);
}

static void fails(int status, const char *error, const char *const *argv)
{
	const char *words[16] = { "--json" };
	u32 i;

	failed_well(status, run(argv), error, PLAIN);
	note(argv[0], PLAIN, false);
	for (i = 0; argv[i]; i++)
		words[i + 1] = argv[i];
	failed_well(status, run(words), error, JSON);
	note(argv[0], JSON, false);
}

#define FAILS(status, error, ...) fails(status, error, (const char *const []){ __VA_ARGS__, NULL })

static void works(const char *text, const char *const *argv)
{
	struct json_object *json;
	bool is_json = false;
	int status = run(argv);
	u32 i;

	for (i = 0; argv[i]; i++)
		is_json |= !strcmp(argv[i], "--json");
	if (status || *wrong || !strstr(said, text))
		fail_msg("%s: status %d, expected '%s': '%s' '%s'", argv[0], status, text, said, wrong);
	note(argv[0], is_json ? JSON : PLAIN, true);
	if (!is_json)
		return;
	json = last_object();
	assert_non_null(json);
	json_object_put(json);
}

#define WORKS(text, ...) works(text, (const char *const []){ __VA_ARGS__, NULL })
#define WORKS_BOTH(text, json, ...) do { WORKS(text, __VA_ARGS__); WORKS(json, __VA_ARGS__, "--json"); } while (0)

/* ---- cases ---- */

static void web_file(const char *list)
{
	put_file(cfg, P("name = \"web\"\nvirtio_msg = [ %s ]\n", list), 0600);
}


static void image(const char *name)
{
	put_file(P("%s/%s", folder, name), "", 0600);
	assert_int_equal(truncate(P("%s/%s", folder, name), 1 << 20), 0);
}

/* A guest that runs, with a console and a disk, and one kept device. */
static void running(void)
{
	image("a.img");
	domain(WEB, "web", P(UUID, WEB));
	WORKS("device 32768 of domain 1; gone after a reboot, save or migration", "attach", "web", "type=console,name=con");
	assert_true(bus_is(WEB, "2"));
	guest_opens(WEB);
	assert_true(bus_is(WEB, "4"));
	WORKS("\"state\":\"driver-ok\"", "attach", "web", P("type=disk,vdev=a,path=%s/a.img", folder), "--json", "--wait=5");
	WORKS("kept over reboots", "attach", "1", "type=rng,name=dice", "--persist", "--wait");
}

static void test_every_command(void **state)
{
	u32 i, way;

	(void)state;
	learn_commands();
	running();
	WORKS_BOTH("dice     driver-ok    record", "\"guests\"", "list");
	WORKS_BOTH(" con ", "\"con\"", "list", "web");
	WORKS_BOTH("type=rng,name=dice", "\"domid\":1", "list", "--kept");
	WORKS_BOTH("window           80x25", "\"window\":\"80x25\"", "show", "web", "con");
	WORKS_BOTH("io_requests", "\"worker\"", "show", "1");
	WORKS_BOTH("con: window 100x30", "\"window\":\"100x30\"", "set", "web", "con", "window=100x30");
	WORKS_BOTH("a: size_bytes 2097152", "\"size_bytes\":2097152", "set", "web", "a", "size=2M");
	WORKS_BOTH("worker requests", "\"connects\":1", "stat", "web");
	WORKS_BOTH(" web ", "\"seconds\"", "top", "-b", "-d", "1", "-i", "1");
	WORKS_BOTH("xvmsgd answers", "\"ok\":true", "ping");
	WORKS_BOTH("xvmsgd " XVM_VERSION, XVM_VERSION, "version");
	WORKS("", "detach", "web", "con");
	WORKS("\"ok\":true", "detach", "web", "a", "--json", "--force");
	web_file("\"type=rng,name=dice\", \"type=rng,name=more\"");
	WORKS_BOTH("good, 2 devices", "\"devices\":2", "check", cfg);
	WORKS("attached more\n", "apply", "web", cfg);
	WORKS("\"more\"", "apply", "web", cfg, "--json");
	domain_ends(WEB);
	let_run(100);
	WORKS("", "create", cfg);
	assert_string_equal(said, "");
	domain_ends(WEB);
	let_run(100);
	WORKS("\"more\"", "create", cfg, "--json");
	domain_ends(WEB);
	let_run(100);
	WORKS("", "forget", P(UUID, WEB));
	put_file(P("%s/kept/" UUID, folder, WEB), "# web: x\n", 0600);
	WORKS("\"ok\":true", "forget", P(UUID, WEB), "--json");

	FAILS(1, "no domain nobody runs here", "list", "nobody");
	FAILS(2, "usage: xvmsg list", "list", "--what");
	FAILS(1, "no domain nobody runs here", "show", "nobody");
	FAILS(1, "no such guest", "stat", "nobody");
	FAILS(1, "no such guest", "trace", "nobody");
	FAILS(1, "no domain nobody runs here", "attach", "nobody", "type=rng");
	FAILS(1, "no domain nobody runs here", "detach", "nobody", "rng0");
	FAILS(1, "no domain nobody runs here", "set", "nobody", "rng0", "size=1M");
	FAILS(1, "no domain nobody runs here", "apply", "nobody", cfg);
	web_file("\"type=disk,path=/nowhere/x\"");
	FAILS(1, "does not exist", "check", cfg);
	FAILS(1, "does not exist", "create", cfg);
	FAILS(1, "there is none; xvmsg list --kept shows them", "forget", P(UUID, 5));
	FAILS(2, "usage: xvmsg ping", "ping", "x");
	FAILS(2, "usage: xvmsg version", "version", "x");
	FAILS(2, "usage: xvmsg top", "top", "--delay", "none");
	FAILS(2, "has no --json", "console", "--json");
	assert_int_equal(RUN("console", "nobody"), 1);
	assert_int_equal(lines_of(wrong), 1);

	/* trace and console have tests of their own for what they pass on. */
	for (i = 0; i < num_commands; i++)
		for (way = PLAIN; way < WAYS && strcmp(commands[i].name, "console"); way++)
			if (!commands[i].done[way][0] || (!commands[i].done[way][1] && strcmp(commands[i].name, "trace")))
				fail_msg("%s was not run in every way", commands[i].name);
}

static void test_usage(void **state)
{
	static const char *const usage[] = { "list", "show", "attach", "detach", "set", "console", "forget", "check", "create",
					     "apply", "stat", "top", "trace", "ping", "version" };
	u32 i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(usage); i++)
		if (strcmp(usage[i], "console"))
			FAILS(2, P("usage: xvmsg %s", usage[i]), usage[i], "a", "b", "c", "d");
	FAILS(2, "unknown command what; xvmsg --help", "what");
	FAILS(2, "unknown option --what", "--what");
	FAILS(2, "--wait takes seconds, 1 to 600, and not: abc", "attach", "web", "type=rng", "--wait=abc");
	FAILS(2, "--wait takes seconds, 1 to 600, and not: 601", "detach", "web", "rng0", "--wait=601");
	FAILS(2, "--wait takes seconds, 1 to 600, and not: none", "apply", "web", cfg, "--wait=");
	FAILS(2, "--count 0: give a number", "trace", "web", "--count", "0");
	FAILS(2, "usage: xvmsg trace", "trace", "web", "--what");
	FAILS(1, "column 6 of 'type=what'", "attach", "web", "type=what");
	assert_int_equal(RUN("--socket"), 2);
	assert_int_equal(lines_of(wrong), 1);
}

/* ---- the daemon is not there, or busy ---- */

static void test_no_daemon(void **state)
{
	const char *const asks[][5] = {
		{ "list" }, { "show", "web" }, { "attach", "web", "type=rng" }, { "detach", "web", "a" }, { "forget", "0-1" },
		{ "set", "web", "a", "size=1M" }, { "stat", "web" }, { "top" }, { "trace", "web" }, { "ping" }, { "version" },
		{ "list", "--kept" }, { "apply", "web", cfg }, { "create", cfg },
	};
	u32 i;

	(void)state;
	web_file("\"type=rng\"");
	sock_path = "/nowhere/sock";
	for (i = 0; i < XVM_ARRAY_SIZE(asks); i++)
		fails(1, "xvmsgd does not run; start it", asks[i]);
	assert_int_equal(RUN("console", "web"), 1);
	assert_string_equal(wrong, "xvmsg: xvmsgd does not run; start it with /etc/init.d/xvmsgd start\n");
	sock_path = P("%0200d", 0);
	FAILS(1, "socket path is too long", "ping");
	sock_path = NULL;
}

/* A request that fills the socket is still being written when the daemon closes it. */
static void test_busy(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static char word[100001];
	int sock[16], i;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	FAILS(1, "a command is longer than any", "set", word, word, "size=1");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", ctl_path);
	for (i = 0; i < 16; i++) {
		sock[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(sock[i], (void *)&address, sizeof(address)), 0);
		let_run(5);
	}
	FAILS(1, "as many commands as there may be are waiting", "ping");
	FAILS(1, "as many commands as there may be are waiting", "trace", "web");
	word[0] = '=';
	FAILS(1, "as many commands as there may be are waiting", "set", word, word, word);
	for (i = 0; i < 16; i++)
		close(sock[i]);
	let_run(20);
	assert_int_equal(RUN("ping"), 0);
}

/* ---- create: all of it, or nothing has changed ---- */

#define DISK_OF(name) P("\"type=disk,vdev=" name ",path=%s/" name ".img\"", folder)
#define KEPT_LINE(name) P("name=" name ",access=rw,target=%s/" name ".img", folder)

static void kept_is(const char *there, const char *gone)
{
	WORKS(there, "list", "--kept");
	if (strstr(said, gone))
		fail_msg("'%s' is kept: %s", gone, said);
}

static void test_create_fails(void **state)
{
	(void)state;
	running();
	WORKS("detached", "apply", "web", (web_file(DISK_OF("b")), image("b.img"), cfg));
	domain_ends(WEB);
	let_run(100);
	kept_is(KEPT_LINE("b"), "dice");
	/* xl cannot make it. */
	put_file(P("%s/xl.fails", folder), "", 0600);
	web_file("\"type=rng,name=other\"");
	assert_int_equal(RUN("create", cfg), 1);
	assert_string_equal(wrong, "xl: no kernel\nxvmsg: xl could not create the guest; nothing was attached\n");
	assert_int_equal(RUN("create", cfg, "--json"), 1);
	json_object_put(last_object());
	assert_non_null(strstr(said, "\"error\":\"xl could not create the guest; nothing was attached\""));
	kept_is(KEPT_LINE("b"), "other");
	unlink(P("%s/xl.fails", folder));
	/* The daemon cannot have a device, the second or the first one; what was kept can be had, or not. */
	web_file("\"type=rng,name=other\", \"type=console,log=/nowhere/log\"");
	FAILS(1, P("%s:2:40: console: could not be attached: log /nowhere/log cannot be opened", cfg), "create", cfg);
	kept_is(KEPT_LINE("b"), "other");
	let_run(100);
	unlink(P("%s/b.img", folder));
	web_file("\"type=console,log=/nowhere/log\"");
	FAILS(1, "; the guest is destroyed", "create", cfg);
	kept_is(KEPT_LINE("b"), "console");
	assert_null(xvm_guest_get(&d, "web"));
	let_run(100);
	/* xl's words are no answer. */
	put_file(P("%s/xl.talks", folder), "", 0600);
	web_file("\"type=rng,name=other\"");
	assert_int_equal(RUN("create", cfg, "--json"), 0);
	json_object_put(last_object());
	assert_string_equal(wrong, "a word of xl\na word of xl\n");
	kept_is("name=other", "name=b");
	unlink(P("%s/xl.talks", folder));
	FAILS(1, "domain 1 runs with the UUID, and the devices kept for guest web", "create", cfg);
}

/* Nothing was kept before, nothing is after. */
static void test_create_fails_first(void **state)
{
	(void)state;
	web_file("\"type=console,log=/nowhere/log\"");
	FAILS(1, P("%s:2:17: console: could not be attached", cfg), "create", cfg);
	let_run(100);
	kept_is("UUID", "console");
	assert_int_equal(lines_of(said), 1);
}

static void test_create_paused(void **state)
{
	(void)state;
	web_file("\"type=rng\"");
	WORKS("", "create", "-p", cfg);
	take_file(xl_log, said);
	assert_null(strstr(said, "unpause"));
	kept_is("type=rng", "none");
}

/* ---- guests that end, and guests with another name ---- */

static void test_forget_while_it_ends(void **state)
{
	(void)state;
	domain(STUCK, "stuck", P(UUID, STUCK));
	WORKS("", "attach", "stuck", "type=rng", "--persist");
	FAILS(1, "guest 8 (stuck) runs with these devices; detach them instead", "forget", P(UUID, STUCK));
	assert_true(bus_is(STUCK, "2"));
	guest_opens(STUCK);
	assert_true(bus_is(STUCK, "4"));
	domain_ends(STUCK);
	let_run(20);
	assert_non_null(xvm_guest_find(&d, STUCK));
	WORKS("", "forget", P(UUID, STUCK));
	kept_is("UUID", "rng");
}

static void test_ends_in_mid_command(void **state)
{
	const char *const attach[] = { "attach", "web", "type=rng", "--wait=20", NULL };
	u64 t = xvm_now_ms();

	(void)state;
	domain(WEB, "web", P(UUID, WEB));
	begin(attach);
	let_run(300);
	domain_ends(WEB);
	failed_well(1, ended(), "it was taken away, or its guest is gone", PLAIN);
	assert_in_range(xvm_now_ms() - t, 300, 5000);
}

/* What is to go, and goes with its guest, has gone. */
static void test_ends_in_mid_detach(void **state)
{
	const char *const detach[] = { "detach", "stuck", "dice", "--wait=20", NULL };
	u64 t = xvm_now_ms();

	(void)state;
	domain(STUCK, "stuck", P(UUID, STUCK));
	WORKS("", "attach", "stuck", "type=rng,name=dice", "--persist");
	assert_true(bus_is(STUCK, "2"));
	guest_opens(STUCK);
	assert_true(bus_is(STUCK, "4"));
	begin(detach);
	let_run(300);
	assert_true(child);
	domain_ends(STUCK);
	assert_int_equal(ended(), 0);
	assert_string_equal(wrong, "");
	assert_in_range(xvm_now_ms() - t, 300, 10000);
	kept_is("UUID", "dice");
}

static void test_rename(void **state)
{
	(void)state;
	running();
	fake_store_put(d.store, "/local/domain/1/name", "shop");
	WORKS("name                     shop", "stat", "shop");
	WORKS(" shop ", "list", "shop");
	FAILS(1, "no such guest", "stat", "web");
	FAILS(1, "no such guest", "trace", "web");
	assert_int_equal(RUN("trace", "shop", "--seconds", "1"), 0);
}

/* ---- apply: what was lost is had again ---- */

static void test_apply_lost(void **state)
{
	(void)state;
	running();
	assert_int_equal(mkdir(P("%s/logs", folder), 0700), 0);
	web_file(P("\"type=console,name=c,log=%s/logs/c\"", folder));
	WORKS("attached c\n", "apply", "web", cfg, "--wait=5");
	domain_ends(WEB);
	let_run(100);
	assert_int_equal(system(P("rm -r %s/logs", folder)), 0);
	domain(WEB, "web", P(UUID, WEB));
	let_run(200);
	WORKS("failed", "list", "web");
	/* It still cannot be had, and stays kept. */
	FAILS(1, "c: could not be attached: log ", "apply", "web", cfg);
	WORKS("failed", "list", "web");
	kept_is("name=c", "dice");
	assert_int_equal(mkdir(P("%s/logs", folder), 0700), 0);
	WORKS("detached c\nattached c\n", "apply", "web", cfg);
	WORKS("ready", "list", "web");
	kept_is("name=c", "dice");
}

/* ---- completion ---- */

/* What bash would offer behind this, one a line. */
static void completed(const char *line, const char *replies)
{
	const char *const argv[] = { "bash", "-c", ". tools/xvmsg.bash-completion; COMP_LINE=$1; COMP_POINT=${#1}; _xvmsg; "
				     "printf '%s\n' \"${COMPREPLY[@]}\"", "bash", line, NULL };

	child = fork();
	if (!child) {
		if (dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1) < 0 || dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2) < 0)
			_exit(126);
		execvp("bash", (char **)argv);
		_exit(127);
	}
	ended();
	if (strcmp(said, replies) || *wrong)
		fail_msg("'%s': '%s', expected '%s'; %s", line, said, replies, wrong);
}

static void test_completion(void **state)
{
	char real[256];

	(void)state;
	assert_non_null(realpath(program, real));
	put_file(P("%s/xvmsg", folder), P("#!/bin/sh\nexec %s --socket %s \"$@\"\n", real, ctl_path), 0700);
	running();
	completed("xvmsg st", "stat\n");
	completed("xvmsg --socket /tmp/x.sock li", "list\n");
	completed("xvmsg stat ", "1\nweb\nother\n");	/* not its devices; and xl's that has none */
	completed("xvmsg stat we", "web\n");
	completed("xvmsg list --k", "--kept\n");
	completed("xvmsg detach web ", "con\na\ndice\n");
	completed("xvmsg detach web a --f", "--force\n");
	completed("xvmsg set web con w", "window=\n");
	completed("xvmsg set web a size=i", "image\n");
	completed("xvmsg set web a l", "link=up\nlink=down\n");
	completed("xvmsg attach web type=v", "vsock\nvhost-user,device=\nvfio-user,socket=\n");
	completed("xvmsg attach web type=n", "net,bridge=\n");
	completed(P("xvmsg attach web type=disk,path=%s/a.i", folder), P("%s/a.img\n", folder));
	completed(P("xvmsg trace web --write %s/a.i", folder), P("%s/a.img\n", folder));
	completed("xvmsg trace web --count 5 --se", "--seconds\n");
	completed(P("xvmsg create %s/a.i", folder), P("%s/a.img\n", folder));
	completed("xvmsg forget ", P(UUID "\n", WEB));
	completed("xvmsg ping --", "--json\n");
}

static void name_files(void)
{
	const struct {
		char *to;
		const char *name;
	} files[] = { { kept, "kept" }, { ctl_path, "sock" }, { cfg, "web.cfg" }, { out, "out" }, { err, "err" },
		      { xl_run, "xl.run" }, { xl_log, "xl.log" } };
	size_t i;

	for (i = 0; i < XVM_ARRAY_SIZE(files); i++)
		snprintf(files[i].to, sizeof(kept), "%s/%s", folder, files[i].name);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_fails_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_paused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget_while_it_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_in_mid_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_in_mid_detach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_completion, setup, teardown),
	};
	const char *b = getenv("B");
	int i, failed;

	for (i = 1; i < argc - 1; i++)
		if (!strcmp(argv[i], "--domid"))
			return worker_main(atoi(argv[i + 1]));
	if (!mkdtemp(folder))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	snprintf(program, sizeof(program), "%s/xvmsg", b && *b ? b : "build");
	snprintf(path, sizeof(path), "%s:%.400s", folder, getenv("PATH"));
	setenv("PATH", path, 1);
	name_files();
	put_file(P("%s/xl", folder), xl_stub, 0700);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return system(P("rm -rf %s", folder)) ? 1 : failed;
}
