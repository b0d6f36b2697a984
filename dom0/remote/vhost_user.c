// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_user_priv.h"
#include "../../xen/proto/num.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS 500u
#define RECV_BUDGET 16u		/* messages per wake-up */
#define TICKS(ms) ((ms) / TICK_MS + 1)	/* one may be about to end */

/* Freed, and an operation of theirs has not come back: the loop may end before it does. */
static struct vu_front *freed;

/* ---- end ---- */

static void close_all(struct vu_front *f)
{
	vu_conn_close(&f->conn);
	vu_conn_close(&f->back);
	if (f->back_peer >= 0)
		close(f->back_peer);
	f->back_peer = -1;
}

static void end_polls(struct vu_front *f)
{
	if (f->conn_polled)
		xvm_aio_poll_end(f->aio, &f->conn_poll);
	if (f->back_polled)
		xvm_aio_poll_end(f->aio, &f->back_poll);
}

static void fail(struct vu_front *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct vu_front *f, const char *format, ...)
{
	char why[160];
	va_list ap;

	if (f->phase == FAILED || f->freed)
		return;
	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	f->phase = FAILED;
	f->awaits = false;
	close_all(f);
	end_polls(f);
	f->ops->failed(f->arg, why);
}

/* True when this was the last thing a freed front-end waited for, and it is gone. */
static bool gone(struct vu_front *f)
{
	struct vu_front **at;

	if (!f->freed || f->busy || f->conn_polled || f->back_polled || f->timed || f->back_timed)
		return f->freed;
	for (at = &freed; *at != f; at = &(*at)->next_freed)
		;
	*at = f->next_freed;
	free(f);
	return true;
}

/* Around whatever may call ops; true: f is still to be used. */
static void enter(struct vu_front *f)
{
	f->busy++;
}

static bool leave(struct vu_front *f)
{
	f->busy--;
	return !gone(f);
}

void vu_front_free(struct vu_front *f)
{
	if (!f)
		return;
	if (f->start.inflight.fd >= 0)
		close(f->start.inflight.fd);
	f->start.inflight.fd = -1;
	close_all(f);
	f->freed = true;
	f->awaits = false;
	f->next_freed = freed;
	freed = f;
	if (f->phase != FAILED)
		end_polls(f);
	gone(f);
}

/* ---- one message after the other ---- */

static void tick_later(struct vu_front *f);

static void on_tick(struct xvm_aio_req *req, int result)
{
	struct vu_front *f = (struct vu_front *)((char *)req - offsetof(struct vu_front, timer));

	(void)result;
	f->timed = false;
	if (gone(f) || !f->awaits)
		return;
	enter(f);
	if (!--f->ticks)
		fail(f, "%s was not answered within %u s", vu_row(VU_FRONT, f->step->request)->name,
		     VU_ANSWER_MS / 1000);
	else if (!--f->run_ticks)
		fail(f, "it answers too slowly: the time for all of it was over at %s",
		     vu_row(VU_FRONT, f->step->request)->name);
	else
		tick_later(f);
	leave(f);
}

static void tick_later(struct vu_front *f)
{
	if (f->timed)
		return;
	f->timer.done = on_tick;
	f->timed = !xvm_aio_timer(f->aio, &f->timer, TICK_MS);
	if (!f->timed)
		fail(f, "no timer could be had to wait for an answer");
}

static int send_msg(struct vu_front *f, struct vu_conn *conn, struct vu_msg *msg, enum vu_payload payload,
		    const int *fds, u32 nfds)
{
	u8 bytes[VU_HDR_BYTES + VU_MAX_PAYLOAD];
	u32 n;

	msg->flags |= VU_VERSION;
	n = vu_encode(bytes, msg, payload, f->protocol & VU_P_XEN_MMAP);
	return vu_conn_send(conn, bytes, n, fds, nfds);
}

