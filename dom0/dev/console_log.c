// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log of a console: two files, written in turn, each up to 16 MiB; the older
 * one is emptied when the newer is full. Written asynchronously, a step at a
 * time, behind a buffer that loses its oldest bytes when the storage is slow.
 * The device is held while a step is under way, so a reset waits for the end of the log.
 */
#include "console.h"
#include "../base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_OF(req) ((struct console_log *)((char *)(req) - offsetof(struct console_log, req)))

/* The file that was written last goes on. */
static int choose_file(struct console_log *log)
{
	struct stat st[CONSOLE_LOG_FILES];
	u32 i;

	for (i = 0; i < CONSOLE_LOG_FILES; i++)
		if (log->fd[i] < 0 || fstat(log->fd[i], &st[i]))
			return -EINVAL;
	log->now = st[1].st_mtim.tv_sec > st[0].st_mtim.tv_sec ||
		   (st[1].st_mtim.tv_sec == st[0].st_mtim.tv_sec && st[1].st_mtim.tv_nsec > st[0].st_mtim.tv_nsec);
	/* Both were just made, or the second never had anything. */
	if (!st[1].st_size)
		log->now = 0;
	log->bytes = (u64)st[log->now].st_size;
	return 0;
}

struct console_log *console_log_new(struct xvm_vdev *vdev, struct fdset *fds, u32 first, char *why, size_t why_bytes)
{
	struct console_log *log = calloc(1, sizeof(*log));
	u32 i;

	if (!log) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	log->vdev = vdev;
	for (i = 0; i < CONSOLE_LOG_FILES; i++)
		log->fd[i] = fdset_take(fds, first + i);
	if (!choose_file(log))
		return log;
	snprintf(why, why_bytes, "a console's log takes %u files", CONSOLE_LOG_FILES);
	console_log_free(log);
	return NULL;
}

void console_log_free(struct console_log *log)
{
	u32 i;

	if (!log)
		return;
	for (i = 0; i < CONSOLE_LOG_FILES; i++)
		if (log->fd[i] >= 0)
			close(log->fd[i]);
	free(log);
}

static void turn(struct console_log *log)
{
	log->now = !log->now;
	log->bytes = 0;
	if (ftruncate(log->fd[log->now], 0))
		log_warn("device %u: its log cannot be emptied: %s", log->vdev->num, strerror(errno));
}

static void written(struct xvm_aio_req *req, int result);

static bool submit(struct console_log *log)
{
	log->iov.iov_base = log->step + log->step_at;
	log->iov.iov_len = log->step_len;
	log->req.done = written;
	/* The file is open for appending: the offset is not looked at. */
	return !xvm_aio_writev(log->vdev->aio, &log->req, log->fd[log->now], &log->iov, 1, 0);
}

/* Begins the next step; false: there is none. */
static bool next_step(struct console_log *log)
{
	const u8 *data;
	u32 n = console_buf_next(&log->buf, &data);

	if (!n)
		return false;
	if (n > CONSOLE_LOG_STEP)
		n = CONSOLE_LOG_STEP;
	if (log->bytes + n > CONSOLE_LOG_MAX)
		turn(log);
	memcpy(log->step, data, n);
	console_buf_drop(&log->buf, n);
	log->step_at = 0;
	log->step_len = n;
	if (submit(log))
		return true;
	/* The ring is full: the bytes count as lost, the next output tries again. */
	log->buf.lost += n;
	log->step_len = 0;
	return false;
}

static void written(struct xvm_aio_req *req, int result)
{
	struct console_log *log = LOG_OF(req);
	u32 n = result > 0 ? (u32)result : 0;

	if (result <= 0) {
		log->buf.lost += log->step_len;
		n = log->step_len;
		if (!log->failed)
			log_warn("device %u: its log cannot be written: %s", log->vdev->num, strerror(-result));
	} else {
		log->bytes += n;
	}
	log->failed = result <= 0;
	log->step_at += n;
	log->step_len -= n;
	if (log->step_len && submit(log))
		return;
	log->buf.lost += log->step_len;
	log->step_len = 0;
	if (!log->failed && next_step(log))
		return;
	xvm_vdev_release(log->vdev);
}

void console_log_add(struct console_log *log, const struct xvm_chain *chain)
{
	console_buf_add(&log->buf, chain);
	if (!log->step_len && next_step(log))
		xvm_vdev_hold(log->vdev);
}
