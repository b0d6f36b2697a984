/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device whose configuration goes by virtio-msg, over some bus that
 * can transfer a request and send an event. Knows nothing of Xen; the bus
 * knows nothing of virtio_config_ops.
 */
#ifndef XVM_DOMU_VIRTIO_MSG_CORE_H
#define XVM_DOMU_VIRTIO_MSG_CORE_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>

#include "../xen/proto/msg.h"
#include "../xen/proto/num.h"

/* Limits on what a device may claim of itself (the device side is not trusted). */
#define VMSG_MAX_VQS		1024
#define VMSG_MAX_VQ_SIZE	1024
#define VMSG_MAX_CONFIG		65536
#define VMSG_MAX_FEATURE_BITS	1024
#define VMSG_MAX_RETRIES	5	/* reads of a configuration that keeps changing */
#define VMSG_RESET_SECONDS	30	/* for a reset that goes on behind its answer */

struct vmsg_device;

struct vmsg_bus_ops {
	/*
	 * Sends the request of len bytes and waits for its answer, which is of
	 * the same message and at most max_message bytes. Process context.
	 * Returns the answer's length, -ENODEV (the device is gone), -ETIMEDOUT
	 * or -EIO (the bus is gone).
	 */
	int (*transfer)(struct vmsg_device *vm, const u8 *msg, u32 len, u8 *answer);
	/* Tells the device that a queue has buffers. Any context; cannot fail. */
	void (*kick)(struct vmsg_device *vm, u32 vq_index);
	/* A kick that has not been sent yet is not sent any more. */
	void (*forget_kick)(struct vmsg_device *vm, u32 vq_index);
	/* Before the first queue is made: memory for so many descriptors in all. */
	int (*prepare_vqs)(struct vmsg_device *vm, u32 nvqs, u32 entries);
	/* The queue, set up again on a new connection, goes on where it was. 0 or an error. */
	int (*keep_queue)(struct vmsg_device *vm, u32 vq_index);
	/* Returns when no callback started before is still running. */
	void (*synchronize)(struct vmsg_device *vm);
	/* The last reference to vm went; frees it. */
	void (*release)(struct vmsg_device *vm);
};

struct vmsg_device {
	struct virtio_device vdev;
	const struct vmsg_bus_ops *ops;
	u16 dev_num;
	u32 max_message;
	enum xvm_dialect dialect;	/* set by the bus between alloc and register */
	u32 reset_seconds;		/* likewise; 0: VMSG_RESET_SECONDS */
	struct xvm_msg_device_info info;	/* checked and clipped */

	struct mutex lock;	/* request, answer, status, what was told of the generation */
	u8 *request, *answer;	/* max_message bytes each */
	u8 asked;		/* status that was last asked for */
	u8 status;		/* as the device last answered, less what was not asked for */
	bool lost;		/* a reset was not answered: no more requests */
	u32 gen_told, gen_changes;

	spinlock_t vq_lock;	/* what interrupts look at, below */
	struct virtqueue **vqs;	/* info.max_virtqueues of them */
	bool live;		/* registered: configuration changes may be told */
	bool changed;		/* one came before that */
	bool needs_reset;
	u32 generation;		/* the newest seen, in an answer or an event */
	bool gen_known;		/* there was one */
	bool gen_event;		/* an event brought it since the last request was made */
};

static inline struct vmsg_device *to_vmsg_device(struct virtio_device *vdev)
{
	return container_of(vdev, struct vmsg_device, vdev);
}

/*
 * A zeroed vm, filled and ready for events; the caller's until ops->release,
 * which the last vmsg_device_put calls. release must end in vmsg_device_free.
 */
struct vmsg_device *vmsg_device_alloc(const struct vmsg_bus_ops *ops, struct device *parent,
				      u16 dev_num, u32 max_message);
void vmsg_device_put(struct vmsg_device *vm);
void vmsg_device_free(struct vmsg_device *vm);

/* Asks the device what it is and registers it. On failure a line has said why. */
int vmsg_device_register(struct vmsg_device *vm);
/* The driver lets go; the device was reset, or is lost. The reference of alloc stays. */
void vmsg_device_unregister(struct vmsg_device *vm);

/* max_message bytes each. */
struct vmsg_buffers {
	u8 *request, *answer;
};

/*
 * For a bus that keeps its devices over the end of a connection; vm->lock is
 * held, or its holder waits inside ops->transfer. 0; -EPROTO: not the device
 * that it was; or what ops->transfer returned.
 */
int vmsg_device_same(struct vmsg_device *vm, struct vmsg_buffers *buf);
int vmsg_device_replay(struct vmsg_device *vm, struct vmsg_buffers *buf);
/* Kicks all queues and looks at what is used in them. Process context. */
void vmsg_device_look(struct vmsg_device *vm);
/* DEVICE_NEEDS_RESET, by our own finding. */
void vmsg_device_fail(struct vmsg_device *vm);

/* From the bus, any context; numbers may be wrong. True when something was told. */
bool vmsg_event_used(struct vmsg_device *vm, u32 vq_index);
void vmsg_event_config(struct vmsg_device *vm, const struct xvm_msg_event_config *event);
/* No queue of this device works any more; waiters in drivers are let go. Any context. */
void vmsg_device_break(struct vmsg_device *vm);
/*
 * The same, and requests that a disk was given fail. Process context; the bus
 * sees to it that what unmapping reads from here on is ones.
 */
void vmsg_device_lose(struct vmsg_device *vm);
bool vmsg_queue_is_broken(struct vmsg_device *vm, u32 vq_index);

#endif
