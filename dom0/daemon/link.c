// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bus node of a guest: made with its first disk, offered, opened and closed
 * as the front asks, removed with its last disk. Every write sees in its
 * transaction that our connection id still stands in the node, so a late event
 * never touches the node of the domain id's next owner.
 */
#include "daemon.h"
#include <inttypes.h>
#include <stdio.h>
#include "keep.h"
#include "worker.h"

#define KEY_ERROR "vmsg-error"
#define SETTLE_MS 50	/* until the next look at what a connection waits for */
#define UNWATCHED_MS 1000	/* between looks at a front on which there is no watch */
#define DEVICES_LIMIT_MS 5000	/* for devices that are being opened when a guest connects */

void xvm_link_path(const struct xvm_guest *guest, const char *leaf, char path[XVM_STORE_PATH_BYTES])
{
	u32 own = guest->daemon->own_domid;

	xvm_store_path(path, "/local/domain/%u/backend/" XVM_XENBUS_KIND "/%u/%u%s%s", own, guest->domid, own,
		       *leaf ? "/" : "", leaf);
}

void xvm_link_front_path(const struct xvm_guest *guest, const char *leaf, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/device/" XVM_XENBUS_KIND "/%u%s%s", guest->domid,
		       guest->daemon->own_domid, *leaf ? "/" : "", leaf);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct xvm_guest *guest = arg;

	(void)fd;
	(void)what;
	guest->front_dirty = true;
	xvm_daemon_settle_later(guest->daemon);
}

void xvm_link_init(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;
	u32 ms = guest->daemon->options.connect_ms;

	link->look = evtimer_new(guest->daemon->base, on_look, guest);
	link->connects = (struct xvm_rate)XVM_RATE(5, ms, 60 * ms);
	link->crashes = (struct xvm_rate)XVM_RATE(5, 12 * ms, 60 * ms);
	link->reads = (struct xvm_rate)XVM_RATE(10, 100, 100);
	link->bus_fd = link->channel_fd = link->keep_fd = -1;
}

static void front_token(const struct xvm_guest *guest, char token[XVM_STORE_TOKEN_BYTES])
{
	snprintf(token, XVM_STORE_TOKEN_BYTES, "front %u", guest->domid);
}

static void watch_front(struct xvm_guest *guest, bool on)
{
	struct xvm_store *store = guest->daemon->store;
	char path[XVM_STORE_PATH_BYTES], token[XVM_STORE_TOKEN_BYTES];
	int err = 0;

	if (guest->link.watched == on)
		return;
	xvm_link_front_path(guest, "state", path);
	front_token(guest, token);
	if (!on)
		store->ops->unwatch(store, path, token);
	else if (!(err = store->ops->watch(store, path, token)))
		guest->link.watched = true;
	else if (!guest->link.watch_refused)
		xvm_guest_log(guest, LOG_ERR, "xenstore refuses a watch on its bus node: %s; looked at each second instead",
			      xvm_store_error(err));
	guest->link.watched = on && !err;
	guest->link.watch_refused = err;
}

void xvm_link_free(struct xvm_guest *guest)
{
	watch_front(guest, false);
	xvm_connect_drop(guest);
	if (guest->link.look)
		event_free(guest->link.look);
	guest->link.look = NULL;
}

/* ---- making and offering ---- */

static int put_back(struct xvm_guest *guest, u32 txn, const char *leaf, const char *text)
{
	struct xvm_store *store = guest->daemon->store;
	char path[XVM_STORE_PATH_BYTES];
	int err;

	xvm_link_path(guest, leaf, path);
	err = xvm_store_write(store, txn, path, text);
	return err ? err : store->ops->set_perms(store, txn, path, guest->daemon->own_domid, guest->domid);
}

/* One node of the front of GUEST whose back is in domain BACK. */
static int put_front(struct xvm_store *store, u32 txn, const u32 ids[2], const char *leaf, const char *text)
{
	u32 guest = ids[0], back = ids[1];
	char path[XVM_STORE_PATH_BYTES];
	int err;

	xvm_store_path(path, "/local/domain/%u/device/" XVM_XENBUS_KIND "/%u%s%s", guest, back, *leaf ? "/" : "", leaf);
	err = xvm_store_write(store, txn, path, text);
	return err ? err : store->ops->set_perms(store, txn, path, guest, back);
}

