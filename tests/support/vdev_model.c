// SPDX-License-Identifier: GPL-2.0-or-later
#include "vdev_model.h"
#include "../../xen/proto/addr.h"

#define S_DRIVER_OK	4u
#define S_FEATURES_OK	8u
#define S_NEEDS_RESET	64u

#define F_VERSION_1	(1ull << 32)
#define F_PLATFORM	(1ull << 33)
#define F_PACKED	(1ull << 34)

#define CONFIG_FIT	(MODEL_MESSAGE - 20)
#define BLOCKS_FIT	((MODEL_MESSAGE - 16) / 4)
#define WINDOW_FIT	((MODEL_MESSAGE - 14) * 8)

enum outcome { DONE, WAIT };

/* ---- queues ---- */

static bool part_fits(const struct model *m, u64 addr, u64 bytes, u64 align)
{
	u64 area = addr >> 40, off = addr & 0xffffffffffull;

	return area < MODEL_AREAS && off % align == 0 && off + bytes <= m->area_bytes[area];
}

static bool queue_fits(const struct model *m, u32 size, const u64 *addr)
{
	u64 n = size;

	if (!size || size > MODEL_QUEUE_MAX)
		return false;
	if (m->acked & F_PACKED)
		return part_fits(m, addr[0], 16 * n, 16) && part_fits(m, addr[1], 4, 4) &&
		       part_fits(m, addr[2], 4, 4);
	return !(size & (size - 1)) && part_fits(m, addr[0], 16 * n, 16) &&
	       part_fits(m, addr[1], 6 + 2 * n, 2) && part_fits(m, addr[2], 6 + 8 * n, 4);
}

static void queue_clear(struct model *m, u32 index)
{
	memset(&m->vq[index], 0, sizeof(m->vq[index]));
}

static bool area_is_used(const struct model *m, u32 id)
{
	u32 i, k;

	for (i = 0; i < MODEL_QUEUES; i++)
		for (k = 0; k < 3; k++)
			if (m->vq[i].size && m->vq[i].addr[k] >> 40 == id)
				return true;
	return false;
}

static u32 sum(const u32 *count)
{
	u32 i, n = 0;

	for (i = 0; i < MODEL_QUEUES; i++)
		n += count[i];
	return n;
}

/* ---- status ---- */

static bool features_agree(const struct model *m)
{
	return !m->asked_unknown && !(m->acked & ~m->offered) && m->acked & F_VERSION_1 &&
	       m->acked & F_PLATFORM;
}

/* In this order; a bit is taken when all of needs is set and none of bars. */
static const struct {
	u32 bit, needs, bars;
	bool (*if_)(const struct model *m);
} status_rules[] = {
	{ 1, 0, 0, NULL },
	{ 2, 0, 0, NULL },
	{ 128, 0, 0, NULL },
	{ S_FEATURES_OK, 0, 0, features_agree },
	{ S_DRIVER_OK, S_FEATURES_OK, S_NEEDS_RESET, NULL },
};

static void status_set(struct model *m, u32 status)
{
	u32 i, bit;

	for (i = 0; i < XVM_ARRAY_SIZE(status_rules); i++) {
		bit = status_rules[i].bit;
		if (!(status & bit) || m->status & bit ||
		    (m->status & status_rules[i].needs) != status_rules[i].needs ||
		    m->status & status_rules[i].bars ||
		    (status_rules[i].if_ && !status_rules[i].if_(m)))
			continue;
		m->status |= bit;
		if (bit != S_DRIVER_OK)
			continue;
		/* The format is known now: what was set up before must fit it. */
		for (u32 q = 0; q < MODEL_QUEUES; q++)
			if (!queue_fits(m, m->vq[q].size, m->vq[q].addr))
				queue_clear(m, q);
	}
}

static void reset(struct model *m)
{
	u32 i;

	for (i = 0; i < MODEL_QUEUES; i++) {
		queue_clear(m, i);
		m->in_flight[i] = 0;
	}
	m->status = 0;
	m->acked = 0;
	m->chosen[0] = m->chosen[1] = m->asked_unknown = false;
}

/* ---- a handler per message: writes the answer, or waits ---- */

static enum outcome device_info(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	struct xvm_msg_device_info info = {
		.device_id = m->device_id, .vendor_id = m->vendor_id, .num_feature_bits = 64,
		.config_size = MODEL_CONFIG, .max_virtqueues = MODEL_QUEUES,
	};

	(void)msg, (void)len;
	xvm_msg_put_device_info(out, XVM_DIALECT_PR28, m->num, &info);
	return DONE;
}

