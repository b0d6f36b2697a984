// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages: malformed of every kind, valid ones with nonsense in them, too many of them. */
#include "front.h"

/* Puts it as it is, with a token that nobody waits for. */
static void raw(u8 type, u8 id, u16 dev, u16 size, const void *payload, u32 len)
{
	u8 msg[264] = { 0 };

	msg[0] = type;
	msg[1] = id;
	xvm_put16(msg + 2, dev);
	xvm_put16(msg + 4, 0xf000);
	xvm_put16(msg + 6, size);
	if (payload)
		memcpy(msg + 8, payload, len > 8 ? len - 8 : 0);
	front_put_wait(msg, len);
}

static void alive(const char *after)
{
	if (!front_ping())
		wrong("no answer to a ping after %s", after);
}

static void too_short(void)
{
	u32 i;

	for (i = 0; i < 8; i++)
		raw(2, VIRTIO_BUS_MSG_PING, 0, (u16)i, NULL, i);
	alive("messages shorter than a header");
}

static void lengths(void)
{
	static const u8 ids[] = { 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x41 };
	static const u8 bus_ids[] = { 2, 3, 0x80, 0x81, 0x84 };
	u16 dev = dev_find(2);
	u32 i, len;

	for (len = 8; len <= 264; len += len < 64 ? 1 : 40) {
		for (i = 0; i < sizeof(ids); i++)
			raw(0, ids[i], dev, (u16)len, NULL, len);
		alive("wrong lengths");
		for (i = 0; i < sizeof(bus_ids); i++)
			raw(2, bus_ids[i], 0, (u16)len, NULL, len);
		alive("wrong lengths on the bus");
	}
}

static void size_lies(void)
{
	u32 i;

	for (i = 0; i < 64; i++)
		raw(0, VIRTIO_MSG_GET_DEVICE_STATUS, 1, (u16)rnd(), NULL, 8 + rnd() % 200);
	alive("sizes that are not the record's");
}

static void unknown_ids(void)
{
	u32 i;

	for (i = 0; i < 256; i++) {
		raw((u8)(rnd() & ~3u), (u8)(i < 0x0d ? 0x0d + i : i | 0x10), 1, 12, NULL, 12);
		raw(2, (u8)(i | 4), 0, 12, NULL, 12);
		if (i % 16 == 0)
			alive("unknown ids");
	}
	alive("unknown ids");
}

static void wrong_direction(void)
{
	static const u8 used[16] = { 0 };
	u32 i;

	for (i = 0; i < 20; i++) {
		raw(0, VIRTIO_MSG_EVENT_USED, 1, 12, used, 12);
		raw(0, VIRTIO_MSG_EVENT_CONFIG, 1, 24, used, 24);
		raw(2, VIRTIO_BUS_MSG_EVENT_DEVICE, 0, 12, used, 12);
		raw(2, XVM_BUS_MSG_REQUEST_FAILED, 0, 16, used, 16);
		raw(1, VIRTIO_MSG_GET_DEVICE_INFO, 1, 32, NULL, 32);
		raw(3, VIRTIO_BUS_MSG_GET_DEVICES, 0, 14, NULL, 14);
		raw(1, VIRTIO_MSG_EVENT_AVAIL, 1, 16, used, 16);
	}
	alive("messages that are the other side's");
}

static void answers_to_nothing(void)
{
	u32 i;

	for (i = 0; i < 1000; i++) {
		raw(3, VIRTIO_BUS_MSG_PING, 0, 12, NULL, 12);
		raw(1, VIRTIO_MSG_GET_DEVICE_STATUS, (u16)i, 12, NULL, 12);
	}
	alive("answers to nothing");
}

static void bus_with_device(void)
{
	u32 i;

	for (i = 0; i < 100; i++)
		raw(2, VIRTIO_BUS_MSG_PING, (u16)(1 + rnd() % 65535), 12, NULL, 12);
	alive("bus messages with a device number");
}

static void length_fields(void)
{
	u8 payload[256];
	u32 i, k;

	for (i = 0; i < 400; i++) {
		for (k = 0; k < sizeof(payload); k++)
			payload[k] = rnd() % 2 ? 0xff : (u8)rnd();
		raw(0, VIRTIO_MSG_SET_DRIVER_FEATURES, 1, (u16)(16 + i % 200), payload, 16 + i % 200);
		raw(0, VIRTIO_MSG_SET_CONFIG, 1, (u16)(20 + i % 200), payload, 20 + i % 200);
		raw(2, XVM_BUS_MSG_AREA_ADD, 0, (u16)(28 + i % 60), payload, 28 + i % 60);
		if (i % 8 == 0)
			alive("length fields that lie");
	}
}

