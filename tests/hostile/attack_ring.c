// SPDX-License-Identifier: GPL-2.0-or-later
/* Lies in the control page, in the rings' indices and records, in credits and notifications. */
#include "front.h"
#include <linux/virtio_blk.h>
#include <stdlib.h>

/* A disk at work, so that the end of the connection has something to drain and unmap. */
static void busy(void)
{
	u32 i;

	if (disk_up())
		wrong("the disk did not come up");
	for (i = 0; i < 16; i++)
		disk_request(i, VIRTIO_BLK_T_IN, 8 * i, 4096);
	disk_kick();
}

static void ctrl(u32 offset, u32 value)
{
	xvm_shm_publish32(front_ctrl(offset), value);
	front_notify();
}

static void prod_beyond(void)
{
	busy();
	ctrl(XVM_CTRL_DRV_PROD, front.tx.prod + front_ring_bytes() + 8);
}

static void prod_unaligned(void)
{
	busy();
	ctrl(XVM_CTRL_DRV_PROD, front.tx.prod + 9);
}

static void prod_backwards(void)
{
	busy();
	front_ping();		/* all before is consumed */
	ctrl(XVM_CTRL_DRV_PROD, front.tx.prod - 64);
}

static void prod_step(void)
{
	ctrl(XVM_CTRL_DRV_PROD, front.tx.prod + 8 * (rnd() % 8192));
}

static void prod_random(void)
{
	busy();
	meanwhile(prod_step);
	nap_ms(300);
	meanwhile_end();
	/* Any of these may have been a good one, and the only one that was looked at; this is none. */
	ctrl(XVM_CTRL_DRV_PROD, xvm_shm_load32(front_ctrl(XVM_CTRL_DRV_CONS)) - 8);
}

static void cons_beyond(void)
{
	busy();
	ctrl(XVM_CTRL_DEV_CONS, front.rx.cons + 4096);
	front_ping();
}

static void cons_step(void)
{
	xvm_shm_publish32(front_ctrl(XVM_CTRL_DEV_CONS), rnd());
}

static void cons_random(void)
{
	u32 i;

	busy();
	meanwhile(cons_step);
	for (i = 0; i < 50 && !front_dropped(); i++)
		front_ping();
	meanwhile_end();
}

static void record(u32 len, u32 shown)
{
	busy();
	front_ping();
	xvm_put32(front_drv(front.tx.prod), len);
	ctrl(XVM_CTRL_DRV_PROD, front.tx.prod + shown);
}

static void record_huge(void)
{
	record(0xfffffff8, 64);
}

static void record_beyond(void)
{
	record(60, 64);
}

static void record_over_max(void)
{
	record(front.pick.max_message + 1, 4096);
}

static void length_step(void)
{
	u32 at = rnd() % front_ring_bytes() & ~7u;

	xvm_shm_store32(front_drv(at), rnd() % 3 ? rnd() % 300 : rnd());
}

static void records_change(void)
{
	u8 msg[264];
	u32 i;

	busy();
	meanwhile(length_step);
	for (i = 0; i < 3000 && !front_dropped(); i++) {
		u32 len = xvm_msg_put_get_config(msg, disk.dev, 0, 8);

		xvm_msg_finish(msg, false, (u16)i);
		front_put(msg, len);
		if (i % 16 == 0)
			front_poll(1);
	}
	meanwhile_end();
}

/* Any byte of the drv ring, after it was shown and while it is read. */
static void byte_step(void)
{
	*front_drv(rnd()) = (u8)rnd();
}

static void bytes_change(void)
{
	u8 msg[64];
	u32 i;

	busy();
	meanwhile(byte_step);
	for (i = 0; i < 3000 && !front_dropped(); i++) {
		u32 len = xvm_msg_put_set_vqueue(msg, front.pick.dialect, disk.dev, &disk.config);

		xvm_msg_finish(msg, false, (u16)i);
		front_put(msg, len);
		if (i % 16 == 0)
			front_poll(1);
	}
	meanwhile_end();
}

static void ring_of_noise(void)
{
	u32 i;

	busy();
	for (i = 0; i < front_ring_bytes(); i++)
		*front_drv(i) = (u8)rnd();
	ctrl(XVM_CTRL_DRV_PROD, front.tx.prod + front_ring_bytes());
}

static void ring_of_zeros(void)
{
	u32 i;

	busy();
	front_ping();
	/* Records of length 0: a ring full of them, again and again. */
	memset(front.ring->mem, 0, front_ring_bytes());
	for (i = 0; i < 50 && !front_dropped(); i++) {
		u32 cons = xvm_shm_load32(front_ctrl(XVM_CTRL_DRV_CONS));

		ctrl(XVM_CTRL_DRV_PROD, cons + front_ring_bytes());
		nap_ms(5);
	}
	front.tx.prod = front.tx.published = xvm_shm_load32(front_ctrl(XVM_CTRL_DRV_PROD));
}

static void event_step(void)
{
	xvm_shm_store32(front_ctrl(XVM_CTRL_DRV_CONS_EVENT), rnd());
	xvm_shm_store32(front_ctrl(XVM_CTRL_DEV_PROD_EVENT), rnd());
}

