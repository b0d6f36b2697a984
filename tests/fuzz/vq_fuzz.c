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
	require(run->vq.in_flight == run->n);
}

/* Three ring addresses on a coarse grid, so that many inputs have a queue that works. */
static bool enable(struct run *run, const u8 *header)
{
	struct xvm_vq_config config = {
		.size = 1u << (header[0] % 8),
		.desc = xvm_addr_make(AREA, header[1] * 16u),
		.driver = xvm_addr_make(AREA, header[2] * 8u),
		.device = xvm_addr_make(AREA, header[3] * 8u),
	};

	return !xvm_vq_enable(&run->vq, &config, (header[4] & 1 ? XVM_VQ_EVENT_IDX : 0) |
						 (header[4] & 2 ? XVM_VQ_IN_ORDER : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run zero;
	struct run run = zero;
	u32 i;

	if (!run_begin(&run, data, size))
		return 0;
	if (enable(&run, data)) {
		for (i = 0; i < SCRIPT_BYTES; i++)
			step(&run, data[HEADER_BYTES + i]);
		run_end(&run);
	}
	free(run.area);
	return 0;
}
