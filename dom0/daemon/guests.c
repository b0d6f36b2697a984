// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record per guest that has disks of ours. Store events only mark a guest
 * dirty; xvm_guests_settle then reads what is there now and acts, so that a
 * thousand events cost one look.
 */
#include "daemon.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "host_net.h"
#include "keep.h"
#include "op.h"
#include "record.h"
#include "trace.h"
#include "worker.h"

#define TOKEN_DISKS "disks"
#define TOKEN_VIRTIO "virtio"
#define TOKEN_DOMAINS "domains"
#define TOKEN_NEW "new"
#define TOKEN_FRONT "front "
#define TOKEN_NAME "name "

static void nodes_dir(const struct xvm_daemon *daemon, enum xvm_node_kind kind, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/backend/%s", daemon->own_domid, xvm_node_name(kind));
}

static void guest_nodes_dir(const struct xvm_guest *guest, enum xvm_node_kind kind, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/backend/%s/%u", guest->daemon->own_domid, xvm_node_name(kind),
		       guest->domid);
}

struct xvm_guest *xvm_guest_find(struct xvm_daemon *daemon, u32 domid)
{
	struct xvm_guest *guest;

	for (guest = daemon->guests; guest; guest = guest->next)
		if (guest->domid == domid)
			return guest;
	return NULL;
}

static bool num_is_used(const struct xvm_guest *guest, u32 num)
{
	return guest->nums_used[num / 64] >> num % 64 & 1;
}

/*
 * xvda is 1, xvda1 2, xvdb 17, and so on, with the numbers of hd and sd beside
 * them. The place of a vdev that is taken, or was since the guest began, is not
 * given twice: the driver side may not have let go of it.
 */
static u32 num_of_vdev(u32 devid)
{
	if (devid >> 28 == 1)
		return devid >> 8 & 0xfffff ? ((devid >> 8 & 0xfffff) << 4) + (devid & 0xf) + 1 : 0;
	if (devid >> 8 == 202)
		return (devid & 0xff) + 1;
	return devid < 65536 ? devid : 0;
}

u16 xvm_guest_number(struct xvm_disk *disk)
{
	struct xvm_guest *guest = disk->guest;
	u32 num = disk->node == XVM_NODE_DISK ? num_of_vdev(disk->devid) :
		  disk->devid < 65536 - XVM_FIRST_VIRTIO_NUM ? XVM_FIRST_VIRTIO_NUM + disk->devid : 0;

	if (!num || num > 65535 || num_is_used(guest, num))
		for (num = 65535; num > 1 && num_is_used(guest, num); num--)
			;
	guest->nums_used[num / 64] |= 1ull << num % 64;
	return (u16)num;
}

static bool num_is_free(const struct xvm_disk *whose, u32 num)
{
	const struct xvm_guest *guest = whose->guest;
	const struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next)
		if (disk != whose && disk->num == num && disk->phase != XVM_DISK_NEW && disk->phase != XVM_DISK_OPENING)
			return false;
	return num && !num_is_used(guest, num);
}

/*
 * In a circle, so that the number given last comes last again: a worker keeps one
 * until the guest has released it.
 */
u16 xvm_guest_own_number(struct xvm_disk *disk)
{
	u32 num = disk->guest->last_own_num;

	if (num_is_free(disk, disk->num))
		return disk->num;
	do
		num = num < XVM_FIRST_OWN_NUM || num >= XVM_LAST_OWN_NUM ? XVM_FIRST_OWN_NUM : num + 1;
	while (!num_is_free(disk, num));
	disk->guest->last_own_num = num;
	return (u16)num;
}

struct xvm_disk *xvm_guest_disk_by_num(struct xvm_guest *guest, u32 num)
{
	struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next)
		if (num && disk->num == num)
			return disk;
	return NULL;
}

void xvm_guest_dirty(struct xvm_guest *guest)
{
	guest->dirty = true;
	xvm_daemon_settle_later(guest->daemon);
}

