// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which frames a driver wants to see (virtio 1.2, section 5.1.6.5): pure
 * functions over struct net_filter. The words that change it come through
 * net_ctrl.c; net_io.c asks. A frame that passes although nobody wants it costs
 * the driver a look; one that is wanted always passes.
 */
#include "net.h"

#define ETH_TYPE_AT	12u
#define ETH_TAG_AT	14u
#define ETH_P_TAG	0x8100u

/* A driver that never says what it wants sees all. */
void net_filter_init(struct net_filter *filter, const struct net_mac *mac)
{
	*filter = (struct net_filter){ .promisc = true, .mac = *mac };
}

void net_filter_vlan(struct net_filter *filter, u16 id, bool pass)
{
	u64 bit = 1ull << id % 64;

	if (pass)
		filter->vlan[id / 64] |= bit;
	else
		filter->vlan[id / 64] &= ~bit;
}

static u16 be16_at(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static bool in_table(const struct net_filter *filter, const u8 *mac)
{
	u32 i;

	for (i = 0; i < filter->macs; i++)
		if (!memcmp(filter->table[i].byte, mac, sizeof(filter->table[i].byte)))
			return true;
	return false;
}

static bool vlan_passes(const struct net_filter *filter, const u8 *start)
{
	u16 id = be16_at(start + ETH_TAG_AT) & (NET_VLANS - 1);

	if (!filter->by_vlan || be16_at(start + ETH_TYPE_AT) != ETH_P_TAG)
		return true;
	return filter->vlan[id / 64] >> id % 64 & 1;
}

static bool group_passes(const struct net_filter *filter, const u8 *mac)
{
	static const u8 broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (!memcmp(mac, broadcast, sizeof(broadcast)))
		return !filter->nobcast;
	if (filter->nomulti)
		return false;
	return filter->allmulti || filter->multi_overflow || in_table(filter, mac);
}

bool net_filter_passes(const struct net_filter *filter, const u8 start[NET_START_BYTES])
{
	if (filter->promisc)
		return true;
	if (!vlan_passes(filter, start))
		return false;
	if (start[0] & 1)
		return group_passes(filter, start);
	if (filter->nouni)
		return false;
	return filter->alluni || filter->uni_overflow ||
	       !memcmp(start, filter->mac.byte, sizeof(filter->mac.byte)) || in_table(filter, start);
}
