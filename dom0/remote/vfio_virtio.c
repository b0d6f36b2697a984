// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device that a vfio-user server has as a virtio-pci function: the guest
 * sees a device of ours with the function's features, configuration and
 * queues; the function sees a driver, this one. Called through
 * xvm_vfio_user_type.
 *
 * The server never sees the guest's rings (shadow.h), and its areas only if it
 * is trusted: a gntdev descriptor is good for more than one guest's memory
 * (docs/threat-model.md). Others ask for data by messages. When the connection
 * is over, so is the device: it says NEEDS_RESET, and never starts again.
 */
#include "vfio_virtio.h"
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_ids.h>

#define RINGS_BYTES XVM_RINGS_BYTES

_Static_assert(XVM_VDEV_MAX_VQS * SHADOW_QUEUE_BYTES <= XVM_RINGS_BYTES, "room for every queue");

/* Bits of the device's own; what queues and transport are is between us and either side. */
#define DEVICE_FEATURES (0xffffffull | ~0ull << 50)
#define BLK_F_ZONED (1ull << 17)	/* appending twice is not as good as once */

/* A server that is there lets go of the guest's memory first; that has a limit, as every reply has. */
static void leave(struct vfio_dev *dev)
{
	if (dev->state == VFIO_DOWN) {
		bool back = vfio_areas_take_back(dev);

		/* The connection may have ended over it, and then this has been done. */
		if (dev->state == VFIO_DEAD)
			return;
		if (!back) {
			if (!dev->leave_held)
				xvm_vdev_hold(dev->vdev);
			dev->leave_held = true;
			return;
		}
	}
	dev->state = VFIO_DEAD;
	virtio_pci_abandon(&dev->pci);
	vfio_watch_end(dev);
	if (!dev->leave_held)
		return;
	dev->leave_held = false;
	xvm_vdev_release(dev->vdev);
}

/* Nothing more will come of the function, the queues are stopped: what is out ends, whoever waits for that goes on. */
static void end_all(struct vfio_dev *dev)
{
	vfio_queues_drop(dev);
	if (dev->leaves)
		leave(dev);
	if (!dev->reset_held)
		return;
	dev->reset_held = false;
	xvm_vdev_release(dev->vdev);
}

void vfio_broken(struct vfio_dev *dev, const char *why)
{
	/* Its rings make no sense: nothing else that it says would be worth more. */
	vfu_client_fail(&dev->client, why);
}

/* ---- the function's life ---- */

static void post_isr(struct vfio_dev *dev)
{
	if (dev->isr_read)
		return;
	dev->isr_read = true;
	vfu_client_read(&dev->client, dev->pci.isr.bar, dev->pci.isr.off, &dev->isr, 1);
}

void vfio_next(struct vfio_dev *dev)
{
	if (virtio_pci_busy(&dev->pci) || dev->isr_read || dev->state == VFIO_ASKS || dev->state == VFIO_DEAD)
		return;
	if (dev->want_reset) {
		dev->want_reset = dev->want_start = false;
		dev->state = VFIO_RESETS;
		virtio_pci_reset(&dev->pci);
	} else if (dev->want_start) {
		dev->want_start = false;
		dev->state = VFIO_STARTS;
		virtio_pci_start(&dev->pci);
	} else if (dev->want_config) {
		dev->want_config = false;
		virtio_pci_read_config(&dev->pci);
	}
}

static bool is_repeatable(u32 device_id)
{
	return device_id == VIRTIO_ID_BLOCK || device_id == VIRTIO_ID_RNG;
}

static void set_irqs(struct vfio_dev *dev)
{
	if (!dev->msix) {
		vfu_client_set_irq(&dev->client, VFU_IRQ_INTX, 0, dev->irq[IRQ_QUEUES].fd);
		return;
	}
	vfu_client_set_irq(&dev->client, VFU_IRQ_MSIX, 0, dev->irq[IRQ_CONFIG].fd);
	vfu_client_set_irq(&dev->client, VFU_IRQ_MSIX, 1, dev->irq[IRQ_QUEUES].fd);
}

