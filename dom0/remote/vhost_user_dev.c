// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device of any type whose requests a vhost-user server handles. Takes them from
 * the guest's queues, hands them on through shadow queues, and gives back what the
 * server answers; goes on with the next server when this one is gone. Must not
 * know what a request means, messages or Xen. Called through xvm_vhost_user_type.
 *
 * Since the guest's queues are served here, what vq.h and its record promise
 * holds whatever the server does. The server sees the memory of its connection and, where that is
 * allowed, the areas of this device (vhost_user_area.h): then nothing that was lost with a server is served
 * again, or given back, before the supervisor says that it has ended.
 */
#include "../ipc.h"
#include "remote.h"
#include "vhost_user.h"
#include "vhost_user_area.h"
#include "vhost_user_shadow.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

/* What a server calls its memory: not 0, which some take for "not set up", and on 2 MiB. */
#define MEMORY_ADDR 0x40000000ull
#define TICK_MS 500u
#define LOST_MS 20000u		/* for a server to be there, again or at all, and started: before a driver loses patience */
#define DRAIN_MS 30000u		/* for one to finish what it has after a reset began, and to stop */

/* Feature bits of device types (virtio 1.2, section 2.2); the others are between the worker and the guest. */
#define DEVICE_BITS (((1ull << 24) - 1) | ~((1ull << 50) - 1))
#define F_VERSION_1 (1ull << 32)

/* The longest disk request that a driver which obeys these makes: 4 MiB and its header. */
#define BLK_SIZE_MAX 32768u
#define BLK_SEG_MAX 126u
#define F_BLK_SIZE_MAX (1ull << VIRTIO_BLK_F_SIZE_MAX)

/*
 * CTRL_GUEST_OFFLOADS, MTU, MAC, STATUS, all that goes by the control queue, and the bits above: a server of today has no
 * configuration or queue for them.
 */
#define NET_NEVER (1ull << 2 | 1ull << 3 | 1ull << 5 | 0xffull << 16 | ~((1ull << 50) - 1))

/*
 * ZONED: an append is not the same one twice. CONFIG_WCE: a guest that once chose write through sends no flush any
 * more, and nobody tells that choice to a server that serves it after a restore, or for another worker.
 */
#define BLK_NEVER (1ull << 17 | 1ull << 11)

/* What is to be known of a type: may its requests be served twice, and which features are not passed on. */
static const struct class {
	u32 device_id;
	bool repeatable;
	u64 never;
} classes[] = {
	{ VIRTIO_ID_BLOCK, true, BLK_NEVER },
	{ VIRTIO_ID_RNG, true, 0 },
	{ VIRTIO_ID_NET, false, NET_NEVER },
	{ VIRTIO_ID_FS, false, 1 },		/* NOTIFICATION: one more queue, and requests of the server's */
};

enum req_state { REQ_FREE, REQ_WAITS, REQ_SENT };

struct req {
	enum req_state state;
	u64 seq;			/* order in which they were taken */
	struct xvm_chain chain;
	struct iovec iov[VU_SHADOW_SIZE];
};

struct queue {
	struct vu_shadow shadow;
	struct req *req;		/* VU_SHADOW_SIZE of them */
	u16 free[VU_SHADOW_SIZE];
	u32 frees, waits, sent;		/* how many are in these states */
	int kick;
};

struct remote {
	struct xvm_vdev *vdev;
	u64 never;			/* features that are not passed on */
	u64 server_features;		/* of the first server; a later one has them too */
	u32 config_bytes;
	bool config_given;
	u32 mtu;			/* of a network card: as its description says, */
	u64 mac;			/* the same, as SEND_RARP has it */
	bool written[XVM_VU_CONFIG_BYTES];	/* of config: by the driver, so the next server is told */
	bool telling, tell_again;	/* it is being told, and there is more */
	bool news;			/* it changed while something written was under way */
	bool known;			/* a server has said what it is */
	struct vu_front *front;		/* NULL: there is no server */
	struct vu_areas areas;
	bool identified, running;
	bool start_waits;		/* until the server has the areas */
	u8 *memory;
	size_t memory_bytes;
	int memory_fd, call;
	u64 seq;
	struct vu_inflight log;		/* what a lost server had in flight is in it, and in memory; fd -1: it is not */
	struct queue queue[XVM_VU_MAX_QUEUES];

