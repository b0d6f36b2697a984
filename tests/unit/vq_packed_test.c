// SPDX-License-Identifier: GPL-2.0-or-later
/* The packed queue of dom0/virtio against a driver that keeps the rules, and one that breaks each. */
/* LINK: dom0/virtio/keep.c dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
#include "../support/test.h"
#include "../support/packed_mem.h"

#define SIZE 7u			/* no power of two: positions are not masked */
#define BYTES 0x10000u
#define OFFERED 16u

struct fix {
	struct xvm_mem mem;
	struct packed_mem p;
	struct xvm_vq vq;
	struct iovec iov[64];
	struct xvm_chain chain;
};

static void start(struct fix *f, u32 how)
{
	struct xvm_vq_config config = ring_config(&f->p.r);

	packed_restart(&f->p);
	assert_int_equal(xvm_vq_enable(&f->vq, &config, XVM_VQ_PACKED | how), 0);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	ring_mem_init(&f->p.r, &f->mem, SIZE, BYTES);
	f->vq.mem = &f->mem;
	f->vq.max_size = OFFERED;
	start(f, XVM_VQ_EVENT_IDX);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	ring_mem_free(&f->p.r);
	free(f);
	return 0;
}

static int pop(struct fix *f)
{
	return xvm_vq_pop(&f->vq, &f->chain, f->iov, OFFERED);
}

static void expect_fault(struct fix *f, const char *fault)
{
	u16 last = f->vq.last_avail;
	u32 out = f->vq.in_flight;

	assert_int_equal(pop(f), -EPROTO);
	assert_string_equal(f->vq.fault, fault);
	assert_int_equal(f->vq.last_avail, last);	/* nothing was taken */
	assert_int_equal(f->vq.in_flight, out);
	assert_int_equal(pop(f), -EPROTO);		/* and it stays so */
	start(f, XVM_VQ_EVENT_IDX);
}

static const struct ring_seg one[] = { { RING_DATA, 8, true } };
static const struct ring_seg three[] = {
	{ RING_DATA, 16, false }, { RING_DATA + 0x100, 512, true }, { BYTES - 1, 1, true },
};

static void expect_used(struct fix *f, u32 id, u32 len)
{
	u32 got_id, got_len;

	assert_true(packed_take_used(&f->p, &got_id, &got_len));
	assert_int_equal(got_id, id);
	assert_int_equal(got_len, len);
}

/* ---- set-up ---- */

static void test_enable(void **state)
{
	static const struct {
		u32 size;
		u64 desc, driver, device;
		int err;
	} rows[] = {
		{ 0, 0, 0, 0, -EINVAL }, { 1, 0, 0, 0, 0 }, { 3, 0, 0, 0, 0 }, { 16, 0, 0, 0, 0 },
		{ 17, 0, 0, 0, -EINVAL }, { 0x10007, 0, 0, 0, -EINVAL },
		{ 7, 8, 0, 0, -EINVAL }, { 7, 0, 2, 0, -EINVAL }, { 7, 0, 0, 2, -EINVAL },
		{ 7, BYTES - 7 * 16, 0, 0, 0 }, { 7, BYTES - 6 * 16, 0, 0, -EINVAL },
		{ 7, 0, BYTES - RING_AVAIL - 4, 0, 0 }, { 7, 0, BYTES - RING_AVAIL, 0, -EINVAL },
		{ 7, 0, 0, BYTES - RING_USED - 4, 0 }, { 7, 0, 0, BYTES - RING_USED, -EINVAL },
		{ 7, 1ull << 40, 0, 0, -EINVAL }, { 7, 0, 1ull << 63, 0, -EINVAL },
	};
	struct fix *f = *state;
	struct xvm_vq_config config;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		config.size = rows[i].size;
		config.desc = ring_addr(RING_DESC) + rows[i].desc;
		config.driver = ring_addr(RING_AVAIL) + rows[i].driver;
		config.device = ring_addr(RING_USED) + rows[i].device;
		assert_int_equal(xvm_vq_enable(&f->vq, &config, XVM_VQ_PACKED), rows[i].err);
	}
	config = ring_config(&f->p.r);
	config.device = 0;	/* address 0 is area 0 */
	assert_int_equal(xvm_vq_enable(&f->vq, &config, XVM_VQ_PACKED), -EINVAL);
}

/* ---- good chains ---- */

