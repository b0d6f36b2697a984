// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-net over a tap (virtio 1.2, section 5.1): the device, its features
 * and configuration, and which queue is what. Owns the descriptors of the tap's
 * queues, one per pair. Must not know messages or Xen. Called through
 * xvm_net_type.
 *
 * After a crash: receive buffers that were taken are taken again, and a frame
 * that was being sent counts as sent. What the driver said on its control queue
 * stands in a note (net_note.c). Without one (the guest has moved) all frames pass, and
 * the pairs in use are those whose receive queues have ever had buffers.
 */
#include "net.h"
#include "dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/virtio_ids.h>

#define CONFIG_STATUS_AT offsetof(struct virtio_net_config, status)

static struct net_pair *pair_of(struct net *net, u32 vq)
{
	return &net->pair[vq / 2];
}

static u16 status_of(const struct net *net)
{
	u8 raw[2];

	memcpy(raw, net->vdev->config + CONFIG_STATUS_AT, sizeof(raw));
	return xvm_get16(raw);
}

static void put_status(struct net *net, u16 status)
{
	xvm_put16(net->vdev->config + CONFIG_STATUS_AT, status);
}

void net_set_status(struct net *net, u16 set, u16 clear)
{
	u16 old = status_of(net), new = (u16)((old & ~clear) | set);

	if (new == old)
		return;
	put_status(net, new);
	xvm_vdev_config_changed(net->vdev);
}

/* The kernel is at work for attached pairs alone. */
static void begin_pair(struct net *net, u32 i)
{
	if (net->vhost)
		vhost_start(&net->pair[i].vhost);
	else
		net->vdev->ops->again(net->vdev, &net->vdev->vq[2 * i]);
}

/* Frames of a queue that is detached are dropped by the tap, old ones too. */
static void apply_queue(struct net *net, u32 i)
{
	struct net_pair *pair = &net->pair[i];
	bool wanted = net->running && net->link && i < net->pairs;

	if (wanted == pair->attached)
		return;
	if (net->vhost && !wanted)
		vhost_stop(&pair->vhost);
	if (net_tap_attach(pair->fd, wanted)) {
		if (wanted)
			xvm_vdev_broken(net->vdev, "a queue of its tap cannot be attached");
		return;
	}
	pair->attached = wanted;
	if (wanted)
		begin_pair(net, i);
}

void net_apply_queues(struct net *net)
{
	u32 i;

	for (i = 0; i < net->max_pairs; i++)
		apply_queue(net, i);
}

int net_set_offloads(struct net *net, u64 offloads)
{
	int err = net_tap_offload(net->pair[0].fd, offloads);

	if (!err)
		net->offloads = offloads;
	return err;
}

void net_set_mac(struct net *net, const struct net_mac *mac)
{
	net->filter.mac = *mac;
	memcpy(net->vdev->config, mac, sizeof(*mac));
	memcpy(net->vdev->told, mac, sizeof(*mac));
}

static bool data_kick(struct net *net, struct xvm_vq *vq, u32 budget)
{
	struct net_pair *pair = pair_of(net, vq->index);

	if (!net->vhost)
		return vq->index % 2 ? net_tx_kick(net, pair, vq, budget) : net_rx_kick(net, pair, vq, budget);
	if (pair->attached)
		vhost_kick(&pair->vhost, vq);
	return false;
}

static bool net_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct net *net = vdev->model;

	if (budget > NET_PASS_FRAMES)
		budget = NET_PASS_FRAMES;
	if (vq->index == net->ctrl)
		return net_ctrl_kick(net, vq, budget);
	/* Without MQ a driver has set up queues that are nothing to it. */
	if (vq->index / 2 >= net->max_pairs || vq->index > net->ctrl)
		return false;
	return data_kick(net, vq, budget);
}

/* The pairs of a driver that goes on: it puts buffers into the receive queues that it uses. */
static u32 pairs_in_use(const struct net *net)
{
	struct xvm_vdev *vdev = net->vdev;
	u32 i;

	for (i = net->max_pairs; i > 1; i--) {
		struct xvm_vq *vq = &vdev->vq[2 * i - 2];

		if (vq->kept && (vq->last_avail || xvm_vq_has_more(vq)))
			break;
	}
	return i;
}

