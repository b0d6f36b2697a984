// SPDX-License-Identifier: GPL-2.0-or-later
/* The iovec helpers of dom0/virtio/iov.c, against a flat buffer. */
/* LINK: dom0/virtio/iov.c */
#include "../support/test.h"
#include "../../dom0/virtio/vq.h"

#define N 5
#define TOTAL 20u

static const size_t lens[N] = { 3, 1, 0, 9, 7 };

static void make(struct iovec *iov, u8 *flat)
{
	u32 i;

	for (i = 0; i < N; i++) {
		iov[i].iov_base = flat;
		iov[i].iov_len = lens[i];
		flat += lens[i];
	}
}

static void test_get_put(void **state)
{
	u8 flat[TOTAL], want[TOTAL], got[TOTAL + 4];
	size_t off, bytes, n, i;
	struct iovec iov[N];

	(void)state;
	for (off = 0; off <= TOTAL + 1; off++) {
		for (bytes = 0; bytes <= TOTAL + 4; bytes++) {
			for (i = 0; i < TOTAL; i++)
				flat[i] = (u8)(i + 1);
			memcpy(want, flat, TOTAL);
			make(iov, flat);
			n = off >= TOTAL ? 0 : TOTAL - off < bytes ? TOTAL - off : bytes;
			memset(got, 0xee, sizeof(got));
			assert_int_equal(xvm_iov_get(iov, N, off, got, bytes), n);
			if (n)
				assert_memory_equal(got, flat + off, n);
			if (n < sizeof(got))
				assert_int_equal(got[n], 0xee);

			memset(got, 0x55, sizeof(got));
			assert_int_equal(xvm_iov_put(iov, N, off, got, bytes), n);
			if (n)
				memset(want + off, 0x55, n);
			assert_memory_equal(flat, want, TOTAL);
		}
	}
}

static void test_trim(void **state)
{
	u8 flat[TOTAL], got[TOTAL];
	size_t front, back, left, i;
	struct iovec iov[N], *at;
	u32 n;

	(void)state;
	for (i = 0; i < TOTAL; i++)
		flat[i] = (u8)i;
	for (front = 0; front <= TOTAL + 2; front++) {
		for (back = 0; back <= TOTAL + 2; back++) {
			make(iov, flat);
			at = iov;
			n = xvm_iov_trim(&at, N, front, back);
			left = front + back >= TOTAL ? 0 : TOTAL - front - back;
			assert_int_equal(xvm_iov_get(at, n, 0, got, sizeof(got)), left);
			if (left)
				assert_memory_equal(got, flat + front, left);
		}
	}
}

static void test_zero(void **state)
{
	u8 flat[TOTAL + 1];
	struct iovec iov[N];
	size_t i;

	(void)state;
	memset(flat, 0x77, sizeof(flat));
	make(iov, flat);
	assert_int_equal(xvm_iov_zero(iov, N), TOTAL);
	for (i = 0; i < TOTAL; i++)
		assert_int_equal(flat[i], 0);
	assert_int_equal(flat[TOTAL], 0x77);
	assert_int_equal(xvm_iov_zero(iov, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_put),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
