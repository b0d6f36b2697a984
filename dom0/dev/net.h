/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of virtio-net share: net.c (the device), net_io.c (frames),
 * net_ctrl.c (the control queue), net_note.c (what outlives a worker of it),
 * net_filter.c (what the driver wants to see), net_tap.c (the host's side),
 * net_vhost.c (frames by dom0's kernel). Nobody else includes this.
 */
#ifndef XVM_DOM0_DEV_NET_H
#define XVM_DOM0_DEV_NET_H

#include "../ipc.h"
#include "../virtio/aio.h"
#include "../virtio/vdev.h"
#include "vhost.h"

#include <linux/virtio_net.h>

#define NET_F(name) (1ull << VIRTIO_NET_F_##name)
#define NET_GUEST_TSO (NET_F(GUEST_TSO4) | NET_F(GUEST_TSO6))
#define NET_GUEST_OFFLOADS (NET_F(GUEST_CSUM) | NET_GUEST_TSO | NET_F(GUEST_ECN))

#define NET_QUEUE_SIZE		256u
#define NET_CTRL_QUEUE_SIZE	64u
#define NET_MAX_PAIRS		16u
#define NET_PASS_FRAMES		64u	/* per queue and pass: four megabytes at most */
#define NET_HEADER_BYTES	12u	/* with num_buffers, as VERSION_1 says */
#define NET_ETH_BYTES		14u
#define NET_TAG_BYTES		8u	/* two VLAN tags */
/* The longest of either direction: a whole IP packet, which segmentation offload makes of many. */
#define NET_MAX_FRAME		(NET_HEADER_BYTES + NET_ETH_BYTES + NET_TAG_BYTES + 65535u)
#define NET_MIN_MTU		68u
#define NET_MAX_MTU		65535u

/* Buffers that one readv may fill; a chain more must always fit. */
#define NET_IOV			1024u
#define NET_CHAINS		512u

#define NET_MACS		64u	/* both lists of the MAC table together */
#define NET_VLANS		4096u

struct net;

struct net_mac {
	u8 byte[6];
};

/* What frames the driver wants. Each is the newest of its word; none grows. */
struct net_filter {
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool uni_overflow, multi_overflow;	/* the list was longer than ours: all of the kind pass */
	bool by_vlan;
	struct net_mac mac;
	u32 macs;				/* unicast ones first, then multicast */
	struct net_mac table[NET_MACS];
	u64 vlan[NET_VLANS / 64];
};

/* A poll of the tap, one shot; at most one is outstanding. */
struct net_wait {
	struct xvm_aio_req req;
	struct net *net;
	u16 vq;			/* looked at again when it is over */
	bool busy;
};

struct net_pair {
	int fd;			/* a queue of the tap, not blocking */
	bool attached;		/* the tap gives frames to it */
	struct net_wait rx, tx;
	struct vhost vhost;	/* of a net with vhost */
};

/* Receive buffers taken from a queue in one pass and not used yet. All go back at its end. */
struct net_gather {
	u32 first, count;	/* of chain[] */
	u32 iov_first, iov_end;	/* of iov[] */
	u32 bytes;
	struct xvm_chain chain[NET_CHAINS];
	struct iovec iov[NET_IOV];
};

struct net {
	struct xvm_vdev *vdev;
	struct net_mac mac;	/* as the host says */
	u32 tap_mtu;
	u32 max_pairs, pairs;	/* there are, and in use */
	u32 ctrl;		/* index of the control queue */
	u32 room;		/* bytes that must be there before a frame is read */
	u64 offloads;		/* NET_GUEST_OFFLOADS that are on */
	bool link, running, merge;
	bool unnoted;		/* said that there is no room for a note */
	bool vhost;		/* dom0's kernel moves the frames: the data queues are served outside */
	struct net_filter filter;
	struct net_gather gather;
	struct net_pair pair[NET_MAX_PAIRS];
};

/* ---- net.c ---- */

/* Attaches the queues that are in use while the link is up, detaches all others. */
void net_apply_queues(struct net *net);
/* Returns 0 or negative errno. */
int net_set_offloads(struct net *net, u64 offloads);
void net_set_status(struct net *net, u16 set, u16 clear);
/* The driver's own word: nothing is told. */
void net_set_mac(struct net *net, const struct net_mac *mac);

/* ---- net_io.c ---- */

bool net_rx_kick(struct net *net, struct net_pair *pair, struct xvm_vq *vq, u32 budget);
bool net_tx_kick(struct net *net, struct net_pair *pair, struct xvm_vq *vq, u32 budget);
/* Ends the polls of a device that is being reset. */
void net_end_waits(struct net *net);

/* ---- net_vhost.c ---- */

/* Takes each pair's descriptors, from number at on. 0, or negative errno with a line in why; net_vhost_close in any case. */
int net_vhost_open(struct net *net, struct fdset *fds, u32 at, char *why, size_t why_bytes);
void net_vhost_close(struct net *net);
/* Of the pairs that are attached; the driver's buffers are nobody's when stop returns. */
void net_vhost_start(struct net *net);
void net_vhost_stop(struct net *net);
/* Stops, and ends what waits for the kernel. */
void net_vhost_leave(struct net *net);
/* The areas are others than before, see vhost_areas. */
void net_vhost_areas(struct net *net, u32 going);

/* ---- net_ctrl.c ---- */

bool net_ctrl_kick(struct net *net, struct xvm_vq *vq, u32 budget);

/* ---- net_note.c ---- */

void net_note(struct net *net);
/* False: there is no note that can be used, and nothing has changed. */
bool net_take_note(struct net *net);

/* ---- net_filter.c ---- */

void net_filter_init(struct net_filter *filter, const struct net_mac *mac);
void net_filter_vlan(struct net_filter *filter, u16 id, bool pass);
/* start: addresses and, where there are, two bytes of type and two of tag. */
#define NET_START_BYTES 16u
bool net_filter_passes(const struct net_filter *filter, const u8 start[NET_START_BYTES]);

/* ---- net_tap.c ---- */

/* One frame with its header. Bytes, or negative errno; -EAGAIN: poll says when. */
ssize_t net_tap_read(int fd, const struct iovec *iov, u32 n);
ssize_t net_tap_write(int fd, const struct iovec *iov, u32 n);
int net_tap_attach(int fd, bool attach);
/* offloads: NET_GUEST_OFFLOADS */
int net_tap_offload(int fd, u64 offloads);

#endif
