/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the Xen side of the module share.
 *
 * Objects: a bus is a xenbus device; a connection is one life of the bus from
 * a handshake to its end, with rings, requests, devices and areas of its own,
 * so that a new one can begin while the old one still waits for its memory.
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
#define XVM_PASS_RECORDS	64	/* messages per pass, then others have their turn */
#define XVM_MAX_DEVICES		256	/* per bus; more are not registered */

/* -- xen_stats.c: counters in debugfs -- */
#define XVM_STATS(x) \
	x(grants_given) x(grants_ended) x(grants_quarantined) x(areas) x(area_pages) x(maps) \
	x(map_failures) x(bad_mappings) x(bytes_bounced) x(messages_sent) x(messages_received) x(notifies_sent) \
	x(kicks) x(kicks_deferred) x(interrupts) x(interrupts_empty) x(bad_messages) \
	x(requests_failed) x(timeouts)
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
};

/* npages zeroed Xen pages, contiguous for us, granted to otherend. NULL: no memory, no grants. */
struct xvm_gmem *xvm_gmem_alloc(struct xvm_bus *bus, domid_t otherend, u32 npages, bool readonly);
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
	bool dead;			/* set once, under tx_lock */
	u32 why, detail;		/* set with it: XVM_ERR_* */
	bool tx_waiting;		/* someone armed the ring for room */
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

	struct workqueue_struct *wq;	/* ordered: adding and removing devices */
	struct work_struct start_work, events_work, close_work;
	struct xarray devs;		/* number -> struct xvm_dev */
	u32 ndevs;
	unsigned long *ready, *removed;	/* events not yet acted upon, a bit per number */
	spinlock_t events_lock;

	struct mutex area_lock;		/* ids, below */
	DECLARE_BITMAP(area_ids, XVM_AREA_ID_MAX + 1);
	u32 area_adds, area_rest[XVM_AREA_ID_MAX + 1];
};

void xvm_conn_put(struct xvm_conn *conn);

int xvm_chan_init(struct xvm_conn *conn);
void xvm_chan_fini(struct xvm_conn *conn);
/* Gives the connection up: reason where the peer reads it, a line, no more traffic. Any context. */
void xvm_chan_break(struct xvm_conn *conn, u32 reason, u32 detail);
bool xvm_chan_is_dead(struct xvm_conn *conn);
/* Returns when no message is being handled any more that was when it was called. */
void xvm_chan_quiesce(struct xvm_conn *conn);
/* Puts a request; -ENOSPC when there is no room, then room_wq is woken when there is. */
int xvm_chan_send(struct xvm_conn *conn, const u8 *msg, u32 len);

struct xvm_dev;
void xvm_chan_kick(struct xvm_dev *xd, u32 vq_index);
void xvm_chan_forget_kicks(struct xvm_dev *xd);

int xvm_req_init(struct xvm_conn *conn);
/*
 * Sends msg and waits for its answer (max_message bytes of room). owner: the
 * device it is counted on, 0 for none. admin: may use the last credit.
 * Returns the answer's length, -ENODEV, -ETIMEDOUT or -EIO.
 */
int xvm_req_transfer(struct xvm_conn *conn, u16 owner, bool admin, const u8 *msg, u32 len,
		     u8 *answer);
/* From the ring; false: nothing of ours. */
bool xvm_req_answered(struct xvm_conn *conn, const struct xvm_hdr *hdr, const u8 *msg, u32 len);
bool xvm_req_failed(struct xvm_conn *conn, const struct xvm_msg_request_failed *m);
void xvm_req_fail_all(struct xvm_conn *conn);

/* -- xen_bus.c: bus messages, devices -- */
struct xvm_area;

struct xvm_dev {
	struct device dev;		/* parent of the virtio device; its DMA goes through areas */
	struct xvm_conn *conn;		/* referenced */
	struct vmsg_device *vm;
	u16 num;

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
/* orderly: the connection still works. Returns when all devices are gone. */
void xvm_bus_stop(struct xvm_conn *conn, bool orderly);
void xvm_bus_free(struct xvm_conn *conn);
bool xvm_bus_event_device(struct xvm_conn *conn, const struct xvm_msg_event_device *m);
bool xvm_bus_event_used(struct xvm_conn *conn, u16 num, u32 vq_index);
bool xvm_bus_event_config(struct xvm_conn *conn, u16 num, const struct xvm_msg_event_config *m);
void xvm_bus_break_devices(struct xvm_conn *conn);

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
/* The device is gone: no mapping is in use any more. */
void xvm_area_del_all(struct xvm_dev *xd);

extern const struct dma_map_ops xvm_dma_ops;
void xvm_dma_reserve(struct xvm_dev *xd);

#endif
