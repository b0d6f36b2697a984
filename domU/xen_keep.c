// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that outlive the end of a connection (docs/protocol.md, section 15):
 * the worker died or was replaced, or the guest is in a new domain. The rings
 * start anew, then the keeper, a work item, makes every device on the other
 * side what it was, from what we know here, while all other requests wait at
 * the gate. Drivers see a pause.
 *
 * Nothing that another task is about to change may be read meanwhile: a device
 * is restored while its vm->lock is ours, or while its holder waits at the gate.
 *
 * Trust: the new device side may be another program on another host. A device
 * that does not answer as it did is given up, and only that one.
 */
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/slab.h>

#include "front.h"

#define GATE_SECONDS	60	/* for another connection to come; then requests fail */
#define LOOK_AGAIN_MS	20	/* whether a device's lock is free, which wakes nobody */

/* -- The gate -- */

int xvm_gate_wait(struct xvm_conn *conn)
{
	long left = wait_event_timeout(conn->gate_wq,
				       !READ_ONCE(conn->shut) || READ_ONCE(conn->chan.gone),
				       GATE_SECONDS * HZ);

	if (READ_ONCE(conn->chan.gone))
		return -EIO;
	return left ? 0 : -ETIMEDOUT;
}

void xvm_keep_pause(struct xvm_conn *conn)
{
	conn->connected = false;
	conn->kept = true;
	xvm_chan_pause(conn);
}

/* False: the connection that was restored ended meanwhile. */
static bool open_gate(struct xvm_conn *conn, u32 epoch)
{
	bool open;

	spin_lock_irq(&conn->chan.tx_lock);
	open = !conn->chan.dead && conn->chan.epoch == epoch;
	if (open)
		WRITE_ONCE(conn->shut, false);
	spin_unlock_irq(&conn->chan.tx_lock);
	wake_up_all(&conn->gate_wq);
	return open;
}

/* -- A new connection for the same devices -- */

bool xvm_keep_fits(const struct xvm_conn *conn, const struct xvm_pick *pick)
{
	const struct xvm_pick *old = &conn->pick;

	return (conn->connected || conn->kept) && !READ_ONCE(conn->chan.gone) &&
	       old->bus_features & pick->bus_features & XVM_BUS_F_KEEP &&
	       old->dialect == pick->dialect && old->max_message == pick->max_message &&
	       old->ring_order == pick->ring_order && old->credits == pick->credits;
}

/* A reference to the device of the first number from *num on; NULL: there is none. */
static struct xvm_dev *get_dev(struct xvm_conn *conn, unsigned long *num)
{
	struct xvm_dev *xd;
	unsigned long flags;

	/* A device leaves the table before rx_lock is passed through; see hide_dev. */
	spin_lock_irqsave(&conn->chan.rx_lock, flags);
	xd = xa_find(&conn->devs, num, ULONG_MAX, XA_PRESENT);
	if (xd)
		get_device(&xd->dev);
	spin_unlock_irqrestore(&conn->chan.rx_lock, flags);
	return xd;
}

#define for_each_dev(conn, num, xd) \
	for (num = 0; ((xd) = get_dev(conn, &(num))); put_device(&(xd)->dev), (num)++)

int xvm_keep_renew(struct xvm_conn *conn, const struct xvm_pick *pick)
{
	struct xvm_dev *xd;
	unsigned long num;
	int err;

	conn->pick = *pick;
	conn->otherend = conn->bus->xdev->otherend_id;
	err = xvm_chan_renew(conn);
	if (conn->bus->moved)
		for_each_dev(conn, num, xd)
			xvm_area_grant_again(xd);
	conn->bus->moved = false;
	return err;
}

/* -- Restoring -- */

/* 1: vm->lock is ours; 0: its holder waits at the gate; -ERESTART: this connection ended, too. */
static int own_device(struct xvm_dev *xd)
{
	struct xvm_conn *conn = xd->conn;

	while (!mutex_trylock(&xd->vm->lock)) {
		if (atomic_read(&xd->parked))
			return 0;
		if (xvm_chan_is_dead(conn))
			return -ERESTART;
		wait_event_timeout(conn->gate_wq,
				   atomic_read(&xd->parked) || xvm_chan_is_dead(conn),
				   msecs_to_jiffies(LOOK_AGAIN_MS));
	}
	return 1;
}

static int restore(struct xvm_dev *xd, struct vmsg_buffers *buf)
{
	int owned = own_device(xd), err;

	if (owned < 0)
		return owned;
	err = vmsg_device_same(xd->vm, buf);
	if (!err)
		err = xvm_area_announce_again(xd);
	if (!err)
		err = vmsg_device_replay(xd->vm, buf);
	if (owned)
		mutex_unlock(&xd->vm->lock);
	return err;
}

