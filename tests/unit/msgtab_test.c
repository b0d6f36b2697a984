// SPDX-License-Identifier: MIT
/*
 * The message table against the texts: ids, senders and payload layouts of the
 * merged virtio-msg text and of the 2026 draft, sections "Transport Messages"
 * and "Bus Messages", and of docs/protocol.md for the messages of this bus.
 * Counted by hand from the structs there, not from the code.
 */
/* LINK: xen/proto */
#include "../support/test.h"
#include "../../xen/proto/msgtab.h"

#define VAR 0xffff

static const struct {
	const char *name;
	u8 type, id, sender;
	u16 req_min, req_max, ans_min, ans_max;		/* payload bytes; ans 0,0 of an event unused */
	bool event;
} expected[] = {
	{ "GET_DEVICE_INFO", 0, 0x02, 1, 0, 0, 24, 24, false },
	{ "GET_DEVICE_FEATURES", 0, 0x03, 1, 8, 8, 8, VAR, false },
	{ "SET_DRIVER_FEATURES", 0, 0x04, 1, 8, VAR, 0, 0, false },
	{ "GET_CONFIG", 0, 0x05, 1, 8, 8, 12, VAR, false },
	{ "SET_CONFIG", 0, 0x06, 1, 12, VAR, 12, VAR, false },
	{ "GET_DEVICE_STATUS", 0, 0x07, 1, 0, 0, 4, 4, false },
	{ "SET_DEVICE_STATUS", 0, 0x08, 1, 4, 4, 4, 4, false },
	{ "GET_VQUEUE", 0, 0x09, 1, 4, 4, 40, 40, false },
	{ "SET_VQUEUE", 0, 0x0a, 1, 40, 40, 0, 0, false },
	{ "RESET_VQUEUE", 0, 0x0b, 1, 4, 4, 0, 0, false },
	{ "GET_SHM", 0, 0x0c, 1, 4, 4, 12, 12, false },
	{ "EVENT_CONFIG", 0, 0x40, 2, 16, VAR, 0, 0, true },
	{ "EVENT_AVAIL", 0, 0x41, 1, 8, 8, 0, 0, true },
	{ "EVENT_USED", 0, 0x42, 2, 4, 4, 0, 0, true },
	{ "GET_DEVICES", 2, 0x02, 1, 4, 4, 6, VAR, false },
	{ "PING", 2, 0x03, 3, 4, 4, 4, 4, false },
	{ "EVENT_DEVICE", 2, 0x40, 2, 4, 4, 0, 0, true },
	{ "AREA_ADD", 2, 0x80, 1, 20, 80, 8, 8, false },
	{ "AREA_DEL", 2, 0x81, 1, 4, 4, 4, 4, false },
	{ "RELEASE_DEVICE", 2, 0x84, 1, 4, 4, 4, 4, false },
	{ "QUIESCE", 2, 0x85, 1, 4, 4, 4, 4, false },
	{ "RESUME", 2, 0x86, 1, 4, 4, 4, 4, false },
	{ "KEEP_QUEUE", 2, 0x87, 1, 8, 8, 4, 4, false },
	{ "REQUEST_FAILED", 2, 0xc0, 2, 8, 8, 0, 0, true },
};

/* What the draft has otherwise: payload bytes of the answer. */
static const struct {
	u8 type, id;
	u16 ans;
} draft[] = {
	{ 0, 0x02, 4 + 4 + 16 + 4 + 4 + 4 + 4 + 4 },
	{ 0, 0x0c, 4 + 4 + 8 + 8 },
};

static u16 whole(u16 payload)
{
	return payload == VAR ? VAR : (u16)(payload + 8);
}

static void test_rows(void **state)
{
	const struct xvm_msg_row *row;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(expected); i++) {
		row = xvm_msgtab_find(expected[i].type, expected[i].id);
		assert_non_null(row);
		assert_string_equal(row->name, expected[i].name);
		assert_int_equal(row->type, expected[i].type);
		assert_int_equal(row->id, expected[i].id);
		assert_int_equal(row->sender, expected[i].sender);
		assert_int_equal(xvm_msg_is_event(row), expected[i].event);
		assert_int_equal(row->len[0].request.min, whole(expected[i].req_min));
		assert_int_equal(row->len[0].request.max, whole(expected[i].req_max));
		assert_int_equal(row->len[0].answer.min,
				 expected[i].event ? 0 : whole(expected[i].ans_min));
		assert_int_equal(row->len[0].answer.max,
				 expected[i].event ? 0 : whole(expected[i].ans_max));
	}
}

static void test_draft_rows(void **state)
{
	const struct xvm_msg_bounds *pr28, *d;
	u16 min, max;
	size_t i, k;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(expected); i++) {
		const struct xvm_msg_row *row = xvm_msgtab_find(expected[i].type, expected[i].id);

		pr28 = &row->len[XVM_DIALECT_PR28].request;
		d = &row->len[XVM_DIALECT_DRAFT2026].request;
		assert_int_equal(d->min, pr28->min);
		assert_int_equal(d->max, pr28->max);
		pr28 = &row->len[XVM_DIALECT_PR28].answer;
		d = &row->len[XVM_DIALECT_DRAFT2026].answer;
		min = pr28->min;
		max = pr28->max;
		for (k = 0; k < XVM_ARRAY_SIZE(draft); k++)
			if (draft[k].type == row->type && draft[k].id == row->id)
				min = max = whole(draft[k].ans);
		assert_int_equal(d->min, min);
		assert_int_equal(d->max, max);
	}
}

