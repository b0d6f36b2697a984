// SPDX-License-Identifier: MIT
/*
 * Encoding and decoding of every message. The expected bytes are written down
 * from the structs of the virtio-msg text and of docs/protocol.md. Decoders
 * get a heap block of just the message, so a read beyond it is seen.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../support/test.h"
#include "../../xen/proto/msg.h"

#define MAX_MSG 264u

static u8 out[512];
static enum xvm_dialect spoken;		/* of what is expected */

/* The encoding is these bytes, writes nothing beyond them, and its sender's check accepts it. */
static void expect(u32 len, enum xvm_side sender, const u8 *want, u32 want_len)
{
	const struct xvm_msg_row *row;
	struct xvm_hdr hdr;
	u32 i;

	assert_int_equal(len, want_len);
	assert_memory_equal(out, want, want_len);
	for (i = len; i < sizeof(out); i++)
		assert_int_equal(out[i], 0xee);
	assert_int_equal(xvm_frame_check(spoken, sender, MAX_MSG, out, len, &hdr, &row),
			 XVM_FRAME_OK);
}

#define DRV XVM_SIDE_DRIVER
#define DEV XVM_SIDE_DEVICE
#define BYTES(...) ((const u8[]){ __VA_ARGS__ })
#define EXPECT(len, sender, ...) expect(len, sender, BYTES(__VA_ARGS__), sizeof(BYTES(__VA_ARGS__)))

static int setup(void **state)
{
	(void)state;
	memset(out, 0xee, sizeof(out));
	return 0;
}

/* A copy of a message that ends where its block ends; freed at the end of the case. */
static u8 *blocks[64];
static u32 nblocks;

static const u8 *exact(const u8 *bytes, u32 len)
{
	u8 *p = malloc(len);

	assert_non_null(p);
	assert_true(nblocks < XVM_ARRAY_SIZE(blocks));
	memcpy(p, bytes, len);
	blocks[nblocks++] = p;
	return p;
}

static int teardown(void **state)
{
	(void)state;
	spoken = XVM_DIALECT_PR28;
	while (nblocks)
		free(blocks[--nblocks]);
	return 0;
}

static u32 answer(u32 len)
{
	xvm_msg_finish(out, true, 0x0201);
	return len;
}

static void test_empty(void **state)
{
	(void)state;
	EXPECT(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_INFO, 0x0105), DRV,
	       0, 0x02, 0x05, 0x01, 0, 0, 8, 0);
	setup(NULL);
	EXPECT(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, 7), DRV, 0, 0x07, 7, 0, 0, 0, 8, 0);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_DRIVER_FEATURES, 7)), DEV,
	       1, 0x04, 7, 0, 0x01, 0x02, 8, 0);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_VQUEUE, 7)), DEV,
	       1, 0x0a, 7, 0, 0x01, 0x02, 8, 0);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_empty(out, 0, VIRTIO_MSG_RESET_VQUEUE, 7)), DEV,
	       1, 0x0b, 7, 0, 0x01, 0x02, 8, 0);
}

static void test_u32(void **state)
{
	static const struct {
		u8 type, id, response;
		enum xvm_side sender;
	} rows[] = {
		{ 0, 0x07, 1, DEV },	/* GET_DEVICE_STATUS */
		{ 0, 0x08, 0, DRV },	/* SET_DEVICE_STATUS */
		{ 0, 0x08, 1, DEV },
		{ 0, 0x09, 0, DRV },	/* GET_VQUEUE */
		{ 0, 0x0b, 0, DRV },	/* RESET_VQUEUE */
		{ 0, 0x0c, 0, DRV },	/* GET_SHM */
		{ 0, 0x42, 0, DEV },	/* EVENT_USED */
		{ 2, 0x03, 0, DRV },	/* PING */
		{ 2, 0x03, 0, DEV },
		{ 2, 0x03, 1, DRV },
		{ 2, 0x03, 1, DEV },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		u8 dev = rows[i].type ? 0 : 9, type = rows[i].type | rows[i].response;
		u32 len = xvm_msg_put_u32(out, rows[i].type, rows[i].id, dev, 0x87654321u);

		xvm_msg_finish(out, rows[i].response, 0xfedc);
		EXPECT(len, rows[i].sender, type, rows[i].id, dev, 0, 0xdc, 0xfe, 12, 0,
		       0x21, 0x43, 0x65, 0x87);
		assert_int_equal(xvm_msg_get_u32(exact(out, len)), 0x87654321u);
		setup(NULL);
	}
}