int xvm_link_put_front(struct xvm_store *store, u32 txn, u32 guest, u32 back)
{
	const u32 ids[2] = { guest, back };
	char text[XVM_STORE_PATH_BYTES];
	int err = put_front(store, txn, ids, "", "");

	xvm_store_path(text, "/local/domain/%u/backend/" XVM_XENBUS_KIND "/%u/%u", back, guest, back);
	if (!err)
		err = put_front(store, txn, ids, "backend", text);
	snprintf(text, sizeof(text), "%u", back);
	if (!err)
		err = put_front(store, txn, ids, "backend-id", text);
	return err ? err : put_front(store, txn, ids, "state", "1");
}

/* Never above the domain's own directories: pruning must not leave, nor make, anything there. */
int xvm_link_remove_front(struct xvm_store *store, u32 txn, u32 guest, u32 back)
{
	char path[XVM_STORE_PATH_BYTES], stop[XVM_STORE_PATH_BYTES];

	xvm_store_path(path, "/local/domain/%u/device/" XVM_XENBUS_KIND "/%u", guest, back);
	xvm_store_path(stop, "/local/domain/%u/device", guest);
	return xvm_store_exists(store, txn, path) ? xvm_store_prune(store, txn, path, stop) : 0;
}

static int put_back_u32(struct xvm_guest *guest, u32 txn, const char *leaf, u32 value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return put_back(guest, txn, leaf, text);
}

static void make_offer(const struct xvm_guest *guest, u64 id, struct xvm_offer *offer)
{
	const struct xvm_options *options = &guest->daemon->options;

	*offer = (struct xvm_offer){
		.dialects = options->dialects,
		.max_message = VIRTIO_MSG_OFFER_BYTES,
		.max_ring_order = options->ring_order,
		.max_credits = options->credits,
		.max_channels = 1,
		.bus_features = options->keep ? XVM_BUS_F_KEEP : 0,
		.connection_id = id,
	};
}

/* The newest first. */
static int put_dialects(struct xvm_guest *guest, u32 txn, u32 dialects)
{
	char list[64] = "";
	size_t len = 0;
	u32 d;

	for (d = XVM_DIALECT_COUNT; d-- > 0; )
		if (dialects & 1u << d)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? "," : "",
						xvm_dialect_name((enum xvm_dialect)d));
	return put_back(guest, txn, XVM_KEY_DIALECTS, list);
}

static int put_offer(struct xvm_guest *guest, u32 txn, const struct xvm_offer *offer)
{
	char id[20];
	int err;

	snprintf(id, sizeof(id), "%016" PRIx64, offer->connection_id);
	err = put_back(guest, txn, XVM_KEY_VERSIONS, "1");
	if (!err)
		err = put_dialects(guest, txn, offer->dialects);
	if (!err)
		err = put_back_u32(guest, txn, XVM_KEY_MAX_MESSAGE, offer->max_message);
	if (!err)
		err = put_back_u32(guest, txn, XVM_KEY_MAX_RING_ORDER, offer->max_ring_order);
	if (!err)
		err = put_back_u32(guest, txn, XVM_KEY_MAX_CREDITS, offer->max_credits);
	if (!err)
		err = put_back_u32(guest, txn, XVM_KEY_MAX_CHANNELS, offer->max_channels);
	if (!err)
		err = put_back_u32(guest, txn, XVM_KEY_BUS_FEATURES, offer->bus_features);
	if (!err)
		err = put_back(guest, txn, XVM_KEY_CONNECTION_ID, id);
	return err ? err : put_back_u32(guest, txn, "state", XVM_BUS_INIT_WAIT);
}

static int put_nodes(struct xvm_guest *guest, u32 txn, const struct xvm_offer *offer)
{
	char path[XVM_STORE_PATH_BYTES];
	int err;

	/* The directories first: what is made below them takes their permissions. A driver domain finds them made. */
	err = put_back(guest, txn, "", "");
	xvm_link_front_path(guest, "", path);
	if (!err)
		err = put_back(guest, txn, "frontend", path);
	if (!err)
		err = put_back_u32(guest, txn, "frontend-id", guest->domid);
	if (!err)
		err = put_back_u32(guest, txn, "online", 1);
	if (!err)
		err = put_offer(guest, txn, offer);
	/* A driver domain's guests get theirs from domain 0. */
	return err || guest->daemon->own_domid ? err :
	       xvm_link_put_front(guest->daemon->store, txn, guest->domid, 0);
}

static u64 read_id_at(struct xvm_guest *guest, u32 txn, const char *path)
{
	char text[20];
	u64 id;
	int len;

	len = xvm_store_read(guest->daemon->store, txn, path, text, sizeof(text));
	return len < 0 || xvm_parse_id64(text, (size_t)len, &id) ? 0 : id;
}

static u64 read_id(struct xvm_guest *guest, u32 txn)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_link_path(guest, XVM_KEY_CONNECTION_ID, path);
	return read_id_at(guest, txn, path);
}

