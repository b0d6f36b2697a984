// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>
#include "../ipc.h"

/*
 * What may pass to the kernel. Not ACCESS_PLATFORM, which would have it translate addresses by
 * messages; not the packed ring, IN_ORDER and RING_RESET, which it does not know; no bit of its own protocol (log, 30).
 */
#define PASSED_FEATURES (0xffffffull | XVM_F_INDIRECT_DESC | XVM_F_EVENT_IDX | XVM_F_VERSION_1)
#define OPTIONAL_FEATURES (XVM_F_INDIRECT_DESC | XVM_F_EVENT_IDX)

#define CONTAINER(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static const struct vhost_sys kernel = { sys_ioctl };
const struct vhost_sys *vhost_sys = &kernel;

static int ask(const struct vhost *vhost, unsigned long request, void *arg)
{
	return vhost_sys->ioctl(vhost->fd, request, arg);
}

/* ---- news from the kernel ---- */

/* The device is held until it comes, or vhost_leave. */
static void await(const struct vhost *vhost, struct vhost_event *event, void (*done)(struct xvm_aio_req *, int))
{
	if (event->polled)
		return;
	event->poll.done = done;
	event->polled = !xvm_aio_poll(vhost->vdev->aio, &event->poll, event->fd, POLLIN);
	if (event->polled)
		xvm_vdev_hold(vhost->vdev);
	else
		xvm_vdev_broken(vhost->vdev, "no room to wait for the kernel's part");
}

static bool came(struct vhost_event *event, int result)
{
	u64 count;

	event->polled = false;
	return result > 0 && read(event->fd, &count, sizeof(count)) == sizeof(count);
}

static void leave(const struct vhost *vhost, struct vhost_event *event)
{
	if (event->polled)
		xvm_aio_poll_end(vhost->vdev->aio, &event->poll);
}

static void called(struct xvm_aio_req *req, int result)
{
	struct vhost_queue *q = CONTAINER(req, struct vhost_queue, call.poll);
	struct xvm_vdev *vdev = q->vhost->vdev;

	if (came(&q->call, result) && q->vq->enabled)
		vdev->ops->used(vdev, q->vq);
	if (result > 0 && q->vhost->running)
		await(q->vhost, &q->call, called);
	xvm_vdev_release(vdev);
}

static void failed(struct xvm_aio_req *req, int result)
{
	struct vhost *vhost = CONTAINER(req, struct vhost, err.poll);
	struct xvm_vdev *vdev = vhost->vdev;

	/* One that was said before the last stop is of queues that are no more. */
	if (came(&vhost->err, result) && vhost->running)
		xvm_vdev_broken(vdev, "the kernel's part cannot read a queue, or a buffer in it");
	xvm_vdev_release(vdev);
}

void vhost_leave(struct vhost *vhost)
{
	u32 i;

	leave(vhost, &vhost->err);
	for (i = 0; i < vhost->count; i++)
		leave(vhost, &vhost->queue[i].call);
}

static void kick(const struct vhost_queue *q)
{
	static const u64 one = 1;

	/* A full counter is a kick that is still to be seen. */
	if (write(q->kick, &one, sizeof(one)) < 0 && errno != EAGAIN)
		xvm_vdev_broken(q->vhost->vdev, "the kernel's part cannot be kicked");
}

/* ---- memory ---- */

static int set_areas(const struct vhost *vhost, u32 going)
{
	union {
		struct vhost_memory head;	/* the regions stand behind it */
		struct vhost_memory_region room[1 + XVM_AREA_MAX_PER_DEVICE];
	} table = { .room = { { 0 } } };
	const struct xvm_mem *mem = &vhost->vdev->mem;
	struct vhost_memory_region *region;
	u32 id;

	for (id = XVM_AREA_ID_MIN; id <= XVM_AREA_ID_MAX; id++) {
		if (!mem->area[id].base || id == going)
			continue;
		if (table.head.nregions == XVM_AREA_MAX_PER_DEVICE)
			return -E2BIG;
		region = &table.head.regions[table.head.nregions++];
		region->guest_phys_addr = xvm_addr_make(id, 0);
		region->memory_size = mem->area[id].bytes;
		region->userspace_addr = (uintptr_t)mem->area[id].base;
	}
	return ask(vhost, VHOST_SET_MEM_TABLE, &table);
}

