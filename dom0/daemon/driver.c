// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guests whose disks another domain serves. The xvmsgd of a driver domain may
 * write below its own directory alone, so the toolstack's part is done here, in
 * domain 0: the front's node of the bus, and what the driver domain is to know of
 * the guest, its name and its UUID. Who serves whom is read from libxl's own tree;
 * no word of the driver domain or of the guest counts.
 */
#include <stdlib.h>
#include "daemon.h"

#define BACKS_MAX 8	/* driver domains that serve one guest */
#define LIBXL_DISKS "/libxl/%u/device/virtio_disk"

struct xvm_driver {
	struct xvm_driver *next;
	u32 guest, back;
};

struct backs {
	struct xvm_daemon *daemon;
	u32 guest, count, domid[BACKS_MAX];
};

static void info_dir(u32 back, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/" XVM_DRIVER_DIR, back);
}

/* ---- who serves a guest ---- */

static void add_back(struct backs *backs, u32 domid)
{
	u32 i;

	for (i = 0; i < backs->count; i++)
		if (backs->domid[i] == domid)
			return;
	if (backs->count == BACKS_MAX)
		log_warn("guest %u: disks of more than %u driver domains; those of domain %u get no bus", backs->guest,
			 BACKS_MAX, domid);
	else
		backs->domid[backs->count++] = domid;
}

/* /local/domain/B/backend/virtio_disk/GUEST/DEVICE */
static void see_device(void *arg, const char *name)
{
	static const char head[] = "/local/domain/";
	struct backs *backs = arg;
	struct xvm_store *store = backs->daemon->store;
	char path[XVM_STORE_PATH_BYTES], text[XVM_STORE_PATH_BYTES];
	const char *number = text + sizeof(head) - 1;
	u32 domid;

	xvm_store_path(path, LIBXL_DISKS "/%s/backend", backs->guest, name);
	if (xvm_store_read(store, XVM_STORE_NO_TXN, path, text, sizeof(text)) <= 0 || strncmp(text, head, sizeof(head) - 1))
		return;
	if (!xvm_parse_u32(number, strcspn(number, "/"), 0x7fef, &domid) && domid != backs->daemon->own_domid &&
	    xvm_domain_alive(backs->daemon, domid))
		add_back(backs, domid);
}

static void find_backs(struct xvm_daemon *daemon, u32 guest, struct backs *backs)
{
	char path[XVM_STORE_PATH_BYTES];

	*backs = (struct backs){ .daemon = daemon, .guest = guest };
	if (!xvm_domain_alive(daemon, guest))
		return;
	xvm_store_path(path, LIBXL_DISKS, guest);
	daemon->store->ops->list(daemon->store, XVM_STORE_NO_TXN, path, see_device, backs);
}

/* ---- nodes ---- */

static int put_info(struct xvm_store *store, u32 txn, const struct xvm_driver *driver, const char *leaf)
{
	char path[XVM_STORE_PATH_BYTES], text[XVM_STORE_PATH_BYTES] = "";
	int err;

	if (*leaf) {
		xvm_store_path(path, "/local/domain/%u/%s", driver->guest, leaf);
		err = xvm_store_read(store, txn, path, text, sizeof(text));
		if (err < 0)
			return err;
	}
	xvm_store_path(path, "/local/domain/%u/" XVM_DRIVER_DIR "/%u%s%s", driver->back, driver->guest, *leaf ? "/" : "",
		       leaf);
	err = xvm_store_write(store, txn, path, text);
	return err ? err : store->ops->set_perms(store, txn, path, 0, driver->back);
}

static void back_dir(const struct xvm_driver *driver, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/backend/" XVM_XENBUS_KIND "/%u/%u", driver->back, driver->guest, driver->back);
}

