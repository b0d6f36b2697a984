// SPDX-License-Identifier: GPL-2.0-or-later
/* The device object of dom0/virtio/vdev.c with a model that holds what it pops until told. */
/* LINK: dom0/virtio */
#include <unistd.h>
#include "../support/test.h"

#define OWNER_TYPE toy_type
static const struct xvm_vdev_type toy_type;
#include "../support/fake_owner.h"

#define GOOD (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX)
#define TOY_BIT (1ull << 5)

static struct {
	u16 head[16];
	u32 held, cancels, resets;
	bool late, refuse;
	u32 kicks;
} toy;

static int toy_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
		      char *why, size_t why_bytes)
{
	(void)fds;
	if (desc->flags) {
		snprintf(why, why_bytes, "toy says no");
		return -EINVAL;
	}
	vdev->offered = TOY_BIT;
	vdev->config_bytes = 12;
	vdev->vq[0].max_size = vdev->vq[1].max_size = 8;
	return 0;
}

static void toy_destroy(struct xvm_vdev *vdev)
{
	(void)vdev;
}

static bool toy_start(struct xvm_vdev *vdev)
{
	(void)vdev;
	return !toy.late;
}

static bool toy_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct xvm_chain chain;
	struct iovec iov[8];

	toy.kicks++;
	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, 8))
			return false;
		toy.head[toy.held++] = chain.head;
	}
	return true;
}

static bool toy_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	(void)vdev, (void)off, (void)len;
	return !toy.refuse;
}

static void toy_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	(void)vdev, (void)vq;
	toy.cancels++;
}

static void toy_reset(struct xvm_vdev *vdev)
{
	assert_int_equal(vdev->in_flight, 0);
	toy.resets++;
}

static const struct xvm_vdev_type toy_type = {
	.name = "toy", .device_id = 99, .num_vqs = 2, .create = toy_create,
	.destroy = toy_destroy, .start = toy_start, .kick = toy_kick,
	.config_written = toy_config_written, .cancel = toy_cancel, .reset = toy_reset,
};

struct fix {
	struct xvm_vdev *vdev;
	struct ring_mem r;
};

static const struct ring_seg seg[] = { { RING_DATA, 8, true } };

static int setup(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = 7, .device_id = 99 };
	struct fix *f = calloc(1, sizeof(*f));
	char why[100];

	memset(&owner, 0, sizeof(owner));
	memset(&toy, 0, sizeof(toy));
	f->vdev = xvm_vdev_new(&desc, NULL, &owner_ops, NULL, NULL, why, sizeof(why));
	ring_mem_init(&f->r, &f->vdev->mem, 8, 0x9000);
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

static void give_back(struct xvm_vdev *vdev)
{
	toy.held--;
	xvm_vdev_complete(vdev, &vdev->vq[0], toy.head[toy.held], 8);
	xvm_vdev_flush(vdev, &vdev->vq[0]);
}

static void test_new(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = 7, .device_id = 1 };
	char why[100];

	(void)state;
	assert_null(xvm_vdev_new(&desc, NULL, &owner_ops, NULL, NULL, why, sizeof(why)));
	assert_string_equal(why, "no device model of this type");
	desc.device_id = 99;
	desc.flags = 1;
	assert_null(xvm_vdev_new(&desc, NULL, &owner_ops, NULL, NULL, why, sizeof(why)));
	assert_string_equal(why, "toy says no");
}

static u64 features(const struct xvm_vdev *vdev)
{
	return xvm_vdev_features(vdev, 0) | (u64)xvm_vdev_features(vdev, 1) << 32;
}

