// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One device: adoption, refusal, removal. Most are virtio_disk or virtio nodes of xl's;
 * for those of our own (own.c) there is no node. Every write to a
 * node happens in a transaction that first sees that it is still the same node
 * (our mark stands in it) and that xl has not begun to remove it: libxl writes
 * the same `state`, and a write to a removed node would make it anew.
 */
#include "daemon.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "host_net.h"
#include "worker.h"

/*
 * Linux names a xenbus device "virtio_disk/NUMBER" and has room for 19
 * characters; it stops looking for any further device at one that is longer, so
 * such a guest would not find its bus. Extended numbers (xvdq and later) have 9 digits.
 */
#define MAX_DEVID 9999999u
#define CLEAN_MS 1000		/* from state 6 to the end of the node, in a driver domain: libxl wants to see both */
#define KEY_MARK "vmsg-mark"
#define KEY_ERROR "vmsg-error"

static void on_limit(evutil_socket_t fd, short what, void *arg);

const char *xvm_node_name(enum xvm_node_kind kind)
{
	return kind == XVM_NODE_DISK ? "virtio_disk" : "virtio";
}

struct xvm_disk *xvm_disk_new(struct xvm_guest *guest, enum xvm_node_kind node, u32 devid)
{
	struct xvm_disk *disk = calloc(1, sizeof(*disk));

	if (!disk)
		return NULL;
	disk->guest = guest;
	disk->node = node;
	disk->request.default_cid = XVM_FIRST_CID + guest->domid;
	disk->cols = 80;
	disk->rows = 25;
	disk->devid = devid;
	disk->limit = evtimer_new(guest->daemon->base, on_limit, disk);
	if (!disk->limit) {
		free(disk);
		return NULL;
	}
	return disk;
}

void xvm_disk_free(struct xvm_disk *disk)
{
	xvm_opener_cancel(disk->opener);
	xvm_server_free(disk);
	event_free(disk->limit);
	xvm_ptys_close(&disk->ptys);
	free(disk);
}

void xvm_disk_backend_path(const struct xvm_disk *disk, const char *leaf, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/backend/%s/%u/%u%s%s", disk->guest->daemon->own_domid,
		       xvm_node_name(disk->node), disk->guest->domid, disk->devid, *leaf ? "/" : "", leaf);
}

static u64 read_mark(struct xvm_disk *disk, u32 txn)
{
	char path[XVM_STORE_PATH_BYTES], text[20];
	u64 mark;
	int len;

	xvm_disk_backend_path(disk, KEY_MARK, path);
	len = xvm_store_read(disk->guest->daemon->store, txn, path, text, sizeof(text));
	return len < 0 || xvm_parse_id64(text, (size_t)len, &mark) ? 0 : mark;
}

static int read_leaf_u32(struct xvm_disk *disk, u32 txn, const char *leaf, u32 *value)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_disk_backend_path(disk, leaf, path);
	return xvm_store_read_u32(disk->guest->daemon->store, txn, path, 0xffffffffu, value);
}

void xvm_disk_look(struct xvm_disk *disk, u32 txn, struct xvm_node_view *view)
{
	struct xvm_store *store = disk->guest->daemon->store;
	char path[XVM_STORE_PATH_BYTES];

	if (disk->own) {
		xvm_own_look(disk, view);
		return;
	}
	memset(view, 0, sizeof(*view));
	xvm_disk_backend_path(disk, "", path);
	view->exists = xvm_store_exists(store, txn, path);
	if (!view->exists)
		return;
	view->has_state = !read_leaf_u32(disk, txn, "state", &view->state);
	if (read_leaf_u32(disk, txn, "online", &view->online))
		view->online = 0;
	view->ours = disk->mark && read_mark(disk, txn) == disk->mark;
	xvm_store_path(path, "/local/domain/%u/device/%s/%u", disk->guest->domid, xvm_node_name(disk->node), disk->devid);
	view->front = xvm_store_exists(store, txn, path);
}

/* ---- writing to the node ---- */

struct node_write {
	struct xvm_disk *disk;
	enum xvm_bus_state state;	/* UNKNOWN: leave it */
	bool closing;			/* we end what xl, or the end of this daemon, asks to end */
	bool remove_state;		/* makes xl fail at once */
	const char *error;		/* for vmsg-error, or NULL */
};

