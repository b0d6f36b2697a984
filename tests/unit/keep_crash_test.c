// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker killed at any instruction: a child serves a queue, its parent runs it instruction by instruction and,
 * whenever the keep file or the used ring has changed, lets a successor take the queue up from a copy. Whatever
 * the moment, each request is completed exactly once, in the order of fetching, and none again that was given back.
 */
/* LINK: dom0/virtio/keep.c dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
/* TIME: 240 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../dom0/virtio/keep.h"

#define AREA	3u
#define SIZE	8u
#define AVAIL	0x100u
#define USED	0x200u
#define DATA	0x400u		/* buffers; their length is the request's number */
#define IDS	2000u

/* The driver: what it knows of each of its requests. */
struct driver {
	u16 avail_idx, used_seen;
	u32 posted;			/* requests so far: numbers 1..posted */
	u32 id_of[SIZE];		/* by head; 0: free */
	u8 completed[IDS + 1];
};

/* All that is in memory when a worker dies: its keep file, the guest's area, and the guest. */
struct world {
	struct xvm_keep keep;
	u8 area[4096];
	struct driver drv;
	u64 reconnects;
};

static u32 seed;

static u32 rnd(u32 n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

/* ---- driver ---- */

static void post(struct world *w)
{
	struct driver *d = &w->drv;
	u8 *desc;
	u32 head;

	for (head = 0; head < SIZE && d->id_of[head]; head++)
		;
	if (head == SIZE || d->posted == IDS)
		return;
	/* Not always the lowest: heads change places. */
	if (rnd(2))
		for (head = SIZE - 1; d->id_of[head]; head--)
			;
	d->id_of[head] = ++d->posted;
	desc = w->area + 16 * head;
	xvm_put64(desc, xvm_addr_make(AREA, DATA));
	xvm_put32(desc + 8, d->id_of[head]);
	xvm_put32(desc + 12, 2);	/* for the device to write, no next */
	xvm_put16(w->area + AVAIL + 4 + 2 * (d->avail_idx % SIZE), (u16)head);
	xvm_put16(w->area + AVAIL + 2, ++d->avail_idx);
}

static void fail_at(const struct world *w, const char *what, u32 value)
{
	fprintf(stderr, "# %s (%u); posted %u, %llu reconnects\n", what, value, w->drv.posted,
		(unsigned long long)w->reconnects);
	abort();
}

static void consume(struct world *w)
{
	struct driver *d = &w->drv;
	const u8 *elem;
	u32 head, id;

	while (d->used_seen != xvm_get16(w->area + USED + 2)) {
		elem = w->area + USED + 4 + 8 * (d->used_seen++ % SIZE);
		head = xvm_get32(elem);
		if (head >= SIZE || !d->id_of[head])
			fail_at(w, "used element of a head that is not out", head);
		id = d->id_of[head];
		if (xvm_get32(elem + 4) != id)
			fail_at(w, "used length is not the request's", xvm_get32(elem + 4));
		if (d->completed[id]++)
			fail_at(w, "completed twice", id);
		d->id_of[head] = 0;
	}
}

/* ---- device ---- */

struct device {
	struct xvm_mem mem;
	struct xvm_vq vq;
	u16 held[SIZE];
	u32 nheld, newest;
	bool event_idx;
};

/* The parent goes by steps from one of these to the next. */
static void toggle_steps(void)
{
	raise(SIGUSR1);
}

static void device_open(struct device *dev, struct world *w, bool idle, bool steps)
{
	const struct xvm_vq_config config = { SIZE, xvm_addr_make(AREA, 0), xvm_addr_make(AREA, AVAIL),
					      xvm_addr_make(AREA, USED) };
	bool event_idx = dev->event_idx;

	memset(dev, 0, sizeof(*dev));
	dev->event_idx = event_idx;
	dev->mem.area[AREA].base = w->area;
	dev->mem.area[AREA].bytes = sizeof(w->area);
	dev->vq.mem = &dev->mem;
	dev->vq.max_size = SIZE;
	dev->vq.keep = &w->keep;
	dev->vq.dev = 9;
	if (xvm_vq_enable(&dev->vq, &config, event_idx ? XVM_VQ_EVENT_IDX : 0))
		fail_at(w, "not enabled", 0);
	if (steps)
		toggle_steps();
	if (xvm_vq_keep(&dev->vq, idle, true))
		fail_at(w, "record refused", 0);
	if (steps)
		toggle_steps();
}

/* Everything comes in the order in which it was posted, first what was taken before. */
static bool take_one(struct device *dev, const struct world *w)
{
	struct xvm_chain chain;
	struct iovec iov[SIZE];
	u32 id;
	int ret = xvm_vq_pop(&dev->vq, &chain, iov, SIZE);

	if (ret < 0)
		fail_at(w, dev->vq.fault, dev->vq.fault_value);
	if (!ret)
		return false;
	id = w->drv.id_of[chain.head];
	if (!id || w->drv.completed[id] || chain.in_bytes != id)
		fail_at(w, "served again although it was given back", id);
	if (id <= dev->newest)
		fail_at(w, "served out of order", id);
	dev->newest = id;
	dev->held[dev->nheld++] = chain.head;
	return true;
}

static void give_one(struct device *dev, const struct world *w, u32 i)
{
	u16 head = dev->held[i];

	dev->held[i] = dev->held[--dev->nheld];
	xvm_vq_push(&dev->vq, head, w->drv.id_of[head]);
}

static void finish(struct device *dev, struct world *w)
{
	u32 id;

	consume(w);
	do {
		while (take_one(dev, w))
			;
		while (dev->nheld)
			give_one(dev, w, 0);
		xvm_vq_flush(&dev->vq);
		consume(w);
	} while (xvm_vq_arm(&dev->vq));
	for (id = 1; id <= w->drv.posted; id++)
		if (w->drv.completed[id] != 1)
			fail_at(w, "lost", id);
}

/* ---- the child ---- */

static void serve(struct device *dev, const struct world *w)
{
	u32 i, n = rnd(4), back = rnd(5);
	bool flush = rnd(3);

	toggle_steps();
	for (i = 0; i < n && take_one(dev, w); i++)
		;
	for (i = 0; i < back && dev->nheld; i++)
		give_one(dev, w, (seed >> i) % dev->nheld);
	if (flush)
		xvm_vq_flush(&dev->vq);
	toggle_steps();
}

/* A worker after the other: what the first had popped, or pushed and not shown, is the next one's. */
static void reconnect(struct device *dev, struct world *w)
{
	w->reconnects++;
	device_open(dev, w, false, true);
	consume(w);
	/* No request may see three workers here. */
	while (xvm_vq_agains(&dev->vq))
		take_one(dev, w);
	while (dev->nheld)
		give_one(dev, w, 0);
	xvm_vq_flush(&dev->vq);
	consume(w);
}

static void child(struct world *w, bool event_idx, u16 position, u32 rounds)
{
	static struct device dev;
	u32 i, n;

	dev.event_idx = event_idx;
	w->drv.avail_idx = w->drv.used_seen = position;
	xvm_put16(w->area + AVAIL + 2, position);
	xvm_put16(w->area + USED + 2, position);
	device_open(&dev, w, true, false);
	for (i = 0; i < rounds; i++) {
		for (n = rnd(5); n; n--)
			post(w);
		serve(&dev, w);
		if (rnd(2))
			consume(w);
		if (!rnd(8))
			reconnect(&dev, w);
	}
	finish(&dev, w);
	_exit(0);
}

/* ---- the parent ---- */

/* What matters of the keep file: one queue, in the first entry and the first slots. */
struct glimpse {
	struct keep_queue queue;
	struct keep_slot slot[SIZE];
	u8 used[8 + 8 * SIZE];
};

static void look(struct glimpse *g, const struct world *w)
{
	g->queue = w->keep.queue[0];
	memcpy(g->slot, w->keep.slot, sizeof(g->slot));
	memcpy(g->used, w->area + USED, sizeof(g->used));
}

/* prompt: the driver has looked at the used ring before anybody recovered anything. */
static void successor(struct world *scratch, const struct world *w, bool event_idx, bool prompt)
{
	static struct device dev;

	scratch->keep.queue[0] = w->keep.queue[0];
	memcpy(scratch->keep.slot, w->keep.slot, SIZE * sizeof(scratch->keep.slot[0]));
	memcpy(scratch->area, w->area, sizeof(w->area));
	scratch->drv = w->drv;
	scratch->reconnects = w->reconnects;
	if (prompt)
		consume(scratch);
	dev.event_idx = event_idx;
	device_open(&dev, scratch, false, false);
	finish(&dev, scratch);
}

struct run {
	u64 steps, kills, again;
	u32 may_again;			/* how often the successor is to be killed as well */
};

static void crash_in_recovery(const struct world *w, bool event_idx, struct run *run);

static bool half_done(const struct glimpse *g)
{
	u32 i;

	for (i = 0; i < SIZE; i++)
		if (keep_state(g->slot[i].word) == KEEP_DONE)
			return true;
	return false;
}

static void follow(pid_t pid, const struct world *w, bool event_idx, struct run *run)
{
	struct world *scratch = calloc(1, sizeof(*scratch));
	struct glimpse before, now;
	bool step = false;
	int status;

	memset(&before, 0, sizeof(before));
	memset(&now, 0, sizeof(now));
	for (;;) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) || WIFSIGNALED(status))
			break;
		if (WSTOPSIG(status) == SIGUSR1) {
			step = !step;
			look(&before, w);
		} else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
			ptrace(PTRACE_CONT, pid, NULL, (void *)(long)WSTOPSIG(status));
			continue;
		} else if (step) {
			run->steps++;
			look(&now, w);
			if (memcmp(&now, &before, sizeof(now))) {
				before = now;
				run->kills++;
				successor(scratch, w, event_idx, false);
				successor(scratch, w, event_idx, true);
				if (run->may_again && (half_done(&now) || run->kills % 29 == 0)) {
					run->may_again--;
					crash_in_recovery(w, event_idx, run);
				}
			}
		}
		assert_int_equal(ptrace(step ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, NULL), 0);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	free(scratch);
}

