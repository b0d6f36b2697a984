/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of vhost-user as its front-end sees them (QEMU's
 * docs/interop/vhost-user.rst): one table row per request of either side,
 * structs in host order, encoding, decoding, and the checks that need no
 * context. No I/O, no state. Symbols of this folder's vhost-user files carry vu_.
 *
 * Numbers are of the machine's own byte order, as the document has it.
 */
#ifndef XVM_DOM0_REMOTE_VHOST_USER_MSG_H
#define XVM_DOM0_REMOTE_VHOST_USER_MSG_H

#include "../../xen/proto/plat.h"

#define VU_HDR_BYTES 12u
#define VU_MAX_REGIONS 8u
#define VU_MAX_CONFIG 256u
#define VU_MAX_FDS 8u		/* in one message: a memory table has one per region */
/* The largest payload: a memory table with Xen's fields. */
#define VU_MAX_PAYLOAD (8u + 40u * VU_MAX_REGIONS)

/* flags of a header */
#define VU_VERSION 1u
#define VU_VERSION_MASK 3u
#define VU_REPLY 4u
#define VU_NEED_REPLY 8u

/* A feature bit that says "protocol features are known here"; it never reaches a driver. */
#define VU_F_PROTOCOL_FEATURES (1ull << 30)
#define VU_F_LOG_ALL (1ull << 26)
#define VU_F_NET_MTU (1ull << 3)

/* protocol features */
#define VU_P_MQ (1ull << 0)
#define VU_P_RARP (1ull << 2)
#define VU_P_REPLY_ACK (1ull << 3)
#define VU_P_NET_MTU (1ull << 4)
#define VU_P_BACKEND_REQ (1ull << 5)
#define VU_P_CONFIG (1ull << 9)
#define VU_P_BACKEND_SEND_FD (1ull << 10)
#define VU_P_HOST_NOTIFIER (1ull << 11)
#define VU_P_INFLIGHT_SHMFD (1ull << 12)
#define VU_P_RESET_DEVICE (1ull << 13)
#define VU_P_INBAND_NOTIFICATIONS (1ull << 14)
#define VU_P_CONFIGURE_MEM_SLOTS (1ull << 15)
#define VU_P_STATUS (1ull << 16)
#define VU_P_XEN_MMAP (1ull << 17)

/* requests of the front-end */
enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES,
	VU_SET_OWNER,
	VU_RESET_OWNER,
	VU_SET_MEM_TABLE,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR,
	VU_SET_VRING_BASE,
	VU_GET_VRING_BASE,
	VU_SET_VRING_KICK,
	VU_SET_VRING_CALL,
	VU_SET_VRING_ERR,
	VU_GET_PROTOCOL_FEATURES,
	VU_SET_PROTOCOL_FEATURES,
	VU_GET_QUEUE_NUM,
	VU_SET_VRING_ENABLE,		/* never sent, see vhost_user_steps.c */
	VU_SEND_RARP,
	VU_NET_SET_MTU,
	VU_SET_BACKEND_REQ_FD,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD,
	VU_RESET_DEVICE = 34,
	VU_VRING_KICK,
	VU_GET_MAX_MEM_SLOTS,
	VU_ADD_MEM_REG,
	VU_REM_MEM_REG,
	VU_SET_STATUS,
	VU_GET_STATUS,
};

/* requests of the back-end, on a socket of their own */
enum vu_back_request {
	VU_BACK_IOTLB = 1,
	VU_BACK_CONFIG_CHANGE,
	VU_BACK_HOST_NOTIFIER,
	VU_BACK_VRING_CALL,
	VU_BACK_VRING_ERR,
};

/* Whose requests: which table a message is looked up in. */
enum vu_side { VU_FRONT, VU_BACK };

enum vu_payload {
	VU_NONE,
	VU_U64,
	VU_STATE,
	VU_ADDR,
	VU_MEMORY,
	VU_REGION,
	VU_CONFIG,
	VU_AREA,
	VU_INFLIGHT,
	VU_ANY,			/* read over: its meaning is not ours */
};

struct vu_row {
	u32 request;
	const char *name;
	enum vu_payload payload;
	bool replies;			/* has an answer of its own, */
	enum vu_payload reply;		/* which is this */
	u8 min_fds, max_fds;		/* that go with it */
	u8 reply_fds;			/* that may come with the answer */
	u64 needs;			/* the protocol feature without which it is not sent */
};

/* NULL: not known here. */
const struct vu_row *vu_row(enum vu_side side, u32 request);

struct vu_region {
	u64 guest_addr, bytes, user_addr, mmap_off;
	u32 xen_flags, domid;		/* only with XEN_MMAP */
};

/* in the payload of SET_VRING_KICK, CALL and ERR, above the index */
#define VU_NO_FD (1ull << 8)
#define VU_INDEX_MASK 0xffull

struct vu_msg {
	u32 request, flags;
	union {
		u64 u64;
		struct { u32 index, num; } state;
		struct { u32 index, flags; u64 desc, used, avail, log; } addr;
		struct { u32 count; struct vu_region region[VU_MAX_REGIONS]; } memory;
		struct vu_region region;
		struct { u32 off, bytes, flags; u8 data[VU_MAX_CONFIG]; } config;
		struct { u64 index_flags, bytes, off; } area;
		struct { u64 bytes, off; u16 queues, queue_size; } inflight;
	};
};

/*
 * Writes header and payload of a request of ours, or with reply the answer to
 * one of the back-end's; returns the bytes. xen: regions have Xen's two fields.
 * The message is our own, so it fits.
 */
u32 vu_encode(u8 to[VU_HDR_BYTES + VU_MAX_PAYLOAD], const struct vu_msg *msg, enum vu_payload payload, bool xen);

struct vu_header {
	u32 request, flags, bytes;
};

void vu_decode_header(const u8 from[VU_HDR_BYTES], struct vu_header *header);

/*
 * What is wrong with the header of an answer to request, or of a request of the
 * back-end's, in one word of ours; NULL: nothing. acked: it is the
 * acknowledgement that NEED_REPLY asked for.
 */
const char *vu_check_reply(const struct vu_header *header, const struct vu_row *row, bool acked);
const char *vu_check_request(const struct vu_header *header);

/* Takes a payload of header->bytes bytes, whose header was checked. False: its fields break a rule. */
bool vu_decode(const struct vu_header *header, enum vu_payload payload, const u8 *from, struct vu_msg *msg);

#endif
