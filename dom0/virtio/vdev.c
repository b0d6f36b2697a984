// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device object: what vdev.h promises to the transport above and to the
 * device models below. Owns status, features, configuration, queues and the
 * count of what is in flight; must not know messages, Xen or any one model.
 * Called by dom0/bus (one call per message) and by dom0/dev.
 */
#include "vdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRANSPORT_FEATURES	(XVM_F_INDIRECT_DESC | XVM_F_EVENT_IDX | XVM_F_VERSION_1 | \
				 XVM_F_ACCESS_PLATFORM | XVM_F_RING_PACKED | XVM_F_IN_ORDER | \
				 XVM_F_RING_RESET)
#define REQUIRED_FEATURES	(XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM)
#define FEATURE_BLOCKS		2u

#define DRIVER_STATUS		(XVM_S_ACKNOWLEDGE | XVM_S_DRIVER | XVM_S_DRIVER_OK | \
				 XVM_S_FEATURES_OK | XVM_S_FAILED)

/* Chains taken from one queue before the others have their turn (rules.md, M1). */
#define KICK_BUDGET		256u

static void vdev_made(struct xvm_vdev *vdev)
{
	vdev->offered |= TRANSPORT_FEATURES & ~vdev->without;
	memcpy(vdev->told, vdev->config, sizeof(vdev->told));
}

static int vdev_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
		       char *why, size_t why_bytes)
{
	u32 i;

	vdev->num_vqs = vdev->type->num_vqs;
	vdev->repeatable = vdev->type->repeatable;
	for (i = 0; i < XVM_VDEV_MAX_VQS; i++) {
		vdev->vq[i].mem = &vdev->mem;
		vdev->vq[i].index = (u16)i;
	}
	if (vdev->type->create(vdev, desc, fds, why, why_bytes))
		return -EINVAL;
	vdev_made(vdev);
	return 0;
}

static struct xvm_vdev *vdev_new(const struct xvm_ipc_dev_add *desc, struct fdset *fds,
				 const struct xvm_vdev_ops *ops, void *owner, struct xvm_aio *aio,
				 char *why, size_t why_bytes)
{
	const struct xvm_vdev_type *type = xvm_vdev_type_find(desc->backend, desc->device_id);
	struct xvm_vdev *vdev = type ? calloc(1, sizeof(*vdev)) : NULL;

	if (!vdev) {
		snprintf(why, why_bytes, type ? "out of memory" : "no device model of this type");
		return NULL;
	}
	vdev->type = type;
	vdev->ops = ops;
	vdev->owner = owner;
	vdev->aio = aio;
	vdev->num = desc->num;
	vdev->device_id = desc->device_id;
	if (vdev_create(vdev, desc, fds, why, why_bytes)) {
		free(vdev);
		return NULL;
	}
	return vdev;
}

struct xvm_vdev *xvm_vdev_new(const struct xvm_ipc_dev_add *desc, struct fdset *fds,
			      const struct xvm_vdev_ops *ops, void *owner, struct xvm_aio *aio,
			      char *why, size_t why_bytes)
{
	struct fdset none = { 0 };
	struct xvm_vdev *vdev = vdev_new(desc, fds ? fds : &none, ops, owner, aio, why, why_bytes);

	if (fds)
		fdset_close(fds);
	return vdev;
}

void xvm_vdev_free(struct xvm_vdev *vdev)
{
	if (!vdev)
		return;
	vdev->type->destroy(vdev);
	free(vdev);
}

void xvm_vdev_there(struct xvm_vdev *vdev)
{
	vdev_made(vdev);
	vdev->pending = false;
	vdev->ops->there(vdev, NULL);
}

void xvm_vdev_never(struct xvm_vdev *vdev, const char *why)
{
	vdev->ops->there(vdev, why);
}

/* ---- features ---- */

u32 xvm_vdev_feature_bits(const struct xvm_vdev *vdev)
{
	(void)vdev;
	return FEATURE_BLOCKS * 32;
}

u32 xvm_vdev_offered(const struct xvm_vdev *vdev, u32 block)
{
	return block < FEATURE_BLOCKS ? (u32)(vdev->offered >> 32 * block) : 0;
}

bool xvm_vdev_negotiated(const struct xvm_vdev *vdev, u64 feature)
{
	return vdev->status & XVM_S_FEATURES_OK && vdev->acked & feature;
}

/* Once the driver has chosen, its choice is what GET_DEVICE_FEATURES says, until a reset. */
u32 xvm_vdev_features(const struct xvm_vdev *vdev, u32 block)
{
	bool chosen;

	if (block >= FEATURE_BLOCKS)
		return 0;
	chosen = vdev->status & XVM_S_FEATURES_OK || vdev->acked_blocks >> block & 1;
	return (u32)((chosen ? vdev->acked : vdev->offered) >> 32 * block);
}

