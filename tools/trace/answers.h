/* SPDX-License-Identifier: MIT */
/*
 * Which request a message answers, and how long that took. Bounded: who asks
 * without end has his oldest questions forgotten.
 */
#ifndef XVM_TOOLS_TRACE_ANSWERS_H
#define XVM_TOOLS_TRACE_ANSWERS_H

#include "../../xen/proto/frame.h"

/* More than either side may have without answer. */
#define XVM_TRACE_ASKED 512

struct xvm_trace_asked {
	u64 ns;
	u32 key_low, key_high;
	bool used;
};

/* Zero-initialise; one per connection. */
struct xvm_trace_answers {
	struct xvm_trace_asked asked[XVM_TRACE_ASKED];
	u32 next;
};

/*
 * Takes a message that is well-formed, in the order of the trace. True: it is an
 * answer (REQUEST_FAILED is one), and *ns the time since its request, or -1
 * when the request was not seen.
 */
bool xvm_trace_match(struct xvm_trace_answers *a, enum xvm_side sender, const struct xvm_hdr *hdr,
		     const u8 *msg, u64 now, int64_t *ns);

#endif
