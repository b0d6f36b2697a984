// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rings and event channels of a connection: what is sent, what arrives.
 *
 * Trust: every record was written by the other side. It is copied out by
 * ring.h, checked by frame.h, and counted and dropped if it is nothing we
 * wait for; an index that lies ends the connection. A pass is bounded, and
 * the channel stays masked (late EOI) until we want more, so that a peer
 * cannot hold a processor by sending without end.
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "front.h"

static void notify(struct xvm_conn *conn)
{
	int irq = READ_ONCE(conn->chan.port[0].irq);

	/* Between two channels: the other side looks at the rings when it comes. */
	if (!irq)
		return;
	xvm_count(conn->bus, notifies_sent);
	notify_remote_via_irq(irq);
}

bool xvm_chan_is_dead(struct xvm_conn *conn)
{
	return READ_ONCE(conn->chan.dead);
}

static void say_why(struct xvm_conn *conn, u32 reason, u32 detail)
{
	static const char *const why[] = {
		[XVM_ERR_INDEX] = "the peer's ring index is out of bounds: ",
		[XVM_ERR_RECORD] = "a record's length is out of bounds: ",
		[XVM_ERR_CREDIT] = "the peer sent more requests than agreed, token ",
		[XVM_ERR_INTERNAL] = "internal error ",
		[XVM_ERR_STALLED] = "the peer takes no messages, and an event waits; seconds: ",
	};

	if (reason < ARRAY_SIZE(why) && why[reason])
		dev_err(&conn->bus->xdev->dev, "connection given up: %s%u\n", why[reason], detail);
}

static void break_locked(struct xvm_conn *conn, u32 reason, u32 detail)
{
	struct xvm_chan *chan = &conn->chan;

	lockdep_assert_held(&chan->tx_lock);
	if (chan->gone)
		return;
	/* Rings that were given up before have nobody to be told. */
	if (!chan->dead) {
		xvm_page_set_error(chan->control->vaddr, false, reason, detail);
		notify(conn);
	}
	WRITE_ONCE(chan->dead, true);
	WRITE_ONCE(chan->gone, true);
	chan->why = reason;
	chan->detail = detail;
	/*
	 * The rest takes locks that our caller may hold; so does printing, when
	 * the console is a device of this bus.
	 */
	queue_work(system_highpri_wq, &chan->break_work);
}

void xvm_chan_break(struct xvm_conn *conn, u32 reason, u32 detail)
{
	unsigned long flags;

	spin_lock_irqsave(&conn->chan.tx_lock, flags);
	break_locked(conn, reason, detail);
	spin_unlock_irqrestore(&conn->chan.tx_lock, flags);
}

static void break_work(struct work_struct *work)
{
	struct xvm_conn *conn = container_of(work, struct xvm_conn, chan.break_work);

	say_why(conn, conn->chan.why, conn->chan.detail);
	xvm_req_fail_all(conn, -EIO);
	wake_up_all(&conn->chan.room_wq);
	wake_up_all(&conn->gate_wq);
	xvm_bus_break_devices(conn);
	xvm_bus_lose_devices(conn);
	/* An end that we chose is told in xenstore as well; the back closes, then otherend_changed. */
	if (conn->chan.why != XVM_ERR_CLOSED && READ_ONCE(conn->bus->conn) == conn)
		xenbus_switch_state(conn->bus->xdev, XenbusStateClosing);
}

/* -- Sending; tx_lock is held -- */

static int put_locked(struct xvm_conn *conn, const u8 *msg, u32 len, bool answer)
{
	struct xvm_chan *chan = &conn->chan;
	int err = xvm_ring_tx_put(&chan->tx, msg, len, answer);

	if (err == -EPROTO)
		break_locked(conn, XVM_ERR_INDEX, chan->tx.bad);
	if (!err)
		xvm_count(conn->bus, messages_sent);
	return err;
}

static u32 taken(struct xvm_chan *chan)
{
	return xvm_shm_load32(chan->control->vaddr + XVM_CTRL_DRV_CONS);
}

/* Delivery of events is bounded where the dialect says so; tx_lock is held. */
static void watch_room(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	u32 seconds = xvm_dialect_rules(conn->pick.dialect)->event_seconds;

	chan->tx_waiting = true;
	if (!seconds || delayed_work_pending(&chan->stall_work))
		return;
	chan->stall_cons = taken(chan);
	schedule_delayed_work(&chan->stall_work, seconds * HZ);
}

