// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver side that a server serves: order, room, chains in pieces, and a device side that lies. */
/* LINK: dom0/remote/shadow.c */
#include "../support/test.h"
#include "../../dom0/remote/shadow.h"

#define ADDR 0x10000000ull
#define SIZE 8u

static struct shadow q;
static u8 mem[SHADOW_QUEUE_BYTES] __attribute__((aligned(4096)));

static int setup(void **state)
{
	(void)state;
	memset(mem, 0xee, sizeof(mem));
	shadow_init(&q, mem, ADDR, SIZE);
	return 0;
}

/* ---- the server's side, by the addresses it is told ---- */

static u8 *at(u64 addr)
{
	assert_in_range(addr, ADDR, ADDR + sizeof(mem) - 1);
	return mem + (addr - ADDR);
}

static u16 avail_idx(void)
{
	return xvm_get16(at(q.avail_addr) + 2);
}

static u16 avail_head(u16 i)
{
	return xvm_get16(at(q.avail_addr) + 4 + 2 * (i % SIZE));
}

static void use(u16 *idx, u32 head, u32 len)
{
	u8 *elem = at(q.used_addr) + 4 + 8 * (*idx % SIZE);

	xvm_put32(elem, head);
	xvm_put32(elem + 4, len);
	xvm_put16(at(q.used_addr) + 2, ++*idx);
}

static void put(u32 nout, u32 nin, u16 token)
{
	struct shadow_seg seg[SIZE];
	u32 i;

	for (i = 0; i < nout + nin; i++)
		seg[i] = (struct shadow_seg){ 0x10000000000ull + 4096 * i, 100 + i };
	assert_true(shadow_has_room(&q, nout + nin));
	shadow_put(&q, seg, nout, nin, token);
}

static void test_chain(void **state)
{
	const u8 *d;
	u16 i, head, used = 0, token;
	u32 len;

	(void)state;
	put(2, 3, 77);
	assert_int_equal(avail_idx(), 0);	/* not shown yet */
	assert_true(shadow_show(&q));
	assert_false(shadow_show(&q));
	assert_int_equal(avail_idx(), 1);
	head = avail_head(0);
	for (i = 0; i < 5; i++) {
		d = at(q.desc_addr) + 16 * head;
		assert_int_equal(xvm_get64(d), 0x10000000000ull + 4096 * i);
		assert_int_equal(xvm_get32(d + 8), 100 + i);
		assert_int_equal(xvm_get16(d + 12), (i < 4 ? 1 : 0) | (i >= 2 ? 2 : 0));
		head = xvm_get16(d + 14);
	}
	assert_int_equal(shadow_take(&q, &token, &len), 0);
	use(&used, avail_head(0), 102 + 103 + 104);
	assert_int_equal(shadow_take(&q, &token, &len), 1);
	assert_int_equal(token, 77);
	assert_int_equal(len, 309);
	assert_int_equal(q.out, 0);
	assert_true(shadow_has_room(&q, SIZE));
	assert_false(shadow_has_room(&q, SIZE + 1));
}

static void test_no_notify(void **state)
{
	(void)state;
	xvm_put16(at(q.used_addr), 1);
	put(1, 0, 1);
	assert_false(shadow_show(&q));
	assert_int_equal(avail_idx(), 1);
}

/* Many times round, used in another order than given, all descriptors coming back. */
static void test_order(void **state)
{
	u16 used = 0, token, i, round, base;
	u32 len;

	(void)state;
	for (round = 0; round < 40000; round++) {
		base = avail_idx();
		put(1, 1, (u16)(3 * round));
		put(1, 2, (u16)(3 * round + 1));
		put(0, 3, (u16)(3 * round + 2));
		assert_false(shadow_has_room(&q, 1));
		shadow_show(&q);
		for (i = 0; i < 3; i++)
			use(&used, avail_head((u16)(base + 2 - i)), i);
		for (i = 0; i < 3; i++) {
			assert_int_equal(shadow_take(&q, &token, &len), 1);
			assert_int_equal(token, (u16)(3 * round + 2 - i));
			assert_int_equal(len, i);
		}
		assert_int_equal(shadow_take(&q, &token, &len), 0);
	}
}

static void test_drop(void **state)
{
	u32 seen = 0;
	u16 token;

	(void)state;
	put(1, 1, 0);
	put(2, 2, 1);
	put(1, 0, 2);
	shadow_show(&q);
	while (shadow_drop(&q, &token)) {
		assert_false(seen >> token & 1);
		seen |= 1u << token;
	}
	assert_int_equal(seen, 7);
	assert_true(shadow_has_room(&q, SIZE));
}

static void refused(u16 *used, u32 head, u32 len, const char *why)
{
	u16 token;
	u32 l;

	use(used, head, len);
	assert_int_equal(shadow_take(&q, &token, &l), -EPROTO);
	assert_string_equal(q.fault, why);
}

static void test_lies(void **state)
{
	u16 used = 0, token;
	u32 len;

	put(1, 1, 5);
	shadow_show(&q);
	refused(&used, SIZE, 0, "server used a buffer that it does not have");
	setup(state);
	used = 0;
	put(1, 1, 5);
	refused(&used, 0xffffffff, 0, "server used a buffer that it does not have");
	setup(state);
	used = 0;
	put(1, 1, 5);
	/* The second descriptor of the chain is no head. */
	refused(&used, xvm_get16(at(q.desc_addr) + 16 * avail_head(0) + 14), 0, "server used a buffer that it does not have");
	setup(state);
	used = 0;
	put(1, 1, 5);
	refused(&used, avail_head(0), 102, "server wrote more than a buffer holds");
	setup(state);
	put(1, 1, 5);
	used = 1;
	refused(&used, avail_head(0), 0, "server used more buffers than it has");
	setup(state);
	used = 0;
	put(1, 1, 5);
	put(1, 1, 6);
	use(&used, avail_head(0), 0);
	assert_int_equal(shadow_take(&q, &token, &len), 1);
	refused(&used, avail_head(0), 0, "server used a buffer that it does not have");
	/* What it writes over the rest of the memory changes nothing here. */
	setup(state);
	used = 0;
	put(2, 2, 5);
	put(1, 1, 6);
	memset(at(q.desc_addr), 0xff, 16 * SIZE);
	use(&used, avail_head(0), 0);
	assert_int_equal(shadow_take(&q, &token, &len), 1);
	assert_int_equal(token, 5);
	put(3, 3, 7);
	assert_false(shadow_has_room(&q, 1));
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_chain), CASE(test_no_notify), CASE(test_order), CASE(test_drop), CASE(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
