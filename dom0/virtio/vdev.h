/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device as its transport sees it: features, status, configuration
 * with generation, queues; and as its device model sees it: a table of
 * callbacks. Knows neither messages nor Xen. The answers required by virtio-msg
 * are made from this by dom0/bus/answer.c.
 *
 * Everything runs in one thread. Trust: arguments that come from the driver
 * are checked here, once, before a model sees them.
 */
#ifndef XVM_DOM0_VIRTIO_VDEV_H
#define XVM_DOM0_VIRTIO_VDEV_H

#include "vq.h"
#include "../ipc.h"
#include "../base/fdset.h"

#define XVM_VDEV_MAX_VQS 64
#define XVM_VDEV_MAX_SHM 4

/* virtio status bits (virtio 1.2, section 2.1) */
#define XVM_S_ACKNOWLEDGE	1u
#define XVM_S_DRIVER	2u
#define XVM_S_DRIVER_OK	4u
#define XVM_S_FEATURES_OK	8u
#define XVM_S_NEEDS_RESET	64u
#define XVM_S_FAILED	128u

#define XVM_F_INDIRECT_DESC	(1ull << 28)
#define XVM_F_EVENT_IDX		(1ull << 29)
#define XVM_F_VERSION_1		(1ull << 32)
#define XVM_F_ACCESS_PLATFORM	(1ull << 33)
#define XVM_F_RING_PACKED	(1ull << 34)
#define XVM_F_IN_ORDER		(1ull << 35)
#define XVM_F_RING_RESET	(1ull << 40)

struct xvm_vdev;
struct xvm_aio;
struct xvm_ipc_dev_add;

/* A device model. One const table per type; nobody writes to it. */
struct xvm_vdev_type {
	const char *name;
	u32 backend;		/* enum xvm_backend */
	u32 device_id;		/* 0: any; the description says */
	u32 num_vqs;		/* create may set vdev->num_vqs to fewer or more */
	bool repeatable;	/* serving a request twice is as good as once: one cut off by a crash is */
	/*
	 * Makes the model's state (vdev->model) from the description and takes the
	 * descriptors it wants; the rest is closed behind it. Sets vdev->offered (device bits only), config_bytes and
	 * config[], and each queue's max_size.
	 * Returns 0 or negative errno with a line in why; then nothing of it is left.
	 * Where a server must be asked first it sets vdev->pending; xvm_vdev_there
	 * or xvm_vdev_never follows.
	 */
	int (*create)(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
		      char *why, size_t why_bytes);
	void (*destroy)(struct xvm_vdev *vdev);		/* nothing is in flight */
	/*
	 * DRIVER_OK was set: features are final. False: the device is not ready yet
	 * and xvm_vdev_ready (or _broken) is called later; kicks wait. Optional.
	 */
	bool (*start)(struct xvm_vdev *vdev);
	/*
	 * Look at a queue: new buffers may be there, and what was popped before and waits
	 * for its turn goes on. At most budget chains; true: more are left.
	 */
	bool (*kick)(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget);
	/*
	 * The driver wrote config[off..off+len), already copied; optional. Returns false to refuse. The driver
	 * hears of it when xvm_vdev_config_done is called, if this sets vdev->config_waits.
	 */
	bool (*config_written)(struct xvm_vdev *vdev, u32 off, u32 len);
	/*
	 * A reset of the device (vq NULL) or of one queue began, or the device broke:
	 * end what was popped and has not been started; the rest ends by itself. Optional.
	 */
	void (*cancel)(struct xvm_vdev *vdev, struct xvm_vq *vq);
	/* The reset is complete, nothing is in flight: back to the state after create. Optional. */
	void (*reset)(struct xvm_vdev *vdev);
	/*
	 * An area of the device's came, or goes: nothing of it is in flight, and its memory and
	 * descriptor, which stay the bus's, end with this call. Optional.
	 */
	void (*area_added)(struct xvm_vdev *vdev, u32 area, int fd);
	void (*area_gone)(struct xvm_vdev *vdev, u32 area);
	/*
	 * An area is to go, nothing of it is in flight. False: somebody else has it still, and ops->drained comes
	 * when it is worth asking again. Optional.
	 */
	bool (*area_let_go)(struct xvm_vdev *vdev, u32 area);
	/* What ops->share asked for: a descriptor, the model's from now on; -1: there is none. Optional. */
	void (*area_shared)(struct xvm_vdev *vdev, u32 area, int fd);
	/* It is to be removed: end what waits for the host (polls), with holds until that has ended. Optional. */
	void (*leave)(struct xvm_vdev *vdev);
	/* Nothing is to be taken from the queues from now on, or again: for who has queues that are served outside. Optional. */
	void (*quiet)(struct xvm_vdev *vdev, bool on);
	/* It has this size from now on (bytes; struct xvm_ipc_dev_resize) and tells its driver. Optional. */
	void (*resize)(struct xvm_vdev *vdev, u64 bytes);
	/* Its server is there again, at these descriptors; takes them. Optional. */
	void (*attach)(struct xvm_vdev *vdev, struct fdset *fds);
	/* The one that was lost has ended: nothing of it is under way in this device's areas. Optional. */
	void (*server_ended)(struct xvm_vdev *vdev);
	/* Its cable is in, or out, from now on; it tells its driver. Optional. */
	void (*link)(struct xvm_vdev *vdev, bool up);
};

