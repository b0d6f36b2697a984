// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any sequence of valid messages to one device, through dom0/bus over a pair of
 * rings, and to a model of it (tests/support/vdev_model.h): the same answers,
 * byte for byte and in order, and EVENT_CONFIG when and only when it is due.
 * The input is a script; between messages it offers buffers, ends I/O, changes
 * the configuration, breaks the device, scribbles over the guest's memory.
 */
/* LINK: dom0/bus dom0/virtio dom0/base/log.c xen/proto tests/support/vdev_model.c */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../dom0/base/log.h"
#include "../../dom0/bus/bus.h"
#include "../../dom0/ipc.h"
#include "../../dom0/virtio/aio.h"
#include "../../dom0/virtio/vdev.h"
#include "../../include/xvmsg/xenbus.h"
#include "../../xen/proto/page.h"
#include "../../xen/proto/ring.h"
#include "../support/vdev_model.h"

#define NUM		300u
#define ABSENT		7u
#define DEVICE_ID	61u
#define VENDOR_ID	0x584d5658u
#define TYPE_FEATURE	(1ull << 3)
#define OFFERED		(TYPE_FEATURE | XVM_F_INDIRECT_DESC | XVM_F_EVENT_IDX | XVM_F_VERSION_1 | \
			 XVM_F_ACCESS_PLATFORM | XVM_F_RING_PACKED | XVM_F_IN_ORDER | \
			 XVM_F_RING_RESET)
#define RING_ORDER	1u
#define RING_BYTES	(4096u << RING_ORDER)
#define CREDITS		8u
#define AREA_PAGES	4u
#define MAX_STEPS	300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the device under test: holds what it pops until it is told ---- */

struct held {
	u16 head[MODEL_QUEUE_MAX];
	u32 n, started;		/* the first so many; the rest waits for a kick */
};

static struct {
	struct xvm_vdev *vdev;
	struct held queue[MODEL_QUEUES];
	bool late, stubborn;
} dev;

struct input {
	const u8 *at;
	size_t left;
};

static struct {
	struct input in;
	struct bus *bus;
	struct xvm_ring_tx tx;
	struct xvm_ring_rx rx;
	struct model model;
	u16 token;
	u32 to_map;		/* area the bus wants; 0: none */
	u8 *area[MODEL_AREAS];
	struct model_request now[CREDITS];	/* due answers outside the lane, in order */
	u32 n_now;
} run;

static void require(bool fact)
{
	if (!fact)
		abort();
}

static bool dev_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct held *h = &dev.queue[vq->index];
	struct iovec iov[2 * MODEL_QUEUE_MAX];
	struct xvm_chain chain;

	if (!dev.stubborn)
		h->started = h->n;
	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
			return false;
		require(h->n < MODEL_QUEUE_MAX);
		h->head[h->n++] = chain.head;
		if (!dev.stubborn)
			h->started = h->n;
	}
	return true;
}

static void give_back(struct xvm_vdev *vdev, u32 queue, u32 which)
{
	struct held *h = &dev.queue[queue];
	u16 head = h->head[which];

	h->n--;
	if (which < h->started)
		h->started--;
	memmove(&h->head[which], &h->head[which + 1], (h->n - which) * sizeof(h->head[0]));
	xvm_vdev_complete(vdev, &vdev->vq[queue], head, 0);
}

static void dev_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	u32 i;

	for (i = 0; i < MODEL_QUEUES; i++)
		while ((!vq || vq->index == i) && dev.queue[i].n > dev.queue[i].started)
			give_back(vdev, i, dev.queue[i].n - 1);
}

static bool dev_start(struct xvm_vdev *vdev)
{
	(void)vdev;
	return !dev.late;
}

static bool dev_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	(void)vdev, (void)len;
	return off >= MODEL_WRITABLE;
}

