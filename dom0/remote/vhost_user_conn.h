/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes and descriptors of one vhost-user socket: sends whole messages, puts
 * whole ones together. Knows their framing and no meaning. Never waits.
 *
 * Trust: the peer is a server that may send anything. A length above what any
 * message has, more descriptors than a message takes, or descriptors in the
 * middle of one end the connection; whoever does not take a descriptor has it closed.
 */
#ifndef XVM_DOM0_REMOTE_VHOST_USER_CONN_H
#define XVM_DOM0_REMOTE_VHOST_USER_CONN_H

#include "vhost_user_msg.h"

struct vu_conn {
	int fd;				/* -1: closed */
	struct vu_header header;	/* of the message that is whole, or under way */
	u32 got;			/* bytes of it so far */
	u8 in[VU_HDR_BYTES + VU_MAX_PAYLOAD];
	int fds[VU_MAX_FDS];		/* that came with it; -1 once taken */
	u32 nfds;
	const char *fault;		/* why recv said -EPROTO */
	u32 fault_value;
};

/* A connected stream socket, the connection's from now on. */
void vu_conn_open(struct vu_conn *conn, int fd);
void vu_conn_close(struct vu_conn *conn);

/*
 * Sends a message of vu_encode's; descriptors stay the caller's. Returns 0 or
 * negative errno; -EAGAIN: the peer does not read what it was sent before.
 */
int vu_conn_send(struct vu_conn *conn, const u8 *msg, u32 bytes, const int *fds, u32 nfds);

/*
 * Takes the next message: 1, its header is in conn->header; 0: the peer is gone;
 * -EAGAIN: not whole yet; or another negative errno, -EPROTO with a fault. The one before is
 * forgotten, with the descriptors that were not taken.
 */
int vu_conn_recv(struct vu_conn *conn);
/* The payload of the message that recv returned. */
const u8 *vu_conn_payload(const struct vu_conn *conn);
/* The next descriptor that came with it, now the caller's, or -1. */
int vu_conn_take_fd(struct vu_conn *conn);

#endif