/* What a vdev asks of whoever carries it (the bus). */
struct xvm_vdev_ops {
	void (*used)(struct xvm_vdev *vdev, struct xvm_vq *vq);	/* EVENT_USED is wanted */
	void (*config_changed)(struct xvm_vdev *vdev);		/* EVENT_CONFIG is owed */
	/* what a reset, a queue's reset, begin_quiet, area_let_go or config_waits waits for has happened */
	void (*drained)(struct xvm_vdev *vdev);
	/* Call kick again in a later pass; also used by models with own wake-ups. */
	void (*again)(struct xvm_vdev *vdev, struct xvm_vq *vq);
	/* A pending device can be used (why NULL), or will never come to be and is to be removed. */
	void (*there)(struct xvm_vdev *vdev, const char *why);
	/* Life-cycle news for the supervisor: enum xvm_dev_state of ipc.h */
	void (*state)(struct xvm_vdev *vdev, int state, const char *reason);
	/* A descriptor of this area for the device's server is wanted; area_shared brings it. */
	void (*share)(struct xvm_vdev *vdev, u32 area);
};

/* A shared memory region; length 0: there is none. */
struct xvm_vdev_shm {
	u64 addr;	/* bus address, on a page */
	u32 length;
};

struct xvm_vdev {
	const struct xvm_vdev_type *type;
	const struct xvm_vdev_ops *ops;
	void *owner;		/* the bus's */
	void *model;		/* the device model's */
	struct xvm_aio *aio;
	u16 num;		/* device number */
	u32 device_id;		/* virtio device type */
	bool pending;		/* create has begun it and not ended: no driver knows of it */
	bool repeatable;	/* as the type says, or create */
	u64 offered;		/* device bits | transport bits we support */
	u64 without;		/* transport bits that this device cannot have; create says */
	u64 acked;
	u32 acked_blocks;	/* bit per 32-bit block the driver has set since the reset */
	bool acked_unknown;	/* it set bits above 63 */
	bool ready;		/* DRIVER_OK, started, not broken, not being reset: queues are looked at */
	bool resetting;		/* between begin_reset and finish_reset */
	u32 status;
	u32 generation;
	u32 config_bytes;
	u8 config[256];
	u8 told[256];		/* what of it the driver was told of, or wrote itself */
	bool config_waits;	/* the driver wrote to it, and somebody has still to take that */
	bool config_news;	/* it changed, and no xvm_vdev_news_told since */
	u32 news_from, news_to;	/* the bytes that differ, over all changes; equal: none */
	struct xvm_mem mem;
	struct xvm_vdev_shm shm[XVM_VDEV_MAX_SHM];	/* by region index; the model's */
	u32 num_vqs;
	struct xvm_vq vq[XVM_VDEV_MAX_VQS];
	u32 in_flight;		/* buffers, over all queues */
	u32 holds;		/* see xvm_vdev_hold */
	bool draining;		/* somebody waits for drained */
	u32 quiet;		/* XVM_QUIET_*: nothing new is popped, see xvm_vdev_begin_quiet */
	bool was_reset;		/* by the driver, on this connection */
	bool unlogged;		/* a queue found no room for its record */
	struct xvm_vq *drain_vq;	/* while draining: the queue being reset, NULL: all */
	u64 requests, bytes_read, bytes_written, bounced;	/* counters */
	u64 bytes_by_message;	/* of the guest's memory, that a server read or wrote by asking for them */
	u64 kicks, calls;	/* notifications, from the driver and to it; the bus counts them */
	u64 latency_ns;		/* sum */
	u32 latency[XVM_LATENCY_STEPS];	/* of how many requests; see ipc.h */
};

