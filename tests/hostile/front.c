// SPDX-License-Identifier: GPL-2.0-or-later
/* The handshake, the rings, requests and answers: honest, as docs/protocol.md says. */
#include "front.h"
#include <stdio.h>
#include <stdlib.h>

#define ASK_MS 45000	/* a loaded machine's disk takes its time before a reset is answered */
#define SHAKE_MS 20000

struct front front = { .channel = -1 };

/* ---- keys ---- */

static int read_u32(const char *path)
{
	char text[32];
	u32 value;
	int len = store_read(path, text, sizeof(text));

	if (len < 0)
		return len;
	return xvm_parse_u32(text, (size_t)len, 0x7fffffff, &value) ? -EINVAL : (int)value;
}

/* Read once: an attack writes over the link. */
static void back_path(const char *leaf, char path[256])
{
	static char base[128];

	if (!base[0] && store_read(FRONT "/backend", base, sizeof(base)) <= 0)
		die("no bus: " FRONT "/backend is not there");
	snprintf(path, 256, "%s/%s", base, leaf);
}

static int back_state(void)
{
	char path[256];

	back_path("state", path);
	return read_u32(path);
}

/* The state wanted, or 5 and above if `closed` ends the waiting. */
static int wait_back(int state, bool closed, u32 ms)
{
	u64 end = now_ms() + ms;
	int now;

	for (;;) {
		now = back_state();
		if (now == state || (closed && now >= XVM_BUS_CLOSING))
			return now;
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap_ms(20);
	}
}

static int read_offer(struct xvm_offer *offer)
{
	struct xvm_text keys[XVM_BK_COUNT];
	char text[XVM_BK_COUNT][64], path[256];
	struct xvm_shake_fault fault;
	int i, len;

	for (i = 0; i < XVM_BK_COUNT; i++) {
		back_path(xvm_back_key_name[i], path);
		len = store_read(path, text[i], sizeof(text[i]));
		keys[i].text = len < 0 ? NULL : text[i];
		keys[i].len = len < 0 ? 0 : (size_t)len;
		if (i == XVM_BK_CONNECTION_ID)
			snprintf(front.id, sizeof(front.id), "%.16s", len < 0 ? "" : text[i]);
	}
	return xvm_shake_read_offer(keys, offer, &fault);
}

static void put_key(const struct spoil *spoil, const char *key, const char *value)
{
	if (!spoil || !spoil->key || strcmp(spoil->key, key))
		store_front(key, value);
	else if (spoil->value)
		store_front(key, spoil->value);
}

static void put_key_u32(const struct spoil *spoil, const char *key, u32 value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	put_key(spoil, key, text);
}

static void put_keys(const struct spoil *spoil)
{
	const struct xvm_pick *pick = &front.pick;

	put_key_u32(spoil, XVM_KEY_VERSION, XVM_BUS_VERSION);
	put_key(spoil, XVM_KEY_DIALECT, xvm_dialect_name(pick->dialect));
	put_key_u32(spoil, XVM_KEY_MAX_MESSAGE, pick->max_message);
	put_key_u32(spoil, XVM_KEY_RING_ORDER, pick->ring_order);
	put_key_u32(spoil, XVM_KEY_CREDITS, pick->credits);
	put_key_u32(spoil, XVM_KEY_CONTROL_REF, pick->control_ref);
	put_key_u32(spoil, XVM_KEY_NUM_CHANNELS, 1);
	put_key_u32(spoil, "event-channel-0", front.port);
	put_key_u32(spoil, XVM_KEY_BUS_FEATURES, 0);
	put_key(spoil, XVM_KEY_CONNECTION_ID, front.id);
	put_key_u32(spoil, "state", XVM_BUS_INITIALISED);
}

/* ---- opening and closing ---- */

