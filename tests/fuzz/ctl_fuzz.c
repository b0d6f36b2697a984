// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket: any bytes of a client, in pieces. Each whole line is answered by one line that is a JSON object with
 * "ok"; the client is never left waiting. With a trace it has said its last word.
 */
/* LINK: xen/proto dom0/base/log.c dom0/base/fdsock.c dom0/daemon/ctl.c dom0/daemon/report.c dom0/daemon/trace.c dom0/spec/spec.c */
/* LIBS: -levent_core -ljson-c -Wl,--wrap=xvm_tracer_new */
#include <json-c/json.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "../../dom0/daemon/ctl.h"
#include "../../dom0/daemon/trace.h"
#include "../../dom0/daemon/worker.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct xvm_guest guest = { .domid = 3, .name = "guest" };
static struct xvm_daemon d;
static struct xvm_ctl *ctl;
static char path[64];

/* ---- what the socket uses of the daemon ---- */

u64 xvm_now_ms(void)
{
	return 1000;
}

void xvm_timer(struct event *timer, u32 ms)
{
	struct timeval tv = { .tv_sec = ms / 1000 };

	event_add(timer, &tv);
}

struct xvm_guest *xvm_guest_find(struct xvm_daemon *daemon, u32 domid)
{
	return domid == guest.domid ? daemon->guests : NULL;
}

void xvm_worker_send(struct xvm_worker *worker, struct xvm_ipc_hdr *hdr, u32 type, size_t bytes, const int *fds, u32 nfds)
{
	(void)worker, (void)hdr, (void)type, (void)bytes, (void)fds, (void)nfds;
	abort();
}

void xvm_worker_ask_stats(struct xvm_worker *worker)
{
	(void)worker;
	abort();	/* there is none */
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
	unlink(path);
}

static int client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!d.base) {
		guest.daemon = &d;
		d.guests = &guest;
		d.base = event_base_new();
		snprintf(path, sizeof(path), "/tmp/xvm-ctl-fuzz.%d", (int)getpid());
		CHECK(!xvm_ctl_open(&d, path, &ctl));
		atexit(end);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	CHECK(sock >= 0 && !connect(sock, (struct sockaddr *)&address, sizeof(address)));
	return sock;
}

static void turn(void)
{
	int i;

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
	static char text[1 << 18];
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
	return 0;
}
