// SPDX-License-Identifier: GPL-2.0-or-later
/* virtio-rng of dom0/dev/rng.c behind a ring: amounts, limits, budget, odd chains. */
/* LINK: dom0/dev/rng.c dom0/virtio */
#include "../support/test.h"
#include "../../dom0/dev/dev.h"

#define OWNER_TYPE xvm_rng_type
#include "../support/fake_owner.h"

#include <fcntl.h>

#define GOOD (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX)
#define BYTES 0x40000u

struct fix {
	struct xvm_vdev *vdev;
	struct ring_mem r;
};

static int setup(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = 1, .device_id = 4 };
	struct fix *f = calloc(1, sizeof(*f));
	char why[100];

	memset(&owner, 0, sizeof(owner));
	f->vdev = xvm_vdev_new(&desc, NULL, &owner_ops, NULL, NULL, why, sizeof(why));
	ring_mem_init(&f->r, &f->vdev->mem, 64, BYTES);
	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	xvm_vdev_free(f->vdev);
	ring_mem_free(&f->r);
	free(f);
	return 0;
}

static u32 distinct(const u8 *p, u32 n)
{
	u8 seen[256] = { 0 };
	u32 i, count = 0;

	for (i = 0; i < n; i++)
		count += !seen[p[i]]++;
	return count;
}

static void test_fill(void **state)
{
	static const struct ring_seg seg[] = {
		{ RING_DATA, 300, true }, { RING_DATA + 1000, 1, true },
		{ RING_DATA + 2000, 1000, true },
	};
	struct fix *f = *state;
	u32 head, len;

	ring_chain(&f->r, seg, 3);
	owner_pass(f->vdev);
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(len, 1301);
	assert_true(distinct(f->r.base + RING_DATA, 300) > 64);
	assert_true(distinct(f->r.base + RING_DATA + 2000, 1000) > 128);
	assert_int_equal(f->r.base[RING_DATA + 300], 0);
	assert_int_equal(f->r.base[RING_DATA + 3000], 0);
	assert_int_equal(owner.used, 1);
	assert_int_equal(f->vdev->in_flight, 0);
}

static void test_limits(void **state)
{
	static const struct ring_seg big[] = { { RING_DATA, 0x20000, true } };
	static const struct ring_seg odd[] = { { RING_DATA, 64, false } };
	struct fix *f = *state;
	u32 head, len;

	ring_chain(&f->r, big, 1);
	ring_chain(&f->r, odd, 1);
	owner_pass(f->vdev);
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(len, 65536);
	assert_int_equal(f->r.base[RING_DATA + 65536], 0);
	assert_true(ring_take_used(&f->r, &head, &len));
	assert_int_equal(len, 0);
}

static void test_budget(void **state)
{
	static const struct ring_seg seg[] = { { RING_DATA, 8, true } };
	struct fix *f = *state;
	u32 i;

	owner.again = 0;
	for (i = 0; i < 40; i++)
		ring_chain(&f->r, seg, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(ring_used_idx(&f->r), 16);
	assert_int_equal(owner.again, 1);
	owner_pass(f->vdev);
	assert_int_equal(ring_used_idx(&f->r), 40);
	assert_int_equal(owner.again, 0);
}

static void test_no_image(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = 1, .device_id = 4 };
	int fd = open("/dev/null", O_RDONLY);
	struct fdset fds = { .count = 1, .fd = { fd } };
	char why[100];

	(void)state;
	assert_null(xvm_vdev_new(&desc, &fds, &owner_ops, NULL, NULL, why, sizeof(why)));
	assert_string_equal(why, "an entropy device takes no descriptor");
	assert_int_equal(fcntl(fd, F_GETFD), -1);	/* taken, so closed */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_fill), CASE(test_limits), CASE(test_budget), CASE(test_no_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