static void choose_room(struct net *net)
{
	u32 mtu = net->vdev->acked & NET_GUEST_TSO ? NET_MAX_MTU : net->tap_mtu;

	/* A driver with tiny queues of long buffers has room for just one tag. */
	net->room = NET_HEADER_BYTES + NET_ETH_BYTES + NET_TAG_BYTES / 2 + mtu;
	net->merge = net->vdev->acked & NET_F(MRG_RXBUF);
}

/* True: the driver goes on with what it had set. Else nobody is to find what another had set. */
static bool take_up(struct net *net)
{
	if (net->vdev->vq[net->ctrl].kept && net_take_note(net))
		return true;
	xvm_vdev_note(net->vdev, NULL, 0);
	return false;
}

static bool net_start(struct xvm_vdev *vdev)
{
	struct net *net = vdev->model;
	bool mq = vdev->acked & NET_F(MQ);

	net->ctrl = mq ? 2 * net->max_pairs : 2;
	net->pairs = mq ? pairs_in_use(net) : 1;
	net->filter.by_vlan = vdev->acked & NET_F(CTRL_VLAN);
	choose_room(net);
	if (!take_up(net) && net_set_offloads(net, vdev->acked & NET_GUEST_OFFLOADS)) {
		xvm_vdev_broken(vdev, "its tap has not the offloads it said it has");
		return false;
	}
	net->running = true;
	net_apply_queues(net);
	/* It may have moved: let its neighbours know where it is. */
	if (vdev->vq[0].kept && net->link && vdev->acked & NET_F(GUEST_ANNOUNCE))
		net_set_status(net, VIRTIO_NET_S_ANNOUNCE, 0);
	return true;
}

static void net_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct net *net = vdev->model;

	if (vq && vq->outside)
		vhost_stop(&pair_of(net, vq->index)->vhost);
	else if (!vq && net->vhost)
		net_vhost_leave(net);
	else if (!vq)
		net_end_waits(net);
}

static void net_quiet(struct xvm_vdev *vdev, bool on)
{
	struct net *net = vdev->model;

	if (net->vhost && on)
		net_vhost_stop(net);
	else if (net->vhost)
		net_vhost_start(net);
}

static void net_area_added(struct xvm_vdev *vdev, u32 area, int fd)
{
	struct net *net = vdev->model;

	(void)area;
	(void)fd;
	if (net->vhost)
		net_vhost_areas(net, 0);
}

static void net_area_gone(struct xvm_vdev *vdev, u32 area)
{
	struct net *net = vdev->model;

	if (net->vhost)
		net_vhost_areas(net, area);
}

static void set_defaults(struct net *net)
{
	net->running = false;
	net->pairs = 1;
	net->ctrl = 2 * net->max_pairs;
	net->offloads = 0;
	net_filter_init(&net->filter, &net->mac);
	memcpy(net->vdev->config, &net->mac, sizeof(net->mac));
	put_status(net, net->link ? VIRTIO_NET_S_LINK_UP : 0);
	net_apply_queues(net);
}

static void net_reset(struct xvm_vdev *vdev)
{
	set_defaults(vdev->model);
}

