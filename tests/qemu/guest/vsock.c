// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes over AF_VSOCK, for guests and dom0 of the lab, which have no other program for it:
 *   xvm-vsock listen PORT       one connection's bytes to standard output
 *   xvm-vsock send CID PORT     standard input to a listener
 * Ends with 0 when both sides have ended the connection in good order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int copy(int from, int to)
{
	static char data[65536];
	ssize_t n, m, at;

	while ((n = read(from, data, sizeof(data))) > 0)
		for (at = 0; at < n; at += m) {
			m = write(to, data + at, (size_t)(n - at));
			if (m <= 0)
				return fail("write");
		}
	return n ? fail("read") : 0;
}

static int take(int sock, const struct sockaddr_vm *address)
{
	int connection;

	if (bind(sock, (const struct sockaddr *)address, sizeof(*address)) || listen(sock, 1))
		return fail("listen");
	connection = accept(sock, NULL, NULL);
	return connection < 0 ? fail("accept") : copy(connection, STDOUT_FILENO);
}

static int give(int sock, const struct sockaddr_vm *address)
{
	char end;

	if (connect(sock, (const struct sockaddr *)address, sizeof(*address)))
		return fail("connect");
	if (copy(STDIN_FILENO, sock) || shutdown(sock, SHUT_WR))
		return 1;
	/* The listener closes when it has all. */
	return read(sock, &end, 1) ? fail("end") : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
	int sock = socket(AF_VSOCK, SOCK_STREAM, 0), status = 2;

	if (sock < 0)
		return fail("socket");
	if (argc == 3 && !strcmp(argv[1], "listen")) {
		address.svm_port = (unsigned int)atoi(argv[2]);
		status = take(sock, &address);
	} else if (argc == 4 && !strcmp(argv[1], "send")) {
		address.svm_cid = (unsigned int)strtoul(argv[2], NULL, 10);
		address.svm_port = (unsigned int)atoi(argv[3]);
		status = give(sock, &address);
	}
	return status;
}
