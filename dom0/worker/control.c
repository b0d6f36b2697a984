// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The supervisor's socket, worker side (dom0/ipc.h). The supervisor is
 * believed; sizes are checked all the same, since both must come from one build.
 */
#include "worker_priv.h"
#include "../base/fdsock.h"
#include "../base/log.h"
#include "../../xen/user/evtchn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Datagrams per turn, then the guest has its own. */
#define TAKE_BUDGET 16

static int send_msg(struct worker *w, void *msg, uint32_t type, uint32_t bytes, int wait)
{
	struct xvm_ipc_hdr hdr = { .type = type, .bytes = bytes };

	memcpy(msg, &hdr, sizeof(hdr));
	return fdsock_send(w->control, msg, bytes, NULL, 0, wait);
}

/* For what must not get lost. A supervisor that cannot be told is gone. */
static void tell(struct worker *w, void *msg, uint32_t type, uint32_t bytes)
{
	if (send_msg(w, msg, type, bytes, 1))
		w->done = true;
}

int control_hello(struct worker *w)
{
	struct xvm_ipc_hello hello = { .version = XVM_IPC_VERSION };

	return send_msg(w, &hello, XVM_IPC_HELLO, sizeof(hello), 1);
}

void control_fail(struct worker *w, uint32_t reason, uint32_t detail)
{
	struct xvm_ipc_fail fail = { .reason = reason, .detail = detail };

	tell(w, &fail, XVM_IPC_FAIL, sizeof(fail));
}

/* Never waits: a line more or less is not worth a stall. */
void control_log(void *arg, int level, const char *line)
{
	struct xvm_ipc_log log = { .level = (uint32_t)level };

	snprintf(log.text, sizeof(log.text), "%s", line);
	send_msg(arg, &log, XVM_IPC_LOG, sizeof(log), 0);
}

/* ---- news of devices ---- */

/*
 * State, not a queue: a guest can reset a device a thousand times a second, and
 * each word of ours makes the supervisor write to xenstore. Over the rate the
 * newest state of a device waits, and older ones are never told.
 *
 * Per second and at once. With as many mappings and as many ends of mappings
 * (dom0/bus/area.c) this stays below what the supervisor takes from a worker.
 */
#define STATE_COST_MS 20
#define STATE_BURST 64

struct waiting_state {
	struct waiting_state *next;
	struct xvm_ipc_dev_state msg;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Pays for one word, or says how many milliseconds are to pass before. */
static uint32_t state_pay(struct worker *w)
{
	uint64_t now = now_ms();

	if (w->states_paid_ms < now)
		w->states_paid_ms = now;
	if (w->states_paid_ms - now > STATE_COST_MS * (STATE_BURST - 1))
		return (uint32_t)(w->states_paid_ms - now) - STATE_COST_MS * (STATE_BURST - 1);
	w->states_paid_ms += STATE_COST_MS;
	return 0;
}

static struct waiting_state **find_state(struct worker *w, uint16_t num)
{
	struct waiting_state **at = &w->states;

