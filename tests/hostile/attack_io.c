// SPDX-License-Identifier: GPL-2.0-or-later
/* The disk itself: resets in the middle, requests beyond the end, of odd lengths, of unknown kinds. */
#include "front.h"
#include <linux/virtio_blk.h>

static void up(void)
{
	if (disk_up())
		wrong("the disk did not come up");
}

static void many(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		disk_request(i, i % 3 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 4096 + 8 * i, 4096);
	disk_kick();
}

static void reset_under_io(void)
{
	u32 i;

	up();
	for (i = 0; i < 15; i++) {
		many(16);
		if (i % 2)
			nap_ms(i % 5);
		/* Status 0, and the queue again in the same breath. */
		if (disk_again())
			wrong("round %u: the disk did not come back", i);
	}
}

static void queue_reset_under_io(void)
{
	u8 msg[16];
	u32 i;

	up();
	for (i = 0; i < 40; i++) {
		many(16);
		if (front_ask(msg, xvm_msg_put_u32(msg, 0, VIRTIO_MSG_RESET_VQUEUE, disk.dev, 0)) != 8)
			wrong("round %u: no answer", i);
		memset(disk.base, 0, DISK_HDR);
		disk.avail = 0;
		dev_set_vqueue(disk.dev, &disk.config);
	}
}

static void set_queue_under_io(void)
{
	u32 i;

	up();
	for (i = 0; i < 15; i++) {
		many(16);
		dev_set_vqueue(disk.dev, &disk.config);		/* without a reset */
		disk_settle(20);
		if (disk_again())
			wrong("no reset");
	}
}

/* Disconnected in the middle of I/O, connected again at once. */
static void disconnect_under_io(void)
{
	u32 i;

	for (i = 0; i < 3; i++) {
		up();
		many(16);
		front_must_open();
	}
	up();
}

static void answered(u32 type, u64 sector, u32 bytes, u8 status, const char *what)
{
	int got = disk_do(type, sector, bytes);

	if (got != status)
		wrong("%s: status %d, not %u", what, got, status);
}

static void beyond_the_end(void)
{
	static const u32 types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT };
	u32 i;

	up();
	for (i = 0; i < 2; i++) {
		answered(types[i], disk.sectors, 512, 1, "the sector after the last");
		answered(types[i], disk.sectors - 1, 1024, 1, "over the end");
		answered(types[i], ~0ull, 512, 1, "sector 2^64-1");
		answered(types[i], ~0ull - 6, 4096, 1, "a range that wraps");
		answered(types[i], 1ull << 55, 512, 1, "an offset that wraps");
		answered(types[i], 1ull << 63, 4096, 1, "sector 2^63");
	}
	answered(VIRTIO_BLK_T_IN, disk.sectors - 1, 512, 0, "the last sector");
}

static void lengths(void)
{
	static const u32 odd[] = { 1, 511, 513, 4095, 1000 };
	u32 i;

	up();
	for (i = 0; i < XVM_ARRAY_SIZE(odd); i++) {
		answered(VIRTIO_BLK_T_IN, 0, odd[i], 1, "an odd length");
		answered(VIRTIO_BLK_T_OUT, 0, odd[i], 1, "an odd length");
	}
	/* No data at all: whatever it says, it answers. */
	disk_do(VIRTIO_BLK_T_IN, 0, 0);
	disk_do(VIRTIO_BLK_T_OUT, 0, 0);
	disk_do(VIRTIO_BLK_T_GET_ID, 0, 0);
	for (i = 1; i < 30; i++)
		disk_do(VIRTIO_BLK_T_GET_ID, rnd(), i);
}

/* Data cut into pieces of any length and place; every byte on its own at worst. */
static void pieces(void)
{
	u32 i, k, at;

	up();
	for (i = 0; i < 60; i++) {
		disk_hdr(0, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 8 * (rnd() % 256));
		disk_desc(0, disk_addr(DISK_HDR), 16, D_NEXT, 1);
		for (k = 1, at = rnd() % 64; k < DISK_QUEUE - 1; k++) {
			u32 len = 1 + rnd() % 700;

			disk_desc(k, disk_addr(DISK_DATA + at), len, D_NEXT | (i % 2 ? D_WRITE : 0), (u16)(k + 1));
			at += rnd() % 3 ? len : 0;
		}
		disk_desc(k, disk_addr(DISK_HDR + 32), 1, D_WRITE, 0);
		disk_avail(0);
		disk_kick();
		if (!disk_settle(5000))
			wrong("round %u was not answered", i);
	}
}

static void unknown_types(void)
{
	static const u32 types[] = { 2, 3, 5, 7, 9, 10, 12, 14, 15, 17, 100, 0x80000000, 0xffffffff };
	u32 i;
	int got;

	up();
	for (i = 0; i < XVM_ARRAY_SIZE(types); i++) {
		got = disk_do(types[i], 0, 512);
		if (got != 2 && got != 1)
			wrong("type %u: status %d", types[i], got);
	}
}