static void test_direct(void **state)
{
	struct fix *f = *state;

	assert_int_equal(pop(f), 0);
	packed_chain(&f->p, three, 3, 0xffff);		/* an id is any 16 bits */
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 0xffff);
	assert_int_equal(f->chain.nout, 1);
	assert_int_equal(f->chain.nin, 2);
	assert_int_equal(f->chain.out_bytes, 16);
	assert_int_equal(f->chain.in_bytes, 513);
	assert_ptr_equal(f->chain.in[1].iov_base, f->p.r.base + BYTES - 1);
	assert_int_equal(pop(f), 0);

	xvm_vq_push(&f->vq, 0xffff, 513);
	assert_int_equal(xvm_get16(f->p.r.base + 14), RING_NEXT | PACKED_AVAIL);	/* before the flush */
	packed_ask(&f->p, 0, true, PACKED_ENABLE);
	assert_true(xvm_vq_flush(&f->vq));
	/* WRITE says that something was written, all other bits are ours too. */
	assert_int_equal(xvm_get16(f->p.r.base + 14), RING_WRITE | PACKED_AVAIL | PACKED_USED);
	expect_used(f, 0xffff, 513);
	assert_false(xvm_vq_flush(&f->vq));
}

/* What was popped and put back is found again, over the end of the ring too. */
static void test_unpop(void **state)
{
	struct fix *f = *state;
	struct xvm_chain chain[4];
	u32 round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 2; i++)
			packed_chain(&f->p, three, 3, (u16)(10 * round + i));
		for (i = 0; i < 2; i++) {
			assert_int_equal(pop(f), 1);
			chain[i] = f->chain;
		}
		if (round % 2) {
			/* The gap of the first is filled with the second. */
			xvm_vq_push(&f->vq, chain[0].head, 1);
			xvm_vq_unpop(&f->vq, &chain[1]);
			assert_int_equal(f->vq.in_flight, 0);
		} else {
			xvm_vq_unpop(&f->vq, &chain[1]);
			xvm_vq_unpop(&f->vq, &chain[0]);
			assert_int_equal(f->vq.out_descs, 0);
			assert_int_equal(pop(f), 1);
			assert_int_equal(f->chain.head, 10 * round);
			xvm_vq_push(&f->vq, f->chain.head, 1);
		}
		assert_int_equal(pop(f), 1);
		assert_int_equal(f->chain.head, 10 * round + 1);
		assert_int_equal(f->chain.in_bytes, 513);
		xvm_vq_push(&f->vq, f->chain.head, 1);
		xvm_vq_flush(&f->vq);
		expect_used(f, 10 * round, 1);
		expect_used(f, 10 * round + 1, 1);
		assert_int_equal(pop(f), 0);
	}
}

static void test_indirect(void **state)
{
	struct fix *f = *state;
	u32 i;

	/* All of the table is the chain; NEXT and the ids in it mean nothing. */
	for (i = 0; i < OFFERED - 1; i++)
		ring_indirect(&f->p.r, RING_DATA, i, ring_addr(RING_DATA + 0x1000), 1, 0x7777,
			      (u16)((i ? RING_WRITE : 0) | (i & 1 ? RING_NEXT : 0) | 0x80));
	packed_one(&f->p, ring_addr(RING_DATA), (OFFERED - 1) * 16, 5, RING_INDIRECT | RING_WRITE);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 5);
	assert_int_equal(f->chain.nout, 1);
	assert_int_equal(f->chain.nin, OFFERED - 2);
	xvm_vq_push(&f->vq, 5, 3);
	xvm_vq_flush(&f->vq);
	expect_used(f, 5, 3);
	/* A direct buffer first. */
	packed_desc(&f->p, ring_addr(RING_DATA), 3, 0, &(u16){ 0 });
	xvm_put16(f->p.r.base + 16 + 14, RING_NEXT | PACKED_AVAIL);
	packed_one(&f->p, ring_addr(RING_DATA), 32, 6, RING_INDIRECT);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.head, 6);
	assert_int_equal(f->chain.nout, 2);
	assert_int_equal(f->chain.out_bytes, 4);
}

