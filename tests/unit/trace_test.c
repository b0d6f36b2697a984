// SPDX-License-Identifier: MIT
/* What a trace says of messages: every one of the table has its fields, in both dialects; batches; latencies. */
/* LINK: xen/proto tools/trace */
#include <stdlib.h>
#include "../support/test.h"
#include "../../include/xvmsg/ctl.h"
#include "../../tools/trace/answers.h"
#include "../../tools/trace/batch.h"
#include "../../tools/trace/describe.h"

#define MAX_MESSAGE 264
#define NUM 5

static u8 msg[512];

static const char *text_of(enum xvm_dialect dialect, enum xvm_side sender, u32 len)
{
	static char text[2048];
	struct xvm_described d;
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	xvm_describe(&d, dialect, sender, MAX_MESSAGE, msg, len);
	xvm_describe_text(f, &d);
	fclose(f);
	return text;
}

static void ask(enum xvm_dialect dialect, u32 len, const char *want)
{
	xvm_msg_finish(msg, false, 1);
	assert_string_equal(text_of(dialect, XVM_SIDE_DRIVER, len), want);
}

static void say(enum xvm_dialect dialect, u32 len, const char *want)
{
	xvm_msg_finish(msg, true, 1);
	assert_string_equal(text_of(dialect, XVM_SIDE_DEVICE, len), want);
}

static void tell(enum xvm_dialect dialect, u32 len, const char *want)
{
	xvm_msg_finish(msg, false, 0);
	assert_string_equal(text_of(dialect, XVM_SIDE_DEVICE, len), want);
}

#define PR XVM_DIALECT_PR28
#define DRAFT XVM_DIALECT_DRAFT2026

static void test_transport(void **state)
{
	static const struct xvm_msg_device_info info = { .device_id = 2, .vendor_id = 0x584d5658, .num_feature_bits = 64,
							 .config_size = 60, .max_virtqueues = 1, .uuid = { 0xab } };
	static const u32 words[2] = { 0x30000006, 0x103 };
	static const struct xvm_msg_config config = { 9, 8, 4, (const u8 *)"\xde\xad\xbe\xef" };
	static const struct xvm_msg_config none = { 9, 8, 0, NULL };
	static const struct xvm_msg_vqueue vq = { 1, 256, 128, 0x10000001000, 0x10000002000, 0x10000003000, 1, 0 };
	static const struct xvm_msg_shm shm = { 2, 0x10000, 0x4000 };

	(void)state;
	ask(PR, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM), "dev 5 GET_DEVICE_INFO");
	say(PR, xvm_msg_put_device_info(msg, PR, NUM, &info), "dev 5 GET_DEVICE_INFO answer device_id=2 vendor_id=0x584d5658 "
	    "num_feature_bits=64 config_size=60 max_virtqueues=1 admin_vq_start=0 admin_vq_count=0");
	say(DRAFT, xvm_msg_put_device_info(msg, DRAFT, NUM, &info), "dev 5 GET_DEVICE_INFO answer device_id=2 "
	    "vendor_id=0x584d5658 uuid=ab000000000000000000000000000000 num_feature_bits=64 config_size=60 "
	    "max_virtqueues=1 admin_vq_start=0 admin_vq_count=0");
	ask(PR, xvm_msg_put_get_features(msg, NUM, 0, 2), "dev 5 GET_DEVICE_FEATURES block_index=0 num_blocks=2");
	ask(PR, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, 0, 2, words),
	    "dev 5 SET_DRIVER_FEATURES block_index=0 num_blocks=2 features=30000006,00000103");
	ask(PR, xvm_msg_put_get_config(msg, NUM, 8, 4), "dev 5 GET_CONFIG offset=8 length=4");
	say(PR, xvm_msg_put_config(msg, VIRTIO_MSG_GET_CONFIG, NUM, &config),
	    "dev 5 GET_CONFIG answer generation=9 offset=8 length=4 data=deadbeef");
	say(PR, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &none), "dev 5 SET_CONFIG answer generation=9 offset=8 length=0");
	say(PR, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0x40),
	    "dev 5 GET_DEVICE_STATUS answer status=0x40 (DEVICE_NEEDS_RESET)");
	ask(PR, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0), "dev 5 SET_DEVICE_STATUS status=0x00");
	say(PR, xvm_msg_put_vqueue(msg, PR, NUM, &vq), "dev 5 GET_VQUEUE answer vq=1 max_size=256 size=128 "
	    "desc=0x10000001000 driver=0x10000002000 device=0x10000003000");
	say(DRAFT, xvm_msg_put_vqueue(msg, DRAFT, NUM, &vq), "dev 5 GET_VQUEUE answer vq=1 max_size=256 size=128 flags=0x1 "
	    "desc=0x10000001000 driver=0x10000002000 device=0x10000003000");
	ask(DRAFT, xvm_msg_put_set_vqueue(msg, DRAFT, NUM, &vq), "dev 5 SET_VQUEUE vq=1 size=128 flags=0x1 "
	    "desc=0x10000001000 driver=0x10000002000 device=0x10000003000");
	ask(PR, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_RESET_VQUEUE, NUM, 1), "dev 5 RESET_VQUEUE vq=1");
	say(DRAFT, xvm_msg_put_shm(msg, DRAFT, NUM, &shm), "dev 5 GET_SHM answer region=2 bytes=65536 address=0x4000");
}