/* For xl rename. A driver domain has one watch for all that domain 0 tells it of its guests. */
static void watch_name(struct xvm_guest *guest, bool on)
{
	const struct xvm_store_ops *ops = guest->daemon->store->ops;
	char path[XVM_STORE_PATH_BYTES], token[sizeof(TOKEN_NAME) + 10];

	if (guest->daemon->own_domid)
		return;
	xvm_info_path(guest->daemon, guest->domid, "name", path);
	snprintf(token, sizeof(token), TOKEN_NAME "%u", guest->domid);
	if (!on)
		ops->unwatch(guest->daemon->store, path, token);
	else if (ops->watch(guest->daemon->store, path, token))
		log_warn("guest %u: another name of it will not be seen", guest->domid);
}

static struct xvm_guest *guest_new(struct xvm_daemon *daemon, u32 domid)
{
	struct xvm_guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return NULL;
	guest->daemon = daemon;
	guest->domid = domid;
	xvm_link_init(guest);
	guest->next = daemon->guests;
	daemon->guests = guest;
	watch_name(guest, true);
	return guest;
}

static void guest_free(struct xvm_guest *guest)
{
	struct xvm_guest **at = &guest->daemon->guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	watch_name(guest, false);
	xvm_trace_guest_gone(guest);
	while (guest->disks) {
		struct xvm_disk *disk = guest->disks;

		guest->disks = disk->next;
		xvm_disk_free(disk);
	}
	xvm_link_free(guest);
	xvm_warn_watch(guest, false);
	free(guest);
}

void xvm_guests_free(struct xvm_daemon *daemon)
{
	while (daemon->guests)
		guest_free(daemon->guests);
	xvm_drivers_free(daemon);
}

/* ---- looking ---- */

/* The operator's text, but it ends up in log lines and on terminals. */
static void read_name(struct xvm_guest *guest)
{
	char path[XVM_STORE_PATH_BYTES], text[XVM_NAME_BYTES];
	int i, len;

	xvm_info_path(guest->daemon, guest->domid, "name", path);
	len = xvm_store_read(guest->daemon->store, XVM_STORE_NO_TXN, path, text, sizeof(text));
	for (i = 0; i < len; i++)
		guest->name[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	if (len > 0)
		guest->name[len] = 0;
}

/* Becomes part of a path: what is no plain word is none. */
static void uuid_of(struct xvm_daemon *daemon, u32 domid, char uuid[XVM_UUID_BYTES])
{
	char path[XVM_STORE_PATH_BYTES], text[XVM_STORE_PATH_BYTES];
	const char *word;

	uuid[0] = 0;
	xvm_info_path(daemon, domid, "vm", path);
	if (xvm_store_read(daemon->store, XVM_STORE_NO_TXN, path, text, sizeof(text)) <= 0)
		return;
	word = strrchr(text, '/');
	if (word && strlen(word + 1) < XVM_UUID_BYTES && xvm_record_uuid_ok(word + 1))
		strcpy(uuid, word + 1);
}

static void read_uuid(struct xvm_guest *guest)
{
	char uuid[XVM_UUID_BYTES];

	uuid_of(guest->daemon, guest->domid, uuid);
	if (*uuid)
		strcpy(guest->uuid, uuid);
}

static void see_node(struct xvm_guest *guest, enum xvm_node_kind kind, const char *name)
{
	struct xvm_disk **at = &guest->disks, *disk;
	u32 devid;

	if (xvm_parse_u32(name, strlen(name), 0xffffffffu, &devid))
		return;
	for (; *at; at = &(*at)->next)
		if (!(*at)->own && (*at)->node == kind && (*at)->devid == devid)
			return;
	/* At the end: device numbers follow the order of the guest file. */
	disk = xvm_disk_new(guest, kind, devid);
	if (disk)
		*at = disk;
}

static void see_disk(void *arg, const char *name)
{
	see_node(arg, XVM_NODE_DISK, name);
}

/* Other back-ends live in that directory too, and these are not ours to touch. */
static void see_virtio(void *arg, const char *name)
{
	char path[XVM_STORE_PATH_BYTES], dir[XVM_STORE_PATH_BYTES], type[64];
	struct xvm_guest *guest = arg;

	guest_nodes_dir(guest, XVM_NODE_VIRTIO, dir);
	if (strlen(name) > 10)
		return;
	xvm_store_path(path, "%s/%s/type", dir, name);
	if (xvm_store_read(guest->daemon->store, XVM_STORE_NO_TXN, path, type, sizeof(type)) > 0 &&
	    !strncmp(type, XVM_VIRTIO_TYPE, sizeof(XVM_VIRTIO_TYPE) - 1))
		see_node(guest, XVM_NODE_VIRTIO, name);
}

static int scan_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct xvm_guest *guest = arg;
	char path[XVM_STORE_PATH_BYTES];
	struct xvm_disk *disk;

	guest_nodes_dir(guest, XVM_NODE_DISK, path);
	store->ops->list(store, txn, path, see_disk, guest);
	guest_nodes_dir(guest, XVM_NODE_VIRTIO, path);
	store->ops->list(store, txn, path, see_virtio, guest);
	for (disk = guest->disks; disk; disk = disk->next) {
		xvm_disk_look(disk, txn, &disk->view);
		disk->view.alive = guest->alive;
	}
	return 1;	/* nothing to commit */
}

