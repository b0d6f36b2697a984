// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Areas: memory that the driver side announces once and that stays mapped
 * until it takes it back. The supervisor maps the grants and hands over a
 * descriptor; here it is mmapped once and shown to the one device it is for.
 * Never mprotect, mremap, madvise or partly unmap an area: in a PV dom0 that
 * tears the grant mapping.
 */
#include "bus_priv.h"
#include "../ipc.h"
#include "../base/log.h"
#include "../virtio/aio.h"
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * Mappings per second and at once (rules.md, section 7). The supervisor takes
 * twice that many requests before it calls the worker mad, and each mapping
 * may come to an unmapping.
 */
#define MAP_COST_MS 20
#define MAP_BURST 64

struct bus_num *area_scope(struct bus *bus, u32 id)
{
	return id <= XVM_AREA_ID_MAX ? bus->area[id].scope : NULL;
}

static u32 area_id(const struct bus *bus, const struct bus_area *a)
{
	return (u32)(a - bus->area);
}

static enum answer area_status(struct bus *bus, const u8 *msg, u16 status, u32 limit)
{
	struct xvm_msg_area_status m = {
		.id = xvm_msg_get_number(msg), .status = status, .limit = limit,
	};

	bus_answer(bus, msg, xvm_msg_put_area_status(bus->out, msg[VIRTIO_MSG_HDR_ID], &m));
	return ANSWER_DONE;
}

static void area_forget(struct bus *bus, struct bus_area *a)
{
	a->scope = NULL;
	a->used = true;
	a->freed_at = bus->area_adds;
}

static void area_hide(struct xvm_vdev *vdev, u32 id)
{
	if (vdev->type->area_gone)
		vdev->type->area_gone(vdev, id);
	vdev->mem.area[id].base = NULL;
}

static void area_show(struct xvm_vdev *vdev, u32 id, const struct bus_area *a)
{
	vdev->mem.area[id].base = a->base;
	vdev->mem.area[id].bytes = (u64)a->add.npages * XVM_PAGE_BYTES;
	if (vdev->type->area_added)
		vdev->type->area_added(vdev, id, a->fd);
}

/* Gives the budget back; the id stays taken until the driver side gives it back too. */
static void area_unmap(struct bus *bus, struct bus_area *a)
{
	u32 id = area_id(bus, a);

	if (!a->base)
		return;
	if (a->scope->vdev)
		area_hide(a->scope->vdev, id);
	munmap(a->base, (size_t)a->add.npages * XVM_PAGE_BYTES);
	close(a->fd);
	a->base = NULL;
	bus->areas--;
	bus->area_pages -= a->add.npages;
	bus->unmaps++;
	bus->host->unmapped(bus->arg, id, a->add.npages);
}

void area_unmap_all(struct bus_num *n)
{
	u32 id;

	for (id = XVM_AREA_ID_MIN; id <= XVM_AREA_ID_MAX; id++)
		if (n->bus->area[id].scope == n)
			area_unmap(n->bus, &n->bus->area[id]);
}

void area_forget_all(struct bus_num *n)
{
	u32 id;

	area_unmap_all(n);
	for (id = XVM_AREA_ID_MIN; id <= XVM_AREA_ID_MAX; id++)
		if (n->bus->area[id].scope == n)
			area_forget(n->bus, &n->bus->area[id]);
}

/* ---- AREA_ADD ---- */

static u32 areas_of(const struct bus *bus, const struct bus_num *n)
{
	u32 id, count = 0;

	for (id = XVM_AREA_ID_MIN; id <= XVM_AREA_ID_MAX; id++)
		count += bus->area[id].scope == n;
	return count;
}

static u16 area_check(const struct bus *bus, const struct bus_num *n,
		      const struct xvm_msg_area_add *add, u32 *limit)
{
	const struct bus_area *a = &bus->area[add->id];

	if (!n || (n->num && (!n->vdev || n->leaving)))
		return XVM_STATUS_NO_DEVICE;
	if (a->scope || (a->used && bus->area_adds - a->freed_at < XVM_AREA_ID_REST))
		return XVM_STATUS_EXISTS;
	if (bus->areas >= BUS_MAX_AREAS || areas_of(bus, n) >= XVM_AREA_MAX_PER_DEVICE)
		return XVM_STATUS_NO_SPACE;
	if (add->npages > BUS_MAX_AREA_PAGES - bus->area_pages) {
		*limit = BUS_MAX_AREA_PAGES - bus->area_pages;
		return XVM_STATUS_NO_SPACE;
	}
	return XVM_STATUS_OK;
}

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* Pays for one mapping; or says how many milliseconds are to pass before. */
static u32 map_pay(struct bus *bus)
{
	u64 now = now_ms();

	if (bus->map_paid_ms < now)
		bus->map_paid_ms = now;
	if (bus->map_paid_ms - now > MAP_COST_MS * (MAP_BURST - 1))
		return (u32)(bus->map_paid_ms - now) - MAP_COST_MS * (MAP_BURST - 1);
	bus->map_paid_ms += MAP_COST_MS;
	return 0;
}

static void map_next(struct bus *bus);

static void map_timer_done(struct xvm_aio_req *req, int result)
{
	struct bus *bus = (struct bus *)((char *)req - offsetof(struct bus, map_timer));

	(void)result;
	bus->map_waits = false;
	map_next(bus);
}

/* Over the rate an answer is delayed, and only that of AREA_ADD. True: go ahead. */
static bool map_may(struct bus *bus)
{
	u32 wait = map_pay(bus);

	if (!wait)
		return true;
	bus->map_timer.done = map_timer_done;
	bus->map_waits = !xvm_aio_timer(bus->aio, &bus->map_timer, wait);
	return !bus->map_waits;
}

