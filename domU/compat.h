/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differences between the kernels this module builds for (6.1 and 6.12).
 * Every #if on the kernel version stands here; nothing else does.
 */
#ifndef XVM_DOMU_COMPAT_H
#define XVM_DOMU_COMPAT_H

#include <linux/version.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

/* One queue a driver asks for, whatever shape the kernel hands it over in. */
struct vmsg_vq_want {
	const char *name;	/* NULL: the driver does not use it */
	vq_callback_t *callback;
	bool ctx;
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define VMSG_FIND_VQS_ARGS struct virtqueue_info infos[], struct irq_affinity *desc
#define VMSG_VQ_WANT(i) \
	((struct vmsg_vq_want){ infos[i].name, infos[i].callback, infos[i].ctx })
#else
#define VMSG_FIND_VQS_ARGS vq_callback_t *callbacks[], const char * const names[], \
	const bool *ctx, struct irq_affinity *desc
#define VMSG_VQ_WANT(i) \
	((struct vmsg_vq_want){ names[i], callbacks[i], ctx ? ctx[i] : false })
#endif

#endif
