/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor's records, and who does what with them:
 *   guests.c   a record per guest with disks of ours; watch events; a guest's end
 *   disk.c     one device: adoption, refusal, removal; most are virtio_disk nodes
 *   own.c      devices that xl does not know
 *   record.c   the files that keep those
 *   op.c       what a client of the control socket waits for
 *   decide.c   what to do about a node, as a pure function
 *   link.c     the bus node of a guest: offer, states, removal
 *   connect.c  handshake to running worker
 *   worker.c   the worker's process and socket
 *   requests.c what a worker may ask for
 *   server.c   processes that serve devices over vhost-user
 *   driver.c   guests that a driver domain serves: the toolstack's part, in domain 0
 *   keep.c     the file in which a worker records what is in flight
 *   ctl.c      the control socket
 *   pty.c      the ptys behind consoles
 *   trace.c    who wants to see a guest's messages
 *   util.c     time, random numbers, log lines
 *
 * Single thread, one event loop, nothing blocks. Trust: dom0-owned nodes are
 * xl's and the operator's word; front-end nodes and workers are hostile.
 */
#ifndef XVM_DAEMON_DAEMON_H
#define XVM_DAEMON_DAEMON_H

#include <event2/event.h>
#include <sys/types.h>
#include "../base/log.h"
#include "../ipc.h"
#include "../../xen/proto/shake.h"
#include "../../xen/user/store.h"
#include "budget.h"
#include "decide.h"
#include "opener.h"
#include "options.h"
#include "server.h"
#include "pty.h"

#define XVM_MAX_DEVICES 256		/* of one guest */
#define XVM_FIRST_CID 65536u		/* plus the domain id: a vsock address that nobody chose */
#define XVM_VDEV_BYTES XVM_NAME_MAX
#define XVM_NAME_BYTES 128
#define XVM_UUID_BYTES 40

#define XVM_ASK_LIMIT_MS 5000		/* for the guest to let go of a device; xl waits 10 s */
#define XVM_STOP_LIMIT_MS 2000		/* for a worker to end; then SIGKILL */
#define XVM_HELLO_LIMIT_MS 10000	/* for a worker to start */

struct xvm_driver;
struct xvm_tracer;
struct xvm_worker;

struct xvm_daemon {
	struct event_base *base;
	struct xvm_store *store;
	struct xvm_options options;
	u32 own_domid;			/* not 0: a driver domain, which may write below its own directory alone */
	struct xvm_budget budget;
	struct xvm_guest *guests;
	struct xvm_driver *drivers;	/* of other domains' daemons; domain 0 only */
	struct xvm_tracer *tracers;
	struct event *settle;		/* runs work that a callback must not do itself */
	bool stopping;
	void (*stopped)(struct xvm_daemon *daemon);	/* stopping, and no worker is left */
};

/*
 * Numbers of our own devices: behind those of xl's, so that a Linux guest names
 * xl's first, whatever was attached before.
 */
#define XVM_FIRST_OWN_NUM 32768u
#define XVM_LAST_OWN_NUM 59999u
/* xl's virtio entries, in the order of the guest file. */
#define XVM_FIRST_VIRTIO_NUM 60000u
#define XVM_LAST_NUM 65535u

/* What the operator wants of a device of our own. */
enum xvm_wish {
	XVM_WISH_STAY,
	XVM_WISH_LEAVE,		/* when the guest lets go */
	XVM_WISH_LEAVE_NOW,
};

/*
 * The two kinds of node that xl makes for us. `virtio` (Xen 4.18 and later) has one free word,
 * its type: "xen-virtio-msg:NAME" is the descriptor NAME, any other is somebody else's device.
 */
enum xvm_node_kind {
	XVM_NODE_DISK,		/* virtio_disk */
	XVM_NODE_VIRTIO		/* virtio */
};

/* And the name of a descriptor. Of a type that begins with "virtio" xl takes the next word, too ("virtio,device22"). */
#define XVM_VIRTIO_TYPE "xen-virtio-msg:"

