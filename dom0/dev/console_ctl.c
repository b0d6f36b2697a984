// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Control messages of a console with several ports (virtio 1.2, section
 * 5.3.6.2). What the driver is owed is a bit per port and message, never a queue, so
 * a driver that asks a thousand times and gives no buffer costs nothing.
 */
#include "console.h"
#include <stdio.h>
#include <linux/virtio_console.h>

#define CTL_BYTES	8u	/* id, event, value */
#define SIZE_BYTES	4u	/* columns, rows */
#define MAX_BUFFERS	16u	/* descriptors of one message */

static u32 compose(const struct console_port *port, enum console_news news, u8 *msg)
{
	static const u16 event[NUM_NEWS] = {
		[NEWS_ADD] = VIRTIO_CONSOLE_PORT_ADD,
		[NEWS_CONSOLE] = VIRTIO_CONSOLE_CONSOLE_PORT,
		[NEWS_RESIZE] = VIRTIO_CONSOLE_RESIZE,
		[NEWS_NAME] = VIRTIO_CONSOLE_PORT_NAME,
		[NEWS_OPEN] = VIRTIO_CONSOLE_PORT_OPEN,
	};
	u32 len = CTL_BYTES;

	xvm_put32(msg, port->index);
	xvm_put16(msg + 4, event[news]);
	xvm_put16(msg + 6, 1);
	if (news == NEWS_RESIZE) {
		memcpy(msg + len, port->vdev->config, SIZE_BYTES);
		len += SIZE_BYTES;
	} else if (news == NEWS_NAME) {
		memcpy(msg + len, port->name, strlen(port->name));	/* without a zero behind it */
		len += (u32)strlen(port->name);
	}
	return len;
}

/* The next thing owed; NULL: nothing. */
static struct console_port *next_news(struct console *console, enum console_news *news)
{
	struct console_port *port;

	for (port = console->port; port < console->port + console->ports; port++) {
		if (!port->news)
			continue;
		*news = (enum console_news)__builtin_ctz(port->news);
		return port;
	}
	return NULL;
}

static bool send_one(struct xvm_vdev *vdev, struct xvm_vq *vq, struct console_port *port, enum console_news news)
{
	u8 msg[CTL_BYTES + sizeof(port->name)];
	struct iovec iov[MAX_BUFFERS];
	struct xvm_chain chain;
	char reason[100];
	u32 len;

	if (!xvm_vdev_pop(vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
		return false;
	len = compose(port, news, msg);
	if (chain.in_bytes < len) {
		snprintf(reason, sizeof(reason), "queue %u: a buffer of %u bytes for a control message of %u",
			 vq->index, chain.in_bytes, len);
		xvm_vdev_broken(vdev, reason);
		len = 0;
	}
	xvm_iov_put(chain.in, chain.nin, 0, msg, len);
	xvm_vdev_complete(vdev, vq, chain.head, len);
	port->news &= ~(1u << news);
	return vdev->ready;
}

/* At most what is owed: so many messages as there are bits. The caller flushes, or is within kick. */
void console_ctl_send(struct xvm_vdev *vdev)
{
	struct xvm_vq *vq = &vdev->vq[CONSOLE_CTL_IN];
	struct console *console = vdev->model;
	struct console_port *port;
	enum console_news news;

	if (!vq->enabled)
		return;
	while ((port = next_news(console, &news)))
		if (!send_one(vdev, vq, port, news))
			return;
}

static void take_ready(struct console *console)
{
	u32 i;

	for (i = 0; i < console->ports; i++)
		console->port[i].news |= 1u << NEWS_ADD;
}

/* The driver has the port: what it is, its name, and that somebody is at its other end. */
static void take_port_ready(struct console_port *port)
{
	port->news |= 1u << NEWS_OPEN;
	port->news |= port->index ? 1u << NEWS_NAME : 1u << NEWS_CONSOLE | 1u << NEWS_RESIZE;
}

/* A copy of the message. Ports there are not, and events that are not a driver's, mean nothing. */
static void take_one(struct console *console, const u8 *msg)
{
	u32 id = xvm_get32(msg), event = xvm_get16(msg + 4), value = xvm_get16(msg + 6);
	struct console_port *port = id < console->ports ? &console->port[id] : NULL;

	if (event == VIRTIO_CONSOLE_DEVICE_READY && value)
		take_ready(console);
	else if (event == VIRTIO_CONSOLE_PORT_READY && port && value)
		take_port_ready(port);
	else if (event == VIRTIO_CONSOLE_PORT_OPEN && port)
		console_port_open(port, value);
}

bool console_ctl_take(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct iovec iov[MAX_BUFFERS];
	enum console_news news;
	struct xvm_chain chain;
	u8 msg[CTL_BYTES];

	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
			break;
		if (xvm_iov_get(chain.out, chain.nout, 0, msg, sizeof(msg)) == sizeof(msg))
			take_one(vdev->model, msg);
		xvm_vdev_complete(vdev, vq, chain.head, 0);
	}
	/* In a pass of its own, so that its queue is flushed there. */
	if (next_news(vdev->model, &news))
		vdev->ops->again(vdev, &vdev->vq[CONSOLE_CTL_IN]);
	return !budget;
}