/* Sends the message of the step at hand, if it has one; false: it failed. */
static bool do_step(struct vu_front *f)
{
	const struct vu_row *row = vu_row(VU_FRONT, f->step->request);
	struct request r = { .msg.request = row->request };
	int err;

	if ((f->protocol & row->needs) != row->needs || !f->step->make(f, &r))
		return true;
	f->acked = f->protocol & VU_P_REPLY_ACK && !row->replies && row->request != VU_SET_PROTOCOL_FEATURES;
	r.msg.flags = f->acked ? VU_NEED_REPLY : 0;
	err = send_msg(f, &f->conn, &r.msg, row->payload, r.fds, r.nfds);
	if (err) {
		fail(f, err == -EAGAIN ? "%s cannot be sent: it does not read its socket" : "%s cannot be sent",
		     row->name);
		return false;
	}
	f->awaits = row->replies || f->acked;
	if (f->awaits) {
		f->ticks = TICKS(VU_ANSWER_MS);
		tick_later(f);
	}
	return true;
}

static u32 times(const struct vu_front *f)
{
	switch (f->step->times) {
	case PER_RING:
		return f->start.rings;
	case PER_REGION:
		return f->start.regions;
	case ONCE:
		break;
	}
	return 1;
}

static bool poll_conn(struct vu_front *f, struct vu_conn *conn, struct xvm_aio_req *req, bool *polled)
{
	*polled = !xvm_aio_poll(f->aio, req, conn->fd, POLLIN);
	if (!*polled)
		fail(f, "its socket cannot be waited for");
	return *polled;
}

/* The server's own requests come from now on, or never. */
static bool listen_back(struct vu_front *f)
{
	if (f->back_peer >= 0)
		close(f->back_peer);
	f->back_peer = -1;
	if (f->protocol & VU_P_BACKEND_REQ)
		return poll_conn(f, &f->back, &f->back_poll, &f->back_polled);
	vu_conn_close(&f->back);
	return true;
}

static void start(struct vu_front *f);
static void stop(struct vu_front *f);

/* Behind an errand; false: it failed. */
static bool rest(struct vu_front *f)
{
	f->phase = f->rest;
	if (f->start_wanted)
		start(f);
	else if (f->stop_wanted)
		stop(f);
	return f->phase != FAILED && !f->freed;
}

static void region_ended(struct vu_front *f)
{
	bool ok = !f->refused;

	f->region_wish = REGION_NONE;
	if (rest(f))
		f->ops->region_done(f->arg, ok);
}

static void run_ended(struct vu_front *f)
{
	switch (f->phase) {
	case IDENTIFYING:
		f->phase = IDENTIFIED;
		if (listen_back(f))
			f->ops->identified(f->arg);
		break;
	case STARTING:
		f->phase = RUNNING;
		f->ops->started(f->arg);
		break;
	case LOOKING:
		if (rest(f))
			f->ops->config_news(f->arg);
		break;
	case PUTTING:
		if (rest(f))
			f->ops->config_put(f->arg);
		break;
	case REGION:
		region_ended(f);
		break;
	case STOPPING:
		f->phase = IDENTIFIED;
		f->ops->stopped(f->arg);
		break;
	case IDENTIFIED:
	case RUNNING:
	case FAILED:
		break;
	}
}

/* Goes on until there is something to wait for. The callbacks at the end may free f. */
static void advance(struct vu_front *f)
{
	while (f->step < f->end) {
		if (f->index >= times(f)) {
			f->step++;
			f->index = 0;
			continue;
		}
		if (!do_step(f) || f->phase == FAILED || f->awaits)
			return;
		f->index++;
	}
	run_ended(f);
}

static void run(struct vu_front *f, enum phase phase, const struct vu_run *run)
{
	f->phase = phase;
	f->step = run->steps;
	f->end = run->steps + run->n;
	f->index = 0;
	advance(f);
}

static void errand(struct vu_front *f, enum phase phase, const struct vu_run *steps)
{
	f->rest = f->phase;
	f->run_ticks = TICKS(VU_RUN_MS);
	run(f, phase, steps);
}