static void event_words(void)
{
	u32 i;

	if (disk_up())
		wrong("the disk did not come up");
	meanwhile(event_step);
	for (i = 0; i < 100; i++)
		if (!front_ping())
			wrong("ping %u was not answered", i);
	if (disk_prove())
		wrong("the disk did not work meanwhile");
	meanwhile_end();
}

/* The words that are the back's own: it never reads them, so nothing may change. */
static void back_step(void)
{
	xvm_shm_store32(front_ctrl(XVM_CTRL_DRV_CONS), rnd());
	xvm_shm_store32(front_ctrl(XVM_CTRL_DEV_PROD), rnd());
	xvm_shm_store32(front_ctrl(XVM_CTRL_DRV_PROD_EVENT), rnd());
	xvm_shm_store32(front_ctrl(XVM_CTRL_DEV_CONS_EVENT), rnd());
}

static void back_words(void)
{
	u32 i;

	busy();
	meanwhile(back_step);
	for (i = 0; i < 200; i++) {
		xvm_shm_publish32(front_ctrl(XVM_CTRL_DRV_PROD), front.tx.prod);
		front_notify();
		nap_ms(1);
	}
	meanwhile_end();
	front.up = false;	/* our own ends have lost track; the back cannot know */
}

static void control_page(void)
{
	u32 i;

	busy();
	for (i = 0; i < 0x40; i++)
		front_ctrl(0)[i] ^= 0x55;
	for (i = XVM_CTRL_DRV_REFS; i < 4096; i++)
		front_ctrl(0)[i] = (u8)rnd();
	if (!front_ping() || !disk_settle(10000))
		wrong("it was looked at again");
}

static void error_words(void)
{
	busy();
	xvm_page_set_error(front.control->mem, false, rnd(), rnd());
	front_notify();
	if (!front_ping())
		wrong("a word for people ended the connection");
}

static u64 notified;

static void notify_step(void)
{
	front_notify();
	notified++;
}

static void notify_storm(void)
{
	u64 end = now_ms() + 2000;

	if (disk_up())
		wrong("the disk did not come up");
	notified = 0;
	meanwhile(notify_step);
	while (now_ms() < end)
		notify_step();
	if (disk_prove())
		wrong("the disk did not work meanwhile");
	meanwhile_end();
	seen("%llu notifications", (unsigned long long)notified);
}

/* Nobody consumes: the answers owed must find no room in the end. */
static void credits_unread(void)
{
	u8 msg[16];
	u32 i;

	busy();
	for (i = 0; i < 20000 && !front_dropped(); i++) {
		xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, i);
		xvm_msg_finish(msg, false, (u16)(i | 1));
		if (front_put(msg, 12))
			nap_ms(1);
	}
}

/* Requests behind one that waits for the supervisor: more than agreed, in one go. */
static void credits_waiting(void)
{
	struct pages *pages = pages_new(2, 0, true);
	struct xvm_msg_area_add m = { .id = 99, .npages = 1, .ndirs = 1 };
	u8 msg[128];
	u32 i, len;

	m.scope = dev_find(2);
	m.dir_ref[0] = pages->ref[0];
	xvm_put32(pages->mem, pages->ref[1]);
	len = xvm_msg_put_area_add(msg, &m);
	xvm_msg_finish(msg, false, 1);
	xvm_ring_tx_put(&front.tx, msg, len, false);
	for (i = 0; i < 2 * front.pick.credits; i++) {
		len = xvm_msg_put_empty(msg, 0, VIRTIO_MSG_GET_DEVICE_STATUS, m.scope);
		xvm_msg_finish(msg, false, (u16)(2 + i));
		xvm_ring_tx_put(&front.tx, msg, len, false);
	}
	xvm_ring_tx_publish(&front.tx);
	front_notify();
	front_wait_dropped(10000);
	pages_free(pages);
}

static void channel_gone(void)
{
	u32 i;

	busy();
	channel_close(front.channel);
	front.channel = -1;
	for (i = 0; i < 50; i++) {
		ctrl(XVM_CTRL_DRV_PROD, front.tx.prod);
		nap_ms(2);
	}
	front.up = false;
}

static void grants_ended(void)
{
	busy();
	/* Every page of the connection: this kernel keeps what Xen says is mapped, and gives back the rest. */
	front_forget();
	nap_ms(200);
}

/* ---- a handshake that must not come to be ---- */

static void attempt(const struct spoil *spoil)
{
	int ret = front_open(spoil);

	if (!ret)
		return;
	if (ret != -ECONNREFUSED)
		wrong("neither connected nor refused: %s", strerror(-ret));
}

static void spoil_drv_ref(void)
{
	xvm_shm_store32(front_ctrl(XVM_CTRL_DRV_REFS), 0xffffffff);
}

static void ring_ref_wild(void)
{
	attempt(&(struct spoil){ .pages = spoil_drv_ref });
}

static void spoil_dev_ref(void)
{
	xvm_shm_store32(front_ctrl(XVM_CTRL_DEV_REFS + 4), 5000);
}