/* Where the peer is, is only compared: one that lies keeps itself waiting. */
static void stall_work(struct work_struct *work)
{
	struct xvm_conn *conn = container_of(work, struct xvm_conn, chan.stall_work.work);
	struct xvm_chan *chan = &conn->chan;
	unsigned long flags;

	spin_lock_irqsave(&chan->tx_lock, flags);
	if (!chan->dead && chan->tx_waiting) {
		if (taken(chan) == chan->stall_cons)
			break_locked(conn, XVM_ERR_STALLED,
				     xvm_dialect_rules(conn->pick.dialect)->event_seconds);
		else
			watch_room(conn);
	}
	spin_unlock_irqrestore(&chan->tx_lock, flags);
}

/* As above; without room, has asked to be told when the longest message fits. */
static int put_or_arm(struct xvm_conn *conn, const u8 *msg, u32 len)
{
	struct xvm_chan *chan = &conn->chan;
	int err = put_locked(conn, msg, len, false);

	if (err != -ENOSPC)
		return err;
	watch_room(conn);
	if (xvm_ring_tx_arm(&chan->tx, chan->tx.max_msg))
		err = put_locked(conn, msg, len, false);
	return err;
}

static void publish_locked(struct xvm_conn *conn)
{
	if (xvm_ring_tx_publish(&conn->chan.tx))
		notify(conn);
}

int xvm_chan_send(struct xvm_conn *conn, u32 epoch, const u8 *msg, u32 len)
{
	struct xvm_chan *chan = &conn->chan;
	unsigned long flags;
	int err = -EIO;

	spin_lock_irqsave(&chan->tx_lock, flags);
	if (!chan->dead && chan->epoch == epoch)
		err = put_or_arm(conn, msg, len);
	if (!err)
		publish_locked(conn);
	spin_unlock_irqrestore(&chan->tx_lock, flags);
	return err == -ENOSPC || !err ? err : -EIO;
}

static int put_avail(struct xvm_dev *xd, u32 vq_index)
{
	struct xvm_msg_event_avail event = { .vq_index = vq_index };
	u8 msg[VIRTIO_MSG_HDR_BYTES + 8];
	u32 len = xvm_msg_put_event_avail(msg, xd->num, &event);

	return put_or_arm(xd->conn, msg, len);
}

/*
 * Called by drivers with interrupts off and queue locks held; cannot fail.
 * Without room in the ring a bit is kept, and the interrupt that tells of
 * room sends the event. A bit stands for any number of kicks.
 */
void xvm_chan_kick(struct xvm_dev *xd, u32 vq_index)
{
	struct xvm_chan *chan = &xd->conn->chan;
	unsigned long flags;

	spin_lock_irqsave(&chan->tx_lock, flags);
	xvm_count(xd->conn->bus, kicks);
	if (chan->dead)
		goto out;
	if (!list_empty(&xd->kick_node) || put_avail(xd, vq_index) == -ENOSPC) {
		xvm_count(xd->conn->bus, kicks_deferred);
		__set_bit(vq_index, xd->kick_bits);
		if (list_empty(&xd->kick_node))
			list_add_tail(&xd->kick_node, &chan->kicks);
	}
	publish_locked(xd->conn);
out:
	spin_unlock_irqrestore(&chan->tx_lock, flags);
}

/* True when nothing of this device is kept any more. */
static bool send_kicks_of(struct xvm_dev *xd)
{
	u32 vq;

	for_each_set_bit(vq, xd->kick_bits, VMSG_MAX_VQS) {
		if (put_avail(xd, vq))
			return false;
		__clear_bit(vq, xd->kick_bits);
	}
	list_del_init(&xd->kick_node);
	return true;
}

void xvm_chan_forget_kick(struct xvm_dev *xd, u32 vq_index)
{
	struct xvm_chan *chan = &xd->conn->chan;
	unsigned long flags;

	spin_lock_irqsave(&chan->tx_lock, flags);
	__clear_bit(vq_index, xd->kick_bits);
	spin_unlock_irqrestore(&chan->tx_lock, flags);
}

void xvm_chan_forget_kicks(struct xvm_dev *xd)
{
	struct xvm_chan *chan = &xd->conn->chan;
	unsigned long flags;

	spin_lock_irqsave(&chan->tx_lock, flags);
	list_del_init(&xd->kick_node);
	spin_unlock_irqrestore(&chan->tx_lock, flags);
}