static void test_finish(void **state)
{
	u8 buf[8] = { 0xff, 2, 3, 4, 5, 6, 8, 0 };

	(void)state;
	xvm_msg_finish(buf, true, 0xabcd);
	assert_memory_equal(buf, BYTES(3, 2, 3, 4, 0xcd, 0xab, 8, 0), 8);
	xvm_msg_finish(buf, false, 0);
	assert_memory_equal(buf, BYTES(2, 2, 3, 4, 0, 0, 8, 0), 8);
}

static void test_device_info(void **state)
{
	static const struct xvm_msg_device_info m = {
		.device_id = 2, .vendor_id = 0x1af4abcd, .num_feature_bits = 64, .config_size = 0x60,
		.max_virtqueues = 0x10203, .admin_vq_start = 0x405, .admin_vq_count = 0x607,
	};
	struct xvm_msg_device_info got;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_device_info(out, XVM_DIALECT_PR28, 3, &m));
	EXPECT(len, DEV, 1, 0x02, 3, 0, 1, 2, 32, 0,
	       2, 0, 0, 0, 0xcd, 0xab, 0xf4, 0x1a, 64, 0, 0, 0, 0x60, 0, 0, 0,
	       0x03, 0x02, 0x01, 0, 0x05, 0x04, 0x07, 0x06);
	xvm_msg_get_device_info(exact(out, len), XVM_DIALECT_PR28, &got);
	assert_memory_equal(&got, &m, sizeof(m));
}

static void test_features_request(void **state)
{
	struct xvm_msg_features got;
	u32 len;

	(void)state;
	len = xvm_msg_put_get_features(out, 3, 1, 0xffffffffu);
	EXPECT(len, DRV, 0, 0x03, 3, 0, 0, 0, 16, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);
	/* A request names blocks it does not carry. */
	assert_int_equal(xvm_msg_get_features(exact(out, len), len, false, &got), 0);
	assert_int_equal(got.block_index, 1);
	assert_int_equal(got.num_blocks, 0xffffffffu);
	assert_null(got.blocks);
}

static void test_features(void **state)
{
	static const u32 words[2] = { 0x11223344, 0x55667788 };
	struct xvm_msg_features got;
	const u8 *p;
	u32 len;

	(void)state;
	len = xvm_msg_put_features(out, VIRTIO_MSG_SET_DRIVER_FEATURES, 3, 0, 2, words);
	EXPECT(len, DRV, 0, 0x04, 3, 0, 0, 0, 24, 0, 0, 0, 0, 0, 2, 0, 0, 0,
	       0x44, 0x33, 0x22, 0x11, 0x88, 0x77, 0x66, 0x55);
	p = exact(out, len);
	assert_int_equal(xvm_msg_get_features(p, len, true, &got), 0);
	assert_int_equal(got.num_blocks, 2);
	assert_ptr_equal(got.blocks, p + 16);
	assert_int_equal(xvm_get32(got.blocks + 4), 0x55667788);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_features(out, VIRTIO_MSG_GET_DEVICE_FEATURES, 3, 5, 1, words)), DEV,
	       1, 0x03, 3, 0, 1, 2, 20, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0x44, 0x33, 0x22, 0x11);
}

static void test_features_lie(void **state)
{
	static const struct {
		u32 blocks, len;
		int want;
	} rows[] = {
		{ 0, 16, 0 },
		{ 1, 16, -EPROTO },
		{ 1, 19, -EPROTO },
		{ 1, 20, 0 },
		{ 2, 23, -EPROTO },
		{ 2, 24, 0 },
		{ 0x40000000u, 16, -EPROTO },	/* times 4 is 0 */
		{ 0x40000001u, 20, -EPROTO },	/* times 4 is 4 */
		{ 0xffffffffu, 24, -EPROTO },
	};
	struct xvm_msg_features got;
	u8 buf[64] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		xvm_put32(buf + 12, rows[i].blocks);
		assert_int_equal(xvm_msg_get_features(exact(buf, rows[i].len), rows[i].len, true, &got),
				 rows[i].want);
	}
}

