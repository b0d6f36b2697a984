// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver-side statements of docs/conformance.md, on the guest module: its
 * virtio part (domU/virtio_msg_*.c, the code that runs in guests) between a
 * small virtio core and a whole worker, an observer reading every message. Its
 * Xen part is not here; the cases on a real Xen show that.
 */
/* LINK: dom0/base dom0/virtio dom0/bus dom0/worker/aio.c dom0/worker/worker.c dom0/worker/control.c */
/* LINK: xen/proto tests/support/rig.c tests/support/drv.c tests/support/drv_vq.c tests/support/toy.c */
/* LINK: tests/support/observer.c tests/support/observer_driver.c tests/support/observer_device.c */
/* LINK: tests/support/tap.c tests/support/kvirtio.c */
/* LINK: domU/virtio_msg_core.c domU/virtio_msg_config.c domU/virtio_msg_vq.c */
/* LIBS: -l:liburing.a -Wl,--wrap=xvm_ring_tx_put,--wrap=xvm_ring_rx_get */
#include "../support/test.h"
#include "../support/kvirtio.h"
#include "../../domU/virtio_msg_core.h"
#include "../support/toy_rig.h"

bool *shim_param_packed(void);	/* of the module */

static struct vmsg_device *vm;
static struct device parent = { .name = "bus" };
static struct drv_vq rings[TOY_QUEUES];
static struct virtqueue *vqs[TOY_QUEUES];
static u32 configs_told, released;

/* ---- the bus under the module ---- */

static bool spoil;	/* have the device refuse FEATURES_OK */
static u32 hidden;	/* bits of the second feature block that the module does not get to see */
static u32 lie;		/* status bits in every answer to GET_DEVICE_STATUS */
static u32 forgotten;	/* calls of forget_kick */

/* Bit 20 was not offered: with it acknowledged, FEATURES_OK does not stay. */
static void spoil_features(const u8 *msg)
{
	if (msg[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_SET_DEVICE_STATUS &&
	    xvm_msg_get_u32(msg) & VIRTIO_CONFIG_S_FEATURES_OK)
		drv_set_features(&drv, NUM, 1ull << 20);
}

static void falsify(u8 *answer, u8 id)
{
	if (id == VIRTIO_MSG_GET_DEVICE_FEATURES)
		xvm_put32(answer + 20, xvm_get32(answer + 20) & ~hidden);
	if (id == VIRTIO_MSG_GET_DEVICE_STATUS)
		xvm_put32(answer + 8, xvm_get32(answer + 8) | lie);
}

static int bus_transfer(struct vmsg_device *dev, const u8 *msg, u32 len, u8 *answer)
{
	u8 copy[512];
	u32 n;

	if (spoil)
		spoil_features(msg);
	memcpy(copy, msg, len);
	n = drv_ask(&drv, copy, len);
	if (!n)
		return -ENODEV;
	assert_true(n <= dev->max_message);
	memcpy(answer, drv.answer, n);
	falsify(answer, msg[VIRTIO_MSG_HDR_ID]);
	return (int)n;
}

static void bus_kick(struct vmsg_device *dev, u32 vq_index)
{
	struct xvm_msg_event_avail m = { .vq_index = vq_index };
	u8 msg[16];
	u32 len = xvm_msg_put_event_avail(msg, dev->dev_num, &m);

	xvm_msg_finish(msg, false, 0);
	assert_int_equal(drv_put(&drv, msg, len), 0);
}

static void bus_forget_kick(struct vmsg_device *dev, u32 vq_index)
{
	(void)dev;
	assert_true(vq_index < TOY_QUEUES);
	forgotten++;
}

static int bus_prepare(struct vmsg_device *dev, u32 nvqs, u32 entries)
{
	(void)dev;
	assert_int_equal(nvqs, TOY_QUEUES);
	assert_true(entries <= TOY_QUEUES * TOY_QUEUE_SIZE);
	return 0;
}

static void bus_synchronize(struct vmsg_device *dev)
{
	(void)dev;
}

static void bus_release(struct vmsg_device *dev)
{
	released++;
	vmsg_device_free(dev);
}

static const struct vmsg_bus_ops bus_ops = {
	.transfer = bus_transfer,
	.kick = bus_kick,
	.forget_kick = bus_forget_kick,
	.prepare_vqs = bus_prepare,
	.synchronize = bus_synchronize,
	.release = bus_release,
};

/* What came as events is told to the module, as xen_bus.c does. */
static void pump(void)
{
	u32 i;

	drv_poll(&drv, 5);
	if (drv.configs[NUM] != configs_told) {
		configs_told = drv.configs[NUM];
		vmsg_event_config(vm, &drv.config[NUM]);
	}
	for (i = 0; drv.used[NUM]; i++, drv.used[NUM] >>= 1)
		if (drv.used[NUM] & 1)
			vmsg_event_used(vm, i);
}

#define PUMP_UNTIL(condition) do { \
	bool there_ = (condition); \
	int i_; \
	for (i_ = 0; i_ < 500 && !there_; i_++) { \
		pump(); \
		there_ = (condition); \
	} \
	assert_true(there_); \
} while (0)

