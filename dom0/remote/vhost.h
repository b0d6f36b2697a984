/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues of a device that a part of dom0's kernel serves (vhost): it reads and
 * writes rings and buffers in the areas, at the addresses where this worker has
 * them mapped, and is told and tells by eventfds. What a kind of device has
 * beyond that is its own file's (vhost_vsock.c).
 *
 * Trust: the kernel checks each address against the table of areas it was given
 * and reads the rings as hostile. No request of ours reaches memory of anybody else: what
 * it is given are addresses of this process.
 */
#ifndef XVM_DOM0_REMOTE_VHOST_H
#define XVM_DOM0_REMOTE_VHOST_H

#include "../base/fdset.h"
#include "../virtio/aio.h"
#include "../virtio/vdev.h"

#define VHOST_QUEUES 2u

/* How the kernel is asked; 0 or negative errno. Tests have a kernel of their own. */
struct vhost_sys {
	int (*ioctl)(int fd, unsigned long request, void *arg);
};

extern const struct vhost_sys *vhost_sys;

struct vhost;

struct vhost_queue {
	struct vhost *vhost;
	struct xvm_vq *vq;
	int kick, call;
	struct xvm_aio_req poll;	/* of call */
	bool polled;
};

struct vhost {
	struct xvm_vdev *vdev;
	int fd;
	u64 features;		/* what this kernel can do, within what we let pass */
	bool running;
	/* The kind's own way to begin and end; 0 or negative errno. */
	int (*run)(struct vhost *vhost, bool on);
	struct vhost_queue queue[VHOST_QUEUES];	/* the device's first ones */
};

/*
 * Takes descriptors: /dev/vhost-*, then an eventfd to kick and one to call for each
 * queue. Sets the vdev's transport features, and its queues outside. 0, or negative errno with a line in why.
 */
int vhost_open(struct vhost *vhost, struct xvm_vdev *vdev, struct fdset *fds, int (*run)(struct vhost *vhost, bool on),
	       char *why, size_t why_bytes);
void vhost_close(struct vhost *vhost);
/* Begins when all queues are there and the device is at work; breaks the device if the kernel refuses. */
void vhost_start(struct vhost *vhost);
/* When this returns the kernel has let go of rings and buffers, and each queue knows its position. */
void vhost_stop(struct vhost *vhost);
/* Ends what waits for the kernel; the device is held until that is over. */
void vhost_leave(struct vhost *vhost);
void vhost_kick(struct vhost *vhost, u32 queue);
/* The areas are others than before; one that is about to go counts no more (0: none goes). */
void vhost_areas(struct vhost *vhost, u32 going);

#endif
