// SPDX-License-Identifier: GPL-2.0-or-later
/* xenstore: keys that say nothing, states that jump, connections that come and go. */
#include "front.h"
#include <stdio.h>
#include <stdlib.h>
#include <xen/io/xs_wire.h>

static const char *const keys[] = {
	XVM_KEY_VERSION, XVM_KEY_DIALECT, XVM_KEY_MAX_MESSAGE, XVM_KEY_RING_ORDER, XVM_KEY_CREDITS,
	XVM_KEY_CONTROL_REF, XVM_KEY_NUM_CHANNELS, "event-channel-0", XVM_KEY_BUS_FEATURES, XVM_KEY_CONNECTION_ID,
};
static const char *const values[] = {
	"", "-1", "4294967295", "4294967296", "99999999999999999999", "01", "1x", " 1", "%s%n%s", "../../../0",
	"pr28,pr28", "0x8", "\n", NULL,		/* NULL: no key at all */
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",	/* one more byte than is read */
};

static void refused(const char *key, const char *value)
{
	int ret = front_open(&(struct spoil){ .key = key, .value = value });

	if (ret != -ECONNREFUSED)
		wrong("%s = %s: %s", key, value ? value : "(none)", ret ? strerror(-ret) : "taken");
}

/* One key of a handshake that is otherwise good, with one value. */
static void bad_key(void)
{
	u32 k, v, tried = 0;

	for (k = 0; k < XVM_ARRAY_SIZE(keys); k++) {
		for (v = k % 8; v < XVM_ARRAY_SIZE(values); v += 8) {
			refused(keys[k], values[v]);
			tried++;
		}
	}
	seen("%u refused", tried);
}

static void bad_channel(void)
{
	static const char *const ports[] = { "1", "2", "3", "4", "1023", "4095", "131071", "4294967295" };
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(ports); i++)
		refused("event-channel-0", ports[i]);
}

static void bad_control(void)
{
	static const char *const refs[] = { "0", "1", "7", "6000", "4294967295" };
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(refs); i++)
		refused(XVM_KEY_CONTROL_REF, refs[i]);
}

/* The id of a connection that is over does not open a new one. */
static void replay(void)
{
	char old[20];
	int ret;

	memcpy(old, front.id, sizeof(old));
	ret = front_open(&(struct spoil){ .key = XVM_KEY_CONNECTION_ID, .value = old });
	if (ret != -ECONNREFUSED)
		wrong("an old connection id: %d", ret);
}

/* The keys of a running connection turn into garbage: nobody reads them again. */
static void keys_while_up(void)
{
	char path[128];
	u32 i;

	for (i = 0; i < 300; i++) {
		store_front(keys[i % XVM_ARRAY_SIZE(keys)], values[rnd() % 12]);
		if (i % 5 == 0) {
			snprintf(path, sizeof(path), FRONT "/%s", keys[rnd() % XVM_ARRAY_SIZE(keys)]);
			store_rm(path);
		}
	}
	if (disk_up() || disk_prove())
		wrong("the disk does not work");
}

static void huge_values(void)
{
	u8 *big = malloc(2048);
	u32 i, k;

	for (i = 0; i < 2048; i++)
		big[i] = (u8)rnd();
	for (i = 0; i < 15; i++)
		for (k = 0; k < XVM_ARRAY_SIZE(keys); k++) {
			char path[128];

			snprintf(path, sizeof(path), FRONT "/%s", i % 5 ? keys[k] : "state");
			store_write_bytes(path, big, 1 + rnd() % 2000);
		}
	free(big);
	nap_ms(300);
	front.up = false;
}

static void states_jump(void)
{
	static const char *const states[] = { "3", "1", "3", "5", "6", "1", "4", "2", "0", "7", "8", "9999", "", "x", "3",
					      "-1", "1", "6", "5", "3" };
	u64 end = now_ms() + 3000;
	u32 i = 0;

	while (now_ms() < end) {
		store_front("state", states[i % 7 ? rnd() % XVM_ARRAY_SIZE(states) : i % XVM_ARRAY_SIZE(states)]);
		if (rnd() % 4 == 0)
			nap_ms(rnd() % 120);
		i++;
	}
	front.up = false;
	seen("%u states", i);
}

