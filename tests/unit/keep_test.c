// SPDX-License-Identifier: GPL-2.0-or-later
/* What is recorded of a device's queues, when a record begins and ends, and when a later worker may take it up. */
/* LINK: dom0/virtio */
#include "../support/test.h"

#define OWNER_TYPE toy_type
static struct xvm_vdev_type toy_type;
#include "../support/fake_owner.h"
#include "../../dom0/virtio/keep.h"

#define GOOD (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM)
#define SIZE 8u

static struct {
	u16 head[16];
	u32 held;
	bool late;
} toy;

static int toy_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why, size_t why_bytes)
{
	(void)desc, (void)fds, (void)why, (void)why_bytes;
	vdev->vq[0].max_size = vdev->vq[1].max_size = 16;
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
	struct iovec iov[16];

	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, 16))
			return false;
		toy.head[toy.held++] = chain.head;
	}
	return true;
}

static struct xvm_vdev_type toy_type = {
	.name = "toy", .device_id = 99, .num_vqs = 2, .create = toy_create, .destroy = toy_destroy,
	.start = toy_start, .kick = toy_kick,
};

static const struct ring_seg seg[] = { { RING_DATA, 8, true } };

/* What outlives a worker, and the worker of the moment. */
static struct {
	struct xvm_keep *keep;
	struct xvm_mem mem;
	struct ring_mem r;
	struct xvm_vdev *vdev;
} f;

/* A worker begins; the one before ended without a word. */
static void next_worker(void)
{
	struct xvm_ipc_dev_add desc = { .num = 7, .device_id = 99 };
	char why[100];

	memset(&owner, 0, sizeof(owner));
	toy.held = 0;
	xvm_vdev_free(f.vdev);
	f.vdev = xvm_vdev_new(&desc, NULL, &owner_ops, NULL, NULL, why, sizeof(why));
	f.vdev->mem = f.mem;
	xvm_vdev_keep_in(f.vdev, f.keep);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	toy.late = false;
	toy_type.repeatable = true;
	f.keep = calloc(1, sizeof(*f.keep));
	ring_mem_init(&f.r, &f.mem, SIZE, 0x9000);
	next_worker();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	xvm_vdev_free(f.vdev);
	ring_mem_free(&f.r);
	free(f.keep);
	return 0;
}

