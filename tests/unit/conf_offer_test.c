// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the supervisor offers a front, within what the virtio-msg text allows.
 * The function is taken out of its file; nothing else of that runs here.
 */
/* LINK: xen/proto */
/* LIBS: -no-pie -Wl,--unresolved-symbols=ignore-all */
#include "../support/test.h"
#include "../../dom0/daemon/link.c"

static void test_message_size(void **state)
{
	static struct xvm_daemon daemon;
	static struct xvm_guest guest = { .daemon = &daemon };
	struct xvm_offer offer;

	(void)state;
	make_offer(&guest, 1, &offer);
	assert_true(offer.max_message >= 44);
	assert_true(offer.max_message <= 264);
	/* And a device can be carried. */
	assert_true(offer.max_message >= 48);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
