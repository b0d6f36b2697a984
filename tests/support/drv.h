/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver side of the bus in user space, over a rig: requests and answers,
 * events, areas. Honest unless asked otherwise: drv_put sends any bytes.
 * drv_vq.h adds virtqueues, drv_blk.h a disk driver.
 */
#ifndef TESTS_SUPPORT_DRV_H
#define TESTS_SUPPORT_DRV_H

#include "rig.h"
#include "../../xen/proto/msg.h"
#include "../../xen/proto/ring.h"

struct drv {
	struct rig *rig;
	struct xvm_ring_tx tx;
	struct xvm_ring_rx rx;
	const struct xvm_dialect_rules *rules;	/* of rig->dialect */
	u16 token;
	u8 answer[512];			/* the last one that was waited for */
	u32 answer_len;
	bool deaf;			/* consume nothing */
	bool suspicious;		/* the device side may send faults: they are discarded */
	u32 discarded, patience_ms;	/* how many; for an answer, 0: the test fails without one */
	u16 awaited;			/* token; 0: none */
	bool answered;
	struct xvm_msg_request_failed failed;	/* REQUEST_FAILED in its place: token not 0 */
	u32 answers, requests_failed;	/* all of them */

	u64 formats;			/* RING_PACKED, IN_ORDER: what drv_negotiate may take of them */
	u64 acked[RIG_DEVICES];		/* what it took */

	/* events by device number */
	u64 used[RIG_DEVICES];		/* bit per queue; whoever looks clears it */
	u32 used_events, configs[RIG_DEVICES];
	struct xvm_msg_event_config config[RIG_DEVICES];
	u16 device_state[RIG_DEVICES];	/* of the last EVENT_DEVICE */
	u32 device_events;
};

/* Starts a worker and joins it; drv_stop ends both. Add devices before or after. */
void drv_start(struct drv *drv, struct rig *rig);
void drv_start_with(struct drv *drv, struct rig *rig, u32 order, u32 max_message, u32 credits);
void drv_stop(struct drv *drv);
/* After rig_kill: a new worker and connection; areas, queues and what was negotiated are the caller's to say again. */
void drv_join_again(struct drv *drv);

/* Takes all records there are, waits at most ms if there are none. */
void drv_poll(struct drv *drv, int ms);
#define DRV_UNTIL(drv, condition) do { \
	int drv_i_ = 0; \
	while (!(condition)) { \
		if (drv_i_++ == 1000) \
			fail_msg("never came: %s", #condition); \
		drv_poll(drv, 5); \
	} \
} while (0)

/* Waits until the device is announced. */
void drv_wait_ready(struct drv *drv, u16 dev);

/* Any bytes as a record; published and notified at once. -ENOSPC when full. */
int drv_put(struct drv *drv, const void *msg, u32 len);
/* Gives the message in buf a token and sends it. Returns the token. */
u16 drv_send(struct drv *drv, u8 *msg, u32 len);
/*
 * Sends and waits: the answer is in drv->answer. Returns its length; 0 for
 * REQUEST_FAILED (drv->failed), or if neither has come within drv->patience_ms.
 */
u32 drv_ask(struct drv *drv, u8 *msg, u32 len);
/* Sends a well-formed PING and sees it answered: all before it has been handled. */
void drv_sync(struct drv *drv);

u32 drv_status(struct drv *drv, u16 dev);
/* Status 0: waits until the reset is complete, in a dialect where that is to be asked after. */
u32 drv_set_status(struct drv *drv, u16 dev, u32 status);
u64 drv_features(struct drv *drv, u16 dev);
void drv_set_features(struct drv *drv, u16 dev, u64 features);
/* Acknowledges what is offered within wanted, up to FEATURES_OK; asserts that it holds. */
u64 drv_negotiate(struct drv *drv, u16 dev, u64 wanted);
void drv_info(struct drv *drv, u16 dev, struct xvm_msg_device_info *info);
/* Length as answered; data is copied to dst. */
u32 drv_config(struct drv *drv, u16 dev, u32 off, u32 len, void *dst);
void drv_shm(struct drv *drv, u16 dev, u32 index, struct xvm_msg_shm *m);
void drv_vqueue(struct drv *drv, u16 dev, u32 index, struct xvm_msg_vqueue *m);
/* Configured and enabled, in one message; m's flags are not looked at. */
void drv_set_vqueue(struct drv *drv, u16 dev, const struct xvm_msg_vqueue *m);
/* The message as m says, also its flags. */
void drv_put_vqueue(struct drv *drv, u16 dev, const struct xvm_msg_vqueue *m);
void drv_reset_vqueue(struct drv *drv, u16 dev, u32 index);

/* AREA_ADD of memory made by rig_area_new; all return XVM_STATUS_*. */
u16 drv_area_add(struct drv *drv, u32 id, u16 scope, u32 npages);
u16 drv_area_del(struct drv *drv, u32 id);
u16 drv_release(struct drv *drv, u16 num);
u16 drv_quiesce(struct drv *drv, u16 num);
u16 drv_resume(struct drv *drv, u16 num);
u16 drv_keep_queue(struct drv *drv, u16 num, u32 index, u16 flags);

/* rig_area_new and drv_area_add, which is asserted to be taken. Returns the memory. */
u8 *drv_area_new(struct drv *drv, u32 id, u16 scope, u32 npages);

#endif