static void test_events(void **state)
{
	static const struct xvm_msg_event_config config = { 0x4f, 10, 0, 0, NULL };
	static const struct xvm_msg_event_avail avail = { 1, 0x80000005 };
	static const struct xvm_msg_request_failed failed = { NUM, 9, 0, VIRTIO_MSG_SET_VQUEUE, XVM_FAILED_REMOVED };

	(void)state;
	tell(PR, xvm_msg_put_event_config(msg, NUM, &config), "dev 5 EVENT_CONFIG status=0x4f (ACKNOWLEDGE DRIVER "
	     "FEATURES_OK DRIVER_OK DEVICE_NEEDS_RESET) generation=10 offset=0 length=0");
	ask(PR, xvm_msg_put_event_avail(msg, NUM, &avail), "dev 5 EVENT_AVAIL vq=1 next_offset=0x80000005");
	tell(PR, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_EVENT_USED, NUM, 1), "dev 5 EVENT_USED vq=1");
	tell(DRAFT, xvm_msg_put_event_device(msg, NUM, 1), "bus   EVENT_DEVICE device=5 state=READY");
	tell(PR, xvm_msg_put_event_device(msg, NUM, 0x8001), "bus   EVENT_DEVICE device=5 state=32769");
	tell(PR, xvm_msg_put_request_failed(msg, &failed),
	     "bus   REQUEST_FAILED device=5 token=9 request=SET_VQUEUE reason=REMOVED");
}

static void test_bus(void **state)
{
	static const struct xvm_msg_get_devices devices = { 8, 16, 24, (const u8 *)"\x06\x80" };
	static const struct xvm_msg_get_devices nobody = { 0, 8, 0, (const u8 *)"\0" };
	static const struct xvm_msg_area_add add = { 3, NUM, 0, 1500, 0, 2, { 0x101, 0x102 } };
	static const struct xvm_msg_area_status status = { 3, XVM_STATUS_NO_SPACE, 100 };

	(void)state;
	ask(PR, xvm_msg_put_get_devices(msg, 8, 16), "bus   GET_DEVICES offset=8 count=16");
	say(PR, xvm_msg_put_devices(msg, PR, &devices), "bus   GET_DEVICES answer offset=8 count=16 next_offset=24 devices=9,10,23");
	say(DRAFT, xvm_msg_put_devices(msg, DRAFT, &nobody), "bus   GET_DEVICES answer offset=0 count=8 next_offset=0 devices=none");
	ask(PR, xvm_msg_put_area_add(msg, &add), "bus   AREA_ADD area=3 scope=5 flags=0x0 npages=1500 first_byte=0 "
	    "directories=00000101,00000102");
	say(PR, xvm_msg_put_area_status(msg, XVM_BUS_MSG_AREA_ADD, &status), "bus   AREA_ADD answer area=3 status=NO_SPACE limit=100");
	say(PR, xvm_msg_put_area_status(msg, XVM_BUS_MSG_RELEASE_DEVICE, &status),
	    "bus   RELEASE_DEVICE answer device=3 status=NO_SPACE");
}

