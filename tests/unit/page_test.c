// SPDX-License-Identifier: MIT
/* The control page: offsets as docs/protocol.md section 2 gives them, and what the back refuses. */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../support/test.h"
#include "../../xen/proto/page.h"

static u8 *page;
static struct xvm_page_refs refs, got;

static int setup(void **state)
{
	u32 i;

	(void)state;
	page = calloc(1, 4096);
	for (i = 0; i < XVM_MAX_RING_PAGES; i++) {
		refs.drv[i] = 0x01020300 + i;
		refs.dev[i] = 0xa0b0c000u + i;
	}
	memset(&got, 0x77, sizeof(got));
	return page ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(page);
	return 0;
}

static void test_bytes(void **state)
{
	u32 i;

	(void)state;
	xvm_page_init(page, 3, &refs);
	assert_memory_equal(page, "XVMB\1\0\0\0", 8);
	for (i = 0; i < 8; i++) {
		assert_int_equal(xvm_get32(page + 0x200 + 4 * i), 0x01020300 + i);
		assert_int_equal(xvm_get32(page + 0x300 + 4 * i), 0xa0b0c000u + i);
	}
	/* Nothing else is written: not the indices, not the references beyond the order. */
	for (i = 8; i < 0x200; i++)
		assert_int_equal(page[i], 0);
	for (i = 0x220; i < 0x300; i++)
		assert_int_equal(page[i], 0);
	for (i = 0x320; i < 4096; i++)
		assert_int_equal(page[i], 0);
}

static void test_read(void **state)
{
	u32 order, i;

	(void)state;
	for (order = 0; order <= XVM_MAX_RING_ORDER; order++) {
		memset(page, 0, 4096);
		memset(&got, 0x77, sizeof(got));
		xvm_page_init(page, order, &refs);
		assert_int_equal(xvm_page_read(page, order, &got), 0);
		for (i = 0; i < 1u << order; i++) {
			assert_int_equal(got.drv[i], refs.drv[i]);
			assert_int_equal(got.dev[i], refs.dev[i]);
		}
		for (; i < XVM_MAX_RING_PAGES; i++)
			assert_int_equal(got.drv[i], 0x77777777);
	}
	/* The two lists of the largest order do not meet each other or the doorbells. */
	assert_int_equal(xvm_get32(page + 0x2fc), refs.drv[63]);
	assert_int_equal(xvm_get32(page + 0x3fc), refs.dev[63]);
	assert_int_equal(xvm_get32(page + 0x400), 0);
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(xvm_page_read(page, 0, &got), -EPROTO);
	xvm_page_init(page, 0, &refs);
	xvm_put32(page + 4, 2);
	assert_int_equal(xvm_page_read(page, 0, &got), -EPROTO);
	xvm_put32(page + 4, 0);
	assert_int_equal(xvm_page_read(page, 0, &got), -EPROTO);
	xvm_page_init(page, 0, &refs);
	page[0] ^= 1;
	assert_int_equal(xvm_page_read(page, 0, &got), -EPROTO);
	assert_int_equal(got.drv[0], 0x77777777);
}

static void test_error(void **state)
{
	u32 detail = 7;

	(void)state;
	assert_int_equal(xvm_page_get_error(page, true, &detail), XVM_ERR_NONE);
	xvm_page_set_error(page, true, XVM_ERR_INDEX, 0x01020304);
	assert_memory_equal(page + 0x180, "\1\0\0\0\4\3\2\1", 8);
	assert_int_equal(xvm_get32(page + 0x140), 0);
	assert_int_equal(xvm_page_get_error(page, true, &detail), XVM_ERR_INDEX);
	assert_int_equal(detail, 0x01020304);
	assert_int_equal(xvm_page_get_error(page, false, &detail), XVM_ERR_NONE);
	xvm_page_set_error(page, false, XVM_ERR_CLOSED, 0);
	assert_memory_equal(page + 0x140, "\4\0\0\0\0\0\0\0", 8);
	assert_int_equal(xvm_page_get_error(page, false, &detail), XVM_ERR_CLOSED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_bytes), CASE(test_read), CASE(test_refused), CASE(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