static int write_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct node_write *w = arg;
	char path[XVM_STORE_PATH_BYTES];
	struct xvm_node_view view;
	int err = 0;

	xvm_disk_look(w->disk, txn, &view);
	if (!view.exists || !view.has_state || (w->disk->mark && !view.ours))
		return -ESTALE;
	if (!w->closing && (!view.online || view.state == XVM_BUS_CLOSING || view.state == XVM_BUS_CLOSED))
		return -ESTALE;
	if (w->error) {
		xvm_disk_backend_path(w->disk, KEY_ERROR, path);
		err = xvm_store_write(store, txn, path, w->error);
	}
	xvm_disk_backend_path(w->disk, "state", path);
	if (!err && w->remove_state && view.state == XVM_BUS_INITIALISING)
		return store->ops->remove(store, txn, path);
	if (!err && w->remove_state)
		return xvm_store_write_u32(store, txn, path, XVM_BUS_CLOSED);
	if (!err && w->state != XVM_BUS_UNKNOWN && w->state != view.state)
		err = xvm_store_write_u32(store, txn, path, w->state);
	return err;
}

static void write_node(const struct node_write *w)
{
	struct node_write bare;
	int err;

	if (w->disk->orphan || w->disk->own)
		return;
	err = xvm_store_transact(w->disk->guest->daemon->store, write_body, (void *)w);
	if (err == -ESTALE)
		xvm_guest_dirty(w->disk->guest);
	else if (err)
		xvm_disk_log(w->disk, LOG_ERR, "xenstore refuses a write to its node: %s", xvm_store_error(err));
	/* What xl waits for matters more than the text, which may be a node too many. */
	if (err && err != -ESTALE && w->error) {
		bare = *w;
		bare.error = NULL;
		write_node(&bare);
	}
}

void xvm_disk_show_driver(struct xvm_disk *disk, bool driver_ok)
{
	disk->driver_ok = driver_ok;
	xvm_daemon_settle_later(disk->guest->daemon);
	if (disk->phase == XVM_DISK_READY)
		write_node(&(struct node_write){ .disk = disk,
						 .state = driver_ok ? XVM_BUS_CONNECTED : XVM_BUS_INIT_WAIT });
}

void xvm_disk_show_error(struct xvm_disk *disk, const char *why)
{
	write_node(&(struct node_write){ .disk = disk, .error = why });
}

/* The one line an operator sees, in the log and beside the disk; then xl fails without waiting. */
static void refuse(struct xvm_disk *disk, const char *why)
{
	xvm_disk_log(disk, LOG_ERR, "%s", why);
	snprintf(disk->why, sizeof(disk->why), "%s", why);
	/* For a virtio node xl waits at its removal only, and wants to see 6 there. */
	write_node(&(struct node_write){ .disk = disk, .closing = true, .remove_state = disk->node == XVM_NODE_DISK,
					 .state = XVM_BUS_CLOSED, .error = why });
	disk->phase = XVM_DISK_CLOSED;
	/* One that stands in a record stays to be seen, and in the record. */
	disk->orphan |= disk->own && !disk->recorded;
	xvm_guest_dirty(disk->guest);
}

void xvm_disk_fail(struct xvm_disk *disk, const char *why)
{
	snprintf(disk->why, sizeof(disk->why), "%s", why);
	disk->broken = true;
	xvm_disk_log(disk, LOG_ERR, "left out: %s", why);
	xvm_disk_show_error(disk, why);
	xvm_daemon_settle_later(disk->guest->daemon);
}

struct xvm_disk *xvm_disk_find(struct xvm_guest *guest, const char *word)
{
	struct xvm_disk *disk;
	u32 num;

	if (!xvm_parse_u32(word, strlen(word), XVM_LAST_NUM, &num))
		return xvm_guest_disk_by_num(guest, num);
	for (disk = guest->disks; disk; disk = disk->next)
		if (!strcmp(disk->vdev, word))
			return disk;
	return NULL;
}

void xvm_disk_close(struct xvm_disk *disk)
{
	write_node(&(struct node_write){ .disk = disk, .state = XVM_BUS_CLOSED, .closing = true });
	disk->phase = XVM_DISK_CLOSED;
	if (disk->guest->daemon->own_domid && !disk->own)
		xvm_timer(disk->limit, CLEAN_MS);
	disk->orphan |= disk->own;
	xvm_guest_dirty(disk->guest);
}

/* ---- adoption ---- */