struct segment {
	u64 sector;
	u32 sectors, flags;
};

static int zero(u32 type, const struct segment *seg, u32 n, u32 bytes)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u8 *p = disk.base + DISK_DATA + 16 * i;

		xvm_put64(p, seg->sector);
		xvm_put32(p + 8, seg->sectors);
		xvm_put32(p + 12, seg->flags);
	}
	return disk_do(type, 0, bytes ? bytes : 16 * n);
}

static void discards(void)
{
	static const struct segment bad[] = {
		{ ~0ull, 8, 0 }, { ~0ull - 7, 8, 0 }, { 0, 0xffffffff, 0 }, { 1ull << 63, 8, 0 }, { 0, 8, 0xfffffffe },
		{ 1ull << 55, 8, 1 }, { 0x7fffffffffffffff, 0xffffffff, 0xffffffff },
	};
	static const struct segment none = { 8, 0, 0 };
	static const u32 types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };
	u32 i, t;

	up();
	for (t = 0; t < 2; t++) {
		for (i = 0; i < XVM_ARRAY_SIZE(bad); i++)
			if (zero(types[t], &bad[i], 1, 0) <= 0)
				wrong("type %u: segment %u was taken", types[t], i);
		for (i = 1; i < 256; i += 50)		/* more segments than offered */
			zero(types[t], &none, i, 0);
		for (i = 1; i < 40; i += 3)		/* no whole segments */
			zero(types[t], &none, 3, i);
	}
}

/* Header bytes change while requests run: what was checked must be what is done. */
static void header_step(void)
{
	disk.base[DISK_HDR + rnd() % 1024] = (u8)rnd();
}

static void segment_step(void)
{
	disk.base[DISK_DATA + rnd() % 1024] = (u8)rnd();
}

static void headers_change(void)
{
	u64 end = now_ms() + 2000;

	up();
	meanwhile(header_step);
	while (now_ms() < end && !front_dropped()) {
		many(16);
		disk_settle(100);
	}
	meanwhile_end();
	if (disk_again())
		wrong("the disk did not come back");
}

static void segments_change(void)
{
	static const struct segment good = { 4096, 8, 0 };
	u32 i;

	up();
	meanwhile(segment_step);
	for (i = 0; i < 60 && !front_dropped(); i++)
		zero(VIRTIO_BLK_T_WRITE_ZEROES, &good, 8, 0);
	meanwhile_end();
	if (disk_again())
		wrong("the disk did not come back");
}

/* Another kind of device: buffers of any sort for the entropy source. */
static void entropy(void)
{
	u16 rng = dev_find(4), blk = disk.dev;
	struct pages *p;
	u32 id, i;

	if (!rng) {
		seen("no entropy device here");
		return;
	}
	disk_down();
	id = area_id();
	p = pages_new(DISK_PAGES, 0, true);
	front.area[MAX_AREAS - 1] = p;
	if (area_add_refs(id, rng, p->ref, DISK_PAGES))
		wrong("the area was refused");
	disk.dev = rng;
	if (disk_up_in(id, p->mem, DISK_PAGES))
		wrong("the entropy source did not come up");
	for (i = 0; i < 60 && !front_dropped(); i++) {
		disk_desc(0, disk_addr(rnd() % (DISK_PAGES * 4096)), rnd() % 3 ? 1 + rnd() % 5000 : rnd(),
			  rnd() % 4 ? D_WRITE : 0, 0);
		disk_avail(0);
		disk_kick();
		if (dev_status(rng) & 64 && disk_again())
			wrong("no reset");
	}
	dev_set_status(rng, 0);
	area_del(id);
	disk.base = NULL;
	disk.dev = blk;
}

const struct attack io_attacks[] = {
	{ "io", "reset-under-io", reset_under_io, STAYS, 0 },
	{ "io", "queue-reset-under-io", queue_reset_under_io, STAYS, 0 },
	{ "io", "set-vqueue-under-io", set_queue_under_io, STAYS, 0 },
	{ "io", "disconnect-under-io", disconnect_under_io, STAYS, 0 },
	{ "io", "sectors-beyond-the-end", beyond_the_end, STAYS, 0 },
	{ "io", "lengths-odd", lengths, STAYS, 0 },
	{ "io", "data-in-odd-pieces", pieces, STAYS, 0 },
	{ "io", "request-types-unknown", unknown_types, STAYS, 0 },
	{ "io", "discard-and-zero-absurd", discards, STAYS, 0 },
	{ "io", "headers-change-under-io", headers_change, STAYS, 0 },
	{ "io", "discard-segments-change", segments_change, STAYS, 0 },
	{ "io", "entropy-buffers-random", entropy, STAYS, 0 },
	{ 0 }
};