/* Chains of all lengths over many laps, given back in any order; every one comes back with its id. */
static void run_laps(struct fix *f, bool in_order)
{
	u32 n[SIZE], left, i, k, id, len, count, seed = 7, next = 0, done[SIZE];
	u16 ids[SIZE];

	start(f, XVM_VQ_EVENT_IDX | (in_order ? XVM_VQ_IN_ORDER : 0));
	for (i = 0; i < 3000; i++) {
		for (left = SIZE, count = 0; left; count++) {
			seed = seed * 1103515245 + 12345;
			n[count] = 1 + (seed >> 16) % 3;
			if (n[count] > left)
				n[count] = left;
			left -= n[count];
			ids[count] = (u16)(next++ * 77);
			packed_chain(&f->p, three, n[count], ids[count]);
			if (count & 1) {
				assert_int_equal(pop(f), 1);
				assert_int_equal(pop(f), 1);
			}
		}
		if (count & 1)
			assert_int_equal(pop(f), 1);
		assert_int_equal(pop(f), 0);
		assert_int_equal(f->vq.in_flight, count);
		for (k = 0; k < count; k++)
			done[k] = (k + seed) % count;
		for (k = 0; k < count; k++) {
			xvm_vq_push(&f->vq, ids[done[k]], done[k]);
			if (k % 3 == 0)
				xvm_vq_flush(&f->vq);
		}
		xvm_vq_flush(&f->vq);
		for (k = 0; k < count; k++) {
			assert_true(packed_take_used(&f->p, &id, &len));
			assert_int_equal(id, ids[in_order ? k : done[k]]);
			assert_int_equal(len, in_order ? k : done[k]);
		}
		assert_false(packed_take_used(&f->p, &id, &len));
		assert_int_equal(f->vq.in_flight, 0);
		assert_int_equal(f->vq.out_descs, 0);
	}
}

static void test_laps(void **state)
{
	run_laps(*state, false);
}

static void test_laps_in_order(void **state)
{
	run_laps(*state, true);
}

/* What is done early is neither shown nor free again before those in front of it. */
static void test_in_order(void **state)
{
	struct fix *f = *state;
	u32 id, len, i;

	start(f, XVM_VQ_IN_ORDER);
	for (i = 0; i < 3; i++) {
		packed_chain(&f->p, one, 1, (u16)i);
		assert_int_equal(pop(f), 1);
	}
	xvm_vq_push(&f->vq, 2, 22);
	xvm_vq_push(&f->vq, 1, 11);
	assert_int_equal(f->vq.in_flight, 1);
	assert_false(xvm_vq_flush(&f->vq));
	assert_false(packed_take_used(&f->p, &id, &len));
	packed_chain(&f->p, one, 1, 2);
	assert_int_equal(pop(f), -EPROTO);
	assert_string_equal(f->vq.fault, "buffer id is already in use by the device");
	xvm_vq_push(&f->vq, 0, 7);
	assert_true(xvm_vq_flush(&f->vq));
	expect_used(f, 0, 7);
	expect_used(f, 1, 11);
	f->p.count[2] = 1;
	expect_used(f, 2, 22);
}

/* ---- events ---- */

static void use(struct fix *f, u32 n)
{
	while (n--) {
		packed_chain(&f->p, one, 1, 1);
		assert_int_equal(pop(f), 1);
		xvm_vq_push(&f->vq, 1, 8);
	}
}

static void take(struct fix *f, u32 n)
{
	u32 id, len;

	while (n--)
		assert_true(packed_take_used(&f->p, &id, &len));
}

/* Every place and lap the driver may name, against every step: told if and only if it is passed. */
static void test_used_event(void **state)
{
	struct fix *f = *state;
	u32 from, step, ahead, i;
	u16 at;
	bool lap;

	for (from = 0; from < 2 * SIZE; from++)
		for (step = 1; step <= SIZE; step++)
			for (ahead = 0; ahead < SIZE; ahead++) {
				start(f, XVM_VQ_EVENT_IDX);
				for (i = 0; i < from; i++) {
					use(f, 1);
					xvm_vq_flush(&f->vq);
					take(f, 1);
				}
				at = (u16)((from + ahead) % SIZE);
				lap = (from + ahead) / SIZE % 2 == 0;
				packed_ask(&f->p, at, lap, PACKED_DESC);
				use(f, step);
				assert_int_equal(xvm_vq_flush(&f->vq), step > ahead);
				take(f, step);
			}
}

