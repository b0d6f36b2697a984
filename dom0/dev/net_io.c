// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames between a tap and a driver's buffers, by readv and writev straight
 * into and from its areas. Owns the gathering of receive buffers and the waits
 * for the tap; must not know messages or Xen. Called by net.c.
 *
 * Nothing is held between two passes: buffers that a frame did not need go
 * back to the ring as if they had not been taken, and frames that no buffer is
 * there for stay in the tap. So a reset, a pause or a death finds nothing but
 * polls outstanding.
 *
 * Trust: the header of a frame that is sent is the kernel's to check. Of what was
 * received the start is read back for the filter; the driver that changes it in
 * between fools itself alone.
 */
#include "net.h"

#include <poll.h>
#include <stdio.h>

#define HEADER_FLAGS_AT offsetof(struct virtio_net_hdr_mrg_rxbuf, hdr.flags)
#define NUM_BUFFERS_AT offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers)

/* ---- waiting for the tap ---- */

static void wait_over(struct xvm_aio_req *req, int result)
{
	struct net_wait *wait = (struct net_wait *)((char *)req - offsetof(struct net_wait, req));
	struct xvm_vdev *vdev = wait->net->vdev;

	(void)result;	/* whatever came, the tap says it to the next who asks */
	wait->busy = false;
	vdev->ops->again(vdev, &vdev->vq[wait->vq]);
	xvm_vdev_release(vdev);
}

/* Looks at the queue again when the tap is ready. */
static void wait_for(struct net *net, struct net_wait *wait, int fd, const struct xvm_vq *vq, u32 events)
{
	struct xvm_vdev *vdev = net->vdev;

	wait->req.done = wait_over;
	wait->net = net;
	wait->vq = vq->index;
	if (xvm_aio_poll(vdev->aio, &wait->req, fd, events)) {
		vdev->ops->again(vdev, &vdev->vq[vq->index]);
		return;
	}
	wait->busy = true;
	xvm_vdev_hold(vdev);
}

static void end_wait(struct net *net, struct net_wait *wait)
{
	if (wait->busy)
		xvm_aio_poll_end(net->vdev->aio, &wait->req);
}

void net_end_waits(struct net *net)
{
	u32 i;

	for (i = 0; i < net->max_pairs; i++) {
		end_wait(net, &net->pair[i].rx);
		end_wait(net, &net->pair[i].tx);
	}
}

/* The tap is gone, or says something that no tap says. */
static void tap_failed(struct net *net, const char *what, int err)
{
	char reason[100];

	snprintf(reason, sizeof(reason), "%s its tap: %s", what, strerror(-err));
	xvm_vdev_broken(net->vdev, reason);
}

/* ---- receive ---- */

static void gather_init(struct net_gather *g)
{
	g->first = g->count = g->iov_first = g->iov_end = g->bytes = 0;
}

/* In the opposite order of the pops, as xvm_vq_unpop wants it. */
static void put_back(struct net *net, struct xvm_vq *vq)
{
	struct net_gather *g = &net->gather;

	while (g->count > g->first)
		xvm_vdev_unpop(net->vdev, vq, &g->chain[--g->count]);
	gather_init(g);
}

/* Takes one more chain; false: there is none. */
static bool gather_one(struct net *net, struct xvm_vq *vq)
{
	struct net_gather *g = &net->gather;
	struct xvm_chain *chain = &g->chain[g->count];

	if (!xvm_vdev_pop(net->vdev, vq, chain, g->iov + g->iov_end, NET_QUEUE_SIZE))
		return false;
	g->count++;
	g->iov_end += (u32)chain->nin;
	g->bytes += chain->in_bytes;
	if (!chain->nout && chain->in_bytes >= NET_HEADER_BYTES)
		return true;
	xvm_vdev_broken(net->vdev, chain->nout ? "receive buffer that is not writable" :
						 "receive buffer without room for a header");
	return false;
}

/* Is there room for whatever the tap may have? A driver that cannot merge gets a frame per chain. */
static bool has_room(const struct net *net)
{
	const struct net_gather *g = &net->gather;

	return net->merge ? g->bytes >= net->room : g->count > g->first;
}

/* One more place for the byte too many, and room for the longest chain. */
static bool is_full(const struct net_gather *g)
{
	return g->count == NET_CHAINS || g->iov_end + NET_QUEUE_SIZE >= NET_IOV;
}

static bool gather(struct net *net, struct xvm_vq *vq)
{
	struct net_gather *g = &net->gather;

	if (!has_room(net) && is_full(g))
		put_back(net, vq);
	while (!has_room(net) && !is_full(g))
		if (!gather_one(net, vq))
			return false;
	return true;
}

/* Reads a frame into what was gathered: bytes, 0 for one that did not fit, or negative errno. */
static ssize_t read_frame(struct net *net, const struct net_pair *pair)
{
	struct net_gather *g = &net->gather;
	u32 n = net->merge ? g->iov_end - g->iov_first : g->chain[g->first].nin;
	u32 bytes = net->merge ? g->bytes : g->chain[g->first].in_bytes;
	struct iovec *end = &g->iov[g->iov_first + n], saved = *end;
	u8 beyond[NET_HEADER_BYTES];
	ssize_t ret;

	*end = (struct iovec){ beyond, sizeof(beyond) };
	ret = net_tap_read(pair->fd, g->iov + g->iov_first, n + 1);
	*end = saved;
	if (ret < 0)
		return ret;
	return (size_t)ret > bytes || ret < (ssize_t)(NET_HEADER_BYTES + NET_ETH_BYTES) ? 0 : ret;
}