/* A driver on its way up, as far as its queue. */
static void set_up(u64 features)
{
	struct xvm_vq_config config = ring_config(&f.r);

	xvm_vdev_set_status(f.vdev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	owner_ack(f.vdev, features);
	assert_true(xvm_vdev_set_status(f.vdev, XVM_S_FEATURES_OK) & XVM_S_FEATURES_OK);
	assert_int_equal(xvm_vdev_set_vq(f.vdev, 0, &config), 0);
}

static void go(void)
{
	assert_true(xvm_vdev_set_status(f.vdev, XVM_S_DRIVER_OK) & XVM_S_DRIVER_OK);
	owner_pass(f.vdev);
}

static void up(void)
{
	set_up(GOOD);
	go();
}

static void serve(u32 count)
{
	while (count--)
		ring_chain(&f.r, seg, 1);
	xvm_vdev_kick(f.vdev, 0);
}

static void give(u32 i)
{
	u16 head = toy.head[i];

	toy.head[i] = toy.head[--toy.held];
	xvm_vdev_complete(f.vdev, &f.vdev->vq[0], head, 100 + head);
}

static void test_taken_up(void **state)
{
	u32 head, len;

	(void)state;
	up();
	serve(5);
	assert_int_equal(toy.held, 5);
	give(3);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	give(0);	/* and not shown */
	assert_int_equal(ring_used_idx(&f.r), 1);

	next_worker();
	ring_chain(&f.r, seg, 1);	/* head 5: new */
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	assert_int_equal(ring_used_idx(&f.r), 2);
	assert_int_equal(owner.used, 0);
	go();
	/* Told once, whatever it has armed. */
	assert_int_equal(owner.used, 1);
	assert_true(ring_take_used(&f.r, &head, &len) && head == 3 && len == 103);
	assert_true(ring_take_used(&f.r, &head, &len) && head == 0 && len == 100);
	assert_int_equal(toy.held, 4);
	assert_int_equal(toy.head[0], 1);
	assert_int_equal(toy.head[1], 2);
	assert_int_equal(toy.head[2], 4);
	assert_int_equal(toy.head[3], 5);
	assert_int_equal(f.vdev->in_flight, 4);
	while (toy.held)
		give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	assert_int_equal(ring_used_idx(&f.r), 6);
	assert_int_equal(f.vdev->in_flight, 0);
}

/* A pop that was undone is none, for the record too; a second one of a former worker's is no second attempt. */
static void test_unpop(void **state)
{
	struct xvm_chain first, second;
	struct iovec iov[16];
	u32 i;

	(void)state;
	up();
	serve(1);
	ring_chain(&f.r, seg, 1);
	ring_chain(&f.r, seg, 1);
	for (i = 0; i < 10; i++) {
		assert_int_equal(xvm_vdev_pop(f.vdev, &f.vdev->vq[0], &first, iov, 16), 1);
		assert_int_equal(xvm_vdev_pop(f.vdev, &f.vdev->vq[0], &second, iov, 16), 1);
		xvm_vdev_unpop(f.vdev, &f.vdev->vq[0], &second);
		if (i < 9)
			xvm_vdev_unpop(f.vdev, &f.vdev->vq[0], &first);
	}
	assert_int_equal(f.vdev->in_flight, 2);

	next_worker();
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	assert_int_equal(xvm_vq_agains(&f.vdev->vq[0]), 2);
	for (i = 0; i < 10; i++) {
		assert_int_equal(xvm_vdev_pop(f.vdev, &f.vdev->vq[0], &first, iov, 16), 1);
		assert_int_equal(xvm_vdev_pop(f.vdev, &f.vdev->vq[0], &second, iov, 16), 1);
		assert_true(first.again && second.again && !first.head && second.head == 1);
		xvm_vdev_unpop(f.vdev, &f.vdev->vq[0], &second);
		xvm_vdev_unpop(f.vdev, &f.vdev->vq[0], &first);
	}
	go();
	assert_int_equal(toy.held, 3);
	assert_int_equal(toy.head[0], 0);
	assert_int_equal(toy.head[2], 2);
}

static void test_moments(void **state)
{
	(void)state;
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), -EINVAL);
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 1, true), -EINVAL);	/* not set up */
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 2, true), -EINVAL);	/* not there */
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0xffffffff, true), -EINVAL);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), 0);
	go();
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), -EINVAL);
	next_worker();
	set_up(GOOD);
	xvm_vdev_broken(f.vdev, "test");
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), -EINVAL);
}

/* Set up before FEATURES_OK: what format it has is not known yet. */
static void test_before_features(void **state)
{
	struct xvm_vq_config config = ring_config(&f.r);

	(void)state;
	xvm_vdev_set_status(f.vdev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	assert_int_equal(xvm_vdev_set_vq(f.vdev, 0, &config), 0);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), -EINVAL);
	owner_ack(f.vdev, GOOD | XVM_F_RING_PACKED);
	assert_true(xvm_vdev_set_status(f.vdev, XVM_S_FEATURES_OK) & XVM_S_FEATURES_OK);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), -ENODATA);
}

static void fail_to_keep(u64 features, bool idle)
{
	next_worker();
	set_up(features);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, idle), -ENODATA);
}

static void test_lost(void **state)
{
	struct xvm_keep *keep = f.keep;

	(void)state;
	fail_to_keep(GOOD, false);		/* no record */
	next_worker();
	up();
	serve(1);
	f.keep = NULL;				/* no file */
	fail_to_keep(GOOD, false);
	f.keep = keep;
	fail_to_keep(GOOD | XVM_F_IN_ORDER, false);
	fail_to_keep(GOOD | XVM_F_RING_PACKED, false);
	fail_to_keep(GOOD | XVM_F_RING_PACKED, true);
	f.r.size = 16;				/* another queue */
	fail_to_keep(GOOD, false);
	f.r.size = SIZE;
	keep->queue[0].device += 8;
	fail_to_keep(GOOD, false);
	keep->queue[0].device -= 8;
	/* A device whose requests must not be served twice; but with none out there is nothing to repeat. */
	toy_type.repeatable = false;
	fail_to_keep(GOOD, false);
	toy_type.repeatable = true;
	next_worker();
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	go();
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	toy_type.repeatable = false;
	next_worker();
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
}

