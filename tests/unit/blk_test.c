// SPDX-License-Identifier: GPL-2.0-or-later
/* virtio-blk of dom0/dev/blk.c and blk_rw.c: requests good and bad, limits, resets, bounce buffers. */
/* LINK: dom0/dev/blk.c dom0/dev/blk_rw.c dom0/dev/blk_zero.c dom0/dev/blk_lock.c dom0/virtio */
#include "../support/blk_rig.h"

/* ---- the good ---- */

static void test_config(void **state)
{
	struct fix *f = *state;
	u8 c[60];

	assert_int_equal(f->vdev->config_bytes, 60);
	assert_true(xvm_vdev_config_read(f->vdev, 0, 60, c));
	assert_int_equal(xvm_get64(c), SECTORS);
	assert_int_equal(xvm_get32(c + 8), 65536);
	assert_int_equal(xvm_get32(c + 12), 126);
	assert_true((u64)xvm_get32(c + 8) * xvm_get32(c + 12) <= 8u << 20);
	assert_int_equal(xvm_get32(c + 20), 512);
	assert_int_equal(xvm_get16(c + 34), 1);
	assert_false(xvm_vdev_config_write(f->vdev, 0, 0, 8, c));
	assert_false(f->vdev->offered & (F(RO) | F(MQ) | F(CONFIG_WCE) | 1ull << 38));
}

static void test_read_write(void **state)
{
	struct fix *f = *state;
	u32 used, i;

	assert_int_equal(request_used(f, VIRTIO_BLK_T_IN, 100, DATA, 4096, true, &used), 0);
	assert_int_equal(used, 4097);
	for (i = 0; i < 8; i++)
		assert_int_equal(xvm_get32(f->data + 512 * i), 100 + i);
	memset(f->data, 0x5a, 1024);
	assert_int_equal(request_used(f, VIRTIO_BLK_T_OUT, 7, DATA, 1024, false, &used), 0);
	assert_int_equal(used, 1);
	assert_int_equal(sector_word(f, 6), 6);
	assert_int_equal(sector_word(f, 7), 0x5a5a5a5a);
	assert_int_equal(sector_word(f, 8), 0x5a5a5a5a);
	assert_int_equal(sector_word(f, 9), 9);
	assert_int_equal(aio.count[OP_SYNC], 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), 0);
	assert_int_equal(aio.count[OP_SYNC], 1);
	/* The very last sector, and all there is in one go. */
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, SECTORS - 1, 512), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 8u << 20), 0);
	assert_int_equal(xvm_get32(f->data + 512 * 16383), 16383);
	assert_int_equal(f->vdev->bytes_written, 1024);
	assert_int_equal(f->vdev->requests, 5);
	assert_int_equal(f->vdev->bounced, 0);
}

/* The host enlarged the image: the driver is told, and may use the new end at once; a disk never shrinks. */
static void test_resize(void **state)
{
	struct fix *f = *state;
	u32 generation = f->vdev->generation;
	u8 c[8];

	assert_int_equal(request(f, VIRTIO_BLK_T_IN, SECTORS, 512), VIRTIO_BLK_S_IOERR);
	f->vdev->type->resize(f->vdev, 512ull * (SECTORS + 8));
	assert_int_equal(f->vdev->generation, generation + 1);
	assert_true(xvm_vdev_config_read(f->vdev, 0, 8, c));
	assert_int_equal(xvm_get64(c), SECTORS + 8);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, SECTORS + 7, 512), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, SECTORS + 7, 512), 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, SECTORS + 8, 512), VIRTIO_BLK_S_IOERR);
	f->vdev->type->resize(f->vdev, 512ull * SECTORS);
	f->vdev->type->resize(f->vdev, 512ull * (SECTORS + 16) + 1);
	assert_int_equal(f->vdev->generation, generation + 1);
	/* The same size again is news too: somebody asked for it. */
	f->vdev->type->resize(f->vdev, 512ull * (SECTORS + 8));
	assert_int_equal(f->vdev->generation, generation + 2);
}

