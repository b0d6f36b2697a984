// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pump: records in, answers and events out, one publish of each ring and
 * at most one notification per pass. Rules R1 to R5 of docs/protocol.md,
 * section 6, are kept here and in xen/proto/ring.c.
 */
#include "bus_priv.h"
#include "../ipc.h"
#include "../base/log.h"
#include "../../xen/proto/page.h"
#include <stdlib.h>

#define NUMBERS 65536u
#define PENDING_WAIT_MS 2000u	/* well below what a driver waits for an answer */

struct bus *bus_new(const struct bus_host *host, void *arg, struct xvm_aio *aio)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return NULL;
	bus->by_num = calloc(NUMBERS, sizeof(*bus->by_num));
	if (!bus->by_num) {
		free(bus);
		return NULL;
	}
	bus->host = host;
	bus->arg = arg;
	bus->aio = aio;
	bus->ready_tail = &bus->ready;
	bus_num_init(bus, &bus->zero, 0);
	return bus;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	while (bus->nums)
		bus_num_release(bus->nums);
	area_forget_all(&bus->zero);
	bus_trace(bus, -1);
	free(bus->by_num);
	free(bus->in);
	free(bus->out);
	free(bus->pool_mem);
	free(bus);
}

void bus_keep_in(struct bus *bus, struct xvm_keep *keep)
{
	bus->keep = keep;
}

/* One slot per credit: a driver side that fills the pool has broken its credits. */
static int pool_init(struct bus *bus)
{
	size_t slot = (sizeof(struct bus_req) + bus->link.max_message + 7) & ~(size_t)7;
	struct bus_req *req;
	u32 i;

	bus->pool_mem = calloc(bus->link.credits, slot);
	bus->in = malloc(bus->link.max_message);
	bus->out = malloc(bus->link.max_message);
	if (!bus->pool_mem || !bus->in || !bus->out)
		return -ENOMEM;
	for (i = 0; i < bus->link.credits; i++) {
		req = (struct bus_req *)(bus->pool_mem + i * slot);
		req->next = bus->pool;
		bus->pool = req;
	}
	return 0;
}

static bool awaits_pending(const struct bus *bus)
{
	return bus->pending && bus->pending_wait;
}

static void pending_timer_done(struct xvm_aio_req *req, int result)
{
	struct bus *bus = (struct bus *)((char *)req - offsetof(struct bus, pending_timer));

	(void)result;
	bus->pending_wait = false;
}

/*
 * Devices that a server has still to describe: the first messages wait for them, for so long, since
 * a driver side that connects again takes a device that is not there for one that has gone.
 */
static void await_pending(struct bus *bus)
{
	bus->pending_timer.done = pending_timer_done;
	bus->pending_wait = bus->pending && !xvm_aio_timer(bus->aio, &bus->pending_timer, PENDING_WAIT_MS);
}

int bus_connect(struct bus *bus, const struct bus_link *link)
{
	struct xvm_ring_mem mem;
	int err;

	if (bus->connected || bus->in || link->dialect >= XVM_DIALECT_COUNT || !link->credits)
		return -EINVAL;
	bus->link = *link;
	bus->dialect = link->dialect;
	bus->rules = xvm_dialect_rules(bus->dialect);
	if (link->max_message < bus->rules->device_message)
		return -EINVAL;
	err = pool_init(bus);
	if (err)
		return err;
	xvm_ring_mem_init(&mem, link->control, link->drv, link->ring_bytes, true);
	xvm_ring_rx_init(&bus->rx, &mem, link->max_message);
	xvm_ring_mem_init(&mem, link->control, link->dev, link->ring_bytes, false);
	err = xvm_ring_tx_init(&bus->tx, &mem, link->max_message, link->credits);
	if (err)
		return err;
	bus->connected = true;
	await_pending(bus);
	return 0;
}