/* Below backend/, device/ and /libxl/N/device/. */
const char *xvm_node_name(enum xvm_node_kind kind);

/* One node of xl's, or a device of our own, and what it became on the bus. */
struct xvm_disk {
	struct xvm_disk *next;
	struct xvm_guest *guest;
	enum xvm_node_kind node;	/* which xl made; own: no matter */
	u32 devid;			/* xl's number among those of its kind */
	u16 num;			/* ours, on the bus; 0: none yet; own and new: as recorded */
	enum xvm_disk_phase phase;
	u64 mark;			/* stands in the node: not another one at the same place */
	bool orphan;			/* the node is gone or another's: never write to it */
	bool forced;			/* removal does not wait for the guest */
	bool in_worker;
	bool driver_ok, broken, lock_busy, resizing;
	bool discard;
	char vdev[XVM_VDEV_BYTES + 1];	/* its name; xl's vdev= */
	bool own;			/* no node stands for it: see own.c */
	bool persist;			/* own: in the guest's record */
	bool recorded;			/* own: was read from there */
	enum xvm_wish wish;		/* own */
	u64 id;				/* own: tells it from a later one of the same name */
	char why[XVM_WHY_BYTES];	/* why it was refused, or is broken */
	struct xvm_image_request request;
	struct xvm_image image;
	struct xvm_ptys ptys;		/* of a console */
	u16 cols, rows;			/* of its port 0 */
	struct xvm_node_view view;	/* of the scan going on */
	struct xvm_ipc_one_dev_stats stats;	/* its worker's word, for people */
	bool in_host;			/* kind net: its tap is there, or may be */
	struct xvm_opener *opener;
	struct xvm_server server;	/* vhost-user */
	struct event *limit;		/* how long removal may take */
};

enum xvm_link_phase {
	XVM_LINK_NONE,		/* no bus node */
	XVM_LINK_OFFERED,	/* state 2 */
	XVM_LINK_STARTING,	/* state 2, the worker is being made */
	XVM_LINK_UP,		/* state 4 */
	XVM_LINK_STOPPING,	/* the worker is asked to end, or being killed */
	XVM_LINK_CLOSED,	/* state 6 */
};

/* The guest's bus node. */
struct xvm_link {
	enum xvm_link_phase phase;
	u64 id;				/* connection id that stands in the node */
	struct xvm_offer offer;
	struct xvm_pick pick;
	struct xvm_rate connects, crashes, reads;
	u64 not_before_ms;		/* no connecting earlier */
	u64 wait_until_ms;		/* for devices that are on their way; 0: no connection was asked for */
	bool again;			/* offered to a front that had a connection before: its keys are old */
	bool left_open;			/* the daemon ends and the front may keep its devices for the next one */
	struct event *look;		/* look at the states again */
	int bus_fd, channel_fd;		/* for START; -1 when passed on */
	int keep_fd;			/* for the worker; -1 when it has it */
	u32 ports[XVM_MAX_CHANNELS];
	u32 channels_bound;
	bool watched, watch_refused;	/* the front's state */
};

struct xvm_guest {
	struct xvm_guest *next;
	struct xvm_daemon *daemon;
	u32 domid;
	char name[XVM_NAME_BYTES], uuid[XVM_UUID_BYTES];
	bool records_read;
	struct xvm_disk *disks;
	u64 nums_used[65536 / 64];	/* device numbers given out in this life of the guest */
	u32 last_own_num;
	struct xvm_link link;
	struct xvm_worker *worker;
	u32 pages_held;			/* of the budget, over all areas */
	u64 grants_mapped, grants_unmapped;	/* pages, by the supervisor itself */
	u64 connects, worker_deaths;
	struct log_bucket log_bucket;
	bool alive;			/* as of the last scan */
	bool dirty;			/* scan it again */
	bool front_dirty;
	bool control_watched;		/* see warn.c */
};

/* ---- util.c ---- */

