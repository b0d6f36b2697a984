// SPDX-License-Identifier: MIT
/*
 * Two sides that run at once, as two threads and as two processes, joined by
 * both rings and one notification each way. Each sends requests within its
 * credits, events of random length, and the answer to each request before it
 * takes the next record; it sleeps only as the event indexes allow. A lost
 * wake-up shows as a sleep that nobody ends, a broken reserve as an answer
 * that does not fit, a missing barrier as a wrong byte.
 */
/* LINK: xen/proto */
/* LIBS: -pthread */
/* SAN: thread */
/* TIME: 60 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../support/test.h"
#include "../../xen/proto/ring.h"
#include "../../include/xvmsg/xenbus.h"

#define MAX_MSG 264u
#define CREDITS 3u
#define SIZE 4096u
#define RECORDS 30000u
#define PATIENCE_MS 10000

enum kind { REQUEST = 1, ANSWER, EVENT };

struct shared {
	u8 control[4096], drv[SIZE], dev[SIZE];
};

struct side {
	struct xvm_ring_tx tx;
	struct xvm_ring_rx rx;
	int wake_me, wake_peer;		/* eventfds */
	u32 to_send, to_receive;	/* requests and events */
	u32 credits, sent, received;	/* sent and received number all records of a ring */
	u32 held;			/* length of the record held back for room, or 0 */
	u32 sleeps;
	unsigned int seed;
	const char *fault;
};

static u32 below(struct side *s, u32 n)
{
	s->seed = s->seed * 1103515245u + 12345u;
	return (s->seed >> 8) % n;
}

static void make(u8 *msg, u32 len, enum kind kind, u32 number)
{
	u32 i;

	msg[0] = kind;
	xvm_put32(msg + 1, number);
	for (i = 5; i < len; i++)
		msg[i] = (u8)(number * 7 + i);
}

static bool good(const u8 *msg, u32 len, u32 number)
{
	u32 i;

	if (len < 5 || xvm_get32(msg + 1) != number)
		return false;
	for (i = 5; i < len; i++)
		if (msg[i] != (u8)(number * 7 + i))
			return false;
	return true;
}

static int send_one(struct side *s, enum kind kind, u32 len)
{
	u8 msg[MAX_MSG];
	int err;

	make(msg, len, kind, s->sent);
	err = xvm_ring_tx_put(&s->tx, msg, len, kind == ANSWER);
	if (!err)
		s->sent++;
	return err;
}

static bool receive(struct side *s)
{
	u8 msg[MAX_MSG];
	u32 n;

	for (n = 0; n < 64; n++) {
		int len = xvm_ring_rx_get(&s->rx, msg, sizeof(msg));

		if (len == -EAGAIN)
			break;
		if (len < 0 || !good(msg, (u32)len, s->received)) {
			s->fault = "a record is not what was sent";
			return true;
		}
		s->received++;
		s->to_receive -= msg[0] != ANSWER;
		s->credits += msg[0] == ANSWER;
		if (msg[0] == REQUEST && send_one(s, ANSWER, 5 + below(s, MAX_MSG - 4)))
			s->fault = "an answer does not fit";
	}
	return n;
}

static bool produce(struct side *s)
{
	u32 n, burst = 1 + below(s, 20);

	for (n = 0; n < burst && s->to_send; n++) {
		u32 len = s->held ? s->held : 5 + below(s, MAX_MSG - 4);
		bool ask = s->credits && below(s, 2);
		int err = send_one(s, ask ? REQUEST : EVENT, len);

		s->held = err == -ENOSPC ? len : 0;
		if (err == -ENOSPC)
			break;
		if (err)
			s->fault = "the peer's index lies";
		s->credits -= ask;
		s->to_send--;
	}
	return n;
}

static void notify(struct side *s)
{
	u64 one = 1;

	if (write(s->wake_peer, &one, sizeof(one)) != sizeof(one))
		s->fault = "cannot notify";
}

static void sleep_armed(struct side *s)
{
	struct pollfd p = { .fd = s->wake_me, .events = POLLIN };
	bool room = s->held && xvm_ring_tx_arm(&s->tx, s->held), more = xvm_ring_rx_arm(&s->rx);
	u64 count;

	if (room || more)
		return;
	s->sleeps++;
	if (poll(&p, 1, PATIENCE_MS) != 1)
		s->fault = "nobody ends the sleep";
	else if (read(s->wake_me, &count, sizeof(count)) != sizeof(count))
		s->fault = "cannot read the notification";
}

static bool finished(const struct side *s)
{
	return !s->to_send && !s->to_receive && s->credits == CREDITS;
}

static void *run(void *arg)
{
	struct side *s = arg;

	while (!s->fault) {
		bool progress = receive(s);

		/* Often leave the consumed room unpublished while producing, as a busy side does. */
		if (below(s, 4) == 0)
			sched_yield();
		progress |= produce(s);
		if (xvm_ring_tx_publish(&s->tx) | xvm_ring_rx_publish(&s->rx))
			notify(s);
		if (finished(s))
			break;
		if (!progress)
			sleep_armed(s);
	}
	return NULL;
}

static void side_init(struct side *s, struct shared *m, bool driver, u32 records)
{
	struct xvm_ring_mem out, in;

	memset(s, 0, sizeof(*s));
	xvm_ring_mem_init(&out, m->control, driver ? m->drv : m->dev, SIZE, driver);
	xvm_ring_mem_init(&in, m->control, driver ? m->dev : m->drv, SIZE, !driver);
	assert_int_equal(xvm_ring_tx_init(&s->tx, &out, MAX_MSG, CREDITS), 0);
	xvm_ring_rx_init(&s->rx, &in, MAX_MSG);
	/* 100 records or so before the wrap at 2^32 */
	s->tx.prod = s->tx.published = s->rx.cons = s->rx.published = 0u - 16384u;
	s->to_send = s->to_receive = records;
	s->credits = CREDITS;
	s->seed = driver ? 1 : 2;
}

