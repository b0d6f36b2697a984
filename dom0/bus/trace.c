// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A copy of the connection's messages for somebody who asked for it: batches
 * over a socket, as include/xvmsg/ctl.h says, one per pass of the bus. Never
 * waits: while the socket is full the batch is kept, and what no longer fits in
 * it is lost and counted. So a loss stands between two batches, and the next one
 * tells its size.
 */
#include "bus_priv.h"
#include "../ipc.h"
#include "../base/log.h"
#include "../../include/xvmsg/ctl.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* How often a reader that is behind is looked after while the guest is quiet. */
#define RETRY_MS 50

struct bus_trace {
	int sock;
	bool ended;			/* nobody reads any more */
	u32 used;			/* bytes of the batch; 0: not begun */
	u32 missing;			/* lost since the batch in hand was full */
	u8 batch[XVM_TRACE_BATCH_MAX_BYTES];
};

static void end(struct bus *bus)
{
	close(bus->trace->sock);
	free(bus->trace);
	bus->trace = NULL;
}

void bus_trace(struct bus *bus, int sock)
{
	if (bus->trace)
		end(bus);
	if (sock < 0)
		return;
	bus->trace = calloc(1, sizeof(*bus->trace));
	if (bus->trace) {
		bus->trace->sock = sock;
	} else {
		log_warn("no memory for a trace");
		close(sock);
	}
}

/* ---- a batch ---- */

static void begin(struct bus_trace *t)
{
	xvm_put32(t->batch + XVM_TRACE_LOST, t->missing);
	xvm_put32(t->batch + XVM_TRACE_RESERVED, 0);
	t->missing = 0;
	t->used = XVM_TRACE_BATCH_HDR_BYTES;
}

/* sendmsg and no other call: it is the one that the filter allows. */
static int hand_over(struct bus_trace *t)
{
	struct iovec iov = { .iov_base = t->batch, .iov_len = t->used };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = sendmsg(t->sock, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Hands the batch over if it can be; true: nothing is left to be told. */
static bool flush(struct bus_trace *t)
{
	int err;

	if (!t->used || t->ended)
		return true;
	err = hand_over(t);
	/* The last two: dom0 is short of memory, which passes. */
	if (err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM)
		return false;
	t->ended = err;
	t->used = 0;
	if (err || !t->missing)
		return true;
	begin(t);	/* the loss is told even if nothing follows */
	return flush(t);
}

static bool has_room(const struct bus_trace *t, u32 bytes)
{
	return (t->used ? t->used : XVM_TRACE_BATCH_HDR_BYTES) + bytes <= sizeof(t->batch);
}

static void put_record(struct bus_trace *t, bool to_driver, const u8 *msg, u32 len, u32 bytes)
{
	u8 *at = t->batch + t->used;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	memset(at, 0, bytes);
	xvm_put64(at + XVM_TRACE_NS, (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec);
	xvm_put32(at + XVM_TRACE_LENGTH, len);
	at[XVM_TRACE_DIRECTION] = to_driver ? XVM_TRACE_TO_DRIVER : XVM_TRACE_TO_DEVICE;
	memcpy(at + XVM_TRACE_RECORD_HDR_BYTES, msg, len);
	t->used += bytes;
}

void trace_add(struct bus *bus, bool to_driver, const u8 *msg, u32 len)
{
	struct bus_trace *t = bus->trace;
	u32 bytes = XVM_TRACE_RECORD_HDR_BYTES +
		    ((len + XVM_TRACE_ALIGN - 1) & ~(XVM_TRACE_ALIGN - 1u));

	if (!has_room(t, bytes))
		flush(t);
	if (!has_room(t, bytes)) {
		bus->trace_lost++;
		t->missing += t->missing != UINT32_MAX;
		return;
	}
	if (!t->used)
		begin(t);
	put_record(t, to_driver, msg, len, bytes);
	bus->traced++;
}

/* ---- once per pass ---- */

static void timer_done(struct xvm_aio_req *req, int result)
{
	struct bus *bus = (struct bus *)((char *)req - offsetof(struct bus, trace_timer));

	(void)result;
	bus->trace_waits = false;
	trace_flush(bus);
}

void trace_flush(struct bus *bus)
{
	if (!bus->trace)
		return;
	if (!flush(bus->trace)) {
		bus->trace_timer.done = timer_done;
		if (!bus->trace_waits)
			bus->trace_waits = !xvm_aio_timer(bus->aio, &bus->trace_timer, RETRY_MS);
	} else if (bus->trace->ended) {
		end(bus);
	}
}
