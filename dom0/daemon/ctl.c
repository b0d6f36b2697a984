// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl_priv.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "report.h"
#include "../base/fdsock.h"
#include "trace.h"
#include "worker.h"

#define MAX_CLIENTS 16
#define MAX_LINE_BYTES 4096
#define CLIENT_LIMIT_S 10
#define STATS_LIMIT_MS 1000	/* a worker that does not answer by then has older counters shown */

struct client {
	struct client *next;
	struct xvm_ctl *ctl;
	struct bufferevent *buffer;
	struct event *stats_limit;
	struct xvm_tracer *tracer;
	u32 stat_domid;		/* waiting for this guest's counters, or */
	struct xvm_op *op;	/* for this */
	bool waiting, last;	/* last: close when everything is written */
};

struct xvm_ctl {
	struct xvm_daemon *daemon;
	struct evconnlistener *listener;
	struct client *clients;
	u32 num_clients;
	char path[108];
};

static struct xvm_ctl *the_ctl;	/* for counters that come in; there is one socket */

static void client_free(struct client *client)
{
	struct client **at = &client->ctl->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->ctl->num_clients--;
	xvm_tracer_free(client->tracer);
	xvm_op_cancel(client->op);
	if (client->stats_limit)
		event_free(client->stats_limit);
	if (client->buffer)
		bufferevent_free(client->buffer);
	free(client);
}

void xvm_ctl_answer(struct client *client, struct json_object *json)
{
	struct evbuffer *out = bufferevent_get_output(client->buffer);
	const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	evbuffer_add(out, text, strlen(text));
	evbuffer_add(out, "\n", 1);
	json_object_put(json);
	/* Lines that came meanwhile have their turn. */
	if (client->waiting)
		bufferevent_trigger(client->buffer, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	client->waiting = false;
	client->op = NULL;
}

struct xvm_daemon *xvm_ctl_daemon(const struct client *client)
{
	return client->ctl->daemon;
}

void xvm_ctl_wait(struct client *client, struct xvm_op *op)
{
	if (!op) {
		xvm_ctl_error(client, "xvmsgd is out of memory");
		return;
	}
	client->op = op;
	client->waiting = true;
}

const char *xvm_ctl_text(struct json_object *request, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(request, key, &value) && json_object_is_type(value, json_type_string) ?
	       json_object_get_string(value) : NULL;
}

struct json_object *xvm_ctl_new(bool ok)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "ok", json_object_new_boolean(ok));
	return json;
}

void xvm_ctl_error(struct client *client, const char *error)
{
	struct json_object *json = xvm_ctl_new(false);

	json_object_object_add(json, "error", json_object_new_string(error));
	xvm_ctl_answer(client, json);
}

static void answer_stat(struct client *client)
{
	struct xvm_guest *guest = xvm_guest_find(client->ctl->daemon, client->stat_domid);
	struct json_object *json;

	event_del(client->stats_limit);
	if (!guest) {
		xvm_ctl_error(client, "the guest has just gone");
		return;
	}
	json = xvm_ctl_new(true);
	json_object_object_add(json, "guest", xvm_report_stat(guest));
	xvm_ctl_answer(client, json);
}

static void on_stats_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer_stat(arg);
}

void xvm_ctl_stats_came(struct xvm_guest *guest)
{
	struct client *client;

	for (client = the_ctl ? the_ctl->clients : NULL; client; client = client->next)
		if (client->waiting && !client->op && client->stat_domid == guest->domid)
			answer_stat(client);
}

/* The request's guest, as it was named; NULL: not at all. */
static const char *guest_word(struct json_object *request)
{
	struct json_object *word;

	if (!json_object_object_get_ex(request, "guest", &word) || !json_object_is_type(word, json_type_string))
		return NULL;
	return json_object_get_string(word);
}

