// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vfio-user server of the tests, fed with a client's bytes, and with memory
 * that the input describes: it must outlive any of them, or the tests that rest
 * on it prove nothing. First byte: which server; the rest as it comes.
 */
/* LINK: tests/remote/vfio_server.c */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../remote/vfio_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vfio_server how = { .image = -1, .twin = TWIN_YES, .never_wait = true };
	char sink[4096];
	int pair[2];

	if (!size || size > 16384 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	how.intx = data[0] & 1;
	how.map_notify = data[0] & 2;
	how.bounce = data[0] & 4;
	how.queues = data[0] & 16 ? VFIO_SERVER_QUEUES : 1;
	if (data[0] & 8) {
		how.image = memfd_create("image", 0);
		if (how.image < 0 || ftruncate(how.image, 65536))
			abort();
	}
	if (send(pair[0], data + 1, size - 1, MSG_DONTWAIT) < 0)
		abort();
	shutdown(pair[0], SHUT_WR);
	vfio_server_run(&how, pair[1]);
	while (recv(pair[0], sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	close(pair[0]);
	if (how.image >= 0)
		close(how.image);
	return 0;
}