static void refused(struct vhost *vhost, const char *what, int err)
{
	char reason[100];

	snprintf(reason, sizeof(reason), "the kernel's part refuses %s: %s", what, strerror(-err));
	xvm_vdev_broken(vhost->vdev, reason);
}

void vhost_areas(struct vhost *vhost, u32 going)
{
	int err = set_areas(vhost, going);

	if (err)
		refused(vhost, "the areas", err);
}

/* ---- start and stop ---- */

static int set_queue(const struct vhost *vhost, u32 i)
{
	const struct vhost_queue *q = &vhost->queue[i];
	struct vhost_vring_state num = { .index = i, .num = q->vq->config.size };
	struct vhost_vring_state base = { .index = i, .num = q->vq->last_avail };
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = (uintptr_t)q->vq->desc,
		.avail_user_addr = (uintptr_t)q->vq->avail,
		.used_user_addr = (uintptr_t)q->vq->used,
	};
	struct vhost_vring_file kick = { i, q->kick }, call = { i, q->call.fd }, bad = { i, vhost->err.fd };
	int err = ask(vhost, VHOST_SET_VRING_NUM, &num);

	if (!err)
		err = ask(vhost, VHOST_SET_VRING_BASE, &base);
	if (!err)
		err = ask(vhost, VHOST_SET_VRING_ADDR, &addr);
	if (!err)
		err = ask(vhost, VHOST_SET_VRING_KICK, &kick);
	if (!err)
		err = ask(vhost, VHOST_SET_VRING_CALL, &call);
	return err || !vhost->err_is_end ? err : ask(vhost, VHOST_SET_VRING_ERR, &bad);
}

static bool is_there(const struct vhost_queue *q)
{
	return q->vq->enabled && !q->vq->stopped;
}

static bool may_run(const struct vhost *vhost)
{
	const struct xvm_vdev *vdev = vhost->vdev;
	u32 i;

	if (vhost->running || vdev->quiet || vdev->resetting ||
	    (vdev->status & (XVM_S_DRIVER_OK | XVM_S_NEEDS_RESET)) != XVM_S_DRIVER_OK)
		return false;
	for (i = 0; i < vhost->needed; i++)
		if (!is_there(&vhost->queue[i]))
			return false;
	return true;
}

static int begin(struct vhost *vhost)
{
	u64 features = vhost->vdev->acked & vhost->features;
	int err = ask(vhost, VHOST_SET_FEATURES, &features);
	u32 i;

	if (!err)
		err = set_areas(vhost, 0);
	for (i = 0; !err && i < vhost->count; i++) {
		vhost->queue[i].served = is_there(&vhost->queue[i]);
		err = vhost->queue[i].served ? set_queue(vhost, i) : 0;
	}
	return err ? err : vhost->run(vhost, true);
}

void vhost_start(struct vhost *vhost)
{
	int err;
	u32 i;

	if (!may_run(vhost))
		return;
	err = begin(vhost);
	if (err) {
		refused(vhost, "to start", err);
		return;
	}
	vhost->running = true;
	if (vhost->err_is_end)
		await(vhost, &vhost->err, failed);
	for (i = 0; i < vhost->count; i++) {
		if (!vhost->queue[i].served)
			continue;
		await(vhost, &vhost->queue[i].call, called);
		/* What the driver said before this was said to nobody. */
		kick(&vhost->queue[i]);
	}
}