/* Header, data and status cut in odd places, in an indirect table. */
static void test_odd_layout(void **state)
{
	struct fix *f = *state;
	u32 head, len;

	header_at(f, RING_DATA, VIRTIO_BLK_T_IN, 5);
	ring_indirect(&f->r, RING_DATA + 0x100, 0, ring_addr(RING_DATA), 3, RING_NEXT, 1);
	ring_indirect(&f->r, RING_DATA + 0x100, 1, ring_addr(RING_DATA + 3), 13, RING_NEXT, 2);
	ring_indirect(&f->r, RING_DATA + 0x100, 2, ring_addr(DATA), 500, RING_NEXT | RING_WRITE, 3);
	/* The last twelve bytes and the status byte in one buffer. */
	ring_indirect(&f->r, RING_DATA + 0x100, 3, ring_addr(DATA + 500), 13, RING_WRITE, 0);
	ring_desc(&f->r, 0, ring_addr(RING_DATA + 0x100), 64, RING_INDIRECT, 0);
	memset(f->data, 0xee, 520);
	ring_offer(&f->r, 0);
	xvm_vdev_kick(f->vdev, 0);
	run(f);
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(len, 513);
	assert_int_equal(xvm_get32(f->data), 5);
	assert_int_equal(f->data[511], 0);
	assert_int_equal(f->data[512], VIRTIO_BLK_S_OK);
	assert_int_equal(f->data[513], 0xee);
}

static void test_get_id(void **state)
{
	struct fix *f = *state;
	u32 used;

	assert_int_equal(request_used(f, VIRTIO_BLK_T_GET_ID, 0, DATA, 20, true, &used), 0);
	assert_memory_equal(f->data, "serial-of-20-bytes!!", 20);
	assert_int_equal(used, 21);
	memset(f->data, 0xee, 20);
	assert_int_equal(request(f, VIRTIO_BLK_T_GET_ID, 0, 7), 0);
	assert_int_equal(f->data[7], 0xee);
}

/* Every short result is continued until the request is whole. */
static void test_short(void **state)
{
	struct fix *f = *state;
	u32 i;

	aio.chunk = 700;
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 50, 8192), 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(xvm_get32(f->data + 512 * i), 50 + i);
	memset(f->data, 0x11, 4096);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 60, 4096), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(sector_word(f, 60 + i), 0x11111111);
	aio.fail = -EINTR;
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 50, 512), 0);
}

/* An image that shrank: an error, and zeroes instead of what the buffer held. */
static void test_truncated(void **state)
{
	struct fix *f = *state;
	u32 i, used;

	assert_int_equal(ftruncate(f->fd, 512 * 10 + 100), 0);
	memset(f->data, 0xee, 4096);
	assert_int_equal(request_used(f, VIRTIO_BLK_T_IN, 9, DATA, 4096, true, &used), 1);
	assert_int_equal(used, 4097);
	assert_int_equal(xvm_get32(f->data), 9);
	for (i = 612; i < 4096; i++)
		assert_int_equal(f->data[i], 0);
	aio.fail = -EIO;
	memset(f->data, 0xee, 512);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 0, 512), 1);
	assert_int_equal(f->data[0], 0);
	aio.fail = -ENOSPC;
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, 512), 1);
	aio.fail = -EIO;
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), 1);
}

/* Without FLUSH each write is made stable before it is answered. */
static void test_write_through(void **state)
{
	struct fix *f = *state;

	assert_int_equal(owner_up(f->vdev, &f->r, BASE), 15);
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 1, 512), 0);
	assert_int_equal(aio.count[OP_SYNC], 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 1, 512), 0);
	assert_int_equal(aio.count[OP_SYNC], 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 16), 2);
}

/* ---- the bad ---- */