static void test_get_config(void **state)
{
	u32 len, offset, length;

	(void)state;
	len = xvm_msg_put_get_config(out, 3, 0x01020304, 0x14);
	EXPECT(len, DRV, 0, 0x05, 3, 0, 0, 0, 16, 0, 4, 3, 2, 1, 0x14, 0, 0, 0);
	xvm_msg_get_get_config(exact(out, len), &offset, &length);
	assert_int_equal(offset, 0x01020304);
	assert_int_equal(length, 0x14);
}

static void test_config(void **state)
{
	static const struct xvm_msg_config m = { 9, 4, 3, (const u8 *)"abc" };
	static const struct xvm_msg_config rejected = { 10, 4, 0, NULL };
	struct xvm_msg_config got;
	const u8 *p;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_config(out, VIRTIO_MSG_GET_CONFIG, 3, &m));
	EXPECT(len, DEV, 1, 0x05, 3, 0, 1, 2, 23, 0, 9, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c');
	p = exact(out, len);
	assert_int_equal(xvm_msg_get_config(p, len, false, &got), 0);
	assert_int_equal(got.generation, 9);
	assert_int_equal(got.offset, 4);
	assert_int_equal(got.length, 3);
	assert_ptr_equal(got.data, p + 20);
	setup(NULL);
	EXPECT(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, 3, &m), DRV,
	       0, 0x06, 3, 0, 0, 0, 23, 0, 9, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c');
	setup(NULL);
	len = answer(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, 3, &rejected));
	EXPECT(len, DEV, 1, 0x06, 3, 0, 1, 2, 20, 0, 10, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(xvm_msg_get_config(exact(out, len), len, true, &got), 0);
	assert_null(got.data);
}

static void test_config_lie(void **state)
{
	static const struct {
		u32 length, len;
		bool optional;
		int want;
		bool data;
	} rows[] = {
		{ 0, 20, false, 0, false },
		{ 0, 24, false, 0, false },	/* bytes that nobody speaks of are ignored */
		{ 4, 24, false, 0, true },
		{ 4, 25, false, 0, true },
		{ 4, 20, false, -EPROTO, false },
		{ 4, 23, false, -EPROTO, false },
		{ 4, 20, true, 0, false },	/* applied, not echoed */
		{ 4, 23, true, -EPROTO, false },
		{ 4, 24, true, 0, true },
		{ 0xffffffffu, 20, false, -EPROTO, false },
		{ 0xffffffffu, 24, true, -EPROTO, false },
		{ 0xfffffff8u, 24, false, -EPROTO, false },
	};
	struct xvm_msg_config got;
	u8 buf[64] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		const u8 *p;

		xvm_put32(buf + 16, rows[i].length);
		p = exact(buf, rows[i].len);
		assert_int_equal(xvm_msg_get_config(p, rows[i].len, rows[i].optional, &got), rows[i].want);
		if (!rows[i].want)
			assert_ptr_equal(got.data, rows[i].data ? p + 20 : NULL);
	}
}

#define ADDRS 0x08, 7, 6, 5, 4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, \
	      0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21

static const struct xvm_msg_vqueue vqueue = {
	.index = 1, .max_size = 0x200, .size = 0x100, .desc_addr = 0x0102030405060708ull,
	.driver_addr = 0x1112131415161718ull, .device_addr = 0x2122232425262728ull,
};

static void test_vqueue(void **state)
{
	struct xvm_msg_vqueue got;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_vqueue(out, XVM_DIALECT_PR28, 3, &vqueue));
	EXPECT(len, DEV, 1, 0x09, 3, 0, 1, 2, 48, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ADDRS);
	xvm_msg_get_vqueue(exact(out, len), XVM_DIALECT_PR28, &got);
	assert_memory_equal(&got, &vqueue, sizeof(got));
}

