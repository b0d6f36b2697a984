// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The data queues of virtio-net by vhost-net of dom0's kernel: one /dev/vhost-net
 * and one queue of the tap per pair. Frames pass through no process; what is
 * left of the device (features, control queue, cable, pairs) is net.c's as
 * ever. Called by net.c.
 */
#include "net.h"
#include <linux/vhost.h>

static struct net_pair *pair_of(struct vhost *vhost)
{
	return (struct net_pair *)((char *)vhost - offsetof(struct net_pair, vhost));
}

static int set_backend(const struct vhost *vhost, u32 queue, int fd)
{
	struct vhost_vring_file backend = { .index = queue, .fd = fd };

	return vhost_sys->ioctl(vhost->fd, VHOST_NET_SET_BACKEND, &backend);
}

/* Off: the kernel has let go of both rings when this returns. */
static int run(struct vhost *vhost, bool on)
{
	int fd = on ? pair_of(vhost)->fd : -1, err = set_backend(vhost, 0, fd);

	if (!err || !on)
		err = set_backend(vhost, 1, fd);
	if (err && on)
		set_backend(vhost, 0, -1);
	return err;
}

int net_vhost_open(struct net *net, struct fdset *fds, u32 at, char *why, size_t why_bytes)
{
	u64 without = 0;
	int err = 0;
	u32 i;

	for (i = 0; !err && i < net->max_pairs; i++) {
		struct vhost *vhost = &net->pair[i].vhost;

		vhost->first = 2 * i;
		vhost->count = vhost->needed = 2;
		vhost->run = run;
		vhost->err_is_end = true;
		err = vhost_open(vhost, net->vdev, fds, at + i * VHOST_FDS(2), why, why_bytes);
		without |= net->vdev->without;
	}
	net->vdev->without = without;
	return err;
}

void net_vhost_close(struct net *net)
{
	u32 i;

	/* Those that were never opened have no queues. */
	for (i = 0; i < net->max_pairs && net->pair[i].vhost.vdev; i++)
		vhost_close(&net->pair[i].vhost);
}

void net_vhost_start(struct net *net)
{
	u32 i;

	for (i = 0; i < net->max_pairs; i++)
		if (net->pair[i].attached)
			vhost_start(&net->pair[i].vhost);
}

void net_vhost_stop(struct net *net)
{
	u32 i;

	for (i = 0; i < net->max_pairs; i++)
		vhost_stop(&net->pair[i].vhost);
}

void net_vhost_leave(struct net *net)
{
	u32 i;

	net_vhost_stop(net);
	for (i = 0; i < net->max_pairs; i++)
		vhost_leave(&net->pair[i].vhost);
}

void net_vhost_areas(struct net *net, u32 going)
{
	u32 i;

	for (i = 0; i < net->max_pairs; i++)
		vhost_areas(&net->pair[i].vhost, going);
}