static void state_deleted(void)
{
	u32 i;

	for (i = 0; i < 20; i++) {
		store_rm(FRONT "/state");
		nap_ms(rnd() % 100);
		store_front("state", i % 2 ? "1" : "4");
	}
	nap_ms(200);
	front.up = false;
}

/* Each write wakes the supervisor; it looks at most ten times a second. */
static void watch_storm(void)
{
	u64 end = now_ms() + 3000;
	u32 i = 0;

	for (; now_ms() < end; i++)
		store_front("state", "4");
	seen("%u writes", i);
	if (!front_ping())
		wrong("the connection suffered");
}

static void links_elsewhere(void)
{
	char back[128] = "";

	store_read(FRONT "/backend", back, sizeof(back));
	store_front("backend", "/local/domain/0");
	store_front("backend-id", "1");
	store_front("frontend", "/local/domain/0/backend");
	if (!front_ping() || disk_up() || disk_prove())
		wrong("the connection suffered");
	store_front("backend", back);
	store_front("backend-id", "0");
}

/* A tree of its own under the front, as large as the quota lets it be. */
static void tree_of_keys(void)
{
	u64 end = now_ms() + 4000;	/* xenstored may slow a busy writer down */
	char path[256];
	u32 i, n = 0;

	for (i = 0; i < 1200 && now_ms() < end; i++) {
		snprintf(path, sizeof(path), FRONT "/tree/%u/%u", i % 7, i);
		n += store_write(path, "x") == 0;
	}
	seen("%u keys", n);
	if (!front_ping())
		wrong("the connection suffered");
	store_rm(FRONT "/tree");
}

static void transactions(void)
{
	u32 i;

	for (i = 0; i < 50; i++)
		store_raw(XS_TRANSACTION_START, "", 1);
	if (!front_ping())
		wrong("the connection suffered");
	/* Never ended: xenstored's quota bounds them, closing the device ends them. */
}

static void reconnects(void)
{
	u32 i;

	for (i = 0; i < 6; i++)
		front_open(NULL);
	seen("6 connections");
}

/* The front leaves in the middle of the handshake, at any moment. */
static void leaves_early(void)
{
	char id[20];
	u32 i;

	for (i = 0; i < 8; i++) {
		front_close();
		store_front("state", "1");
		nap_ms(rnd() % 150);
		memcpy(id, front.id, sizeof(id));
		store_front("state", "3");
		nap_ms(rnd() % 60);
		store_front("state", i % 3 == 0 ? "1" : i % 3 == 1 ? "6" : "5");
		if (i % 4 == 0)
			store_front("state", "1");
	}
}

/* A handshake that is good, and gone at once: rings given back, state 1, before or after the worker is there. */
static void dies_connecting(void)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		front_open(NULL);
		front_forget();
		store_front("state", i % 2 ? "1" : "3");
		nap_ms(rnd() % 50);
	}
}

const struct attack store_attacks[] = {
	{ "store", "each-key-garbage", bad_key, REFUSED, 0 },
	{ "store", "event-channel-not-ours", bad_channel, REFUSED, 0 },
	{ "store", "control-ref-not-ours", bad_control, REFUSED, 0 },
	{ "store", "connection-id-replayed", replay, REFUSED, 0 },
	{ "store", "keys-garbage-while-connected", keys_while_up, STAYS, 0 },
	{ "store", "values-huge", huge_values, MAY_DROP, 0 },
	{ "store", "states-jump", states_jump, MAY_DROP, 0 },
	{ "store", "state-deleted", state_deleted, MAY_DROP, 0 },
	{ "store", "watch-storm", watch_storm, STAYS, 0 },
	{ "store", "links-elsewhere", links_elsewhere, STAYS, 0 },
	{ "store", "tree-of-keys", tree_of_keys, STAYS, 0 },
	{ "store", "transactions-never-ended", transactions, STAYS, 0 },
	{ "store", "connects-and-disconnects", reconnects, MAY_DROP, 0 },
	{ "store", "leaves-in-handshake", leaves_early, MAY_DROP, 0 },
	{ "store", "dies-while-connecting", dies_connecting, MAY_DROP, 0 },
	{ 0 }
};