static struct shared *make_pair(struct side *drv, struct side *dev, u32 records)
{
	static const u32 words[] = { 0x40, 0x44, 0x80, 0x84, 0xc0, 0xc4, 0x100, 0x104 };
	struct shared *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int a = eventfd(0, 0), b = eventfd(0, 0);
	u32 i;

	assert_ptr_not_equal(m, MAP_FAILED);
	assert_true(a >= 0 && b >= 0);
	for (i = 0; i < XVM_ARRAY_SIZE(words); i++)
		xvm_put32(m->control + words[i], 0u - 16384u);
	side_init(drv, m, true, records);
	side_init(dev, m, false, records);
	drv->wake_me = dev->wake_peer = a;
	dev->wake_me = drv->wake_peer = b;
	return m;
}

static void end_pair(struct shared *m, struct side *drv)
{
	close(drv->wake_me);
	close(drv->wake_peer);
	munmap(m, sizeof(*m));
}

static void check(const struct side *s)
{
	if (s->fault)
		fail_msg("%s (%u sent, %u received)", s->fault, s->sent, s->received);
	assert_int_equal(s->to_receive, 0);
}

static void test_threads(void **state)
{
	struct side drv, dev;
	struct shared *m = make_pair(&drv, &dev, RECORDS);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run, &dev), 0);
	run(&drv);
	pthread_join(thread, NULL);
	check(&drv);
	check(&dev);
	printf("# %u records one way, %u the other; %u and %u sleeps\n", drv.sent, dev.sent, drv.sleeps,
	       dev.sleeps);
	end_pair(m, &drv);
}

static void test_processes(void **state)
{
	struct side drv, dev;
	struct shared *m = make_pair(&drv, &dev, RECORDS);
	int status;
	pid_t pid;

	(void)state;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		run(&dev);
		if (dev.fault)
			fprintf(stderr, "child: %s\n", dev.fault);
		_exit(!!dev.fault);
	}
	run(&drv);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	check(&drv);
	assert_int_equal(status, 0);
	end_pair(m, &drv);
}

/*
 * The narrow window itself: producer and consumer in step, so that "publish,
 * look at the event" and "arm, look again" meet at each record. Notifications
 * are a counter to spin on, since a real sleep is far longer than the window.
 */
#define STEPS 1000000u
#define STEPS_MS 4000		/* or so long: a machine that is busy takes far more than a second */

struct step {
	struct xvm_ring_tx tx;
	struct xvm_ring_rx rx;
	u32 taken, told;
	bool lost, ended;
};

/* Waits until the counter leaves old; false after about ten seconds. */
static bool spin_while(const u32 *counter, u32 old)
{
	u32 n;

	for (n = 0; __atomic_load_n(counter, __ATOMIC_ACQUIRE) == old; n++) {
		if (n > 1000)
			poll(NULL, 0, n > 11000);
		if (n > 21000)
			return false;
	}
	return true;
}

static void *step_consumer(void *arg)
{
	struct step *s = arg;
	u32 told = 0, n = 0;
	u8 msg[MAX_MSG];
	int len;

	do {
		len = xvm_ring_rx_get(&s->rx, msg, sizeof(msg));
		if (len >= 0) {
			n++;
			/* Room is given back rarely: its barrier would hide a missing one in arm. */
			if (n % 64 == 0)
				xvm_ring_rx_publish(&s->rx);
			__atomic_store_n(&s->taken, n, __ATOMIC_RELEASE);
		} else if (!xvm_ring_rx_arm(&s->rx)) {
			s->lost = !spin_while(&s->told, told);
			told = __atomic_load_n(&s->told, __ATOMIC_ACQUIRE);
		}
	} while (len && !s->lost);	/* an empty record is the last */
	__atomic_store_n(&s->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

static void step_put(struct step *s, u32 len)
{
	assert_int_equal(xvm_ring_tx_put(&s->tx, (const u8 *)"s", len, true), 0);
	if (xvm_ring_tx_publish(&s->tx))
		__atomic_fetch_add(&s->told, 1, __ATOMIC_RELEASE);
}

/* Until the consumer took record n, or gave up. */
static void step_await(const struct step *s, u32 n)
{
	u32 spins;

	for (spins = 1; __atomic_load_n(&s->taken, __ATOMIC_ACQUIRE) == n; spins++) {
		if (__atomic_load_n(&s->ended, __ATOMIC_ACQUIRE))
			return;
		if (spins % 1000 == 0)
			sched_yield();
	}
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static void test_window(void **state)
{
	struct side drv, dev;
	struct shared *m = make_pair(&drv, &dev, 0);
	struct step s = { .tx = drv.tx, .rx = dev.rx };
	u64 end = now_ms() + STEPS_MS;
	pthread_t thread;
	u32 n;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, step_consumer, &s), 0);
	for (n = 0; n < STEPS && (n % 64 || now_ms() < end); n++) {
		step_put(&s, 1);
		step_await(&s, n);
		if (__atomic_load_n(&s.ended, __ATOMIC_ACQUIRE))
			break;
	}
	step_put(&s, 0);
	pthread_join(thread, NULL);
	assert_false(s.lost);
	printf("# %u notifications for %u records\n", s.told, n);
	end_pair(m, &drv);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