/* Without a record, all being back: the used ring says where both sides are. */
static void idle(u64 features)
{
	ring_mem_restart(&f.r);
	ring_set_avail_idx(&f.r, 0xfffe);
	f.r.used_seen = 0xfffe;
	xvm_put16(f.r.base + RING_USED + 2, 0xfffe);
	memset(f.keep, 0, sizeof(*f.keep));
	next_worker();
	set_up(features);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, true), 0);
	go();
	assert_int_equal(owner.used, 1);
	serve(3);
	assert_int_equal(toy.held, 3);
	assert_int_equal(toy.head[0], 0);
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	assert_int_equal(ring_used_idx(&f.r), 0xffff);
}

static void test_idle(void **state)
{
	(void)state;
	idle(GOOD | XVM_F_IN_ORDER);
	idle(GOOD);
	/* From there on it is recorded. */
	next_worker();
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	go();
	assert_int_equal(toy.held, 2);
}

static void position_is(u16 position, u32 again)
{
	next_worker();
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	assert_int_equal(f.vdev->vq[0].last_avail, position);
	assert_int_equal(f.vdev->vq[0].used_next, position - again);
	assert_int_equal(xvm_vq_agains(&f.vdev->vq[0]), again);
}

/* A record ends with a reset, or when a driver starts without asking for it; not before. */
static void test_begins_and_ends(void **state)
{
	struct xvm_vq_config config = ring_config(&f.r);

	(void)state;
	up();
	serve(3);
	next_worker();
	set_up(GOOD);		/* and dies before it is asked */
	position_is(3, 3);	/* as this one */
	position_is(3, 3);
	next_worker();
	set_up(GOOD);
	ring_mem_restart(&f.r);
	go();			/* nobody asked */
	position_is(0, 0);

	next_worker();
	up();
	serve(2);
	give(0);
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	assert_true(xvm_vdev_begin_reset(f.vdev));
	fail_to_keep(GOOD, false);

	/* After a reset the position is known at once. */
	next_worker();
	assert_true(xvm_vdev_begin_reset(f.vdev));
	ring_mem_restart(&f.r);
	set_up(GOOD);
	position_is(0, 0);

	/* A queue that is set up again while its device runs. */
	next_worker();
	ring_mem_restart(&f.r);
	up();
	serve(1);
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	position_is(1, 0);
	go();
	assert_true(xvm_vdev_begin_vq_reset(f.vdev, 0));
	assert_int_equal(f.keep->queue[0].valid, 0);
	ring_mem_restart(&f.r);
	assert_int_equal(xvm_vdev_set_vq(f.vdev, 0, &config), 0);
	position_is(0, 0);

	/* A format of which there is no record leaves none of another behind. */
	next_worker();
	set_up(GOOD | XVM_F_RING_PACKED);
	go();
	fail_to_keep(GOOD, false);
}

/* Three workers died while they served it: it is not shown to a fourth. */
static void test_poison(void **state)
{
	u32 i;

	(void)state;
	up();
	serve(2);
	give(1);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	for (i = 1; i < KEEP_MAX_ATTEMPTS; i++) {
		next_worker();
		set_up(GOOD);
		assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
		go();
		assert_int_equal(toy.held, 1);
		assert_int_equal(f.vdev->status & XVM_S_NEEDS_RESET, 0);
	}
	/* Whether or not it gets as far as that. */
	next_worker();
	set_up(GOOD);
	next_worker();
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	go();
	assert_int_equal(toy.held, 0);
	assert_int_equal(f.vdev->status & XVM_S_NEEDS_RESET, XVM_S_NEEDS_RESET);
	assert_int_equal(owner.state, XVM_DEV_BROKEN);
	assert_non_null(strstr(owner.reason, "too many workers died"));
}

/* What is to be served again is out: a driver that offers it once more breaks a rule. */
static void test_offered_twice(void **state)
{
	(void)state;
	up();
	serve(1);
	next_worker();
	ring_offer(&f.r, 0);
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	go();
	assert_int_equal(toy.held, 1);
	assert_int_equal(f.vdev->status & XVM_S_NEEDS_RESET, XVM_S_NEEDS_RESET);
}

