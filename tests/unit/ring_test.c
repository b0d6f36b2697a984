// SPDX-License-Identifier: MIT
/*
 * The message ring with an honest and with a lying peer, one step at a time.
 * Both ends live here; where a peer lies, the case writes the shared words by
 * hand. Byte offsets are those of docs/protocol.md sections 2 and 3.
 * ring_stress_test has both ends run at once.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../support/test.h"
#include "../../xen/proto/ring.h"
#include "../../include/xvmsg/xenbus.h"

#define SIZE 4096u
#define MAX_MSG 264u
#define RECORD 272u		/* 8 + 264 */

static u8 *control, *data;
static struct xvm_ring_mem mem;
static struct xvm_ring_tx tx;
static struct xvm_ring_rx rx;
static u8 msg[MAX_MSG], got[MAX_MSG];

static void start(u32 size, u32 credits)
{
	free(data);
	data = calloc(1, size);
	assert_non_null(data);
	memset(control, 0, 4096);
	xvm_ring_mem_init(&mem, control, data, size, true);
	assert_int_equal(xvm_ring_tx_init(&tx, &mem, MAX_MSG, credits), 0);
	xvm_ring_rx_init(&rx, &mem, MAX_MSG);
}

/* Both ends as if this many bytes had gone through already. */
static void start_at(u32 size, u32 credits, u32 index)
{
	start(size, credits);
	tx.prod = tx.published = rx.cons = rx.published = index;
	xvm_put32(control + XVM_CTRL_DRV_PROD, index);
	xvm_put32(control + XVM_CTRL_DRV_CONS, index);
	xvm_put32(control + XVM_CTRL_DRV_PROD_EVENT, index);
	xvm_put32(control + XVM_CTRL_DRV_CONS_EVENT, index);
}

static int setup(void **state)
{
	(void)state;
	control = calloc(1, 4096);
	start(SIZE, 1);
	return control ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(control);
	free(data);
	data = NULL;
	return 0;
}

static void fill(u32 len, u8 seed)
{
	u32 i;

	for (i = 0; i < len; i++)
		msg[i] = (u8)(seed + 31 * i);
}

static int put(u32 len, u8 seed)
{
	fill(len, seed);
	return xvm_ring_tx_put(&tx, msg, len, true);
}

static void take(u32 len, u8 seed)
{
	memset(got, 0xcc, sizeof(got));
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), len);
	fill(len, seed);
	assert_memory_equal(got, msg, len);
	assert_true(len == MAX_MSG || got[len] == 0xcc);
}

static void test_places(void **state)
{
	(void)state;
	assert_ptr_equal(mem.prod, control + 0x40);
	assert_ptr_equal(mem.cons_event, control + 0x44);
	assert_ptr_equal(mem.cons, control + 0x80);
	assert_ptr_equal(mem.prod_event, control + 0x84);
	xvm_ring_mem_init(&mem, control, data, SIZE, false);
	assert_ptr_equal(mem.prod, control + 0xc0);
	assert_ptr_equal(mem.cons_event, control + 0xc4);
	assert_ptr_equal(mem.cons, control + 0x100);
	assert_ptr_equal(mem.prod_event, control + 0x104);
}

static void test_bytes(void **state)
{
	(void)state;
	memset(data, 0xee, SIZE);
	assert_int_equal(xvm_ring_tx_put(&tx, (const u8 *)"abc", 3, false), 0);
	assert_memory_equal(data, "\3\0\0\0\0\0\0\0abc\0\0\0\0\0\xee", 17);
	/* Nothing is shown before publish, and then only what was put. */
	assert_int_equal(xvm_get32(control + 0x40), 0);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), -EAGAIN);
	xvm_ring_tx_publish(&tx);
	assert_int_equal(xvm_get32(control + 0x40), 16);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), 3);
	assert_memory_equal(got, "abc", 3);
	/* Consumed privately; given back by publish. */
	assert_int_equal(xvm_get32(control + 0x80), 0);
	xvm_ring_rx_publish(&rx);
	assert_int_equal(xvm_get32(control + 0x80), 16);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), -EAGAIN);
}