/* What the function is, is known: the guest can have it. */
static const char *describe(struct vfio_dev *dev)
{
	struct xvm_vdev *vdev = dev->vdev;
	struct virtio_pci *pci = &dev->pci;

	if (vdev->device_id && vdev->device_id != pci->device_id) {
		snprintf(dev->why, sizeof(dev->why), "server has a device of type %u, not %u", pci->device_id,
			 vdev->device_id);
		return dev->why;
	}
	vdev->device_id = pci->device_id;
	vdev->repeatable = is_repeatable(pci->device_id);
	vdev->offered = pci->features & DEVICE_FEATURES;
	if (pci->device_id == VIRTIO_ID_BLOCK)
		vdev->offered &= ~BLK_F_ZONED;
	vdev->config_bytes = pci->config_bytes;
	memcpy(vdev->config, pci->config, pci->config_bytes);
	return vfio_queues_new(dev) ? "out of memory" : NULL;
}

static void asked(struct vfio_dev *dev)
{
	const char *why = describe(dev);

	if (why) {
		vfu_client_fail(&dev->client, why);
		return;
	}
	dev->state = VFIO_DOWN;
	set_irqs(dev);
	vfu_client_map(&dev->client, VFIO_RINGS_ADDR, RINGS_BYTES, dev->rings_fd);
	xvm_vdev_there(dev->vdev);
	/* The function would have to end one queue's buffers before others': not every one can. */
	dev->vdev->offered &= ~XVM_F_RING_RESET;
}

static void config_read(struct vfio_dev *dev)
{
	struct xvm_vdev *vdev = dev->vdev;

	if (virtio_pci_needs_reset(&dev->pci)) {
		xvm_vdev_broken(vdev, "server's device needs a reset");
		return;
	}
	if (!memcmp(vdev->config, dev->pci.config, vdev->config_bytes))
		return;
	memcpy(vdev->config, dev->pci.config, vdev->config_bytes);
	xvm_vdev_config_changed(vdev);
}

static void pci_pause(void *client, u32 ms)
{
	vfio_watch_pause(((struct vfu_client *)client)->arg, ms);
}

static u64 pci_now_ms(void *client)
{
	(void)client;
	return vfio_now_ms();
}

/* The function's argument is its regions', the client. */
static void pci_done(void *arg, const char *why)
{
	struct vfio_dev *dev = ((struct vfu_client *)arg)->arg;

	if (why) {
		vfu_client_fail(&dev->client, why);
		return;
	}
	switch (dev->state) {
	case VFIO_ASKS:
		asked(dev);
		break;
	case VFIO_STARTS:
		dev->state = VFIO_RUNS;
		if (!dev->want_reset)
			xvm_vdev_ready(dev->vdev);
		break;
	case VFIO_RESETS:
		dev->state = VFIO_DOWN;
		end_all(dev);
		break;
	default:
		config_read(dev);
	}
	vfio_next(dev);
}

static const struct virtio_pci_ops pci_ops = {
	.read = vfu_client_read,
	.write = vfu_client_write,
	.try_read = vfu_client_try_read,
	.try_write = vfu_client_try_write,
	.size = vfu_client_size,
	.pause = pci_pause,
	.now_ms = pci_now_ms,
	.done = pci_done,
};

/* ---- what the client says ---- */

static void client_up(void *arg)
{
	struct vfio_dev *dev = arg;

	dev->msix = dev->client.irq[VFU_IRQ_MSIX].count >= 2;
	if (!dev->msix && !dev->client.irq[VFU_IRQ_INTX].count) {
		vfu_client_fail(&dev->client, "server has neither two MSI-X vectors nor INTx with eventfd");
		return;
	}
	virtio_pci_init(&dev->pci, &pci_ops, &dev->client);
	dev->pci.config_vector = dev->msix ? 0 : VIRTIO_PCI_NO_VECTOR;
	dev->pci.queue_vector = dev->msix ? 1 : VIRTIO_PCI_NO_VECTOR;
	virtio_pci_probe(&dev->pci);
}

static void take_isr(struct vfio_dev *dev)
{
	dev->isr_read = false;
	if (dev->isr & 2)
		dev->want_config = true;
}

static void client_settled(void *arg)
{
	struct vfio_dev *dev = arg;

	if (dev->isr_read)
		take_isr(dev);
	virtio_pci_settled(&dev->pci);
	vfio_next(dev);
}