static void scan(struct xvm_guest *guest)
{
	struct xvm_store *store = guest->daemon->store;
	struct xvm_disk *disk;

	guest->alive = xvm_domain_alive(guest->daemon, guest->domid);
	read_name(guest);
	read_uuid(guest);
	xvm_record_read(guest);
	if (xvm_store_transact(store, scan_body, guest) < 0) {
		log_err("guest %u: xenstore cannot be read", guest->domid);
		return;
	}
	for (disk = guest->disks; disk; disk = disk->next) {
		xvm_disk_step(disk, xvm_disk_decide(disk->phase, &disk->view));
		/* A failed one of the guest's record, which nothing else would end. */
		disk->orphan |= disk->own && disk->phase == XVM_DISK_CLOSED &&
				(!guest->alive || disk->wish != XVM_WISH_STAY);
	}
}

/* ---- settling ---- */

static void forget_orphans(struct xvm_guest *guest)
{
	struct xvm_disk **at = &guest->disks;

	while (*at) {
		struct xvm_disk *disk = *at;

		if (disk->phase != XVM_DISK_CLOSED || !disk->orphan) {
			at = &disk->next;
			continue;
		}
		*at = disk->next;
		xvm_disk_free(disk);
		xvm_guest_dirty(guest);	/* another node may stand in its place */
	}
}

static bool has_phase(const struct xvm_guest *guest, enum xvm_disk_phase phase)
{
	const struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next)
		if (disk->phase == phase)
			return true;
	return false;
}

static bool all_idle(const struct xvm_guest *guest)
{
	const struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next)
		if (!xvm_disk_is_idle(disk))
			return false;
	return true;
}

static void close_disks(struct xvm_guest *guest, enum xvm_disk_phase phase)
{
	struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next)
		if (disk->phase == phase)
			xvm_disk_close(disk);
}

static bool link_is_idle(const struct xvm_guest *guest)
{
	enum xvm_link_phase phase = guest->link.phase;

	return !guest->worker && (phase == XVM_LINK_NONE || phase == XVM_LINK_OFFERED || phase == XVM_LINK_CLOSED);
}

/*
 * Disks that nobody uses any more: state 6. With the last one the bus goes
 * first, so that xl sees 6 only when no mapping, no process and no node is left.
 */
static void settle_left(struct xvm_guest *guest)
{
	if (!has_phase(guest, XVM_DISK_LEFT))
		return;
	if (!all_idle(guest)) {
		close_disks(guest, XVM_DISK_LEFT);
	} else if (link_is_idle(guest)) {
		xvm_link_remove(guest);
		close_disks(guest, XVM_DISK_LEFT);
	} else {
		xvm_link_stop(guest);
	}
}

