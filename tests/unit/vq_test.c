// SPDX-License-Identifier: GPL-2.0-or-later
/* The split queue of dom0/virtio/vq.c against a driver that keeps the rules, and one that breaks each. */
/* LINK: dom0/virtio/keep.c dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
#include "../support/test.h"
#include "../support/ring_mem.h"

#define SIZE 8u
#define BYTES 0x10000u

struct fix {
	struct xvm_mem mem;
	struct ring_mem r;
	struct xvm_vq vq;
	struct iovec iov[64];
	struct xvm_chain chain;
};

static void start(struct fix *f, bool event_idx)
{
	struct xvm_vq_config config = ring_config(&f->r);

	ring_mem_restart(&f->r);
	assert_int_equal(xvm_vq_enable(&f->vq, &config, event_idx), 0);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	ring_mem_init(&f->r, &f->mem, SIZE, BYTES);
	f->vq.mem = &f->mem;
	f->vq.max_size = 16;
	start(f, true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	ring_mem_free(&f->r);
	free(f);
	return 0;
}

static int pop(struct fix *f)
{
	return xvm_vq_pop(&f->vq, &f->chain, f->iov, 16);
}

static void expect_fault(struct fix *f, const char *fault)
{
	u16 last = f->vq.last_avail;

	assert_int_equal(pop(f), -EPROTO);
	assert_string_equal(f->vq.fault, fault);
	assert_int_equal(f->vq.last_avail, last);	/* nothing was taken */
	assert_int_equal(f->vq.in_flight, 0);
	assert_int_equal(pop(f), -EPROTO);		/* and it stays so */
	start(f, true);
}

/* ---- set-up ---- */

static void test_enable_bad(void **state)
{
	static const struct {
		u32 size;
		u64 desc, driver, device;
	} rows[] = {
		{ 0, 0, 0, 0 }, { 3, 0, 0, 0 }, { 32, 0, 0, 0 }, { 0x10008, 0, 0, 0 },
		{ 8, 8, 0, 0 }, { 8, 0, 1, 0 }, { 8, 0, 0, 2 },
		{ 8, BYTES, 0, 0 },			/* off the area */
		{ 8, BYTES - 0x70, 0, 0 },		/* 8 descriptors are 0x80 bytes */
		{ 8, 0, BYTES - 20, 0 },		/* used_event would be outside */
		{ 8, 0, 0, BYTES - 68 },		/* avail_event would be outside */
		{ 8, 1ull << 40, 0, 0 },		/* area 4: not there */
		{ 8, 0, 0x7dull << 40, 0 },		/* area 128: no such id */
		{ 8, 0, 0, (1ull << 63) },		/* bit 63 is reserved */
	};
	struct fix *f = *state;
	struct xvm_vq_config config, before = f->vq.config;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		config.size = rows[i].size;
		config.desc = ring_addr(RING_DESC) + rows[i].desc;
		config.driver = ring_addr(RING_AVAIL) + rows[i].driver;
		config.device = ring_addr(RING_USED) + rows[i].device;
		if (rows[i].driver >= BYTES / 2)
			config.driver -= RING_AVAIL;
		if (rows[i].device >= BYTES / 2)
			config.device -= RING_USED;
		assert_int_equal(xvm_vq_enable(&f->vq, &config, true), -EINVAL);
		assert_non_null(f->vq.fault);
		assert_memory_equal(&f->vq.config, &before, sizeof(before));
	}
	config = before;
	config.desc = 0;	/* address 0 is area 0 */
	assert_int_equal(xvm_vq_enable(&f->vq, &config, true), -EINVAL);
}

/* Rings that end with the last byte of the area. */
static void test_enable_edges(void **state)
{
	struct fix *f = *state;
	struct xvm_vq_config config = { 8, ring_addr(BYTES - 0x80), ring_addr(BYTES - 22),
					ring_addr(BYTES - 72) };

	/* 4 + 2*8 + 2 = 22 and 4 + 8*8 + 2 = 70, the latter 4-aligned: 72 */
	assert_int_equal(xvm_vq_enable(&f->vq, &config, true), 0);
	assert_int_equal(pop(f), 0);
	config.driver += 2;
	assert_int_equal(xvm_vq_enable(&f->vq, &config, true), -EINVAL);
	config.driver -= 2;
	config.device += 4;
	assert_int_equal(xvm_vq_enable(&f->vq, &config, true), -EINVAL);
}

/* ---- good chains ---- */

