// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-vsock by vhost-vsock of dom0's kernel: programs in the guest and in dom0
 * talk AF_VSOCK (virtio 1.2, section 5.10). The kernel has the two queues of packets, and was told
 * the guest's address (CID) by the supervisor; the queue of events is ours.
 *
 * The kernel's connections end with the worker that owned them. So a device that goes
 * on where another worker left it tells its driver that all its connections are over.
 */
#include "dev.h"
#include "vhost.h"
#include "../ipc.h"
#include <stdio.h>
#include <stdlib.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>

#define EVENT_QUEUE	2u
#define NUM_QUEUES	3u
#define PACKET_BUFFERS	128u
#define EVENT_BUFFERS	16u
#define DEVICE_FEATURES	(1ull << VIRTIO_VSOCK_F_SEQPACKET)

struct vsock {
	struct vhost vhost;	/* first: vhost_dev_* take it for the model */
	bool owes_reset;	/* VIRTIO_VSOCK_EVENT_TRANSPORT_RESET */
};

static int vsock_run(struct vhost *vhost, bool on)
{
	int running = on;

	return vhost_sys->ioctl(vhost->fd, VHOST_VSOCK_SET_RUNNING, &running);
}

/* One event is all that is ever owed. */
static void send_event(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct iovec iov[EVENT_BUFFERS];
	struct vsock *vsock = vdev->model;
	struct xvm_chain chain;
	u8 event[4];
	u32 len;

	if (!vsock->owes_reset || !xvm_vdev_pop(vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
		return;
	xvm_put32(event, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	len = (u32)xvm_iov_put(chain.in, chain.nin, 0, event, sizeof(event));
	xvm_vdev_complete(vdev, vq, chain.head, len);
	vsock->owes_reset = false;
}

static bool vsock_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct vsock *vsock = vdev->model;

	(void)budget;
	if (vq->index == EVENT_QUEUE)
		send_event(vdev, vq);
	else
		vhost_kick(&vsock->vhost, vq);
	return false;
}

static bool vsock_start(struct xvm_vdev *vdev)
{
	struct vsock *vsock = vdev->model;

	vsock->owes_reset = vdev->vq[0].kept || vdev->vq[1].kept;
	vhost_start(&vsock->vhost);
	return true;
}

static int vsock_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why,
			size_t why_bytes)
{
	struct vsock *vsock = calloc(1, sizeof(*vsock));
	int err;

	if (!vsock) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	vsock->vhost.count = vsock->vhost.needed = EVENT_QUEUE;
	vsock->vhost.run = vsock_run;
	vsock->vhost.err_is_end = true;
	err = vhost_open(&vsock->vhost, vdev, fds, 0, why, why_bytes);
	if (err) {
		free(vsock);
		return err;
	}
	vdev->model = vsock;
	vdev->vq[0].max_size = vdev->vq[1].max_size = PACKET_BUFFERS;
	vdev->vq[EVENT_QUEUE].max_size = EVENT_BUFFERS;
	vdev->offered = vsock->vhost.features & DEVICE_FEATURES;
	vdev->config_bytes = sizeof(u64);
	xvm_put64(vdev->config, desc->vsock_cid);
	return 0;
}

const struct xvm_vdev_type xvm_vhost_vsock_type = {
	.name = "vhost-vsock",
	.backend = XVM_BACKEND_VHOST,
	.device_id = VIRTIO_ID_VSOCK,
	.num_vqs = NUM_QUEUES,
	.repeatable = true,
	.create = vsock_create,
	.destroy = vhost_dev_destroy,
	.start = vsock_start,
	.kick = vsock_kick,
	.cancel = vhost_dev_cancel,
	.quiet = vhost_dev_quiet,
	.area_added = vhost_dev_area_added,
	.area_gone = vhost_dev_area_gone,
};
