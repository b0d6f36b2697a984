/* SPDX-License-Identifier: MIT */
/*
 * The common header, and the stateless check of a whole message: is this a
 * message that its sender may send in this dialect, at this length? What the
 * payload means is the handler's business. Works on a private copy only.
 */
#ifndef XVM_PROTO_FRAME_H
#define XVM_PROTO_FRAME_H

#include "msgtab.h"

struct xvm_hdr {
	u8 type;	/* reserved bits already masked */
	u8 id;
	u16 dev_num;
	u16 token;	/* owned by the bus; see docs/protocol.md, "Tokens" */
	u16 size;
};

/* Why a message is malformed; it is discarded in silence and counted by reason. */
enum xvm_frame_fault {
	XVM_FRAME_OK,
	XVM_FRAME_SHORT,	/* less than a header */
	XVM_FRAME_SIZE,		/* msg_size is not the length of the record */
	XVM_FRAME_TOO_LONG,	/* above the connection's maximum */
	XVM_FRAME_UNKNOWN,	/* no such message in this dialect */
	XVM_FRAME_DIRECTION,	/* not for this side to send, or an answer to an event */
	XVM_FRAME_LENGTH,	/* outside the bounds of its table row */
	XVM_FRAME_DEV_NUM,	/* a bus message with a device number */
	XVM_FRAME_FAULTS
};

const char *xvm_frame_fault_name(enum xvm_frame_fault fault);

/*
 * Checks buf[0..len) as sent by one side. On XVM_FRAME_OK hdr and row are set;
 * on any other fault hdr is set as far as the header was there.
 */
enum xvm_frame_fault xvm_frame_check(enum xvm_dialect dialect, enum xvm_side sender, u32 max_msg,
				     const u8 *buf, u32 len, struct xvm_hdr *hdr,
				     const struct xvm_msg_row **row);

/* Writes a header; size is the whole message. */
void xvm_frame_put_hdr(u8 *buf, const struct xvm_hdr *hdr);

#endif
