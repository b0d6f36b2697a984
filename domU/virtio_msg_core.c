// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio_config_ops over virtio-msg requests. Linux's own virtio-msg core may
 * one day take the place of this file; the bus below would stay.
 *
 * Trust: the device side may answer anything. Lengths and echoes are checked,
 * numbers clipped, loops bounded; what remains wrong is the device's own loss.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_priv.h"

/* Features of the transport that this one does not carry. */
#define F_ADMIN_VQ 41
#define F_NOTIF_CONFIG_DATA 39
#define F_NOTIFICATION_DATA 38
#define F_SR_IOV 37
static const u64 unsupported_features =
	BIT_ULL(VIRTIO_F_ORDER_PLATFORM) | BIT_ULL(F_SR_IOV) | BIT_ULL(F_NOTIFICATION_DATA) |
	BIT_ULL(F_NOTIF_CONFIG_DATA) | BIT_ULL(F_ADMIN_VQ);

static bool packed;
module_param(packed, bool, 0444);
MODULE_PARM_DESC(packed, "use packed virtqueues where a device offers them (default: split ones)");

int vmsg_transfer(struct vmsg_device *vm, u32 len)
{
	if (vm->lost)
		return -ENODEV;
	return vm->ops->transfer(vm, vm->request, len, vm->answer);
}

/* That the bus or the device went away is no fault of this device; the former has had its line. */
void vmsg_say_failed(struct vmsg_device *vm, const char *what, int err)
{
	if (err == -EIO || err == -ENODEV)
		return;
	dev_err_ratelimited(vm->vdev.dev.parent, "device %u: %s failed: %d\n", vm->dev_num, what,
			    err);
}