/* A row that is added to the table and forgotten here fails. */
static void test_every_row(void **state)
{
	const struct xvm_msg_row *rows;
	struct xvm_described d;
	u32 count, i, answer, len;

	(void)state;
	rows = xvm_msgtab_rows(&count);
	for (i = 0; i < 2 * count; i++) {
		const struct xvm_msg_row *row = &rows[i / 2];

		answer = i % 2;
		len = answer ? row->len[PR].answer.min : row->len[PR].request.min;
		if (!len)
			continue;
		memset(msg, 0, sizeof(msg));
		xvm_frame_put_hdr(msg, &(struct xvm_hdr){ .type = row->type | (u8)answer, .id = row->id, .size = (u16)len });
		/* AREA_ADD names at least one directory page. */
		if (row->type && row->id == XVM_BUS_MSG_AREA_ADD && !answer)
			xvm_put16(msg + 22, 1);
		xvm_describe(&d, PR, answer ? XVM_SIDE_ANY & ~row->sender ? XVM_SIDE_ANY & ~row->sender : XVM_SIDE_DEVICE :
			     row->sender == XVM_SIDE_ANY ? XVM_SIDE_DRIVER : row->sender, MAX_MESSAGE, msg, len);
		if (d.fault || !d.name || strcmp(d.name, row->name) || (len > VIRTIO_MSG_HDR_BYTES && !d.count))
			fail_msg("%s%s: fault %d, %u fields", row->name, answer ? " answer" : "", d.fault, d.count);
	}
}

static void test_malformed(void **state)
{
	static const u32 words[2] = { 1, 2 };
	u32 len;

	(void)state;
	memcpy(msg, "\x1b[31m", 5);
	assert_string_equal(text_of(PR, XVM_SIDE_DRIVER, 5),
			    "dev 0 id 0x00 malformed (shorter than a header), 5 bytes: 1b5b33316d");
	/* Length fields that lie about the message. */
	len = xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, 0, 2, words);
	xvm_put32(msg + 12, 0xffffffff);
	ask(PR, len, "dev 5 SET_DRIVER_FEATURES malformed (wrong length for its id), 24 bytes: "
	    "0004050001001800" "00000000" "ffffffff" "0100000002000000");
}

/* ---- batches ---- */

static void test_batch(void **state)
{
	u8 data[64] = { 7 };
	struct xvm_trace_batch batch;
	struct xvm_trace_record r;
	u32 n;

	(void)state;
	xvm_put64(data + 8, 0x0102030405060708);
	xvm_put32(data + 16, 9);
	data[20] = XVM_TRACE_TO_DRIVER;
	assert_int_equal(xvm_trace_batch_init(&batch, data, 40), 0);
	assert_int_equal(batch.lost, 7);
	assert_int_equal(xvm_trace_batch_next(&batch, &r), 1);
	assert_int_equal(r.ns, 0x0102030405060708);
	assert_int_equal(r.len, 9);
	assert_int_equal(r.sender, XVM_SIDE_DEVICE);
	assert_ptr_equal(r.msg, data + 24);
	assert_int_equal(xvm_trace_batch_next(&batch, &r), 0);
	for (n = 9; n < 40; n++) {
		assert_int_equal(xvm_trace_batch_init(&batch, data, n), 0);
		assert_int_equal(xvm_trace_batch_next(&batch, &r), -EPROTO);
	}
	for (n = 0; n < 8; n++)
		assert_int_equal(xvm_trace_batch_init(&batch, data, n), -EPROTO);
	assert_int_equal(xvm_trace_batch_init(&batch, data, XVM_TRACE_BATCH_MAX_BYTES + 1), -EPROTO);
	data[20] = 2;
	xvm_trace_batch_init(&batch, data, 40);
	assert_int_equal(xvm_trace_batch_next(&batch, &r), -EPROTO);
	data[20] = 0;
	xvm_put32(data + 16, 0xfffffff9);
	xvm_trace_batch_init(&batch, data, 40);
	assert_int_equal(xvm_trace_batch_next(&batch, &r), -EPROTO);
}