/* The smallest maximum of a dialect; the draft's carries each message of fixed length. */
static void test_rules(void **state)
{
	const struct xvm_dialect_rules *pr28 = xvm_dialect_rules(XVM_DIALECT_PR28);
	const struct xvm_dialect_rules *d = xvm_dialect_rules(XVM_DIALECT_DRAFT2026);
	const struct xvm_msg_row *rows;
	u32 i, count;

	(void)state;
	assert_int_equal(pr28->min_message, 44);
	assert_int_equal(pr28->max_message, 65536);
	assert_int_equal(pr28->device_message, 48);
	assert_int_equal(d->min_message, 52);
	assert_int_equal(d->max_message, 65535);
	assert_int_equal(d->device_message, 52);
	rows = xvm_msgtab_rows(&count);
	for (i = 0; i < count; i++) {
		assert_true(rows[i].len[XVM_DIALECT_DRAFT2026].request.min <= 52);
		assert_true(rows[i].len[XVM_DIALECT_DRAFT2026].answer.min <= 52);
	}
}

/* Every (type, id) that is not in the list has no row, so nothing is accepted by accident. */
static void test_no_other(void **state)
{
	const struct xvm_msg_row *rows;
	u32 type, id, count, found = 0;

	(void)state;
	rows = xvm_msgtab_rows(&count);
	assert_non_null(rows);
	assert_int_equal(count, XVM_ARRAY_SIZE(expected));
	for (type = 0; type <= 2; type += 2)
		for (id = 0; id < 256; id++)
			found += !!xvm_msgtab_find((u8)type, (u8)id);
	/* As many distinct keys as rows: none is there twice. */
	assert_int_equal(found, count);
	assert_null(xvm_msgtab_find(0, 0));
	assert_null(xvm_msgtab_find(0, 1));
	assert_null(xvm_msgtab_find(2, 0));
	assert_null(xvm_msgtab_find(2, 1));
	/* Reserved until doorbells come: nobody may send it. */
	assert_null(xvm_msgtab_find(2, XVM_BUS_MSG_BIND_DOORBELL));
}

/* Only the bus bit of the type takes part. */
static void test_type_bits(void **state)
{
	u32 type;

	(void)state;
	for (type = 0; type < 256; type++)
		assert_ptr_equal(xvm_msgtab_find((u8)type, 0x40), xvm_msgtab_find(type & 2, 0x40));
}

/* The id ranges of the text: bit 6 set is an event; an event has no answer, a request has one. */
static void test_ranges(void **state)
{
	const struct xvm_msg_row *rows;
	u32 i, count;

	(void)state;
	rows = xvm_msgtab_rows(&count);
	for (i = 0; i < count; i++) {
		bool event = (rows[i].id >= 0x40 && rows[i].id < 0x80) || rows[i].id >= 0xc0;

		assert_int_equal(xvm_msg_is_event(&rows[i]), event);
		assert_int_equal(!rows[i].len[0].answer.max, event);
		assert_true(rows[i].len[0].request.min >= 8);
		assert_true(rows[i].len[0].request.min <= rows[i].len[0].request.max);
		assert_true(rows[i].len[0].answer.min <= rows[i].len[0].answer.max);
		assert_true(rows[i].len[0].request.max == VAR || rows[i].len[0].request.max <= 264);
	}
}

static void test_dialects(void **state)
{
	enum xvm_dialect d = XVM_DIALECT_COUNT;

	(void)state;
	assert_string_equal(xvm_dialect_name(XVM_DIALECT_PR28), "pr28");
	assert_int_equal(xvm_dialect_find("pr28", 4, &d), 0);
	assert_int_equal(d, XVM_DIALECT_PR28);
	assert_string_equal(xvm_dialect_name(XVM_DIALECT_DRAFT2026), "draft2026");
	assert_int_equal(xvm_dialect_find("draft2026", 9, &d), 0);
	assert_int_equal(d, XVM_DIALECT_DRAFT2026);
	assert_int_equal(xvm_dialect_find("draft2026", 5, &d), -ENOENT);
	assert_int_equal(xvm_dialect_find("pr28x", 4, &d), 0);
	assert_int_equal(xvm_dialect_find("pr2", 3, &d), -ENOENT);
	assert_int_equal(xvm_dialect_find("pr28x", 5, &d), -ENOENT);
	assert_int_equal(xvm_dialect_find("PR28", 4, &d), -ENOENT);
	assert_int_equal(xvm_dialect_find("", 0, &d), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_draft_rows),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_no_other),
		cmocka_unit_test(test_type_bits),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_dialects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