static void test_direct(void **state)
{
	static const struct ring_seg seg[] = {
		{ RING_DATA, 16, false }, { RING_DATA + 0x100, 512, false },
		{ RING_DATA + 0x400, 64, true }, { BYTES - 1, 1, true },
	};
	struct fix *f = *state;
	u32 head, len;

	assert_int_equal(pop(f), 0);
	ring_chain(&f->r, seg, 4);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nout, 2);
	assert_int_equal(f->chain.nin, 2);
	assert_int_equal(f->chain.out_bytes, 528);
	assert_int_equal(f->chain.in_bytes, 65);
	assert_ptr_equal(f->chain.in[1].iov_base, f->r.base + BYTES - 1);
	assert_int_equal(f->vq.in_flight, 1);
	assert_int_equal(pop(f), 0);

	xvm_vq_push(&f->vq, f->chain.head, 65);
	assert_int_equal(ring_used_idx(&f->r), 0);	/* not shown before the flush */
	assert_true(xvm_vq_flush(&f->vq));
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(head, 0);
	assert_int_equal(len, 65);
	assert_int_equal(f->vq.in_flight, 0);
	assert_false(xvm_vq_flush(&f->vq));
}

static void test_indirect(void **state)
{
	struct fix *f = *state;
	u32 i;

	/* A direct buffer first is legal; the table may be as long as the offered queue. */
	for (i = 0; i < 15; i++)
		ring_indirect(&f->r, RING_DATA, i, ring_addr(RING_DATA + 0x1000), 1,
			      (u16)(RING_WRITE | (i < 14 ? RING_NEXT : 0)), (u16)(i + 1));
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 3, RING_NEXT, 1);
	ring_desc(&f->r, 1, ring_addr(RING_DATA), 15 * 16, RING_INDIRECT | RING_WRITE, 0);
	ring_offer(&f->r, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nout, 1);
	assert_int_equal(f->chain.nin, 15);
	assert_int_equal(f->chain.in_bytes, 15);
}

/* Indices wrap at 16 bits; the positions and the event logic go with them. */
static void test_wrap(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;
	u32 i, head, len, told = 0;
	u16 want;

	for (i = 0; i < 0x20010; i++) {
		want = ring_chain(&f->r, seg, 1);
		if (i % 3 == 0)
			ring_set_used_event(&f->r, f->r.used_seen);
		assert_int_equal(pop(f), 1);
		xvm_vq_push(&f->vq, f->chain.head, i);
		told += xvm_vq_flush(&f->vq);
		assert_true(ring_take_used(&f->r, &head, &len));
		assert_int_equal(head, want);
		assert_int_equal(len, i);
	}
	assert_int_equal(told, (i + 2) / 3);
}

static void test_events(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;
	u32 i;

	/* With event index: told once per crossing, and asks for the next entry. */
	for (i = 0; i < 4; i++)
		ring_chain(&f->r, seg, 1);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pop(f), 1);
		xvm_vq_push(&f->vq, f->chain.head, 0);
	}
	ring_set_used_event(&f->r, 4);
	assert_false(xvm_vq_flush(&f->vq));
	assert_false(xvm_vq_arm(&f->vq));
	assert_int_equal(ring_avail_event(&f->r), 4);
	ring_chain(&f->r, seg, 1);
	assert_true(xvm_vq_arm(&f->vq));
	assert_int_equal(pop(f), 1);
	xvm_vq_push(&f->vq, f->chain.head, 0);
	assert_true(xvm_vq_flush(&f->vq));

	/* Without it: the flags. */
	start(f, false);
	assert_false(xvm_vq_arm(&f->vq));
	assert_int_equal(ring_used_flags(&f->r), 0);
	xvm_vq_disarm(&f->vq);
	assert_int_equal(ring_used_flags(&f->r), 1);
	ring_set_avail_flags(&f->r, 1);
	ring_chain(&f->r, seg, 1);
	assert_true(xvm_vq_arm(&f->vq));
	assert_int_equal(ring_used_flags(&f->r), 0);
	assert_int_equal(pop(f), 1);
	xvm_vq_push(&f->vq, f->chain.head, 0);
	assert_false(xvm_vq_flush(&f->vq));
	ring_set_avail_flags(&f->r, 0);
	ring_chain(&f->r, seg, 1);
	assert_int_equal(pop(f), 1);
	xvm_vq_push(&f->vq, f->chain.head, 0);
	assert_true(xvm_vq_flush(&f->vq));
}

/* A driver that scribbles on the used index gains nothing: it is only written. */
static void test_used_idx_is_ours(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;

	ring_chain(&f->r, seg, 1);
	assert_int_equal(pop(f), 1);
	xvm_put16(f->r.base + RING_USED + 2, 0x7777);
	xvm_vq_push(&f->vq, f->chain.head, 0);
	xvm_vq_flush(&f->vq);
	assert_int_equal(ring_used_idx(&f->r), 1);
}

