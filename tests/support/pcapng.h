/* SPDX-License-Identifier: MIT */
/*
 * Reads captures as tools/capture.h describes them, and has an observer judge
 * them: the trace of a real guest is checked like a stream of the tests.
 */
#ifndef XVM_TEST_PCAPNG_H
#define XVM_TEST_PCAPNG_H

#include <stdio.h>
#include "observer.h"

/*
 * Feeds the messages of one domain (0: of the first that is met). Returns how
 * many they were, or -1 when this is no capture of ours, or is cut off.
 */
long xvm_pcapng_observe(FILE *f, u32 domid, struct xvm_observer *o);

#endif
