// SPDX-License-Identifier: GPL-2.0-only
/*
 * The xenbus frontend: keys, states, the life of connections.
 *
 * xenwatch, which calls us on every change of the back-end's state, never
 * waits here: it makes a connection, or marks one as dead and leaves the rest
 * to a work item. What the back-end writes to xenstore is parsed by shake.h.
 */
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <xen/page.h>
#include <xen/xen.h>

#include "front.h"

#define TRANSACTION_TRIES 20	/* xenstore says "again" when others wrote meanwhile */

static void conn_release(struct kref *ref)
{
	struct xvm_conn *conn = container_of(ref, struct xvm_conn, ref);

	xvm_bus_free(conn);
	xvm_bus_put(conn->bus);
	kfree(conn);
}

void xvm_conn_put(struct xvm_conn *conn)
{
	kref_put(&conn->ref, conn_release);
}

static void bus_release(struct kref *ref)
{
	struct xvm_bus *bus = container_of(ref, struct xvm_bus, ref);

	put_device(&bus->xdev->dev);
	kfree(bus);
}

void xvm_bus_put(struct xvm_bus *bus)
{
	kref_put(&bus->ref, bus_release);
}

/* -- Closing -- */

/* Consumes the caller's reference. May take long, even for ever, if a driver does not let go. */
static void close_conn(struct xvm_conn *conn, bool orderly)
{
	struct xvm_bus *bus = conn->bus;

	xvm_bus_stop(conn, orderly);
	xvm_chan_fini(conn);
	xvm_conn_put(conn);
	if (atomic_dec_and_test(&bus->open))
		wake_up_all(&bus->closed_wq);
}

static void close_work(struct work_struct *work)
{
	close_conn(container_of(work, struct xvm_conn, close_work), false);
}

/* The other side is gone or goes: no more traffic from now on, the rest in its own time. */
static void drop_conn(struct xvm_bus *bus)
{
	struct xvm_conn *conn = bus->conn;

	if (!conn)
		return;
	WRITE_ONCE(bus->conn, NULL);
	xvm_chan_break(conn, XVM_ERR_CLOSED, 0);
	queue_work(system_unbound_wq, &conn->close_work);
}

/* -- Handshake -- */

static void say_fault(struct xenbus_device *xdev, const struct xvm_shake_fault *fault)
{
	xenbus_dev_error(xdev, -EPROTO, "back-end key %s %s %u", fault->key, fault->rule,
			 fault->limit);
}

static int read_offer(struct xenbus_device *xdev, struct xvm_offer *offer)
{
	struct xvm_text keys[XVM_BK_COUNT] = { };
	char *text[XVM_BK_COUNT];
	struct xvm_shake_fault fault;
	unsigned int len;
	int i, err;

	for (i = 0; i < XVM_BK_COUNT; i++) {
		text[i] = xenbus_read(XBT_NIL, xdev->otherend, xvm_back_key_name[i], &len);
		if (IS_ERR(text[i]))
			text[i] = NULL;
		else
			keys[i] = (struct xvm_text){ text[i], len };
	}
	err = xvm_shake_read_offer(keys, offer, &fault);
	if (err)
		say_fault(xdev, &fault);
	for (i = 0; i < XVM_BK_COUNT; i++)
		kfree(text[i]);
	return err;
}

static char *dialect = "";
module_param(dialect, charp, 0444);
MODULE_PARM_DESC(dialect, "speak this dialect of virtio-msg only: pr28 or draft2026 (default: the newest that the other end knows)");

/* Bits of the dialects to choose from; 0, with a line, when the parameter names none. */
static u32 own_dialects(struct xenbus_device *xdev)
{
	enum xvm_dialect d;

	if (!*dialect)
		return (1u << XVM_DIALECT_COUNT) - 1;
	if (!xvm_dialect_find(dialect, strlen(dialect), &d))
		return 1u << d;
	xenbus_dev_error(xdev, -EINVAL, "parameter dialect=%s is none of ours", dialect);
	return 0;
}

