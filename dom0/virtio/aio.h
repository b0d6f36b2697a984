/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous file I/O and timers for device models. The worker implements it
 * on its io_uring (dom0/worker/aio.c). Requests are embedded in the model's
 * own request; done runs from the event loop, never from the submitting call.
 */
#ifndef XVM_DOM0_VIRTIO_AIO_H
#define XVM_DOM0_VIRTIO_AIO_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct xvm_aio;

struct xvm_aio_req {
	void (*done)(struct xvm_aio_req *req, int result);	/* bytes or negative errno */
};

/*
 * All return 0, or -EAGAIN when the submission queue is full even after a
 * flush. The iovec array and the memory stay the caller's until done.
 */
int xvm_aio_readv(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov,
		  unsigned int n, off_t off);
int xvm_aio_writev(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov,
		   unsigned int n, off_t off);
int xvm_aio_fdatasync(struct xvm_aio *aio, struct xvm_aio_req *req, int fd);
/* mode as fallocate(2) */
int xvm_aio_fallocate(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, int mode, off_t off,
		      off_t len);
/* As poll(2), one shot: done gets the events that are there. */
int xvm_aio_poll(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, unsigned int events);
/* Ends a poll before its time: done still comes, with -ECANCELED unless an event was first. */
int xvm_aio_poll_end(struct xvm_aio *aio, struct xvm_aio_req *req);
/* One-shot timer; done gets 0. */
int xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms);

#endif
