// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-console: port 0 is a console, further ones have names; behind each is
 * a pty whose master the supervisor made and keeps (virtio 1.2, section 5.3).
 * Must not know messages or Xen. Called through xvm_console_type.
 *
 * A driver's console may spin for its output with interrupts off, so a chain of port 0
 * completes at once, whether or not anybody reads: what has no taker waits in
 * a buffer, and the oldest of it is lost. A named port has a driver that can
 * wait, and loses nothing: its chains stay in the queue.
 *
 * No chain is ever in flight between two calls. What a former worker took and did not give
 * back is given back unsent: at most one chunk is lost, and none is doubled.
 */
#include "console.h"
#include "../base/log.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

/*
 * Linux waits for room in the queue of a named port, but what finds none in the areas is
 * lost: 16 of its largest writes (64 KiB each) fit the first one.
 */
#define QUEUE_SIZE	16u
#define CONFIG_COLS	0u
#define CONFIG_ROWS	2u
#define CONFIG_PORTS	4u
#define CONFIG_BYTES	12u	/* with emerg_wr, which is not offered */

#define CONTAINER(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static u32 in_queue(const struct console_port *port)
{
	return port->index ? 2 * port->index + 2 : 0;
}

/* ---- from the driver ---- */

static void pump_out(struct console_port *port);

static void out_polled(struct xvm_aio_req *req, int result)
{
	struct console_port *port = CONTAINER(req, struct console_port, out_poll);
	struct xvm_vdev *vdev = port->vdev;

	port->out_polls = false;
	if (result > 0)
		pump_out(port);
	/* Chains of a named port wait for room. */
	if (!port->out.len && vdev->ready)
		vdev->ops->again(vdev, &vdev->vq[in_queue(port) + 1]);
	xvm_vdev_release(vdev);
}

/* Gives the pty what it takes now, and asks for word when it takes more. */
static void pump_out(struct console_port *port)
{
	ssize_t done = 1;
	const u8 *data;
	u32 n;

	while (done > 0 && (n = console_buf_next(&port->out, &data))) {
		done = write(port->fd, data, n);
		if (done > 0)
			console_buf_drop(&port->out, (u32)done);
	}
	if (done > 0 || errno != EAGAIN || port->out_polls || !port->vdev->ready)
		return;
	port->out_polls = !xvm_aio_poll(port->vdev->aio, &port->out_poll, port->fd, POLLOUT);
	if (port->out_polls)
		xvm_vdev_hold(port->vdev);
}

static void take_chain(struct console_port *port, const struct xvm_chain *chain)
{
	const struct console *console = port->vdev->model;

	if (port->index && chain->out_bytes > CONSOLE_BUF_BYTES)
		log_warn("device %u: port %u: a chain of %u bytes, and at most %u are taken", port->vdev->num,
			 port->index, chain->out_bytes, CONSOLE_BUF_BYTES);
	console_buf_add(&port->out, chain);
	if (!port->index && console->log)
		console_log_add(console->log, chain);
	port->vdev->bytes_written += chain->out_bytes;
	pump_out(port);
}

