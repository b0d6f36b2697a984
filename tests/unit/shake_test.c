// SPDX-License-Identifier: MIT
/*
 * The handshake as pure functions: every key with every kind of bad value, the
 * front's choice against the back's check, and the states. Limits are those of
 * docs/xenstore.md.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../support/test.h"
#include "../../xen/proto/ring.h"
#include "../../xen/proto/shake.h"

static const char *const good_back[XVM_BK_COUNT] = {
	[XVM_BK_VERSIONS] = "1",
	[XVM_BK_DIALECTS] = "pr28",
	[XVM_BK_MAX_MESSAGE] = "264",
	[XVM_BK_MAX_RING_ORDER] = "3",
	[XVM_BK_MAX_CREDITS] = "32",
	[XVM_BK_MAX_CHANNELS] = "8",
	[XVM_BK_BUS_FEATURES] = "0",
	[XVM_BK_CONNECTION_ID] = "0123456789abcdef",
};

static const char *const good_front[XVM_FK_COUNT] = {
	[XVM_FK_VERSION] = "1",
	[XVM_FK_DIALECT] = "pr28",
	[XVM_FK_MAX_MESSAGE] = "264",
	[XVM_FK_RING_ORDER] = "3",
	[XVM_FK_CREDITS] = "32",
	[XVM_FK_CONTROL_REF] = "8",
	[XVM_FK_NUM_CHANNELS] = "1",
	[XVM_FK_BUS_FEATURES] = "0",
	[XVM_FK_CONNECTION_ID] = "0123456789abcdef",
	[XVM_FK_CHANNEL0] = "17",
};

static const struct xvm_offer offered = {
	.dialects = 1, .max_message = 264, .max_ring_order = 3, .max_credits = 32, .max_channels = 8,
	.bus_features = 0, .connection_id = 0x0123456789abcdefull,
};

static struct xvm_text back[XVM_BK_COUNT], front[XVM_FK_COUNT];
static struct xvm_shake_fault fault;
static struct xvm_offer offer;
static struct xvm_pick pick;

static void load(struct xvm_text *keys, const char *const *values, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		keys[i].text = values[i];
		keys[i].len = values[i] ? strlen(values[i]) : 0;
	}
}

static void set(struct xvm_text *key, const char *text)
{
	key->text = text;
	key->len = text ? strlen(text) : 0;
}

static int setup(void **state)
{
	(void)state;
	load(back, good_back, XVM_BK_COUNT);
	load(front, good_front, XVM_FK_COUNT);
	memset(&fault, 0, sizeof(fault));
	return 0;
}

static void back_refused(u32 key, const char *text)
{
	struct xvm_text keep = back[key];

	set(&back[key], text);
	fault.key = NULL;
	if (xvm_shake_read_offer(back, &offer, &fault) != -EPROTO)
		fail_msg("%s \"%s\" was accepted", xvm_back_key_name[key], text ? text : "(missing)");
	assert_string_equal(fault.key, xvm_back_key_name[key]);
	assert_non_null(fault.rule);
	back[key] = keep;
}

static void front_refused(u32 key, const char *text)
{
	struct xvm_text keep = front[key];

	set(&front[key], text);
	fault.key = NULL;
	if (xvm_shake_check_pick(front, &offered, &pick, &fault) != -EPROTO)
		fail_msg("%s \"%s\" was accepted", xvm_front_key_name[key], text ? text : "(missing)");
	assert_string_equal(fault.key, xvm_front_key_name[key]);
	assert_non_null(fault.rule);
	front[key] = keep;
}

/* What no number may look like. */
static const char *const bad_numbers[] = {
	NULL, "", " ", "+1", "-1", "-0", "00", "01", "0x1", "1 ", " 1", "1\n", "one", "1a", "1.0", "1,1",
	"4294967296", "9999999999", "10000000000", "11111111111111111111111111111111", "\xff", "%s", "1;",
};

