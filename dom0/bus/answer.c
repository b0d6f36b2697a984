// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transport messages: each is decoded, put to the device, and answered by one
 * short function. Lengths are good already (xvm_frame_check); what the fields
 * mean is the device's to judge. Where dialects want something else of the
 * device, bus->rules says so. Readings where the texts leave a choice are in
 * docs/protocol.md, sections 7 and 14.
 */
#include "bus_priv.h"
#include "../base/log.h"
#include "../../include/xvmsg/xenbus.h"

#define VENDOR_ID 0x584d5658u	/* "XVMX" */
/* More than any driver asks for; a longer request is cut. */
#define MAX_FEATURE_BLOCKS 62u

void answer_empty(struct bus_num *n, const u8 *msg)
{
	bus_answer(n->bus, msg,
		   xvm_msg_put_empty(n->bus->out, 0, msg[VIRTIO_MSG_HDR_ID], n->num));
}

static void answer_u32(struct bus_num *n, const u8 *msg, u32 value)
{
	bus_answer(n->bus, msg,
		   xvm_msg_put_u32(n->bus->out, 0, msg[VIRTIO_MSG_HDR_ID], n->num, value));
}

void answer_status(struct bus_num *n, const u8 *msg)
{
	answer_u32(n, msg, n->vdev->status);
}

static enum answer get_device_info(struct bus_num *n, const u8 *msg, u32 len)
{
	const struct xvm_vdev *vdev = n->vdev;
	struct xvm_msg_device_info m = {
		.device_id = vdev->device_id,
		.vendor_id = VENDOR_ID,
		.num_feature_bits = xvm_vdev_feature_bits(vdev),
		.config_size = vdev->config_bytes,
		.max_virtqueues = vdev->num_vqs,
	};

	(void)len;
	bus_answer(n->bus, msg, xvm_msg_put_device_info(n->bus->out, n->bus->dialect, n->num,
							&m));
	return ANSWER_DONE;
}

static u32 feature_block(const struct bus_num *n, u32 block)
{
	return n->bus->rules->acked_is_shown ? xvm_vdev_features(n->vdev, block) :
					       xvm_vdev_offered(n->vdev, block);
}

static enum answer get_device_features(struct bus_num *n, const u8 *msg, u32 len)
{
	u32 fit = (n->bus->link.max_message - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_FEATURES_FIXED) / 4;
	u32 words[MAX_FEATURE_BLOCKS], i;
	struct xvm_msg_features m;

	if (xvm_msg_get_features(msg, len, false, &m))
		return ANSWER_MALFORMED;
	if (fit > MAX_FEATURE_BLOCKS)
		fit = MAX_FEATURE_BLOCKS;
	if (m.num_blocks > fit)
		m.num_blocks = fit;
	for (i = 0; i < m.num_blocks; i++)
		/* block_index + i may wrap: blocks that far up are zero as well */
		words[i] = m.block_index + i < i ? 0 : feature_block(n, m.block_index + i);
	bus_answer(n->bus, msg,
		   xvm_msg_put_features(n->bus->out, VIRTIO_MSG_GET_DEVICE_FEATURES, n->num,
					m.block_index, m.num_blocks, words));
	return ANSWER_DONE;
}

static enum answer set_driver_features(struct bus_num *n, const u8 *msg, u32 len)
{
	struct xvm_msg_features m;
	u32 i, word;

	if (xvm_msg_get_features(msg, len, true, &m))
		return ANSWER_MALFORMED;
	for (i = 0; i < m.num_blocks && m.block_index + i >= i; i++) {
		word = xvm_get32(m.blocks + 4 * i);
		xvm_vdev_set_features(n->vdev, m.block_index + i, 1, &word);
	}
	answer_empty(n, msg);
	return ANSWER_DONE;
}

static enum answer get_config(struct bus_num *n, const u8 *msg, u32 len)
{
	u32 fit = n->bus->link.max_message - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_CONFIG_FIXED;
	struct xvm_msg_config m = { .generation = n->vdev->generation };
	u8 data[sizeof(n->vdev->config)];

	(void)len;
	xvm_msg_get_get_config(msg, &m.offset, &m.length);
	/* The range is bounded before anything is copied: config_read checks it again. */
	if (m.length <= fit && m.length <= sizeof(data) &&
	    xvm_vdev_config_read(n->vdev, m.offset, m.length, data))
		m.data = data;
	else
		m.length = 0;
	bus_answer(n->bus, msg, xvm_msg_put_config(n->bus->out, VIRTIO_MSG_GET_CONFIG, n->num, &m));
	return ANSWER_DONE;
}