/* The peer may have consumed: what waited for room goes on. True when anything did. */
static bool look_for_room(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	struct xvm_dev *xd, *next;
	bool found = false;
	unsigned long flags;

	spin_lock_irqsave(&chan->tx_lock, flags);
	if (chan->tx_waiting && !chan->dead) {
		/* Set again by whoever finds no room from now on. */
		chan->tx_waiting = false;
		list_for_each_entry_safe(xd, next, &chan->kicks, kick_node)
			if (!send_kicks_of(xd))
				break;
		publish_locked(conn);
		found = true;
		wake_up_all(&chan->room_wq);
	}
	spin_unlock_irqrestore(&chan->tx_lock, flags);
	return found;
}

/* -- Receiving; rx_lock is held -- */

/* Answers a PING of the other side. Its room is reserved: the peer may have one outstanding. */
static void answer_ping(struct xvm_conn *conn, const struct xvm_hdr *hdr, const u8 *msg)
{
	struct xvm_chan *chan = &conn->chan;
	u8 answer[VIRTIO_MSG_HDR_BYTES + 4];
	u32 len = xvm_msg_put_u32(answer, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0,
				  xvm_msg_get_u32(msg));
	unsigned long flags;

	xvm_msg_finish(answer, true, hdr->token);
	spin_lock_irqsave(&chan->tx_lock, flags);
	if (!chan->dead) {
		if (put_locked(conn, answer, len, true) == -ENOSPC)
			break_locked(conn, XVM_ERR_CREDIT, hdr->token);
		publish_locked(conn);
	}
	spin_unlock_irqrestore(&chan->tx_lock, flags);
}

static bool handle_bus(struct xvm_conn *conn, const struct xvm_hdr *hdr, const u8 *msg)
{
	struct xvm_msg_request_failed failed;
	struct xvm_msg_event_device event;

	switch (hdr->id) {
	case VIRTIO_BUS_MSG_PING:
		answer_ping(conn, hdr, msg);
		return true;
	case VIRTIO_BUS_MSG_EVENT_DEVICE:
		xvm_msg_get_event_device(msg, &event);
		return xvm_bus_event_device(conn, &event);
	case XVM_BUS_MSG_REQUEST_FAILED:
		xvm_msg_get_request_failed(msg, &failed);
		return xvm_req_failed(conn, &failed);
	}
	return false;
}

static bool handle_transport(struct xvm_conn *conn, const struct xvm_hdr *hdr, const u8 *msg,
			     u32 len)
{
	struct xvm_msg_event_config config;

	switch (hdr->id) {
	case VIRTIO_MSG_EVENT_USED:
		return xvm_bus_event_used(conn, hdr->dev_num, xvm_msg_get_u32(msg));
	case VIRTIO_MSG_EVENT_CONFIG:
		return !xvm_msg_get_event_config(msg, len, &config) &&
		       xvm_bus_event_config(conn, hdr->dev_num, &config);
	}
	return false;
}

static void handle(struct xvm_conn *conn, const u8 *msg, u32 len)
{
	const struct xvm_msg_row *row;
	struct xvm_hdr hdr;
	bool good;

	xvm_count(conn->bus, messages_received);
	if (xvm_frame_check(conn->pick.dialect, XVM_SIDE_DEVICE, conn->pick.max_message, msg, len,
			    &hdr, &row))
		good = false;
	else if (hdr.type & VIRTIO_MSG_TYPE_RESPONSE)
		good = xvm_req_answered(conn, &hdr, msg, len);
	else if (hdr.type & VIRTIO_MSG_TYPE_BUS)
		good = handle_bus(conn, &hdr, msg);
	else
		good = handle_transport(conn, &hdr, msg, len);
	if (!good)
		xvm_count(conn->bus, bad_messages);
}

/*
 * At most budget records; returns how many looks at the ring were used up.
 * Each look costs one even when it finds nothing, so that an index that
 * jumps to and fro cannot keep us here.
 */
static u32 receive(struct xvm_conn *conn, u32 budget, u32 *records)
{
	struct xvm_chan *chan = &conn->chan;
	u32 n;

	for (n = 0; n < budget; n++) {
		int len = xvm_ring_rx_get(&chan->rx, chan->rx_buf, conn->pick.max_message);

		if (len >= 0) {
			handle(conn, chan->rx_buf, len);
			++*records;
		} else if (len != -EAGAIN) {
			xvm_chan_break(conn, chan->rx.avail ? XVM_ERR_RECORD : XVM_ERR_INDEX,
				       chan->rx.bad);
			break;
		} else if (!xvm_ring_rx_arm(&chan->rx)) {
			break;
		} else {
			/* Came while we armed: its notification is on the way, and will find nothing. */
			chan->owed = true;
		}
	}
	return n;
}

