// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A network device over the whole worker and a tap of this machine's kernel, in
 * a network of its own: frames both ways, segmentation, a cable, a worker that
 * is killed, and what the supervisor's part makes, finds, refuses and removes.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c dom0/daemon/host_net.c */
/* LIBS: -l:liburing.a */
/* TIME: 60 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../../dom0/daemon/host_net.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
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
#define HEADER 12u

static struct rig rig;
static struct drv drv;
static struct drv_vq rx, tx;
static u8 *base;
static int wire = -1;		/* the tap's other side, as the host's kernel sees it */
static struct xvm_image_request request;
static char why[XVM_WHY_BYTES];

static int host(enum xvm_net_task task, struct fdset *fds)
{
	static struct fdset none;
	struct xvm_image image = { .spec = request.spec };

	why[0] = 0;
	request.net.task = task;
	return xvm_host_net(&request, &image, fds ? fds : &none, why);
}

/* Frames of other protocols (the kernel's own, of IPv6) are none of ours. */
static int open_wire(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_LOOPBACK),
				  .sll_ifindex = (int)if_nametoindex(request.net.tap) };
	static const struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_LOOPBACK));

	assert_return_code(fd, errno);
	assert_return_code(bind(fd, (struct sockaddr *)&to, sizeof(to)), errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static int begin(void **state)
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
	struct xvm_ipc_dev_add desc = { .num = 1, .device_id = 1, .net = { .pairs = 1, .tap_mtu = 1500, .link_up = 1 } };
	struct fdset fds = { 0 };

	memcpy(desc.net.mac, request.net.mac, sizeof(desc.net.mac));
	assert_int_equal(host(XVM_NET_OPEN, &fds), 0);
	assert_int_equal(fds.count, 1);
	rig_add_fds(&rig, &desc, &fds);
	fdset_close(&fds);
	DRV_UNTIL(&drv, drv.device_state[1] == VIRTIO_MSG_DEVICE_READY);
}

static void give_buffer(u32 i)
{
	struct drv_seg seg = { xvm_addr_make(3, RX_OFF + i * RX_BYTES), RX_BYTES, true };

	assert_true(drv_vq_add(&rx, &seg, 1) >= 0);
}

static void bring_up(u64 features)
{
	u32 i;

	base = rig_area_new(&rig, 3, AREA_PAGES);
	assert_int_equal(drv_area_add(&drv, 3, 1, AREA_PAGES), XVM_STATUS_OK);
	drv_negotiate(&drv, 1, features);
	drv_vq_setup(&rx, &drv, 1, 0, 64, 3, 0, true);
	drv_vq_setup(&tx, &drv, 1, 1, 64, 3, 0x4000, true);
	drv_set_status(&drv, 1, 15);
	for (i = 0; i < RX_BUFFERS; i++)
		give_buffer(i);
	drv_vq_kick(&rx);
	drv_sync(&drv);
}

/* From the guest: a frame whose bytes count from start. */
static void send_frame(u8 start, u32 bytes)
{
	struct drv_seg seg = { xvm_addr_make(3, TX_OFF), HEADER + bytes, false };
	u8 *frame = base + TX_OFF + HEADER;
	u32 i, len;

	memset(base + TX_OFF, 0, HEADER);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, request.net.mac, 6);
	frame[12] = ETH_P_LOOPBACK >> 8;
	frame[13] = ETH_P_LOOPBACK & 0xff;
	for (i = 14; i < bytes; i++)
		frame[i] = (u8)(start + i);
	assert_true(drv_vq_add(&tx, &seg, 1) >= 0);
	drv_vq_kick(&tx);
	drv_vq_wait(&tx, &len);
}

static void host_sees(u8 start, u32 bytes)
{
	u8 frame[2000];
	u32 i;

	assert_int_equal(recv(wire, frame, sizeof(frame), 0), bytes);
	for (i = 14; i < bytes; i++)
		assert_int_equal(frame[i], (u8)(start + i));
}

static void host_sends(u8 start, u32 bytes)
{
	u8 frame[2000] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, ETH_P_LOOPBACK >> 8, ETH_P_LOOPBACK & 0xff };
	u32 i;

	for (i = 14; i < bytes; i++)
		frame[i] = (u8)(start + i);
	assert_int_equal(send(wire, frame, bytes, 0), bytes);
}

static void check_frame(const u8 *p, u8 start, u32 len)
{
	u32 i;

	assert_int_equal(xvm_get16(p + 10), 1);
	for (i = 14; i < len - HEADER; i++)
		assert_int_equal(p[HEADER + i], (u8)(start + i));
}

