// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas of a device: granted memory announced to the device side, where its
 * queues and all its buffers lie. They come by doubling, ahead of need, from
 * process context, and go when the device goes.
 *
 * Take back: the device was reset, then AREA_DEL is answered, then each grant
 * is ended when Xen says that nothing maps it. Without an answer the last
 * step waits longer, perhaps for ever; nothing else changes.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "front.h"

#define AREA_MIN_PAGES		16u
#define AREA_GROW_MAX_PAGES	4096u	/* 16 MiB: the largest step of growth */
#define REFUSED_SECONDS		30
#define MEMORY_SHARE		8	/* a device takes at most this part of the guest's memory */

static unsigned int first_area_kib = 2048;
module_param(first_area_kib, uint, 0444);
MODULE_PARM_DESC(first_area_kib,
		 "size of a device's first area in KiB (default 2048); more are added on demand");

/* -- Area ids: not used again before XVM_AREA_ID_REST others were added -- */

static u32 take_id(struct xvm_conn *conn)
{
	u32 id;

	mutex_lock(&conn->area_lock);
	for (id = XVM_AREA_ID_MIN; id <= XVM_AREA_ID_MAX; id++) {
		if (test_bit(id, conn->area_ids))
			continue;
		if (conn->area_rest[id] && conn->area_adds < conn->area_rest[id])
			continue;
		__set_bit(id, conn->area_ids);
		conn->area_adds++;
		break;
	}
	mutex_unlock(&conn->area_lock);
	return id <= XVM_AREA_ID_MAX ? id : 0;
}

static void rest_id(struct xvm_conn *conn, u32 id)
{
	mutex_lock(&conn->area_lock);
	__clear_bit(id, conn->area_ids);
	conn->area_rest[id] = conn->area_adds + XVM_AREA_ID_REST;
	mutex_unlock(&conn->area_lock);
}

/* -- Messages -- */

/* Pages of little-endian references, for the device side to copy once. */
static struct xvm_gmem *make_dirs(struct xvm_conn *conn, const struct xvm_gmem *mem)
{
	u32 i, ndirs = DIV_ROUND_UP(mem->npages, XVM_AREA_REFS_PER_DIR);
	struct xvm_gmem *dirs = xvm_gmem_alloc(conn->bus, conn->otherend, ndirs, true);

	for (i = 0; dirs && i < mem->npages; i++)
		xvm_put32(dirs->vaddr + 4 * i, mem->refs[i]);
	return dirs;
}

static int status_errno(u16 status)
{
	return status == XVM_STATUS_OK ? 0 : status == XVM_STATUS_NO_SPACE ? -ENOSPC : -EPROTO;
}

/* 0; -ENOSPC with the pages still to be had in *limit; or another error. */
static int send_area_add(struct xvm_dev *xd, const struct xvm_area *area,
			 const struct xvm_gmem *dirs, u32 *limit)
{
	struct xvm_msg_area_add m = {
		.id = area->id,
		.scope = xd->num,
		.npages = area->npages,
		.ndirs = dirs->npages,
	};
	u8 msg[VIRTIO_MSG_HDR_BYTES + 16 + 4 * XVM_AREA_MAX_DIRS], answer[VIRTIO_MSG_OFFER_BYTES];
	struct xvm_msg_area_status st;
	u32 i;
	int len;

	for (i = 0; i < m.ndirs; i++)
		m.dir_ref[i] = dirs->refs[i];
	len = xvm_msg_put_area_add(msg, &m);
	if (len > xd->conn->pick.max_message)
		return -EMSGSIZE;
	len = xvm_req_transfer(xd->conn, xd->num, false, msg, len, answer);
	if (len < 0)
		return len;
	xvm_msg_get_area_status(answer, XVM_BUS_MSG_AREA_ADD, &st);
	*limit = st.limit;
	return st.id == area->id ? status_errno(st.status) : -EPROTO;
}

/* False when it was not answered. */
static bool send_area_del(struct xvm_conn *conn, u32 id)
{
	u8 msg[VIRTIO_MSG_HDR_BYTES + 4], answer[VIRTIO_MSG_OFFER_BYTES];
	u32 len = xvm_msg_put_number(msg, XVM_BUS_MSG_AREA_DEL, id);

	/* Whatever the answer, the grants decide when the pages are ours again. */
	return xvm_req_transfer(conn, 0, true, msg, len, answer) >= 0;
}

