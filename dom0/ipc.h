/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the supervisor and a guest's worker say to each other, over one
 * SOCK_SEQPACKET socket pair: one struct per datagram, descriptors by
 * SCM_RIGHTS. Both are built from one tree, so layouts are the compiler's.
 *
 * Trust: the worker believes the supervisor. The supervisor believes nothing:
 * every datagram's size, type and fields are checked, and a worker that breaks
 * a rule is killed. No datagram names a path, a domain or a command.
 *
 * Order at start: HELLO from the worker once it is confined; DEV_ADD for each
 * device the guest has; START. Later DEV_ADD and DEV_DEL are hotplug. TRACE may
 * come at any time after HELLO: before START, and no message is missed.
 */
#ifndef XVM_DOM0_IPC_H
#define XVM_DOM0_IPC_H

#include <stdint.h>
#include "../include/xvmsg/wire.h"
#include "../include/xvmsg/xenbus.h"

#define XVM_IPC_VERSION 7
#define XVM_IPC_MAX_FDS 56
#define XVM_IPC_LOG_BYTES 200
#define XVM_NET_MAX_PAIRS 16
#define XVM_SCSI_MAX_QUEUES 8

/*
 * Bytes of a guest's keep file, which the supervisor makes and a worker maps
 * (descriptor 5, option --keep). dom0/virtio/keep.h has what stands in it.
 */
#define XVM_KEEP_BYTES (1u << 20)

/*
 * SCSI targets of dom0's kernel that a worker may ask for: a page-aligned table of names that the supervisor alone
 * can write (descriptor 4, option --targets; dom0/daemon/targets.h), mapped by every worker at the same address. That
 * is a low one, so that "above its end" is all that the worker's filter must say of memory it may unmap.
 */
#define XVM_TARGETS_AT 0x100000ul
#define XVM_TARGETS 256u
#define XVM_TARGET_SLOT_BYTES 256u
#define XVM_TARGETS_BYTES (XVM_TARGETS * XVM_TARGET_SLOT_BYTES)

enum xvm_ipc_type {
	/* supervisor to worker */
	XVM_IPC_DEV_ADD = 1,	/* struct xvm_ipc_dev_add; descriptors: what the type wants of the host, see there */
	XVM_IPC_START,		/* struct xvm_ipc_start; fd 0: event channels, fd 1: control page, drv ring, dev ring */
	XVM_IPC_DEV_DEL,	/* struct xvm_ipc_dev_del; answered by DEV_STATE GONE */
	XVM_IPC_MAP_REPLY,	/* struct xvm_ipc_map_reply; fd 0: gntdev descriptor, if status is OK */
	XVM_IPC_STATS_REQ,	/* header only; answered by STATS */
	XVM_IPC_STOP,		/* header only: drain I/O, unmap, exit 0 */
	XVM_IPC_TRACE,		/* header only; fd 0: where copies of messages go (include/xvmsg/ctl.h) */
	XVM_IPC_DEV_RESIZE,	/* struct xvm_ipc_dev_resize; a device that has gone is no error */
	XVM_IPC_DEV_SERVER,	/* struct xvm_ipc_dev_server, enum xvm_vu_fd: its server is there again */
	XVM_IPC_DEV_LINK,	/* struct xvm_ipc_dev_link; as before */
	XVM_IPC_SHARE_REPLY,	/* struct xvm_ipc_share; fd 0: gntdev descriptor, else there is none to be had */
	XVM_IPC_DEV_SERVER_END,	/* struct xvm_ipc_dev_server: the server that was lost, or its connection, has ended */
	/* worker to supervisor */
	XVM_IPC_HELLO = 64,	/* struct xvm_ipc_hello */
	XVM_IPC_MAP,		/* struct xvm_ipc_map; one outstanding at most */
	XVM_IPC_UNMAP,		/* struct xvm_ipc_unmap: the mapping is closed, budget comes back, that of SHARE too */
	XVM_IPC_DEV_STATE,	/* struct xvm_ipc_dev_state */
	XVM_IPC_LOG,		/* struct xvm_ipc_log */
	XVM_IPC_STATS,		/* struct xvm_ipc_stats */
	XVM_IPC_DEV_STATS,	/* struct xvm_ipc_dev_stats; as many as it takes, before STATS */
	XVM_IPC_FAIL,		/* struct xvm_ipc_fail: the connection is dropped, exit follows */
	XVM_IPC_SHARE,		/* struct xvm_ipc_share: an area once more, for the server of a device; answered by SHARE_REPLY */
};

