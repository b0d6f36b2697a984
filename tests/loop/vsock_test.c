// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vsock device over the whole worker, served by a stand-in for dom0's kernel that sends each packet back: packets,
 * areas that come and go under traffic, reset, quiesce, and a worker that is killed.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/fake_vhost.c */
/* LIBS: -l:liburing.a */
/* TIME: 240 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/fake_vhost.h"
#include "../../dom0/base/fdset.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEV		3u
#define AREA		9u
#define MORE		10u
#define PAGES		256u
#define QUEUES		3u
#define SIZE		16u
#define CID		4711u
#define DATA		(512u << 10)
#define EVENTS		(960u << 10)
#define PACKET		4096u
#define ALL_FEATURES	(~0ull)

static struct rig rig;
static struct drv drv;
static struct drv_vq vq[QUEUES];
static u8 *base;
static u32 sent;

static void add_vsock(void)
{
	struct xvm_ipc_dev_add add = {
		.num = DEV, .device_id = VIRTIO_ID_VSOCK, .backend = XVM_BACKEND_VHOST, .vsock_cid = CID,
	};
	struct fdset fds = { 0 };

	while (fds.count < 6)
		fds.fd[fds.count++] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig_add_fds(&rig, &add, &fds);
	fdset_close(&fds);
}

static int start(void **state)
{
	(void)state;
	fake_vhost_use();
	rig_keep_new();
	drv_start(&drv, &rig);
	add_vsock();
	drv_wait_ready(&drv, DEV);
	base = drv_area_new(&drv, AREA, DEV, PAGES);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	rig_keep_end();
	return 0;
}

static void offer_event(void)
{
	struct drv_seg seg = { xvm_addr_make(AREA, EVENTS), 4, true };

	memset(base + EVENTS, 0xee, 4);
	drv_vq_add(&vq[2], &seg, 1);
	drv_vq_kick(&vq[2]);
}

static void up(void)
{
	u32 i;

	drv_negotiate(&drv, DEV, ALL_FEATURES);
	for (i = 0; i < QUEUES; i++)
		drv_vq_setup(&vq[i], &drv, DEV, (u16)i, SIZE, AREA, i * 65536, false);
	drv_set_status(&drv, DEV, 15);
	offer_event();
}

static void pattern(u8 *at, u32 seed, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		at[i] = (u8)(seed * 31 + i * 7 + i / 253);
}

/* One packet out in two pieces, and back into a buffer of an area. */
static void echo(u32 area, u8 *into)
{
	struct drv_seg in = { xvm_addr_make(area, area == AREA ? DATA : 0), PACKET, true };
	struct drv_seg out[2] = { { xvm_addr_make(AREA, DATA + PACKET), 44, false },
				  { xvm_addr_make(AREA, DATA + PACKET + 44), 1 + sent % 3000, false } };
	u32 len, n = out[0].bytes + out[1].bytes;
	u8 want[PACKET];

	pattern(want, sent++, n);
	memcpy(base + DATA + PACKET, want, n);
	memset(into, 0, n);
	drv_vq_add(&vq[0], &in, 1);
	drv_vq_kick(&vq[0]);
	drv_vq_add(&vq[1], out, 2);
	drv_vq_kick(&vq[1]);
	drv_vq_wait(&vq[1], &len);
	drv_vq_wait(&vq[0], &len);
	assert_int_equal(len, n);
	assert_memory_equal(into, want, n);
}

static void echo_some(u32 count)
{
	while (count--)
		echo(AREA, base + DATA);
}

static void test_echo(void **state)
{
	const struct xvm_ipc_stats *stats;
	u8 config[8];

	(void)state;
	up();
	drv_config(&drv, DEV, 0, 8, config);
	assert_int_equal(xvm_get64(config), CID);
	assert_int_equal(drv.acked[DEV] & (XVM_F_RING_PACKED | XVM_F_IN_ORDER | XVM_F_RING_RESET | XVM_F_EVENT_IDX), 0);
	assert_int_equal(drv.acked[DEV] & 0xffffff, 1 << 1);
	echo_some(1000);
	stats = rig_stats(&rig);
	assert_int_equal(stats->maps, 1);
}