static void test_features(void **state)
{
	static const struct {
		u64 ack;
		bool ok;
	} rows[] = {
		{ GOOD, true }, { GOOD | TOY_BIT, true }, { GOOD | XVM_F_RING_RESET, true },
		{ XVM_F_VERSION_1, false }, { XVM_F_ACCESS_PLATFORM, false }, { 0, false },
		{ GOOD | 1, false }, { GOOD | 1ull << 38, false }, { GOOD | 1ull << 63, false },
	};
	struct fix *f = *state;
	u64 offered = features(f->vdev);
	u32 i, status;

	assert_true(offered == (TOY_BIT | GOOD | XVM_F_INDIRECT_DESC | XVM_F_RING_PACKED |
				XVM_F_IN_ORDER | XVM_F_RING_RESET));
	assert_int_equal(xvm_vdev_features(f->vdev, 2), 0);
	assert_int_equal(xvm_vdev_features(f->vdev, 0xffffffff), 0);
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		xvm_vdev_set_status(f->vdev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
		owner_ack(f->vdev, rows[i].ack);
		assert_true(features(f->vdev) == rows[i].ack);
		status = xvm_vdev_set_status(f->vdev, 11);
		assert_int_equal(status, rows[i].ok ? 11 : 3);
		status = xvm_vdev_set_status(f->vdev, 15);
		assert_int_equal(status, rows[i].ok ? 15 : 3);
		/* Too late: what was agreed stands, and is what is reported. */
		if (rows[i].ok) {
			owner_ack(f->vdev, 0);
			assert_true(features(f->vdev) == rows[i].ack);
		}
		assert_true(xvm_vdev_begin_reset(f->vdev));
		assert_true(features(f->vdev) == offered);
		assert_int_equal(f->vdev->status, 0);
	}
}

/* Blocks one by one, with a read between them; bits we do not even have; a retry. */
static void test_feature_blocks(void **state)
{
	struct fix *f = *state;
	u32 low = (u32)GOOD, high = (u32)(GOOD >> 32), none = 0, some = 4;
	u32 six[6] = { low, high, 0, 0, 0, 1 };

	xvm_vdev_set_features(f->vdev, 0, 1, &low);
	assert_int_equal(xvm_vdev_features(f->vdev, 0), low);
	assert_int_equal(xvm_vdev_features(f->vdev, 1), (u32)(f->vdev->offered >> 32));
	xvm_vdev_set_features(f->vdev, 1, 1, &high);
	xvm_vdev_set_features(f->vdev, 0xffffffff, 1, &some);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 11), 3);
	xvm_vdev_set_features(f->vdev, 0, 6, six);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 11), 3);
	/* Nor is it taken back by another block: a driver that asked for the unknown starts over. */
	xvm_vdev_set_features(f->vdev, 6, 1, &none);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 11), 3);
	assert_true(xvm_vdev_begin_reset(f->vdev));
	xvm_vdev_set_features(f->vdev, 0, 2, six);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 11), 11);
}

static void test_status(void **state)
{
	struct fix *f = *state;

	assert_int_equal(xvm_vdev_set_status(f->vdev, XVM_S_DRIVER_OK), 0);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 0xffffff70), 0);	/* none is the driver's */
	assert_true(xvm_vdev_begin_reset(f->vdev));
	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	assert_int_equal(owner.state, XVM_DEV_DRIVER_OK);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 1), 15);		/* bits do not go away */
	assert_int_equal(owner.states, 1);
	assert_true(xvm_vdev_begin_reset(f->vdev));
	assert_int_equal(owner.state, XVM_DEV_RESET);
	assert_int_equal(f->vdev->vq[0].config.size, 0);
}

