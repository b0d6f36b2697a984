// SPDX-License-Identifier: GPL-2.0-or-later
#include "worker_priv.h"
#include "../base/log.h"
#include "../virtio/vdev.h"
#include "../../xen/proto/ring.h"
#include "../../xen/user/evtchn.h"
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONTAINER(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* ---- start and stop ---- */

static int map_shared(struct worker *w, uint32_t ring_order, int fd)
{
	size_t bytes = (size_t)XVM_PAGE_BYTES * (1 + 2 * ((size_t)1 << ring_order));
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mem == MAP_FAILED)
		return -EFAULT;		/* the guest's references: Xen looks at them here */
	w->shared = mem;
	w->shared_bytes = bytes;
	return 0;
}

static int connect_bus(struct worker *w, const struct xvm_ipc_start *start)
{
	uint32_t ring_bytes = XVM_PAGE_BYTES << start->ring_order;
	struct bus_link link = {
		.dialect = start->dialect,
		.max_message = start->max_message,
		.credits = start->credits,
		.bus_features = start->bus_features,
		.ring_bytes = ring_bytes,
		.control = w->shared,
		.drv = w->shared + XVM_PAGE_BYTES,
		.dev = w->shared + XVM_PAGE_BYTES + ring_bytes,
	};

	return bus_connect(w->bus, &link);
}

static int arm_evtchn(struct worker *w)
{
	return xvm_aio_poll(w->aio, &w->evtchn_poll, w->evtchn->fd, POLLIN);
}

int worker_start(struct worker *w, const struct xvm_ipc_start *start, int evtchn_fd, int shared_fd)
{
	int err = -EINVAL;

	if (!w->evtchn && start->ring_order <= XVM_MAX_RING_ORDER && shared_fd >= 0) {
		err = map_shared(w, start->ring_order, shared_fd);
		/* The mapping holds what it needs of the descriptor. */
		close(shared_fd);
	} else if (shared_fd >= 0) {
		close(shared_fd);
	}
	if (err) {
		if (evtchn_fd >= 0)
			close(evtchn_fd);
		return err;
	}
	w->evtchn = w->open(evtchn_fd);
	if (!w->evtchn)
		return -ENOMEM;
	w->port = start->port[0];
	w->domid = start->domid;
	err = connect_bus(w, start);
	return err ? err : arm_evtchn(w);
}

static void end(struct worker *w)
{
	bus_free(w->bus);
	if (w->shared)
		munmap(w->shared, w->shared_bytes);
	if (w->evtchn)
		w->evtchn->ops->close(w->evtchn);
}

/* ---- what the ring tells ---- */

static void evtchn_fired(struct xvm_aio_req *req, int result)
{
	struct worker *w = CONTAINER(req, struct worker, evtchn_poll);
	int port;

	if (result < 0) {
		log_err("event channel: poll failed (%d)", -result);
		w->done = true;
		return;
	}
	port = w->evtchn->ops->pending(w->evtchn);
	if (port < 0 && port != -EAGAIN && port != -EINTR) {
		log_err("event channel: read failed (%d)", -port);
		w->done = true;
		return;
	}
	if (port >= 0) {
		w->events_taken++;
		if ((uint32_t)port == w->port)
			w->masked = true;
		else
			w->evtchn->ops->unmask(w->evtchn, (uint32_t)port);
	}
	if (arm_evtchn(w))
		w->done = true;
}

static void control_fired(struct xvm_aio_req *req, int result)
{
	struct worker *w = CONTAINER(req, struct worker, control_poll);

	if (result < 0)
		w->done = true;
	else
		control_take(w);
	if (!w->done && xvm_aio_poll(w->aio, &w->control_poll, w->control, POLLIN))
		w->done = true;
}

/* ---- the loop ---- */

/*
 * Nothing is left to do: ask for notifications on both rings, look again, and
 * let the port fire again. It stays masked while there is work, so a driver
 * that notifies all the time costs itself its turn and nobody a wake-up.
 */
static bool may_sleep(struct worker *w)
{
	if (bus_arm(w->bus))
		return false;
	if (w->masked) {
		w->masked = false;
		w->evtchn->ops->unmask(w->evtchn, w->port);
	}
	return true;
}

static void check_end(struct worker *w)
{
	uint32_t reason, detail;

	if (!w->stopping && bus_failed(w->bus, &reason, &detail)) {
		log_err("domain %u: connection dropped, error %u (0x%x)", w->domid, reason, detail);
		control_fail(w, reason, detail);
		w->stopping = true;
		bus_stop(w->bus);
	}
	if (!w->stopping && bus_stalled(w->bus)) {
		log_err("domain %u: took no message while an event waited; its connection ends until it runs again",
			w->domid);
		w->done = true;
	}
	if (w->stopping && bus_idle(w->bus))
		w->done = true;
}

static void loop(struct worker *w)
{
	bool more;

	while (!w->done) {
		xvm_vdev_turn();
		aio_reap(w->aio);
		more = bus_pass(w->bus);
		check_end(w);
		if (w->done)
			break;
		more = more || !may_sleep(w);
		if (!more)
			w->wakeups++;
		if (aio_enter(w->aio, !more)) {
			log_err("io_uring failed");
			break;
		}
	}
}

int worker_run(struct xvm_aio *aio, int control, struct evtchn *(*open)(int fd), struct xvm_keep *keep)
{
	struct worker w = {
		.aio = aio,
		.control = control,
		.open = open,
		.control_poll.done = control_fired,
		.evtchn_poll.done = evtchn_fired,
	};
	bool drained;

	log_to(control_log, &w);
	w.bus = bus_new(&worker_bus_host, &w, aio);
	if (!w.bus || control_hello(&w) || xvm_aio_poll(aio, &w.control_poll, control, POLLIN))
		return 1;
	bus_keep_in(w.bus, keep);
	loop(&w);
	bus_log_bad(w.bus, w.domid);
	control_free(&w);
	drained = bus_idle(w.bus);
	/* Not drained: I/O still runs on memory and state that only the end of the process may free. */
	if (drained)
		end(&w);
	return drained ? 0 : 1;
}