void xvm_vdev_set_features(struct xvm_vdev *vdev, u32 block, u32 count, const u32 *words)
{
	u64 at = block;
	u32 i;

	if (vdev->resetting || vdev->status & XVM_S_FEATURES_OK)
		return;
	for (i = 0; i < count; i++, at++) {
		if (at >= FEATURE_BLOCKS) {
			vdev->acked_unknown |= words[i] != 0;
			continue;
		}
		vdev->acked &= ~(0xffffffffull << 32 * at);
		vdev->acked |= (u64)words[i] << 32 * at;
		vdev->acked_blocks |= 1u << at;
	}
}

static bool features_fit(const struct xvm_vdev *vdev)
{
	return !vdev->acked_unknown && !(vdev->acked & ~vdev->offered) &&
	       (vdev->acked & REQUIRED_FEATURES) == REQUIRED_FEATURES;
}

/* ---- configuration ---- */

bool xvm_vdev_config_read(const struct xvm_vdev *vdev, u32 off, u32 len, u8 *dst)
{
	if (!xvm_range_ok(off, len, vdev->config_bytes))
		return false;
	memcpy(dst, vdev->config + off, len);
	return true;
}

/*
 * The generation tells driver-visible changes of ours; a write of the driver's
 * own does not move it, or its next write would be refused for no reason.
 */
bool xvm_vdev_config_write(struct xvm_vdev *vdev, u32 generation, u32 off, u32 len, const u8 *src)
{
	u8 old[sizeof(vdev->config)];

	if (generation != vdev->generation || !len || vdev->resetting ||
	    !xvm_range_ok(off, len, vdev->config_bytes) || !vdev->type->config_written)
		return false;
	memcpy(old, vdev->config, sizeof(old));
	memcpy(vdev->config + off, src, len);
	memcpy(vdev->told + off, src, len);
	if (vdev->type->config_written(vdev, off, len))
		return true;
	memcpy(vdev->config, old, sizeof(old));
	memcpy(vdev->told + off, old + off, len);
	return false;
}

void xvm_vdev_config_done(struct xvm_vdev *vdev)
{
	if (!vdev->config_waits)
		return;
	vdev->config_waits = false;
	vdev->ops->drained(vdev);
}

void xvm_vdev_config_changed(struct xvm_vdev *vdev)
{
	u32 from = 0, to = vdev->config_bytes;

	while (from < to && vdev->config[from] == vdev->told[from])
		from++;
	while (to > from && vdev->config[to - 1] == vdev->told[to - 1])
		to--;
	memcpy(vdev->told, vdev->config, sizeof(vdev->told));
	if (from < to && vdev->news_from < vdev->news_to) {
		from = from < vdev->news_from ? from : vdev->news_from;
		to = to > vdev->news_to ? to : vdev->news_to;
	}
	if (from < to) {
		vdev->news_from = from;
		vdev->news_to = to;
	}
	vdev->config_news = true;
	vdev->generation++;
	vdev->ops->config_changed(vdev);
}

void xvm_vdev_news_told(struct xvm_vdev *vdev)
{
	vdev->news_from = vdev->news_to = 0;
	vdev->config_news = false;
}

/* ---- status ---- */

static void look_at_all(struct xvm_vdev *vdev)
{
	u32 i;

	for (i = 0; i < vdev->num_vqs; i++) {
		if (vdev->vq[i].enabled)
			vdev->ops->again(vdev, &vdev->vq[i]);
	}
}

void xvm_vdev_ready(struct xvm_vdev *vdev)
{
	if (vdev->ready || vdev->resetting ||
	    (vdev->status & (XVM_S_DRIVER_OK | XVM_S_NEEDS_RESET)) != XVM_S_DRIVER_OK)
		return;
	vdev->ready = true;
	vdev->ops->state(vdev, XVM_DEV_DRIVER_OK, "");
	/* What the driver queued and notified before this was ignored: look at all of it. */
	look_at_all(vdev);
}

static void vdev_start(struct xvm_vdev *vdev)
{
	vdev->status |= XVM_S_DRIVER_OK;
	xvm_vdev_start_vqs(vdev);
	if (!vdev->type->start || vdev->type->start(vdev))
		xvm_vdev_ready(vdev);
}

u32 xvm_vdev_set_status(struct xvm_vdev *vdev, u32 status)
{
	/* Bits are only ever added; what a driver clears without a reset stays. */
	u32 add = status & DRIVER_STATUS & ~vdev->status;

	if (!status || vdev->resetting)
		return vdev->status;
	if (add & XVM_S_FEATURES_OK && !features_fit(vdev))
		add &= ~XVM_S_FEATURES_OK;
	vdev->status |= add & ~XVM_S_DRIVER_OK;
	if (add & XVM_S_DRIVER_OK && vdev->status & XVM_S_FEATURES_OK &&
	    !(vdev->status & XVM_S_NEEDS_RESET))
		vdev_start(vdev);
	return vdev->status;
}

static void stop_queues(struct xvm_vdev *vdev)
{
	u32 i;

	vdev->ready = false;
	for (i = 0; i < vdev->num_vqs; i++)
		vdev->vq[i].stopped = true;
}

void xvm_vdev_halt(struct xvm_vdev *vdev)
{
	stop_queues(vdev);
	xvm_vdev_keep_in(vdev, NULL);
}

void xvm_vdev_broken(struct xvm_vdev *vdev, const char *reason)
{
	if (vdev->status & XVM_S_NEEDS_RESET || vdev->resetting)
		return;
	vdev->status |= XVM_S_NEEDS_RESET;
	stop_queues(vdev);
	vdev->ops->config_changed(vdev);
	vdev->ops->state(vdev, XVM_DEV_BROKEN, reason);
	/* There are no kicks any more, so nothing can wait for one. */
	if (vdev->type->cancel)
		vdev->type->cancel(vdev, NULL);
}

/* ---- reset ---- */

/* What was taken on a former connection and not served again yet; a broken device serves nothing. */
static u32 agains(const struct xvm_vdev *vdev)
{
	u32 i, sum = 0;

	for (i = 0; i < vdev->num_vqs; i++)
		sum += vdev->vq[i].stopped ? 0 : xvm_vq_agains(&vdev->vq[i]);
	return sum;
}

/* A reset waits for all there is, anything else for the buffers it is about. */
static bool drained(const struct xvm_vdev *vdev)
{
	if (vdev->resetting)
		return !vdev->in_flight && !vdev->holds;
	if (vdev->drain_vq)
		return !vdev->drain_vq->in_flight;
	return !vdev->in_flight && !(vdev->quiet & XVM_QUIET_ALL && agains(vdev));
}

/* The last thing anybody does with a vdev in a pass: drained may free it. */
static void vdev_settle(struct xvm_vdev *vdev)
{
	if (!vdev->draining || !drained(vdev))
		return;
	vdev->draining = false;
	vdev->ops->drained(vdev);
}

bool xvm_vdev_begin_reset(struct xvm_vdev *vdev)
{
	vdev->resetting = true;
	vdev->drain_vq = NULL;
	vdev->quiet = 0;
	vdev->draining = false;		/* so that cancel's completions do not end it before we do */
	stop_queues(vdev);
	if (vdev->type->cancel)
		vdev->type->cancel(vdev, NULL);
	vdev->draining = !drained(vdev);
	if (vdev->draining)
		return false;
	xvm_vdev_finish_reset(vdev);
	return true;
}

bool xvm_vdev_begin_removal(struct xvm_vdev *vdev)
{
	if (vdev->type->leave)
		vdev->type->leave(vdev);
	return xvm_vdev_begin_reset(vdev);
}

void xvm_vdev_finish_reset(struct xvm_vdev *vdev)
{
	bool used = vdev->status & XVM_S_DRIVER_OK;
	u32 i;

	if (!vdev->resetting || vdev->in_flight || vdev->holds)
		return;
	for (i = 0; i < vdev->num_vqs; i++)
		xvm_vq_reset(&vdev->vq[i]);
	vdev->acked = 0;
	vdev->acked_blocks = 0;
	vdev->acked_unknown = false;
	vdev->status = 0;
	vdev->draining = false;
	vdev->resetting = false;
	xvm_vdev_end_logs(vdev);
	if (vdev->type->reset)
		vdev->type->reset(vdev);
	if (used)
		vdev->ops->state(vdev, XVM_DEV_RESET, "");
}

bool xvm_vdev_begin_vq_reset(struct xvm_vdev *vdev, u32 index)
{
	struct xvm_vq *vq = xvm_vdev_vq(vdev, index);

	if (!vq || vdev->resetting)
		return true;
	vq->stopped = true;
	if (vdev->type->cancel)
		vdev->type->cancel(vdev, vq);
	if (!vq->in_flight) {
		xvm_vdev_finish_vq_reset(vdev, index);
		return true;
	}
	vdev->draining = true;
	vdev->drain_vq = vq;
	return false;
}

void xvm_vdev_finish_vq_reset(struct xvm_vdev *vdev, u32 index)
{
	struct xvm_vq *vq = xvm_vdev_vq(vdev, index);

	if (!vq || vdev->resetting || vq->in_flight)
		return;
	xvm_keep_end(vq->keep, vq->dev, vq->index);
	xvm_vq_reset(vq);
	/* A broken device stays stopped until it is reset as a whole. */
	vq->stopped = vdev->status & XVM_S_NEEDS_RESET;
	if (vdev->drain_vq == vq)
		vdev->drain_vq = NULL;
}

