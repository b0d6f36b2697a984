// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Areas of a bus with two devices, over a supervisor that answers when and what the input says: announced, taken back,
 * released, devices removed meanwhile. Every valid request is answered once, one mapping is asked for at a time, the
 * budgets hold, and in the end as many pages are unmapped as were mapped. Input: steps of four bytes.
 */
/* LINK: dom0/base/log.c dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/types.c xen/proto */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../dom0/base/log.h"
#include "../../dom0/bus/bus_priv.h"
#include "../../dom0/ipc.h"
#include "../../xen/proto/addr.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)
#define RING_BYTES 32768u
#define CREDITS 32u
#define MAX_BYTES 264u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u8 control[4096] __attribute__((aligned(64)));
static u8 drv[RING_BYTES], dev[RING_BYTES];
static struct bus *bus;
static struct xvm_ring_tx tx;
static struct xvm_ring_rx rx;
static struct xvm_aio_req *timer;
static struct xvm_ipc_map held;
static bool holding;
static u32 mapped[128], mapped_pages;
static u8 waiting[65536];		/* by token: an answer is owed */
static u32 outstanding;
static u16 token;

/* ---- what the worker's other parts are to the bus ---- */

int xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms)
{
	(void)aio;
	CHECK(ms && (!timer || timer == req));
	timer = req;
	return 0;
}

int xvm_aio_readv(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov, unsigned int n,
		  off_t off)
{
	(void)aio, (void)req, (void)fd, (void)iov, (void)n, (void)off;
	return -EAGAIN;
}

int xvm_aio_writev(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov, unsigned int n,
		   off_t off)
{
	return xvm_aio_readv(aio, req, fd, iov, n, off);
}

/* No device here has a descriptor to wait for. */
int xvm_aio_poll(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, unsigned int events)
{
	(void)events;
	return xvm_aio_readv(aio, req, fd, NULL, 0, 0);
}

int xvm_aio_poll_end(struct xvm_aio *aio, struct xvm_aio_req *req)
{
	return xvm_aio_readv(aio, req, -1, NULL, 0, 0);
}

int xvm_aio_fdatasync(struct xvm_aio *aio, struct xvm_aio_req *req, int fd)
{
	return xvm_aio_readv(aio, req, fd, NULL, 0, 0);
}

int xvm_aio_fallocate(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, int mode, off_t off, off_t len)
{
	(void)mode, (void)len;
	return xvm_aio_readv(aio, req, fd, NULL, 0, off);
}

static void host_map(void *arg, struct xvm_ipc_map *map)
{
	(void)arg;
	CHECK(!holding && map->area >= 1 && map->area <= 127 && !mapped[map->area]);
	CHECK(map->npages && map->npages <= XVM_AREA_MAX_PAGES && map->ndirs == (map->npages + 1023) / 1024);
	held = *map;
	holding = true;
}

static void host_unmapped(void *arg, uint32_t area, uint32_t npages)
{
	(void)arg;
	CHECK(area <= 127 && npages && mapped[area] == npages);
	mapped[area] = 0;
	mapped_pages -= npages;
}

static void host_dev_state(void *arg, uint16_t num, int state, const char *reason)
{
	(void)arg, (void)num, (void)state, (void)reason;
}

static void host_notify(void *arg)
{
	(void)arg;
}

static const struct bus_host host = { host_map, host_unmapped, host_dev_state, host_notify, NULL };

static void ignore_line(void *arg, int level, const char *line)
{
	(void)arg, (void)level, (void)line;
}

/* ---- the driver side ---- */

static void take(const u8 *buf, u32 len)
{
	struct xvm_msg_request_failed failed;
	const struct xvm_msg_row *row;
	struct xvm_hdr hdr;
	u16 answered = 0;

	CHECK(!xvm_frame_check(XVM_DIALECT_PR28, XVM_SIDE_DEVICE, MAX_BYTES, buf, len, &hdr, &row));
	if (hdr.type & VIRTIO_MSG_TYPE_RESPONSE) {
		answered = hdr.token;
	} else if (hdr.type & VIRTIO_MSG_TYPE_BUS && hdr.id == XVM_BUS_MSG_REQUEST_FAILED) {
		xvm_msg_get_request_failed(buf, &failed);
		answered = failed.token;
	} else {
		return;
	}
	CHECK(waiting[answered]);
	outstanding -= waiting[answered] == 1;
	waiting[answered] = 0;
}

static void run(void)
{
	u8 buf[MAX_BYTES];
	u32 i, reason, detail;
	int len;

	for (i = 0; i < 1000 && bus_pass(bus); i++)
		;
	CHECK(i < 1000);
	while ((len = xvm_ring_rx_get(&rx, buf, sizeof(buf))) >= 0)
		take(buf, (u32)len);
	xvm_ring_rx_publish(&rx);
	CHECK(!bus_failed(bus, &reason, &detail));
	CHECK(bus->area_pages <= BUS_MAX_AREA_PAGES && bus->areas <= BUS_MAX_AREAS);
	CHECK(mapped_pages <= BUS_MAX_AREA_PAGES);
}