/* libxl gives the driver domain each device's own directory, and none above it. */
static int put_back(struct xvm_store *store, u32 txn, const struct xvm_driver *driver)
{
	char path[XVM_STORE_PATH_BYTES];
	int err;

	back_dir(driver, path);
	if (xvm_store_exists(store, txn, path))
		return 0;
	err = xvm_store_write(store, txn, path, "");
	return err ? err : store->ops->set_perms(store, txn, path, driver->back, driver->guest);
}

static int make_body(struct xvm_store *store, u32 txn, void *arg)
{
	const struct xvm_driver *driver = arg;
	char path[XVM_STORE_PATH_BYTES];
	int err;

	info_dir(driver->back, path);
	err = xvm_store_exists(store, txn, path) ? 0 : xvm_store_write(store, txn, path, "");
	if (!err)
		err = store->ops->set_perms(store, txn, path, 0, driver->back);
	if (!err)
		err = put_info(store, txn, driver, "");
	if (!err)
		err = put_info(store, txn, driver, "vm");
	if (!err)
		err = put_info(store, txn, driver, "name");
	if (!err)
		err = put_back(store, txn, driver);
	xvm_store_path(path, "/local/domain/%u/device/" XVM_XENBUS_KIND "/%u", driver->guest, driver->back);
	if (!err && !xvm_store_exists(store, txn, path))
		err = xvm_link_put_front(store, txn, driver->guest, driver->back);
	return err;
}

static void ignore_child(void *arg, const char *name)
{
	(void)arg;
	(void)name;
}

/* With the directories above it that are empty then; at the end also libxl's, which the driver domain cannot remove. */
static int remove_back(struct xvm_store *store, u32 txn, const struct xvm_driver *driver)
{
	char path[XVM_STORE_PATH_BYTES], stop[XVM_STORE_PATH_BYTES];
	int err = 0;

	xvm_store_path(stop, "/local/domain/%u", driver->back);
	back_dir(driver, path);
	if (xvm_store_exists(store, txn, path))
		err = xvm_store_prune(store, txn, path, stop);
	xvm_store_path(path, "/local/domain/%u/backend/virtio_disk/%u", driver->back, driver->guest);
	if (!err && !store->ops->list(store, txn, path, ignore_child, NULL))
		err = xvm_store_prune(store, txn, path, stop);
	return err;
}

static int drop_body(struct xvm_store *store, u32 txn, void *arg)
{
	const struct xvm_driver *driver = arg;
	char path[XVM_STORE_PATH_BYTES], stop[XVM_STORE_PATH_BYTES];
	int err;

	xvm_store_path(path, "/local/domain/%u/" XVM_DRIVER_DIR "/%u", driver->back, driver->guest);
	xvm_store_path(stop, "/local/domain/%u", driver->back);
	err = xvm_store_exists(store, txn, path) ? xvm_store_prune(store, txn, path, stop) : 0;
	if (!err)
		err = remove_back(store, txn, driver);
	return err ? err : xvm_link_remove_front(store, txn, driver->guest, driver->back);
}

static void make(struct xvm_daemon *daemon, u32 guest, u32 back)
{
	struct xvm_driver *driver;
	int err;

	for (driver = daemon->drivers; driver; driver = driver->next)
		if (driver->guest == guest && driver->back == back)
			return;
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return;
	*driver = (struct xvm_driver){ .next = daemon->drivers, .guest = guest, .back = back };
	daemon->drivers = driver;
	err = xvm_store_transact(daemon->store, make_body, driver);
	if (err)
		log_err("guest %u: xenstore refuses the bus node for driver domain %u: %s", guest, back, xvm_store_error(err));
	else
		log_line(LOG_INFO, "guest %u: bus node made for driver domain %u", guest, back);
}

static bool serves(const struct backs *backs, u32 domid)
{
	u32 i;

	for (i = 0; i < backs->count; i++)
		if (backs->domid[i] == domid)
			return true;
	return false;
}