static void test_set_vqueue(void **state)
{
	struct xvm_msg_vqueue got;
	u32 len;

	(void)state;
	len = xvm_msg_put_set_vqueue(out, XVM_DIALECT_PR28, 3, &vqueue);
	EXPECT(len, DRV, 0, 0x0a, 3, 0, 0, 0, 48, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ADDRS);
	/* Reserved words are not looked at. */
	out[12] = out[20] = 0x55;
	xvm_msg_get_set_vqueue(exact(out, len), XVM_DIALECT_PR28, &got);
	assert_int_equal(got.index, 1);
	assert_int_equal(got.max_size, 0);
	assert_int_equal(got.size, 0x100);
	assert_true(got.desc_addr == vqueue.desc_addr);
	assert_true(got.driver_addr == vqueue.driver_addr);
	assert_true(got.device_addr == vqueue.device_addr);
}

static void test_shm(void **state)
{
	static const struct xvm_msg_shm m = { 1, 0x1000, 0x80000000u };
	struct xvm_msg_shm got;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_shm(out, XVM_DIALECT_PR28, 3, &m));
	EXPECT(len, DEV, 1, 0x0c, 3, 0, 1, 2, 20, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0x80);
	xvm_msg_get_shm(exact(out, len), XVM_DIALECT_PR28, &got);
	assert_memory_equal(&got, &m, sizeof(got));
}

static void test_event_config(void **state)
{
	static const struct xvm_msg_event_config m = { 0x4f, 2, 8, 1, (const u8 *)"z" };
	static const struct xvm_msg_event_config bare = { 0x4f, 2, 8, 5, NULL };
	struct xvm_msg_event_config got;
	const u8 *p;
	u32 len;

	(void)state;
	len = xvm_msg_put_event_config(out, 3, &m);
	EXPECT(len, DEV, 0, 0x40, 3, 0, 0, 0, 25, 0,
	       0x4f, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 'z');
	p = exact(out, len);
	assert_int_equal(xvm_msg_get_event_config(p, len, &got), 0);
	assert_int_equal(got.device_status, 0x4f);
	assert_int_equal(got.generation, 2);
	assert_int_equal(got.offset, 8);
	assert_int_equal(got.length, 1);
	assert_ptr_equal(got.data, p + 24);
	setup(NULL);
	/* The range is named, the data left out. */
	len = xvm_msg_put_event_config(out, 3, &bare);
	EXPECT(len, DEV, 0, 0x40, 3, 0, 0, 0, 24, 0,
	       0x4f, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0);
	assert_int_equal(xvm_msg_get_event_config(exact(out, len), len, &got), 0);
	assert_int_equal(got.length, 5);
	assert_null(got.data);
}

static void test_event_config_lie(void **state)
{
	struct xvm_msg_event_config got;
	u8 buf[64] = { 0 };

	(void)state;
	xvm_put32(buf + 20, 5);
	assert_int_equal(xvm_msg_get_event_config(exact(buf, 28), 28, &got), -EPROTO);
	assert_int_equal(xvm_msg_get_event_config(exact(buf, 25), 25, &got), -EPROTO);
	assert_int_equal(xvm_msg_get_event_config(exact(buf, 29), 29, &got), 0);
	assert_non_null(got.data);
	xvm_put32(buf + 20, 0xffffffffu);
	assert_int_equal(xvm_msg_get_event_config(exact(buf, 28), 28, &got), -EPROTO);
	assert_int_equal(xvm_msg_get_event_config(exact(buf, 24), 24, &got), 0);
	assert_null(got.data);
}

static void test_event_avail(void **state)
{
	static const struct xvm_msg_event_avail m = { 0x0102, 0x80000003u };
	struct xvm_msg_event_avail got;
	u32 len;

	(void)state;
	len = xvm_msg_put_event_avail(out, 3, &m);
	EXPECT(len, DRV, 0, 0x41, 3, 0, 0, 0, 16, 0, 2, 1, 0, 0, 3, 0, 0, 0x80);
	xvm_msg_get_event_avail(exact(out, len), &got);
	assert_memory_equal(&got, &m, sizeof(got));
}

static void test_get_devices(void **state)
{
	u16 offset, count;
	u32 len;

	(void)state;
	len = xvm_msg_put_get_devices(out, 0x0108, 0x0210);
	EXPECT(len, DRV, 2, 0x02, 0, 0, 0, 0, 12, 0, 8, 1, 0x10, 2);
	xvm_msg_get_get_devices(exact(out, len), &offset, &count);
	assert_int_equal(offset, 0x0108);
	assert_int_equal(count, 0x0210);
}