static void test_used_flags(void **state)
{
	struct fix *f = *state;
	u32 event_idx, i;
	static const struct {
		u16 flags;
		bool told[2];	/* without, with event index */
	} rows[] = {
		{ PACKED_ENABLE, { true, true } }, { PACKED_DISABLE, { false, false } },
		{ PACKED_DESC, { true, false } }, { 3, { true, true } },
		{ 0xfff0 | PACKED_DISABLE, { false, false } },
	};

	for (event_idx = 0; event_idx < 2; event_idx++)
		for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
			start(f, event_idx ? XVM_VQ_EVENT_IDX : 0);
			packed_ask(&f->p, 5, true, rows[i].flags);
			use(f, 1);
			assert_int_equal(xvm_vq_flush(&f->vq), rows[i].told[event_idx]);
		}
}

static void test_arm(void **state)
{
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < 3 * SIZE; i++) {
		assert_false(xvm_vq_arm(&f->vq));
		assert_int_equal(packed_device_event(&f->p),
				 (PACKED_DESC << 16 | (i / SIZE % 2 ? 0 : 0x8000)) + i % SIZE);
		packed_chain(&f->p, one, 1, 1);
		assert_true(xvm_vq_arm(&f->vq));
		assert_int_equal(pop(f), 1);
		xvm_vq_disarm(&f->vq);
		assert_int_equal(packed_device_event(&f->p) >> 16, PACKED_DISABLE);
		xvm_vq_push(&f->vq, 1, 0);
		xvm_vq_flush(&f->vq);
		take(f, 1);
	}
	start(f, 0);
	xvm_vq_disarm(&f->vq);
	assert_int_equal(packed_device_event(&f->p), PACKED_DISABLE << 16);
	assert_false(xvm_vq_arm(&f->vq));
	assert_int_equal(packed_device_event(&f->p), PACKED_ENABLE << 16);
}

static void test_stopped(void **state)
{
	struct fix *f = *state;

	packed_chain(&f->p, one, 1, 1);
	packed_chain(&f->p, one, 1, 2);
	assert_int_equal(pop(f), 1);
	f->vq.stopped = true;
	assert_int_equal(pop(f), 0);
	assert_false(xvm_vq_arm(&f->vq));
	xvm_vq_drop(&f->vq, 1);
	assert_int_equal(f->vq.in_flight, 0);
	xvm_vq_reset(&f->vq);
	assert_false(f->vq.enabled);
	assert_int_equal(pop(f), 0);
}

/* ---- bad ones ---- */

static void test_id_twice(void **state)
{
	struct fix *f = *state;

	packed_chain(&f->p, one, 1, 9);
	packed_chain(&f->p, one, 1, 9);
	assert_int_equal(pop(f), 1);
	expect_fault(f, "buffer id is already in use by the device");
}

/* Places that are out already, offered again: flags that say available for ever. */
static void test_ours_again(void **state)
{
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < SIZE; i++)
		packed_chain(&f->p, one, 1, (u16)i);
	for (i = 0; i < SIZE; i++)
		assert_int_equal(pop(f), 1);
	assert_int_equal(pop(f), 0);
	packed_one(&f->p, ring_addr(RING_DATA), 8, 100, 0);
	expect_fault(f, "chain longer than the queue");
	/* And a chain that runs into them. */
	packed_chain(&f->p, one, 1, 0);
	assert_int_equal(pop(f), 1);
	for (i = 0; i < SIZE; i++)
		packed_one(&f->p, ring_addr(RING_DATA), 8, 1, RING_NEXT);
	expect_fault(f, "chain longer than the queue");
}

static void test_long_chains(void **state)
{
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < SIZE; i++)
		packed_one(&f->p, ring_addr(RING_DATA), 8, 1, i + 1 < SIZE ? RING_NEXT : 0);
	assert_int_equal(pop(f), 1);
	assert_int_equal(f->chain.nout, SIZE);
	start(f, 0);
	for (i = 0; i < SIZE; i++)
		packed_one(&f->p, ring_addr(RING_DATA), 8, 1, RING_NEXT);
	expect_fault(f, "chain longer than the queue");
	for (i = 0; i < OFFERED + 1; i++)
		ring_indirect(&f->p.r, RING_DATA, i, ring_addr(RING_DATA), 1, 0, 0);
	packed_one(&f->p, ring_addr(RING_DATA), 16 * OFFERED, 1, RING_INDIRECT);
	assert_int_equal(pop(f), 1);
	packed_one(&f->p, ring_addr(RING_DATA), 16 * (OFFERED + 1), 2, RING_INDIRECT);
	expect_fault(f, "chain longer than the queue");
	packed_chain(&f->p, three, 3, 1);
	assert_int_equal(xvm_vq_pop(&f->vq, &f->chain, f->iov, 2), -EPROTO);
	assert_string_equal(f->vq.fault, "more buffers than the device takes");
}