/* ---- latencies ---- */

static struct xvm_trace_answers answers;

/* A PING of one side, or its answer; -2: not an answer. */
static int64_t ping(enum xvm_side sender, bool answer, u16 token, u64 now)
{
	struct xvm_hdr hdr = { .type = VIRTIO_MSG_TYPE_BUS | answer, .id = VIRTIO_BUS_MSG_PING, .token = token };
	int64_t ns = -2;

	assert_int_equal(xvm_trace_match(&answers, sender, &hdr, msg, now, &ns), answer);
	return ns;
}

static void test_answers(void **state)
{
	static const struct xvm_msg_request_failed failed = { NUM, 4, 0, VIRTIO_MSG_GET_DEVICE_INFO, 1 };
	struct xvm_hdr hdr = { .id = VIRTIO_MSG_GET_DEVICE_INFO, .dev_num = NUM, .token = 4 };
	int64_t ns;
	u32 i;

	(void)state;
	memset(&answers, 0, sizeof(answers));
	ping(XVM_SIDE_DRIVER, false, 1, 100);
	ping(XVM_SIDE_DEVICE, false, 1, 130);
	ping(XVM_SIDE_DRIVER, false, 2, 150);
	assert_int_equal(ping(XVM_SIDE_DEVICE, true, 2, 151), 1);
	assert_int_equal(ping(XVM_SIDE_DEVICE, true, 1, 150), 50);
	assert_int_equal(ping(XVM_SIDE_DRIVER, true, 1, 150), 20);
	assert_int_equal(ping(XVM_SIDE_DRIVER, true, 1, 150), -1);
	/* A clock that was set back is no negative time. */
	ping(XVM_SIDE_DRIVER, false, 3, 500);
	assert_int_equal(ping(XVM_SIDE_DEVICE, true, 3, 400), 0);
	assert_false(xvm_trace_match(&answers, XVM_SIDE_DRIVER, &hdr, msg, 600, &ns));
	xvm_msg_put_request_failed(msg, &failed);
	hdr = (struct xvm_hdr){ .type = VIRTIO_MSG_TYPE_BUS, .id = XVM_BUS_MSG_REQUEST_FAILED };
	assert_true(xvm_trace_match(&answers, XVM_SIDE_DEVICE, &hdr, msg, 660, &ns));
	assert_int_equal(ns, 60);
	/* Who asks without end loses the oldest of his questions, and nothing else. */
	for (i = 0; i < XVM_TRACE_ASKED + 1; i++)
		ping(XVM_SIDE_DRIVER, false, (u16)(1000 + i), i);
	for (i = 0; i < 3 * XVM_TRACE_ASKED; i++)
		ping(XVM_SIDE_DRIVER, true, (u16)i, 1);
	for (i = 1; i < XVM_TRACE_ASKED + 1; i++)
		assert_int_equal(ping(XVM_SIDE_DEVICE, true, (u16)(1000 + i), 5000), 5000 - i);
	assert_int_equal(ping(XVM_SIDE_DEVICE, true, 1000, 5000), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_bus),
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