static u32 feature_word(const struct model *m, u64 block)
{
	u64 set;

	if (block > 1)
		return 0;
	set = m->status & S_FEATURES_OK || m->chosen[block] ? m->acked : m->offered;
	return (u32)(set >> 32 * block);
}

static enum outcome get_features(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	u32 words[BLOCKS_FIT], i, first = xvm_get32(msg + 8), n = xvm_get32(msg + 12);

	(void)len;
	if (n > BLOCKS_FIT)
		n = BLOCKS_FIT;
	for (i = 0; i < n; i++)
		words[i] = feature_word(m, (u64)first + i);
	xvm_msg_put_features(out, VIRTIO_MSG_GET_DEVICE_FEATURES, m->num, first, n, words);
	return DONE;
}

static enum outcome set_features(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	u64 block = xvm_get32(msg + 8);
	u32 i, word, n = xvm_get32(msg + 12);

	(void)len;
	xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_DRIVER_FEATURES, m->num);
	if (m->status & S_FEATURES_OK)
		return DONE;
	for (i = 0; i < n; i++, block++) {
		word = xvm_get32(msg + 16 + 4 * i);
		if (block > 1) {
			m->asked_unknown |= word && block <= 0xffffffff;
			continue;
		}
		m->acked = block ? (m->acked & 0xffffffff) | (u64)word << 32 :
				   (m->acked & ~0xffffffffull) | word;
		m->chosen[block] = true;
	}
	return DONE;
}

static enum outcome get_config(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	struct xvm_msg_config c = { m->generation, xvm_get32(msg + 8), xvm_get32(msg + 12), NULL };

	(void)len;
	if (c.length > CONFIG_FIT || (u64)c.offset + c.length > MODEL_CONFIG)
		c.length = 0;
	else
		c.data = m->config + c.offset;
	xvm_msg_put_config(out, VIRTIO_MSG_GET_CONFIG, m->num, &c);
	return DONE;
}

static enum outcome set_config(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	struct xvm_msg_config c = { xvm_get32(msg + 8), xvm_get32(msg + 12), xvm_get32(msg + 16),
				    NULL };

	(void)len;
	if (c.generation == m->generation && c.length && c.offset >= MODEL_WRITABLE &&
	    (u64)c.offset + c.length <= MODEL_CONFIG)
		memcpy(m->config + c.offset, msg + 20, c.length);
	else
		c.length = 0;
	c.generation = m->generation;
	xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, m->num, &c);
	return DONE;
}

static enum outcome get_status(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	(void)msg, (void)len;
	xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, m->num, m->status);
	return DONE;
}

static enum outcome set_status(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	u32 status = xvm_msg_get_u32(msg);

	(void)len;
	/* A reset makes moot that one is needed; when it has waited it has said so already. */
	if (!status && !m->blocked)
		m->owes_config = m->news;
	if (status)
		status_set(m, status);
	else if (sum(m->started))
		return WAIT;
	else
		reset(m);
	xvm_msg_put_u32(out, 0, VIRTIO_MSG_SET_DEVICE_STATUS, m->num, m->status);
	return DONE;
}

static enum outcome get_vqueue(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	struct xvm_msg_vqueue v = { .index = xvm_msg_get_u32(msg) };

	(void)len;
	if (v.index < MODEL_QUEUES) {
		v.max_size = MODEL_QUEUE_MAX;
		v.size = m->vq[v.index].size;
		v.desc_addr = m->vq[v.index].addr[0];
		v.driver_addr = m->vq[v.index].addr[1];
		v.device_addr = m->vq[v.index].addr[2];
	}
	xvm_msg_put_vqueue(out, XVM_DIALECT_PR28, m->num, &v);
	return DONE;
}

static enum outcome set_vqueue(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	struct xvm_msg_vqueue v;
	u64 addr[3];

	(void)len;
	xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_VQUEUE, m->num);
	xvm_msg_get_set_vqueue(msg, XVM_DIALECT_PR28, &v);
	if (v.index >= MODEL_QUEUES || m->in_flight[v.index])
		return DONE;
	addr[0] = v.desc_addr;
	addr[1] = v.driver_addr;
	addr[2] = v.device_addr;
	queue_clear(m, v.index);
	if (!queue_fits(m, v.size, addr))
		return DONE;
	m->vq[v.index].size = v.size;
	memcpy(m->vq[v.index].addr, addr, sizeof(addr));
	return DONE;
}

static enum outcome reset_vqueue(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	u32 index = xvm_msg_get_u32(msg);

	(void)len;
	xvm_msg_put_empty(out, 0, VIRTIO_MSG_RESET_VQUEUE, m->num);
	if (index >= MODEL_QUEUES)
		return DONE;
	if (m->started[index])
		return WAIT;
	queue_clear(m, index);
	m->in_flight[index] = 0;
	return DONE;
}

