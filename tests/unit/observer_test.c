// SPDX-License-Identifier: MIT
/*
 * The observer: a stream that keeps all rules has no finding, and each broken
 * rule is found under its statement's id, with nothing else said. So a clean
 * verdict about a recorded stream can be believed.
 */
/* LINK: xen/proto tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
#include <stdlib.h>
#include "../support/test.h"
#include "../support/observer.h"
#include "../../xen/proto/msg.h"

#define NUM 5u
#define OFFERED_LO 0x30000001u
#define OFFERED_HI 0x00000103u	/* VERSION_1, ACCESS_PLATFORM, RING_RESET */
#define CONFIG 60u

static struct xvm_observer *o;
static u8 out[512];
static u16 token;
static enum xvm_dialect dialect;

static int setup_in(enum xvm_dialect in)
{
	struct xvm_observer_config config = {
		.dialect = in, .max_message = 264, .credits = 4,
	};

	dialect = in;
	o = xvm_observer_new(&config);
	assert_non_null(o);
	token = 0;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_in(XVM_DIALECT_PR28);
}

static int setup_draft(void **state)
{
	(void)state;
	return setup_in(XVM_DIALECT_DRAFT2026);
}

static int teardown(void **state)
{
	(void)state;
	xvm_observer_free(o);
	return 0;
}

/* ---- words of the stream ---- */

static void ask(u32 len)
{
	xvm_msg_finish(out, false, ++token);
	xvm_observer_feed(o, XVM_SIDE_DRIVER, out, len);
}

static void say(u32 len)
{
	xvm_msg_finish(out, true, token);
	xvm_observer_feed(o, XVM_SIDE_DEVICE, out, len);
}

static void drv_event(u32 len)
{
	xvm_msg_finish(out, false, 0);
	xvm_observer_feed(o, XVM_SIDE_DRIVER, out, len);
}

static void dev_event(u32 len)
{
	xvm_msg_finish(out, false, 0);
	xvm_observer_feed(o, XVM_SIDE_DEVICE, out, len);
}

static void ready(u16 num, u16 state)
{
	dev_event(xvm_msg_put_event_device(out, num, state));
}

static void info_is(u32 bits, u32 vqs)
{
	struct xvm_msg_device_info m = {
		.device_id = 2, .vendor_id = 1, .num_feature_bits = bits, .config_size = CONFIG,
		.max_virtqueues = vqs,
	};

	ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM));
	say(xvm_msg_put_device_info(out, dialect, NUM, &m));
}

static void info(void)
{
	info_is(64, 2);
}

static void ask_features(u32 block, u32 count)
{
	ask(xvm_msg_put_get_features(out, NUM, block, count));
}

static void say_features(u32 block, u32 count, const u32 *words)
{
	say(xvm_msg_put_features(out, VIRTIO_MSG_GET_DEVICE_FEATURES, NUM, block, count, words));
}

static void features_are(u32 lo, u32 hi)
{
	u32 words[2] = { lo, hi };

	ask_features(0, 2);
	say_features(0, 2, words);
}

static void write_features(u32 lo, u32 hi)
{
	u32 words[2] = { lo, hi };

	ask(xvm_msg_put_features(out, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, 0, 2, words));
	say(xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM));
}

static void status(u32 want, u32 is)
{
	ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, want));
	say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_SET_DEVICE_STATUS, NUM, is));
}

static void status_is(u32 is)
{
	ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
	say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, is));
}

static struct xvm_msg_vqueue queue(u32 index, u32 size)
{
	struct xvm_msg_vqueue m = {
		.index = index, .max_size = 64, .size = size,
		.desc_addr = size ? 0x10000001000 : 0, .driver_addr = size ? 0x10000002002 : 0,
		.device_addr = size ? 0x10000003004 : 0,
		.flags = size ? VIRTIO_MSG_VQ_ENABLE : 0,
	};

	return m;
}

static void vq_is(struct xvm_msg_vqueue m)
{
	ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_VQUEUE, NUM, m.index));
	say(xvm_msg_put_vqueue(out, dialect, NUM, &m));
}

static void set_vq(struct xvm_msg_vqueue m)
{
	ask(xvm_msg_put_set_vqueue(out, dialect, NUM, &m));
	say(xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_VQUEUE, NUM));
}

static void reset_vq(u32 index)
{
	ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_RESET_VQUEUE, NUM, index));
	say(xvm_msg_put_empty(out, 0, VIRTIO_MSG_RESET_VQUEUE, NUM));
}