static int read_leaf(struct xvm_disk *disk, u32 txn, const char *leaf, char *text, size_t bytes)
{
	char path[XVM_STORE_PATH_BYTES];

	xvm_disk_backend_path(disk, leaf, path);
	return xvm_store_read(disk->guest->daemon->store, txn, path, text, bytes);
}

static int read_flag(struct xvm_disk *disk, u32 txn, const char *leaf, bool *value)
{
	u32 number;
	int err = read_leaf_u32(disk, txn, leaf, &number);

	*value = !err && number == 1;
	return err == -ENOENT ? 0 : err;
}

struct read_keys {
	struct xvm_disk *disk;
	const char *why;
};

/* "xen-virtio-msg:NAME"; other types never come here. */
static const char *read_virtio(struct xvm_disk *disk, u32 txn)
{
	char type[sizeof(XVM_VIRTIO_TYPE) + XVM_NAME_MAX];
	const char *name = type + sizeof(XVM_VIRTIO_TYPE) - 1;

	if (read_leaf(disk, txn, "type", type, sizeof(type)) < (int)sizeof(XVM_VIRTIO_TYPE) ||
	    !xvm_spec_name_ok(name, strlen(name)))
		return "type= is not xen-virtio-msg: and the name of a descriptor, 1 to 20 of letters, digits, '.', '_', '-'";
	snprintf(disk->request.target, sizeof(disk->request.target), "%s%s", XVM_DESCRIPTOR_DIR, name);
	snprintf(disk->vdev, sizeof(disk->vdev), "virtio%u", disk->devid);
	disk->request.read_only = false;
	disk->discard = true;
	return NULL;
}

static int read_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct read_keys *r = arg;
	struct xvm_disk *disk = r->disk;
	char mode[4], spec[16];

	(void)store;
	if (disk->node == XVM_NODE_VIRTIO)
		r->why = read_virtio(disk, txn);
	else if (read_leaf(disk, txn, "params", disk->request.target, sizeof(disk->request.target)) <= 0)
		r->why = "params (target=) is missing or longer than 1023 bytes";
	else if (read_leaf(disk, txn, "mode", mode, sizeof(mode)) < 0 || (strcmp(mode, "w") && strcmp(mode, "r")))
		r->why = "mode is neither w nor r";
	else if (read_leaf(disk, txn, "dev", disk->vdev, sizeof(disk->vdev)) <= 0)
		r->why = "dev (vdev=) is missing or longer than 20 bytes";
	else if (read_leaf(disk, txn, "specification", spec, sizeof(spec)) < 0 || strcmp(spec, "virtio"))
		r->why = "specification is not virtio";
	else if (read_flag(disk, txn, "discard-enable", &disk->discard))
		r->why = "discard-enable is neither 0 nor 1";
	else
		disk->request.read_only = !strcmp(mode, "r");
	return 0;
}

/* The disk is one that libxl would lose. */
static bool is_mixed(const struct xvm_disk *disk, u32 txn)
{
	char path[XVM_STORE_PATH_BYTES];

	if (disk->own || disk->node != XVM_NODE_DISK)
		return false;
	xvm_store_path(path, "/libxl/%u/device/vbd", disk->guest->domid);
	return xvm_store_exists(disk->guest->daemon->store, txn, path);
}

static const char mixed_text[] =
	"the guest also has PV disks (vbd): libxl loses all disks of such a guest at its reboot; "
	"give every disk specification=virtio, or none";

static void describe_use(const struct xvm_disk *disk, struct xvm_image_use *use)
{
	*use = (struct xvm_image_use){
		.id = disk->image.id,
		.read_only = disk->request.read_only,
		.domid = disk->guest->domid,
		.uuid = disk->guest->uuid,
		.name = disk->guest->name,
	};
}

static bool uses_image(const struct xvm_disk *disk)
{
	return (disk->phase == XVM_DISK_READY || disk->phase == XVM_DISK_LEAVING || disk->phase == XVM_DISK_LEFT) &&
	       disk->image.spec.kind == XVM_KIND_BLK;
}

/* The disk whose use of the same image stands in the way, if any. */
static const struct xvm_disk *find_conflict(const struct xvm_disk *disk)
{
	struct xvm_image_use mine, theirs;
	const struct xvm_guest *guest;
	const struct xvm_disk *other;

	describe_use(disk, &mine);
	for (guest = disk->guest->daemon->guests; guest; guest = guest->next) {
		for (other = guest->disks; other; other = other->next) {
			if (other == disk || !uses_image(other))
				continue;
			describe_use(other, &theirs);
			if (!xvm_image_may_share(&theirs, &mine))
				return other;
		}
	}
	return NULL;
}