	/* From DRIVER_OK until a reset has found nothing of it left. */
	bool held;
	bool ending;			/* a reset, or the device broke */
	bool front_active, stopping;	/* started, and not yet stopped; on its way there */
	struct xvm_aio_req call_poll, timer;
	bool call_polled, timed;
	u32 ticks;			/* until the wait is over that ending or a lost server began */
};

static void drop_requests(struct remote *r, enum req_state state);
static void settle(struct remote *r);

/* ---- the memory and the descriptors of a connection ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void forget_memory(struct remote *r)
{
	close_fd(&r->log.fd);
	if (r->memory)
		munmap(r->memory, r->memory_bytes);
	r->memory = NULL;
	close_fd(&r->memory_fd);
}

/* Nobody goes on from there. */
static void drop_log(struct remote *r)
{
	close_fd(&r->log.fd);
	r->start_waits = false;
	if (!r->front)
		forget_memory(r);
}

/* It is past its start, or in it, and records what it has in flight: so its successor knows, too. */
static bool goes_on(const struct remote *r)
{
	u32 i;

	if (!r->front_active || r->ending || !(vu_front_protocol(r->front) & VU_P_INFLIGHT_SHMFD))
		return false;
	for (i = 0; i < r->vdev->num_vqs; i++)
		if (r->queue[i].shadow.fault)
			return false;
	return true;
}

/* Nothing of it is used any more, but what its successor goes on with; and the server may still write to its own mapping. */
static void leave_connection(struct remote *r)
{
	u32 i;

	vu_areas_leave(&r->areas);
	if (r->front && goes_on(r))
		r->log = vu_front_take_inflight(r->front);
	vu_front_free(r->front);
	r->front = NULL;
	r->identified = r->running = r->stopping = r->front_active = r->start_waits = r->telling = r->tell_again = false;
	if (r->call_polled)
		xvm_aio_poll_end(r->vdev->aio, &r->call_poll);
	if (r->log.fd < 0)
		forget_memory(r);
	close_fd(&r->call);
	for (i = 0; i < XVM_VU_MAX_QUEUES; i++)
		close_fd(&r->queue[i].kick);
}

static const struct vu_front_ops front_ops;

/* The descriptors are the supervisor's work, and believed to be what they are called. */
static const char *join_connection(struct remote *r, struct fdset *fds)
{
	struct vu_wish wish = { .protocol = VU_P_USUAL, .queues = r->vdev->num_vqs,
				.config_bytes = r->config_given ? 0 : r->config_bytes };
	int sock = fdset_take(fds, XVM_VU_SOCKET);
	u32 i;

	/* What can be served twice is, whatever a server that died says of it. */
	if (!r->vdev->repeatable)
		wish.protocol |= VU_P_INFLIGHT_SHMFD;
	if (r->log.fd < 0)
		r->memory_fd = fdset_take(fds, XVM_VU_MEMORY);
	r->call = fdset_take(fds, XVM_VU_CALL);
	for (i = 0; i < r->vdev->num_vqs; i++)
		r->queue[i].kick = fdset_take(fds, XVM_VU_KICK + i);
	if (sock < 0 || r->memory_fd < 0 || r->call < 0 || r->queue[r->vdev->num_vqs - 1].kick < 0) {
		close_fd(&sock);
		return "its server comes with too few descriptors";
	}
	if (!r->memory)
		r->memory = mmap(NULL, r->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->memory_fd, 0);
	if (r->memory == MAP_FAILED)
		r->memory = NULL;
	if (r->memory)
		r->front = vu_front_new(r->vdev->aio, sock, fdset_take(fds, XVM_VU_BACK),
					fdset_take(fds, XVM_VU_BACK_PEER), &wish, &front_ops, r);
	else
		close_fd(&sock);
	return r->front ? NULL : "out of memory";
}

/* ---- requests ---- */

static void free_req(struct queue *queue, struct req *req)
{
	req->state = REQ_FREE;
	queue->free[queue->frees++] = (u16)(req - queue->req);
}

static struct req *first_waiting(struct queue *queue)
{
	struct req *found = NULL;
	u32 i;

	for (i = 0; i < VU_SHADOW_SIZE; i++)
		if (queue->req[i].state == REQ_WAITS && (!found || queue->req[i].seq < found->seq))
			found = &queue->req[i];
	return found;
}

