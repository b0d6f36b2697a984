// SPDX-License-Identifier: MIT
/* A capture that was written is read back and judged; what is cut off or foreign is refused. */
/* LINK: xen/proto tools/capture.c tests/support/pcapng.c */
/* LINK: tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
#include <stdlib.h>
#include "../support/test.h"
#include "../support/pcapng.h"
#include "../../tools/capture.h"
#include "../../xen/proto/msg.h"

static u8 file[4096];
static size_t bytes;

static void write_message(FILE *f, u8 direction, u32 domid, const u8 *msg, u32 len)
{
	struct xvm_capture_packet p = { .ns = 1, .direction = direction, .domid = domid };

	assert_int_equal(xvm_capture_message(f, &p, msg, len), 0);
}

/* Of domain 3 a PING and a false answer, of domain 4 another PING. */
static int setup(void **state)
{
	FILE *f = fmemopen(file, sizeof(file), "w");
	u8 msg[16];
	u32 len;

	(void)state;
	assert_non_null(f);
	assert_int_equal(xvm_capture_begin(f, "pcapng_test"), 0);
	len = xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, 1);
	xvm_msg_finish(msg, false, 5);
	write_message(f, XVM_CAPTURE_TO_DEVICE, 3, msg, len);
	write_message(f, XVM_CAPTURE_TO_DEVICE, 4, msg, len);
	len = xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, 2);
	xvm_msg_finish(msg, true, 5);
	write_message(f, XVM_CAPTURE_TO_DRIVER, 3, msg, len);
	bytes = (size_t)ftell(f);
	fclose(f);
	return 0;
}

static long observe(size_t n, u32 domid, u32 *findings)
{
	struct xvm_observer_config config = { .max_message = 264, .credits = 4 };
	struct xvm_observer *o = xvm_observer_new(&config);
	FILE *f = fmemopen(file, n, "r");
	const struct xvm_finding *list;
	long count;

	assert_non_null(f);
	count = xvm_pcapng_observe(f, domid, o);
	*findings = xvm_observer_findings(o, &list);
	if (*findings)
		assert_string_equal(list[0].rules, "BUS-34");
	fclose(f);
	xvm_observer_free(o);
	return count;
}

static void test_read(void **state)
{
	u32 findings;

	(void)state;
	assert_int_equal(observe(bytes, 0, &findings), 2);
	assert_int_equal(findings, 1);
	assert_int_equal(observe(bytes, 4, &findings), 1);
	assert_int_equal(findings, 0);
	assert_int_equal(observe(bytes, 9, &findings), 0);
}

static void test_cut(void **state)
{
	u32 findings;
	size_t n;

	(void)state;
	for (n = 1; n < bytes; n++)
		assert_true(observe(n, 0, &findings) < 2);
	assert_int_equal(observe(bytes - 1, 0, &findings), -1);
	assert_int_equal(observe(7, 0, &findings), -1);
}

static void test_foreign(void **state)
{
	u32 findings;

	(void)state;
	file[0] ^= 1;
	assert_int_equal(observe(bytes, 0, &findings), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_cut, setup),
		cmocka_unit_test_setup(test_foreign, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
