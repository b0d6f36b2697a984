// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_user_msg.h"

#define INFLIGHT_BYTES 20u	/* as the document has it; */
#define INFLIGHT_PADDED 24u	/* as QEMU's and everybody's C structure has it, and expects it */

static const struct vu_row front_rows[] = {
	{ VU_GET_FEATURES, "GET_FEATURES", VU_NONE, true, VU_U64, 0, 0, 0, 0 },
	{ VU_SET_FEATURES, "SET_FEATURES", VU_U64, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_SET_OWNER, "SET_OWNER", VU_NONE, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_SET_MEM_TABLE, "SET_MEM_TABLE", VU_MEMORY, false, VU_NONE, 1, VU_MAX_FDS, 0, 0 },
	{ VU_SET_VRING_NUM, "SET_VRING_NUM", VU_STATE, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_SET_VRING_ADDR, "SET_VRING_ADDR", VU_ADDR, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_SET_VRING_BASE, "SET_VRING_BASE", VU_STATE, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_GET_VRING_BASE, "GET_VRING_BASE", VU_STATE, true, VU_STATE, 0, 0, 0, 0 },
	{ VU_SET_VRING_KICK, "SET_VRING_KICK", VU_U64, false, VU_NONE, 0, 1, 0, 0 },
	{ VU_SET_VRING_CALL, "SET_VRING_CALL", VU_U64, false, VU_NONE, 0, 1, 0, 0 },
	{ VU_SET_VRING_ERR, "SET_VRING_ERR", VU_U64, false, VU_NONE, 0, 1, 0, 0 },
	{ VU_GET_PROTOCOL_FEATURES, "GET_PROTOCOL_FEATURES", VU_NONE, true, VU_U64, 0, 0, 0, 0 },
	{ VU_SET_PROTOCOL_FEATURES, "SET_PROTOCOL_FEATURES", VU_U64, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_GET_QUEUE_NUM, "GET_QUEUE_NUM", VU_NONE, true, VU_U64, 0, 0, 0, VU_P_MQ },
	{ VU_SEND_RARP, "SEND_RARP", VU_U64, false, VU_NONE, 0, 0, 0, VU_P_RARP },
	{ VU_NET_SET_MTU, "NET_SET_MTU", VU_U64, false, VU_NONE, 0, 0, 0, VU_P_NET_MTU },
	{ VU_SET_BACKEND_REQ_FD, "SET_BACKEND_REQ_FD", VU_NONE, false, VU_NONE, 1, 1, 0, VU_P_BACKEND_REQ },
	{ VU_GET_CONFIG, "GET_CONFIG", VU_CONFIG, true, VU_CONFIG, 0, 0, 0, VU_P_CONFIG },
	{ VU_SET_CONFIG, "SET_CONFIG", VU_CONFIG, false, VU_NONE, 0, 0, 0, VU_P_CONFIG },
	{ VU_GET_INFLIGHT_FD, "GET_INFLIGHT_FD", VU_INFLIGHT, true, VU_INFLIGHT, 0, 0, 1, VU_P_INFLIGHT_SHMFD },
	{ VU_SET_INFLIGHT_FD, "SET_INFLIGHT_FD", VU_INFLIGHT, false, VU_NONE, 1, 1, 0, VU_P_INFLIGHT_SHMFD },
	{ VU_RESET_DEVICE, "RESET_DEVICE", VU_NONE, false, VU_NONE, 0, 0, 0, VU_P_RESET_DEVICE },
	{ VU_VRING_KICK, "VRING_KICK", VU_STATE, false, VU_NONE, 0, 0, 0, VU_P_INBAND_NOTIFICATIONS },
	{ VU_GET_MAX_MEM_SLOTS, "GET_MAX_MEM_SLOTS", VU_NONE, true, VU_U64, 0, 0, 0, VU_P_CONFIGURE_MEM_SLOTS },
	{ VU_ADD_MEM_REG, "ADD_MEM_REG", VU_REGION, false, VU_NONE, 1, 1, 0, VU_P_CONFIGURE_MEM_SLOTS },
	{ VU_REM_MEM_REG, "REM_MEM_REG", VU_REGION, false, VU_NONE, 0, 0, 0, VU_P_CONFIGURE_MEM_SLOTS },
	{ VU_SET_STATUS, "SET_STATUS", VU_U64, false, VU_NONE, 0, 0, 0, VU_P_STATUS },
	{ VU_GET_STATUS, "GET_STATUS", VU_NONE, true, VU_U64, 0, 0, 0, VU_P_STATUS },
};

