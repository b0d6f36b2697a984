// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver of a virtio-pci function over a function in memory that does as it should, but for one thing at a time. */
/* LINK: dom0/remote/virtio_pci.c */
#include "../support/test.h"
#include "../../dom0/remote/virtio_pci.h"

#define CONFIG_BYTES 24u

/* ---- the function: BAR 1 has it all ---- */

static struct {
	u8 space[256];
	u8 common[64], config[CONFIG_BYTES];
	u64 features, driver;
	u32 select, driver_select, queue, queues, bar_bytes;
	u8 status, generation;
	u32 reset_reads;		/* until status reads 0 */
	u64 reset_until;		/* the same, by time */
	u32 reply_ms;			/* what all that was posted takes */
	u32 looks;			/* at the status */
	bool refuse_features, refuse_vector, refuse_enable, refuse_start, moves, fixed_space;
	u32 config_bytes;		/* that can be read */
	u16 config_vector;
	struct { u16 size, vector, enabled, noff; u8 addr[24]; } q[70];
	u32 resets;
} dev;

static struct virtio_pci pci;
static bool ended, posted;
static const char *result;
static u64 now;		/* in milliseconds */
static u32 pause_ms;	/* 0: none is under way */

static void cap(u32 at, u32 to, u8 type, u8 len, u32 off, u32 bytes)
{
	dev.space[at] = 9;
	dev.space[at + 1] = (u8)to;
	dev.space[at + 2] = len;
	dev.space[at + 3] = type;
	dev.space[at + 4] = 1;
	xvm_put32(dev.space + at + 8, off);
	xvm_put32(dev.space + at + 12, bytes);
}

static void get(u32 off, u8 *dst, u32 len)
{
	u8 c[64] = { 0 };
	u64 features = dev.features;

	xvm_put32(c, dev.select);
	xvm_put32(c + 4, dev.select < 2 ? (u32)(features >> 32 * dev.select) : 0);
	xvm_put16(c + 16, dev.config_vector);
	xvm_put16(c + 18, (u16)dev.queues);
	if (off == 20 && dev.reset_reads)
		dev.reset_reads--;
	dev.looks += off == 20;
	c[20] = dev.reset_reads || now < dev.reset_until ? 0x55 : dev.status;
	c[21] = dev.moves ? dev.generation++ : dev.generation;
	xvm_put16(c + 24, dev.q[dev.queue].size);
	xvm_put16(c + 26, dev.q[dev.queue].vector);
	xvm_put16(c + 28, dev.q[dev.queue].enabled);
	xvm_put16(c + 30, dev.q[dev.queue].noff);
	assert_true(off + len <= sizeof(c));
	memcpy(dst, c + off, len);
}

static void set(u32 off, u64 v, u32 len)
{
	switch (off) {
	case 0:
		dev.select = (u32)v;
		break;
	case 8:
		dev.driver_select = (u32)v;
		break;
	case 12:
		dev.driver &= ~(0xffffffffull << 32 * dev.driver_select);
		dev.driver |= v << 32 * dev.driver_select;
		break;
	case 16:
		dev.config_vector = dev.refuse_vector ? 0xffff : (u16)v;
		break;
	case 20:
		if (!v)
			dev.resets++;
		if (dev.refuse_features)
			v &= ~8ull;
		if (dev.refuse_start)
			v &= ~4ull;
		dev.status = (u8)v;
		break;
	case 22:
		dev.queue = (u32)v;
		assert_true(v < dev.queues);
		break;
	case 24:
		dev.q[dev.queue].size = (u16)v;
		break;
	case 26:
		dev.q[dev.queue].vector = (u16)v;
		break;
	case 28:
		dev.q[dev.queue].enabled = !dev.refuse_enable && v;
		break;
	default:
		assert_true(off >= 32 && off + len <= 56 && len == 4);
		xvm_put32(dev.q[dev.queue].addr + off - 32, (u32)v);
	}
}

