/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device for tests of the transport: it does at the driver's word what a
 * device else does of its own accord. The word is the byte written at offset 0
 * of its configuration.
 */
#ifndef TESTS_SUPPORT_TOY_H
#define TESTS_SUPPORT_TOY_H

#include "../../dom0/virtio/vdev.h"

#define TOY_ID		63u
#define TOY_QUEUES	2u
#define TOY_QUEUE_SIZE	16u
#define TOY_CONFIG	24u	/* bytes; 8 and up change together */
#define TOY_FEATURE	1u	/* the one device feature, bit 0 */
#define TOY_SLOW_MS	60u
#define TOY_LATE	(1u << 30)	/* flags of its description: it comes to be after TOY_LATE_MS, */
#define TOY_NEVER	(1u << 31)	/* or then turns out not to */
#define TOY_LATE_MS	200u
#define TOY_BYTE	0x5a	/* written to the first byte of each buffer */

enum toy_word {
	TOY_CHANGE = 1,		/* change the configuration */
	TOY_BREAK,		/* fail for good */
	TOY_SLOW,		/* requests take TOY_SLOW_MS and cannot be cancelled */
	TOY_REFUSE,		/* do not take this write */
	TOY_THINK,		/* take it, and never say so */
};

extern const struct xvm_vdev_type toy_type;

#endif