static void test_init(void **state)
{
	struct xvm_ring_tx t;

	(void)state;
	assert_int_equal(xvm_ring_min_bytes(MAX_MSG, 32), 2 * 32 * RECORD);
	assert_int_equal(xvm_ring_min_bytes(257, 1), 2 * (8 + 264));
	mem.size = 4096;
	assert_int_equal(xvm_ring_tx_init(&t, &mem, MAX_MSG, 7), 0);	/* 3808 */
	assert_int_equal(xvm_ring_tx_init(&t, &mem, MAX_MSG, 8), -EINVAL);
	mem.size = 32768;
	assert_int_equal(xvm_ring_tx_init(&t, &mem, MAX_MSG, 60), 0);
	assert_int_equal(xvm_ring_tx_init(&t, &mem, MAX_MSG, 61), -EINVAL);
	mem.size = 4095;
	assert_int_equal(xvm_ring_tx_init(&t, &mem, MAX_MSG, 1), -EINVAL);
	mem.size = 0;
	assert_int_equal(xvm_ring_tx_init(&t, &mem, MAX_MSG, 1), -EINVAL);
}

/* 2 * 2^20 * 4096 is 2^33: must not pass for a small number. */
static void test_init_huge(void **state)
{
	struct xvm_ring_tx t;

	(void)state;
	mem.size = 4096;
	assert_int_equal(xvm_ring_tx_init(&t, &mem, 4088, 1u << 20), -EINVAL);
	assert_int_equal(xvm_ring_tx_init(&t, &mem, 65528, 0x8000u), -EINVAL);
	assert_int_equal(xvm_ring_tx_init(&t, &mem, 65528, 0xffffffffu), -EINVAL);
	assert_int_equal(xvm_ring_tx_init(&t, &mem, 0xffffffffu, 1), -EINVAL);
}

/* No requests of the peer to answer: a message must still fit the ring. */
static void test_init_no_credits(void **state)
{
	struct xvm_ring_tx t;

	(void)state;
	mem.size = 4096;
	assert_int_equal(xvm_ring_tx_init(&t, &mem, 4088, 0), 0);
	assert_int_equal(xvm_ring_tx_init(&t, &mem, 4096, 0), -EINVAL);
}

/* Fills and drains from each start position, so each record wraps at each place; index near 2^32. */
static void fill_drain(u32 index, u32 len)
{
	u32 n = 0, i;

	start_at(SIZE, 1, index);
	while (put(len, (u8)n) == 0)
		n++;
	assert_int_equal(n, SIZE / xvm_ring_record_bytes(len));
	assert_int_equal(put(len, 0), -ENOSPC);
	xvm_ring_tx_publish(&tx);
	for (i = 0; i < n; i++)
		take(len, (u8)i);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), -EAGAIN);
	xvm_ring_rx_publish(&rx);
	assert_int_equal(put(len, 1), 0);
}

static void test_fill_drain(void **state)
{
	u32 at, len;

	(void)state;
	for (at = 0; at < SIZE; at += 8)
		fill_drain(at, MAX_MSG);
	for (len = 0; len <= MAX_MSG; len++) {
		fill_drain(SIZE - 8, len);
		fill_drain(SIZE - 16, len);
	}
}

static void test_index_wrap(void **state)
{
	u32 at;

	(void)state;
	for (at = 0; at <= SIZE + RECORD; at += 8) {
		fill_drain(0u - at, MAX_MSG);
		fill_drain(0u - at, 9);
	}
}

/* 1000 records of changing lengths, never more than three in the ring, across 2^32. */
static void test_walk(void **state)
{
	u32 put_len = 0, got_len = 0, i;

	(void)state;
	start_at(SIZE, 1, 0u - 40000u);
	for (i = 0; i < 3000; i++) {
		if (i % 3 != 2) {
			assert_int_equal(put(put_len % (MAX_MSG + 1), (u8)put_len), 0);
			put_len += 7;
			xvm_ring_tx_publish(&tx);
		}
		if (i % 3) {
			take(got_len % (MAX_MSG + 1), (u8)got_len);
			got_len += 7;
			xvm_ring_rx_publish(&rx);
		}
	}
	assert_true(tx.prod < 0x80000000u);
	assert_int_equal(tx.prod, rx.cons);
}