static void avail(u32 index, u32 next)
{
	struct xvm_msg_event_avail m = { index, next };

	drv_event(xvm_msg_put_event_avail(out, NUM, &m));
}

static void used(u32 index)
{
	dev_event(xvm_msg_put_u32(out, 0, VIRTIO_MSG_EVENT_USED, NUM, index));
}

static void config_event(u32 is, u32 gen)
{
	struct xvm_msg_event_config m = {
		.device_status = is, .generation = gen, .length = gen ? 4 : 0,
	};

	dev_event(xvm_msg_put_event_config(out, NUM, &m));
}

static void ask_config(u32 off, u32 len)
{
	ask(xvm_msg_put_get_config(out, NUM, off, len));
}

static void config_is(u32 gen, u32 off, u32 len, u8 fill)
{
	u8 data[CONFIG];
	struct xvm_msg_config m = { gen, off, len, data };

	memset(data, fill, sizeof(data));
	ask_config(off, len);
	say(xvm_msg_put_config(out, VIRTIO_MSG_GET_CONFIG, NUM, &m));
}

static void write_config(u32 gen, u32 off, u32 len, u32 gen_is, u32 applied)
{
	static const u8 data[CONFIG];
	struct xvm_msg_config want = { gen, off, len, data }, is = { gen_is, off, applied, NULL };

	ask(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, NUM, &want));
	say(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, NUM, &is));
}

static void devices_are(u16 offset, u16 count, struct xvm_msg_get_devices m)
{
	static const u8 bits[256] = { 1u << NUM };

	m.bitmap = bits;
	ask(xvm_msg_put_get_devices(out, offset, count));
	say(xvm_msg_put_devices(out, dialect, &m));
}

/* ---- stages of a good stream ---- */

static void known(void)
{
	struct xvm_msg_get_devices m = { .offset = 0, .count = 16 };

	devices_are(0, 16, m);
	info();
}

static void negotiated(void)
{
	known();
	status(0, 0);
	status(1, 1);
	status(3, 3);
	features_are(OFFERED_LO, OFFERED_HI);
	write_features(1, OFFERED_HI);
	status(0xb, 0xb);
}

static void with_queue(void)
{
	negotiated();
	vq_is(queue(0, 0));
	set_vq(queue(0, 64));
	vq_is(queue(0, 64));
}

static void running(void)
{
	with_queue();
	status(0xf, 0xf);
}

/* ---- verdicts ---- */

static void expect_clean(void)
{
	const struct xvm_finding *list;
	u32 i, n = xvm_observer_findings(o, &list);

	for (i = 0; i < n && i < XVM_OBSERVER_KEPT; i++)
		print_message("# message %llu: %s: %s\n", (unsigned long long)list[i].message,
			      list[i].rules, list[i].text);
	assert_int_equal(n, 0);
}

/* Just one finding, and the statement is among its ids. */
static void expect_only(const char *id)
{
	const struct xvm_finding *list;
	u32 n = xvm_observer_findings(o, &list);

	if (n != 1 || !strstr(list[0].rules, id))
		print_message("# wanted %s, have %u: %s: %s; %s: %s\n", id, n, list[0].rules,
			      list[0].text, list[1].rules, list[1].text);
	assert_int_equal(n, 1);
	assert_non_null(strstr(list[0].rules, id));
	if (strlen(id) > 3)
		assert_int_not_equal(xvm_observer_judged(o, id), 0);
}

static void test_good(void **state)
{
	(void)state;
	running();
	avail(0, 0);
	used(0);
	status_is(0xf);
	config_is(3, 0, CONFIG, 7);
	write_config(3, 32, 1, 3, 1);
	config_is(3, 0, CONFIG, 8);	/* what the driver wrote may change more than it wrote */
	config_event(0xf, 4);
	write_config(3, 32, 1, 4, 0);	/* the event may not have been read yet */
	write_config(4, 32, 1, 4, 1);
	reset_vq(0);
	vq_is(queue(0, 0));
	set_vq(queue(0, 32));
	vq_is(queue(0, 32));
	avail(0, 0);
	config_event(0x4f, 4);
	status_is(0x4f);
	status(0, 0);
	vq_is(queue(0, 0));
	features_are(OFFERED_LO, OFFERED_HI);
	ready(NUM, VIRTIO_MSG_DEVICE_REMOVED);
	xvm_observer_finish(o);
	expect_clean();
	assert_int_equal(xvm_observer_judged(o, "DRV-05"), 3);
	assert_int_equal(xvm_observer_judged(o, "DRV-99"), 0);
	assert_int_equal(xvm_observer_judged(o, "XYZ-01"), 0);
}

