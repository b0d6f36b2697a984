/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues of a device that a part of dom0's kernel serves (vhost): it reads and
 * writes rings and buffers in the areas, at the addresses where this worker has
 * them mapped, and is told and tells by eventfds. What a kind of device has
 * beyond that is its own file's (vhost_vsock.c, vhost_scsi.c, net_vhost.c).
 *
 * Trust: the kernel checks each address against the table of areas it was given
 * and reads the rings as hostile; one that it cannot read it leaves alone from then
 * on, and the device needs a reset. No request of ours reaches memory of anybody else: what
 * it is given are addresses of this process.
 */
#ifndef XVM_DOM0_DEV_VHOST_H
#define XVM_DOM0_DEV_VHOST_H

#include "../base/fdset.h"
#include "../virtio/aio.h"
#include "../virtio/vdev.h"

#define VHOST_MAX_QUEUES 10u

/* How the kernel is asked; 0 or negative errno. Tests have a kernel of their own. */
struct vhost_sys {
	int (*ioctl)(int fd, unsigned long request, void *arg);
};

extern const struct vhost_sys *vhost_sys;

struct vhost;

/* An eventfd by which the kernel says something. */
struct vhost_event {
	int fd;
	struct xvm_aio_req poll;
	bool polled;
};

struct vhost_queue {
	struct vhost *vhost;
	struct xvm_vq *vq;
	int kick;
	struct vhost_event call;
	bool served;			/* was there when it began */
};

struct vhost {
	struct xvm_vdev *vdev;
	int fd;
	struct vhost_event err;	/* it gave a queue up */
	u64 features;		/* what this kernel can do, within what we let pass */
	bool running;
	/* Set before vhost_open. A device may have several, each with queues of its own. */
	u32 first, count;	/* so many of the device's queues, from this one on */
	u32 needed;		/* of these the first so many must be there before it begins */
	bool err_is_end;	/* what this kind calls an error of a queue is the queue's end */
	/* The kind's own way to begin and end; 0 or negative errno. */
	int (*run)(struct vhost *vhost, bool on);
	struct vhost_queue queue[VHOST_MAX_QUEUES];
};

#define VHOST_FDS(queues) (2 + 2 * (queues))

/*
 * Takes descriptors, from number at on: /dev/vhost-*, an eventfd for errors, then one to kick and one to call for each
 * queue. Sets the vdev's transport features, and its queues outside. 0, or negative errno with a line in why.
 */
int vhost_open(struct vhost *vhost, struct xvm_vdev *vdev, struct fdset *fds, u32 at, char *why, size_t why_bytes);
void vhost_close(struct vhost *vhost);
/* Begins when the queues are there and the device is at work; breaks the device if the kernel refuses. */
void vhost_start(struct vhost *vhost);
/* When this returns the kernel has let go of rings and buffers, and each queue knows its position. */
void vhost_stop(struct vhost *vhost);
/* Ends what waits for the kernel; the device is held until that is over. */
void vhost_leave(struct vhost *vhost);
/* For the type's kick, with one of its queues; begins if a queue has come that it was waiting for, or has not yet. */
void vhost_kick(struct vhost *vhost, const struct xvm_vq *vq);
/* The areas are others than before; one that is about to go counts no more (0: none goes). */
void vhost_areas(struct vhost *vhost, u32 going);

/*
 * Functions of a type whose queues outside are all of one vhost, which stands first in its model, made by malloc.
 * As vdev.h has them.
 */
void vhost_dev_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq);
void vhost_dev_quiet(struct xvm_vdev *vdev, bool on);
void vhost_dev_area_added(struct xvm_vdev *vdev, u32 area, int fd);
void vhost_dev_area_gone(struct xvm_vdev *vdev, u32 area);
void vhost_dev_destroy(struct xvm_vdev *vdev);

#endif
