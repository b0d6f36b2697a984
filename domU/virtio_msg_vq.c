// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: made in memory of the bus, told to the device, found again by
 * events from any context.
 */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_priv.h"

static int ask_vq(struct vmsg_device *vm, u32 index, struct xvm_msg_vqueue *m)
{
	int len;

	mutex_lock(&vm->lock);
	len = xvm_msg_put_u32(vm->request, 0, VIRTIO_MSG_GET_VQUEUE, vm->dev_num, index);
	len = vmsg_transfer(vm, len);
	if (len >= 0)
		xvm_msg_get_vqueue(vm->answer, vm->dialect, m);
	mutex_unlock(&vm->lock);
	if (len >= 0 && m->index != index)
		return -EPROTO;
	return len < 0 ? len : 0;
}

/* SET_VQUEUE has no error in its answer: the queue is asked for again and compared. */
static int tell_vq(struct vmsg_device *vm, struct virtqueue *vq)
{
	struct xvm_msg_vqueue now, want = {
		.index = vq->index,
		.size = virtqueue_get_vring_size(vq),
		.desc_addr = virtqueue_get_desc_addr(vq),
		.driver_addr = virtqueue_get_avail_addr(vq),
		.device_addr = virtqueue_get_used_addr(vq),
		.flags = VIRTIO_MSG_VQ_ENABLE,
	};
	bool flags = vmsg_rules(vm)->vq_flags;
	int err;

	mutex_lock(&vm->lock);
	err = vmsg_transfer(vm, xvm_msg_put_set_vqueue(vm->request, vm->dialect, vm->dev_num,
						       &want));
	mutex_unlock(&vm->lock);
	if (err >= 0)
		err = ask_vq(vm, vq->index, &now);
	if (err)
		return err;
	if (now.size != want.size || now.desc_addr != want.desc_addr ||
	    now.driver_addr != want.driver_addr || now.device_addr != want.device_addr ||
	    (flags && !(now.flags & VIRTIO_MSG_VQ_ENABLED)))
		return -EPROTO;
	return 0;
}

static bool vmsg_notify(struct virtqueue *vq)
{
	struct vmsg_device *vm = to_vmsg_device(vq->vdev);

	vm->ops->kick(vm, vq->index);
	return true;
}

/* From now on events find the queue, or with NULL none does. */
static void show_vq(struct vmsg_device *vm, u32 index, struct virtqueue *vq)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->vqs[index] = vq;
	if (vq && vm->needs_reset)
		__virtqueue_break(vq);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

/* Is it told to the device, so that it may not be told again? */
static bool vq_active(const struct vmsg_device *vm, const struct xvm_msg_vqueue *m)
{
	return vmsg_rules(vm)->vq_flags ? m->flags & VIRTIO_MSG_VQ_ENABLED : m->size;
}

/* RESET_VQUEUE has no error in its answer either. */
static int send_vq_reset(struct vmsg_device *vm, u32 index, struct xvm_msg_vqueue *m)
{
	int err;

	mutex_lock(&vm->lock);
	err = vmsg_transfer(vm, xvm_msg_put_u32(vm->request, 0, VIRTIO_MSG_RESET_VQUEUE,
						vm->dev_num, index));
	mutex_unlock(&vm->lock);
	if (err >= 0)
		err = ask_vq(vm, index, m);
	if (!err && vq_active(vm, m))
		err = -EPROTO;
	return err;
}

/* The queue as it is, and not active: one that is gets reset, if that was negotiated. */
static int ask_inactive_vq(struct vmsg_device *vm, u32 index, struct xvm_msg_vqueue *m)
{
	int err = ask_vq(vm, index, m);

	if (err || !vq_active(vm, m))
		return err;
	if (virtio_has_feature(&vm->vdev, VIRTIO_F_RING_RESET))
		return send_vq_reset(vm, index, m);
	return -EBUSY;
}

/* Size for queue index: what the device offers, as a power of two within our limit. */
static int vq_size(struct vmsg_device *vm, u32 index, u32 *size)
{
	struct xvm_msg_vqueue m;
	int err;

	if (index >= vm->info.max_virtqueues)
		return -ENOENT;
	err = ask_inactive_vq(vm, index, &m);
	if (err)
		return err;
	if (!m.max_size)
		return -ENOENT;
	*size = rounddown_pow_of_two(min_t(u32, m.max_size, VMSG_MAX_VQ_SIZE));
	return 0;
}

static struct virtqueue *setup_vq(struct vmsg_device *vm, u32 index, struct vmsg_vq_want want)
{
	struct virtqueue *vq;
	u32 size;
	int err;

	err = vq_size(vm, index, &size);
	if (err)
		return ERR_PTR(err);
	/*
	 * weak_barriers: the peer is a processor of this machine. virtio_mb()
	 * is virt_mb() then, which a kernel on one processor keeps, too.
	 */
	vq = vring_create_virtqueue(index, size, SMP_CACHE_BYTES, &vm->vdev, true, true, want.ctx,
				    vmsg_notify, want.callback, want.name);
	if (!vq)
		return ERR_PTR(-ENOMEM);
	vq->num_max = size;
	/* Seen before it is told: a bus that has to tell it again must find it. */
	show_vq(vm, index, vq);
	err = tell_vq(vm, vq);
	if (err) {
		show_vq(vm, index, NULL);
		vring_del_virtqueue(vq);
		return ERR_PTR(err);
	}
	return vq;
}

