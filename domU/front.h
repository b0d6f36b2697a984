/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the Xen side of the module share.
 *
 * Objects: a bus is a xenbus device; a connection is one life of the bus with
 * rings, requests, devices and areas of its own, so that a new one can begin
 * while the old one still waits for its memory. With XVM_BUS_F_KEEP it goes on
 * over a new handshake with all its devices (xen_keep.c): its rings start
 * anew, and its gate is shut to requests until the devices are as they were.
 *
 * Lock order: rx_lock, vmsg_device.vq_lock, drivers' queue locks, tx_lock,
 * req_lock. Area locks are innermost. All are taken with interrupts off.
 */
#ifndef XVM_DOMU_FRONT_H
#define XVM_DOMU_FRONT_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <xen/events.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#include "../include/xvmsg/xenbus.h"
#include "../xen/proto/addr.h"
#include "../xen/proto/page.h"
#include "../xen/proto/ring.h"
#include "../xen/proto/shake.h"
#include "virtio_msg_core.h"

#define XVM_REQUEST_SECONDS	30	/* a worker's restart fits in well; see rules of waits */
#define XVM_PATIENCE_SECONDS	60	/* for requests that a disk was given, when it is to go */
#define XVM_PASS_RECORDS	64	/* messages per pass, then others have their turn */
#define XVM_MAX_DEVICES		256	/* per bus; more are not registered */

/* -- xen_stats.c: counters in debugfs -- */
#define XVM_STATS(x) \
	x(grants_given) x(grants_ended) x(grants_quarantined) x(areas) x(area_pages) x(maps) \
	x(map_failures) x(bad_mappings) x(bytes_bounced) x(messages_sent) x(messages_received) x(notifies_sent) \
	x(kicks) x(kicks_deferred) x(interrupts) x(interrupts_empty) x(bad_messages) \
	x(requests_failed) x(timeouts) x(reconnects)
struct xvm_stats {
#define XVM_STAT_FIELD(name) atomic64_t name;
	XVM_STATS(XVM_STAT_FIELD)
#undef XVM_STAT_FIELD
};
#define xvm_count(bus, name) atomic64_inc(&(bus)->stats.name)
#define xvm_count_add(bus, name, n) atomic64_add(n, &(bus)->stats.name)

struct xvm_conn;

struct xvm_bus {
	struct kref ref;		/* the xenbus driver, each connection, each gmem */
	struct xenbus_device *xdev;	/* referenced */
	struct xvm_conn *conn;		/* the one that lives; xenwatch, probe, remove only */
	u32 serial;			/* connections so far */
	bool moved;			/* in a new domain: grants and channels are gone */
	atomic_t open;			/* connections not closed yet */
	wait_queue_head_t closed_wq;
	struct xenbus_watch off_watch;
	struct xvm_stats stats;
	struct dentry *debugfs;
};

void xvm_bus_put(struct xvm_bus *bus);
void xvm_stats_init(void);
void xvm_stats_exit(void);
void xvm_stats_add(struct xvm_bus *bus);
void xvm_stats_del(struct xvm_bus *bus);

/* -- xen_gmem.c: granted memory, given back only when nobody maps it -- */
struct xvm_gmem {
	struct list_head node;		/* of those waiting to be given back */
	struct xvm_bus *bus;		/* referenced */
	u8 *vaddr;
	struct page **pages;
	grant_ref_t *refs;		/* per Xen page; the first left of them are given */
	u32 npages, left;		/* Xen pages */
	bool readonly;
};

/* npages zeroed Xen pages, contiguous for us, granted to otherend. NULL: no memory, no grants. */
struct xvm_gmem *xvm_gmem_alloc(struct xvm_bus *bus, domid_t otherend, u32 npages, bool readonly);
/* In a new domain, or for another one: the same pages under the same references. */
void xvm_gmem_grant_again(struct xvm_gmem *mem, domid_t otherend);
/* Takes the grants back and frees, now or when the other side has unmapped. NULL is allowed. */
void xvm_gmem_retire(struct xvm_gmem *mem);
void xvm_gmem_exit(void);

/* -- xen_chan.c: rings and event channels; xen_req.c: requests and answers -- */
enum xvm_req_state {
	XVM_REQ_FREE,
	XVM_REQ_WAITING,	/* sent or about to be; someone waits */
	XVM_REQ_ABANDONED,	/* time was up; the credit is out until the answer comes */
	XVM_REQ_DONE,
};

struct xvm_req {
	enum xvm_req_state state;
	u8 type, id;
	u16 dev_num, token, owner;
	u8 *answer;
	int result;		/* length of the answer, or a negative error */
	struct completion done;
};

struct xvm_port {
	struct xvm_conn *conn;
	evtchn_port_t evtchn;
	int irq;
	struct work_struct poll;	/* goes on where the interrupt's budget ended */
};

struct xvm_chan {
	struct xvm_gmem *control, *drv, *dev;
	struct xvm_port port[XVM_MAX_CHANNELS];