static bool kick_out(struct console_port *port, struct xvm_vq *vq, u32 budget)
{
	struct iovec iov[QUEUE_SIZE];
	struct xvm_chain chain;
	bool again;

	for (; budget; budget--) {
		/* Before the pop: the end of the poll looks here again. */
		if (port->index && port->out.len)
			return false;
		again = xvm_vq_agains(vq);
		if (!xvm_vdev_pop(port->vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
			return false;
		if (!again)
			take_chain(port, &chain);
		xvm_vdev_complete(port->vdev, vq, chain.head, 0);
	}
	return true;
}

/* ---- to the driver ---- */

static bool pump_in(struct console_port *port, struct xvm_vq *vq, u32 budget);

static void in_polled(struct xvm_aio_req *req, int result)
{
	struct console_port *port = CONTAINER(req, struct console_port, in_poll);
	struct xvm_vdev *vdev = port->vdev;
	struct xvm_vq *vq = &vdev->vq[in_queue(port)];

	port->in_polls = false;
	if (result > 0 && vdev->ready) {
		if (pump_in(port, vq, CONSOLE_MAX_CHAINS))
			vdev->ops->again(vdev, vq);
		xvm_vdev_flush(vdev, vq);
	}
	xvm_vdev_release(vdev);
}

/* True when there are bytes to be given; else word comes when there are. */
static bool fill_in(struct console_port *port)
{
	ssize_t n;

	if (port->in_len)
		return true;
	if (port->in_polls || !port->open)
		return false;
	n = read(port->fd, port->in, sizeof(port->in));
	port->in_at = 0;
	if (n > 0) {
		port->in_len = (u32)n;
		return true;
	}
	/* Without its supervisor a pty has an end, and nobody to ask; so has this worker. */
	if (n < 0 && errno == EAGAIN) {
		port->in_polls = !xvm_aio_poll(port->vdev->aio, &port->in_poll, port->fd, POLLIN);
		if (port->in_polls)
			xvm_vdev_hold(port->vdev);
	}
	return false;
}

static bool pump_in(struct console_port *port, struct xvm_vq *vq, u32 budget)
{
	struct iovec iov[QUEUE_SIZE];
	struct xvm_chain chain;
	u32 n;

	for (; budget; budget--) {
		if (!fill_in(port) || !xvm_vdev_pop(port->vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
			return false;
		n = (u32)xvm_iov_put(chain.in, chain.nin, 0, port->in + port->in_at, port->in_len);
		port->in_at += n;
		port->in_len -= n;
		port->vdev->bytes_read += n;
		xvm_vdev_complete(port->vdev, vq, chain.head, n);
	}
	return true;
}

void console_port_open(struct console_port *port, bool open)
{
	if (open && !port->open)
		port->vdev->ops->again(port->vdev, &port->vdev->vq[in_queue(port)]);
	port->open = open;
}

/* ---- the device ---- */

static bool console_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct console *console = vdev->model;
	u32 pair = vq->index / 2, port = pair < 2 ? 0 : pair - 1;

	if (budget > CONSOLE_MAX_CHAINS)
		budget = CONSOLE_MAX_CHAINS;
	/* Without the feature the other queues do not exist for the driver. */
	if (pair && !console->multiport)
		return false;
	if (vq->index == CONSOLE_CTL_OUT)
		return console_ctl_take(vdev, vq, budget);
	if (vq->index == CONSOLE_CTL_IN) {
		console_ctl_send(vdev);
		return false;
	}
	return vq->index & 1 ? kick_out(&console->port[port], vq, budget) : pump_in(&console->port[port], vq, budget);
}

/*
 * With queues of a former connection the driver has its ports already and will not
 * say so again: they are added once more, which it answers as the first time.
 */
static bool console_start(struct xvm_vdev *vdev)
{
	struct console *console = vdev->model;
	bool kept = vdev->num_vqs > CONSOLE_CTL_IN && vdev->vq[CONSOLE_CTL_IN].kept;
	u32 i;

	console->multiport = xvm_vdev_negotiated(vdev, 1ull << VIRTIO_CONSOLE_F_MULTIPORT);
	for (i = 0; i < console->ports; i++) {
		console->port[i].open = !console->multiport || kept;
		console->port[i].news = console->multiport && kept ? 1u << NEWS_ADD : 0;
	}
	return true;
}

/* Nothing but waiting for the ptys has to be ended, and the log ends by itself. */
static void console_cancel(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	struct console *console = vdev->model;
	struct console_port *port;

	if (vq)
		return;
	for (port = console->port; port < console->port + console->ports; port++) {
		if (port->in_polls)
			xvm_aio_poll_end(vdev->aio, &port->in_poll);
		if (port->out_polls)
			xvm_aio_poll_end(vdev->aio, &port->out_poll);
	}
}

/* What was read and not delivered is for whoever drives the console next. */
static void console_reset(struct xvm_vdev *vdev)
{
	struct console *console = vdev->model;
	u32 i;

	console->multiport = false;
	for (i = 0; i < console->ports; i++) {
		console->port[i].open = false;
		console->port[i].news = 0;
	}
}

static void console_resize(struct xvm_vdev *vdev, u64 size)
{
	struct console *console = vdev->model;

	xvm_put16(vdev->config + CONFIG_COLS, (u16)(size >> 16));
	xvm_put16(vdev->config + CONFIG_ROWS, (u16)size);
	xvm_vdev_config_changed(vdev);
	if (!vdev->ready || !console->multiport)
		return;
	console->port[0].news |= 1u << NEWS_RESIZE;
	vdev->ops->again(vdev, &vdev->vq[CONSOLE_CTL_IN]);
}

static void console_destroy(struct xvm_vdev *vdev)
{
	struct console *console = vdev->model;
	u32 i;

	for (i = 0; i < console->ports; i++)
		if (console->port[i].fd >= 0)
			close(console->port[i].fd);
	console_log_free(console->log);
	free(console->port);
	free(console);
}

static int make_ports(struct xvm_vdev *vdev, const struct xvm_ipc_console *desc, struct fdset *fds)
{
	struct console *console = vdev->model;
	struct console_port *port;
	u32 i;

	console->port = calloc(desc->ports, sizeof(*console->port));
	if (!console->port)
		return -ENOMEM;
	for (i = 0; i < desc->ports; i++) {
		port = &console->port[i];
		port->vdev = vdev;
		port->index = i;
		port->fd = fdset_take(fds, i);
		port->in_poll.done = in_polled;
		port->out_poll.done = out_polled;
		memcpy(port->name, desc->name[i], sizeof(port->name) - 1);
		console->ports++;
		if (port->fd < 0)
			return -EINVAL;
	}
	return 0;
}

static void make_config(struct xvm_vdev *vdev, const struct xvm_ipc_console *desc)
{
	u32 i;

	vdev->num_vqs = desc->ports > 1 ? 2 * desc->ports + 2 : 2;
	for (i = 0; i < vdev->num_vqs; i++)
		vdev->vq[i].max_size = QUEUE_SIZE;
	vdev->offered = 1ull << VIRTIO_CONSOLE_F_SIZE | (u64)(desc->ports > 1) << VIRTIO_CONSOLE_F_MULTIPORT;
	vdev->config_bytes = CONFIG_BYTES;
	xvm_put16(vdev->config + CONFIG_COLS, desc->cols);
	xvm_put16(vdev->config + CONFIG_ROWS, desc->rows);
	xvm_put32(vdev->config + CONFIG_PORTS, desc->ports);
}

static int console_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *add, struct fdset *fds, char *why,
			  size_t why_bytes)
{
	const struct xvm_ipc_console *desc = &add->console;
	struct console *console;

	if (!desc->ports || desc->ports > XVM_CONSOLE_MAX_PORTS) {
		snprintf(why, why_bytes, "a console has 1 to %u ports, not %u", XVM_CONSOLE_MAX_PORTS, desc->ports);
		return -EINVAL;
	}
	console = calloc(1, sizeof(*console));
	vdev->model = console;
	snprintf(why, why_bytes, console ? "a console takes a pty for each port" : "out of memory");
	if (!console)
		return -ENOMEM;
	if (make_ports(vdev, desc, fds))
		goto fail;
	console->log = desc->log ? console_log_new(vdev, fds, desc->ports, why, why_bytes) : NULL;
	if (desc->log && !console->log)
		goto fail;
	make_config(vdev, desc);
	return 0;
fail:
	console_destroy(vdev);
	return -EINVAL;
}

const struct xvm_vdev_type xvm_console_type = {
	.name = "console",
	.device_id = VIRTIO_ID_CONSOLE,
	.num_vqs = 2,
	.repeatable = true,	/* see above: what is taken up again is not repeated */
	.create = console_create,
	.destroy = console_destroy,
	.start = console_start,
	.kick = console_kick,
	.cancel = console_cancel,
	.reset = console_reset,
	.resize = console_resize,
};
