// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bus messages: which devices there are, their coming and going. Devices are
 * added and removed one after the other on the connection's ordered queue, so
 * that disks keep their order; never in the xenwatch thread, never in an
 * interrupt.
 *
 * Trust: events may name any number in any order. They are kept as a bit per
 * number (the newest wins), and acted upon at our pace.
 */
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/dma-map-ops.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "front.h"
#include "virtio_msg_enum.h"

#define NUMBERS		65536u

/* -- What the virtio side asks of the bus -- */

static struct xvm_dev *vm_dev(struct vmsg_device *vm)
{
	return to_xvm_dev(vm->vdev.dev.parent);
}

static int dev_transfer(struct vmsg_device *vm, const u8 *msg, u32 len, u8 *answer)
{
	struct xvm_dev *xd = vm_dev(vm);
	/* A reset must get through, and be asked after, whatever else is outstanding. */
	bool admin = (msg[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_SET_DEVICE_STATUS &&
		      !xvm_msg_get_u32(msg)) ||
		     msg[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_GET_DEVICE_STATUS;

	struct xvm_conn *conn = xd->conn;
	int err;

	for (;;) {
		err = xvm_req_once(conn, xd->num, admin, msg, len, answer);
		if (err != -ERESTART || READ_ONCE(conn->keeper) == current)
			return err;
		/* Whoever restores the device need not wait for vm->lock, which we hold. */
		atomic_inc(&xd->parked);
		wake_up_all(&conn->gate_wq);
		err = xvm_gate_wait(conn);
		atomic_dec(&xd->parked);
		if (err)
			return err;
	}
}

static int dev_keep_queue(struct vmsg_device *vm, u32 vq_index)
{
	struct xvm_dev *xd = vm_dev(vm);
	const struct xvm_msg_keep_queue m = {
		.dev_num = xd->num,
		.flags = xd->idle ? XVM_KEEP_IDLE : 0,
		.index = vq_index,
	};
	u8 msg[VIRTIO_MSG_HDR_BYTES + 8], answer[VIRTIO_MSG_OFFER_BYTES];
	struct xvm_msg_area_status st;
	int err = xvm_req_once(xd->conn, 0, true, msg, xvm_msg_put_keep_queue(msg, &m), answer);

	if (err < 0)
		return err;
	xvm_msg_get_area_status(answer, XVM_BUS_MSG_KEEP_QUEUE, &st);
	return st.id == xd->num && st.status == XVM_STATUS_OK ? 0 : -EPROTO;
}

static void dev_kick(struct vmsg_device *vm, u32 vq_index)
{
	xvm_chan_kick(vm_dev(vm), vq_index);
}

static void dev_forget_kick(struct vmsg_device *vm, u32 vq_index)
{
	xvm_chan_forget_kick(vm_dev(vm), vq_index);
}

static int dev_prepare_vqs(struct vmsg_device *vm, u32 nvqs, u32 entries)
{
	struct xvm_dev *xd = vm_dev(vm);

	/* Kernels with CONFIG_XEN_VIRTIO put their own in place meanwhile. */
	set_dma_ops(&xd->dev, &xvm_dma_ops);
	return xvm_area_prepare(xd, nvqs, entries);
}

static void dev_synchronize(struct vmsg_device *vm)
{
	xvm_chan_quiesce(vm_dev(vm)->conn);
}

static const struct vmsg_bus_ops bus_ops = {
	.transfer = dev_transfer,
	.kick = dev_kick,
	.forget_kick = dev_forget_kick,
	.prepare_vqs = dev_prepare_vqs,
	.keep_queue = dev_keep_queue,
	.synchronize = dev_synchronize,
	.release = vmsg_device_free,
};

/* -- A device's life -- */

static void dev_release(struct device *dev)
{
	struct xvm_dev *xd = to_xvm_dev(dev);

	/* Here and not before: whoever holds a reference may use vm. */
	if (xd->vm)
		vmsg_device_put(xd->vm);
	xvm_conn_put(xd->conn);
	kfree(xd);
}

/* -- A device that completes nothing any more: virtio_msg_lost.c -- */

void xvm_bus_lose_dev(struct xvm_dev *xd)
{
	WRITE_ONCE(xd->lost, true);
	vmsg_device_lose(xd->vm);
}

static void lose_work(struct work_struct *work)
{
	xvm_bus_lose_dev(container_of(work, struct xvm_dev, lose_work));
}

/*
 * Has it been removed without warning, so that what it was given will not be
 * completed? Asked outside the queue of events: that one may be in the probe of
 * this device, which waits for just that.
 */
static void gone_work(struct work_struct *work)
{
	struct xvm_dev *xd = container_of(work, struct xvm_dev, gone_work);
	u8 msg[VIRTIO_MSG_HDR_BYTES], answer[VIRTIO_MSG_OFFER_BYTES];
	u32 len = xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, xd->num);

	if (xvm_req_transfer(xd->conn, xd->num, true, msg, len, answer) == -ENODEV)
		xvm_bus_lose_dev(xd);
}

static unsigned int patience_seconds = XVM_PATIENCE_SECONDS;
module_param(patience_seconds, uint, 0444);
MODULE_PARM_DESC(patience_seconds,
		 "how long a device that is to go may take to complete its requests (default 60)");

static void patience_work(struct work_struct *work)
{
	struct xvm_dev *xd = container_of(to_delayed_work(work), struct xvm_dev, patience);

	dev_err(&xd->dev, "device %u: requests not completed within %u s are given up\n", xd->num,
		patience_seconds);
	xvm_bus_lose_dev(xd);
}

void xvm_bus_lose_devices(struct xvm_conn *conn)
{
	struct xvm_dev *xd;
	unsigned long num;

	mutex_lock(&conn->dev_lock);
	xa_for_each(&conn->devs, num, xd)
		xvm_bus_lose_dev(xd);
	mutex_unlock(&conn->dev_lock);
}

/* The struct device whose dma_map_ops its virtio device uses. */
static struct xvm_dev *make_dev(struct xvm_conn *conn, u16 num)
{
	struct xvm_dev *xd = kzalloc(sizeof(*xd), GFP_KERNEL);
	struct device *dev;

	if (!xd)
		return NULL;
	kref_get(&conn->ref);
	xd->conn = conn;
	xd->num = num;
	INIT_LIST_HEAD(&xd->kick_node);
	INIT_WORK(&xd->lose_work, lose_work);
	INIT_WORK(&xd->gone_work, gone_work);
	INIT_DELAYED_WORK(&xd->patience, patience_work);
	xvm_area_init(xd);
	dev = &xd->dev;
	device_initialize(dev);
	dev->release = dev_release;
	dev->type = &xvm_dev_type;
	dev->parent = &conn->bus->xdev->dev;
	/* The connection is part of the name: its predecessor may not be gone yet. */
	dev_set_name(dev, "%s.%u.%u", dev_name(dev->parent), conn->serial, num);
	dev->dma_mask = &dev->coherent_dma_mask;
	set_dma_ops(dev, &xvm_dma_ops);
	if (dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)) || device_add(dev)) {
		put_device(dev);
		return NULL;
	}
	return xd;
}