static void test_offer(void **state)
{
	(void)state;
	assert_int_equal(xvm_shake_read_offer(back, &offer, &fault), 0);
	assert_memory_equal(&offer, &offered, sizeof(offer));
	/* A later back may know more: what we do not know does not hurt. */
	set(&back[XVM_BK_VERSIONS], "2,1,7");
	set(&back[XVM_BK_DIALECTS], "future,draft2026,pr28");
	assert_int_equal(xvm_shake_read_offer(back, &offer, &fault), 0);
	assert_int_equal(offer.dialects, 3);
	set(&back[XVM_BK_DIALECTS], "future,pr28");
	set(&back[XVM_BK_BUS_FEATURES], "4294967295");
	assert_int_equal(xvm_shake_read_offer(back, &offer, &fault), 0);
	assert_int_equal(offer.dialects, 1);
	assert_int_equal(offer.bus_features, 0xffffffffu);
}

static void test_offer_numbers(void **state)
{
	static const struct {
		u32 key;
		const char *low, *high;
	} rows[] = {
		{ XVM_BK_MAX_MESSAGE, "43", "65537" },
		{ XVM_BK_MAX_RING_ORDER, NULL, "33" },
		{ XVM_BK_MAX_CREDITS, "0", "65537" },
		{ XVM_BK_MAX_CHANNELS, "0", "65537" },
		{ XVM_BK_BUS_FEATURES, NULL, NULL },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		for (k = 0; k < XVM_ARRAY_SIZE(bad_numbers); k++)
			back_refused(rows[i].key, bad_numbers[k]);
		if (rows[i].low)
			back_refused(rows[i].key, rows[i].low);
		if (rows[i].high)
			back_refused(rows[i].key, rows[i].high);
	}
}

static void test_offer_texts(void **state)
{
	static const char *const versions[] = { NULL, "", "2", "11", "2,3", "1.0", " 1", "0", "-1" };
	static const char *const ids[] = {
		NULL, "", "0", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0x23456789abcdef",
		"0123456789abcdeg", " 123456789abcdef",
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(versions); i++)
		back_refused(XVM_BK_VERSIONS, versions[i]);
	for (i = 0; i < XVM_ARRAY_SIZE(ids); i++)
		back_refused(XVM_BK_CONNECTION_ID, ids[i]);
	/* No dialect of ours is an offer of none, which the choice refuses. */
	set(&back[XVM_BK_DIALECTS], "draft9999");
	assert_int_equal(xvm_shake_read_offer(back, &offer, &fault), 0);
	assert_int_equal(xvm_shake_choose(&offer, &offered, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "dialects");
	set(&back[XVM_BK_DIALECTS], NULL);
	assert_int_equal(xvm_shake_read_offer(back, &offer, &fault), 0);
	assert_int_equal(xvm_shake_choose(&offer, &offered, &pick, &fault), -EPROTO);
}

static void test_pick(void **state)
{
	(void)state;
	assert_int_equal(xvm_shake_check_pick(front, &offered, &pick, &fault), 0);
	assert_int_equal(pick.dialect, XVM_DIALECT_PR28);
	assert_int_equal(pick.max_message, 264);
	assert_int_equal(pick.ring_order, 3);
	assert_int_equal(pick.credits, 32);
	assert_int_equal(pick.control_ref, 8);
	assert_int_equal(pick.num_channels, 1);
	assert_int_equal(pick.channel[0], 17);
	assert_true(pick.connection_id == offered.connection_id);
}

static void test_pick_numbers(void **state)
{
	static const struct {
		u32 key;
		const char *low, *high;
	} rows[] = {
		{ XVM_FK_VERSION, "0", "2" },
		{ XVM_FK_MAX_MESSAGE, "43", "265" },
		{ XVM_FK_RING_ORDER, NULL, "4" },
		{ XVM_FK_CREDITS, "0", "33" },
		{ XVM_FK_CONTROL_REF, NULL, NULL },
		{ XVM_FK_NUM_CHANNELS, "0", "9" },
		{ XVM_FK_BUS_FEATURES, NULL, "1" },
		{ XVM_FK_CHANNEL0, "0", NULL },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		for (k = 0; k < XVM_ARRAY_SIZE(bad_numbers); k++)
			front_refused(rows[i].key, bad_numbers[k]);
		if (rows[i].low)
			front_refused(rows[i].key, rows[i].low);
		if (rows[i].high)
			front_refused(rows[i].key, rows[i].high);
	}
}

static void test_pick_texts(void **state)
{
	static const char *const dialects[] = {
		NULL, "", "pr2", "pr288", "PR28", "pr28 ", " pr28", "pr28,pr28", "draft2026", "1",
	};
	static const char *const ids[] = {
		NULL, "", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg",
		"0123456789abcdee",	/* well-formed, of an earlier connection */
		"0000000000000000", "ffffffffffffffff",
	};
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(dialects); i++)
		front_refused(XVM_FK_DIALECT, dialects[i]);
	for (i = 0; i < XVM_ARRAY_SIZE(ids); i++)
		front_refused(XVM_FK_CONNECTION_ID, ids[i]);
}

