/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of virtio-blk share: an aio that does its work when told,
 * short, late or not well; an image in memory whose sectors hold their number;
 * and a guest that makes requests. Included once per program.
 */
#ifndef XVM_TEST_BLK_RIG_H
#define XVM_TEST_BLK_RIG_H

#include "test.h"
#include "../../dom0/dev/dev.h"
#include "../../dom0/virtio/aio.h"

#define OWNER_TYPE xvm_blk_type
#include "fake_owner.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX)
#define F(name) (1ull << VIRTIO_BLK_F_##name)
#define GOOD (BASE | F(FLUSH) | F(DISCARD) | F(WRITE_ZEROES))

#define BYTES 0x1000000u
#define SECTORS 20480u			/* 10 MiB */
#define STATUS (RING_DATA + 0x10)
#define DATA (RING_DATA + 0x1000)

/* ---- an aio that does its work when told ---- */

struct op {
	struct xvm_aio_req *req;
	int kind, fd, mode;
	const struct iovec *iov;
	u32 n;
	off_t off, len;
};

enum { OP_READ, OP_WRITE, OP_SYNC, OP_FALLOCATE, OP_TIMER };

struct xvm_aio {
	struct op op[512];
	u32 head, tail;
	u32 full;		/* refuse so many submissions */
	u32 chunk;		/* bytes per read or write at most; 0: all */
	int fail;		/* the next one ends with this */
	int no_fallocate;	/* modes refused */
	u32 align;
	u32 count[5];
};

static struct xvm_aio aio;

static inline int op_add(struct op op)
{
	if (aio.full) {
		aio.full--;
		return -EAGAIN;
	}
	assert_true(aio.tail - aio.head < 512);
	aio.op[aio.tail++ % 512] = op;
	aio.count[op.kind]++;
	return 0;
}

int xvm_aio_readv(struct xvm_aio *a, struct xvm_aio_req *req, int fd, const struct iovec *iov,
		  unsigned int n, off_t off)
{
	(void)a;
	return op_add((struct op){ req, OP_READ, fd, 0, iov, n, off, 0 });
}

int xvm_aio_writev(struct xvm_aio *a, struct xvm_aio_req *req, int fd, const struct iovec *iov,
		   unsigned int n, off_t off)
{
	(void)a;
	return op_add((struct op){ req, OP_WRITE, fd, 0, iov, n, off, 0 });
}

int xvm_aio_fdatasync(struct xvm_aio *a, struct xvm_aio_req *req, int fd)
{
	(void)a;
	return op_add((struct op){ req, OP_SYNC, fd, 0, NULL, 0, 0, 0 });
}

int xvm_aio_fallocate(struct xvm_aio *a, struct xvm_aio_req *req, int fd, int mode, off_t off,
		      off_t len)
{
	(void)a;
	return op_add((struct op){ req, OP_FALLOCATE, fd, mode, NULL, 0, off, len });
}

int xvm_aio_timer(struct xvm_aio *a, struct xvm_aio_req *req, unsigned int ms)
{
	(void)a, (void)ms;
	return op_add((struct op){ req, OP_TIMER, -1, 0, NULL, 0, 0, 0 });
}

static inline int op_rw(const struct op *op)
{
	struct iovec cut[256], *at = cut;
	size_t all = 0;
	u32 i, n;
	ssize_t ret;

	for (i = 0; i < op->n; i++) {
		cut[i] = op->iov[i];
		all += cut[i].iov_len;
		if (aio.align)
			assert_false((uintptr_t)cut[i].iov_base % aio.align ||
				     cut[i].iov_len % 512 || op->off % 512);
	}
	n = xvm_iov_trim(&at, op->n, 0, aio.chunk && aio.chunk < all ? all - aio.chunk : 0);
	ret = op->kind == OP_READ ? preadv(op->fd, at, (int)n, op->off) :
				    pwritev(op->fd, at, (int)n, op->off);
	return ret < 0 ? -errno : (int)ret;
}

static inline int op_do(const struct op *op)
{
	int fail = aio.fail;

	aio.fail = 0;
	if (fail)
		return fail;
	switch (op->kind) {
	case OP_READ:
	case OP_WRITE:
		return op_rw(op);
	case OP_FALLOCATE:
		if (op->mode & aio.no_fallocate)
			return -EOPNOTSUPP;
		return fallocate(op->fd, op->mode, op->off, op->len) ? -errno : 0;
	default:
		return 0;
	}
}

static inline void aio_one(void)
{
	struct op op = aio.op[aio.head++ % 512];

	op.req->done(op.req, op_do(&op));
}

/* ---- the guest ---- */

struct fix {
	struct xvm_vdev *vdev;
	struct ring_mem r;
	struct xvm_ipc_dev_add desc;
	int fd;			/* another descriptor of the image */
	u8 *data;
};

