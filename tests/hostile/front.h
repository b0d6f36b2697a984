/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front-end in user space, made to misbehave: runs in a guest whose kernel
 * does not load xen-virtio-msg.ko, and speaks keys, rings and queues by hand
 * over /dev/xen/{xenbus,gntalloc,evtchn}. Honest unless an attack makes it lie;
 * every word of what it shares is open to the attacks (attack_*.c).
 *
 * One front at a time; it is a global. A call that cannot go on because the
 * attacking guest itself is broken ends the program (die).
 */
#ifndef TESTS_HOSTILE_FRONT_H
#define TESTS_HOSTILE_FRONT_H

#include <stdnoreturn.h>
#include <sys/types.h>
#include "../../xen/proto/addr.h"
#include "../../xen/proto/msg.h"
#include "../../xen/proto/num.h"
#include "../../xen/proto/page.h"
#include "../../xen/proto/ring.h"
#include "../../xen/proto/shake.h"

noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line of what was seen, for the report; the last one counts. */
void seen(const char *format, ...) __attribute__((format(printf, 1, 2)));
u64 now_ms(void);
void nap_ms(u32 ms);
u32 rnd(void);		/* seeded: a failure repeats */

/* ---- store.c: xenstore, paths relative to this domain's unless absolute ---- */

#define FRONT "device/virtio-msg/0"

/* Bytes of the value, or negative errno. dst is terminated. */
int store_read(const char *path, char *dst, size_t bytes);
int store_write(const char *path, const char *text);
int store_write_bytes(const char *path, const void *data, size_t bytes);
int store_rm(const char *path);
int store_front(const char *leaf, const char *text);
int store_front_u32(const char *leaf, u32 value);
/* A message of any kind and length, its answer thrown away. Negative errno when refused. */
int store_raw(u32 type, const void *data, size_t bytes);

/* ---- pages.c: granted memory, event channels ---- */

struct pages {
	int fd;
	u8 *mem;
	u32 n;
	u32 ref[];
};

struct pages *pages_new(u32 n, u16 domid, bool writable);
/* Ends the grants as far as this kernel can; what dom0 has mapped stays until it lets go. */
void pages_free(struct pages *pages);

int channel_open(u32 *port);		/* unbound, for domain 0 */
void channel_close(int fd);
void channel_notify(int fd, u32 port);
/* Waits at most ms for a notification. */
void channel_wait(int fd, int ms);

/* ---- front.c ---- */

#define MAX_AREAS 128

struct front {
	bool up;
	u32 credits_asked, order_asked;	/* 0, or what to choose instead of the best */
	bool read_only_rings;
	struct pages *control, *ring;	/* ring: drv, then dev */
	int channel;
	u32 port;
	struct xvm_pick pick;
	struct xvm_ring_tx tx;
	struct xvm_ring_rx rx;
	struct pages *area[MAX_AREAS];
	u32 areas_used;
	u16 token;
	u8 answer[512];
	u32 answer_len;
	bool answered, refused;		/* refused: REQUEST_FAILED */
	u16 awaited;
	u32 records, answers;
	/* how the back ended the connection */
	u32 reason, detail;
	u64 looked_ms;
	char id[20];			/* connection-id of the last connection */
};

extern struct front front;

/* What an attack changes before the keys are written, and after: keys by name. */
struct spoil {
	void (*pages)(void);		/* control page and rings are filled */
	const char *key, *value;	/* this key gets this value; NULL value: not written */
};

/* Handshake. 0: up. -ECONNREFUSED: the back closed it. -ETIMEDOUT. */
int front_open(const struct spoil *spoil);
/* Good-bye through state 6, pages given back. */
void front_close(void);
/* Gives everything back without a word; the back finds out. */
void front_forget(void);
/* front_open until it works; dies after a minute. */
void front_must_open(void);
/* Has the back ended this connection? Sets reason and detail. */
bool front_dropped(void);
/* Waits for that. */
bool front_wait_dropped(u32 ms);

u8 *front_ctrl(u32 offset);
u8 *front_drv(u32 pos);		/* byte of the drv ring at this free-running count */
u32 front_ring_bytes(void);
void front_notify(void);
/* Takes all records there are; waits at most ms if none. */
void front_poll(int ms);
/* Any bytes as a record, shown at once. -ENOSPC, -EPROTO. */
int front_put(const void *msg, u32 len);
/* As above, waits for room while the connection lives. */
int front_put_wait(const void *msg, u32 len);
/* Length of the answer (in front.answer); 0: REQUEST_FAILED; -EPIPE dropped; -ETIMEDOUT. */
int front_ask(u8 *msg, u32 len);
bool front_ping(void);