/* An area that came under traffic is served at once; it goes, and what lies in it is no more. */
static void test_areas(void **state)
{
	u32 i;
	u8 *more;

	(void)state;
	up();
	for (i = 0; i < 6; i++) {
		echo_some(5);
		more = drv_area_new(&drv, MORE + i, DEV, 16);
		echo(MORE + i, more);
		assert_int_equal(drv_area_del(&drv, MORE + i), XVM_STATUS_OK);
		assert_int_equal(drv_area_del(&drv, AREA), XVM_STATUS_BUSY);
		echo_some(5);
	}
}

static void test_reset(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 10; i++) {
		up();
		echo_some(3);
		/* A buffer is with the kernel; after the answer nobody writes there. */
		drv_vq_add(&vq[0], &(struct drv_seg){ xvm_addr_make(AREA, DATA), PACKET, true }, 1);
		drv_vq_kick(&vq[0]);
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
	}
	up();
	rig_del(&rig, DEV, true);
	DRV_UNTIL(&drv, rig.state[DEV] == XVM_DEV_GONE);
	assert_int_equal(rig.maps, rig.unmaps);
}

static void test_quiesce(void **state)
{
	struct drv_seg in = { xvm_addr_make(AREA, DATA), PACKET, true };
	struct drv_seg out = { xvm_addr_make(AREA, DATA + PACKET), 100, false };
	u32 len;

	(void)state;
	up();
	echo_some(7);
	assert_int_equal(drv_quiesce(&drv, DEV), XVM_STATUS_OK);
	drv_vq_add(&vq[0], &in, 1);
	drv_vq_add(&vq[1], &out, 1);
	drv_vq_force_kick(&vq[0]);
	drv_vq_force_kick(&vq[1]);
	drv_sync(&drv);
	usleep(20000);
	assert_int_equal(drv_vq_get(&vq[1], &len), -1);
	assert_int_equal(drv_resume(&drv, DEV), XVM_STATUS_OK);
	drv_vq_wait(&vq[1], &len);
	drv_vq_wait(&vq[0], &len);
	assert_int_equal(len, 100);
	echo_some(7);
}

/* The next worker goes on at the used index, and the driver is told that its connections are over. */
static void test_killed(void **state)
{
	u32 round, len;

	(void)state;
	up();
	for (round = 0; round < 5; round++) {
		echo_some(9);
		rig_kill(&rig);
		drv_join_again(&drv);
		add_vsock();
		assert_int_equal(drv_area_add(&drv, AREA, DEV, PAGES), XVM_STATUS_OK);
		assert_int_equal(drv_vq_replay(vq, QUEUES, 0), XVM_STATUS_OK);
		drv_vq_wait(&vq[2], &len);
		assert_int_equal(len, 4);
		assert_int_equal(xvm_get32(base + EVENTS), 0);
		offer_event();
	}
	echo_some(9);
}

/* A queue that is set up anew while it runs: the kernel lets go of the old one first. */
static void test_one_queue_again(void **state)
{
	u32 i;

	(void)state;
	up();
	for (i = 0; i < 5; i++) {
		echo_some(4);
		if (i & 1)
			drv_reset_vqueue(&drv, DEV, 0);
		drv_vq_setup(&vq[0], &drv, DEV, 0, SIZE, AREA, 0, false);
	}
	echo_some(4);
}

/* A ring that the kernel's part gives up costs the device, which a reset brings back. */
static void test_broken_ring(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		up();
		echo_some(3);
		drv_vq_put_avail(&vq[1], SIZE + (u16)i);
		drv_vq_force_kick(&vq[1]);
		DRV_UNTIL(&drv, drv.config[DEV].device_status & XVM_S_NEEDS_RESET);
		assert_int_equal(rig.state[DEV], XVM_DEV_BROKEN);
		drv.config[DEV].device_status = 0;
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
	}
	up();
	echo_some(3);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_echo), CASE(test_areas), CASE(test_reset), CASE(test_quiesce), CASE(test_killed),
		CASE(test_broken_ring),
	};
	/* The other dialect has it only with a feature that this device has not. */
	const struct CMUnitTest pr28[] = { CASE(test_one_queue_again) };

	return RIG_RUN_BOTH(tests) + RIG_RUN_IN(XVM_DIALECT_PR28, pr28);
}