/* What waits for the server to have memory, or to have none any more, goes on. */
static void areas_moved(struct vfio_dev *dev)
{
	u32 i;

	if (dev->leaves && dev->state == VFIO_DOWN)
		leave(dev);
	for (i = 0; dev->state == VFIO_RUNS && !vfio_areas_coming(dev) && i < dev->vdev->num_vqs; i++) {
		if (dev->pci.queue[i].use_size)
			dev->vdev->ops->again(dev->vdev, &dev->vdev->vq[i]);
	}
}

static void client_mapped(void *arg, u64 addr, bool by_fd)
{
	vfio_area_mapped(arg, addr, by_fd);
	areas_moved(arg);
}

static void client_unmapped(void *arg, u64 addr)
{
	vfio_area_unmapped(arg, addr);
	areas_moved(arg);
}

static void client_notified(void *arg, u32 tag)
{
	vfio_queue_notified(arg, tag);
}

/* A device that is not up owns no buffer of the guest's, and so has nothing to look for in its memory. */
static void *client_memory(void *arg, u64 addr, u64 len)
{
	struct vfio_dev *dev = arg;
	u8 *at;

	if (dev->state != VFIO_STARTS && dev->state != VFIO_RUNS && dev->state != VFIO_RESETS)
		return NULL;
	if (addr >= VFIO_RINGS_ADDR && xvm_range_ok(addr - VFIO_RINGS_ADDR, len, RINGS_BYTES))
		return dev->rings + (addr - VFIO_RINGS_ADDR);
	at = xvm_mem_at(&dev->vdev->mem, addr, len);
	if (at)
		dev->vdev->bytes_by_message += len;
	return at;
}

static void client_failed(void *arg, const char *why)
{
	struct vfio_dev *dev = arg;
	enum vfio_state was = dev->state;

	dev->state = VFIO_DEAD;
	virtio_pci_abandon(&dev->pci);
	vfio_areas_lost(dev);
	if (dev->leaving)
		return;
	if (was == VFIO_ASKS) {
		xvm_vdev_never(dev->vdev, why);
		return;
	}
	/* Held: whoever waits for the end of this is told when all of it is done. */
	xvm_vdev_hold(dev->vdev);
	if (dev->vdev->status)
		xvm_vdev_broken(dev->vdev, why);
	else
		dev->vdev->ops->state(dev->vdev, XVM_DEV_BROKEN, why);	/* no driver is there to be told */
	end_all(dev);
	xvm_vdev_release(dev->vdev);
}

static const struct vfu_client_ops client_ops = {
	.up = client_up,
	.settled = client_settled,
	.mapped = client_mapped,
	.unmapped = client_unmapped,
	.notified = client_notified,
	.memory = client_memory,
	.failed = client_failed,
};

void vfio_irq_came(struct vfio_dev *dev, bool config)
{
	/* What it wrote by messages before is in our memory before we look at what it used. */
	vfu_client_pump(&dev->client, vfio_now_ms());
	if (dev->state == VFIO_DEAD)
		return;
	if (config)
		dev->want_config = true;
	else if (!dev->msix)
		post_isr(dev);
	vfio_next(dev);
	if (!config)
		vfio_queues_take(dev);
}

/* ---- what the guest does ---- */

static bool vfio_start(struct xvm_vdev *vdev)
{
	struct vfio_dev *dev = vdev->model;

	if (dev->state == VFIO_DEAD) {
		xvm_vdev_broken(vdev, "its server is gone");
		return false;
	}
	dev->pci.use_features = (vdev->acked & DEVICE_FEATURES) | XVM_F_VERSION_1;
	vfio_queues_start(dev);
	dev->client.now_ms = vfio_now_ms();
	dev->want_start = true;
	vfio_next(dev);
	vfio_watch_arm(dev);
	return false;
}

/*
 * A reset, or the device broke: the function gives all buffers back by a reset of its own. One queue
 * alone cannot be taken from it; its buffers end as they end.
 */
static void vfio_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct vfio_dev *dev = vdev->model;
	u32 i;

	if (vq) {
		vfio_queue_cancel(dev, vq);
		return;
	}
	for (i = 0; i < vdev->num_vqs; i++)
		vfio_queue_cancel(dev, &vdev->vq[i]);
	dev->want_start = false;
	if (dev->state == VFIO_DEAD) {
		end_all(dev);
		return;
	}
	if (dev->reset_held || (dev->state != VFIO_RUNS && dev->state != VFIO_STARTS))
		return;
	dev->reset_held = true;
	xvm_vdev_hold(vdev);
	dev->client.now_ms = vfio_now_ms();
	dev->want_reset = true;
	vfio_next(dev);
	vfio_watch_arm(dev);
}