static void test_too_long(void **state)
{
	static u8 big[65536];

	(void)state;
	assert_int_equal(xvm_ring_tx_put(&tx, big, MAX_MSG + 1, true), -EMSGSIZE);
	assert_int_equal(xvm_ring_tx_put(&tx, big, 0xffffffffu, true), -EMSGSIZE);
	assert_int_equal(xvm_ring_tx_put(&tx, big, 0xfffffff0u, false), -EMSGSIZE);
	assert_int_equal(tx.prod, 0);
}

static u32 put_events(u32 len)
{
	u32 n = 0;

	fill(len, 0);
	while (xvm_ring_tx_put(&tx, msg, len, false) == 0)
		n++;
	return n;
}

/* R1: events and requests leave room for N_peer answers. R2: then just those fit. */
static void test_reserve(void **state)
{
	u32 credits, len, n;

	(void)state;
	for (credits = 1; credits <= 7; credits++) {
		for (len = 0; len <= MAX_MSG; len += 11) {
			start(SIZE, credits);
			n = put_events(len);
			assert_int_equal(n, (SIZE - credits * RECORD) / xvm_ring_record_bytes(len));
			for (n = 0; n < credits; n++)
				assert_int_equal(put(MAX_MSG, 0), 0);
		}
	}
}

/*
 * As long as the peer keeps its credits an answer fits, whatever else was sent
 * and however little was drained: random scripts, each from its own seed.
 */
static void answer_script(unsigned int seed)
{
	u32 credits = seed % 7 + 1, owed = 0, unread_answers = 0, i;

	start_at(SIZE, credits, seed * 0x12345678u & ~7u);
	srand(seed);
	for (i = 0; i < 400; i++) {
		u32 len = (u32)rand() % (MAX_MSG + 1);

		switch (rand() % 4) {
		case 0:
			xvm_ring_tx_put(&tx, msg, len, false);
			break;
		case 1:
			/* R3: a request takes a credit until its answer has been consumed. */
			owed += owed + unread_answers < credits;
			break;
		case 2:
			if (!owed)
				break;
			msg[0] = 'A';
			assert_int_equal(xvm_ring_tx_put(&tx, msg, len ? len : 1, true), 0);
			msg[0] = 0;
			owed--;
			unread_answers++;
			break;
		default:
			xvm_ring_tx_publish(&tx);
			if (xvm_ring_rx_get(&rx, got, sizeof(got)) > 0 && got[0] == 'A')
				unread_answers--;
			xvm_ring_rx_publish(&rx);
		}
	}
}

static void test_answers_fit(void **state)
{
	unsigned int seed;

	(void)state;
	memset(msg, 0, sizeof(msg));
	for (seed = 0; seed < 500; seed++)
		answer_script(seed);
}

static void lie_cons(u32 cons, bool caught)
{
	u32 prod = tx.prod;

	xvm_put32(control + XVM_CTRL_DRV_CONS, cons);
	if (!caught) {
		assert_int_not_equal(put(0, 0), -EPROTO);
		return;
	}
	assert_int_equal(put(0, 0), -EPROTO);
	assert_int_equal(tx.bad, cons);
	assert_int_equal(tx.prod, prod);
	/* Whoever would sleep on it does not: the next put says what is wrong. */
	assert_true(xvm_ring_tx_arm(&tx, 8));
}

static void test_cons_lies(void **state)
{
	u32 prod, base;

	(void)state;
	for (base = 0; base != 0u - 256u; base = 0u - 256u) {
		start_at(SIZE, 1, base);
		assert_int_equal(put(24, 0), 0);
		assert_int_equal(put(24, 0), 0);
		xvm_ring_tx_publish(&tx);
		assert_int_equal(put(24, 0), 0);	/* not shown yet */
		prod = tx.published;
		lie_cons(prod + 1, true);	/* ahead of what was shown */
		lie_cons(tx.prod, true);
		lie_cons(tx.prod + 8, true);
		lie_cons(prod + 0x80000000u, true);
		lie_cons(tx.prod - SIZE - 8, true);	/* further back than the ring is long */
		lie_cons(tx.prod - SIZE - 1, true);
		lie_cons(prod, false);
	}
}