static void junk(u32 i, u32 first, u16 size)
{
	f.keep->queue[i] = (struct keep_queue){ .valid = KEEP_VALID, .dev = 100, .index = (u16)i, .size = size,
						.first = first };
}

/* Records that no worker of ours leaves: refused as a whole, and left as they are. */
static void test_refused(void **state)
{
	struct xvm_keep *good = malloc(sizeof(*good)), *bad = malloc(sizeof(*bad));
	struct keep_queue *q = &f.keep->queue[0];
	struct keep_slot *slot = f.keep->slot;
	u32 i;

	(void)state;
	up();
	serve(4);
	give(3);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);		/* head 3 is back, 0 to 2 are out */
	*good = *f.keep;
	for (i = 0; i < 16; i++) {
		*f.keep = *good;
		switch (i) {
		case 0: q->valid++; break;
		case 1: q->dev++; break;
		case 2: q->index++; break;
		case 3: q->size = 0; break;
		case 4: q->first = KEEP_SLOTS - SIZE + 1; break;
		case 5: q->desc += 16; break;
		case 6: q->driver += 2; break;
		case 7: q->fetched++; break;
		case 8: q->given++; break;
		case 9: q->given = q->fetched + 1; break;
		case 10: slot[3].word = 3; break;
		case 11: slot[1].word = keep_word(KEEP_TAKEN, 0, 0, 0); break;
		case 12: slot[1].word = keep_word(KEEP_TAKEN, KEEP_MAX_ATTEMPTS + 1, 0, 0); break;
		case 13: slot[1].seq = q->fetched + 1; break;
		case 14: slot[3].word = keep_word(KEEP_DONE, 0, (u16)(q->given - 2), 1); break;
		case 15:
			slot[3].word = keep_word(KEEP_DONE, 0, (u16)(q->given - 1), 1);
			slot[4].word = keep_word(KEEP_DONE, 0, (u16)(q->given - 1), 1);
			break;
		}
		*bad = *f.keep;
		next_worker();
		set_up(GOOD);
		if (xvm_vdev_keep_vq(f.vdev, 0, false) != -ENODATA)
			fail_msg("case %u was taken", i);
		assert_memory_equal(f.keep, bad, sizeof(*bad));
		assert_false(f.vdev->vq[0].kept);
		assert_int_equal(f.vdev->vq[0].last_avail, 0);
		assert_int_equal(ring_used_idx(&f.r), 1);
	}
	*f.keep = *good;
	position_is(4, 3);
	free(good);
	free(bad);
}

static void test_no_room(void **state)
{
	u32 i, last = KEEP_SLOTS / 1024 - 1;

	(void)state;
	for (i = 0; i < KEEP_QUEUES; i++)
		junk(i, 0, 1);		/* slots there are, but no entry */
	up();
	assert_true(f.vdev->unlogged);
	fail_to_keep(GOOD, false);
	memset(f.keep, 0, sizeof(*f.keep));
	for (i = 0; i <= last; i++)
		junk(i, i * 1024, 1024);
	next_worker();
	up();
	assert_true(f.vdev->unlogged);
	junk(last, last * 1024, 1024 - SIZE + 1);
	next_worker();
	up();
	assert_true(f.vdev->unlogged);
	junk(last, last * 1024, 1024 - SIZE);
	next_worker();
	up();
	assert_false(f.vdev->unlogged);
	assert_int_equal(f.keep->queue[last + 1].first, KEEP_SLOTS - SIZE);
	/* In a gap, also when the entries are in no order. */
	junk(3, 3 * 1024 + SIZE, 1024 - SIZE);
	next_worker();
	up();
	assert_int_equal(f.keep->queue[last + 1].first, 3 * 1024);
}

static void noted_is(u16 dev, const char *text)
{
	char got[8] = "";

	assert_int_equal(xvm_keep_noted(f.keep, dev, got, sizeof(got)), text != NULL);
	assert_string_equal(got, text ? text : "");
}

