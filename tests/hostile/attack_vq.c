// SPDX-License-Identifier: GPL-2.0-or-later
/* Virtqueues: addresses and sizes that are none, chains that lie, words that change while they are read. */
#include "front.h"
#include <linux/virtio_blk.h>

static void up(void)
{
	if (disk_up())
		wrong("the disk did not come up");
}

static void queue_addresses(void)
{
	static const u64 bad[] = { 0, 1, 8, 1ull << 63, 0xffffffffffffffff, 0xfffffffffffffff0, 0x7f0000000000,
				   0x800000000000, 1ull << 40, (2ull << 40) + 0xfffffffff0 };
	struct xvm_msg_vqueue m, got;
	u32 i, k;

	up();
	dev_negotiate(disk.dev);
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		for (k = 0; k < 3; k++) {
			/* An area id that is ours is not bad. */
			u64 addr = bad[i] >> 40 == disk.area ? bad[i] + 0xffffff000 : bad[i];

			m = disk.config;
			*(k == 0 ? &m.desc_addr : k == 1 ? &m.driver_addr : &m.device_addr) = addr;
			dev_set_vqueue(disk.dev, &m);
			if (dev_get_vqueue(disk.dev, 0, &got) || got.size)
				wrong("a queue at 0x%llx was taken", (unsigned long long)addr);
		}
	}
	for (i = 1; i < 16; i++) {	/* misaligned, and over the end */
		m = disk.config;
		m.desc_addr += i;
		dev_set_vqueue(disk.dev, &m);
		if (dev_get_vqueue(disk.dev, 0, &got) || got.size)
			wrong("a queue misaligned by %u was taken", i);
		m.desc_addr = disk_addr(4096 * DISK_PAGES - 64 * i);
		dev_set_vqueue(disk.dev, &m);
		if (dev_get_vqueue(disk.dev, 0, &got) || got.size)
			wrong("a queue over the end was taken");
	}
}

static void queue_sizes(void)
{
	static const u32 bad[] = { 0, 3, 63, 65, 2048, 32768, 65536, 0x80000000, 0xffffffff };
	struct xvm_msg_vqueue m, got;
	u32 i;

	up();
	dev_negotiate(disk.dev);
	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		m = disk.config;
		m.size = bad[i];
		dev_set_vqueue(disk.dev, &m);
		if (dev_get_vqueue(disk.dev, 0, &got) || got.size)
			wrong("a queue of size %u was taken", bad[i]);
	}
	for (i = 0; i < 200; i++) {	/* queues that are not there */
		m = disk.config;
		m.index = i < 100 ? 1 + i : rnd();
		dev_set_vqueue(disk.dev, &m);
	}
}

static void loop_of_two(void)
{
	up();
	disk_desc(0, disk_addr(DISK_DATA), 16, D_NEXT, 1);
	disk_desc(1, disk_addr(DISK_DATA), 16, D_NEXT, 0);
	disk_avail(0);
	queue_breaks("a loop");
}

static void loop_of_one(void)
{
	up();
	disk_desc(5, disk_addr(DISK_DATA), 16, D_NEXT, 5);
	disk_avail(5);
	queue_breaks("a loop of one");
}

static void chain_too_long(void)
{
	u32 i;

	up();
	for (i = 0; i < DISK_QUEUE; i++)
		disk_desc(i, disk_addr(DISK_DATA), 16, D_NEXT, (u16)((i + 1) % DISK_QUEUE));
	disk_avail(3);
	queue_breaks("a chain longer than the queue");
}

static void head_range(void)
{
	up();
	disk_avail(DISK_QUEUE);
	queue_breaks("head 64 of 64");
	disk_avail(0xffff);
	queue_breaks("head 65535");
}

static void next_range(void)
{
	up();
	disk_desc(0, disk_addr(DISK_DATA), 16, D_NEXT, 60000);
	disk_avail(0);
	queue_breaks("next 60000");
}