static void test_good_bus(void **state)
{
	struct xvm_msg_request_failed failed = {
		.dev_num = NUM, .token = 0, .id = VIRTIO_MSG_GET_DEVICE_STATUS, .reason = 2,
	};
	struct xvm_msg_get_devices none = { .offset = 4 };

	(void)state;
	devices_are(4, 16, none);
	ready(NUM, VIRTIO_MSG_DEVICE_READY);
	info();
	ask(xvm_msg_put_u32(out, 2, VIRTIO_BUS_MSG_PING, 0, 77));
	say(xvm_msg_put_u32(out, 2, VIRTIO_BUS_MSG_PING, 0, 77));
	ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
	failed.token = token;
	dev_event(xvm_msg_put_request_failed(out, &failed));
	xvm_observer_finish(o);
	expect_clean();
}

/* ---- each rule broken once ---- */

#define BAD(name, id, ...)			\
	static void name(void **state)		\
	{					\
		(void)state;			\
		__VA_ARGS__			\
		expect_only(id);		\
	}

static void raw(enum xvm_side side, u32 len)
{
	xvm_observer_feed(o, side, out, len);
}

static void raw_status_request(u8 type_bits, u16 size)
{
	xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM);
	xvm_msg_finish(out, false, ++token);
	out[0] |= type_bits;
	xvm_put16(out + 6, size);
	raw(XVM_SIDE_DRIVER, 8);
}

BAD(drv_reserved_bits, "DRV-08", known(); raw_status_request(0x40, 8);)
BAD(drv_size, "DRV-09", known(); raw_status_request(0, 9);)
BAD(drv_unknown_id, "DRV-02", known(); out[1] = 0x7f; out[0] = 0; xvm_put16(out + 6, 8);
    raw(XVM_SIDE_DRIVER, 8);)
BAD(drv_too_long, "DRV-01", known(); xvm_msg_put_empty(out, 0, VIRTIO_MSG_SET_CONFIG, NUM);
    xvm_put16(out + 6, 272); raw(XVM_SIDE_DRIVER, 272);)
BAD(drv_unknown_device, "DRV-10", info();)
BAD(drv_bus_dev_num, "BUS-15", xvm_msg_put_u32(out, 2, VIRTIO_BUS_MSG_PING, 3, 0);
    raw(XVM_SIDE_DRIVER, 12);)
BAD(drv_bus_bits, "BUS-16", xvm_msg_put_u32(out, 2, VIRTIO_BUS_MSG_PING, 0, 0); out[0] |= 8;
    raw(XVM_SIDE_DRIVER, 12);)
BAD(drv_no_info, "DRV-13", ready(NUM, 1); features_are(1, 1);)
BAD(drv_features_unread, "DRV-19", known(); status(3, 3); write_features(0, 0);)
BAD(drv_features_not_offered, "DRV-45", known(); features_are(1, 1); write_features(2, 1);)
BAD(drv_features_late, "DRV-14", negotiated(); write_features(1, OFFERED_HI);)
BAD(drv_features_not_written, "DRV-20", known(); features_are(1, 1); status(1, 1); status(3, 3);
    status(0xb, 3);)
BAD(drv_status_order, "DRV-27", known(); status(2, 2);)
BAD(drv_status_cleared, "DRV-27", known(); status(1, 1); status(3, 3); status(1, 3);)
BAD(drv_queue_early, "DRV-14", known(); features_are(1, 1); write_features(1, 1); vq_is(queue(0, 0));
    set_vq(queue(0, 64));)
BAD(drv_queue_after_refusal, "DRV-20", known(); features_are(1, 1); write_features(1, 1);
    status(3, 3); status(0xb, 3); vq_is(queue(0, 0)); set_vq(queue(0, 64));)
