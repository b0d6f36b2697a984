// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the driver said on its control queue, as it is noted for the worker after this one.
 * Must not know where. Called by net_ctrl.c and net.c.
 */
#include "net.h"
#include "../base/log.h"

#define FLAGS 8u

/* Changes with its meaning: then so must its size, which is all that tells two of them apart. */
struct note {
	u64 offloads;
	u64 vlan[NET_VLANS / 64];
	u32 macs, pairs;
	u32 flags;
	struct net_mac mac;
	struct net_mac table[NET_MACS];
};

_Static_assert(sizeof(struct note) <= XVM_VDEV_NOTE_BYTES, "a note has room");

static void flags_of(struct net_filter *f, bool *flag[FLAGS])
{
	bool *const all[FLAGS] = { &f->promisc, &f->allmulti, &f->alluni, &f->nomulti, &f->nouni, &f->nobcast,
				   &f->uni_overflow, &f->multi_overflow };

	memcpy(flag, all, sizeof(all));
}

void net_note(struct net *net)
{
	struct net_filter *f = &net->filter;
	struct note n = { .offloads = net->offloads, .macs = f->macs, .pairs = net->pairs, .mac = f->mac };
	bool *flag[FLAGS];
	u32 i;

	flags_of(f, flag);
	for (i = 0; i < FLAGS; i++)
		n.flags |= (u32)*flag[i] << i;
	memcpy(n.vlan, f->vlan, sizeof(n.vlan));
	memcpy(n.table, f->table, f->macs * sizeof(n.table[0]));
	if (xvm_vdev_note(net->vdev, &n, sizeof(n)) || net->unnoted)
		return;
	net->unnoted = true;
	log_warn("device %u: the keep file has no room for what its driver sets: after a worker's end all frames pass",
		 net->vdev->num);
}

static bool within(const struct net *net, const char *what, u64 value, u64 min, u64 max)
{
	if (value >= min && value <= max)
		return true;
	log_warn("device %u: the keep file says %llu for %s, not %llu to %llu: what its driver had set is forgotten",
		 net->vdev->num, (unsigned long long)value, what, (unsigned long long)min, (unsigned long long)max);
	return false;
}

/* A worker that the guest had taken over may have written it. */
static bool is_sane(const struct net *net, const struct note *n)
{
	u64 acked = net->vdev->acked;

	return within(net, "the MAC addresses of its table", n->macs, 0, NET_MACS) &&
	       within(net, "the pairs in use", n->pairs, 1, acked & NET_F(MQ) ? net->max_pairs : 1) &&
	       within(net, "the group bit of its address", n->mac.byte[0] & 1, 0, 0) &&
	       within(net, "offloads that its driver did not choose", n->offloads & ~(acked & NET_GUEST_OFFLOADS), 0, 0);
}

bool net_take_note(struct net *net)
{
	struct net_filter *f = &net->filter;
	bool *flag[FLAGS];
	struct note n;
	u32 i;

	if (!xvm_vdev_noted(net->vdev, &n, sizeof(n)) || !is_sane(net, &n) || net_set_offloads(net, n.offloads))
		return false;
	flags_of(f, flag);
	for (i = 0; i < FLAGS; i++)
		*flag[i] = n.flags >> i & 1;
	net->pairs = n.pairs;
	f->macs = n.macs;
	memcpy(f->vlan, n.vlan, sizeof(f->vlan));
	memcpy(f->table, n.table, n.macs * sizeof(f->table[0]));
	net_set_mac(net, &n.mac);
	return true;
}
