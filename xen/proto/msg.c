// SPDX-License-Identifier: MIT
#include "msg.h"

#define BUS VIRTIO_MSG_TYPE_BUS

static u8 *payload(u8 *buf)
{
	return buf + VIRTIO_MSG_HDR_BYTES;
}

static const u8 *cpayload(const u8 *buf)
{
	return buf + VIRTIO_MSG_HDR_BYTES;
}

/* Header of a message with this many payload bytes; returns the whole length. */
static u32 begin(u8 *buf, u8 type, u8 id, u16 dev_num, u32 payload_bytes)
{
	struct xvm_hdr hdr = {
		.type = type,
		.id = id,
		.dev_num = dev_num,
		.size = (u16)(VIRTIO_MSG_HDR_BYTES + payload_bytes),
	};

	xvm_frame_put_hdr(buf, &hdr);
	return hdr.size;
}

void xvm_msg_finish(u8 *buf, bool response, u16 token)
{
	buf[VIRTIO_MSG_HDR_TYPE] = (u8)((buf[VIRTIO_MSG_HDR_TYPE] & BUS) |
					(response ? VIRTIO_MSG_TYPE_RESPONSE : 0));
	xvm_put16(buf + VIRTIO_MSG_HDR_TOKEN, token);
}

u32 xvm_msg_put_empty(u8 *buf, u8 type, u8 id, u16 dev_num)
{
	return begin(buf, type, id, dev_num, 0);
}

u32 xvm_msg_put_u32(u8 *buf, u8 type, u8 id, u16 dev_num, u32 value)
{
	xvm_put32(payload(buf), value);
	return begin(buf, type, id, dev_num, 4);
}

u32 xvm_msg_get_u32(const u8 *buf)
{
	return xvm_get32(cpayload(buf));
}

static bool is_draft(enum xvm_dialect dialect)
{
	return dialect == XVM_DIALECT_DRAFT2026;
}

static u32 put_device_info_draft(u8 *buf, u16 dev_num, const struct xvm_msg_device_info *m)
{
	u8 *p = payload(buf);

	memcpy(p + 8, m->uuid, VIRTIO_MSG_UUID_BYTES);
	xvm_put32(p + 24, (u32)((m->num_feature_bits + 31) >> 5));
	xvm_put32(p + 28, m->config_size);
	xvm_put32(p + 32, m->max_virtqueues);
	xvm_put32(p + 36, m->admin_vq_start);
	xvm_put32(p + 40, m->admin_vq_count);
	return begin(buf, 0, VIRTIO_MSG_GET_DEVICE_INFO, dev_num, 44);
}

u32 xvm_msg_put_device_info(u8 *buf, enum xvm_dialect dialect, u16 dev_num,
			    const struct xvm_msg_device_info *m)
{
	u8 *p = payload(buf);

	xvm_put32(p, m->device_id);
	xvm_put32(p + 4, m->vendor_id);
	if (is_draft(dialect))
		return put_device_info_draft(buf, dev_num, m);
	xvm_put32(p + 8, (u32)m->num_feature_bits);
	xvm_put32(p + 12, m->config_size);
	xvm_put32(p + 16, m->max_virtqueues);
	xvm_put16(p + 20, (u16)m->admin_vq_start);
	xvm_put16(p + 22, (u16)m->admin_vq_count);
	return begin(buf, 0, VIRTIO_MSG_GET_DEVICE_INFO, dev_num, 24);
}

void xvm_msg_get_device_info(const u8 *buf, enum xvm_dialect dialect,
			     struct xvm_msg_device_info *m)
{
	const u8 *p = cpayload(buf);

	memset(m, 0, sizeof(*m));
	m->device_id = xvm_get32(p);
	m->vendor_id = xvm_get32(p + 4);
	if (is_draft(dialect)) {
		memcpy(m->uuid, p + 8, VIRTIO_MSG_UUID_BYTES);
		m->num_feature_bits = (u64)xvm_get32(p + 24) << 5;
		m->config_size = xvm_get32(p + 28);
		m->max_virtqueues = xvm_get32(p + 32);
		m->admin_vq_start = xvm_get32(p + 36);
		m->admin_vq_count = xvm_get32(p + 40);
		return;
	}
	m->num_feature_bits = xvm_get32(p + 8);
	m->config_size = xvm_get32(p + 12);
	m->max_virtqueues = xvm_get32(p + 16);
	m->admin_vq_start = xvm_get16(p + 20);
	m->admin_vq_count = xvm_get16(p + 22);
}

