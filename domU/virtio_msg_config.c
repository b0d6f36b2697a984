// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration space over GET_CONFIG and SET_CONFIG: in chunks that fit
 * a message, consistent by the generation, with a bound on every repetition.
 */
#include <linux/module.h>

#include "virtio_msg_priv.h"

/* -- The newest generation: of the last answer, or of an event that came after it -- */

/* Caller is about to send a request whose answer has the generation; returns the newest seen. */
static u32 before_answer(struct vmsg_device *vm)
{
	unsigned long flags;
	u32 generation;

	spin_lock_irqsave(&vm->vq_lock, flags);
	vm->gen_event = false;
	generation = vm->generation;
	spin_unlock_irqrestore(&vm->vq_lock, flags);
	return generation;
}

/*
 * Events are taken in interrupts, answers by who waits for them: an event that
 * came since the request was made may be older than the answer, or newer.
 */
static void take_generation(struct vmsg_device *vm, u32 generation)
{
	unsigned long flags;

	spin_lock_irqsave(&vm->vq_lock, flags);
	if (!vm->gen_event || (s32)(generation - vm->generation) > 0)
		vm->generation = generation;
	vm->gen_known = true;
	spin_unlock_irqrestore(&vm->vq_lock, flags);
}

/* -- Reading -- */

/*
 * One message's worth, at most chunk_max(); no buf: the data is of no interest.
 * Caller holds vm->lock.
 */
static int get_chunk(struct vmsg_device *vm, u32 offset, u8 *buf, u32 bytes, u32 *generation)
{
	struct xvm_msg_config m;
	int len;

	before_answer(vm);
	len = vmsg_transfer(vm, xvm_msg_put_get_config(vm->request, vm->dev_num, offset, bytes));
	if (len < 0)
		return len;
	if (xvm_msg_get_config(vm->answer, len, false, &m) || m.offset != offset ||
	    m.length != bytes)
		return -EPROTO;
	if (buf)
		memcpy(buf, m.data, bytes);
	take_generation(vm, m.generation);
	*generation = m.generation;
	return 0;
}

static u32 chunk_max(struct vmsg_device *vm)
{
	return vm->max_message - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_CONFIG_FIXED;
}

/* All chunks once; -EAGAIN when the generation moved between them. */
static int get_once(struct vmsg_device *vm, u32 offset, u8 *buf, u32 bytes)
{
	u32 first = 0, generation, done, n;
	int err;

	for (done = 0; done < bytes; done += n) {
		n = min(bytes - done, chunk_max(vm));
		err = get_chunk(vm, offset + done, buf + done, n, &generation);
		if (err)
			return err;
		if (!done)
			first = generation;
		else if (generation != first)
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

/* -- Writing -- */

/*
 * -EAGAIN: refused, presumably because the configuration changed since we
 * read it. Where generations are not checked it is a refusal for good. Caller
 * holds vm->lock.
 */
static int set_chunk(struct vmsg_device *vm, u32 offset, const u8 *buf, u32 bytes)
{
	u32 generation = before_answer(vm);
	struct xvm_msg_config m = {
		.generation = vmsg_rules(vm)->generation_checked ? generation : 0,
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
	take_generation(vm, m.generation);
	if (m.length == bytes)
		return 0;
	return vmsg_rules(vm)->generation_checked ? -EAGAIN : -EINVAL;
}

/* Nothing is written at a generation that was never seen, and after a refusal it is read anew. */
static int set_chunk_retried(struct vmsg_device *vm, u32 offset, const u8 *buf, u32 bytes)
{
	bool read_first = vmsg_rules(vm)->generation_checked && !READ_ONCE(vm->gen_known);
	int err = -EAGAIN, tries;
	u32 generation;

	for (tries = 0; err == -EAGAIN && tries < VMSG_MAX_RETRIES; tries++) {
		err = read_first ? get_chunk(vm, offset, NULL, bytes, &generation) : 0;
		if (!err)
			err = set_chunk(vm, offset, buf, bytes);
		read_first = true;
	}
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
	u32 told, generation = READ_ONCE(vm->generation);

	mutex_lock(&vm->lock);
	if (generation == vm->gen_told)
		vm->gen_changes = 0;
	else if (++vm->gen_changes <= VMSG_MAX_RETRIES)
		vm->gen_told = generation;
	told = vm->gen_told;
	mutex_unlock(&vm->lock);
	return told;
}
