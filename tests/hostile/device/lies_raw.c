// SPDX-License-Identifier: GPL-2.0-or-later
/* Lies in shared memory: indices, records, used rings; events without end; an end under I/O. */
#include "liar.h"
#include "../../../xen/proto/page.h"
#include <string.h>
#include <unistd.h>

#define STORM_MS 1500

/* ---- words of the control page ---- */

enum { PROD_BEYOND, PROD_UNALIGNED, PROD_BACK, CONS_BEYOND, CONS_AHEAD, RECORD_HUGE, RECORD_MAX };

static void word(u32 offset, u32 value)
{
	xvm_shm_publish32(liar.control + offset, value);
	notify();
}

static void record(u32 len, u32 shown)
{
	xvm_put32(liar.dev + (liar.tx->prod & (liar.ring_bytes - 1)), len);
	word(XVM_CTRL_DEV_PROD, liar.tx->prod + shown);
}

/* In the middle of work. Again and again, as a true word may follow before the guest has looked; but one that adds up is told once. */
static bool words(void)
{
	static bool told;

	if ((told && lie->arg == CONS_AHEAD) || liar.given < AT_WORK)
		return false;
	told = true;
	switch (lie->arg) {
	case PROD_BEYOND: word(XVM_CTRL_DEV_PROD, liar.tx->prod + liar.ring_bytes + 8); break;
	case PROD_UNALIGNED: word(XVM_CTRL_DEV_PROD, liar.tx->prod + 9); break;
	case PROD_BACK: word(XVM_CTRL_DEV_PROD, liar.tx->prod - liar.ring_bytes / 2); break;
	case CONS_BEYOND: word(XVM_CTRL_DRV_CONS, xvm_shm_load32(liar.control + XVM_CTRL_DRV_PROD) + 4096); break;
	case CONS_AHEAD: word(XVM_CTRL_DRV_CONS, xvm_shm_load32(liar.control + XVM_CTRL_DRV_CONS) - 4096); break;
	case RECORD_HUGE: record(0xfffffff8, 64); break;
	case RECORD_MAX: record(liar.max_message + 1, 4096); break;
	}
	return false;
}

static bool event_words(void)
{
	xvm_shm_store32(liar.control + XVM_CTRL_DRV_PROD_EVENT, rnd());
	xvm_shm_store32(liar.control + XVM_CTRL_DEV_CONS_EVENT, rnd());
	xvm_page_set_error(liar.control, true, rnd() % 8, rnd());
	notify();
	return false;
}

/* Any byte of what was sent, read or not. */
static bool ring_bytes(void)
{
	u32 i;

	for (i = 0; liar.given >= AT_WORK && i < 64; i++)
		liar.dev[rnd() & (liar.ring_bytes - 1)] = (u8)rnd();
	return false;
}

static bool noise(void)
{
	u8 msg[64];
	u32 i, k, len;

	for (i = 0; i < 100; i++) {
		len = rnd() % sizeof(msg);
		for (k = 0; k < sizeof(msg); k++)
			msg[k] = rnd() % 3 ? (u8)(rnd() % 4) : (u8)rnd();
		if (rnd() % 2)
			xvm_put16(msg + VIRTIO_MSG_HDR_SIZE, (u16)len);
		/* Answers among it may be for somebody: then they were guessed, and that lie has its own name. */
		msg[VIRTIO_MSG_HDR_TYPE] &= (u8)~VIRTIO_MSG_TYPE_RESPONSE;
		put(msg, len, false);
	}
	publish();
	return now_ms() < liar.start_ms + STORM_MS;
}

/* ---- storms ---- */

enum { STORM_USED, STORM_CONFIG, STORM_READY, STORM_COMES_AND_GOES, STORM_NOTIFY };

static void storm_event(u32 i)
{
	struct xvm_msg_event_config m = { .device_status = 15, .generation = rnd(), .offset = rnd(), .length = rnd() % 64 };
	u16 num = rnd() % 2 ? 1 : (u16)rnd();
	u8 msg[64];
	u32 len = 0;

	switch (lie->arg) {
	case STORM_USED:
		len = xvm_msg_put_u32(msg, 0, VIRTIO_MSG_EVENT_USED, num, rnd() % 4 ? rnd() % 4 : rnd());
		break;
	case STORM_CONFIG:
		len = xvm_msg_put_event_config(msg, num, &m);
		break;
	case STORM_READY:
		len = xvm_msg_put_event_device(msg, (u16)rnd(), VIRTIO_MSG_DEVICE_READY);
		break;
	case STORM_COMES_AND_GOES:
		len = xvm_msg_put_event_device(msg, 1, i % 2 ? VIRTIO_MSG_DEVICE_READY : VIRTIO_MSG_DEVICE_REMOVED);
		break;
	}
	xvm_msg_finish(msg, false, 0);
	put(msg, len, false);
}

static bool storm(void)
{
	bool more = now_ms() < liar.start_ms + STORM_MS;
	u32 i;

	for (i = 0; more && i < 50; i++) {
		if (lie->arg == STORM_NOTIFY)
			notify();
		else
			storm_event(i);
	}
	publish();
	return more;
}

/* Pings until the guest has no room for an answer: it may have one at a time. */
static bool pings(void)
{
	u8 msg[16];
	u32 i;

	for (i = 0; liar.given >= AT_WORK && i < 1000; i++) {
		xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, i);
		xvm_msg_finish(msg, false, (u16)i);
		put(msg, 12, true);
	}
	publish();
	return false;
}

/* ---- used rings and descriptors ---- */

enum { USED_ID, USED_FREE, USED_LEN, USED_TWICE, USED_NEVER, USED_AHEAD, USED_BACK };

static void put16(u8 *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_RELEASE);
}

