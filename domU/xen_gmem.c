// SPDX-License-Identifier: GPL-2.0-only
/*
 * Granted memory. Pages go back to the kernel only when Xen says that no
 * mapping of them is left: the other side unmaps in its own time (Linux does
 * so asynchronously), and a hostile one never. Busy is normal and silent:
 * gnttab_end_foreign_access_ref would print a warning per page.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <xen/page.h>

#include "front.h"

#define MAX_ORDER_TRIED	9	/* 2 MiB chunks, if the machine has them */
#define MIN_ORDER_TRIED	4
#define GRANT_BATCH	1024u	/* taking more holds the grant lock with interrupts off for long */
#define RETRY_MIN_MS	10
#define RETRY_MAX_MS	1000
#define BUSY_TRIED	16	/* per block and pass: where so many are mapped, all are */
#define EXIT_SECONDS	10

static LIST_HEAD(retired);
static DEFINE_SPINLOCK(retired_lock);
static unsigned int retry_ms = RETRY_MIN_MS;
static void retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(retry_work, retry);

static u32 linux_pages(u32 npages)
{
	return DIV_ROUND_UP(npages, XEN_PFN_PER_PAGE);
}

static void free_pages_of(struct xvm_gmem *mem)
{
	u32 i;

	if (mem->vaddr)
		vunmap(mem->vaddr);
	for (i = 0; mem->pages && i < linux_pages(mem->npages); i++)
		if (mem->pages[i])
			__free_page(mem->pages[i]);
	kvfree(mem->pages);
	kvfree(mem->refs);
	xvm_bus_put(mem->bus);
	kfree(mem);
}

/* One chunk of at most want pages into pages[]; its order, or -ENOMEM. */
static int alloc_chunk(struct page **pages, u32 want, int order)
{
	struct page *page;
	u32 i;

	for (order = min_t(int, order, ilog2(want)); order >= MIN_ORDER_TRIED; order--) {
		page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN, order);
		if (page)
			break;
	}
	if (order < MIN_ORDER_TRIED) {
		order = 0;
		page = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	}
	if (!page)
		return -ENOMEM;
	/* Each page is freed on its own, when its grant has ended. */
	split_page(page, order);
	for (i = 0; i < 1u << order; i++)
		pages[i] = page + i;
	return order;
}

static int alloc_pages_of(struct xvm_gmem *mem)
{
	u32 n = linux_pages(mem->npages), have = 0;
	int order = MAX_ORDER_TRIED;

	while (have < n) {
		int got = alloc_chunk(mem->pages + have, n - have, order);

		if (got < 0)
			return got;
		have += 1u << got;
		/* Larger chunks were not to be had; do not search for them again. */
		if (1u << got < n - have)
			order = got;
		cond_resched();
	}
	mem->vaddr = vmap(mem->pages, n, VM_MAP, PAGE_KERNEL);
	return mem->vaddr ? 0 : -ENOMEM;
}

static unsigned long gfn_of(const struct xvm_gmem *mem, u32 i)
{
	return xen_page_to_gfn(mem->pages[i / XEN_PFN_PER_PAGE]) + i % XEN_PFN_PER_PAGE;
}

static int grant_batch(struct xvm_gmem *mem, domid_t otherend, u32 n)
{
	grant_ref_t head;
	u32 end = mem->left + n;

	if (gnttab_alloc_grant_references(n, &head))
		return -ENOSPC;
	for (; mem->left < end; mem->left++) {
		u32 i = mem->left;
		int ref = gnttab_claim_grant_reference(&head);

		if (ref < 0)
			break;
		mem->refs[i] = ref;
		gnttab_grant_foreign_access_ref(ref, otherend, gfn_of(mem, i), mem->readonly);
	}
	gnttab_free_grant_references(head);
	return mem->left == end ? 0 : -ENOSPC;
}

static int grant_all(struct xvm_gmem *mem, domid_t otherend)
{
	int err = 0;

	while (!err && mem->left < mem->npages) {
		err = grant_batch(mem, otherend, min(mem->npages - mem->left, GRANT_BATCH));
		cond_resched();
	}
	xvm_count_add(mem->bus, grants_given, mem->left);
	return err;
}