static int dev_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why,
		      size_t why_bytes)
{
	u32 i;

	(void)desc, (void)fds, (void)why, (void)why_bytes;
	dev.vdev = vdev;
	vdev->offered = TYPE_FEATURE;
	vdev->config_bytes = MODEL_CONFIG;
	for (i = 0; i < MODEL_QUEUES; i++)
		vdev->vq[i].max_size = MODEL_QUEUE_MAX;
	return 0;
}

static void dev_destroy(struct xvm_vdev *vdev)
{
	u32 i;

	(void)vdev;
	for (i = 0; i < MODEL_QUEUES; i++)
		require(!dev.queue[i].n);
	dev.vdev = NULL;
}

static const struct xvm_vdev_type dev_type = {
	.name = "fuzz", .device_id = DEVICE_ID, .num_vqs = MODEL_QUEUES,
	.create = dev_create, .destroy = dev_destroy, .start = dev_start, .kick = dev_kick,
	.config_written = dev_config_written, .cancel = dev_cancel,
};

const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id)
{
	(void)backend;
	return device_id == DEVICE_ID ? &dev_type : NULL;
}

/* The bus asks for a timer when areas come too fast; they do not here. */
int xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms)
{
	(void)aio, (void)req, (void)ms;
	abort();
}

/* ---- who carries the bus ---- */

static void host_map(void *arg, struct xvm_ipc_map *map)
{
	(void)arg;
	run.to_map = map->area;
}

static void host_unmapped(void *arg, uint32_t area, uint32_t npages)
{
	(void)arg, (void)npages;
	munmap(run.area[area], AREA_PAGES * 4096);
	run.area[area] = NULL;
}

static void host_dev_state(void *arg, uint16_t num, int state, const char *reason)
{
	(void)arg, (void)num, (void)reason;
	if (state == XVM_DEV_BROKEN)
		model_broke(&run.model);
}

static void host_notify(void *arg)
{
	(void)arg;
}

static const struct bus_host host = { host_map, host_unmapped, host_dev_state, host_notify, NULL };