/* A device that cannot be what it was: its driver hears of an error, others go on. */
static void give_up_device(struct xvm_dev *xd, int err)
{
	struct xvm_conn *conn = xd->conn;

	if (err == -ENODEV) {
		xvm_bus_lost(conn, xd->num);
	} else {
		dev_err(&xd->dev, "device %u cannot go on where it was: %d\n", xd->num, err);
		vmsg_device_fail(xd->vm);
	}
	xvm_bus_lose_dev(xd);
}

/* False when the connection ended meanwhile: the next one begins anew. */
static bool restore_all(struct xvm_conn *conn, struct vmsg_buffers *buf)
{
	struct xvm_dev *xd;
	unsigned long num;
	bool alive = true;
	int err;

	for_each_dev(conn, num, xd) {
		if (!alive)
			continue;
		err = restore(xd, buf);
		alive = err != -ERESTART && err != -EIO;
		if (alive && err)
			give_up_device(xd, err);
		if (alive && !err)
			xd->idle = false;
	}
	return alive && !xvm_chan_is_dead(conn);
}

/* What was missed while nobody told us anything. */
static void look_at_all(struct xvm_conn *conn)
{
	struct xvm_dev *xd;
	unsigned long num;

	for_each_dev(conn, num, xd)
		vmsg_device_look(xd->vm);
}

static void keep_work(struct work_struct *work)
{
	struct xvm_conn *conn = container_of(work, struct xvm_conn, keep_work);
	struct vmsg_buffers buf = {
		.request = kzalloc(conn->pick.max_message, GFP_KERNEL),
		.answer = kzalloc(conn->pick.max_message, GFP_KERNEL),
	};
	u32 epoch = READ_ONCE(conn->chan.epoch);
	bool restored = false;

	if (buf.request && buf.answer) {
		WRITE_ONCE(conn->keeper, current);
		restored = restore_all(conn, &buf);
		WRITE_ONCE(conn->keeper, NULL);
	} else {
		xvm_chan_break(conn, XVM_ERR_INTERNAL, ENOMEM);
	}
	kfree(buf.request);
	kfree(buf.answer);
	if (!restored || !open_gate(conn, epoch))
		return;
	xvm_count(conn->bus, reconnects);
	look_at_all(conn);
	xvm_bus_start(conn);
}

void xvm_keep_init(struct xvm_conn *conn)
{
	init_waitqueue_head(&conn->gate_wq);
	INIT_WORK(&conn->keep_work, keep_work);
}

void xvm_keep_start(struct xvm_conn *conn)
{
	queue_work(system_unbound_wq, &conn->keep_work);
}

/* The connection is dead, or no other one comes. */
void xvm_keep_stop(struct xvm_conn *conn)
{
	cancel_work_sync(&conn->keep_work);
}

/* -- Suspension -- */

static int tell(struct xvm_dev *xd, u8 id)
{
	u8 msg[VIRTIO_MSG_HDR_BYTES + 4], answer[VIRTIO_MSG_OFFER_BYTES];
	u32 len = xvm_msg_put_number(msg, id, xd->num);
	struct xvm_msg_area_status st;
	int err;

	err = xvm_req_once(xd->conn, 0, true, msg, len, answer);
	if (err < 0)
		return err;
	xvm_msg_get_area_status(answer, id, &st);
	return st.id == xd->num && st.status == XVM_STATUS_OK ? 0 : -EPROTO;
}

/*
 * All that the device took is given back before we are suspended. If that
 * cannot be had, the suspension fails: data counts more than a move.
 */
static int freeze(struct device *dev)
{
	struct xvm_dev *xd = to_xvm_dev(dev);
	struct xvm_conn *conn = xd->conn;
	int err;

	if (!(conn->pick.bus_features & XVM_BUS_F_KEEP) || READ_ONCE(conn->chan.gone))
		return 0;
	err = tell(xd, XVM_BUS_MSG_QUIESCE);
	if (err == -ENODEV)
		return 0;
	if (err) {
		dev_err(dev, "device %u cannot be suspended, its requests do not end: %d\n",
			xd->num, err);
		return -EBUSY;
	}
	xd->idle = true;
	/* No event of the device's comes any more; what came was handled. */
	xvm_chan_quiesce(conn);
	xvm_area_touch(xd);
	return 0;
}

/* A checkpoint was made, or the suspension failed: everything is still there. */
static int thaw(struct device *dev)
{
	struct xvm_dev *xd = to_xvm_dev(dev);
	int err;

	if (!xd->idle)
		return 0;
	err = tell(xd, XVM_BUS_MSG_RESUME);
	if (!err)
		xd->idle = false;
	/* A new connection on its way ends it as well. */
	if (err && err != -ERESTART && err != -EIO && err != -ENODEV)
		dev_err(dev, "device %u was not resumed: %d\n", xd->num, err);
	return 0;
}

static const struct dev_pm_ops pm_ops = {
	.freeze = freeze,
	.thaw = thaw,
};

const struct device_type xvm_dev_type = {
	.name = "xen-virtio-msg-device",
	.pm = &pm_ops,
};
