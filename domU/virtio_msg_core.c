// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio_config_ops over virtio-msg requests. Linux's own virtio-msg core may
 * one day take the place of this file; the bus below would stay.
 *
 * Trust: the device side may answer anything. Lengths and echoes are checked,
 * numbers clipped, loops bounded; what remains wrong is the device's own loss.
 */
#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "compat.h"
#include "virtio_msg_core.h"

/* Features of the transport that this one does not carry. */
#define F_ADMIN_VQ 41
#define F_NOTIF_CONFIG_DATA 39
#define F_NOTIFICATION_DATA 38
#define F_SR_IOV 37
static const u64 unsupported_features =
	BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_ORDER_PLATFORM) | BIT_ULL(F_SR_IOV) |
	BIT_ULL(F_NOTIFICATION_DATA) | BIT_ULL(F_NOTIF_CONFIG_DATA) |
	BIT_ULL(40 /* RING_RESET */) | BIT_ULL(F_ADMIN_VQ);

/* Caller holds vm->lock, vm->request has a message of len bytes. */
static int transfer(struct vmsg_device *vm, u32 len)
{
	if (vm->lost)
		return -ENODEV;
	return vm->ops->transfer(vm, vm->request, len, vm->answer);
}

static void say_failed(struct vmsg_device *vm, const char *what, int err)
{
	dev_err_ratelimited(vm->vdev.dev.parent, "device %u: %s failed: %d\n", vm->dev_num, what,
			    err);
}

static int ask_info(struct vmsg_device *vm, struct xvm_msg_device_info *info)
{
	int len;

	mutex_lock(&vm->lock);
	len = transfer(vm, xvm_msg_put_empty(vm->request, 0, VIRTIO_MSG_GET_DEVICE_INFO,
					     vm->dev_num));
	if (len >= 0)
		xvm_msg_get_device_info(vm->answer, info);
	mutex_unlock(&vm->lock);
	return len < 0 ? len : 0;
}

/* Device types that cannot work when the device sees bounce buffers only. */
static bool type_is_refused(u32 id)
{
	return id == VIRTIO_ID_BALLOON || id == VIRTIO_ID_MEM || id == VIRTIO_ID_PMEM;
}

static int check_info(struct vmsg_device *vm, struct device *parent)
{
	struct xvm_msg_device_info *info = &vm->info;

	if (!info->device_id || type_is_refused(info->device_id)) {
		dev_err(parent, "device %u: virtio device type %u is not supported\n", vm->dev_num,
			info->device_id);
		return -ENODEV;
	}
	if (info->config_size > VMSG_MAX_CONFIG || info->num_feature_bits > VMSG_MAX_FEATURE_BITS) {
		dev_err(parent, "device %u: config size %u or %u feature bits above the limits %u, %u\n",
			vm->dev_num, info->config_size, info->num_feature_bits, VMSG_MAX_CONFIG,
			VMSG_MAX_FEATURE_BITS);
		return -EPROTO;
	}
	if (vm->max_message < VIRTIO_MSG_SET_VQUEUE_BYTES) {
		dev_err(parent, "device %u: messages of %u bytes carry no SET_VQUEUE, which takes %u\n",
			vm->dev_num, vm->max_message, VIRTIO_MSG_SET_VQUEUE_BYTES);
		return -EPROTO;
	}
	info->max_virtqueues = min_t(u32, info->max_virtqueues, VMSG_MAX_VQS);
	return 0;
}

/* -- Configuration space -- */

/* One message's worth, at most chunk_max(). Caller holds vm->lock. */
static int get_chunk(struct vmsg_device *vm, u32 offset, u8 *buf, u32 bytes)
{
	struct xvm_msg_config m;
	int len = transfer(vm, xvm_msg_put_get_config(vm->request, vm->dev_num, offset, bytes));

	if (len < 0)
		return len;
	if (xvm_msg_get_config(vm->answer, len, false, &m) || m.offset != offset ||
	    m.length != bytes)
		return -EPROTO;
	memcpy(buf, m.data, bytes);
	vm->generation = m.generation;
	return 0;
}

static u32 chunk_max(struct vmsg_device *vm)
{
	return vm->max_message - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_CONFIG_FIXED;
}

/* All chunks once; -EAGAIN when the generation moved between them. */
static int get_once(struct vmsg_device *vm, u32 offset, u8 *buf, u32 bytes)
{
	u32 first = 0, done, n;
	int err;

	for (done = 0; done < bytes; done += n) {
		n = min(bytes - done, chunk_max(vm));
		err = get_chunk(vm, offset + done, buf + done, n);
		if (err)
			return err;
		if (!done)
			first = vm->generation;
		else if (vm->generation != first)
			return -EAGAIN;
	}
	return 0;
}

