// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: any bytes of a client, in pieces. Each whole line is answered by one line that is a JSON object with
 * "ok"; the client is never left waiting. With a trace it has said its last word.
 */
/* LINK: xen/proto xen/user/store.c dom0/base/fdsock.c dom0/base/log.c dom0/spec dom0/daemon/budget.c */
/* LINK: dom0/daemon/ctl.c dom0/daemon/ctl_device.c dom0/daemon/report.c dom0/daemon/decide.c dom0/daemon/image.c dom0/daemon/vfio_user.c dom0/daemon/host_*.c dom0/daemon/pty.c */
/* LINK: dom0/daemon/disk.c dom0/daemon/link.c dom0/daemon/connect.c dom0/daemon/guests.c dom0/daemon/worker.c dom0/daemon/targets.c */
/* LINK: dom0/daemon/own.c dom0/daemon/warn.c dom0/daemon/driver.c dom0/daemon/record.c dom0/daemon/op.c dom0/daemon/keep.c dom0/daemon/server.c dom0/daemon/server_*.c dom0/daemon/requests.c dom0/daemon/paths.c dom0/daemon/trace.c */
/* LINK: tests/support/fake_store.c tests/support/fake_xen.c */
/* LIBS: -levent_core -ljson-c -Wl,--wrap=xvm_tracer_new */
#include <json-c/json.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../support/fake_store.h"
#include "../../dom0/daemon/ctl.h"
#include "../../dom0/daemon/record.h"
#include "../../dom0/daemon/trace.h"
#include "../../dom0/daemon/worker.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct xvm_daemon d;
static struct xvm_ctl *ctl;
static char path[64], dir[] = "/tmp/xvm-ctl-fuzz-XXXXXX";

/* ---- what would wait, or touch files that the input names ---- */

u64 xvm_now_ms(void)
{
	return 1000;
}

u64 xvm_random_u64(void)
{
	static u64 last;

	return ++last;
}

/* A client's time is never up here, but that of an operation is at once: nobody answers it. */
void xvm_timer(struct event *timer, u32 ms)
{
	struct timeval tv = { .tv_sec = 0 };

	(void)ms;
	event_add(timer, &tv);
}

void xvm_daemon_settle_later(struct xvm_daemon *daemon)
{
	event_active(daemon->settle, 0, 0);
}

void xvm_guest_log(struct xvm_guest *guest, int level, const char *format, ...)
{
	(void)guest, (void)level, (void)format;
}

void xvm_disk_log(struct xvm_disk *disk, int level, const char *format, ...)
{
	(void)disk, (void)level, (void)format;
}

struct xvm_opener *xvm_opener_start(struct event_base *base, const struct xvm_image_request *request, bool want_fds,
				    void (*done)(void *arg, const struct xvm_opened *opened, struct fdset *fds), void *arg)
{
	(void)base, (void)want_fds, (void)done, (void)arg;
	CHECK(request->target[0] == '/');
	return NULL;
}

void xvm_opener_cancel(struct xvm_opener *opener)
{
	CHECK(!opener);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	xvm_guests_settle(arg);
}

static bool traced;	/* a trace was begun */

const char *__real_xvm_tracer_new(struct xvm_daemon *daemon, const char *word, bool wait, xvm_tracer_say say, void *arg,
				  struct xvm_tracer **tracer);
const char *__wrap_xvm_tracer_new(struct xvm_daemon *daemon, const char *word, bool wait, xvm_tracer_say say, void *arg,
				  struct xvm_tracer **tracer);

const char *__wrap_xvm_tracer_new(struct xvm_daemon *daemon, const char *word, bool wait, xvm_tracer_say say, void *arg,
				  struct xvm_tracer **tracer)
{
	const char *error = __real_xvm_tracer_new(daemon, word, wait, say, arg, tracer);

	traced |= !error;
	return error;
}