/* Of the offer that the front answered last. */
static u64 front_id(struct xvm_guest *guest)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_link_front_path(guest, XVM_KEY_CONNECTION_ID, path);
	return read_id_at(guest, XVM_STORE_NO_TXN, path);
}

static int remove_nodes(struct xvm_guest *guest, u32 txn)
{
	struct xvm_store *store = guest->daemon->store;
	char path[XVM_STORE_PATH_BYTES], stop[XVM_STORE_PATH_BYTES];
	u32 own = guest->daemon->own_domid;
	int err;

	if (own) {
		/* The directory is domain 0's to make and to remove; without these two there is no offer in it. */
		xvm_link_path(guest, XVM_KEY_CONNECTION_ID, path);
		err = store->ops->remove(store, txn, path);
		xvm_link_path(guest, "state", path);
		return err && err != -ENOENT ? err : (err = store->ops->remove(store, txn, path)) == -ENOENT ? 0 : err;
	}
	xvm_link_path(guest, "", path);
	/* An empty backend directory too: libxl may have gone before us, and it leaves none. */
	xvm_store_path(stop, "/local/domain/%u", own);
	err = xvm_store_prune(store, txn, path, stop);
	return err ? err : xvm_link_remove_front(store, txn, guest->domid, own);
}

static void offer_anew(struct xvm_guest *guest);

static enum xvm_bus_state read_state(struct xvm_guest *guest, const char *path)
{
	u32 state;

	if (xvm_store_read_u32(guest->daemon->store, XVM_STORE_NO_TXN, path, XVM_BUS_CLOSED, &state))
		return XVM_BUS_UNKNOWN;
	return (enum xvm_bus_state)state;
}

static enum xvm_bus_state front_state(struct xvm_guest *guest)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_link_front_path(guest, "state", path);
	return read_state(guest, path);
}

/* As it stands in the store, which may be another daemon's word. */
static enum xvm_bus_state back_state(struct xvm_guest *guest)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_link_path(guest, "state", path);
	return read_state(guest, path);
}

/*
 * Its worker ended with the former daemon. A front that had a connection, and was
 * not told that it is closed, gets another offer.
 */
static void take_over(struct xvm_guest *guest)
{
	enum xvm_bus_state front = front_state(guest);

	if ((front == XVM_BUS_CONNECTED || front == XVM_BUS_INITIALISED) && back_state(guest) != XVM_BUS_CLOSED) {
		xvm_guest_log(guest, LOG_NOTICE, "bus of a former xvmsgd taken over; it connects again");
		offer_anew(guest);
		guest->link.again = true;
		return;
	}
	xvm_guest_log(guest, LOG_NOTICE, "bus of a former xvmsgd taken over; it closes and opens again");
	xvm_link_set_state(guest, XVM_BUS_CLOSING);
	xvm_link_set_state(guest, XVM_BUS_CLOSED);
	guest->link.phase = XVM_LINK_CLOSED;
}

int xvm_link_make(struct xvm_guest *guest, u32 txn, u64 *id, bool *taken_over)
{
	char path[XVM_STORE_PATH_BYTES];
	struct xvm_offer offer;
	int err;

	*taken_over = false;
	if (guest->link.phase != XVM_LINK_NONE)
		return 0;
	xvm_link_front_path(guest, "", path);
	*id = read_id(guest, txn);
	if (*id && xvm_store_exists(guest->daemon->store, txn, path)) {
		*taken_over = true;
		return 0;
	}
	err = remove_nodes(guest, txn);
	if (err)
		return err;
	*id = xvm_random_u64();
	make_offer(guest, *id, &offer);
	return put_nodes(guest, txn, &offer);
}

void xvm_link_made(struct xvm_guest *guest, u64 id, bool taken_over)
{
	struct xvm_link *link = &guest->link;

	if (link->phase != XVM_LINK_NONE)
		return;
	link->id = id;
	make_offer(guest, id, &link->offer);
	link->phase = XVM_LINK_OFFERED;
	if (taken_over)
		take_over(guest);
	watch_front(guest, true);
	guest->front_dirty = true;
	xvm_daemon_settle_later(guest->daemon);
}

/* ---- writes ---- */

struct link_write {
	struct xvm_guest *guest;
	const struct xvm_offer *offer;	/* a new offer, or */
	enum xvm_bus_state state;	/* this state, if not UNKNOWN */
	const char *error;
};

