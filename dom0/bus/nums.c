// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers of the bus and their lanes. A lane answers the requests of one
 * number in order: while one waits (a reset for the disk, an area for the
 * supervisor) the later ones of that number wait behind it, and nobody else
 * does. Arrival, removal and quarantine of devices are here too.
 */
#include "bus_priv.h"
#include "../ipc.h"
#include "../base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bus_num *bus_num_find(struct bus *bus, u16 num)
{
	return bus->by_num[num];
}

void bus_num_init(struct bus *bus, struct bus_num *n, u16 num)
{
	n->bus = bus;
	n->num = num;
	n->tail = &n->head;
}

static struct bus_num *num_new(struct bus *bus, u16 num)
{
	struct bus_num **at, *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	bus_num_init(bus, n, num);
	for (at = &bus->nums; *at && (*at)->num < num; at = &(*at)->next)
		;
	n->next = *at;
	*at = n;
	bus->by_num[num] = n;
	return n;
}

static void unready(struct bus_num *n)
{
	struct bus *bus = n->bus;
	struct bus_num **at;

	for (at = &bus->ready; *at && *at != n; at = &(*at)->ready_next)
		;
	if (!*at)
		return;
	*at = n->ready_next;
	if (bus->ready_tail == &n->ready_next)
		bus->ready_tail = at;
	n->ready = false;
}

/* The device is gone, or never came to be. */
void bus_num_release(struct bus_num *n)
{
	struct bus_num **at;

	area_forget_all(n);
	unready(n);
	for (at = &n->bus->nums; *at != n; at = &(*at)->next)
		;
	*at = n->next;
	n->bus->by_num[n->num] = NULL;
	free(n);
}

/* ---- what devices tell us; none of these may touch the device ---- */

static void op_used(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct bus_num *n = vdev->owner;

	n->owe_used |= 1ull << vq->index;
	bus_ready(n);
}

static void op_config_changed(struct xvm_vdev *vdev)
{
	struct bus_num *n = vdev->owner;

	n->owe_config = true;
	bus_ready(n);
}

static void op_drained(struct xvm_vdev *vdev)
{
	struct bus_num *n = vdev->owner;

	n->drained = true;
	bus_ready(n);
}

static void op_again(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct bus_num *n = vdev->owner;

	n->again |= 1ull << vq->index;
	bus_ready(n);
}

static void op_state(struct xvm_vdev *vdev, int state, const char *reason)
{
	struct bus_num *n = vdev->owner;

	n->bus->host->dev_state(n->bus->arg, n->num, state, reason);
}

/* One that never was on the bus leaves it without a word to the driver side. */
static void op_there(struct xvm_vdev *vdev, const char *why)
{
	struct bus_num *n = vdev->owner;
	struct bus *bus = n->bus;

	if (why) {
		log_err("device %u: %s", n->num, why);
		snprintf(n->why, sizeof(n->why), "%s", why);
		n->leaving = n->remove = true;
	} else {
		xvm_vdev_keep_in(vdev, bus->keep);
		n->owe_device = bus->connected && !n->leaving;
		n->told = true;
	}
	if (!why)
		bus->pending--;
	bus_ready(n);
}

static void op_share(struct xvm_vdev *vdev, u32 area)
{
	struct bus_num *n = vdev->owner;

	n->bus->host->share(n->bus->arg, n->num, area);
}

const struct xvm_vdev_ops bus_vdev_ops = {
	.used = op_used,
	.config_changed = op_config_changed,
	.drained = op_drained,
	.again = op_again,
	.there = op_there,
	.share = op_share,
	.state = op_state,
};

/* ---- arrival and removal ---- */

/* Why a device cannot have this number now; NULL: it can. */
static const char *num_refusal(struct bus *bus, u16 num)
{
	struct bus_num *n = bus_num_find(bus, num);

	if (!num || bus->stopping)
		return "the bus takes no device of this number";
	if (n)
		return n->vdev ? "its number is in use" : "the guest has not released this number";
	return bus->devices < BUS_MAX_DEVICES ? NULL : "the guest has as many devices as it may";
}

static struct bus_num *make_device(struct bus *bus, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
				   char *why, size_t why_bytes)
{
	struct bus_num *n = num_new(bus, desc->num);

	if (!n) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	n->vdev = xvm_vdev_new(desc, fds, &bus_vdev_ops, n, bus->aio, why, why_bytes);
	if (n->vdev) {
		xvm_vdev_keep_in(n->vdev, bus->keep);
		return n;
	}
	bus_num_release(n);
	return NULL;
}