static void put_config(struct bus_num *n, const u8 *msg, struct xvm_msg_config *m)
{
	if (!m->length || !n->bus->rules->config_echoed)
		m->data = NULL;
	m->generation = n->vdev->generation;
	bus_answer(n->bus, msg, xvm_msg_put_config(n->bus->out, VIRTIO_MSG_SET_CONFIG, n->num, m));
}

/* It was decoded before. */
void answer_config(struct bus_num *n, const u8 *msg, u32 len)
{
	struct xvm_msg_config m;

	if (!xvm_msg_get_config(msg, len, false, &m))
		put_config(n, msg, &m);
}

static enum answer set_config(struct bus_num *n, const u8 *msg, u32 len)
{
	const struct xvm_dialect_rules *rules = n->bus->rules;
	struct xvm_msg_config m;

	if (xvm_msg_get_config(msg, len, false, &m))
		return ANSWER_MALFORMED;
	if (!rules->generation_checked)
		m.generation = n->vdev->generation;
	/* All of it is applied, or nothing. */
	if (!m.data || !xvm_vdev_config_write(n->vdev, m.generation, m.offset, m.length, m.data))
		m.length = 0;
	if (m.length && n->vdev->config_waits) {
		n->op = BUS_OP_CONFIG;
		return ANSWER_LATER;
	}
	put_config(n, msg, &m);
	return ANSWER_DONE;
}

static enum answer get_device_status(struct bus_num *n, const u8 *msg, u32 len)
{
	(void)len;
	answer_status(n, msg);
	return ANSWER_DONE;
}

static enum answer set_device_status(struct bus_num *n, const u8 *msg, u32 len)
{
	u32 status = xvm_msg_get_u32(msg);

	(void)len;
	if (status) {
		answer_u32(n, msg, xvm_vdev_set_status(n->vdev, status));
		keep_tell(n);
		return ANSWER_DONE;
	}
	/* What queues and status had to tell is void; a change of the configuration is not. */
	n->owe_used = 0;
	n->again = 0;
	n->owe_config = n->vdev->config_news;
	if (!xvm_vdev_begin_reset(n->vdev)) {
		n->op = BUS_OP_RESET;
		if (!n->bus->rules->reset_polled)
			return ANSWER_LATER;
		/* The status is what it was, so not 0, until the reset is complete. */
		answer_status(n, msg);
		return ANSWER_DONE;
	}
	answer_status(n, msg);
	bus_ready(n);	/* a device that is leaving goes now */
	return ANSWER_DONE;
}

static enum answer get_vqueue(struct bus_num *n, const u8 *msg, u32 len)
{
	struct xvm_msg_vqueue m = { .index = xvm_msg_get_u32(msg) };
	const struct xvm_vq *vq = xvm_vdev_vq(n->vdev, m.index);

	(void)len;
	if (vq) {
		m.max_size = vq->max_size;
		m.size = vq->config.size;
		m.desc_addr = vq->config.desc;
		m.driver_addr = vq->config.driver;
		m.device_addr = vq->config.device;
		m.flags = vq->enabled ? VIRTIO_MSG_VQ_ENABLED : 0;
	}
	bus_answer(n->bus, msg, xvm_msg_put_vqueue(n->bus->out, n->bus->dialect, n->num, &m));
	return ANSWER_DONE;
}

/*
 * SET_VQUEUE with flags: takes what they do not leave alone, then enables if
 * they say so; nothing of it if anything is wrong. That includes a queue that
 * is enabled, of which all that may be asked is to stay as it is.
 */
static int update_vqueue(struct bus_num *n, const struct xvm_msg_vqueue *m)
{
	u32 state = m->flags & VIRTIO_MSG_VQ_STATE;
	const struct xvm_vq *vq = xvm_vdev_vq(n->vdev, m->index);
	struct xvm_vq_config config;

	if (!vq || m->reserved || state > VIRTIO_MSG_VQ_KEEP ||
	    m->flags & ~(VIRTIO_MSG_VQ_STATE | VIRTIO_MSG_VQ_IGNORES))
		return 0;
	config = vq->config;
	if (!(m->flags & VIRTIO_MSG_VQ_NO_SIZE))
		config.size = m->size;
	if (!(m->flags & VIRTIO_MSG_VQ_NO_DESC))
		config.desc = m->desc_addr;
	if (!(m->flags & VIRTIO_MSG_VQ_NO_DRIVER))
		config.driver = m->driver_addr;
	if (!(m->flags & VIRTIO_MSG_VQ_NO_DEVICE))
		config.device = m->device_addr;
	return xvm_vdev_update_vq(n->vdev, m->index, &config, state == VIRTIO_MSG_VQ_ENABLE);
}