static int choose(struct xenbus_device *xdev, const struct xvm_offer *back, struct xvm_pick *pick)
{
	const struct xvm_offer own = {
		.dialects = own_dialects(xdev),
		.max_message = VIRTIO_MSG_OFFER_BYTES,
		.max_ring_order = XVM_DEFAULT_RING_ORDER,
		.max_credits = XVM_DEFAULT_CREDITS,
		.max_channels = 1,
		.bus_features = XVM_BUS_F_KEEP,
	};
	struct xvm_shake_fault fault;
	int err = own.dialects ? xvm_shake_choose(back, &own, pick, &fault) : -EINVAL;

	if (err == -EPROTO)
		say_fault(xdev, &fault);
	return err;
}

static int write_number(struct xenbus_transaction t, const char *dir, enum xvm_front_key key,
			u32 value)
{
	return xenbus_printf(t, dir, xvm_front_key_name[key], "%u", value);
}

static int write_keys_in(struct xenbus_transaction t, const char *dir, const struct xvm_pick *pick)
{
	const struct { enum xvm_front_key key; u32 value; } numbers[] = {
		{ XVM_FK_VERSION, XVM_BUS_VERSION },
		{ XVM_FK_MAX_MESSAGE, pick->max_message },
		{ XVM_FK_RING_ORDER, pick->ring_order },
		{ XVM_FK_CREDITS, pick->credits },
		{ XVM_FK_CONTROL_REF, pick->control_ref },
		{ XVM_FK_NUM_CHANNELS, pick->num_channels },
		{ XVM_FK_BUS_FEATURES, pick->bus_features },
	};
	u32 i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(numbers); i++)
		err = write_number(t, dir, numbers[i].key, numbers[i].value);
	for (i = 0; !err && i < pick->num_channels; i++)
		err = write_number(t, dir, XVM_FK_CHANNEL0 + i, pick->channel[i]);
	if (!err)
		err = xenbus_printf(t, dir, xvm_front_key_name[XVM_FK_CONNECTION_ID], "%016llx",
				    pick->connection_id);
	if (!err)
		err = xenbus_write(t, dir, xvm_front_key_name[XVM_FK_DIALECT],
				   xvm_dialect_name(pick->dialect));
	if (!err)
		err = xenbus_printf(t, dir, XVM_KEY_MODULE, "Linux %.16s", utsname()->release);
	return err;
}

static int write_keys(struct xenbus_device *xdev, const struct xvm_pick *pick)
{
	struct xenbus_transaction t;
	int err = -EAGAIN, tries;

	for (tries = 0; err == -EAGAIN && tries < TRANSACTION_TRIES; tries++) {
		err = xenbus_transaction_start(&t);
		if (err)
			break;
		err = write_keys_in(t, xdev->nodename, pick);
		if (err)
			xenbus_transaction_end(t, 1);
		else
			err = xenbus_transaction_end(t, 0);
	}
	return err;
}

static struct xvm_conn *alloc_conn(struct xvm_bus *bus, const struct xvm_pick *pick)
{
	struct xvm_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL);

	if (!conn)
		return NULL;
	kref_init(&conn->ref);
	kref_get(&bus->ref);
	conn->bus = bus;
	conn->otherend = bus->xdev->otherend_id;
	conn->serial = bus->serial++;
	conn->pick = *pick;
	INIT_WORK(&conn->close_work, close_work);
	xvm_keep_init(conn);
	return conn;
}

static struct xvm_conn *make_conn(struct xvm_bus *bus, const struct xvm_pick *pick)
{
	struct xvm_conn *conn = alloc_conn(bus, pick);
	int err;