static void net_link(struct xvm_vdev *vdev, bool up)
{
	struct net *net = vdev->model;

	if (up == net->link)
		return;
	net->link = up;
	net_apply_queues(net);
	net_set_status(net, up ? VIRTIO_NET_S_LINK_UP : 0,
		       up ? 0 : VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
}

/* ---- life ---- */

static void net_free(struct net *net)
{
	u32 i;

	if (net->vhost)
		net_vhost_close(net);
	for (i = 0; i < net->max_pairs; i++)
		if (net->pair[i].fd >= 0)
			close(net->pair[i].fd);
	free(net);
}

static void net_destroy(struct xvm_vdev *vdev)
{
	net_free(vdev->model);
}

/* What the kernel cannot do: it gives all frames of its tap, merged or not as it knows how. */
static u64 without_vhost(const struct net *net)
{
	u64 without = NET_F(CTRL_RX) | NET_F(CTRL_RX_EXTRA) | NET_F(CTRL_VLAN);

	return net->vhost ? without | (NET_F(MRG_RXBUF) & ~net->pair[0].vhost.features) : 0;
}

static u64 net_features(const struct net *net, const struct xvm_ipc_net *desc)
{
	u64 features = NET_F(CSUM) | NET_GUEST_OFFLOADS | NET_F(HOST_TSO4) | NET_F(HOST_TSO6) | NET_F(HOST_ECN) |
		       NET_F(MRG_RXBUF) | NET_F(MAC) | NET_F(STATUS) | NET_F(CTRL_VQ) | NET_F(CTRL_RX) |
		       NET_F(CTRL_RX_EXTRA) | NET_F(CTRL_VLAN) | NET_F(CTRL_MAC_ADDR) |
		       NET_F(CTRL_GUEST_OFFLOADS) | NET_F(GUEST_ANNOUNCE);

	if (net->max_pairs > 1)
		features |= NET_F(MQ);
	features &= ~without_vhost(net);
	return desc->mtu ? features | NET_F(MTU) : features;
}

static void fill_config(struct xvm_vdev *vdev, const struct net *net, const struct xvm_ipc_net *desc)
{
	struct virtio_net_config config = {
		.status = htole16(net->link ? VIRTIO_NET_S_LINK_UP : 0),
		.max_virtqueue_pairs = htole16(net->max_pairs),
		.mtu = htole16(desc->mtu),
	};

	memcpy(config.mac, &net->mac, sizeof(config.mac));
	vdev->config_bytes = offsetof(struct virtio_net_config, speed);
	memcpy(vdev->config, &config, vdev->config_bytes);
}

static const char *desc_fault(const struct xvm_ipc_net *desc, const struct fdset *fds)
{
	if (!desc->pairs || desc->pairs > NET_MAX_PAIRS)
		return "not 1 to 16 pairs of queues";
	if (desc->vhost && fds->count != desc->pairs * (1 + VHOST_FDS(2)))
		return "not one queue of a tap and five descriptors of vhost for each pair";
	if (!desc->vhost && fds->count != desc->pairs)
		return "not one queue of a tap for each pair";
	if (desc->mac[0] & 1)
		return "the MAC address is a group's";
	if (desc->tap_mtu < NET_MIN_MTU || (desc->mtu && desc->mtu < NET_MIN_MTU))
		return "an MTU below 68";
	return NULL;
}

static int take_queues(struct net *net, struct fdset *fds)
{
	int err = 0;
	u32 i;

	for (i = 0; i < net->max_pairs; i++) {
		net->pair[i].fd = fdset_take(fds, i);
		/* Until a driver is there no frame is to wait for it. */
		if (!err)
			err = net_tap_attach(net->pair[i].fd, false);
	}
	return err;
}

static int take_fds(struct net *net, struct fdset *fds, char *why, size_t why_bytes)
{
	int err = take_queues(net, fds);

	if (err)
		snprintf(why, why_bytes, "a queue of its tap cannot be detached: is it one of several queues?");
	else if (net->vhost)
		err = net_vhost_open(net, fds, net->max_pairs, why, why_bytes);
	return err;
}

static int net_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
		      char *why, size_t why_bytes)
{
	const char *fault = desc_fault(&desc->net, fds);
	struct net *net = fault ? NULL : calloc(1, sizeof(*net));
	u32 i;

	if (!net) {
		snprintf(why, why_bytes, "%s", fault ? fault : "out of memory");
		return fault ? -EINVAL : -ENOMEM;
	}
	net->vdev = vdev;
	net->max_pairs = desc->net.pairs;
	net->vhost = desc->net.vhost;
	vdev->num_vqs = 2 * net->max_pairs + 1;
	if (take_fds(net, fds, why, why_bytes)) {
		net_free(net);
		return -EINVAL;
	}
	memcpy(&net->mac, desc->net.mac, sizeof(net->mac));
	net->tap_mtu = desc->net.tap_mtu;
	net->link = desc->net.link_up;
	vdev->model = net;
	for (i = 0; i < vdev->num_vqs; i++)
		vdev->vq[i].max_size = i + 1 < vdev->num_vqs || i == 2 ? NET_QUEUE_SIZE : NET_CTRL_QUEUE_SIZE;
	vdev->offered = net_features(net, &desc->net);
	fill_config(vdev, net, &desc->net);
	set_defaults(net);
	return 0;
}

const struct xvm_vdev_type xvm_net_type = {
	.name = "net",
	.device_id = VIRTIO_ID_NET,
	.num_vqs = 3,
	/* A frame is not sent twice, see net_io.c; anything else may be done again. */
	.repeatable = true,
	.create = net_create,
	.destroy = net_destroy,
	.start = net_start,
	.kick = net_kick,
	.cancel = net_cancel,
	.reset = net_reset,
	.quiet = net_quiet,
	.area_added = net_area_added,
	.area_gone = net_area_gone,
	.link = net_link,
};
