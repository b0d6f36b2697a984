/* SPDX-License-Identifier: MIT */
/*
 * Takes a batch of a trace (include/xvmsg/ctl.h) apart. The batch is hostile
 * bytes in private memory; messages are pointed at, not copied.
 */
#ifndef XVM_TOOLS_TRACE_BATCH_H
#define XVM_TOOLS_TRACE_BATCH_H

#include "../../xen/proto/msgtab.h"

struct xvm_trace_batch {
	const u8 *at;
	size_t left;
	u32 lost;		/* messages missing before the first of this batch */
};

struct xvm_trace_record {
	u64 ns;			/* since 1970 */
	enum xvm_side sender;
	const u8 *msg;
	u32 len;
};

/* 0, or -EPROTO: no batch. */
int xvm_trace_batch_init(struct xvm_trace_batch *batch, const u8 *data, size_t bytes);
/* 1 with the next record, 0: there is none, -EPROTO: what follows is no record. */
int xvm_trace_batch_next(struct xvm_trace_batch *batch, struct xvm_trace_record *record);

#endif