/*
 * A turn of the loop begins: what is taken or given back in it counts as taken or given back at one moment, so that a
 * clock is read once per turn at most, and in none that has no request.
 */
void xvm_vdev_turn(void);

/* Allocates and creates; all of fds (NULL: none) is taken or closed in any case. NULL with a line in why. */
struct xvm_vdev *xvm_vdev_new(const struct xvm_ipc_dev_add *desc, struct fdset *fds,
			      const struct xvm_vdev_ops *ops, void *owner, struct xvm_aio *aio,
			      char *why, size_t why_bytes);
/* The caller has drained it. */
void xvm_vdev_free(struct xvm_vdev *vdev);

/* ---- for the transport: one call per message ---- */

u32 xvm_vdev_features(const struct xvm_vdev *vdev, u32 block);	/* as GET_DEVICE_FEATURES says */
/* The same for a dialect that never shows what the driver chose. */
u32 xvm_vdev_offered(const struct xvm_vdev *vdev, u32 block);
u32 xvm_vdev_feature_bits(const struct xvm_vdev *vdev);		/* multiple of 32 */
/* The driver chose this feature (XVM_F_*), and FEATURES_OK stands. */
bool xvm_vdev_negotiated(const struct xvm_vdev *vdev, u64 feature);
/*
 * Replaces these words of the acknowledged set; a reset clears it. A driver may
 * send its blocks one by one, so the others stay. No effect after FEATURES_OK.
 */
void xvm_vdev_set_features(struct xvm_vdev *vdev, u32 block, u32 count, const u32 *words);
/* Copies when the range lies in the configuration; false otherwise. */
bool xvm_vdev_config_read(const struct xvm_vdev *vdev, u32 off, u32 len, u8 *dst);
/* False: refused (range, generation, or the model). */
bool xvm_vdev_config_write(struct xvm_vdev *vdev, u32 generation, u32 off, u32 len, const u8 *src);
/* EVENT_CONFIG was sent, with news_from and news_to. What was not told yet survives a reset. */
void xvm_vdev_news_told(struct xvm_vdev *vdev);
/*
 * Sets status bits other than 0; FEATURES_OK is refused by leaving it clear,
 * DRIVER_OK needs FEATURES_OK. Returns the resulting status.
 */
u32 xvm_vdev_set_status(struct xvm_vdev *vdev, u32 status);
/*
 * Begins a reset (status 0). Returns true when it is complete; else ops->drained
 * comes later, after which xvm_vdev_finish_reset must be called.
 */
bool xvm_vdev_begin_reset(struct xvm_vdev *vdev);
void xvm_vdev_finish_reset(struct xvm_vdev *vdev);
/* As begin_reset, of a device that will be freed then. */
bool xvm_vdev_begin_removal(struct xvm_vdev *vdev);
/* Same pair for one queue (RESET_VQUEUE). */
bool xvm_vdev_begin_vq_reset(struct xvm_vdev *vdev, u32 index);
void xvm_vdev_finish_vq_reset(struct xvm_vdev *vdev, u32 index);
/* NULL: no such queue. */
struct xvm_vq *xvm_vdev_vq(struct xvm_vdev *vdev, u32 index);
/*
 * SET_VQUEUE. 0; -ENOENT: no such queue; -EBUSY: it has buffers in flight and stays as it is;
 * -EINVAL: left unconfigured (size 0), vq->fault and fault_value are for the log.
 */
int xvm_vdev_set_vq(struct xvm_vdev *vdev, u32 index, const struct xvm_vq_config *config);
/*
 * SET_VQUEUE where configuring and enabling are two things: the queue gets this configuration
 * and is enabled or not. On any error nothing has changed; -EBUSY also: it is enabled already.
 */
int xvm_vdev_update_vq(struct xvm_vdev *vdev, u32 index, const struct xvm_vq_config *config,
		       bool enable);
/*
 * A notification for queue index, the self-kick after enabling, or what ops->again
 * asked for: ignored unless the device is ready. Never called from within ops.
 */
void xvm_vdev_kick(struct xvm_vdev *vdev, u32 index);
/* Region index as it is now; length 0 for one that does not exist. */
struct xvm_vdev_shm xvm_vdev_shm(const struct xvm_vdev *vdev, u32 index);
/* Who wants rest; each ends its own. */
#define XVM_QUIET_AREA	1u	/* an area goes: no buffer may be in use */
#define XVM_QUIET_ALL	2u	/* the driver asked: all that was ever taken goes back, also what a
				   former connection left to be served again */