/* Every request with one token, all at once; and answers are matched by us alone. */
static void tokens_reused(void)
{
	u8 msg[16];
	u32 i, k, before = front.answers;

	for (k = 0; k < 50; k++) {
		for (i = 0; i < 16; i++) {
			xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, i);
			xvm_msg_finish(msg, false, 0x7777);
			front_put_wait(msg, 12);
		}
		alive("equal tokens");
	}
	if (front.answers - before != 50 * 17)
		wrong("%u answers to %u requests", front.answers - before, 50 * 17);
}

static void absent_numbers(void)
{
	u8 msg[64];
	u32 num, none = 0, asked = 0;
	struct xvm_msg_vqueue vq = { .size = 64, .desc_addr = 1ull << 40 };
	u16 blk = dev_find(2), rng = dev_find(4);

	for (num = 0; num < 65536; num += num < 64 ? 1 : 509) {
		if (num && (num == blk || num == rng))
			continue;
		none += front_ask(msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, (u16)num)) == 0;
		none += front_ask(msg, xvm_msg_put_set_vqueue(msg, front.pick.dialect, (u16)num, &vq)) == 0;
		none += front_ask(msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_SET_DEVICE_STATUS, (u16)num, 15)) == 0;
		asked += 3;
	}
	seen("%u of %u refused", none, asked);
	if (none != asked)
		wrong("a number without a device answered");
}

static void release_all(void)
{
	u8 msg[16];
	u32 num;

	/* Present, absent, number 0: nothing may be released that was not removed. */
	for (num = 0; num < 300; num++)
		front_ask(msg, xvm_msg_put_number(msg, XVM_BUS_MSG_RELEASE_DEVICE, (u16)num));
	if (!dev_find(2))
		wrong("a live device was released");
}

static void odd_windows(void)
{
	static const u16 odd[] = { 0, 1, 7, 8, 9, 15, 16, 2000, 2008, 4096, 65528, 65532, 65535 };
	struct xvm_msg_get_devices m;
	u8 msg[16];
	u32 i, k;

	for (i = 0; i < XVM_ARRAY_SIZE(odd); i++)
		for (k = 0; k < XVM_ARRAY_SIZE(odd); k++) {
			if (front_ask(msg, xvm_msg_put_get_devices(msg, odd[i], odd[k])) <= 0 ||
			    xvm_msg_get_devices(front.answer, XVM_DIALECT_PR28, front.answer_len, &m) || m.offset != odd[i])
				wrong("window %u+%u was not answered well", odd[i], odd[k]);
		}
}

static void config_ranges(void)
{
	static const u8 junk[244] = { 0xa5 };
	u16 dev = dev_find(2);
	u8 msg[264];
	u32 i;

	for (i = 0; i < 600; i++) {
		u32 off = rnd() % 3 ? rnd() % 80 : rnd() << 16, len = rnd() % 3 ? rnd() % 245 : rnd() << 12;
		struct xvm_msg_config m = { .generation = rnd() % 3, .offset = off, .length = len % 245, .data = junk };

		if (i % 2)
			front_ask(msg, xvm_msg_put_get_config(msg, dev, off, len));
		else
			front_ask(msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, dev, &m));
		if (front_dropped())
			wrong("dropped after %u config requests", i);
	}
}

static void features_random(void)
{
	u16 dev = dev_find(2);
	u32 words[60], i, k, status;
	u8 msg[264];

	for (i = 0; i < 150; i++) {
		for (k = 0; k < 60; k++)
			words[k] = rnd() << 8 ^ rnd();
		front_ask(msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, dev,
						    rnd() % 2 ? rnd() % 4 : 0xffffffff - rnd() % 4, rnd() % 60, words));
		front_ask(msg, xvm_msg_put_get_features(msg, dev, rnd() % 4 ? rnd() % 4 : rnd() << 16,
							rnd() % 4 ? rnd() % 70 : rnd() << 20));
		status = (u32)dev_set_status(dev, rnd() % 256);
		if (i % 10 == 0)
			dev_set_status(dev, 0);
	}
	(void)status;
	dev_set_status(dev, 0);
}