void bus_fail(struct bus *bus, u32 reason, u32 detail)
{
	if (!bus->connected)
		return;
	bus->connected = false;
	bus->reason = reason;
	bus->detail = detail;
	xvm_page_set_error(bus->link.control, true, reason, detail);
	bus->host->notify(bus->arg);
}

bool bus_failed(const struct bus *bus, uint32_t *reason, uint32_t *detail)
{
	*reason = bus->reason;
	*detail = bus->detail;
	return bus->reason != XVM_ERR_NONE && bus->reason != XVM_ERR_CLOSED;
}

bool bus_stalled(const struct bus *bus)
{
	return bus->stalled;
}

void bus_ready(struct bus_num *n)
{
	if (n->ready)
		return;
	n->ready = true;
	n->ready_next = NULL;
	*n->bus->ready_tail = n;
	n->bus->ready_tail = &n->ready_next;
}

/* Puts bus->out into the ring as an answer to req; R2: one that does not fit was not ours to owe. */
static void put_answer(struct bus *bus, const u8 *req, u32 len)
{
	int err = xvm_ring_tx_put(&bus->tx, bus->out, len, true);

	bus->messages_out++;
	if (err == -EPROTO)
		bus_fail(bus, XVM_ERR_INDEX, bus->tx.bad);
	else if (err == -ENOSPC)
		bus_fail(bus, XVM_ERR_CREDIT, xvm_get16(req + VIRTIO_MSG_HDR_TOKEN));
	else if (err)
		bus_fail(bus, XVM_ERR_INTERNAL, len);
	else
		trace_tap(bus, true, bus->out, len);
}

void bus_answer(struct bus *bus, const u8 *req, u32 len)
{
	if (!bus->connected)
		return;
	xvm_msg_finish(bus->out, true, xvm_get16(req + VIRTIO_MSG_HDR_TOKEN));
	put_answer(bus, req, len);
}

