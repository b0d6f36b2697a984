// SPDX-License-Identifier: MIT
/*
 * The capture writer byte by byte, and the Wireshark dissector: one message of
 * each kind in each dialect, through tshark, against the text in
 * tests/support/capture.expect. Each line there is a message: its number and
 * the fields that have a value. A line differs? The whole text as it is now is
 * in build/check/capture.now.
 */
/* LINK: xen/proto tools/capture.c */
/* TIME: 60 */
#include <stdlib.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../tools/capture.h"
#include "../../xen/proto/msg.h"

#define EXPECT "tests/support/capture.expect"
#define LUA "tools/wireshark/xvm.lua"
#define DRAFT 1u
#define NUM 5u
#define DOMID 7u

/* ---- the writer ---- */

static size_t written(u8 *buf, size_t cap, const struct xvm_capture_packet *p, const void *msg,
		      u32 len)
{
	FILE *f = fmemopen(buf, cap, "w");
	size_t n;

	assert_non_null(f);
	assert_int_equal(p ? xvm_capture_message(f, p, msg, len) : xvm_capture_begin(f, "abcde"), 0);
	n = (size_t)ftell(f);
	fclose(f);
	return n;
}

static void test_begin(void **state)
{
	static const u8 want[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		4, 0, 5, 0, 'a', 'b', 'c', 'd', 'e', 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
		1, 0, 0, 0, 48, 0, 0, 0, 147, 0, 0, 0, 0, 0, 0, 0,
		2, 0, 10, 0, 'v', 'i', 'r', 't', 'i', 'o', '-', 'm', 's', 'g', 0, 0,
		9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0,
	};
	u8 buf[256];

	(void)state;
	assert_int_equal(written(buf, sizeof(buf), NULL, NULL, 0), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void test_message(void **state)
{
	static const struct xvm_capture_packet p = { 0x0102030405060708, 1, 1, 0x11223344, 0x21, 0 };
	static const u8 want[] = {
		6, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 15, 0, 0, 0, 15, 0, 0, 0,
		1, 1, 1, 0, 0x44, 0x33, 0x22, 0x11, 0x21, 0, 0, 0, 'x', 'y', 'z', 0,
		2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0,
	};
	u8 buf[256];

	(void)state;
	assert_int_equal(written(buf, sizeof(buf), &p, "xyz", 3), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

/* Messages that are missing before this one stand in an option. */
static void test_lost(void **state)
{
	static const struct xvm_capture_packet p = { .lost = 0x0102030405 };
	static const u8 want[] = {
		2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 8, 0, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 72, 0, 0, 0,
	};
	u8 buf[256];

	(void)state;
	assert_int_equal(written(buf, sizeof(buf), &p, "xyz", 3), 72);
	assert_int_equal(buf[4], 72);
	assert_memory_equal(buf + 72 - sizeof(want), want, sizeof(want));
}

static void test_full(void **state)
{
	static const struct xvm_capture_packet p;
	u8 buf[16];
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	(void)state;
	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(xvm_capture_begin(f, "abcde"), -1);
	assert_int_equal(xvm_capture_message(f, &p, buf, 8), -1);
	fclose(f);
}

/* ---- one message of each kind ---- */

static FILE *out;
static struct xvm_capture_packet at;
static u8 msg[512];
static u16 token;

static void write_as(u8 direction, u32 len)
{
	at.direction = direction;
	at.ns += 1001;
	assert_int_equal(xvm_capture_message(out, &at, msg, len), 0);
}

static void ask(u32 len)
{
	xvm_msg_finish(msg, false, ++token);
	write_as(XVM_CAPTURE_TO_DEVICE, len);
}

static void say(u32 len)
{
	xvm_msg_finish(msg, true, token);
	write_as(XVM_CAPTURE_TO_DRIVER, len);
}

static void tell(u8 direction, u32 len)
{
	xvm_msg_finish(msg, false, 0);
	write_as(direction, len);
}

/* For the messages that draft2026 lays out in its own way: le32 words after the header. */
static u32 words(u8 id, u32 n, const u32 *w)
{
	u32 i, len = VIRTIO_MSG_HDR_BYTES + 4 * n;

	xvm_msg_put_empty(msg, 0, id, NUM);
	for (i = 0; i < n; i++)
		xvm_put32(msg + VIRTIO_MSG_HDR_BYTES + 4 * i, w[i]);
	xvm_put16(msg + VIRTIO_MSG_HDR_SIZE, (u16)len);
	return len;
}

#define WORDS(id, ...) words(id, sizeof((u32[]){ __VA_ARGS__ }) / 4, (u32[]){ __VA_ARGS__ })

static void write_info(void)
{
	struct xvm_msg_device_info m = { 2, 0x584d5658, 64, 60, 3, 1, 2, { 0 } };

	ask(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM));
	if (at.dialect == DRAFT)
		say(WORDS(VIRTIO_MSG_GET_DEVICE_INFO, 2, 0x584d5658, 0x33221100, 0x77665544,
			  0xbbaa9988, 0xffeeddcc, 2, 60, 3, 1, 2));
	else
		say(xvm_msg_put_device_info(msg, XVM_DIALECT_PR28, NUM, &m));
}

static void write_features(void)
{
	static const u32 w[2] = { 0x30000006, 0x00000103 };

	ask(xvm_msg_put_get_features(msg, NUM, 0, 2));
	say(xvm_msg_put_features(msg, VIRTIO_MSG_GET_DEVICE_FEATURES, NUM, 0, 2, w));
	ask(xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, 0, 2, w));
	say(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM));
}

static void write_config(void)
{
	static const u8 data[4] = { 0xde, 0xad, 0xbe, 0xef };
	struct xvm_msg_config m = { 9, 8, 4, data };

	ask(xvm_msg_put_get_config(msg, NUM, 8, 4));
	say(xvm_msg_put_config(msg, VIRTIO_MSG_GET_CONFIG, NUM, &m));
	ask(xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &m));
	m.data = NULL;
	say(xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &m));
	ask(xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &(struct xvm_msg_config){
		8, 8, 4, data }));
	m.length = 0;
	say(xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &m));
}

