// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvmsg: asks the daemon, by its control socket, and prints the answer as a
 * table or, with --json, as the daemon gave it.
 */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_ANSWER_BYTES (16u << 20)
#define ANSWER_LIMIT_S 5

static const char *socket_path = "/run/xen-virtio-msg/xvmsgd.sock";

static const char help[] =
	"usage: xvmsg [--json] [--socket PATH] COMMAND\n"
	"  list          guests with devices of ours\n"
	"  stat GUEST    counters of one guest, by name or domain id\n"
	"  ping          is the daemon there?\n"
	"  version       of this command and of the daemon\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "xvmsg: %s%s%s\n", what, *why ? ": " : "", why);
	return -1;
}

static int dial(void)
{
	static const struct timeval limit = { .tv_sec = ANSWER_LIMIT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return fail("socket path is too long", socket_path);
	strcpy(address.sun_path, socket_path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return fail("no socket to be had", strerror(errno));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(sock, (struct sockaddr *)&address, sizeof(address))) {
		if (errno == EACCES)
			fail("only root may ask the daemon", "");
		else if (errno == ENOENT || errno == ECONNREFUSED)
			fail("xvmsgd does not run; start it with /etc/init.d/xvmsgd start", "");
		else
			fail(socket_path, strerror(errno));
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
static struct json_object *ask(struct json_object *request)
{
	const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	struct json_object *answer = NULL, *ok, *error;
	int sock = dial();
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
		fail("the daemon does not answer", "");
	} else if (!json_object_get_boolean(ok)) {
		fail(json_object_object_get_ex(answer, "error", &error) ? json_object_get_string(error) : "refused", "");
	} else {
		return answer;
	}
	json_object_put(answer);
	return NULL;
}

static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(json, key, &value) ? json_object_get_string(value) : "-";
}

static void print_guest(struct json_object *guest)
{
	struct json_object *devices;
	size_t i, n;

	if (!json_object_object_get_ex(guest, "devices", &devices))
		return;
	n = json_object_array_length(devices);
	for (i = 0; i < n; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		printf("%5s %-20s %-10s %3s %-4s %-6s %-12s %s\n", text_of(guest, "domid"), text_of(guest, "name"),
		       text_of(guest, "bus"), text_of(device, "device"), text_of(device, "type"),
		       text_of(device, "vdev"), text_of(device, "state"), text_of(device, "target"));
	}
}

static void print_list(struct json_object *answer)
{
	struct json_object *guests;
	size_t i, n;

	if (!json_object_object_get_ex(answer, "guests", &guests))
		return;
	n = json_object_array_length(guests);
	printf("%5s %-20s %-10s %3s %-4s %-6s %-12s %s\n", "DOMID", "NAME", "BUS", "NUM", "TYPE", "VDEV", "STATE",
	       "TARGET");
	for (i = 0; i < n; i++)
		print_guest(json_object_array_get_idx(guests, i));
}

static void print_counters(struct json_object *json, const char *prefix)
{
	json_object_object_foreach(json, key, value) {
		if (json_object_is_type(value, json_type_object))
			print_counters(value, "worker ");
		else if (!json_object_is_type(value, json_type_array))
			printf("%s%-*s %s\n", prefix, 24 - (int)strlen(prefix), key, json_object_get_string(value));
	}
}

static void print_stat(struct json_object *answer)
{
	struct json_object *guest;

	if (json_object_object_get_ex(answer, "guest", &guest))
		print_counters(guest, "");
}

static void print_ping(struct json_object *answer)
{
	(void)answer;
	puts("xvmsgd answers");
}

static void print_version(struct json_object *answer)
{
	printf("xvmsg %s, xvmsgd %s (process %s)\n", XVM_VERSION, text_of(answer, "version"), text_of(answer, "pid"));
}

static const struct command {
	const char *name;
	bool takes_guest;
	void (*print)(struct json_object *answer);
} commands[] = {
	{ "list", false, print_list },
	{ "stat", true, print_stat },
	{ "ping", false, print_ping },
	{ "version", false, print_version },
};

static int run(const struct command *command, const char *guest, bool json)
{
	struct json_object *request = json_object_new_object(), *answer;

	json_object_object_add(request, "cmd", json_object_new_string(command->name));
	if (guest)
		json_object_object_add(request, "guest", json_object_new_string(guest));
	answer = ask(request);
	json_object_put(request);
	if (!answer)
		return 1;
	if (json)
		puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		command->print(answer);
	json_object_put(answer);
	return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool json = false;
	size_t i;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'j') {
			json = true;
		} else if (opt == 's') {
			socket_path = optarg;
		} else {
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *command = &commands[i];

		if (optind < argc && !strcmp(argv[optind], command->name) && argc - optind == 1 + command->takes_guest)
			return run(command, command->takes_guest ? argv[optind + 1] : NULL, json);
	}
	fputs(help, stderr);
	return 2;
}