/* ---- queues ---- */

bool xvm_vdev_begin_quiet(struct xvm_vdev *vdev, u32 why)
{
	if (!vdev->quiet && vdev->type->quiet)
		vdev->type->quiet(vdev, true);
	vdev->quiet |= why;
	vdev->drain_vq = NULL;
	/* What is to be served again may wait for something that need not come. */
	if (vdev->quiet & XVM_QUIET_ALL && vdev->ready && agains(vdev))
		look_at_all(vdev);
	vdev->draining = !drained(vdev);
	return !vdev->draining;
}

void xvm_vdev_end_quiet(struct xvm_vdev *vdev, u32 why)
{
	bool quiet = vdev->quiet;

	vdev->quiet &= ~why;
	if (quiet && !vdev->quiet && vdev->type->quiet)
		vdev->type->quiet(vdev, false);
	if (quiet && !vdev->quiet && vdev->ready)
		look_at_all(vdev);
}

void xvm_vdev_kick(struct xvm_vdev *vdev, u32 index)
{
	struct xvm_vq *vq = xvm_vdev_vq(vdev, index);

	if (!vq || !vdev->ready || !vq->enabled || vq->stopped)
		return;
	xvm_vq_disarm(vq);
	if (vdev->type->kick(vdev, vq, KICK_BUDGET))
		vdev->ops->again(vdev, vq);
	xvm_vdev_flush(vdev, vq);
}

/* ---- how long requests take ---- */

static u64 turn_ns;	/* 0: not known yet; the worker has one loop */

void xvm_vdev_turn(void)
{
	turn_ns = 0;
}

static u64 now_ns(void)
{
	struct timespec ts;

	if (!turn_ns && !clock_gettime(CLOCK_MONOTONIC, &ts))
		turn_ns = (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
	return turn_ns;
}

/* A packed queue's heads are its driver's to choose: one that uses two alike, but for this, spoils its own counters. */
static u64 *began_at(struct xvm_vq *vq, u16 head)
{
	return &vq->began_ns[head % XVM_VQ_MAX_SIZE];
}

static void count_latency(struct xvm_vdev *vdev, u64 ns)
{
	vdev->latency_ns += ns;
	vdev->latency[xvm_latency_step(ns / 1000)]++;
}

/* ---- for device models ---- */

static void vq_broken(struct xvm_vdev *vdev, const struct xvm_vq *vq)
{
	char reason[120];

	snprintf(reason, sizeof(reason), "queue %u: %s (0x%x)", vq->index, vq->fault,
		 vq->fault_value);
	xvm_vdev_broken(vdev, reason);
}

int xvm_vdev_pop(struct xvm_vdev *vdev, struct xvm_vq *vq, struct xvm_chain *chain,
		 struct iovec *iov, u32 max_iov)
{
	int ret;

	/* What was taken before this connection is not new. */
	if (vdev->quiet && !(vdev->quiet == XVM_QUIET_ALL && xvm_vq_agains(vq)))
		return 0;
	ret = xvm_vq_pop(vq, chain, iov, max_iov);
	/* Looks again once: a driver that takes its entry back in between gets no third look. */
	if (!ret && !vdev->quiet && xvm_vq_arm(vq))
		ret = xvm_vq_pop(vq, chain, iov, max_iov);
	if (ret < 0) {
		vq_broken(vdev, vq);
		return 0;
	}
	vdev->in_flight += (u32)ret;
	if (ret)
		*began_at(vq, chain->head) = now_ns();
	return ret;
}

void xvm_vdev_unpop(struct xvm_vdev *vdev, struct xvm_vq *vq, const struct xvm_chain *chain)
{
	vdev->in_flight--;
	if (vq->stopped)
		xvm_vq_drop(vq, chain->head);
	else
		xvm_vq_unpop(vq, chain);
}

void xvm_vdev_complete(struct xvm_vdev *vdev, struct xvm_vq *vq, u16 head, u32 len)
{
	vdev->in_flight--;
	vdev->requests++;
	count_latency(vdev, now_ns() - *began_at(vq, head));
	if (vq->stopped)
		xvm_vq_drop(vq, head);
	else
		xvm_vq_push(vq, head, len);
}

static void flush_vq(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	if (!vq->stopped && xvm_vq_flush(vq))
		vdev->ops->used(vdev, vq);
}

void xvm_vdev_flush(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	flush_vq(vdev, vq);
	vdev_settle(vdev);
}

void xvm_vdev_hold(struct xvm_vdev *vdev)
{
	vdev->holds++;
}

void xvm_vdev_release(struct xvm_vdev *vdev)
{
	vdev->holds--;
	vdev_settle(vdev);
}
