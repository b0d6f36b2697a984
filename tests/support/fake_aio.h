/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Polls and timers of dom0/virtio/aio.h for tests without a ring: a poll is
 * done when its descriptor is ready, a timer when the test says so. One loop
 * for the process.
 */
#ifndef TESTS_SUPPORT_FAKE_AIO_H
#define TESTS_SUPPORT_FAKE_AIO_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include "../../dom0/virtio/aio.h"

#define FAKE_AIO_MAX 64

static struct fake_aio_op {
	struct xvm_aio_req *req;
	int fd;			/* -1: a timer */
	short events;
	bool ended;
} fake_aio_op[FAKE_AIO_MAX];
static unsigned int fake_aio_ops;

static int fake_aio_add(struct xvm_aio_req *req, int fd, short events)
{
	if (fake_aio_ops == FAKE_AIO_MAX)
		return -EAGAIN;
	fake_aio_op[fake_aio_ops++] = (struct fake_aio_op){ req, fd, events, false };
	return 0;
}

int xvm_aio_poll(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, unsigned int events)
{
	(void)aio;
	return fake_aio_add(req, fd, (short)events);
}

int xvm_aio_timer(struct xvm_aio *aio, struct xvm_aio_req *req, unsigned int ms)
{
	(void)aio;
	(void)ms;
	return fake_aio_add(req, -1, 0);
}

int xvm_aio_poll_end(struct xvm_aio *aio, struct xvm_aio_req *req)
{
	unsigned int i;

	(void)aio;
	for (i = 0; i < fake_aio_ops; i++)
		if (fake_aio_op[i].req == req && fake_aio_op[i].fd >= 0)
			fake_aio_op[i].ended = true;
	return 0;
}

static void fake_aio_done(unsigned int i, int result)
{
	struct xvm_aio_req *req = fake_aio_op[i].req;

	memmove(&fake_aio_op[i], &fake_aio_op[i + 1], (--fake_aio_ops - i) * sizeof(fake_aio_op[0]));
	req->done(req, result);
}

/* Ends one poll that is ready; false: there is none. */
static inline bool fake_aio_step(void)
{
	struct pollfd fd;
	unsigned int i;

	for (i = 0; i < fake_aio_ops; i++) {
		fd = (struct pollfd){ .fd = fake_aio_op[i].fd, .events = fake_aio_op[i].events };
		if (fake_aio_op[i].ended) {
			fake_aio_done(i, -ECANCELED);
			return true;
		}
		/* A descriptor that was closed meanwhile: the ring has a reference of its own, and waits on. */
		if (fd.fd >= 0 && poll(&fd, 1, 0) > 0 && !(fd.revents & POLLNVAL)) {
			fake_aio_done(i, fd.revents);
			return true;
		}
	}
	return false;
}

/* Fires the timers that are set now. */
static inline void fake_aio_tick(void)
{
	struct xvm_aio_req *due[FAKE_AIO_MAX];
	unsigned int i, j, n = 0;

	for (i = 0; i < fake_aio_ops; i++)
		if (fake_aio_op[i].fd < 0)
			due[n++] = fake_aio_op[i].req;
	for (j = 0; j < n; j++)
		for (i = 0; i < fake_aio_ops; i++)
			if (fake_aio_op[i].fd < 0 && fake_aio_op[i].req == due[j]) {
				fake_aio_done(i, 0);
				break;
			}
}

#endif
