// SPDX-License-Identifier: GPL-2.0-or-later
/* Areas: references that are none, directories that change, too many, too large, in use, on top of the rings. */
#include "front.h"
#include <linux/virtio_blk.h>
#include <stdlib.h>

static void expect(int got, int want, const char *what)
{
	if (got != want)
		wrong("%s: status %d, not %d", what, got, want);
}

/* One bad among good ones: all or nothing. */
static void one_ref(u32 ref, const char *what)
{
	struct pages *good = pages_new(3, 0, true);
	u32 refs[4] = { good->ref[0], good->ref[1], ref, good->ref[2] };

	expect(area_add_refs(area_id(), 0, refs, 4), XVM_STATUS_BAD_REF, what);
	pages_free(good);
}

static void ref_never(void)
{
	one_ref(6000, "a reference never granted");
}

static void ref_wild(void)
{
	one_ref(0xffffffff, "0xffffffff");
	one_ref(0x80000000, "0x80000000");
}

static void ref_ended(void)
{
	struct pages *pages[8];
	u32 i, ref;

	/* The numbers ended last are given out first: the first of these is not, for the next few pages. */
	for (i = 0; i < XVM_ARRAY_SIZE(pages); i++)
		pages[i] = pages_new(1, 0, true);
	ref = pages[0]->ref[0];
	for (i = 0; i < XVM_ARRAY_SIZE(pages); i++)
		pages_free(pages[i]);
	one_ref(ref, "an ended grant");
}

static void ref_foreign(void)
{
	struct pages *pages = pages_new(2, 1, true);

	one_ref(pages->ref[0], "granted to another domain");
	pages_free(pages);
}

static void ref_read_only(void)
{
	struct pages *pages = pages_new(2, 0, false);

	one_ref(pages->ref[0], "granted read-only");
	pages_free(pages);
}

/* More maps of one page than Xen counts for. */
static void ref_repeated(void)
{
	struct pages *pages = pages_new(1, 0, true);
	u32 refs[1024], i, id;
	int ret;

	for (i = 0; i < 1024; i++)
		refs[i] = pages->ref[0];
	id = area_id();
	ret = area_add_refs(id, 0, refs, 1024);
	seen("one page 1024 times: status %d", ret);
	if (!ret)
		area_del(id);
	pages_free(pages);
}

static void directory_refs(void)
{
	static const u32 bad[] = { 0xffffffff, 6000, 0x7fffffff };
	struct pages *own = pages_new(1, 1, true), *ro = pages_new(1, 0, false);
	struct xvm_msg_area_add m = { .npages = 4, .ndirs = 1 };
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(bad); i++) {
		m.id = (u16)area_id();
		m.dir_ref[0] = bad[i];
		expect(area_add_raw(&m), XVM_STATUS_BAD_REF, "a directory that is none");
	}
	m.id = (u16)area_id();
	m.dir_ref[0] = own->ref[0];
	expect(area_add_raw(&m), XVM_STATUS_BAD_REF, "a directory of another domain");
	/* Read-only is enough for a directory; its references are 0, the console's and the store's. */
	m.id = (u16)area_id();
	m.dir_ref[0] = ro->ref[0];
	m.npages = 1;
	if (!area_add_raw(&m))
		area_del(m.id);
	pages_free(own);
	pages_free(ro);
}

static void fields(void)
{
	struct pages *p = pages_new(2, 0, true);
	struct xvm_msg_area_add good = { .npages = 1, .ndirs = 1, .dir_ref = { p->ref[0] } }, m;
	u32 i;

	xvm_put32(p->mem, p->ref[1]);
	for (i = 0; i < 40; i++) {
		m = good;
		m.id = (u16)area_id();
		switch (i % 10) {
		case 0: m.id = 0; break;
		case 1: m.id = 128; break;
		case 2: m.id = 0xffff; break;
		case 3: m.npages = 0; break;
		case 4: m.npages = 16385; m.ndirs = 16; break;
		case 5: m.npages = 0xffffffff; break;
		case 6: m.npages = 1025; break;		/* needs two directories */
		case 7: m.ndirs = 2; break;
		case 8: m.flags = 1u << i % 32; break;
		case 9: m.first_byte = 8; break;
		}
		expect(area_add_raw(&m), XVM_STATUS_INVALID, "a field that breaks a rule");
	}
	m = good;
	m.id = (u16)area_id();
	m.scope = 60000;
	expect(area_add_raw(&m), XVM_STATUS_NO_DEVICE, "scope without a device");
	for (i = 0; i < 40; i++)
		expect(area_del(i % 2 ? 100 + i : rnd() % 65536 | 0x100), XVM_STATUS_NO_AREA, "no such area");
	pages_free(p);
}

