// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of the packed queue, dom0/virtio/vq_packed.c: as vq_fuzz.c, with
 * steps that make the descriptor at hand available, and that change any byte.
 */
/* LINK: dom0/virtio/keep.c dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
#include "vq_script.h"

#define AVAIL (1u << 7)
#define USED (1u << 15)
#define WRITE 2u

/* The driver's side: the next descriptors are available now, whatever they say. */
static void offer(struct run *run, u32 count)
{
	u16 at = run->vq.last_avail;
	bool wrap = run->vq.avail_wrap;
	u8 *flags;

	while (count--) {
		flags = run->vq.desc + 16 * at + 14;
		xvm_put16(flags, (u16)((xvm_get16(flags) & ~(AVAIL | USED)) | (wrap ? AVAIL : USED)));
		if (++at == run->vq.config.size) {
			at = 0;
			wrap = !wrap;
		}
	}
}

/* And one that is good: eight bytes, an id of its own. */
static void offer_good(struct run *run, u32 id)
{
	u8 *at = run->vq.desc + 16 * run->vq.last_avail;

	xvm_put64(at, xvm_addr_make(AREA, 1024 + id * 8));
	xvm_put32(at + 8, 8);
	xvm_put16(at + 12, (u16)id);
	xvm_put16(at + 14, id & 1 ? WRITE : 0);
	offer(run, 1);
}

static void step(struct run *run, u8 op)
{
	u32 n = op >> 3;

	switch (op & 7) {
	case 0:
	case 1:
		pop(run);
		break;
	case 2:
		offer_good(run, n);
		pop(run);
		break;
	case 3:
		push(run, n);
		break;
	case 4:
		xvm_vq_flush(&run->vq);
		break;
	case 5:
		if (n & 1)
			xvm_vq_arm(&run->vq);
		else
			xvm_vq_disarm(&run->vq);
		break;
	case 6:
		offer(run, 1 + n % 8);
		break;
	default:
		run->area[n * 64 + 3] ^= op;
	}
	require(run->vq.out_descs <= run->vq.config.size);
	require(run->vq.last_avail < run->vq.config.size && run->vq.used_next < run->vq.config.size);
}

static u32 queue_size(u8 byte)
{
	return byte % (MAX_SIZE + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct format packed = { XVM_VQ_PACKED, queue_size, step };

	return run_script(&packed, data, size);
}