/* A note is the old one or the new one, whatever its writer had written when it died. */
static void test_notes(void **state)
{
	struct keep_note *note = f.keep->note;
	u32 i;
	u64 word;

	(void)state;
	noted_is(7, NULL);
	assert_true(xvm_keep_note(f.keep, 7, "first\0\0", 8));
	noted_is(7, "first");
	memset(note->copy[1], 0xff, 8);		/* the next one, cut off */
	noted_is(7, "first");
	assert_true(xvm_keep_note(f.keep, 7, "second\0", 8));
	noted_is(7, "second");
	memset(note->copy[0], 0xff, 8);
	noted_is(7, "second");
	assert_false(xvm_keep_noted(f.keep, 7, &word, 7));
	assert_false(xvm_keep_note(f.keep, 7, note, XVM_VDEV_NOTE_BYTES + 1));
	noted_is(7, "second");
	word = note->word;
	for (i = 0; i < 64; i++) {
		note->word = word ^ 1ull << i;
		/* One bit says which copy; of any other change nothing is left that is this device's. */
		if (i != 48)
			noted_is(7, NULL);
	}
	note->word = word;
	for (i = 1; i < KEEP_NOTES; i++)
		assert_true(xvm_keep_note(f.keep, (u16)(100 + i), "other\0\0", 8));
	assert_false(xvm_keep_note(f.keep, 100, "other\0\0", 8));
	noted_is(100, NULL);
	noted_is(7, "second");
	/* A reset ends it; a worker's end does not. */
	up();
	next_worker();
	noted_is(7, "second");
	assert_true(xvm_vdev_begin_reset(f.vdev));
	noted_is(7, NULL);
	assert_true(xvm_vdev_note(f.vdev, "third\0\0", 8));
	noted_is(7, "third");
	assert_true(xvm_keep_note(f.keep, 101, "more\0\0\0", 8));
	noted_is(101, "more");
}

/* QUIESCE asks for all that was ever taken, and for nothing new. */
static void test_quiet(void **state)
{
	(void)state;
	up();
	serve(2);
	next_worker();
	ring_chain(&f.r, seg, 1);
	toy.late = true;
	set_up(GOOD);
	assert_int_equal(xvm_vdev_keep_vq(f.vdev, 0, false), 0);
	go();
	assert_int_equal(toy.held, 0);
	assert_true(xvm_vdev_begin_quiet(f.vdev, XVM_QUIET_AREA));
	xvm_vdev_end_quiet(f.vdev, XVM_QUIET_AREA);
	assert_false(xvm_vdev_begin_quiet(f.vdev, XVM_QUIET_ALL));
	xvm_vdev_ready(f.vdev);
	owner_pass(f.vdev);
	assert_int_equal(toy.held, 2);
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	assert_int_equal(owner.drained, 0);
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	assert_int_equal(owner.drained, 1);
	assert_int_equal(ring_used_idx(&f.r), 2);
	/* One that ends its own rest does not end the other's. */
	assert_true(xvm_vdev_begin_quiet(f.vdev, XVM_QUIET_AREA));
	xvm_vdev_end_quiet(f.vdev, XVM_QUIET_AREA);
	owner_pass(f.vdev);
	xvm_vdev_kick(f.vdev, 0);
	assert_int_equal(toy.held, 0);
	xvm_vdev_end_quiet(f.vdev, XVM_QUIET_ALL);
	owner_pass(f.vdev);
	assert_int_equal(toy.held, 1);
}

/* The end of a connection in good order: what is in flight ends unsaid, and is the next worker's. */
static void test_halt(void **state)
{
	(void)state;
	up();
	serve(3);
	give(0);
	xvm_vdev_halt(f.vdev);
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	assert_int_equal(ring_used_idx(&f.r), 0);
	assert_false(xvm_vdev_begin_reset(f.vdev));
	give(0);
	xvm_vdev_flush(f.vdev, &f.vdev->vq[0]);
	xvm_vdev_finish_reset(f.vdev);
	position_is(3, 2);
	assert_int_equal(ring_used_idx(&f.r), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_taken_up), CASE(test_unpop), CASE(test_moments), CASE(test_before_features), CASE(test_lost),
		CASE(test_idle), CASE(test_begins_and_ends), CASE(test_poison), CASE(test_offered_twice),
		CASE(test_refused), CASE(test_no_room), CASE(test_notes), CASE(test_quiet), CASE(test_halt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
