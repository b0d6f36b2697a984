// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the front's keys to a running worker: check the keys, copy the control
 * page once, open descriptors for rings and event channels, start the worker,
 * hand it its devices, START. Steps that wait (the worker's HELLO, an image
 * that opens) return to the loop; xvm_connect_go_on continues.
 *
 * The supervisor keeps no descriptor it has passed on, and no mapping at all.
 */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "keep.h"
#include "trace.h"
#include "worker.h"
#include "../../xen/proto/page.h"
#include "../../xen/user/xen.h"

#define VIRTIO_ID_NET 1
#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG 4
#define VIRTIO_ID_SCSI 8
#define VIRTIO_ID_VSOCK 19
#define LOCK_WAIT_MS 30000

/* Closed before it began: the front may start over, at a bounded rate. */
static void __attribute__((format(printf, 2, 3))) give_up(struct xvm_guest *guest, const char *format, ...)
{
	char why[XVM_WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	xvm_guest_log(guest, LOG_WARNING, "bus refused: %s", why);
	xvm_link_show_error(guest, why);
	xvm_link_stop(guest);
}

void xvm_connect_drop(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;

	if (link->bus_fd >= 0)
		close(link->bus_fd);
	if (link->channel_fd >= 0)
		close(link->channel_fd);
	if (link->keep_fd >= 0)
		close(link->keep_fd);
	link->bus_fd = link->channel_fd = link->keep_fd = -1;
	if (!guest->worker)
		xvm_budget_give(&guest->daemon->budget, &guest->pages_held, guest->pages_held);
}

/* A fixed list of single keys, each bounded; no directory of the guest's is ever listed. */
static int read_pick(struct xvm_guest *guest, struct xvm_pick *pick, struct xvm_shake_fault *fault)
{
	struct xvm_text keys[XVM_FK_COUNT];
	char text[XVM_FK_COUNT][XVM_KEY_MAX_BYTES + 1], path[XVM_STORE_PATH_BYTES];
	u32 i;

	for (i = 0; i < XVM_FK_COUNT; i++) {
		int len;

		xvm_link_front_path(guest, xvm_front_key_name[i], path);
		len = xvm_store_read(guest->daemon->store, XVM_STORE_NO_TXN, path, text[i], sizeof(text[i]));
		if (len == -E2BIG) {
			*fault = (struct xvm_shake_fault){ xvm_front_key_name[i], "is longer than this many bytes:",
							   XVM_KEY_MAX_BYTES };
			return -EPROTO;
		}
		keys[i].text = len < 0 ? NULL : text[i];
		keys[i].len = len < 0 ? 0 : (size_t)len;
	}
	return xvm_shake_check_pick(keys, &guest->link.offer, pick, fault);
}

static int read_control(struct xvm_guest *guest, struct xvm_page_refs *refs)
{
	u32 page[XVM_PAGE_BYTES / 4];
	int err = xvm_xen_copy_page(guest->domid, guest->link.pick.control_ref, page, sizeof(page));

	if (err)
		return err;
	guest->grants_mapped++;
	guest->grants_unmapped++;
	return xvm_page_read((const u8 *)page, guest->link.pick.ring_order, refs);
}

/* [control page][drv ring][dev ring] behind one descriptor. */
static int open_bus(struct xvm_guest *guest)
{
	u32 order = guest->link.pick.ring_order, ring_pages = 1u << order, left;
	u32 refs[1 + 2 * XVM_MAX_RING_PAGES];
	struct xvm_page_refs rings;
	int err = read_control(guest, &rings);

	if (err)
		return err;
	if (xvm_budget_take(&guest->daemon->budget, &guest->pages_held, 1 + 2 * ring_pages, &left))
		return -ENOSPC;
	refs[0] = guest->link.pick.control_ref;
	memcpy(refs + 1, rings.drv, ring_pages * sizeof(*refs));
	memcpy(refs + 1 + ring_pages, rings.dev, ring_pages * sizeof(*refs));
	return xvm_xen_grant_fd(guest->domid, refs, 1 + 2 * ring_pages);
}

void xvm_connect_start(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;
	struct xvm_shake_fault fault;
	struct xvm_disk *disk;
	int err;

	link->phase = XVM_LINK_STARTING;
	for (disk = guest->disks; disk; disk = disk->next)
		disk->broken = false;
	if (read_pick(guest, &link->pick, &fault)) {
		give_up(guest, "front-end key %s %s %u; is its module xen-virtio-msg of an old version?", fault.key, fault.rule, fault.limit);
		return;
	}
	link->bus_fd = open_bus(guest);
	if (link->bus_fd < 0) {
		give_up(guest, "control page, control-ref %u, %s: %s", link->pick.control_ref,
			link->bus_fd == -EPROTO ? "has wrong magic or version" :
			link->bus_fd == -ENOSPC ? "no page budget left (--pages-total)" : "cannot be mapped",
			strerror(-link->bus_fd));
		return;
	}
	link->channel_fd = xvm_xen_channel_fd(guest->domid, link->pick.channel, link->pick.num_channels,
					      link->ports);
	if (link->channel_fd < 0) {
		give_up(guest, "event-channel-0 = %u cannot be bound: %s", link->pick.channel[0],
			strerror(-link->channel_fd));
		return;
	}
	if (link->keep_fd < 0 && link->pick.bus_features & XVM_BUS_F_KEEP)
		link->keep_fd = xvm_keep_open(guest);
	err = xvm_worker_start(guest, link->keep_fd);
	link->keep_fd = -1;
	if (err)
		give_up(guest, "worker %s cannot be started: %s", guest->daemon->options.worker, strerror(-err));
}

/* ---- devices ---- */

static const u16 device_ids[] = {
	[XVM_KIND_BLK] = VIRTIO_ID_BLOCK,
	[XVM_KIND_RNG] = VIRTIO_ID_RNG,
	[XVM_KIND_VHOST_USER] = 0,	/* its description says */
	[XVM_KIND_VFIO_USER] = 0,	/* whatever the server has */
	[XVM_KIND_NET] = VIRTIO_ID_NET,
	[XVM_KIND_CONSOLE] = VIRTIO_ID_CONSOLE,
	[XVM_KIND_VSOCK] = VIRTIO_ID_VSOCK,
	[XVM_KIND_SCSI] = VIRTIO_ID_SCSI,
};

static void describe_net(const struct xvm_image *image, struct xvm_ipc_net *net)
{
	memcpy(net->mac, image->net.mac, sizeof(net->mac));
	net->pairs = image->spec.queues;
	net->mtu = (u16)image->spec.net.mtu;
	net->tap_mtu = image->net.mtu;
	net->link_up = !image->spec.net.link_down;
	net->vhost = image->spec.net.vhost;
}

static void describe_console(const struct xvm_disk *disk, struct xvm_ipc_console *console)
{
	const struct xvm_spec_console *spec = &disk->image.spec.console;
	u32 i;

	console->ports = disk->ptys.count;
	console->log = spec->log[0] != 0;
	console->cols = disk->cols;
	console->rows = disk->rows;
	for (i = 0; i < spec->ports; i++)
		memcpy(console->name[i + 1], spec->port[i], sizeof(spec->port[i]));
}

/* Net with vhost=on is a device of ours all the same: the kernel has its frames alone. */
static bool is_vhost(enum xvm_device_kind kind)
{
	return kind == XVM_KIND_VSOCK || kind == XVM_KIND_SCSI;
}

/* There is a slot for every device; a table that is full is the fault of this daemon, and no target is asked for. */
static void describe_scsi(const struct xvm_disk *disk, struct xvm_ipc_scsi *scsi)
{
	int slot = xvm_targets_add(&disk->guest->worker->targets, disk->image.spec.wwpn);

	scsi->slot = slot < 0 ? XVM_TARGETS : (u32)slot;
	scsi->queues = disk->image.spec.queues;
}

/* Ptys stay the supervisor's, and come before what was opened for this worker. */
static void add_device(struct xvm_disk *disk, const struct fdset *opened)
{
	struct fdset fds = { 0 };
	struct xvm_ipc_dev_add msg = {
		.num = disk->num,
		.device_id = device_ids[disk->image.spec.kind],
		.flags = (disk->request.read_only ? XVM_DEV_READ_ONLY : 0) |
			 (disk->discard ? XVM_DEV_DISCARD : 0) |
			 (disk->image.spec.trusted ? XVM_DEV_TRUSTED : 0) |
			 (disk->image.direct ? XVM_DEV_DIRECT : 0) | (disk->image.id.block ? XVM_DEV_BLOCK : 0),
		.capacity_bytes = disk->image.bytes,
		.mem_align = disk->image.direct ? disk->image.mem_align : 0,
		.lock_wait_ms = LOCK_WAIT_MS,
		.backend = is_vhost(disk->image.spec.kind) ? XVM_BACKEND_VHOST : XVM_BACKEND_OWN,
		.vsock_cid = disk->image.spec.cid,
	};

	memcpy(msg.serial, disk->vdev, sizeof(msg.serial));
	if (disk->image.spec.kind == XVM_KIND_VHOST_USER)
		xvm_server_describe(&disk->image.spec, &msg);
	if (disk->image.spec.kind == XVM_KIND_VFIO_USER)
		msg.backend = XVM_BACKEND_VFIO_USER;
	if (disk->image.spec.kind == XVM_KIND_NET)
		describe_net(&disk->image, &msg.net);
	if (disk->image.spec.kind == XVM_KIND_CONSOLE)
		describe_console(disk, &msg.console);
	if (disk->image.spec.kind == XVM_KIND_SCSI)
		describe_scsi(disk, &msg.scsi);
	xvm_ptys_add(&disk->ptys, &fds);
	memcpy(fds.fd + fds.count, opened->fd, opened->count * sizeof(fds.fd[0]));
	fds.count += opened->count;
	disk->in_worker = true;
	xvm_daemon_settle_later(disk->guest->daemon);
	xvm_worker_add_device(disk->guest->worker, &msg, &fds);
}

static void on_opened(void *arg, const struct xvm_opened *opened, struct fdset *fds)
{
	struct xvm_disk *disk = arg;
	int err;

	disk->opener = NULL;
	if (opened->err) {
		xvm_disk_fail(disk, opened->why);
	} else if (!xvm_image_same(&opened->image, &disk->image)) {
		xvm_disk_fail(disk, "target= names another file than at creation; put the image back, or destroy and create the guest");
	} else {
		bool down = disk->image.spec.net.link_down;

		disk->image = opened->image;
		disk->image.spec.net.link_down = down;	/* it may have been changed, or its descriptor */
		err = disk->image.spec.kind == XVM_KIND_VHOST_USER ? xvm_server_start(disk, fds) : 0;
		if (err)
			xvm_disk_fail(disk, "its server cannot be started");
		else
			add_device(disk, fds);
	}
	xvm_connect_go_on(disk->guest);
}

/* Starts on the next disk the worker lacks; true when something is still to come. */
static bool next_device(struct xvm_guest *guest)
{
	static const struct fdset none;
	struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next) {
		if (disk->phase != XVM_DISK_READY || disk->in_worker || disk->broken)
			continue;
		if (!xvm_kind_stands_on(disk->image.spec.kind)) {
			add_device(disk, &none);
			continue;
		}
		if (disk->resizing)
			return true;	/* on_grown goes on */
		if (xvm_server_end(disk))
			return true;	/* the one before; xvm_server_exited goes on */
		if (!disk->opener)
			disk->opener = xvm_opener_start(guest->daemon->base, &disk->request, true, on_opened, disk);
		if (disk->opener)
			return true;
		xvm_disk_fail(disk, "no process to open its image could be started");
	}
	return false;
}