static void head_twice(void)
{
	u32 i;

	up();
	for (i = 0; i < 8; i++)
		disk_request(0, VIRTIO_BLK_T_IN, 0, 4096);
	disk_kick();
	/* Quick enough, the device sees it in flight; else it was used eight times in order. */
	if (!disk_settle(500) && !disk_broken())
		wrong("neither broken nor used");
}

static void avail_ahead(void)
{
	u32 i;

	up();
	for (i = 0; i < 3 * DISK_QUEUE; i++)
		disk_avail(0);
	queue_breaks("available index far ahead");
	for (i = 0; i < 40000; i++)
		disk_avail(0);
	queue_breaks("available index 40000 ahead");
}

static void one_buffer(u64 addr, u32 len, const char *what)
{
	disk_desc(0, addr, len, 0, 0);
	disk_avail(0);
	queue_breaks(what);
}

static void buffer_addresses(void)
{
	up();
	queue_bad_buffers(one_buffer);
	one_buffer(disk_addr(0xfffffffff0), 16, "an offset beyond the area");
}

/* An area that is the worker's or another device's is none of the disk's. */
static void buffer_elsewhere(void)
{
	struct pages *other;
	u32 id;
	u16 rng;

	up();
	rng = dev_find(4);
	id = area_id();
	other = pages_new(4, 0, true);
	if (area_add_refs(id, rng ? rng : 0, other->ref, 4))
		wrong("the other area was refused");
	one_buffer(xvm_addr_make(id, 0), 16, "another device's area");
	area_del(id);
	pages_free(other);
}

static void indirect(u64 addr, u32 len, u16 flags, const char *what)
{
	disk_desc(0, addr, len, D_INDIRECT | flags, 0);
	disk_avail(0);
	queue_breaks(what);
}

static void indirect_lies(void)
{
	u32 i;

	up();
	queue_bad_tables(indirect);
	disk_desc_at(DISK_TABLE, disk_addr(DISK_TABLE), 16, D_INDIRECT, 0);
	indirect(disk_addr(DISK_TABLE), 16, 0, "a table in a table");
	disk_desc_at(DISK_TABLE, disk_addr(DISK_DATA), 16, D_NEXT, 0);
	indirect(disk_addr(DISK_TABLE), 16, 0, "a loop in a table");
	for (i = 0; i < 256; i++)
		disk_desc_at(DISK_TABLE + 16 * i, disk_addr(DISK_DATA), 16, D_NEXT, (u16)(i + 1));
	indirect(disk_addr(DISK_TABLE), 4096, 0, "a next beyond its table");
}

static void order_lies(void)
{
	up();
	disk_desc(0, disk_addr(DISK_DATA), 16, D_NEXT | D_WRITE, 1);
	disk_desc(1, disk_addr(DISK_DATA), 16, 0, 0);
	disk_avail(0);
	queue_breaks("readable after writable");
	one_buffer(disk_addr(DISK_DATA), 16, "a request without a status byte");
	disk_desc(0, disk_addr(DISK_DATA), 16, D_WRITE, 0);
	disk_avail(0);
	queue_breaks("a request without a header");
	disk_desc(0, disk_addr(DISK_DATA), 8, D_NEXT, 1);
	disk_desc(1, disk_addr(DISK_DATA), 1, D_WRITE, 0);
	disk_avail(0);
	queue_breaks("half a header");
}

static void descriptor_step(void)
{
	u32 at = DISK_DESC + rnd() % (16 * DISK_QUEUE);

	disk.base[at] = (u8)rnd();
}

static void table_step(void)
{
	disk.base[DISK_TABLE + rnd() % 256] = (u8)rnd();
	disk.base[DISK_HDR + rnd() % 1024] = (u8)rnd();
}

static void avail_step(void)
{
	disk.base[DISK_AVAIL + rnd() % (4 + 2 * DISK_QUEUE)] = (u8)rnd();
}

