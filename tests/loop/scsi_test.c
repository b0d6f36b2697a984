// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A SCSI device over the whole worker, served by a stand-in for dom0's kernel whose target answers with the request:
 * configuration, requests, queues that are not there or come late, reset, quiesce, and a worker that is killed.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/fake_vhost.c dom0/daemon/targets.c */
/* LIBS: -l:liburing.a */
/* TIME: 120 */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/fake_vhost.h"
#include "../../dom0/base/fdset.h"
#include "../../dom0/daemon/targets.h"
#include "../../dom0/virtio/vdev.h"
#include "../../xen/proto/addr.h"
#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEV		3u
#define AREA		9u
#define PAGES		256u
#define REQUESTS	2u	/* queues of them */
#define QUEUES		(2 + REQUESTS)
#define SIZE		16u
#define DATA		(512u << 10)
#define BYTES		3000u
#define ALL_FEATURES	(~0ull)

static struct rig rig;
static struct drv drv;
static struct drv_vq vq[QUEUES];
static struct xvm_targets targets;
static u8 *base;
static u32 sent;

static void add_scsi(const char *wwpn)
{
	struct xvm_ipc_dev_add add = {
		.num = DEV, .device_id = VIRTIO_ID_SCSI, .backend = XVM_BACKEND_VHOST,
		.scsi = { .queues = REQUESTS, .slot = (u32)xvm_targets_add(&targets, wwpn) },
	};
	struct fdset fds = { 0 };

	while (fds.count < 2 + 2 * QUEUES)
		fds.fd[fds.count++] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig_add_fds(&rig, &add, &fds);
	fdset_close(&fds);
}

/* The table as the worker maps it; the rig's is a child of this process. */
static int start_with(const char *wwpn)
{
	int fd = xvm_targets_new(&targets);

	fake_vhost_use();
	assert_return_code(fd, errno);
	assert_ptr_equal(mmap((void *)XVM_TARGETS_AT, XVM_TARGETS_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0),
			 (void *)XVM_TARGETS_AT);
	close(fd);
	xvm_targets_add(&targets, "naa.other");
	rig_keep_new();
	drv_start(&drv, &rig);
	add_scsi(wwpn);
	drv_wait_ready(&drv, DEV);
	base = drv_area_new(&drv, AREA, DEV, PAGES);
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with(FAKE_TARGET);
}

static int start_lost(void **state)
{
	(void)state;
	return start_with("naa.gone");
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	xvm_targets_free(&targets);
	rig_keep_end();
	return 0;
}

static void set_queue(u32 i)
{
	drv_vq_setup(&vq[i], &drv, DEV, (u16)i, SIZE, AREA, i * 65536, false);
}

static void up(u32 queues)
{
	u32 i;

	drv_negotiate(&drv, DEV, ALL_FEATURES);
	for (i = 0; i < queues; i++)
		set_queue(i);
	drv_set_status(&drv, DEV, 15);
}

static void put_request(void)
{
	struct drv_seg seg[2] = { { xvm_addr_make(AREA, DATA), BYTES, false },
				  { xvm_addr_make(AREA, DATA + 4096), BYTES, true } };
	u32 i;

	for (i = 0; i < BYTES; i++)
		base[DATA + i] = (u8)(sent * 31 + i * 7);
	memset(base + DATA + 4096, 0, BYTES);
	sent++;
	drv_vq_add(&vq[2], seg, 2);
}

static void take_answer(void)
{
	u32 len;

	drv_vq_wait(&vq[2], &len);
	assert_int_equal(len, BYTES);
	assert_memory_equal(base + DATA, base + DATA + 4096, BYTES);
}

static void ask_some(u32 count)
{
	while (count--) {
		put_request();
		drv_vq_kick(&vq[2]);
		take_answer();
	}
}

static void test_requests(void **state)
{
	struct virtio_scsi_config config;

	(void)state;
	up(QUEUES);
	assert_int_equal(drv.acked[DEV] & (XVM_F_RING_PACKED | XVM_F_IN_ORDER | XVM_F_RING_RESET | XVM_F_EVENT_IDX), 0);
	assert_int_equal(drv.acked[DEV] & 0xffffff, 1 << VIRTIO_SCSI_F_HOTPLUG);
	drv_config(&drv, DEV, 0, sizeof(config), (u8 *)&config);
	assert_int_equal(le32toh(config.num_queues), REQUESTS);
	assert_int_equal(le32toh(config.sense_size), 96);
	ask_some(1000);
	assert_int_equal(rig_stats(&rig)->maps, 1);
}

/* One queue of requests is enough; one that comes later is taken up. */
static void test_few_queues(void **state)
{
	(void)state;
	up(2);
	set_queue(2);
	put_request();
	drv_vq_kick(&vq[2]);
	take_answer();
	ask_some(9);
	set_queue(3);
	ask_some(9);
}

static void test_reset(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 10; i++) {
		up(QUEUES);
		ask_some(3);
		put_request();
		drv_vq_kick(&vq[2]);
		assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
	}
	up(QUEUES);
	rig_del(&rig, DEV, true);
	DRV_UNTIL(&drv, rig.state[DEV] == XVM_DEV_GONE);
	assert_int_equal(rig.maps, rig.unmaps);
}

static void test_quiesce(void **state)
{
	u32 len;

	(void)state;
	up(QUEUES);
	ask_some(7);
	assert_int_equal(drv_quiesce(&drv, DEV), XVM_STATUS_OK);
	put_request();
	drv_vq_force_kick(&vq[2]);
	drv_sync(&drv);
	usleep(20000);
	assert_int_equal(drv_vq_get(&vq[2], &len), -1);
	assert_int_equal(drv_resume(&drv, DEV), XVM_STATUS_OK);
	take_answer();
	ask_some(7);
}

/* What no kernel had taken is served by the next one, and nothing twice: sent counts, and so does the answer. */
static void test_killed(void **state)
{
	u32 round;

	(void)state;
	up(QUEUES);
	for (round = 0; round < 5; round++) {
		ask_some(9);
		rig_kill(&rig);
		put_request();
		drv_join_again(&drv);
		add_scsi(FAKE_TARGET);
		assert_int_equal(drv_area_add(&drv, AREA, DEV, PAGES), XVM_STATUS_OK);
		assert_int_equal(drv_vq_replay(vq, QUEUES, 0), XVM_STATUS_OK);
		take_answer();
	}
	ask_some(9);
}

/* The operator took the target away: the device says so, the worker lives. */
static void test_no_target(void **state)
{
	(void)state;
	up(QUEUES);
	DRV_UNTIL(&drv, rig.state[DEV] == XVM_DEV_BROKEN);
	assert_int_equal(drv_set_status(&drv, DEV, 0), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_requests), CASE(test_reset), CASE(test_quiesce), CASE(test_killed),
		cmocka_unit_test_setup_teardown(test_no_target, start_lost, stop),
	};
	/* The other dialect sets up queues before DRIVER_OK alone. */
	const struct CMUnitTest pr28[] = { CASE(test_few_queues) };

	return RIG_RUN_BOTH(tests) + RIG_RUN_IN(XVM_DIALECT_PR28, pr28);
}