static void run(struct xvm_guest *guest)
{
	struct xvm_link *link = &guest->link;
	struct xvm_ipc_start msg = {
		.domid = guest->domid,
		.connection_id = link->id,
		.dialect = link->pick.dialect,
		.max_message = link->pick.max_message,
		.ring_order = link->pick.ring_order,
		.credits = link->pick.credits,
		.bus_features = link->pick.bus_features,
		.num_channels = link->pick.num_channels,
	};

	memcpy(msg.port, link->ports, sizeof(msg.port));
	xvm_trace_connecting(guest);
	xvm_worker_run(guest->worker, &msg, link->channel_fd, link->bus_fd);
	close(link->channel_fd);
	close(link->bus_fd);
	link->channel_fd = link->bus_fd = -1;
	if (xvm_link_set_state(guest, XVM_BUS_CONNECTED)) {
		xvm_link_stop(guest);
		return;
	}
	link->phase = XVM_LINK_UP;
	link->again = false;
	guest->connects++;
	xvm_guest_log(guest, LOG_INFO, "bus up: dialect %s, rings of %u pages, %u credits, worker %d",
		      xvm_dialect_name(link->pick.dialect), 1u << link->pick.ring_order, link->pick.credits,
		      (int)guest->worker->pid);
}

void xvm_connect_go_on(struct xvm_guest *guest)
{
	struct xvm_worker *worker = guest->worker;

	if (!worker || !worker->hello || worker->stopping || worker->killed)
		return;
	if (next_device(guest))
		return;
	if (guest->link.phase == XVM_LINK_STARTING)
		run(guest);
}