BAD(drv_queue_too_large, "DRV-49", negotiated(); vq_is(queue(0, 0)); set_vq(queue(0, 128));)
BAD(drv_queue_beyond, "DRV-43", negotiated(); set_vq(queue(2, 64));)
BAD(drv_queue_twice, "DRV-39", with_queue(); set_vq(queue(0, 64));)
BAD(drv_queue_misaligned, "DRV-49", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 64); m.desc_addr += 8; set_vq(m); })
BAD(drv_queue_no_address, "DRV-24", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 64); m.driver_addr = 0; set_vq(m); })
BAD(drv_queue_reserved, "DRV-11", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 64); xvm_msg_put_set_vqueue(out, dialect, NUM, &m); out[12] = 1; ask(48); })
BAD(drv_unconfirmed, "DRV-15", negotiated(); vq_is(queue(0, 0)); set_vq(queue(0, 64));
    status(0xf, 0xf);)
BAD(drv_ok_early, "DRV-28", known(); status(1, 1); status(3, 3); features_are(1, 1);
    write_features(1, 1); status(0xf, 3);)
BAD(drv_ok_needs_reset, "DRV-41", with_queue(); config_event(0x4b, 0); status(0xf, 0x4b);)
BAD(drv_avail_before_ok, "DRV-29", with_queue(); avail(0, 0);)
BAD(drv_avail_unset, "DRV-30", running(); avail(1, 0);)
BAD(drv_avail_beyond, "DRV-32", running(); avail(2, 0);)
BAD(drv_avail_offset, "DRV-52", running(); avail(0, 0x80000001u);)
BAD(drv_config_range, "DRV-46", known(); ask_config(CONFIG - 1, 2);)
BAD(drv_config_wraps, "DRV-21", known(); ask_config(8, 0xfffffff8u);)
BAD(drv_set_config_range, "DRV-47", known(); config_is(1, 0, 4, 0); write_config(1, CONFIG, 1, 1, 0);)
BAD(drv_generation, "DRV-05", known(); config_is(3, 0, 4, 0); write_config(2, 0, 1, 3, 0);)
BAD(drv_generation_guess, "DRV-22", known(); write_config(0, 0, 1, 9, 0);)
BAD(drv_reset_vq_feature, "DRV-50", known(); status(1, 1); status(3, 3);
    features_are(OFFERED_LO, OFFERED_HI); write_features(1, 3); status(0xb, 0xb); reset_vq(0);)
BAD(drv_credits, "BUS", known(); ask_config(0, 1); ask_config(0, 1); ask_config(0, 1);
    ask_config(0, 1); ask_config(0, 1);)
BAD(drv_token_twice, "BUS", known(); ask_config(0, 1); token--; ask_config(0, 1);)

BAD(dev_reserved_bits, "DEV-12", known(); ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
    xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0); xvm_msg_finish(out, true, token);
    out[0] |= 0x80; raw(XVM_SIDE_DEVICE, 12);)
BAD(dev_size, "DEV-13", known(); xvm_msg_put_u32(out, 0, VIRTIO_MSG_EVENT_USED, NUM, 0);
    xvm_put16(out + 6, 16); raw(XVM_SIDE_DEVICE, 12);)
BAD(dev_too_long, "DEV-01", known(); xvm_msg_put_empty(out, 0, VIRTIO_MSG_EVENT_CONFIG, NUM);
    xvm_put16(out + 6, 300); raw(XVM_SIDE_DEVICE, 300);)
BAD(dev_other_side, "DEV-02", known(); raw(XVM_SIDE_DEVICE, xvm_msg_put_get_config(out, NUM, 0, 0));)
BAD(dev_unasked, "BUS-20", known(); say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0));)
BAD(dev_wrong_token, "DEV-16", known(); ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
    token++; say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0));)
BAD(dev_wrong_number, "DEV-14", known(); ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
    say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM + 1, 0));)
BAD(dev_order, "BUS-19", known(); ask_config(0, 1);
    ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
    say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0));)
BAD(dev_silent, "BUS-20", known(); ask_config(0, 1); xvm_observer_finish(o);)
BAD(dev_event_answered, "BUS-14", running();
    { struct xvm_msg_request_failed m = { NUM, 0, 0, VIRTIO_MSG_EVENT_AVAIL, 1 };
      dev_event(xvm_msg_put_request_failed(out, &m)); })