u64 xvm_now_ms(void);
u64 xvm_random_u64(void);	/* never 0 */
void xvm_timer(struct event *timer, u32 ms);
/* From a callback of its own: xvm_guests_settle. */
void xvm_daemon_settle_later(struct xvm_daemon *daemon);

/*
 * What the toolstack says of a domain: below its directory, or where driver.c of
 * domain 0 has put it for a driver domain. domid 0: the directory of all of them.
 */
void xvm_info_path(const struct xvm_daemon *daemon, u32 domid, const char *leaf, char path[XVM_STORE_PATH_BYTES]);

/* Not dying, nor gone. */
bool xvm_domain_alive(const struct xvm_daemon *daemon, u32 domid);

/* ---- warn.c ---- */

#define XVM_TOKEN_CONTROL "control "

/* Whether the toolstack's orders to the guest are looked at: from its first device that xl does not know. */
void xvm_warn_watch(struct xvm_guest *guest, bool on);
/* What follows XVM_TOKEN_CONTROL in a token that fired. */
void xvm_warn_on_control(struct xvm_daemon *daemon, const char *number);
/* Something changed in libxl's tree, at path. */
void xvm_warn_on_libxl(struct xvm_daemon *daemon, const char *path);

/* ---- driver.c ---- */

#define XVM_DRIVER_DIR "virtio-msg"	/* below a driver domain's directory: its guests, a directory each */
#define XVM_TOKEN_LIBXL "libxl"

/* Watches, and looks at what is there; nothing to do in a driver domain. */
int xvm_drivers_start(struct xvm_daemon *daemon);
/* Something changed in libxl's tree, at path. */
void xvm_drivers_on_libxl(struct xvm_daemon *daemon, const char *path);
void xvm_drivers_on_release(struct xvm_daemon *daemon);
void xvm_drivers_free(struct xvm_daemon *daemon);

/* ---- guests.c ---- */

/* Watches, and looks at what is there already. Returns 0 or negative errno. */
int xvm_guests_start(struct xvm_daemon *daemon);
/* Takes all events that wait; negative errno when the store is lost. */
int xvm_guests_on_store(struct xvm_daemon *daemon);
/* Looks at every guest marked dirty, forgets those that are done. */
void xvm_guests_settle(struct xvm_daemon *daemon);
/* Every bus and disk closed, in order; calls daemon->stopped in the end. */
void xvm_guests_stop(struct xvm_daemon *daemon);
struct xvm_guest *xvm_guest_find(struct xvm_daemon *daemon, u32 domid);
/* By domain id, or else by name, among all domains that live; with a record from now on. NULL: no such domain. */
struct xvm_guest *xvm_guest_get(struct xvm_daemon *daemon, const char *word);
void xvm_guest_dirty(struct xvm_guest *guest);
/*
 * A device number that is always the same for the same vdev where that can be: a
 * guest that keeps its devices over a restart, a save or a move finds them by it.
 */
u16 xvm_guest_number(struct xvm_disk *disk);
/* For a device of our own: the number of its record if it is free, else a new one. */
u16 xvm_guest_own_number(struct xvm_disk *disk);
struct xvm_disk *xvm_guest_disk_by_num(struct xvm_guest *guest, u32 num);
void xvm_guests_free(struct xvm_daemon *daemon);

/* ---- disk.c ---- */

struct xvm_disk *xvm_disk_new(struct xvm_guest *guest, enum xvm_node_kind node, u32 devid);
void xvm_disk_free(struct xvm_disk *disk);
void xvm_disk_backend_path(const struct xvm_disk *disk, const char *leaf, char path[XVM_STORE_PATH_BYTES]);
void xvm_disk_look(struct xvm_disk *disk, u32 txn, struct xvm_node_view *view);
void xvm_disk_step(struct xvm_disk *disk, enum xvm_disk_step step);
/* True when nothing of it needs the bus. */
bool xvm_disk_is_idle(const struct xvm_disk *disk);
/* The worker let go of it, or is gone. */
void xvm_disk_left(struct xvm_disk *disk);
/* The last step of a removal: state 6, unless the node is not ours. */
void xvm_disk_close(struct xvm_disk *disk);
/* state of a connected disk's node: 4 with a driver, else 2. */
void xvm_disk_show_driver(struct xvm_disk *disk, bool driver_ok);
void xvm_disk_show_error(struct xvm_disk *disk, const char *why);