static void test_devices(void **state)
{
	static const struct xvm_msg_get_devices m = { 8, 16, 0x0200, (const u8 *)"\x81\x40" };
	static const struct xvm_msg_get_devices none = { 3, 0, 0, NULL };
	struct xvm_msg_get_devices got;
	const u8 *p;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_devices(out, XVM_DIALECT_PR28, &m));
	EXPECT(len, DEV, 3, 0x02, 0, 0, 1, 2, 16, 0, 8, 0, 16, 0, 0, 2, 0x81, 0x40);
	p = exact(out, len);
	assert_int_equal(xvm_msg_get_devices(p, XVM_DIALECT_PR28, len, &got), 0);
	assert_int_equal(got.offset, 8);
	assert_int_equal(got.count, 16);
	assert_int_equal(got.next_offset, 0x0200);
	assert_ptr_equal(got.bitmap, p + 14);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_devices(out, XVM_DIALECT_PR28, &none)), DEV, 3, 0x02, 0, 0, 1, 2, 14, 0, 3, 0, 0, 0, 0, 0);
}

static void test_devices_lie(void **state)
{
	static const struct {
		u16 count;
		u32 len;
		int want;
	} rows[] = {
		{ 0, 14, 0 }, { 8, 14, -EPROTO }, { 8, 15, 0 }, { 7, 15, -EPROTO }, { 1, 14, -EPROTO },
		{ 0xfff8, 264, -EPROTO }, { 2000, 264, 0 }, { 2008, 264, -EPROTO }, { 0xffff, 264, -EPROTO },
	};
	struct xvm_msg_get_devices got;
	u8 buf[264] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		xvm_put16(buf + 10, rows[i].count);
		assert_int_equal(xvm_msg_get_devices(exact(buf, rows[i].len), XVM_DIALECT_PR28,
						     rows[i].len, &got), rows[i].want);
	}
}

static void test_event_device(void **state)
{
	struct xvm_msg_event_device got;
	u32 len;

	(void)state;
	len = xvm_msg_put_event_device(out, 0x0102, VIRTIO_MSG_DEVICE_REMOVED);
	EXPECT(len, DEV, 2, 0x40, 0, 0, 0, 0, 12, 0, 2, 1, 2, 0);
	xvm_msg_get_event_device(exact(out, len), &got);
	assert_int_equal(got.dev_num, 0x0102);
	assert_int_equal(got.state, 2);
}

static void test_area_add(void **state)
{
	static const struct xvm_msg_area_add m = {
		.id = 127, .scope = 0x0102, .npages = 1025, .ndirs = 2, .dir_ref = { 8, 0xa1b2c3d4 },
	};
	struct xvm_msg_area_add got;
	u32 len;

	(void)state;
	len = xvm_msg_put_area_add(out, &m);
	EXPECT(len, DRV, 2, 0x80, 0, 0, 0, 0, 32, 0, 127, 0, 2, 1, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 2, 0,
	       8, 0, 0, 0, 0xd4, 0xc3, 0xb2, 0xa1);
	assert_int_equal(xvm_msg_get_area_add(exact(out, len), len, &got), 0);
	assert_memory_equal(&got, &m, sizeof(got));
	assert_int_equal(xvm_area_add_check(&got), XVM_STATUS_OK);
}

static void test_area_add_lie(void **state)
{
	static const struct {
		u16 ndirs;
		u32 len;
		int want;
	} rows[] = {
		{ 1, 28, 0 }, { 16, 88, 0 }, { 0, 28, -EPROTO }, { 2, 28, -EPROTO }, { 1, 32, -EPROTO },
		{ 1, 29, -EPROTO }, { 17, 88, -EPROTO }, { 17, 92, -EPROTO }, { 0xffff, 88, -EPROTO },
		{ 0x4001, 28, -EPROTO },	/* times 4, cut to 16 bits, is 4 */
	};
	struct xvm_msg_area_add got;
	u8 buf[128] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		xvm_put16(buf + 22, rows[i].ndirs);
		assert_int_equal(xvm_msg_get_area_add(exact(buf, rows[i].len), rows[i].len, &got),
				 rows[i].want);
	}
}