/* ---- the driver on top ---- */

static void *make_ring(struct virtqueue *vq, u32 size, u64 addr[3])
{
	struct drv_vq *r = &rings[vq->index];

	drv_vq_init(r, &drv, NUM, (u16)vq->index, (u16)size, AREA, vq->index * 0x4000,
		    __virtio_test_bit(vq->vdev, 29),
		    __virtio_test_bit(vq->vdev, VIRTIO_F_RING_PACKED));
	addr[0] = r->config.desc_addr;
	addr[1] = r->config.driver_addr;
	addr[2] = r->config.device_addr;
	return r;
}

static int find_vqs(struct virtio_device *vdev)
{
	static struct virtqueue_info infos[TOY_QUEUES] = { { "a", NULL, false },
							   { "b", NULL, false } };

	return vdev->config->find_vqs(vdev, TOY_QUEUES, vqs, infos, NULL);
}

static int probe_and_read(struct virtio_device *vdev)
{
	u8 config[TOY_CONFIG];

	kvirtio_cread(vdev, 0, config, sizeof(config));
	return find_vqs(vdev);
}

static const struct kvirtio_driver good = { TOY_FEATURE, probe_and_read, make_ring };
static const struct kvirtio_driver no_read = { TOY_FEATURE, find_vqs, make_ring };

static void start_io(u32 index)
{
	offer(&rings[index]);
	rings[index].kicked_idx = rings[index].avail_idx;
	rings[index].added = 0;
	assert_true(vqs[index]->notify(vqs[index]));
}

static void io(u32 index)
{
	u32 len, before = vqs[index]->interrupts;
	int head = -1;

	start_io(index);
	PUMP_UNTIL((head = drv_vq_get(&rings[index], &len)) >= 0);
	assert_int_equal(buffer()[0], TOY_BYTE);
	PUMP_UNTIL(vqs[index]->interrupts > before);
	/* Asks for an interrupt with the next one. */
	assert_int_equal(drv_vq_get(&rings[index], &len), -1);
}

static bool status_has(u8 bits)
{
	return (vm->vdev.config->get_status(&vm->vdev) & bits) == bits;
}

/* ---- life ---- */

static void begin(void)
{
	configs_told = released = 0;
	spoil = false;
	hidden = lie = forgotten = 0;
	*shim_param_packed() = false;
	kvirtio_driver = &good;
	add_toy(NUM);
	drv_area_new(&drv, AREA, NUM, PAGES);
	vm = vmsg_device_alloc(&bus_ops, &parent, NUM, rig.max_message);
	assert_non_null(vm);
	vm->dialect = rig_dialect;
}

static void let_go(void)
{
	vmsg_device_put(vm);
	assert_int_equal(released, 1);
}

static int stop(void **state)
{
	let_go();
	return stop_all(state);
}

/* For cases that make the module forget what it knew. */
static int stop_forged(void **state)
{
	let_go();
	return stop_device(state);
}

static void up(void)
{
	assert_int_equal(vmsg_device_register(vm), 0);
	assert_int_equal(kvirtio_probe_result, 0);
	assert_true(status_has(VIRTIO_CONFIG_S_DRIVER_OK));
}

static void order(u8 word)
{
	vm->vdev.config->set(&vm->vdev, 0, &word, 1);
}

/* ---- cases ---- */

