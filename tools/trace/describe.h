/* SPDX-License-Identifier: MIT */
/*
 * A message taken apart into named fields, and these as a line of text or as
 * JSON. The message is hostile: what xvm_frame_check refuses is described by
 * its fault and its bytes, and nothing but numbers, hexadecimal and words of our
 * own is ever printed.
 */
#ifndef XVM_TOOLS_TRACE_DESCRIBE_H
#define XVM_TOOLS_TRACE_DESCRIBE_H

#include <stdio.h>
#include "../../xen/proto/msg.h"

enum xvm_field_kind {
	XVM_FIELD_NUMBER,
	XVM_FIELD_HEX,		/* a number that people read in hexadecimal */
	XVM_FIELD_STATUS,	/* device status: text also names the bits */
	XVM_FIELD_WORD,		/* a word of ours */
	XVM_FIELD_BYTES,	/* count bytes of the message */
	XVM_FIELD_WORDS,	/* count le32 of the message */
	XVM_FIELD_BITMAP,	/* the numbers, from number on, whose bit of count bits is set */
};

struct xvm_field {
	const char *name;
	enum xvm_field_kind kind;
	u64 number;
	const char *word;
	const u8 *data;
	u32 count;
};

#define XVM_MAX_FIELDS 16

/* Points into the message. */
struct xvm_described {
	enum xvm_side sender;
	struct xvm_hdr hdr;
	enum xvm_frame_fault fault;
	const char *name;	/* NULL: not a message of this dialect */
	const u8 *msg;
	u32 len;
	u32 count;
	struct xvm_field field[XVM_MAX_FIELDS];
};

void xvm_describe(struct xvm_described *d, enum xvm_dialect dialect, enum xvm_side sender,
		  u32 max_message, const u8 *msg, u32 len);

/* "dev 1 GET_VQUEUE index 0", no end of line. */
void xvm_describe_text(FILE *f, const struct xvm_described *d);
/* "dev_num": 1, "message": "GET_VQUEUE", ... without the braces. */
void xvm_describe_json(FILE *f, const struct xvm_described *d);

#endif