/* Not a dialect of this offer, although we know it. */
static void test_pick_dialect_not_offered(void **state)
{
	struct xvm_offer none = offered;

	(void)state;
	none.dialects = 0;
	assert_int_equal(xvm_shake_check_pick(front, &none, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "dialect");
}

static void test_pick_draft(void **state)
{
	struct xvm_offer both = offered;

	(void)state;
	both.dialects = 3;
	both.max_message = 65536;
	assert_int_equal(xvm_shake_check_pick(front, &both, &pick, &fault), 0);
	assert_int_equal(pick.dialect, XVM_DIALECT_PR28);
	set(&front[XVM_FK_DIALECT], "draft2026");
	assert_int_equal(xvm_shake_check_pick(front, &both, &pick, &fault), 0);
	assert_int_equal(pick.dialect, XVM_DIALECT_DRAFT2026);
	/* 52 bytes are the least it may have, 65535 the most. */
	set(&front[XVM_FK_MAX_MESSAGE], "52");
	assert_int_equal(xvm_shake_check_pick(front, &both, &pick, &fault), 0);
	set(&front[XVM_FK_MAX_MESSAGE], "51");
	assert_int_equal(xvm_shake_check_pick(front, &both, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "max-message-bytes");
	assert_int_equal(fault.limit, 52);
	set(&front[XVM_FK_MAX_MESSAGE], "65536");
	assert_int_equal(xvm_shake_check_pick(front, &both, &pick, &fault), -EPROTO);
	assert_int_equal(fault.limit, 65535);
	both.dialects = 2;
	set(&front[XVM_FK_MAX_MESSAGE], "264");
	set(&front[XVM_FK_DIALECT], "pr28");
	assert_int_equal(xvm_shake_check_pick(front, &both, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "dialect");
}

/* The newest that both know, unless either leaves it out or its messages do not fit. */
static void test_choose_dialect(void **state)
{
	static const struct {
		u32 theirs, ours, bytes;
		int want;		/* -1: none */
	} rows[] = {
		{ 3, 3, 264, XVM_DIALECT_DRAFT2026 }, { 3, 1, 264, XVM_DIALECT_PR28 },
		{ 1, 3, 264, XVM_DIALECT_PR28 }, { 2, 3, 264, XVM_DIALECT_DRAFT2026 },
		{ 3, 2, 264, XVM_DIALECT_DRAFT2026 }, { 1, 2, 264, -1 }, { 2, 1, 264, -1 },
		{ 0, 3, 264, -1 }, { 3, 3, 52, XVM_DIALECT_DRAFT2026 }, { 3, 3, 51, XVM_DIALECT_PR28 },
		{ 2, 3, 51, -1 }, { 3, 3, 43, -1 },
	};
	struct xvm_offer theirs = offered, own = offered;
	size_t i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++) {
		theirs.dialects = rows[i].theirs;
		own.dialects = rows[i].ours;
		own.max_message = rows[i].bytes;
		fault.key = NULL;
		assert_int_equal(xvm_shake_choose(&theirs, &own, &pick, &fault),
				 rows[i].want < 0 ? -EPROTO : 0);
		if (rows[i].want < 0)
			assert_non_null(fault.key);
		else
			assert_int_equal(pick.dialect, (u32)rows[i].want);
	}
}

static void test_pick_channels(void **state)
{
	struct xvm_offer wide = offered;
	u32 n, i;

	(void)state;
	for (n = 1; n <= 8; n++) {
		static const char *const digits[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8" };

		setup(NULL);
		set(&front[XVM_FK_NUM_CHANNELS], digits[n]);
		for (i = 0; i < n; i++)
			set(&front[XVM_FK_CHANNEL0 + i], "4294967295");
		assert_int_equal(xvm_shake_check_pick(front, &offered, &pick, &fault), 0);
		assert_int_equal(pick.channel[n - 1], 0xffffffffu);
		front_refused(XVM_FK_CHANNEL0 + n - 1, NULL);
		front_refused(XVM_FK_CHANNEL0 + n - 1, "0");
	}
	/* An offer of more than we have room for is not an offer of ours to overflow. */
	wide.max_channels = 65536;
	set(&front[XVM_FK_NUM_CHANNELS], "9");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "num-event-channels");
}

/* 32 KiB carry 60 records of 272 bytes twice over: C >= 2 * N * S. */
static void test_pick_ring_rule(void **state)
{
	struct xvm_offer wide = offered;

	(void)state;
	wide.max_credits = 256;
	wide.max_ring_order = 32;
	set(&front[XVM_FK_CREDITS], "60");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), 0);
	set(&front[XVM_FK_CREDITS], "61");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "driver-credits");
	set(&front[XVM_FK_RING_ORDER], "0");
	set(&front[XVM_FK_CREDITS], "7");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), 0);
	set(&front[XVM_FK_CREDITS], "8");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
	/* Whatever was offered, the control page has room for order 6. */
	set(&front[XVM_FK_RING_ORDER], "7");
	set(&front[XVM_FK_CREDITS], "1");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
	assert_string_equal(fault.key, "ring-page-order");
	set(&front[XVM_FK_RING_ORDER], "32");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
}