void bus_add_device(struct bus *bus, const struct xvm_ipc_dev_add *desc, struct fdset *fds)
{
	const char *refusal = num_refusal(bus, desc->num);
	struct bus_num *n = NULL, *there = bus_num_find(bus, desc->num);
	char why[XVM_IPC_LOG_BYTES] = "";

	if (!refusal)
		n = make_device(bus, desc, fds, why, sizeof(why));
	if (fds)
		fdset_close(fds);
	if (!n) {
		log_err("device %u: %s", desc->num, refusal ? refusal : why);
		/* Not when it would be taken for the end of the one that has the number. */
		if (!there || !there->vdev)
			bus->host->dev_state(bus->arg, desc->num, XVM_DEV_GONE,
					     refusal ? refusal : why);
		return;
	}
	bus->devices++;
	if (n->vdev->pending) {
		bus->pending++;
		return;
	}
	/* Before the connection is there the driver side finds it by GET_DEVICES. */
	n->owe_device = bus->connected;
	n->told = true;
	bus_ready(n);
}

void bus_remove_device(struct bus *bus, uint16_t num, bool forced)
{
	struct bus_num *n = bus_num_find(bus, num);

	if (!n || !n->vdev)
		return;
	/* Told and served until the driver lets go; one without a driver goes at once. */
	n->leaving = true;
	n->owe_device = !bus->stopping && n->told;
	if (forced || !n->vdev->status)
		n->remove = true;
	bus_ready(n);
}

void bus_resize_device(struct bus *bus, uint16_t num, uint64_t bytes)
{
	struct bus_num *n = bus_num_find(bus, num);

	if (n && n->vdev && n->vdev->type->resize)
		n->vdev->type->resize(n->vdev, bytes);
}

void bus_device_server(struct bus *bus, uint16_t num, struct fdset *fds)
{
	struct bus_num *n = bus_num_find(bus, num);

	if (n && n->vdev && n->vdev->type->attach)
		n->vdev->type->attach(n->vdev, fds);
	fdset_close(fds);
}

void bus_device_server_end(struct bus *bus, uint16_t num)
{
	struct bus_num *n = bus_num_find(bus, num);

	if (n && n->vdev && n->vdev->type->server_ended)
		n->vdev->type->server_ended(n->vdev);
}

void bus_link_device(struct bus *bus, uint16_t num, bool up)
{
	struct bus_num *n = bus_num_find(bus, num);

	if (n && n->vdev && n->vdev->type->link)
		n->vdev->type->link(n->vdev, up);
}

static void device_gone(struct bus_num *n)
{
	struct bus *bus = n->bus;

	bus->requests += n->vdev->requests;
	bus->bytes_read += n->vdev->bytes_read;
	bus->bytes_written += n->vdev->bytes_written;
	bus->bounced += n->vdev->bounced;
	if (n->vdev->pending)
		bus->pending--;
	/* Before the model goes: nothing of it is in flight, so nothing looks at the areas. */
	area_unmap_all(n);
	xvm_vdev_free(n->vdev);
	n->vdev = NULL;
	n->owe_config = false;
	n->owe_used = 0;
	n->again = 0;
	n->remove = false;
	/* A driver side that never was, or never heard of it, has nothing to let go of. */
	n->released = !bus->in || !n->told;
	bus->devices--;
	bus->host->dev_state(bus->arg, n->num, XVM_DEV_GONE, n->why);
}

/* ---- lanes ---- */

/* Keeps the request that is in bus->in; false: more than the credits allow. */
static struct bus_req *req_keep(struct bus *bus, u32 len)
{
	struct bus_req *req = bus->pool;

	if (!req) {
		bus_fail(bus, XVM_ERR_CREDIT, xvm_get16(bus->in + VIRTIO_MSG_HDR_TOKEN));
		return NULL;
	}
	bus->pool = req->next;
	req->next = NULL;
	req->len = len;
	memcpy(req->msg, bus->in, len);
	return req;
}

static void req_free(struct bus *bus, struct bus_req *req)
{
	req->next = bus->pool;
	bus->pool = req;
}

static enum answer lane_answer(struct bus_num *n, const u8 *msg, u32 len)
{
	if (n->vdev && n->vdev->pending) {
		bus_refuse(n->bus, msg, XVM_FAILED_NO_DEVICE);
		return ANSWER_DONE;
	}
	if (msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS)
		return bus_msg_answer(n->bus, n, msg, len);
	if (n->vdev)
		return answer_transport(n, msg, len);
	bus_refuse(n->bus, msg, XVM_FAILED_REMOVED);
	return ANSWER_DONE;
}