static void read_anywhere(u32 slot)
{
	disk_request(slot, VIRTIO_BLK_T_IN, 8 * (rnd() % 64), 4096);
}

static void reads(void)
{
	u32 i;

	for (i = 0; i < 16; i++)
		read_anywhere(i);
	disk_kick();
	disk_settle(50);
}

static void reads_by_table(void)
{
	u32 i;

	for (i = 0; i < 16; i++) {
		read_anywhere(i);
		disk_desc_at(DISK_TABLE, disk_addr(DISK_HDR), 16, D_NEXT, 1);
		disk_desc_at(DISK_TABLE + 16, disk_addr(DISK_DATA), 4096, D_NEXT | D_WRITE, 2);
		disk_desc_at(DISK_TABLE + 32, disk_addr(DISK_HDR + 32), 1, D_WRITE, 0);
		disk_desc(3 * i, disk_addr(DISK_TABLE), 48, D_INDIRECT, 0);
	}
	disk_kick();
	disk_settle(50);
}

static void descriptors_change(void)
{
	up();
	queue_changing(descriptor_step, reads);
}

static void tables_change(void)
{
	up();
	queue_changing(table_step, reads_by_table);
}

static void avail_changes(void)
{
	up();
	queue_changing(avail_step, reads);
}

/* All parts of the queue at one place, and buffers on top of the used ring. */
static void parts_overlap(void)
{
	struct xvm_msg_vqueue m;
	u32 i;

	up();
	dev_negotiate(disk.dev);
	m = disk.config;
	m.driver_addr = m.device_addr = m.desc_addr;
	dev_set_vqueue(disk.dev, &m);
	dev_set_status(disk.dev, 15);
	for (i = 0; i < 1024; i++)
		disk.base[i] = (u8)rnd();
	for (i = 0; i < 20; i++) {
		disk.base[2] = (u8)rnd();
		disk_kick();
	}
	if (disk_again())
		wrong("no reset");
	/* Data read from the disk lands on descriptors and rings. */
	disk_hdr(0, VIRTIO_BLK_T_IN, 0);
	disk_desc(0, disk_addr(DISK_HDR), 16, D_NEXT, 1);
	disk_desc(1, disk_addr(0), 4096, D_NEXT | D_WRITE, 2);
	disk_desc(2, disk_addr(DISK_USED + 2), 1, D_WRITE, 0);
	disk_avail(0);
	disk_kick();
	nap_ms(200);
	if (disk_again())
		wrong("no reset");
}

const struct attack vq_attacks[] = {
	{ "vq", "queue-addresses-bad", queue_addresses, STAYS, 0 },
	{ "vq", "queue-sizes-bad", queue_sizes, STAYS, 0 },
	{ "vq", "descriptor-loop", loop_of_two, STAYS, 0 },
	{ "vq", "descriptor-loop-of-one", loop_of_one, STAYS, 0 },
	{ "vq", "chain-longer-than-queue", chain_too_long, STAYS, 0 },
	{ "vq", "head-out-of-range", head_range, STAYS, 0 },
	{ "vq", "next-out-of-range", next_range, STAYS, 0 },
	{ "vq", "same-head-twice", head_twice, STAYS, 0 },
	{ "vq", "available-index-ahead", avail_ahead, STAYS, 0 },
	{ "vq", "buffer-addresses-bad", buffer_addresses, STAYS, 0 },
	{ "vq", "buffer-in-foreign-area", buffer_elsewhere, STAYS, 0 },
	{ "vq", "indirect-tables-lie", indirect_lies, STAYS, 0 },
	{ "vq", "readable-after-writable", order_lies, STAYS, 0 },
	{ "vq", "descriptors-change-while-read", descriptors_change, STAYS, 0 },
	{ "vq", "indirect-and-headers-change", tables_change, STAYS, 0 },
	{ "vq", "available-ring-changes", avail_changes, STAYS, 0 },
	{ "vq", "parts-of-queue-overlap", parts_overlap, STAYS, 0 },
	{ 0 }
};