u32 xvm_msg_put_get_features(u8 *buf, u16 dev_num, u32 block_index, u32 num_blocks)
{
	return xvm_msg_put_features(buf, VIRTIO_MSG_GET_DEVICE_FEATURES, dev_num, block_index,
				    num_blocks, NULL);
}

u32 xvm_msg_put_features(u8 *buf, u8 id, u16 dev_num, u32 block_index, u32 num_blocks,
			 const u32 *words)
{
	u8 *p = payload(buf);
	u32 i, n = words ? num_blocks : 0;

	xvm_put32(p, block_index);
	xvm_put32(p + 4, num_blocks);
	for (i = 0; i < n; i++)
		xvm_put32(p + VIRTIO_MSG_FEATURES_FIXED + 4 * i, words[i]);
	return begin(buf, 0, id, dev_num, VIRTIO_MSG_FEATURES_FIXED + 4 * n);
}

int xvm_msg_get_features(const u8 *buf, u32 len, bool with_blocks, struct xvm_msg_features *m)
{
	const u8 *p = cpayload(buf);
	u32 room = (len - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_FEATURES_FIXED) / 4;

	m->block_index = xvm_get32(p);
	m->num_blocks = xvm_get32(p + 4);
	m->blocks = with_blocks ? p + VIRTIO_MSG_FEATURES_FIXED : NULL;
	return with_blocks && m->num_blocks > room ? -EPROTO : 0;
}

u32 xvm_msg_put_get_config(u8 *buf, u16 dev_num, u32 offset, u32 length)
{
	xvm_put32(payload(buf), offset);
	xvm_put32(payload(buf) + 4, length);
	return begin(buf, 0, VIRTIO_MSG_GET_CONFIG, dev_num, 8);
}

void xvm_msg_get_get_config(const u8 *buf, u32 *offset, u32 *length)
{
	*offset = xvm_get32(cpayload(buf));
	*length = xvm_get32(cpayload(buf) + 4);
}

u32 xvm_msg_put_config(u8 *buf, u8 id, u16 dev_num, const struct xvm_msg_config *m)
{
	u8 *p = payload(buf);
	u32 n = m->data ? m->length : 0;

	xvm_put32(p, m->generation);
	xvm_put32(p + 4, m->offset);
	xvm_put32(p + 8, m->length);
	memcpy(p + VIRTIO_MSG_CONFIG_FIXED, m->data ? m->data : p, n);
	return begin(buf, 0, id, dev_num, VIRTIO_MSG_CONFIG_FIXED + n);
}

int xvm_msg_get_config(const u8 *buf, u32 len, bool data_optional, struct xvm_msg_config *m)
{
	const u8 *p = cpayload(buf);
	u32 room = len - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_CONFIG_FIXED;

	m->generation = xvm_get32(p);
	m->offset = xvm_get32(p + 4);
	m->length = xvm_get32(p + 8);
	m->data = m->length && room >= m->length ? p + VIRTIO_MSG_CONFIG_FIXED : NULL;
	return m->length > room && !(data_optional && !room) ? -EPROTO : 0;
}

static void put_addrs(u8 *p, const struct xvm_msg_vqueue *m)
{
	xvm_put64(p, m->desc_addr);
	xvm_put64(p + 8, m->driver_addr);
	xvm_put64(p + 16, m->device_addr);
}

static void get_addrs(const u8 *p, struct xvm_msg_vqueue *m)
{
	m->desc_addr = xvm_get64(p);
	m->driver_addr = xvm_get64(p + 8);
	m->device_addr = xvm_get64(p + 16);
}