	if (!conn)
		return NULL;
	atomic_inc(&bus->open);
	err = xvm_bus_init(conn);
	if (!err)
		err = xvm_chan_init(conn);
	if (!err)
		err = write_keys(bus->xdev, &conn->pick);
	if (err) {
		xenbus_dev_error(bus->xdev, err, "setting up the connection");
		xvm_chan_fini(conn);
		xvm_conn_put(conn);
		atomic_dec(&bus->open);
		return NULL;
	}
	return conn;
}

/* Another connection for the devices of this one. False: they cannot be kept. */
static bool renew_conn(struct xvm_bus *bus, const struct xvm_pick *pick)
{
	struct xvm_conn *conn = bus->conn;
	int err;

	xvm_keep_pause(conn);
	err = xvm_keep_renew(conn, pick);
	if (!err)
		err = write_keys(bus->xdev, &conn->pick);
	if (err)
		xenbus_dev_error(bus->xdev, err, "setting up the connection again");
	return !err;
}

/* The back-end offers. A second look at the offer we answered already changes nothing. */
static void on_offer(struct xvm_bus *bus)
{
	struct xenbus_device *xdev = bus->xdev;
	struct xvm_offer offer;
	struct xvm_pick pick;

	if (read_offer(xdev, &offer))
		return;
	if (bus->conn && bus->conn->pick.connection_id == offer.connection_id)
		return;
	if (choose(xdev, &offer, &pick)) {
		drop_conn(bus);
		return;
	}
	if (!bus->conn || !xvm_keep_fits(bus->conn, &pick) || !renew_conn(bus, &pick)) {
		drop_conn(bus);
		bus->conn = make_conn(bus, &pick);
	}
	if (!bus->conn)
		return;
	/* The other side sees changes only: keys of another offer's answer are not told otherwise. */
	if (xdev->state == XenbusStateInitialised)
		xenbus_switch_state(xdev, XenbusStateInitialising);
	xenbus_switch_state(xdev, XenbusStateInitialised);
}

/* Connected as soon as the rings are up: boot and insmod wait for this state. */
static void on_connected(struct xvm_bus *bus)
{
	struct xvm_conn *conn = bus->conn;

	if (!conn || conn->connected)
		return;
	conn->connected = true;
	xenbus_switch_state(bus->xdev, XenbusStateConnected);
	if (conn->kept)
		xvm_keep_start(conn);
	else
		xvm_bus_start(conn);
	conn->kept = false;
}

static void on_closed(struct xvm_bus *bus)
{
	/* A back-end that closed, or still does, before we came is about to make an offer. */
	if (!bus->conn && bus->xdev->state == XenbusStateInitialising)
		return;
	drop_conn(bus);
	xenbus_frontend_closed(bus->xdev);
}

static void otherend_changed(struct xenbus_device *xdev, enum xenbus_state back)
{
	struct xvm_bus *bus = dev_get_drvdata(&xdev->dev);

	switch (back) {
	case XenbusStateInitWait:
		on_offer(bus);
		break;
	case XenbusStateConnected:
		on_connected(bus);
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		on_closed(bus);
		break;
	default:
		break;
	}
}

/* -- Power-off -- */

/*
 * While the system goes down, xenbus waits for Closed but tells its drivers
 * only of Closing, which a quick back-end may never show: look ourselves.
 */
static void back_state_written(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xvm_bus *bus = container_of(watch, struct xvm_bus, off_watch);

	if (system_state > SYSTEM_RUNNING &&
	    xenbus_read_driver_state(bus->xdev->otherend) == XenbusStateClosed)
		xenbus_frontend_closed(bus->xdev);
}

static int watch_back(struct xvm_bus *bus)
{
	return xenbus_watch_pathfmt(bus->xdev, &bus->off_watch, NULL, back_state_written,
				    "%s/state", bus->xdev->otherend);
}

static void unwatch_back(struct xvm_bus *bus)
{
	if (!bus->off_watch.node)
		return;
	unregister_xenbus_watch(&bus->off_watch);
	kfree(bus->off_watch.node);
	bus->off_watch.node = NULL;
}

