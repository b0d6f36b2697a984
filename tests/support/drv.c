// SPDX-License-Identifier: GPL-2.0-or-later
#include "drv.h"
#include "test.h"
#include "../../dom0/virtio/vdev.h"

static void join(struct drv *drv)
{
	struct rig *rig = drv->rig;
	u32 bytes = XVM_PAGE_BYTES << rig->ring_order;
	struct xvm_ring_mem mem;

	drv->rules = xvm_dialect_rules(rig->dialect);
	xvm_ring_mem_init(&mem, rig->control, rig->drv, bytes, true);
	assert_int_equal(xvm_ring_tx_init(&drv->tx, &mem, rig->max_message, XVM_DEVICE_CREDITS), 0);
	xvm_ring_mem_init(&mem, rig->control, rig->dev, bytes, false);
	xvm_ring_rx_init(&drv->rx, &mem, rig->max_message);
	rig_connect(rig);
}

void drv_start_with(struct drv *drv, struct rig *rig, u32 order, u32 max_message, u32 credits)
{
	memset(drv, 0, sizeof(*drv));
	drv->rig = rig;
	rig_start(rig, order, max_message, credits);
	join(drv);
}

void drv_join_again(struct drv *drv)
{
	memset(drv->used, 0, sizeof(drv->used));
	memset(drv->device_state, 0, sizeof(drv->device_state));
	drv->awaited = 0;
	rig_start_again(drv->rig);
	join(drv);
}

void drv_start(struct drv *drv, struct rig *rig)
{
	drv_start_with(drv, rig, XVM_DEFAULT_RING_ORDER, VIRTIO_MSG_OFFER_BYTES,
		       XVM_DEFAULT_CREDITS);
}

void drv_stop(struct drv *drv)
{
	rig_stop(drv->rig);
}

/* ---- receiving ---- */

static void take_event(struct drv *drv, const struct xvm_hdr *hdr, const u8 *buf, u32 len)
{
	u16 dev = hdr->dev_num < RIG_DEVICES ? hdr->dev_num : 0;
	struct xvm_msg_request_failed failed;
	struct xvm_msg_event_device m;

	switch (hdr->id) {
	case VIRTIO_MSG_EVENT_USED:
		drv->used[dev] |= 1ull << xvm_msg_get_u32(buf);
		drv->used_events++;
		break;
	case VIRTIO_MSG_EVENT_CONFIG:
		if (hdr->type & VIRTIO_MSG_TYPE_BUS) {
			xvm_msg_get_event_device(buf, &m);
			drv->device_events++;
			if (m.dev_num < RIG_DEVICES)
				drv->device_state[m.dev_num] = m.state;
			break;
		}
		assert_int_equal(xvm_msg_get_event_config(buf, len, &drv->config[dev]), 0);
		drv->configs[dev]++;
		break;
	case XVM_BUS_MSG_REQUEST_FAILED:
		drv->requests_failed++;
		xvm_msg_get_request_failed(buf, &failed);
		if (drv->awaited && failed.token == drv->awaited) {
			drv->failed = failed;
			drv->answered = true;
		}
		break;
	}
}

static void take_record(struct drv *drv, const u8 *buf, u32 len)
{
	const struct xvm_msg_row *row;
	struct xvm_hdr hdr;

	if (xvm_frame_check(drv->rig->dialect, XVM_SIDE_DEVICE, drv->rx.max_msg, buf, len, &hdr,
			    &row)) {
		/* Our own device side sends none, ever. */
		assert_true(drv->suspicious);
		drv->discarded++;
		return;
	}
	if (xvm_msg_is_event(row)) {
		take_event(drv, &hdr, buf, len);
		return;
	}
	drv->answers++;
	if (!drv->awaited || hdr.token != drv->awaited)
		return;
	memcpy(drv->answer, buf, len);
	drv->answer_len = len;
	drv->answered = true;
}

static bool take_all(struct drv *drv)
{
	u8 buf[512];
	bool any = false;
	int len;

	while ((len = xvm_ring_rx_get(&drv->rx, buf, sizeof(buf))) >= 0) {
		take_record(drv, buf, (u32)len);
		any = true;
	}
	assert_int_equal(len, -EAGAIN);
	if (xvm_ring_rx_publish(&drv->rx))
		rig_notify(drv->rig);
	return any;
}

void drv_poll(struct drv *drv, int ms)
{
	if (drv->deaf) {
		rig_poll(drv->rig, ms, true);
		rig_notified(drv->rig);
		return;
	}
	if (take_all(drv) || xvm_ring_rx_arm(&drv->rx))
		ms = 0;
	rig_poll(drv->rig, ms, true);
	rig_notified(drv->rig);
	take_all(drv);
}