static void make_pages(void)
{
	u32 n = 1u << front.pick.ring_order, bytes = n * 4096;
	struct xvm_page_refs refs;
	struct xvm_ring_mem mem;

	front.control = pages_new(1, 0, true);
	front.ring = pages_new(2 * n, 0, !front.read_only_rings);
	memcpy(refs.drv, front.ring->ref, n * 4);
	memcpy(refs.dev, front.ring->ref + n, n * 4);
	xvm_page_init(front.control->mem, front.pick.ring_order, &refs);
	xvm_ring_mem_init(&mem, front.control->mem, front.ring->mem, bytes, true);
	xvm_ring_tx_init(&front.tx, &mem, front.pick.max_message, XVM_DEVICE_CREDITS);
	xvm_ring_mem_init(&mem, front.control->mem, front.ring->mem + bytes, bytes, false);
	xvm_ring_rx_init(&front.rx, &mem, front.pick.max_message);
	front.pick.control_ref = front.control->ref[0];
	front.channel = channel_open(&front.port);
}

void front_forget(void)
{
	u32 i;

	front.up = false;
	channel_close(front.channel);
	front.channel = -1;
	for (i = 0; i < MAX_AREAS; i++) {
		pages_free(front.area[i]);
		front.area[i] = NULL;
	}
	pages_free(front.control);
	pages_free(front.ring);
	front.control = front.ring = NULL;
	front.areas_used = 0;
	front.reason = front.detail = 0;
	front.awaited = 0;
	memset(&disk, 0, sizeof(disk));
}

void front_close(void)
{
	int state = back_state();

	if (state != XVM_BUS_CLOSED) {
		store_front("state", "6");
		wait_back(XVM_BUS_CLOSED, false, SHAKE_MS);
	}
	front_forget();
}

int front_open(const struct spoil *spoil)
{
	struct xvm_offer own = {
		.dialects = 1u << XVM_DIALECT_PR28, .max_message = 264,
		.max_ring_order = front.order_asked ? front.order_asked - 1 : XVM_DEFAULT_RING_ORDER,
		.max_credits = front.credits_asked ? front.credits_asked : XVM_DEFAULT_CREDITS,
		.max_channels = 1,
	}, offer;
	struct xvm_shake_fault fault;
	int state;

	front_close();
	store_front("state", "1");
	if (wait_back(XVM_BUS_INIT_WAIT, false, SHAKE_MS) < 0)
		return -ETIMEDOUT;
	if (read_offer(&offer) || xvm_shake_choose(&offer, &own, &front.pick, &fault))
		return -EPROTO;
	make_pages();
	if (spoil && spoil->pages)
		spoil->pages();
	put_keys(spoil);
	state = wait_back(XVM_BUS_CONNECTED, true, SHAKE_MS);
	if (state < 0)
		return state;
	if (state >= XVM_BUS_CLOSING)
		return -ECONNREFUSED;
	store_front("state", "4");
	front.up = true;
	front.looked_ms = now_ms();
	return 0;
}

void front_must_open(void)
{
	u64 end = now_ms() + 60000;
	int err;

	front.read_only_rings = false;
	front.order_asked = front.credits_asked = 0;
	while ((err = front_open(NULL))) {
		if (now_ms() > end)
			die("no proper connection comes to be any more: %s, back is in state %d", strerror(-err),
			    back_state());
		nap_ms(200);
	}
}

bool front_dropped(void)
{
	u64 now = now_ms();

	if (!front.up)
		return true;
	front.reason = xvm_page_get_error(front.control->mem, true, &front.detail);
	if (!front.reason && now - front.looked_ms > 200) {
		front.looked_ms = now;
		if (back_state() != XVM_BUS_CONNECTED)
			front.up = false;
		front.reason = xvm_page_get_error(front.control->mem, true, &front.detail);
	}
	if (front.reason)
		front.up = false;
	return !front.up;
}

bool front_wait_dropped(u32 ms)
{
	u64 end = now_ms() + ms;

	while (!front_dropped()) {
		if (now_ms() > end)
			return false;
		front_notify();
		nap_ms(5);
	}
	return true;
}