/* A reset that was answered before its end is asked after; whatever else comes waits for that. */
static bool lane_polled(struct bus_num *n)
{
	const u8 *msg = n->bus->in;

	if (n->op != BUS_OP_RESET || n->cur || n->head ||
	    (msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS) ||
	    msg[VIRTIO_MSG_HDR_ID] != VIRTIO_MSG_GET_DEVICE_STATUS)
		return false;
	answer_status(n, msg);
	return true;
}

bool lane_take(struct bus_num *n, u32 len)
{
	struct bus *bus = n->bus;
	enum answer answer;
	struct bus_req *req;

	if (lane_polled(n))
		return true;
	if (n->op == BUS_OP_NONE && !n->head && !n->remove) {
		answer = lane_answer(n, bus->in, len);
		if (answer != ANSWER_LATER)
			return answer == ANSWER_DONE;
		n->cur = req_keep(bus, len);
		return true;
	}
	req = req_keep(bus, len);
	if (req) {
		*n->tail = req;
		n->tail = &req->next;
		bus_ready(n);
	}
	return true;
}

/* What op waited for has happened: finish it and answer. */
static void op_finish(struct bus_num *n)
{
	static const u8 none[VIRTIO_MSG_HDR_BYTES];
	const u8 *msg = n->cur ? n->cur->msg : none;
	enum bus_op op = n->op;

	n->op = BUS_OP_NONE;
	n->drained = false;
	switch (op) {
	case BUS_OP_RESET:
		xvm_vdev_finish_reset(n->vdev);
		if (n->cur)
			answer_status(n, msg);
		break;
	case BUS_OP_VQ_RESET:
		xvm_vdev_finish_vq_reset(n->vdev, n->cur ? xvm_msg_get_u32(msg) : UINT32_MAX);
		answer_empty(n, msg);
		break;
	case BUS_OP_AREA_DEL:
		area_del_finish(n, msg);
		break;
	case BUS_OP_AREA_ADD:
		area_add_finish(n, msg);
		break;
	case BUS_OP_QUIESCE:
		keep_quiesce_finish(n, msg);
		break;
	case BUS_OP_CONFIG:
		n->vdev->config_waits = false;
		/* Not kept: it was one request more than the credits allow, and the bus is over. */
		if (n->cur)
			answer_config(n, msg, n->cur->len);
		break;
	case BUS_OP_REMOVE:
		xvm_vdev_finish_reset(n->vdev);
		device_gone(n);
		if (n->cur)	/* RELEASE_DEVICE waited for this */
			lane_answer(n, msg, n->cur->len);
		break;
	case BUS_OP_NONE:
		break;
	}
	if (n->cur)
		req_free(n->bus, n->cur);
	n->cur = NULL;
}

static void lane_next(struct bus_num *n)
{
	struct bus_req *req = n->head;

	n->head = req->next;
	if (!n->head)
		n->tail = &n->head;
	switch (lane_answer(n, req->msg, req->len)) {
	case ANSWER_LATER:
		n->cur = req;
		return;
	case ANSWER_MALFORMED:
		n->bus->bad[XVM_FRAME_LENGTH]++;
		break;
	case ANSWER_DONE:
		break;
	}
	req_free(n->bus, req);
}

static void lane_remove(struct bus_num *n)
{
	n->remove = false;
	n->op = BUS_OP_REMOVE;
	n->drained = xvm_vdev_begin_removal(n->vdev);
}

void lane_run(struct bus_num *n)
{
	for (;;) {
		if (n->op != BUS_OP_NONE) {
			/* Nobody waits for the rest of a device that goes. */
			if (!n->drained && !((n->op == BUS_OP_QUIESCE || n->op == BUS_OP_CONFIG) && n->remove))
				return;
			/* I/O on it has ended; a server that has it too gives it back before the answer. */
			if (n->op == BUS_OP_AREA_DEL && n->cur && !area_let_go(n, xvm_msg_get_number(n->cur->msg)))
				return;
			op_finish(n);
		} else if (n->vdev && (n->remove || (n->leaving && !n->vdev->status))) {
			lane_remove(n);
		} else if (n->head) {
			lane_next(n);
		} else {
			return;
		}
	}
}
