// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the device side and their answers. The table has one entry per
 * credit; a credit comes back when the answer is consumed, not when we stop
 * waiting for it, so that room for a late answer is always there.
 *
 * A token is the entry's number and a lap count: an answer finds its request
 * at once, and one that does not match in kind, device and token is dropped.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "front.h"

static unsigned int request_seconds = XVM_REQUEST_SECONDS;
module_param(request_seconds, uint, 0444);
MODULE_PARM_DESC(request_seconds, "how long an answer of the device side is waited for (default 30)");

static_assert(XVM_MAX_CREDITS <= 256, "a token's low byte is the entry's number");

u32 xvm_req_seconds(void)
{
	return clamp(request_seconds, 1u, 3600u);
}

int xvm_req_init(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	u32 i;

	spin_lock_init(&chan->req_lock);
	init_waitqueue_head(&chan->credit_wq);
	chan->reqs = kcalloc(conn->pick.credits, sizeof(*chan->reqs), GFP_KERNEL);
	if (!chan->reqs)
		return -ENOMEM;
	for (i = 0; i < conn->pick.credits; i++)
		init_completion(&chan->reqs[i].done);
	return 0;
}

/* Whether owner may have one more; req_lock is held. One device cannot starve the others. */
static bool may_claim(struct xvm_conn *conn, u16 owner, bool admin)
{
	u32 i, used = 0, own = 0, credits = conn->pick.credits;

	for (i = 0; i < credits; i++) {
		if (conn->chan.reqs[i].state == XVM_REQ_FREE)
			continue;
		used++;
		own += owner && conn->chan.reqs[i].owner == owner;
	}
	if (used == credits || (!admin && credits > 1 && used == credits - 1))
		return false;
	return admin || !owner || own < max(credits / 4, 1u);
}

static struct xvm_req *take_free(struct xvm_chan *chan, u32 credits)
{
	u32 i;

	for (i = 0; i < credits; i++) {
		struct xvm_req *req = &chan->reqs[i];

		if (req->state != XVM_REQ_FREE)
			continue;
		req->state = XVM_REQ_WAITING;
		req->token = (u16)(chan->token_lap++ << 8 | i);
		reinit_completion(&req->done);
		return req;
	}
	return NULL;
}

/* A token of 0 is as good as any other: the answer must match in all. */
static struct xvm_req *claim(struct xvm_conn *conn, u16 owner, bool admin, const u8 *msg,
			     u8 *answer)
{
	struct xvm_chan *chan = &conn->chan;
	struct xvm_req *req = NULL;

	spin_lock_irq(&chan->req_lock);
	if (may_claim(conn, owner, admin))
		req = take_free(chan, conn->pick.credits);
	if (req) {
		req->type = msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_MASK;
		req->id = msg[VIRTIO_MSG_HDR_ID];
		req->dev_num = xvm_get16(msg + VIRTIO_MSG_HDR_DEV_NUM);
		req->owner = owner;
		req->answer = answer;
		req->result = -EIO;
	}
	spin_unlock_irq(&chan->req_lock);
	return req;
}

static void give_back(struct xvm_conn *conn, struct xvm_req *req)
{
	spin_lock_irq(&conn->chan.req_lock);
	req->state = XVM_REQ_FREE;
	spin_unlock_irq(&conn->chan.req_lock);
	wake_up_all(&conn->chan.credit_wq);
}

static unsigned long time_left(unsigned long deadline)
{
	return time_before(jiffies, deadline) ? deadline - jiffies : 0;
}

/* The copy of msg with its token; -ETIMEDOUT when the ring had no room all the time. */
static int send(struct xvm_conn *conn, u32 epoch, struct xvm_req *req, const u8 *msg, u32 len,
		unsigned long deadline)
{
	u8 *copy = kmemdup(msg, len, GFP_KERNEL);
	int err = -ENOSPC;

	if (!copy)
		return -ENOMEM;
	xvm_msg_finish(copy, false, req->token);
	if (!wait_event_timeout(conn->chan.room_wq,
				(err = xvm_chan_send(conn, epoch, copy, len)) != -ENOSPC,
				time_left(deadline)))
		err = -ETIMEDOUT;
	kfree(copy);
	return err;
}

/* Time was up, or the answer is there: the entry's fate is decided under the lock. */
static int finish(struct xvm_conn *conn, struct xvm_req *req)
{
	int result = -ETIMEDOUT;
	bool late = false;

	spin_lock_irq(&conn->chan.req_lock);
	if (req->state == XVM_REQ_WAITING) {
		req->state = XVM_REQ_ABANDONED;
		req->answer = NULL;
		late = true;
	} else {
		result = req->result;
	}
	spin_unlock_irq(&conn->chan.req_lock);
	if (late)
		xvm_count(conn->bus, timeouts);
	else
		give_back(conn, req);
	return result;
}

