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
 * Feeds the messages of one domain (0: of the first that is met), of the first
 * of its connections. Returns how many they were, or -1 when this is no capture
 * of ours, is cut off, or says that messages are missing in it.
 */
long xvm_pcapng_observe(FILE *f, u32 domid, struct xvm_observer *o);

/* The dialect of the first message of a domain (0: of any), or -1; f is at its beginning again. */
int xvm_pcapng_dialect(FILE *f, u32 domid);

#endif
