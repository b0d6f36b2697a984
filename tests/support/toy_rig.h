/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests over a toy (toy.h) share: a worker and a driver whose messages
 * an observer reads (tap.h), and what to say to the toy. Included once per
 * program, which defines begin(): what is there when a case begins.
 */
#ifndef XVM_TEST_TOY_RIG_H
#define XVM_TEST_TOY_RIG_H

#include "test.h"
#include "drv_vq.h"
#include "tap.h"
#include "toy.h"
#include "../../xen/proto/addr.h"

#include <time.h>

#define NUM 5u			/* of the toy, */
#define AREA 1u			/* its area, */
#define PAGES 16u
#define DATA 0x8000u		/* with a buffer behind two queues */
#define NEEDED (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM)
#define STATUS_SET_UP (XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_FEATURES_OK)
#define STATUS_RUNNING (STATUS_SET_UP | XVM_S_DRIVER_OK)

static struct rig rig;
static struct drv drv;

static void begin(void);

/* ---- the ends of a case ---- */

static inline int start_with(u32 order, u32 max_message, u32 credits)
{
	tap_start(max_message, credits);
	drv_start_with(&drv, &rig, order, max_message, credits);
	begin();
	return 0;
}

static inline int start(void **state)
{
	(void)state;
	return start_with(XVM_DEFAULT_RING_ORDER, VIRTIO_MSG_OFFER_BYTES, XVM_DEFAULT_CREDITS);
}

/* The smallest connection that carries a device. */
static inline int start_small(void **state)
{
	(void)state;
	return start_with(XVM_DEFAULT_RING_ORDER, xvm_dialect_rules(rig_dialect)->device_message,
			  XVM_DEFAULT_CREDITS);
}

/* Returns how many rules of these lists were broken. */
static inline u32 end(const char *lists)
{
	drv_sync(&drv);
	drv_stop(&drv);
	return tap_stop(lists);
}

/* For tests whose driver breaks rules of its own; the device side must not. */
static inline int stop_device(void **state)
{
	(void)state;
	return end("DEV BUS") ? -1 : 0;
}

static inline int stop_all(void **state)
{
	(void)state;
	return end("DRV DEV BUS") ? -1 : 0;
}

/* Statements of the driver side, "01 07 " of each dialect, that the observer had something to say about. */
static inline void judged(const char *pr28, const char *draft)
{
	char id[8] = "";
	const char *at;

	for (at = rig_dialect ? draft : pr28; *at; at += 3) {
		snprintf(id, sizeof(id), "DRV-%.2s", at);
		if (!xvm_observer_judged(tap_observer(), id))
			fail_msg("%s was not judged", id);
	}
}

/* ---- the toy ---- */

static inline void add_toy(u16 num)
{
	struct xvm_ipc_dev_add desc = { .num = num, .device_id = TOY_ID };

	rig_add(&rig, &desc, -1);
	drv_wait_ready(&drv, num);
}

static inline struct xvm_msg_config answered_config(void)
{
	struct xvm_msg_config m;

	assert_int_equal(xvm_msg_get_config(drv.answer, drv.answer_len, true, &m), 0);
	return m;
}

static inline struct xvm_msg_config write_config(u32 generation, u32 off, const u8 *data, u32 len)
{
	struct xvm_msg_config m = { generation, off, len, data };
	u8 msg[64];

	drv_ask(&drv, msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &m));
	return answered_config();
}

static inline u32 generation(void)
{
	u8 msg[32];

	drv_ask(&drv, msg, xvm_msg_put_get_config(msg, NUM, 0, 1));
	return answered_config().generation;
}

static inline void queue_at(struct drv_vq *vq, u16 index)
{
	drv_vq_setup(vq, &drv, NUM, index, TOY_QUEUE_SIZE, AREA, index * 0x4000u, true);
}

static inline void set_up(struct drv_vq *vq, u64 features)
{
	drv_area_new(&drv, AREA, NUM, PAGES);
	drv_negotiate(&drv, NUM, NEEDED | XVM_F_EVENT_IDX | features);
	queue_at(vq, 0);
}

static inline void run(struct drv_vq *vq, u64 features)
{
	set_up(vq, features);
	assert_int_equal(drv_set_status(&drv, NUM, STATUS_RUNNING), STATUS_RUNNING);
}

static inline u8 *buffer(void)
{
	return rig.area[AREA].base + DATA;
}

static inline void offer(struct drv_vq *vq)
{
	struct drv_seg seg = { xvm_addr_make(AREA, DATA), 16, true };

	buffer()[0] = 0;
	assert_true(drv_vq_add(vq, &seg, 1) >= 0);
}

static inline void roundtrip(struct drv_vq *vq)
{
	u32 len;

	offer(vq);
	drv_vq_kick(vq);
	drv_vq_wait(vq, &len);
	assert_int_equal(len, 1);
	assert_int_equal(buffer()[0], TOY_BYTE);
}

static inline long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif
