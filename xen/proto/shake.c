// SPDX-License-Identifier: MIT
#include "shake.h"
#include "num.h"
#include "ring.h"

#define MIN_MESSAGE VIRTIO_MSG_MIN_MAX_BYTES
#define MAX_MESSAGE 65536u

const char *const xvm_back_key_name[XVM_BK_COUNT] = {
	[XVM_BK_VERSIONS] = XVM_KEY_VERSIONS,
	[XVM_BK_DIALECTS] = XVM_KEY_DIALECTS,
	[XVM_BK_MAX_MESSAGE] = XVM_KEY_MAX_MESSAGE,
	[XVM_BK_MAX_RING_ORDER] = XVM_KEY_MAX_RING_ORDER,
	[XVM_BK_MAX_CREDITS] = XVM_KEY_MAX_CREDITS,
	[XVM_BK_MAX_CHANNELS] = XVM_KEY_MAX_CHANNELS,
	[XVM_BK_BUS_FEATURES] = XVM_KEY_BUS_FEATURES,
	[XVM_BK_CONNECTION_ID] = XVM_KEY_CONNECTION_ID,
};

const char *const xvm_front_key_name[XVM_FK_COUNT] = {
	[XVM_FK_VERSION] = XVM_KEY_VERSION,
	[XVM_FK_DIALECT] = XVM_KEY_DIALECT,
	[XVM_FK_MAX_MESSAGE] = XVM_KEY_MAX_MESSAGE,
	[XVM_FK_RING_ORDER] = XVM_KEY_RING_ORDER,
	[XVM_FK_CREDITS] = XVM_KEY_CREDITS,
	[XVM_FK_CONTROL_REF] = XVM_KEY_CONTROL_REF,
	[XVM_FK_NUM_CHANNELS] = XVM_KEY_NUM_CHANNELS,
	[XVM_FK_BUS_FEATURES] = XVM_KEY_BUS_FEATURES,
	[XVM_FK_CONNECTION_ID] = XVM_KEY_CONNECTION_ID,
	"event-channel-0", "event-channel-1", "event-channel-2", "event-channel-3",
	"event-channel-4", "event-channel-5", "event-channel-6", "event-channel-7",
};

static int set_fault(struct xvm_shake_fault *fault, const char *key, const char *rule, u32 limit)
{
	fault->key = key;
	fault->rule = rule;
	fault->limit = limit;
	return -EPROTO;
}

/* One decimal key between min and max. */
static int read_u32(const struct xvm_text *key, const char *name, u32 min, u32 max, u32 *value,
		    struct xvm_shake_fault *fault)
{
	int err;

	if (!key->text)
		return set_fault(fault, name, "is missing", 0);
	err = xvm_parse_u32(key->text, key->len, max, value);
	if (err == -ERANGE)
		return set_fault(fault, name, "is above the limit", max);
	if (err)
		return set_fault(fault, name, "is not a plain decimal number, at most", max);
	if (*value < min)
		return set_fault(fault, name, "is below the limit", min);
	return 0;
}

static int read_id(const struct xvm_text *key, u64 *id, struct xvm_shake_fault *fault)
{
	if (!key->text || xvm_parse_id64(key->text, key->len, id))
		return set_fault(fault, XVM_KEY_CONNECTION_ID,
				 "is not a number of this many hex digits", 16);
	return 0;
}

int xvm_shake_read_offer(const struct xvm_text keys[XVM_BK_COUNT], struct xvm_offer *offer,
			 struct xvm_shake_fault *fault)
{
	static const struct {
		enum xvm_back_key key;
		u32 min, max;
		size_t field;
	} numbers[] = {
		{ XVM_BK_MAX_MESSAGE, MIN_MESSAGE, MAX_MESSAGE, offsetof(struct xvm_offer, max_message) },
		{ XVM_BK_MAX_RING_ORDER, 0, 32, offsetof(struct xvm_offer, max_ring_order) },
		{ XVM_BK_MAX_CREDITS, 1, 65536, offsetof(struct xvm_offer, max_credits) },
		{ XVM_BK_MAX_CHANNELS, 1, 65536, offsetof(struct xvm_offer, max_channels) },
		{ XVM_BK_BUS_FEATURES, 0, 0xffffffffu, offsetof(struct xvm_offer, bus_features) },
	};
	const struct xvm_text *versions = &keys[XVM_BK_VERSIONS], *names = &keys[XVM_BK_DIALECTS];
	u32 i;