static bool send_req(struct remote *r, struct queue *queue, struct req *req)
{
	u64 addr[VU_SHADOW_SIZE];
	bool direct = vu_areas_find(&r->areas, &req->chain, addr);

	if (direct ? !vu_shadow_put_direct(&queue->shadow, &req->chain, addr, req) :
		     !vu_shadow_put(&queue->shadow, &req->chain, req))
		return false;
	r->vdev->bounced += !direct;
	req->state = REQ_SENT;
	queue->waits--;
	queue->sent++;
	return true;
}

/* In the order in which they were taken, as far as there is room. */
static void send_waiting(struct remote *r, struct queue *queue)
{
	while (queue->waits && send_req(r, queue, first_waiting(queue)))
		;
}

static void show(struct remote *r, u32 index)
{
	if (r->running && vu_shadow_show(&r->queue[index].shadow))
		vu_front_kick(r->front, index);
}

/* The queue's next request, which waits then; NULL: there is none. */
static struct req *take_one(struct remote *r, struct xvm_vq *vq)
{
	struct queue *queue = &r->queue[vq->index];
	struct req *req = &queue->req[queue->free[queue->frees - 1]];
	char why[100];
	u64 bytes;

	if (!xvm_vdev_pop(r->vdev, vq, &req->chain, req->iov, XVM_ARRAY_SIZE(req->iov)))
		return NULL;
	bytes = (u64)req->chain.out_bytes + req->chain.in_bytes;
	if (bytes > VU_SHADOW_MAX_REQUEST) {
		snprintf(why, sizeof(why), "queue %u: a request of %llu bytes, more than %u", vq->index,
			 (unsigned long long)bytes, VU_SHADOW_MAX_REQUEST);
		xvm_vdev_broken(r->vdev, why);
		xvm_vdev_complete(r->vdev, vq, req->chain.head, 0);
		return NULL;
	}
	queue->frees--;
	queue->waits++;
	req->state = REQ_WAITS;
	req->seq = r->seq++;
	return req;
}

static bool remote_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct remote *r = vdev->model;
	struct queue *queue = &r->queue[vq->index];
	struct req *req;

	if (!r->running)
		return false;
	send_waiting(r, queue);
	for (; budget && !queue->waits && queue->frees; budget--) {
		req = take_one(r, vq);
		if (!req)
			break;
		send_req(r, queue, req);
	}
	show(r, vq->index);
	return !budget;
}

/* What the server gave back in one queue; NULL, or the rule that it broke. */
static const char *take_back(struct remote *r, u32 index)
{
	struct queue *queue = &r->queue[index];
	struct xvm_vq *vq = &r->vdev->vq[index];
	struct req *req;
	u32 i, bytes;

	/* Bounded, though each one taken makes room for another. */
	for (i = 0; i < VU_SHADOW_SIZE; i++) {
		req = vu_shadow_take(&queue->shadow, &bytes);
		if (!req)
			break;
		r->vdev->bytes_read += bytes;
		r->vdev->bytes_written += req->chain.out_bytes;
		free_req(queue, req);
		queue->sent--;
		xvm_vdev_complete(r->vdev, vq, req->chain.head, bytes);
	}
	if (i && r->vdev->ready)
		r->vdev->ops->again(r->vdev, vq);
	return queue->shadow.fault;
}

/* Requests in this state end without having been served: their queues are stopped. */
static void drop_in(struct remote *r, u32 index, enum req_state state)
{
	struct queue *queue = &r->queue[index];
	u32 i, *count = state == REQ_SENT ? &queue->sent : &queue->waits;

	for (i = 0; i < VU_SHADOW_SIZE && *count; i++) {
		if (queue->req[i].state != state)
			continue;
		free_req(queue, &queue->req[i]);
		(*count)--;
		xvm_vdev_complete(r->vdev, &r->vdev->vq[index], queue->req[i].chain.head, 0);
	}
}

static void drop_requests(struct remote *r, enum req_state state)
{
	u32 i;

	for (i = 0; i < r->vdev->num_vqs; i++)
		drop_in(r, i, state);
}

static bool has_sent(const struct remote *r)
{
	u32 i, sent = 0;

	for (i = 0; i < r->vdev->num_vqs; i++)
		sent += r->queue[i].sent;
	return sent;
}

/* ---- waits ---- */

static void lose(struct remote *r, const char *why);

