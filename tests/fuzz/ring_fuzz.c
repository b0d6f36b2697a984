// SPDX-License-Identifier: MIT
/*
 * One ring, driven by a script. Input: settings (3 bytes), then steps of two
 * bytes. Until the first step that forges, both ends are honest and a plain
 * queue beside them says what must come out, what must fit and who must be
 * woken. From then on the peer writes anything anywhere, and only what holds
 * against a hostile peer is asked for: no byte outside the ring is touched
 * (the blocks are of exact size), nothing longer than agreed comes out, our own
 * index moves only as we move it.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../../xen/proto/ring.h"
#include "../../include/xvmsg/xenbus.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)
#define SIZE 1024u
#define MAX_MSG 100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
	u8 len[SIZE / 8], seed[SIZE / 8];	/* records in the ring, oldest first */
	u32 put, shown, taken;			/* free-running counts of them */
	u32 used, freed;			/* bytes: not given back; taken, not given back */
	bool rx_armed, tx_armed;
	u32 tx_need;				/* bytes the armed producer waits for */
	bool honest;
};

static struct xvm_ring_mem mem;
static struct xvm_ring_tx tx;
static struct xvm_ring_rx rx;
static u8 *control;
static struct model m;

static void start(const u8 *settings)
{
	static const u32 words[] = { XVM_CTRL_DRV_PROD, XVM_CTRL_DRV_CONS, XVM_CTRL_DRV_PROD_EVENT,
				     XVM_CTRL_DRV_CONS_EVENT };
	u32 base = 0u - 8u * settings[1], i;

	control = calloc(1, XVM_PAGE_BYTES);
	CHECK(control);
	xvm_ring_mem_init(&mem, control, calloc(1, SIZE), SIZE, true);
	CHECK(mem.data && !xvm_ring_tx_init(&tx, &mem, MAX_MSG, settings[0] % 5));
	xvm_ring_rx_init(&rx, &mem, MAX_MSG);
	memset(&m, 0, sizeof(m));
	m.honest = true;
	tx.prod = tx.published = rx.cons = rx.published = base;
	for (i = 0; i < XVM_ARRAY_SIZE(words); i++)
		xvm_put32(control + words[i], base);
}

static void step_put(u8 arg, bool answer)
{
	u32 len = arg % (MAX_MSG + 2), need = xvm_ring_record_bytes(len), prod = tx.prod;
	u8 msg[MAX_MSG + 2];
	int err;

	memset(msg, arg ^ (u8)m.put, sizeof(msg));
	err = xvm_ring_tx_put(&tx, msg, len, answer);
	CHECK(tx.prod == prod + (err ? 0 : need));
	CHECK((len > MAX_MSG) == (err == -EMSGSIZE));
	/* Nothing that the peer says it has not consumed is overwritten. */
	CHECK(err || tx.prod - xvm_get32(mem.cons) <= SIZE);
	if (!m.honest || err == -EMSGSIZE)
		return;
	CHECK(err == (SIZE - m.used < need + (answer ? 0 : tx.reserve) ? -ENOSPC : 0));
	if (err)
		return;
	m.len[m.put % (SIZE / 8)] = (u8)len;
	m.seed[m.put % (SIZE / 8)] = (u8)(arg ^ (u8)m.put);
	m.put++;
	m.used += need;
	m.tx_armed = false;	/* the index it armed for was another's room */
}

static void step_tx_publish(void)
{
	bool wake = xvm_ring_tx_publish(&tx);

	if (m.honest && m.rx_armed)
		CHECK(wake == (m.put != m.shown));
	if (wake)
		m.rx_armed = false;
	m.shown = m.put;
}

static void step_get(void)
{
	u32 cons = rx.cons, slot = m.taken % (SIZE / 8), i;
	u8 buf[MAX_MSG];
	int len = xvm_ring_rx_get(&rx, buf, sizeof(buf));

	CHECK(len == -EAGAIN || len == -EPROTO || (len >= 0 && len <= (int)MAX_MSG));
	/* Nothing is taken beyond what the peer has shown: this would wrap. */
	CHECK(rx.avail <= SIZE);
	CHECK(rx.cons == cons + (len >= 0 ? xvm_ring_record_bytes((u32)len) : 0));
	if (!m.honest)
		return;
	if (m.taken == m.shown) {
		CHECK(len == -EAGAIN);
		return;
	}
	CHECK(len == m.len[slot]);
	for (i = 0; i < (u32)len; i++)
		CHECK(buf[i] == m.seed[slot]);
	m.taken++;
	m.freed += xvm_ring_record_bytes((u32)len);
	m.rx_armed = false;
}

static void step_rx_publish(void)
{
	bool wake = xvm_ring_rx_publish(&rx);
	bool fits_now;

	m.used -= m.freed;
	m.freed = 0;
	fits_now = SIZE - m.used >= m.tx_need;
	if (m.honest && m.tx_armed)
		CHECK(wake == fits_now);
	if (m.tx_armed && fits_now)
		m.tx_armed = false;
}

static void step_arm_rx(void)
{
	bool more = xvm_ring_rx_arm(&rx);

	if (m.honest)
		CHECK(more == (m.taken != m.shown));
	m.rx_armed = !more;
}

/* As the protocol has it: publish first, then arm for one record, then sleep. */
static void step_arm_tx(u8 arg)
{
	u32 len = arg % (MAX_MSG + 1);
	bool room;

	step_tx_publish();
	m.tx_need = xvm_ring_record_bytes(len) + tx.reserve;
	room = xvm_ring_tx_arm(&tx, len);
	if (m.honest)
		CHECK(room == (SIZE - m.used >= m.tx_need));
	m.tx_armed = !room;
}

/* The peer writes: a shared word near an interesting value, a record's length, a byte of the ring. */
static void step_forge(u8 op, u8 arg)
{
	static const u16 words[] = { XVM_CTRL_DRV_PROD, XVM_CTRL_DRV_CONS, XVM_CTRL_DRV_PROD_EVENT,
				     XVM_CTRL_DRV_CONS_EVENT };
	u8 *word = control + words[op >> 3 & 3];
	const u32 around[] = { tx.prod, rx.cons, tx.prod - SIZE, rx.cons + SIZE, xvm_get32(word),
			       (u32)arg << 24, 0, 0x80000000u };

	m.honest = false;
	if (!(op & 0x80))
		xvm_put32(word, around[arg & 7] + (u32)(int8_t)(arg & 0xf8) + (op >> 5 & 3));
	else if (op & 0x40)
		mem.data[arg * 4u + (op >> 4 & 3)] = arg;
	else
		xvm_put32(mem.data + (rx.cons & (SIZE - 1)), (u32)arg << (op & 0x18));
}

static void step(u8 op, u8 arg)
{
	switch (op & 7) {
	case 0: step_put(arg, false); break;
	case 1: step_put(arg, true); break;
	case 2: step_tx_publish(); break;
	case 3: step_get(); break;
	case 4: step_rx_publish(); break;
	case 5: step_arm_rx(); break;
	case 6: step_arm_tx(arg); break;
	default: step_forge(op, arg);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t i;

	if (size < 3 || size > 4096)
		return 0;
	start(data);
	for (i = 3; i + 1 < size; i += 2)
		step(data[i], data[i + 1]);
	free(mem.data);
	free(control);
	return 0;
}