static struct pages *changing_dir;
static u32 good_ref;

static void directory_step(void)
{
	u8 *entry = changing_dir->mem + 4 * (rnd() % 64);
	u32 i;

	xvm_shm_store32(entry, rnd());
	for (i = rnd() % 4096; i; i--)
		__asm__ volatile ("" ::: "memory");
	xvm_shm_store32(entry, good_ref);
	for (i = rnd() % 16384; i; i--)
		__asm__ volatile ("" ::: "memory");
}

static void directory_changes(void)
{
	struct pages *data = pages_new(1, 0, true);
	struct xvm_msg_area_add m = { .npages = 64, .ndirs = 1 };
	u32 i, k, taken = 0;
	int ret;

	changing_dir = pages_new(1, 0, true);
	good_ref = data->ref[0];
	for (k = 0; k < 1024; k++)
		xvm_put32(changing_dir->mem + 4 * k, good_ref);
	meanwhile(directory_step);
	for (i = 0; i < 40; i++) {
		m.id = (u16)area_id();
		m.dir_ref[0] = changing_dir->ref[0];
		ret = area_add_raw(&m);
		if (ret && ret != XVM_STATUS_BAD_REF && ret != XVM_STATUS_EXISTS) {
			meanwhile_end();
			wrong("status %d", ret);
		}
		if (!ret && !area_del(m.id))
			taken++;
	}
	meanwhile_end();
	pages_free(changing_dir);
	pages_free(data);
	seen("%u of 40 times all references were good", taken);
}

static void ids_repeated(void)
{
	struct pages *p = pages_new(2, 0, true);
	u32 id = area_id(), i;

	expect(area_add_refs(id, 0, p->ref, 1), XVM_STATUS_OK, "the first");
	/* Of another size, since the same message again is answered OK again. */
	for (i = 0; i < 20; i++)
		expect(area_add_refs(id, 0, p->ref, 2), XVM_STATUS_EXISTS, "an id in use");
	expect(area_del(id), XVM_STATUS_OK, "given back");
	expect(area_add_refs(id, 0, p->ref, 1), XVM_STATUS_EXISTS, "an id freed a moment ago");
	pages_free(p);
}

/* The ids used up rest on this connection; what comes next needs some. */
static void fresh_ids(void)
{
	if (!front_ping())
		wrong("the connection was dropped");
	front_must_open();
}

static void thousand_areas(void)
{
	struct pages *p = pages_new(1, 0, true);
	bool live[128] = { false };
	u32 i, id, n = 0;
	int ret;

	/* An id that is live is asked for again: the same message may be answered OK again, and is no second area. */
	for (i = 0; i < 1000; i++) {
		id = 1 + i % 127;
		ret = area_add_refs(id, 0, p->ref, 1);
		if (ret < 0)
			wrong("no answer to area %u: %d", i, ret);
		n += !ret && !live[id];
		live[id] = live[id] || !ret;
	}
	for (id = 1; id < 128; id++)
		expect(area_del(id), live[id] ? XVM_STATUS_OK : XVM_STATUS_NO_AREA, "given back");
	pages_free(p);
	seen("%u at once", n);
	if (n != 8)	/* of one scope */
		wrong("%u areas at once", n);
	fresh_ids();
}

/* 256 pages, each granted once and named 64 times, make an area of the largest size. */
static u32 big_refs[16384];