struct xvm_ipc_hdr {
	uint32_t type;
	uint32_t bytes;		/* of the whole datagram */
};

struct xvm_ipc_hello {
	struct xvm_ipc_hdr hdr;
	uint32_t version;
};

#define XVM_DEV_READ_ONLY	(1u << 0)
#define XVM_DEV_DISCARD		(1u << 1)	/* discard may reach the image */
#define XVM_DEV_DIRECT		(1u << 2)	/* fd 0 was opened O_DIRECT: align to mem_align, 512 */
#define XVM_DEV_BLOCK		(1u << 3)	/* fd 0 is a block device */
#define XVM_DEV_TRUSTED		(1u << 4)	/* its server may have descriptors of the guest's areas */
#define XVM_DEV_ONE_SOCKET	(1u << 5)	/* vfio-user: no second socket is offered */

/* Who serves a device. */
enum xvm_backend {
	XVM_BACKEND_OWN,	/* a device model of ours, by device_id */
	XVM_BACKEND_VHOST,	/* dom0's kernel, by device_id; descriptors: see dom0/dev/vhost.h */
	XVM_BACKEND_VHOST_USER,	/* another process, over a socket; any device_id */
	XVM_BACKEND_VFIO_USER,	/* a vfio-user server's virtio-pci function; device_id 0: whatever it is */
};

#define XVM_VU_MAX_QUEUES 8u
#define XVM_VU_QUEUE_BYTES (8u << 20)	/* of memory that a server sees, per queue; a multiple of 2 MiB, for servers with huge pages */
#define XVM_VU_CONFIG_BYTES 256u	/* as the protocol has it */

/*
 * Descriptors of a connection to a vhost-user server, new with each: DEV_ADD and
 * DEV_SERVER bring the same. The kicks begin at the last one, one per queue.
 */
enum xvm_vu_fd {
	XVM_VU_SOCKET,		/* connected */
	XVM_VU_MEMORY,		/* memfd of queues * XVM_VU_QUEUE_BYTES, sealed against shrinking */
	XVM_VU_BACK,		/* a socket pair for the server's requests: our end */
	XVM_VU_BACK_PEER,	/* and its */
	XVM_VU_CALL,		/* eventfds */
	XVM_VU_KICK,
};

/* Descriptors of a vfio-user device, in this order. */
enum xvm_vfio_fd {
	XVM_VFIO_FD_SOCKET,	/* connected to the server */
	XVM_VFIO_FD_RINGS,	/* XVM_RINGS_BYTES that nobody can cut short */
	XVM_VFIO_FD_CONFIG,	/* eventfds: the configuration changed, */
	XVM_VFIO_FD_QUEUES,	/* buffers were used */
	XVM_VFIO_FDS
};

#define XVM_RINGS_BYTES (512u << 10)	/* 64 queues of a server's, 8 KiB each */

#define XVM_CONSOLE_MAX_PORTS 8

/* Descriptors: the master of a pty per port, then the two files of the log if there is one. */
struct xvm_ipc_console {
	uint32_t ports;		/* 1..XVM_CONSOLE_MAX_PORTS */
	uint32_t log;		/* 1: port 0 has a log */
	uint16_t cols, rows;	/* of port 0 */
	char name[XVM_CONSOLE_MAX_PORTS][32];	/* zero padded; of port 0 unused */
};

