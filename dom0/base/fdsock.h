/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams with descriptors over a SOCK_SEQPACKET socket. Knows nothing of
 * what is said. A received message owns its descriptors: whoever wants one
 * takes it, fdsock_release closes the rest, so that a peer who sends more than
 * was asked for cannot fill our table.
 */
#ifndef DOM0_BASE_FDSOCK_H
#define DOM0_BASE_FDSOCK_H

#include <stddef.h>
#include <stdint.h>
#include "fdset.h"

#define FDSOCK_MAX_FDS FDSET_MAX
#define FDSOCK_MAX_BYTES 4096

struct fdsock_msg {
	size_t bytes;
	struct fdset fds;
	union {
		uint64_t align;
		unsigned char data[FDSOCK_MAX_BYTES];
	};
};

/* A connected pair, close-on-exec. Returns 0 or negative errno. */
int fdsock_pair(int sock[2]);

/*
 * Sends one datagram; the descriptors stay the caller's. wait false: -EAGAIN
 * when the socket is full. Returns 0 or negative errno; never raises SIGPIPE.
 */
int fdsock_send(int sock, const void *data, size_t bytes, const int *fds, unsigned int nfds,
		int wait);

/*
 * Takes one datagram without waiting. Returns 1, 0 (the peer is gone),
 * -EAGAIN (none), or another negative errno; -EMSGSIZE: longer than
 * FDSOCK_MAX_BYTES, or too many descriptors; it is lost then and everything that
 * came with it is closed. On 1 the caller owes fdsock_release.
 */
int fdsock_recv(int sock, struct fdsock_msg *msg);

/* Closes what was not taken. */
void fdsock_release(struct fdsock_msg *msg);

#endif
