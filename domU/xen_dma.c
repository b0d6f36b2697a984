// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_map_ops over areas: every buffer is copied into a slot of an area of
 * its device and back. Atomic context, mostly with interrupts off.
 *
 * The rules are swiotlb's. A slot is filled from the buffer whatever the
 * direction: a device that writes less than it says would otherwise show the
 * reader what another request left there. Interior addresses are good for
 * syncs. What a slot bounces is noted in memory the device side never sees.
 *
 * Small slots and large ones have parts of their own, so that a stream of
 * large mappings cannot keep a request's header from being mapped.
 */
#include <linux/bitmap.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#include "front.h"

#define NO_ROOM U32_MAX
#define SMALL_PER_ENTRY 3u	/* header, status, indirect table of a request */

/* -- Granules -- */

/* Searches [from, to) from the hint on, then from its start; the area's lock is held. */
static u32 search(struct xvm_area *area, u32 from, u32 to, u32 hint, u32 n, u32 align_mask)
{
	u32 at = NO_ROOM;

	if (hint > from && hint < to)
		at = bitmap_find_next_zero_area(area->map, to, hint, n, align_mask);
	if (at >= to || at + n > to)
		at = bitmap_find_next_zero_area(area->map, to, from, n, align_mask);
	return at < to && at + n <= to ? at : NO_ROOM;
}

static u32 search_part(struct xvm_area *area, bool small, u32 n, u32 align_mask)
{
	u32 at = small ? search(area, area->split, area->ngran, area->hint[1], n, align_mask) :
			 search(area, 0, area->split, area->hint[0], n, align_mask);

	if (at != NO_ROOM)
		area->hint[small] = at + n;
	return at;
}

/* n granules, or NO_ROOM. Small ones may overflow into the large part, never the reverse. */
static u32 take(struct xvm_area *area, u32 bytes, bool whole_pages)
{
	u32 n = DIV_ROUND_UP(bytes, XVM_GRANULE_BYTES), at = NO_ROOM;
	bool small = bytes <= XVM_SMALL_BYTES && !whole_pages;
	u32 mask = small ? 0 : XVM_GRANULES_PER_PAGE - 1;
	unsigned long flags;

	spin_lock_irqsave(&area->lock, flags);
	if (small)
		at = search_part(area, true, n, 0);
	if (at == NO_ROOM)
		at = search_part(area, false, n, mask);
	if (at != NO_ROOM) {
		bitmap_set(area->map, at, n);
		area->used += n;
	}
	spin_unlock_irqrestore(&area->lock, flags);
	return at;
}

static void give(struct xvm_area *area, u32 at, u32 n)
{
	unsigned long flags;

	spin_lock_irqsave(&area->lock, flags);
	bitmap_clear(area->map, at, n);
	area->used -= n;
	spin_unlock_irqrestore(&area->lock, flags);
}

/*
 * Sets where the small part begins in the areas there are and the one being
 * added. What is mapped already stays where it is.
 */
void xvm_dma_reserve(struct xvm_dev *xd)
{
	u32 i;

	for (i = 0; i < XVM_AREA_MAX_PER_DEVICE && xd->area[i]; i++) {
		struct xvm_area *area = xd->area[i];
		u32 small = min(xd->entries * SMALL_PER_ENTRY, area->ngran / 4);

		WRITE_ONCE(area->split,
			   area->ngran - round_down(small, XVM_GRANULES_PER_PAGE));
	}
}

/* Pairs with the release in xen_area.c. */
static u32 areas_of(struct xvm_dev *xd)
{
	return smp_load_acquire(&xd->nareas);
}

/* More than half is used: grow before a mapping fails. */
static bool is_low(struct xvm_dev *xd)
{
	u32 i, n = areas_of(xd), used = 0, all = 0;

	for (i = 0; i < n; i++) {
		used += READ_ONCE(xd->area[i]->used);
		all += xd->area[i]->ngran;
	}
	return used > all / 2;
}

static struct xvm_area *take_any(struct xvm_dev *xd, u32 bytes, bool whole_pages, u32 *at)
{
	u32 i, n = areas_of(xd);