	spinlock_t tx_lock;
	struct xvm_ring_tx tx;
	bool dead;			/* no traffic; set under tx_lock */
	bool gone;			/* for good, and dead as well */
	u32 epoch;			/* times the rings started anew */
	u32 why, detail;		/* set with it: XVM_ERR_* */
	bool tx_waiting;		/* someone armed the ring for room */
	struct delayed_work stall_work;	/* queued then: it is to come before this is done, */
	u32 stall_cons;			/* or at least something is to be taken beyond this */
	struct list_head kicks;		/* devices with kick_bits */
	wait_queue_head_t room_wq;

	spinlock_t rx_lock;		/* also holds devices in the table while an event is told */
	struct xvm_ring_rx rx;
	bool owed;			/* an empty interrupt would not be the peer's fault */
	u8 *rx_buf;

	spinlock_t req_lock;
	struct xvm_req *reqs;		/* pick.credits of them */
	u8 token_lap;
	wait_queue_head_t credit_wq;
	struct work_struct break_work;
};

struct xvm_conn {
	struct kref ref;		/* bus or close work, each device */
	struct xvm_bus *bus;		/* referenced */
	domid_t otherend;
	u32 serial;
	struct xvm_pick pick;
	struct xvm_chan chan;
	bool connected;			/* xenwatch only */
	bool closing;			/* no more devices are added */

	bool shut;			/* the gate: requests wait, but for the keeper's */
	struct task_struct *keeper;
	wait_queue_head_t gate_wq;
	struct work_struct keep_work;
	bool kept;			/* xenwatch only: there are devices to take over */

	struct workqueue_struct *wq;	/* ordered: adding and removing devices */
	struct work_struct start_work, events_work, close_work;
	struct xarray devs;		/* number -> struct xvm_dev */
	struct mutex dev_lock;		/* a device leaves devs; those in it are lost */
	u32 ndevs;
	unsigned long *ready, *removed;	/* events not yet acted upon, a bit per number */
	spinlock_t events_lock;

	struct mutex area_lock;		/* ids, below; no area is added to a device or freed */
	DECLARE_BITMAP(area_ids, XVM_AREA_ID_MAX + 1);
	u32 area_adds, area_rest[XVM_AREA_ID_MAX + 1];
};

void xvm_conn_put(struct xvm_conn *conn);

int xvm_chan_init(struct xvm_conn *conn);
void xvm_chan_fini(struct xvm_conn *conn);
/* Gives the connection up: reason where the peer reads it, a line, no more traffic. Any context. */
void xvm_chan_break(struct xvm_conn *conn, u32 reason, u32 detail);
bool xvm_chan_is_dead(struct xvm_conn *conn);
/* Ends traffic and channels; rings, requests and devices stay. Not in an interrupt. */
void xvm_chan_pause(struct xvm_conn *conn);
/* Rings start anew in the pages they had, with new channels; conn->pick is filled in. */
int xvm_chan_renew(struct xvm_conn *conn);
/* Returns when no message is being handled any more that was when it was called. */
void xvm_chan_quiesce(struct xvm_conn *conn);
/*
 * Puts a request; -ENOSPC when there is no room, then room_wq is woken when
 * there is; -EIO also when the rings are not those of this epoch any more.
 */
int xvm_chan_send(struct xvm_conn *conn, u32 epoch, const u8 *msg, u32 len);

struct xvm_dev;
void xvm_chan_kick(struct xvm_dev *xd, u32 vq_index);
void xvm_chan_forget_kick(struct xvm_dev *xd, u32 vq_index);
void xvm_chan_forget_kicks(struct xvm_dev *xd);

int xvm_req_init(struct xvm_conn *conn);
/* How long an answer is waited for. */
u32 xvm_req_seconds(void);
/*
 * Sends msg and waits for its answer (max_message bytes of room). owner: the
 * device it is counted on, 0 for none. admin: may use the last credit.
 * Returns the answer's length, -ENODEV, -ETIMEDOUT, -EIO or, once, -ERESTART:
 * the connection ended and is to be kept. The other one waits at the gate then
 * and sends again.
 */
int xvm_req_once(struct xvm_conn *conn, u16 owner, bool admin, const u8 *msg, u32 len, u8 *answer);
int xvm_req_transfer(struct xvm_conn *conn, u16 owner, bool admin, const u8 *msg, u32 len,
		     u8 *answer);
/* From the ring; false: nothing of ours. */
bool xvm_req_answered(struct xvm_conn *conn, const struct xvm_hdr *hdr, const u8 *msg, u32 len);
bool xvm_req_failed(struct xvm_conn *conn, const struct xvm_msg_request_failed *m);
void xvm_req_fail_all(struct xvm_conn *conn, int err);