/* ---- rings ---- */

u8 *front_ctrl(u32 offset)
{
	return front.control->mem + offset;
}

u32 front_ring_bytes(void)
{
	return front.tx.mem.size;
}

u8 *front_drv(u32 pos)
{
	return front.ring->mem + (pos & (front_ring_bytes() - 1));
}

void front_notify(void)
{
	channel_notify(front.channel, front.port);
}

static void take_record(const u8 *buf, u32 len)
{
	struct xvm_msg_request_failed failed;
	bool answer = buf[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_RESPONSE;

	front.records++;
	front.answers += answer;
	if (!front.awaited || len < VIRTIO_MSG_HDR_BYTES)
		return;
	if (answer && xvm_get16(buf + VIRTIO_MSG_HDR_TOKEN) == front.awaited) {
		memcpy(front.answer, buf, len);
		front.answer_len = len;
		front.answered = true;
	} else if (buf[0] == VIRTIO_MSG_TYPE_BUS && buf[1] == XVM_BUS_MSG_REQUEST_FAILED && len == 16) {
		xvm_msg_get_request_failed(buf, &failed);
		if (failed.token == front.awaited)
			front.answered = front.refused = true;
	}
}

static bool take_all(void)
{
	u8 buf[512];
	bool any = false;
	int len;

	while ((len = xvm_ring_rx_get(&front.rx, buf, sizeof(buf))) >= 0) {
		take_record(buf, (u32)len);
		any = true;
	}
	/* An attack may have written over the ring: then what is there says nothing. */
	if (xvm_ring_rx_publish(&front.rx))
		front_notify();
	return any;
}

void front_poll(int ms)
{
	if (!front.up || take_all() || xvm_ring_rx_arm(&front.rx))
		ms = 0;
	if (front.channel >= 0)
		channel_wait(front.channel, ms);
	if (front.up)
		take_all();
}

int front_put(const void *msg, u32 len)
{
	int err = xvm_ring_tx_put(&front.tx, msg, len, false);

	if (xvm_ring_tx_publish(&front.tx))
		front_notify();
	return err;
}

int front_put_wait(const void *msg, u32 len)
{
	u64 end = now_ms() + ASK_MS;
	int err;

	while ((err = front_put(msg, len)) == -ENOSPC) {
		if (front_dropped())
			return -EPIPE;
		if (now_ms() > end)
			return -ETIMEDOUT;
		front_poll(2);
	}
	return err;
}

int front_ask(u8 *msg, u32 len)
{
	u64 end = now_ms() + ASK_MS;
	int err;

	if (!++front.token)
		front.token++;
	xvm_msg_finish(msg, false, front.token);
	front.awaited = front.token;
	front.answered = front.refused = false;
	err = front_put_wait(msg, len);
	while (!err && !front.answered) {
		front_poll(5);
		if (!front.answered && front_dropped())
			err = -EPIPE;
		else if (!front.answered && now_ms() > end)
			err = -ETIMEDOUT;
	}
	front.awaited = 0;
	if (err)
		return err;
	return front.refused ? 0 : (int)front.answer_len;
}

bool front_ping(void)
{
	u8 msg[16];
	u32 data = rnd();
	int len = front_ask(msg, xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, data));

	return len == 12 && xvm_msg_get_u32(front.answer) == data;
}

/* ---- areas ---- */

u32 area_id(void)
{
	return 1 + front.areas_used++ % XVM_AREA_ID_MAX;
}

static int ask_area(u8 *msg, u32 len)
{
	struct xvm_msg_area_status m;
	u8 id = msg[VIRTIO_MSG_HDR_ID];
	int ret = front_ask(msg, len);

	if (ret <= 0)
		return ret ? ret : -EIO;
	xvm_msg_get_area_status(front.answer, id, &m);
	return m.status;
}

int area_add_raw(const struct xvm_msg_area_add *m)
{
	u8 msg[128];

	return ask_area(msg, xvm_msg_put_area_add(msg, m));
}

