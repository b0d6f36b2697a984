/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker's one io_uring: all waiting and all file I/O. The ring is made
 * disabled, restricted to the operations used here, then enabled, because a
 * ring walks around the system call filter otherwise. Device models see it as
 * dom0/virtio/aio.h.
 */
#ifndef DOM0_WORKER_LOOP_H
#define DOM0_WORKER_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "../virtio/aio.h"

/*
 * 0, or negative errno with *aio untouched. hold (-1: none) is a descriptor that the ring keeps
 * open as its own until the last I/O in it has ended, even after the process was killed; no
 * request can use it. The caller closes his.
 */
int aio_new(struct xvm_aio **aio, int hold);
void aio_free(struct xvm_aio *aio);
/* The ring's descriptor, for the test that tries what it must refuse. */
int aio_ring_fd(const struct xvm_aio *aio);

/* Hands over what was prepared; with wait, sleeps until something is complete. One system call. */
int aio_enter(struct xvm_aio *aio, bool wait);
/* Runs done of what is complete, a bounded number of them; returns how many. */
unsigned int aio_reap(struct xvm_aio *aio);

/* io_uring_enter calls so far. */
uint64_t aio_enters(const struct xvm_aio *aio);

#endif