/* Here and in SET_VQUEUE what is a flags word in the draft is reserved in pr28. */
u32 xvm_msg_put_vqueue(u8 *buf, enum xvm_dialect dialect, u16 dev_num,
		       const struct xvm_msg_vqueue *m)
{
	u8 *p = payload(buf);

	xvm_put32(p, m->index);
	xvm_put32(p + 4, m->max_size);
	xvm_put32(p + 8, m->size);
	xvm_put32(p + 12, is_draft(dialect) ? m->flags : 0);
	put_addrs(p + 16, m);
	return begin(buf, 0, VIRTIO_MSG_GET_VQUEUE, dev_num, 40);
}

void xvm_msg_get_vqueue(const u8 *buf, enum xvm_dialect dialect, struct xvm_msg_vqueue *m)
{
	const u8 *p = cpayload(buf);

	memset(m, 0, sizeof(*m));
	m->index = xvm_get32(p);
	m->max_size = xvm_get32(p + 4);
	m->size = xvm_get32(p + 8);
	m->flags = is_draft(dialect) ? xvm_get32(p + 12) : 0;
	get_addrs(p + 16, m);
}

u32 xvm_msg_put_set_vqueue(u8 *buf, enum xvm_dialect dialect, u16 dev_num,
			   const struct xvm_msg_vqueue *m)
{
	u8 *p = payload(buf);

	xvm_put32(p, m->index);
	xvm_put32(p + 4, is_draft(dialect) ? m->flags : 0);
	xvm_put32(p + 8, m->size);
	xvm_put32(p + 12, is_draft(dialect) ? m->reserved : 0);
	put_addrs(p + 16, m);
	return begin(buf, 0, VIRTIO_MSG_SET_VQUEUE, dev_num, 40);
}

void xvm_msg_get_set_vqueue(const u8 *buf, enum xvm_dialect dialect, struct xvm_msg_vqueue *m)
{
	const u8 *p = cpayload(buf);

	memset(m, 0, sizeof(*m));
	m->index = xvm_get32(p);
	m->size = xvm_get32(p + 8);
	get_addrs(p + 16, m);
	if (is_draft(dialect)) {
		m->flags = xvm_get32(p + 4);
		m->reserved = xvm_get32(p + 12);
	}
}

u32 xvm_msg_put_shm(u8 *buf, enum xvm_dialect dialect, u16 dev_num, const struct xvm_msg_shm *m)
{
	u8 *p = payload(buf);
	bool fits = !((m->length | m->address) >> 32);

	xvm_put32(p, m->index);
	if (is_draft(dialect)) {
		xvm_put32(p + 4, 0);
		xvm_put64(p + 8, m->length);
		xvm_put64(p + 16, m->address);
		return begin(buf, 0, VIRTIO_MSG_GET_SHM, dev_num, 24);
	}
	xvm_put32(p + 4, fits ? (u32)m->length : 0);
	xvm_put32(p + 8, fits ? (u32)m->address : 0);
	return begin(buf, 0, VIRTIO_MSG_GET_SHM, dev_num, 12);
}

void xvm_msg_get_shm(const u8 *buf, enum xvm_dialect dialect, struct xvm_msg_shm *m)
{
	const u8 *p = cpayload(buf);

	m->index = xvm_get32(p);
	m->length = is_draft(dialect) ? xvm_get64(p + 8) : xvm_get32(p + 4);
	m->address = is_draft(dialect) ? xvm_get64(p + 16) : xvm_get32(p + 8);
}

u32 xvm_msg_put_event_config(u8 *buf, u16 dev_num, const struct xvm_msg_event_config *m)
{
	u8 *p = payload(buf);
	u32 n = m->data ? m->length : 0;

	xvm_put32(p, m->device_status);
	xvm_put32(p + 4, m->generation);
	xvm_put32(p + 8, m->offset);
	xvm_put32(p + 12, m->length);
	memcpy(p + VIRTIO_MSG_EVENT_CONFIG_FIXED, m->data ? m->data : p, n);
	return begin(buf, 0, VIRTIO_MSG_EVENT_CONFIG, dev_num, VIRTIO_MSG_EVENT_CONFIG_FIXED + n);
}