/* -- xen_keep.c: devices that outlive the end of a connection -- */
/* 0 when the gate is open, -EIO when the connection is gone for good or time is up. */
int xvm_gate_wait(struct xvm_conn *conn);
void xvm_keep_init(struct xvm_conn *conn);
/* The connection stays, its rings do not: nothing passes until xvm_keep_start's work is done. */
void xvm_keep_pause(struct xvm_conn *conn);
/* pick belongs to the same kind of connection, so that its devices can go on with it. */
bool xvm_keep_fits(const struct xvm_conn *conn, const struct xvm_pick *pick);
int xvm_keep_renew(struct xvm_conn *conn, const struct xvm_pick *pick);
void xvm_keep_start(struct xvm_conn *conn);
void xvm_keep_stop(struct xvm_conn *conn);
extern const struct device_type xvm_dev_type;

/* -- xen_bus.c: bus messages, devices -- */
struct xvm_area;

struct xvm_dev {
	struct device dev;		/* parent of the virtio device; its DMA goes through areas */
	struct xvm_conn *conn;		/* referenced */
	struct vmsg_device *vm;
	u16 num;
	bool lost;			/* what it was given comes back as ones, and failed */
	struct work_struct lose_work, gone_work;
	struct delayed_work patience;	/* with requests outstanding while its driver lets go */

	atomic_t parked;		/* its requester waits at the gate with vm->lock held */
	bool idle;			/* QUIESCE was answered and no RESUME followed */

	struct list_head kick_node;	/* under tx_lock */
	DECLARE_BITMAP(kick_bits, VMSG_MAX_VQS);

	struct xvm_area *area[XVM_AREA_MAX_PER_DEVICE];
	unsigned int nareas;		/* release: area[] below it is filled */
	u32 entries;			/* descriptors of all queues */
	struct mutex grow_lock;
	struct work_struct grow_work;
	unsigned long no_grow_before;	/* jiffies; after a refusal */
	bool no_grow;
};

static inline struct xvm_dev *to_xvm_dev(struct device *dev)
{
	return container_of(dev, struct xvm_dev, dev);
}

int xvm_bus_init(struct xvm_conn *conn);
void xvm_bus_start(struct xvm_conn *conn);
/* The device side no longer has this number: its device goes. */
void xvm_bus_lost(struct xvm_conn *conn, u16 num);
/* orderly: the connection still works. Returns when all devices are gone. */
void xvm_bus_stop(struct xvm_conn *conn, bool orderly);
void xvm_bus_free(struct xvm_conn *conn);
bool xvm_bus_event_device(struct xvm_conn *conn, const struct xvm_msg_event_device *m);
bool xvm_bus_event_used(struct xvm_conn *conn, u16 num, u32 vq_index);
bool xvm_bus_event_config(struct xvm_conn *conn, u16 num, const struct xvm_msg_event_config *m);
void xvm_bus_break_devices(struct xvm_conn *conn);
/* It completes nothing any more: what its driver waits for fails. Process context. */
void xvm_bus_lose_dev(struct xvm_dev *xd);
void xvm_bus_lose_devices(struct xvm_conn *conn);

/* -- xen_area.c: areas of a device; xen_dma.c: slots in them -- */
#define XVM_GRANULE_SHIFT	9
#define XVM_GRANULE_BYTES	(1u << XVM_GRANULE_SHIFT)
#define XVM_GRANULES_PER_PAGE	(XVM_PAGE_BYTES / XVM_GRANULE_BYTES)
#define XVM_SMALL_BYTES		2048	/* up to here: no page alignment, own part of the area */
#define XVM_MAX_MAPPING		65536

/* What a granule of a mapping bounces; in memory that only this kernel sees. */
struct xvm_slot {
	phys_addr_t orig;
	u32 left;		/* bytes of the mapping from here on; 0: not a mapping */
};

struct xvm_area {
	u32 id, npages;
	struct xvm_gmem *mem;
	spinlock_t lock;
	u32 ngran, used;
	u32 split;		/* large mappings and queues below, small ones from here on */
	u32 hint[2];		/* where the next search begins: large, small */
	unsigned long *map;
	struct xvm_slot *slot;
};

/* Process context. 0, or a negative error: -ENOSPC refused, -ENOMEM. */
int xvm_area_grow(struct xvm_dev *xd);
int xvm_area_prepare(struct xvm_dev *xd, u32 nvqs, u32 entries);
void xvm_area_grow_soon(struct xvm_dev *xd);
void xvm_area_init(struct xvm_dev *xd);
/* Announces all areas of the device on a new connection. */
int xvm_area_announce_again(struct xvm_dev *xd);
/* In a new domain. */
void xvm_area_grant_again(struct xvm_dev *xd);
/* Writes each page, so that a migration sees what the device side wrote. */
void xvm_area_touch(struct xvm_dev *xd);
/* The device is gone: no mapping is in use any more. */
void xvm_area_del_all(struct xvm_dev *xd);

extern const struct dma_map_ops xvm_dma_ops;
void xvm_dma_reserve(struct xvm_dev *xd);

#endif