void drv_wait_ready(struct drv *drv, u16 dev)
{
	DRV_UNTIL(drv, drv->device_state[dev] == VIRTIO_MSG_DEVICE_READY);
}

/* ---- sending ---- */

int drv_put(struct drv *drv, const void *msg, u32 len)
{
	int err = xvm_ring_tx_put(&drv->tx, msg, len, false);

	if (xvm_ring_tx_publish(&drv->tx))
		rig_notify(drv->rig);
	return err;
}

u16 drv_send(struct drv *drv, u8 *msg, u32 len)
{
	int i;

	if (!++drv->token)
		drv->token++;
	xvm_msg_finish(msg, false, drv->token);
	for (i = 0; i < 500 && drv_put(drv, msg, len) == -ENOSPC; i++)
		drv_poll(drv, 5);
	return drv->token;
}

u32 drv_ask(struct drv *drv, u8 *msg, u32 len)
{
	u32 left;

	memset(&drv->failed, 0, sizeof(drv->failed));
	drv->answered = false;
	drv->awaited = (u16)(drv->token + 1) ? (u16)(drv->token + 1) : 1;
	drv_send(drv, msg, len);
	for (left = drv->patience_ms; left && !drv->answered; left--)
		drv_poll(drv, 1);
	if (!drv->patience_ms)
		DRV_UNTIL(drv, drv->answered);
	/* One that comes later is nobody's. */
	drv->awaited = 0;
	return drv->answered && !drv->failed.token ? drv->answer_len : 0;
}

void drv_sync(struct drv *drv)
{
	static u32 data = 0x51000000;
	u8 msg[16];

	data++;
	assert_int_equal(drv_ask(drv, msg, xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS,
							   VIRTIO_BUS_MSG_PING, 0, data)), 12);
	assert_int_equal(xvm_msg_get_u32(drv->answer), data);
}

/* ---- transport messages ---- */

static u32 ask_u32(struct drv *drv, u8 id, u16 dev, u32 value)
{
	u8 msg[16];

	return drv_ask(drv, msg, xvm_msg_put_u32(msg, 0, id, dev, value));
}

u32 drv_status(struct drv *drv, u16 dev)
{
	u8 msg[16];

	assert_int_equal(drv_ask(drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS,
							     dev)), 12);
	return xvm_msg_get_u32(drv->answer);
}

u32 drv_set_status(struct drv *drv, u16 dev, u32 status)
{
	u32 is, tries;

	assert_int_equal(ask_u32(drv, VIRTIO_MSG_SET_DEVICE_STATUS, dev, status), 12);
	is = xvm_msg_get_u32(drv->answer);
	for (tries = 0; !status && is && drv->rules->reset_polled && tries < 5000; tries++) {
		drv_poll(drv, 1);
		is = drv_status(drv, dev);
	}
	return is;
}

u64 drv_features(struct drv *drv, u16 dev)
{
	struct xvm_msg_features m;
	u8 msg[32];

	drv_ask(drv, msg, xvm_msg_put_get_features(msg, dev, 0, 2));
	assert_int_equal(xvm_msg_get_features(drv->answer, drv->answer_len, true, &m), 0);
	assert_int_equal(m.num_blocks, 2);
	return xvm_get64(m.blocks);
}

void drv_set_features(struct drv *drv, u16 dev, u64 features)
{
	u32 words[2] = { (u32)features, (u32)(features >> 32) };
	u8 msg[64];

	assert_int_equal(drv_ask(drv, msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES,
								dev, 0, 2, words)), 8);
}

u64 drv_negotiate(struct drv *drv, u16 dev, u64 wanted)
{
	u64 features;

	assert_int_equal(drv_set_status(drv, dev, 0), 0);
	drv_set_status(drv, dev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	features = drv_features(drv, dev) & wanted;
	features &= ~(XVM_F_RING_PACKED | XVM_F_IN_ORDER) | drv->formats;
	drv_set_features(drv, dev, features);
	assert_true(drv_set_status(drv, dev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_FEATURES_OK) &
		    XVM_S_FEATURES_OK);
	if (dev < RIG_DEVICES)
		drv->acked[dev] = features;
	return features;
}

void drv_info(struct drv *drv, u16 dev, struct xvm_msg_device_info *info)
{
	u8 msg[16];

	assert_int_equal(drv_ask(drv, msg, xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_INFO,
							     dev)),
			 xvm_msgtab_find(0, VIRTIO_MSG_GET_DEVICE_INFO)->len[drv->rig->dialect].answer.max);
	xvm_msg_get_device_info(drv->answer, drv->rig->dialect, info);
}