/* No event finds it any more, and none that did is still at work. */
static void hide_dev(struct xvm_dev *xd)
{
	mutex_lock(&xd->conn->dev_lock);
	xa_erase(&xd->conn->devs, xd->num);
	mutex_unlock(&xd->conn->dev_lock);
	xvm_chan_quiesce(xd->conn);
	xvm_chan_forget_kicks(xd);
	cancel_work_sync(&xd->lose_work);
	cancel_work_sync(&xd->gone_work);
}

static void end_dev(struct xvm_dev *xd)
{
	hide_dev(xd);
	xvm_area_del_all(xd);
	device_unregister(&xd->dev);
}

static void add_dev(struct xvm_conn *conn, u16 num)
{
	struct xvm_dev *xd;
	int err;

	if (READ_ONCE(conn->closing) || xa_load(&conn->devs, num))
		return;
	if (conn->ndevs == XVM_MAX_DEVICES) {
		dev_err_ratelimited(&conn->bus->xdev->dev, "device %u is left out: limit is %u\n",
				    num, XVM_MAX_DEVICES);
		return;
	}
	xd = make_dev(conn, num);
	if (!xd)
		return;
	xd->vm = vmsg_device_alloc(&bus_ops, &xd->dev, num, conn->pick.max_message);
	if (!xd->vm) {
		device_unregister(&xd->dev);
		return;
	}
	xd->vm->dialect = conn->pick.dialect;
	xd->vm->reset_seconds = xvm_req_seconds();
	err = xa_err(xa_store(&conn->devs, num, xd, GFP_KERNEL));
	if (!err)
		err = vmsg_device_register(xd->vm);
	if (err)
		end_dev(xd);
	else
		conn->ndevs++;
}