static bool idle(const struct vu_front *f)
{
	return f->phase == RUNNING || f->phase == IDENTIFIED;
}

/* What waited until nothing else is under way: the driver's bytes first, which others may wait for. */
static void look_again(struct vu_front *f)
{
	if (idle(f) && f->put_wanted) {
		f->put_wanted = false;
		errand(f, PUTTING, &vu_put);
	}
	if (idle(f) && f->config_news) {
		f->config_news = false;
		errand(f, LOOKING, &vu_look);
	}
	if (idle(f) && f->region_wish)
		errand(f, REGION, f->region_wish == REGION_ADD ? &vu_add_region : &vu_del_region);
}

/* ---- what comes ---- */

static const char *take_answer(struct vu_front *f, const struct vu_row *row)
{
	struct vu_msg msg;
	const char *fault = vu_check_reply(&f->conn.header, row, f->acked);

	if (fault)
		return fault;
	if (!vu_decode(&f->conn.header, f->acked ? VU_U64 : row->reply, vu_conn_payload(&f->conn), &msg))
		return "has fields that contradict each other";
	if (f->conn.nfds > row->reply_fds)
		return "comes with descriptors that nobody asked for";
	f->refused = f->acked && msg.u64;
	if (f->acked)
		return f->refused && f->phase != REGION ? "says that it failed" : NULL;
	return f->step->take ? f->step->take(f, &msg) : NULL;
}

static void on_answer(struct vu_front *f)
{
	const struct vu_row *row;
	const char *fault;

	if (!f->awaits) {
		fail(f, "it sent message %u unasked", f->conn.header.request);
		return;
	}
	row = vu_row(VU_FRONT, f->step->request);
	fault = take_answer(f, row);
	if (fault) {
		fail(f, "the answer to %s %s", row->name, fault);
		return;
	}
	f->awaits = false;
	f->index++;
	advance(f);
}

/* The back-end's requests; returns what it is answered, if it wants to be. */
static u64 take_request(struct vu_front *f, const struct vu_msg *msg)
{
	const struct vu_row *row = vu_row(VU_BACK, msg->request);

	if (!row || (f->protocol & row->needs) != row->needs)
		return 1;
	switch (msg->request) {
	case VU_BACK_CONFIG_CHANGE:
		f->config_news = true;
		return 0;
	case VU_BACK_VRING_CALL:
		if (msg->state.index >= f->start.rings)
			return 1;
		f->ops->called(f->arg, msg->state.index);
		return 0;
	case VU_BACK_VRING_ERR:
		fail(f, "it reports an error in ring %u", msg->state.index);
		return 0;
	/* HOST_NOTIFIER would put a page of a device's registers before the guest; a bus of messages has no place for it. */
	default:
		return 1;
	}
}

static void on_request(struct vu_front *f)
{
	const struct vu_row *row = vu_row(VU_BACK, f->back.header.request);
	const char *fault = vu_check_request(&f->back.header);
	struct vu_msg msg, answer = { .request = f->back.header.request, .flags = VU_REPLY };

	if (!fault && !vu_decode(&f->back.header, row ? row->payload : VU_ANY, vu_conn_payload(&f->back), &msg))
		fault = "has fields that contradict each other";
	if (fault) {
		fail(f, "its request %u %s", f->back.header.request, fault);
		return;
	}
	answer.u64 = take_request(f, &msg);
	if (f->phase != FAILED && !f->freed && msg.flags & VU_NEED_REPLY && f->protocol & VU_P_REPLY_ACK &&
	    send_msg(f, &f->back, &answer, VU_U64, NULL, 0))
		fail(f, "it does not read answers to its requests");
}

/* Of its own requests, for now: it is listened to again when the timer is over. */
static bool had_enough(const struct vu_front *f)
{
	return f->back_timed && f->back_taken >= VU_BACK_MAX;
}