static struct world *shared_world(void)
{
	struct world *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(w != MAP_FAILED);
	return w;
}

/* In the child: from here on it does what its parent lets it. */
static void let_trace(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	raise(SIGSTOP);
}

/* The successor of a worker that died here dies in its turn, at any point of its recovery. */
static void crash_in_recovery(const struct world *w, bool event_idx, struct run *run)
{
	struct world *copy = shared_world();
	struct run second = { 0 };
	static struct device dev;
	pid_t pid;

	*copy = *w;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		let_trace();
		dev.event_idx = event_idx;
		device_open(&dev, copy, false, true);
		_exit(0);
	}
	follow(pid, copy, event_idx, &second);
	run->again += second.kills;
	munmap(copy, sizeof(*copy));
}

static void crash_anywhere(u32 first, bool event_idx, u16 position, u32 rounds)
{
	struct world *w = shared_world();
	struct run run = { .may_again = 12 };
	pid_t pid;

	seed = first;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		let_trace();
		child(w, event_idx, position, rounds);
	}
	follow(pid, w, event_idx, &run);
	printf("# seed %u: %llu steps, killed at %llu of them, %llu times more in recovery; %u requests, %llu reconnects\n",
	       first, (unsigned long long)run.steps, (unsigned long long)run.kills, (unsigned long long)run.again,
	       w->drv.posted, (unsigned long long)w->reconnects);
	assert_true(run.again > 12);
	assert_true(run.kills > 4 * rounds);
	assert_true(w->drv.posted >= rounds && w->reconnects > 1);
	munmap(w, sizeof(*w));
}

static bool may_trace(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? 77 : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void test_event_idx(void **state)
{
	(void)state;
	if (!may_trace())
		test_skip("no process may be traced here");
	crash_anywhere(2, true, 0, 40);
}

/* The 16-bit indices wrap on the way. */
static void test_flags_and_wrap(void **state)
{
	(void)state;
	if (!may_trace())
		test_skip("no process may be traced here");
	crash_anywhere(3, true, 65520, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_idx),
		cmocka_unit_test(test_flags_and_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