enum pass { PASS_EMPTY, PASS_DONE, PASS_MORE };

static enum pass pass(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	unsigned long flags;
	u32 records = 0, used;
	bool found;

	spin_lock_irqsave(&chan->rx_lock, flags);
	used = receive(conn, XVM_PASS_RECORDS, &records);
	found = records || chan->owed;
	if (!records)
		chan->owed = false;
	if (xvm_ring_rx_publish(&chan->rx) && !xvm_chan_is_dead(conn))
		notify(conn);
	spin_unlock_irqrestore(&chan->rx_lock, flags);

	if (look_for_room(conn))
		found = true;
	if (used == XVM_PASS_RECORDS)
		return PASS_MORE;
	return found ? PASS_DONE : PASS_EMPTY;
}

/* A dead connection's channel is left masked until it is unbound. */
static void end_of_interrupt(struct xvm_port *port, enum pass result)
{
	if (xvm_chan_is_dead(port->conn))
		return;
	if (result == PASS_MORE)
		queue_work(system_highpri_wq, &port->poll);
	else
		xen_irq_lateeoi(port->irq, result == PASS_EMPTY ? XEN_EOI_FLAG_SPURIOUS : 0);
}

static irqreturn_t interrupt(int irq, void *arg)
{
	struct xvm_port *port = arg;
	enum pass result = pass(port->conn);

	xvm_count(port->conn->bus, interrupts);
	if (result == PASS_EMPTY)
		xvm_count(port->conn->bus, interrupts_empty);
	end_of_interrupt(port, result);
	return IRQ_HANDLED;
}

/* Drivers expect their callbacks from an interrupt; network ones need soft interrupts run after. */
static void poll(struct work_struct *work)
{
	struct xvm_port *port = container_of(work, struct xvm_port, poll);
	enum pass result;

	local_bh_disable();
	local_irq_disable();
	result = pass(port->conn);
	local_irq_enable();
	local_bh_enable();
	end_of_interrupt(port, result == PASS_EMPTY ? PASS_DONE : result);
}

void xvm_chan_quiesce(struct xvm_conn *conn)
{
	unsigned long flags;

	/* All handling of messages happens under rx_lock, in interrupts and in poll work alike. */
	spin_lock_irqsave(&conn->chan.rx_lock, flags);
	spin_unlock_irqrestore(&conn->chan.rx_lock, flags);
}

/* -- Life -- */

/* Empty rings in the pages that are there; nobody uses them, on either side. */
static int start_rings(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	u32 npages = 1u << conn->pick.ring_order, bytes = XVM_PAGE_BYTES << conn->pick.ring_order;
	struct xvm_page_refs *refs = kzalloc(sizeof(*refs), GFP_KERNEL);
	struct xvm_ring_mem tx, rx;
	u32 i;

	if (!refs)
		return -ENOMEM;
	memset(chan->control->vaddr, 0, XVM_PAGE_BYTES);
	for (i = 0; i < npages; i++) {
		refs->drv[i] = chan->drv->refs[i];
		refs->dev[i] = chan->dev->refs[i];
	}
	xvm_page_init(chan->control->vaddr, conn->pick.ring_order, refs);
	kfree(refs);
	conn->pick.control_ref = chan->control->refs[0];
	xvm_ring_mem_init(&tx, chan->control->vaddr, chan->drv->vaddr, bytes, true);
	xvm_ring_mem_init(&rx, chan->control->vaddr, chan->dev->vaddr, bytes, false);
	xvm_ring_rx_init(&chan->rx, &rx, conn->pick.max_message);
	return xvm_ring_tx_init(&chan->tx, &tx, conn->pick.max_message, XVM_DEVICE_CREDITS);
}

static int make_rings(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	u32 npages = 1u << conn->pick.ring_order;

	chan->control = xvm_gmem_alloc(conn->bus, conn->otherend, 1, false);
	chan->drv = xvm_gmem_alloc(conn->bus, conn->otherend, npages, false);
	chan->dev = xvm_gmem_alloc(conn->bus, conn->otherend, npages, false);
	if (!chan->control || !chan->drv || !chan->dev)
		return -ENOMEM;
	return start_rings(conn);
}

