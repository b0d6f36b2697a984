// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server of vfio_server.h at a socket of its own: one connection after the
 * other, until it is killed. SIGHUP: the image has another size.
 *   xvm-vfio-server --socket PATH [--image FILE [--queues N]] [--one-socket] [--map-notify] [--intx] [--bounce]
 *                   [--at PHASE --do ACT [--count N]]
 */
#include "vfio_server.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct vfio_server_seen seen;

static void on_hup(int signal)
{
	(void)signal;
	seen.grown = true;
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "xvm-vfio-server: path of %zu bytes, %zu is the limit\n", strlen(path),
			sizeof(addr.sun_path) - 1);
		exit(2);
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || listen(sock, 1)) {
		perror(path);
		exit(1);
	}
	return sock;
}

static int usage(void)
{
	fprintf(stderr, "usage: xvm-vfio-server --socket PATH [--image FILE [--queues N]] [--one-socket] [--map-notify] [--intx] "
		"[--bounce] [--at PHASE --do ACT [--count N]]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' }, { "image", required_argument, NULL, 'i' },
		{ "one-socket", no_argument, NULL, 'o' }, { "map-notify", no_argument, NULL, 'm' },
		{ "intx", no_argument, NULL, 'x' }, { "bounce", no_argument, NULL, 'b' },
		{ "at", required_argument, NULL, 'a' }, { "do", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'c' }, { "queues", required_argument, NULL, 'q' }, { 0 }
	};
	struct vfio_server how = { .image = -1, .twin = TWIN_YES, .seen = &seen };
	struct sigaction hup = { .sa_handler = on_hup };
	const char *path = NULL;
	int opt, sock, conn, word = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 's':
			path = optarg;
			break;
		case 'i':
			how.image = open(optarg, O_RDWR | O_CLOEXEC);
			if (how.image < 0) {
				perror(optarg);
				return 1;
			}
			break;
		case 'q':
			how.queues = (unsigned int)strtoul(optarg, NULL, 10);
			if (!how.queues || how.queues > VFIO_SERVER_QUEUES) {
				fprintf(stderr, "xvm-vfio-server: %s queues, 1 to %u can be\n", optarg, VFIO_SERVER_QUEUES);
				return 2;
			}
			break;
		case 'o':
			how.twin = TWIN_NO;
			break;
		case 'm':
			how.map_notify = true;
			break;
		case 'x':
			how.intx = true;
			break;
		case 'b':
			how.bounce = true;
			break;
		case 'a':
			word = vfio_server_phase(optarg);
			how.at = (enum vfio_server_phase)word;
			break;
		case 'd':
			word = vfio_server_act(optarg);
			how.act = (enum vfio_server_act)word;
			break;
		case 'c':
			how.count = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		default:
			return usage();
		}
		if (word < 0)
			return usage();
	}
	if (!path || optind != argc)
		return usage();
	sigaction(SIGHUP, &hup, NULL);
	sock = listen_at(path);
	for (;;) {
		conn = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
		if (conn < 0)
			continue;
		if (vfio_server_run(&how, conn))
			fprintf(stderr, "xvm-vfio-server: the client broke a rule\n");
		/* What it was told to do wrong it does once; one that dies stays dead. */
		if (how.at != AT_NOTHING && how.act == DO_DIE)
			return 0;
		how.at = AT_NOTHING;
	}
}