static int write_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct link_write *w = arg;
	int err = 0;

	(void)store;
	if (read_id(w->guest, txn) != w->guest->link.id)
		return -ESTALE;
	if (w->offer)
		return put_offer(w->guest, txn, w->offer);
	if (w->error)
		err = put_back(w->guest, txn, KEY_ERROR, w->error);
	if (!err && w->state != XVM_BUS_UNKNOWN)
		err = put_back_u32(w->guest, txn, "state", w->state);
	return err;
}

static int write_link(struct link_write *w)
{
	int err = xvm_store_transact(w->guest->daemon->store, write_body, w);

	if (err && err != -ESTALE)
		xvm_guest_log(w->guest, LOG_ERR, "xenstore refuses a write to its bus node: %s", xvm_store_error(err));
	return err;
}

int xvm_link_set_state(struct xvm_guest *guest, enum xvm_bus_state state)
{
	return write_link(&(struct link_write){ .guest = guest, .state = state });
}

void xvm_link_show_error(struct xvm_guest *guest, const char *why)
{
	write_link(&(struct link_write){ .guest = guest, .error = why });
}

static int remove_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct xvm_guest *guest = arg;

	(void)store;
	return read_id(guest, txn) == guest->link.id ? remove_nodes(guest, txn) : -ESTALE;
}

void xvm_link_remove(struct xvm_guest *guest)
{
	int err;

	if (guest->link.phase == XVM_LINK_NONE)
		return;
	watch_front(guest, false);
	err = xvm_store_transact(guest->daemon->store, remove_body, guest);
	if (err && err != -ESTALE)
		xvm_guest_log(guest, LOG_ERR, "bus node cannot be removed: %s", strerror(-err));
	event_del(guest->link.look);
	guest->link.phase = XVM_LINK_NONE;
	xvm_keep_forget(guest);
}

/* ---- states ---- */

static void offer_anew(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;
	struct xvm_offer offer;

	make_offer(guest, xvm_random_u64(), &offer);
	if (write_link(&(struct link_write){ .guest = guest, .offer = &offer }))
		return;
	link->id = offer.connection_id;
	link->offer = offer;
	link->phase = XVM_LINK_OFFERED;
	link->again = false;
	link->wait_until_ms = 0;
}

/*
 * A front with devices from before must find them all: those that are being
 * looked at come first, unless that takes for ever.
 */
static bool devices_are_coming(struct xvm_guest *guest, u64 now)
{
	struct xvm_link *link = &guest->link;
	const struct xvm_disk *disk = guest->disks;

	while (disk && disk->phase != XVM_DISK_NEW && disk->phase != XVM_DISK_OPENING)
		disk = disk->next;
	if (!link->wait_until_ms)
		link->wait_until_ms = now + DEVICES_LIMIT_MS;
	return disk && now < link->wait_until_ms;
}

/*
 * After another offer the front's keys may still be its answer to an older one.
 * And nothing is served again before the last I/O of the former worker has ended.
 */
static bool may_go_on(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;

	if (front_id(guest) != link->id)
		return false;
	if (link->keep_fd < 0)
		link->keep_fd = xvm_keep_open(guest);
	return link->keep_fd != -EAGAIN;
}

static void connect_when_allowed(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;
	u64 now = xvm_now_ms();
	u32 wait = link->not_before_ms > now ? (u32)(link->not_before_ms - now) : 0;

	if (!wait && (devices_are_coming(guest, now) || (link->again && !may_go_on(guest))))
		wait = SETTLE_MS;
	if (!wait)
		wait = xvm_rate_take(&link->connects, now);
	if (wait)
		xvm_timer(link->look, wait);
	else
		xvm_connect_start(guest);
}

static void close_link(struct xvm_guest *guest)
{
	if (guest->worker) {
		xvm_link_stop(guest);
		return;
	}
	xvm_connect_drop(guest);
	xvm_link_set_state(guest, XVM_BUS_CLOSED);
	guest->link.phase = XVM_LINK_CLOSED;
	xvm_keep_forget(guest);
}

static void act(struct xvm_guest *guest, enum xvm_bus_state back, enum xvm_bus_state front)
{
	switch (xvm_shake_back(back, front)) {
	case XVM_BACK_WAIT:
		break;
	case XVM_BACK_OFFER:
		if (guest->worker)
			xvm_link_stop(guest);	/* and then we look again */
		else
			offer_anew(guest);
		break;
	case XVM_BACK_CONNECT:
		connect_when_allowed(guest);
		break;
	case XVM_BACK_CLOSE:
		close_link(guest);
		break;
	}
}