/* Fields that are another type's are 0. blk: descriptor 0 is the image; others: see above. */
struct xvm_ipc_dev_add {
	struct xvm_ipc_hdr hdr;
	uint16_t num;		/* 1..65535 */
	uint16_t device_id;	/* virtio device type */
	uint32_t backend;	/* enum xvm_backend */
	uint32_t flags;
	uint64_t capacity_bytes;	/* blk: a multiple of 512 */
	uint32_t mem_align;	/* with DIRECT: alignment of buffers in memory, 1..4096 */
	uint32_t lock_wait_ms;	/* blk: how long to wait for the image lock at DRIVER_OK */
	char serial[20];	/* blk: GET_ID, zero padded */
	uint32_t queues;	/* vhost-user: 1..XVM_VU_MAX_QUEUES */
	uint32_t config_bytes;	/* vhost-user: of configuration, at most XVM_VU_CONFIG_BYTES */
	uint8_t config_given;	/* vhost-user: config is it; else the server is asked */
	uint8_t config[XVM_VU_CONFIG_BYTES];
	struct xvm_ipc_net {	/* of a vhost-user net device: mac and mtu, 0: not said. net: descriptors are the queues of a tap, one per pair; then, with vhost, for each
				 * pair what dom0/dev/vhost.h wants */
		uint8_t mac[6];
		uint16_t pairs;		/* 1..XVM_NET_MAX_PAIRS */
		uint16_t mtu;		/* what its driver is told; 0: nothing */
		uint16_t tap_mtu;	/* of the longest frame without offloads */
		uint32_t link_up;
		uint32_t vhost;		/* 1: /dev/vhost-net has the data queues */
	} net;
	struct xvm_ipc_console console;
	uint64_t vsock_cid;	/* of the guest */
	struct xvm_ipc_scsi {
		uint32_t slot;		/* of the target, in the table */
		uint32_t queues;	/* of requests, 1..XVM_SCSI_MAX_QUEUES */
	} scsi;
};

struct xvm_ipc_start {
	struct xvm_ipc_hdr hdr;
	uint32_t domid;		/* for log lines only */
	uint64_t connection_id;
	uint32_t dialect, max_message, ring_order, credits, bus_features, num_channels;
	uint32_t port[XVM_MAX_CHANNELS];	/* local ports, already bound */
};

struct xvm_ipc_dev_del {
	struct xvm_ipc_hdr hdr;
	uint16_t num;
	uint16_t forced;	/* do not wait for the guest to let go */
};

struct xvm_ipc_dev_resize {
	struct xvm_ipc_hdr hdr;
	uint16_t num;
	uint64_t capacity_bytes;	/* blk: a multiple of 512, never less than before; console: columns << 16 | rows */
};

struct xvm_ipc_dev_server {
	struct xvm_ipc_hdr hdr;
	uint16_t num;
};

struct xvm_ipc_dev_link {
	struct xvm_ipc_hdr hdr;
	uint16_t num;
	uint16_t up;
};

struct xvm_ipc_map {
	struct xvm_ipc_hdr hdr;
	uint32_t area, npages, ndirs;
	uint32_t dir_ref[XVM_AREA_MAX_DIRS];
	uint16_t num;		/* the device that has it; 0: all */
};

struct xvm_ipc_map_reply {
	struct xvm_ipc_hdr hdr;
	uint32_t area;
	uint32_t status;	/* XVM_STATUS_* */
	uint32_t limit;		/* with NO_SPACE: pages still to be had */
};

struct xvm_ipc_unmap {
	struct xvm_ipc_hdr hdr;
	uint32_t area, npages;
};

/* An area that is mapped, at most once for each server; the budget comes back when that has ended. */
struct xvm_ipc_share {
	struct xvm_ipc_hdr hdr;
	uint16_t num;		/* of a vhost-user or vfio-user device with XVM_DEV_TRUSTED, which has the area */
	uint16_t area;
};