static void on_back_timer(struct xvm_aio_req *req, int result)
{
	struct vu_front *f = (struct vu_front *)((char *)req - offsetof(struct vu_front, back_timer));
	bool again = had_enough(f);

	(void)result;
	f->back_timed = false;
	f->back_taken = 0;
	if (gone(f) || f->phase == FAILED || !again)
		return;
	enter(f);
	poll_conn(f, &f->back, &f->back_poll, &f->back_polled);
	leave(f);
}

static void count_request(struct vu_front *f)
{
	f->back_taken++;
	f->back_timer.done = on_back_timer;
	if (!f->back_timed)
		f->back_timed = !xvm_aio_timer(f->aio, &f->back_timer, TICK_MS);
}

/* Takes what there is on one of the two sockets; take may end or free the front-end. */
static void take_all(struct vu_front *f, struct vu_conn *conn, void (*take)(struct vu_front *f))
{
	u32 i;
	int ret;

	for (i = 0; i < RECV_BUDGET && f->phase != FAILED && !f->freed; i++) {
		ret = vu_conn_recv(conn);
		if (ret == -EAGAIN)
			return;
		if (ret > 0)
			take(f);
		if (ret > 0 && conn == &f->back)
			count_request(f);
		if (conn == &f->back && had_enough(f))
			return;
		if (ret == -EPROTO)
			fail(f, "it sent %s (%u)", conn->fault, conn->fault_value);
		else if (!ret)
			fail(f, "it closed the connection");
		else if (ret < 0)
			fail(f, "its socket failed (%d)", -ret);
	}
}

/* One of the sockets has something: take it, and wait for more. */
static void on_socket(struct vu_front *f, struct vu_conn *conn, struct xvm_aio_req *req, bool *polled,
		      void (*take)(struct vu_front *f))
{
	enter(f);
	*polled = false;
	take_all(f, conn, take);
	if (f->phase != FAILED && !f->freed &&
	    ((conn == &f->back && had_enough(f)) || poll_conn(f, conn, req, polled)))
		look_again(f);
	leave(f);
}

static void on_conn(struct xvm_aio_req *req, int result)
{
	struct vu_front *f = (struct vu_front *)((char *)req - offsetof(struct vu_front, conn_poll));

	(void)result;
	on_socket(f, &f->conn, req, &f->conn_polled, on_answer);
}

static void on_back(struct xvm_aio_req *req, int result)
{
	struct vu_front *f = (struct vu_front *)((char *)req - offsetof(struct vu_front, back_poll));

	(void)result;
	on_socket(f, &f->back, req, &f->back_polled, on_request);
}

/* ---- for the device ---- */

static void on_begin(struct xvm_aio_req *req, int result)
{
	struct vu_front *f = (struct vu_front *)((char *)req - offsetof(struct vu_front, timer));

	(void)result;
	f->timed = false;
	if (gone(f))
		return;
	enter(f);
	f->conn_poll.done = on_conn;
	f->back_poll.done = on_back;
	f->run_ticks = TICKS(VU_RUN_MS);
	if (poll_conn(f, &f->conn, &f->conn_poll, &f->conn_polled))
		run(f, IDENTIFYING, &vu_identify);
	leave(f);
}

struct vu_front *vu_front_new(struct xvm_aio *aio, int fd, int back, int back_peer, const struct vu_wish *wish,
			      const struct vu_front_ops *ops, void *arg)
{
	struct vu_front *f = calloc(1, sizeof(*f));

	if (!f) {
		close(fd);
		if (back >= 0)
			close(back);
		if (back_peer >= 0)
			close(back_peer);
		return NULL;
	}
	f->aio = aio;
	f->ops = ops;
	f->arg = arg;
	f->wish = *wish;
	f->slots = 1;		/* SET_MEM_TABLE takes eight; who needs more than one asks for slots */
	vu_conn_open(&f->conn, fd);
	vu_conn_open(&f->back, back);
	f->start.inflight.fd = -1;
	f->back_peer = back_peer;
	f->timer.done = on_begin;
	f->timed = !xvm_aio_timer(aio, &f->timer, 0);
	if (f->timed)
		return f;
	close_all(f);
	free(f);
	return NULL;
}

