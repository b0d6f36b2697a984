// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk driver of one queue without notifications of use: it looks. Any word of its area is open to attacks. */
#include "front.h"
#include <linux/virtio_blk.h>

struct disk disk;

static u16 load16(const u8 *p)
{
	return __atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE);
}

static void store16(u8 *p, u16 v)
{
	__atomic_store_n((u16 *)p, v, __ATOMIC_SEQ_CST);
}

u64 disk_addr(u64 offset)
{
	return xvm_addr_make(disk.area, offset);
}

int disk_again(void)
{
	struct xvm_msg_vqueue m;
	int ret = dev_negotiate_bits(disk.dev, disk.packed ? 7 : 3);

	if (ret < 0)
		return ret;
	memset(disk.base, 0, DISK_HDR);
	disk.avail = disk.used = 0;
	disk.config = (struct xvm_msg_vqueue){
		.size = DISK_QUEUE, .desc_addr = disk_addr(DISK_DESC), .driver_addr = disk_addr(DISK_AVAIL),
		.device_addr = disk_addr(DISK_USED),
	};
	ret = dev_set_vqueue(disk.dev, &disk.config);
	if (!ret)
		ret = dev_get_vqueue(disk.dev, 0, &m);
	if (ret < 0)
		return ret;
	if (m.size != DISK_QUEUE)
		return -EPROTO;
	ret = dev_set_status(disk.dev, 15);
	return ret < 0 ? ret : ret & 4 ? 0 : -EPROTO;
}

int disk_up_in(u32 area, u8 *base, u32 pages)
{
	u8 msg[32];

	disk.area = area;
	disk.base = base;
	disk.pages = pages;
	if (!disk.dev)
		disk.dev = dev_find(2);
	if (!disk.dev)
		return -ENODEV;
	if (front_ask(msg, xvm_msg_put_get_config(msg, disk.dev, 0, 8)) == 28)
		disk.sectors = xvm_get64(front.answer + 20);
	return disk_again();
}

int disk_up(void)
{
	u32 id = area_id();
	int ret;

	if (disk.base)
		return disk_again();
	disk.dev = dev_find(2);
	if (!disk.dev)
		return -ENODEV;
	pages_free(front.area[id]);
	front.area[id] = pages_new(DISK_PAGES, 0, true);
	ret = area_add_refs(id, disk.dev, front.area[id]->ref, DISK_PAGES);
	if (ret)
		return ret < 0 ? ret : -1000 - ret;
	return disk_up_in(id, front.area[id]->mem, DISK_PAGES);
}

void disk_down(void)
{
	disk.packed = false;
	disk.broken = 0;
	if (!disk.base || !front.up)
		return;
	dev_set_status(disk.dev, 0);
	area_del(disk.area);
	disk.base = NULL;
}

void disk_desc_at(u32 offset, u64 addr, u32 len, u16 flags, u16 next)
{
	u8 *d = disk.base + offset;

	xvm_put64(d, addr);
	xvm_put32(d + 8, len);
	xvm_put16(d + 12, flags);
	xvm_put16(d + 14, next);
}

void disk_desc(u32 i, u64 addr, u32 len, u16 flags, u16 next)
{
	disk_desc_at(DISK_DESC + 16 * (i % DISK_QUEUE), addr, len, flags, next);
}

void disk_avail(u16 head)
{
	store16(disk.base + DISK_AVAIL + 4 + 2 * (disk.avail % DISK_QUEUE), head);
	store16(disk.base + DISK_AVAIL + 2, ++disk.avail);
}

void disk_kick(void)
{
	struct xvm_msg_event_avail m = { 0 };
	u8 msg[16];
	u32 len = xvm_msg_put_event_avail(msg, disk.dev, &m);

	xvm_msg_finish(msg, false, 0);
	front_put_wait(msg, len);
	front_notify();
}

void disk_hdr(u32 n, u32 type, u64 sector)
{
	u8 *h = disk.base + DISK_HDR + 64 * n;

	memset(h, 0, 64);
	xvm_put32(h, type);
	xvm_put64(h + 8, sector);
	h[32] = 0xff;
}

void disk_request(u32 n, u32 type, u64 sector, u32 bytes)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	disk_hdr(n, type, sector);
	disk_desc(3 * n, disk_addr(DISK_HDR + 64 * n), 16, D_NEXT, (u16)(3 * n + (bytes ? 1 : 2)));
	if (bytes)
		disk_desc(3 * n + 1, disk_addr(DISK_DATA + 4096 * n), bytes, D_NEXT | (in ? D_WRITE : 0),
			  (u16)(3 * n + 2));
	disk_desc(3 * n + 2, disk_addr(DISK_HDR + 64 * n + 32), 1, D_WRITE, 0);
	disk_avail((u16)(3 * n));
}

bool disk_settle(u32 ms)
{
	u64 end = now_ms() + ms;

	while (load16(disk.base + DISK_USED + 2) != disk.avail) {
		front_poll(2);
		if (now_ms() > end || front_dropped())
			return false;
	}
	disk.used = disk.avail;
	return true;
}

int disk_do(u32 type, u64 sector, u32 bytes)
{
	disk_request(0, type, sector, bytes);
	disk_kick();
	if (!disk_settle(20000))
		return front_dropped() ? -EPIPE : -ETIMEDOUT;
	return disk.base[DISK_HDR + 32];
}

bool disk_broken(void)
{
	u64 end = now_ms() + 5000;
	int status;

	do {
		status = dev_status(disk.dev);
		if (status < 0)
			return false;
		if (status & 64)
			return true;
		front_poll(5);
	} while (now_ms() < end);
	return false;
}

int disk_prove(void)
{
	u32 pattern = rnd(), i;
	u8 *data = disk.base + DISK_DATA;
	int ret;

	for (i = 0; i < 1024; i++)
		xvm_put32(data + 4 * i, pattern ^ i);
	ret = disk_do(VIRTIO_BLK_T_OUT, 64, 4096);
	memset(data, 0, 4096);
	if (!ret)
		ret = disk_do(VIRTIO_BLK_T_IN, 64, 4096);
	for (i = 0; !ret && i < 1024; i++)
		if (xvm_get32(data + 4 * i) != (pattern ^ i))
			ret = -EILSEQ;
	return ret;
}