/* xl died half way through a destroy: nobody else will remove these nodes. */
static void collect_garbage(struct xvm_guest *guest)
{
	struct xvm_store *store = guest->daemon->store;
	char path[XVM_STORE_PATH_BYTES], stop[XVM_STORE_PATH_BYTES];
	const struct xvm_disk *disk = guest->disks;

	while (disk && disk->own)
		disk = disk->next;
	/* A driver domain may see the node before domain 0 has told it of the guest. */
	if (guest->alive || !disk || !all_idle(guest) || guest->daemon->own_domid)
		return;
	xvm_store_path(path, "/libxl/%u", guest->domid);
	if (xvm_store_exists(store, XVM_STORE_NO_TXN, path))
		return;
	xvm_guest_log(guest, LOG_NOTICE, "removing the device nodes of a domain that is gone");
	xvm_store_path(stop, "/local/domain/%u/backend", guest->daemon->own_domid);
	for (disk = guest->disks; disk; disk = disk->next) {
		if (disk->own)
			continue;
		xvm_disk_backend_path(disk, "", path);
		xvm_store_prune(store, XVM_STORE_NO_TXN, path, stop);
	}
	xvm_guest_dirty(guest);
}

static void settle_guest(struct xvm_guest *guest)
{
	if (guest->dirty) {
		guest->dirty = false;
		scan(guest);
	}
	if (guest->front_dirty) {
		guest->front_dirty = false;
		xvm_link_update(guest);
	}
	settle_left(guest);
	if (guest->daemon->stopping && link_is_idle(guest) && !guest->link.left_open)
		close_disks(guest, XVM_DISK_READY);
	collect_garbage(guest);
	xvm_ops_look(guest);
	forget_orphans(guest);
	if (!guest->disks && !guest->dirty && link_is_idle(guest)) {
		xvm_link_remove(guest);
		if (!guest->alive)
			xvm_record_end(guest);
		guest_free(guest);
	}
}

void xvm_guests_settle(struct xvm_daemon *daemon)
{
	struct xvm_guest *guest, *next;
	bool busy = false;

	for (guest = daemon->guests; guest; guest = next) {
		next = guest->next;
		settle_guest(guest);
	}
	for (guest = daemon->guests; guest; guest = guest->next)
		busy |= guest->worker || guest->dirty;
	if (daemon->stopping && !busy)
		daemon->stopped(daemon);
}

/*
 * At the end of the daemon: guests that can keep their devices are left as they
 * are, and wait for the next daemon. The others see their bus close, and their
 * disks say 6, so that xl commands given meanwhile wait for nobody.
 */
void xvm_guests_stop(struct xvm_daemon *daemon)
{
	struct xvm_guest *guest;

	daemon->stopping = true;
	for (guest = daemon->guests; guest; guest = guest->next) {
		xvm_link_stop(guest);
		xvm_guest_dirty(guest);
	}
	xvm_daemon_settle_later(daemon);
}

/* ---- events ---- */

static void see_guest(void *arg, const char *name)
{
	struct xvm_daemon *daemon = arg;
	struct xvm_guest *guest;
	u32 domid;

	if (xvm_parse_u32(name, strlen(name), 0x7fef, &domid))
		return;
	guest = xvm_guest_find(daemon, domid);
	if (!guest)
		guest = guest_new(daemon, domid);
	if (guest)
		xvm_guest_dirty(guest);
}

struct find_name {
	struct xvm_daemon *daemon;
	const char *name;
	u32 domid;
};

static void match_name(void *arg, const char *number)
{
	struct find_name *find = arg;
	char path[XVM_STORE_PATH_BYTES], text[XVM_NAME_BYTES];
	u32 domid;

	if (xvm_parse_u32(number, strlen(number), 0x7fef, &domid))
		return;
	xvm_info_path(find->daemon, domid, "name", path);
	if (xvm_store_read(find->daemon->store, XVM_STORE_NO_TXN, path, text, sizeof(text)) > 0 &&
	    !strcmp(text, find->name))
		find->domid = domid;
}

struct xvm_guest *xvm_guest_get(struct xvm_daemon *daemon, const char *word)
{
	struct find_name find = { .daemon = daemon, .name = word, .domid = daemon->own_domid };
	struct xvm_guest *guest;
	char number[16], path[XVM_STORE_PATH_BYTES];

