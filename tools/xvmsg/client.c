// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: one request, one answer. */
#include "xvmsg.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ANSWER_BYTES (16u << 20)

int xvmsg_limit_s = 5;

int xvmsg_fail(const char *what, const char *why)
{
	fprintf(stderr, "xvmsg: %s%s%s\n", what, *why ? ": " : "", why);
	return -1;
}

int xvmsg_dial(void)
{
	struct timeval limit = { .tv_sec = xvmsg_limit_s };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(xvmsg_socket) >= sizeof(address.sun_path))
		return xvmsg_fail("socket path is too long", xvmsg_socket);
	strcpy(address.sun_path, xvmsg_socket);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return xvmsg_fail("no socket to be had", strerror(errno));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(sock, (struct sockaddr *)&address, sizeof(address))) {
		if (errno == EACCES)
			xvmsg_fail("only root may ask the daemon", "");
		else if (errno == ENOENT || errno == ECONNREFUSED)
			xvmsg_fail("xvmsgd does not run; start it with /etc/init.d/xvmsgd start", "");
		else
			xvmsg_fail(xvmsg_socket, strerror(errno));
		close(sock);
		return -1;
	}
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

/* The daemon's answer, or NULL after one line about what went wrong. */
struct json_object *xvmsg_ask(struct json_object *request)
{
	const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	struct json_object *answer = NULL, *ok, *error;
	int sock = xvmsg_dial();
	char *line = NULL;

	if (sock < 0)
		return NULL;
	if (dprintf(sock, "%s\n", text) > 0)
		line = read_line(sock);
	close(sock);
	if (line)
		answer = json_tokener_parse(line);
	free(line);
	if (!answer || !json_object_object_get_ex(answer, "ok", &ok)) {
		xvmsg_fail("the daemon does not answer", "");
	} else if (!json_object_get_boolean(ok)) {
		xvmsg_fail(json_object_object_get_ex(answer, "error", &error) ? json_object_get_string(error) : "refused", "");
	} else {
		return answer;
	}
	json_object_put(answer);
	return NULL;
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
	return fflush(stdout) ? XVMSG_FAILED : XVMSG_OK;
}