	for (i = 0; i < n; i++) {
		*at = take(xd->area[i], bytes, whole_pages);
		if (*at != NO_ROOM)
			return xd->area[i];
	}
	return NULL;
}

static dma_addr_t bus_addr(const struct xvm_area *area, u32 at)
{
	return xvm_addr_make(area->id, (u64)at << XVM_GRANULE_SHIFT);
}

/* The area and offset of an address we gave out; NULL for any other. */
static struct xvm_area *find(struct xvm_dev *xd, dma_addr_t addr, u64 *offset)
{
	u32 i, n = areas_of(xd), id = xvm_addr_area(addr);

	*offset = xvm_addr_offset(addr);
	for (i = 0; i < n; i++)
		if (xd->area[i]->id == id)
			return *offset < (u64)xd->area[i]->npages * XVM_PAGE_BYTES ? xd->area[i] :
										     NULL;
	return NULL;
}

/* -- Copying -- */

/* slot NULL: ones, in place of what a device wrote that is lost. */
static void copy(phys_addr_t phys, u8 *slot, size_t bytes, bool to_slot)
{
	while (bytes) {
		u32 off = offset_in_page(phys);
		size_t n = min_t(size_t, bytes, PAGE_SIZE - off);
		u8 *page = kmap_local_page(pfn_to_page(PHYS_PFN(phys)));

		if (!slot)
			memset(page + off, 0xff, n);
		else if (to_slot)
			memcpy(slot, page + off, n);
		else
			memcpy(page + off, slot, n);
		kunmap_local(page);
		phys += n;
		slot += slot ? n : 0;
		bytes -= n;
	}
}

static void note_slot(struct xvm_area *area, u32 at, phys_addr_t phys, u32 bytes)
{
	struct xvm_slot *slot = &area->slot[at];

	for (; bytes; slot++) {
		u32 n = min(bytes, XVM_GRANULE_BYTES);

		slot->orig = phys;
		slot->left = bytes;
		phys += n;
		bytes -= n;
	}
}

/*
 * Copies size bytes at addr, an interior address perhaps, between slot and
 * buffer. A range outside of its mapping is a bug of the driver above us; it
 * is counted, not printed: the console may be what is being written to.
 */
static bool bounce(struct xvm_dev *xd, dma_addr_t addr, size_t size, bool to_slot)
{
	u64 offset;
	struct xvm_area *area = find(xd, addr, &offset);
	u32 in = offset & (XVM_GRANULE_BYTES - 1);
	struct xvm_slot *slot = area ? &area->slot[offset >> XVM_GRANULE_SHIFT] : NULL;

	if (!slot || in > slot->left || size > slot->left - in) {
		xvm_count(xd->conn->bus, bad_mappings);
		return false;
	}
	copy(slot->orig + in, READ_ONCE(xd->lost) && !to_slot ? NULL : area->mem->vaddr + offset,
	     size, to_slot);
	xvm_count_add(xd->conn->bus, bytes_bounced, size);
	return true;
}

/* -- dma_map_ops -- */

static dma_addr_t map_phys(struct xvm_dev *xd, phys_addr_t phys, size_t size)
{
	struct xvm_area *area = NULL;
	dma_addr_t addr;
	u32 at;

	xvm_count(xd->conn->bus, maps);
	if (size && size <= U32_MAX / 2)
		area = take_any(xd, size, false, &at);
	if (!area) {
		xvm_count(xd->conn->bus, map_failures);
		xvm_area_grow_soon(xd);
		return DMA_MAPPING_ERROR;
	}
	note_slot(area, at, phys, size);
	addr = bus_addr(area, at);
	bounce(xd, addr, size, true);
	if (is_low(xd))
		xvm_area_grow_soon(xd);
	return addr;
}

static dma_addr_t map_page(struct device *dev, struct page *page, unsigned long offset,
			   size_t size, enum dma_data_direction dir, unsigned long attrs)
{
	return map_phys(to_xvm_dev(dev), page_to_phys(page) + offset, size);
}

