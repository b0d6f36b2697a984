/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of network devices over a whole worker share: a tap of this
 * machine's kernel in a network of its own, made by dom0/daemon/host_net.c, its
 * other side as a packet socket, and a driver with one area. Included once per program.
 */
#ifndef XVM_TEST_NET_LOOP_H
#define XVM_TEST_NET_LOOP_H

#include "test.h"
#include "drv_vq.h"
#include "../../dom0/daemon/host_net.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define F(name) (1ull << VIRTIO_NET_F_##name)
#define BASE (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX | F(MAC) | F(STATUS) | F(MRG_RXBUF))
#define AREA_PAGES 256u
#define RX_BUFFERS 48u
#define RX_BYTES 1600u
#define RX_OFF 0x10000u
#define TX_OFF 0x40000u
#define CTRL_OFF 0x80000u
#define HEADER 12u

static struct rig rig;
static struct drv drv;
static u8 *base;		/* of the area */
static int wire = -1;		/* the tap's other side, as the host's kernel sees it */
static struct xvm_image_request request;
static bool by_vhost;
static u16 tap_mtu;
static char why[XVM_WHY_BYTES];

static int host(enum xvm_net_task task, struct fdset *fds)
{
	static struct fdset none;
	struct xvm_image image = { .spec = request.spec };
	int err;

	why[0] = 0;
	request.net.task = task;
	err = xvm_host_net(&request, &image, fds ? fds : &none, why);
	tap_mtu = image.net.mtu;
	return err;
}

/* Frames of other protocols (the kernel's own, of IPv6) are none of ours. */
static int open_wire(u16 protocol)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol),
				  .sll_ifindex = (int)if_nametoindex(request.net.tap) };
	static const struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(protocol));

	assert_return_code(fd, errno);
	assert_return_code(bind(fd, (struct sockaddr *)&to, sizeof(to)), errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static inline int begin(void **state)
{
	(void)state;
	/* A network of its own, and a /sys that shows it. */
	if (geteuid() || access("/dev/net/tun", R_OK | W_OK) || unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL))
		return 0;
	memset(&request, 0, sizeof(request));
	request.spec.kind = XVM_KIND_NET;
	request.spec.queues = 1;
	request.net.owner = 131079;
	strcpy(request.net.tap, "vif7.0-xvm");
	xvm_net_default_mac("uuid", "net0", request.net.mac);
	return 0;
}

static void need_tun(void)
{
	if (!request.net.tap[0])
		test_skip("needs root, /dev/net/tun, and a network of its own");
}

static void add_device(void)
{
	struct xvm_ipc_dev_add desc = { .num = 1, .device_id = 1,
					.net = { .pairs = request.spec.queues, .mtu = (u16)request.spec.net.mtu,
						 .tap_mtu = tap_mtu, .link_up = 1, .vhost = by_vhost } };
	struct fdset fds = { 0 };

	memcpy(desc.net.mac, request.net.mac, sizeof(desc.net.mac));
	assert_int_equal(host(XVM_NET_OPEN, &fds), 0);
	assert_int_equal(fds.count, request.spec.queues);
	while (by_vhost && fds.count < 7)	/* the first stands for /dev/vhost-net */
		fds.fd[fds.count++] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig_add_fds(&rig, &desc, &fds);
	fdset_close(&fds);
	drv_wait_ready(&drv, 1);
}

#endif