static void test_config(void **state)
{
	struct fix *f = *state;
	u8 b[16] = { 1, 2, 3, 4 };

	assert_true(xvm_vdev_config_write(f->vdev, 0, 8, 4, b));
	assert_int_equal(f->vdev->generation, 0);		/* the driver's own write */
	assert_true(xvm_vdev_config_write(f->vdev, 0, 0, 1, b));
	assert_false(xvm_vdev_config_write(f->vdev, 0, 9, 4, b));
	assert_false(xvm_vdev_config_write(f->vdev, 0, 0xffffffff, 2, b));
	assert_false(xvm_vdev_config_write(f->vdev, 0, 0, 0, b));
	assert_false(xvm_vdev_config_write(f->vdev, 1, 0, 1, b));
	/* What the driver wrote itself is no news. */
	xvm_vdev_config_changed(f->vdev);
	assert_int_equal(owner.config_changed, 1);
	assert_true(f->vdev->config_news);
	assert_int_equal(f->vdev->news_to - f->vdev->news_from, 0);
	xvm_vdev_news_told(f->vdev);
	assert_false(xvm_vdev_config_write(f->vdev, 0, 0, 1, b));
	toy.refuse = true;
	b[0] = 9;
	assert_false(xvm_vdev_config_write(f->vdev, 1, 8, 4, b));
	assert_true(xvm_vdev_config_read(f->vdev, 8, 4, b));
	assert_int_equal(b[0], 1);				/* as it was */
	assert_false(xvm_vdev_config_read(f->vdev, 8, 5, b));
	assert_false(xvm_vdev_config_read(f->vdev, 13, 0, b));
	assert_false(xvm_vdev_config_read(f->vdev, 4, 0xffffffff, b));
	assert_true(xvm_vdev_begin_reset(f->vdev));
	assert_int_equal(f->vdev->generation, 1);		/* never goes back */
}

static void change(struct xvm_vdev *vdev, u32 off, u32 from, u32 to)
{
	vdev->config[off]++;
	xvm_vdev_config_changed(vdev);
	assert_int_equal(vdev->news_from, from);
	assert_int_equal(vdev->news_to, to);
}

/* Changes that nobody was told of yet make one range; a reset does not forget it. */
static void test_news(void **state)
{
	struct fix *f = *state;

	change(f->vdev, 5, 5, 6);
	change(f->vdev, 2, 2, 6);
	change(f->vdev, 11, 2, 12);
	change(f->vdev, 5, 2, 12);
	assert_true(xvm_vdev_begin_reset(f->vdev));
	assert_true(f->vdev->config_news);
	xvm_vdev_news_told(f->vdev);
	assert_false(f->vdev->config_news);
	change(f->vdev, 0, 0, 1);
}