static void remove_dev(struct xvm_dev *xd)
{
	struct xvm_conn *conn = xd->conn;

	queue_delayed_work(system_unbound_wq, &xd->patience,
			   clamp(patience_seconds, 1u, 3600u) * HZ);
	vmsg_device_unregister(xd->vm);
	cancel_delayed_work_sync(&xd->patience);
	conn->ndevs--;
	end_dev(xd);
}

/* The number may be used again; whether the device side takes note is its business. */
static void release_number(struct xvm_conn *conn, u16 num)
{
	u8 msg[VIRTIO_MSG_HDR_BYTES + 4], answer[VIRTIO_MSG_OFFER_BYTES];
	u32 len = xvm_msg_put_number(msg, XVM_BUS_MSG_RELEASE_DEVICE, num);

	xvm_req_transfer(conn, 0, true, msg, len, answer);
}

/* -- Events, from the ring -- */

/* rx_lock is held, or the device cannot go; see hide_dev. */
bool xvm_bus_event_device(struct xvm_conn *conn, const struct xvm_msg_event_device *m)
{
	struct xvm_dev *xd = xa_load(&conn->devs, m->dev_num);
	unsigned long flags;

	if (!m->dev_num ||
	    (m->state != VIRTIO_MSG_DEVICE_READY && m->state != VIRTIO_MSG_DEVICE_REMOVED))
		return false;
	spin_lock_irqsave(&conn->events_lock, flags);
	if (m->state == VIRTIO_MSG_DEVICE_READY) {
		__set_bit(m->dev_num, conn->ready);
	} else {
		__clear_bit(m->dev_num, conn->ready);
		__set_bit(m->dev_num, conn->removed);
	}
	spin_unlock_irqrestore(&conn->events_lock, flags);
	if (READ_ONCE(conn->closing))
		return true;
	if (xd && m->state == VIRTIO_MSG_DEVICE_REMOVED)
		queue_work(system_unbound_wq, &xd->gone_work);
	queue_work(conn->wq, &conn->events_work);
	return true;
}

void xvm_bus_lost(struct xvm_conn *conn, u16 num)
{
	const struct xvm_msg_event_device gone = {
		.dev_num = num,
		.state = VIRTIO_MSG_DEVICE_REMOVED,
	};

	xvm_bus_event_device(conn, &gone);
}

/* rx_lock is held, so a device found in the table stays; see hide_dev. */
bool xvm_bus_event_used(struct xvm_conn *conn, u16 num, u32 vq_index)
{
	struct xvm_dev *xd = xa_load(&conn->devs, num);

	if (!xd || !vmsg_event_used(xd->vm, vq_index))
		return false;
	/* virtio_ring found a rule broken, and will complete nothing any more. */
	if (vmsg_queue_is_broken(xd->vm, vq_index))
		queue_work(system_unbound_wq, &xd->lose_work);
	return true;
}

bool xvm_bus_event_config(struct xvm_conn *conn, u16 num, const struct xvm_msg_event_config *m)
{
	struct xvm_dev *xd = xa_load(&conn->devs, num);

	if (!xd)
		return false;
	vmsg_event_config(xd->vm, m);
	if (m->device_status & VIRTIO_CONFIG_S_NEEDS_RESET)
		queue_work(system_unbound_wq, &xd->lose_work);
	return true;
}

void xvm_bus_break_devices(struct xvm_conn *conn)
{
	struct xvm_dev *xd;
	unsigned long num, flags;

	spin_lock_irqsave(&conn->chan.rx_lock, flags);
	xa_for_each(&conn->devs, num, xd)
		vmsg_device_break(xd->vm);
	spin_unlock_irqrestore(&conn->chan.rx_lock, flags);
}

/* Takes one number out of a set of events; 0: none. */
static u16 take_event(struct xvm_conn *conn, unsigned long *set)
{
	unsigned long num;

	spin_lock_irq(&conn->events_lock);
	num = find_first_bit(set, NUMBERS);
	if (num < NUMBERS)
		__clear_bit(num, set);
	spin_unlock_irq(&conn->events_lock);
	return num < NUMBERS ? num : 0;
}