/*
 * Lets a live device come to rest: nothing new is popped, what was popped goes
 * on with kicks as before. True: nothing is in flight; else ops->drained comes
 * later. The last end_quiet takes up all queues again, whether or not they were kicked.
 */
bool xvm_vdev_begin_quiet(struct xvm_vdev *vdev, u32 why);
void xvm_vdev_end_quiet(struct xvm_vdev *vdev, u32 why);
/* Records queues in keep from now on; NULL: no more. */
void xvm_vdev_keep_in(struct xvm_vdev *vdev, struct xvm_keep *keep);
/*
 * The connection is over, whatever comes next: rings and records stay as they are, what is
 * in flight ends without a word. The device is reset and freed afterwards.
 */
void xvm_vdev_halt(struct xvm_vdev *vdev);
/*
 * Between set-up and DRIVER_OK: the queue goes on where a former connection left it, see
 * xvm_vq_keep. Returns 0, -EINVAL (not the moment), or -ENODATA (not known).
 */
int xvm_vdev_keep_vq(struct xvm_vdev *vdev, u32 index, bool idle);
/* True when an enabled queue or a shared memory region lies in this area. */
bool xvm_vdev_uses_area(const struct xvm_vdev *vdev, u32 area);

/* ---- vdev_vq.c for vdev.c ---- */

void xvm_vdev_start_vqs(struct xvm_vdev *vdev);
void xvm_vdev_end_logs(struct xvm_vdev *vdev);

/* ---- for device models ---- */

/*
 * What a model notes, at most XVM_VDEV_NOTE_BYTES, outlives this worker, until the driver resets the
 * device; data NULL: nothing any more. Noted before the command that changed it is answered, it is
 * never behind what the driver knows: the command is served once more at worst. False: there is no
 * room, and no note any more.
 */
bool xvm_vdev_note(struct xvm_vdev *vdev, const void *data, u32 bytes);
/*
 * For start, when queues are kept: false when there is no note of this size. A worker that a guest
 * had taken over may have written it.
 */
bool xvm_vdev_noted(const struct xvm_vdev *vdev, void *data, u32 bytes);

/*
 * xvm_vq_pop plus accounting; breaks the device on -EPROTO and then returns 0.
 * When it returns 0 the queue is armed: the driver's next entry is notified.
 * A model that stops for want of room does so before a pop, returns false from
 * kick, and calls ops->again when there is room.
 */
int xvm_vdev_pop(struct xvm_vdev *vdev, struct xvm_vq *vq, struct xvm_chain *chain,
		 struct iovec *iov, u32 max_iov);
/* Undoes a pop within the same kick, see xvm_vq_unpop. The queue is not armed. */
void xvm_vdev_unpop(struct xvm_vdev *vdev, struct xvm_vq *vq, const struct xvm_chain *chain);
/* Pushes and accounts; kick's caller flushes, other callers do it themselves. */
void xvm_vdev_complete(struct xvm_vdev *vdev, struct xvm_vq *vq, u16 head, u32 len);
/*
 * End of a batch: flushes the queue and asks for EVENT_USED if wanted; calls
 * drained if it is so, which may free the device: the caller's last act.
 */
void xvm_vdev_flush(struct xvm_vdev *vdev, struct xvm_vq *vq);
/* Work of the model's own (a timer) that a reset must wait for. release: the caller's last act. */
void xvm_vdev_hold(struct xvm_vdev *vdev);
void xvm_vdev_release(struct xvm_vdev *vdev);
/* Ends what create left pending: all that it sets is set; or why it never will be. */
void xvm_vdev_there(struct xvm_vdev *vdev);
void xvm_vdev_never(struct xvm_vdev *vdev, const char *why);
/* Ends the wait that start() began. */
void xvm_vdev_ready(struct xvm_vdev *vdev);
/*
 * Sets DEVICE_NEEDS_RESET, stops the queues, cancels what has not been started,
 * tells both sides, logs the reason once. Outside of kick a flush or a release
 * follows, for whoever waits for drained.
 */
void xvm_vdev_broken(struct xvm_vdev *vdev, const char *reason);
/* Ends what config_written began with config_waits; config is as it has become. */
void xvm_vdev_config_done(struct xvm_vdev *vdev);
/* The device changed bytes of config: bumps the generation, EVENT_CONFIG with their range. */
void xvm_vdev_config_changed(struct xvm_vdev *vdev);

/* The plain array of types, dom0/worker/types.c. */
const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id);

#endif
