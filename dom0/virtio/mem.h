/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory a guest shares with one device: its areas, by id. Turns a bus
 * address into a host pointer, or refuses. Knows no grants; the bus adds and
 * removes areas between passes of the event loop, never during one.
 *
 * All memory behind these pointers can change at any time: copy, check, use.
 */
#ifndef XVM_DOM0_VIRTIO_MEM_H
#define XVM_DOM0_VIRTIO_MEM_H

#include "../../xen/proto/num.h"
#include "../../xen/proto/addr.h"

struct xvm_mem {
	struct {
		u8 *base;	/* NULL: no such area */
		u64 bytes;
	} area[XVM_AREA_ID_MAX + 1];
};

/*
 * Host pointer of [addr, addr + len), all in one area, len > 0; NULL if any
 * byte of it is not there. Subtraction form throughout, so nothing wraps.
 */
static inline void *xvm_mem_at(const struct xvm_mem *mem, u64 addr, u64 len)
{
	u32 id = xvm_addr_area(addr);
	u64 off = xvm_addr_offset(addr);

	if (!len || !mem->area[id].base || !xvm_range_ok(off, len, mem->area[id].bytes))
		return NULL;
	return mem->area[id].base + off;
}

#endif