static void look(struct xvm_daemon *daemon, u32 guest)
{
	struct xvm_driver **at = &daemon->drivers, *driver;
	struct backs backs;
	u32 i;

	find_backs(daemon, guest, &backs);
	while ((driver = *at)) {
		if (driver->guest != guest || serves(&backs, driver->back)) {
			at = &driver->next;
			continue;
		}
		*at = driver->next;
		if (xvm_store_transact(daemon->store, drop_body, driver))
			log_err("guest %u: its bus node of driver domain %u cannot be removed", guest, driver->back);
		free(driver);
	}
	for (i = 0; i < backs.count; i++)
		make(daemon, guest, backs.domid[i]);
}

/* ---- events ---- */

/* Of the many keys of a device only the one that is read above. */
void xvm_drivers_on_libxl(struct xvm_daemon *daemon, const char *path)
{
	static const char head[] = "/libxl/", disks[] = "/device/virtio_disk/";
	const char *number = path + sizeof(head) - 1, *rest;
	u32 guest;

	if (strncmp(path, head, sizeof(head) - 1) || xvm_parse_u32(number, strcspn(number, "/"), 0x7fef, &guest))
		return;
	rest = number + strcspn(number, "/");
	if (!strncmp(rest, disks, sizeof(disks) - 1)) {
		rest = strchr(rest + sizeof(disks) - 1, '/');
		if (rest && strcmp(rest, "/backend"))
			return;
	} else if (*rest && strncmp(disks, rest, strlen(rest))) {
		return;
	}
	look(daemon, guest);
}

void xvm_drivers_on_release(struct xvm_daemon *daemon)
{
	const struct xvm_driver *driver, *next;

	for (driver = daemon->drivers; driver; driver = next) {
		next = driver->next;
		/* An entry of the same guest behind this one may go with it: then begin again. */
		if (!xvm_domain_alive(daemon, driver->guest) ||
		    !xvm_domain_alive(daemon, driver->back)) {
			look(daemon, driver->guest);
			next = daemon->drivers;
		}
	}
}

struct known {
	struct xvm_daemon *daemon;
	u32 back;
};

/* What a former xvmsgd made; look() decides whether it stays. */
static void see_known(void *arg, const char *name)
{
	const struct known *known = arg;
	struct xvm_driver *driver;
	u32 guest;

	if (xvm_parse_u32(name, strlen(name), 0x7fef, &guest))
		return;
	driver = calloc(1, sizeof(*driver));
	if (!driver)
		return;
	*driver = (struct xvm_driver){ .next = known->daemon->drivers, .guest = guest, .back = known->back };
	known->daemon->drivers = driver;
}

static void see_back(void *arg, const char *name)
{
	struct known known = { .daemon = arg };
	char path[XVM_STORE_PATH_BYTES];

	if (xvm_parse_u32(name, strlen(name), 0x7fef, &known.back) || known.back == known.daemon->own_domid)
		return;
	info_dir(known.back, path);
	known.daemon->store->ops->list(known.daemon->store, XVM_STORE_NO_TXN, path, see_known, &known);
}

static void see_libxl(void *arg, const char *name)
{
	u32 guest;

	if (!xvm_parse_u32(name, strlen(name), 0x7fef, &guest))
		look(arg, guest);
}

int xvm_drivers_start(struct xvm_daemon *daemon)
{
	struct xvm_store *store = daemon->store;

	store->ops->list(store, XVM_STORE_NO_TXN, "/local/domain", see_back, daemon);
	xvm_drivers_on_release(daemon);
	store->ops->list(store, XVM_STORE_NO_TXN, "/libxl", see_libxl, daemon);
	return store->ops->watch(store, "/libxl", XVM_TOKEN_LIBXL);
}

void xvm_drivers_free(struct xvm_daemon *daemon)
{
	while (daemon->drivers) {
		struct xvm_driver *driver = daemon->drivers;

		daemon->drivers = driver->next;
		free(driver);
	}
}
