/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front-end of one vhost-user connection: what is said in which order, and
 * what the server may answer. Runs of messages: identify (features,
 * protocol features, queues, configuration), start (features, memory, rings),
 * stop, a new look at the configuration, bytes of it that the driver wrote, one more region of memory or one less. Owns the socket; must not know
 * virtqueues, guests or the bus. Used by vhost_user_dev.c.
 *
 * Trust: the server is hostile. Whatever it does ends in ops->failed at worst,
 * once, with a line that says what it was; every wait has a bound.
 *
 * Bits 30, 33 and 38 are never sent to a server, nor shown to a driver.
 */
#ifndef XVM_DOM0_REMOTE_VHOST_USER_H
#define XVM_DOM0_REMOTE_VHOST_USER_H

#include "../virtio/aio.h"
#include "vhost_user_conn.h"

#define VU_MAX_QUEUES 16u
#define VU_ANSWER_MS 10000u	/* that an answer may take: a driver gives a request of its own 30 s */
#define VU_RUN_MS 20000u		/* and all of a run, where the caller does not say */
#define VU_BACK_MAX 16u		/* requests of the server's that are taken each half second: the others wait in its socket */

struct vu_ring {
	u32 size, base;
	u64 desc, avail, used;		/* user addresses, in a region */
	int kick, call, err;		/* eventfds, the caller's */
};

/* Where a server records what it has in flight (INFLIGHT_SHMFD), for its successor. Its word alone, and not looked at. */
struct vu_inflight {
	int fd;				/* -1: none */
	u64 bytes, off;
	u16 queues, queue_size;
};

/* What the server is given at start. */
struct vu_start {
	u64 features;			/* what the driver chose; what is not for servers is taken out */
	u32 mtu;			/* of a network card, if the server is to know; 0: not */
	u64 rarp;			/* its address as SEND_RARP has it, if switches are to learn where it is; 0: not */
	u32 regions, rings;
	struct vu_region region[VU_MAX_REGIONS];
	int region_fd[VU_MAX_REGIONS];
	struct vu_ring ring[VU_MAX_QUEUES];
	struct vu_inflight inflight;	/* its predecessor's, the front-end's from now on; fd -1: it makes one, if it was agreed */
};

struct vu_front;

struct vu_front_ops {
	void (*identified)(void *arg);
	void (*started)(void *arg);
	/* No ring is processed any more; it can be started again. */
	void (*stopped)(void *arg);
	/* config was read again: the server said that it changed. */
	void (*config_news)(void *arg);
	/* The same behind vu_front_put_config. */
	void (*config_put)(void *arg);
	/* What vu_front_add_region or _del_region asked for was done, or refused. */
	void (*region_done)(void *arg, bool ok);
	/* The server says in a message that it used buffers of a ring. */
	void (*called)(void *arg, u32 ring);
	/* It is over with this connection: nothing but vu_front_free may be called. */
	void (*failed)(void *arg, const char *why);
};

struct vu_wish {
	u64 protocol;			/* protocol features to take if they are offered */
	u32 queues;			/* the server is to have as many */
	u32 config_bytes;		/* to read from it, 0: nothing */
};

/* What a front-end needs of a server; more is taken if it is offered. */
#define VU_P_USUAL (VU_P_MQ | VU_P_REPLY_ACK | VU_P_BACKEND_REQ | VU_P_BACKEND_SEND_FD | VU_P_CONFIG | \
		    VU_P_HOST_NOTIFIER | VU_P_RESET_DEVICE | VU_P_CONFIGURE_MEM_SLOTS | VU_P_STATUS | \
		    VU_P_NET_MTU | VU_P_RARP)

/*
 * Begins to identify. fd: the connected socket; back, back_peer: a socket pair for the
 * back-end's requests, -1: none. They are the front-end's from now on, also
 * when it returns NULL (no memory). Calls ops later, never from here.
 */
struct vu_front *vu_front_new(struct xvm_aio *aio, int fd, int back, int back_peer, const struct vu_wish *wish,
			      const struct vu_front_ops *ops, void *arg);
/* At any time, also from ops. The socket closes at once. */
void vu_front_free(struct vu_front *front);

/* Once identified: */
u64 vu_front_features(const struct vu_front *front);	/* those of a driver's that the server has */
u64 vu_front_protocol(const struct vu_front *front);	/* agreed protocol features */
u32 vu_front_queues(const struct vu_front *front);	/* 0: it did not say */
u32 vu_front_slots(const struct vu_front *front);	/* memory regions it takes */
/* Regions can come and go while it runs, and it says whether it took them. */
bool vu_front_regions_change(const struct vu_front *front);
const u8 *vu_front_config(const struct vu_front *front, u32 *bytes);	/* 0 bytes: it has none to show */

/*
 * Starts all rings, then calls ops->started. Identified or stopped before. Copies start; its regions stay those of the
 * first one. It fails if all of it takes longer than ms.
 */
void vu_front_start(struct vu_front *front, const struct vu_start *start, u32 ms);
/* The record of a server that is over, the caller's from now on; fd -1: there is none. */
struct vu_inflight vu_front_take_inflight(struct vu_front *front);
/* Tells it of a buffer in this ring. */
void vu_front_kick(struct vu_front *front, u32 ring);
/* Stops all rings, then calls ops->stopped. Started before. It fails if all of it takes longer than ms. */
void vu_front_stop(struct vu_front *front, u32 ms);
/*
 * Beside those of start, while it is identified or started, and one at a time: ops->region_done follows. fd stays the
 * caller's, until then.
 */
void vu_front_add_region(struct vu_front *front, const struct vu_region *region, int fd);
void vu_front_del_region(struct vu_front *front, const struct vu_region *region);
/*
 * The driver wrote these bytes: ops->config_put follows. Once identified, whatever else is under way, and one at a
 * time. False: the server has no such bytes.
 */
bool vu_front_put_config(struct vu_front *front, u32 off, const u8 *data, u32 bytes);

#endif