int xvm_msg_get_event_config(const u8 *buf, u32 len, struct xvm_msg_event_config *m)
{
	const u8 *p = cpayload(buf);
	u32 room = len - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_EVENT_CONFIG_FIXED;

	m->device_status = xvm_get32(p);
	m->generation = xvm_get32(p + 4);
	m->offset = xvm_get32(p + 8);
	m->length = xvm_get32(p + 12);
	m->data = m->length && room >= m->length ? p + VIRTIO_MSG_EVENT_CONFIG_FIXED : NULL;
	return room && m->length > room ? -EPROTO : 0;
}

u32 xvm_msg_put_event_avail(u8 *buf, u16 dev_num, const struct xvm_msg_event_avail *m)
{
	xvm_put32(payload(buf), m->vq_index);
	xvm_put32(payload(buf) + 4, m->next_offset);
	return begin(buf, 0, VIRTIO_MSG_EVENT_AVAIL, dev_num, 8);
}

void xvm_msg_get_event_avail(const u8 *buf, struct xvm_msg_event_avail *m)
{
	m->vq_index = xvm_get32(cpayload(buf));
	m->next_offset = xvm_get32(cpayload(buf) + 4);
}

u32 xvm_msg_put_get_devices(u8 *buf, u16 offset, u16 count)
{
	xvm_put16(payload(buf), offset);
	xvm_put16(payload(buf) + 2, count);
	return begin(buf, BUS, VIRTIO_BUS_MSG_GET_DEVICES, 0, 4);
}

void xvm_msg_get_get_devices(const u8 *buf, u16 *offset, u16 *count)
{
	*offset = xvm_get16(cpayload(buf));
	*count = xvm_get16(cpayload(buf) + 2);
}

u32 xvm_msg_put_devices(u8 *buf, enum xvm_dialect dialect, const struct xvm_msg_get_devices *m)
{
	u8 *p = payload(buf);
	u32 n = (m->count + 7u) / 8u;

	xvm_put16(p, m->offset);
	xvm_put16(p + 2, is_draft(dialect) ? m->next_offset : m->count);
	xvm_put16(p + 4, is_draft(dialect) ? m->count : m->next_offset);
	memcpy(p + VIRTIO_MSG_GET_DEVICES_FIXED, m->bitmap ? m->bitmap : p, n);
	return begin(buf, BUS, VIRTIO_BUS_MSG_GET_DEVICES, 0, VIRTIO_MSG_GET_DEVICES_FIXED + n);
}

int xvm_msg_get_devices(const u8 *buf, enum xvm_dialect dialect, u32 len,
			struct xvm_msg_get_devices *m)
{
	const u8 *p = cpayload(buf);
	u32 room = len - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_GET_DEVICES_FIXED;

	m->offset = xvm_get16(p);
	m->count = xvm_get16(is_draft(dialect) ? p + 4 : p + 2);
	m->next_offset = xvm_get16(is_draft(dialect) ? p + 2 : p + 4);
	m->bitmap = p + VIRTIO_MSG_GET_DEVICES_FIXED;
	if (m->count & 7 && !is_draft(dialect))
		return -EPROTO;
	return (m->count + 7u) / 8u > room ? -EPROTO : 0;
}

u32 xvm_msg_put_event_device(u8 *buf, u16 dev_num, u16 state)
{
	xvm_put16(payload(buf), dev_num);
	xvm_put16(payload(buf) + 2, state);
	return begin(buf, BUS, VIRTIO_BUS_MSG_EVENT_DEVICE, 0, 4);
}

void xvm_msg_get_event_device(const u8 *buf, struct xvm_msg_event_device *m)
{
	m->dev_num = xvm_get16(cpayload(buf));
	m->state = xvm_get16(cpayload(buf) + 2);
}

u32 xvm_msg_put_area_add(u8 *buf, const struct xvm_msg_area_add *m)
{
	u8 *p = payload(buf);
	u32 i;

	xvm_put16(p, m->id);
	xvm_put16(p + 2, m->scope);
	xvm_put32(p + 4, m->flags);
	xvm_put32(p + 8, m->npages);
	xvm_put16(p + 12, m->first_byte);
	xvm_put16(p + 14, m->ndirs);
	for (i = 0; i < m->ndirs; i++)
		xvm_put32(p + 16 + 4 * i, m->dir_ref[i]);
	return begin(buf, BUS, XVM_BUS_MSG_AREA_ADD, 0, 16 + 4u * m->ndirs);
}