/* Nothing is looked at before DRIVER_OK, and then all of it without a notification. */
static void test_self_kick(void **state)
{
	struct fix *f = *state;
	struct xvm_vq_config config = ring_config(&f->r);

	xvm_vdev_set_status(f->vdev, 3);
	owner_ack(f->vdev, GOOD);
	xvm_vdev_set_status(f->vdev, 11);
	assert_int_equal(xvm_vdev_set_vq(f->vdev, 0, &config), 0);
	assert_int_equal(xvm_vdev_set_vq(f->vdev, 2, &config), -ENOENT);
	ring_chain(&f->r, seg, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(toy.kicks, 0);
	toy.late = true;
	xvm_vdev_set_status(f->vdev, 15);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(toy.kicks, 0);
	assert_int_equal(owner.states, 0);
	xvm_vdev_ready(f->vdev);
	assert_int_equal(owner.state, XVM_DEV_DRIVER_OK);
	assert_int_equal(owner.again, 1);
	owner_pass(f->vdev);
	assert_int_equal(f->vdev->in_flight, 1);
	assert_int_equal(ring_avail_event(&f->r), 1);		/* sleeps on the next entry */
	assert_int_equal(xvm_vdev_set_vq(f->vdev, 0, &config), -EBUSY);
	give_back(f->vdev);
	assert_int_equal(owner.used, 1);
	assert_int_equal(f->vdev->requests, 1);
	xvm_vdev_kick(f->vdev, 2);
	xvm_vdev_kick(f->vdev, 0xffffffff);
	xvm_vdev_kick(f->vdev, 1);		/* never set up */
	assert_int_equal(toy.kicks, 1);
}

static void test_set_vq_bad(void **state)
{
	struct fix *f = *state;
	struct xvm_vq_config config = ring_config(&f->r);

	owner_up(f->vdev, &f->r, GOOD);
	assert_true(xvm_vdev_uses_area(f->vdev, RING_AREA));
	assert_false(xvm_vdev_uses_area(f->vdev, RING_AREA + 1));
	config.desc = 0;
	assert_int_equal(xvm_vdev_set_vq(f->vdev, 0, &config), -EINVAL);
	assert_int_equal(f->vdev->vq[0].config.size, 0);
	assert_false(f->vdev->vq[0].enabled);
	assert_false(xvm_vdev_uses_area(f->vdev, RING_AREA));
	config = ring_config(&f->r);
	assert_int_equal(xvm_vdev_set_vq(f->vdev, 0, &config), 0);
	assert_int_equal(owner.again, 1);
}

/* A reset waits for what is in flight, and what ends then leaves the rings alone. */
static void test_reset_drains(void **state)
{
	struct fix *f = *state;

	owner_up(f->vdev, &f->r, GOOD);
	ring_chain(&f->r, seg, 1);
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	assert_int_equal(f->vdev->in_flight, 2);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	assert_int_equal(toy.cancels, 1);
	assert_int_equal(xvm_vdev_set_status(f->vdev, 15), 15);
	xvm_vdev_kick(f->vdev, 0);
	give_back(f->vdev);
	assert_int_equal(owner.drained, 0);
	assert_int_equal(toy.resets, 0);
	give_back(f->vdev);
	assert_int_equal(owner.drained, 1);
	assert_int_equal(ring_used_idx(&f->r), 0);
	assert_int_equal(xvm_get32(f->r.base + RING_USED + 8), 0);	/* nor an element's length */
	assert_int_equal(owner.used, 0);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(toy.resets, 1);
	assert_int_equal(f->vdev->status, 0);
	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	give_back(f->vdev);
	assert_int_equal(ring_used_idx(&f->r), 1);
}

static void test_hold(void **state)
{
	struct fix *f = *state;

	xvm_vdev_hold(f->vdev);
	assert_false(xvm_vdev_begin_reset(f->vdev));
	xvm_vdev_release(f->vdev);
	assert_int_equal(owner.drained, 1);
	xvm_vdev_finish_reset(f->vdev);
	assert_false(f->vdev->resetting);
	/* What a timer holds up is no buffer: an area can be taken back meanwhile. */
	xvm_vdev_hold(f->vdev);
	assert_int_equal(f->vdev->in_flight, 0);
	xvm_vdev_release(f->vdev);
}

/* Each step has what took less than it says, and not less than the one before. */
static void test_latency_steps(void **state)
{
	u64 us, below = 0;
	u32 i;

	(void)state;
	for (i = 0; i < XVM_LATENCY_STEPS; i++) {
		assert_true(xvm_latency_below_us(i) > below);
		assert_int_equal(xvm_latency_step(below), i);
		below = xvm_latency_below_us(i);
		assert_int_equal(xvm_latency_step(below - 1), i);
	}
	assert_int_equal(below, 33554432);
	for (us = below; us; us <<= 1)
		assert_int_equal(xvm_latency_step(us), XVM_LATENCY_STEPS - 1);
	assert_int_equal(xvm_latency_step(~0ull), XVM_LATENCY_STEPS - 1);
}

static u64 counted(const struct xvm_vdev *vdev, u64 from_us, u64 below_us)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < XVM_LATENCY_STEPS; i++)
		if (xvm_latency_below_us(i) > from_us && xvm_latency_below_us(i) <= below_us)
			n += vdev->latency[i];
	return n;
}

