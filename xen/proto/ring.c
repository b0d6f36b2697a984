// SPDX-License-Identifier: MIT
#include "ring.h"
#include "num.h"
#include "../../include/xvmsg/xenbus.h"

void xvm_ring_mem_init(struct xvm_ring_mem *mem, u8 *control, u8 *data, u32 size, bool driver_ring)
{
	mem->data = data;
	mem->size = size;
	mem->prod = control + (driver_ring ? XVM_CTRL_DRV_PROD : XVM_CTRL_DEV_PROD);
	mem->cons_event = control +
			  (driver_ring ? XVM_CTRL_DRV_CONS_EVENT : XVM_CTRL_DEV_CONS_EVENT);
	mem->cons = control + (driver_ring ? XVM_CTRL_DRV_CONS : XVM_CTRL_DEV_CONS);
	mem->prod_event = control +
			  (driver_ring ? XVM_CTRL_DRV_PROD_EVENT : XVM_CTRL_DEV_PROD_EVENT);
}

u32 xvm_ring_min_bytes(u32 max_msg, u32 credits)
{
	u64 record = XVM_RECORD_HDR_BYTES + (((u64)max_msg + 7u) & ~(u64)7u), bytes;

	if (record > 0xffffffffu)
		return 0xffffffffu;
	bytes = record * credits;
	return bytes > 0x7fffffffu ? 0xffffffffu : (u32)(2 * bytes);
}

int xvm_ring_tx_init(struct xvm_ring_tx *tx, const struct xvm_ring_mem *mem, u32 max_msg,
		     u32 peer_credits)
{
	if (!xvm_is_pow2(mem->size) || xvm_ring_min_bytes(max_msg, peer_credits) > mem->size)
		return -EINVAL;
	/* Without credits there is no reserve, but a message must still fit. */
	if (xvm_ring_record_bytes(max_msg) > mem->size)
		return -EINVAL;
	memset(tx, 0, sizeof(*tx));
	tx->mem = *mem;
	tx->max_msg = max_msg;
	tx->reserve = peer_credits * xvm_ring_record_bytes(max_msg);
	return 0;
}

void xvm_ring_rx_init(struct xvm_ring_rx *rx, const struct xvm_ring_mem *mem, u32 max_msg)
{
	memset(rx, 0, sizeof(*rx));
	rx->mem = *mem;
	rx->max_msg = max_msg;
}

/* Bytewise wrapping copies; bytes <= size and pos is free-running. */
static void ring_write(const struct xvm_ring_mem *mem, u32 pos, const u8 *src, u32 bytes)
{
	u32 at = pos & (mem->size - 1);
	u32 first = mem->size - at < bytes ? mem->size - at : bytes;

	xvm_shm_copy(mem->data + at, src, first);
	xvm_shm_copy(mem->data, src + first, bytes - first);
}

static void ring_read(const struct xvm_ring_mem *mem, u32 pos, u8 *dst, u32 bytes)
{
	u32 at = pos & (mem->size - 1);
	u32 first = mem->size - at < bytes ? mem->size - at : bytes;

	xvm_shm_copy(dst, mem->data + at, first);
	xvm_shm_copy(dst + first, mem->data, bytes - first);
}

/*
 * Free bytes, or -EPROTO. The acquire pairs with the consumer's publish of
 * cons: our later writes cannot overtake its reads of the same bytes.
 */
static int tx_free(struct xvm_ring_tx *tx, u32 *free)
{
	u32 cons = xvm_shm_acquire32(tx->mem.cons);

	/* cons lies between published - size and published, or the peer lies. */
	if (tx->prod - cons > tx->mem.size || tx->prod - cons < tx->prod - tx->published) {
		tx->bad = cons;
		return -EPROTO;
	}
	*free = tx->mem.size - (tx->prod - cons);
	return 0;
}

int xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer)
{
	static const u8 zero[XVM_RECORD_ALIGN];
	u32 need = xvm_ring_record_bytes(len), free;
	u8 hdr[XVM_RECORD_HDR_BYTES] = { 0 };
	int err;

	if (len > tx->max_msg)
		return -EMSGSIZE;
	err = tx_free(tx, &free);
	if (err)
		return err;
	if (free < need + (answer ? 0 : tx->reserve))
		return -ENOSPC;

	xvm_put32(hdr, len);
	ring_write(&tx->mem, tx->prod, hdr, sizeof(hdr));
	ring_write(&tx->mem, tx->prod + XVM_RECORD_HDR_BYTES, msg, len);
	ring_write(&tx->mem, tx->prod + XVM_RECORD_HDR_BYTES + len, zero,
		   need - XVM_RECORD_HDR_BYTES - len);
	tx->prod += need;
	return 0;
}

/*
 * True when a move from old to now passes the index the other side asked for.
 * The event word is the peer's hint: a lie costs the liar a wake-up, no more.
 */
static bool passes(u32 event, u32 old, u32 now)
{
	return now - event - 1 < now - old;
}

bool xvm_ring_tx_publish(struct xvm_ring_tx *tx)
{
	u32 old = tx->published;

	if (tx->prod == old)
		return false;
	/* Release: the records are visible before the index that covers them. */
	xvm_shm_publish32(tx->mem.prod, tx->prod);
	tx->published = tx->prod;
	/* Pairs with the barrier in xvm_ring_rx_arm: either we see its event word or it sees prod. */
	xvm_shm_mb();
	return passes(xvm_shm_load32(tx->mem.prod_event), old, tx->prod);
}

bool xvm_ring_tx_arm(struct xvm_ring_tx *tx, u32 len)
{
	u32 need = xvm_ring_record_bytes(len) + tx->reserve, free;

	/* Fires when cons moves past the last value at which it does not fit. */
	xvm_shm_store32(tx->mem.cons_event, tx->prod + need - tx->mem.size - 1);
	/* Pairs with the barrier in xvm_ring_rx_publish. */
	xvm_shm_mb();
	return tx_free(tx, &free) || free >= need;
}

/* Looks at the producer's index, once, when the bytes of the last look are used up. */
static int rx_look(struct xvm_ring_rx *rx)
{
	u32 prod;

	if (rx->avail)
		return 0;
	/* Acquire pairs with the producer's release: the records are there. */
	prod = xvm_shm_acquire32(rx->mem.prod);
	if (prod - rx->cons > rx->mem.size || (prod & (XVM_RECORD_ALIGN - 1))) {
		rx->bad = prod;
		return -EPROTO;
	}
	rx->avail = prod - rx->cons;
	return rx->avail ? 0 : -EAGAIN;
}

int xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap)
{
	u8 hdr[XVM_RECORD_HDR_BYTES];
	u32 len, need;
	int err = rx_look(rx);

	if (err)
		return err;
	/* avail is a multiple of 8 and not 0, so the record header is there. */
	ring_read(&rx->mem, rx->cons, hdr, sizeof(hdr));
	len = xvm_get32(hdr);
	if (len > rx->max_msg || len > cap || xvm_ring_record_bytes(len) > rx->avail) {
		rx->bad = len;
		return -EPROTO;
	}
	need = xvm_ring_record_bytes(len);
	ring_read(&rx->mem, rx->cons + XVM_RECORD_HDR_BYTES, buf, len);
	rx->cons += need;
	rx->avail -= need;
	return (int)len;
}

bool xvm_ring_rx_publish(struct xvm_ring_rx *rx)
{
	u32 old = rx->published;

	if (rx->cons == old)
		return false;
	/* Release: our reads are done before the producer may write there again. */
	xvm_shm_publish32(rx->mem.cons, rx->cons);
	rx->published = rx->cons;
	/* Pairs with the barrier in xvm_ring_tx_arm. */
	xvm_shm_mb();
	return passes(xvm_shm_load32(rx->mem.cons_event), old, rx->cons);
}

bool xvm_ring_rx_arm(struct xvm_ring_rx *rx)
{
	if (rx->avail)
		return true;
	xvm_shm_store32(rx->mem.prod_event, rx->cons);
	/* Pairs with the barrier in xvm_ring_tx_publish. */
	xvm_shm_mb();
	return xvm_shm_load32(rx->mem.prod) != rx->cons;
}