struct xvm_gmem *xvm_gmem_alloc(struct xvm_bus *bus, domid_t otherend, u32 npages, bool readonly)
{
	struct xvm_gmem *mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	int err = -ENOMEM;

	if (!mem)
		return NULL;
	kref_get(&bus->ref);
	mem->bus = bus;
	mem->npages = npages;
	mem->readonly = readonly;
	mem->pages = kvcalloc(linux_pages(npages), sizeof(*mem->pages), GFP_KERNEL);
	mem->refs = kvcalloc(npages, sizeof(*mem->refs), GFP_KERNEL);
	if (mem->pages && mem->refs)
		err = alloc_pages_of(mem);
	if (!err)
		err = grant_all(mem, otherend);
	if (err) {
		xvm_gmem_retire(mem);
		return NULL;
	}
	return mem;
}

/*
 * The references are still ours: Linux keeps its list of free ones over a
 * resume, only the table's entries are empty in the new domain.
 */
void xvm_gmem_grant_again(struct xvm_gmem *mem, domid_t otherend)
{
	u32 i;

	for (i = 0; i < mem->left; i++)
		gnttab_grant_foreign_access_ref(mem->refs[i], otherend, gfn_of(mem, i),
						mem->readonly);
}

/* Ends what can be ended; true when nothing is left. */
static bool end_grants(struct xvm_gmem *mem)
{
	u32 i = 0, busy = 0, ended = 0;

	while (i < mem->left && busy < BUSY_TRIED) {
		if (gnttab_try_end_foreign_access(mem->refs[i])) {
			mem->refs[i] = mem->refs[--mem->left];
			ended++;
		} else {
			i++;
			busy++;
		}
		if (!(ended & 1023))
			cond_resched();
	}
	xvm_count_add(mem->bus, grants_ended, ended);
	return !mem->left;
}

void xvm_gmem_retire(struct xvm_gmem *mem)
{
	if (!mem)
		return;
	if (end_grants(mem)) {
		free_pages_of(mem);
		return;
	}
	xvm_count_add(mem->bus, grants_quarantined, mem->left);
	spin_lock(&retired_lock);
	list_add_tail(&mem->node, &retired);
	retry_ms = RETRY_MIN_MS;
	spin_unlock(&retired_lock);
	mod_delayed_work(system_long_wq, &retry_work, msecs_to_jiffies(RETRY_MIN_MS));
}

static void retry_one(struct xvm_gmem *mem)
{
	u32 before = mem->left;
	bool all = end_grants(mem);

	xvm_count_add(mem->bus, grants_quarantined, -(s64)(before - mem->left));
	if (all) {
		free_pages_of(mem);
		return;
	}
	spin_lock(&retired_lock);
	list_add_tail(&mem->node, &retired);
	spin_unlock(&retired_lock);
}

static void retry(struct work_struct *work)
{
	struct xvm_gmem *mem, *next;
	LIST_HEAD(todo);
	bool again;

	spin_lock(&retired_lock);
	list_splice_init(&retired, &todo);
	spin_unlock(&retired_lock);
	list_for_each_entry_safe(mem, next, &todo, node)
		retry_one(mem);

	spin_lock(&retired_lock);
	again = !list_empty(&retired);
	retry_ms = min(retry_ms * 2, (unsigned int)RETRY_MAX_MS);
	spin_unlock(&retired_lock);
	if (again)
		queue_delayed_work(system_long_wq, &retry_work, msecs_to_jiffies(retry_ms));
}

/* What is mapped even now stays allocated for good: it is not ours to reuse. */
void xvm_gmem_exit(void)
{
	struct xvm_gmem *mem;
	u32 i, kept = 0;

	for (i = 0; i < EXIT_SECONDS * 10; i++) {
		flush_delayed_work(&retry_work);
		if (list_empty(&retired))
			break;
		msleep(100);
	}
	cancel_delayed_work_sync(&retry_work);
	list_for_each_entry(mem, &retired, node)
		kept += mem->left;
	if (kept)
		pr_notice("xen-virtio-msg: %u pages are still mapped by the other side and stay allocated\n",
			  kept);
}