static bool wants_same(const struct xvm_spec *a, const struct xvm_spec *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == XVM_KIND_VSOCK ? a->cid == b->cid : a->kind == XVM_KIND_SCSI && !strcmp(a->wwpn, b->wwpn);
}

/* The device that has what only one can have of dom0's kernel: the same address, the same target. */
static const struct xvm_disk *find_rival(const struct xvm_disk *disk)
{
	const struct xvm_guest *guest;
	const struct xvm_disk *other;

	for (guest = disk->guest->daemon->guests; guest; guest = guest->next)
		for (other = guest->disks; other; other = other->next)
			if (other != disk && other->phase >= XVM_DISK_READY && other->phase != XVM_DISK_CLOSED &&
			    wants_same(&other->image.spec, &disk->image.spec))
				return other;
	return NULL;
}

/* False: somebody has it; then the disk is refused. */
static bool is_alone(struct xvm_disk *disk)
{
	const struct xvm_disk *other = find_rival(disk);
	const struct xvm_spec *spec = &disk->image.spec;
	char why[XVM_WHY_BYTES], what[100];

	if (!other)
		return true;
	if (spec->kind == XVM_KIND_VSOCK)
		snprintf(what, sizeof(what), "cid=%u", spec->cid);
	else
		snprintf(what, sizeof(what), "wwpn=%.90s", spec->wwpn);
	snprintf(why, sizeof(why), "%s is in use by guest %u (%.40s) as %s; choose another", what, other->guest->domid,
		 other->guest->name, other->vdev);
	refuse(disk, why);
	return false;
}

struct adopt {
	struct xvm_disk *disk;
	u64 mark, link_id;
	bool link_taken_over, mixed;
};

static int adopt_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct adopt *a = arg;
	char path[XVM_STORE_PATH_BYTES], text[20];
	struct xvm_node_view view;
	int err;

	if (a->disk->own)
		return xvm_link_make(a->disk->guest, txn, &a->link_id, &a->link_taken_over);
	xvm_disk_look(a->disk, txn, &view);
	if (!view.exists || !view.has_state || !view.online || view.state == XVM_BUS_CLOSING)
		return -ESTALE;
	a->mixed = is_mixed(a->disk, txn);
	if (a->mixed)
		return -EINVAL;
	err = xvm_link_make(a->disk->guest, txn, &a->link_id, &a->link_taken_over);
	if (err)
		return err;
	snprintf(text, sizeof(text), "%016" PRIx64, a->mark);
	xvm_disk_backend_path(a->disk, KEY_MARK, path);
	err = xvm_store_write(store, txn, path, text);
	if (err)
		return err;
	xvm_disk_backend_path(a->disk, KEY_ERROR, path);
	err = store->ops->remove(store, txn, path);	/* a former daemon's */
	if (err && err != -ENOENT)
		return err;
	xvm_disk_backend_path(a->disk, "state", path);
	return xvm_store_write_u32(store, txn, path, XVM_BUS_INIT_WAIT);
}

static void log_adopted(struct xvm_disk *disk)
{
	const struct xvm_image *image = &disk->image;
	const u8 *mac = image->net.mac;

	if (image->spec.kind == XVM_KIND_NET)
		xvm_disk_log(disk, LOG_INFO, "adopted as device %u: net, %02x:%02x:%02x:%02x:%02x:%02x, tap %s%s%s", disk->num,
			     mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], disk->request.net.tap,
			     image->spec.net.bridge[0] ? " in " : "", image->spec.net.bridge);
	else if (disk->image.spec.kind != XVM_KIND_BLK)
		xvm_disk_log(disk, LOG_INFO, "adopted as device %u: %s", disk->num, xvm_kind_name(disk->image.spec.kind));
	else
		xvm_disk_log(disk, LOG_INFO, "adopted as device %u: %s, %llu bytes%s%s", disk->num,
			     disk->request.target, (unsigned long long)disk->image.bytes,
			     disk->request.read_only ? ", read-only" : "", disk->image.direct ? "" : ", no direct I/O");
}

