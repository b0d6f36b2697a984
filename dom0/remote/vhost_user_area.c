// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_user_area.h"

#include <unistd.h>

/*
 * A server that ends over an area may be unable to map it, and its successors too: copies from then on, or
 * that would go on for ever.
 */
#define MAX_ENDS 3u

static struct vu_area *find(struct vu_areas *areas, u32 id)
{
	u32 i;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		if (areas->area[i].id == id)
			return &areas->area[i];
	return NULL;
}

static void close_fd(struct vu_area *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* Nobody else has it: whoever waits for that goes on. */
static void is_here(struct vu_areas *areas, struct vu_area *a)
{
	close_fd(a);
	a->state = VU_AREA_HERE;
	if (!a->goes)
		return;
	a->goes = false;
	areas->vdev->ops->drained(areas->vdev);
}

/* Areas are where the guest itself has them, so that a buffer's address needs no table. */
static struct vu_region region_of(const struct vu_areas *areas, const struct vu_area *a)
{
	u64 addr = xvm_addr_make(a->id, 0);

	return (struct vu_region){ .guest_addr = addr, .user_addr = addr,
				   .bytes = areas->vdev->mem.area[a->id].bytes };
}

static u32 count_with_server(const struct vu_areas *areas)
{
	u32 i, n = 0;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		n += areas->area[i].id && areas->area[i].state >= VU_AREA_ADDED;
	return n;
}

static struct vu_area *find_next(struct vu_areas *areas)
{
	u32 i;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		if (areas->area[i].id && areas->area[i].goes && areas->area[i].state == VU_AREA_SHARED)
			return &areas->area[i];
	/* The first region is the queues' own. */
	if (count_with_server(areas) + 1 >= vu_front_slots(areas->front))
		return NULL;
	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		if (areas->area[i].id && areas->area[i].state == VU_AREA_OPEN)
			return &areas->area[i];
	return NULL;
}

/* One at a time. */
static void tell_next(struct vu_areas *areas)
{
	struct vu_area *a = areas->front && !areas->told ? find_next(areas) : NULL;
	struct vu_region region;

	if (!a)
		return;
	areas->told = a;
	region = region_of(areas, a);
	if (a->state == VU_AREA_OPEN) {
		a->state = VU_AREA_ADDED;
		vu_front_add_region(areas->front, &region, a->fd);
	} else {
		a->state = VU_AREA_REMOVED;
		vu_front_del_region(areas->front, &region);
	}
}

static void ask(struct vu_areas *areas, struct vu_area *a)
{
	if (!areas->front || a->state != VU_AREA_HERE)
		return;
	a->state = VU_AREA_ASKED;
	areas->vdev->ops->share(areas->vdev, a->id);
}

void vu_areas_init(struct vu_areas *areas, struct xvm_vdev *vdev, bool allowed)
{
	u32 i;

	areas->vdev = vdev;
	areas->allowed = allowed;
	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		areas->area[i].fd = -1;
}

void vu_areas_start(struct vu_areas *areas, struct vu_front *front)
{
	u32 i;

	if (!areas->allowed || areas->ends >= MAX_ENDS || !vu_front_regions_change(front))
		return;
	areas->front = front;
	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		if (areas->area[i].id)
			ask(areas, &areas->area[i]);
}

void vu_areas_leave(struct vu_areas *areas)
{
	struct vu_area *a;
	u32 i;

	if (areas->told && areas->told->state == VU_AREA_ADDED)
		areas->ends++;
	areas->told = NULL;
	areas->front = NULL;
	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++) {
		a = &areas->area[i];
		close_fd(a);
		if (a->state >= VU_AREA_ADDED)
			a->state = VU_AREA_LOST;
		else if (a->state != VU_AREA_ASKED)
			is_here(areas, a);
	}
}

void vu_areas_ended(struct vu_areas *areas)
{
	u32 i;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		if (areas->area[i].id && areas->area[i].state == VU_AREA_LOST)
			is_here(areas, &areas->area[i]);
}

static bool any(const struct vu_areas *areas, enum vu_area_state state)
{
	u32 i;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++)
		if (areas->area[i].id && areas->area[i].state == state)
			return true;
	return false;
}

bool vu_areas_lost(const struct vu_areas *areas)
{
	return any(areas, VU_AREA_LOST);
}

bool vu_areas_coming(const struct vu_areas *areas)
{
	return areas->front && (any(areas, VU_AREA_ASKED) || any(areas, VU_AREA_OPEN) || any(areas, VU_AREA_ADDED));
}

void vu_areas_added(struct vu_areas *areas, u32 id)
{
	struct vu_area *a = find(areas, 0);

	if (!a)
		return;		/* the bus has a limit of as many */
	*a = (struct vu_area){ .id = id, .fd = -1 };
	ask(areas, a);
}

bool vu_areas_let_go(struct vu_areas *areas, u32 id)
{
	struct vu_area *a = find(areas, id);

	if (!a || a->state < VU_AREA_ADDED) {
		if (a && a->state == VU_AREA_ASKED)
			a->goes = true;
		return !a || !a->goes;
	}
	a->goes = true;
	tell_next(areas);
	return false;
}

/* With its device, whose server is ended; or after it was let go. */
void vu_areas_gone(struct vu_areas *areas, u32 id)
{
	struct vu_area *a = find(areas, id);

	if (!a)
		return;
	close_fd(a);
	a->id = 0;
	if (areas->told == a)
		areas->front = NULL;	/* it is not answered any more */
}

void vu_areas_got(struct vu_areas *areas, u32 id, int fd)
{
	struct vu_area *a = find(areas, id);

	if (!a || a->state != VU_AREA_ASKED || fd < 0 || a->goes || !areas->front) {
		if (fd >= 0)
			close(fd);
		if (a && a->state == VU_AREA_ASKED)
			is_here(areas, a);
		return;
	}
	a->fd = fd;
	a->state = VU_AREA_OPEN;
	tell_next(areas);
}

bool vu_areas_done(struct vu_areas *areas, bool ok)
{
	struct vu_area *a = areas->told;

	areas->told = NULL;
	if (!a)
		return true;
	close_fd(a);
	if (a->state == VU_AREA_ADDED && ok) {
		a->state = VU_AREA_SHARED;
		areas->ends = 0;
	} else if (a->state == VU_AREA_REMOVED && !ok) {
		return false;
	} else {
		is_here(areas, a);
		/* Not to be asked for again: the supervisor has given what there is for this server. */
		a->state = ok ? VU_AREA_HERE : VU_AREA_REFUSED;
	}
	tell_next(areas);
	return true;
}

static bool find_one(const struct vu_areas *areas, const struct iovec *iov, u64 *addr)
{
	const struct vu_area *a;
	u8 *base;
	u32 i;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE; i++) {
		a = &areas->area[i];
		base = areas->vdev->mem.area[a->id].base;
		if (a->id && a->state == VU_AREA_SHARED && (u8 *)iov->iov_base >= base &&
		    (u8 *)iov->iov_base < base + areas->vdev->mem.area[a->id].bytes) {
			*addr = xvm_addr_make(a->id, (u64)((u8 *)iov->iov_base - base));
			return true;
		}
	}
	return false;
}

/* Each buffer was found to lie in one area of the device. */
bool vu_areas_find(const struct vu_areas *areas, const struct xvm_chain *chain, u64 *addr)
{
	u32 i;

	for (i = 0; i < chain->nout; i++)
		if (!find_one(areas, &chain->out[i], addr++))
			return false;
	for (i = 0; i < chain->nin; i++)
		if (!find_one(areas, &chain->in[i], addr++))
			return false;
	return true;
}