BAD(dev_feature_bits, "DEV-36", ready(NUM, 1); info_is(40, 2);)
BAD(dev_info_changed, "DEV-36", known(); info_is(64, 3);)
BAD(dev_beyond, "DEV-37", known(); { u32 w = 1; ask_features(2, 1); say_features(2, 1, &w); })
BAD(dev_more_blocks, "DEV-35", known(); { u32 w[2] = { 0, 0 }; ask_features(0, 1); say_features(0, 2, w); })
BAD(dev_not_acked, "DEV-38", negotiated(); features_are(OFFERED_LO, OFFERED_HI);)
BAD(dev_notification_data, "BUS-30", known(); features_are(0, 1 << 6);)
BAD(dev_status_of_its_own, "DEV-42", known(); status(1, 3);)
BAD(dev_reset_status, "DEV-23", running(); status(0, 1);)
BAD(dev_status_lies, "DEV-41", running(); status_is(0xb);)
BAD(dev_generation_back, "DEV-39", known(); config_is(3, 0, 1, 0); config_is(2, 0, 1, 0);)
BAD(dev_config_silent, "DEV-05", known(); config_is(3, 0, 4, 1); config_is(3, 2, 4, 2);)
BAD(dev_stale_applied, "DEV-40", known(); config_is(3, 0, 4, 1); config_event(0, 4);
    write_config(3, 0, 1, 4, 1);)
BAD(dev_no_config_event, "DEV-47", known(); config_is(3, 0, 4, 1); config_is(4, 0, 4, 1);
    xvm_observer_finish(o);)
BAD(dev_no_reset_event, "DEV-34", running(); status_is(0x4f); xvm_observer_finish(o);)
BAD(dev_event_status, "DEV-27", running(); config_event(3, 0);)
BAD(dev_event_range, "DEV-28", running();
    { struct xvm_msg_event_config m = { 0xf, 1, CONFIG, 4, NULL };
      dev_event(xvm_msg_put_event_config(out, NUM, &m)); })
BAD(dev_event_no_range, "DEV-28", running(); config_is(3, 0, 4, 1);
    { struct xvm_msg_event_config m = { 0xf, 4, 0, 0, NULL };
      dev_event(xvm_msg_put_event_config(out, NUM, &m)); })
BAD(dev_event_data_twice, "DEV-05", running();
    { struct xvm_msg_event_config m = { 0xf, 1, 0, 4, (const u8 *)"abcd" };
      dev_event(xvm_msg_put_event_config(out, NUM, &m));
      dev_event(xvm_msg_put_event_config(out, NUM, &m)); })
BAD(dev_queue_max, "DEV-21", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 0); m.max_size = 32; vq_is(m); })
BAD(dev_queue_other, "DEV-44", negotiated(); vq_is(queue(0, 0)); set_vq(queue(0, 64));
    vq_is(queue(0, 32));)
BAD(dev_queue_unset, "DEV-43", negotiated(); vq_is(queue(0, 64));)
BAD(dev_queue_beyond, "DEV-43", negotiated(); vq_is(queue(7, 0));)
BAD(dev_queue_reserved, "DEV-15", negotiated(); ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_VQUEUE, NUM, 0));
    { struct xvm_msg_vqueue m = queue(0, 0); xvm_msg_put_vqueue(out, dialect, NUM, &m); out[20] = 1; say(48); })
BAD(dev_queue_after_vq_reset, "DEV-45", running(); reset_vq(0); vq_is(queue(0, 64));)
BAD(dev_queue_after_reset, "DEV-23", running(); status(0, 0); vq_is(queue(0, 64));)
BAD(dev_used_early, "DEV-25", with_queue(); used(0);)
BAD(dev_used_unset, "DEV-32", running(); used(1);)
BAD(dev_used_beyond, "DEV-29", running(); used(9);)
BAD(dev_shm, "DEV-46", known(); ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_SHM, NUM, 1));
    { struct xvm_msg_shm m = { 2, 0, 0 }; say(xvm_msg_put_shm(out, dialect, NUM, &m)); })
BAD(bus_ping, "BUS-34", ask(xvm_msg_put_u32(out, 2, VIRTIO_BUS_MSG_PING, 0, 1));
    say(xvm_msg_put_u32(out, 2, VIRTIO_BUS_MSG_PING, 0, 2));)
BAD(bus_window_larger, "BUS-33",
    { struct xvm_msg_get_devices m = { .offset = 0, .count = 16 }; devices_are(0, 8, m); })
BAD(bus_window_odd, "BUS-31",
    { struct xvm_msg_get_devices m = { .offset = 4, .count = 8 }; devices_are(4, 8, m); })