int area_add_refs(u32 id, u16 scope, const u32 *refs, u32 npages)
{
	u32 ndirs = (npages + 1023) / 1024, i;
	struct xvm_msg_area_add m = { .id = (u16)id, .scope = scope, .npages = npages, .ndirs = (u16)ndirs };
	struct pages *dir = pages_new(ndirs, 0, true);
	int ret;

	memcpy(dir->mem, refs, npages * sizeof(u32));
	for (i = 0; i < ndirs; i++)
		m.dir_ref[i] = dir->ref[i];
	ret = area_add_raw(&m);
	pages_free(dir);
	return ret;
}

int area_del(u32 id)
{
	u8 msg[16];

	return ask_area(msg, xvm_msg_put_number(msg, XVM_BUS_MSG_AREA_DEL, (u16)id));
}

/* ---- devices ---- */

static int ask_u32(u8 id, u16 dev, u32 value)
{
	u8 msg[16];
	int ret = front_ask(msg, xvm_msg_put_u32(msg, 0, id, dev, value));

	return ret <= 0 ? (ret ? ret : -ENODEV) : ret;
}

int dev_status(u16 dev)
{
	u8 msg[16];
	int ret = front_ask(msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, dev));

	return ret <= 0 ? (ret ? ret : -ENODEV) : (int)xvm_msg_get_u32(front.answer);
}

int dev_set_status(u16 dev, u32 status)
{
	int ret = ask_u32(VIRTIO_MSG_SET_DEVICE_STATUS, dev, status);

	return ret < 0 ? ret : (int)xvm_msg_get_u32(front.answer);
}

int dev_set_vqueue(u16 dev, const struct xvm_msg_vqueue *m)
{
	u8 msg[64];
	int ret = front_ask(msg, xvm_msg_put_set_vqueue(msg, front.pick.dialect, dev, m));

	return ret < 0 ? ret : 0;
}

int dev_get_vqueue(u16 dev, u32 index, struct xvm_msg_vqueue *m)
{
	int ret = ask_u32(VIRTIO_MSG_GET_VQUEUE, dev, index);

	if (ret == 48)
		xvm_msg_get_vqueue(front.answer, XVM_DIALECT_PR28, m);
	return ret < 0 ? ret : 0;
}

/* VERSION_1, ACCESS_PLATFORM and indirect descriptors, no event index: notifications are by flags. */
int dev_negotiate_bits(u16 dev, u32 word1)
{
	u32 words[2] = { 1u << 28, word1 };
	u8 msg[64];
	int ret = dev_set_status(dev, 0);

	if (ret >= 0)
		ret = dev_set_status(dev, 3);
	if (ret >= 0)
		ret = front_ask(msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, dev, 0, 2, words));
	if (ret >= 0)
		ret = dev_set_status(dev, 11);
	return ret < 0 ? ret : ret & 8 ? 0 : -EPROTO;
}

int dev_negotiate(u16 dev)
{
	return dev_negotiate_bits(dev, 3);
}

u16 dev_find(u32 device_id)
{
	struct xvm_msg_get_devices list;
	struct xvm_msg_device_info info;
	u8 msg[64], bitmap[32] = { 0 };
	u32 num;

	if (front_ask(msg, xvm_msg_put_get_devices(msg, 0, 256)) <= 0 ||
	    xvm_msg_get_devices(front.answer, XVM_DIALECT_PR28, front.answer_len, &list))
		return 0;
	memcpy(bitmap, list.bitmap, list.count / 8u < sizeof(bitmap) ? list.count / 8u : sizeof(bitmap));
	for (num = 1; num < 256; num++) {
		if (!(bitmap[num / 8] >> num % 8 & 1) ||
		    front_ask(msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO, (u16)num)) != 32)
			continue;
		xvm_msg_get_device_info(front.answer, XVM_DIALECT_PR28, &info);
		if (info.device_id == device_id)
			return (u16)num;
	}
	return 0;
}