/* Sizes whose product does not fit 32 bits are refused, not accepted by what is left of it. */
static void test_pick_huge(void **state)
{
	struct xvm_offer wide = offered;

	(void)state;
	wide.max_credits = 0xffffffffu;
	wide.max_message = 65536;
	wide.max_ring_order = 6;
	set(&front[XVM_FK_RING_ORDER], "6");
	set(&front[XVM_FK_MAX_MESSAGE], "4088");
	set(&front[XVM_FK_CREDITS], "1048576");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
	set(&front[XVM_FK_CREDITS], "2147483648");
	assert_int_equal(xvm_shake_check_pick(front, &wide, &pick, &fault), -EPROTO);
}

static u32 some(u32 low, u32 high)
{
	return low + (u32)rand() % (high - low + 1);
}

static void write_pick(char text[][24], const struct xvm_pick *p)
{
	u32 i;

	snprintf(text[XVM_FK_VERSION], 24, "1");
	snprintf(text[XVM_FK_DIALECT], 24, "%s", xvm_dialect_name(p->dialect));
	snprintf(text[XVM_FK_MAX_MESSAGE], 24, "%u", p->max_message);
	snprintf(text[XVM_FK_RING_ORDER], 24, "%u", p->ring_order);
	snprintf(text[XVM_FK_CREDITS], 24, "%u", p->credits);
	snprintf(text[XVM_FK_CONTROL_REF], 24, "%u", p->control_ref);
	snprintf(text[XVM_FK_NUM_CHANNELS], 24, "%u", p->num_channels);
	snprintf(text[XVM_FK_BUS_FEATURES], 24, "%u", p->bus_features);
	snprintf(text[XVM_FK_CONNECTION_ID], 24, "%016llx", (unsigned long long)p->connection_id);
	for (i = 0; i < p->num_channels; i++)
		snprintf(text[XVM_FK_CHANNEL0 + i], 24, "%u", p->channel[i]);
}