u32 drv_config(struct drv *drv, u16 dev, u32 off, u32 len, void *dst)
{
	struct xvm_msg_config m;
	u8 msg[32];

	drv_ask(drv, msg, xvm_msg_put_get_config(msg, dev, off, len));
	assert_int_equal(xvm_msg_get_config(drv->answer, drv->answer_len, false, &m), 0);
	if (m.data)
		memcpy(dst, m.data, m.length);
	return m.length;
}

void drv_vqueue(struct drv *drv, u16 dev, u32 index, struct xvm_msg_vqueue *m)
{
	assert_int_equal(ask_u32(drv, VIRTIO_MSG_GET_VQUEUE, dev, index), 48);
	xvm_msg_get_vqueue(drv->answer, drv->rig->dialect, m);
}

void drv_put_vqueue(struct drv *drv, u16 dev, const struct xvm_msg_vqueue *m)
{
	u8 msg[64];

	assert_int_equal(drv_ask(drv, msg, xvm_msg_put_set_vqueue(msg, drv->rig->dialect, dev, m)),
			 8);
}

void drv_set_vqueue(struct drv *drv, u16 dev, const struct xvm_msg_vqueue *m)
{
	struct xvm_msg_vqueue enable = *m;

	enable.flags = VIRTIO_MSG_VQ_ENABLE;
	drv_put_vqueue(drv, dev, &enable);
}

void drv_shm(struct drv *drv, u16 dev, u32 index, struct xvm_msg_shm *m)
{
	assert_int_equal(ask_u32(drv, VIRTIO_MSG_GET_SHM, dev, index),
			 xvm_msgtab_find(0, VIRTIO_MSG_GET_SHM)->len[drv->rig->dialect].answer.max);
	xvm_msg_get_shm(drv->answer, drv->rig->dialect, m);
}

void drv_reset_vqueue(struct drv *drv, u16 dev, u32 index)
{
	assert_int_equal(ask_u32(drv, VIRTIO_MSG_RESET_VQUEUE, dev, index), 8);
}

/* ---- bus messages ---- */

static u16 ask_area(struct drv *drv, u8 *msg, u32 len)
{
	struct xvm_msg_area_status m;
	u8 id = msg[VIRTIO_MSG_HDR_ID];

	assert_int_equal(drv_ask(drv, msg, len), id == XVM_BUS_MSG_AREA_ADD ? 16 : 12);
	xvm_msg_get_area_status(drv->answer, id, &m);
	return m.status;
}

u16 drv_area_add(struct drv *drv, u32 id, u16 scope, u32 npages)
{
	struct xvm_msg_area_add m = {
		.id = (u16)id, .scope = scope, .npages = npages,
		.ndirs = (u16)((npages + 1023) / 1024),
	};
	u8 msg[128];
	u32 i;

	for (i = 0; i < m.ndirs; i++)
		m.dir_ref[i] = 1000 + id * 16 + i;
	return ask_area(drv, msg, xvm_msg_put_area_add(msg, &m));
}

u8 *drv_area_new(struct drv *drv, u32 id, u16 scope, u32 npages)
{
	u8 *base = rig_area_new(drv->rig, id, npages);

	assert_int_equal(drv_area_add(drv, id, scope, npages), XVM_STATUS_OK);
	return base;
}

u16 drv_area_del(struct drv *drv, u32 id)
{
	u8 msg[16];

	return ask_area(drv, msg, xvm_msg_put_number(msg, XVM_BUS_MSG_AREA_DEL, (u16)id));
}

u16 drv_quiesce(struct drv *drv, u16 num)
{
	u8 msg[16];

	return ask_area(drv, msg, xvm_msg_put_number(msg, XVM_BUS_MSG_QUIESCE, num));
}

u16 drv_resume(struct drv *drv, u16 num)
{
	u8 msg[16];

	return ask_area(drv, msg, xvm_msg_put_number(msg, XVM_BUS_MSG_RESUME, num));
}

u16 drv_keep_queue(struct drv *drv, u16 num, u32 index, u16 flags)
{
	struct xvm_msg_keep_queue m = { num, flags, index };
	u8 msg[16];

	return ask_area(drv, msg, xvm_msg_put_keep_queue(msg, &m));
}

u16 drv_release(struct drv *drv, u16 num)
{
	u8 msg[16];

	return ask_area(drv, msg, xvm_msg_put_number(msg, XVM_BUS_MSG_RELEASE_DEVICE, num));
}
