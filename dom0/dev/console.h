/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of virtio-console share. Only they include this. */
#ifndef XVM_DOM0_DEV_CONSOLE_H
#define XVM_DOM0_DEV_CONSOLE_H

#include "dev.h"
#include "../ipc.h"
#include "../virtio/aio.h"

/* Output that nobody has taken yet, of a port and of the log (rules.md, section 7). */
#define CONSOLE_BUF_BYTES	65536u
/* What a port reads from its pty at once. */
#define CONSOLE_IN_BYTES	4096u
#define CONSOLE_LOG_STEP	16384u
#define CONSOLE_LOG_MAX		(16ull << 20)	/* then the other file is begun */
#define CONSOLE_LOG_FILES	2u
#define CONSOLE_MAX_CHAINS	64u	/* per pass and queue */

/* ---- console_buf.c: a ring of bytes; when it is full the oldest are lost ---- */

struct console_buf {
	u32 at, len;
	u64 lost, told;	/* told: by the note, which the reader may not have yet */
	u32 note_at, note_len;
	char note[48];
	u8 data[CONSOLE_BUF_BYTES];
};

/* The bytes of a chain's readable part. */
void console_buf_add(struct console_buf *buf, const struct xvm_chain *chain);
/* The oldest bytes, in one piece, or words about a loss before them; 0: there are none. */
u32 console_buf_next(struct console_buf *buf, const u8 **data);
/* So many of these were taken. */
void console_buf_drop(struct console_buf *buf, u32 bytes);

/* ---- console_log.c: two files in turn ---- */

struct console_log {
	struct xvm_vdev *vdev;
	struct xvm_aio_req req;
	struct iovec iov;
	int fd[CONSOLE_LOG_FILES];
	u64 bytes;		/* in the one being written */
	u32 now;		/* which one that is */
	u32 step_at, step_len;	/* what is being written of step */
	bool failed;		/* said already */
	u8 step[CONSOLE_LOG_STEP];
	struct console_buf buf;
};

/* Takes both descriptors in any case. NULL with a line in why. */
struct console_log *console_log_new(struct xvm_vdev *vdev, struct fdset *fds, u32 first, char *why, size_t why_bytes);
void console_log_free(struct console_log *log);
void console_log_add(struct console_log *log, const struct xvm_chain *chain);

/* ---- console.c and console_ctl.c ---- */

/* What the driver is owed about a port; one message each, in this order. */
enum console_news {
	NEWS_ADD, NEWS_CONSOLE, NEWS_RESIZE, NEWS_NAME, NEWS_OPEN, NUM_NEWS
};

struct console_port {
	struct xvm_vdev *vdev;
	u32 index;
	int fd;			/* master of the pty, non-blocking */
	struct xvm_aio_req in_poll, out_poll;
	bool in_polls, out_polls;	/* one is under way */
	bool open;		/* the driver takes input */
	u32 news;		/* bit per enum console_news */
	u32 in_at, in_len;
	u8 in[CONSOLE_IN_BYTES];
	struct console_buf out;
	char name[sizeof(((struct xvm_ipc_console *)0)->name[0])];
};

struct console {
	u32 ports;
	bool multiport;		/* negotiated */
	struct console_log *log;	/* NULL: none */
	struct console_port *port;
};

/* The control queues of a device with several ports (virtio 1.2, section 5.3.6.2). */
#define CONSOLE_CTL_IN	2u
#define CONSOLE_CTL_OUT	3u

/* Sends what is owed, as far as there are buffers. */
void console_ctl_send(struct xvm_vdev *vdev);
/* True: more is left. */
bool console_ctl_take(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget);
/* The driver may take input from now on, or no longer. */
void console_port_open(struct console_port *port, bool open);

#endif