/* Those that are about the split ring: no packed one is offered. */
static void split_only(const u8 *msg, u32 len, bool answer)
{
	struct xvm_msg_features m;
	u8 out[VIRTIO_MSG_OFFER_BYTES];

	memcpy(out, msg, len);
	if (answer && !(msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS) &&
	    msg[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_GET_DEVICE_FEATURES && !xvm_msg_get_features(out, len, true, &m) &&
	    !m.block_index && m.num_blocks > 1)
		out[m.blocks - out + 4] &= (u8)~4;
	put(out, len, answer);
}

static void used_packed(struct xvm_vq *vq, u16 head, u32 len)
{
	u8 *at = vq->desc + 16u * vq->used_next;

	give(vq, head, len);
	if (lie->arg == USED_LEN)
		xvm_put32(at + 8, 0xffffffff);
	else
		xvm_put16(at + 12, (u16)(lie->arg == USED_ID ? 0xff00 : head + vq->config.size / 2u) %
				   (lie->arg == USED_ID ? 65536 : vq->config.size));
}

static void used_split(struct xvm_vq *vq, u16 head, u32 len)
{
	u8 *elem = vq->used + 4 + 8 * (vq->used_next & (vq->config.size - 1u));

	give(vq, head, len);
	switch (lie->arg) {
	case USED_ID: xvm_put32(elem, 0xffff0000 + rnd() % 65536); break;
	case USED_FREE: xvm_put32(elem, (head + vq->config.size / 2u) % vq->config.size); break;
	case USED_LEN: xvm_put32(elem + 4, 0xffffffff); break;
	}
}

static void used(struct xvm_vq *vq, u16 head, u32 len)
{
	if (liar.given < AT_WORK)
		give(vq, head, len);
	else if (lie->arg == USED_NEVER)
		xvm_vq_drop(vq, head);
	else if (vq->packed)
		used_packed(vq, head, len);
	else
		used_split(vq, head, len);
}

static void shown(struct xvm_vq *vq)
{
	if (vq->packed || liar.given < AT_WORK)
		return;
	switch (lie->arg) {
	case USED_TWICE:	/* the last one again, in the place after it */
		memcpy(vq->used + 4 + 8 * (vq->used_next & (vq->config.size - 1u)),
		       vq->used + 4 + 8 * ((vq->used_next - 1u) & (vq->config.size - 1u)), 8);
		put16(vq->used + 2, (u16)(vq->used_next + 1));
		break;
	case USED_AHEAD: put16(vq->used + 2, (u16)(vq->used_next + 1000)); break;
	case USED_BACK: put16(vq->used + 2, (u16)(vq->used_next - 3)); break;
	}
}

/* Descriptors and available ring are the driver's; it must not read them back. */
static void scribble(struct xvm_vq *vq)
{
	u32 i;

	for (i = 0; !vq->packed && liar.given >= AT_WORK && i < 16u * vq->config.size; i++)
		vq->desc[i] = (u8)rnd();
}

static void dies_at_work(struct xvm_vq *vq, u16 head, u32 len)
{
	if (liar.given >= AT_WORK)
		_exit(1);
	give(vq, head, len);
}

/* baddata: a request was completed that the device had not got to, and what a device says was read is its word. */
const struct lie raw_lies[] = {
	{ "prod-beyond-the-ring", "dropped", PROD_BEYOND, .turn = words },
	{ "prod-unaligned", "dropped", PROD_UNALIGNED, .turn = words },
	{ "prod-backwards", "dropped", PROD_BACK, .turn = words },
	{ "cons-beyond", "dropped", CONS_BEYOND, .turn = words },
	{ "cons-backwards", "works", CONS_AHEAD, .turn = words },
	{ "record-4-gib", "dropped", RECORD_HUGE, .turn = words },
	{ "record-over-maximum", "dropped", RECORD_MAX, .turn = words },
	{ "event-words-random", "works", 0, .turn = event_words },
	{ "ring-bytes-change", "works|nodisk|ioerror|dropped", 0, .turn = ring_bytes },
	{ "noise", "works", 0, .turn = noise },
	{ "event-used-storm", "works", STORM_USED, .turn = storm },
	{ "event-config-storm", "works", STORM_CONFIG, .turn = storm },
	{ "device-ready-storm", "works", STORM_READY, .turn = storm },
	{ "device-comes-and-goes-storm", "works|nodisk|ioerror|dropped", STORM_COMES_AND_GOES, .turn = storm },
	{ "notification-storm", "works", STORM_NOTIFY, .turn = storm },
	{ "ping-flood", "works|nodisk|ioerror|dropped", 0, .turn = pings },
	{ "used-id-out-of-range", "ioerror", USED_ID, .message = split_only, .used = used },
	{ "used-id-not-in-use", "ioerror", USED_FREE, .message = split_only, .used = used },
	{ "used-length-4-gib", "works", USED_LEN, .message = split_only, .used = used },
	{ "used-twice", "ioerror|baddata", USED_TWICE, .message = split_only, .shown = shown },
	{ "used-index-ahead", "ioerror|baddata", USED_AHEAD, .message = split_only, .shown = shown },
	{ "used-index-backwards", "ioerror|baddata", USED_BACK, .message = split_only, .shown = shown },
	{ "packed-used-id-out-of-range", "ioerror", USED_ID, .used = used },
	{ "packed-used-id-not-in-use", "ioerror", USED_FREE, .used = used },
	{ "packed-used-length-4-gib", "works", USED_LEN, .used = used },
	{ "used-never", "ioerror", USED_NEVER, .used = used },
	{ "descriptors-overwritten", "works|nodisk|ioerror|dropped", 0, .message = split_only, .shown = scribble },
	{ "dies-under-io", "ioerror", 0, .used = dies_at_work },
	{ 0 }
};
