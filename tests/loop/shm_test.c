// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shared memory regions over the whole worker: what GET_SHM says of a region
 * that comes and goes, what the device does in it, and that its area stays.
 */
/* LINK: dom0/base dom0/virtio dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c tests/support/shm_dev.c */
/* LIBS: -l:liburing.a */
#include "../support/test.h"
#include "../support/drv_vq.h"
#include "../support/shm_dev.h"
#include "../../xen/proto/addr.h"

#define NUM 3u
#define RINGS 1u		/* areas */
#define REGION 77u
#define REGION_PAGES 9u
#define FIRST_PAGE 2u		/* of the area, where the region begins */
#define REGION_BYTES (5u * 4096)

static struct rig rig;
static struct drv drv;
static u8 *rings, *memory;

static int start(void **state)
{
	struct xvm_ipc_dev_add desc = { .num = NUM, .device_id = SHM_DEV_ID };

	(void)state;
	drv_start(&drv, &rig);
	rig_add(&rig, &desc, -1);
	drv_wait_ready(&drv, NUM);
	rings = rig_area_new(&rig, RINGS, 16);
	memory = rig_area_new(&rig, REGION, REGION_PAGES);
	assert_int_equal(drv_area_add(&drv, RINGS, NUM, 16), XVM_STATUS_OK);
	assert_int_equal(drv_area_add(&drv, REGION, NUM, REGION_PAGES), XVM_STATUS_OK);
	drv_negotiate(&drv, NUM, XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_RING_RESET);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	drv_stop(&drv);
	return 0;
}

/* SET_CONFIG of address and length; true: the device took it. */
static bool lend(u64 addr, u32 length)
{
	u8 data[SHM_DEV_CONFIG], msg[64];
	struct xvm_msg_config m = { .length = sizeof(data), .data = data };

	xvm_put64(data, addr);
	xvm_put32(data + 8, length);
	drv_ask(&drv, msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &m));
	assert_int_equal(xvm_msg_get_config(drv.answer, drv.answer_len, true, &m), 0);
	return m.length == SHM_DEV_CONFIG;
}

static struct xvm_msg_shm region(u32 index)
{
	struct xvm_msg_shm m;

	drv_shm(&drv, NUM, index, &m);
	assert_int_equal(m.index, index);
	return m;
}

static void expect_none(u32 index)
{
	struct xvm_msg_shm m = region(index);

	assert_int_equal(m.length, 0);
	assert_int_equal(m.address, 0);
}

static void test_get_shm(void **state)
{
	u64 addr = xvm_addr_make(REGION, FIRST_PAGE * 4096);
	struct xvm_msg_shm m;

	(void)state;
	expect_none(0);
	assert_false(lend(addr + 1, REGION_BYTES));
	assert_false(lend(addr, (REGION_PAGES - FIRST_PAGE) * 4096 + 1));
	assert_false(lend(xvm_addr_make(REGION + 1, 0), 4096));
	expect_none(0);
	assert_true(lend(addr, REGION_BYTES));
	m = region(0);
	assert_int_equal(m.length, REGION_BYTES);
	assert_int_equal(m.address, drv.rules->shm_by_page ?
				    REGION << XVM_SHM_AREA_SHIFT | FIRST_PAGE : addr);
	expect_none(1);
	expect_none(XVM_VDEV_MAX_SHM);
	expect_none(0xffffffff);
	/* Its area stays as long as it does. */
	assert_int_equal(drv_area_del(&drv, REGION), XVM_STATUS_BUSY);
	assert_int_equal(drv_set_status(&drv, NUM, 0), 0);
	expect_none(0);
	assert_int_equal(drv_area_del(&drv, REGION), XVM_STATUS_OK);
}

static void use_region(struct drv_vq *vq)
{
	struct drv_seg seg[2] = {
		{ xvm_addr_make(RINGS, 32768), 4 + 16, false },
		{ xvm_addr_make(RINGS, 36864), 32, true },
	};
	u8 *at = memory + FIRST_PAGE * 4096 + 8000;
	u32 len;

	xvm_put32(rings + 32768, 8000);
	memset(rings + 32772, 0x11 + vq->index, 16);
	memset(at + 16, 0x77, 16);	/* ours, with no message about it */
	drv_vq_add(vq, seg, 2);
	drv_vq_kick(vq);
	drv_vq_wait(vq, &len);
	assert_int_equal(len, 32);
	assert_int_equal(at[0], 0x11 + vq->index);
	assert_int_equal(at[15], 0x11 + vq->index);
	assert_int_equal(rings[36864 + 15], 0x11 + vq->index);
	assert_int_equal(rings[36864 + 16], 0x77);
	/* Beyond its end is nothing. */
	xvm_put32(rings + 32768, REGION_BYTES - 15);
	drv_vq_add(vq, seg, 2);
	drv_vq_kick(vq);
	drv_vq_wait(vq, &len);
	assert_int_equal(len, 0);
}

/* Both sides see each other's bytes; the second queue is added while the device runs. */
static void test_use(void **state)
{
	struct drv_vq vq[2];

	(void)state;
	drv_vq_setup(&vq[0], &drv, NUM, 0, 8, RINGS, 0, false);
	assert_int_equal(drv_set_status(&drv, NUM, 15), 15);
	assert_true(lend(xvm_addr_make(REGION, FIRST_PAGE * 4096), REGION_BYTES));
	use_region(&vq[0]);
	drv_vq_setup(&vq[1], &drv, NUM, 1, 8, RINGS, 8192, false);
	use_region(&vq[1]);
	drv_reset_vqueue(&drv, NUM, 0);
	use_region(&vq[1]);
	drv_vq_setup(&vq[0], &drv, NUM, 0, 4, RINGS, 0, false);
	use_region(&vq[0]);
	assert_true(lend(0, 0));
	expect_none(0);
	assert_int_equal(drv_area_del(&drv, REGION), XVM_STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_get_shm, start, stop),
		cmocka_unit_test_setup_teardown(test_use, start, stop),
	};

	return RIG_RUN_BOTH(tests);
}