static void noise(void)
{
	static const u8 ids[] = { 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x40, 0x41, 0x42, 0x80, 0x81, 0x84, 0xc0,
				  0x13, 0xff };
	static const u16 lens[] = { 8, 12, 16, 20, 24, 28, 48, 264 };
	u8 payload[256];
	u32 i, k, len;

	for (i = 0; i < 6000 && !front_dropped(); i++) {
		for (k = 0; k < sizeof(payload); k++)
			payload[k] = rnd() % 3 ? 0 : rnd() % 4 ? (u8)(rnd() % 9) : (u8)rnd();
		len = lens[rnd() % XVM_ARRAY_SIZE(lens)];
		k = rnd() % 3;
		raw(k ? 0 : 2, ids[rnd() % sizeof(ids)], k ? (u16)(rnd() % 4) : 0, (u16)len, payload, len);
		if (i % 8 == 0)
			front_ping();
	}
	seen("%u messages", i);
}

static void event_flood(void)
{
	struct xvm_msg_event_avail m;
	u64 end = now_ms() + 2000;
	u8 msg[16];
	u32 i = 0;

	if (disk_up())
		wrong("the disk did not come up");
	while (now_ms() < end && !front_dropped()) {
		m.vq_index = rnd() % 4 ? rnd() % 66 : rnd();
		m.next_offset = rnd();
		xvm_msg_put_event_avail(msg, (u16)(rnd() % 4), &m);
		xvm_msg_finish(msg, false, 0);
		front_put_wait(msg, 16);
		i++;
	}
	seen("%u events", i);
	if (disk_prove())
		wrong("the disk did not work afterwards");
}

static void ping_flood(void)
{
	u64 end = now_ms() + 2000;
	u32 i = 0, before = front.answers;
	u8 msg[16];

	while (now_ms() < end) {
		xvm_msg_put_u32(msg, 2, VIRTIO_BUS_MSG_PING, 0, i++);
		xvm_msg_finish(msg, false, (u16)i);
		front_put_wait(msg, 12);
		while (i - (front.answers - before) >= front.pick.credits && !front_dropped())
			front_poll(2);
	}
	seen("%u pings", i);
}

/* Each turn makes the supervisor write to xenstore twice. */
static void driver_ok_flood(void)
{
	u64 end = now_ms() + 2000;
	u32 i = 0;

	if (disk_up())
		wrong("the disk did not come up");
	for (; now_ms() < end && !front_dropped(); i++) {
		dev_set_status(disk.dev, 0);
		dev_negotiate(disk.dev);
		dev_set_status(disk.dev, 15);
	}
	seen("%u times", i);
}

/* Each one makes a log line, an EVENT_CONFIG and a word to the supervisor. */
static void break_flood(void)
{
	u64 end = now_ms() + 2000;
	u32 i = 0;

	if (disk_up())
		wrong("the disk did not come up");
	for (; now_ms() < end && !front_dropped(); i++) {
		disk_avail(DISK_QUEUE + 1);
		disk_kick();
		if (disk_again() < 0)
			break;
	}
	seen("%u times", i);
}

const struct attack msg_attacks[] = {
	{ "msg", "message-too-short", too_short, STAYS, 0 },
	{ "msg", "message-lengths-wrong", lengths, STAYS, 0 },
	{ "msg", "message-size-lies", size_lies, STAYS, 0 },
	{ "msg", "message-ids-unknown", unknown_ids, STAYS, 0 },
	{ "msg", "message-wrong-direction", wrong_direction, STAYS, 0 },
	{ "msg", "answers-to-nothing", answers_to_nothing, STAYS, 0 },
	{ "msg", "bus-message-with-device-number", bus_with_device, STAYS, 0 },
	{ "msg", "length-fields-lie", length_fields, STAYS, 0 },
	{ "msg", "tokens-reused", tokens_reused, STAYS, 0 },
	{ "msg", "numbers-without-device", absent_numbers, STAYS, 0 },
	{ "msg", "release-of-live-devices", release_all, STAYS, 0 },
	{ "msg", "get-devices-odd-windows", odd_windows, STAYS, 0 },
	{ "msg", "config-ranges-random", config_ranges, STAYS, 0 },
	{ "msg", "features-and-status-random", features_random, STAYS, 0 },
	{ "msg", "noise", noise, STAYS, 0 },
	{ "msg", "event-avail-flood", event_flood, STAYS, 0 },
	{ "msg", "ping-flood", ping_flood, STAYS, 0 },
	{ "msg", "driver-ok-and-reset-flood", driver_ok_flood, STAYS, 0 },
	{ "msg", "device-broken-flood", break_flood, STAYS, 0 },
	{ 0 }
};