static void test_bad_requests(void **state)
{
	static const struct {
		u32 type;
		u64 sector;
		u32 len;
		u8 status;
	} rows[] = {
		{ VIRTIO_BLK_T_IN, SECTORS, 512, 1 },
		{ VIRTIO_BLK_T_IN, SECTORS - 1, 1024, 1 },
		{ VIRTIO_BLK_T_IN, UINT64_MAX, 512, 1 },
		{ VIRTIO_BLK_T_IN, UINT64_MAX - 1, 1024, 1 },
		{ VIRTIO_BLK_T_IN, 1ull << 55, 512, 1 },	/* times 512 wraps to 0 */
		{ VIRTIO_BLK_T_IN, 0, 511, 1 }, { VIRTIO_BLK_T_IN, 0, 513, 1 },
		{ VIRTIO_BLK_T_IN, 0, (8u << 20) + 512, 1 },
		{ VIRTIO_BLK_T_OUT, SECTORS, 512, 1 }, { VIRTIO_BLK_T_OUT, 0, 100, 1 },
		{ VIRTIO_BLK_T_OUT, 0, (8u << 20) + 512, 1 },
		{ 2, 0, 512, 2 }, { 14, 0, 0, 2 }, { 0x80000001, 0, 512, 2 }, { 99, 0, 0, 2 },
		{ VIRTIO_BLK_T_IN, 5, 0, 0 }, { VIRTIO_BLK_T_OUT, SECTORS, 0, 0 },
	};
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(request(f, rows[i].type, rows[i].sector, rows[i].len),
				 rows[i].status);
	assert_int_equal(aio.tail, 0);
	assert_int_equal(f->vdev->status, 15);
}

static void test_read_only(void **state)
{
	struct fix *f = *state;

	assert_true(f->vdev->offered & F(RO));
	assert_false(f->vdev->offered & (F(DISCARD) | F(WRITE_ZEROES)));
	assert_int_equal(request(f, VIRTIO_BLK_T_OUT, 0, 512), 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_DISCARD, 0, 16), 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), 1);
	assert_int_equal(request(f, VIRTIO_BLK_T_FLUSH, 0, 0), 0);
	assert_int_equal(aio.tail, 0);
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 3, 512), 0);
	assert_int_equal(xvm_get32(f->data), 3);
}

static void test_malformed(void **state)
{
	static const struct ring_seg rows[][2] = {
		{ { RING_DATA, 15, false }, { STATUS, 1, true } },
		{ { RING_DATA, 16, false }, { DATA, 512, false } },
		{ { STATUS, 1, true }, { DATA, 512, true } },
	};
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		ring_chain(&f->r, rows[i], 2);
		xvm_vdev_kick(f->vdev, 0);
		run(f);
		assert_int_equal(f->vdev->status, 15 | XVM_S_NEEDS_RESET);
		assert_int_equal(owner.state, XVM_DEV_BROKEN);
		assert_string_equal(owner.reason, "request without a header or a status byte");
		assert_int_equal(f->vdev->in_flight, 0);
		assert_true(xvm_vdev_begin_reset(f->vdev));
		assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	}
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 3, 512), 0);
}

/* The header is copied once: what the guest writes there later is not looked at. */
static void test_changed_header(void **state)
{
	struct fix *f = *state;
	u32 head, len;

	offer(f, VIRTIO_BLK_T_OUT, 3, DATA, 512, false);
	header_at(f, RING_DATA, VIRTIO_BLK_T_IN, UINT64_MAX);
	memset(f->r.base + RING_DESC, 0xff, 256 * 16);
	f->data[0] = 0x77;
	run(f);
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(f->r.base[STATUS], 0);
	assert_int_equal(sector_word(f, 3) & 0xff, 0x77);
}

/* ---- limits, full queues, resets ---- */

static void test_in_flight_limit(void **state)
{
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < 12; i++)
		offer(f, VIRTIO_BLK_T_IN, 0, DATA, 8u << 20, true);
	owner_pass(f->vdev);
	assert_int_equal(f->vdev->in_flight, 8);	/* 64 MiB */
	run(f);
	assert_int_equal(ring_used_idx(&f->r), 12);
	assert_int_equal(f->vdev->in_flight, 0);
}