static void op_read(void *arg, u32 region, u64 off, void *dst, u32 len)
{
	(void)arg;
	posted = true;
	if (region == VIRTIO_PCI_REGION_CONFIG) {
		assert_true(off + len <= sizeof(dev.space));
		memcpy(dst, dev.space + off, len);
		return;
	}
	assert_int_equal(region, 1);
	if (off >= 0x200) {
		assert_true(off - 0x200 + len <= CONFIG_BYTES);
		memcpy(dst, dev.config + off - 0x200, len);
	} else {
		get((u32)off, dst, len);
	}
}

static void op_write(void *arg, u32 region, u64 off, const void *src, u32 len)
{
	u8 bytes[8] = { 0 };

	(void)arg;
	posted = true;
	memcpy(bytes, src, len);
	if (region == VIRTIO_PCI_REGION_CONFIG)
		memcpy(dev.space + off, src, len);
	else if (off >= 0x200)
		memcpy(dev.config + off - 0x200, src, len);
	else
		set((u32)off, xvm_get64(bytes), len);
}

/* Four bytes at most of the configuration, and those that there are. */
static void op_try_read(void *arg, u32 region, u64 off, void *dst, u32 len, bool *refused)
{
	assert_true(region == 1 && off >= 0x200 && len <= 4);
	*refused = off - 0x200 + len > dev.config_bytes;
	posted = true;
	if (!*refused)
		op_read(arg, region, off, dst, len);
}

static void op_try_write(void *arg, u32 region, u64 off, const void *src, u32 len)
{
	posted = true;
	if (!dev.fixed_space)
		op_write(arg, region, off, src, len);
}

static u64 op_size(void *arg, u32 region)
{
	(void)arg;
	return region == VIRTIO_PCI_REGION_CONFIG ? 256 : region == 1 ? dev.bar_bytes : 0;
}

static void op_pause(void *arg, u32 ms)
{
	(void)arg;
	assert_in_range(ms, 1, 1000);
	assert_int_equal(pause_ms, 0);
	pause_ms = ms;
}

static u64 op_now(void *arg)
{
	(void)arg;
	return now;
}

static void op_done(void *arg, const char *why)
{
	(void)arg;
	assert_false(ended);
	ended = true;
	result = why;
}

static const struct virtio_pci_ops ops = {
	.read = op_read, .write = op_write, .try_read = op_try_read, .try_write = op_try_write, .size = op_size,
	.pause = op_pause, .now_ms = op_now, .done = op_done,
};

static int setup(void **state)
{
	u32 i;

	(void)state;
	memset(&dev, 0, sizeof(dev));
	dev.features = 1ull << 32 | 0x25;
	dev.queues = 6;
	dev.bar_bytes = 4096;
	dev.config_bytes = CONFIG_BYTES;
	dev.config_vector = 0xffff;
	for (i = 0; i < 6; i++) {
		dev.q[i].size = i == 4 ? 0 : (u16)(64 << (i & 1));
		dev.q[i].noff = (u16)i;
		dev.config[i] = (u8)(i + 1);
	}
	xvm_put16(dev.space, 0x1af4);
	xvm_put16(dev.space + 2, 0x1041);
	xvm_put16(dev.space + 6, 0x10);
	dev.space[0x34] = 0x40;
	cap(0x40, 0x50, 1, 16, 0, 56);
	cap(0x50, 0x70, 2, 20, 0x100, 64);
	xvm_put32(dev.space + 0x60, 4);
	cap(0x70, 0x80, 3, 16, 0x180, 1);
	cap(0x80, 0x90, 4, 16, 0x200, CONFIG_BYTES);
	dev.space[0x90] = 0x11;
	virtio_pci_init(&pci, &ops, NULL);
	pci.config_vector = 0;
	pci.queue_vector = 1;
	return 0;
}

/* Runs what was begun to its end; returns what is wrong, or NULL. */
static const char *run(void (*begin)(struct virtio_pci *pci))
{
	u32 rounds;

	ended = posted = false;
	result = NULL;
	begin(&pci);
	for (rounds = 0; !ended && rounds < 5000; rounds++) {
		assert_true(posted || pause_ms);	/* or nothing would ever settle */
		if (posted)
			now += dev.reply_ms;
		posted = false;
		virtio_pci_settled(&pci);	/* in a pause too, as when somebody else has asked for something */
		if (!pause_ms)
			continue;
		assert_false(posted);
		now += pause_ms;
		pause_ms = 0;
		virtio_pci_look_again(&pci);
	}
	assert_true(ended);
	assert_false(virtio_pci_busy(&pci));
	return result;
}

