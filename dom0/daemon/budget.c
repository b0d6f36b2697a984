// SPDX-License-Identifier: GPL-2.0-or-later
#include "budget.h"

static u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

int xvm_budget_take(struct xvm_budget *budget, u32 *held, u32 pages, u32 *left)
{
	/* A limit that was lowered takes nothing back. */
	u32 host = budget->used_pages < budget->total_pages ? budget->total_pages - budget->used_pages : 0;
	u32 guest = *held < budget->guest_pages ? budget->guest_pages - *held : 0;

	*left = least(host, guest);
	if (pages > *left)
		return -ENOSPC;
	budget->used_pages += pages;
	*held += pages;
	*left -= pages;
	return 0;
}

void xvm_budget_give(struct xvm_budget *budget, u32 *held, u32 pages)
{
	pages = least(pages, *held);
	*held -= pages;
	budget->used_pages -= least(pages, budget->used_pages);
}

static void rate_refill(struct xvm_rate *rate, u64 now_ms)
{
	u64 fresh = (now_ms - rate->last_ms) / rate->refill_ms;

	if (!rate->last_ms || fresh >= rate->burst - rate->tokens) {
		/* Full again: whoever was noisy has been quiet for a while. */
		rate->tokens = rate->burst;
		rate->last_ms = now_ms;
		rate->wait_ms = 0;
	} else {
		rate->tokens += (u32)fresh;
		rate->last_ms += fresh * rate->refill_ms;
	}
}

u32 xvm_rate_take(struct xvm_rate *rate, u64 now_ms)
{
	u32 wait;

	if (now_ms < rate->closed_until_ms)
		return (u32)(rate->closed_until_ms - now_ms);
	rate_refill(rate, now_ms);
	if (rate->tokens) {
		rate->tokens--;
		return 0;
	}
	wait = least(rate->wait_ms ? rate->wait_ms : rate->refill_ms, rate->max_wait_ms);
	rate->wait_ms = least(2 * wait, rate->max_wait_ms);
	/* One token is there when it opens again, however long it was closed. */
	rate->closed_until_ms = now_ms + wait;
	rate->last_ms = now_ms + wait - least(rate->refill_ms, wait);
	return wait;
}