void vhost_stop(struct vhost *vhost)
{
	struct vhost_vring_state base;
	u32 i;

	if (!vhost->running)
		return;
	vhost->running = false;
	vhost->run(vhost, false);
	for (i = 0; i < vhost->count; i++) {
		if (!vhost->queue[i].served)
			continue;
		base = (struct vhost_vring_state){ .index = i };
		if (!ask(vhost, VHOST_GET_VRING_BASE, &base))
			vhost->queue[i].vq->last_avail = (u16)base.num;
		/* It may have given back more since it last called. */
		vhost->vdev->ops->used(vhost->vdev, vhost->queue[i].vq);
	}
}

void vhost_kick(struct vhost *vhost, const struct xvm_vq *vq)
{
	const struct vhost_queue *q = &vhost->queue[vq->index - vhost->first];

	if (vhost->running && q->served) {
		kick(q);
		return;
	}
	vhost_stop(vhost);
	vhost_start(vhost);
}

/* ---- the device's life ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vhost_close(struct vhost *vhost)
{
	u32 i;

	for (i = 0; i < vhost->count; i++) {
		close_fd(&vhost->queue[i].kick);
		close_fd(&vhost->queue[i].call.fd);
	}
	close_fd(&vhost->err.fd);
	close_fd(&vhost->fd);
}

static bool take_fds(struct vhost *vhost, struct fdset *fds, u32 at)
{
	bool all;
	u32 i;

	vhost->fd = fdset_take(fds, at);
	vhost->err.fd = fdset_take(fds, at + 1);
	all = vhost->fd >= 0 && vhost->err.fd >= 0;
	for (i = 0; i < vhost->count; i++) {
		vhost->queue[i].vhost = vhost;
		vhost->queue[i].vq = &vhost->vdev->vq[vhost->first + i];
		vhost->queue[i].vq->outside = true;
		vhost->queue[i].kick = fdset_take(fds, at + 2 + 2 * i);
		vhost->queue[i].call.fd = fdset_take(fds, at + 3 + 2 * i);
		all = all && vhost->queue[i].kick >= 0 && vhost->queue[i].call.fd >= 0;
	}
	return all;
}

int vhost_open(struct vhost *vhost, struct xvm_vdev *vdev, struct fdset *fds, u32 at, char *why, size_t why_bytes)
{
	u64 features = 0;
	int err = 0;

	vhost->vdev = vdev;
	if (!take_fds(vhost, fds, at))
		err = -EBADF;
	if (!err)
		err = ask(vhost, VHOST_SET_OWNER, NULL);
	if (!err)
		err = ask(vhost, VHOST_GET_FEATURES, &features);
	if (!err && !(features & XVM_F_VERSION_1))
		err = -EOPNOTSUPP;
	if (err) {
		snprintf(why, why_bytes, "the kernel's part cannot be had: %s", strerror(-err));
		vhost_close(vhost);
		return err;
	}
	vhost->features = features & PASSED_FEATURES;
	vdev->without = XVM_F_RING_PACKED | XVM_F_IN_ORDER | XVM_F_RING_RESET |
			(OPTIONAL_FEATURES & ~vhost->features);
	return 0;
}

/* ---- of a whole device ---- */

void vhost_dev_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	if (vq && !vq->outside)
		return;
	vhost_stop(vdev->model);
	if (!vq)
		vhost_leave(vdev->model);
}

void vhost_dev_quiet(struct xvm_vdev *vdev, bool on)
{
	if (on)
		vhost_stop(vdev->model);
	else
		vhost_start(vdev->model);
}

void vhost_dev_area_added(struct xvm_vdev *vdev, u32 area, int fd)
{
	(void)area;
	(void)fd;
	vhost_areas(vdev->model, 0);
}

void vhost_dev_area_gone(struct xvm_vdev *vdev, u32 area)
{
	vhost_areas(vdev->model, area);
}

void vhost_dev_destroy(struct xvm_vdev *vdev)
{
	vhost_close(vdev->model);
	free(vdev->model);
}