static void over_budget(void)
{
	struct pages *p = pages_new(512, 0, true);
	u32 i, ids[4], n = 0;
	int ret = 0;

	for (i = 0; i < 16384; i++)
		big_refs[i] = p->ref[i % 512];
	for (i = 0; i < 4 && !ret; i++) {
		ids[n] = area_id();
		ret = area_add_refs(ids[n], 0, big_refs, i ? 12000 : 16384);
		n += !ret;
	}
	seen("%u large areas, then status %d", n, ret);
	if (n > 2 || (ret != XVM_STATUS_NO_SPACE && ret != XVM_STATUS_BAD_REF))
		wrong("%u large areas, then status %d", n, ret);
	while (n)
		area_del(ids[--n]);
	pages_free(p);
}

static void add_del_storm(void)
{
	struct pages *p = pages_new(1, 0, true);
	u64 end = now_ms() + 3000;
	u32 n = 0;

	for (; now_ms() < end && !front_dropped(); n++)
		area_del(n % 127 + 1), area_add_refs((n * 7) % 127 + 1, 0, p->ref, 1);
	seen("%u times", n);
	for (n = 1; n < 128 && !front_dropped(); n++)
		area_del(n);
	pages_free(p);
	fresh_ids();
}

/* The disk's area is the connection itself: what is read lands on rings and control page. */
static void area_is_rings(void)
{
	u32 refs[DISK_PAGES], i, n = front.ring->n, id = area_id();
	struct pages *p = pages_new(DISK_PAGES, 0, true);

	memcpy(refs, p->ref, sizeof(refs));
	for (i = 0; i < n && i < 32; i++)
		refs[8 + i] = front.ring->ref[i];
	refs[40] = front.control->ref[0];
	front.area[MAX_AREAS - 1] = p;
	disk.dev = dev_find(2);
	expect(area_add_refs(id, disk.dev, refs, DISK_PAGES), XVM_STATUS_OK, "the rings as an area");
	if (disk_up_in(id, p->mem, DISK_PAGES))
		wrong("the disk did not come up");
	for (i = 0; i < 33 && !front_dropped(); i++) {
		disk_hdr(0, VIRTIO_BLK_T_IN, 8 * i);
		disk_desc(0, disk_addr(DISK_HDR), 16, D_NEXT, 1);
		disk_desc(1, disk_addr(4096 * (8 + i)), 4096, D_NEXT | D_WRITE, 2);
		disk_desc(2, disk_addr(DISK_HDR + 32), 1, D_WRITE, 0);
		disk_avail(0);
		disk_kick();
		nap_ms(10);
	}
	nap_ms(300);
	front.up = false;
}

/* The used ring itself is the control page: the worker writes over its own indices. */
static void used_is_control(void)
{
	struct pages *p = pages_new(DISK_PAGES, 0, true);
	struct xvm_msg_vqueue m;
	u32 refs[DISK_PAGES], id = area_id(), i;

	memcpy(refs, p->ref, sizeof(refs));
	refs[40] = front.control->ref[0];
	front.area[MAX_AREAS - 1] = p;
	disk.dev = dev_find(2);
	expect(area_add_refs(id, disk.dev, refs, DISK_PAGES), XVM_STATUS_OK, "the control page in an area");
	if (disk_up_in(id, p->mem, DISK_PAGES))
		wrong("the disk did not come up");
	dev_negotiate(disk.dev);
	m = disk.config;
	m.device_addr = disk_addr(4096 * 40);
	dev_set_vqueue(disk.dev, &m);
	dev_set_status(disk.dev, 15);
	disk.avail = 0;
	memset(disk.base, 0, DISK_HDR);
	for (i = 0; i < 40 && !front_dropped(); i++) {
		disk_request(i % 16, VIRTIO_BLK_T_IN, 0, 4096);
		disk_kick();
		nap_ms(5);
	}
	nap_ms(200);
	front.up = false;
}

static void del_busy(void)
{
	if (disk_up())
		wrong("the disk did not come up");
	expect(area_del(disk.area), XVM_STATUS_BUSY, "an area with a queue in it");
	dev_set_status(disk.dev, 0);
	expect(area_del(disk.area), XVM_STATUS_OK, "after the reset");
	disk.base = NULL;
}

