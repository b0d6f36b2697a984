/* SPDX-License-Identifier: MIT */
/*
 * Feeds an observer with all that a test's own end of the rings sends and
 * takes, without a word in drv.c: the linker puts the tap before the ring
 * functions. A program that uses it links tests/support/tap.c and the observer
 * and has in its LIBS: -Wl,--wrap=xvm_ring_tx_put,--wrap=xvm_ring_rx_get
 */
#ifndef XVM_TEST_TAP_H
#define XVM_TEST_TAP_H

#include "observer.h"

/* From now on; the worker's process, forked later, observes nothing. */
void tap_start(u32 max_message, u32 credits);
/* Counts findings whose statements begin with one of the lists, "DEV BUS"; each is printed. */
u32 tap_stop(const char *lists);
/* The next record that is looked for is this one, as if the device side had sent it; not observed. */
void tap_inject(const void *msg, u32 len);
/* NULL: not started. */
struct xvm_observer *tap_observer(void);

#endif