static void write_status(void)
{
	ask(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
	say(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 3));
	ask(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0xf));
	say(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, 0x4b));
}

static void write_queues(void)
{
	struct xvm_msg_vqueue m = {
		1, 256, 128, 0x0000010000001000, 0x0000010000002000, 0x0000010000003000, 0, 0,
	};

	ask(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_VQUEUE, NUM, 1));
	xvm_msg_put_vqueue(msg, XVM_DIALECT_PR28, NUM, &m);
	if (at.dialect == DRAFT)
		xvm_put32(msg + 20, 1);
	say(48);
	xvm_msg_put_set_vqueue(msg, XVM_DIALECT_PR28, NUM, &m);
	if (at.dialect == DRAFT)
		xvm_put32(msg + 12, 0x29);
	ask(48);
	say(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_SET_VQUEUE, NUM));
	ask(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_RESET_VQUEUE, NUM, 1));
	say(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_RESET_VQUEUE, NUM));
}

static void write_shm(void)
{
	struct xvm_msg_shm m = { 2, 0x10000, 0x4000 };

	ask(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_GET_SHM, NUM, 2));
	if (at.dialect == DRAFT)
		say(WORDS(VIRTIO_MSG_GET_SHM, 2, 0, 0x10000, 1, 0x4000, 2));
	else
		say(xvm_msg_put_shm(msg, XVM_DIALECT_PR28, NUM, &m));
}

