// SPDX-License-Identifier: GPL-2.0-or-later
#include "op.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "record.h"
#include "worker.h"

struct xvm_op {
	struct xvm_op *next;
	struct xvm_daemon *daemon;
	enum xvm_op_kind kind;
	u32 domid;
	u64 id;				/* of the device */
	struct event *limit;
	xvm_op_done done;
	void *arg;
};

static struct xvm_op *ops;

static void op_free(struct xvm_op *op)
{
	struct xvm_op **at = &ops;

	while (*at && *at != op)
		at = &(*at)->next;
	if (*at)
		*at = op->next;
	if (op->limit)
		event_free(op->limit);
	free(op);
}

void xvm_op_cancel(struct xvm_op *op)
{
	if (op)
		op_free(op);
}

static struct xvm_disk *find_device(const struct xvm_op *op)
{
	struct xvm_guest *guest = xvm_guest_find(op->daemon, op->domid);
	struct xvm_disk *disk = guest ? guest->disks : NULL;

	while (disk && disk->id != op->id)
		disk = disk->next;
	return disk;
}

static void end(struct xvm_op *op, const char *error, struct xvm_disk *disk)
{
	xvm_op_done done = op->done;
	void *arg = op->arg;

	op_free(op);
	done(arg, error, disk);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	static const char *const text[] = {
		[XVM_OP_ATTACH] = "its image was not opened in time; it goes on, see xvmsg list",
		[XVM_OP_ATTACH_DRIVER] = "attached, but the guest's driver does not use it yet; is its module loaded?",
		[XVM_OP_RESTORE] = "its image was not opened in time; it goes on, see xvmsg list",
		[XVM_OP_DETACH] = "the guest has not let go of it yet; it is still leaving; --force takes it away",
		[XVM_OP_RESIZE] = "its image was not enlarged in time; see xvmsg list",
	};
	struct xvm_op *op = arg;

	(void)fd;
	(void)what;
	end(op, text[op->kind], find_device(op));
}

struct xvm_op *xvm_op_new(struct xvm_disk *disk, enum xvm_op_kind kind, u32 limit_ms, xvm_op_done done, void *arg)
{
	struct xvm_op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	if (!disk->id)
		disk->id = xvm_random_u64();
	*op = (struct xvm_op){ .next = ops, .daemon = disk->guest->daemon, .kind = kind, .domid = disk->guest->domid,
			       .id = disk->id, .done = done, .arg = arg };
	op->limit = evtimer_new(op->daemon->base, on_limit, op);
	if (!op->limit) {
		free(op);
		return NULL;
	}
	ops = op;
	xvm_timer(op->limit, limit_ms);
	xvm_guest_dirty(disk->guest);
	return op;
}

/* On the bus: a worker has it, or none runs that could. */
static bool is_there(const struct xvm_disk *disk)
{
	enum xvm_link_phase link = disk->guest->link.phase;

	if (disk->phase != XVM_DISK_READY)
		return false;
	return disk->in_worker || link == XVM_LINK_OFFERED || link == XVM_LINK_CLOSED;
}

static void look_attach(struct xvm_op *op, struct xvm_disk *disk)
{
	char why[XVM_WHY_BYTES], record_why[XVM_WHY_BYTES];

	if (!disk || disk->wish != XVM_WISH_STAY || (disk->phase == XVM_DISK_CLOSED && !disk->why[0])) {
		end(op, "it was taken away, or its guest is gone", disk);
	} else if (disk->phase == XVM_DISK_CLOSED || (disk->phase == XVM_DISK_READY && disk->broken && !disk->in_worker)) {
		snprintf(why, sizeof(why), "%s", disk->why);
		if (op->kind != XVM_OP_RESTORE)
			xvm_own_leave(disk, true);
		else if (xvm_record_write(disk->guest, record_why))
			xvm_guest_log(disk->guest, LOG_ERR, "%s", record_why);
		end(op, why, disk);
	} else if (is_there(disk) && (op->kind != XVM_OP_ATTACH_DRIVER || disk->driver_ok)) {
		/* From here on it is kept; one that cannot be kept is not there. */
		if ((!disk->recorded || op->kind == XVM_OP_RESTORE) && xvm_record_write(disk->guest, why)) {
			xvm_own_leave(disk, true);
			end(op, why, disk);
			return;
		}
		disk->recorded = true;
		end(op, NULL, disk);
	} else if (is_there(disk) && !disk->recorded) {
		disk->recorded = !xvm_record_write(disk->guest, why);
	}
}