/* REQUEST_FAILED is an event that takes the answer's place, and its room. */
void bus_refuse(struct bus *bus, const u8 *req, u16 reason)
{
	struct xvm_msg_request_failed m = {
		.dev_num = xvm_get16(req + VIRTIO_MSG_HDR_DEV_NUM),
		.token = xvm_get16(req + VIRTIO_MSG_HDR_TOKEN),
		.type = req[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_MASK,
		.id = req[VIRTIO_MSG_HDR_ID],
		.reason = reason,
	};
	u32 len;

	if (!bus->connected)
		return;
	len = xvm_msg_put_request_failed(bus->out, &m);
	xvm_msg_finish(bus->out, false, 0);
	put_answer(bus, req, len);
}

bool bus_event(struct bus *bus, u32 len)
{
	int err;

	xvm_msg_finish(bus->out, false, 0);
	err = xvm_ring_tx_put(&bus->tx, bus->out, len, false);
	if (err == -EPROTO) {
		bus_fail(bus, XVM_ERR_INDEX, bus->tx.bad);
	} else if (err) {
		bus->held = true;
	} else {
		bus->messages_out++;
		trace_tap(bus, true, bus->out, len);
	}
	return !err;
}

static void take_event(struct bus *bus, const struct xvm_hdr *hdr)
{
	struct bus_num *n = bus_num_find(bus, hdr->dev_num);
	struct xvm_msg_event_avail m;

	/* The one event of the driver side; one to a device that is gone gets no answer. */
	if (!n || !n->vdev) {
		bus->unanswerable++;
		return;
	}
	xvm_msg_get_event_avail(bus->in, &m);
	n->vdev->kicks++;
	xvm_vdev_kick(n->vdev, m.vq_index);
}

/* A transport request whose number has no device gets a refusal, never silence. */
static bool take_request(struct bus *bus, const struct xvm_hdr *hdr, u32 len)
{
	struct bus_num *n;

	if (hdr->type & VIRTIO_MSG_TYPE_BUS) {
		n = bus_msg_lane(bus, bus->in, len);
		if (!n)
			return bus_msg_answer(bus, NULL, bus->in, len) == ANSWER_DONE;
		return lane_take(n, len);
	}
	n = bus_num_find(bus, hdr->dev_num);
	if (n)
		return lane_take(n, len);
	bus_refuse(bus, bus->in, XVM_FAILED_NO_DEVICE);
	return true;
}

/*
 * What is no message of ours is discarded in silence. But in draft2026 routing
 * comes before the id: a request to nobody fails, whatever it asks.
 */
static void take_bad(struct bus *bus, enum xvm_frame_fault fault, const struct xvm_hdr *hdr)
{
	const struct bus_num *n = bus_num_find(bus, hdr->dev_num);

	if (fault == XVM_FRAME_UNKNOWN && bus->rules->ids_opaque && !hdr->type &&
	    !(hdr->id & VIRTIO_MSG_ID_EVENT) && !(n && n->vdev))
		bus_refuse(bus, bus->in, n ? XVM_FAILED_REMOVED : XVM_FAILED_NO_DEVICE);
	else
		bus->bad[fault]++;
}

static void take_record(struct bus *bus, u32 len)
{
	const struct xvm_msg_row *row;
	enum xvm_frame_fault fault;
	struct xvm_hdr hdr;

	bus->messages_in++;
	trace_tap(bus, false, bus->in, len);
	fault = xvm_frame_check(bus->dialect, XVM_SIDE_DRIVER, bus->link.max_message, bus->in, len,
				&hdr, &row);
	if (!fault && keep_only(&hdr) && !(bus->link.bus_features & XVM_BUS_F_KEEP))
		fault = XVM_FRAME_UNKNOWN;
	if (fault) {
		take_bad(bus, fault, &hdr);
		return;
	}
	if (hdr.type & VIRTIO_MSG_TYPE_RESPONSE) {
		/* We ask nothing of the driver side yet, so no answer has a question. */
		bus->unanswerable++;
		return;
	}
	if (xvm_msg_is_event(row))
		take_event(bus, &hdr);
	else if (!take_request(bus, &hdr, len))
		bus->bad[XVM_FRAME_LENGTH]++;
}

/* Takes up to a pass's worth of records; true: the budget ran out first. */
static bool pump(struct bus *bus)
{
	u32 i;
	int len;

	if (awaits_pending(bus))
		return false;
	for (i = 0; i < BUS_PASS_RECORDS && bus->connected; i++) {
		len = xvm_ring_rx_get(&bus->rx, bus->in, bus->link.max_message);
		if (len == -EAGAIN)
			return false;
		if (len < 0)
			/* Nothing available was seen: the index lies; else it is the record. */
			bus_fail(bus, bus->rx.avail ? XVM_ERR_RECORD : XVM_ERR_INDEX, bus->rx.bad);
		else
			take_record(bus, (u32)len);
	}
	return bus->connected;
}

/* One turn of a number: what waited, queues that want another look, events. True: again soon. */
static bool work(struct bus_num *n)
{
	u64 again;
	u32 i;

	lane_run(n);
	if (n->released && n->op == BUS_OP_NONE && !n->head) {
		bus_num_release(n);
		return false;
	}
	again = n->again;
	n->again = 0;
	for (i = 0; again && n->vdev; i++, again >>= 1)
		if (again & 1)
			xvm_vdev_kick(n->vdev, i);
	return !event_flush(n);
}

bool bus_pass(struct bus *bus)
{
	struct bus_num *n, *list;
	bool more, call;

	bus->held = false;
	more = pump(bus);

	/* Numbers that become ready from now on have their turn in the next pass. */
	list = bus->ready;
	bus->ready = NULL;
	bus->ready_tail = &bus->ready;
	while ((n = list)) {
		list = n->ready_next;
		n->ready = false;
		if (work(n))
			bus_ready(n);
	}

	call = bus->connected && xvm_ring_rx_publish(&bus->rx);
	if (bus->connected)
		call |= xvm_ring_tx_publish(&bus->tx);
	if (call)
		bus->host->notify(bus->arg);
	trace_flush(bus);	/* when the driver side has its answers */
	if (!bus->connected)
		return bus->ready;
	event_watch(bus);
	/* What is only held back for room must not keep us spinning. */
	for (n = bus->ready; n && !more; n = n->ready_next)
		more = n->again || n->drained || !bus->held;
	return more;
}

bool bus_arm(struct bus *bus)
{
	if (!bus->connected || awaits_pending(bus))
		return bus->ready;
	if (xvm_ring_rx_arm(&bus->rx))
		return true;
	return bus->held && xvm_ring_tx_arm(&bus->tx, BUS_EVENT_BYTES);
}

void bus_stop(struct bus *bus)
{
	struct bus_num *n, *next;

	bus->stopping = true;
	bus_fail(bus, XVM_ERR_CLOSED, 0);
	for (n = bus->nums; n; n = next) {
		next = n->next;
		if (n->vdev)
			xvm_vdev_halt(n->vdev);
		bus_remove_device(bus, n->num, true);
	}
	area_unmap_all(&bus->zero);
}

bool bus_idle(const struct bus *bus)
{
	return !bus->devices && !bus->mapping && !bus->map_waits;
}

void bus_log_bad(const struct bus *bus, uint32_t domid)
{
	u32 i;

	for (i = 0; i < XVM_FRAME_FAULTS; i++)
		if (bus->bad[i])
			log_info("domain %u: discarded %llu messages: %s", domid,
				 (unsigned long long)bus->bad[i], xvm_frame_fault_name(i));
}

void bus_dev_stats(const struct bus *bus, uint16_t after, struct xvm_ipc_dev_stats *stats)
{
	struct xvm_ipc_one_dev_stats *one;
	const struct bus_num *n;

	stats->count = 0;
	for (n = bus->nums; n && stats->count < XVM_IPC_DEV_STATS_MAX; n = n->next) {
		if (n->num <= after || !n->vdev)
			continue;
		one = &stats->device[stats->count++];
		*one = (struct xvm_ipc_one_dev_stats){
			.num = n->num,
			.in_flight = n->vdev->in_flight,
			.requests = n->vdev->requests,
			.bytes_read = n->vdev->bytes_read,
			.bytes_written = n->vdev->bytes_written,
			.bytes_by_message = n->vdev->bytes_by_message,
			.kicks = n->vdev->kicks,
			.calls = n->vdev->calls,
			.latency_ns = n->vdev->latency_ns,
		};
		memcpy(one->latency, n->vdev->latency, sizeof(one->latency));
	}
}

void bus_stats(const struct bus *bus, struct xvm_ipc_stats *stats)
{
	const struct bus_num *n;
	u32 i;

	stats->messages_in += bus->messages_in;
	stats->messages_out += bus->messages_out;
	for (i = 0; i < XVM_FRAME_FAULTS; i++)
		stats->messages_bad += bus->bad[i];
	stats->messages_bad += bus->unanswerable;
	stats->areas += bus->areas;
	stats->area_pages += bus->area_pages;
	stats->maps += bus->maps;
	stats->unmaps += bus->unmaps;
	stats->devices += bus->devices;
	stats->traced += bus->traced;
	stats->trace_lost += bus->trace_lost;
	stats->requests += bus->requests;
	stats->bytes_read += bus->bytes_read;
	stats->bytes_written += bus->bytes_written;
	stats->bounced += bus->bounced;
	for (n = bus->nums; n; n = n->next) {
		if (!n->vdev)
			continue;
		stats->requests += n->vdev->requests;
		stats->bytes_read += n->vdev->bytes_read;
		stats->bytes_written += n->vdev->bytes_written;
		stats->bounced += n->vdev->bounced;
	}
}
