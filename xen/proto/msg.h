/* SPDX-License-Identifier: MIT */
/*
 * Host-order structs of the message payloads, and their encoding. Encoders
 * write a whole message but for type and token, which the sender's bus fills
 * in (xvm_msg_finish), and return its length; buf holds at least max_msg
 * bytes of the connection, or the fixed length of the message. Decoders take a
 * message that xvm_frame_check accepted and return 0, or -EPROTO when its
 * length fields contradict the message's length. Where dialects lay a message
 * out otherwise both take the dialect; a field that a dialect does not carry
 * is decoded as zero, and not encoded.
 */
#ifndef XVM_PROTO_MSG_H
#define XVM_PROTO_MSG_H

#include "frame.h"

struct xvm_msg_device_info {
	u32 device_id, vendor_id;
	u64 num_feature_bits;		/* draft2026: blocks of 32 */
	u32 config_size, max_virtqueues;
	u32 admin_vq_start, admin_vq_count;
	u8 uuid[VIRTIO_MSG_UUID_BYTES];	/* draft2026; all zero: none */
};

/* GET_DEVICE_FEATURES and SET_DRIVER_FEATURES; blocks: le32 words in the message, or NULL */
struct xvm_msg_features {
	u32 block_index, num_blocks;
	const u8 *blocks;
};

/* GET_CONFIG, SET_CONFIG; data: length bytes in the message, or NULL when there are none */
struct xvm_msg_config {
	u32 generation, offset, length;
	const u8 *data;
};

struct xvm_msg_vqueue {
	u32 index, max_size, size;
	u64 desc_addr, driver_addr, device_addr;
	u32 flags;		/* draft2026: VIRTIO_MSG_VQ_* */
	u32 reserved;		/* draft2026, SET_VQUEUE: not zero is for the device to refuse */
};

struct xvm_msg_shm {
	u32 index;
	u64 length, address;	/* pr28: a region beyond 32 bits is encoded as none */
};

struct xvm_msg_event_config {
	u32 device_status, generation, offset, length;
	const u8 *data;		/* NULL: not included, length still names the range */
};

struct xvm_msg_event_avail {
	u32 vq_index, next_offset;
};

struct xvm_msg_get_devices {
	u16 offset, count, next_offset;
	const u8 *bitmap;	/* answer: count bits; draft2026: any number of them */
};

struct xvm_msg_event_device {
	u16 dev_num, state;
};

struct xvm_msg_area_add {
	u16 id, scope;
	u32 flags, npages;
	u16 first_byte, ndirs;
	u32 dir_ref[XVM_AREA_MAX_DIRS];
};

struct xvm_msg_area_status {
	u16 id, status;
	u32 limit;		/* AREA_ADD: with NO_SPACE the pages still to be had */
};

struct xvm_msg_keep_queue {
	u16 dev_num, flags;	/* XVM_KEEP_* */
	u32 index;
};

struct xvm_msg_request_failed {
	u16 dev_num, token;
	u8 type, id;
	u16 reason;
};

/* Sets type and token of an encoded message. */
void xvm_msg_finish(u8 *buf, bool response, u16 token);

/* A message without payload: GET_DEVICE_INFO and GET_DEVICE_STATUS requests, empty answers. */
u32 xvm_msg_put_empty(u8 *buf, u8 type, u8 id, u16 dev_num);
/* A message with one le32: GET_VQUEUE, RESET_VQUEUE, GET_SHM requests, status, PING, EVENT_USED. */
u32 xvm_msg_put_u32(u8 *buf, u8 type, u8 id, u16 dev_num, u32 value);
u32 xvm_msg_get_u32(const u8 *buf);

u32 xvm_msg_put_device_info(u8 *buf, enum xvm_dialect dialect, u16 dev_num,
			    const struct xvm_msg_device_info *m);
void xvm_msg_get_device_info(const u8 *buf, enum xvm_dialect dialect,
			     struct xvm_msg_device_info *m);

u32 xvm_msg_put_get_features(u8 *buf, u16 dev_num, u32 block_index, u32 num_blocks);
/* words: num_blocks host-order words; GET answer or SET request as id says */
u32 xvm_msg_put_features(u8 *buf, u8 id, u16 dev_num, u32 block_index, u32 num_blocks,
			 const u32 *words);