BAD(bus_bitmap_long, "BUS-31",
    { struct xvm_msg_get_devices m = { .offset = 0, .count = 8, .bitmap = out + 100 };
      ask(xvm_msg_put_get_devices(out, 0, 8)); xvm_msg_put_devices(out, dialect, &m);
      xvm_put16(out + 6, 16); say(16); })
BAD(bus_next_back, "BUS-32",
    { struct xvm_msg_get_devices m = { .offset = 8, .count = 8, .next_offset = 8 };
      devices_are(8, 8, m); })
BAD(bus_next_odd, "BUS-32",
    { struct xvm_msg_get_devices m = { .offset = 0, .count = 8, .next_offset = 12 };
      devices_are(0, 8, m); })
BAD(bus_state, "BUS-28", ready(NUM, 3);)
BAD(bus_event_token, "BUS", known(); xvm_msg_put_event_device(out, NUM, 1);
    xvm_msg_finish(out, false, 7); raw(XVM_SIDE_DEVICE, 12);)

/* A driver that asks for more than was offered, and a device that agrees: two findings. */
static void dev_accepts_unoffered(void **state)
{
	const struct xvm_finding *list;

	(void)state;
	known();
	features_are(1, 1);
	status(1, 1);
	status(3, 3);
	write_features(3, 1);
	status(0xb, 0xb);
	assert_int_equal(xvm_observer_findings(o, &list), 2);
	assert_non_null(strstr(list[0].rules, "DRV-45"));
	assert_string_equal(list[1].rules, "DEV-18");
}

/* ---- the same in the draft, where it is otherwise ---- */

static void write_draft(u32 gen, u32 len, u32 applied, const u8 *echo)
{
	static const u8 data[CONFIG];
	struct xvm_msg_config want = { gen, 0, len, data }, is = { 3, 0, applied, echo };

	ask(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, NUM, &want));
	say(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, NUM, &is));
}

static void event_is(u32 is, u32 gen, u32 off, u32 len)
{
	struct xvm_msg_event_config m = { is, gen, off, len, NULL };

	dev_event(xvm_msg_put_event_config(out, NUM, &m));
}

static void test_good_draft(void **state)
{
	static const u8 zeroes[4];
	struct xvm_msg_vqueue vq = queue(1, 32);

	(void)state;
	running();
	avail(0, 0);
	used(0);
	config_is(3, 0, CONFIG, 0);
	write_draft(0, 4, 4, zeroes);
	write_draft(0, 4, 0, NULL);
	event_is(0xf, 4, 8, 4);
	/* Configured first, enabled then with all of it left as it is. */
	vq_is(queue(1, 0));
	vq.flags = 0;
	set_vq(vq);
	vq_is(vq);
	vq.flags = VIRTIO_MSG_VQ_ENABLE | VIRTIO_MSG_VQ_IGNORES;
	set_vq(vq);
	vq.flags = VIRTIO_MSG_VQ_ENABLED;
	vq_is(vq);
	avail(1, 0);
	/* Answers may overtake each other. */
	ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_SHM, NUM, 9));
	ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM));
	say(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_DEVICE_STATUS, NUM, 0xf));
	token--;
	say(xvm_msg_put_shm(out, dialect, NUM, &(struct xvm_msg_shm){ .index = 9 }));
	token++;
	event_is(0x4f, 4, 0, 0);
	/* A reset that goes on behind its answer. */
	status(0, 0x4f);
	status_is(0x4f);
	status_is(0);
	vq_is(queue(0, 0));
	features_are(OFFERED_LO, OFFERED_HI);
	xvm_observer_finish(o);
	expect_clean();
}

static struct xvm_msg_device_info plain_info(void)
{
	struct xvm_msg_device_info m = {
		.device_id = 2, .vendor_id = 1, .num_feature_bits = 64, .config_size = CONFIG,
		.max_virtqueues = 2,
	};

	return m;
}

static void say_info(struct xvm_msg_device_info m)
{
	ready(NUM, VIRTIO_MSG_DEVICE_READY);
	ask(xvm_msg_put_empty(out, 0, VIRTIO_MSG_GET_DEVICE_INFO, NUM));
	say(xvm_msg_put_device_info(out, dialect, NUM, &m));
}

static void window(u16 offset, u16 count, struct xvm_msg_get_devices m, u8 first)
{
	u8 bits[256] = { first };

	m.bitmap = bits;
	ask(xvm_msg_put_get_devices(out, offset, count));
	say(xvm_msg_put_devices(out, dialect, &m));
}

