// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of virtio-net: one queue of a tap that the supervisor opened
 * and set up (headers of NET_HEADER_BYTES, little-endian, not blocking). The
 * kernel copies header and data once and checks the header itself. The only
 * file of the device that calls the kernel.
 */
#include "net.h"

#include <sys/ioctl.h>
#include <linux/if.h>
#include <linux/if_tun.h>

ssize_t net_tap_read(int fd, const struct iovec *iov, u32 n)
{
	ssize_t ret = readv(fd, iov, (int)n);

	return ret < 0 ? -errno : ret;
}

ssize_t net_tap_write(int fd, const struct iovec *iov, u32 n)
{
	ssize_t ret = writev(fd, iov, (int)n);

	return ret < 0 ? -errno : ret;
}

int net_tap_attach(int fd, bool attach)
{
	struct ifreq ifr = { .ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(fd, TUNSETQUEUE, &ifr) ? -errno : 0;
}

int net_tap_offload(int fd, u64 offloads)
{
	unsigned long flags = 0;

	if (offloads & NET_F(GUEST_CSUM))
		flags |= TUN_F_CSUM;
	if (offloads & NET_F(GUEST_TSO4))
		flags |= TUN_F_TSO4;
	if (offloads & NET_F(GUEST_TSO6))
		flags |= TUN_F_TSO6;
	if (offloads & NET_F(GUEST_ECN))
		flags |= TUN_F_TSO_ECN;
	return ioctl(fd, TUNSETOFFLOAD, flags) ? -errno : 0;
}