static int ask_info(struct vmsg_device *vm, struct xvm_msg_device_info *info)
{
	int len;

	mutex_lock(&vm->lock);
	len = xvm_msg_put_empty(vm->request, 0, VIRTIO_MSG_GET_DEVICE_INFO, vm->dev_num);
	len = vmsg_transfer(vm, len);
	if (len >= 0)
		xvm_msg_get_device_info(vm->answer, vm->dialect, info);
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
		dev_err(parent, "device %u: config size %u or %llu feature bits above the limits %u, %u\n",
			vm->dev_num, info->config_size, (unsigned long long)info->num_feature_bits,
			VMSG_MAX_CONFIG, VMSG_MAX_FEATURE_BITS);
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

/* -- Status and features -- */

/* Bits that nobody asked for would have the virtio core warn, or skip a step. */
static void take_status(struct vmsg_device *vm)
{
	u32 status = xvm_msg_get_u32(vm->answer);

	vm->status = (u8)status & (vm->asked | VIRTIO_CONFIG_S_NEEDS_RESET);
	if (status & VIRTIO_CONFIG_S_NEEDS_RESET)
		vmsg_note_needs_reset(vm);
}

/* Caller holds vm->lock. Returns 0 or a negative error. */
static int ask_status(struct vmsg_device *vm)
{
	int len;

	len = xvm_msg_put_empty(vm->request, 0, VIRTIO_MSG_GET_DEVICE_STATUS, vm->dev_num);
	len = vmsg_transfer(vm, len);
	return len < 0 ? len : 0;
}

/* Where the device cannot be asked it is what was so before. */
static u8 vmsg_get_status(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	u8 status;
	int err;

	mutex_lock(&vm->lock);
	err = ask_status(vm);
	if (!err)
		take_status(vm);
	status = vm->status | (READ_ONCE(vm->needs_reset) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
	mutex_unlock(&vm->lock);
	if (err)
		vmsg_say_failed(vm, "reading the status", err);
	return status;
}

/* Caller holds vm->lock. Returns 0 or a negative error. */
static int send_status(struct vmsg_device *vm, u8 status)
{
	int len;

	len = xvm_msg_put_u32(vm->request, 0, VIRTIO_MSG_SET_DEVICE_STATUS, vm->dev_num, status);
	len = vmsg_transfer(vm, len);
	if (len < 0)
		return len;
	vm->asked = status;
	return 0;
}

static void vmsg_set_status(struct virtio_device *vdev, u8 status)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	int err;

	mutex_lock(&vm->lock);
	err = send_status(vm, status);
	if (!err)
		take_status(vm);
	mutex_unlock(&vm->lock);
	/* FAILED is said on the way out of a probe that has had its line already. */
	if (err && !(status & VIRTIO_CONFIG_S_FAILED))
		vmsg_say_failed(vm, "setting the status", err);
	if (err && (status & VIRTIO_CONFIG_S_DRIVER_OK))
		vmsg_device_break(vm);
}

/* A status other than 0 behind SET_DEVICE_STATUS 0: the reset goes on, and is asked after. */
static int poll_reset(struct vmsg_device *vm)
{
	unsigned long deadline = jiffies + (vm->reset_seconds ?: VMSG_RESET_SECONDS) * HZ;
	unsigned int ms;
	int err;

	for (ms = 1; xvm_msg_get_u32(vm->answer); ms = min(2 * ms, 100u)) {
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
		msleep(ms);
		err = ask_status(vm);
		if (err)
			return err;
	}
	return 0;
}

static int send_reset(struct vmsg_device *vm)
{
	int err = send_status(vm, 0);

	if (err || !xvm_msg_get_u32(vm->answer))
		return err;
	return vmsg_rules(vm)->reset_polled ? poll_reset(vm) : -EPROTO;
}

/*
 * Status 0 comes when the device has let go of all memory. If it does not
 * (the device is gone, the bus is gone, time is up) the device is lost: it
 * gets no more requests, and its memory is kept until Xen says it is free.
 */
void vmsg_reset(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	int err;

	mutex_lock(&vm->lock);
	err = send_reset(vm);
	if (err) {
		if (!vm->lost)
			vmsg_say_failed(vm, "reset", err);
		vm->lost = true;
	}
	vm->status = 0;
	WRITE_ONCE(vm->needs_reset, false);
	mutex_unlock(&vm->lock);
	if (err)
		vmsg_device_break(vm);
	vm->ops->synchronize(vm);
}

static u64 vmsg_get_features(struct virtio_device *vdev)
{
	struct vmsg_device *vm = to_vmsg_device(vdev);
	u32 blocks = DIV_ROUND_UP(min_t(u64, vm->info.num_feature_bits, 64), 32);
	struct xvm_msg_features m = { 0 };
	u64 features = 0;
	int err;

	mutex_lock(&vm->lock);
	err = vmsg_transfer(vm, xvm_msg_put_get_features(vm->request, vm->dev_num, 0, blocks));
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
		vmsg_say_failed(vm, "reading the features", err);
	return features & ~unsupported_features & ~(packed ? 0 : BIT_ULL(VIRTIO_F_RING_PACKED));
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
	bool ring_reset = __virtio_test_bit(vdev, VIRTIO_F_RING_RESET);
	u32 words[2];
	int err;

	vring_transport_features(vdev);
	/* Not a matter of the ring code, which clears it. */
	if (ring_reset)
		__virtio_set_bit(vdev, VIRTIO_F_RING_RESET);
	vdev->features &= ~unsupported_features;
	err = check_features(vm);
	if (err)
		return err;
	words[0] = lower_32_bits(vdev->features);
	words[1] = upper_32_bits(vdev->features);
	mutex_lock(&vm->lock);
	err = xvm_msg_put_features(vm->request, VIRTIO_MSG_SET_DRIVER_FEATURES, vm->dev_num, 0, 2,
				   words);
	err = vmsg_transfer(vm, err);
	mutex_unlock(&vm->lock);
	if (err < 0)
		vmsg_say_failed(vm, "setting the features", err);
	return err < 0 ? err : 0;
}

/* -- The table -- */

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
	.get = vmsg_config_get,
	.set = vmsg_config_set,
	.generation = vmsg_config_generation,
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
	.disable_vq_and_reset = vmsg_disable_vq_and_reset,
	.enable_vq_after_reset = vmsg_enable_vq_after_reset,
};

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
		vmsg_say_failed(vm, "GET_DEVICE_INFO", err);
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
	/* unregister_virtio_device drops the first reference; this one is vmsg_device_put's. */
	get_device(&vm->vdev.dev);
	set_live(vm, true);
	return 0;
}

void vmsg_device_unregister(struct vmsg_device *vm)
{
	set_live(vm, false);
	unregister_virtio_device(&vm->vdev);
}