static const struct vu_row back_rows[] = {
	/* Only with VIRTIO_F_ACCESS_PLATFORM, which no server is ever given. */
	{ VU_BACK_IOTLB, "IOTLB_MSG", VU_ANY, false, VU_NONE, 0, 0, 0, 0 },
	{ VU_BACK_CONFIG_CHANGE, "CONFIG_CHANGE_MSG", VU_NONE, false, VU_NONE, 0, 0, 0, VU_P_CONFIG },
	/* A page of a device's registers for the guest: there is no such page between a guest and us. */
	{ VU_BACK_HOST_NOTIFIER, "VRING_HOST_NOTIFIER_MSG", VU_AREA, false, VU_NONE, 0, 1, 0, VU_P_HOST_NOTIFIER },
	{ VU_BACK_VRING_CALL, "VRING_CALL", VU_STATE, false, VU_NONE, 0, 0, 0, VU_P_INBAND_NOTIFICATIONS },
	{ VU_BACK_VRING_ERR, "VRING_ERR", VU_STATE, false, VU_NONE, 0, 0, 0, VU_P_INBAND_NOTIFICATIONS },
};

const struct vu_row *vu_row(enum vu_side side, u32 request)
{
	const struct vu_row *rows = side == VU_FRONT ? front_rows : back_rows;
	size_t i, n = side == VU_FRONT ? XVM_ARRAY_SIZE(front_rows) : XVM_ARRAY_SIZE(back_rows);

	for (i = 0; i < n; i++)
		if (rows[i].request == request)
			return &rows[i];
	return NULL;
}

/* ---- fields, one behind the other ---- */

static u8 *put16(u8 *to, u16 v)
{
	memcpy(to, &v, sizeof(v));
	return to + sizeof(v);
}

static u8 *put32(u8 *to, u32 v)
{
	memcpy(to, &v, sizeof(v));
	return to + sizeof(v);
}

static u8 *put64(u8 *to, u64 v)
{
	memcpy(to, &v, sizeof(v));
	return to + sizeof(v);
}

static u8 *put_region(u8 *to, const struct vu_region *region, bool xen)
{
	to = put64(to, region->guest_addr);
	to = put64(to, region->bytes);
	to = put64(to, region->user_addr);
	to = put64(to, region->mmap_off);
	if (!xen)
		return to;
	to = put32(to, region->xen_flags);
	return put32(to, region->domid);
}

static u8 *put_memory(u8 *to, const struct vu_msg *msg, bool xen)
{
	u32 i;

	to = put32(to, msg->memory.count);
	to = put32(to, 0);
	for (i = 0; i < msg->memory.count; i++)
		to = put_region(to, &msg->memory.region[i], xen);
	return to;
}

static u8 *put_addr(u8 *to, const struct vu_msg *msg)
{
	to = put32(to, msg->addr.index);
	to = put32(to, msg->addr.flags);
	to = put64(to, msg->addr.desc);
	to = put64(to, msg->addr.used);
	to = put64(to, msg->addr.avail);
	return put64(to, msg->addr.log);
}

static u8 *put_config(u8 *to, const struct vu_msg *msg)
{
	to = put32(to, msg->config.off);
	to = put32(to, msg->config.bytes);
	to = put32(to, msg->config.flags);
	memcpy(to, msg->config.data, msg->config.bytes);
	return to + msg->config.bytes;
}

static u8 *put_inflight(u8 *to, const struct vu_msg *msg)
{
	to = put64(to, msg->inflight.bytes);
	to = put64(to, msg->inflight.off);
	to = put16(to, msg->inflight.queues);
	to = put16(to, msg->inflight.queue_size);
	return put32(to, 0);	/* INFLIGHT_PADDED */
}

static u8 *put_payload(u8 *to, const struct vu_msg *msg, enum vu_payload payload, bool xen)
{
	switch (payload) {
	case VU_U64:
		return put64(to, msg->u64);
	case VU_STATE:
		return put32(put32(to, msg->state.index), msg->state.num);
	case VU_ADDR:
		return put_addr(to, msg);
	case VU_MEMORY:
		return put_memory(to, msg, xen);
	case VU_REGION:
		return put_region(put64(to, 0), &msg->region, xen);
	case VU_CONFIG:
		return put_config(to, msg);
	case VU_AREA:
		return put64(put64(put64(to, msg->area.index_flags), msg->area.bytes), msg->area.off);
	case VU_INFLIGHT:
		return put_inflight(to, msg);
	case VU_NONE:
	case VU_ANY:
		break;
	}
	return to;
}

