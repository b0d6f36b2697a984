// SPDX-License-Identifier: MIT
/*
 * Any bytes as a message, from either side. Input: sender (bit 0) and dialect
 * (bit 1), maximum message size (le16), then the message. What the check accepts must be what
 * docs/protocol.md section 5 calls well-formed.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../../xen/proto/frame.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum xvm_dialect dialect;

static void accepted(enum xvm_side sender, u32 max_msg, const u8 *msg, u32 len,
		     const struct xvm_hdr *hdr, const struct xvm_msg_row *row)
{
	bool answer = msg[0] & 1, bus = msg[0] & 2;
	const struct xvm_msg_bounds *b;

	CHECK(len >= 8 && len <= max_msg && (u32)(msg[6] | msg[7] << 8) == len);
	CHECK(hdr->type == (msg[0] & 3) && hdr->id == msg[1] && hdr->size == len);
	CHECK(row->id == msg[1] && !row->type == !bus);
	CHECK(!bus || (!msg[2] && !msg[3]));
	CHECK(!answer || !(msg[1] & 0x40));
	CHECK(row->sender == XVM_SIDE_ANY || (row->sender == sender) == !answer);
	b = answer ? &row->len[dialect].answer : &row->len[dialect].request;
	CHECK(len >= b->min && (b->max == XVM_LEN_VARIABLE || len <= b->max));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct xvm_msg_row *row = NULL, *again = NULL;
	enum xvm_frame_fault fault;
	struct xvm_hdr hdr, hdr2;
	enum xvm_side sender;
	u32 max_msg, len;
	u8 *copy;

	if (size < 3 || size > 70000)
		return 0;
	sender = data[0] & 1 ? XVM_SIDE_DEVICE : XVM_SIDE_DRIVER;
	dialect = data[0] & 2 ? XVM_DIALECT_DRAFT2026 : XVM_DIALECT_PR28;
	max_msg = data[1] | (u32)data[2] << 8;
	data += 3;
	len = (u32)size - 3;
	fault = xvm_frame_check(dialect, sender, max_msg, data, len, &hdr, &row);
	CHECK(fault < XVM_FRAME_FAULTS && xvm_frame_fault_name(fault)[0] != '?');
	CHECK((fault == XVM_FRAME_OK) == !!row);
	if (row)
		accepted(sender, max_msg, data, len, &hdr, row);
	if (!len)
		return 0;
	/* Reserved bits of the type change nothing. */
	copy = malloc(len);
	CHECK(copy);
	memcpy(copy, data, len);
	copy[0] ^= 0xfc;
	CHECK(xvm_frame_check(dialect, sender, max_msg, copy, len, &hdr2, &again) == fault);
	CHECK(again == row && !memcmp(&hdr, &hdr2, sizeof(hdr)));
	free(copy);
	return 0;
}