static void test_submission_full(void **state)
{
	struct fix *f = *state;

	aio.full = 5;
	assert_int_equal(request(f, VIRTIO_BLK_T_IN, 9, 512), 0);
	assert_int_equal(xvm_get32(f->data), 9);
	/* Nobody retries in a queue that was stopped: the reset ends it. */
	aio.full = 1000;
	offer(f, VIRTIO_BLK_T_OUT, 9, DATA, 512, false);
	assert_int_equal(f->vdev->in_flight, 1);
	assert_true(xvm_vdev_begin_vq_reset(f->vdev, 0));
	aio.full = 0;
	assert_int_equal(f->vdev->in_flight, 0);
	assert_int_equal(sector_word(f, 9), 9);
}

/* A short read that cannot go on because the queue stopped ends with an error, not never. */
static void test_stopped_midway(void **state)
{
	struct fix *f = *state;

	aio.chunk = 512;
	offer(f, VIRTIO_BLK_T_IN, 9, DATA, 1024, true);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	aio.full = 1;
	aio_one();
	assert_int_equal(owner.drained, 1);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(ring_used_idx(&f->r), 0);
}

static void test_many(void **state)
{
	struct ring_seg seg[3] = { { RING_DATA, 16, false }, { DATA, 512, true }, { STATUS, 1, true } };
	struct fix *f = *state;
	u32 round, i;

	header_at(f, RING_DATA, VIRTIO_BLK_T_IN, 1);
	for (round = 0; round < 1000; round++) {
		for (i = 0; i < 85; i++)
			ring_chain(&f->r, seg, 3);
		xvm_vdev_kick(f->vdev, 0);
		run(f);
		assert_int_equal(ring_used_idx(&f->r), (u16)(85 * (round + 1)));
	}
	assert_int_equal(f->vdev->requests, 85000);
}

/* ---- O_DIRECT ---- */

static void test_bounce(void **state)
{
	struct fix *f = *state;
	u32 head, len;

	memset(f->data, 0xee, 2000);
	assert_int_equal(request_used(f, VIRTIO_BLK_T_IN, 30, DATA + 1, 1024, true, NULL), 0);
	assert_int_equal(xvm_get32(f->data + 1), 30);
	assert_int_equal(xvm_get32(f->data + 513), 31);
	assert_int_equal(f->data[0], 0xee);
	assert_int_equal(f->data[1025], 0xee);
	assert_int_equal(f->vdev->bounced, 1);
	memset(f->data, 0x42, 2000);
	assert_int_equal(request_used(f, VIRTIO_BLK_T_OUT, 40, DATA + 3, 1024, false, NULL), 0);
	assert_int_equal(sector_word(f, 41), 0x42424242);
	assert_int_equal(request_used(f, VIRTIO_BLK_T_IN, 30, DATA + 512, 1024, true, NULL), 0);
	assert_int_equal(f->vdev->bounced, 2);
	/* A failed read through a bounce buffer clears the guest's own. */
	aio.fail = -EIO;
	assert_int_equal(request_used(f, VIRTIO_BLK_T_IN, 30, DATA + 1, 1024, true, NULL), 1);
	assert_int_equal(f->data[1], 0);
	assert_int_equal(f->data[1024], 0);
	/* A reset with one under way. */
	offer(f, VIRTIO_BLK_T_IN, 30, DATA + 1, 1024, true);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	run(f);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(owner.drained, 1);
	assert_false(f->r.used_seen != ring_used_idx(&f->r) && ring_take_used(&f->r, &head, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_config), CASE(test_read_write), CASE(test_odd_layout),
		CASE(test_config), CASE(test_resize), CASE(test_odd_layout),
		CASE(test_get_id), CASE(test_short), CASE(test_truncated),
		CASE_ON(test_write_through, setup_down), CASE(test_bad_requests),
		CASE_ON(test_read_only, setup_read_only), CASE(test_malformed),
		CASE(test_changed_header), CASE(test_in_flight_limit),
		CASE(test_submission_full), CASE(test_stopped_midway), CASE(test_many),
		CASE_ON(test_bounce, setup_direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
