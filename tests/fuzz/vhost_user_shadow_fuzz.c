// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of the shadow queue, dom0/remote/vhost_user_shadow.c: the input is
 * what a server does to the memory between our own steps. Buffers of a guest are
 * blocks of their exact size, so that the sanitizer sees a byte written beyond; a
 * request comes back once, with no more bytes than it had room for.
 *
 * A step: two bytes. 0 put, 1 take, 2 show, 3 a byte of the used ring, 4 its index,
 * 5 an honest answer, 6 any byte of the ring's parts.
 */
/* LINK: dom0/remote/vhost_user_shadow.c dom0/virtio/iov.c */
#include <stdlib.h>

#include "../../dom0/remote/vhost_user_shadow.h"

#define REQUESTS 32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct request {
	bool out;
	struct xvm_chain chain;
	struct iovec iov[3];
};

static struct request request[REQUESTS];
static u8 *memory;
static struct vu_shadow shadow;

static void put(u8 arg)
{
	static const u32 sizes[] = { 1, 16, 511, 512, 2000, 4096, 5000, 70000 };
	struct request *r = NULL;
	u32 i;

	for (i = 0; i < REQUESTS && !r; i++)
		if (!request[i].out)
			r = &request[i];
	if (!r)
		return;
	for (i = 0; i < 3; i++) {
		r->iov[i].iov_len = sizes[(arg >> i) & 7];
		r->iov[i].iov_base = malloc(r->iov[i].iov_len);
		memset(r->iov[i].iov_base, arg, r->iov[i].iov_len);
	}
	r->chain = (struct xvm_chain){ .nout = arg & 1 ? 1 : 2, .out = r->iov };
	r->chain.nin = (u16)(3 - r->chain.nout);
	r->chain.in = r->iov + r->chain.nout;
	for (i = 0; i < 3; i++)
		*(i < r->chain.nout ? &r->chain.out_bytes : &r->chain.in_bytes) += (u32)r->iov[i].iov_len;
	/* What a server is told of buffers it has itself is not looked at again. */
	r->out = arg & 0x80 ? vu_shadow_put_direct(&shadow, &r->chain, (const u64[]){ 1, ~0ull, arg }, r) :
			      vu_shadow_put(&shadow, &r->chain, r);
	for (i = 0; i < 3 && !r->out; i++)
		free(r->iov[i].iov_base);
}

static void done(struct request *r)
{
	u32 i;

	if (!r->out)
		abort();
	r->out = false;
	for (i = 0; i < 3; i++)
		free(r->iov[i].iov_base);
}

static void take(void)
{
	struct request *r;
	u32 bytes;

	if (shadow.fault)
		return;
	r = vu_shadow_take(&shadow, &bytes);
	if (!r)
		return;
	if (bytes > r->chain.in_bytes)
		abort();
	done(r);
}

/* What an honest server does with the oldest request it has not answered, as far as its memory still tells. */
static void serve(u8 arg)
{
	u8 *used = memory + VU_SHADOW_USED;
	u16 at = xvm_get16(used + 2), head;

	head = xvm_get16(memory + VU_SHADOW_AVAIL + 4 + 2 * (at % VU_SHADOW_SIZE));
	xvm_put32(used + 4 + 8 * (at % VU_SHADOW_SIZE), head);
	xvm_put32(used + 8 + 8 * (at % VU_SHADOW_SIZE), arg);
	xvm_put16(used + 2, (u16)(at + 1));
}

static void step(u8 what, u8 arg)
{
	switch (what % 7) {
	case 0:
		put(arg);
		break;
	case 1:
		take();
		break;
	case 2:
		vu_shadow_show(&shadow);
		break;
	case 3:
		memory[VU_SHADOW_USED + 4 + arg] = what;
		break;
	case 4:
		memory[VU_SHADOW_USED + 2] = arg;
		break;
	case 5:
		serve(arg);
		break;
	default:
		memory[(u32)what * 64 + arg] ^= arg;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at;
	u32 i, busy = 0;

	if (!memory)
		memory = aligned_alloc(4096, XVM_VU_QUEUE_BYTES);
	vu_shadow_init(&shadow, memory, 0x40000000);
	for (at = 0; at + 2 <= size && at < 400; at += 2)
		step(data[at], data[at + 1]);
	for (i = 0; i < REQUESTS; i++) {
		busy += request[i].out;
		if (request[i].out)
			done(&request[i]);
	}
	if (busy != shadow.out)
		abort();
	return 0;
}