static void adopt(struct xvm_disk *disk)
{
	struct adopt a = { .disk = disk, .mark = xvm_random_u64() };
	char why[XVM_WHY_BYTES];
	int err = xvm_store_transact(disk->guest->daemon->store, adopt_body, &a);

	if (a.mixed) {
		refuse(disk, mixed_text);
	} else if (err == -ESTALE) {
		disk->phase = XVM_DISK_NEW;	/* look again */
		xvm_guest_dirty(disk->guest);
	} else if (err) {
		snprintf(why, sizeof(why), "xenstore refuses the nodes of the bus: %s", xvm_store_error(err));
		refuse(disk, why);
	} else {
		disk->mark = a.mark;
		disk->phase = XVM_DISK_READY;
		disk->num = disk->own ? xvm_guest_own_number(disk) : xvm_guest_number(disk);
		log_adopted(disk);
		xvm_link_made(disk->guest, a.link_id, a.link_taken_over);
		xvm_connect_go_on(disk->guest);
		xvm_daemon_settle_later(disk->guest->daemon);	/* somebody may wait for this */
	}
}

/* ---- a hotplug script that failed ---- */

struct said {
	char path[XVM_SCRIPT_PATH_BYTES], text[100];
};

/* What Xen's scripts leave where they look for the node of a vif; nobody else would remove it. */
static int said_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct said *said = arg;
	char path[XVM_STORE_PATH_BYTES];

	xvm_store_path(path, "%s/hotplug-error", said->path);
	if (xvm_store_read(store, txn, path, said->text, sizeof(said->text)) < 0)
		said->text[0] = 0;
	return xvm_store_prune(store, txn, said->path, "/local/domain/0/backend");
}

