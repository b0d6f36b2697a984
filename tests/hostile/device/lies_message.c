// SPDX-License-Identifier: GPL-2.0-or-later
/* Lies in answers and events: to nobody, cut, twice, of absurd content, or none. */
#include "liar.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IS_BUS 0x100u	/* in arg: a bus message's id */

static bool is_answer(const u8 *msg, u32 which)
{
	return msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_RESPONSE && msg[VIRTIO_MSG_HDR_ID] == (u8)which &&
	       !!(msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS) == !!(which & IS_BUS);
}

static bool is_request(const u8 *msg, u32 which)
{
	return msg[VIRTIO_MSG_HDR_ID] == (u8)which &&
	       !!(msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS) == !!(which & IS_BUS);
}

static u16 dev_of(const u8 *msg)
{
	return xvm_get16(msg + VIRTIO_MSG_HDR_DEV_NUM);
}

/* out, encoded anew, as the answer that msg was. */
static void instead(const u8 *msg, u8 *out, u32 len)
{
	xvm_msg_finish(out, true, xvm_get16(msg + VIRTIO_MSG_HDR_TOKEN));
	put(out, len, true);
}

/* ---- before each answer another that nobody waits for ---- */

enum { STRAY_TOKEN, STRAY_DEVICE, STRAY_ID, STRAY_KIND, STRAY_SHORT, STRAY_LONG, STRAY_SIZE, STRAY_LENGTHS,
       STRAY_TWICE, STRAY_MANY, STRAY_FAILED };

static u32 spoil(u8 *out, u32 len)
{
	switch (lie->arg) {
	case STRAY_TOKEN:
		xvm_put16(out + VIRTIO_MSG_HDR_TOKEN, (u16)(xvm_get16(out + VIRTIO_MSG_HDR_TOKEN) ^ 0x100));
		return len;
	case STRAY_DEVICE:
		xvm_put16(out + VIRTIO_MSG_HDR_DEV_NUM, (u16)(dev_of(out) ^ 1));
		return len;
	case STRAY_ID:		/* equal lengths, so that only the id is wrong */
		out[VIRTIO_MSG_HDR_ID] ^= VIRTIO_MSG_GET_DEVICE_STATUS ^ VIRTIO_MSG_SET_DEVICE_STATUS;
		return len;
	case STRAY_KIND:
		out[VIRTIO_MSG_HDR_TYPE] ^= VIRTIO_MSG_TYPE_BUS;
		return len;
	case STRAY_SHORT:
		len = len > 12 ? len - 4 : VIRTIO_MSG_HDR_BYTES - 1;
		xvm_put16(out + VIRTIO_MSG_HDR_SIZE, (u16)len);
		return len;
	case STRAY_LONG:
		len = liar.max_message;
		out[VIRTIO_MSG_HDR_ID] |= 0x20;		/* several may be that long, none of these */
		xvm_put16(out + VIRTIO_MSG_HDR_SIZE, (u16)len);
		return len;
	case STRAY_SIZE:
		xvm_put16(out + VIRTIO_MSG_HDR_SIZE, (u16)(len + 8));
		return len;
	}
	return len;
}

static void stray(const u8 *msg, u32 len, bool answer)
{
	u8 out[VIRTIO_MSG_OFFER_BYTES] = { 0 };

	memcpy(out, msg, len);
	if (answer)
		put(out, spoil(out, len), true);
	put(msg, len, answer);
}

static void twice(const u8 *msg, u32 len, bool answer)
{
	put(msg, len, answer);
	if (answer)
		put(msg, len, true);
}

static void many(const u8 *msg, u32 len, bool answer)
{
	u8 out[VIRTIO_MSG_OFFER_BYTES];
	u32 i, k;

	for (i = 0; answer && i < 20; i++) {
		for (k = 0; k < sizeof(out); k++)
			out[k] = (u8)rnd();
		memcpy(out, msg, VIRTIO_MSG_HDR_BYTES);
		xvm_put16(out + VIRTIO_MSG_HDR_TOKEN, (u16)rnd());
		put(out, len, true);
	}
	put(msg, len, answer);
}