static void vmsg_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	int err = -ERANGE, tries;

	mutex_lock(&vm->lock);
	if (xvm_range_ok(offset, len, vm->info.config_size)) {
		for (tries = 0; tries < VMSG_MAX_RETRIES; tries++) {
			err = get_once(vm, offset, buf, len);
			if (err != -EAGAIN)
				break;
		}
	}
	mutex_unlock(&vm->lock);
	if (err) {
		memset(buf, 0, len);
		say_failed(vm, "reading the configuration", err);
	}
}

/*
 * -EAGAIN: refused, presumably because the configuration changed since we
 * read it; the answer says the generation to use. Caller holds vm->lock.
 */
static int set_chunk(struct vmsg_device *vm, u32 offset, const u8 *buf, u32 bytes)
{
	struct xvm_msg_config m = {
		.generation = vm->generation,
		.offset = offset,
		.length = bytes,
		.data = buf,
	};
	int len = transfer(vm, xvm_msg_put_config(vm->request, VIRTIO_MSG_SET_CONFIG, vm->dev_num,
						  &m));

	if (len < 0)
		return len;
	if (xvm_msg_get_config(vm->answer, len, true, &m) || m.offset != offset)
		return -EPROTO;
	vm->generation = m.generation;
	return m.length == bytes ? 0 : -EAGAIN;
}

static int set_chunk_retried(struct vmsg_device *vm, u32 offset, const u8 *buf, u32 bytes)
{
	int err = -EAGAIN, tries;

	for (tries = 0; err == -EAGAIN && tries < VMSG_MAX_RETRIES; tries++)
		err = set_chunk(vm, offset, buf, bytes);
	return err;
}

static void vmsg_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		     unsigned int len)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	int err = -ERANGE;
	u32 done, n;

	mutex_lock(&vm->lock);
	if (xvm_range_ok(offset, len, vm->info.config_size)) {
		for (done = 0, err = 0; !err && done < len; done += n) {
			n = min(len - done, chunk_max(vm));
			err = set_chunk_retried(vm, offset + done, buf + done, n);
		}
	}
	mutex_unlock(&vm->lock);
	if (err)
		say_failed(vm, "writing the configuration", err);
}

/*
 * Drivers read again until this stands still; a device whose generation never
 * does would hold them for ever, so after a few rounds it does.
 */
static u32 vmsg_generation(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	u32 told;

	mutex_lock(&vm->lock);
	if (vm->generation == vm->gen_told)
		vm->gen_changes = 0;
	else if (++vm->gen_changes <= VMSG_MAX_RETRIES)
		vm->gen_told = vm->generation;
	told = vm->gen_told;
	mutex_unlock(&vm->lock);
	return told;
}

/* -- Status and features -- */

static u8 vmsg_get_status(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);

	/* SET_DEVICE_STATUS answers with the status it led to, so no message is needed. */
	return vm->status | (READ_ONCE(vm->needs_reset) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

/* Caller holds vm->lock. Returns 0 or a negative error. */
static int send_status(struct vmsg_device *vm, u8 status)
{
	int len = transfer(vm, xvm_msg_put_u32(vm->request, 0, VIRTIO_MSG_SET_DEVICE_STATUS,
					       vm->dev_num, status));

	if (len < 0)
		return len;
	vm->status = (u8)xvm_msg_get_u32(vm->answer);
	return 0;
}

static void vmsg_set_status(struct virtio_device *vdev, u8 status)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	int err;

	mutex_lock(&vm->lock);
	err = send_status(vm, status);
	mutex_unlock(&vm->lock);
	/* FAILED is said on the way out of a probe that has had its line already. */
	if (err && !(status & VIRTIO_CONFIG_S_FAILED))
		say_failed(vm, "setting the status", err);
	if (err && (status & VIRTIO_CONFIG_S_DRIVER_OK))
		vmsg_device_break(vm);
}

/*
 * The answer comes when the device has let go of all memory. Without one
 * (the device is gone, the bus is gone, time is up) the device is lost: it
 * gets no more requests, and its memory is kept until Xen says it is free.
 */
static void vmsg_reset(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	int err;

	mutex_lock(&vm->lock);
	err = send_status(vm, 0);
	if (!err && vm->status)
		err = -EPROTO;
	if (err) {
		if (!vm->lost && err != -ENODEV && err != -EIO)
			say_failed(vm, "reset", err);
		vm->lost = true;
		vm->status = 0;
	}
	WRITE_ONCE(vm->needs_reset, false);
	mutex_unlock(&vm->lock);
	if (err)
		vmsg_device_break(vm);
	vm->ops->synchronize(vm);
}