/* Backwards or unaligned within the ring only costs the liar room. */
static void test_cons_back(void **state)
{
	u32 free_before;

	(void)state;
	start_at(SIZE, 1, 0x10000);
	while (put(24, 0) == 0)
		;
	xvm_ring_tx_publish(&tx);
	xvm_put32(control + XVM_CTRL_DRV_CONS, 0x10000 + 64);
	assert_int_equal(put(24, 0), 0);
	xvm_put32(control + XVM_CTRL_DRV_CONS, 0x10000 + 32);	/* just the record written since */
	assert_int_equal(put(0, 0), -ENOSPC);
	xvm_put32(control + XVM_CTRL_DRV_CONS, 0x10000 + 39);
	assert_int_equal(put(0, 0), -ENOSPC);
	xvm_put32(control + XVM_CTRL_DRV_CONS, 0x10000 + 41);
	free_before = tx.prod;
	assert_int_equal(put(0, 0), 0);
	assert_int_equal(tx.prod, free_before + 8);	/* our own index stays aligned */
}

static void lie_prod(u32 prod, int want)
{
	u32 cons = rx.cons;

	xvm_put32(control + XVM_CTRL_DRV_PROD, prod);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), want);
	if (want == -EPROTO)
		assert_int_equal(rx.bad, prod);
	assert_int_equal(rx.cons, cons);
}

static void test_prod_lies(void **state)
{
	static const u32 bases[] = { 0, 0x1000, 0u - 8u, 0x7ffffff8u };
	u32 i, base;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(bases); i++) {
		base = bases[i];
		start_at(SIZE, 1, base);
		lie_prod(base, -EAGAIN);
		lie_prod(base + SIZE + 8, -EPROTO);
		lie_prod(base + SIZE + 1, -EPROTO);
		lie_prod(base - 8, -EPROTO);
		lie_prod(base - SIZE, -EPROTO);
		lie_prod(base + 0x80000000u, -EPROTO);
		lie_prod(base + 1, -EPROTO);
		lie_prod(base + 4, -EPROTO);
		lie_prod(base + SIZE - 1, -EPROTO);
		lie_prod(base, -EAGAIN);
	}
	/* A full ring is legal as far as the index goes. */
	xvm_put32(control + XVM_CTRL_DRV_PROD, base + SIZE);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), 0);
}

static void lie_len(u32 len, u32 shown, int want)
{
	start_at(SIZE, 1, SIZE - 8);
	xvm_put32(data + SIZE - 8, len);
	xvm_put32(control + XVM_CTRL_DRV_PROD, SIZE - 8 + shown);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), want);
	if (want < 0) {
		assert_int_equal(rx.bad, len);
		assert_int_equal(rx.cons, SIZE - 8);
	}
}

static void test_length_lies(void **state)
{
	(void)state;
	lie_len(0, 8, 0);
	lie_len(1, 8, -EPROTO);
	lie_len(8, 16, 8);
	lie_len(9, 16, -EPROTO);
	lie_len(MAX_MSG, RECORD, MAX_MSG);
	lie_len(MAX_MSG, RECORD - 8, -EPROTO);
	lie_len(MAX_MSG + 1, SIZE, -EPROTO);
	lie_len(SIZE, SIZE, -EPROTO);
	lie_len(0x80000000u, SIZE, -EPROTO);
	lie_len(0xffffffffu, SIZE, -EPROTO);	/* rounds up to 8 */
	lie_len(0xfffffff8u, SIZE, -EPROTO);
	lie_len(0xfffffff0u, SIZE, -EPROTO);
}

static void test_small_buffer(void **state)
{
	u8 small[8];

	(void)state;
	assert_int_equal(put(9, 0), 0);
	xvm_ring_tx_publish(&tx);
	assert_int_equal(xvm_ring_rx_get(&rx, small, sizeof(small)), -EPROTO);
}

