// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bytes of a console that nobody has taken yet: bounded, and what is lost is
 * counted and said in the stream, where the next byte after the loss is.
 */
#include "console.h"
#include <stdio.h>

#define STEP_BYTES 4096u

static void put(struct console_buf *buf, const u8 *data, u32 bytes)
{
	u32 end = (buf->at + buf->len) % CONSOLE_BUF_BYTES;
	u32 first = bytes < CONSOLE_BUF_BYTES - end ? bytes : CONSOLE_BUF_BYTES - end;

	memcpy(buf->data + end, data, first);
	memcpy(buf->data, data + first, bytes - first);
	buf->len += bytes;
}

static void drop(struct console_buf *buf, u32 bytes)
{
	buf->at = (buf->at + bytes) % CONSOLE_BUF_BYTES;
	buf->len -= bytes;
}

void console_buf_add(struct console_buf *buf, const struct xvm_chain *chain)
{
	u32 bytes = chain->out_bytes, off = 0, n;
	u8 step[STEP_BYTES];

	/* Of more than the buffer holds only the end would stay. */
	if (bytes > CONSOLE_BUF_BYTES) {
		off = bytes - CONSOLE_BUF_BYTES;
		buf->lost += off;
		bytes = CONSOLE_BUF_BYTES;
	}
	if (bytes > CONSOLE_BUF_BYTES - buf->len) {
		n = bytes - (CONSOLE_BUF_BYTES - buf->len);
		buf->lost += n;
		drop(buf, n);
	}
	for (; bytes; bytes -= n, off += n) {
		n = bytes < sizeof(step) ? bytes : (u32)sizeof(step);
		xvm_iov_get(chain->out, chain->nout, off, step, n);
		put(buf, step, n);
	}
}

/* One note for all that was lost, unless the reader has a part of it already: then another follows. */
static void note_loss(struct console_buf *buf)
{
	buf->told += buf->lost;
	buf->lost = 0;
	buf->note_len = (u32)snprintf(buf->note, sizeof(buf->note), "\r\n[%llu bytes lost]\r\n",
				      (unsigned long long)buf->told);
}

u32 console_buf_next(struct console_buf *buf, const u8 **data)
{
	if (buf->lost && !buf->note_at)
		note_loss(buf);
	if (buf->note_len) {
		*data = (const u8 *)buf->note + buf->note_at;
		return buf->note_len;
	}
	*data = buf->data + buf->at;
	return buf->len < CONSOLE_BUF_BYTES - buf->at ? buf->len : CONSOLE_BUF_BYTES - buf->at;
}

void console_buf_drop(struct console_buf *buf, u32 bytes)
{
	if (!buf->note_len) {
		drop(buf, bytes);
		return;
	}
	buf->note_at += bytes;
	buf->note_len -= bytes;
	if (!buf->note_len) {
		buf->note_at = 0;
		buf->told = 0;
	}
}