BAD(d_generation, "DRV-08", known(); config_is(3, 0, 4, 0); write_draft(3, 4, 0, NULL);)
BAD(d_set_reserved, "DRV-59", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 64); m.flags |= 64; set_vq(m); })
BAD(d_set_state, "DRV-60", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 64); m.flags = 3; set_vq(m); })
BAD(d_set_enabled, "DRV-65", with_queue(); set_vq(queue(0, 32));)
BAD(d_misaligned, "DRV-64", negotiated(); vq_is(queue(0, 0));
    { struct xvm_msg_vqueue m = queue(0, 64); m.desc_addr++; set_vq(m); })
BAD(d_reset_vq, "DRV-68", known(); status(0, 0); status(1, 1); status(3, 3);
    features_are(OFFERED_LO, OFFERED_HI); write_features(1, 3); status(0xb, 0xb);
    vq_is(queue(0, 0)); reset_vq(0);)
BAD(d_no_polling, "DRV-54", running(); status(0, 0xf); vq_is(queue(1, 0));)
BAD(d_reflects, "DEV-20", negotiated(); features_are(1, OFFERED_HI);)
BAD(d_notif_config_data, "DEV-33", known(); features_are(1, 1u << 7);)
BAD(d_applied_in_part, "DEV-52", known(); write_draft(0, 4, 2, (const u8 *)"\0\0");)
BAD(d_not_echoed, "DEV-52", known(); write_draft(0, 4, 4, (const u8 *)"abcd");)
BAD(d_refused_with_data, "DEV-53", known(); write_config(0, 0, 4, 3, 0);
    { struct xvm_msg_config want = { 0, 0, 4, (const u8 *)"abcd" };
      ask(xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, NUM, &want));
      xvm_msg_put_config(out, VIRTIO_MSG_SET_CONFIG, NUM, &want); xvm_put32(out + 16, 0);
      say(24); })
BAD(d_event_no_news, "DEV-13", running(); config_is(3, 0, 4, 0); event_is(0xf, 3, 0, 0);)
BAD(d_event_range, "DEV-14", running(); config_is(3, 0, 4, 0); event_is(0x4f, 3, 0, 4);)
BAD(d_no_event, "DEV-11", known(); config_is(3, 0, 4, 0); config_is(4, 0, 4, 0);
    xvm_observer_finish(o);)
BAD(d_sentinel, "DEV-61", negotiated();
    { struct xvm_msg_vqueue m = { .index = 9, .flags = VIRTIO_MSG_VQ_ENABLED }; vq_is(m); })
BAD(d_queue_flags, "DEV-62", negotiated();
    { struct xvm_msg_vqueue m = queue(0, 0); m.flags = 2; vq_is(m); })
BAD(d_enabled_unasked, "DEV-64", negotiated(); vq_is(queue(0, 0)); vq_is(queue(0, 64));)
BAD(d_shm_reserved, "DEV-74", known(); ask(xvm_msg_put_u32(out, 0, VIRTIO_MSG_GET_SHM, NUM, 2));
    { struct xvm_msg_shm m = { 2, 0, 0 }; xvm_msg_put_shm(out, dialect, NUM, &m); out[12] = 1;
      say(32); })
BAD(d_admin_start, "DEV-44", { struct xvm_msg_device_info m = plain_info(); m.admin_vq_start = 1;
    say_info(m); })
BAD(d_admin_range, "DEV-45", { struct xvm_msg_device_info m = plain_info(); m.admin_vq_start = 1;
    m.admin_vq_count = 2; say_info(m); })
BAD(d_many_queues, "DEV-42", { struct xvm_msg_device_info m = plain_info();
    m.max_virtqueues = 65537; say_info(m); })
BAD(d_uuid, "DEV-47", { struct xvm_msg_device_info m = plain_info(); m.uuid[0] = 1; say_info(m); })
BAD(d_bitmap_beyond, "BUS-55", window(0, 4, (struct xvm_msg_get_devices){ .count = 4 }, 1u << 5);)
BAD(d_next_back, "BUS-57", window(8, 8, (struct xvm_msg_get_devices){
    .offset = 8, .count = 8, .next_offset = 8 }, 0);)
BAD(d_window_larger, "BUS-54", window(0, 4, (struct xvm_msg_get_devices){ .count = 5 }, 0);)

