// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control queue of virtio-net (virtio 1.2, section 5.1.6.5): each command
 * is copied, checked and answered at once with one byte. A row per command; a
 * command that is not offered is refused. Called by net.c.
 */
#include "net.h"

#define CTRL_HEADER_BYTES 2u

/* One command, while it is being served. */
struct ctrl {
	struct net *net;
	const struct xvm_chain *chain;
	u8 class, cmd;
};

/* Copies data of the command from off on; false: it is not as long. */
static bool get(const struct ctrl *c, u64 off, void *to, u32 bytes)
{
	if (!xvm_range_ok(off, bytes, c->chain->out_bytes - CTRL_HEADER_BYTES))
		return false;
	return xvm_iov_get(c->chain->out, c->chain->nout, CTRL_HEADER_BYTES + (size_t)off, to, bytes) == bytes;
}

static bool set_rx(const struct ctrl *c)
{
	struct net_filter *f = &c->net->filter;
	bool *const flag[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = &f->promisc,
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = &f->allmulti,
		[VIRTIO_NET_CTRL_RX_ALLUNI] = &f->alluni,
		[VIRTIO_NET_CTRL_RX_NOMULTI] = &f->nomulti,
		[VIRTIO_NET_CTRL_RX_NOUNI] = &f->nouni,
		[VIRTIO_NET_CTRL_RX_NOBCAST] = &f->nobcast,
	};
	u8 on;

	if (c->cmd >= XVM_ARRAY_SIZE(flag) || !get(c, 0, &on, 1))
		return false;
	if (c->cmd > VIRTIO_NET_CTRL_RX_ALLMULTI && !xvm_vdev_negotiated(c->net->vdev, NET_F(CTRL_RX_EXTRA)))
		return false;
	*flag[c->cmd] = on;
	return true;
}

/*
 * One list of the MAC table: a count, then the addresses. More than there is room for are
 * not copied; the kind passes as a whole then. Moves off behind the list.
 */
static bool take_list(const struct ctrl *c, u64 *off, struct net_filter *f, bool *overflow)
{
	u8 word[4];
	u32 count;

	if (!get(c, *off, word, sizeof(word)))
		return false;
	count = xvm_get32(word);
	*off += sizeof(word);
	if ((u64)count * sizeof(f->table[0]) > c->chain->out_bytes - CTRL_HEADER_BYTES - *off)
		return false;
	*overflow = count > NET_MACS - f->macs;
	if (!*overflow) {
		if (count && !get(c, *off, &f->table[f->macs], count * (u32)sizeof(f->table[0])))
			return false;
		f->macs += count;
	}
	*off += (u64)count * sizeof(f->table[0]);
	return true;
}

static bool set_mac(const struct ctrl *c)
{
	struct net *net = c->net;
	struct net_filter f = net->filter;
	u64 off = 0;

	if (c->cmd == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
		if (!get(c, 0, &f.mac, sizeof(f.mac)) || f.mac.byte[0] & 1)
			return false;
		net_set_mac(net, &f.mac);
		return true;
	}
	f.macs = 0;
	if (c->cmd != VIRTIO_NET_CTRL_MAC_TABLE_SET || !take_list(c, &off, &f, &f.uni_overflow) ||
	    !take_list(c, &off, &f, &f.multi_overflow))
		return false;
	net->filter = f;
	return true;
}

static bool set_vlan(const struct ctrl *c)
{
	u8 word[2];

	if (c->cmd > VIRTIO_NET_CTRL_VLAN_DEL || !get(c, 0, word, sizeof(word)) || xvm_get16(word) >= NET_VLANS)
		return false;
	net_filter_vlan(&c->net->filter, xvm_get16(word), c->cmd == VIRTIO_NET_CTRL_VLAN_ADD);
	return true;
}

static bool announced(const struct ctrl *c)
{
	if (c->cmd != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return false;
	net_set_status(c->net, 0, VIRTIO_NET_S_ANNOUNCE);
	return true;
}

static bool set_pairs(const struct ctrl *c)
{
	u8 word[2];
	u32 pairs;

	if (c->cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !get(c, 0, word, sizeof(word)))
		return false;
	pairs = xvm_get16(word);
	if (!pairs || pairs > c->net->max_pairs)
		return false;
	c->net->pairs = pairs;
	net_apply_queues(c->net);
	return true;
}

static bool set_offloads(const struct ctrl *c)
{
	u8 word[8];
	u64 offloads;

	if (c->cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || !get(c, 0, word, sizeof(word)))
		return false;
	offloads = xvm_get64(word);
	return !(offloads & ~(c->net->vdev->acked & NET_GUEST_OFFLOADS)) && !net_set_offloads(c->net, offloads);
}

static const struct {
	u64 feature;
	bool (*serve)(const struct ctrl *c);
} classes[] = {
	[VIRTIO_NET_CTRL_RX] = { NET_F(CTRL_RX), set_rx },
	[VIRTIO_NET_CTRL_MAC] = { NET_F(CTRL_VQ), set_mac },
	[VIRTIO_NET_CTRL_VLAN] = { NET_F(CTRL_VLAN), set_vlan },
	[VIRTIO_NET_CTRL_ANNOUNCE] = { NET_F(GUEST_ANNOUNCE), announced },
	[VIRTIO_NET_CTRL_MQ] = { NET_F(MQ), set_pairs },
	[VIRTIO_NET_CTRL_GUEST_OFFLOADS] = { NET_F(CTRL_GUEST_OFFLOADS), set_offloads },
};

static bool serve(struct net *net, const struct xvm_chain *chain)
{
	struct ctrl c = { .net = net, .chain = chain };
	u8 header[CTRL_HEADER_BYTES];

	xvm_iov_get(chain->out, chain->nout, 0, header, sizeof(header));
	c.class = header[0];
	c.cmd = header[1];
	if (c.class >= XVM_ARRAY_SIZE(classes) || !classes[c.class].serve ||
	    !xvm_vdev_negotiated(net->vdev, classes[c.class].feature) || !classes[c.class].serve(&c))
		return false;
	net_note(net);
	return true;
}

bool net_ctrl_kick(struct net *net, struct xvm_vq *vq, u32 budget)
{
	struct xvm_chain *chain = net->gather.chain;
	u8 ack;

	for (; budget; budget--) {
		if (!xvm_vdev_pop(net->vdev, vq, chain, net->gather.iov, NET_IOV))
			return false;
		if (chain->out_bytes < CTRL_HEADER_BYTES || !chain->in_bytes) {
			xvm_vdev_broken(net->vdev, "command without a header or an answer byte");
			xvm_vdev_complete(net->vdev, vq, chain->head, 0);
			return false;
		}
		ack = serve(net, chain) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
		xvm_iov_put(chain->in, chain->nin, 0, &ack, 1);
		xvm_vdev_complete(net->vdev, vq, chain->head, 1);
	}
	return true;
}