static void test_bad_shapes(void **state)
{
	struct fix *f = *state;

	packed_one(&f->p, ring_addr(RING_DATA), 0, 1, 0);
	expect_fault(f, "buffer of length zero");
	packed_one(&f->p, ring_addr(RING_DATA), 1, 1, RING_WRITE | RING_NEXT);
	packed_one(&f->p, ring_addr(RING_DATA), 1, 1, 0);
	expect_fault(f, "readable buffer after a writable one");
	packed_one(&f->p, ring_addr(RING_DATA), 16, 1, RING_INDIRECT | RING_NEXT);
	expect_fault(f, "indirect descriptor with a next one");
	packed_one(&f->p, ring_addr(RING_DATA), 0, 1, RING_INDIRECT);
	expect_fault(f, "indirect table of no whole descriptors");
	packed_one(&f->p, ring_addr(RING_DATA), 24, 1, RING_INDIRECT);
	expect_fault(f, "indirect table of no whole descriptors");
	ring_indirect(&f->p.r, RING_DATA, 0, ring_addr(RING_DATA), 16, 0, RING_INDIRECT);
	packed_one(&f->p, ring_addr(RING_DATA), 16, 1, RING_INDIRECT);
	expect_fault(f, "indirect table inside an indirect table");
}

static void test_bad_addresses(void **state)
{
	static const struct {
		u64 addr;
		u32 len;
	} rows[] = {
		{ 0, 16 }, { 0x1000, 16 }, { (u64)RING_AREA << 40 | BYTES, 16 },
		{ (u64)RING_AREA << 40 | (BYTES - 15), 16 }, { (u64)RING_AREA << 40, BYTES + 16 },
		{ (u64)RING_AREA << 40, 0xfffffff0 }, { ((u64)(RING_AREA + 1) << 40) - 16, 32 },
		{ UINT64_MAX - 15, 16 }, { UINT64_MAX, 0xfffffff0 },
		{ 1ull << 63 | (u64)RING_AREA << 40, 16 }, { (u64)(RING_AREA | 0x80) << 40, 16 },
	};
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		packed_one(&f->p, rows[i].addr, rows[i].len, 1, 0);
		expect_fault(f, "buffer is not in an area");
		packed_one(&f->p, rows[i].addr, rows[i].len, 1, RING_INDIRECT);
		expect_fault(f, "indirect table is not in an area");
	}
}

/* Nothing that was popped or put is read again: the whole ring may change meanwhile. */
static void test_changed_bytes(void **state)
{
	struct fix *f = *state;
	u32 i;

	for (i = 0; i < 5; i++) {
		packed_chain(&f->p, three, 3, 40);
		assert_int_equal(pop(f), 1);
		memset(f->p.r.base + RING_DESC, 0xa5, SIZE * 16);
		memset(f->p.r.base + RING_USED, 0xa5, 4);
		assert_int_equal(f->chain.out[0].iov_len, 16);
		xvm_vq_push(&f->vq, 40, 8);
		memset(f->p.r.base + RING_DESC, 0x5a, SIZE * 16);
		/* The id and the length stood there before; only the flags come with the flush. */
		xvm_vq_flush(&f->vq);
		assert_int_equal(xvm_get16(f->p.r.base + 16 * f->p.used + 14) & ~RING_WRITE,
				 f->p.used_wrap ? PACKED_AVAIL | PACKED_USED : 0);
		f->p.used = (u16)(f->p.used + 3);
		if (f->p.used >= SIZE) {
			f->p.used = (u16)(f->p.used - SIZE);
			f->p.used_wrap = !f->p.used_wrap;
		}
		assert_int_equal(f->vq.used_next, f->p.used);
		memset(f->p.r.base + RING_DESC, f->p.wrap ? 0 : 0xff, SIZE * 16);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_enable), CASE(test_direct), CASE(test_unpop), CASE(test_indirect), CASE(test_laps),
		CASE(test_laps_in_order), CASE(test_in_order), CASE(test_used_event),
		CASE(test_used_flags), CASE(test_arm), CASE(test_stopped), CASE(test_id_twice),
		CASE(test_ours_again), CASE(test_long_chains), CASE(test_bad_shapes),
		CASE(test_bad_addresses), CASE(test_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
