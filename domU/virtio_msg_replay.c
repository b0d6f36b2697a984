// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that has forgotten everything is made what it was: status, features
 * and queues come from what the driver side knows. No driver takes part.
 *
 * The bus holds vm->lock, or knows that its holder waits for us; vm->request
 * and vm->answer may be in that holder's use, so the buffers are our own.
 */
#include <linux/module.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_priv.h"

static int ask(struct vmsg_device *vm, struct vmsg_buffers *buf, u32 len)
{
	return vm->ops->transfer(vm, buf->request, len, buf->answer);
}

int vmsg_device_same(struct vmsg_device *vm, struct vmsg_buffers *buf)
{
	const struct xvm_msg_device_info *old = &vm->info;
	struct xvm_msg_device_info info;
	int len = ask(vm, buf, xvm_msg_put_empty(buf->request, 0, VIRTIO_MSG_GET_DEVICE_INFO,
						 vm->dev_num));

	if (len < 0)
		return len;
	xvm_msg_get_device_info(buf->answer, vm->dialect, &info);
	/* What we know of the queues was clipped; the configuration may have grown, never shrunk. */
	if (info.device_id != old->device_id || info.vendor_id != old->vendor_id ||
	    info.config_size < old->config_size || info.num_feature_bits < old->num_feature_bits ||
	    info.max_virtqueues < old->max_virtqueues)
		return -EPROTO;
	return 0;
}

/* All bits of status must be there afterwards. */
static int put_status(struct vmsg_device *vm, struct vmsg_buffers *buf, u8 status)
{
	int len = ask(vm, buf, xvm_msg_put_u32(buf->request, 0, VIRTIO_MSG_SET_DEVICE_STATUS,
					       vm->dev_num, status));

	if (len < 0)
		return len;
	return (xvm_msg_get_u32(buf->answer) & status) == status ? 0 : -EPROTO;
}

static int put_features(struct vmsg_device *vm, struct vmsg_buffers *buf)
{
	u32 words[2] = { lower_32_bits(vm->vdev.features), upper_32_bits(vm->vdev.features) };
	int len = ask(vm, buf, xvm_msg_put_features(buf->request, VIRTIO_MSG_SET_DRIVER_FEATURES,
						    vm->dev_num, 0, 2, words));

	return len < 0 ? len : 0;
}

/* False: no such queue, or not in use. */
static bool find_queue(struct vmsg_device *vm, u32 index, struct xvm_msg_vqueue *m)
{
	struct virtqueue *vq;
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vq = vm->vqs ? vm->vqs[index] : NULL;
	if (vq)
		*m = (struct xvm_msg_vqueue){
			.index = index,
			.size = virtqueue_get_vring_size(vq),
			.desc_addr = virtqueue_get_desc_addr(vq),
			.driver_addr = virtqueue_get_avail_addr(vq),
			.device_addr = virtqueue_get_used_addr(vq),
			.flags = VIRTIO_MSG_VQ_ENABLE,
		};
	spin_unlock_irqrestore(&vm->vq_lock, flags);
	return vq;
}

static int put_queue(struct vmsg_device *vm, struct vmsg_buffers *buf,
		     const struct xvm_msg_vqueue *m)
{
	struct xvm_msg_vqueue now;
	int len;

	len = ask(vm, buf, xvm_msg_put_set_vqueue(buf->request, vm->dialect, vm->dev_num, m));
	if (len >= 0)
		len = ask(vm, buf, xvm_msg_put_u32(buf->request, 0, VIRTIO_MSG_GET_VQUEUE,
						   vm->dev_num, m->index));
	if (len < 0)
		return len;
	xvm_msg_get_vqueue(buf->answer, vm->dialect, &now);
	return now.index == m->index && now.size == m->size && now.desc_addr == m->desc_addr &&
	       now.driver_addr == m->driver_addr && now.device_addr == m->device_addr ? 0 : -EPROTO;
}

static int put_queues(struct vmsg_device *vm, struct vmsg_buffers *buf)
{
	struct xvm_msg_vqueue m;
	u32 i;
	int err = 0;

	for (i = 0; !err && i < vm->info.max_virtqueues; i++) {
		if (!find_queue(vm, i, &m))
			continue;
		err = put_queue(vm, buf, &m);
		/* Before that the device has taken nothing from any queue. */
		if (!err && vm->status & VIRTIO_CONFIG_S_DRIVER_OK)
			err = vm->ops->keep_queue(vm, i);
	}
	return err;
}

int vmsg_device_replay(struct vmsg_device *vm, struct vmsg_buffers *buf)
{
	u8 status = vm->status;
	int err;

	/* In its driver's eyes it does nothing, or waits for a reset. */
	if (!(status & VIRTIO_CONFIG_S_ACKNOWLEDGE) || vm->lost || READ_ONCE(vm->needs_reset) ||
	    status & (VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED))
		return 0;
	err = put_status(vm, buf, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	if (!err && status & VIRTIO_CONFIG_S_DRIVER)
		err = put_status(vm, buf, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	/* Some may have been told before FEATURES_OK; what comes again replaces it. */
	if (!err && status & VIRTIO_CONFIG_S_DRIVER && vm->vdev.features)
		err = put_features(vm, buf);
	if (!err && status & VIRTIO_CONFIG_S_FEATURES_OK)
		err = put_status(vm, buf, status & ~VIRTIO_CONFIG_S_DRIVER_OK);
	if (!err)
		err = put_queues(vm, buf);
	if (!err && status & VIRTIO_CONFIG_S_DRIVER_OK)
		err = put_status(vm, buf, status);
	return err;
}

void vmsg_device_fail(struct vmsg_device *vm)
{
	vmsg_config_news(vm, true);
}

/* As if the device had told us of everything it has; both sides bear news of nothing. */
void vmsg_device_look(struct vmsg_device *vm)
{
	u32 i;

	for (i = 0; i < vm->info.max_virtqueues; i++) {
		struct xvm_msg_vqueue m;

		if (!find_queue(vm, i, &m))
			continue;
		vm->ops->kick(vm, i);
		/* Drivers expect to be called from an interrupt, and soft ones to run after it. */
		local_bh_disable();
		vmsg_event_used(vm, i);
		local_bh_enable();
	}
	if (!READ_ONCE(vm->needs_reset))
		vmsg_config_news(vm, false);
}
