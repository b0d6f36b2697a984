// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of the split queue, dom0/virtio/vq.c: the input is a short script
 * and the memory of one area with everything in it, rings included. Pops,
 * touches every byte a chain names (the sanitizer watches the area's ends),
 * pushes in another order, flushes, arms; between steps the script changes
 * bytes of the area.
 */
/* LINK: dom0/virtio/keep.c dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
#include "vq_script.h"

static void step(struct run *run, u8 op)
{
	switch (op & 7) {
	case 0:
	case 1:
	case 2:
		pop(run);
		break;
	case 3:
		push(run, op >> 3);
		break;
	case 4:
		xvm_vq_flush(&run->vq);
		break;
	case 5:
		xvm_vq_arm(&run->vq);
		break;
	case 6:
		/* The driver's side: one more entry, or any other index. */
		run->vq.avail[2] = (u8)(run->vq.avail[2] + 1 + (op >> 3));
		break;
	default:
		run->area[(op >> 3) * 64 + 3] ^= op;
	}
}

static u32 queue_size(u8 byte)
{
	return 1u << (byte % 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct format split = { 0, queue_size, step };

	return run_script(&split, data, size);
}
