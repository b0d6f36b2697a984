/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's virtio core in small: what register_virtio_device, probe, remove and
 * the ring code do to a transport, in Linux's order. The driver and the memory
 * of its rings are the test's.
 */
#ifndef TESTS_SUPPORT_KVIRTIO_H
#define TESTS_SUPPORT_KVIRTIO_H

#include <linux/virtio_config.h>
#include "kernel/shim.h"

struct kvirtio_driver {
	u64 features;
	/* find_vqs and what else a driver does; DRIVER_OK follows when it returns 0. */
	int (*probe)(struct virtio_device *vdev);
	/* Zeroed memory of a ring; addresses of its three parts. */
	void *(*ring)(struct virtqueue *vq, u32 size, u64 addr[3]);
};

extern const struct kvirtio_driver *kvirtio_driver;
/* Of the last probe: 0, or why there is no driver. */
extern int kvirtio_probe_result;

/* As drivers do: reset and rings away, the device stays registered. */
void kvirtio_remove_driver(struct virtio_device *vdev);
/* The driver is bound again; sets kvirtio_probe_result. */
void kvirtio_bind_driver(struct virtio_device *vdev);
/* As virtqueue_resize: the queue is reset and set up with a ring of another size, empty. */
int kvirtio_resize(struct virtqueue *vq, u32 size);
/* Reads a field until the generation stands still. */
void kvirtio_cread(struct virtio_device *vdev, u32 offset, void *buf, u32 bytes);

#endif