static void test_area_add_check(void **state)
{
	static const struct {
		struct xvm_msg_area_add m;
		u16 want;
	} rows[] = {
		{ { .id = 1, .npages = 1, .ndirs = 1 }, 0 },
		{ { .id = 127, .npages = 16384, .ndirs = 16 }, 0 },
		{ { .id = 1, .npages = 1024, .ndirs = 1 }, 0 },
		{ { .id = 1, .npages = 1025, .ndirs = 2 }, 0 },
		{ { .id = 1, .npages = 1024, .ndirs = 2 }, 1 },
		{ { .id = 1, .npages = 1025, .ndirs = 1 }, 1 },
		{ { .id = 0, .npages = 1, .ndirs = 1 }, 1 },
		{ { .id = 128, .npages = 1, .ndirs = 1 }, 1 },
		{ { .id = 0xffff, .npages = 1, .ndirs = 1 }, 1 },
		{ { .id = 1, .npages = 0, .ndirs = 0 }, 1 },
		{ { .id = 1, .npages = 0, .ndirs = 1 }, 1 },
		{ { .id = 1, .npages = 16385, .ndirs = 17 }, 1 },
		{ { .id = 1, .npages = 0xffffffffu, .ndirs = 0 }, 1 },
		{ { .id = 1, .npages = 1, .ndirs = 1, .flags = 1 }, 1 },
		{ { .id = 1, .npages = 1, .ndirs = 1, .flags = 0x80000000u }, 1 },
		{ { .id = 1, .npages = 1, .ndirs = 1, .first_byte = 1 }, 1 },
		{ { .id = 1, .npages = 1, .ndirs = 1, .scope = 0xffff }, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(xvm_area_add_check(&rows[i].m), rows[i].want);
}

static void test_area_status(void **state)
{
	static const struct xvm_msg_area_status m = { 5, XVM_STATUS_NO_SPACE, 0x01020304 };
	struct xvm_msg_area_status got;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_area_status(out, XVM_BUS_MSG_AREA_ADD, &m));
	EXPECT(len, DEV, 3, 0x80, 0, 0, 1, 2, 16, 0, 5, 0, 2, 0, 4, 3, 2, 1);
	xvm_msg_get_area_status(exact(out, len), XVM_BUS_MSG_AREA_ADD, &got);
	assert_memory_equal(&got, &m, sizeof(got));
	setup(NULL);
	len = answer(xvm_msg_put_area_status(out, XVM_BUS_MSG_AREA_DEL, &m));
	EXPECT(len, DEV, 3, 0x81, 0, 0, 1, 2, 12, 0, 5, 0, 2, 0);
	xvm_msg_get_area_status(exact(out, len), XVM_BUS_MSG_AREA_DEL, &got);
	assert_int_equal(got.id, 5);
	assert_int_equal(got.status, 2);
	assert_int_equal(got.limit, 0);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_area_status(out, XVM_BUS_MSG_RELEASE_DEVICE, &m)), DEV,
	       3, 0x84, 0, 0, 1, 2, 12, 0, 5, 0, 2, 0);
}

static void test_number(void **state)
{
	u32 len;

	(void)state;
	len = xvm_msg_put_number(out, XVM_BUS_MSG_AREA_DEL, 0x7f);
	EXPECT(len, DRV, 2, 0x81, 0, 0, 0, 0, 12, 0, 0x7f, 0, 0, 0);
	assert_int_equal(xvm_msg_get_number(exact(out, len)), 0x7f);
	setup(NULL);
	EXPECT(xvm_msg_put_number(out, XVM_BUS_MSG_RELEASE_DEVICE, 0xfffe), DRV,
	       2, 0x84, 0, 0, 0, 0, 12, 0, 0xfe, 0xff, 0, 0);
	setup(NULL);
	EXPECT(xvm_msg_put_number(out, XVM_BUS_MSG_QUIESCE, 7), DRV, 2, 0x85, 0, 0, 0, 0, 12, 0, 7, 0, 0, 0);
}