int xvm_msg_get_area_add(const u8 *buf, u32 len, struct xvm_msg_area_add *m)
{
	const u8 *p = cpayload(buf);
	u32 i;

	memset(m, 0, sizeof(*m));
	m->id = xvm_get16(p);
	m->scope = xvm_get16(p + 2);
	m->flags = xvm_get32(p + 4);
	m->npages = xvm_get32(p + 8);
	m->first_byte = xvm_get16(p + 12);
	m->ndirs = xvm_get16(p + 14);
	if (m->ndirs > XVM_AREA_MAX_DIRS || VIRTIO_MSG_HDR_BYTES + 16 + 4u * m->ndirs != len)
		return -EPROTO;
	for (i = 0; i < m->ndirs; i++)
		m->dir_ref[i] = xvm_get32(p + 16 + 4 * i);
	return 0;
}

u16 xvm_area_add_check(const struct xvm_msg_area_add *m)
{
	if (m->id < XVM_AREA_ID_MIN || m->id > XVM_AREA_ID_MAX || m->flags || m->first_byte)
		return XVM_STATUS_INVALID;
	if (!m->npages || m->npages > XVM_AREA_MAX_PAGES)
		return XVM_STATUS_INVALID;
	if (m->ndirs != (m->npages + XVM_AREA_REFS_PER_DIR - 1) / XVM_AREA_REFS_PER_DIR)
		return XVM_STATUS_INVALID;
	return XVM_STATUS_OK;
}

u32 xvm_msg_put_area_status(u8 *buf, u8 id, const struct xvm_msg_area_status *m)
{
	u8 *p = payload(buf);

	xvm_put16(p, m->id);
	xvm_put16(p + 2, m->status);
	if (id != XVM_BUS_MSG_AREA_ADD)
		return begin(buf, BUS, id, 0, 4);
	xvm_put32(p + 4, m->limit);
	return begin(buf, BUS, id, 0, 8);
}

void xvm_msg_get_area_status(const u8 *buf, u8 id, struct xvm_msg_area_status *m)
{
	const u8 *p = cpayload(buf);

	m->id = xvm_get16(p);
	m->status = xvm_get16(p + 2);
	m->limit = id == XVM_BUS_MSG_AREA_ADD ? xvm_get32(p + 4) : 0;
}

u32 xvm_msg_put_number(u8 *buf, u8 id, u16 number)
{
	xvm_put16(payload(buf), number);
	xvm_put16(payload(buf) + 2, 0);
	return begin(buf, BUS, id, 0, 4);
}

u16 xvm_msg_get_number(const u8 *buf)
{
	return xvm_get16(cpayload(buf));
}

u32 xvm_msg_put_keep_queue(u8 *buf, const struct xvm_msg_keep_queue *m)
{
	u8 *p = payload(buf);

	xvm_put16(p, m->dev_num);
	xvm_put16(p + 2, m->flags);
	xvm_put32(p + 4, m->index);
	return begin(buf, BUS, XVM_BUS_MSG_KEEP_QUEUE, 0, 8);
}

void xvm_msg_get_keep_queue(const u8 *buf, struct xvm_msg_keep_queue *m)
{
	const u8 *p = cpayload(buf);

	m->dev_num = xvm_get16(p);
	m->flags = xvm_get16(p + 2);
	m->index = xvm_get32(p + 4);
}

u32 xvm_msg_put_request_failed(u8 *buf, const struct xvm_msg_request_failed *m)
{
	u8 *p = payload(buf);

	xvm_put16(p, m->dev_num);
	xvm_put16(p + 2, m->token);
	p[4] = m->type;
	p[5] = m->id;
	xvm_put16(p + 6, m->reason);
	return begin(buf, BUS, XVM_BUS_MSG_REQUEST_FAILED, 0, 8);
}

void xvm_msg_get_request_failed(const u8 *buf, struct xvm_msg_request_failed *m)
{
	const u8 *p = cpayload(buf);

	m->dev_num = xvm_get16(p);
	m->token = xvm_get16(p + 2);
	m->type = p[4];
	m->id = p[5];
	m->reason = xvm_get16(p + 6);
}