static u64 vmsg_get_features(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	u32 blocks = DIV_ROUND_UP(min_t(u32, vm->info.num_feature_bits, 64), 32);
	struct xvm_msg_features m = { 0 };
	u64 features = 0;
	int err;

	mutex_lock(&vm->lock);
	err = transfer(vm, xvm_msg_put_get_features(vm->request, vm->dev_num, 0, blocks));
	if (err >= 0)
		err = xvm_msg_get_features(vm->answer, err, true, &m);
	if (!err && (m.block_index || m.num_blocks > 2))
		err = -EPROTO;
	if (!err && m.num_blocks > 0)
		features = xvm_get32(m.blocks);
	if (!err && m.num_blocks > 1)
		features |= (u64)xvm_get32(m.blocks + 4) << 32;
	mutex_unlock(&vm->lock);
	if (err)
		say_failed(vm, "reading the features", err);
	return features & ~unsupported_features;
}

static int check_features(struct vmsg_device *vm)
{
	struct virtio_device *vdev = &vm->vdev;

	if (__virtio_test_bit(vdev, VIRTIO_F_VERSION_1) &&
	    __virtio_test_bit(vdev, VIRTIO_F_ACCESS_PLATFORM))
		return 0;
	dev_err(vdev->dev.parent,
		"device %u: features %#llx lack VERSION_1 or ACCESS_PLATFORM (bits 32, 33)\n",
		vm->dev_num, vdev->features);
	return -EINVAL;
}

static int vmsg_finalize_features(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	u32 words[2];
	int err;

	vring_transport_features(vdev);
	vdev->features &= ~unsupported_features;
	err = check_features(vm);
	if (err)
		return err;
	words[0] = lower_32_bits(vdev->features);
	words[1] = upper_32_bits(vdev->features);
	mutex_lock(&vm->lock);
	err = transfer(vm, xvm_msg_put_features(vm->request, VIRTIO_MSG_SET_DRIVER_FEATURES,
						vm->dev_num, 0, 2, words));
	mutex_unlock(&vm->lock);
	if (err < 0)
		say_failed(vm, "setting the features", err);
	return err < 0 ? err : 0;
}

/* -- Queues -- */

static int ask_vq(struct vmsg_device *vm, u32 index, struct xvm_msg_vqueue *m)
{
	int len;

	mutex_lock(&vm->lock);
	len = transfer(vm, xvm_msg_put_u32(vm->request, 0, VIRTIO_MSG_GET_VQUEUE, vm->dev_num,
					   index));
	if (len >= 0)
		xvm_msg_get_vqueue(vm->answer, m);
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
	};
	int err;

	mutex_lock(&vm->lock);
	err = transfer(vm, xvm_msg_put_set_vqueue(vm->request, vm->dev_num, &want));
	mutex_unlock(&vm->lock);
	if (err >= 0)
		err = ask_vq(vm, vq->index, &now);
	if (err)
		return err;
	if (now.size != want.size || now.desc_addr != want.desc_addr ||
	    now.driver_addr != want.driver_addr || now.device_addr != want.device_addr)
		return -EPROTO;
	return 0;
}

static bool vmsg_notify(struct virtqueue *vq)
{
	struct vmsg_device *vm = to_vmsg_device(vq->vdev);

	vm->ops->kick(vm, vq->index);
	return true;
}

static void show_vq(struct vmsg_device *vm, u32 index, struct virtqueue *vq)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->vqs[index] = vq;
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

/* Size for queue index: what the device offers, as a power of two within our limit. */
static int vq_size(struct vmsg_device *vm, u32 index, u32 *size)
{
	struct xvm_msg_vqueue m;
	int err;

	if (index >= vm->info.max_virtqueues)
		return -ENOENT;
	err = ask_vq(vm, index, &m);
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
	err = tell_vq(vm, vq);
	if (err) {
		vring_del_virtqueue(vq);
		return ERR_PTR(err);
	}
	show_vq(vm, index, vq);
	return vq;
}

static void vmsg_del_vqs(struct virtio_device *vdev)
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

static int vmsg_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
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
			say_failed(vm, "setting up queues", err);
		vmsg_del_vqs(vdev);
	}
	return err;
}

static void vmsg_synchronize_cbs(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);

	vm->ops->synchronize(vm);
}

static const char *vmsg_bus_name(struct virtio_device *vdev)
{
	return dev_name(vdev->dev.parent);
}

static bool vmsg_get_shm_region(struct virtio_device *vdev, struct virtio_shm_region *region, u8 id)
{
	return false;
}