/* The index is looked at once per batch: what is seen stays good however it moves meanwhile. */
static void test_prod_changes(void **state)
{
	(void)state;
	assert_int_equal(put(24, 1), 0);
	assert_int_equal(put(24, 2), 0);
	xvm_ring_tx_publish(&tx);
	take(24, 1);
	xvm_put32(control + XVM_CTRL_DRV_PROD, 3);
	take(24, 2);
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), -EPROTO);
	assert_int_equal(rx.bad, 3);
	xvm_put32(control + XVM_CTRL_DRV_PROD, 32);	/* back to before what was taken */
	assert_int_equal(xvm_ring_rx_get(&rx, got, sizeof(got)), -EPROTO);
}

/* What we published is never read back: scribbling on it changes nothing for us. */
static void test_own_words(void **state)
{
	(void)state;
	assert_int_equal(put(24, 1), 0);
	xvm_ring_tx_publish(&tx);
	xvm_put32(control + XVM_CTRL_DRV_CONS, 0);
	take(24, 1);
	xvm_ring_rx_publish(&rx);
	xvm_put32(control + XVM_CTRL_DRV_PROD, 0x5555);
	assert_int_equal(put(24, 2), 0);
	xvm_ring_tx_publish(&tx);
	assert_int_equal(xvm_get32(control + XVM_CTRL_DRV_PROD), 64);
	xvm_put32(control + XVM_CTRL_DRV_CONS, 0x5555);
	take(24, 2);
	xvm_ring_rx_publish(&rx);
	assert_int_equal(xvm_get32(control + XVM_CTRL_DRV_CONS), 64);
}

/* The consumer sleeps and is woken by exactly the step that passes its event index. */
static void wake_rx(u32 base)
{
	start_at(SIZE, 1, base);
	assert_false(xvm_ring_rx_arm(&rx));
	assert_int_equal(xvm_get32(control + XVM_CTRL_DRV_PROD_EVENT), base);
	assert_false(xvm_ring_tx_publish(&tx));		/* nothing new */
	assert_int_equal(put(0, 0), 0);
	assert_true(xvm_ring_tx_publish(&tx));
	/* Not armed again: it is awake, no second notification is owed. */
	assert_int_equal(put(0, 0), 0);
	assert_false(xvm_ring_tx_publish(&tx));
	take(0, 0);
	assert_true(xvm_ring_rx_arm(&rx));		/* one was seen and not yet taken */
	take(0, 0);
	assert_false(xvm_ring_rx_arm(&rx));
	assert_int_equal(put(64, 0), 0);
	assert_int_equal(put(64, 0), 0);
	assert_true(xvm_ring_tx_publish(&tx));		/* a jump over the index, not onto it */
}

static void test_wake_rx(void **state)
{
	(void)state;
	wake_rx(0);
	wake_rx(0x1000);
	wake_rx(0u - 8u);
	wake_rx(0u - 16u);
	wake_rx(0u - 80u);
	wake_rx(0x7ffffff8u);
}

/* The producer waits for room, and is woken by the first step that makes enough. */
static void wake_tx(u32 base, u32 len)
{
	u32 freed = 0, need;

	start_at(SIZE, 2, base);
	while (xvm_ring_tx_put(&tx, msg, 8, false) == 0)
		;
	assert_int_equal(tx.prod - base, (SIZE - 2 * RECORD) / 16 * 16);
	xvm_ring_tx_publish(&tx);
	need = xvm_ring_record_bytes(len);
	assert_false(xvm_ring_tx_arm(&tx, len));
	do {
		take(8, 0);
		freed += 16;
		assert_int_equal(xvm_ring_rx_publish(&rx),
				 freed >= need && freed - 16 < need);
		assert_int_equal(xvm_ring_tx_put(&tx, msg, len, false) == 0, freed >= need);
	} while (freed < need);
}

static void test_wake_tx(void **state)
{
	u32 len;

	(void)state;
	fill(sizeof(msg), 0);
	/* SIZE - reserve is a multiple of 16 here, so the ring is full to the byte. */
	for (len = 0; len <= MAX_MSG; len++) {
		wake_tx(0, len);
		wake_tx(0u - SIZE, len);
		wake_tx(0u - 2 * SIZE + 64, len);
		wake_tx(0x7ffff000u, len);
	}
}