static void look(struct xvm_op *op)
{
	struct xvm_disk *disk = find_device(op);

	switch (op->kind) {
	case XVM_OP_ATTACH:
	case XVM_OP_ATTACH_DRIVER:
	case XVM_OP_RESTORE:
		look_attach(op, disk);
		break;
	case XVM_OP_DETACH:
		if (!disk || disk->orphan)
			end(op, NULL, NULL);
		break;
	case XVM_OP_RESIZE:
		if (!disk || disk->phase != XVM_DISK_READY)
			end(op, "it was taken away, or its guest is gone", disk);
		else if (!disk->resizing)
			end(op, disk->why[0] ? disk->why : NULL, disk);
		break;
	}
}

void xvm_ops_look(struct xvm_guest *guest)
{
	struct xvm_op *op, *next;

	for (op = ops; op; op = next) {
		next = op->next;
		if (op->domid == guest->domid)
			look(op);
	}
}

/* ---- another size ---- */

static void on_grown(void *arg, const struct xvm_opened *opened, struct fdset *fds)
{
	struct xvm_disk *disk = arg;

	(void)fds;	/* none was asked for */
	disk->opener = NULL;
	disk->resizing = false;
	disk->why[0] = 0;
	if (opened->err) {
		snprintf(disk->why, sizeof(disk->why), "%s", opened->why);
	} else if (!xvm_image_same(&opened->image, &disk->image)) {
		snprintf(disk->why, sizeof(disk->why), "its path names another file than at the time it was attached");
	} else if (opened->image.bytes < disk->image.bytes) {
		snprintf(disk->why, sizeof(disk->why), "its image has %" PRIu64 " bytes, less than the guest's disk; a disk only grows",
			 opened->image.bytes);
	} else {
		disk->image.bytes = opened->image.bytes;
		if (disk->in_worker)
			xvm_worker_resize_device(disk->guest->worker, disk->num, disk->image.bytes);
		xvm_disk_log(disk, LOG_INFO, "has %" PRIu64 " bytes now", disk->image.bytes);
	}
	xvm_connect_go_on(disk->guest);
	xvm_guest_dirty(disk->guest);
}

int xvm_disk_resize(struct xvm_disk *disk, u64 bytes, char why[XVM_WHY_BYTES])
{
	if (disk->image.spec.kind != XVM_KIND_BLK) {
		snprintf(why, XVM_WHY_BYTES, "size is a disk's, and this is of type=%s", xvm_kind_name(disk->image.spec.kind));
		return -EINVAL;
	}
	if (disk->phase != XVM_DISK_READY || disk->broken || disk->opener) {
		snprintf(why, XVM_WHY_BYTES, "it is not in a state to be changed; see xvmsg list, and try again");
		return -EBUSY;
	}
	if (bytes % 512 || (bytes && bytes < disk->image.bytes)) {
		snprintf(why, XVM_WHY_BYTES, "%" PRIu64 " bytes are %s; it has %" PRIu64, bytes,
			 bytes % 512 ? "no multiple of 512" : "less than it has, and a disk only grows", disk->image.bytes);
		return -EINVAL;
	}
	disk->request.grow_to = bytes;
	disk->opener = xvm_opener_start(disk->guest->daemon->base, &disk->request, false, on_grown, disk);
	disk->request.grow_to = 0;
	if (!disk->opener) {
		snprintf(why, XVM_WHY_BYTES, "no process to open its image could be started");
		return -ENOMEM;
	}
	disk->resizing = true;
	return 0;
}
