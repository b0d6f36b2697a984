// SPDX-License-Identifier: GPL-2.0-or-later
/* What attacks on the disk's queue share, whichever its format: attack_vq.c and attack_packed.c say how a thing is offered. */
#include "front.h"

void queue_breaks(const char *what)
{
	disk_kick();
	if (!disk_broken())
		wrong("%s: the device is not broken", what);
	seen("the device broke %u times, the connection stayed", ++disk.broken);
	if (disk_again())
		wrong("%s: no reset", what);
}

void queue_bad_buffers(void (*offer)(u64 addr, u32 len, const char *what))
{
	offer(~0ull - 7, 16, "an address that wraps");
	offer(0, 16, "address 0");
	offer(disk_addr(DISK_PAGES * 4096 - 8), 16, "over the end");
	offer(disk_addr(0) | 1ull << 63, 16, "the reserved bit");
	offer(disk_addr(0), 0xffffffff, "4 GiB");
	offer(disk_addr(0), 0, "length zero");
	offer(xvm_addr_make(disk.area == 127 ? 1 : 127, 0), 16, "an area that is not there");
}

void queue_bad_tables(void (*offer)(u64 addr, u32 len, u16 flags, const char *what))
{
	offer(disk_addr(DISK_TABLE), 17, 0, "no whole descriptors");
	offer(disk_addr(DISK_TABLE), 0, 0, "an empty table");
	offer(disk_addr(DISK_PAGES * 4096 - 16), 32, 0, "a table over the end");
	offer(0x1234567890, 160, 0, "a table nowhere");
	offer(disk_addr(0), 0xfffffff0, 0, "a table of 4 GiB");
	offer(disk_addr(DISK_TABLE), 16, D_NEXT, "a table with a next");
}

void queue_changing(void (*step)(void), void (*requests)(void))
{
	u64 end = now_ms() + 1200;
	u32 broken = 0;

	while (now_ms() < end && !front_dropped()) {
		meanwhile(step);
		requests();
		meanwhile_end();
		if (dev_status(disk.dev) & 64)
			broken++;
		if (disk_again())
			break;
	}
	if (front_dropped() || disk_again())
		wrong("the device did not come back");
	seen("broken %u times", broken);
}