u64 vu_front_features(const struct vu_front *f)
{
	return f->features & ~F_NOT_FOR_SERVERS;
}

u64 vu_front_protocol(const struct vu_front *f)
{
	return f->protocol;
}

u32 vu_front_queues(const struct vu_front *f)
{
	return f->queues;
}

u32 vu_front_slots(const struct vu_front *f)
{
	return has_slots(f) ? f->slots : VU_MAX_REGIONS;
}

bool vu_front_regions_change(const struct vu_front *f)
{
	return has_slots(f) && f->protocol & VU_P_REPLY_ACK;
}

static void wish_region(struct vu_front *f, enum region_wish wish, const struct vu_region *region, int fd)
{
	f->region_wish = wish;
	f->region = *region;
	f->region_fd = fd;
	enter(f);
	look_again(f);
	leave(f);
}

void vu_front_add_region(struct vu_front *f, const struct vu_region *region, int fd)
{
	wish_region(f, REGION_ADD, region, fd);
}

void vu_front_del_region(struct vu_front *f, const struct vu_region *region)
{
	wish_region(f, REGION_DEL, region, -1);
}

const u8 *vu_front_config(const struct vu_front *f, u32 *bytes)
{
	*bytes = f->config_bytes;
	return f->config;
}

void vu_front_start(struct vu_front *f, const struct vu_start *with, u32 ms)
{
	if (f->start.inflight.fd >= 0)
		close(f->start.inflight.fd);
	enter(f);
	f->start = *with;
	f->run_ticks = TICKS(ms);
	start(f);
	leave(f);
}

struct vu_inflight vu_front_take_inflight(struct vu_front *f)
{
	struct vu_inflight inflight = f->start.inflight;

	f->start.inflight.fd = -1;
	return inflight;
}

void vu_front_kick(struct vu_front *f, u32 ring)
{
	struct vu_msg msg = { .request = VU_VRING_KICK, .state = { .index = ring } };
	u64 one = 1;

	if (f->phase == FAILED || ring >= f->start.rings)
		return;
	enter(f);
	if (f->start.ring[ring].kick >= 0) {
		/* A counter that is full has been rung already. */
		if (write(f->start.ring[ring].kick, &one, sizeof(one)) < 0)
			errno = 0;
	} else if (f->protocol & VU_P_INBAND_NOTIFICATIONS && send_msg(f, &f->conn, &msg, VU_STATE, NULL, 0)) {
		fail(f, "it does not take notifications from its socket");
	}
	leave(f);
}

/* Then it is the turn of what was asked for meanwhile, whose time is running. */
static bool on_errand(const struct vu_front *f)
{
	return f->phase == LOOKING || f->phase == PUTTING || f->phase == REGION;
}

static void start(struct vu_front *f)
{
	f->start_wanted = on_errand(f);
	if (f->phase == IDENTIFIED)
		run(f, STARTING, &vu_start);
}

static void stop(struct vu_front *f)
{
	f->stop_wanted = on_errand(f);
	if (f->phase == RUNNING)
		run(f, STOPPING, &vu_stop);
}

void vu_front_stop(struct vu_front *f, u32 ms)
{
	enter(f);
	f->run_ticks = TICKS(ms);
	stop(f);
	leave(f);
}

bool vu_front_put_config(struct vu_front *f, u32 off, const u8 *data, u32 bytes)
{
	if (f->phase == IDENTIFYING || f->phase == FAILED || !bytes || !xvm_range_ok(off, bytes, f->config_bytes))
		return false;
	memcpy(f->put, data, bytes);
	f->put_off = off;
	f->put_bytes = bytes;
	f->put_wanted = true;
	enter(f);
	look_again(f);
	leave(f);
	return true;
}