static void write_events(void)
{
	struct xvm_msg_event_config m = { 0xf, 10, 8, 4, NULL };
	struct xvm_msg_event_avail avail = { 1, 0x80000005 };

	tell(1, xvm_msg_put_event_config(msg, NUM, &m));
	m.data = (const u8 *)"abcd";
	tell(1, xvm_msg_put_event_config(msg, NUM, &m));
	tell(0, xvm_msg_put_event_avail(msg, NUM, &avail));
	tell(1, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_EVENT_USED, NUM, 1));
	tell(1, xvm_msg_put_event_device(msg, NUM, 1));
	tell(1, xvm_msg_put_event_device(msg, NUM, 2));
}

static void write_bus(void)
{
	struct xvm_msg_get_devices m = { 0, 16, 24, (const u8 *)"\x26\x80" };

	ask(xvm_msg_put_get_devices(msg, 0, 16));
	xvm_msg_put_devices(msg, XVM_DIALECT_PR28, &m);
	if (at.dialect == DRAFT) {
		xvm_put16(msg + 10, 24);
		xvm_put16(msg + 12, 16);
	}
	say(16);
	ask(xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, 0xcafe));
	say(xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, 0xcafe));
}

static void write_areas(void)
{
	struct xvm_msg_area_add add = { 3, NUM, 0, 1500, 0, 2, { 0x101, 0x102 } };
	struct xvm_msg_area_status is = { 3, XVM_STATUS_NO_SPACE, 100 };
	struct xvm_msg_request_failed failed = { NUM, 0, 0, VIRTIO_MSG_GET_DEVICE_INFO, 2 };

	ask(xvm_msg_put_area_add(msg, &add));
	say(xvm_msg_put_area_status(msg, XVM_BUS_MSG_AREA_ADD, &is));
	is.status = XVM_STATUS_BUSY;
	ask(xvm_msg_put_number(msg, XVM_BUS_MSG_AREA_DEL, 3));
	say(xvm_msg_put_area_status(msg, XVM_BUS_MSG_AREA_DEL, &is));
	is.id = NUM;
	is.status = XVM_STATUS_OK;
	ask(xvm_msg_put_number(msg, XVM_BUS_MSG_RELEASE_DEVICE, NUM));
	say(xvm_msg_put_area_status(msg, XVM_BUS_MSG_RELEASE_DEVICE, &is));
	ask(xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM));
	failed.token = token;
	tell(1, xvm_msg_put_request_failed(msg, &failed));
}

/* Answers that overtake each other, tokens that come again, questions of the other side. */
static void write_matches(void)
{
	ask(xvm_msg_put_get_config(msg, 1, 0, 1));
	ask(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, 2, 0));
	say(xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, 2, 0));
	token--;
	say(xvm_msg_put_config(msg, VIRTIO_MSG_GET_CONFIG, 1, &(struct xvm_msg_config){ 0 }));
	token = 0;
	ask(xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, 1));
	token = 0;
	xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, 2);
	xvm_msg_finish(msg, false, ++token);
	write_as(XVM_CAPTURE_TO_DRIVER, 12);
	xvm_msg_finish(msg, true, token);
	write_as(XVM_CAPTURE_TO_DEVICE, 12);
	say(xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, 1));
	say(xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, 1));	/* a second answer: nobody asked */
}

/* What is too short, too long, unknown or cut off is said, and stops nothing. */
static void write_bad(void)
{
	u32 len;

	xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM);
	write_as(0, 3);
	msg[0] = 0xfc;
	msg[1] = 0x7e;
	write_as(0, 10);
	len = xvm_msg_put_vqueue(msg, XVM_DIALECT_PR28, NUM, &(struct xvm_msg_vqueue){ 1, 2, 3, 4, 5, 6, 0, 0 });
	xvm_msg_finish(msg, true, 9);
	write_as(1, len - 20);
	len = xvm_msg_put_get_features(msg, NUM, 0, 0xffffffff);
	xvm_msg_finish(msg, true, 9);
	write_as(1, len);
}