static void test_keep_queue(void **state)
{
	static const struct xvm_msg_keep_queue m = { 0x0102, XVM_KEEP_IDLE, 0x04050607 };
	struct xvm_msg_keep_queue got;
	u32 len;

	(void)state;
	len = xvm_msg_put_keep_queue(out, &m);
	EXPECT(len, DRV, 2, 0x87, 0, 0, 0, 0, 16, 0, 2, 1, 1, 0, 7, 6, 5, 4);
	xvm_msg_get_keep_queue(exact(out, len), &got);
	assert_memory_equal(&got, &m, sizeof(got));
}

static void test_request_failed(void **state)
{
	static const struct xvm_msg_request_failed m = { 0x0102, 0x0304, 2, 0x0a, XVM_FAILED_REMOVED };
	struct xvm_msg_request_failed got;
	u32 len;

	(void)state;
	len = xvm_msg_put_request_failed(out, &m);
	EXPECT(len, DEV, 2, 0xc0, 0, 0, 0, 0, 16, 0, 2, 1, 4, 3, 2, 0x0a, 2, 0);
	xvm_msg_get_request_failed(exact(out, len), &got);
	assert_memory_equal(&got, &m, sizeof(got));
}

/* ---- draft2026: what it lays out otherwise ---- */

#define DRAFT XVM_DIALECT_DRAFT2026

static int setup_draft(void **state)
{
	spoken = DRAFT;
	return setup(state);
}

static void test_draft_device_info(void **state)
{
	static const struct xvm_msg_device_info m = {
		.device_id = 2, .vendor_id = 0x1af4abcd, .num_feature_bits = 96, .config_size = 0x60,
		.max_virtqueues = 0x10203, .admin_vq_start = 0x10005, .admin_vq_count = 0x607,
		.uuid = { 0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xaf },
	};
	struct xvm_msg_device_info got;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_device_info(out, DRAFT, 3, &m));
	EXPECT(len, DEV, 1, 0x02, 3, 0, 1, 2, 52, 0,
	       2, 0, 0, 0, 0xcd, 0xab, 0xf4, 0x1a,
	       0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xaf,
	       3, 0, 0, 0, 0x60, 0, 0, 0, 0x03, 0x02, 0x01, 0, 0x05, 0, 1, 0, 0x07, 0x06, 0, 0);
	xvm_msg_get_device_info(exact(out, len), DRAFT, &got);
	assert_memory_equal(&got, &m, sizeof(m));
	/* No number of blocks is lost, and a bit more is a block more. */
	memset(out + 32, 0xff, 4);
	xvm_msg_get_device_info(exact(out, len), DRAFT, &got);
	assert_true(got.num_feature_bits == 0xffffffffull * 32);
	got.num_feature_bits = 65;
	xvm_msg_put_device_info(out, DRAFT, 3, &got);
	assert_int_equal(out[32], 3);
}

static void test_draft_vqueue(void **state)
{
	struct xvm_msg_vqueue m = vqueue, got;
	u32 len;

	(void)state;
	m.flags = VIRTIO_MSG_VQ_ENABLED;
	len = answer(xvm_msg_put_vqueue(out, DRAFT, 3, &m));
	EXPECT(len, DEV, 1, 0x09, 3, 0, 1, 2, 48, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, ADDRS);
	xvm_msg_get_vqueue(exact(out, len), DRAFT, &got);
	assert_memory_equal(&got, &m, sizeof(got));
	/* The same bytes say nothing of it in the other dialect. */
	xvm_msg_get_vqueue(exact(out, len), XVM_DIALECT_PR28, &got);
	assert_int_equal(got.flags, 0);
}

static void test_draft_set_vqueue(void **state)
{
	struct xvm_msg_vqueue m = vqueue, got;
	u32 len;

	(void)state;
	m.max_size = 0;
	m.flags = VIRTIO_MSG_VQ_ENABLE | VIRTIO_MSG_VQ_NO_DEVICE;
	len = xvm_msg_put_set_vqueue(out, DRAFT, 3, &m);
	EXPECT(len, DRV, 0, 0x0a, 3, 0, 0, 0, 48, 0, 1, 0, 0, 0, 0x21, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ADDRS);
	/* Its fourth word is for the device to refuse, so it is decoded. */
	out[20] = 0x55;
	m.reserved = 0x55;
	xvm_msg_get_set_vqueue(exact(out, len), DRAFT, &got);
	assert_memory_equal(&got, &m, sizeof(got));
}