static void do_stat(struct client *client, struct json_object *request)
{
	const char *word = guest_word(request);
	struct xvm_guest *guest;

	if (!word) {
		xvm_ctl_error(client, "stat needs a guest, by name or domain id");
		return;
	}
	guest = xvm_guest_by_word(client->ctl->daemon, word);
	if (!guest) {
		xvm_ctl_error(client, "no such guest with devices of ours; xvmsg list shows them");
		return;
	}
	client->stat_domid = guest->domid;
	if (!guest->worker || !guest->worker->started) {
		answer_stat(client);
		return;
	}
	client->waiting = true;
	xvm_timer(client->stats_limit, STATS_LIMIT_MS);
	xvm_worker_ask_stats(guest->worker);
}

/*
 * Past the buffer, which knows no descriptors; it is empty, since a tracer asks for nothing else. Who does not
 * read is shut down, and freed when the loop sees the end.
 */
static bool say_to_tracer(void *arg, const char *line, int fd)
{
	struct client *client = arg;
	int sock = bufferevent_getfd(client->buffer);

	if (!fdsock_send(sock, line, strlen(line), &fd, fd >= 0, false))
		return true;
	shutdown(sock, SHUT_RDWR);
	return false;
}

static void do_trace(struct client *client, struct json_object *request)
{
	const char *word = guest_word(request), *error;
	struct json_object *wait;

	if (!word) {
		xvm_ctl_error(client, "trace needs a guest, by name or domain id");
		return;
	}
	if (evbuffer_get_length(bufferevent_get_output(client->buffer))) {
		xvm_ctl_error(client, "trace has to be the only command of its connection");
		return;
	}
	error = xvm_tracer_new(client->ctl->daemon, word,
			       json_object_object_get_ex(request, "wait", &wait) && json_object_get_boolean(wait),
			       say_to_tracer, client, &client->tracer);
	if (error)
		xvm_ctl_error(client, error);
	else
		bufferevent_set_timeouts(client->buffer, NULL, NULL);
}

static void do_list(struct client *client, struct json_object *request)
{
	struct xvm_guest *guest = NULL;
	struct json_object *json;

	if (json_object_object_get_ex(request, "guest", NULL)) {
		guest = xvm_ctl_guest(client, request);
		if (!guest)
			return;
	}
	json = xvm_ctl_new(true);
	json_object_object_add(json, "guests", xvm_report_list(client->ctl->daemon, guest));
	xvm_ctl_answer(client, json);
}

static void do_version(struct client *client, struct json_object *request)
{
	struct json_object *json = xvm_ctl_new(true);

	(void)request;
	json_object_object_add(json, "version", json_object_new_string(XVM_VERSION));
	json_object_object_add(json, "pid", json_object_new_int(getpid()));
	xvm_ctl_answer(client, json);
}

static void do_ping(struct client *client, struct json_object *request)
{
	(void)request;
	xvm_ctl_answer(client, xvm_ctl_new(true));
}

static void serve(struct client *client, const char *line)
{
	static const struct {
		const char *name;
		void (*serve)(struct client *client, struct json_object *request);
	} commands[] = {
		{ "ping", do_ping }, { "version", do_version }, { "list", do_list }, { "stat", do_stat },
		{ "trace", do_trace },
		{ "attach", xvm_ctl_attach }, { "detach", xvm_ctl_detach }, { "show", xvm_ctl_show },
		{ "set", xvm_ctl_set }, { "records", xvm_ctl_records }, { "forget", xvm_ctl_forget },
	};
	struct json_object *request = json_tokener_parse(line), *word;
	const char *name = "";
	u32 i;

	if (json_object_is_type(request, json_type_object) && json_object_object_get_ex(request, "cmd", &word) &&
	    json_object_is_type(word, json_type_string))
		name = json_object_get_string(word);
	for (i = 0; i < XVM_ARRAY_SIZE(commands) && strcmp(commands[i].name, name); i++)
		;
	if (i < XVM_ARRAY_SIZE(commands))
		commands[i].serve(client, request);
	else
		xvm_ctl_error(client, "unknown command; known are ping, version, list, stat, trace, attach, detach, show, set, "
				      "records, forget");
	json_object_put(request);
}

static void on_written(struct bufferevent *buffer, void *arg)
{
	struct client *client = arg;

	if (client->last && !client->waiting && !evbuffer_get_length(bufferevent_get_output(buffer)))
		client_free(client);
}