/* More findings than are kept are counted. */
static void test_many(void **state)
{
	const struct xvm_finding *list;
	u32 i;

	(void)state;
	for (i = 0; i < XVM_OBSERVER_KEPT + 10; i++)
		ready(NUM, 3);
	assert_int_equal(xvm_observer_findings(o, &list), XVM_OBSERVER_KEPT + 10);
	assert_int_equal(list[XVM_OBSERVER_KEPT - 1].message, XVM_OBSERVER_KEPT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define DRAFT(name) cmocka_unit_test_setup_teardown(name, setup_draft, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_good), CASE(test_good_bus),
		CASE(drv_reserved_bits), CASE(drv_size), CASE(drv_unknown_id), CASE(drv_too_long),
		CASE(drv_unknown_device), CASE(drv_bus_dev_num), CASE(drv_bus_bits), CASE(drv_no_info),
		CASE(drv_features_unread), CASE(drv_features_not_offered), CASE(drv_features_late),
		CASE(drv_features_not_written), CASE(drv_status_order), CASE(drv_status_cleared),
		CASE(drv_queue_early), CASE(drv_queue_after_refusal), CASE(drv_queue_too_large),
		CASE(drv_queue_beyond), CASE(drv_queue_twice), CASE(drv_queue_misaligned),
		CASE(drv_queue_no_address), CASE(drv_queue_reserved), CASE(drv_unconfirmed),
		CASE(drv_ok_early), CASE(drv_ok_needs_reset), CASE(drv_avail_before_ok),
		CASE(drv_avail_unset), CASE(drv_avail_beyond), CASE(drv_avail_offset),
		CASE(drv_config_range), CASE(drv_config_wraps), CASE(drv_set_config_range),
		CASE(drv_generation), CASE(drv_generation_guess), CASE(drv_reset_vq_feature),
		CASE(drv_credits), CASE(drv_token_twice), CASE(dev_reserved_bits), CASE(dev_size),
		CASE(dev_too_long), CASE(dev_other_side), CASE(dev_unasked), CASE(dev_wrong_token),
		CASE(dev_wrong_number), CASE(dev_order), CASE(dev_silent), CASE(dev_event_answered),
		CASE(dev_feature_bits), CASE(dev_info_changed), CASE(dev_beyond),
		CASE(dev_more_blocks), CASE(dev_not_acked), CASE(dev_notification_data),
		CASE(dev_accepts_unoffered), CASE(dev_status_of_its_own), CASE(dev_reset_status),
		CASE(dev_status_lies), CASE(dev_generation_back), CASE(dev_config_silent),
		CASE(dev_stale_applied), CASE(dev_no_config_event), CASE(dev_no_reset_event),
		CASE(dev_event_status), CASE(dev_event_range), CASE(dev_event_no_range),
		CASE(dev_event_data_twice),
		CASE(dev_queue_max), CASE(dev_queue_other), CASE(dev_queue_unset),
		CASE(dev_queue_beyond), CASE(dev_queue_reserved), CASE(dev_queue_after_vq_reset),
		CASE(dev_queue_after_reset), CASE(dev_used_early), CASE(dev_used_unset),
		CASE(dev_used_beyond), CASE(dev_shm), CASE(bus_ping), CASE(bus_window_larger),
		CASE(bus_window_odd), CASE(bus_bitmap_long), CASE(bus_next_back), CASE(bus_next_odd),
		CASE(bus_state), CASE(bus_event_token), CASE(test_many),
		DRAFT(test_good_draft), DRAFT(d_generation), DRAFT(d_set_reserved),
		DRAFT(d_set_state), DRAFT(d_set_enabled),
		DRAFT(d_misaligned), DRAFT(d_reset_vq), DRAFT(d_no_polling), DRAFT(d_reflects),
		DRAFT(d_notif_config_data), DRAFT(d_applied_in_part), DRAFT(d_not_echoed),
		DRAFT(d_refused_with_data), DRAFT(d_event_no_news), DRAFT(d_event_range),
		DRAFT(d_no_event), DRAFT(d_sentinel), DRAFT(d_queue_flags),
		DRAFT(d_enabled_unasked), DRAFT(d_shm_reserved), DRAFT(d_admin_start),
		DRAFT(d_admin_range), DRAFT(d_many_queues), DRAFT(d_uuid),
		DRAFT(d_bitmap_beyond), DRAFT(d_next_back), DRAFT(d_window_larger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
