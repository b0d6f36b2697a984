// SPDX-License-Identifier: GPL-2.0-or-later
#include "toy.h"
#include "../../dom0/virtio/aio.h"
#include "../../dom0/ipc.h"

#include <stdlib.h>
#include <unistd.h>

struct toy {
	struct xvm_aio_req timer;
	struct xvm_vdev *vdev;
	struct xvm_vq *vq;		/* whose chains are held */
	u16 held[TOY_QUEUE_SIZE];
	u32 nheld;
	bool slow;
	struct xvm_aio_req late;	/* waits: until the device comes to be */
	bool waits, never, held_late;
};

static void toy_done(struct xvm_aio_req *req, int result)
{
	struct toy *toy = (struct toy *)req;
	u32 i, n = toy->nheld;

	(void)result;
	toy->nheld = 0;
	for (i = 0; i < n; i++)
		xvm_vdev_complete(toy->vdev, toy->vq, toy->held[i], 1);
	xvm_vdev_flush(toy->vdev, toy->vq);
}

static void toy_take(struct toy *toy, struct xvm_vq *vq, const struct xvm_chain *chain)
{
	static const u8 byte = TOY_BYTE;

	xvm_iov_put(chain->in, chain->nin, 0, &byte, 1);
	if (!toy->slow) {
		xvm_vdev_complete(toy->vdev, vq, chain->head, 1);
		return;
	}
	toy->vq = vq;
	toy->held[toy->nheld++] = chain->head;
	if (toy->nheld == 1)
		xvm_aio_timer(toy->vdev->aio, &toy->timer, TOY_SLOW_MS);
}

static bool toy_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct iovec iov[TOY_QUEUE_SIZE];
	struct xvm_chain chain;

	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, TOY_QUEUE_SIZE))
			return false;
		toy_take(vdev->model, vq, &chain);
	}
	return true;
}

static bool toy_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	struct toy *toy = vdev->model;
	u32 i;

	(void)len;
	if (off)
		return false;
	switch (vdev->config[0]) {
	case TOY_CHANGE:
		for (i = 8; i < TOY_CONFIG; i++)
			vdev->config[i]++;
		xvm_vdev_config_changed(vdev);
		return true;
	case TOY_BREAK:
		xvm_vdev_broken(vdev, "as it was told");
		return true;
	case TOY_SLOW:
		toy->slow = true;
		return true;
	case TOY_THINK:
		vdev->config_waits = true;
		return true;
	}
	return vdev->config[0] != TOY_REFUSE;
}

static void toy_reset(struct xvm_vdev *vdev)
{
	((struct toy *)vdev->model)->slow = false;
}

static void toy_late_done(struct xvm_aio_req *req, int result)
{
	struct toy *toy = (struct toy *)((char *)req - offsetof(struct toy, late));

	(void)result;
	toy->waits = false;
	if (toy->held_late)
		xvm_vdev_release(toy->vdev);
	else if (toy->never)
		xvm_vdev_never(toy->vdev, "as it was told");
	else
		xvm_vdev_there(toy->vdev);
}

static void toy_leave(struct xvm_vdev *vdev)
{
	struct toy *toy = vdev->model;

	if (!toy->waits)
		return;
	toy->held_late = true;
	xvm_vdev_hold(vdev);
}

static int toy_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why,
		      size_t why_bytes)
{
	struct toy *toy = calloc(1, sizeof(*toy));
	u32 i;

	(void)why;
	(void)why_bytes;
	(void)fds;
	if (!toy)
		return -ENOMEM;
	toy->vdev = vdev;
	toy->timer.done = toy_done;
	vdev->model = toy;
	vdev->offered = TOY_FEATURE;
	vdev->config_bytes = TOY_CONFIG;
	vdev->generation = 7;
	toy->never = desc->flags & TOY_NEVER;
	toy->late.done = toy_late_done;
	if (desc->flags & (TOY_LATE | TOY_NEVER))
		vdev->pending = toy->waits = !xvm_aio_timer(vdev->aio, &toy->late, TOY_LATE_MS);
	for (i = 0; i < TOY_QUEUES; i++)
		vdev->vq[i].max_size = TOY_QUEUE_SIZE;
	return 0;
}

static void toy_destroy(struct xvm_vdev *vdev)
{
	free(vdev->model);
}

const struct xvm_vdev_type toy_type = {
	.name = "toy",
	.device_id = TOY_ID,
	.num_vqs = TOY_QUEUES,
	.repeatable = true,
	.create = toy_create,
	.destroy = toy_destroy,
	.kick = toy_kick,
	.config_written = toy_config_written,
	.reset = toy_reset,
	.leave = toy_leave,
};

const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id)
{
	(void)backend;
	return device_id == TOY_ID ? &toy_type : NULL;
}