static bool vfio_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	struct vfio_dev *dev = vdev->model;

	if (dev->state == VFIO_DEAD)
		return false;
	dev->client.now_ms = vfio_now_ms();
	virtio_pci_write_config(&dev->pci, off, vdev->config + off, len);
	/* The function need not have taken it. */
	dev->want_config = true;
	vfio_next(dev);
	vfio_watch_arm(dev);
	return true;
}

/* ---- beginning and end ---- */

static void vfio_leave(struct xvm_vdev *vdev)
{
	struct vfio_dev *dev = vdev->model;

	dev->leaves = true;
	/* One that is up is reset first, as for any reset: the server must have let go of what the guest gets back. */
	if (dev->state == VFIO_ASKS || dev->state == VFIO_DOWN || dev->state == VFIO_DEAD)
		leave(dev);
}

static void vfio_free(struct vfio_dev *dev)
{
	u32 i;

	vfu_client_end(&dev->client);
	vfio_areas_lost(dev);
	vfio_queues_free(dev);
	if (dev->rings)
		munmap(dev->rings, RINGS_BYTES);
	if (dev->rings_fd >= 0)
		close(dev->rings_fd);
	for (i = 0; i < IRQS; i++) {
		if (dev->irq[i].fd >= 0)
			close(dev->irq[i].fd);
	}
	free(dev);
}

static void vfio_destroy(struct xvm_vdev *vdev)
{
	vfio_free(vdev->model);
}

static const char *take_descriptors(struct vfio_dev *dev, struct fdset *fds, int *sock)
{
	void *map;

	*sock = fdset_take(fds, XVM_VFIO_FD_SOCKET);
	dev->rings_fd = fdset_take(fds, XVM_VFIO_FD_RINGS);
	dev->irq[IRQ_CONFIG].fd = fdset_take(fds, XVM_VFIO_FD_CONFIG);
	dev->irq[IRQ_QUEUES].fd = fdset_take(fds, XVM_VFIO_FD_QUEUES);
	if (*sock < 0 || dev->rings_fd < 0 || dev->irq[IRQ_CONFIG].fd < 0 || dev->irq[IRQ_QUEUES].fd < 0)
		return "a descriptor is missing";
	map = mmap(NULL, RINGS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, dev->rings_fd, 0);
	if (map == MAP_FAILED)
		return "memory for its rings cannot be mapped";
	dev->rings = map;
	return NULL;
}

static int vfio_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why,
		       size_t why_bytes)
{
	struct vfio_dev *dev = calloc(1, sizeof(*dev));
	const char *fault;
	int sock = -1;

	if (!dev) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	dev->vdev = vdev;
	dev->trusted = desc->flags & XVM_DEV_TRUSTED;
	vdev->model = dev;
	vfio_areas_init(dev);
	vfio_watch_init(dev);
	fault = take_descriptors(dev, fds, &sock);
	if (!fault && vfu_client_init(&dev->client, sock, !(desc->flags & XVM_DEV_ONE_SOCKET), &client_ops, dev,
				      vfio_now_ms()))
		fault = "out of memory";
	else if (fault && sock >= 0)
		close(sock);
	if (!fault && vfu_client_dead(&dev->client))
		fault = "server has closed the connection";
	if (fault) {
		snprintf(why, why_bytes, "%s", fault);
		vfio_free(dev);
		return -EINVAL;
	}
	vdev->pending = true;
	vfio_watch_arm(dev);
	return 0;
}

const struct xvm_vdev_type xvm_vfio_user_type = {
	.name = "vfio-user",
	.backend = XVM_BACKEND_VFIO_USER,
	.create = vfio_create,
	.destroy = vfio_destroy,
	.start = vfio_start,
	.kick = vfio_queue_kick,
	.config_written = vfio_config_written,
	.cancel = vfio_cancel,
	.leave = vfio_leave,
	.area_added = vfio_area_added,
	.area_shared = vfio_area_shared,
	.area_let_go = vfio_area_let_go,
	.area_gone = vfio_area_gone,
};