static void failed(const u8 *msg, u32 len, bool answer)
{
	struct xvm_msg_request_failed m = {
		.dev_num = dev_of(msg), .token = xvm_get16(msg + VIRTIO_MSG_HDR_TOKEN),
		.type = msg[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS, .id = msg[VIRTIO_MSG_HDR_ID], .reason = 1,
	};
	u8 out[32];
	u32 n = xvm_msg_put_request_failed(out, &m);

	xvm_msg_finish(out, false, 0);
	if (lie->arg)
		put(msg, len, answer);	/* and then it failed after all */
	if (answer)
		put(out, n, true);
	else if (!lie->arg)
		put(msg, len, answer);
}

/* ---- which devices there are ---- */

enum { LIST_ALL, LIST_ENDLESS, LIST_BACK, LIST_OTHER, LIST_LENGTHS };

static void devices(const u8 *msg, u32 len, bool answer)
{
	u8 out[VIRTIO_MSG_OFFER_BYTES], ones[256];
	struct xvm_msg_get_devices m;

	if (!is_answer(msg, IS_BUS | VIRTIO_BUS_MSG_GET_DEVICES) ||
	    xvm_msg_get_devices(msg, liar.dialect, len, &m)) {
		put(msg, len, answer);
		return;
	}
	memset(ones, 0xff, sizeof(ones));
	switch (lie->arg) {
	case LIST_ALL:
		m.bitmap = ones;
		m.next_offset = m.offset < 60000 ? (u16)(m.offset + m.count) : 0;
		break;
	case LIST_ENDLESS:
		m.next_offset = m.offset < 65528 ? (u16)(m.offset + 8) : m.offset;
		break;
	case LIST_BACK:
		m.next_offset = 8;
		break;
	case LIST_OTHER:
		m.offset = (u16)(m.offset + 8);
		break;
	}
	len = xvm_msg_put_devices(out, liar.dialect, &m);
	if (lie->arg == LIST_LENGTHS)
		xvm_put16(out + VIRTIO_MSG_HDR_BYTES + 4, 0xfff8);	/* the count, in both dialects' last word */
	instead(msg, out, len);
}

/* ---- what a device says of itself ---- */

enum { INFO_CONFIG, INFO_FEATURES, INFO_QUEUES, INFO_NO_QUEUES, INFO_TYPE_0, INFO_BALLOON, INFO_TYPE_MAX };

static void info(const u8 *msg, u32 len, bool answer)
{
	struct xvm_msg_device_info m;
	u8 out[VIRTIO_MSG_OFFER_BYTES];

	if (!is_answer(msg, VIRTIO_MSG_GET_DEVICE_INFO)) {
		put(msg, len, answer);
		return;
	}
	xvm_msg_get_device_info(msg, liar.dialect, &m);
	switch (lie->arg) {
	case INFO_CONFIG: m.config_size = 0xffffffff; break;
	case INFO_FEATURES: m.num_feature_bits = 0xffffffe0; break;
	case INFO_QUEUES: m.max_virtqueues = 0xffffffff; break;
	case INFO_NO_QUEUES: m.max_virtqueues = 0; break;
	case INFO_TYPE_0: m.device_id = 0; break;
	case INFO_BALLOON: m.device_id = 5; break;
	case INFO_TYPE_MAX: m.device_id = 0xffffffff; break;
	}
	len = xvm_msg_put_device_info(out, liar.dialect, dev_of(msg), &m);
	instead(msg, out, len);
}

enum { FEATURES_ALL, FEATURES_NONE, FEATURES_INDEX, FEATURES_COUNT };

static void features(const u8 *msg, u32 len, bool answer)
{
	u32 words[2] = { 0xffffffff, 0xffffffff };
	u8 out[VIRTIO_MSG_OFFER_BYTES];

	if (!is_answer(msg, VIRTIO_MSG_GET_DEVICE_FEATURES)) {
		put(msg, len, answer);
		return;
	}
	if (lie->arg == FEATURES_NONE)
		words[0] = words[1] = 0;
	len = xvm_msg_put_features(out, VIRTIO_MSG_GET_DEVICE_FEATURES, dev_of(msg),
				   lie->arg == FEATURES_INDEX ? 7 : 0, 2, words);
	if (lie->arg == FEATURES_COUNT)
		xvm_put32(out + VIRTIO_MSG_HDR_BYTES + 4, 0x40000000);
	instead(msg, out, len);
}

enum { STATUS_NOT_OK, STATUS_ONES, STATUS_ZERO, STATUS_KEPT, STATUS_BROKEN };

static void status(const u8 *msg, u32 len, bool answer)
{
	u8 out[32];
	u32 now;

	if (!is_answer(msg, VIRTIO_MSG_SET_DEVICE_STATUS) && !is_answer(msg, VIRTIO_MSG_GET_DEVICE_STATUS)) {
		put(msg, len, answer);
		return;
	}
	now = xvm_msg_get_u32(msg);
	switch (lie->arg) {
	case STATUS_NOT_OK: now &= ~8u; break;
	case STATUS_ONES: now = 0xffffffff; break;
	case STATUS_ZERO: now = 0; break;
	case STATUS_KEPT: now |= 1; break;
	case STATUS_BROKEN: now |= now & 4 ? 64 : 0; break;
	}
	len = xvm_msg_put_u32(out, 0, msg[VIRTIO_MSG_HDR_ID], dev_of(msg), now);
	instead(msg, out, len);
}

enum { CONFIG_GENERATION, CONFIG_EMPTY, CONFIG_ONES, CONFIG_RANDOM, CONFIG_OFFSET };

static void config(const u8 *msg, u32 len, bool answer)
{
	struct xvm_msg_config m;
	u8 out[VIRTIO_MSG_OFFER_BYTES], data[VIRTIO_MSG_OFFER_BYTES];
	u32 i;

	if (!is_answer(msg, VIRTIO_MSG_GET_CONFIG) || xvm_msg_get_config(msg, len, false, &m)) {
		put(msg, len, answer);
		return;
	}
	for (i = 0; i < sizeof(data); i++)
		data[i] = lie->arg == CONFIG_ONES ? 0xff : (u8)rnd();
	switch (lie->arg) {
	case CONFIG_GENERATION: m.generation = rnd(); break;
	case CONFIG_EMPTY: m.length = 0; break;
	case CONFIG_OFFSET: m.offset += 4; break;
	default: m.data = data; break;
	}
	len = xvm_msg_put_config(out, VIRTIO_MSG_GET_CONFIG, dev_of(msg), &m);
	instead(msg, out, len);
}

enum { QUEUE_NONE, QUEUE_MAX, QUEUE_3, QUEUE_ELSEWHERE, QUEUE_INDEX, QUEUE_UNSET };

static void queues(const u8 *msg, u32 len, bool answer)
{
	struct xvm_msg_vqueue m;
	u8 out[VIRTIO_MSG_OFFER_BYTES];

	if (!is_answer(msg, VIRTIO_MSG_GET_VQUEUE)) {
		put(msg, len, answer);
		return;
	}
	xvm_msg_get_vqueue(msg, liar.dialect, &m);
	switch (lie->arg) {
	case QUEUE_NONE: m.max_size = 0; break;
	case QUEUE_MAX: m.max_size = 0xffffffff; break;
	case QUEUE_3: m.max_size = 3; break;
	case QUEUE_ELSEWHERE: m.desc_addr += 16; break;
	case QUEUE_INDEX: m.index++; break;
	case QUEUE_UNSET: m.size = m.flags = 0; break;
	}
	len = xvm_msg_put_vqueue(out, liar.dialect, dev_of(msg), &m);
	instead(msg, out, len);
}

enum { AREA_FULL, AREA_FULL_MAX, AREA_FULL_17, AREA_INVALID, AREA_UNKNOWN, AREA_OTHER };

static void areas(const u8 *msg, u32 len, bool answer)
{
	static const u16 states[] = { XVM_STATUS_NO_SPACE, XVM_STATUS_NO_SPACE, XVM_STATUS_NO_SPACE,
				      XVM_STATUS_INVALID, 0xffff, XVM_STATUS_OK };
	static const u32 limits[] = { 0, 0xffffffff, 17, 0, 0, 0 };
	struct xvm_msg_area_status m;
	static bool told;
	u8 out[32];

	if (!is_answer(msg, IS_BUS | XVM_BUS_MSG_AREA_ADD) || (told && lie->arg == AREA_FULL_17)) {
		put(msg, len, answer);
		return;
	}
	told = true;
	xvm_msg_get_area_status(msg, XVM_BUS_MSG_AREA_ADD, &m);
	m.status = states[lie->arg];
	m.limit = limits[lie->arg];
	m.id = (u16)(m.id + (lie->arg == AREA_OTHER));
	len = xvm_msg_put_area_status(out, XVM_BUS_MSG_AREA_ADD, &m);
	instead(msg, out, len);
}

/* AREA_DEL and RELEASE_DEVICE: refused, though done. */
static void taking_back(const u8 *msg, u32 len, bool answer)
{
	struct xvm_msg_area_status m;
	u8 id = msg[VIRTIO_MSG_HDR_ID], out[32];

	if (!is_answer(msg, IS_BUS | XVM_BUS_MSG_AREA_DEL) && !is_answer(msg, IS_BUS | XVM_BUS_MSG_RELEASE_DEVICE)) {
		put(msg, len, answer);
		return;
	}
	xvm_msg_get_area_status(msg, id, &m);
	m.status = XVM_STATUS_BUSY;
	m.id ^= 1;
	len = xvm_msg_put_area_status(out, id, &m);
	instead(msg, out, len);
}

/* ---- silence, and the end ---- */

static void silent(const u8 *msg, u32 len, bool answer)
{
	if (!is_answer(msg, lie->arg))
		put(msg, len, answer);
}

static bool dies(const u8 *msg, u32 len)
{
	(void)len;
	if (is_request(msg, lie->arg))
		_exit(1);
	return true;
}

static bool dies_at_driver_ok(const u8 *msg, u32 len)
{
	if (is_request(msg, VIRTIO_MSG_SET_DEVICE_STATUS) && len >= 12 && xvm_msg_get_u32(msg) & 4)
		_exit(1);
	return true;
}

const struct lie message_lies[] = {
	{ "stray-answers-of-another-token", "works", STRAY_TOKEN, .message = stray },
	{ "stray-answers-of-another-device", "works", STRAY_DEVICE, .message = stray },
	{ "stray-answers-of-another-id", "works", STRAY_ID, .message = stray },
	{ "stray-answers-of-another-kind", "works", STRAY_KIND, .message = stray },
	{ "stray-answers-cut-short", "nodisk", STRAY_SHORT, .message = stray },
	{ "stray-answers-too-long", "works", STRAY_LONG, .message = stray },
	{ "stray-answers-of-lying-size", "works", STRAY_SIZE, .message = stray },
	{ "answers-twice", "works", STRAY_TWICE, .message = twice },
	{ "answers-nobody-asked-for", "works", STRAY_MANY, .message = many },
	{ "requests-fail-and-are-answered", "works", 1, .message = failed },
	{ "requests-all-fail", "nodisk", 0, .message = failed },
	{ "device-list-all-numbers", "works", LIST_ALL, .message = devices },
	{ "device-list-without-end", "nodisk", LIST_ENDLESS, .message = devices },
	{ "device-list-goes-back", "nodisk", LIST_BACK, .message = devices },
	{ "device-list-of-another-window", "nodisk", LIST_OTHER, .message = devices },
	{ "device-list-lengths-lie", "nodisk", LIST_LENGTHS, .message = devices },
	{ "config-size-4-gib", "nodisk", INFO_CONFIG, .message = info },
	{ "feature-bits-4-billion", "nodisk", INFO_FEATURES, .message = info },
	{ "queues-4-billion", "works", INFO_QUEUES, .message = info },
	{ "queues-none", "nodisk", INFO_NO_QUEUES, .message = info },
	{ "device-type-0", "nodisk", INFO_TYPE_0, .message = info },
	{ "device-type-balloon", "nodisk", INFO_BALLOON, .message = info },
	{ "device-type-4-billion", "nodisk", INFO_TYPE_MAX, .message = info },
	{ "features-all", "nodisk", FEATURES_ALL, .message = features },
	{ "features-none", "nodisk", FEATURES_NONE, .message = features },
	{ "features-of-another-block", "nodisk", FEATURES_INDEX, .message = features },
	{ "features-count-lies", "nodisk", FEATURES_COUNT, .message = features },
	{ "status-never-features-ok", "nodisk", STATUS_NOT_OK, .message = status },
	{ "status-all-ones", "nodisk", STATUS_ONES, .message = status },
	{ "status-always-0", "nodisk", STATUS_ZERO, .message = status },
	{ "status-after-reset-not-0", "nodisk", STATUS_KEPT, .message = status },
	{ "status-needs-reset", "works|ioerror|nodisk", STATUS_BROKEN, .message = status },
	{ "config-generation-always-new", "works", CONFIG_GENERATION, .message = config },
	{ "config-answers-empty", "nodisk|ioerror", CONFIG_EMPTY, .message = config },
	{ "config-all-ones", "works|nodisk|ioerror", CONFIG_ONES, .message = config },
	{ "config-random", "works|nodisk|ioerror", CONFIG_RANDOM, .message = config },
	{ "config-of-another-offset", "nodisk|ioerror", CONFIG_OFFSET, .message = config },
	{ "queue-size-0", "nodisk", QUEUE_NONE, .message = queues },
	{ "queue-size-4-billion", "nodisk", QUEUE_MAX, .message = queues },
	{ "queue-size-3", "works|nodisk|ioerror", QUEUE_3, .message = queues },
	{ "queue-elsewhere", "nodisk", QUEUE_ELSEWHERE, .message = queues },
	{ "queue-of-another-index", "nodisk", QUEUE_INDEX, .message = queues },
	{ "queue-not-set-up", "nodisk", QUEUE_UNSET, .message = queues },
	{ "area-refused-nothing-left", "nodisk", AREA_FULL, .message = areas },
	{ "area-refused-4-billion-left", "nodisk", AREA_FULL_MAX, .message = areas },
	{ "area-refused-17-pages-left", "works|ioerror", AREA_FULL_17, .message = areas },
	{ "area-refused-invalid", "nodisk", AREA_INVALID, .message = areas },
	{ "area-status-unknown", "nodisk", AREA_UNKNOWN, .message = areas },
	{ "area-of-another-id", "nodisk", AREA_OTHER, .message = areas },
	{ "areas-not-given-back", "works", 0, .message = taking_back },
	{ "silent-at-ping", "nodisk", IS_BUS | VIRTIO_BUS_MSG_PING, .message = silent },
	{ "silent-at-device-info", "nodisk", VIRTIO_MSG_GET_DEVICE_INFO, .message = silent },
	{ "silent-at-area", "nodisk", IS_BUS | XVM_BUS_MSG_AREA_ADD, .message = silent },
	{ "silent-at-area-back", "works", IS_BUS | XVM_BUS_MSG_AREA_DEL, .message = silent },
	{ "dies-at-device-list", "nodisk", IS_BUS | VIRTIO_BUS_MSG_GET_DEVICES, .record = dies },
	{ "dies-at-features", "nodisk", VIRTIO_MSG_SET_DRIVER_FEATURES, .record = dies },
	{ "dies-at-set-queue", "nodisk", VIRTIO_MSG_SET_VQUEUE, .record = dies },
	{ "dies-at-driver-ok", "nodisk|ioerror", 0, .record = dies_at_driver_ok },
	{ 0 }
};