/* -- Driver -- */

/*
 * A new offer comes on this state. After an unbind of ours Linux knows that it
 * was Closed; what a driver in user space left in the store it does not know.
 */
static void begin(struct xenbus_device *xdev)
{
	if (xdev->state != XenbusStateInitialising)
		xenbus_switch_state(xdev, XenbusStateInitialising);
	else if (xenbus_read_driver_state(xdev->nodename) != XenbusStateInitialising)
		xenbus_printf(XBT_NIL, xdev->nodename, "state", "%d", XenbusStateInitialising);
}

static int probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xvm_bus *bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	int err;

	if (!bus)
		return -ENOMEM;
	kref_init(&bus->ref);
	get_device(&xdev->dev);
	bus->xdev = xdev;
	init_waitqueue_head(&bus->closed_wq);
	dev_set_drvdata(&xdev->dev, bus);
	err = watch_back(bus);
	if (err) {
		dev_set_drvdata(&xdev->dev, NULL);
		xvm_bus_put(bus);
		return err;
	}
	xvm_stats_add(bus);
	begin(xdev);
	return 0;
}

/* The back-end still serves us: devices are reset and areas taken back in order. */
static void remove(struct xenbus_device *xdev)
{
	struct xvm_bus *bus = dev_get_drvdata(&xdev->dev);
	struct xvm_conn *conn = bus->conn;

	unwatch_back(bus);
	WRITE_ONCE(bus->conn, NULL);
	if (conn)
		close_conn(conn, conn->connected);
	wait_event(bus->closed_wq, !atomic_read(&bus->open));
	xvm_stats_del(bus);
	dev_set_drvdata(&xdev->dev, NULL);
	xvm_bus_put(bus);
}

/* Called also for a checkpoint, after which everything goes on as it is: nothing is torn down. */
static int suspend(struct xenbus_device *xdev)
{
	return 0;
}

/*
 * In a new domain: no ring, channel or grant is what it was. The back-end's
 * offer, which otherend_changed sees when all tasks run again, brings the
 * devices back. Nothing may wait: we are xenwatch.
 */
static int resume(struct xenbus_device *xdev)
{
	struct xvm_bus *bus = dev_get_drvdata(&xdev->dev);

	if (bus->conn && xvm_keep_fits(bus->conn, &bus->conn->pick)) {
		bus->moved = true;
		xvm_keep_pause(bus->conn);
	} else {
		drop_conn(bus);
	}
	unwatch_back(bus);
	return watch_back(bus);
}

static const struct xenbus_device_id ids[] = {
	{ XVM_XENBUS_KIND },
	{ "" }
};

static struct xenbus_driver driver = {
	.ids = ids,
	.probe = probe,
	.remove = remove,
	.otherend_changed = otherend_changed,
	.suspend = suspend,
	.resume = resume,
	.not_essential = true,
};

/*
 * Registering waits up to 30 s for back-ends to connect. Nobody at insmod or
 * boot needs that: devices appear when they appear.
 */
static bool registered;

static void register_driver(struct work_struct *work)
{
	int err = xenbus_register_frontend(&driver);

	if (err)
		pr_err("xen-virtio-msg: registering the xenbus driver failed: %d\n", err);
	registered = !err;
}
static DECLARE_WORK(register_work, register_driver);

static int __init xvm_init(void)
{
	if (!xen_domain())
		return -ENODEV;
	xvm_stats_init();
	queue_work(system_unbound_wq, &register_work);
	return 0;
}

static void __exit xvm_exit(void)
{
	flush_work(&register_work);
	if (registered)
		xenbus_unregister_driver(&driver);
	xvm_gmem_exit();
	xvm_stats_exit();
}

module_init(xvm_init);
module_exit(xvm_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("virtio-msg over Xen grants and event channels, driver side");
MODULE_ALIAS("xen:" XVM_XENBUS_KIND);
