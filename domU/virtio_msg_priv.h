/* SPDX-License-Identifier: GPL-2.0-only */
/* What the virtio_msg_*.c files share and nobody else sees. */
#ifndef XVM_DOMU_VIRTIO_MSG_PRIV_H
#define XVM_DOMU_VIRTIO_MSG_PRIV_H

#include "compat.h"
#include "virtio_msg_core.h"

static inline const struct xvm_dialect_rules *vmsg_rules(const struct vmsg_device *vm)
{
	return xvm_dialect_rules(vm->dialect);
}

/* vm->lock is held, vm->request has a message of len bytes; the answer's length or an error. */
int vmsg_transfer(struct vmsg_device *vm, u32 len);
void vmsg_say_failed(struct vmsg_device *vm, const char *what, int err);
void vmsg_reset(struct virtio_device *vdev);
/* The device has said DEVICE_NEEDS_RESET: its queues stop. Any context. */
void vmsg_note_needs_reset(struct vmsg_device *vm);
/* The configuration may be another one, whatever was known of it; broken: and the device is. */
void vmsg_config_news(struct vmsg_device *vm, bool broken);

void vmsg_config_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len);
void vmsg_config_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		     unsigned int len);
u32 vmsg_config_generation(struct virtio_device *vdev);

int vmsg_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		  VMSG_FIND_VQS_ARGS);
void vmsg_del_vqs(struct virtio_device *vdev);
int vmsg_disable_vq_and_reset(struct virtqueue *vq);
int vmsg_enable_vq_after_reset(struct virtqueue *vq);

#endif