/* Data in a second area, taken back while the disk reads into it. */
static void del_under_io(void)
{
	struct pages *p = pages_new(16, 0, true);
	u32 round, i, id;
	int ret;

	if (disk_up())
		wrong("the disk did not come up");
	for (round = 0; round < 10; round++) {
		id = area_id();
		ret = area_add_refs(id, disk.dev, p->ref, 16);
		if (ret == XVM_STATUS_EXISTS)
			continue;
		expect(ret, XVM_STATUS_OK, "the data area");
		for (i = 0; i < 16; i++) {
			disk_request(i, i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 1024 + 8 * i, 4096);
			disk_desc(3 * i + 1, xvm_addr_make(id, 4096 * i), 4096, D_NEXT | (i % 2 ? D_WRITE : 0),
				  (u16)(3 * i + 2));
		}
		disk_kick();
		expect(area_del(id), XVM_STATUS_OK, "taken back under I/O");
		/* What was not begun by then names an area that is gone: that breaks the device, no more. */
		disk_settle(200);
		if (disk_again())
			wrong("no reset");
	}
	pages_free(p);
}

static void grants_ended_in_io(void)
{
	u32 i;

	if (disk_up())
		wrong("the disk did not come up");
	for (i = 0; i < 16; i++)
		disk_request(i, i % 2 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 8 * i + 2048, 4096);
	disk_kick();
	front_forget();
	nap_ms(100);
}

/* References 0 and 1 are this domain's console and store rings, granted to dom0 by the toolstack. */
static void area_is_console(void)
{
	static const u32 refs[] = { 0, 1 };
	struct pages *p = pages_new(DISK_PAGES - 1, 0, true);
	u32 all[DISK_PAGES], id = area_id();
	int ret;

	memcpy(all, p->ref, (DISK_PAGES - 1) * 4);
	all[DISK_PAGES - 1] = refs[0];
	disk.dev = dev_find(2);
	front.area[MAX_AREAS - 1] = p;
	ret = area_add_refs(id, disk.dev, all, DISK_PAGES);
	seen("status %d", ret);
	if (ret)
		return;
	/* Written to the disk from there: it is this domain's own, so it may. */
	if (disk_up_in(id, p->mem, DISK_PAGES - 1))
		wrong("the disk did not come up");
	disk_request(0, VIRTIO_BLK_T_OUT, 512, 512);
	disk_desc(1, disk_addr(4096 * (DISK_PAGES - 1)), 512, D_NEXT, 2);
	disk_kick();
	disk_settle(2000);
	disk_down();
}

const struct attack area_attacks[] = {
	{ "area", "area-ref-never-granted", ref_never, STAYS, 0 },
	{ "area", "area-ref-0xffffffff", ref_wild, STAYS, 0 },
	{ "area", "area-ref-ended", ref_ended, STAYS, 0 },
	{ "area", "area-ref-of-another-domain", ref_foreign, STAYS, 0 },
	{ "area", "area-ref-read-only", ref_read_only, STAYS, 0 },
	{ "area", "area-one-page-1024-times", ref_repeated, STAYS, 0 },
	{ "area", "directory-refs-bad", directory_refs, STAYS, 0 },
	{ "area", "area-fields-bad", fields, STAYS, 0 },
	{ "area", "directory-changes-while-read", directory_changes, STAYS, 0 },
	{ "area", "area-ids-repeated", ids_repeated, STAYS, 0 },
	{ "area", "thousand-areas", thousand_areas, STAYS, 0 },
	{ "area", "pages-over-budget", over_budget, STAYS, 0 },
	{ "area", "area-add-del-storm", add_del_storm, STAYS, 0 },
	{ "area", "area-over-the-rings", area_is_rings, MAY_DROP, 0 },
	{ "area", "used-ring-is-control-page", used_is_control, MAY_DROP, 0 },
	{ "area", "area-del-with-queue", del_busy, STAYS, 0 },
	{ "area", "area-del-under-io", del_under_io, STAYS, 0 },
	{ "area", "grants-ended-under-io", grants_ended_in_io, MAY_DROP, 0 },
	{ "area", "area-of-console-page", area_is_console, STAYS, 0 },
	{ 0 }
};