u32 vu_encode(u8 to[VU_HDR_BYTES + VU_MAX_PAYLOAD], const struct vu_msg *msg, enum vu_payload payload, bool xen)
{
	u8 *end = put_payload(to + VU_HDR_BYTES, msg, payload, xen);
	u32 bytes = (u32)(end - to);

	put32(put32(put32(to, msg->request), msg->flags), bytes - VU_HDR_BYTES);
	return bytes;
}

/* ---- what comes ---- */

static u32 get32(const u8 *from)
{
	u32 v;

	memcpy(&v, from, sizeof(v));
	return v;
}

static u64 get64(const u8 *from)
{
	u64 v;

	memcpy(&v, from, sizeof(v));
	return v;
}

void vu_decode_header(const u8 from[VU_HDR_BYTES], struct vu_header *header)
{
	header->request = get32(from);
	header->flags = get32(from + 4);
	header->bytes = get32(from + 8);
}

static bool length_ok(u32 bytes, enum vu_payload payload)
{
	switch (payload) {
	case VU_NONE:
		return !bytes;
	case VU_U64:
	case VU_STATE:
		return bytes == 8;
	case VU_AREA:
		return bytes == 24;
	/* An error is an answer without data, with or without the three fields. */
	case VU_CONFIG:
		return !bytes || (bytes >= 12 && bytes <= 12 + VU_MAX_CONFIG);
	case VU_INFLIGHT:
		return bytes >= INFLIGHT_BYTES && bytes <= INFLIGHT_PADDED;
	case VU_ANY:
		return bytes <= VU_MAX_PAYLOAD;
	case VU_ADDR:
	case VU_MEMORY:
	case VU_REGION:
		break;		/* nobody sends us these */
	}
	return false;
}

static const char *check_version(const struct vu_header *header)
{
	return (header->flags & VU_VERSION_MASK) == VU_VERSION ? NULL : "is of another version than 1";
}

const char *vu_check_reply(const struct vu_header *header, const struct vu_row *row, bool acked)
{
	const char *fault = check_version(header);

	if (fault)
		return fault;
	if (header->request != row->request)
		return "is the answer to another request";
	if (!(header->flags & VU_REPLY))
		return "is no answer";
	return length_ok(header->bytes, acked ? VU_U64 : row->reply) ? NULL : "is of wrong length";
}

const char *vu_check_request(const struct vu_header *header)
{
	const struct vu_row *row = vu_row(VU_BACK, header->request);
	const char *fault = check_version(header);

	if (fault)
		return fault;
	if (header->flags & VU_REPLY)
		return "is an answer to nothing";
	return length_ok(header->bytes, row ? row->payload : VU_ANY) ? NULL : "is of wrong length";
}

static bool get_config(const struct vu_header *header, const u8 *from, struct vu_msg *msg)
{
	msg->config.off = msg->config.bytes = msg->config.flags = 0;
	if (!header->bytes)
		return true;
	msg->config.off = get32(from);
	msg->config.bytes = get32(from + 4);
	msg->config.flags = get32(from + 8);
	/* An error: the fields as they were sent, and no data. */
	if (header->bytes == 12)
		msg->config.bytes = 0;
	if (msg->config.bytes != header->bytes - 12)
		return false;
	memcpy(msg->config.data, from + 12, msg->config.bytes);
	return true;
}

static bool get_inflight(const u8 *from, struct vu_msg *msg)
{
	msg->inflight.bytes = get64(from);
	msg->inflight.off = get64(from + 8);
	memcpy(&msg->inflight.queues, from + 16, 2);
	memcpy(&msg->inflight.queue_size, from + 18, 2);
	return msg->inflight.bytes + msg->inflight.off >= msg->inflight.bytes;
}

bool vu_decode(const struct vu_header *header, enum vu_payload payload, const u8 *from, struct vu_msg *msg)
{
	msg->request = header->request;
	msg->flags = header->flags;
	switch (payload) {
	case VU_U64:
		msg->u64 = get64(from);
		return true;
	case VU_STATE:
		msg->state.index = get32(from);
		msg->state.num = get32(from + 4);
		return true;
	case VU_AREA:
		msg->area.index_flags = get64(from);
		msg->area.bytes = get64(from + 8);
		msg->area.off = get64(from + 16);
		return true;
	case VU_CONFIG:
		return get_config(header, from, msg);
	case VU_INFLIGHT:
		return get_inflight(from, msg);
	case VU_NONE:
	case VU_ANY:
		return true;
	case VU_ADDR:
	case VU_MEMORY:
	case VU_REGION:
		break;
	}
	return false;
}