static void on_timer(struct xvm_aio_req *req, int result)
{
	struct remote *r = (struct remote *)((char *)req - offsetof(struct remote, timer));

	(void)result;
	r->timed = false;
	xvm_vdev_hold(r->vdev);
	if (r->ticks && !--r->ticks) {
		if (r->ending)
			lose(r, "it did not finish its requests after a reset");
		else
			xvm_vdev_broken(r->vdev, "its server did not come back");
	} else if (r->ticks) {
		r->timed = !xvm_aio_timer(r->vdev->aio, &r->timer, TICK_MS);
	}
	settle(r);
	xvm_vdev_release(r->vdev);
}

/* A wait that has begun goes on. */
static void wait_at_most(struct remote *r, u32 ms)
{
	if (!r->ticks)
		r->ticks = ms / TICK_MS;
	if (r->timed)
		return;
	r->timer.done = on_timer;
	r->timed = !xvm_aio_timer(r->vdev->aio, &r->timer, TICK_MS);
}

/*
 * The next step of an end, if it is time for one: stop the rings when nothing is out, and let
 * go of the device when nothing of it is under way. The caller's last act.
 */
static void settle(struct remote *r)
{
	u32 left = r->ticks ? r->ticks * TICK_MS : DRAIN_MS;

	if (!r->held || !r->ending || vu_areas_lost(&r->areas))
		return;
	/* A start is not broken off: it has its own end. */
	if (has_sent(r) || (r->front_active && !r->running && !r->stopping)) {
		wait_at_most(r, DRAIN_MS);
		return;
	}
	r->ticks = 0;
	if (r->running) {
		r->running = false;
		r->stopping = true;
		vu_front_stop(r->front, left);
		if (r->call_polled)
			xvm_aio_poll_end(r->vdev->aio, &r->call_poll);
	}
	if (r->front_active || r->call_polled || r->timed)
		return;
	r->held = false;
	xvm_vdev_release(r->vdev);
}

/* ---- what the server does ---- */

static void on_call(struct xvm_aio_req *req, int result);

static bool poll_call(struct remote *r)
{
	if (r->call_polled)
		return true;
	r->call_poll.done = on_call;
	r->call_polled = !xvm_aio_poll(r->vdev->aio, &r->call_poll, r->call, POLLIN);
	return r->call_polled;
}

/* All queues share one eventfd: a look at a ring that has nothing new costs one load. The caller's last act. */
static void take_all_back(struct remote *r)
{
	const char *fault = NULL;
	u32 i;

	/* So that a flush of one queue ends nothing that the next one is part of. */
	xvm_vdev_hold(r->vdev);
	for (i = 0; i < r->vdev->num_vqs && !fault; i++)
		fault = take_back(r, i);
	if (fault)
		lose(r, fault);
	for (i = 0; i < r->vdev->num_vqs; i++)
		xvm_vdev_flush(r->vdev, &r->vdev->vq[i]);
	settle(r);
	xvm_vdev_release(r->vdev);
}

static void on_call(struct xvm_aio_req *req, int result)
{
	struct remote *r = (struct remote *)((char *)req - offsetof(struct remote, call_poll));
	u64 count;

	(void)result;
	r->call_polled = false;
	/* That of a connection which is gone, or the last one of this. */
	if (!r->running) {
		settle(r);
		return;
	}
	if (read(r->call, &count, sizeof(count)) < 0 && errno != EAGAIN)
		lose(r, "its notifications cannot be read");
	else if (!poll_call(r))
		lose(r, "its notifications cannot be waited for");
	else
		take_all_back(r);
}

static void on_called(void *arg, u32 ring)
{
	struct remote *r = arg;

	(void)ring;
	if (r->running)
		take_all_back(r);
}

static void clamp16(u8 *at, u32 max)
{
	if (xvm_get16(at) > max)
		xvm_put16(at, (u16)max);
}

static void clamp32(u8 *at, u32 max)
{
	u32 now = xvm_get32(at);

	if (!now || now > max)
		xvm_put32(at, max);
}

/*
 * What is between a driver and us, and not the server's: how long a request may be, and
 * how many queues there are. A server may show more of either.
 */
static void own_limits(const struct remote *r, u8 *config)
{
	u32 queues = r->vdev->num_vqs;

	if (r->vdev->device_id != VIRTIO_ID_BLOCK || r->config_bytes < 36)
		return;
	clamp32(config + offsetof(struct virtio_blk_config, size_max), BLK_SIZE_MAX);
	clamp32(config + offsetof(struct virtio_blk_config, seg_max), BLK_SEG_MAX);
	clamp16(config + offsetof(struct virtio_blk_config, num_queues), queues);
}