enum xvm_dev_state {
	XVM_DEV_DRIVER_OK = 1,	/* the guest's driver uses it */
	XVM_DEV_RESET,		/* it no longer does */
	XVM_DEV_GONE,		/* removed: no I/O, no mapping of its areas is left */
	XVM_DEV_BROKEN,		/* DEVICE_NEEDS_RESET is set; reason says why */
	XVM_DEV_LOCK_BUSY,	/* waiting for the image lock; somebody else has it */
	XVM_DEV_SERVER_LOST,	/* vhost-user: its server is gone or broke a rule, reason says which; DEV_SERVER brings a new one */
};

struct xvm_ipc_dev_state {
	struct xvm_ipc_hdr hdr;
	uint16_t num;
	uint16_t state;
	char reason[XVM_IPC_LOG_BYTES];	/* terminated; no text of the guest's */
};

struct xvm_ipc_log {
	struct xvm_ipc_hdr hdr;
	uint32_t level;		/* syslog's */
	char text[XVM_IPC_LOG_BYTES];
};

#define XVM_FAIL_RINGS 16	/* a reason of no connection: the rings cannot be mapped */

struct xvm_ipc_fail {
	struct xvm_ipc_hdr hdr;
	uint32_t reason;	/* XVM_ERR_* or XVM_FAIL_* */
	uint32_t detail;
};

#define XVM_IPC_DEV_STATS_MAX 8

/*
 * How long requests took, counted in steps of a quarter of a power of two: below 4 us each microsecond has a count, above
 * them four counts share 4 to 8 us, four 8 to 16, and so on; the last one has what took longer, too. Counts only grow, so
 * whoever asks twice knows the worst of the time between, whoever else asks.
 */
#define XVM_LATENCY_STEPS 96

static inline uint32_t xvm_latency_step(uint64_t us)
{
	uint32_t shift, step;

	if (us < 4)
		return (uint32_t)us;
	shift = 61 - (uint32_t)__builtin_clzll(us);	/* leaves three bits, the first of them set */
	step = 4 * shift + (uint32_t)(us >> shift);
	return step < XVM_LATENCY_STEPS ? step : XVM_LATENCY_STEPS - 1;
}

/* What is counted there took less. */
static inline uint64_t xvm_latency_below_us(uint32_t step)
{
	return step < 4 ? step + 1 : (uint64_t)(step % 4 + 5) << (step / 4 - 1);
}

struct xvm_ipc_dev_stats {
	struct xvm_ipc_hdr hdr;
	uint32_t count;		/* of device[], 1..XVM_IPC_DEV_STATS_MAX */
	struct xvm_ipc_one_dev_stats {
		uint16_t num;
		uint32_t in_flight;	/* requests taken and not given back */
		uint64_t requests, bytes_read, bytes_written;
		uint64_t bytes_by_message;	/* of a vfio-user server: not by memory that it has mapped */
		uint64_t kicks, calls;		/* notifications of its queues, from the driver and to it */
		uint64_t latency_ns;		/* sum over requests, from taken to given back */
		uint32_t latency[XVM_LATENCY_STEPS];	/* how many of them took how long */
	} device[XVM_IPC_DEV_STATS_MAX];
};

struct xvm_ipc_stats {
	struct xvm_ipc_hdr hdr;
	uint64_t requests;		/* virtqueue requests completed, all devices */
	uint64_t bytes_read, bytes_written;
	uint64_t messages_in, messages_out, messages_bad;
	uint64_t events_sent, events_taken;	/* event channel notifications */
	uint64_t areas, area_pages;	/* mapped now */
	uint64_t maps, unmaps;		/* since start; grant operations happen nowhere else */
	uint64_t io_submits;		/* io_uring_enter calls */
	uint64_t wakeups;
	uint64_t bounced;		/* requests copied for alignment */
	uint64_t devices;
	uint64_t traced, trace_lost;	/* messages copied for a trace, and not, as its reader was slow */
};

#endif
