// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that will never complete what it was given: its bus is gone, its
 * queue broke a rule, or it says that it needs a reset, which no Linux driver
 * answers with one. Drivers of network, console and entropy take their buffers
 * back when they are removed. virtio_blk waits for its requests instead, for
 * ever, and with it whoever reads, unmounts or removes; so they are failed
 * here, as virtio_blk itself would do it.
 *
 * What the device side may still write lies in areas only, and those stay
 * granted until Xen says that they are free.
 */
#include <linux/blk-mq.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/virtio_ids.h>

#include "virtio_msg_priv.h"

/* The tokens of its queues are requests of blk-mq. No other driver's are touched. */
static bool is_virtio_blk(struct vmsg_device *vm)
{
	struct device_driver *drv = READ_ONCE(vm->vdev.dev.driver);

	return vm->info.device_id == VIRTIO_ID_BLOCK && drv && !strcmp(drv->name, "virtio_blk");
}

/* One buffer out of queue index; under the lock, so that del_vqs cannot free the queue meanwhile. */
static void *detach_one(struct vmsg_device *vm, u32 index)
{
	unsigned long flags;
	void *token = NULL;

	spin_lock_irqsave(&vm->vq_lock, flags);
	if (vm->vqs && vm->vqs[index])
		token = virtqueue_detach_unused_buf(vm->vqs[index]);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
	return token;
}

/*
 * virtio_blk finds no good status: unmapping a lost device's buffers fills
 * them with ones. It frees what it holds, and fails the request.
 */
static void fail_queue(struct vmsg_device *vm, u32 index)
{
	struct request *rq;
	bool first = true;
	void *token;

	while ((token = detach_one(vm, index))) {
		rq = blk_mq_rq_from_pdu(token);
		/*
		 * What waited for room in the queue goes on, and finds it broken.
		 * Now, since behind the last request the disk may be freed.
		 */
		if (first)
			blk_mq_start_stopped_hw_queues(rq->q, true);
		first = false;
		blk_mq_complete_request(rq);
	}
}

void vmsg_device_lose(struct vmsg_device *vm)
{
	u32 i;

	vmsg_device_break(vm);
	if (!is_virtio_blk(vm))
		return;
	/* Whoever found the queue whole adds with interrupts off, and has done so after this. */
	synchronize_rcu();
	for (i = 0; i < vm->info.max_virtqueues; i++)
		fail_queue(vm, i);
}

bool vmsg_queue_is_broken(struct vmsg_device *vm, u32 vq_index)
{
	unsigned long flags;
	bool broken = false;

	spin_lock_irqsave(&vm->vq_lock, flags);
	if (vm->vqs && vq_index < vm->info.max_virtqueues && vm->vqs[vq_index])
		broken = virtqueue_is_broken(vm->vqs[vq_index]);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
	return broken;
}
