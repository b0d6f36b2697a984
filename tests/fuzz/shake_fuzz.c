// SPDX-License-Identifier: MIT
/*
 * Keys of both sides as lines of text, in the order of the enums of shake.h;
 * a line of one "-" is a missing key. A hostile back's offer is read and chosen
 * from, a hostile front's pick is checked against what we offer; what gets
 * through keeps every limit of docs/xenstore.md.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../../xen/proto/ring.h"
#include "../../xen/proto/shake.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xvm_offer ours = {
	.dialects = 3, .max_message = 264, .max_ring_order = 3, .max_credits = 32, .max_channels = 8,
	.bus_features = 1, .connection_id = 0x0123456789abcdefull,
};

/* The value of one line in a block of just its size; the caller frees it. */
static struct xvm_text line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
	size_t len = end ? (size_t)(end - *data) : *size;
	struct xvm_text key = { NULL, 0 };
	char *copy;

	if (*size && !(len == 1 && **data == '-')) {
		copy = malloc(len ? len : 1);
		CHECK(copy);
		memcpy(copy, *data, len);
		key.text = copy;
		key.len = len;
	}
	*data += len + !!end;
	*size -= len + !!end;
	return key;
}

static void kept(const struct xvm_pick *p, const struct xvm_offer *offer)
{
	u32 i;

	CHECK(p->dialect < XVM_DIALECT_COUNT && (offer->dialects & 1u << p->dialect));
	CHECK(p->max_message >= (p->dialect ? 52 : 44) && p->max_message <= 65536 - p->dialect);
	CHECK(p->max_message <= offer->max_message);
	CHECK(p->ring_order <= XVM_MAX_RING_ORDER && p->ring_order <= offer->max_ring_order);
	CHECK(p->credits >= 1 && p->credits <= offer->max_credits);
	CHECK(p->num_channels >= 1 && p->num_channels <= XVM_MAX_CHANNELS);
	CHECK(p->num_channels <= offer->max_channels);
	CHECK(!(p->bus_features & ~offer->bus_features));
	CHECK(p->connection_id == offer->connection_id);
	CHECK((u64)2 * p->credits * (8 + ((p->max_message + 7) & ~7u)) <= (u64)4096 << p->ring_order);
	for (i = 0; i < p->num_channels; i++)
		CHECK(p->channel[i]);
}

static void complete(const struct xvm_shake_fault *fault)
{
	CHECK(fault->key && fault->key[0] && fault->rule && fault->rule[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xvm_text back[XVM_BK_COUNT], front[XVM_FK_COUNT];
	struct xvm_shake_fault fault = { 0 };
	struct xvm_offer offer;
	struct xvm_pick pick;
	u32 i;

	for (i = 0; i < XVM_BK_COUNT; i++)
		back[i] = line(&data, &size);
	for (i = 0; i < XVM_FK_COUNT; i++)
		front[i] = line(&data, &size);

	if (xvm_shake_read_offer(back, &offer, &fault)) {
		complete(&fault);
	} else if (xvm_shake_choose(&offer, &ours, &pick, &fault)) {
		complete(&fault);
	} else {
		for (i = 0; i < XVM_MAX_CHANNELS; i++)
			pick.channel[i] = 1;
		kept(&pick, &offer);
	}
	if (xvm_shake_check_pick(front, &ours, &pick, &fault))
		complete(&fault);
	else
		kept(&pick, &ours);

	for (i = 0; i < XVM_BK_COUNT; i++)
		free((void *)back[i].text);
	for (i = 0; i < XVM_FK_COUNT; i++)
		free((void *)front[i].text);
	return 0;
}