static void read_config(const struct remote *r, u8 *config)
{
	u32 bytes;
	const u8 *from = vu_front_config(r->front, &bytes);

	if (r->config_given)
		return;
	memset(config, 0, r->config_bytes);
	memcpy(config, from, bytes < r->config_bytes ? bytes : r->config_bytes);
	own_limits(r, config);
}

/* Anew from the server; what the driver has not been told, it is. */
static void take_config(struct remote *r)
{
	struct xvm_vdev *vdev = r->vdev;

	r->news = false;
	read_config(r, vdev->config);
	if (memcmp(vdev->config, vdev->told, r->config_bytes))
		xvm_vdev_config_changed(vdev);
}

static void start_server(struct remote *r)
{
	struct vu_start start = { .features = (r->vdev->acked & DEVICE_BITS & r->server_features) | F_VERSION_1,
				  .regions = 1, .rings = r->vdev->num_vqs, .inflight = r->log, .mtu = r->mtu };
	struct vu_shadow *shadow;
	u64 addr;
	u32 i;

	/* Its driver goes on and announces nothing: after a restore, a move, the end of a server. */
	if (r->log.fd >= 0 || !r->vdev->was_reset)
		start.rarp = r->mac;
	start.region[0] = (struct vu_region){ .guest_addr = MEMORY_ADDR, .user_addr = MEMORY_ADDR,
					      .bytes = r->memory_bytes };
	start.region_fd[0] = r->memory_fd;
	for (i = 0; i < r->vdev->num_vqs; i++) {
		shadow = &r->queue[i].shadow;
		addr = MEMORY_ADDR + (u64)i * XVM_VU_QUEUE_BYTES;
		if (r->log.fd < 0)
			vu_shadow_init(shadow, r->memory + (size_t)i * XVM_VU_QUEUE_BYTES, addr);
		start.ring[i] = (struct vu_ring){
			.size = VU_SHADOW_SIZE, .base = shadow->used_next, .desc = addr, .avail = addr + VU_SHADOW_AVAIL,
			.used = addr + VU_SHADOW_USED, .kick = r->queue[i].kick, .call = r->call, .err = -1,
		};
	}
	r->log.fd = -1;
	r->front_active = true;
	vu_front_start(r->front, &start, LOST_MS);
}

/*
 * A successor goes on with what the lost one had in flight: first what that one gave back is taken, and the server gets
 * the areas in which the rest lies.
 */
static void go_on(struct remote *r)
{
	const char *fault = NULL;
	u32 i;

	if (!(vu_front_protocol(r->front) & VU_P_INFLIGHT_SHMFD))
		fault = "it came back without INFLIGHT_SHMFD, and cannot go on";
	for (i = 0; i < r->vdev->num_vqs && !fault; i++)
		fault = take_back(r, i);
	if (fault) {
		close_fd(&r->log.fd);
		lose(r, fault);
		return;
	}
	for (i = 0; i < r->vdev->num_vqs; i++)
		xvm_vdev_flush(r->vdev, &r->vdev->vq[i]);
	vu_areas_start(&r->areas, r->front);
	r->start_waits = vu_areas_coming(&r->areas);
	if (!r->start_waits)
		start_server(r);
}

static void start_when_it_may(struct remote *r)
{
	if (!r->start_waits || !r->front || vu_areas_coming(&r->areas))
		return;
	r->start_waits = false;
	start_server(r);
}

static void on_started(void *arg)
{
	struct remote *r = arg;
	u32 i;

	r->running = true;
	if (!r->ending)
		r->ticks = 0;	/* else it goes on to the end of the stop */
	if (!poll_call(r)) {
		lose(r, "its notifications cannot be waited for");
		return;
	}
	/* What a former server had; and each ring starts with a kick, whether or not there is something in it. */
	for (i = 0; i < r->vdev->num_vqs; i++) {
		send_waiting(r, &r->queue[i]);
		vu_shadow_show(&r->queue[i].shadow);
		vu_front_kick(r->front, i);
		if (r->vdev->ready)
			r->vdev->ops->again(r->vdev, &r->vdev->vq[i]);
	}
	if (r->ending)
		settle(r);
	else
		xvm_vdev_ready(r->vdev);
	if (r->running)
		vu_areas_start(&r->areas, r->front);
}

