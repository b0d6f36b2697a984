/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits on what guests can make the supervisor do: area pages, host-wide and
 * per guest, and rates as token buckets. Pure: callers pass the time in.
 */
#ifndef XVM_DAEMON_BUDGET_H
#define XVM_DAEMON_BUDGET_H

#include "../../xen/proto/num.h"

/* dom0's maptrack holds two entries per mapped page; this shares it out. */
struct xvm_budget {
	u32 total_pages, guest_pages;	/* limits */
	u32 used_pages;
};

/* Takes pages for a guest that holds *held. -ENOSPC, and what is left in *left. */
int xvm_budget_take(struct xvm_budget *budget, u32 *held, u32 pages, u32 *left);
void xvm_budget_give(struct xvm_budget *budget, u32 *held, u32 pages);

/*
 * A bucket of burst tokens, one more every refill_ms. A refusal closes it for a
 * while, twice as long each time, until it has been full again.
 */
struct xvm_rate {
	u32 burst, refill_ms, max_wait_ms;
	u32 tokens;
	u32 wait_ms;		/* of the next refusal; 0: refill_ms */
	u64 last_ms;		/* when tokens was right */
	u64 closed_until_ms;
};

#define XVM_RATE(burst_, refill_ms_, max_wait_ms_) \
	{ .burst = burst_, .refill_ms = refill_ms_, .max_wait_ms = max_wait_ms_, .tokens = burst_ }

/* 0: go ahead. Else: milliseconds until it is worth asking again. */
u32 xvm_rate_take(struct xvm_rate *rate, u64 now_ms);

#endif
