// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: one request, one answer. */
#include "xvmsg.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ANSWER_BYTES (16u << 20)

int xvmsg_limit_s = 5;

/* ---- what went wrong ---- */

static char failure[XVMSG_WHY_BYTES];	/* the first, for --json */

int xvmsg_fail(const char *what, const char *why)
{
	char text[XVMSG_WHY_BYTES];

	snprintf(text, sizeof(text), "%s%s%s", what, *why ? ": " : "", why);
	fprintf(stderr, "xvmsg: %s\n", text);
	if (!*failure)
		strcpy(failure, text);
	return -1;
}

void xvmsg_fail_in_json(void)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "ok", json_object_new_boolean(false));
	json_object_object_add(json, "error", json_object_new_string(failure));
	puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}

/* ---- the socket ---- */

static void set_why(char why[XVMSG_WHY_BYTES], const char *what, const char *text)
{
	snprintf(why, XVMSG_WHY_BYTES, "%s%s%s", what, *text ? ": " : "", text);
}

/* A socket to the daemon, or -1 with a line in why. */
static int dial(char why[XVMSG_WHY_BYTES])
{
	struct timeval limit = { .tv_sec = xvmsg_limit_s };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(xvmsg_socket) >= sizeof(address.sun_path)) {
		set_why(why, "socket path is too long", xvmsg_socket);
		return -1;
	}
	strcpy(address.sun_path, xvmsg_socket);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0) {
		set_why(why, "no socket to be had", strerror(errno));
		return -1;
	}
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return sock;
	if (errno == EACCES)
		set_why(why, "only root may ask the daemon", "");
	else if (errno == ENOENT || errno == ECONNREFUSED)
		set_why(why, "xvmsgd does not run; start it with /etc/init.d/xvmsgd start", "");
	else
		set_why(why, xvmsg_socket, strerror(errno));
	close(sock);
	return -1;
}

/* A daemon that has closed the socket may have said why before; so this is no error yet. */
static void say(int sock, struct json_object *request)
{
	const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	struct iovec iov[2] = { { (void *)text, strlen(text) }, { (void *)"\n", 1 } };
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };

	if (sendmsg(sock, &hdr, MSG_NOSIGNAL) < 0)
		shutdown(sock, SHUT_WR);
}

int xvmsg_begin(struct json_object *request)
{
	char why[XVMSG_WHY_BYTES];
	int sock = dial(why);

	if (sock < 0)
		return xvmsg_fail(why, "");
	say(sock, request);
	return sock;
}

/* One line, allocated, or NULL. */
static char *read_line(int sock)
{
	char *text = NULL;
	size_t have = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (have + 1 >= room) {
			char *more = room < MAX_ANSWER_BYTES ? realloc(text, room += 65536) : NULL;

			if (!more)
				break;
			text = more;
		}
		n = read(sock, text + have, room - have - 1);
		if (n <= 0)
			break;
		have += (size_t)n;
		text[have] = 0;
		if (text[have - 1] == '\n')
			return text;
	}
	free(text);
	return NULL;
}

struct json_object *xvmsg_try(struct json_object *request, char why[XVMSG_WHY_BYTES])
{
	struct json_object *answer = NULL, *ok, *error;
	int sock = dial(why);
	char *line;

	if (sock < 0)
		return NULL;
	say(sock, request);
	line = read_line(sock);
	close(sock);
	if (line)
		answer = json_tokener_parse(line);
	free(line);
	if (!answer || !json_object_object_get_ex(answer, "ok", &ok))
		set_why(why, "the daemon does not answer", "");
	else if (!json_object_get_boolean(ok))
		set_why(why, json_object_object_get_ex(answer, "error", &error) ? json_object_get_string(error) : "refused", "");
	else
		return answer;
	json_object_put(answer);
	return NULL;
}

struct json_object *xvmsg_ask(struct json_object *request)
{
	char why[XVMSG_WHY_BYTES];
	struct json_object *answer = xvmsg_try(request, why);

	if (!answer)
		xvmsg_fail(why, "");
	return answer;
}

struct json_object *xvmsg_request(const char *command, const char *guest)
{
	struct json_object *request = json_object_new_object();

	json_object_object_add(request, "cmd", json_object_new_string(command));
	if (guest)
		json_object_object_add(request, "guest", json_object_new_string(guest));
	return request;
}

int xvmsg_ask_and_print(struct json_object *request, void (*print)(struct json_object *answer))
{
	struct json_object *answer = xvmsg_ask(request);

	json_object_put(request);
	if (!answer)
		return XVMSG_FAILED;
	if (xvmsg_json)
		xvmsg_print_json(answer);
	else
		print(answer);
	json_object_put(answer);
	return xvmsg_flush();
}

int xvmsg_flush(void)
{
	return fflush(stdout) || ferror(stdout) ? (xvmsg_fail("output", strerror(errno)), XVMSG_FAILED) : XVMSG_OK;
}
