// SPDX-License-Identifier: MIT
/*
 * The stateless check of a message: each row of the table at and around its
 * bounds, from the right and from the wrong side. The table itself is checked
 * by msgtab_test.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../support/test.h"
#include "../../xen/proto/frame.h"

#define MAX_MSG 264u

static struct xvm_hdr hdr;
static const struct xvm_msg_row *row;

/* Checks a message of just these bytes: the heap block ends where the message does. */
static enum xvm_frame_fault check(enum xvm_side sender, u8 type, u8 id, u16 dev, u32 size_field,
				  u32 len, u32 max_msg)
{
	enum xvm_frame_fault fault;
	u8 head[8] = { type, id };
	u8 *buf = calloc(1, len ? len : 1);

	assert_non_null(buf);
	xvm_put16(head + 2, dev);
	xvm_put16(head + 4, 0xa5c3);
	xvm_put16(head + 6, (u16)size_field);
	memcpy(buf, head, len < 8 ? len : 8);
	row = NULL;
	fault = xvm_frame_check(XVM_DIALECT_PR28, sender, max_msg, buf, len, &hdr, &row);
	free(buf);
	return fault;
}

static enum xvm_side other(enum xvm_side side)
{
	return side == XVM_SIDE_DRIVER ? XVM_SIDE_DEVICE : XVM_SIDE_DRIVER;
}

static u16 dev_for(const struct xvm_msg_row *r)
{
	return r->type & VIRTIO_MSG_TYPE_BUS ? 0 : 0x1234;
}

static enum xvm_frame_fault check_len(const struct xvm_msg_row *r, enum xvm_side sender, u8 response,
				      u32 len)
{
	return check(sender, r->type | response, r->id, dev_for(r), len, len, MAX_MSG);
}

static void around_bounds(const struct xvm_msg_row *r, enum xvm_side sender, u8 response)
{
	const struct xvm_msg_bounds *b = response ? &r->len[0].answer : &r->len[0].request;
	u32 max = b->max == XVM_LEN_VARIABLE ? MAX_MSG : b->max, len;

	for (len = b->min; len <= max; len++) {
		assert_int_equal(check_len(r, sender, response, len), XVM_FRAME_OK);
		assert_ptr_equal(row, r);
		assert_int_equal(hdr.type, r->type | response);
		assert_int_equal(hdr.id, r->id);
		assert_int_equal(hdr.dev_num, dev_for(r));
		assert_int_equal(hdr.token, 0xa5c3);
		assert_int_equal(hdr.size, len);
	}
	assert_int_equal(check_len(r, sender, response, b->min - 1),
			 b->min == 8 ? XVM_FRAME_SHORT : XVM_FRAME_LENGTH);
	assert_int_equal(check_len(r, sender, response, max + 1),
			 max == MAX_MSG ? XVM_FRAME_TOO_LONG : XVM_FRAME_LENGTH);
}

static void each_row(void (*fn)(const struct xvm_msg_row *r, enum xvm_side sender))
{
	const struct xvm_msg_row *rows;
	u32 i, count;

	rows = xvm_msgtab_rows(&count);
	for (i = 0; i < count; i++) {
		if (rows[i].sender & XVM_SIDE_DRIVER)
			fn(&rows[i], XVM_SIDE_DRIVER);
		if (rows[i].sender & XVM_SIDE_DEVICE)
			fn(&rows[i], XVM_SIDE_DEVICE);
	}
}

static void row_bounds(const struct xvm_msg_row *r, enum xvm_side sender)
{
	around_bounds(r, sender, 0);
	if (!xvm_msg_is_event(r))
		around_bounds(r, other(sender), VIRTIO_MSG_TYPE_RESPONSE);
}

static void test_bounds(void **state)
{
	(void)state;
	each_row(row_bounds);
}

static void row_direction(const struct xvm_msg_row *r, enum xvm_side sender)
{
	u32 ask = r->len[0].request.min, ans = r->len[0].answer.min;

	if (r->sender == XVM_SIDE_ANY)
		return;
	assert_int_equal(check_len(r, other(sender), 0, ask), XVM_FRAME_DIRECTION);
	assert_null(row);
	if (!xvm_msg_is_event(r))
		assert_int_equal(check_len(r, sender, VIRTIO_MSG_TYPE_RESPONSE, ans), XVM_FRAME_DIRECTION);
}

static void test_direction(void **state)
{
	(void)state;
	each_row(row_direction);
}

static void row_event_answer(const struct xvm_msg_row *r, enum xvm_side sender)
{
	u32 len = r->len[0].request.min;

	if (!xvm_msg_is_event(r))
		return;
	assert_int_equal(check_len(r, sender, VIRTIO_MSG_TYPE_RESPONSE, len), XVM_FRAME_DIRECTION);
	assert_int_equal(check_len(r, other(sender), VIRTIO_MSG_TYPE_RESPONSE, len),
			 XVM_FRAME_DIRECTION);
}

