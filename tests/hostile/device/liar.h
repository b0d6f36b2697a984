/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker that lies to its guest. It is the worker of the tree, and the
 * linker (--wrap, hostile.mk) lets the liar see each message it writes, each
 * record it reads, each buffer it gives back and each turn of its loop. So a
 * lie is told by a device that works otherwise, as far as the lie lets it.
 *
 * xvmsgd starts it (--worker). Which lie: the guest names it in the key `lie`
 * of its front, which is read before the process confines itself.
 */
#ifndef TESTS_HOSTILE_DEVICE_LIAR_H
#define TESTS_HOSTILE_DEVICE_LIAR_H

#include "../../../dom0/virtio/vq.h"
#include "../../../xen/proto/msg.h"
#include "../../../xen/proto/ring.h"

/* expect: what a guest may see, alternatives by a bar. "works" stands for a disk with the right content. */
struct lie {
	const char *name, *expect;
	u32 arg;
	/* In place of sending a message of the worker's. */
	void (*message)(const u8 *msg, u32 len, bool answer);
	/* A record of the guest's: false, and the worker never sees it. */
	bool (*record)(const u8 *msg, u32 len);
	/* Each turn of the loop: true to have the next one at once. */
	bool (*turn)(void);
	/* In place of giving a buffer back. */
	void (*used)(struct xvm_vq *vq, u16 head, u32 len);
	/* After used buffers were shown. */
	void (*shown)(struct xvm_vq *vq);
};

extern const struct lie *lie;		/* the one that is told; NULL: none */
extern const struct lie message_lies[], raw_lies[];

struct liar {
	enum xvm_dialect dialect;
	u32 max_message, ring_bytes;
	u8 *control, *drv, *dev;
	struct xvm_ring_tx *tx;		/* NULL before the first message */
	u64 start_ms;
	u32 given;			/* buffers given back */
};

extern struct liar liar;

u64 now_ms(void);
u32 rnd(void);
/* Really sends; not shown yet. */
int put(const u8 *msg, u32 len, bool answer);
/* Shows all that was put. */
void publish(void);
void notify(void);
void give(struct xvm_vq *vq, u16 head, u32 len);

/* After so many buffers the guest is reading its disk. */
#define AT_WORK 12

#endif
