/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What carries a vdev in tests of device models, in the bus's place: counts
 * what the device asks for and lets the test answer it. A file that includes
 * this names the one type under test in OWNER_TYPE.
 */
#ifndef XVM_TEST_FAKE_OWNER_H
#define XVM_TEST_FAKE_OWNER_H

#include "ring_mem.h"
#include "../../dom0/ipc.h"
#include "../../dom0/virtio/vdev.h"

struct owner {
	u32 used, config_changed, drained, there;
	u64 again;		/* bit per queue */
	int state, states;	/* the newest, and how many */
	char reason[XVM_IPC_LOG_BYTES];
};

static struct owner owner;

static void owner_used(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	(void)vdev, (void)vq;
	owner.used++;
}

static void owner_config_changed(struct xvm_vdev *vdev)
{
	(void)vdev;
	owner.config_changed++;
}

static void owner_drained(struct xvm_vdev *vdev)
{
	(void)vdev;
	owner.drained++;
}

static void owner_again(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	(void)vdev;
	owner.again |= 1ull << vq->index;
}

static void owner_there(struct xvm_vdev *vdev, const char *why)
{
	(void)vdev;
	owner.there++;
	snprintf(owner.reason, sizeof(owner.reason), "%s", why ? why : "");
}

static void owner_state(struct xvm_vdev *vdev, int state, const char *reason)
{
	(void)vdev;
	owner.state = state;
	owner.states++;
	snprintf(owner.reason, sizeof(owner.reason), "%s", reason);
}

static const struct xvm_vdev_ops owner_ops = {
	owner_used, owner_config_changed, owner_drained, owner_again, owner_there, owner_state, NULL,
};

const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id)
{
	(void)backend;
	return device_id == OWNER_TYPE.device_id ? &OWNER_TYPE : NULL;
}

/* A pass of the event loop: serves what was asked for by again, until quiet. */
static inline void owner_pass(struct xvm_vdev *vdev)
{
	u64 again;
	u32 i, rounds;

	for (rounds = 0; owner.again && rounds < 1000; rounds++) {
		again = owner.again;
		owner.again = 0;
		for (i = 0; i < vdev->num_vqs; i++) {
			if (again >> i & 1)
				xvm_vdev_kick(vdev, i);
		}
	}
}

/* The words a driver sends: all bits of features. */
static inline void owner_ack(struct xvm_vdev *vdev, u64 features)
{
	u32 words[2] = { (u32)features, (u32)(features >> 32) };

	xvm_vdev_set_features(vdev, 0, 2, words);
}

/* A driver's way up to DRIVER_OK with one queue; returns the status. */
static inline u32 owner_up(struct xvm_vdev *vdev, struct ring_mem *r, u64 features)
{
	struct xvm_vq_config config = ring_config(r);

	ring_mem_restart(r);
	xvm_vdev_set_status(vdev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	owner_ack(vdev, features);
	xvm_vdev_set_status(vdev, XVM_S_FEATURES_OK);
	if (xvm_vdev_set_vq(vdev, 0, &config))
		return 0;
	return xvm_vdev_set_status(vdev, XVM_S_DRIVER_OK);
}

#endif
