/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device as PR #28 and docs/protocol.md describe it, as a small state
 * machine: status, features, configuration with generation, queues, areas. It
 * says byte for byte what the answer to each message must be, and which answers
 * wait. Written from the text; shares the codec with the product, no more.
 *
 * The data path is not modelled. What it does to the state machine comes in
 * from outside: how many buffers of each queue are in flight, and that a queue
 * broke.
 */
#ifndef TESTS_SUPPORT_VDEV_MODEL_H
#define TESTS_SUPPORT_VDEV_MODEL_H

#include "../../xen/proto/msg.h"

#define MODEL_QUEUES	3u
#define MODEL_QUEUE_MAX	16u
#define MODEL_CONFIG	16u
#define MODEL_WRITABLE	8u	/* a driver may write from here on */
#define MODEL_AREAS	4u	/* ids below this are followed */
#define MODEL_WAITING	32u
#define MODEL_MESSAGE	264u

struct model_request {
	u8 msg[MODEL_MESSAGE];
	u32 len;
};

struct model {
	/* what the device is */
	u16 num;
	u32 device_id, vendor_id;
	u64 offered;

	u32 status;
	u64 acked;
	bool chosen[2];			/* the driver has set this block */
	bool asked_unknown;		/* for a feature above 63 */
	u32 generation;
	u8 config[MODEL_CONFIG];
	struct {
		u32 size;
		u64 addr[3];
	} vq[MODEL_QUEUES];
	u64 area_bytes[MODEL_AREAS];	/* 0: no such area */

	/* Set by the test before each call; a reset waits only for what cannot be cancelled. */
	u32 in_flight[MODEL_QUEUES], started[MODEL_QUEUES];
	bool owes_config;		/* EVENT_CONFIG is due */
	bool news;			/* the configuration changed; the first byte, as it is here */

	bool blocked;			/* the first of waiting waits for in_flight */
	struct model_request waiting[MODEL_WAITING];
	u32 n_waiting;
	struct model_request answers[MODEL_WAITING];	/* due in this order */
	u32 n_answers;
};

/* A valid request in the device's lane: transport messages to it, AREA_DEL of an area it has. */
void model_request(struct model *m, const u8 *msg, u32 len);
/* Something that a request may wait for has changed. */
void model_run(struct model *m);
void model_broke(struct model *m);
void model_config_changed(struct model *m);

/* GET_DEVICES with this one device on the bus. Returns the answer's length. */
u32 model_get_devices(const struct model *m, const u8 *msg, u8 *out);

#endif