static void test_answer_to_event(void **state)
{
	(void)state;
	each_row(row_event_answer);
}

static void row_dev_num(const struct xvm_msg_row *r, enum xvm_side sender)
{
	u32 len = r->len[0].request.min;
	enum xvm_frame_fault want = r->type & 2 ? XVM_FRAME_DEV_NUM : XVM_FRAME_OK;

	assert_int_equal(check(sender, r->type, r->id, 1, len, len, MAX_MSG), want);
	assert_int_equal(check(sender, r->type, r->id, 0xff00, len, len, MAX_MSG), want);
	assert_int_equal(check(sender, r->type, r->id, 0, len, len, MAX_MSG), XVM_FRAME_OK);
}

static void test_dev_num(void **state)
{
	(void)state;
	each_row(row_dev_num);
}

/* Bits 2..7 of the type are ignored and not shown to anybody. */
static void row_reserved(const struct xvm_msg_row *r, enum xvm_side sender)
{
	u32 len = r->len[0].request.min, bits;

	for (bits = 0; bits < 0x100; bits += 4) {
		assert_int_equal(check(sender, (u8)(r->type | bits), r->id, 0, len, len, MAX_MSG),
				 XVM_FRAME_OK);
		assert_int_equal(hdr.type, r->type);
	}
}

static void test_reserved_bits(void **state)
{
	(void)state;
	each_row(row_reserved);
}

static void test_short(void **state)
{
	u32 len;

	(void)state;
	for (len = 0; len < 8; len++)
		assert_int_equal(check(XVM_SIDE_DRIVER, 0, 2, 1, len, len, MAX_MSG), XVM_FRAME_SHORT);
}

static void test_size_field(void **state)
{
	(void)state;
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 2, 1, 7, 8, MAX_MSG), XVM_FRAME_SIZE);
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 2, 1, 9, 8, MAX_MSG), XVM_FRAME_SIZE);
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 2, 1, 0, 8, MAX_MSG), XVM_FRAME_SIZE);
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 2, 1, 0xffff, 8, MAX_MSG), XVM_FRAME_SIZE);
	/* A record of 64 KiB and 8 bytes: its low 16 bits are not its length. */
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 2, 1, 8, 65544, 65536), XVM_FRAME_SIZE);
}

/* The connection's maximum comes before the table: 44 carries no SET_VQUEUE. */
static void test_max_msg(void **state)
{
	(void)state;
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 0x0a, 1, 48, 48, 48), XVM_FRAME_OK);
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 0x0a, 1, 48, 48, 47), XVM_FRAME_TOO_LONG);
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 0x06, 1, 44, 44, 44), XVM_FRAME_OK);
	assert_int_equal(check(XVM_SIDE_DRIVER, 0, 0x06, 1, 45, 45, 44), XVM_FRAME_TOO_LONG);
}

static void test_unknown(void **state)
{
	u32 type, id, count, known = 0;

	(void)state;
	xvm_msgtab_rows(&count);
	for (type = 0; type < 4; type += 2) {
		for (id = 0; id < 256; id++) {
			if (xvm_msgtab_find((u8)type, (u8)id)) {
				known++;
				continue;
			}
			assert_int_equal(check(XVM_SIDE_DRIVER, (u8)type, (u8)id, 0, 16, 16, MAX_MSG),
					 XVM_FRAME_UNKNOWN);
			assert_int_equal(check(XVM_SIDE_DEVICE, (u8)type | 1, (u8)id, 0, 16, 16, MAX_MSG),
					 XVM_FRAME_UNKNOWN);
			assert_null(row);
		}
	}
	assert_int_equal(known, count);
}

static void test_put_hdr(void **state)
{
	static const u8 want[8] = { 0x03, 0x81, 0x34, 0x12, 0x78, 0x56, 0x08, 0x01 };
	static const struct xvm_hdr h = {
		.type = 3, .id = 0x81, .dev_num = 0x1234, .token = 0x5678, .size = 264,
	};
	u8 buf[8];

	(void)state;
	xvm_frame_put_hdr(buf, &h);
	assert_memory_equal(buf, want, 8);
}

static void test_fault_names(void **state)
{
	u32 i, k;

	(void)state;
	for (i = 0; i < XVM_FRAME_FAULTS; i++) {
		assert_non_null(xvm_frame_fault_name((enum xvm_frame_fault)i));
		for (k = 0; k < i; k++)
			assert_string_not_equal(xvm_frame_fault_name((enum xvm_frame_fault)i),
						xvm_frame_fault_name((enum xvm_frame_fault)k));
	}
	assert_string_equal(xvm_frame_fault_name(XVM_FRAME_FAULTS), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_answer_to_event),
		cmocka_unit_test(test_dev_num),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_size_field),
		cmocka_unit_test(test_max_msg),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_put_hdr),
		cmocka_unit_test(test_fault_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