static enum outcome get_shm(struct model *m, const u8 *msg, u32 len, u8 *out)
{
	struct xvm_msg_shm s = { .index = xvm_msg_get_u32(msg) };

	(void)len;
	xvm_msg_put_shm(out, XVM_DIALECT_PR28, m->num, &s);
	return DONE;
}

static enum outcome area_del(struct model *m, const u8 *msg, bool waited, u8 *out)
{
	struct xvm_msg_area_status s = { .id = xvm_msg_get_number(msg) };

	if (s.id >= MODEL_AREAS || !m->area_bytes[s.id])
		s.status = XVM_STATUS_NO_AREA;
	else if (!waited && area_is_used(m, s.id))
		s.status = XVM_STATUS_BUSY;
	else if (sum(m->in_flight))
		return WAIT;
	else
		m->area_bytes[s.id] = 0;
	xvm_msg_put_area_status(out, XVM_BUS_MSG_AREA_DEL, &s);
	return DONE;
}

static enum outcome (*const handlers[])(struct model *m, const u8 *msg, u32 len, u8 *out) = {
	[VIRTIO_MSG_GET_DEVICE_INFO] = device_info,
	[VIRTIO_MSG_GET_DEVICE_FEATURES] = get_features,
	[VIRTIO_MSG_SET_DRIVER_FEATURES] = set_features,
	[VIRTIO_MSG_GET_CONFIG] = get_config,
	[VIRTIO_MSG_SET_CONFIG] = set_config,
	[VIRTIO_MSG_GET_DEVICE_STATUS] = get_status,
	[VIRTIO_MSG_SET_DEVICE_STATUS] = set_status,
	[VIRTIO_MSG_GET_VQUEUE] = get_vqueue,
	[VIRTIO_MSG_SET_VQUEUE] = set_vqueue,
	[VIRTIO_MSG_RESET_VQUEUE] = reset_vqueue,
	[VIRTIO_MSG_GET_SHM] = get_shm,
};

/* ---- the lane ---- */

static enum outcome answer(struct model *m, const struct model_request *req, bool waited)
{
	struct model_request *a = &m->answers[m->n_answers];
	enum outcome outcome;

	if (req->msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS)
		outcome = area_del(m, req->msg, waited, a->msg);
	else
		outcome = handlers[req->msg[VIRTIO_MSG_HDR_ID]](m, req->msg, req->len, a->msg);
	if (outcome == WAIT)
		return WAIT;
	xvm_msg_finish(a->msg, true, xvm_get16(req->msg + VIRTIO_MSG_HDR_TOKEN));
	a->len = xvm_get16(a->msg + VIRTIO_MSG_HDR_SIZE);
	m->n_answers++;
	return DONE;
}

void model_run(struct model *m)
{
	while (m->n_waiting) {
		if (answer(m, &m->waiting[0], m->blocked) == WAIT) {
			m->blocked = true;
			return;
		}
		m->blocked = false;
		m->n_waiting--;
		memmove(&m->waiting[0], &m->waiting[1], m->n_waiting * sizeof(m->waiting[0]));
	}
}

void model_request(struct model *m, const u8 *msg, u32 len)
{
	struct model_request *req = &m->waiting[m->n_waiting++];

	memcpy(req->msg, msg, len);
	req->len = len;
	if (!m->blocked)
		model_run(m);
}

void model_broke(struct model *m)
{
	m->status |= S_NEEDS_RESET;
	m->owes_config = true;
}

void model_config_changed(struct model *m)
{
	m->generation++;
	m->owes_config = m->news = true;
}

u32 model_get_devices(const struct model *m, const u8 *msg, u8 *out)
{
	u8 bitmap[WINDOW_FIT / 8] = { 0 };
	struct xvm_msg_get_devices d = { .bitmap = bitmap };
	u32 count;

	xvm_msg_get_get_devices(msg, &d.offset, &d.count);
	count = d.count;
	if (d.offset % 8 || count % 8)
		count = 0;
	if (count > WINDOW_FIT)
		count = WINDOW_FIT;
	if (count > 65536u - d.offset)
		count = 65536u - d.offset;
	if (count && m->num >= d.offset && m->num < d.offset + count)
		bitmap[(m->num - d.offset) / 8] = (u8)(1 << m->num % 8);
	else if (count && m->num >= d.offset)
		d.next_offset = m->num & ~7;
	d.count = (u16)count;
	return xvm_msg_put_devices(out, XVM_DIALECT_PR28, &d);
}
