/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver that keeps all the rules of its side: one device from its number to
 * DRIVER_OK and back, with its configuration and one queue. drv.h sends what a
 * test wants to be sent; this sends what a driver should. Buffers are one slot.
 */
#ifndef TESTS_SUPPORT_DRV_LIFE_H
#define TESTS_SUPPORT_DRV_LIFE_H

#include "drv_vq.h"

#define LIFE_CONFIG 256u
#define LIFE_RETRIES 5u

struct drv_life {
	struct drv *drv;
	u16 dev;
	u32 area;
	struct xvm_msg_device_info info;
	u64 offered, features;
	u32 status;		/* as the device last answered */
	u32 generation;		/* newest that was seen */
	u32 configs;		/* EVENT_CONFIG that were looked at */
	u8 config[LIFE_CONFIG];	/* as last read */
	struct drv_vq vq[2];
	bool vq_up[2];
	u32 used;		/* chains that came back */
};

/* GET_DEVICE_INFO of an announced device, and an area of npages for it. */
void drv_life_probe(struct drv_life *life, struct drv *drv, u16 dev, u32 area, u32 npages);
/* Reset, features within wanted, configuration, queue 0, DRIVER_OK. False: the device refused. */
bool drv_life_start(struct drv_life *life, u64 wanted);
/* Asks for the maximum, sets up, confirms. False: it cannot be had. Queues start inactive. */
bool drv_life_queue(struct drv_life *life, u16 index, u16 size);
/* RESET_VQUEUE and drv_life_queue again. */
bool drv_life_queue_again(struct drv_life *life, u16 index, u16 size);
/* Reads all of the configuration at one generation. */
bool drv_life_read_config(struct drv_life *life);
/* With the newest generation; refused for a stale one: reads and tries again. False too without an answer. */
bool drv_life_write_config(struct drv_life *life, u32 off, const void *data, u32 len);
/* One buffer for the device to write, notified; waits until it is back. */
void drv_life_io(struct drv_life *life, u16 index);
/* Acts upon EVENT_CONFIG that came: reads again; resets and starts again when told to. */
void drv_life_events(struct drv_life *life);
/* Status 0, confirmed by GET_DEVICE_STATUS. */
void drv_life_reset(struct drv_life *life);
/* The device goes: resets it, takes the area back, releases the number. */
void drv_life_remove(struct drv_life *life);

#endif
