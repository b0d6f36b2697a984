// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration space over GET_CONFIG and SET_CONFIG: in chunks that fit
 * a message, consistent by the generation, with a bound on every repetition.
 */
#include <linux/module.h>

#include "virtio_msg_priv.h"

/* One message's worth, at most chunk_max(). Caller holds vm->lock. */
static int get_chunk(struct vmsg_device *vm, u32 offset, u8 *buf, u32 bytes)
{
	struct xvm_msg_config m;
	int len;

	len = vmsg_transfer(vm, xvm_msg_put_get_config(vm->request, vm->dev_num, offset, bytes));
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

void vmsg_config_get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
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
		vmsg_say_failed(vm, "reading the configuration", err);
	}
}

/*
 * -EAGAIN: refused, presumably because the configuration changed since we
 * read it; the answer says the generation to use. Where generations are not
 * checked it is a refusal for good. Caller holds vm->lock.
 */
static int set_chunk(struct vmsg_device *vm, u32 offset, const u8 *buf, u32 bytes)
{
	struct xvm_msg_config m = {
		.generation = vmsg_rules(vm)->generation_checked ? vm->generation : 0,
		.offset = offset,
		.length = bytes,
		.data = buf,
	};
	u32 sent = xvm_msg_put_config(vm->request, VIRTIO_MSG_SET_CONFIG, vm->dev_num, &m);
	int len = vmsg_transfer(vm, sent);

	if (len < 0)
		return len;
	if (xvm_msg_get_config(vm->answer, len, true, &m) || m.offset != offset)
		return -EPROTO;
	vm->generation = m.generation;
	if (m.length == bytes)
		return 0;
	return vmsg_rules(vm)->generation_checked ? -EAGAIN : -EINVAL;
}

static int set_chunk_retried(struct vmsg_device *vm, u32 offset, const u8 *buf, u32 bytes)
{
	int err = -EAGAIN, tries;

	for (tries = 0; err == -EAGAIN && tries < VMSG_MAX_RETRIES; tries++)
		err = set_chunk(vm, offset, buf, bytes);
	return err;
}

void vmsg_config_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
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
		vmsg_say_failed(vm, "writing the configuration", err);
}

/*
 * Drivers read again until this stands still; a device whose generation never
 * does would hold them for ever, so after a few rounds it does.
 */
u32 vmsg_config_generation(struct virtio_device *vdev)
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