	if (xvm_parse_u32(word, strlen(word), 0x7fef, &find.domid)) {
		xvm_info_path(daemon, 0, "", path);
		daemon->store->ops->list(daemon->store, XVM_STORE_NO_TXN, path, match_name, &find);
	}
	/* Not ourselves nor domain 0, nor a domain that is going. */
	if (!find.domid || find.domid == daemon->own_domid || !xvm_domain_alive(daemon, find.domid))
		return NULL;
	guest = xvm_guest_find(daemon, find.domid);
	if (guest)
		return guest;
	snprintf(number, sizeof(number), "%u", find.domid);
	see_guest(daemon, number);
	guest = xvm_guest_find(daemon, find.domid);
	if (guest) {
		/* The name and the record are wanted now. */
		guest->dirty = false;
		scan(guest);
	}
	return guest;
}

static void all_dirty(struct xvm_daemon *daemon)
{
	struct xvm_guest *guest;

	for (guest = daemon->guests; guest; guest = guest->next)
		xvm_guest_dirty(guest);
}

/* path is DIR, or DIR/DOMID and below. */
static void on_nodes(struct xvm_daemon *daemon, enum xvm_node_kind kind, const char *path)
{
	char dir[XVM_STORE_PATH_BYTES], name[16];
	size_t len;

	nodes_dir(daemon, kind, dir);
	if (strncmp(path, dir, strlen(dir)))
		return;
	path += strlen(dir);
	if (*path != '/') {
		all_dirty(daemon);
		daemon->store->ops->list(daemon->store, XVM_STORE_NO_TXN, dir, see_guest, daemon);
		return;
	}
	len = strcspn(path + 1, "/");
	if (len < sizeof(name)) {
		memcpy(name, path + 1, len);
		name[len] = 0;
		see_guest(daemon, name);
	}
}

static struct xvm_guest *guest_of_token(struct xvm_daemon *daemon, const char *number)
{
	u32 domid;

	return xvm_parse_u32(number, strlen(number), 0xffffffffu, &domid) ? NULL : xvm_guest_find(daemon, domid);
}

static void on_front(struct xvm_daemon *daemon, const char *number)
{
	struct xvm_guest *guest = guest_of_token(daemon, number);

	if (!guest)
		return;
	guest->front_dirty = true;
	xvm_daemon_settle_later(daemon);
}

static void on_name(struct xvm_daemon *daemon, const char *number)
{
	struct xvm_guest *guest = guest_of_token(daemon, number);

	if (guest)
		read_name(guest);
}

/* A domain without disks of ours may have a record. */
static void see_domain(void *arg, const char *name)
{
	struct xvm_daemon *daemon = arg;
	char uuid[XVM_UUID_BYTES];
	u32 domid;

	if (xvm_parse_u32(name, strlen(name), 0x7fef, &domid) || xvm_guest_find(daemon, domid) ||
	    !xvm_domain_alive(daemon, domid))
		return;
	uuid_of(daemon, domid, uuid);
	if (xvm_record_exists(daemon, domid, uuid))
		see_guest(daemon, name);
}

static void see_domains(struct xvm_daemon *daemon)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_info_path(daemon, 0, "", path);
	daemon->store->ops->list(daemon->store, XVM_STORE_NO_TXN, path, see_domain, daemon);
}

static void on_release(struct xvm_daemon *daemon)
{
	all_dirty(daemon);
	if (daemon->own_domid)
		see_domains(daemon);	/* one watch for both */
	else
		xvm_drivers_on_release(daemon);
}

static void on_libxl(struct xvm_daemon *daemon, const char *path)
{
	xvm_drivers_on_libxl(daemon, path);
	xvm_warn_on_libxl(daemon, path);
}