int xvm_msg_get_features(const u8 *buf, u32 len, bool with_blocks, struct xvm_msg_features *m);

u32 xvm_msg_put_get_config(u8 *buf, u16 dev_num, u32 offset, u32 length);
void xvm_msg_get_get_config(const u8 *buf, u32 *offset, u32 *length);
/* GET_CONFIG answer, SET_CONFIG request or answer; m->data NULL: no data bytes follow */
u32 xvm_msg_put_config(u8 *buf, u8 id, u16 dev_num, const struct xvm_msg_config *m);
/*
 * Data shorter than length is -EPROTO, but an answer to SET_CONFIG (data
 * optional) may carry none: then m->data is NULL.
 */
int xvm_msg_get_config(const u8 *buf, u32 len, bool data_optional, struct xvm_msg_config *m);

/* GET_VQUEUE answer */
u32 xvm_msg_put_vqueue(u8 *buf, enum xvm_dialect dialect, u16 dev_num,
		       const struct xvm_msg_vqueue *m);
void xvm_msg_get_vqueue(const u8 *buf, enum xvm_dialect dialect, struct xvm_msg_vqueue *m);
u32 xvm_msg_put_set_vqueue(u8 *buf, enum xvm_dialect dialect, u16 dev_num,
			   const struct xvm_msg_vqueue *m);
void xvm_msg_get_set_vqueue(const u8 *buf, enum xvm_dialect dialect, struct xvm_msg_vqueue *m);

u32 xvm_msg_put_shm(u8 *buf, enum xvm_dialect dialect, u16 dev_num, const struct xvm_msg_shm *m);
void xvm_msg_get_shm(const u8 *buf, enum xvm_dialect dialect, struct xvm_msg_shm *m);

u32 xvm_msg_put_event_config(u8 *buf, u16 dev_num, const struct xvm_msg_event_config *m);
int xvm_msg_get_event_config(const u8 *buf, u32 len, struct xvm_msg_event_config *m);
u32 xvm_msg_put_event_avail(u8 *buf, u16 dev_num, const struct xvm_msg_event_avail *m);
void xvm_msg_get_event_avail(const u8 *buf, struct xvm_msg_event_avail *m);

u32 xvm_msg_put_get_devices(u8 *buf, u16 offset, u16 count);
void xvm_msg_get_get_devices(const u8 *buf, u16 *offset, u16 *count);
u32 xvm_msg_put_devices(u8 *buf, enum xvm_dialect dialect, const struct xvm_msg_get_devices *m);
int xvm_msg_get_devices(const u8 *buf, enum xvm_dialect dialect, u32 len,
			struct xvm_msg_get_devices *m);
u32 xvm_msg_put_event_device(u8 *buf, u16 dev_num, u16 state);
void xvm_msg_get_event_device(const u8 *buf, struct xvm_msg_event_device *m);

u32 xvm_msg_put_area_add(u8 *buf, const struct xvm_msg_area_add *m);
/* -EPROTO unless ndirs fits the length; the rules of the fields are xvm_area_add_check's. */
int xvm_msg_get_area_add(const u8 *buf, u32 len, struct xvm_msg_area_add *m);
/* XVM_STATUS_OK or XVM_STATUS_INVALID: id, flags, counts and their agreement. */
u16 xvm_area_add_check(const struct xvm_msg_area_add *m);
u32 xvm_msg_put_area_status(u8 *buf, u8 id, const struct xvm_msg_area_status *m);
void xvm_msg_get_area_status(const u8 *buf, u8 id, struct xvm_msg_area_status *m);
/* AREA_DEL, RELEASE_DEVICE, QUIESCE and RESUME requests: one number */
u32 xvm_msg_put_number(u8 *buf, u8 id, u16 number);
u16 xvm_msg_get_number(const u8 *buf);
u32 xvm_msg_put_keep_queue(u8 *buf, const struct xvm_msg_keep_queue *m);
void xvm_msg_get_keep_queue(const u8 *buf, struct xvm_msg_keep_queue *m);
u32 xvm_msg_put_request_failed(u8 *buf, const struct xvm_msg_request_failed *m);
void xvm_msg_get_request_failed(const u8 *buf, struct xvm_msg_request_failed *m);

#endif