static const char *probe(void)
{
	return run(virtio_pci_probe);
}

static void test_good(void **state)
{
	u64 off;
	u32 i;

	(void)state;
	assert_null(probe());
	assert_int_equal(pci.device_id, 1);
	assert_int_equal(pci.features, dev.features);
	assert_int_equal(pci.num_queues, 6);
	assert_int_equal(pci.config_bytes, CONFIG_BYTES);
	assert_memory_equal(pci.config, dev.config, CONFIG_BYTES);
	assert_int_equal(virtio_pci_max_size(&pci, 1), 128);
	assert_int_equal(virtio_pci_max_size(&pci, 4), 0);
	assert_int_equal(virtio_pci_notify_place(&pci, 3, &off), 1);
	assert_int_equal(off, 0x10c);
	assert_int_equal(xvm_get16(dev.space + 4) & 6, 6);
	assert_int_equal(xvm_get16(dev.space + 0x92) >> 15, 1);
	assert_int_equal(dev.resets, 1);
	pci.use_features = 1ull << 32 | 5;
	for (i = 1; i < 6; i += 4) {
		pci.queue[i].use_size = 32;
		pci.queue[i].desc = 0x1122334455667788;
		pci.queue[i].device = 0x99;
	}
	assert_null(run(virtio_pci_start));
	assert_int_equal(dev.status, 15);
	assert_int_equal(dev.driver, 1ull << 32 | 5);
	assert_int_equal(dev.config_vector, 0);
	for (i = 0; i < 6; i++) {
		assert_int_equal(dev.q[i].enabled, i % 4 == 1);
		assert_int_equal(dev.q[i].vector, i % 4 == 1);
	}
	assert_int_equal(dev.q[5].size, 32);
	assert_int_equal(xvm_get64(dev.q[5].addr), 0x1122334455667788);
	assert_int_equal(xvm_get64(dev.q[5].addr + 16), 0x99);
	dev.config[3] = 77;
	dev.generation++;
	assert_null(run(virtio_pci_read_config));
	assert_int_equal(pci.config[3], 77);
	assert_false(virtio_pci_needs_reset(&pci));
	dev.status |= 64;
	assert_null(run(virtio_pci_read_config));
	assert_true(virtio_pci_needs_reset(&pci));
	virtio_pci_write_config(&pci, 5, "x", 1);
	assert_int_equal(dev.config[5], 'x');
	virtio_pci_write_config(&pci, CONFIG_BYTES, "x", 1);	/* refused, not written elsewhere */
	dev.reset_reads = 50;
	assert_null(run(virtio_pci_reset));
	assert_int_equal(dev.status, 0);
}

/* More is promised than there is, and the space is not to be written. */
static void test_less_than_said(void **state)
{
	(void)state;
	cap(0x80, 0x90, 4, 16, 0x200, 1024);
	dev.config_bytes = 20;
	dev.fixed_space = true;
	assert_null(probe());
	assert_int_equal(pci.config_bytes, 20);
	assert_memory_equal(pci.config, dev.config, 20);
	assert_int_equal(xvm_get16(dev.space + 4), 0);
	dev.config[19] = 9;
	assert_null(run(virtio_pci_read_config));
	assert_int_equal(pci.config[19], 9);
	setup(state);
	dev.config_bytes = 0;
	assert_null(probe());
	assert_int_equal(pci.config_bytes, 0);
}

static void test_transitional(void **state)
{
	(void)state;
	xvm_put16(dev.space + 2, 0x1000);
	xvm_put16(dev.space + 0x2e, 26);
	assert_null(probe());
	assert_int_equal(pci.device_id, 26);
}

static void expect(void **state, const char *why)
{
	const char *got = probe();

	if (!got || !strstr(got, why))
		fail_msg("%s, not %s", got ? got : "nothing", why);
	setup(state);
}