/* -- An area's life -- */

static void free_area(struct xvm_area *area)
{
	if (!area)
		return;
	xvm_gmem_retire(area->mem);
	bitmap_free(area->map);
	kvfree(area->slot);
	kfree(area);
}

static struct xvm_area *alloc_area(struct xvm_dev *xd, u32 npages)
{
	struct xvm_area *area = kzalloc(sizeof(*area), GFP_KERNEL);

	if (!area)
		return NULL;
	spin_lock_init(&area->lock);
	area->npages = npages;
	area->ngran = npages * XVM_GRANULES_PER_PAGE;
	area->split = area->ngran;
	area->map = bitmap_zalloc(area->ngran, GFP_KERNEL);
	area->slot = kvcalloc(area->ngran, sizeof(*area->slot), GFP_KERNEL);
	if (area->map && area->slot)
		area->mem = xvm_gmem_alloc(xd->conn->bus, xd->conn->otherend, npages, false);
	if (!area->mem) {
		free_area(area);
		return NULL;
	}
	return area;
}

static int announce(struct xvm_dev *xd, struct xvm_area *area, u32 *limit)
{
	struct xvm_gmem *dirs = make_dirs(xd->conn, area->mem);
	int err = dirs ? send_area_add(xd, area, dirs, limit) : -ENOMEM;

	xvm_gmem_retire(dirs);
	return err;
}

/* False: the connection it was announced on is not the one there is now. */
static bool show_area(struct xvm_dev *xd, struct xvm_area *area, u32 epoch)
{
	struct xvm_conn *conn = xd->conn;
	bool same;

	/* Who announces the areas again takes the lock behind the epoch's end: it sees this one. */
	mutex_lock(&conn->area_lock);
	same = READ_ONCE(conn->chan.epoch) == epoch;
	if (same) {
		xd->area[xd->nareas] = area;
		xvm_dma_reserve(xd);
		/* Pairs with the acquire in xen_dma.c: whoever sees the count sees the area. */
		smp_store_release(&xd->nareas, xd->nareas + 1);
	}
	mutex_unlock(&conn->area_lock);
	return same;
}

static int announce_and_show(struct xvm_dev *xd, struct xvm_area *area, u32 *limit)
{
	u32 epoch;
	int err;

	area->id = take_id(xd->conn);
	if (!area->id)
		return -ENOSPC;
	do {
		epoch = READ_ONCE(xd->conn->chan.epoch);
		err = announce(xd, area, limit);
	} while (!err && !show_area(xd, area, epoch));
	if (err)
		rest_id(xd->conn, area->id);
	return err;
}

static int add_area(struct xvm_dev *xd, u32 npages, u32 *limit)
{
	struct xvm_area *area = alloc_area(xd, npages);
	int err;

	*limit = 0;
	if (!area)
		return -ENOMEM;
	err = announce_and_show(xd, area, limit);
	if (err) {
		free_area(area);
		return err;
	}
	xvm_count(xd->conn->bus, areas);
	xvm_count_add(xd->conn->bus, area_pages, npages);
	return 0;
}

/* The next step of growth; 0: no more. */
static u32 next_pages(struct xvm_dev *xd)
{
	u32 i, have = 0, bound = totalram_pages() * XEN_PFN_PER_PAGE / MEMORY_SHARE, next;

	for (i = 0; i < xd->nareas; i++)
		have += xd->area[i]->npages;
	if (xd->nareas == XVM_AREA_MAX_PER_DEVICE || have >= bound)
		return 0;
	/* Doubles the whole, up to the largest step. */
	next = min3(have, AREA_GROW_MAX_PAGES, bound - have);
	return next < AREA_MIN_PAGES ? 0 : next;
}

/* As many pages as were asked for, or as many as the device side says it has left. */
static int add_area_within_limit(struct xvm_dev *xd, u32 npages)
{
	u32 limit, less;
	int err = add_area(xd, npages, &limit);

	if (err != -ENOSPC || limit < AREA_MIN_PAGES || limit >= npages)
		return err;
	less = limit;
	return add_area(xd, less, &limit);
}