void vmsg_del_vqs(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	struct virtqueue *vq, *next;

	/* A failed probe may come here without a reset; the device must let go first. */
	if (!list_empty(&vdev->vqs) && vm->status)
		vmsg_reset(vdev);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list) {
		show_vq(vm, vq->index, NULL);
		vring_del_virtqueue(vq);
	}
}

/* Descriptors of all queues together; queues that are not there fail later, with their error. */
static u32 sum_sizes(struct vmsg_device *vm, u32 nvqs)
{
	u32 sum = 0, size, i;

	for (i = 0; i < nvqs; i++)
		if (!vq_size(vm, i, &size))
			sum += size;
	return sum;
}

int vmsg_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		  VMSG_FIND_VQS_ARGS)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	u32 i, index = 0;
	int err;

	err = vm->ops->prepare_vqs(vm, nvqs, sum_sizes(vm, nvqs));
	for (i = 0; !err && i < nvqs; i++) {
		struct vmsg_vq_want want = VMSG_VQ_WANT(i);

		vqs[i] = NULL;
		/* As in virtio_mmio: a queue without a name takes no index. */
		if (!want.name)
			continue;
		vqs[i] = setup_vq(vm, index++, want);
		err = PTR_ERR_OR_ZERO(vqs[i]);
	}
	if (err) {
		if (err != -ENOENT)
			vmsg_say_failed(vm, "setting up queues", err);
		vmsg_del_vqs(vdev);
	}
	return err;
}

/* -- A queue at run time -- */

/* The driver has stopped using the queue; it gets it back empty, perhaps with another ring. */
int vmsg_disable_vq_and_reset(struct virtqueue *vq)
{
	struct vmsg_device *vm = to_vmsg_device(vq->vdev);
	struct xvm_msg_vqueue m;
	int err;

	if (!virtio_has_feature(vq->vdev, VIRTIO_F_RING_RESET))
		return -ENOENT;
	vm->ops->forget_kick(vm, vq->index);
	/* No event finds it any more; and a bus that sets its devices up again leaves it out. */
	show_vq(vm, vq->index, NULL);
	err = send_vq_reset(vm, vq->index, &m);
	if (err) {
		show_vq(vm, vq->index, vq);
		vmsg_say_failed(vm, "resetting a queue", err);
		return err;
	}
	/* None that did find it is still at work. */
	vm->ops->synchronize(vm);
	vq->reset = true;
	return 0;
}

int vmsg_enable_vq_after_reset(struct virtqueue *vq)
{
	struct vmsg_device *vm = to_vmsg_device(vq->vdev);
	struct xvm_msg_vqueue m;
	int err;

	if (!vq->reset)
		return -EBUSY;
	err = ask_vq(vm, vq->index, &m);
	if (!err && vq_active(vm, &m))
		err = -EBUSY;
	if (!err) {
		show_vq(vm, vq->index, vq);
		err = tell_vq(vm, vq);
	}
	if (err) {
		show_vq(vm, vq->index, NULL);
		vmsg_say_failed(vm, "setting up a queue again", err);
		return err;
	}
	vq->reset = false;
	return 0;
}

/* -- Events -- */

bool vmsg_event_used(struct vmsg_device *vm, u32 vq_index)
{
	struct virtqueue *vq = NULL;
	unsigned long flags;

	/* Under the lock, so that del_vqs cannot free the queue meanwhile. */
	spin_lock_irqsave(&vm->vq_lock, flags);
	if (vm->vqs && vq_index < vm->info.max_virtqueues)
		vq = vm->vqs[vq_index];
	if (vq)
		vring_interrupt(0, vq);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
	return vq;
}

static void break_locked(struct vmsg_device *vm)
{
	u32 i;

	for (i = 0; vm->vqs && i < vm->info.max_virtqueues; i++)
		if (vm->vqs[i])
			__virtqueue_break(vm->vqs[i]);
}

/*
 * Nothing comes back from such a device, so nothing more is given to it. Linux
 * has no way to start a device anew below its driver, whose requests in flight
 * are its own: reset and new start come with the driver's next binding.
 */
static void needs_reset_locked(struct vmsg_device *vm)
{
	if (vm->needs_reset)
		return;
	WRITE_ONCE(vm->needs_reset, true);
	break_locked(vm);
	dev_err_ratelimited(vm->vdev.dev.parent,
			    "device %u needs a reset: it stops until its driver is bound again\n",
			    vm->dev_num);
}

void vmsg_note_needs_reset(struct vmsg_device *vm)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	needs_reset_locked(vm);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

static void tell_config_locked(struct vmsg_device *vm, bool broken)
{
	if (broken)
		needs_reset_locked(vm);
	if (vm->live)
		virtio_config_changed(&vm->vdev);
	else
		vm->changed = true;
}

/* What data an event brings is read again with the rest, when the driver asks for it. */
void vmsg_event_config(struct vmsg_device *vm, const struct xvm_msg_event_config *event)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->generation = event->generation;
	vm->gen_known = true;
	vm->gen_event = true;
	tell_config_locked(vm, event->device_status & VIRTIO_CONFIG_S_NEEDS_RESET);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

void vmsg_config_news(struct vmsg_device *vm, bool broken)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->gen_known = false;
	tell_config_locked(vm, broken);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

void vmsg_device_break(struct vmsg_device *vm)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	break_locked(vm);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}
