// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests of a vfio-user device: a chain is popped from the guest's queue,
 * put into the shadow queue with the same buffers by their bus addresses, and
 * given back when the server has used it there. The data is not touched here.
 */
#include "vfio_virtio.h"

#include <stdlib.h>

int vfio_queues_new(struct vfio_dev *dev)
{
	struct xvm_vdev *vdev = dev->vdev;
	struct vfio_queue *q;
	u32 i, max;

	vdev->num_vqs = dev->pci.num_queues;
	for (i = 0; i < vdev->num_vqs; i++) {
		max = virtio_pci_max_size(&dev->pci, i);
		max = max < SHADOW_MAX_SIZE ? max : SHADOW_MAX_SIZE;
		while (max & (max - 1))
			max &= max - 1;
		vdev->vq[i].max_size = (u16)max;
		if (!max)
			continue;
		q = dev->queue[i] = calloc(1, sizeof(*q));
		if (!q)
			return -ENOMEM;
		q->notify_bar = virtio_pci_notify_place(&dev->pci, i, &q->notify_off);
		q->notify_mem = vfu_client_mapped(&dev->client, q->notify_bar, q->notify_off, 2, dev->trusted);
		if ((uintptr_t)q->notify_mem & 1)
			q->notify_mem = NULL;
	}
	return 0;
}

void vfio_queues_free(struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < XVM_VDEV_MAX_VQS; i++)
		free(dev->queue[i]);
}

/* The largest size, whatever the driver took: its longest chains, by indirect tables, go by the offer. */
void vfio_queues_start(struct vfio_dev *dev)
{
	struct virtio_pci_queue *set;
	struct vfio_queue *q;
	u32 i;

	for (i = 0; i < dev->vdev->num_vqs; i++) {
		q = dev->queue[i];
		set = &dev->pci.queue[i];
		set->use_size = 0;
		if (!q || !dev->vdev->vq[i].enabled)
			continue;
		shadow_init(&q->shadow, dev->rings + (size_t)i * SHADOW_QUEUE_BYTES,
			    VFIO_RINGS_ADDR + (u64)i * SHADOW_QUEUE_BYTES, dev->vdev->vq[i].max_size);
		q->waits.there = false;
		q->notifies = q->notify_again = false;
		set->use_size = q->shadow.size;
		set->desc = q->shadow.desc_addr;
		set->driver = q->shadow.avail_addr;
		set->device = q->shadow.used_addr;
	}
}

static void notify(struct vfio_dev *dev, u32 index)
{
	struct vfio_queue *q = dev->queue[index];

	if (q->notify_mem) {
		__atomic_store_n((u16 *)(void *)q->notify_mem, htole16((u16)index), __ATOMIC_RELEASE);
		return;
	}
	q->notify_again = q->notifies;
	if (q->notifies)
		return;
	q->notifies = true;
	vfu_client_notify(&dev->client, q->notify_bar, q->notify_off, (u16)index, index);
}

void vfio_queue_notified(struct vfio_dev *dev, u32 index)
{
	struct vfio_queue *q = dev->queue[index];

	q->notifies = false;
	if (q->notify_again && dev->state == VFIO_RUNS)
		notify(dev, index);
}

/* Buffers were checked to lie in one area each, and no area goes while any of them is out. */
static bool seg_of(const struct vfio_dev *dev, const struct iovec *iov, struct shadow_seg *seg)
{
	u8 *at = iov->iov_base;
	u32 i;

	for (i = 0; i < VFIO_MAX_AREAS; i++) {
		if (dev->area[i].id && at >= dev->area[i].base && at < dev->area[i].base + dev->area[i].bytes) {
			seg->addr = xvm_addr_make(dev->area[i].id, (u64)(at - dev->area[i].base));
			seg->len = (u32)iov->iov_len;
			return true;
		}
	}
	return false;
}

/* Takes a chain into q->waits. False: there is none. */
static bool pop(struct vfio_dev *dev, struct xvm_vq *vq, struct vfio_chain *to)
{
	struct xvm_chain chain;
	bool ok = true;
	u32 i;

	if (!xvm_vdev_pop(dev->vdev, vq, &chain, dev->iov, dev->queue[vq->index]->shadow.size))
		return false;
	to->head = chain.head;
	to->nout = chain.nout;
	to->nin = chain.nin;
	for (i = 0; i < to->nout + to->nin; i++)
		ok = seg_of(dev, &dev->iov[i], &to->seg[i]) && ok;
	to->there = ok;
	if (!ok) {
		xvm_vdev_broken(dev->vdev, "a buffer is in no area of the device");
		xvm_vdev_complete(dev->vdev, vq, to->head, 0);
		return false;
	}
	dev->vdev->bytes_written += chain.out_bytes;
	return true;
}

/* False: it has to wait for room. */
static bool put(struct vfio_queue *q)
{
	struct vfio_chain *chain = &q->waits;

	if (!shadow_has_room(&q->shadow, chain->nout + chain->nin))
		return false;
	shadow_put(&q->shadow, chain->seg, chain->nout, chain->nin, chain->head);
	chain->there = false;
	return true;
}

bool vfio_queue_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct vfio_dev *dev = vdev->model;
	struct vfio_queue *q = dev->queue[vq->index];
	bool more = true;

	/* Memory that the server does not have yet may be in the next chain. */
	if (dev->state != VFIO_RUNS || vfio_areas_coming(dev) || !q)
		return false;
	for (; more && budget; budget--)
		more = (q->waits.there || pop(dev, vq, &q->waits)) && put(q);
	if (dev->state == VFIO_RUNS && shadow_show(&q->shadow))
		notify(dev, vq->index);
	vfio_watch_arm(dev);
	return more;
}

static void take(struct vfio_dev *dev, u32 index)
{
	struct vfio_queue *q = dev->queue[index];
	struct xvm_vq *vq = &dev->vdev->vq[index];
	u16 head;
	u32 len;
	int ret;

	while ((ret = shadow_take(&q->shadow, &head, &len)) > 0) {
		dev->vdev->bytes_read += len;
		xvm_vdev_complete(dev->vdev, vq, head, len);
	}
	if (ret < 0)
		vfio_broken(dev, q->shadow.fault);
	else if (q->waits.there)
		dev->vdev->ops->again(dev->vdev, vq);
}

void vfio_queues_take(struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < dev->vdev->num_vqs && dev->state == VFIO_RUNS; i++) {
		if (dev->pci.queue[i].use_size)
			take(dev, i);
	}
	for (i = 0; i < dev->vdev->num_vqs; i++) {
		if (dev->pci.queue[i].use_size)
			xvm_vdev_flush(dev->vdev, &dev->vdev->vq[i]);
	}
}

void vfio_queue_cancel(struct vfio_dev *dev, struct xvm_vq *vq)
{
	struct vfio_queue *q = dev->queue[vq->index];

	if (!q || !q->waits.there)
		return;
	q->waits.there = false;
	xvm_vdev_complete(dev->vdev, vq, q->waits.head, 0);
}

void vfio_queues_drop(struct vfio_dev *dev)
{
	u16 head;
	u32 i;

	for (i = 0; i < dev->vdev->num_vqs; i++) {
		if (!dev->queue[i] || !dev->pci.queue[i].use_size)
			continue;
		vfio_queue_cancel(dev, &dev->vdev->vq[i]);
		while (shadow_drop(&dev->queue[i]->shadow, &head))
			xvm_vdev_complete(dev->vdev, &dev->vdev->vq[i], head, 0);
	}
}