/* One request is with the supervisor at a time; the next in line goes when it is back. */
static void map_next(struct bus *bus)
{
	struct bus_num *n = &bus->zero;
	struct xvm_ipc_map map = { 0 };
	const struct bus_area *a;

	if (bus->mapping || bus->map_waits)
		return;
	while (n && !(n->op == BUS_OP_AREA_ADD && !n->drained))
		n = n == &bus->zero ? bus->nums : n->next;
	if (!n || !map_may(bus))
		return;
	a = &bus->area[n->area];
	map.area = n->area;
	map.num = n->num;
	map.npages = a->add.npages;
	map.ndirs = a->add.ndirs;
	memcpy(map.dir_ref, a->add.dir_ref, sizeof(map.dir_ref));
	bus->mapping = n;
	bus->host->map(bus->arg, &map);
}

enum answer area_add(struct bus *bus, struct bus_num *n, const u8 *msg, u32 len)
{
	struct xvm_msg_area_add add;
	struct bus_area *a;
	u32 limit = 0;
	u16 status;

	if (xvm_msg_get_area_add(msg, len, &add))
		return ANSWER_MALFORMED;
	status = xvm_area_add_check(&add);
	if (status)
		return area_status(bus, msg, status, 0);
	a = &bus->area[add.id];
	if (n && a->scope == n && a->base && !memcmp(&a->add, &add, sizeof(add)))
		return area_status(bus, msg, XVM_STATUS_OK, 0);
	status = area_check(bus, n, &add, &limit);
	if (status)
		return area_status(bus, msg, status, limit);

	/* The id and the pages are taken from now on, so that two requests cannot share them. */
	a->scope = n;
	a->add = add;
	bus->areas++;
	bus->area_pages += add.npages;
	n->area = add.id;
	n->op = BUS_OP_AREA_ADD;
	n->drained = false;
	map_next(bus);
	return ANSWER_LATER;
}

/* All or nothing; with a status other than OK nothing is left mapped here. */
static u16 area_open(struct bus *bus, struct bus_num *n, struct bus_area *a, int fd)
{
	size_t bytes = (size_t)a->add.npages * XVM_PAGE_BYTES;
	void *base;

	if (!bus->connected || n->remove || n->leaving)
		return XVM_STATUS_NO_DEVICE;
	if (fd < 0)
		return XVM_STATUS_BAD_REF;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		log_err("device %u: area %u of %u pages cannot be mapped here", n->num,
			area_id(bus, a), a->add.npages);
		return XVM_STATUS_BAD_REF;
	}
	a->base = base;
	a->fd = fd;
	if (n->vdev)
		area_show(n->vdev, area_id(bus, a), a);
	bus->maps++;
	bus->area_adds++;
	return XVM_STATUS_OK;
}

void bus_map_done(struct bus *bus, uint32_t area, uint32_t status, uint32_t limit, int fd)
{
	struct bus_num *n = bus->mapping;
	struct bus_area *a;
	u16 result;

	if (!n || n->area != area) {
		log_err("supervisor answered for area %u, which nobody asked for", area);
		if (fd >= 0)
			close(fd);
		return;
	}
	bus->mapping = NULL;
	a = &bus->area[area];
	result = status == XVM_STATUS_OK ? area_open(bus, n, a, fd) : (u16)status;
	if (result) {
		bus->areas--;
		bus->area_pages -= a->add.npages;
		if (fd >= 0)
			close(fd);
		if (status == XVM_STATUS_OK)
			bus->host->unmapped(bus->arg, area, a->add.npages);
		/* It was never used: the id may come again at once. */
		a->scope = NULL;
	}
	n->area_status = result;
	n->area_limit = limit;
	n->drained = true;
	bus_ready(n);
	map_next(bus);
}

void bus_share_done(struct bus *bus, uint16_t num, uint32_t area, int fd)
{
	struct bus_num *n = area_scope(bus, area);

	if (n && n->num == num && n->vdev && n->vdev->type->area_shared)
		n->vdev->type->area_shared(n->vdev, area, fd);
	else if (fd >= 0)
		close(fd);
}

void area_add_finish(struct bus_num *n, const u8 *msg)
{
	area_status(n->bus, msg, n->area_status, n->area_limit);
}

/* ---- AREA_DEL ---- */

enum answer area_del(struct bus *bus, struct bus_num *n, const u8 *msg)
{
	u16 id = xvm_msg_get_number(msg);

	if (!n || area_scope(bus, id) != n)
		return area_status(bus, msg, XVM_STATUS_NO_AREA, 0);
	if (n->vdev && xvm_vdev_uses_area(n->vdev, id))
		return area_status(bus, msg, XVM_STATUS_BUSY, 0);
	/* I/O may be under way in it. Nothing new is taken until that has ended. */
	if (n->vdev && (!xvm_vdev_begin_quiet(n->vdev, XVM_QUIET_AREA) || !area_let_go(n, id))) {
		n->op = BUS_OP_AREA_DEL;
		return ANSWER_LATER;
	}
	area_del_finish(n, msg);
	return ANSWER_DONE;
}

bool area_let_go(struct bus_num *n, u32 id)
{
	n->drained = false;
	return !n->vdev || !n->vdev->type->area_let_go || n->vdev->type->area_let_go(n->vdev, id);
}

void area_del_finish(struct bus_num *n, const u8 *msg)
{
	struct bus_area *a = &n->bus->area[xvm_msg_get_number(msg)];

	area_unmap(n->bus, a);
	area_forget(n->bus, a);
	if (n->vdev)
		xvm_vdev_end_quiet(n->vdev, XVM_QUIET_AREA);
	area_status(n->bus, msg, XVM_STATUS_OK, 0);
}
