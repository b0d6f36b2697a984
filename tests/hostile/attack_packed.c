// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same disk with a packed queue: descriptors that lie, flags that change, places and ids that are the device's.
 * Every attack begins at position 0 of the first lap, so a descriptor is available when AVAIL is set and USED is not.
 */
#include "front.h"
#include <linux/virtio_blk.h>

#define P_AVAIL (1u << 7)
#define P_USED (1u << 15)

static void up(void)
{
	disk.packed = true;
	if (disk_up())
		wrong("the disk did not come up with a packed queue");
}

static u8 *place(u32 position)
{
	return disk.base + DISK_DESC + 16 * position;
}

static void show(u32 position, u16 flags)
{
	__atomic_store_n((u16 *)(place(position) + 14), (u16)(flags | P_AVAIL), __ATOMIC_RELEASE);
}

/* All but the flags, which show it. */
static void fill(u32 position, u64 addr, u32 len, u16 id)
{
	xvm_put64(place(position), addr);
	xvm_put32(place(position) + 8, len);
	xvm_put16(place(position) + 12, id);
}

/* A read of 4096 bytes in three descriptors from position on, the first shown last. */
static void request(u32 position, u32 slot, u16 id, bool shown)
{
	disk_hdr(slot, VIRTIO_BLK_T_IN, 8 * slot);
	fill(position, disk_addr(DISK_HDR + 64 * slot), 16, id);
	fill(position + 1, disk_addr(DISK_DATA + 4096 * slot), 4096, id);
	fill(position + 2, disk_addr(DISK_HDR + 64 * slot + 32), 1, id);
	show(position + 2, D_WRITE);
	show(position + 1, D_WRITE | D_NEXT);
	if (shown)
		show(position, D_NEXT);
}

static bool used(u32 position)
{
	u16 flags = __atomic_load_n((u16 *)(place(position) + 14), __ATOMIC_ACQUIRE);

	return (flags & (P_AVAIL | P_USED)) == (P_AVAIL | P_USED);
}

static bool wait_used(u32 position, u32 ms)
{
	u64 end = now_ms() + ms;

	while (!used(position)) {
		front_poll(2);
		if (now_ms() > end || front_dropped())
			return false;
	}
	return true;
}

static void one_buffer(u64 addr, u32 len, const char *what)
{
	fill(0, addr, len, 0);
	show(0, 0);
	queue_breaks(what);
}

static void places(void)
{
	static const u32 sizes[] = { 0, 1025, 32769, 65536, 0xffffffff };
	struct xvm_msg_vqueue m, got;
	u32 i;

	up();
	dev_negotiate_bits(disk.dev, 7);
	for (i = 0; i < XVM_ARRAY_SIZE(sizes) + 3; i++) {
		m = disk.config;
		if (i < XVM_ARRAY_SIZE(sizes))
			m.size = sizes[i];
		else
			*(i % 3 == 0 ? &m.desc_addr : i % 3 == 1 ? &m.driver_addr : &m.device_addr) += 2;
		dev_set_vqueue(disk.dev, &m);
		if (dev_get_vqueue(disk.dev, 0, &got) || got.size)
			wrong("a packed queue of size %u, addresses off by %u, was taken", m.size,
			      i < XVM_ARRAY_SIZE(sizes) ? 0 : 2);
	}
}

static void chain_too_long(void)
{
	u32 i;

	up();
	for (i = 0; i < DISK_QUEUE; i++)
		fill(i, disk_addr(DISK_DATA), 16, 0);
	for (i = DISK_QUEUE; i-- > 0; )
		show(i, D_NEXT);
	queue_breaks("a chain round the ring");
}

/* Twenty good requests fill sixty places; a chain over the last four goes on where the first is. */
static void places_out(void)
{
	u32 i;

	up();
	for (i = 0; i < 4; i++) {
		fill(60 + i, disk_addr(DISK_DATA), 16, 40);
		show(60 + i, D_NEXT);
	}
	for (i = 20; i-- > 0; )
		request(3 * i, i, (u16)i, true);
	queue_breaks("a chain into places that are the device's");
}