/* Waits for a frame of ours; the kernel's own are given back unseen. Its bytes. */
static u32 guest_gets(u8 start)
{
	struct drv_seg seg = { .bytes = RX_BYTES, .write = true };
	u32 len, type;
	const u8 *p;

	do {
		seg.addr = xvm_get64(rx.desc + 16 * drv_vq_wait(&rx, &len));
		p = base + (seg.addr - xvm_addr_make(3, 0));
		type = (u32)(p[HEADER + 12] << 8 | p[HEADER + 13]);
		if (type == ETH_P_LOOPBACK)
			check_frame(p, start, len);
		assert_true(drv_vq_add(&rx, &seg, 1) >= 0);
		drv_vq_kick(&rx);
	} while (type != ETH_P_LOOPBACK);
	return len - HEADER;
}

static void test_frames(void **state)
{
	u8 mac[6];
	u32 i;

	(void)state;
	need_tun();
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	wire = open_wire();
	drv_start(&drv, &rig);
	add_device();
	bring_up(BASE);
	drv_config(&drv, 1, 0, 6, mac);
	assert_memory_equal(mac, request.net.mac, 6);
	for (i = 0; i < 200; i++) {
		send_frame((u8)i, 60 + 7 * i);
		host_sees((u8)i, 60 + 7 * i);
		host_sends((u8)i, 60 + 7 * i);
		assert_int_equal(guest_gets((u8)i), 60 + 7 * i);
	}
	/* Frames for which there is no buffer wait in the tap. */
	for (i = 0; i < 300; i++)
		host_sends((u8)i, 600);
	for (i = 0; i < 300; i++)
		assert_int_equal(guest_gets((u8)i), 600);
	/* A worker dies; the next one has the same tap. */
	rig_kill(&rig);
	host_sends(1, 100);	/* while nobody is there: lost */
	drv_join_again(&drv);
	rig_area_free(&rig, 3);
	drv.device_state[1] = 0;
	add_device();
	bring_up(BASE | F(GUEST_CSUM) | F(GUEST_TSO4));
	send_frame(9, 1000);
	host_sees(9, 1000);
	drv_stop(&drv);
	close(wire);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
}

static void refuses(const char *text)
{
	assert_true(host(XVM_NET_MAKE, NULL) < 0);
	if (!strstr(why, text))
		fail_msg("said '%s', expected '%s'", why, text);
}

/* Nothing is left of what is refused, and nothing of another's is touched. */
static void test_host(void **state)
{
	struct xvm_image_request good;

	(void)state;
	need_tun();
	good = request;
	strcpy(request.spec.net.bridge, "nosuch");
	refuses("bridge nosuch does not exist");
	strcpy(request.spec.net.bridge, "lo");
	refuses("lo is no bridge");
	request = good;
	strcpy(request.net.tap, "lo");
	refuses("an interface lo is there already");
	request = good;
	strcpy(request.spec.net.script, "/nowhere/script");
	refuses("script /nowhere/script cannot be run");
	strcpy(request.spec.net.script, "/bin/false");
	refuses("add failed for vif7.0-xvm (exit status 1)");
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
	strcpy(request.spec.net.script, "/bin/true");
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	/* Of another guest; then our own, as after a restart. */
	request.net.owner++;
	refuses("an interface vif7.0-xvm is there already");
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_true(if_nametoindex("vif7.0-xvm") > 0);
	request.net.owner--;
	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
	assert_true(host(XVM_NET_OPEN, NULL) < 0);
	assert_non_null(strstr(why, "is gone"));
	request = good;
}

static bool taken(void *arg, const char *tap)
{
	return !strcmp(tap, arg);
}

static void test_names(void **state)
{
	char tap[XVM_TAP_BYTES];
	u8 mac[6], again[6], other[6];

	(void)state;
	assert_true(xvm_net_tap_name(32751, "net7", tap, taken, ""));
	assert_string_equal(tap, "vif32751.7-xvm");
	assert_true(xvm_net_tap_name(32751, "eth99", tap, taken, "vif32751.99-xvm"));
	assert_string_equal(tap, "vif32751.0-xvm");
	assert_true(xvm_net_tap_name(3, "lan", tap, taken, ""));
	xvm_net_default_mac("0a", "net0", mac);
	xvm_net_default_mac("0a", "net0", again);
	xvm_net_default_mac("0a", "net1", other);
	assert_memory_equal(mac, again, 6);
	assert_memory_equal(mac, "\x00\x16\x3e", 3);
	assert_memory_not_equal(mac, other, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_host), cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