static const struct virtio_config_ops vmsg_config_ops = {
	.get = vmsg_get,
	.set = vmsg_set,
	.generation = vmsg_generation,
	.get_status = vmsg_get_status,
	.set_status = vmsg_set_status,
	.reset = vmsg_reset,
	.find_vqs = vmsg_find_vqs,
	.del_vqs = vmsg_del_vqs,
	.synchronize_cbs = vmsg_synchronize_cbs,
	.get_features = vmsg_get_features,
	.finalize_features = vmsg_finalize_features,
	.bus_name = vmsg_bus_name,
	.get_shm_region = vmsg_get_shm_region,
};

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

void vmsg_event_config(struct vmsg_device *vm, const struct xvm_msg_event_config *event)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	WRITE_ONCE(vm->needs_reset, event->device_status & VIRTIO_CONFIG_S_NEEDS_RESET);
	if (vm->live)
		virtio_config_changed(&vm->vdev);
	else
		vm->changed = true;
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

void vmsg_device_break(struct vmsg_device *vm)
{
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&vm->vq_lock, flags);
	for (i = 0; vm->vqs && i < vm->info.max_virtqueues; i++)
		if (vm->vqs[i])
			__virtqueue_break(vm->vqs[i]);
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

/* -- Life -- */

static void set_live(struct vmsg_device *vm, bool live)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->live = live;
	if (live && vm->changed)
		virtio_config_changed(&vm->vdev);
	vm->changed = false;
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

static void vmsg_release(struct device *dev)
{
	struct vmsg_device *vm = to_vmsg_device(dev_to_virtio(dev));

	vm->ops->release(vm);
}

void vmsg_device_free(struct vmsg_device *vm)
{
	if (!vm)
		return;
	kfree(vm->request);
	kfree(vm->answer);
	kvfree(vm->vqs);
	kfree(vm);
}

struct vmsg_device *vmsg_device_alloc(const struct vmsg_bus_ops *ops, struct device *parent,
				      u16 dev_num, u32 max_message)
{
	struct vmsg_device *vm = kzalloc(sizeof(*vm), GFP_KERNEL);

	if (!vm)
		return NULL;
	vm->request = kzalloc(max_message, GFP_KERNEL);
	vm->answer = kzalloc(max_message, GFP_KERNEL);
	if (!vm->request || !vm->answer) {
		vmsg_device_free(vm);
		return NULL;
	}
	mutex_init(&vm->lock);
	spin_lock_init(&vm->vq_lock);
	vm->ops = ops;
	vm->dev_num = dev_num;
	vm->max_message = max_message;
	vm->vdev.dev.parent = parent;
	vm->vdev.config = &vmsg_config_ops;
	return vm;
}

/* The struct device inside starts its life in register_virtio_device only. */
void vmsg_device_put(struct vmsg_device *vm)
{
	if (vm->vdev.dev.release)
		put_device(&vm->vdev.dev);
	else
		vm->ops->release(vm);
}

static int learn(struct vmsg_device *vm)
{
	struct virtqueue **vqs;
	unsigned long flags;
	int err;

	err = ask_info(vm, &vm->info);
	if (err) {
		dev_err(vm->vdev.dev.parent, "device %u: GET_DEVICE_INFO failed: %d\n",
			vm->dev_num, err);
		return err;
	}
	err = check_info(vm, vm->vdev.dev.parent);
	if (err)
		return err;
	vqs = kvcalloc(max(vm->info.max_virtqueues, 1u), sizeof(*vqs), GFP_KERNEL);
	/* Events may already come, with any queue number. */
	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->vqs = vqs;
	spin_unlock_irqrestore(&vm->vq_lock, flags);
	return vqs ? 0 : -ENOMEM;
}

int vmsg_device_register(struct vmsg_device *vm)
{
	int err;

	err = learn(vm);
	if (err)
		return err;
	vm->vdev.id.device = vm->info.device_id;
	vm->vdev.id.vendor = vm->info.vendor_id;
	vm->vdev.dev.release = vmsg_release;
	err = register_virtio_device(&vm->vdev);
	if (err) {
		dev_err(vm->vdev.dev.parent, "device %u: registering failed: %d\n", vm->dev_num,
			err);
		return err;
	}
	/* Its own reference is dropped by unregister_virtio_device; this one is vmsg_device_put's. */
	get_device(&vm->vdev.dev);
	set_live(vm, true);
	return 0;
}

void vmsg_device_unregister(struct vmsg_device *vm)
{
	set_live(vm, false);
	unregister_virtio_device(&vm->vdev);
}