/* Removals first: a number that is ready again after one is a new device. */
static void events_work(struct work_struct *work)
{
	struct xvm_conn *conn = container_of(work, struct xvm_conn, events_work);
	struct xvm_dev *xd;
	u16 num;

	while (!READ_ONCE(conn->closing) && (num = take_event(conn, conn->removed))) {
		xd = xa_load(&conn->devs, num);
		if (xd)
			remove_dev(xd);
		release_number(conn, num);
	}
	while (!READ_ONCE(conn->closing) && (num = take_event(conn, conn->ready)))
		add_dev(conn, num);
}

/* -- Enumeration -- */

static int ping(struct xvm_conn *conn)
{
	u8 msg[VIRTIO_MSG_HDR_BYTES + 4], answer[VIRTIO_MSG_OFFER_BYTES];
	u32 len = xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, conn->serial);
	int err = xvm_req_transfer(conn, 0, true, msg, len, answer);

	if (err >= 0 && xvm_msg_get_u32(answer) != conn->serial)
		return -EPROTO;
	return err < 0 ? err : 0;
}

static int enum_transfer(void *arg, const u8 *msg, u32 len, u8 *answer)
{
	struct xvm_conn *conn = arg;

	/* A list may be long, and its end is nothing to wait for when the bus is to go. */
	if (READ_ONCE(conn->closing))
		return -EIO;
	return xvm_req_transfer(conn, 0, true, msg, len, answer);
}

static void note_ready(void *arg, const struct xvm_msg_get_devices *m)
{
	struct xvm_conn *conn = arg;
	u32 i;

	spin_lock_irq(&conn->events_lock);
	for (i = 0; i < m->count; i++)
		if (vmsg_enum_has(m, i))
			__set_bit(m->offset + i, conn->ready);
	spin_unlock_irq(&conn->events_lock);
}

static int enumerate(struct xvm_conn *conn)
{
	struct vmsg_enum e = {
		.dialect = conn->pick.dialect,
		.max_message = conn->pick.max_message,
		.transfer = enum_transfer,
		.window = note_ready,
		.arg = conn,
	};

	return vmsg_enumerate(&e);
}

static void start_work(struct work_struct *work)
{
	struct xvm_conn *conn = container_of(work, struct xvm_conn, start_work);
	struct device *dev = &conn->bus->xdev->dev;
	int err;

	err = ping(conn);
	if (!err)
		err = enumerate(conn);
	if (err) {
		if (err != -EIO)
			dev_err(dev, "asking the bus for its devices failed: %d\n", err);
		return;
	}
	dev_info(dev, "connected: dialect %s, %u-byte messages, ring order %u, %u credits, %u devices\n",
		 xvm_dialect_name(conn->pick.dialect), conn->pick.max_message,
		 conn->pick.ring_order, conn->pick.credits, bitmap_weight(conn->ready, NUMBERS));
	events_work(&conn->events_work);
}

/* -- Life -- */

int xvm_bus_init(struct xvm_conn *conn)
{
	INIT_WORK(&conn->start_work, start_work);
	INIT_WORK(&conn->events_work, events_work);
	spin_lock_init(&conn->events_lock);
	mutex_init(&conn->area_lock);
	mutex_init(&conn->dev_lock);
	xa_init(&conn->devs);
	conn->ready = bitmap_zalloc(NUMBERS, GFP_KERNEL);
	conn->removed = bitmap_zalloc(NUMBERS, GFP_KERNEL);
	conn->wq = alloc_ordered_workqueue("%s", 0, dev_name(&conn->bus->xdev->dev));
	return conn->ready && conn->removed && conn->wq ? 0 : -ENOMEM;
}

void xvm_bus_start(struct xvm_conn *conn)
{
	queue_work(conn->wq, &conn->start_work);
}

void xvm_bus_stop(struct xvm_conn *conn, bool orderly)
{
	struct xvm_dev *xd;
	unsigned long num;

	WRITE_ONCE(conn->closing, true);
	if (!orderly)
		xvm_chan_break(conn, XVM_ERR_CLOSED, 0);
	xvm_keep_stop(conn);
	cancel_work_sync(&conn->start_work);
	cancel_work_sync(&conn->events_work);
	xa_for_each(&conn->devs, num, xd)
		remove_dev(xd);
}

void xvm_bus_free(struct xvm_conn *conn)
{
	if (conn->wq)
		destroy_workqueue(conn->wq);
	xa_destroy(&conn->devs);
	bitmap_free(conn->ready);
	bitmap_free(conn->removed);
}
