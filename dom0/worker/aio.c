// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop.h"
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#define SQ_ENTRIES 256u
/* In flight per guest, at most (rules.md, section 7), with room for polls. */
#define CQ_ENTRIES 4096u
/* Completions per pass, then the bus has its turn. */
#define REAP_BUDGET 256u

struct xvm_aio {
	struct io_uring ring;
	struct __kernel_timespec timeout[SQ_ENTRIES];	/* one per submission slot: read at submit */
	uint64_t enters;
};

/* The whole of what the ring may do. Nothing here opens, connects or sends. */
static const uint8_t allowed_ops[] = {
	IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE,
	IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_TIMEOUT,
};

/* Flags of requests are not among what is allowed, so none can name the registered file. */
static int restrict_ring(struct io_uring *ring, int hold)
{
	struct io_uring_restriction res[sizeof(allowed_ops)] = { 0 };
	unsigned int i;
	int err;

	err = hold < 0 ? 0 : io_uring_register_files(ring, &hold, 1);
	if (err)
		return err;
	for (i = 0; i < sizeof(allowed_ops); i++) {
		res[i].opcode = IORING_RESTRICTION_SQE_OP;
		res[i].sqe_op = allowed_ops[i];
	}
	err = io_uring_register_restrictions(ring, res, sizeof(allowed_ops));
	return err ? err : io_uring_enable_rings(ring);
}

int aio_new(struct xvm_aio **out, int hold)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
		.cq_entries = CQ_ENTRIES,
	};
	struct xvm_aio *aio = calloc(1, sizeof(*aio));
	int err;

	if (!aio)
		return -ENOMEM;
	err = io_uring_queue_init_params(SQ_ENTRIES, &aio->ring, &params);
	if (err) {
		free(aio);
		return err;
	}
	err = restrict_ring(&aio->ring, hold);
	if (err) {
		aio_free(aio);
		return err;
	}
	*out = aio;
	return 0;
}

void aio_free(struct xvm_aio *aio)
{
	if (!aio)
		return;
	io_uring_queue_exit(&aio->ring);
	free(aio);
}

int aio_ring_fd(const struct xvm_aio *aio)
{
	return aio->ring.ring_fd;
}

uint64_t aio_enters(const struct xvm_aio *aio)
{
	return aio->enters;
}

int aio_enter(struct xvm_aio *aio, bool wait)
{
	int ret;

	if (!wait && !io_uring_sq_ready(&aio->ring))
		return 0;
	aio->enters++;
	ret = io_uring_submit_and_wait(&aio->ring, wait ? 1 : 0);
	return ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY ? ret : 0;
}

unsigned int aio_reap(struct xvm_aio *aio)
{
	struct xvm_aio_req *req;
	struct io_uring_cqe *cqe;
	unsigned int n;
	int result;

	for (n = 0; n < REAP_BUDGET && !io_uring_peek_cqe(&aio->ring, &cqe); n++) {
		req = io_uring_cqe_get_data(cqe);
		result = cqe->res;
		/* Before done, which may submit and so need the slot. */
		io_uring_cqe_seen(&aio->ring, cqe);
		if (!req)
			continue;	/* the end of a poll was asked for; the poll itself has the answer */
		req->done(req, result == -ETIME ? 0 : result);
	}
	return n;
}

static struct io_uring_sqe *next_sqe(struct xvm_aio *aio)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&aio->ring);

	if (sqe)
		return sqe;
	aio_enter(aio, false);
	return io_uring_get_sqe(&aio->ring);
}

int xvm_aio_poll(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, unsigned int events)
{
	struct io_uring_sqe *sqe = next_sqe(aio);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data(sqe, req);
	return 0;
}

int xvm_aio_poll_end(struct xvm_aio *aio, struct xvm_aio_req *req)
{
	struct io_uring_sqe *sqe = next_sqe(aio);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_remove(sqe, (uintptr_t)req);
	io_uring_sqe_set_data(sqe, NULL);
	return 0;
}

int xvm_aio_readv(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov,
		  unsigned int n, off_t off)
{
	struct io_uring_sqe *sqe = next_sqe(aio);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_readv(sqe, fd, iov, n, (uint64_t)off);
	io_uring_sqe_set_data(sqe, req);
	return 0;
}

int xvm_aio_writev(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov,
		   unsigned int n, off_t off)
{
	struct io_uring_sqe *sqe = next_sqe(aio);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_writev(sqe, fd, iov, n, (uint64_t)off);
	io_uring_sqe_set_data(sqe, req);
	return 0;
}

int xvm_aio_fdatasync(struct xvm_aio *aio, struct xvm_aio_req *req, int fd)
{
	struct io_uring_sqe *sqe = next_sqe(aio);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, req);
	return 0;
}

int xvm_aio_fallocate(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, int mode, off_t off,
		      off_t len)
{
	struct io_uring_sqe *sqe = next_sqe(aio);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_fallocate(sqe, fd, mode, off, len);
	io_uring_sqe_set_data(sqe, req);
	return 0;
}

int xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms)
{
	struct io_uring_sqe *sqe = next_sqe(aio);
	struct __kernel_timespec *ts;

	if (!sqe)
		return -EAGAIN;
	ts = &aio->timeout[sqe - aio->ring.sq.sqes];
	ts->tv_sec = ms / 1000;
	ts->tv_nsec = (long long)(ms % 1000) * 1000000;
	io_uring_prep_timeout(sqe, ts, 0, 0);
	io_uring_sqe_set_data(sqe, req);
	return 0;
}
