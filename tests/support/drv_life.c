// SPDX-License-Identifier: GPL-2.0-or-later
#include "drv_life.h"
#include "test.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"

#define QUEUE_BYTES 0x4000u
#define DATA (2 * QUEUE_BYTES)
#define BASIC (XVM_S_ACKNOWLEDGE | XVM_S_DRIVER)

static u32 set_status(struct drv_life *life, u32 status)
{
	life->status = drv_set_status(life->drv, life->dev, status);
	return life->status;
}

void drv_life_probe(struct drv_life *life, struct drv *drv, u16 dev, u32 area, u32 npages)
{
	memset(life, 0, sizeof(*life));
	life->drv = drv;
	life->dev = dev;
	life->area = area;
	drv_info(drv, dev, &life->info);
	drv_area_new(drv, area, dev, npages);
}

/* As many blocks as the device says it has, the ones we have names for; zero beyond. */
static u64 read_features(struct drv_life *life)
{
	u64 blocks = life->info.num_feature_bits / 32;
	struct xvm_msg_features m;
	u64 features = 0;
	u8 msg[32];

	blocks = blocks < 2 ? blocks : 2;
	drv_ask(life->drv, msg, xvm_msg_put_get_features(msg, life->dev, 0, (u32)blocks));
	assert_int_equal(xvm_msg_get_features(life->drv->answer, life->drv->answer_len, true, &m),
			 0);
	if (m.num_blocks > 0)
		features = xvm_get32(m.blocks);
	if (m.num_blocks > 1)
		features |= (u64)xvm_get32(m.blocks + 4) << 32;
	return features;
}

static bool negotiate(struct drv_life *life, u64 wanted)
{
	set_status(life, XVM_S_ACKNOWLEDGE);
	set_status(life, BASIC);
	life->offered = read_features(life);
	life->features = life->offered & wanted;
	drv_set_features(life->drv, life->dev, life->features);
	if (set_status(life, BASIC | XVM_S_FEATURES_OK) & XVM_S_FEATURES_OK)
		return true;
	set_status(life, BASIC | XVM_S_FAILED);
	return false;
}

bool drv_life_start(struct drv_life *life, u64 wanted)
{
	drv_life_reset(life);
	if (!negotiate(life, wanted))
		return false;
	if (!drv_life_read_config(life) || !drv_life_queue(life, 0, 0xffff))
		return false;
	return set_status(life, BASIC | XVM_S_FEATURES_OK | XVM_S_DRIVER_OK) & XVM_S_DRIVER_OK;
}

static bool same(const struct xvm_msg_vqueue *a, const struct xvm_msg_vqueue *b)
{
	return a->size == b->size && a->desc_addr == b->desc_addr &&
	       a->driver_addr == b->driver_addr && a->device_addr == b->device_addr;
}

bool drv_life_queue(struct drv_life *life, u16 index, u16 size)
{
	struct xvm_msg_vqueue m;

	if (index >= life->info.max_virtqueues || life->vq_up[index])
		return false;
	drv_vqueue(life->drv, life->dev, index, &m);
	if (!m.max_size || m.size)
		return false;
	if (size > m.max_size)
		size = (u16)m.max_size;
	drv_vq_setup(&life->vq[index], life->drv, life->dev, index, size, life->area,
		     index * QUEUE_BYTES, life->features & XVM_F_EVENT_IDX);
	drv_vqueue(life->drv, life->dev, index, &m);
	life->vq_up[index] = same(&m, &life->vq[index].config);
	return life->vq_up[index];
}

bool drv_life_queue_again(struct drv_life *life, u16 index, u16 size)
{
	if (!(life->features & XVM_F_RING_RESET))
		return false;
	drv_reset_vqueue(life->drv, life->dev, index);
	life->vq_up[index] = false;
	return drv_life_queue(life, index, size);
}

/* ---- configuration ---- */

/* In pieces of 16, so that a change in between is met; -1: it changed. */
static int read_once(struct drv_life *life)
{
	u32 off, n, size = life->info.config_size, first = 0;
	struct xvm_msg_config m;

	for (off = 0; off < size && off < LIFE_CONFIG; off += n) {
		n = size - off < 16 ? size - off : 16;
		if (drv_config(life->drv, life->dev, off, n, life->config + off) != n)
			return -1;
		xvm_msg_get_config(life->drv->answer, life->drv->answer_len, true, &m);
		life->generation = m.generation;
		if (!off)
			first = m.generation;
		else if (m.generation != first)
			return -1;
	}
	return 0;
}

bool drv_life_read_config(struct drv_life *life)
{
	u32 tries;

	for (tries = 0; tries < LIFE_RETRIES; tries++)
		if (!read_once(life))
			return true;
	return false;
}

static void look_at_events(struct drv_life *life)
{
	if (life->configs == life->drv->configs[life->dev])
		return;
	life->configs = life->drv->configs[life->dev];
	life->status = life->drv->config[life->dev].device_status;
	life->generation = life->drv->config[life->dev].generation;
}

bool drv_life_write_config(struct drv_life *life, u32 off, const void *data, u32 len)
{
	struct xvm_msg_config m = { .offset = off, .length = len, .data = data };
	u8 msg[LIFE_CONFIG + 32];
	u32 tries;

	if (off > life->info.config_size || len > life->info.config_size - off)
		return false;
	for (tries = 0; tries < LIFE_RETRIES; tries++) {
		m.generation = life->drv->rules->generation_checked ? life->generation : 0;
		m.length = len;
		m.data = data;
		if (!drv_ask(life->drv, msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG,
								life->dev, &m)))
			return false;
		assert_int_equal(xvm_msg_get_config(life->drv->answer, life->drv->answer_len, true,
						    &m), 0);
		if (m.length == len) {
			life->generation = m.generation;
			return true;
		}
		if (!drv_life_read_config(life))
			return false;
	}
	return false;
}

/* ---- work ---- */

void drv_life_io(struct drv_life *life, u16 index)
{
	struct drv_seg seg = { xvm_addr_make(life->area, DATA), 16, true };
	u32 len;

	assert_true(life->vq_up[index] && life->status & XVM_S_DRIVER_OK);
	assert_true(drv_vq_add(&life->vq[index], &seg, 1) >= 0);
	drv_vq_kick(&life->vq[index]);
	drv_vq_wait(&life->vq[index], &len);
	life->used++;
}

void drv_life_events(struct drv_life *life)
{
	if (life->configs == life->drv->configs[life->dev])
		return;
	look_at_events(life);
	if (life->status & XVM_S_NEEDS_RESET)
		assert_true(drv_life_start(life, life->features));
	else
		assert_true(drv_life_read_config(life));
}

void drv_life_reset(struct drv_life *life)
{
	set_status(life, 0);
	life->status = drv_status(life->drv, life->dev);
	assert_int_equal(life->status, 0);
	life->vq_up[0] = life->vq_up[1] = false;
}

void drv_life_remove(struct drv_life *life)
{
	/* Afterwards there is nobody left to ask for the status. */
	assert_int_equal(set_status(life, 0), 0);
	assert_int_equal(drv_area_del(life->drv, life->area), XVM_STATUS_OK);
	assert_int_equal(drv_release(life->drv, life->dev), XVM_STATUS_OK);
}