/* Whatever both sides can do: what the front chooses the back accepts, and reads as the same. */
static void test_choice_is_accepted(void **state)
{
	static const struct xvm_offer limits = {
		.max_message = 65536, .max_ring_order = XVM_MAX_RING_ORDER, .max_credits = XVM_MAX_CREDITS,
		.max_channels = XVM_MAX_CHANNELS,
	};
	char text[XVM_FK_COUNT][24];
	u32 i, k, agreed = 0;

	(void)state;
	srand(1);
	for (i = 0; i < 20000; i++) {
		struct xvm_offer own = {
			.dialects = some(1, 3), .max_message = some(44, i % 2 ? 600 : limits.max_message),
			.max_ring_order = some(0, limits.max_ring_order),
			.max_credits = some(1, limits.max_credits),
			.max_channels = some(1, limits.max_channels), .bus_features = (u32)rand(),
		};
		struct xvm_offer theirs = {
			.dialects = some(0, 3), .max_message = some(44, i % 3 ? 600 : 65536),
			.max_ring_order = some(0, 32), .max_credits = some(1, 65536),
			.max_channels = some(1, 65536), .bus_features = (u32)rand(),
			.connection_id = (u64)rand() << 33 | (u32)rand(),
		};
		struct xvm_pick read;

		if (xvm_shake_choose(&theirs, &own, &pick, &fault)) {
			assert_true(!(theirs.dialects & own.dialects & 1) || pick.credits == 0);
			continue;
		}
		agreed++;
		pick.control_ref = (u32)rand();
		for (k = 0; k < pick.num_channels; k++)
			pick.channel[k] = some(1, 4095);
		assert_true(pick.num_channels <= XVM_MAX_CHANNELS);
		write_pick(text, &pick);
		memset(front, 0, sizeof(front));
		for (k = 0; k < XVM_FK_CHANNEL0 + pick.num_channels; k++)
			set(&front[k], text[k]);
		if (xvm_shake_check_pick(front, &theirs, &read, &fault))
			fail_msg("%s %s %u", fault.key, fault.rule, fault.limit);
		assert_memory_equal(&read, &pick, sizeof(read));
		assert_true(xvm_ring_min_bytes(pick.max_message, pick.credits) <= 4096u << pick.ring_order);
	}
	assert_true(agreed > 5000);
}

/* The usual pair: 264 bytes, 8 pages, 32 credits. And one page, where only 7 fit. */
static void test_choose(void **state)
{
	struct xvm_offer small = offered;

	(void)state;
	assert_int_equal(xvm_shake_choose(&offered, &offered, &pick, &fault), 0);
	assert_int_equal(pick.credits, 32);
	assert_int_equal(pick.ring_order, 3);
	assert_int_equal(pick.max_message, 264);
	assert_int_equal(pick.num_channels, 8);
	small.max_ring_order = 0;
	assert_int_equal(xvm_shake_choose(&small, &offered, &pick, &fault), 0);
	assert_int_equal(pick.credits, 7);
	small.max_message = 65536;
	assert_int_equal(xvm_shake_choose(&small, &small, &pick, &fault), -EPROTO);
}

#define U XVM_BACK_WAIT

/* Every pair of states; rows: the back, columns: the front, 0 (no node) to 6. */
static void test_states(void **state)
{
	static const enum xvm_back_step want[7][7] = {
		/* front:  0               1               2  3                 4                 5               6 */
		{ U, XVM_BACK_OFFER, U, U, U, XVM_BACK_CLOSE, XVM_BACK_CLOSE },
		{ U, XVM_BACK_OFFER, U, U, U, XVM_BACK_CLOSE, XVM_BACK_CLOSE },
		{ U, U, U, XVM_BACK_CONNECT, XVM_BACK_CONNECT, XVM_BACK_CLOSE, XVM_BACK_CLOSE },
		{ U, XVM_BACK_OFFER, U, U, U, XVM_BACK_CLOSE, XVM_BACK_CLOSE },
		{ XVM_BACK_CLOSE, XVM_BACK_OFFER, XVM_BACK_CLOSE, U, U, XVM_BACK_CLOSE, XVM_BACK_CLOSE },
		{ U, XVM_BACK_OFFER, U, U, U, XVM_BACK_CLOSE, XVM_BACK_CLOSE },
		{ U, XVM_BACK_OFFER, U, U, U, U, U },
	};
	u32 b, f;

	(void)state;
	for (b = 0; b < 7; b++)
		for (f = 0; f < 7; f++)
			assert_int_equal(xvm_shake_back((enum xvm_bus_state)b, (enum xvm_bus_state)f),
					 want[b][f]);
	/* A front may write any number. */
	for (f = 7; f < 300; f++) {
		assert_int_equal(xvm_shake_back(XVM_BUS_CONNECTED, (enum xvm_bus_state)f), XVM_BACK_CLOSE);
		assert_int_equal(xvm_shake_back(XVM_BUS_INIT_WAIT, (enum xvm_bus_state)f), U);
	}
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_offer), CASE(test_offer_numbers), CASE(test_offer_texts), CASE(test_pick),
		CASE(test_pick_numbers), CASE(test_pick_texts), CASE(test_pick_dialect_not_offered),
		CASE(test_pick_draft), CASE(test_choose_dialect), CASE(test_pick_channels), CASE(test_pick_ring_rule), CASE(test_pick_huge),
		CASE(test_choice_is_accepted), CASE(test_choose), CASE(test_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
