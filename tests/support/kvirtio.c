// SPDX-License-Identifier: GPL-2.0-or-later
#include "kvirtio.h"

#include <stdarg.h>

const struct kvirtio_driver *kvirtio_driver;
int kvirtio_probe_result;

void shim_say(const struct device *dev, const char *fmt, ...)
{
	va_list ap;

	(void)dev;
	printf("# module: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

/* ---- rings ---- */

struct ring {
	struct virtqueue vq;	/* first */
	u64 addr[3];
};

void vring_transport_features(struct virtio_device *vdev)
{
	static const u64 known = BIT_ULL(28) | BIT_ULL(29) | BIT_ULL(VIRTIO_F_VERSION_1) |
		BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | BIT_ULL(VIRTIO_F_RING_PACKED) |
		BIT_ULL(VIRTIO_F_ORDER_PLATFORM) | BIT_ULL(38);
	u64 transport = ((BIT_ULL(VIRTIO_TRANSPORT_F_END) << 1) - 1) &
		~(BIT_ULL(VIRTIO_TRANSPORT_F_START) - 1);

	vdev->features &= ~transport | known;
}

struct virtqueue *vring_create_virtqueue(unsigned int index, unsigned int num, unsigned int align,
					 struct virtio_device *vdev, bool weak_barriers,
					 bool may_reduce, bool ctx,
					 bool (*notify)(struct virtqueue *vq),
					 vq_callback_t *callback, const char *name)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	(void)align;
	(void)weak_barriers;
	(void)may_reduce;
	(void)ctx;
	if (!ring)
		return NULL;
	ring->vq.index = index;
	ring->vq.vdev = vdev;
	ring->vq.notify = notify;
	ring->vq.callback = callback;
	ring->vq.name = name;
	ring->vq.size = num;
	ring->vq.priv = kvirtio_driver->ring(&ring->vq, num, ring->addr);
	ring->vq.list.prev = vdev->vqs.prev;
	ring->vq.list.next = &vdev->vqs;
	vdev->vqs.prev->next = &ring->vq.list;
	vdev->vqs.prev = &ring->vq.list;
	return &ring->vq;
}

void vring_del_virtqueue(struct virtqueue *vq)
{
	vq->list.prev->next = vq->list.next;
	vq->list.next->prev = vq->list.prev;
	free(vq);
}

unsigned int virtqueue_get_vring_size(const struct virtqueue *vq)
{
	return vq->size;
}

static const u64 *addr_of(const struct virtqueue *vq)
{
	return ((const struct ring *)vq)->addr;
}

dma_addr_t virtqueue_get_desc_addr(const struct virtqueue *vq)
{
	return addr_of(vq)[0];
}

dma_addr_t virtqueue_get_avail_addr(const struct virtqueue *vq)
{
	return addr_of(vq)[1];
}

dma_addr_t virtqueue_get_used_addr(const struct virtqueue *vq)
{
	return addr_of(vq)[2];
}

int vring_interrupt(int irq, void *arg)
{
	struct virtqueue *vq = arg;

	(void)irq;
	vq->interrupts++;
	if (vq->callback && !vq->broken)
		vq->callback(vq);
	return 0;
}

void __virtqueue_break(struct virtqueue *vq)
{
	vq->broken = true;
}

/* ---- devices ---- */

void virtio_config_changed(struct virtio_device *vdev)
{
	vdev->config_changes++;
}

static void add_status(struct virtio_device *vdev, u8 status)
{
	vdev->config->set_status(vdev, vdev->config->get_status(vdev) | status);
}

static int features_ok(struct virtio_device *vdev)
{
	add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	return vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -ENODEV;
}

static int probe(struct virtio_device *vdev)
{
	u64 transport = ((BIT_ULL(VIRTIO_TRANSPORT_F_END) << 1) - 1) &
		~(BIT_ULL(VIRTIO_TRANSPORT_F_START) - 1);
	int err;

	add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	/* A driver names the features of its device; those of the transport pass. */
	vdev->features = vdev->config->get_features(vdev) & (kvirtio_driver->features | transport);
	err = vdev->config->finalize_features(vdev);
	if (!err)
		err = features_ok(vdev);
	if (!err)
		err = kvirtio_driver->probe(vdev);
	if (err) {
		add_status(vdev, VIRTIO_CONFIG_S_FAILED);
		return err;
	}
	if (!(vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_DRIVER_OK))
		add_status(vdev, VIRTIO_CONFIG_S_DRIVER_OK);
	return 0;
}

int register_virtio_device(struct virtio_device *vdev)
{
	vdev->dev.refs = 1;
	vdev->vqs.next = vdev->vqs.prev = &vdev->vqs;
	kvirtio_bind_driver(vdev);
	return 0;
}

void kvirtio_remove_driver(struct virtio_device *vdev)
{
	vdev->config->reset(vdev);
	vdev->config->del_vqs(vdev);
	add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

void kvirtio_bind_driver(struct virtio_device *vdev)
{
	vdev->config->reset(vdev);
	add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	kvirtio_probe_result = probe(vdev);
}

int kvirtio_resize(struct virtqueue *vq, u32 size)
{
	struct ring *ring = (struct ring *)vq;
	int err;

	if (size > vq->num_max)
		return -E2BIG;
	err = vq->vdev->config->disable_vq_and_reset(vq);
	if (err)
		return err;
	vq->size = size;
	vq->priv = kvirtio_driver->ring(vq, size, ring->addr);
	return vq->vdev->config->enable_vq_after_reset(vq);
}

void unregister_virtio_device(struct virtio_device *vdev)
{
	if (!kvirtio_probe_result)
		kvirtio_remove_driver(vdev);
	put_device(&vdev->dev);
}

void kvirtio_cread(struct virtio_device *vdev, u32 offset, void *buf, u32 bytes)
{
	u32 before, after = vdev->config->generation(vdev);

	do {
		before = after;
		vdev->config->get(vdev, offset, buf, bytes);
		after = vdev->config->generation(vdev);
	} while (before != after);
}