/* owed 1: an answer must come; 2: it may, since the bytes are the input's. */
static void say(u8 *msg, u32 len, u8 owed)
{
	if (outstanding >= CREDITS)
		return;
	while (waiting[++token] || !token)
		;
	xvm_msg_finish(msg, false, token);
	waiting[token] = owed;
	outstanding += owed == 1;
	CHECK(!xvm_ring_tx_put(&tx, msg, len, false));
	xvm_ring_tx_publish(&tx);
	run();
}

static void add(const uint8_t *step)
{
	static const u32 sizes[] = { 1, 2, 4, 64, 1024, 1025, 8192, 16384, 0, 16385, 0xffffffff, 12289 };
	struct xvm_msg_area_add m = { .id = step[1] % 130, .scope = step[2] % 4, .npages = sizes[step[3] % 12] };
	u8 msg[128];

	m.ndirs = (u16)((m.npages + 1023) / 1024 % 17);
	if (step[2] > 250)
		m.ndirs = (u16)(step[3] % 17);
	m.flags = step[2] == 200;
	m.dir_ref[0] = step[3] / 12u;	/* some repeat, some do not */
	/* Without a directory it is too short to be one. */
	say(msg, xvm_msg_put_area_add(msg, &m), m.ndirs ? 1 : 2);
}

static void answer_map(u8 how)
{
	int fd = -1;
	u32 status = how % 8;

	if (!holding)
		return;
	holding = false;
	if (!status) {
		fd = how & 8 ? -1 : memfd_create("area", MFD_CLOEXEC);
		CHECK(fd < 0 || !ftruncate(fd, (off_t)held.npages * 4096));
		mapped[held.area] = held.npages;
		mapped_pages += held.npages;
	}
	bus_map_done(bus, held.area, status, how, fd);
	run();
}

static void fire(void)
{
	struct xvm_aio_req *req = timer;

	if (!req)
		return;
	timer = NULL;
	/* As if the time had passed. */
	bus->map_paid_ms = 0;
	req->done(req, 0);
	run();
}

static void set_queue(const uint8_t *s)
{
	u64 at = xvm_addr_make(s[1] % 128, 0);
	struct xvm_msg_vqueue m = { .size = 8, .desc_addr = at, .driver_addr = at + 256, .device_addr = at + 512 };
	u8 msg[64];

	say(msg, xvm_msg_put_set_vqueue(msg, XVM_DIALECT_PR28, s[2] % 4, &m), 1);
}

static void add_device(u16 num)
{
	struct xvm_ipc_dev_add add = { .num = num, .device_id = 4 };

	bus_add_device(bus, &add, NULL);
	run();
}

static void step(const uint8_t *s)
{
	u8 msg[16];

	switch (s[0] % 10) {
	case 0:
	case 1:
		add(s);
		break;
	case 2:
		say(msg, xvm_msg_put_number(msg, XVM_BUS_MSG_AREA_DEL, s[2] ? s[1] % 130 : s[1] * 257), 1);
		break;
	case 3:
		answer_map(s[1]);
		break;
	case 4:
		fire();
		break;
	case 5:
		set_queue(s);
		break;
	case 6:
		say(msg, xvm_msg_put_u32(msg, 0, s[1] & 1 ? VIRTIO_MSG_SET_DEVICE_STATUS : VIRTIO_MSG_RESET_VQUEUE,
					 s[2] % 4, s[1] & 2 ? 0 : s[3]), 1);
		break;
	case 7:
		say(msg, xvm_msg_put_number(msg, XVM_BUS_MSG_RELEASE_DEVICE, s[1] % 4), 1);
		break;
	case 8:
		bus_remove_device(bus, s[1] % 4, s[2] & 1);
		run();
		break;
	case 9:
		add_device(s[1] % 4);
		break;
	}
}

static void start(void)
{
	struct bus_link link = {
		.dialect = XVM_DIALECT_PR28, .max_message = MAX_BYTES, .credits = CREDITS, .ring_bytes = RING_BYTES,
		.control = control, .drv = drv, .dev = dev,
	};
	struct xvm_ring_mem mem;

	memset(control, 0, sizeof(control));
	memset(waiting, 0, sizeof(waiting));
	memset(mapped, 0, sizeof(mapped));
	mapped_pages = outstanding = 0;
	holding = false;
	timer = NULL;
	log_to(ignore_line, NULL);
	bus = bus_new(&host, NULL, NULL);
	CHECK(bus && !bus_connect(bus, &link));
	xvm_ring_mem_init(&mem, control, drv, RING_BYTES, true);
	CHECK(!xvm_ring_tx_init(&tx, &mem, MAX_BYTES, 1));
	xvm_ring_mem_init(&mem, control, dev, RING_BYTES, false);
	xvm_ring_rx_init(&rx, &mem, MAX_BYTES);
	add_device(1);
	add_device(2);
}

static void stop(void)
{
	u32 i;

	for (i = 0; i < 1000 && (holding || timer); i++) {
		answer_map((u8)(i % 2));
		fire();
	}
	run();
	/* Nothing waits for anything any more: every valid request has its answer. */
	CHECK(!outstanding);
	bus_stop(bus);
	for (i = 0; i < 1000 && !bus_idle(bus); i++)
		bus_pass(bus);
	CHECK(bus_idle(bus) && !mapped_pages);
	bus_free(bus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	for (; size >= 4; data += 4, size -= 4)
		step(data);
	stop();
	return 0;
}