/* why, and what the script itself said, if it did. */
static const char *why_script(const struct xvm_disk *disk, const char *why, char text[XVM_WHY_BYTES])
{
	struct said said = { .text = "" };
	char *p;

	if (disk->guest->daemon->own_domid || !disk->request.net.tap[0] ||
	    !xvm_net_script_path(disk->request.net.tap, said.path) ||
	    xvm_store_transact(disk->guest->daemon->store, said_body, &said) || !said.text[0])
		return why;
	for (p = said.text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	snprintf(text, XVM_WHY_BYTES, "%.*s: %s", (int)(XVM_WHY_BYTES - sizeof(said.text) - 3), why, said.text);
	return text;
}

static void on_checked(void *arg, const struct xvm_opened *opened, struct fdset *fds)
{
	struct xvm_disk *disk = arg;
	const struct xvm_disk *other;
	char why[XVM_WHY_BYTES];

	(void)fds;	/* none was asked for */
	disk->opener = NULL;
	if (opened->err) {
		refuse(disk, why_script(disk, opened->why, why));
		return;
	}
	disk->image = opened->image;
	disk->in_host = disk->image.spec.kind == XVM_KIND_NET;
	if (!disk->in_host)
		disk->request.net.tap[0] = 0;	/* the descriptor might have said otherwise */
	disk->request.net.task = XVM_NET_OPEN;
	other = disk->image.spec.kind == XVM_KIND_BLK ? find_conflict(disk) : NULL;
	if (other) {
		snprintf(why, sizeof(why), "image %.100s is in use by guest %u (%.40s) as %s%s; destroy that guest, or use a copy",
			 disk->request.target, other->guest->domid, other->guest->name, other->vdev,
			 other->request.read_only ? " and this one would write" : ", which writes");
		refuse(disk, why);
		return;
	}
	if (!is_alone(disk))
		return;
	if (disk->image.spec.kind == XVM_KIND_CONSOLE &&
	    xvm_ptys_open(&disk->ptys, 1 + disk->image.spec.console.ports, why)) {
		refuse(disk, why);
		return;
	}
	adopt(disk);
}

/* ---- the tap of a network device ---- */

static bool tap_taken(void *arg, const char *tap)
{
	const struct xvm_disk *whose = arg, *disk;
	const struct xvm_guest *guest;

	for (guest = whose->guest->daemon->guests; guest; guest = guest->next)
		for (disk = guest->disks; disk; disk = disk->next)
			if (disk != whose && !strcmp(disk->request.net.tap, tap))
				return true;
	return false;
}

/* What a network device would be made with, if its description turns out to be one. NULL, or what is wrong. */
static const char *prepare_net(struct xvm_disk *disk)
{
	const char *vifname = disk->request.spec.net.vifname;
	struct xvm_net_request *net = &disk->request.net;
	bool made_up = false;

	net->task = XVM_NET_MAKE;
	net->owner = disk->guest->daemon->options.uid_base + disk->guest->domid;
	xvm_net_default_mac(disk->guest->uuid, disk->vdev, net->mac);
	if (!*vifname && !net->tap[0])
		made_up = xvm_net_tap_name(disk->guest->domid, disk->vdev, net->tap, tap_taken, disk);
	else if (*vifname)
		memcpy(net->tap, vifname, sizeof(net->tap));
	if (!net->tap[0])
		return "the guest has a hundred network devices, the limit";
	return !made_up && tap_taken(disk, net->tap) ? "another device has a tap of this vifname=; choose another" : NULL;
}

static void on_released(void *arg, const struct xvm_opened *opened, struct fdset *fds)
{
	struct xvm_disk *disk = arg;
	char why[XVM_WHY_BYTES];

	(void)fds;
	disk->opener = NULL;
	if (opened->err)
		xvm_disk_log(disk, LOG_ERR, "%s", why_script(disk, opened->why, why));
	disk->in_host = false;
	xvm_disk_left(disk);
}

/* The tap goes before anybody is told that the device has gone. False: it cannot be waited for. */
static bool release_host(struct xvm_disk *disk)
{
	struct xvm_image_request request = disk->request;

	request.spec = disk->image.spec;
	request.net.task = XVM_NET_REMOVE;
	xvm_opener_cancel(disk->opener);
	disk->opener = xvm_opener_start(disk->guest->daemon->base, &request, false, on_released, disk);
	if (!disk->opener)
		xvm_disk_log(disk, LOG_ERR, "no process to remove tap %s could be started; remove it by hand", request.net.tap);
	return disk->opener;
}

int xvm_disk_link(struct xvm_disk *disk, bool up, char why[XVM_WHY_BYTES])
{
	if (disk->image.spec.kind != XVM_KIND_NET) {
		snprintf(why, XVM_WHY_BYTES, "link is a network device's, and this is of type=%s",
			 xvm_kind_name(disk->image.spec.kind));
		return -EINVAL;
	}
	disk->request.spec.net.link_down = disk->image.spec.net.link_down = !up;
	if (disk->in_worker)
		xvm_worker_link_device(disk->guest->worker, disk->num, up);
	return 0;
}

static u32 count_devices(const struct xvm_guest *guest)
{
	const struct xvm_disk *disk;
	u32 n = 0;

	for (disk = guest->disks; disk; disk = disk->next)
		n += disk->phase != XVM_DISK_NEW && disk->phase != XVM_DISK_CLOSED;
	return n;
}

static void begin_adoption(struct xvm_disk *disk)
{
	struct xvm_guest *guest = disk->guest;
	struct read_keys r = { .disk = disk };
	char why[XVM_WHY_BYTES];

	if (guest->daemon->stopping)
		return;
	disk->mark = 0;
	disk->why[0] = 0;
	disk->orphan = disk->forced = disk->broken = disk->lock_busy = false;
	if (!disk->own && xvm_store_transact(guest->daemon->store, read_body, &r)) {
		r.why = "its node cannot be read";
	} else if (!r.why && is_mixed(disk, XVM_STORE_NO_TXN)) {
		r.why = mixed_text;
	} else if (!r.why && count_devices(guest) >= XVM_MAX_DEVICES) {
		snprintf(why, sizeof(why), "the guest has %u devices, the limit; use fewer disks", XVM_MAX_DEVICES);
		r.why = why;
	}
	if (!r.why && disk->devid > MAX_DEVID)
		r.why = "a Linux guest finds no device at all when one has such a high number; use vdev=xvda to xvdp, "
			"then sda to sdp";
	if (r.why) {
		refuse(disk, r.why);
		return;
	}
	disk->in_host = disk->request.spec.kind == XVM_KIND_NET;
	if (disk->in_host || !disk->own)
		r.why = prepare_net(disk);
	if (r.why && disk->in_host) {
		disk->request.net.tap[0] = 0;
		refuse(disk, r.why);
		return;
	}
	if (disk->own && !xvm_kind_stands_on(disk->image.spec.kind)) {
		adopt(disk);
		return;
	}
	disk->phase = XVM_DISK_OPENING;
	disk->opener = xvm_opener_start(guest->daemon->base, &disk->request, false, on_checked, disk);
	if (!disk->opener)
		refuse(disk, "no process to open its image could be started; is dom0 out of memory or processes?");
}

/* ---- removal ---- */

static void leave(struct xvm_disk *disk, bool forced)
{
	if (disk->phase == XVM_DISK_LEAVING && disk->forced)
		return;
	xvm_opener_cancel(disk->opener);
	disk->opener = NULL;
	disk->phase = XVM_DISK_LEAVING;
	disk->forced = forced;
	if (!disk->in_worker) {
		xvm_disk_left(disk);
		return;
	}
	/* Who asked for one of our own may force it; xl cannot ask again. */
	if (forced || !disk->own)
		xvm_timer(disk->limit, forced ? XVM_STOP_LIMIT_MS : XVM_ASK_LIMIT_MS);
	xvm_worker_del_device(disk->guest->worker, disk->num, forced);
}

/* Nobody but its owner can remove a driver domain's node, and libxl waits for that once it has read state 6. */
static int clean_body(struct xvm_store *store, u32 txn, void *arg)
{
	struct xvm_disk *disk = arg;
	char path[XVM_STORE_PATH_BYTES];
	struct xvm_node_view view;

	xvm_disk_look(disk, txn, &view);
	if (!view.exists || view.online || view.state != XVM_BUS_CLOSED)
		return -ESTALE;
	xvm_disk_backend_path(disk, "", path);
	return store->ops->remove(store, txn, path);
}

static void clean(struct xvm_disk *disk)
{
	int err = xvm_store_transact(disk->guest->daemon->store, clean_body, disk);

	if (err && err != -ESTALE)
		xvm_disk_log(disk, LOG_ERR, "its node cannot be removed: %s", strerror(-err));
	xvm_guest_dirty(disk->guest);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct xvm_disk *disk = arg;

	(void)fd;
	(void)what;
	if (disk->phase == XVM_DISK_CLOSED && disk->guest->daemon->own_domid)
		clean(disk);
	if (disk->phase != XVM_DISK_LEAVING)
		return;
	if (!disk->forced) {
		xvm_disk_log(disk, LOG_WARNING, "the guest did not let go of it within %u s; removed without it",
			     XVM_ASK_LIMIT_MS / 1000);
		leave(disk, true);
	} else {
		xvm_worker_kill(disk->guest->worker, "it did not let go of a removed device in time");
	}
}

void xvm_disk_left(struct xvm_disk *disk)
{
	if (disk->in_worker && disk->image.spec.kind == XVM_KIND_SCSI && disk->guest->worker)
		xvm_targets_remove(&disk->guest->worker->targets, disk->image.spec.wwpn);
	disk->in_worker = false;
	xvm_server_end(disk);
	disk->driver_ok = false;
	event_del(disk->limit);
	if (disk->phase == XVM_DISK_LEAVING && disk->in_host && release_host(disk))
		return;
	if (disk->phase == XVM_DISK_LEAVING)
		disk->phase = XVM_DISK_LEFT;
	xvm_guest_dirty(disk->guest);
}

bool xvm_disk_is_idle(const struct xvm_disk *disk)
{
	return disk->phase == XVM_DISK_LEFT || disk->phase == XVM_DISK_CLOSED || disk->phase == XVM_DISK_NEW;
}

static void drop(struct xvm_disk *disk)
{
	disk->orphan = true;
	if (disk->phase == XVM_DISK_READY || disk->phase == XVM_DISK_LEAVING) {
		leave(disk, true);
	} else if (disk->phase != XVM_DISK_LEFT) {
		xvm_opener_cancel(disk->opener);
		disk->opener = NULL;
		disk->phase = XVM_DISK_CLOSED;
	}
}

void xvm_disk_step(struct xvm_disk *disk, enum xvm_disk_step step)
{
	switch (step) {
	case XVM_STEP_WAIT:
		break;
	case XVM_STEP_ADOPT:
		begin_adoption(disk);
		break;
	case XVM_STEP_REMOVE:
		leave(disk, false);
		break;
	case XVM_STEP_REMOVE_FORCED:
		leave(disk, true);
		break;
	case XVM_STEP_CLOSE:
		if (disk->phase == XVM_DISK_OPENING && disk->in_host) {
			leave(disk, true);
			break;
		}
		xvm_opener_cancel(disk->opener);
		disk->opener = NULL;
		xvm_disk_close(disk);
		break;
	case XVM_STEP_DROP:
		drop(disk);
		break;
	}
}