void xvm_link_update(struct xvm_guest *guest)
{
	static const enum xvm_bus_state back[] = {
		[XVM_LINK_NONE] = XVM_BUS_UNKNOWN,
		[XVM_LINK_OFFERED] = XVM_BUS_INIT_WAIT,
		[XVM_LINK_STARTING] = XVM_BUS_INIT_WAIT,
		[XVM_LINK_UP] = XVM_BUS_CONNECTED,
		[XVM_LINK_STOPPING] = XVM_BUS_CLOSING,
		[XVM_LINK_CLOSED] = XVM_BUS_CLOSED,
	};
	struct xvm_link *link = &guest->link;
	enum xvm_bus_state front;
	u32 wait;

	/* While a worker ends there is nothing to decide; then we look again. */
	if (link->phase == XVM_LINK_NONE || link->phase == XVM_LINK_STOPPING || guest->daemon->stopping)
		return;
	wait = xvm_rate_take(&link->reads, xvm_now_ms());
	if (wait) {
		xvm_timer(link->look, wait);
		return;
	}
	front = front_state(guest);
	if (link->phase != XVM_LINK_STARTING)
		act(guest, back[link->phase], front);
	else if (front != XVM_BUS_INITIALISED && front != XVM_BUS_CONNECTED)
		xvm_link_stop(guest);
	if (link->phase == XVM_LINK_NONE || link->watched)
		return;
	watch_front(guest, true);
	if (!link->watched && !evtimer_pending(link->look, NULL))
		xvm_timer(link->look, UNWATCHED_MS);
}

/* The front has what it needs to go on with its devices over another connection. */
static bool may_keep(const struct xvm_guest *guest)
{
	return guest->link.pick.bus_features & XVM_BUS_F_KEEP && guest->alive;
}

void xvm_link_stop(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;

	if (link->phase == XVM_LINK_STOPPING || link->phase == XVM_LINK_NONE)
		return;
	link->left_open = guest->daemon->stopping && (link->again || (link->phase == XVM_LINK_UP && may_keep(guest)));
	link->phase = XVM_LINK_STOPPING;
	if (guest->worker)
		xvm_worker_stop(guest->worker);
	else
		xvm_link_stopped(guest);
}

/* An image that was being opened for the worker; a check for adoption goes on. */
static void cancel_opening(struct xvm_disk *disk)
{
	if (disk->phase == XVM_DISK_OPENING || disk->resizing)
		return;
	xvm_opener_cancel(disk->opener);
	disk->opener = NULL;
}

/* No worker, no mapping any more. */
static void devices_left_worker(struct xvm_guest *guest, bool show)
{
	struct xvm_disk *disk;

	xvm_connect_drop(guest);
	for (disk = guest->disks; disk; disk = disk->next) {
		cancel_opening(disk);
		if (disk->phase == XVM_DISK_LEAVING)
			xvm_disk_left(disk);
		else if (disk->driver_ok && show)
			xvm_disk_show_driver(disk, false);
		disk->in_worker = false;
		xvm_server_end(disk);
	}
	guest->front_dirty = true;
	xvm_guest_dirty(guest);
}

/* Devices are idle; the node says closed, unless the next daemon goes on from here. */
void xvm_link_stopped(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;

	if (!link->left_open) {
		xvm_link_set_state(guest, XVM_BUS_CLOSED);
		xvm_keep_forget(guest);
	}
	link->phase = XVM_LINK_CLOSED;
	devices_left_worker(guest, !link->left_open);
}

/*
 * Another offer at once: a front that keeps its devices notices a pause, any other
 * begins anew. A guest that broke the rules is told so by a bus that closes.
 */
void xvm_link_broken(struct xvm_guest *guest, const char *why, bool guest_fault)
{
	struct xvm_link *link = &guest->link;
	bool again = !guest_fault && may_keep(guest) && !guest->daemon->stopping &&
		     (link->phase == XVM_LINK_UP || link->phase == XVM_LINK_STARTING);
	char text[XVM_WHY_BYTES + 64];

	guest->worker_deaths++;
	xvm_guest_log(guest, LOG_ERR, "worker ended: %s; %s", why,
		      again ? "the guest keeps its devices and connects again" :
			      "the bus closes, the guest may open it again");
	snprintf(text, sizeof(text), "worker ended: %s", why);
	xvm_link_show_error(guest, text);
	link->not_before_ms = xvm_now_ms() + xvm_rate_take(&link->crashes, xvm_now_ms());
	if (again) {
		offer_anew(guest);
		link->again = true;
		devices_left_worker(guest, false);
		return;
	}
	if (link->phase == XVM_LINK_UP)
		xvm_link_set_state(guest, XVM_BUS_CLOSING);
	xvm_link_stopped(guest);
}
