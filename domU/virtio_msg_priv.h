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

void vmsg_config_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len);
void vmsg_config_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		     unsigned int len);
u32 vmsg_config_generation(struct virtio_device *vdev);

int vmsg_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		  VMSG_FIND_VQS_ARGS);
void vmsg_del_vqs(struct virtio_device *vdev);

#endif
