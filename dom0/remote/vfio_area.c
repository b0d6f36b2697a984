// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which areas of its device a vfio-user server has. A trusted one is given a
 * descriptor of each, which the supervisor makes (a PV dom0's kernel lets a
 * descriptor be mapped once, and the worker's own is); any other is told where
 * there is something to ask for by messages. What a server has mapped goes back
 * to the guest when the server says that it has let go, or is disconnected.
 */
#include "vfio_virtio.h"

#include <unistd.h>

static struct vfio_area *find(struct vfio_dev *dev, u32 id)
{
	u32 i;

	for (i = 0; i < VFIO_MAX_AREAS; i++) {
		if (dev->area[i].id == id)
			return &dev->area[i];
	}
	return NULL;
}

/* The rings' address is below those of all areas. */
static struct vfio_area *find_at(struct vfio_dev *dev, u64 addr)
{
	u32 id = xvm_addr_area(addr);

	return id ? find(dev, id) : NULL;
}

static void close_fd(struct vfio_area *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* The server does not have it mapped: whoever waits for that goes on. */
static void is_free(struct vfio_dev *dev, struct vfio_area *a)
{
	if (!a->goes)
		return;
	a->goes = false;
	dev->vdev->ops->drained(dev->vdev);
}

static void tell(struct vfio_dev *dev, struct vfio_area *a)
{
	a->state = a->fd >= 0 ? VFIO_AREA_SENT : VFIO_AREA_TOLD;
	dev->client.now_ms = vfio_now_ms();
	vfu_client_map(&dev->client, xvm_addr_make(a->id, 0), a->bytes, a->fd);
	vfio_watch_arm(dev);
}

static void take_back(struct vfio_dev *dev, struct vfio_area *a)
{
	a->state = VFIO_AREA_CALLED;
	dev->client.now_ms = vfio_now_ms();
	vfu_client_unmap(&dev->client, xvm_addr_make(a->id, 0), a->bytes, -1);
	vfio_watch_arm(dev);
}

void vfio_areas_init(struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < VFIO_MAX_AREAS; i++)
		dev->area[i].fd = -1;
}

void vfio_areas_lost(struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < VFIO_MAX_AREAS; i++) {
		close_fd(&dev->area[i]);
		dev->area[i].state = VFIO_AREA_HERE;
		is_free(dev, &dev->area[i]);
	}
}

bool vfio_areas_coming(const struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < VFIO_MAX_AREAS; i++) {
		if (dev->area[i].id && dev->area[i].state == VFIO_AREA_ASKED)
			return true;
	}
	return dev->client.maps;
}

bool vfio_areas_take_back(struct vfio_dev *dev)
{
	bool all = true;
	u32 i;

	for (i = 0; i < VFIO_MAX_AREAS; i++) {
		struct vfio_area *a = &dev->area[i];

		if (a->id && a->state == VFIO_AREA_MAPPED)
			take_back(dev, a);
		all = all && !(a->id && (a->state == VFIO_AREA_SENT || a->state == VFIO_AREA_CALLED));
	}
	return all;
}

/* ---- what the server says ---- */

void vfio_area_mapped(struct vfio_dev *dev, u64 addr, bool by_fd)
{
	struct vfio_area *a = find_at(dev, addr);

	if (!a || a->state != VFIO_AREA_SENT)
		return;
	close_fd(a);
	a->state = by_fd ? VFIO_AREA_MAPPED : VFIO_AREA_TOLD;
	if (!by_fd)
		is_free(dev, a);
	else if (a->goes)
		take_back(dev, a);
}

void vfio_area_unmapped(struct vfio_dev *dev, u64 addr)
{
	struct vfio_area *a = find_at(dev, addr);

	if (!a || a->state != VFIO_AREA_CALLED)
		return;
	a->state = VFIO_AREA_HERE;
	is_free(dev, a);
}

/* ---- what the bus says ---- */

void vfio_area_added(struct xvm_vdev *vdev, u32 area, int fd)
{
	struct vfio_dev *dev = vdev->model;
	struct vfio_area *a = find(dev, 0);

	(void)fd;	/* the worker's own */
	if (!a)
		return;		/* the bus has a limit of as many; buffers in this one would break the device */
	*a = (struct vfio_area){ .id = area, .fd = -1, .base = vdev->mem.area[area].base,
				 .bytes = vdev->mem.area[area].bytes };
	if (dev->state == VFIO_DEAD)
		return;
	if (!dev->trusted) {
		tell(dev, a);
		return;
	}
	a->state = VFIO_AREA_ASKED;
	vdev->ops->share(vdev, area);
}

void vfio_area_shared(struct xvm_vdev *vdev, u32 area, int fd)
{
	struct vfio_dev *dev = vdev->model;
	struct vfio_area *a = find(dev, area);

	if (a && a->state == VFIO_AREA_ASKED && !a->goes && dev->state != VFIO_DEAD) {
		a->fd = fd;
		tell(dev, a);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (!a || a->state != VFIO_AREA_ASKED)
		return;
	a->state = VFIO_AREA_HERE;
	is_free(dev, a);
}

bool vfio_area_let_go(struct xvm_vdev *vdev, u32 area)
{
	struct vfio_dev *dev = vdev->model;
	struct vfio_area *a = find(dev, area);

	if (!a || a->state == VFIO_AREA_HERE || a->state == VFIO_AREA_TOLD)
		return true;
	a->goes = true;
	if (a->state == VFIO_AREA_MAPPED)
		take_back(dev, a);
	return false;
}

/* It was let go; or the connection with the guest is over, and nobody is told when the server has. */
void vfio_area_gone(struct xvm_vdev *vdev, u32 area)
{
	struct vfio_dev *dev = vdev->model;
	struct vfio_area *a = find(dev, area);

	if (!a)
		return;
	if (a->state == VFIO_AREA_TOLD || a->state == VFIO_AREA_SENT || a->state == VFIO_AREA_MAPPED) {
		dev->client.now_ms = vfio_now_ms();
		vfu_client_unmap(&dev->client, xvm_addr_make(area, 0), a->bytes, a->fd);
		vfio_watch_arm(dev);
	}
	close_fd(a);
	a->id = 0;
}