static void on_stopped(void *arg)
{
	struct remote *r = arg;

	r->front_active = r->stopping = false;
	/* A reset forgets what was written before it, and so does the server, if it was told. */
	if (vu_front_protocol(r->front) & (VU_P_STATUS | VU_P_RESET_DEVICE))
		memset(r->written, 0, sizeof(r->written));
	take_config(r);
	settle(r);
}

/* The first server says what the device is. */
static void introduce(struct remote *r)
{
	struct xvm_vdev *vdev = r->vdev;
	u32 bytes;

	vu_front_config(r->front, &bytes);
	if (!r->config_given && bytes < r->config_bytes) {
		lose(r, "it has no configuration to show, which such a device needs");
		return;
	}
	r->known = r->identified = true;
	r->server_features = vu_front_features(r->front);
	vdev->offered |= r->server_features & DEVICE_BITS & ~r->never;
	if (vdev->device_id == VIRTIO_ID_BLOCK)
		vdev->offered |= F_BLK_SIZE_MAX;
	read_config(r, vdev->config);
	xvm_vdev_there(vdev);
}

/* A server that is none of the first is as the guest knows it, and may start. */
static void join(struct remote *r)
{
	r->identified = true;
	take_config(r);
	if (!r->held || r->ending)
		return;
	if (r->log.fd >= 0)
		go_on(r);
	else
		start_server(r);
}

/* What the driver wrote, from the first byte of it to the last; between them it is the server's own. False: nothing. */
static bool tell_written(struct remote *r)
{
	u32 bytes, i, from = r->config_bytes, to = 0;
	u8 config[XVM_VU_CONFIG_BYTES];

	memcpy(config, vu_front_config(r->front, &bytes), sizeof(config));
	for (i = 0; i < r->config_bytes; i++) {
		if (!r->written[i])
			continue;
		config[i] = r->vdev->config[i];
		from = i < from ? i : from;
		to = i + 1;
	}
	r->tell_again = false;
	r->telling = to && vu_front_put_config(r->front, from, config + from, to - from);
	return r->telling;
}

static void on_identified(void *arg)
{
	struct remote *r = arg;

	if (!r->known)
		introduce(r);
	else if (r->server_features & ~vu_front_features(r->front))
		lose(r, "it came back without features that the guest was offered");
	else if (!tell_written(r))
		join(r);
}

/* Does the server show what the driver wrote to another one? */
static bool has_written(const struct remote *r)
{
	u8 config[XVM_VU_CONFIG_BYTES];
	u32 i;

	read_config(r, config);
	for (i = 0; i < r->config_bytes; i++)
		if (r->written[i] && config[i] != r->vdev->config[i])
			return false;
	return true;
}

static void on_config_put(void *arg)
{
	struct remote *r = arg;

	if (!r->telling) {
		/* It is the server's answer and no news, so the generation stays. */
		read_config(r, r->vdev->config);
		if (r->news)
			take_config(r);
		xvm_vdev_config_done(r->vdev);
	} else if (r->tell_again) {
		tell_written(r);
	} else if (!has_written(r)) {
		lose(r, "it came back, and does not take what the guest wrote to the configuration");
	} else {
		r->telling = false;
		join(r);
	}
}

static void on_config_news(void *arg)
{
	struct remote *r = arg;

	if (r->telling || r->vdev->config_waits)
		r->news = true;
	else
		take_config(r);
}

static void on_region_done(void *arg, bool ok)
{
	struct remote *r = arg;

	if (!vu_areas_done(&r->areas, ok))
		lose(r, "it does not give back an area");
	else
		start_when_it_may(r);
}

/* What was sent waits for the next server. */
static void wait_for_server(struct remote *r)
{
	u32 i, j;

	for (i = 0; i < r->vdev->num_vqs; i++) {
		for (j = 0; j < VU_SHADOW_SIZE && r->queue[i].sent; j++) {
			if (r->queue[i].req[j].state != REQ_SENT)
				continue;
			r->queue[i].req[j].state = REQ_WAITS;
			r->queue[i].sent--;
			r->queue[i].waits++;
		}
	}
	wait_at_most(r, LOST_MS);
}

