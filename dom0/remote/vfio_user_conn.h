/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection to a vfio-user server: bytes and descriptors on one or two
 * stream sockets, replies matched to their commands, commands of the server's
 * passed on and answered. Knows nothing of what is said, but for its length.
 *
 * Nothing here waits. The owner calls pump when a socket may be read or
 * written, and tick now and then; both directions of both sockets go on
 * whatever the others do. What the server can make us keep is bounded, and so
 * is its time to reply; whoever goes beyond loses the connection.
 */
#ifndef XVM_DOM0_REMOTE_VFIO_USER_CONN_H
#define XVM_DOM0_REMOTE_VFIO_USER_CONN_H

#include "vfio_user_msg.h"

#define VFU_REPLY_MS 5000u	/* for a reply, and for the rest of a message */
#define VFU_MAX_PENDING 128u	/* commands of ours without a reply */
#define VFU_MAX_QUEUED (8u * VFU_MAX_XFER)	/* answers the server has not taken */

struct vfu_conn;

/* A message that came. The descriptors not taken are closed behind the callback. */
struct vfu_msg {
	u16 id, cmd;
	u32 flags;
	u32 error;		/* of a reply: 0, or what the server says in errno's numbers */
	const u8 *body;
	u32 bytes;
	int fd[VFU_MAX_FDS];	/* -1 once taken */
	u32 nfds;
	bool on_twin;
};

/* What came in answer to a command. Returns NULL, or the rule it breaks: the connection ends. */
typedef const char *(*vfu_done)(void *arg, u64 tag, struct vfu_msg *reply);

struct vfu_conn_ops {
	/* A command of the server's: vfu_conn_answer, now. Returns as vfu_done does. */
	const char *(*command)(void *arg, struct vfu_msg *command);
	/* It is over, once, from within pump, tick or call; the conn is still there. */
	void (*failed)(void *arg, const char *why);
};

/* Takes the socket. NULL: out of memory, and the socket is closed. */
struct vfu_conn *vfu_conn_new(int sock, const struct vfu_conn_ops *ops, void *arg);
/* Closes everything. Not from within a callback. */
void vfu_conn_free(struct vfu_conn *conn);

/* From now on server's commands come there, and nowhere else. Takes the socket. */
void vfu_conn_set_twin(struct vfu_conn *conn, int sock);

/* The limit of the data and descriptors in one message of ours, from VERSION. */
void vfu_conn_set_limits(struct vfu_conn *conn, u32 max_fds, u32 max_xfer);

/*
 * Queues a command: head, then data (its length may be 0). The descriptors stay
 * the caller's and must stay open until done or vfu_conn_fd_gone. Failure ends
 * the connection, so nobody needs to look at a result.
 */
void vfu_conn_call(struct vfu_conn *conn, u16 cmd, const u8 *head, u32 head_bytes, const void *data,
		   u32 bytes, const int *fds, u32 nfds, vfu_done done, u64 tag, u64 now_ms);
/* The reply to a command; error: 0, or an errno in place of the body. */
void vfu_conn_answer(struct vfu_conn *conn, const struct vfu_msg *command, u32 error, const u8 *head,
		     const void *data, u32 bytes);
/* The caller closes this descriptor now: the connection ends if the server has not got it. */
void vfu_conn_fd_gone(struct vfu_conn *conn, int fd);

/* Reads and writes what is possible now. True: there is more to be read, call again soon. */
bool vfu_conn_pump(struct vfu_conn *conn, u64 now_ms);
/* Ends it when the server has taken too long. */
void vfu_conn_tick(struct vfu_conn *conn, u64 now_ms);

/* The caller has found a rule broken. */
void vfu_conn_fail(struct vfu_conn *conn, const char *why);
bool vfu_conn_dead(const struct vfu_conn *conn);
/* Commands without a reply. */
u32 vfu_conn_pending(const struct vfu_conn *conn);
/* Something is to come that tick has a limit for. */
bool vfu_conn_waits(const struct vfu_conn *conn);
/* Sockets to watch, -1: there is none, and whether they are to be watched for room to write. */
int vfu_conn_fd(const struct vfu_conn *conn, bool twin);
bool vfu_conn_wants_out(const struct vfu_conn *conn, bool twin);

#endif
