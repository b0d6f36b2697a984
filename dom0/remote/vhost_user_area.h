/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which areas of a device its vhost-user server has: asks the supervisor for a
 * descriptor of each, tells the server, takes them back before they go. Requests in an area
 * that the server does not have (not yet, no room, refused) are for others to copy.
 *
 * Trust: a server that has areas reads and writes all of them at any time. One that
 * was lost is believed to have let go when the supervisor says that it has ended; nothing
 * that it had a part in ends before. Part of vhost_user_dev.c.
 */
#ifndef XVM_DOM0_REMOTE_VHOST_USER_AREA_H
#define XVM_DOM0_REMOTE_VHOST_USER_AREA_H

#include "../ipc.h"
#include "../virtio/vdev.h"
#include "vhost_user.h"

enum vu_area_state {
	VU_AREA_HERE,		/* with us alone */
	VU_AREA_ASKED,		/* a descriptor was asked for, */
	VU_AREA_OPEN,		/* and is here */
	VU_AREA_REFUSED,	/* the server does not want it */
	VU_AREA_ADDED,		/* the server was told, */
	VU_AREA_SHARED,		/* and has it */
	VU_AREA_REMOVED,	/* it was told that it goes */
	VU_AREA_LOST,		/* it had it, and the connection is over */
};

struct vu_area {
	u32 id;			/* 0: none */
	enum vu_area_state state;
	bool goes;		/* the guest waits to have it back */
	int fd;			/* with OPEN and ADDED */
};

struct vu_areas {
	struct xvm_vdev *vdev;
	struct vu_front *front;		/* NULL: no server is there, or it takes none */
	bool allowed;			/* by the device's description */
	u32 ends;			/* of servers that were just told of one, in a row */
	struct vu_area *told;		/* what is under way */
	struct vu_area area[XVM_AREA_MAX_PER_DEVICE];
};

void vu_areas_init(struct vu_areas *areas, struct xvm_vdev *vdev, bool allowed);
/* The rings of this server run. */
void vu_areas_start(struct vu_areas *areas, struct vu_front *front);
/* The connection is over: until vu_areas_ended the server may still have what it had. */
void vu_areas_leave(struct vu_areas *areas);
void vu_areas_ended(struct vu_areas *areas);
/* A server that is lost and has not ended may have some. */
bool vu_areas_lost(const struct vu_areas *areas);

/* As vdev.h has it. */
void vu_areas_added(struct vu_areas *areas, u32 id);
bool vu_areas_let_go(struct vu_areas *areas, u32 id);
void vu_areas_gone(struct vu_areas *areas, u32 id);
void vu_areas_got(struct vu_areas *areas, u32 id, int fd);
/* As vhost_user.h has it: region_done. False: the server does not give one back. */
bool vu_areas_done(struct vu_areas *areas, bool ok);

/* Some are on their way to the server. */
bool vu_areas_coming(const struct vu_areas *areas);
/* What the server calls each buffer of a chain, those to be read first; false: it does not have them all. */
bool vu_areas_find(const struct vu_areas *areas, const struct xvm_chain *chain, u64 *addr);

#endif