/* From the turn in which a request is taken to that in which it goes back; out of order, too. */
static void test_latency(void **state)
{
	struct fix *f = *state;

	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	ring_chain(&f->r, seg, 1);
	xvm_vdev_turn();
	owner_pass(f->vdev);
	usleep(30000);
	xvm_vdev_turn();
	ring_chain(&f->r, seg, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(toy.held, 2);
	give_back(f->vdev);
	assert_int_equal(counted(f->vdev, 0, 1), 1);
	assert_int_equal(f->vdev->latency_ns, 0);
	give_back(f->vdev);
	assert_int_equal(counted(f->vdev, 30000, 1000000), 1);
	assert_in_range(f->vdev->latency_ns, 30000000, 1000000000);
}

static void test_vq_reset(void **state)
{
	struct fix *f = *state;
	struct xvm_vq_config config;

	owner_up(f->vdev, &f->r, GOOD);
	assert_true(xvm_vdev_begin_vq_reset(f->vdev, 1));	/* was never set up */
	assert_true(xvm_vdev_begin_vq_reset(f->vdev, 9));
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	xvm_vdev_hold(f->vdev);					/* not of this queue */
	assert_false(xvm_vdev_begin_vq_reset(f->vdev, 0));
	ring_chain(&f->r, seg, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(toy.held, 1);
	give_back(f->vdev);
	assert_int_equal(owner.drained, 1);
	xvm_vdev_finish_vq_reset(f->vdev, 0);
	assert_int_equal(f->vdev->vq[0].config.size, 0);
	assert_int_equal(f->vdev->status, 15);
	xvm_vdev_release(f->vdev);
	assert_int_equal(owner.drained, 1);
	ring_mem_restart(&f->r);
	config = ring_config(&f->r);
	assert_int_equal(xvm_vdev_set_vq(f->vdev, 0, &config), 0);
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	give_back(f->vdev);
}

/* A queue reset that waits is overtaken by the reset of the device (a forced removal). */
static void test_reset_overtakes(void **state)
{
	struct fix *f = *state;

	owner_up(f->vdev, &f->r, GOOD);
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	xvm_vdev_hold(f->vdev);
	assert_false(xvm_vdev_begin_vq_reset(f->vdev, 0));
	assert_false(xvm_vdev_begin_reset(f->vdev));
	give_back(f->vdev);
	assert_int_equal(owner.drained, 0);
	xvm_vdev_release(f->vdev);
	assert_int_equal(owner.drained, 1);
	xvm_vdev_finish_reset(f->vdev);
	xvm_vdev_finish_vq_reset(f->vdev, 0);
	assert_int_equal(f->vdev->status, 0);
}

/* Quiet: nothing is popped, what is out ends, and missed kicks are made up for. */
static void test_quiet(void **state)
{
	struct fix *f = *state;

	owner_up(f->vdev, &f->r, GOOD);
	assert_true(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_AREA));
	ring_chain(&f->r, seg, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(toy.held, 0);
	xvm_vdev_end_quiet(f->vdev, XVM_QUIET_AREA);
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	assert_false(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_AREA));
	ring_chain(&f->r, seg, 1);
	owner.again = 1;
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	assert_int_equal(owner.drained, 0);
	give_back(f->vdev);
	assert_int_equal(owner.drained, 1);
	assert_int_equal(ring_used_idx(&f->r), 1);		/* not a reset: shown */
	xvm_vdev_end_quiet(f->vdev, XVM_QUIET_AREA);
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	/* A reset ends it. */
	assert_false(xvm_vdev_begin_quiet(f->vdev, XVM_QUIET_AREA));
	assert_false(xvm_vdev_begin_reset(f->vdev));
	give_back(f->vdev);
	xvm_vdev_finish_reset(f->vdev);
	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	give_back(f->vdev);
}

/* A queue that was set up before the features were: it is of the format that was agreed. */
static void test_early_queue(void **state)
{
	static const u64 formats[] = { GOOD, GOOD | XVM_F_RING_PACKED, GOOD | XVM_F_IN_ORDER };
	struct fix *f = *state;
	struct xvm_vq_config config = ring_config(&f->r);
	u32 i;

	for (i = 0; i < 3; i++) {
		xvm_vdev_set_status(f->vdev, 3);
		config.size = 8;
		assert_int_equal(xvm_vdev_set_vq(f->vdev, 0, &config), 0);
		config.driver += 2;	/* good for a split queue only */
		assert_int_equal(xvm_vdev_set_vq(f->vdev, 1, &config), 0);
		config.driver -= 2;
		owner_ack(f->vdev, formats[i]);
		assert_int_equal(xvm_vdev_set_status(f->vdev, 11), 11);
		assert_int_equal(xvm_vdev_set_status(f->vdev, 15), 15);
		assert_int_equal(f->vdev->vq[0].packed, i == 1);
		assert_int_equal(f->vdev->vq[0].in_order, i == 2);
		assert_true(f->vdev->vq[0].event_idx);
		assert_int_equal(f->vdev->vq[1].config.size, i == 1 ? 0 : 8);
		assert_true(xvm_vdev_begin_reset(f->vdev));
	}
}

static void test_shm(void **state)
{
	struct fix *f = *state;

	assert_int_equal(xvm_vdev_shm(f->vdev, 0).length, 0);
	assert_int_equal(xvm_vdev_shm(f->vdev, XVM_VDEV_MAX_SHM).length, 0);
	assert_int_equal(xvm_vdev_shm(f->vdev, 0xffffffff).length, 0);
	f->vdev->shm[1] = (struct xvm_vdev_shm){ ring_addr(0x1000), 4096 };
	assert_int_equal(xvm_vdev_shm(f->vdev, 1).length, 4096);
	assert_true(xvm_vdev_uses_area(f->vdev, RING_AREA));
	assert_false(xvm_vdev_uses_area(f->vdev, RING_AREA + 1));
}

static void test_broken(void **state)
{
	struct fix *f = *state;

	owner_up(f->vdev, &f->r, GOOD);
	ring_chain(&f->r, seg, 1);
	ring_offer(&f->r, 0x1234);
	owner_pass(f->vdev);
	assert_int_equal(f->vdev->status, 15 | XVM_S_NEEDS_RESET);
	assert_int_equal(owner.state, XVM_DEV_BROKEN);
	assert_string_equal(owner.reason, "queue 0: head beyond the queue (0x1234)");
	assert_int_equal(owner.config_changed, 1);
	assert_int_equal(f->vdev->generation, 0);
	xvm_vdev_broken(f->vdev, "again");
	assert_int_equal(owner.config_changed, 1);		/* once */
	ring_chain(&f->r, seg, 1);
	xvm_vdev_kick(f->vdev, 0);
	assert_int_equal(toy.held, 1);
	assert_int_equal(toy.cancels, 1);
	give_back(f->vdev);					/* is forgotten */
	assert_int_equal(ring_used_idx(&f->r), 0);
	assert_true(xvm_vdev_begin_reset(f->vdev));
	assert_int_equal(owner_up(f->vdev, &f->r, GOOD), 15);
	ring_chain(&f->r, seg, 1);
	owner_pass(f->vdev);
	assert_int_equal(toy.held, 1);
	give_back(f->vdev);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_new), CASE(test_features), CASE(test_feature_blocks), CASE(test_status),
		CASE(test_config), CASE(test_news), CASE(test_self_kick), CASE(test_set_vq_bad),
		CASE(test_reset_drains), CASE(test_hold), CASE(test_vq_reset),
		CASE(test_reset_drains), CASE(test_latency_steps), CASE(test_vq_reset),
		CASE(test_reset_drains), CASE(test_latency), CASE(test_vq_reset),
		CASE(test_reset_overtakes), CASE(test_quiet), CASE(test_early_queue),
		CASE(test_shm), CASE(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
