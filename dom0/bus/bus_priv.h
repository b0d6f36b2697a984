/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of dom0/bus share. A number on the bus is a bus_num: a device
 * with its lane of requests and the events it owes, or, once the device is
 * gone, what is left until the driver side releases the number. Number 0 has
 * no device and carries the areas of the worker.
 */
#ifndef DOM0_BUS_BUS_PRIV_H
#define DOM0_BUS_BUS_PRIV_H

#include "bus.h"
#include "../virtio/aio.h"
#include "../ipc.h"
#include "../virtio/vdev.h"
#include "../../xen/proto/msg.h"
#include "../../xen/proto/ring.h"

/* Records taken per pass before other work gets its turn (rules.md M1). */
#define BUS_PASS_RECORDS 64
/* The longest event we send: EVENT_CONFIG without data. */
#define BUS_EVENT_BYTES (VIRTIO_MSG_HDR_BYTES + VIRTIO_MSG_EVENT_CONFIG_FIXED)
#define BUS_MAX_DEVICES 256
#define BUS_MAX_AREAS 64
#define BUS_MAX_AREA_PAGES 24576

/* A request that has been taken and not yet answered. The pool has one per credit. */
struct bus_req {
	struct bus_req *next;
	u32 len;
	u8 msg[];
};

enum bus_op {
	BUS_OP_NONE,
	BUS_OP_RESET,		/* SET_DEVICE_STATUS 0: I/O drains; cur NULL: it was answered */
	BUS_OP_VQ_RESET,	/* RESET_VQUEUE: I/O of the queue drains */
	BUS_OP_AREA_ADD,	/* the supervisor maps, or will when it is our turn */
	BUS_OP_AREA_DEL,	/* I/O drains, nothing new is taken */
	BUS_OP_QUIESCE,		/* I/O drains, and nothing new is taken until RESUME */
	BUS_OP_CONFIG,		/* SET_CONFIG: whoever serves the device has to take it */
	BUS_OP_REMOVE,		/* I/O drains, then the device goes; no request behind it */
};

struct bus_num {
	struct bus *bus;
	struct bus_num *next;		/* all numbers, ascending */
	struct bus_num *ready_next;	/* those with something to do */
	bool ready;
	u16 num;
	struct xvm_vdev *vdev;		/* NULL: gone, the number is in quarantine */
	bool told;			/* the driver side may have heard of the device */
	bool leaving;			/* REMOVED is told or owed; still served until it is let go */
	bool remove;			/* to be removed at once */
	bool released;			/* the driver side has let go: forget the number */

	/* Requests in order: op waits for cur; the rest waits for op. */
	enum bus_op op;
	bool drained;			/* what op waits for has happened */
	u32 area, area_limit;		/* AREA_ADD: the area, and the supervisor's answer */
	u16 area_status;
	struct bus_req *cur, *head, **tail;

	/* Owed to the driver side: newest state, never a queue. */
	bool owe_device, owe_config;
	u64 owe_used;			/* bit per queue */
	u64 again;			/* queues to look at once more */
	char why[XVM_IPC_LOG_BYTES];	/* a pending device never came to be */
};

struct bus_area {
	struct bus_num *scope;		/* NULL: free */
	u8 *base;			/* NULL: its device is gone, only the id is held */
	int fd;
	struct xvm_msg_area_add add;	/* as announced */
	bool used;			/* and freed since, */
	u32 freed_at;			/* when bus->area_adds was this */
};

struct bus {
	const struct bus_host *host;
	void *arg;
	struct xvm_aio *aio;
	struct xvm_keep *keep;		/* NULL: nothing is recorded */
	bool told_unlogged;		/* that there is no room for more records */

	struct bus_link link;
	enum xvm_dialect dialect;
	const struct xvm_dialect_rules *rules;	/* of the dialect */
	bool connected, stopping;
	u32 reason, detail;		/* XVM_ERR_* once failed */
	struct xvm_ring_rx rx;
	struct xvm_ring_tx tx;
	bool held;			/* an event waits for room */
	struct xvm_aio_req room_timer;	/* room_waits: it has waited since the driver side had taken room_cons */
	bool room_waits, stalled;
	u32 room_cons;
	u8 *in, *out;			/* max_message each */
	u8 *pool_mem;
	struct bus_req *pool;		/* free ones */

	struct bus_num zero;
	struct bus_num *nums;
	struct bus_num **by_num;	/* 65536 of them */
	struct bus_num *ready, **ready_tail;
	u32 devices;
	u32 pending;			/* of them: those of which no driver knows yet, */
	struct xvm_aio_req pending_timer;	/* and pending_wait: the first messages wait for them */
	bool pending_wait;