/* It is over with this server. The caller's last act, unless it holds the device. */
static void lose(struct remote *r, const char *why)
{
	struct xvm_vdev *vdev = r->vdev;
	char line[200];

	snprintf(line, sizeof(line), "its server: %s", why);
	leave_connection(r);
	if (!r->known) {
		xvm_vdev_never(vdev, line);
		return;
	}
	xvm_vdev_hold(vdev);
	xvm_vdev_config_done(vdev);
	if (r->held && !r->ending && r->log.fd >= 0) {
		wait_at_most(r, LOST_MS);
	} else if (r->held && !r->ending && vdev->repeatable) {
		wait_for_server(r);
	} else if (r->held) {
		xvm_vdev_broken(vdev, line);
		if (!vu_areas_lost(&r->areas))
			drop_requests(r, REQ_SENT);
		settle(r);
	}
	vdev->ops->state(vdev, XVM_DEV_SERVER_LOST, why);
	xvm_vdev_release(vdev);
}

static void on_failed(void *arg, const char *why)
{
	lose(arg, why);
}

static const struct vu_front_ops front_ops = {
	.identified = on_identified,
	.started = on_started,
	.stopped = on_stopped,
	.config_news = on_config_news,
	.config_put = on_config_put,
	.region_done = on_region_done,
	.called = on_called,
	.failed = on_failed,
};

/* ---- the device ---- */

/* Whether or not a server is there: its requests wait for one. */
static bool remote_start(struct xvm_vdev *vdev)
{
	struct remote *r = vdev->model;

	xvm_vdev_hold(vdev);
	r->held = true;
	r->ending = false;
	if (r->identified)
		start_server(r);
	else
		wait_at_most(r, LOST_MS);
	return false;
}

static void remote_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct remote *r = vdev->model;

	/* The lost server may have it yet: remote_server_ended does the rest. */
	if (vu_areas_lost(&r->areas)) {
		r->ending = r->ending || !vq;
		r->ticks = vq ? r->ticks : 0;
		return;
	}
	if (vq) {
		drop_in(r, vq->index, REQ_WAITS);
		return;		/* what was sent ends with the server that has it, or goes on with it */
	}
	drop_requests(r, REQ_WAITS);
	if (!r->front_active) {
		drop_requests(r, REQ_SENT);
		drop_log(r);
	}
	if (!r->held || r->ending)
		return;
	r->ending = true;
	r->ticks = 0;
	settle(r);
}

/* A server that has what was written is told of the reset (on_stopped); the next one is not to have it at all. */
static void remote_reset(struct xvm_vdev *vdev)
{
	struct remote *r = vdev->model;

	if (!r->identified || r->telling)
		memset(r->written, 0, sizeof(r->written));
}

/* Without a server it is for the next one. */
static bool remote_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	struct remote *r = vdev->model;

	if (r->config_given)
		return false;
	if (r->identified && !vu_front_put_config(r->front, off, vdev->config + off, len))
		return false;
	memset(r->written + off, true, len);
	vdev->config_waits = r->identified;
	r->tell_again = r->telling;
	return true;
}

/* What it had can be given back now, or served again. */
static void remote_server_ended(struct xvm_vdev *vdev)
{
	struct remote *r = vdev->model;
	u32 i;

	if (!vu_areas_lost(&r->areas))
		return;
	vu_areas_ended(&r->areas);
	xvm_vdev_hold(vdev);
	for (i = 0; i < vdev->num_vqs; i++) {
		if (r->ending || vdev->vq[i].stopped)
			drop_in(r, i, REQ_WAITS);
		if (r->ending)
			drop_in(r, i, REQ_SENT);
		xvm_vdev_flush(vdev, &vdev->vq[i]);
	}
	if (r->ending)
		drop_log(r);
	settle(r);
	xvm_vdev_release(vdev);
}

static void remote_attach(struct xvm_vdev *vdev, struct fdset *fds)
{
	struct remote *r = vdev->model;
	const char *fault;

	if (r->front)
		return;
	remote_server_ended(vdev);
	fault = join_connection(r, fds);
	if (fault)
		lose(r, fault);
}

static void remote_free(struct remote *r)
{
	u32 i;

	leave_connection(r);
	forget_memory(r);
	for (i = 0; i < XVM_VU_MAX_QUEUES; i++)
		free(r->queue[i].req);
	free(r);
}

static void remote_destroy(struct xvm_vdev *vdev)
{
	remote_free(vdev->model);
}

static void remote_area_added(struct xvm_vdev *vdev, u32 area, int fd)
{
	struct remote *r = vdev->model;

	(void)fd;	/* the worker's own: it is mapped, and once must do */
	vu_areas_added(&r->areas, area);
}