static void test_life(void **state)
{
	(void)state;
	up();
	assert_int_equal(vm->vdev.id.device, TOY_ID);
	assert_true(__virtio_test_bit(&vm->vdev, VIRTIO_F_VERSION_1));
	assert_true(__virtio_test_bit(&vm->vdev, VIRTIO_F_ACCESS_PLATFORM));
	io(0);
	io(1);
	io(0);
	vmsg_device_unregister(vm);
	assert_int_equal(drv_status(&drv, NUM), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	judged("01 07 08 09 10 11 13 14 15 16 17 18 19 20 21 23 24 27 28 29 30 31 32 33 40 42 43 44 "
	       "45 46 48 49 52 ",
	       "01 16 17 18 19 22 23 24 25 26 27 28 29 30 31 32 35 40 41 45 46 48 55 57 58 59 60 61 "
	       "62 63 64 65 67 71 72 ");
}

/* Written at the generation that was read; a change is told to the driver and read again. */
static void test_config(void **state)
{
	u8 before[TOY_CONFIG], after[TOY_CONFIG];

	(void)state;
	up();
	kvirtio_cread(&vm->vdev, 0, before, sizeof(before));
	order(TOY_CHANGE);
	PUMP_UNTIL(vm->vdev.config_changes);
	kvirtio_cread(&vm->vdev, 0, after, sizeof(after));
	assert_memory_not_equal(before, after, TOY_CONFIG);
	order(TOY_CHANGE);
	io(0);
	judged("05 18 21 22 36 46 47 ", "05 06 08 26 48 49 ");
	vmsg_device_unregister(vm);
}

/* Beyond the configuration nothing is asked for; the driver gets zeroes. */
static void test_config_range(void **state)
{
	u8 buf[4] = { 1, 1, 1, 1 };

	(void)state;
	up();
	vm->vdev.config->get(&vm->vdev, TOY_CONFIG - 2, buf, 4);
	assert_int_equal(xvm_get32(buf), 0);
	vm->vdev.config->set(&vm->vdev, TOY_CONFIG, buf, 1);
	vmsg_device_unregister(vm);
}

static bool write_took(u8 word)
{
	u8 is = 0;

	order(word);
	vm->vdev.config->get(&vm->vdev, 0, &is, 1);
	return is == word;
}

/* A write refused for its generation is done again with the one the device has now. */
static void test_stale_write(void **state)
{
	(void)state;
	up();
	vm->generation--;
	assert_true(write_took(TOY_SLOW));
	vmsg_device_unregister(vm);
}

static u64 messages(void)
{
	return rig_stats(&rig)->messages_in;
}

/* A generation that came by EVENT_CONFIG goes with the next write, which so succeeds at once. */
static void test_event_generation(void **state)
{
	u64 before;

	(void)state;
	up();
	order(TOY_CHANGE);
	PUMP_UNTIL(vm->vdev.config_changes);
	vm->generation--;	/* as if the change had been the device's own, told by the event */
	vmsg_event_config(vm, &drv.config[NUM]);
	before = messages();
	order(TOY_CHANGE);
	assert_int_equal(messages() - before, 1);
	vmsg_device_unregister(vm);
}

/* A refused write is followed by a read before it is tried again. */
static void test_read_before_retry(void **state)
{
	u64 before;
	u32 asked;

	(void)state;
	up();
	vm->generation--;
	asked = xvm_observer_judged(tap_observer(), "DRV-46");
	before = messages();
	order(TOY_SLOW);
	assert_int_equal(messages() - before, 3);
	assert_int_equal(xvm_observer_judged(tap_observer(), "DRV-46") - asked, 1);
	vmsg_device_unregister(vm);
}

/* With nothing read yet, the first write is preceded by a read. */
static void test_first_write(void **state)
{
	u64 before;

	(void)state;
	kvirtio_driver = &no_read;
	up();
	before = messages();
	order(TOY_SLOW);
	assert_int_equal(messages() - before, xvm_dialect_rules(rig_dialect)->generation_checked ? 2 : 1);
	judged("22 ", "08 ");
	vmsg_device_unregister(vm);
}

/* Somebody else set a queue up that the module is about to use. */
static void occupy(void)
{
	struct xvm_msg_vqueue m = {
		.index = 0, .size = 8, .desc_addr = xvm_addr_make(AREA, 0xc000),
		.driver_addr = xvm_addr_make(AREA, 0xd000), .device_addr = xvm_addr_make(AREA, 0xe000),
		.flags = VIRTIO_MSG_VQ_ENABLE,
	};

	drv_set_vqueue(&drv, NUM, &m);
}

static int occupied_find_vqs(struct virtio_device *vdev)
{
	occupy();
	return find_vqs(vdev);
}

static const struct kvirtio_driver occupied = { TOY_FEATURE, occupied_find_vqs, make_ring };

/* A queue that is in use already is not programmed. */
static void test_queue_in_use(void **state)
{
	(void)state;
	kvirtio_driver = &occupied;
	hidden = 1u << (VIRTIO_F_RING_RESET - 32);
	assert_int_equal(vmsg_device_register(vm), 0);
	assert_int_equal(kvirtio_probe_result, -EBUSY);
	vmsg_device_unregister(vm);
}

/* It is reset first where that is possible. */
static void test_queue_freed(void **state)
{
	(void)state;
	kvirtio_driver = &occupied;
	up();
	io(0);
	judged("25 50 ", "66 68 69 70 ");
	vmsg_device_unregister(vm);
}

/* A queue gets another ring at run time, by way of its reset; the other one goes on. */
static void test_ring_reset(void **state)
{
	(void)state;
	up();
	io(0);
	assert_int_equal(kvirtio_resize(vqs[0], TOY_QUEUE_SIZE / 2), 0);
	assert_int_equal(rings[0].size, TOY_QUEUE_SIZE / 2);
	assert_int_equal(forgotten, 1);
	io(0);
	io(1);
	/* Between the two steps no event finds it, and it is not set up twice. */
	assert_int_equal(vm->vdev.config->disable_vq_and_reset(vqs[0]), 0);
	assert_false(vmsg_event_used(vm, 0));
	assert_int_equal(vm->vdev.config->enable_vq_after_reset(vqs[1]), -EBUSY);
	make_ring(vqs[0], TOY_QUEUE_SIZE / 2, (u64[3]){ 0 });
	assert_int_equal(vm->vdev.config->enable_vq_after_reset(vqs[0]), 0);
	io(0);
	judged("25 39 50 ", "62 65 66 68 69 70 ");
	vmsg_device_unregister(vm);
}

/* Without the feature single queues are not reset. */
static void test_no_ring_reset(void **state)
{
	(void)state;
	hidden = 1u << (VIRTIO_F_RING_RESET - 32);
	up();
	assert_false(__virtio_test_bit(&vm->vdev, VIRTIO_F_RING_RESET));
	assert_int_equal(kvirtio_resize(vqs[0], 8), -ENOENT);
	io(0);
	vmsg_device_unregister(vm);
}

static void test_packed(void **state)
{
	(void)state;
	*shim_param_packed() = true;
	up();
	assert_true(__virtio_test_bit(&vm->vdev, VIRTIO_F_RING_PACKED));
	io(0);
	io(1);
	assert_int_equal(kvirtio_resize(vqs[0], 5), 0);
	io(0);
	vmsg_device_unregister(vm);
}

/* A device that wants a reset gets no more I/O before it had one. */
static void test_needs_reset(void **state)
{
	(void)state;
	up();
	io(0);
	order(TOY_BREAK);
	PUMP_UNTIL(vm->vdev.config_changes);
	assert_true(vqs[0]->broken && vqs[1]->broken);
	assert_true(status_has(VIRTIO_CONFIG_S_NEEDS_RESET));
	kvirtio_remove_driver(&vm->vdev);
	assert_false(status_has(VIRTIO_CONFIG_S_NEEDS_RESET));
	kvirtio_bind_driver(&vm->vdev);
	assert_int_equal(kvirtio_probe_result, 0);
	io(0);
	io(1);
	judged("41 ", "53 ");
	vmsg_device_unregister(vm);
}

/* The device is asked for its status; what it says without an event counts. */
static void test_status(void **state)
{
	u64 before;

	(void)state;
	up();
	before = messages();
	assert_true(status_has(VIRTIO_CONFIG_S_DRIVER_OK));
	assert_int_equal(messages() - before, 1);
	order(TOY_BREAK);
	assert_false(vqs[0]->broken);
	assert_true(status_has(VIRTIO_CONFIG_S_NEEDS_RESET));
	assert_true(vqs[0]->broken && vqs[1]->broken);
	kvirtio_remove_driver(&vm->vdev);
	/* Bits that nobody set are not shown: the virtio core trips over them. */
	lie = VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED;
	assert_false(status_has(VIRTIO_CONFIG_S_DRIVER_OK));
	assert_false(status_has(VIRTIO_CONFIG_S_FAILED));
	lie = 0;
	vmsg_device_unregister(vm);
}

static void test_refused(void **state)
{
	(void)state;
	/* A device that cannot be had: the answers stay within what the module asks. */
	vm->max_message = VIRTIO_MSG_SET_VQUEUE_BYTES - 1;
	assert_int_equal(vmsg_device_register(vm), -EPROTO);
}

/* The device does not take the features: no queue is set up, the driver is not there. */
static void test_features_refused(void **state)
{
	(void)state;
	spoil = true;
	assert_int_equal(vmsg_device_register(vm), 0);
	assert_int_not_equal(kvirtio_probe_result, 0);
	assert_false(status_has(VIRTIO_CONFIG_S_FEATURES_OK));
	assert_true(status_has(VIRTIO_CONFIG_S_FAILED));
	assert_int_equal(xvm_observer_judged(tap_observer(), "DRV-49"), 0);
	vmsg_device_unregister(vm);
}

static void test_small(void **state)
{
	u8 config[TOY_CONFIG];

	(void)state;
	up();
	kvirtio_cread(&vm->vdev, 0, config, sizeof(config));
	order(TOY_CHANGE);
	io(0);
	vmsg_device_unregister(vm);
}

/* The device goes: what is asked of it fails, and the module lets go. */
static void test_removal(void **state)
{
	(void)state;
	up();
	io(0);
	rig_del(&rig, NUM, true);
	DRV_UNTIL(&drv, drv.device_state[NUM] == VIRTIO_MSG_DEVICE_REMOVED);
	vmsg_device_unregister(vm);
	assert_true(vm->lost);
}

/* Numbers that no queue has, and events before there are queues. */
static void test_strange_events(void **state)
{
	struct xvm_msg_event_config m = { .device_status = 0, .generation = 99, .length = 4 };

	(void)state;
	assert_false(vmsg_event_used(vm, 0));
	vmsg_event_config(vm, &m);
	up();
	assert_int_equal(vm->vdev.config_changes, 1);
	assert_false(vmsg_event_used(vm, TOY_QUEUES));
	assert_false(vmsg_event_used(vm, 0xffffffff));
	assert_true(vmsg_event_used(vm, 1));
	assert_int_equal(vqs[1]->interrupts, 1);
	io(0);
	vmsg_device_unregister(vm);
}

/* draft2026: a refusal has nothing to do with generations, so it is not tried again. */
static void test_draft_refused_write(void **state)
{
	u64 before;

	(void)state;
	up();
	vm->generation--;
	assert_true(write_took(TOY_SLOW));
	before = messages();
	order(TOY_REFUSE);
	assert_int_equal(messages() - before, 1);
	vmsg_device_unregister(vm);
}

/* draft2026: the reset goes on behind its answer, and the module waits for its end. */
static void test_draft_reset(void **state)
{
	u64 before;

	(void)state;
	up();
	order(TOY_SLOW);
	start_io(0);
	drv_sync(&drv);
	before = messages();
	vm->vdev.config->reset(&vm->vdev);
	assert_false(vm->lost);
	assert_int_equal(vm->status, 0);
	assert_true(messages() - before > 2);
	vmsg_device_unregister(vm);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)
#define FORGED(f) cmocka_unit_test_setup_teardown(f, start, stop_forged)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_life), CASE(test_config), CASE(test_config_range),
		FORGED(test_stale_write), CASE(test_event_generation),
		CASE(test_first_write), FORGED(test_queue_in_use), FORGED(test_queue_freed),
		 CASE(test_ring_reset), CASE(test_no_ring_reset),
		CASE(test_packed), CASE(test_needs_reset), CASE(test_status),
		FORGED(test_features_refused),
		cmocka_unit_test_setup_teardown(test_small, start_small, stop), CASE(test_removal),
		CASE(test_strange_events),
	};
	const struct CMUnitTest pr28[] = {
		FORGED(test_read_before_retry), CASE(test_refused),
	};
	const struct CMUnitTest draft[] = {
		CASE(test_draft_refused_write), CASE(test_draft_reset),
	};

	return RIG_RUN_BOTH(tests) + RIG_RUN_IN(XVM_DIALECT_PR28, pr28) +
	       RIG_RUN_IN(XVM_DIALECT_DRAFT2026, draft);
}