static enum answer set_vqueue(struct bus_num *n, const u8 *msg, u32 len)
{
	const struct xvm_vq *vq;
	struct xvm_vq_config config;
	struct xvm_msg_vqueue m;
	int err;

	(void)len;
	xvm_msg_get_set_vqueue(msg, n->bus->dialect, &m);
	config.size = m.size;
	config.desc = m.desc_addr;
	config.driver = m.driver_addr;
	config.device = m.device_addr;
	/* There is no error field: GET_VQUEUE tells what became of it. */
	if (n->bus->rules->vq_flags)
		err = update_vqueue(n, &m);
	else
		err = xvm_vdev_set_vq(n->vdev, m.index, &config);
	if (err == -EINVAL) {
		vq = xvm_vdev_vq(n->vdev, m.index);
		log_warn("device %u: queue %u cannot be set up: %s (0x%x)", n->num, m.index,
			 vq->fault, vq->fault_value);
	}
	keep_tell(n);
	answer_empty(n, msg);
	return ANSWER_DONE;
}

static enum answer reset_vqueue(struct bus_num *n, const u8 *msg, u32 len)
{
	u32 index = xvm_msg_get_u32(msg);
	bool may = !n->bus->rules->vq_reset_negotiated ||
		   xvm_vdev_negotiated(n->vdev, XVM_F_RING_RESET);

	(void)len;
	if (may && !xvm_vdev_begin_vq_reset(n->vdev, index)) {
		n->op = BUS_OP_VQ_RESET;
		return ANSWER_LATER;
	}
	answer_empty(n, msg);
	return ANSWER_DONE;
}

/*
 * The le32 of pr28 cannot hold a bus address. It has the area's id in bits
 * 30..24 and the page in the area below: regions begin on a page.
 */
static u32 shm_address(u64 addr)
{
	return xvm_addr_area(addr) << XVM_SHM_AREA_SHIFT |
	       (u32)(xvm_addr_offset(addr) / XVM_PAGE_BYTES);
}

static enum answer get_shm(struct bus_num *n, const u8 *msg, u32 len)
{
	struct xvm_msg_shm m = { .index = xvm_msg_get_u32(msg) };
	struct xvm_vdev_shm shm = xvm_vdev_shm(n->vdev, m.index);

	(void)len;
	if (shm.length) {
		m.length = shm.length;
		m.address = n->bus->rules->shm_by_page ? shm_address(shm.addr) : shm.addr;
	}
	bus_answer(n->bus, msg, xvm_msg_put_shm(n->bus->out, n->bus->dialect, n->num, &m));
	return ANSWER_DONE;
}

static enum answer (*const handlers[])(struct bus_num *n, const u8 *msg, u32 len) = {
	[VIRTIO_MSG_GET_DEVICE_INFO] = get_device_info,
	[VIRTIO_MSG_GET_DEVICE_FEATURES] = get_device_features,
	[VIRTIO_MSG_SET_DRIVER_FEATURES] = set_driver_features,
	[VIRTIO_MSG_GET_CONFIG] = get_config,
	[VIRTIO_MSG_SET_CONFIG] = set_config,
	[VIRTIO_MSG_GET_DEVICE_STATUS] = get_device_status,
	[VIRTIO_MSG_SET_DEVICE_STATUS] = set_device_status,
	[VIRTIO_MSG_GET_VQUEUE] = get_vqueue,
	[VIRTIO_MSG_SET_VQUEUE] = set_vqueue,
	[VIRTIO_MSG_RESET_VQUEUE] = reset_vqueue,
	[VIRTIO_MSG_GET_SHM] = get_shm,
};

enum answer answer_transport(struct bus_num *n, const u8 *msg, u32 len)
{
	u8 id = msg[VIRTIO_MSG_HDR_ID];

	if (id >= XVM_ARRAY_SIZE(handlers) || !handlers[id])
		return ANSWER_MALFORMED;
	return handlers[id](n, msg, len);
}