static int make_port(struct xvm_conn *conn, u32 i)
{
	struct xvm_port *port = &conn->chan.port[i];
	int err;

	err = xenbus_alloc_evtchn(conn->bus->xdev, &port->evtchn);
	if (err)
		return err;
	err = bind_evtchn_to_irqhandler_lateeoi(port->evtchn, interrupt, 0,
						dev_name(&conn->bus->xdev->dev), port);
	if (err < 0) {
		xenbus_free_evtchn(conn->bus->xdev, port->evtchn);
		return err;
	}
	WRITE_ONCE(port->irq, err);
	conn->pick.channel[i] = port->evtchn;
	return 0;
}

static int make_ports(struct xvm_conn *conn)
{
	u32 i;
	int err = 0;

	for (i = 0; !err && i < conn->pick.num_channels; i++)
		err = make_port(conn, i);
	return err;
}

/* The connection is dead, so nothing queues poll once its interrupt is gone. */
static void end_ports(struct xvm_chan *chan)
{
	u32 i;

	for (i = 0; i < XVM_MAX_CHANNELS; i++) {
		struct xvm_port *port = &chan->port[i];
		int irq = port->irq;

		if (!irq)
			continue;
		WRITE_ONCE(port->irq, 0);
		/* It queues itself again only while the connection lives. */
		cancel_work_sync(&port->poll);
		unbind_from_irqhandler(irq, port);
		cancel_work_sync(&port->poll);
	}
}

static void forget_all_kicks(struct xvm_chan *chan)
{
	struct xvm_dev *xd, *next;

	list_for_each_entry_safe(xd, next, &chan->kicks, kick_node)
		list_del_init(&xd->kick_node);
}

void xvm_chan_pause(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	unsigned long flags;

	spin_lock_irqsave(&chan->tx_lock, flags);
	WRITE_ONCE(chan->dead, true);
	/* Whoever sees the new epoch sees the gate shut; see is_held. */
	WRITE_ONCE(conn->shut, true);
	smp_store_release(&chan->epoch, chan->epoch + 1);
	chan->tx_waiting = false;
	cancel_delayed_work(&chan->stall_work);
	/* Every queue is looked at when the gate opens. */
	forget_all_kicks(chan);
	spin_unlock_irqrestore(&chan->tx_lock, flags);
	end_ports(chan);
	xvm_req_fail_all(conn, -ERESTART);
	wake_up_all(&chan->room_wq);
}

int xvm_chan_renew(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	unsigned long flags;
	int err;

	if (conn->bus->moved) {
		xvm_gmem_grant_again(chan->control, conn->otherend);
		xvm_gmem_grant_again(chan->drv, conn->otherend);
		xvm_gmem_grant_again(chan->dev, conn->otherend);
	}
	chan->owed = false;
	err = start_rings(conn);
	if (err)
		return err;
	/* Before the ports: an event must find a living connection, or its channel stays masked. */
	spin_lock_irqsave(&chan->tx_lock, flags);
	if (!chan->gone)
		WRITE_ONCE(chan->dead, false);
	spin_unlock_irqrestore(&chan->tx_lock, flags);
	return make_ports(conn);
}

int xvm_chan_init(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;
	u32 i;
	int err;

	spin_lock_init(&chan->tx_lock);
	spin_lock_init(&chan->rx_lock);
	INIT_LIST_HEAD(&chan->kicks);
	init_waitqueue_head(&chan->room_wq);
	INIT_WORK(&chan->break_work, break_work);
	INIT_DELAYED_WORK(&chan->stall_work, stall_work);
	chan->rx_buf = kzalloc(conn->pick.max_message, GFP_KERNEL);
	if (!chan->rx_buf)
		return -ENOMEM;
	for (i = 0; i < XVM_MAX_CHANNELS; i++) {
		chan->port[i].conn = conn;
		INIT_WORK(&chan->port[i].poll, poll);
	}
	err = xvm_req_init(conn);
	if (!err)
		err = make_rings(conn);
	return err ? err : make_ports(conn);
}

/* Accepts a half-made channel. No device is left, and nobody sends any more. */
void xvm_chan_fini(struct xvm_conn *conn)
{
	struct xvm_chan *chan = &conn->chan;

	if (chan->port[0].irq)
		xvm_chan_break(conn, XVM_ERR_CLOSED, 0);
	end_ports(chan);
	cancel_delayed_work_sync(&chan->stall_work);
	flush_work(&chan->break_work);
	xvm_gmem_retire(chan->control);
	xvm_gmem_retire(chan->drv);
	xvm_gmem_retire(chan->dev);
	kfree(chan->reqs);
	kfree(chan->rx_buf);
}