static void ring_ref_never(void)
{
	attempt(&(struct spoil){ .pages = spoil_dev_ref });
}

static void ring_read_only(void)
{
	front.read_only_rings = true;
	attempt(NULL);
	front.read_only_rings = false;
}

static void spoil_foreign(void)
{
	/* Granted, but to a domain that is not the back's. */
	struct pages *pages = pages_new(1, 1, true);

	pages_free(front.area[MAX_AREAS - 1]);
	front.area[MAX_AREAS - 1] = pages;
	xvm_shm_store32(front_ctrl(XVM_CTRL_DRV_REFS), pages->ref[0]);
}

static void ring_ref_foreign(void)
{
	attempt(&(struct spoil){ .pages = spoil_foreign });
}

static void spoil_same(void)
{
	u32 i;

	for (i = 0; i < 8; i++) {
		xvm_shm_store32(front_ctrl(XVM_CTRL_DRV_REFS + 4 * i), front.control->ref[0]);
		xvm_shm_store32(front_ctrl(XVM_CTRL_DEV_REFS + 4 * i), front.control->ref[0]);
	}
}

/* Both rings are the control page: whatever is said there is said over. */
static void ring_is_control(void)
{
	u8 msg[16];
	u32 i;

	if (front_open(&(struct spoil){ .pages = spoil_same }))
		return;
	for (i = 0; i < 200; i++) {
		xvm_msg_put_u32(msg, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, 0, i);
		xvm_msg_finish(msg, false, 1);
		front_put(msg, 12);
		xvm_shm_publish32(front_ctrl(XVM_CTRL_DRV_PROD), 16 * (i + 1));
		memcpy(front.control->mem + (16 * i & 4095), "\x0c\0\0\0\0\0\0\0", 8);
		front_notify();
	}
	nap_ms(100);
	front.up = false;
}

static void spoil_magic(void)
{
	xvm_shm_store32(front_ctrl(XVM_CTRL_MAGIC), 0x12345678);
}

static void magic(void)
{
	attempt(&(struct spoil){ .pages = spoil_magic });
}

static void spoil_version(void)
{
	xvm_shm_store32(front_ctrl(XVM_CTRL_VERSION), 2);
}

static void version(void)
{
	attempt(&(struct spoil){ .pages = spoil_version });
}

const struct attack ring_attacks[] = {
	{ "ring", "prod-beyond-the-ring", prod_beyond, DROPS, XVM_ERR_INDEX },
	{ "ring", "prod-unaligned", prod_unaligned, DROPS, XVM_ERR_INDEX },
	{ "ring", "prod-backwards", prod_backwards, DROPS, XVM_ERR_INDEX },
	{ "ring", "prod-jumps-while-read", prod_random, DROPS, 0 },
	{ "ring", "cons-beyond", cons_beyond, DROPS, XVM_ERR_INDEX },
	{ "ring", "cons-jumps-while-written", cons_random, DROPS, XVM_ERR_INDEX },
	{ "ring", "record-4-gib", record_huge, DROPS, XVM_ERR_RECORD },
	{ "ring", "record-beyond-prod", record_beyond, DROPS, XVM_ERR_RECORD },
	{ "ring", "record-over-maximum", record_over_max, DROPS, XVM_ERR_RECORD },
	{ "ring", "record-lengths-change", records_change, DROPS, 0 },
	{ "ring", "message-bytes-change", bytes_change, DROPS, 0 },
	{ "ring", "ring-of-noise", ring_of_noise, DROPS, 0 },
	{ "ring", "ring-of-empty-records", ring_of_zeros, STAYS, 0 },
	{ "ring", "event-words-random", event_words, STAYS, 0 },
	{ "ring", "words-of-the-back-overwritten", back_words, MAY_DROP, 0 },
	{ "ring", "control-page-changed", control_page, STAYS, 0 },
	{ "ring", "error-word-random", error_words, STAYS, 0 },
	{ "ring", "notification-storm", notify_storm, STAYS, 0 },
	{ "ring", "credits-exceeded-nothing-read", credits_unread, DROPS, XVM_ERR_CREDIT },
	{ "ring", "credits-exceeded-in-wait", credits_waiting, DROPS, XVM_ERR_CREDIT },
	{ "ring", "event-channel-closed", channel_gone, MAY_DROP, 0 },
	{ "ring", "grants-ended-while-mapped", grants_ended, MAY_DROP, 0 },
	{ "ring", "ring-ref-0xffffffff", ring_ref_wild, REFUSED, 0 },
	{ "ring", "ring-ref-never-granted", ring_ref_never, REFUSED, 0 },
	{ "ring", "ring-ref-of-another-domain", ring_ref_foreign, REFUSED, 0 },
	{ "ring", "ring-granted-read-only", ring_read_only, REFUSED, 0 },
	{ "ring", "rings-are-the-control-page", ring_is_control, MAY_DROP, 0 },
	{ "ring", "control-page-magic", magic, REFUSED, 0 },
	{ "ring", "control-page-version", version, REFUSED, 0 },
	{ 0 }
};