static void id_twice(void)
{
	up();
	request(3, 1, 5, true);
	request(0, 0, 5, true);
	queue_breaks("an id that is in use");
}

static void buffers(void)
{
	up();
	queue_bad_buffers(one_buffer);
}

static void indirect(u64 addr, u32 len, u16 flags, const char *what)
{
	fill(0, addr, len, 0);
	show(0, (u16)(D_INDIRECT | flags));
	queue_breaks(what);
}

static void indirect_lies(void)
{
	up();
	queue_bad_tables(indirect);
	disk_desc_at(DISK_TABLE, disk_addr(DISK_TABLE), 16, 0, D_INDIRECT);
	indirect(disk_addr(DISK_TABLE), 16, 0, "a table in a table");
}

static void order_lies(void)
{
	up();
	fill(0, disk_addr(DISK_DATA), 16, 0);
	fill(1, disk_addr(DISK_DATA), 16, 0);
	show(1, 0);
	show(0, D_NEXT | D_WRITE);
	queue_breaks("readable after writable");
	one_buffer(disk_addr(DISK_DATA), 16, "a request without a status byte");
}

static void ring_step(void)
{
	disk.base[DISK_DESC + rnd() % (16 * DISK_QUEUE)] = (u8)rnd();
}

static void flags_step(void)
{
	u32 position = rnd() % DISK_QUEUE;

	__atomic_store_n((u16 *)(place(position) + 14), (u16)rnd(), __ATOMIC_RELAXED);
}

/* Sixteen, of which the first is shown last. */
static void show_reads(void)
{
	u32 i;

	for (i = 16; i-- > 0; )
		request(3 * i, i, (u16)i, true);
	disk_kick();
}

static void reads(void)
{
	show_reads();
	wait_used(45, 50);
}

static void ring_changes(void)
{
	up();
	queue_changing(ring_step, reads);
}

static void flags_change(void)
{
	up();
	queue_changing(flags_step, reads);
}

/* Both event structures: one is a hint, the other the device's own. A request is served all the same. */
static void event_step(void)
{
	xvm_shm_store32(disk.base + DISK_AVAIL, rnd() << 8 ^ rnd());
	xvm_shm_store32(disk.base + DISK_USED, rnd() << 8 ^ rnd());
}

static void events_random(void)
{
	u32 i;

	up();
	meanwhile(event_step);
	for (i = 0; i < 20; i++) {
		request(3 * i, i % 16, (u16)i, true);
		disk_kick();
		if (!wait_used(3 * i, 10000))
			wrong("request %u was not served", i);
	}
	meanwhile_end();
}

/* What is in use is shown as available over and over, while the disk works on it. */
static void shown_again(void)
{
	u32 round, i;

	up();
	for (round = 0; round < 10; round++) {
		show_reads();
		for (i = 0; i < 48; i++)
			show(i, i % 3 == 2 ? D_WRITE : D_NEXT);
		disk_kick();
		if (disk_again())
			wrong("descriptors shown again: no reset");
	}
}

const struct attack packed_attacks[] = {
	{ "packed", "packed-queue-places-bad", places, STAYS, 0 },
	{ "packed", "packed-chain-round-the-ring", chain_too_long, STAYS, 0 },
	{ "packed", "packed-places-in-use", places_out, STAYS, 0 },
	{ "packed", "packed-id-in-use", id_twice, STAYS, 0 },
	{ "packed", "packed-buffer-addresses-bad", buffers, STAYS, 0 },
	{ "packed", "packed-indirect-tables-lie", indirect_lies, STAYS, 0 },
	{ "packed", "packed-readable-after-writable", order_lies, STAYS, 0 },
	{ "packed", "packed-ring-changes-while-read", ring_changes, STAYS, 0 },
	{ "packed", "packed-flags-change-while-read", flags_change, STAYS, 0 },
	{ "packed", "packed-event-words-random", events_random, STAYS, 0 },
	{ "packed", "packed-descriptors-shown-again", shown_again, STAYS, 0 },
	{ 0 }
};