static inline void run(struct fix *f)
{
	owner_pass(f->vdev);
	while (aio.head != aio.tail) {
		aio_one();
		owner_pass(f->vdev);
	}
}

static inline int reopen(int fd, int flags)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

static inline struct xvm_vdev *make(struct fix *f, int fd)
{
	char why[100] = "";
	struct fdset fds = { .count = fd >= 0, .fd = { fd } };
	struct xvm_vdev *vdev = xvm_vdev_new(&f->desc, &fds, &owner_ops, NULL, &aio, why, sizeof(why));

	if (!vdev)
		print_message("%s\n", why);
	return vdev;
}

static inline int setup_flags(void **state, u32 flags)
{
	struct fix *f = calloc(1, sizeof(*f));
	u32 i;

	memset(&owner, 0, sizeof(owner));
	memset(&aio, 0, sizeof(aio));
	f->fd = memfd_create("image", 0);
	for (i = 0; i < SECTORS; i++)
		assert_int_equal(pwrite(f->fd, &i, 4, i * 512), 4);
	assert_int_equal(ftruncate(f->fd, SECTORS * 512), 0);
	f->desc = (struct xvm_ipc_dev_add){ .num = 1, .device_id = 2, .flags = flags,
		.capacity_bytes = SECTORS * 512, .mem_align = 512, .lock_wait_ms = 300,
		.serial = "serial-of-20-bytes!!" };
	f->vdev = make(f, reopen(f->fd, O_RDWR));
	ring_mem_init(&f->r, &f->vdev->mem, 256, BYTES);
	f->data = f->r.base + DATA;
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	setup_flags(state, XVM_DEV_DISCARD);
	return owner_up(((struct fix *)*state)->vdev, &((struct fix *)*state)->r, GOOD) != 15;
}

static inline int setup_read_only(void **state)
{
	setup_flags(state, XVM_DEV_READ_ONLY | XVM_DEV_DISCARD);
	return owner_up(((struct fix *)*state)->vdev, &((struct fix *)*state)->r,
			BASE | F(RO)) != 15;
}

static inline int setup_direct(void **state)
{
	setup_flags(state, XVM_DEV_DIRECT);
	aio.align = 512;
	return owner_up(((struct fix *)*state)->vdev, &((struct fix *)*state)->r,
			BASE | F(FLUSH)) != 15;
}

static inline int setup_down(void **state)
{
	return setup_flags(state, 0);
}

static inline int teardown(void **state)
{
	struct fix *f = *state;

	assert_int_equal(f->vdev->in_flight, 0);
	xvm_vdev_free(f->vdev);
	ring_mem_free(&f->r);
	close(f->fd);
	free(f);
	return 0;
}

static inline void header_at(struct fix *f, u32 off, u32 type, u64 sector)
{
	xvm_put32(f->r.base + off, type);
	xvm_put32(f->r.base + off + 4, 0);
	xvm_put64(f->r.base + off + 8, sector);
}

/* Offers header, data (when there is some), status. */
static inline void offer(struct fix *f, u32 type, u64 sector, u32 off, u32 len, bool in)
{
	struct ring_seg seg[3] = { { RING_DATA, 16, false }, { off, len, in }, { STATUS, 1, true } };

	header_at(f, RING_DATA, type, sector);
	f->r.base[STATUS] = 0xee;
	if (!len)
		seg[1] = seg[2];
	ring_chain(&f->r, seg, len ? 3 : 2);
	xvm_vdev_kick(f->vdev, 0);
}

/* Runs one request to its end; returns the status, and *used if asked. */
static inline u8 request_used(struct fix *f, u32 type, u64 sector, u32 off, u32 len, bool in, u32 *used)
{
	u32 head, dummy;

	offer(f, type, sector, off, len, in);
	run(f);
	assert_true(ring_take_used(&f->r, &head, used ? used : &dummy));
	assert_false(ring_take_used(&f->r, &head, &dummy));
	assert_int_equal(f->vdev->in_flight, 0);
	return f->r.base[STATUS];
}

static inline u8 request(struct fix *f, u32 type, u64 sector, u32 len)
{
	return request_used(f, type, sector, DATA, len,
			    type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID, NULL);
}

static inline u32 sector_word(struct fix *f, u32 sector)
{
	u32 word = 0xeeeeeeee;

	assert_int_equal(pread(f->fd, &word, 4, sector * 512), 4);
	return word;
}

/* Sectors [from, to) are zero, and the ones beside them are not. */
static inline void check_zeroes(struct fix *f, u32 from, u32 to)
{
	u32 i;

	for (i = from - 1; i <= to; i++)
		assert_int_equal(sector_word(f, i), i >= from && i < to ? 0 : i);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_ON(f, how) cmocka_unit_test_setup_teardown(f, how, teardown)

#endif