static void unmap_page(struct device *dev, dma_addr_t addr, size_t size,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct xvm_dev *xd = to_xvm_dev(dev);
	u64 offset;
	struct xvm_area *area = find(xd, addr, &offset);
	u32 at = offset >> XVM_GRANULE_SHIFT, i, n;

	if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC) && dir != DMA_TO_DEVICE &&
	    !bounce(xd, addr, size, false))
		return;
	if (!area || !area->slot[at].left)
		return;
	n = DIV_ROUND_UP(area->slot[at].left, XVM_GRANULE_BYTES);
	for (i = 0; i < n; i++)
		area->slot[at + i].left = 0;
	give(area, at, n);
}

static void sync_for_cpu(struct device *dev, dma_addr_t addr, size_t size,
			 enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		bounce(to_xvm_dev(dev), addr, size, false);
}

static void sync_for_device(struct device *dev, dma_addr_t addr, size_t size,
			    enum dma_data_direction dir)
{
	if (dir != DMA_FROM_DEVICE)
		bounce(to_xvm_dev(dev), addr, size, true);
}

static void unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
		     enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		unmap_page(dev, sg_dma_address(sg), sg_dma_len(sg), dir, attrs);
}

static int map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		  enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		dma_addr_t addr = map_phys(to_xvm_dev(dev), sg_phys(sg), sg->length);

		if (addr == DMA_MAPPING_ERROR) {
			unmap_sg(dev, sgl, i, dir, attrs | DMA_ATTR_SKIP_CPU_SYNC);
			return -ENOMEM;
		}
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = sg->length;
	}
	return nents;
}

static void sync_sg_for_cpu(struct device *dev, struct scatterlist *sgl, int nents,
			    enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		sync_for_cpu(dev, sg_dma_address(sg), sg_dma_len(sg), dir);
}

static void sync_sg_for_device(struct device *dev, struct scatterlist *sgl, int nents,
			       enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		sync_for_device(dev, sg_dma_address(sg), sg_dma_len(sg), dir);
}

/* Whole pages, never shared with slots: queues live here, and both sides write them. */
static void *alloc_coherent(struct device *dev, size_t size, dma_addr_t *handle, gfp_t gfp,
			    unsigned long attrs)
{
	struct xvm_dev *xd = to_xvm_dev(dev);
	struct xvm_area *area;
	u32 bytes, at;
	u8 *vaddr;

	if (!size || size > (size_t)XVM_AREA_MAX_PAGES * XVM_PAGE_BYTES)
		return NULL;
	bytes = round_up(size, XVM_PAGE_BYTES);
	area = take_any(xd, bytes, true, &at);
	if (!area && gfpflags_allow_blocking(gfp) && !xvm_area_grow(xd))
		area = take_any(xd, bytes, true, &at);
	if (!area)
		return NULL;
	vaddr = area->mem->vaddr + ((size_t)at << XVM_GRANULE_SHIFT);
	memset(vaddr, 0, bytes);
	*handle = bus_addr(area, at);
	return vaddr;
}

static void free_coherent(struct device *dev, size_t size, void *vaddr, dma_addr_t handle,
			  unsigned long attrs)
{
	u64 offset;
	struct xvm_area *area = find(to_xvm_dev(dev), handle, &offset);

	if (area)
		give(area, offset >> XVM_GRANULE_SHIFT,
		     (u32)(round_up(size, XVM_PAGE_BYTES) >> XVM_GRANULE_SHIFT));
}

/* Area numbers reach up to bit 46. */
static int dma_supported_mask(struct device *dev, u64 mask)
{
	return mask >= DMA_BIT_MASK(47);
}

static u64 required_mask(struct device *dev)
{
	return DMA_BIT_MASK(47);
}

static size_t max_mapping(struct device *dev)
{
	return XVM_MAX_MAPPING;
}

const struct dma_map_ops xvm_dma_ops = {
	.alloc = alloc_coherent,
	.free = free_coherent,
	.map_page = map_page,
	.unmap_page = unmap_page,
	.map_sg = map_sg,
	.unmap_sg = unmap_sg,
	.sync_single_for_cpu = sync_for_cpu,
	.sync_single_for_device = sync_for_device,
	.sync_sg_for_cpu = sync_sg_for_cpu,
	.sync_sg_for_device = sync_sg_for_device,
	.dma_supported = dma_supported_mask,
	.get_required_mask = required_mask,
	.max_mapping_size = max_mapping,
};