/* Before the gate, except for who restores the devices behind it. */
static bool is_held(struct xvm_conn *conn)
{
	return READ_ONCE(conn->shut) && READ_ONCE(conn->keeper) != current;
}

static int dead_error(struct xvm_conn *conn)
{
	return READ_ONCE(conn->chan.gone) ? -EIO : -ERESTART;
}

int xvm_req_once(struct xvm_conn *conn, u16 owner, bool admin, const u8 *msg, u32 len, u8 *answer)
{
	unsigned long deadline = jiffies + xvm_req_seconds() * HZ;
	/* Before the gate is looked at: what passed it must not be sent behind a later one. */
	u32 epoch = smp_load_acquire(&conn->chan.epoch);
	struct xvm_req *req = NULL;
	int err;

	wait_event_timeout(conn->chan.credit_wq,
			   xvm_chan_is_dead(conn) || is_held(conn) ||
			   (req = claim(conn, owner, admin, msg, answer)),
			   time_left(deadline));
	if (!req)
		return xvm_chan_is_dead(conn) || is_held(conn) ? dead_error(conn) : -ETIMEDOUT;
	err = is_held(conn) ? -EIO : send(conn, epoch, req, msg, len, deadline);
	if (err) {
		give_back(conn, req);
		return err == -EIO ? dead_error(conn) : err;
	}
	/* It was put before the connection died, if it did: break_work will find it then. */
	wait_for_completion_timeout(&req->done, max(time_left(deadline), 1ul));
	return finish(conn, req);
}

int xvm_req_transfer(struct xvm_conn *conn, u16 owner, bool admin, const u8 *msg, u32 len,
		     u8 *answer)
{
	int err;

	for (;;) {
		err = xvm_req_once(conn, owner, admin, msg, len, answer);
		if (err != -ERESTART || READ_ONCE(conn->keeper) == current)
			return err;
		err = xvm_gate_wait(conn);
		if (err)
			return err;
	}
}

/* The waiting or abandoned request that this belongs to; req_lock is held. */
static struct xvm_req *match(struct xvm_conn *conn, u8 type, u8 id, u16 dev_num, u16 token)
{
	struct xvm_req *req = &conn->chan.reqs[token & 0xff];

	if ((token & 0xff) >= conn->pick.credits)
		return NULL;
	if (req->state != XVM_REQ_WAITING && req->state != XVM_REQ_ABANDONED)
		return NULL;
	if (req->type != type || req->id != id || req->dev_num != dev_num || req->token != token)
		return NULL;
	return req;
}

/* req_lock is held; the credit of an abandoned request comes back here. */
static void complete_req(struct xvm_chan *chan, struct xvm_req *req, int result)
{
	if (req->state == XVM_REQ_ABANDONED) {
		req->state = XVM_REQ_FREE;
		wake_up_all(&chan->credit_wq);
		return;
	}
	req->state = XVM_REQ_DONE;
	req->result = result;
	complete(&req->done);
}

bool xvm_req_answered(struct xvm_conn *conn, const struct xvm_hdr *hdr, const u8 *msg, u32 len)
{
	struct xvm_chan *chan = &conn->chan;
	struct xvm_req *req;
	unsigned long flags;

	spin_lock_irqsave(&chan->req_lock, flags);
	req = match(conn, hdr->type & ~VIRTIO_MSG_TYPE_RESPONSE, hdr->id, hdr->dev_num, hdr->token);
	if (req) {
		if (req->answer)
			memcpy(req->answer, msg, len);
		complete_req(chan, req, len);
	}
	spin_unlock_irqrestore(&chan->req_lock, flags);
	return req;
}

bool xvm_req_failed(struct xvm_conn *conn, const struct xvm_msg_request_failed *m)
{
	struct xvm_chan *chan = &conn->chan;
	struct xvm_req *req;
	unsigned long flags;

	spin_lock_irqsave(&chan->req_lock, flags);
	req = match(conn, m->type & VIRTIO_MSG_TYPE_MASK, m->id, m->dev_num, m->token);
	if (req)
		complete_req(chan, req, -ENODEV);
	spin_unlock_irqrestore(&chan->req_lock, flags);
	if (req)
		xvm_count(conn->bus, requests_failed);
	return req;
}

/* No answer comes any more to what is outstanding, so all credits are back. */
void xvm_req_fail_all(struct xvm_conn *conn, int err)
{
	struct xvm_chan *chan = &conn->chan;
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&chan->req_lock, flags);
	for (i = 0; i < conn->pick.credits; i++)
		if (chan->reqs[i].state == XVM_REQ_WAITING ||
		    chan->reqs[i].state == XVM_REQ_ABANDONED)
			complete_req(chan, &chan->reqs[i], err);
	spin_unlock_irqrestore(&chan->req_lock, flags);
	wake_up_all(&chan->credit_wq);
}