static void test_bad_space(void **state)
{
	static const char places[] = "no common, notify or isr structure";
	u32 i;

	xvm_put16(dev.space, 0x8086);
	expect(state, "no virtio device");
	xvm_put16(dev.space + 2, 0x1040);
	expect(state, "no virtio device");
	xvm_put16(dev.space + 2, 0x1080);
	expect(state, "no virtio device");
	xvm_put16(dev.space + 6, 0);
	expect(state, "no capabilities");
	dev.space[0x34] = 0;
	expect(state, places);
	dev.space[0x34] = 0x20;
	expect(state, places);
	/* A loop, and one that ends in the last byte. */
	dev.space[0x41] = 0x40;
	expect(state, places);
	dev.space[0x41] = 0xfc;
	dev.space[0xfc] = 9;
	dev.space[0xfe] = 16;
	expect(state, places);
	dev.space[0x42] = 15;
	expect(state, places);
	dev.space[0x44] = 6;
	expect(state, places);
	dev.space[0x44] = 2;	/* a BAR that is not there */
	expect(state, places);
	xvm_put32(dev.space + 0x48, 0xfffffff0);
	expect(state, places);
	xvm_put32(dev.space + 0x4c, 55);
	expect(state, places);
	dev.space[0x52] = 16;	/* no room for the multiplier */
	expect(state, places);
	dev.bar_bytes = 0x180;
	expect(state, places);
	/* A second one of a kind, behind a bad first one, is as good. */
	for (i = 0; i < 2; i++) {
		cap(0x80, 0xa0, 4, 16, 0x200, 0);
		cap(0xa0, i ? 0 : 0xb0, 4, 16, 0x200, CONFIG_BYTES);
		cap(0xb0, 0, 4, 16, 0, 8);
		assert_null(probe());
		assert_int_equal(pci.device.off, 0x200);
		setup(state);
	}
}

static void test_bad_device(void **state)
{
	dev.features = 0x25;
	expect(state, "VERSION_1");
	dev.queues = 0;
	expect(state, "no queue, or more than 64");
	dev.queues = 65;
	expect(state, "no queue, or more than 64");
	dev.q[3].noff = 16;
	expect(state, "outside of its notify structure");
	dev.q[4].noff = 0xffff;	/* of a queue that is not there */
	assert_null(probe());
	setup(state);
	xvm_put32(dev.space + 0x60, 0xffffffff);
	expect(state, "outside of its notify structure");
	dev.moves = true;
	expect(state, "does not stand still");
	dev.reset_reads = 100000;
	expect(state, "does not end its reset");
}

static void refuses(void **state, bool *what, const char *why)
{
	const char *got;

	assert_null(probe());
	*what = true;
	pci.queue[0].use_size = 64;
	got = run(virtio_pci_start);
	if (!got || !strstr(got, why))
		fail_msg("%s, not %s", got ? got : "nothing", why);
	setup(state);
}

/* A reset may take seconds, without a look at every instant, and not for ever, however slowly each look is answered. */
static void test_slow_reset(void **state)
{
	u64 began;

	(void)state;
	assert_null(probe());
	dev.looks = 0;
	dev.reset_until = now + 5000;
	assert_null(run(virtio_pci_reset));
	assert_true(now >= dev.reset_until);
	assert_in_range(dev.looks, 2, 200);
	began = now;
	dev.reset_until = now + 10000000;
	dev.reply_ms = 4900;
	assert_string_equal(run(virtio_pci_reset), "the function does not end its reset in 20 s");
	assert_in_range(now - began, VIRTIO_PCI_RESET_MS, VIRTIO_PCI_RESET_MS + 5000);
}

static void test_refuses(void **state)
{
	refuses(state, &dev.refuse_features, "refuses the driver's features");
	refuses(state, &dev.refuse_vector, "vector of its configuration");
	refuses(state, &dev.refuse_enable, "does not enable a queue");
	refuses(state, &dev.refuse_start, "does not start");
	/* Without queues there is nothing to refuse. */
	assert_null(probe());
	assert_null(run(virtio_pci_start));
	/* Given up in between: nothing comes any more. */
	ended = false;
	virtio_pci_reset(&pci);
	virtio_pci_abandon(&pci);
	virtio_pci_settled(&pci);
	assert_false(ended);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_good), CASE(test_less_than_said), CASE(test_transitional), CASE(test_bad_space), CASE(test_bad_device), CASE(test_refuses),
		CASE(test_slow_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