static void end(void)
{
	char text[128];

	unlink(path);
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	CHECK(!system(text));
}

/* One domain that lives, number 3, "guest". */
static void start(void)
{
	log_set_level(LOG_EMERG);
	CHECK(mkdtemp(dir));
	d.options = (struct xvm_options){ .worker = "/bin/false", .ring_order = 3, .credits = 32, .connect_ms = 1000,
					  .dialects = 1u << XVM_DIALECT_PR28, .run_dir = dir, .guests_dir = dir };
	d.base = event_base_new();
	d.settle = event_new(d.base, -1, 0, on_settle, &d);
	d.store = fake_store_new();
	fake_store_put(d.store, "/local/domain/3/name", "guest");
	fake_store_put(d.store, "/local/domain/3/vm", "/vm/00000000-0000-0000-0000-000000000003");
	snprintf(path, sizeof(path), "/tmp/xvm-ctl-fuzz.%d", (int)getpid());
	CHECK(!xvm_ctl_open(&d, path, &ctl));
	atexit(end);
}

/* Each input finds the guest without devices. */
static void forget_devices(void)
{
	struct xvm_guest *guest = xvm_guest_find(&d, 3);
	char why[XVM_WHY_BYTES];
	struct xvm_disk *disk;
	int i;

	for (disk = guest ? guest->disks : NULL; disk; disk = disk->next)
		xvm_own_leave(disk, true);
	CHECK(!guest || !xvm_record_write(guest, why));
	for (i = 0; i < 5; i++)
		event_base_loop(d.base, EVLOOP_NONBLOCK);
	CHECK(!xvm_guest_find(&d, 3) && !d.budget.used_pages);
}

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!d.base)
		start();
	memcpy(address.sun_path, path, strlen(path) + 1);
	CHECK(sock >= 0 && !connect(sock, (struct sockaddr *)&address, sizeof(address)));
	return sock;
}

static void turn(void)
{
	int i;

	CHECK(xvm_guests_on_store(&d) >= 0);
	for (i = 0; i < 3; i++)
		event_base_loop(d.base, EVLOOP_NONBLOCK);
}

static void check_line(const char *line)
{
	struct json_object *json = json_tokener_parse(line), *ok;

	CHECK(json && json_object_is_type(json, json_type_object));
	CHECK(json_object_object_get_ex(json, "ok", &ok) && json_object_is_type(ok, json_type_boolean));
	json_object_put(json);
}

static u32 take_answers(int sock)
{
	static char text[1 << 24];
	char *line, *next;
	ssize_t n;
	size_t have = 0;
	u32 lines = 0;

	do {
		turn();
		n = recv(sock, text + have, sizeof(text) - 1 - have, 0);
		have += n > 0 ? (size_t)n : 0;
	} while (n > 0 && have < sizeof(text) - 1);
	text[have] = 0;
	for (line = text; (next = strchr(line, '\n')); line = next + 1) {
		*next = 0;
		check_line(line);
		lines++;
	}
	CHECK(!*line);
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int sock = client();
	u32 asked = 0, answered = 0, longest = 0, len = 0;
	size_t i, piece;

	traced = false;
	if (size > 20000)
		size = 20000;
	turn();
	for (i = 0; i < size; i++) {
		len = data[i] == '\n' ? 0 : len + 1;
		longest = len > longest ? len : longest;
		asked += data[i] == '\n';
	}
	for (i = 0; i < size; i += piece) {
		piece = size - i < 1000 ? size - i : 1000;
		if (send(sock, data + i, piece, MSG_NOSIGNAL) < 0)
			break;
		answered += take_answers(sock);
	}
	answered += take_answers(sock);
	/* A line beyond the limit ends the client, and any after a trace; else each was answered. */
	CHECK(answered == asked || longest >= 3000 || (traced && answered < asked));
	close(sock);
	turn();
	CHECK(!d.tracers);
	forget_devices();
	return 0;
}
