/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets of the two queue formats share: an area with just its
 * bytes, a queue in it, the buffers that are out, and what must hold of each.
 */
#ifndef TESTS_FUZZ_VQ_SCRIPT_H
#define TESTS_FUZZ_VQ_SCRIPT_H

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

static inline void require(bool fact)
{
	if (!fact)
		abort();
}

static inline void check_chain(const struct run *run, const struct xvm_chain *chain)
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

static inline void pop(struct run *run)
{
	struct iovec iov[2 * MAX_SIZE];
	struct xvm_chain chain;
	u16 last = run->vq.last_avail;
	u8 bytes[256];
	u32 i;
	int ret = xvm_vq_pop(&run->vq, &chain, iov, 2 * MAX_SIZE);

	if (ret <= 0) {
		require(ret == 0 || run->vq.fault);
		require(run->vq.last_avail == last);
		return;
	}
	check_chain(run, &chain);
	require(run->n < run->vq.config.size);
	require(run->vq.packed || chain.head < run->vq.config.size);
	for (i = 0; i < run->n; i++)
		require(run->out[i] != chain.head);
	run->out[run->n++] = chain.head;
	xvm_iov_get(chain.out, chain.nout, 0, bytes, sizeof(bytes));
	memset(bytes, 0xa5, sizeof(bytes));
	xvm_iov_put(chain.in, chain.nin, 3, bytes, sizeof(bytes));
}

static inline void push(struct run *run, u32 which)
{
	if (!run->n)
		return;
	which %= run->n;
	xvm_vq_push(&run->vq, run->out[which], which);
	run->out[which] = run->out[--run->n];
}

/* The area holds what follows the script; false: there is too little input. */
static inline bool run_begin(struct run *run, const uint8_t *data, size_t size)
{
	size_t bytes;

	if (size < HEADER_BYTES + SCRIPT_BYTES)
		return false;
	run->area = aligned_alloc(64, AREA_BYTES);
	memset(run->area, 0, AREA_BYTES);
	bytes = size - HEADER_BYTES - SCRIPT_BYTES;
	memcpy(run->area, data + HEADER_BYTES + SCRIPT_BYTES,
	       bytes < AREA_BYTES ? bytes : AREA_BYTES);
	run->mem.area[AREA].base = run->area;
	run->mem.area[AREA].bytes = AREA_BYTES;
	run->vq.mem = &run->mem;
	run->vq.max_size = MAX_SIZE;
	return true;
}

/* What is left goes back, as at the end of a drain. */
static inline void run_end(struct run *run)
{
	while (run->n)
		push(run, 0);
	xvm_vq_flush(&run->vq);
	require(!run->vq.in_flight && !run->vq.out_count && !run->vq.out_descs);
}

/* What a format has of its own. */
struct format {
	u32 flags;			/* XVM_VQ_* of every queue */
	u32 (*size)(u8 byte);		/* of the queue */
	void (*step)(struct run *run, u8 op);
};

/* Three ring addresses on a coarse grid, so that many inputs have a queue that works. */
static inline bool enable(struct run *run, const struct format *format, const uint8_t *header)
{
	struct xvm_vq_config config = {
		.size = format->size(header[0]),
		.desc = xvm_addr_make(AREA, header[1] * 16u),
		.driver = xvm_addr_make(AREA, header[2] * 8u),
		.device = xvm_addr_make(AREA, header[3] * 8u),
	};

	return !xvm_vq_enable(&run->vq, &config, format->flags | (header[4] & 1 ? XVM_VQ_EVENT_IDX : 0) |
						 (header[4] & 2 ? XVM_VQ_IN_ORDER : 0));
}

/* One input: header, script, memory. */
static inline int run_script(const struct format *format, const uint8_t *data, size_t size)
{
	static struct run zero;
	struct run run = zero;
	u32 i;

	if (!run_begin(&run, data, size))
		return 0;
	if (enable(&run, format, data)) {
		for (i = 0; i < SCRIPT_BYTES; i++) {
			format->step(&run, data[HEADER_BYTES + i]);
			require(run.vq.in_flight == run.n);
		}
		run_end(&run);
	}
	free(run.area);
	return 0;
}

#endif