static void test_draft_shm(void **state)
{
	static const struct xvm_msg_shm m = { 1, 0x123456789aull, 0x10080000000ull };
	struct xvm_msg_shm got;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_shm(out, DRAFT, 3, &m));
	EXPECT(len, DEV, 1, 0x0c, 3, 0, 1, 2, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	       0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 0x80, 0, 1, 0, 0);
	xvm_msg_get_shm(exact(out, len), DRAFT, &got);
	assert_memory_equal(&got, &m, sizeof(got));
	/* Where 32 bits do not hold it there is none, not a piece of it. */
	spoken = XVM_DIALECT_PR28;
	setup(NULL);
	len = answer(xvm_msg_put_shm(out, XVM_DIALECT_PR28, 3, &m));
	EXPECT(len, DEV, 1, 0x0c, 3, 0, 1, 2, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void test_draft_devices(void **state)
{
	static const struct xvm_msg_get_devices m = { 3, 10, 0x0200, (const u8 *)"\x81\x02" };
	static const struct xvm_msg_get_devices none = { 3, 0, 0, NULL };
	struct xvm_msg_get_devices got;
	const u8 *p;
	u32 len;

	(void)state;
	len = answer(xvm_msg_put_devices(out, DRAFT, &m));
	EXPECT(len, DEV, 3, 0x02, 0, 0, 1, 2, 16, 0, 3, 0, 0, 2, 10, 0, 0x81, 0x02);
	p = exact(out, len);
	assert_int_equal(xvm_msg_get_devices(p, DRAFT, len, &got), 0);
	assert_int_equal(got.offset, 3);
	assert_int_equal(got.count, 10);
	assert_int_equal(got.next_offset, 0x0200);
	assert_ptr_equal(got.bitmap, p + 14);
	setup(NULL);
	EXPECT(answer(xvm_msg_put_devices(out, DRAFT, &none)), DEV, 3, 0x02, 0, 0, 1, 2, 14, 0, 3, 0, 0, 0, 0, 0);
}

static void test_draft_devices_lie(void **state)
{
	static const struct {
		u16 count;
		u32 len;
		int want;
	} rows[] = {
		{ 0, 14, 0 }, { 1, 14, -EPROTO }, { 1, 15, 0 }, { 8, 15, 0 }, { 9, 15, -EPROTO }, { 9, 16, 0 },
		{ 2000, 264, 0 }, { 2001, 264, -EPROTO }, { 0xffff, 264, -EPROTO },
	};
	struct xvm_msg_get_devices got;
	u8 buf[264] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		xvm_put16(buf + 12, rows[i].count);
		assert_int_equal(xvm_msg_get_devices(exact(buf, rows[i].len), DRAFT, rows[i].len, &got),
				 rows[i].want);
	}
}

#define CASE_DRAFT(name) cmocka_unit_test_setup_teardown(name, setup_draft, teardown)
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_empty), CASE(test_u32), CASE(test_finish), CASE(test_device_info),
		CASE(test_features_request), CASE(test_features), CASE(test_features_lie),
		CASE(test_get_config), CASE(test_config), CASE(test_config_lie), CASE(test_vqueue),
		CASE(test_set_vqueue), CASE(test_shm), CASE(test_event_config),
		CASE(test_event_config_lie), CASE(test_event_avail), CASE(test_get_devices),
		CASE(test_devices), CASE(test_devices_lie), CASE(test_event_device), CASE(test_area_add),
		CASE(test_area_add_lie), CASE(test_area_add_check), CASE(test_area_status),
		CASE(test_number), CASE(test_keep_queue), CASE(test_request_failed), CASE_DRAFT(test_draft_device_info),
		CASE_DRAFT(test_draft_vqueue), CASE_DRAFT(test_draft_set_vqueue), CASE_DRAFT(test_draft_shm),
		CASE_DRAFT(test_draft_devices), CASE_DRAFT(test_draft_devices_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