static void write_all(void)
{
	static const u32 dialects[] = { XVM_DIALECT_PR28, DRAFT };
	u32 i;

	assert_int_equal(xvm_capture_begin(out, "capture_test"), 0);
	at.domid = DOMID;
	at.ns = 1700000000123456789;
	for (i = 0; i < 2; i++) {
		at.dialect = (u8)dialects[i];
		write_info();
		write_features();
		write_config();
		write_status();
		write_queues();
		write_shm();
		write_events();
		write_bus();
		write_areas();
	}
	at.dialect = 0;
	write_matches();
	write_bad();
}

/* ---- through tshark ---- */

static char path[64];

static int setup(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/capture.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	out = fdopen(fd, "w");
	assert_non_null(out);
	write_all();
	assert_int_equal(fclose(out), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static bool have_tshark(void)
{
	return system("command -v tshark >/dev/null 2>&1") == 0;
}

/* Reads what a command prints; freed by the caller. */
static char *output_of(const char *command)
{
	size_t n = 0, cap = 1 << 20;
	char *text = malloc(cap);
	FILE *f = popen(command, "r");

	assert_non_null(text);
	assert_non_null(f);
	n = fread(text, 1, cap - 1, f);
	text[n] = 0;
	assert_int_equal(pclose(f), 0);
	return text;
}

static char *file_text(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "cat %s", name);
	return output_of(command);
}

static void keep(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	if (!f)
		return;
	fputs(text, f);
	fclose(f);
}

static void test_read_back(void **state)
{
	char command[256], *text;

	(void)state;
	if (!have_tshark())
		test_skip("tshark is not installed");
	snprintf(command, sizeof(command), "tshark -r %s -c 2 -T fields -e frame.number -e "
		 "frame.time_epoch -e frame.len -e frame.interface_name 2>/dev/null", path);
	text = output_of(command);
	assert_string_equal(text, "1\t1700000000.123457790\t20\tvirtio-msg\n"
				  "2\t1700000000.123458791\t44\tvirtio-msg\n");
	free(text);
}

/* "name=value" for each field of tools/wireshark/xvm.lua that a message has. */
static void test_dissector(void **state)
{
	static const char fields[] =
		"tshark -2 -n -X lua_script:" LUA " -r %s -T fields -E header=y -E separator=/t "
		"-E aggregator=, -e frame.number "
		"$(sed -n 's/^field(\"\\([^\"]*\\)\".*/-e xvm.\\1/p' " LUA ") "
		"-e _ws.malformed -e _ws.expert.message -e _ws.lua.text 2>/dev/null"
		" | awk -F '\\t' 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next } "
		"{ line = $1; for (i = 2; i <= NF; i++) if ($i != \"\") { sub(/^xvm\\./, \"\", name[i]); "
		"line = line \" \" name[i] \"=\" $i } print line }'";
	char command[2048], *now, *want;

	(void)state;
	if (!have_tshark())
		test_skip("tshark is not installed");
	snprintf(command, sizeof(command), fields, path);
	now = output_of(command);
	want = file_text(EXPECT);
	if (strcmp(now, want))
		keep("build/check/capture.now", now);
	assert_string_equal(now, want);
	free(now);
	free(want);
}

static void test_filter(void **state)
{
	char command[512], *text;

	(void)state;
	if (!have_tshark())
		test_skip("tshark is not installed");
	snprintf(command, sizeof(command), "tshark -2 -n -X lua_script:" LUA " -r %s -Y "
		 "'xvm.dialect == 1 && xvm.msg_id == 0x0a && xvm.dev_num == 5' "
		 "-T fields -e frame.number -e _ws.col.Info 2>/dev/null", path);
	text = output_of(command);
	assert_string_equal(text, "61\tdev 5 SET_VQUEUE queue 1, size 128\n"
				  "62\tdev 5 SET_VQUEUE answer \n");
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_full),
		cmocka_unit_test_setup_teardown(test_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dissector, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
