// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a worker may say and ask for. No request names a path, a domain or a
 * command: the domain is the guest's the worker was started for, the grant
 * references are the guest's own. Each function returns NULL, or the rule that
 * was broken, for which the worker is killed.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "worker.h"
#include "../../xen/user/xen.h"

/* A text of the worker's: terminated, one line, printable. */
static bool read_text(char to[XVM_IPC_LOG_BYTES], const char from[XVM_IPC_LOG_BYTES])
{
	u32 i;

	for (i = 0; i < XVM_IPC_LOG_BYTES && from[i]; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	if (i == XVM_IPC_LOG_BYTES)
		return false;
	to[i] = 0;
	return true;
}

static const char *take_hello(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_hello *hello = data;

	if (w->hello)
		return "it said HELLO twice";
	if (hello->version != XVM_IPC_VERSION)
		return "it is of another version than xvmsgd; install both from one build";
	w->hello = true;
	event_del(w->limit);
	xvm_connect_go_on(w->guest);
	return NULL;
}

static void reply(struct xvm_worker *w, u32 area, u32 status, u32 limit, int fd)
{
	struct xvm_ipc_map_reply msg = { .area = area, .status = status, .limit = limit };

	xvm_worker_send(w, &msg.hdr, XVM_IPC_MAP_REPLY, sizeof(msg), &fd, fd >= 0);
}

/* Directory pages are copied once; what the guest writes there later changes nothing. */
static int read_refs(struct xvm_guest *guest, const struct xvm_ipc_map *map, u32 *refs)
{
	u32 i, j, left = map->npages;
	int err;

	for (i = 0; i < map->ndirs; i++) {
		u32 n = left < XVM_AREA_REFS_PER_DIR ? left : XVM_AREA_REFS_PER_DIR;
		u32 *dir = refs + i * XVM_AREA_REFS_PER_DIR;

		err = xvm_xen_copy_page(guest->domid, map->dir_ref[i], dir, n * sizeof(*refs));
		if (err)
			return err;
		guest->grants_mapped++;
		guest->grants_unmapped++;
		for (j = 0; j < n; j++)
			dir[j] = le32_to_cpu(dir[j]);
		left -= n;
	}
	return 0;
}

/* The references stay with us: a server may get what was mapped, whatever the guest has in its directory by then. */
static int open_area(struct xvm_worker *w, const struct xvm_ipc_map *map)
{
	u32 *refs = malloc(map->npages * sizeof(*refs));
	int fd;

	if (!refs)
		return -ENOMEM;
	fd = read_refs(w->guest, map, refs);
	if (!fd)
		fd = xvm_xen_grant_fd(w->guest->domid, refs, map->npages);
	if (fd >= 0)
		w->area_refs[map->area] = refs;
	else
		free(refs);
	return fd;
}

static const char *take_map(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_map *map = data;
	struct xvm_guest *guest = w->guest;
	u32 left;
	int fd;

	if (!w->started)
		return "it mapped before START";
	if (map->area < XVM_AREA_ID_MIN || map->area > XVM_AREA_ID_MAX || w->area_pages[map->area])
		return "it mapped an area that is mapped, or out of range";
	if (!map->npages || map->npages > XVM_AREA_MAX_PAGES ||
	    map->ndirs != (map->npages + XVM_AREA_REFS_PER_DIR - 1) / XVM_AREA_REFS_PER_DIR)
		return "it mapped a wrong number of pages";
	if (xvm_budget_take(&guest->daemon->budget, &guest->pages_held, map->npages, &left)) {
		reply(w, map->area, XVM_STATUS_NO_SPACE, left, -1);
		return NULL;
	}
	fd = open_area(w, map);
	if (fd < 0) {
		xvm_budget_give(&guest->daemon->budget, &guest->pages_held, map->npages);
		reply(w, map->area, fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ? XVM_STATUS_NO_SPACE :
		      XVM_STATUS_BAD_REF, left, -1);
		return NULL;
	}
	w->area_pages[map->area] = map->npages;
	w->area_num[map->area] = map->num;
	reply(w, map->area, XVM_STATUS_OK, left, fd);
	close(fd);
	return NULL;
}

/* A descriptor of its own: a PV dom0's kernel lets each be mapped once. -1: none. */
static int share_fd(struct xvm_worker *w, const struct xvm_ipc_share *share)
{
	struct xvm_guest *guest = w->guest;
	u32 pages = w->area_pages[share->area], left;
	int fd;

	if (xvm_budget_take(&guest->daemon->budget, &guest->pages_held, pages, &left))
		return -1;
	fd = xvm_xen_grant_fd(guest->domid, w->area_refs[share->area], pages);
	if (fd < 0) {
		xvm_budget_give(&guest->daemon->budget, &guest->pages_held, pages);
		return -1;
	}
	w->area_shared[share->area] = share->num;
	return fd;
}

static const char *take_share(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_share *share = data;
	struct xvm_disk *disk = xvm_guest_disk_by_num(w->guest, share->num);
	struct xvm_ipc_share msg = *share;
	int fd;

	if (!share->num || !disk || !disk->in_worker || !xvm_server_trusted(&disk->image.spec))
		return "it shared an area with a device whose server may have none";
	if (share->area > XVM_AREA_ID_MAX || !w->area_pages[share->area] || w->area_shared[share->area])
		return "it shared an area it does not have, or twice";
	if (w->area_num[share->area] != share->num)
		return "it shared an area of another device";
	/* A server that has been lost is on its way out. */
	fd = disk->server.lost ? -1 : share_fd(w, share);
	xvm_worker_send(w, &msg.hdr, XVM_IPC_SHARE_REPLY, sizeof(msg), &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static const char *take_unmap(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_unmap *unmap = data;

	if (unmap->area > XVM_AREA_ID_MAX || !unmap->npages || w->area_pages[unmap->area] != unmap->npages)
		return "it unmapped an area it does not have";
	xvm_worker_unshare(w, unmap->area);
	free(w->area_refs[unmap->area]);
	w->area_refs[unmap->area] = NULL;
	w->area_pages[unmap->area] = 0;
	xvm_budget_give(&w->guest->daemon->budget, &w->guest->pages_held, unmap->npages);
	return NULL;
}

static void tell(struct xvm_disk *disk, const char *what, const char *reason)
{
	char why[XVM_WHY_BYTES + XVM_IPC_LOG_BYTES];

	snprintf(why, sizeof(why), "%s%s%s", what, *reason ? ": " : "", reason);
	xvm_disk_log(disk, LOG_WARNING, "%s", why);
	xvm_disk_show_error(disk, why);
}

static const char *take_dev_state(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_dev_state *msg = data;
	struct xvm_disk *disk = xvm_guest_disk_by_num(w->guest, msg->num);
	char reason[XVM_IPC_LOG_BYTES];

	if (!disk || !disk->in_worker || !read_text(reason, msg->reason))
		return "it spoke of a device it does not have";
	switch (msg->state) {
	case XVM_DEV_DRIVER_OK:
		disk->broken = disk->lock_busy = false;
		xvm_disk_show_driver(disk, true);
		return NULL;
	case XVM_DEV_RESET:
		disk->broken = disk->lock_busy = false;
		xvm_disk_show_driver(disk, false);
		return NULL;
	case XVM_DEV_GONE:
		/* It never had it, and says why: a number the guest has not released, say. */
		if (disk->phase == XVM_DISK_READY && *reason && !disk->driver_ok) {
			disk->in_worker = false;
			xvm_server_end(disk);
			xvm_disk_fail(disk, reason);
			return NULL;
		}
		if (disk->phase != XVM_DISK_LEAVING)
			return "it removed a device that was to stay";
		xvm_disk_left(disk);
		return NULL;
	case XVM_DEV_BROKEN:
		disk->broken = true;
		tell(disk, "stopped serving it; the guest's driver has to reset it", reason);
		return NULL;
	case XVM_DEV_SERVER_LOST:
		if (disk->image.spec.kind != XVM_KIND_VHOST_USER)
			return "it lost the server of a device that has none";
		xvm_disk_log(disk, LOG_WARNING, "its server is lost, and looked for again: %s", reason);
		xvm_server_lost(disk);
		return NULL;
	case XVM_DEV_LOCK_BUSY:
		disk->lock_busy = true;
		tell(disk, "its image is locked by another process; find it with lsof, or wait", reason);
		return NULL;
	default:
		return "it sent an unknown device state";
	}
}

static const char *take_log(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_log *msg = data;
	char text[XVM_IPC_LOG_BYTES];

	if (msg->level > LOG_DEBUG || !read_text(text, msg->text))
		return "it sent a bad log line";
	xvm_guest_log(w->guest, msg->level < LOG_ERR ? LOG_ERR : (int)msg->level, "worker: %s", text);
	return NULL;
}

/* A device that has just gone is none to complain about. */
static const char *take_dev_stats(struct xvm_worker *w, const void *data)
{
	const struct xvm_ipc_dev_stats *msg = data;
	struct xvm_disk *disk;
	u32 i;

	if (!msg->count || msg->count > XVM_IPC_DEV_STATS_MAX)
		return "it sent the counters of an impossible number of devices";
	for (i = 0; i < msg->count; i++) {
		disk = xvm_guest_disk_by_num(w->guest, msg->device[i].num);
		if (disk)
			disk->stats = msg->device[i];
	}
	return NULL;
}

static const char *take_stats(struct xvm_worker *w, const void *data)
{
	memcpy(&w->stats, data, sizeof(w->stats));
	w->stats_ms = xvm_now_ms();
	xvm_ctl_stats_came(w->guest);
	return NULL;
}

static const char *take_fail(struct xvm_worker *w, const void *data)
{
	static const char *const reason_text[] = {
		[XVM_ERR_INDEX] = "the guest's ring index lies beyond the ring",
		[XVM_ERR_RECORD] = "the guest sent a record of impossible length",
		[XVM_ERR_CREDIT] = "the guest has more requests outstanding than agreed",
		[XVM_ERR_CLOSED] = "the guest closed the connection",
		[XVM_ERR_INTERNAL] = "the worker failed by its own doing",
		[XVM_FAIL_RINGS] = "the guest's grants of control page and rings cannot be mapped",
	};
	const struct xvm_ipc_fail *fail = data;
	const char *text = fail->reason < XVM_ARRAY_SIZE(reason_text) ? reason_text[fail->reason] : NULL;

	w->guest_fault = fail->reason != XVM_ERR_INTERNAL;
	snprintf(w->why, sizeof(w->why), "%s (code %u, detail 0x%x)", text ? text : "unknown reason", fail->reason,
		 fail->detail);
	return NULL;
}

const char *xvm_worker_request(struct xvm_worker *w, const struct fdsock_msg *msg)
{
	static const struct {
		u32 type;
		size_t bytes;
		const char *(*take)(struct xvm_worker *w, const void *data);
	} requests[] = {
		{ XVM_IPC_HELLO, sizeof(struct xvm_ipc_hello), take_hello },
		{ XVM_IPC_MAP, sizeof(struct xvm_ipc_map), take_map },
		{ XVM_IPC_UNMAP, sizeof(struct xvm_ipc_unmap), take_unmap },
		{ XVM_IPC_SHARE, sizeof(struct xvm_ipc_share), take_share },
		{ XVM_IPC_DEV_STATE, sizeof(struct xvm_ipc_dev_state), take_dev_state },
		{ XVM_IPC_LOG, sizeof(struct xvm_ipc_log), take_log },
		{ XVM_IPC_DEV_STATS, sizeof(struct xvm_ipc_dev_stats), take_dev_stats },
		{ XVM_IPC_STATS, sizeof(struct xvm_ipc_stats), take_stats },
		{ XVM_IPC_FAIL, sizeof(struct xvm_ipc_fail), take_fail },
	};
	struct xvm_ipc_hdr hdr;
	u32 i;

	if (msg->bytes < sizeof(hdr))
		return "it sent a message too short";
	memcpy(&hdr, msg->data, sizeof(hdr));
	if (xvm_rate_take(&w->requests, xvm_now_ms()))
		return "it asked more often than 200 times a second";
	for (i = 0; i < XVM_ARRAY_SIZE(requests); i++) {
		if (requests[i].type != hdr.type)
			continue;
		if (requests[i].bytes != msg->bytes || hdr.bytes != msg->bytes)
			return "it sent a message of wrong length";
		if (!w->hello && hdr.type != XVM_IPC_HELLO && hdr.type != XVM_IPC_LOG)
			return "it spoke before HELLO";
		return requests[i].take(w, msg->data);
	}
	return "it sent a message of unknown type";
}
