// SPDX-License-Identifier: MIT
/* Arithmetic, number and list parsing of xen/proto/num.h, and the address format of addr.h. */
/* LINK: xen/proto */
#include "../support/test.h"
#include "../../xen/proto/addr.h"
#include "../../xen/proto/num.h"

static void test_pow2(void **state)
{
	(void)state;
	assert_false(xvm_is_pow2(0));
	assert_true(xvm_is_pow2(1));
	assert_true(xvm_is_pow2(0x80000000u));
	assert_false(xvm_is_pow2(3));
	assert_false(xvm_is_pow2(0xffffffffu));
}

static void test_align8(void **state)
{
	(void)state;
	assert_int_equal(xvm_align8(0), 0);
	assert_int_equal(xvm_align8(1), 8);
	assert_int_equal(xvm_align8(8), 8);
	assert_int_equal(xvm_align8(9), 16);
}

static void test_range(void **state)
{
	static const struct {
		u64 off, len, size;
		bool ok;
	} rows[] = {
		{ 0, 0, 0, true },
		{ 0, 1, 0, false },
		{ 0, 16, 16, true },
		{ 15, 1, 16, true },
		{ 16, 0, 16, true },
		{ 16, 1, 16, false },
		{ 17, 0, 16, false },
		{ UINT64_MAX, 1, 16, false },	/* off + len wraps to 0 */
		{ 8, UINT64_MAX - 7, 16, false },
		{ 1, UINT64_MAX, UINT64_MAX, false },
		{ 0, UINT64_MAX, UINT64_MAX, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(xvm_range_ok(rows[i].off, rows[i].len, rows[i].size), rows[i].ok);
}

static int parse(const char *text, u32 max, u32 *v)
{
	return xvm_parse_u32(text, strlen(text), max, v);
}

static void test_parse_good(void **state)
{
	u32 v = 7;

	(void)state;
	assert_int_equal(parse("0", 0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(parse("264", 264, &v), 0);
	assert_int_equal(v, 264);
	assert_int_equal(parse("4294967295", UINT32_MAX, &v), 0);
	assert_int_equal(v, UINT32_MAX);
	/* Only len bytes count: what follows may be anything. */
	assert_int_equal(xvm_parse_u32("12x", 2, 100, &v), 0);
	assert_int_equal(v, 12);
}

static void test_parse_bad(void **state)
{
	static const char *const bad[] = {
		"", " ", "+1", "-1", "-0", "00", "01", "0x10", "1 ", " 1", "1\n", "a", "1a", "1.0",
		"12345678901", "00000000001", "1,2", "\xb2",
	};
	u32 v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], UINT32_MAX, &v), -EINVAL);
	assert_int_equal(xvm_parse_u32("1\0", 2, UINT32_MAX, &v), -EINVAL);
	assert_int_equal(parse("4294967296", UINT32_MAX, &v), -ERANGE);
	assert_int_equal(parse("9999999999", UINT32_MAX, &v), -ERANGE);
	assert_int_equal(parse("265", 264, &v), -ERANGE);
	assert_int_equal(v, 7);		/* written only on success */
}

static void test_id(void **state)
{
	static const char *const bad[] = {
		"", "123456789abcdef", "0123456789abcdef0", "0123456789ABCDEF", "0x23456789abcdef",
		" 123456789abcdef", "0123456789abcdeg", "-123456789abcdef",
	};
	u64 v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++)
		assert_int_equal(xvm_parse_id64(bad[i], strlen(bad[i]), &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(xvm_parse_id64("0123456789abcdef", 16, &v), 0);
	assert_true(v == 0x0123456789abcdefull);
	assert_int_equal(xvm_parse_id64("ffffffffffffffff", 16, &v), 0);
	assert_true(v == UINT64_MAX);
}

static void test_list(void **state)
{
	static const struct {
		const char *list, *word;
		bool has;
	} rows[] = {
		{ "pr28", "pr28", true },
		{ "a,pr28", "pr28", true },
		{ "pr28,a", "pr28", true },
		{ "a,pr28,b", "pr28", true },
		{ "", "pr28", false },
		{ "", "", false },
		{ ",,", "", false },
		{ "pr2", "pr28", false },
		{ "pr288", "pr28", false },
		{ "xpr28", "pr28", false },
		{ "pr28 ", "pr28", false },
		{ "a, pr28", "pr28", false },
		{ ",pr28,", "pr28", true },
		{ "11,21", "1", false },
		{ "2,1", "1", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(xvm_list_has(rows[i].list, strlen(rows[i].list), rows[i].word),
				 rows[i].has);
	/* The list ends at len, terminated or not. */
	assert_false(xvm_list_has("pr28", 3, "pr28"));
	assert_true(xvm_list_has("pr28x", 4, "pr28"));
}

/* wire.h: bits 46..40 area, 39..0 offset, all others zero. */
static void test_addr(void **state)
{
	static const struct {
		u64 addr;
		u32 area;
	} rows[] = {
		{ 0, 0 },
		{ 0x0000010000000000ull, 1 },
		{ 0x00007fffffffffffull, 127 },
		{ 0x0000800000000000ull, 0 },	/* bit 47 */
		{ 0x0000810000000000ull, 0 },
		{ 0x8000010000000000ull, 0 },	/* bit 63: reserved */
		{ 0x4000010000000000ull, 0 },
		{ UINT64_MAX, 0 },
		{ 0x000000ffffffffffull, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++)
		assert_int_equal(xvm_addr_area(rows[i].addr), rows[i].area);
	assert_true(xvm_addr_make(1, 0x1000) == 0x0000010000001000ull);
	assert_true(xvm_addr_make(127, 0xffffffffffull) == 0x00007fffffffffffull);
	assert_true(xvm_addr_offset(0x00007f0000001234ull) == 0x1234);
	assert_true(xvm_addr_offset(0x00007fffffffffffull) == 0xffffffffffull);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pow2),
		cmocka_unit_test(test_align8),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_parse_good),
		cmocka_unit_test(test_parse_bad),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_addr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
