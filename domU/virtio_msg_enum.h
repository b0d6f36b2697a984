/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking a bus for its devices: GET_DEVICES window by window. Portable: the
 * caller brings the way to send a request, so that it runs in a test as well.
 */
#ifndef XVM_DOMU_VIRTIO_MSG_ENUM_H
#define XVM_DOMU_VIRTIO_MSG_ENUM_H

#include "../xen/proto/msg.h"

#define VMSG_ENUM_BYTES	VIRTIO_MSG_OFFER_BYTES	/* the longest answer that is asked for */

struct vmsg_enum {
	enum xvm_dialect dialect;
	u32 max_message;	/* of the connection */
	/* Sends a request and waits; the answer's length, VMSG_ENUM_BYTES at most, or an error. */
	int (*transfer)(void *arg, const u8 *msg, u32 len, u8 *answer);
	/* A window was answered; at most 65536 - m->offset numbers are looked at. */
	void (*window)(void *arg, const struct xvm_msg_get_devices *m);
	void *arg;
};

/* True for a number of the window that has a device; number 0 has none. */
static inline bool vmsg_enum_has(const struct xvm_msg_get_devices *m, u32 i)
{
	return m->offset + i && m->offset + i < 65536 && m->bitmap[i / 8] & 1 << i % 8;
}

/*
 * All windows in turn. 0, -EPROTO when an answer is none to the question, or
 * what transfer returned. The device side says where to go on, and only ever
 * further up: there are at most 65536 windows.
 */
int vmsg_enumerate(const struct vmsg_enum *e);

#endif
