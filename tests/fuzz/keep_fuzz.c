// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of recovery, dom0/virtio/keep.c: the input is what a hostile
 * worker left in the keep file (two entries of the table, the slots that the
 * first names) and what a hostile guest has in its ring. A successor takes the
 * queue up or refuses, serves it, and dies; what it recorded is good for the
 * next one, whatever it began with.
 */
/* LINK: dom0/virtio/keep.c dom0/virtio/vq.c dom0/virtio/vq_packed.c dom0/virtio/iov.c */
#include <stdlib.h>
#include <string.h>
#include "../../dom0/virtio/keep.h"

#define AREA		3u
#define AREA_BYTES	4096u
#define SIZE		8u
#define AVAIL		0x100u
#define USED		0x200u

/* The first byte of an input */
#define F_IDLE		1u
#define F_REPEATABLE	2u
#define F_EVENT_IDX	4u
#define F_NAMED		8u	/* the first entry is put right in all but its counts and its place */

#define INPUT_BYTES	(1 + 2 * sizeof(struct keep_queue) + SIZE * sizeof(struct keep_slot))

static struct xvm_keep keep;

static void require(bool ok)
{
	if (!ok)
		abort();
}

static const struct xvm_vq_config config = {
	SIZE, (u64)AREA << 40, ((u64)AREA << 40) + AVAIL, ((u64)AREA << 40) + USED,
};

static void lay_out(const u8 *data)
{
	struct keep_queue *q = &keep.queue[0];
	u32 first;

	memset(keep.queue, 0, 4 * sizeof(keep.queue[0]));
	memset(keep.slot, 0, 64 * sizeof(keep.slot[0]));
	memcpy(q, data + 1, 2 * sizeof(*q));
	if (data[0] & F_NAMED) {
		q->valid = KEEP_VALID;
		q->dev = 7;
		q->index = 1;
		q->size = SIZE;
		q->desc = config.desc;
		q->driver = config.driver;
		q->device = config.device;
	}
	first = xvm_range_ok(q->first, SIZE, KEEP_SLOTS) ? q->first : 0;
	memcpy(&keep.slot[first], data + 1 + 2 * sizeof(*q), SIZE * sizeof(keep.slot[0]));
}

static bool open_queue(struct xvm_vq *vq, const struct xvm_mem *mem, u8 flags)
{
	memset(vq, 0, sizeof(*vq));
	vq->mem = mem;
	vq->keep = &keep;
	vq->dev = 7;
	vq->index = 1;
	vq->max_size = SIZE;
	return !xvm_vq_enable(vq, &config, flags & F_EVENT_IDX ? XVM_VQ_EVENT_IDX : 0);
}

static void serve(struct xvm_vq *vq)
{
	struct xvm_chain chain;
	struct iovec iov[SIZE];
	u16 out[SIZE];
	u32 n = 0, i, rounds;

	for (rounds = 0; rounds < 3; rounds++) {
		while (n < SIZE && xvm_vq_pop(vq, &chain, iov, SIZE) == 1) {
			require(chain.head < SIZE);
			for (i = 0; i < n; i++)
				require(out[i] != chain.head);
			out[n++] = chain.head;
		}
		require(vq->in_flight == n);
		/* Leaves one out, and what was pushed last unshown. */
		for (; n > 1; n--)
			xvm_vq_push(vq, out[n - 1], n);
		if (rounds < 2)
			xvm_vq_flush(vq);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct xvm_vq vq;
	struct xvm_mem mem = { 0 };
	u8 *area;
	int err;

	if (size < INPUT_BYTES || size > INPUT_BYTES + AREA_BYTES)
		return 0;
	area = aligned_alloc(4096, AREA_BYTES);
	memset(area, 0, AREA_BYTES);
	memcpy(area, data + INPUT_BYTES, size - INPUT_BYTES);
	mem.area[AREA].base = area;
	mem.area[AREA].bytes = AREA_BYTES;
	lay_out(data);

	require(open_queue(&vq, &mem, data[0]));
	err = xvm_vq_keep(&vq, data[0] & F_IDLE, data[0] & F_REPEATABLE);
	require(!err || err == -ENODATA);
	require(xvm_vq_agains(&vq) <= SIZE && (data[0] & F_REPEATABLE || !xvm_vq_agains(&vq)));
	if (err)
		require(!vq.log && !vq.last_avail && !vq.used_next && xvm_vq_log(&vq));
	if (vq.log) {
		serve(&vq);
		require(open_queue(&vq, &mem, data[0]));
		require(!xvm_vq_keep(&vq, false, true));
	}
	free(area);
	return 0;
}