	memset(offer, 0, sizeof(*offer));
	if (!versions->text || !xvm_list_has(versions->text, versions->len, "1"))
		return set_fault(fault, XVM_KEY_VERSIONS, "does not list bus version", XVM_BUS_VERSION);
	for (i = 0; names->text && i < XVM_DIALECT_COUNT; i++)
		if (xvm_list_has(names->text, names->len, xvm_dialect_name((enum xvm_dialect)i)))
			offer->dialects |= 1u << i;
	for (i = 0; i < XVM_ARRAY_SIZE(numbers); i++) {
		enum xvm_back_key key = numbers[i].key;
		int err = read_u32(&keys[key], xvm_back_key_name[key], numbers[i].min, numbers[i].max,
				   (u32 *)((char *)offer + numbers[i].field), fault);

		if (err)
			return err;
	}
	return read_id(&keys[XVM_BK_CONNECTION_ID], &offer->connection_id, fault);
}

static u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

int xvm_shake_choose(const struct xvm_offer *back, const struct xvm_offer *own,
		     struct xvm_pick *pick, struct xvm_shake_fault *fault)
{
	u32 common = back->dialects & own->dialects, i, most = least(back->max_message, own->max_message);

	memset(pick, 0, sizeof(*pick));
	if (!common)
		return set_fault(fault, XVM_KEY_DIALECTS, "has no dialect of ours, which know", own->dialects);
	/* The newest dialect both know and the messages are long enough for: the enum is in order of age. */
	for (i = 0; i < XVM_DIALECT_COUNT; i++) {
		const struct xvm_dialect_rules *rules = xvm_dialect_rules((enum xvm_dialect)i);

		if (!(common & 1u << i) || most < rules->min_message)
			continue;
		pick->dialect = (enum xvm_dialect)i;
		pick->max_message = least(most, rules->max_message);
	}
	if (!pick->max_message)
		return set_fault(fault, XVM_KEY_MAX_MESSAGE, "is too small for the common dialects", most);
	pick->ring_order = least(back->max_ring_order, own->max_ring_order);
	pick->credits = least(back->max_credits, own->max_credits);
	pick->num_channels = least(back->max_channels, own->max_channels);
	pick->bus_features = back->bus_features & own->bus_features;
	pick->connection_id = back->connection_id;
	while (pick->credits &&
	       xvm_ring_min_bytes(pick->max_message, pick->credits) > XVM_PAGE_BYTES << pick->ring_order)
		pick->credits--;
	if (!pick->credits)
		return set_fault(fault, XVM_KEY_MAX_RING_ORDER, "is too small for one message of",
				 pick->max_message);
	return 0;
}

int xvm_shake_check_pick(const struct xvm_text keys[XVM_FK_COUNT], const struct xvm_offer *offer,
			 struct xvm_pick *pick, struct xvm_shake_fault *fault)
{
	const struct {
		enum xvm_front_key key;
		u32 min, max;
		u32 *value;
	} numbers[] = {
		{ XVM_FK_MAX_MESSAGE, MIN_MESSAGE, offer->max_message, &pick->max_message },
		{ XVM_FK_RING_ORDER, 0, offer->max_ring_order, &pick->ring_order },
		{ XVM_FK_CREDITS, 1, offer->max_credits, &pick->credits },
		{ XVM_FK_CONTROL_REF, 0, 0xffffffffu, &pick->control_ref },
		{ XVM_FK_NUM_CHANNELS, 1, least(offer->max_channels, XVM_MAX_CHANNELS),
		  &pick->num_channels },
		{ XVM_FK_BUS_FEATURES, 0, 0xffffffffu, &pick->bus_features },
	};
	const struct xvm_text *dialect = &keys[XVM_FK_DIALECT];
	u32 i, version;
	int err;

