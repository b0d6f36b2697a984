// SPDX-License-Identifier: GPL-2.0-or-later
/* Syntax of vfio-user as dom0/remote takes it: lengths by the table, JSON, capability chains, and what is refused. */
/* LINK: dom0/remote/vfio_user_msg.c dom0/remote/vfio_user_json.c */
#include "../support/test.h"
#include "../../dom0/remote/vfio_user_msg.h"

static int header(u16 cmd, u32 bytes, u32 flags)
{
	struct vfu_hdr hdr = { .id = 7, .cmd = cmd, .bytes = bytes, .flags = flags, .error = 5 }, back;
	u8 raw[VFU_HDR_BYTES];
	int err;

	vfu_put_hdr(raw, &hdr);
	err = vfu_get_hdr(raw, &back);
	assert_int_equal(back.id, 7);
	assert_int_equal(back.error, 5);
	return err;
}

static void test_header(void **state)
{
	u16 cmd;

	(void)state;
	assert_int_equal(header(VFU_GET_INFO, 32, VFU_F_REPLY), 0);
	assert_int_equal(header(VFU_GET_INFO, 31, VFU_F_REPLY), -EPROTO);
	assert_int_equal(header(VFU_GET_INFO, 81, VFU_F_REPLY), -EPROTO);
	assert_int_equal(header(VFU_GET_INFO, 16, VFU_F_REPLY), -EPROTO);
	assert_int_equal(header(VFU_GET_INFO, 16, VFU_F_REPLY | VFU_F_ERROR), 0);
	assert_int_equal(header(VFU_GET_INFO, 15, VFU_F_REPLY | VFU_F_ERROR), -EPROTO);
	assert_int_equal(header(VFU_GET_INFO, 32, VFU_F_REPLY + 1), -EPROTO);
	/* What only a client sends, and what only a server does. */
	assert_int_equal(header(VFU_GET_INFO, 32, VFU_F_COMMAND), -EPROTO);
	assert_int_equal(header(VFU_DMA_READ, 32, VFU_F_COMMAND), 0);
	assert_int_equal(header(VFU_DMA_READ, 33, VFU_F_COMMAND), -EPROTO);
	assert_int_equal(header(VFU_DMA_READ, 32, VFU_F_REPLY), -EPROTO);
	assert_int_equal(header(VFU_DMA_WRITE, 32 + VFU_MAX_XFER, VFU_F_COMMAND), 0);
	assert_int_equal(header(VFU_DMA_WRITE, 33 + VFU_MAX_XFER, VFU_F_COMMAND), -EPROTO);
	assert_int_equal(header(VFU_REGION_READ, 0xffffffff, VFU_F_REPLY), -EPROTO);
	assert_int_equal(header(0, 16, VFU_F_REPLY), -EPROTO);
	for (cmd = VFU_CMDS; cmd; cmd++)
		assert_int_equal(header(cmd, 16, VFU_F_REPLY), -EPROTO);
	assert_string_equal(vfu_name(VFU_SET_IRQS), "DEVICE_SET_IRQS");
	assert_string_equal(vfu_name(0xffff), "unknown command");
}

static int caps(const char *text, struct vfu_version *version)
{
	*version = (struct vfu_version){ .max_fds = 1, .max_xfer = VFU_MAX_XFER };
	return vfu_get_caps(text, strlen(text), version);
}

static void test_json(void **state)
{
	static const char *const bad[] = {
		"", "{", "}", "[]", "1", "{} x", "{\"capabilities\":1}", "{\"capabilities\":[]}",
		"{\"capabilities\":{\"max_msg_fds\":\"8\"}}", "{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":1.5}}", "{\"capabilities\":{\"max_msg_fds\":4294967296}}",
		"{\"capabilities\":{\"max_msg_fds\":null}}", "{\"capabilities\":{\"max_msg_fds\":}}",
		"{\"capabilities\":{\"twin_socket\":true}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":1}}}",
		"{\"capabilities\":{\"twin_socket\":{\"fd_index\":true}}}",
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}",
		"{\"a\":[[[[[[[[[[]]]]]]]]]]}", "{\"a\" 1}", "{\"a\":1,}", "{\"a\":tru}", "{\"a\":\"b}", "{\"a\":\"\\",
		"{\"a\":-}", "{\"a\":\"\n\"}",
	};
	struct vfu_version v;
	size_t i;

	(void)state;
	assert_int_equal(caps(" { } ", &v), 0);
	assert_int_equal(v.max_fds, 1);
	assert_int_equal(caps("{\"capabilities\": {\"max_msg_fds\": 8, \"max_data_xfer_size\" : 4096,\n"
			      "\"migration\": {\"pgsize\": 4096}, \"x\": [1, -2.5e3, null, \"\\\"\", {}],\n"
			      "\"twin_socket\": {\"supported\": true, \"fd_index\": 3}}, \"max_msg_fds\": \"no\"}", &v), 0);
	assert_int_equal(v.max_fds, 8);
	assert_int_equal(v.max_xfer, 4096);
	assert_true(v.twin && v.twin_indexed);
	assert_int_equal(v.twin_index, 3);
	assert_int_equal(caps("{\"capabilities\":{\"max_data_xfer_size\":1048576,\"twin_socket\":{\"supported\":false}}}",
			      &v), 0);
	assert_int_equal(v.max_xfer, VFU_MAX_XFER);
	assert_false(v.twin || v.twin_indexed);
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		if (caps(bad[i], &v) != -EPROTO)
			fail_msg("taken: %s", bad[i]);
	}
}