static void test_arm_tx_room(void **state)
{
	(void)state;
	assert_true(xvm_ring_tx_arm(&tx, MAX_MSG));
	while (xvm_ring_tx_put(&tx, msg, MAX_MSG, false) == 0)
		;
	xvm_ring_tx_publish(&tx);
	assert_false(xvm_ring_tx_arm(&tx, MAX_MSG));
	while (xvm_ring_rx_get(&rx, got, sizeof(got)) >= 0)
		;
	assert_true(xvm_ring_rx_publish(&rx));
	assert_true(xvm_ring_tx_arm(&tx, MAX_MSG));
}

/*
 * The race of "publish, look whether the peer sleeps" with "arm, look again":
 * each side has two steps, store then load. In every order in which they can
 * interleave, the record is seen by the consumer's second look or a
 * notification is asked for. The steps of one side are done by hand here.
 */
static void test_no_lost_wakeup(void **state)
{
	/* c: consumer stores its event; C: looks again; p: producer stores prod; P: looks at the event */
	static const char *const orders[] = { "cCpP", "cpCP", "cpPC", "pcCP", "pcPC", "pPcC" };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(orders); i++) {
		bool seen = false, notified = false;
		const char *s;
		u32 old = 64, now = 96, event = 0;

		start_at(SIZE, 1, old);
		xvm_put32(control + XVM_CTRL_DRV_PROD_EVENT, 0);	/* of long ago */
		for (s = orders[i]; *s; s++) {
			switch (*s) {
			case 'c': xvm_put32(control + XVM_CTRL_DRV_PROD_EVENT, old); break;
			case 'C': seen = xvm_get32(control + XVM_CTRL_DRV_PROD) != old; break;
			case 'p': xvm_put32(control + XVM_CTRL_DRV_PROD, now); break;
			case 'P':
				event = xvm_get32(control + XVM_CTRL_DRV_PROD_EVENT);
				notified = now - event - 1 < now - old;
				break;
			}
		}
		assert_true(seen || notified);
	}
	/* The same with the real functions, one whole call after the other. */
	start_at(SIZE, 1, 64);
	assert_int_equal(put(24, 0), 0);
	assert_true(xvm_ring_tx_publish(&tx) || xvm_ring_rx_arm(&rx));
	start_at(SIZE, 1, 64);
	xvm_put32(control + XVM_CTRL_DRV_PROD_EVENT, 0);
	assert_int_equal(put(24, 0), 0);
	assert_false(xvm_ring_tx_publish(&tx));
	assert_true(xvm_ring_rx_arm(&rx));
	start_at(SIZE, 1, 64);
	assert_false(xvm_ring_rx_arm(&rx));
	assert_int_equal(put(24, 0), 0);
	assert_true(xvm_ring_tx_publish(&tx));
}

/* A lying event word costs notifications, nothing else. */
static void test_event_lies(void **state)
{
	static const u32 lies[] = { 0, 1, 7, 0xffffffffu, 0x80000000u, SIZE, 3 * SIZE };
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(lies); i++) {
		start_at(SIZE, 1, 0x100);
		xvm_put32(control + XVM_CTRL_DRV_PROD_EVENT, lies[i]);
		xvm_put32(control + XVM_CTRL_DRV_CONS_EVENT, lies[i]);
		assert_int_equal(put(24, 1), 0);
		assert_false(xvm_ring_tx_publish(&tx));
		take(24, 1);
		assert_false(xvm_ring_rx_publish(&rx));
		assert_int_equal(tx.prod, 0x120);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_places), CASE(test_bytes), CASE(test_init), CASE(test_init_huge),
		CASE(test_init_no_credits), CASE(test_fill_drain), CASE(test_index_wrap),
		CASE(test_walk), CASE(test_too_long), CASE(test_reserve), CASE(test_answers_fit),
		CASE(test_cons_lies), CASE(test_cons_back), CASE(test_prod_lies),
		CASE(test_length_lies), CASE(test_small_buffer), CASE(test_prod_changes),
		CASE(test_own_words), CASE(test_wake_rx), CASE(test_wake_tx), CASE(test_arm_tx_room),
		CASE(test_no_lost_wakeup), CASE(test_event_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