	memset(pick, 0, sizeof(*pick));
	err = read_u32(&keys[XVM_FK_VERSION], XVM_KEY_VERSION, XVM_BUS_VERSION, XVM_BUS_VERSION, &version,
		       fault);
	if (err)
		return err;
	err = read_id(&keys[XVM_FK_CONNECTION_ID], &pick->connection_id, fault);
	if (err)
		return err;
	if (pick->connection_id != offer->connection_id)
		return set_fault(fault, XVM_KEY_CONNECTION_ID, "is not the one offered", 16);
	if (!dialect->text || xvm_dialect_find(dialect->text, dialect->len, &pick->dialect) ||
	    !(offer->dialects & 1u << pick->dialect))
		return set_fault(fault, XVM_KEY_DIALECT, "is none of the dialects offered, bits",
				 offer->dialects);
	for (i = 0; i < XVM_ARRAY_SIZE(numbers); i++) {
		enum xvm_front_key key = numbers[i].key;

		err = read_u32(&keys[key], xvm_front_key_name[key], numbers[i].min, numbers[i].max,
			       numbers[i].value, fault);
		if (err)
			return err;
	}
	if (pick->max_message < xvm_dialect_rules(pick->dialect)->min_message)
		return set_fault(fault, XVM_KEY_MAX_MESSAGE, "is below the limit of the dialect",
				 xvm_dialect_rules(pick->dialect)->min_message);
	if (pick->max_message > xvm_dialect_rules(pick->dialect)->max_message)
		return set_fault(fault, XVM_KEY_MAX_MESSAGE, "is above the limit of the dialect",
				 xvm_dialect_rules(pick->dialect)->max_message);
	if (pick->bus_features & ~offer->bus_features)
		return set_fault(fault, XVM_KEY_BUS_FEATURES, "has bits beyond those offered",
				 offer->bus_features);
	if (pick->ring_order > XVM_MAX_RING_ORDER)
		return set_fault(fault, XVM_KEY_RING_ORDER, "is above the limit", XVM_MAX_RING_ORDER);
	if (xvm_ring_min_bytes(pick->max_message, pick->credits) > XVM_PAGE_BYTES << pick->ring_order)
		return set_fault(fault, XVM_KEY_CREDITS, "needs rings of at least this many bytes",
				 xvm_ring_min_bytes(pick->max_message, pick->credits));
	for (i = 0; i < pick->num_channels; i++) {
		/* Port 0 is never valid in Xen. */
		err = read_u32(&keys[XVM_FK_CHANNEL0 + i], xvm_front_key_name[XVM_FK_CHANNEL0 + i], 1,
			       0xffffffffu, &pick->channel[i], fault);
		if (err)
			return err;
	}
	return 0;
}

enum xvm_back_step xvm_shake_back(enum xvm_bus_state back, enum xvm_bus_state front)
{
	switch (front) {
	case XVM_BUS_INITIALISING:
		/* A new driver: also after a kexec, when the old one never said good-bye. */
		return back == XVM_BUS_INIT_WAIT ? XVM_BACK_WAIT : XVM_BACK_OFFER;
	case XVM_BUS_INITIALISED:
	case XVM_BUS_CONNECTED:
		return back == XVM_BUS_INIT_WAIT ? XVM_BACK_CONNECT : XVM_BACK_WAIT;
	case XVM_BUS_CLOSING:
	case XVM_BUS_CLOSED:
		return back == XVM_BUS_CLOSED ? XVM_BACK_WAIT : XVM_BACK_CLOSE;
	default:
		/* No node, or no sense in it: nothing to keep for this front. */
		return back == XVM_BUS_CONNECTED ? XVM_BACK_CLOSE : XVM_BACK_WAIT;
	}
}