static void map_area(u32 id)
{
	int fd = memfd_create("area", MFD_CLOEXEC);

	require(fd >= 0 && !ftruncate(fd, AREA_PAGES * 4096));
	run.area[id] = mmap(NULL, AREA_PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	bus_map_done(run.bus, id, XVM_STATUS_OK, 0, fd);
}

/* ---- what comes back ---- */

static void look_in_flight(void)
{
	u32 i;

	for (i = 0; dev.vdev && i < MODEL_QUEUES; i++) {
		run.model.in_flight[i] = dev.vdev->vq[i].in_flight;
		run.model.started[i] = dev.queue[i].started;
		require(run.model.in_flight[i] == dev.queue[i].n);
	}
}

static bool is_next(struct model_request *due, u32 *n, const u8 *buf, u32 len)
{
	if (!*n || due->len != len || memcmp(due->msg, buf, len))
		return false;
	--*n;
	memmove(due, due + 1, *n * sizeof(*due));
	return true;
}

static void take_event(const u8 *buf, u32 len)
{
	struct xvm_msg_event_config c;

	if (buf[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_BUS)
		return;		/* EVENT_DEVICE, when it arrives */
	if (buf[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_EVENT_USED) {
		require(xvm_msg_get_u32(buf) < MODEL_QUEUES);
		return;
	}
	require(buf[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_EVENT_CONFIG && run.model.owes_config);
	require(!xvm_msg_get_event_config(buf, len, &c) && !c.data);
	require(!c.offset && c.length == run.model.news);
	require(c.device_status == run.model.status && c.generation == run.model.generation);
	run.model.owes_config = run.model.news = false;
}

static void take(const u8 *buf, u32 len)
{
	const struct xvm_msg_row *row;
	struct xvm_hdr hdr;

	require(xvm_frame_check(XVM_DIALECT_PR28, XVM_SIDE_DEVICE, MODEL_MESSAGE, buf, len, &hdr,
				&row) == XVM_FRAME_OK);
	if (is_next(run.now, &run.n_now, buf, len) ||
	    is_next(run.model.answers, &run.model.n_answers, buf, len))
		return;
	require(xvm_msg_is_event(row));
	take_event(buf, len);
}

/* Lets the bus work until it would sleep, then all that was due has come. */
static void settle(void)
{
	u8 buf[MODEL_MESSAGE];
	u32 passes = 0;
	bool more;
	int len;

	do {
		more = bus_pass(run.bus);
		if (run.to_map) {
			map_area(run.to_map);
			run.to_map = 0;
			more = true;
		}
		while ((len = xvm_ring_rx_get(&run.rx, buf, sizeof(buf))) >= 0)
			take(buf, (u32)len);
		require(len == -EAGAIN);
		xvm_ring_rx_publish(&run.rx);
		require(passes++ < 1000);
	} while (more || bus_arm(run.bus));
	require(!run.model.n_answers && !run.n_now && !run.model.owes_config);
	look_in_flight();
}

/* ---- what goes out ---- */

static u8 next(void)
{
	if (!run.in.left)
		return 0;
	run.in.left--;
	return *run.in.at++;
}

static u32 next32(void)
{
	u32 low = next();

	return low | (u32)next() << 8;
}

static void put(u8 *msg, u32 len)
{
	require(!xvm_ring_tx_put(&run.tx, msg, len, false));
	xvm_ring_tx_publish(&run.tx);
}

static u16 finish(u8 *msg)
{
	if (!++run.token)
		run.token++;
	xvm_msg_finish(msg, false, run.token);
	return run.token;
}

/* A request in the device's lane. One credit stays for the requests outside of it. */
static void ask(u8 *msg, u32 len)
{
	if (run.model.n_waiting + 1 >= CREDITS)
		return;
	finish(msg);
	model_request(&run.model, msg, len);
	put(msg, len);
	settle();
}

static void ask_u32(u8 id, u32 value)
{
	u8 msg[16];

	ask(msg, xvm_msg_put_u32(msg, 0, id, NUM, value));
}

static void due_now(const u8 *msg, u32 len)
{
	struct model_request *due = &run.now[run.n_now++];

	memcpy(due->msg, msg, len);
	due->len = len;
}

static void ask_bus(u8 op)
{
	u8 msg[32], answer[MODEL_MESSAGE];
	u32 len, answer_len, from;

	if (op & 1) {
		from = next32() & (op & 2 ? 0xffff : 0xfff8);
		len = xvm_msg_put_get_devices(msg, (u16)from,
					      (u16)(next32() & (op & 4 ? 0xffff : 0x7f8)));
		finish(msg);
		answer_len = model_get_devices(&run.model, msg, answer);
	} else {
		len = xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, next32());
		finish(msg);
		memcpy(answer, msg, answer_len = len);
	}
	xvm_msg_finish(answer, true, run.token);
	due_now(answer, answer_len);
	put(msg, len);
	settle();
}

static void ask_absent(void)
{
	struct xvm_msg_request_failed f = { .dev_num = ABSENT, .reason = XVM_FAILED_NO_DEVICE };
	u8 msg[16], failed[16];
	u32 len = xvm_msg_put_u32(msg, 0, VIRTIO_MSG_RESET_VQUEUE, ABSENT, 0);

	f.token = finish(msg);
	f.id = VIRTIO_MSG_RESET_VQUEUE;
	len = len < sizeof(msg) ? len : sizeof(msg);
	xvm_msg_put_request_failed(failed, &f);
	xvm_msg_finish(failed, false, 0);
	due_now(failed, 16);
	put(msg, len);
	settle();
}

static void set_features(u8 op)
{
	static const u32 low[] = { 0, TYPE_FEATURE, (u32)OFFERED, ~0u };
	static const u32 high[] = { 3, 1, 7, 11, 15, (u32)(OFFERED >> 32), ~0u, 0 };
	u32 words[3] = { low[op & 3], high[op >> 2 & 7], op >> 5 & 1 ? next() : 0 }, from = 0, n = 2;
	u8 msg[64];

	if (op & 0x40) {
		from = next() % 4;
		n = next() % 4;
	}
	if (op & 0x80)
		from = 0xfffffffe + next() % 4;
	if (from == 1)
		words[0] = words[1];
	ask(msg, xvm_msg_put_features(msg, VIRTIO_MSG_SET_DRIVER_FEATURES, NUM, from, n, words));
}

static u32 any32(void)
{
	static const u32 edge[] = { 0x80000000, 0xfffffff0, 0xffffffff, 0x7fffffff };
	u8 b = next();

	return b < 0xf0 ? b % 24 : b < 0xf8 ? next32() : edge[b & 3];
}

static void config(bool write)
{
	struct xvm_msg_config c = { .generation = run.model.generation };
	u8 msg[MODEL_MESSAGE], data[MODEL_CONFIG + 8], i;

	if (!write) {
		c.offset = any32();
		ask(msg, xvm_msg_put_get_config(msg, NUM, c.offset, any32()));
		return;
	}
	c.offset = any32();
	c.length = next() % sizeof(data);
	c.generation += next() % 8 == 0;
	for (i = 0; i < c.length; i++)
		data[i] = (u8)(c.offset + i + run.token);
	c.data = c.length ? data : NULL;
	ask(msg, xvm_msg_put_config(msg, VIRTIO_MSG_SET_CONFIG, NUM, &c));
}

/* Where a good queue of this index lies; the rest of the script may move it. */
static void set_vqueue(u8 op)
{
	static const u32 sizes[] = { 8, 16, 1, 3, 0, 17, 32, 0x10008 };
	static const u64 moves[] = { 1, 2, 4, 8, 16, 4096 * AREA_PAGES - 0x400, 1ull << 40,
				     1ull << 63 };
	u32 q = op & 3;
	u64 base = xvm_addr_make(1 + (op >> 2 & 1), q % MODEL_QUEUES * 0x400);
	struct xvm_msg_vqueue v = {
		.index = q == 3 ? any32() : q, .size = sizes[0],
		.desc_addr = base, .driver_addr = base + 0x180, .device_addr = base + 0x200,
	};
	u8 msg[64], b;

	if (op & 8)
		v.size = sizes[next() & 7];
	if (op & 16) {
		b = next();
		*(b & 8 ? &v.driver_addr : b & 16 ? &v.device_addr : &v.desc_addr) += moves[b & 7];
	}
	if (op & 32)
		v.driver_addr = 0;
	ask(msg, xvm_msg_put_set_vqueue(msg, XVM_DIALECT_PR28, NUM, &v));
}

static void set_status(u8 op)
{
	static const u32 values[] = { 0, 1, 3, 11, 15, 0, 4, 12, 8, 128, 64, 0xffffffff, 2, 139,
				      0x10, 79 };

	ask_u32(VIRTIO_MSG_SET_DEVICE_STATUS, values[op & 15]);
}

/* The area's id may be one that the device does not have (any more): answered outside the lane. */
static void area_del(u8 op)
{
	u16 id = op % MODEL_AREAS;
	struct xvm_msg_area_status s = { .id = id, .status = XVM_STATUS_NO_AREA };
	u8 msg[16], answer[16];
	u32 len = xvm_msg_put_number(msg, XVM_BUS_MSG_AREA_DEL, id);

	if (run.model.area_bytes[id]) {
		ask(msg, len);
		return;
	}
	finish(msg);
	len = xvm_msg_put_area_status(answer, XVM_BUS_MSG_AREA_DEL, &s);
	xvm_msg_finish(answer, true, run.token);
	due_now(answer, len);
	put(msg, 12);
	settle();
}

/* ---- the data path: whatever, but some of it works ---- */

static void offer(u32 q)
{
	struct xvm_vq *vq = &dev.vdev->vq[q];
	u32 n = next() % 4;
	u16 idx, at;
	u8 *desc;

	while (vq->enabled && n--) {
		idx = vq->packed ? vq->last_avail : xvm_get16(vq->avail + 2);
		at = (u16)(idx % vq->config.size);
		desc = vq->desc + 16 * at;
		xvm_put64(desc, xvm_addr_make(1, 0x3000));
		xvm_put32(desc + 8, 8);
		xvm_put16(desc + 12, vq->packed ? (u16)(run.token + n) : 2);
		xvm_put16(desc + 14, vq->packed ? 2 | (vq->avail_wrap ? 0x80 : 0x8000) : 0);
		if (vq->packed)
			break;
		xvm_put16(vq->avail + 4 + 2 * at, at);
		xvm_put16(vq->avail + 2, (u16)(idx + 1));
	}
}

static void kick(u32 q)
{
	struct xvm_msg_event_avail e = { .vq_index = q };
	u8 msg[16];
	u32 len = xvm_msg_put_event_avail(msg, NUM, &e);

	xvm_msg_finish(msg, false, 0);
	put(msg, len);
}

static void io(u8 op)
{
	u32 q = op & 3, i;

	if (q == 3) {
		kick(any32());
		return;
	}
	switch (op >> 2 & 7) {
	case 0:
	case 1:
	case 2:
		offer(q);
		kick(q);
		break;
	case 3:
	case 4:
		if (dev.queue[q].started) {
			give_back(dev.vdev, q, next() % dev.queue[q].started);
			xvm_vdev_flush(dev.vdev, &dev.vdev->vq[q]);
		}
		break;
	case 5:
		dev.stubborn = !dev.stubborn;
		for (i = 0; !dev.stubborn && i < MODEL_QUEUES; i++)
			if (dev.queue[i].n > dev.queue[i].started)
				dev.vdev->ops->again(dev.vdev, &dev.vdev->vq[i]);
		break;
	case 6:
		i = next32() % (AREA_PAGES * 4096);
		if (run.area[1 + (op >> 5 & 1)])
			run.area[1 + (op >> 5 & 1)][i] ^= next();
		break;
	case 7:
		offer(q);	/* not kicked */
		break;
	}
}

static void device(u8 op)
{
	switch (op & 3) {
	case 0:
		dev.vdev->config[0]++;
		run.model.config[0]++;
		model_config_changed(&run.model);
		xvm_vdev_config_changed(dev.vdev);
		break;
	case 1:
		if (next() % 4)
			break;
		xvm_vdev_broken(dev.vdev, "as the script says");
		xvm_vdev_flush(dev.vdev, &dev.vdev->vq[0]);
		break;
	case 2:
		dev.late = !dev.late;
		break;
	case 3:
		xvm_vdev_ready(dev.vdev);
		break;
	}
}

/* What a driver does, in its order. */
static void bring_up(u8 op)
{
	u32 q;

	set_status(0);
	set_status(1);
	set_status(2);
	set_features((u8)(2 | (op & 7) << 2));
	set_status(3);
	for (q = 0; q < MODEL_QUEUES; q++)
		if (op >> 3 & 1u << q)
			set_vqueue((u8)(q | (op >> 4 & 4)));
	set_status(4);
}

static void step(void)
{
	static const u8 simple[] = {
		VIRTIO_MSG_GET_DEVICE_INFO, VIRTIO_MSG_GET_DEVICE_STATUS,
	};
	u8 what = next(), op = next(), msg[32];
	u32 from;

	switch (what % 16) {
	case 0:
		ask(msg, xvm_msg_put_empty(msg, 0, simple[op & 1], NUM));
		break;
	case 1:
		from = any32();
		ask(msg, xvm_msg_put_get_features(msg, NUM, from, any32()));
		break;
	case 2:
		set_features(op);
		break;
	case 3:
		config(op & 1);
		break;
	case 4:
		set_status(op);
		break;
	case 5:
		ask_u32(VIRTIO_MSG_GET_VQUEUE, any32() % 4);
		break;
	case 6:
		set_vqueue(op);
		break;
	case 7:
		ask_u32(VIRTIO_MSG_RESET_VQUEUE, op & 3);
		break;
	case 8:
		ask_u32(op & 1 ? VIRTIO_MSG_GET_SHM : VIRTIO_MSG_GET_VQUEUE, any32());
		break;
	case 9:
		ask_bus(op);
		break;
	case 10:
		area_del(op);
		break;
	case 11:
		if (op & 0x80)
			ask_absent();
		else
			bring_up(op);
		break;
	case 12:
		device(op);
		break;
	default:
		io(op);
	}
	/* What an end of I/O sets free is answered, in order. */
	look_in_flight();
	model_run(&run.model);
	settle();
}

/* ---- one run ---- */

static u8 *shared;

static void add_area(u16 id)
{
	struct xvm_msg_area_add add = { .id = id, .scope = NUM, .npages = AREA_PAGES, .ndirs = 1,
					.dir_ref = { 9 } };
	struct xvm_msg_area_status s = { .id = id };
	u8 msg[128], answer[16];
	u32 len = xvm_msg_put_area_add(msg, &add), answer_len;

	finish(msg);
	answer_len = xvm_msg_put_area_status(answer, XVM_BUS_MSG_AREA_ADD, &s);
	xvm_msg_finish(answer, true, run.token);
	due_now(answer, answer_len);
	put(msg, len);
	settle();
	run.model.area_bytes[id] = AREA_PAGES * 4096;
}

static void begin(const uint8_t *data, size_t size)
{
	struct xvm_ipc_dev_add desc = { .num = NUM, .device_id = DEVICE_ID };
	struct bus_link link = { .max_message = MODEL_MESSAGE, .credits = CREDITS,
				 .ring_bytes = RING_BYTES };
	struct xvm_page_refs refs = { 0 };
	struct xvm_ring_mem mem;

	memset(&run, 0, sizeof(run));
	memset(&dev, 0, sizeof(dev));
	run.in = (struct input){ data, size };
	run.model.num = NUM;
	run.model.device_id = DEVICE_ID;
	run.model.vendor_id = VENDOR_ID;
	run.model.offered = OFFERED;
	if (!shared)
		shared = aligned_alloc(4096, 4096 + 2 * RING_BYTES);
	memset(shared, 0, 4096 + 2 * RING_BYTES);
	xvm_page_init(shared, RING_ORDER, &refs);
	link.control = shared;
	link.drv = shared + 4096;
	link.dev = link.drv + RING_BYTES;
	xvm_ring_mem_init(&mem, link.control, link.drv, RING_BYTES, true);
	require(!xvm_ring_tx_init(&run.tx, &mem, MODEL_MESSAGE, XVM_DEVICE_CREDITS));
	xvm_ring_mem_init(&mem, link.control, link.dev, RING_BYTES, false);
	xvm_ring_rx_init(&run.rx, &mem, MODEL_MESSAGE);
	run.bus = bus_new(&host, NULL, NULL);
	require(run.bus && !bus_connect(run.bus, &link));
	bus_add_device(run.bus, &desc, NULL);
	settle();
	add_area(1);
	add_area(2);
}

static void end(void)
{
	u32 i, reason, detail;

	require(!bus_failed(run.bus, &reason, &detail));
	bus_stop(run.bus);
	for (i = 0; i < 100 && !bus_idle(run.bus); i++) {
		bus_pass(run.bus);
		for (u32 q = 0; dev.vdev && q < MODEL_QUEUES; q++) {
			while (dev.queue[q].n)
				give_back(dev.vdev, q, 0);
			xvm_vdev_flush(dev.vdev, &dev.vdev->vq[q]);
		}
	}
	require(bus_idle(run.bus) && !run.area[1] && !run.area[2]);
	bus_free(run.bus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 i;

	log_set_level(LOG_EMERG);
	begin(data, size);
	for (i = 0; i < MAX_STEPS && run.in.left; i++)
		step();
	end();
	return 0;
}
