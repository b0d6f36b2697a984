// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of dom0/virtio/vq.c dom0/virtio/vq_packed.c: the input is a short script and the memory
 * of one area with everything in it, rings included. Pops, touches every byte
 * a chain names (the sanitizer watches the area's ends), pushes in another
 * order, flushes, arms; between steps the script changes bytes of the area.
 */
/* LINK: dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
#include <stdint.h>
#include <stdlib.h>

#include "../../dom0/virtio/vq.h"

#define AREA 1u
#define AREA_BYTES 2048u
#define MAX_SIZE 32u
#define SCRIPT_BYTES 32u
#define HEADER_BYTES 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct xvm_mem mem;
	struct xvm_vq vq;
	u8 *area;
	u16 out[MAX_SIZE];	/* heads that are ours */
	u32 n;
};

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void check_chain(const struct run *run, const struct xvm_chain *chain)
{
	const struct iovec *iov = chain->out;
	u32 i, n = (u32)chain->nout + chain->nin;
	u64 sums[2] = { 0, 0 };

	require(n && n <= 2 * MAX_SIZE && chain->in == chain->out + chain->nout);
	for (i = 0; i < n; i++) {
		require((u8 *)iov[i].iov_base >= run->area && iov[i].iov_len &&
			iov[i].iov_len <= AREA_BYTES &&
			(u8 *)iov[i].iov_base <= run->area + AREA_BYTES - iov[i].iov_len);
		sums[i >= chain->nout] += iov[i].iov_len;
	}
	require(sums[0] == chain->out_bytes && sums[1] == chain->in_bytes);
}

static void pop(struct run *run)
{
	struct iovec iov[2 * MAX_SIZE];
	struct xvm_chain chain;
	u16 last = run->vq.last_avail;
	u8 bytes[256];
	int ret = xvm_vq_pop(&run->vq, &chain, iov, 2 * MAX_SIZE);

	if (ret <= 0) {
		require(ret == 0 || run->vq.fault);
		require(run->vq.last_avail == last);
		return;
	}
	check_chain(run, &chain);
	require(run->n < run->vq.config.size && chain.head < run->vq.config.size);
	run->out[run->n++] = chain.head;
	xvm_iov_get(chain.out, chain.nout, 0, bytes, sizeof(bytes));
	memset(bytes, 0xa5, sizeof(bytes));
	xvm_iov_put(chain.in, chain.nin, 3, bytes, sizeof(bytes));
}

static void push(struct run *run, u32 which)
{
	if (!run->n)
		return;
	which %= run->n;
	xvm_vq_push(&run->vq, run->out[which], which);
	run->out[which] = run->out[--run->n];
}

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

	run->vq.mem = &run->mem;
	run->vq.max_size = MAX_SIZE;
	return !xvm_vq_enable(&run->vq, &config, header[4] & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = { .n = 0 };
	size_t i;

	if (size < HEADER_BYTES + SCRIPT_BYTES)
		return 0;
	run.area = aligned_alloc(64, AREA_BYTES);
	memset(run.area, 0, AREA_BYTES);
	i = size - HEADER_BYTES - SCRIPT_BYTES;
	memcpy(run.area, data + HEADER_BYTES + SCRIPT_BYTES, i < AREA_BYTES ? i : AREA_BYTES);
	run.mem.area[AREA].base = run.area;
	run.mem.area[AREA].bytes = AREA_BYTES;
	if (enable(&run, data)) {
		for (i = 0; i < SCRIPT_BYTES; i++)
			step(&run, data[HEADER_BYTES + i]);
		/* What is left goes back, as at the end of a drain. */
		while (run.n)
			push(&run, 0);
		xvm_vq_flush(&run.vq);
		require(!run.vq.in_flight);
	}
	free(run.area);
	return 0;
}
