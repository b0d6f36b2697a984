/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by vhost_user.c (one message after the other) and vhost_user_steps.c (which ones). */
#ifndef XVM_DOM0_REMOTE_VHOST_USER_PRIV_H
#define XVM_DOM0_REMOTE_VHOST_USER_PRIV_H

#include "vhost_user.h"

/* ACCESS_PLATFORM turns a server to IOTLB messages, NOTIFICATION_DATA is about our own transport. */
#define F_NOT_FOR_SERVERS (VU_F_PROTOCOL_FEATURES | VU_F_LOG_ALL | 1ull << 33 | 1ull << 38)

#define VU_MAX_SLOTS 512u	/* believed; more is as good */

/* How often a step is done. */
enum times { ONCE, PER_RING, PER_REGION };

struct request {
	struct vu_msg msg;
	int fds[VU_MAX_FDS];
	u32 nfds;
};

struct step {
	u32 request;
	enum times times;
	/* Fills the request, which is all zero; false: this one is left out. */
	bool (*make)(struct vu_front *f, struct request *r);
	/* Looks at the answer, if there is one of its own; NULL or what is wrong with it. */
	const char *(*take)(struct vu_front *f, const struct vu_msg *msg);
};

/* LOOKING, PUTTING and REGION are errands: behind one the phase before goes on. */
enum phase { IDENTIFYING, IDENTIFIED, STARTING, RUNNING, LOOKING, PUTTING, REGION, STOPPING, FAILED };

struct vu_front {
	struct xvm_aio *aio;
	const struct vu_front_ops *ops;
	void *arg;
	struct vu_wish wish;
	enum phase phase;
	struct vu_conn conn, back;
	int back_peer;
	u64 features, protocol;
	u32 queues, slots;
	u8 config[VU_MAX_CONFIG];
	u32 config_bytes;
	struct vu_start start;
	u32 regions_told;		/* of them, by ADD_MEM_REG */
	enum phase rest;		/* that goes on behind an errand */
	bool start_wanted, stop_wanted;	/* when the errand has ended */

	bool config_news;		/* to be looked at when nothing else is under way */
	bool put_wanted;		/* the driver's bytes, the same: */
	u32 put_off, put_bytes;
	u8 put[VU_MAX_CONFIG];

	struct vu_region region;	/* to be added, with region_fd, or else to go */
	int region_fd;
	enum region_wish { REGION_NONE, REGION_ADD, REGION_DEL } region_wish;
	bool refused;			/* the last acknowledgement was a no */

	const struct step *step, *end;	/* of the run under way */
	u32 index;
	bool awaits, acked;		/* an answer; that it is only an acknowledgement */
	u32 ticks;			/* until it is too late for it, */
	u32 run_ticks;			/* and for the whole run */
	u32 back_taken;			/* requests of the server's since the back_timer was set */

	/* Outlive the rest until the ring has given them back. */
	struct xvm_aio_req conn_poll, back_poll, timer, back_timer;
	bool conn_polled, back_polled, timed, back_timed;
	u32 busy;			/* calls under way: what they call may free it */
	bool freed;
	struct vu_front *next_freed;
};

/* A run of messages. */
struct vu_run {
	const struct step *steps;
	size_t n;
};

extern const struct vu_run vu_identify, vu_look, vu_put, vu_start, vu_stop, vu_add_region, vu_del_region;

static inline bool has_slots(const struct vu_front *f)
{
	return f->protocol & VU_P_CONFIGURE_MEM_SLOTS;
}

#endif