/* From now on its worker and the guest do without it; a device of our own goes altogether. */
void xvm_disk_fail(struct xvm_disk *disk, const char *why);
/* Its cable is in, or out, from now on. Returns 0, or -EINVAL with a line in why. */
int xvm_disk_link(struct xvm_disk *disk, bool up, char why[XVM_WHY_BYTES]);
/* The device of this guest with that name, or that number; NULL: there is none. */
struct xvm_disk *xvm_disk_find(struct xvm_guest *guest, const char *word);

/* ---- own.c ---- */

/*
 * A new device of our own, looked at and put on the bus by xvm_guests_settle. A
 * missing name is made up. Returns 0, or negative errno with a line in why.
 */
int xvm_own_new(struct xvm_guest *guest, const struct xvm_spec *spec, bool persist, struct xvm_disk **disk,
		char why[XVM_WHY_BYTES]);
void xvm_own_leave(struct xvm_disk *disk, bool now);
/* What decide.h wants to know, for a device without a node. */
void xvm_own_look(const struct xvm_disk *disk, struct xvm_node_view *view);
void xvm_own_spec(const struct xvm_disk *disk, struct xvm_spec *spec);

/* ---- link.c ---- */

void xvm_link_init(struct xvm_guest *guest);
void xvm_link_path(const struct xvm_guest *guest, const char *leaf, char path[XVM_STORE_PATH_BYTES]);
void xvm_link_front_path(const struct xvm_guest *guest, const char *leaf, char path[XVM_STORE_PATH_BYTES]);
/* In a transaction: the front's node, for a back in domain BACK; and its end. */
int xvm_link_put_front(struct xvm_store *store, u32 txn, u32 guest, u32 back);
int xvm_link_remove_front(struct xvm_store *store, u32 txn, u32 guest, u32 back);
/* In a transaction: makes the bus node, or takes over a former daemon's. */
int xvm_link_make(struct xvm_guest *guest, u32 txn, u64 *id, bool *taken_over);
/* After that transaction. */
void xvm_link_made(struct xvm_guest *guest, u64 id, bool taken_over);
/* Looks at the front's state and does what the handshake says. */
void xvm_link_update(struct xvm_guest *guest);
/* Ends the worker, then calls xvm_link_stopped. */
void xvm_link_stop(struct xvm_guest *guest);
void xvm_link_stopped(struct xvm_guest *guest);
/* The worker ended by itself; guest_fault: because the guest broke a rule of the rings. */
void xvm_link_broken(struct xvm_guest *guest, const char *why, bool guest_fault);
/* Writes the bus node's state; -ESTALE when the node is not ours any more. */
int xvm_link_set_state(struct xvm_guest *guest, enum xvm_bus_state state);
void xvm_link_show_error(struct xvm_guest *guest, const char *why);
/* Removes both directories of the bus. No worker is left. */
void xvm_link_remove(struct xvm_guest *guest);
void xvm_link_free(struct xvm_guest *guest);

/* ---- connect.c ---- */

/* The front is ready: check, map, start the worker. */
void xvm_connect_start(struct xvm_guest *guest);
/* Something the connection waits for has come: HELLO, an opened image, a new disk. */
void xvm_connect_go_on(struct xvm_guest *guest);
void xvm_connect_drop(struct xvm_guest *guest);

/* Lines about a guest or a device: they say which, and are bounded per guest. */
void xvm_guest_log(struct xvm_guest *guest, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void xvm_disk_log(struct xvm_disk *disk, int level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