static void test_stopped(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;

	ring_chain(&f->r, seg, 1);
	ring_chain(&f->r, seg, 1);
	assert_int_equal(pop(f), 1);
	f->vq.stopped = true;
	assert_int_equal(pop(f), 0);
	assert_false(xvm_vq_arm(&f->vq));
	xvm_vq_drop(&f->vq, f->chain.head);
	assert_int_equal(f->vq.in_flight, 0);
	xvm_vq_reset(&f->vq);
	assert_false(f->vq.enabled);
	assert_int_equal(pop(f), 0);
	assert_int_equal(f->vq.max_size, 16);
}

/* ---- bad chains ---- */

static void test_bad_indices(void **state)
{
	struct fix *f = *state;

	ring_set_avail_idx(&f->r, SIZE + 1);
	expect_fault(f, "available index runs ahead of the queue");
	ring_set_avail_idx(&f->r, 0xffff);
	expect_fault(f, "available index runs ahead of the queue");
	ring_offer(&f->r, SIZE);
	expect_fault(f, "head beyond the queue");
	ring_offer(&f->r, 0xffff);
	expect_fault(f, "head beyond the queue");
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 1, RING_NEXT, SIZE);
	ring_offer(&f->r, 0);
	expect_fault(f, "descriptor index beyond its table");
}

/* The index goes back under what was taken: that is far ahead, modulo 2^16. */
static void test_index_back(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;

	ring_chain(&f->r, seg, 1);
	assert_int_equal(pop(f), 1);
	xvm_vq_push(&f->vq, f->chain.head, 0);
	ring_set_avail_idx(&f->r, 0);
	expect_fault(f, "available index runs ahead of the queue");
}

static void test_head_twice(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;

	ring_chain(&f->r, seg, 1);
	assert_int_equal(pop(f), 1);
	ring_offer(&f->r, 0);
	assert_int_equal(pop(f), -EPROTO);
	assert_string_equal(f->vq.fault, "head is already in use by the device");
}

static void test_loops(void **state)
{
	struct fix *f = *state;
	u32 i;

	ring_desc(&f->r, 0, ring_addr(RING_DATA), 1, RING_NEXT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "chain longer than the queue");
	for (i = 0; i < SIZE; i++)
		ring_desc(&f->r, i, ring_addr(RING_DATA), 1, RING_NEXT | RING_WRITE,
			  (u16)((i + 1) % SIZE));
	ring_offer(&f->r, 3);
	expect_fault(f, "chain longer than the queue");
	/* In an indirect table, whose own length does not matter. */
	ring_indirect(&f->r, RING_DATA, 0, ring_addr(RING_DATA), 1, RING_NEXT, 0);
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 16 * 100, RING_INDIRECT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "chain longer than the queue");
}

static void test_long_chains(void **state)
{
	struct fix *f = *state;
	u32 i;

	/* Just the queue is fine, one more than the device offers is not. */
	for (i = 0; i < SIZE; i++)
		ring_desc(&f->r, i, ring_addr(RING_DATA), 1, i + 1 < SIZE ? RING_NEXT : 0,
			  (u16)(i + 1));
	ring_offer(&f->r, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nout, SIZE);
	start(f, true);
	for (i = 0; i < 17; i++)
		ring_indirect(&f->r, RING_DATA, i, ring_addr(RING_DATA), 1,
			      i < 16 ? RING_NEXT : 0, (u16)(i + 1));
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 16 * 17, RING_INDIRECT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "chain longer than the queue");
	/* Shorter than the queue, longer than the model's array. */
	for (i = 0; i < 4; i++)
		ring_desc(&f->r, i, ring_addr(RING_DATA), 1, i < 3 ? RING_NEXT : 0, (u16)(i + 1));
	ring_offer(&f->r, 0);
	assert_int_equal(xvm_vq_pop(&f->vq, &f->chain, f->iov, 3), -EPROTO);
	assert_string_equal(f->vq.fault, "more buffers than the device takes");
}