	struct bus_area area[XVM_AREA_ID_MAX + 1];
	u32 areas, area_pages, area_adds;
	struct bus_num *mapping;	/* whose AREA_ADD is with the supervisor */
	struct xvm_aio_req map_timer;	/* map_waits: the next one has to wait for it */
	bool map_waits;
	u64 map_paid_ms;		/* mappings are paid for up to this moment */

	struct bus_trace *trace;	/* NULL: nobody wants one */
	struct xvm_aio_req trace_timer;	/* trace_waits: its reader is behind */
	bool trace_waits;
	u64 traced, trace_lost;

	u64 messages_in, messages_out, bad[XVM_FRAME_FAULTS], unanswerable;
	u64 maps, unmaps;
	u64 requests, bytes_read, bytes_written, bounced;	/* of devices that are gone */
};

/* ---- bus.c ---- */
void bus_fail(struct bus *bus, u32 reason, u32 detail);
/* Sends the answer in bus->out to the request req, len bytes. */
void bus_answer(struct bus *bus, const u8 *req, u32 len);
void bus_refuse(struct bus *bus, const u8 *req, u16 reason);
/* An event in bus->out; false: not now, bus->held is set. */
bool bus_event(struct bus *bus, u32 len);
void bus_ready(struct bus_num *n);

/* ---- nums.c: numbers, lanes, arrival and removal ---- */
struct bus_num *bus_num_find(struct bus *bus, u16 num);
void bus_num_init(struct bus *bus, struct bus_num *n, u16 num);
/* Answers or queues a request; true: bus->in was kept or answered, false: malformed. */
bool lane_take(struct bus_num *n, u32 len);
/* Goes on with what waits: a finished operation, a removal, the next requests. */
void lane_run(struct bus_num *n);
/* Frees a quarantined number and its area ids. */
void bus_num_release(struct bus_num *n);
extern const struct xvm_vdev_ops bus_vdev_ops;

/* What a handler did with the request. */
enum answer {
	ANSWER_MALFORMED,	/* discard in silence */
	ANSWER_DONE,		/* answered */
	ANSWER_LATER,		/* n->op says what it waits for */
};

/* ---- answer.c: transport messages; n->vdev is there ---- */
enum answer answer_transport(struct bus_num *n, const u8 *msg, u32 len);
void answer_status(struct bus_num *n, const u8 *msg);
/* To a SET_CONFIG whose bytes were taken. */
void answer_config(struct bus_num *n, const u8 *msg, u32 len);
void answer_empty(struct bus_num *n, const u8 *msg);

/* ---- bus_msg.c: bus messages ---- */
/* Requests about one number go through its lane; NULL: answer at once. */
struct bus_num *bus_msg_lane(struct bus *bus, const u8 *msg, u32 len);
enum answer bus_msg_answer(struct bus *bus, struct bus_num *n, const u8 *msg, u32 len);

/* ---- keep.c: QUIESCE, RESUME, KEEP_QUEUE ---- */
/* True for a message that only a connection with XVM_BUS_F_KEEP knows. */
bool keep_only(const struct xvm_hdr *hdr);
enum answer keep_quiesce(struct bus *bus, struct bus_num *n, const u8 *msg);
void keep_quiesce_finish(struct bus_num *n, const u8 *msg);
enum answer keep_resume(struct bus *bus, struct bus_num *n, const u8 *msg);
enum answer keep_queue(struct bus *bus, struct bus_num *n, const u8 *msg);
/* Says once what it means that a queue has no record. */
void keep_tell(struct bus_num *n);

/* ---- area.c ---- */
enum answer area_add(struct bus *bus, struct bus_num *n, const u8 *msg, u32 len);
enum answer area_del(struct bus *bus, struct bus_num *n, const u8 *msg);
void area_add_finish(struct bus_num *n, const u8 *msg);
void area_del_finish(struct bus_num *n, const u8 *msg);
/* Nobody but the worker has this area of n's; else n->drained says when to ask again. */
bool area_let_go(struct bus_num *n, u32 id);
struct bus_num *area_scope(struct bus *bus, u32 id);
/* Unmaps all areas of a number; their ids stay taken. */
void area_unmap_all(struct bus_num *n);
/* Forgets them altogether. */
void area_forget_all(struct bus_num *n);

/* ---- event.c ---- */
/* Sends what n owes as far as there is room; true: nothing is owed any more. */
bool event_flush(struct bus_num *n);
/* At the end of a pass: one that waits for room waits for so long only, where the dialect has a bound. */
void event_watch(struct bus *bus);

/* ---- trace.c ---- */
void trace_add(struct bus *bus, bool to_driver, const u8 *msg, u32 len);
/* Hands over what was added, once per pass. */
void trace_flush(struct bus *bus);

/* All that a message costs while nobody wants a trace is this test. */
static inline void trace_tap(struct bus *bus, bool to_driver, const u8 *msg, u32 len)
{
	if (bus->trace)
		trace_add(bus, to_driver, msg, len);
}

#endif