/* XVM_STATUS_*, or negative. refs: npages of them; NULL: those of pages. */
int area_add_refs(u32 id, u16 scope, const u32 *refs, u32 npages);
int area_add_raw(const struct xvm_msg_area_add *m);
int area_del(u32 id);
/* An id that may be used now. */
u32 area_id(void);

int dev_status(u16 dev);			/* or negative */
int dev_set_status(u16 dev, u32 status);
int dev_set_vqueue(u16 dev, const struct xvm_msg_vqueue *m);
int dev_get_vqueue(u16 dev, u32 index, struct xvm_msg_vqueue *m);
int dev_negotiate(u16 dev);
/* With these bits of word 1 (32..63) instead of VERSION_1 and ACCESS_PLATFORM alone. */
int dev_negotiate_bits(u16 dev, u32 word1);
/* Number of the first device of this virtio type, 0: none. */
u16 dev_find(u32 device_id);

/* ---- disk.c: one disk with one queue, laid out in one area ---- */

#define DISK_QUEUE 64
#define DISK_PAGES 64
#define DISK_DESC 0x0
#define DISK_AVAIL 0x400
#define DISK_USED 0x800
#define DISK_TABLE 0x1000		/* indirect tables */
#define DISK_HDR 0x2000			/* headers, 64 bytes each: 16 header, status at 32 */
#define DISK_DATA 0x4000

struct disk {
	u16 dev;
	u32 area;
	u8 *base;
	u32 pages;
	u64 sectors;
	bool packed;			/* the queue's format, from the next disk_up on; attack_packed.c */
	u16 avail, used;
	u32 broken;			/* times, in this attack */
	struct xvm_msg_vqueue config;
};

extern struct disk disk;

/* Negotiates, announces its area, sets the queue up, DRIVER_OK. 0, negative errno, or -1000 - area status. */
int disk_up(void);
int disk_up_in(u32 area, u8 *base, u32 pages);
/* The same disk again in the same area, after a reset. */
int disk_again(void);
/* Reset, area back. */
void disk_down(void);
u64 disk_addr(u64 offset);
void disk_desc(u32 i, u64 addr, u32 len, u16 flags, u16 next);
void disk_desc_at(u32 offset, u64 addr, u32 len, u16 flags, u16 next);
void disk_avail(u16 head);
void disk_kick(void);
/* Header in slot n. */
void disk_hdr(u32 n, u32 type, u64 sector);
/* A request of three descriptors from 3 * n on; made available, not kicked. */
void disk_request(u32 n, u32 type, u64 sector, u32 bytes);
/* One whole request; its status byte, or negative. */
int disk_do(u32 type, u64 sector, u32 bytes);
/* Waits until all that is available was used, or ms have passed, or the device broke. */
bool disk_settle(u32 ms);
/* DEVICE_NEEDS_RESET within two seconds. */
bool disk_broken(void);
/* Writes a pattern, reads it back: 0 when all is well. */
int disk_prove(void);

#define D_NEXT 1
#define D_WRITE 2
#define D_INDIRECT 4

/* ---- attack_queue.c: of the disk's queue, in either format ---- */

/* What was offered: the device must say that it is broken, and work again after a reset. */
void queue_breaks(const char *what);
/* Buffers and indirect tables that are none, one after the other. */
void queue_bad_buffers(void (*offer)(u64 addr, u32 len, const char *what));
void queue_bad_tables(void (*offer)(u64 addr, u32 len, u16 flags, const char *what));
/* Good requests without end while a second thread writes over what they are made of. */
void queue_changing(void (*step)(void), void (*requests)(void));

/* ---- a second thread that does something all the time ---- */

void meanwhile(void (*step)(void));
void meanwhile_end(void);

/* ---- attack_*.c ---- */

enum outcome {
	MAY_DROP,	/* anything but harm to others */
	DROPS,		/* the connection is given up, with this reason */
	STAYS,		/* the connection goes on */
	REFUSED,	/* no connection comes to be */
};

struct attack {
	const char *group, *name;
	void (*run)(void);
	enum outcome expect;
	u32 reason;		/* XVM_ERR_*, with DROPS; 0: any */
};

extern const struct attack ring_attacks[], msg_attacks[], vq_attacks[], packed_attacks[], area_attacks[],
	io_attacks[], store_attacks[];

/* An attack's own verdict: what it looked for did not come. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