int xvm_area_grow(struct xvm_dev *xd)
{
	u32 npages;
	int err = -ENOSPC;

	mutex_lock(&xd->grow_lock);
	npages = next_pages(xd);
	if (npages && !(xd->no_grow && time_before(jiffies, xd->no_grow_before)))
		err = add_area_within_limit(xd, npages);
	xd->no_grow = err;
	if (err)
		xd->no_grow_before = jiffies + REFUSED_SECONDS * HZ;
	mutex_unlock(&xd->grow_lock);
	return err;
}

static void grow_work(struct work_struct *work)
{
	xvm_area_grow(container_of(work, struct xvm_dev, grow_work));
}

/* From any context. */
void xvm_area_grow_soon(struct xvm_dev *xd)
{
	if (READ_ONCE(xd->no_grow) && time_before(jiffies, READ_ONCE(xd->no_grow_before)))
		return;
	queue_work(system_unbound_wq, &xd->grow_work);
}

/* Room for the rings, twice over, and at least what the parameter says. */
static u32 first_pages(u32 nvqs, u32 entries)
{
	u32 rings = DIV_ROUND_UP(entries * 26u, XVM_PAGE_BYTES) + 3 * nvqs;
	u32 want = max(first_area_kib / 4, 2 * rings);

	return clamp(want, AREA_MIN_PAGES, (u32)XVM_AREA_MAX_PAGES);
}

int xvm_area_prepare(struct xvm_dev *xd, u32 nvqs, u32 entries)
{
	int err = 0;

	mutex_lock(&xd->grow_lock);
	xd->entries = entries;
	if (!xd->nareas)
		err = add_area_within_limit(xd, first_pages(nvqs, entries));
	else
		xvm_dma_reserve(xd);
	mutex_unlock(&xd->grow_lock);
	if (err && err != -EIO)
		dev_err(&xd->dev, "no memory for device %u: its first area of %u pages failed: %d\n",
			xd->num, first_pages(nvqs, entries), err);
	return err;
}

void xvm_area_init(struct xvm_dev *xd)
{
	mutex_init(&xd->grow_lock);
	INIT_WORK(&xd->grow_work, grow_work);
}

static bool del_area(struct xvm_dev *xd, struct xvm_area *area, bool ask)
{
	struct xvm_conn *conn = xd->conn;

	if (ask)
		ask = send_area_del(conn, area->id);
	rest_id(conn, area->id);
	xvm_count_add(conn->bus, areas, -1);
	xvm_count_add(conn->bus, area_pages, -(s64)area->npages);
	mutex_lock(&conn->area_lock);
	free_area(area);
	mutex_unlock(&conn->area_lock);
	return ask;
}

void xvm_area_del_all(struct xvm_dev *xd)
{
	bool ask = true;
	u32 i, n;

	cancel_work_sync(&xd->grow_work);
	n = xd->nareas;
	smp_store_release(&xd->nareas, 0);
	/* One wait is enough for a peer that does not answer. */
	for (i = n; i-- > 0;)
		ask = del_area(xd, xd->area[i], ask);
}

/* -- A new connection, a new domain -- */

int xvm_area_announce_again(struct xvm_dev *xd)
{
	u32 i, limit;
	int err = 0;

	mutex_lock(&xd->conn->area_lock);
	for (i = 0; !err && i < xd->nareas; i++)
		err = announce(xd, xd->area[i], &limit);
	mutex_unlock(&xd->conn->area_lock);
	return err;
}

void xvm_area_grant_again(struct xvm_dev *xd)
{
	u32 i;

	mutex_lock(&xd->conn->area_lock);
	for (i = 0; i < xd->nareas; i++)
		xvm_gmem_grant_again(xd->area[i]->mem, xd->conn->otherend);
	mutex_unlock(&xd->conn->area_lock);
}

/*
 * Xen notes what the other side writes through its mapping only when that
 * ends. One word per page, in one instruction: drivers may write beside it.
 */
void xvm_area_touch(struct xvm_dev *xd)
{
	u32 i, page;

	mutex_lock(&xd->conn->area_lock);
	for (i = 0; i < xd->nareas; i++)
		for (page = 0; page < xd->area[i]->npages; page++)
			atomic_or(0, (atomic_t *)(xd->area[i]->mem->vaddr +
						  page * XVM_PAGE_BYTES));
	mutex_unlock(&xd->conn->area_lock);
}
