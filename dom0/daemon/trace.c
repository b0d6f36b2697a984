// SPDX-License-Identifier: GPL-2.0-or-later
#include "trace.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "worker.h"

/* What a tracer may be behind before messages are lost: a few thousand small batches, in the kernel. */
#define SEND_BUFFER_BYTES (4 << 20)

struct xvm_tracer {
	struct xvm_tracer *next;
	struct xvm_daemon *daemon;
	char word[XVM_NAME_BYTES];
	bool bound, ended;	/* bound: to the guest of this domid, and to no other one */
	u32 domid;
	xvm_tracer_say say;
	void *arg;
};

/* ---- naming a guest ---- */

static bool guest_is(const struct xvm_guest *guest, const char *word)
{
	u32 domid;

	if (!xvm_parse_u32(word, strlen(word), 0xffffffffu, &domid))
		return guest->domid == domid;
	return !strcmp(guest->name, word);
}

struct xvm_guest *xvm_guest_by_word(struct xvm_daemon *daemon, const char *word)
{
	struct xvm_guest *guest;

	for (guest = daemon->guests; guest; guest = guest->next)
		if (guest_is(guest, word))
			return guest;
	return NULL;
}

static bool wants(const struct xvm_tracer *t, const struct xvm_guest *guest)
{
	if (t->ended)
		return false;
	return t->bound ? t->domid == guest->domid : guest_is(guest, t->word);
}

static void bind_to(struct xvm_tracer *t, const struct xvm_guest *guest)
{
	t->bound = true;
	t->domid = guest->domid;
}

/* ---- telling ---- */

static void end(struct xvm_tracer *t, const char *why)
{
	char line[128];

	t->ended = true;
	snprintf(line, sizeof(line), "{\"event\": \"end\", \"why\": \"%s\"}\n", why);
	t->say(t->arg, line, -1);
}

/* Numbers and names of our own only: what the guest calls itself is not in it. */
static bool say_connection(struct xvm_tracer *t, const struct xvm_guest *guest, bool from_start, int fd)
{
	const struct xvm_pick *pick = &guest->link.pick;
	char line[320];

	snprintf(line, sizeof(line), "{\"event\": \"connection\", \"domid\": %u, \"dialect\": \"%s\", "
		 "\"max_message\": %u, \"credits\": %u, \"connection_id\": \"%016" PRIx64 "\", \"from_start\": %s}\n",
		 guest->domid, xvm_dialect_name(pick->dialect), pick->max_message, pick->credits, guest->link.id,
		 from_start ? "true" : "false");
	return t->say(t->arg, line, fd);
}

/* Not more than this can be done with either end: the reader only reads, the worker only writes. */
static int one_way_pair(int sock[2])
{
	static const int buffer = SEND_BUFFER_BYTES;
	int err = fdsock_pair(sock);

	if (err)
		return err;
	setsockopt(sock[1], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	if (!shutdown(sock[0], SHUT_WR))
		return 0;
	err = -errno;
	close(sock[0]);
	close(sock[1]);
	return err;
}

static void begin(struct xvm_tracer *t, struct xvm_guest *guest, bool from_start)
{
	struct xvm_ipc_hdr msg;
	int sock[2];

	bind_to(t, guest);
	if (one_way_pair(sock)) {
		end(t, "xvmsgd has no socket left");
		return;
	}
	if (say_connection(t, guest, from_start, sock[0]))
		xvm_worker_send(guest->worker, &msg, XVM_IPC_TRACE, sizeof(msg), &sock[1], 1);
	else
		t->ended = true;
	close(sock[0]);
	close(sock[1]);
}

/* ---- tracers ---- */

/* Why this guest, or one that will have this name, cannot have a tracer now; NULL: it can. */
static const char *refusal(struct xvm_daemon *daemon, const char *word, const struct xvm_guest *guest, bool wait)
{
	const struct xvm_tracer *t;
	u32 count = 0;

	if (strlen(word) >= XVM_NAME_BYTES)
		return "no guest has so long a name";
	if (!guest && !wait)
		return "no such guest with devices of ours; xvmsg list shows them, trace --wait waits for one";
	for (t = daemon->tracers; t; t = t->next) {
		count++;
		if (!t->ended && (guest ? wants(t, guest) : !t->bound && !strcmp(t->word, word)))
			return "this guest is being traced already; one trace at a time";
	}
	return count < XVM_MAX_TRACERS ? NULL : "as many traces run as there may be; end one first";
}

const char *xvm_tracer_new(struct xvm_daemon *daemon, const char *word, bool wait, xvm_tracer_say say, void *arg,
			   struct xvm_tracer **tracer)
{
	struct xvm_guest *guest = xvm_guest_by_word(daemon, word);
	const char *why = refusal(daemon, word, guest, wait);
	struct xvm_tracer *t;

	if (why)
		return why;
	t = calloc(1, sizeof(*t));
	if (!t)
		return "xvmsgd is out of memory";
	t->daemon = daemon;
	t->say = say;
	t->arg = arg;
	strcpy(t->word, word);
	t->next = daemon->tracers;
	daemon->tracers = t;
	*tracer = t;
	say(arg, "{\"ok\": true}\n", -1);
	if (guest)
		bind_to(t, guest);
	if (guest && guest->worker && guest->worker->started)
		begin(t, guest, false);
	return NULL;
}

void xvm_tracer_free(struct xvm_tracer *t)
{
	struct xvm_tracer **at;

	if (!t)
		return;
	for (at = &t->daemon->tracers; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	free(t);
}

/* Two may have waited, one by name and one by number: the older one has it. */
void xvm_trace_connecting(struct xvm_guest *guest)
{
	struct xvm_tracer *t, *first = NULL;

	for (t = guest->daemon->tracers; t; t = t->next) {
		if (!wants(t, guest))
			continue;
		if (first)
			end(first, "another trace of this guest was there before");
		first = t;
	}
	if (first)
		begin(first, guest, true);
}

void xvm_trace_guest_gone(struct xvm_guest *guest)
{
	struct xvm_tracer *t;

	for (t = guest->daemon->tracers; t; t = t->next)
		if (t->bound && wants(t, guest))
			end(t, "the guest is gone");
}