static void test_version(void **state)
{
	u8 raw[VFU_MAX_JSON];
	struct vfu_version v;
	u32 bytes;

	(void)state;
	/* What we say is what we would take. */
	bytes = vfu_put_version(raw, true);
	assert_int_equal(vfu_get_version(raw, bytes, &v), 0);
	assert_int_equal(v.major, VFU_MAJOR);
	assert_int_equal(v.max_fds, VFU_MAX_FDS);
	assert_true(v.twin);
	assert_int_equal(vfu_get_version(raw, bytes - 1, &v), -EPROTO);
	bytes = vfu_put_version(raw, false);
	assert_int_equal(vfu_get_version(raw, bytes, &v), 0);
	assert_false(v.twin);
	assert_int_equal(vfu_get_version(raw, 4, &v), 0);
	assert_int_equal(v.max_fds, 1);
	assert_int_equal(vfu_get_version(raw, 3, &v), -EPROTO);
}

/* A reply with one sparse capability of n areas at offset 32. */
static void sparse(u8 raw[VFU_REGION_INFO_MAX], u32 n)
{
	u32 i;

	memset(raw, 0, VFU_REGION_INFO_MAX);
	xvm_put32(raw + 4, VFU_REGION_F_READ | VFU_REGION_F_MMAP | VFU_REGION_F_CAPS);
	xvm_put32(raw + 8, 4);
	xvm_put32(raw + 12, 32);
	xvm_put64(raw + 16, 0x10000);
	xvm_put64(raw + 24, 0x3000);
	xvm_put16(raw + 32, 1);
	xvm_put32(raw + 40, n);
	for (i = 0; i < n && 64 + 16 * i <= VFU_REGION_INFO_MAX; i++) {
		xvm_put64(raw + 48 + 16 * i, 0x1000 * i);
		xvm_put64(raw + 56 + 16 * i, 0x1000);
	}
}

static void test_region_info(void **state)
{
	u8 raw[VFU_REGION_INFO_MAX];
	struct vfu_region r;

	(void)state;
	sparse(raw, 3);
	assert_int_equal(vfu_get_region_info(raw, 48 + 48, &r), 0);
	assert_int_equal(r.index, 4);
	assert_int_equal(r.offset, 0x3000);
	assert_true(r.sparse);
	assert_int_equal(r.areas, 3);
	assert_int_equal(r.area[2].offset, 0x2000);
	/* Cut short, too many, outside, in a circle, twice, in the header. */
	assert_int_equal(vfu_get_region_info(raw, 48 + 47, &r), -EPROTO);
	assert_int_equal(vfu_get_region_info(raw, 31, &r), -EPROTO);
	sparse(raw, VFU_MAX_SPARSE + 1);
	assert_int_equal(vfu_get_region_info(raw, sizeof(raw), &r), -EPROTO);
	sparse(raw, 1);
	xvm_put64(raw + 48, 0xf001);
	assert_int_equal(vfu_get_region_info(raw, 64, &r), -EPROTO);
	xvm_put64(raw + 48, ~0ull);
	assert_int_equal(vfu_get_region_info(raw, 64, &r), -EPROTO);
	sparse(raw, 1);
	xvm_put32(raw + 36, 32);
	assert_int_equal(vfu_get_region_info(raw, 64, &r), -EPROTO);
	xvm_put32(raw + 36, 64);
	xvm_put16(raw + 64, 1);
	assert_int_equal(vfu_get_region_info(raw, 128, &r), -EPROTO);
	sparse(raw, 1);
	xvm_put32(raw + 12, 8);
	assert_int_equal(vfu_get_region_info(raw, 64, &r), -EPROTO);
	xvm_put32(raw + 12, 0xfffffff8);
	assert_int_equal(vfu_get_region_info(raw, 64, &r), -EPROTO);
	/* Unless its flag says so there is none. */
	xvm_put32(raw + 4, VFU_REGION_F_READ);
	assert_int_equal(vfu_get_region_info(raw, 32, &r), 0);
	assert_false(r.sparse);
}

static void test_dma(void **state)
{
	struct vfu_dma dma = { .addr = 0x10000001000, .count = 300 }, back;
	u8 raw[16 + 300] = { 0 };

	(void)state;
	vfu_put_dma(raw, &dma);
	assert_int_equal(vfu_get_dma(raw, 316, true, &back), 0);
	assert_int_equal(back.addr, dma.addr);
	assert_int_equal(vfu_get_dma(raw, 315, true, &back), -EPROTO);
	assert_int_equal(vfu_get_dma(raw, 16, false, &back), 0);
	assert_int_equal(vfu_get_dma(raw, 17, false, &back), -EPROTO);
	assert_int_equal(vfu_get_dma(raw, 15, false, &back), -EPROTO);
	dma.count = VFU_MAX_XFER + 1;
	vfu_put_dma(raw, &dma);
	assert_int_equal(vfu_get_dma(raw, 16, false, &back), -EPROTO);
	dma.count = 0x100000000ull;
	vfu_put_dma(raw, &dma);
	assert_int_equal(vfu_get_dma(raw, 16, true, &back), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header), cmocka_unit_test(test_json), cmocka_unit_test(test_version),
		cmocka_unit_test(test_region_info), cmocka_unit_test(test_dma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