static void test_bad_addresses(void **state)
{
	static const struct {
		u64 addr;
		u32 len;
	} rows[] = {
		{ 0, 16 }, { 0x1000, 16 },				/* area 0 */
		{ (u64)RING_AREA << 40 | BYTES, 1 },
		{ (u64)RING_AREA << 40 | (BYTES - 15), 16 },		/* the last byte is outside */
		{ (u64)RING_AREA << 40, BYTES + 1 },
		{ (u64)RING_AREA << 40, 0xffffffff },
		{ ((u64)(RING_AREA + 1) << 40) - 16, 32 },		/* spans two areas */
		{ UINT64_MAX, 1 }, { UINT64_MAX - 15, 16 }, { UINT64_MAX, 0xffffffff },
		{ 1ull << 63 | (u64)RING_AREA << 40, 16 },		/* reserved */
		{ (u64)(RING_AREA | 0x80) << 40, 16 },			/* id 131 */
	};
	struct fix *f = *state;
	u32 i, len;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		ring_desc(&f->r, 0, rows[i].addr, rows[i].len, 0, 0);
		ring_offer(&f->r, 0);
		expect_fault(f, "buffer is not in an area");
		len = rows[i].len > UINT32_MAX - 15 ? UINT32_MAX - 15 : (rows[i].len + 15) & ~15u;
		ring_desc(&f->r, 0, rows[i].addr, len, RING_INDIRECT, 0);
		ring_offer(&f->r, 0);
		expect_fault(f, "indirect table is not in an area");
	}
}

static void test_bad_shapes(void **state)
{
	struct fix *f = *state;

	ring_desc(&f->r, 0, ring_addr(RING_DATA), 0, 0, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "buffer of length zero");
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 1, RING_WRITE | RING_NEXT, 1);
	ring_desc(&f->r, 1, ring_addr(RING_DATA), 1, 0, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "readable buffer after a writable one");
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 16, RING_INDIRECT | RING_NEXT, 1);
	ring_offer(&f->r, 0);
	expect_fault(f, "indirect descriptor with a next one");
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 0, RING_INDIRECT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "indirect table of no whole descriptors");
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 24, RING_INDIRECT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "indirect table of no whole descriptors");
	ring_indirect(&f->r, RING_DATA, 0, ring_addr(RING_DATA), 16, RING_INDIRECT, 0);
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 16, RING_INDIRECT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "indirect table inside an indirect table");
	ring_indirect(&f->r, RING_DATA, 0, ring_addr(RING_DATA), 16, RING_NEXT, 1);
	ring_desc(&f->r, 0, ring_addr(RING_DATA), 16, RING_INDIRECT, 0);
	ring_offer(&f->r, 0);
	expect_fault(f, "descriptor index beyond its table");
}

/* Sums: an area may be named many times in a chain, 2 GiB is the end of it. */
static void test_sum(void **state)
{
	static u8 one[1];
	struct fix *f = *state;
	u32 i;

	/* Nothing is touched by a walk, so an area may claim bytes that are not there. */
	f->mem.area[9].base = one;
	f->mem.area[9].bytes = 1ull << 32;
	for (i = 0; i < 3; i++)
		ring_desc(&f->r, i, 9ull << 40, 1u << 30, RING_WRITE | RING_NEXT, (u16)(i + 1));
	ring_desc(&f->r, 1, 9ull << 40, 1u << 30, RING_WRITE, 0);
	ring_offer(&f->r, 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.in_bytes, 1u << 31);
	start(f, true);
	for (i = 0; i < 3; i++)
		ring_desc(&f->r, i, 9ull << 40, i < 2 ? 1u << 30 : 1,
			  (u16)(RING_WRITE | (i < 2 ? RING_NEXT : 0)), (u16)(i + 1));
	ring_offer(&f->r, 0);
	expect_fault(f, "chain of more than 2 GiB");
}

/* What was popped is private: a driver that changes its descriptors later changes nothing. */
static void test_changed_bytes(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 64, false }, { RING_DATA, 8, true } };
	struct fix *f = *state;
	u32 head, len;

	ring_chain(&f->r, seg, 2);
	assert_int_equal(pop(f), 1);
	memset(f->r.base + RING_DESC, 0xff, SIZE * 16);
	memset(f->r.base + RING_AVAIL + 4, 0xff, SIZE * 2);
	assert_int_equal(f->chain.out[0].iov_len, 64);
	assert_ptr_equal(f->chain.out[0].iov_base, f->r.base + RING_DATA);
	xvm_vq_push(&f->vq, f->chain.head, 8);
	xvm_vq_flush(&f->vq);
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(head, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_enable_bad), CASE(test_enable_edges), CASE(test_direct),
		CASE(test_indirect), CASE(test_wrap), CASE(test_events),
		CASE(test_used_idx_is_ours), CASE(test_stopped), CASE(test_bad_indices),
		CASE(test_index_back), CASE(test_head_twice), CASE(test_loops),
		CASE(test_long_chains), CASE(test_bad_addresses), CASE(test_bad_shapes),
		CASE(test_sum), CASE(test_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