static bool is_wanted(const struct net *net)
{
	const struct net_gather *g = &net->gather;
	u8 start[NET_START_BYTES] = { 0 };

	xvm_iov_get(g->iov + g->iov_first, g->iov_end - g->iov_first, NET_HEADER_BYTES, start, sizeof(start));
	return net_filter_passes(&net->filter, start);
}

/* What the tap leaves to us in the header, which is in the driver's memory already. */
static void finish_header(const struct net *net, u32 chains)
{
	const struct net_gather *g = &net->gather;
	u8 num[2], zero = 0;

	xvm_put16(num, (u16)chains);
	xvm_iov_put(g->iov + g->iov_first, g->iov_end - g->iov_first, NUM_BUFFERS_AT, num, sizeof(num));
	/* The kernel says DATA_VALID to anybody. */
	if (!(net->offloads & NET_F(GUEST_CSUM)))
		xvm_iov_put(g->iov + g->iov_first, g->iov_end - g->iov_first, HEADER_FLAGS_AT, &zero, 1);
}

static void give_frame(struct net *net, struct xvm_vq *vq, u32 bytes)
{
	struct net_gather *g = &net->gather;
	u32 left = bytes, n = 0, len;

	while (left) {
		len = g->chain[g->first + n].in_bytes;
		left -= len < left ? len : left;
		n++;
	}
	finish_header(net, n);
	for (left = bytes; n; n--) {
		const struct xvm_chain *chain = &g->chain[g->first++];

		len = chain->in_bytes < left ? chain->in_bytes : left;
		xvm_vdev_complete(net->vdev, vq, chain->head, len);
		left -= len;
		g->iov_first += (u32)chain->nin;
		g->bytes -= chain->in_bytes;
	}
	net->vdev->bytes_read += bytes - NET_HEADER_BYTES;
}

/* Of a former connection, when all that was taken is to go back: no frame need ever come. */
static void give_back_old(struct net *net, struct xvm_vq *vq)
{
	struct net_gather *g = &net->gather;

	while (xvm_vq_agains(vq) && xvm_vdev_pop(net->vdev, vq, g->chain, g->iov, NET_QUEUE_SIZE))
		xvm_vdev_complete(net->vdev, vq, g->chain->head, 0);
}

/* One frame. 1: go on; 0: no buffer; -EAGAIN: none is there; else the tap failed. */
static int receive_one(struct net *net, struct net_pair *pair, struct xvm_vq *vq)
{
	ssize_t ret;

	if (!gather(net, vq))
		return 0;
	ret = read_frame(net, pair);
	if (ret == -EINTR)
		return 1;
	if (ret < 0)
		return (int)ret;
	if (ret && is_wanted(net))
		give_frame(net, vq, (u32)ret);
	return 1;
}

bool net_rx_kick(struct net *net, struct net_pair *pair, struct xvm_vq *vq, u32 budget)
{
	int ret = 1;

	if (net->vdev->quiet & XVM_QUIET_ALL)
		give_back_old(net, vq);
	if (pair->rx.busy || !pair->attached)
		return false;
	gather_init(&net->gather);
	while (ret > 0 && budget--)
		ret = receive_one(net, pair, vq);
	put_back(net, vq);
	if (ret == -EAGAIN)
		wait_for(net, &pair->rx, pair->fd, vq, POLLIN);
	else if (ret < 0)
		tap_failed(net, "cannot read from", ret);
	return ret > 0;
}

/* ---- transmit ---- */

/*
 * Frames that a tap refuses are lost, as on any wire, but for those that it has no room for.
 * One that was taken before this connection may have been sent; twice is worse than not at all.
 */
static int send_frame(struct net *net, const struct net_pair *pair, const struct xvm_chain *chain)
{
	ssize_t ret;

	if (!net->link || !pair->attached || chain->again)
		return 0;
	do
		ret = net_tap_write(pair->fd, chain->out, chain->nout);
	while (ret == -EINTR);
	if (ret > 0)
		net->vdev->bytes_written += (u64)ret - NET_HEADER_BYTES;
	return ret == -EAGAIN || ret == -EBADFD ? (int)ret : 0;
}

static const char *frame_fault(const struct xvm_chain *chain)
{
	if (chain->out_bytes < NET_HEADER_BYTES)
		return "frame without a header";
	return chain->out_bytes > NET_MAX_FRAME ? "frame longer than 64 KiB" : NULL;
}

/* One frame. 1: go on; 0: none; -EAGAIN: the tap has no room; else the device is broken. */
static int send_one(struct net *net, struct net_pair *pair, struct xvm_vq *vq)
{
	struct net_gather *g = &net->gather;
	struct xvm_chain *chain = g->chain;
	const char *fault;
	int ret = 0;

	if (!xvm_vdev_pop(net->vdev, vq, chain, g->iov, NET_IOV))
		return 0;
	fault = frame_fault(chain);
	if (fault)
		xvm_vdev_broken(net->vdev, fault);
	else
		ret = send_frame(net, pair, chain);
	if (ret == -EAGAIN) {
		xvm_vdev_unpop(net->vdev, vq, chain);
		return ret;
	}
	if (ret)
		tap_failed(net, "cannot write to", ret);
	xvm_vdev_complete(net->vdev, vq, chain->head, 0);
	return fault ? -EPROTO : ret ? ret : 1;
}

bool net_tx_kick(struct net *net, struct net_pair *pair, struct xvm_vq *vq, u32 budget)
{
	int ret = 1;

	if (pair->tx.busy)
		return false;
	while (ret > 0 && budget--)
		ret = send_one(net, pair, vq);
	if (ret == -EAGAIN)
		wait_for(net, &pair->tx, pair->fd, vq, POLLOUT);
	return ret > 0;
}