int xvm_guests_on_store(struct xvm_daemon *daemon)
{
	char path[XVM_STORE_PATH_BYTES], token[XVM_STORE_TOKEN_BYTES];
	int got;

	while ((got = daemon->store->ops->next_event(daemon->store, path, token)) > 0) {
		if (!strcmp(token, TOKEN_DISKS))
			on_nodes(daemon, XVM_NODE_DISK, path);
		else if (!strcmp(token, TOKEN_VIRTIO))
			on_nodes(daemon, XVM_NODE_VIRTIO, path);
		else if (!strcmp(token, TOKEN_DOMAINS))
			on_release(daemon);
		else if (!strcmp(token, TOKEN_NEW))
			see_domains(daemon);
		else if (!strcmp(token, XVM_TOKEN_LIBXL))
			on_libxl(daemon, path);
		else if (!strncmp(token, XVM_TOKEN_CONTROL, strlen(XVM_TOKEN_CONTROL)))
			xvm_warn_on_control(daemon, token + strlen(XVM_TOKEN_CONTROL));
		else if (!strncmp(token, TOKEN_FRONT, strlen(TOKEN_FRONT)))
			on_front(daemon, token + strlen(TOKEN_FRONT));
		else if (!strncmp(token, TOKEN_NAME, strlen(TOKEN_NAME)))
			on_name(daemon, token + strlen(TOKEN_NAME));
	}
	return got;
}

/*
 * Bus nodes of guests that went while no daemon ran: libxl does not know them. A
 * living guest's are taken over with its disks, or are stale without a front.
 */
static void sweep_bus(void *arg, const char *name)
{
	struct xvm_daemon *daemon = arg;
	char path[XVM_STORE_PATH_BYTES], front[XVM_STORE_PATH_BYTES], stop[XVM_STORE_PATH_BYTES];
	u32 domid;

	if (xvm_parse_u32(name, strlen(name), 0x7fef, &domid) || daemon->own_domid)
		return;
	xvm_store_path(front, "/local/domain/%u/device/" XVM_XENBUS_KIND "/%u", domid,
		       daemon->own_domid);
	if (xvm_domain_alive(daemon, domid) &&
	    xvm_store_exists(daemon->store, XVM_STORE_NO_TXN, front))
		return;
	xvm_store_path(path, "/local/domain/%u/backend/" XVM_XENBUS_KIND "/%u", daemon->own_domid, domid);
	xvm_store_path(stop, "/local/domain/%u/backend", daemon->own_domid);
	xvm_store_prune(daemon->store, XVM_STORE_NO_TXN, path, stop);
}

static void on_swept(void *arg, const struct xvm_opened *opened, struct fdset *fds)
{
	(void)arg;
	(void)fds;
	if (opened->err)
		log_err("%s", opened->why);
}

/* The script that it came with is not called: nobody knows any more which that was. */
static void sweep_tap(void *arg, u32 domid, const struct xvm_net_request *tap)
{
	struct xvm_daemon *daemon = arg;
	struct xvm_image_request request = { .spec.kind = XVM_KIND_NET, .net = *tap };

	if (xvm_domain_alive(daemon, domid))
		return;
	log_info("tap %s is of guest %u, which is gone: removed", tap->tap, domid);
	if (!xvm_opener_start(daemon->base, &request, false, on_swept, daemon))
		log_err("no process to remove tap %s could be started; remove it by hand", tap->tap);
}

int xvm_guests_start(struct xvm_daemon *daemon)
{
	struct xvm_store *store = daemon->store;
	char path[XVM_STORE_PATH_BYTES];
	int err;

	xvm_store_path(path, "/local/domain/%u/backend/" XVM_XENBUS_KIND, daemon->own_domid);
	store->ops->list(store, XVM_STORE_NO_TXN, path, sweep_bus, daemon);
	xvm_keep_sweep(daemon);
	xvm_record_sweep(daemon);
	if (!daemon->own_domid)
		xvm_net_taps(daemon->options.uid_base, sweep_tap, daemon);
	nodes_dir(daemon, XVM_NODE_DISK, path);
	err = store->ops->watch(store, path, TOKEN_DISKS);
	nodes_dir(daemon, XVM_NODE_VIRTIO, path);
	if (!err)
		err = store->ops->watch(store, path, TOKEN_VIRTIO);
	if (err)
		return err;
	/* Domains come and go unseen by a driver domain, but for what stands there of its guests. */
	if (daemon->own_domid) {
		xvm_info_path(daemon, 0, "", path);
		return store->ops->watch(store, path, TOKEN_DOMAINS);
	}
	err = store->ops->watch(store, "@releaseDomain", TOKEN_DOMAINS);
	if (!err)
		err = store->ops->watch(store, "@introduceDomain", TOKEN_NEW);
	return err ? err : xvm_drivers_start(daemon);
}