static bool remote_area_let_go(struct xvm_vdev *vdev, u32 area)
{
	return vu_areas_let_go(&((struct remote *)vdev->model)->areas, area);
}

static void remote_area_gone(struct xvm_vdev *vdev, u32 area)
{
	vu_areas_gone(&((struct remote *)vdev->model)->areas, area);
}

static void remote_area_shared(struct xvm_vdev *vdev, u32 area, int fd)
{
	struct remote *r = vdev->model;

	vu_areas_got(&r->areas, area, fd);
	start_when_it_may(r);
}

static void find_class(struct remote *r)
{
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(classes); i++) {
		if (classes[i].device_id != r->vdev->device_id)
			continue;
		r->vdev->repeatable = classes[i].repeatable;
		r->never = classes[i].never;
	}
}

/* What is said of a network card, the guest is told by us: servers of today have no configuration to show. */
static void describe_net(struct remote *r, const struct xvm_ipc_net *net)
{
	struct xvm_vdev *vdev = r->vdev;

	if (vdev->device_id != VIRTIO_ID_NET)
		return;
	memcpy(&r->mac, net->mac, sizeof(net->mac));
	memcpy(vdev->config, net->mac, sizeof(net->mac));
	xvm_put16(vdev->config + offsetof(struct virtio_net_config, mtu), net->mtu);
	r->mtu = net->mtu;
	vdev->offered |= (r->mac ? 1ull << VIRTIO_NET_F_MAC : 0) | (r->mtu ? 1ull << VIRTIO_NET_F_MTU : 0);
	r->config_given = true;
	r->config_bytes = r->mtu ? 12 : r->mac ? 6 : 0;
}

static struct remote *remote_new(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc)
{
	struct remote *r = calloc(1, sizeof(*r));
	u32 i, j;

	if (!r)
		return NULL;
	r->vdev = vdev;
	r->memory_fd = r->call = r->log.fd = -1;
	vu_areas_init(&r->areas, vdev, desc->flags & XVM_DEV_TRUSTED);
	r->memory_bytes = (size_t)desc->queues * XVM_VU_QUEUE_BYTES;
	r->config_bytes = desc->config_bytes;
	r->config_given = desc->config_given;
	memcpy(vdev->config, desc->config, desc->config_bytes);
	describe_net(r, &desc->net);
	for (i = 0; i < XVM_VU_MAX_QUEUES; i++)
		r->queue[i].kick = -1;
	for (i = 0; i < desc->queues; i++) {
		for (j = VU_SHADOW_SIZE; j--;)
			r->queue[i].free[r->queue[i].frees++] = (u16)j;
		/* Zero pages until used. */
		r->queue[i].req = calloc(VU_SHADOW_SIZE, sizeof(struct req));
		if (!r->queue[i].req) {
			remote_free(r);
			return NULL;
		}
		vdev->vq[i].max_size = VU_SHADOW_SIZE;
	}
	find_class(r);
	return r;
}

static int remote_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
			 char *why, size_t why_bytes)
{
	struct remote *r = NULL;
	const char *fault = NULL;

	if (!desc->queues || desc->queues > XVM_VU_MAX_QUEUES || desc->config_bytes > XVM_VU_CONFIG_BYTES)
		fault = "a number of queues or of configuration bytes that cannot be";
	else
		r = remote_new(vdev, desc);
	vdev->num_vqs = desc->queues;
	if (r)
		fault = join_connection(r, fds);
	if (!r || fault) {
		snprintf(why, why_bytes, "%s", fault ? fault : "out of memory");
		if (r)
			remote_free(r);
		return -EINVAL;
	}
	vdev->model = r;
	vdev->pending = true;
	vdev->config_bytes = r->config_bytes;
	return 0;
}

const struct xvm_vdev_type xvm_vhost_user_type = {
	.name = "vhost-user",
	.backend = XVM_BACKEND_VHOST_USER,
	.num_vqs = 1,
	.create = remote_create,
	.destroy = remote_destroy,
	.start = remote_start,
	.kick = remote_kick,
	.config_written = remote_config_written,
	.cancel = remote_cancel,
	.reset = remote_reset,
	.attach = remote_attach,
	.server_ended = remote_server_ended,
	.area_added = remote_area_added,
	.area_let_go = remote_area_let_go,
	.area_gone = remote_area_gone,
	.area_shared = remote_area_shared,
};