/* To somebody who is not listened to any more: if there is room for a line. */
static void say_last(int sock, const char *error)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "{\"ok\": false, \"error\": \"%s\"}\n", error);

	send(sock, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_line(struct bufferevent *buffer, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(buffer);
	char *line;

	while (!client->waiting && !client->tracer && (line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF))) {
		serve(client, line);
		free(line);
	}
	/* A tracer has nothing more to say. */
	if (evbuffer_get_length(in) < (client->tracer ? 1 : MAX_LINE_BYTES))
		return;
	if (!client->tracer)
		say_last(bufferevent_getfd(buffer), "a command is longer than any");
	client_free(client);
}

static void on_event(struct bufferevent *buffer, short what, void *arg)
{
	struct client *client = arg;

	/* A client may close its writing half and still wait for answers. */
	if (what & BEV_EVENT_TIMEOUT && client->waiting)
		bufferevent_enable(buffer, EV_READ | EV_WRITE);	/* it is we who take long */
	else if (what & BEV_EVENT_EOF && (client->waiting || evbuffer_get_length(bufferevent_get_output(buffer))))
		client->last = true;
	else
		client_free(client);
}

static void on_client(struct evconnlistener *listener, evutil_socket_t sock, struct sockaddr *address, int len,
		      void *arg)
{
	static const struct timeval limit = { .tv_sec = CLIENT_LIMIT_S };
	struct xvm_ctl *ctl = arg;
	struct client *client;

	(void)listener;
	(void)address;
	(void)len;
	client = ctl->num_clients < MAX_CLIENTS ? calloc(1, sizeof(*client)) : NULL;
	if (!client) {
		say_last((int)sock, "as many commands as there may be are waiting for xvmsgd; try again when one has ended");
		close((int)sock);
		return;
	}
	client->ctl = ctl;
	client->next = ctl->clients;
	ctl->clients = client;
	ctl->num_clients++;
	client->stats_limit = evtimer_new(ctl->daemon->base, on_stats_limit, client);
	client->buffer = bufferevent_socket_new(ctl->daemon->base, sock, BEV_OPT_CLOSE_ON_FREE);
	if (!client->buffer || !client->stats_limit) {
		if (!client->buffer)
			close((int)sock);
		client_free(client);
		return;
	}
	bufferevent_setcb(client->buffer, on_line, on_written, on_event, client);
	bufferevent_setwatermark(client->buffer, EV_READ, 0, MAX_LINE_BYTES);
	bufferevent_set_timeouts(client->buffer, &limit, &limit);
	bufferevent_enable(client->buffer, EV_READ | EV_WRITE);
}

static int listen_on(const char *path, int *sock)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int err = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	*sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*sock < 0)
		return -errno;
	unlink(path);	/* the pid file says that nobody serves it */
	mask = umask(0077);
	if (bind(*sock, (struct sockaddr *)&address, sizeof(address)) || listen(*sock, MAX_CLIENTS))
		err = -errno;
	umask(mask);
	if (err)
		close(*sock);
	return err;
}

int xvm_ctl_open(struct xvm_daemon *daemon, const char *path, struct xvm_ctl **result)
{
	struct xvm_ctl *ctl = calloc(1, sizeof(*ctl));
	int sock, err;

	if (!ctl)
		return -ENOMEM;
	ctl->daemon = daemon;
	err = listen_on(path, &sock);
	if (err) {
		free(ctl);
		return err;
	}
	strcpy(ctl->path, path);
	ctl->listener = evconnlistener_new(daemon->base, on_client, ctl, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
					   0, sock);
	if (!ctl->listener) {
		close(sock);
		free(ctl);
		return -ENOMEM;
	}
	the_ctl = *result = ctl;
	return 0;
}

void xvm_ctl_close(struct xvm_ctl *ctl)
{
	if (!ctl)
		return;
	the_ctl = NULL;
	while (ctl->clients)
		client_free(ctl->clients);
	evconnlistener_free(ctl->listener);
	unlink(ctl->path);
	free(ctl);
}