	while (*at && (*at)->msg.num != num)
		at = &(*at)->next;
	return at;
}

static void forget_state(struct waiting_state **at)
{
	struct waiting_state *state = *at;

	*at = state->next;
	free(state);
}

static void tell_states(struct worker *w);

static void states_timer_done(struct xvm_aio_req *req, int result)
{
	struct worker *w = (struct worker *)((char *)req - offsetof(struct worker, states_timer));

	(void)result;
	w->states_wait = false;
	tell_states(w);
}

/* Tells what waits, as far as the rate allows; the rest when the timer fires. */
static void tell_states(struct worker *w)
{
	uint32_t wait = 0;

	while (w->states && !w->states_wait && !w->done) {
		wait = state_pay(w);
		if (wait) {
			w->states_timer.done = states_timer_done;
			w->states_wait = !xvm_aio_timer(w->aio, &w->states_timer, wait);
			if (w->states_wait)
				return;
			/* No timer: rather one word too many than one never told. */
		}
		tell(w, &w->states->msg, XVM_IPC_DEV_STATE, sizeof(w->states->msg));
		forget_state(&w->states);
	}
}

static void host_dev_state(void *arg, uint16_t num, int state, const char *reason)
{
	struct worker *w = arg;
	struct waiting_state **at = find_state(w, num), *waiting = *at;
	struct xvm_ipc_dev_state msg = { .num = num, .state = (uint16_t)state };

	snprintf(msg.reason, sizeof(msg.reason), "%s", reason ? reason : "");
	/*
	 * Of a number that is gone there is nothing more to say, and somebody waits for this. A lost server is no state that a
	 * newer one stands for but asks for the next server, and there are no more of these than servers brought.
	 */
	if (state == XVM_DEV_GONE || state == XVM_DEV_SERVER_LOST) {
		if (waiting && state == XVM_DEV_GONE)
			forget_state(at);
		tell(w, &msg, XVM_IPC_DEV_STATE, sizeof(msg));
		return;
	}
	if (!waiting)
		waiting = calloc(1, sizeof(*waiting));
	if (!waiting) {
		tell(w, &msg, XVM_IPC_DEV_STATE, sizeof(msg));
		return;
	}
	waiting->msg = msg;
	if (!*at)
		*at = waiting;	/* the end of the list */
	tell_states(w);
}

void control_free(struct worker *w)
{
	while (w->states)
		forget_state(&w->states);
}

/* ---- what the bus asks for ---- */

static void host_map(void *arg, struct xvm_ipc_map *map)
{
	tell(arg, map, XVM_IPC_MAP, sizeof(*map));
}

static void host_unmapped(void *arg, uint32_t area, uint32_t npages)
{
	struct xvm_ipc_unmap unmap = { .area = area, .npages = npages };

	tell(arg, &unmap, XVM_IPC_UNMAP, sizeof(unmap));
}

static void host_share(void *arg, uint16_t num, uint32_t area)
{
	struct xvm_ipc_share share = { .num = num, .area = (uint16_t)area };

	tell(arg, &share, XVM_IPC_SHARE, sizeof(share));
}

static void host_notify(void *arg)
{
	struct worker *w = arg;

	w->events_sent++;
	w->evtchn->ops->notify(w->evtchn, w->port);
}

const struct bus_host worker_bus_host = {
	.map = host_map,
	.unmapped = host_unmapped,
	.share = host_share,
	.dev_state = host_dev_state,
	.notify = host_notify,
};

/* ---- what the supervisor says ---- */

static void take_start(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_start start;
	int evtchn_fd = fdset_take(&msg->fds, 0), err;

	memcpy(&start, msg->data, sizeof(start));
	err = worker_start(w, &start, evtchn_fd, fdset_take(&msg->fds, 1));
	if (err) {
		/* The supervisor says the rest in one line. */
		control_fail(w, err == -EFAULT ? XVM_FAIL_RINGS : XVM_ERR_INTERNAL, (uint32_t)-err);
		w->stopping = true;
		bus_stop(w->bus);
	}
}

static void take_dev_add(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_dev_add add;

	memcpy(&add, msg->data, sizeof(add));
	bus_add_device(w->bus, &add, &msg->fds);
}

static void take_dev_del(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_dev_del del;

	memcpy(&del, msg->data, sizeof(del));
	bus_remove_device(w->bus, del.num, del.forced);
}

static void take_dev_resize(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_dev_resize resize;

	memcpy(&resize, msg->data, sizeof(resize));
	bus_resize_device(w->bus, resize.num, resize.capacity_bytes);
}

static void take_dev_server(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_dev_server server;

	memcpy(&server, msg->data, sizeof(server));
	bus_device_server(w->bus, server.num, &msg->fds);
}

static void take_dev_link(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_dev_link link;

	memcpy(&link, msg->data, sizeof(link));
	bus_link_device(w->bus, link.num, link.up);
}

static void take_map_reply(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_map_reply reply;

	memcpy(&reply, msg->data, sizeof(reply));
	bus_map_done(w->bus, reply.area, reply.status, reply.limit, fdset_take(&msg->fds, 0));
}

static void take_share_reply(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_share share;

	memcpy(&share, msg->data, sizeof(share));
	bus_share_done(w->bus, share.num, share.area, fdset_take(&msg->fds, 0));
}

static void take_server_end(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_dev_server server;

	memcpy(&server, msg->data, sizeof(server));
	bus_device_server_end(w->bus, server.num);
}

static void tell_dev_stats(struct worker *w)
{
	struct xvm_ipc_dev_stats stats = { 0 };
	uint16_t after = 0;

	for (;;) {
		bus_dev_stats(w->bus, after, &stats);
		if (!stats.count)
			return;
		after = stats.device[stats.count - 1].num;
		tell(w, &stats, XVM_IPC_DEV_STATS, sizeof(stats));
	}
}

static void take_stats_req(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_stats stats = {
		.events_sent = w->events_sent,
		.events_taken = w->events_taken,
		.io_submits = aio_enters(w->aio),
		.wakeups = w->wakeups,
	};

	(void)msg;
	bus_stats(w->bus, &stats);
	tell_dev_stats(w);
	tell(w, &stats, XVM_IPC_STATS, sizeof(stats));
}

static void take_stop(struct worker *w, struct fdsock_msg *msg)
{
	(void)msg;
	if (w->stopping)
		return;
	w->stopping = true;
	bus_stop(w->bus);
}

static void take_trace(struct worker *w, struct fdsock_msg *msg)
{
	bus_trace(w->bus, fdset_take(&msg->fds, 0));
}

static const struct {
	uint32_t bytes;
	void (*take)(struct worker *w, struct fdsock_msg *msg);
} handlers[] = {
	[XVM_IPC_DEV_ADD] = { sizeof(struct xvm_ipc_dev_add), take_dev_add },
	[XVM_IPC_START] = { sizeof(struct xvm_ipc_start), take_start },
	[XVM_IPC_DEV_DEL] = { sizeof(struct xvm_ipc_dev_del), take_dev_del },
	[XVM_IPC_MAP_REPLY] = { sizeof(struct xvm_ipc_map_reply), take_map_reply },
	[XVM_IPC_STATS_REQ] = { sizeof(struct xvm_ipc_hdr), take_stats_req },
	[XVM_IPC_DEV_RESIZE] = { sizeof(struct xvm_ipc_dev_resize), take_dev_resize },
	[XVM_IPC_DEV_SERVER] = { sizeof(struct xvm_ipc_dev_server), take_dev_server },
	[XVM_IPC_SHARE_REPLY] = { sizeof(struct xvm_ipc_share), take_share_reply },
	[XVM_IPC_DEV_SERVER_END] = { sizeof(struct xvm_ipc_dev_server), take_server_end },
	[XVM_IPC_DEV_LINK] = { sizeof(struct xvm_ipc_dev_link), take_dev_link },
	[XVM_IPC_STOP] = { sizeof(struct xvm_ipc_hdr), take_stop },
	[XVM_IPC_TRACE] = { sizeof(struct xvm_ipc_hdr), take_trace },
};

static void take_one(struct worker *w, struct fdsock_msg *msg)
{
	struct xvm_ipc_hdr hdr = { 0 };

	if (msg->bytes >= sizeof(hdr))
		memcpy(&hdr, msg->data, sizeof(hdr));
	if (hdr.type >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[hdr.type].take ||
	    hdr.bytes != msg->bytes || hdr.bytes != handlers[hdr.type].bytes) {
		log_err("supervisor sent type %u of %u bytes, unknown here", hdr.type, hdr.bytes);
		return;
	}
	handlers[hdr.type].take(w, msg);
}

void control_take(struct worker *w)
{
	struct fdsock_msg msg;
	int i, ret;

	for (i = 0; i < TAKE_BUDGET && !w->done; i++) {
		ret = fdsock_recv(w->control, &msg);
		if (ret == -EAGAIN)
			return;
		if (ret <= 0) {
			w->done = true;
			return;
		}
		take_one(w, &msg);
		fdsock_release(&msg);
	}
}
