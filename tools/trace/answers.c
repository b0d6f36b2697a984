// SPDX-License-Identifier: MIT
#include "answers.h"
#include "../../xen/proto/msg.h"

/* What an answer has in common with its request, and with no other one that is outstanding. */
static void key_of(enum xvm_side asker, u8 type, u8 id, u16 dev_num, u16 token, u32 *low, u32 *high)
{
	*low = (u32)dev_num << 16 | token;
	*high = (u32)asker << 16 | (u32)(type & VIRTIO_MSG_TYPE_BUS) << 8 | id;
}

static int64_t since(struct xvm_trace_answers *a, u32 low, u32 high, u64 now)
{
	struct xvm_trace_asked *p;
	u32 i;

	for (i = 0; i < XVM_TRACE_ASKED; i++) {
		p = &a->asked[i];
		if (!p->used || p->key_low != low || p->key_high != high)
			continue;
		p->used = false;
		/* The clock of dom0 may have been set meanwhile. */
		return now >= p->ns && now - p->ns <= INT64_MAX ? (int64_t)(now - p->ns) : 0;
	}
	return -1;
}

/* Into a free place, or that of the oldest, roughly: places are taken in turn. */
static void remember(struct xvm_trace_answers *a, u32 low, u32 high, u64 now)
{
	u32 i, at = a->next;

	for (i = 0; i < XVM_TRACE_ASKED && a->asked[at].used; i++)
		at = (at + 1) % XVM_TRACE_ASKED;
	a->asked[at] = (struct xvm_trace_asked){ now, low, high, true };
	a->next = (at + 1) % XVM_TRACE_ASKED;
}

bool xvm_trace_match(struct xvm_trace_answers *a, enum xvm_side sender, const struct xvm_hdr *hdr,
		     const u8 *msg, u64 now, int64_t *ns)
{
	enum xvm_side other = sender == XVM_SIDE_DRIVER ? XVM_SIDE_DEVICE : XVM_SIDE_DRIVER;
	struct xvm_msg_request_failed failed;
	u32 low, high;

	if (hdr->type & VIRTIO_MSG_TYPE_RESPONSE) {
		key_of(other, hdr->type, hdr->id, hdr->dev_num, hdr->token, &low, &high);
	} else if (hdr->type & VIRTIO_MSG_TYPE_BUS && hdr->id == XVM_BUS_MSG_REQUEST_FAILED) {
		xvm_msg_get_request_failed(msg, &failed);
		key_of(other, failed.type, failed.id, failed.dev_num, failed.token, &low, &high);
	} else {
		if (!(hdr->id & VIRTIO_MSG_ID_EVENT)) {
			key_of(sender, hdr->type, hdr->id, hdr->dev_num, hdr->token, &low, &high);
			remember(a, low, high, now);
		}
		return false;
	}
	*ns = since(a, low, high, now);
	return true;
}
