// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a vfio-user device waits for in the worker's ring: its sockets, the two
 * eventfds the server raises, and time. All of it can be ended, so that a
 * device that goes leaves nothing behind.
 */
#include "vfio_virtio.h"

#include <poll.h>
#include <time.h>

#define TICK_MS 250u

u64 vfio_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static bool waits(const struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < WATCHES; i++) {
		if (dev->watch[i].armed)
			return true;
	}
	return dev->ticks || dev->pauses || dev->irq[IRQ_CONFIG].reads || dev->irq[IRQ_QUEUES].reads;
}

/* True: the device goes, and what just ended was only waited for. */
static bool left(struct vfio_dev *dev)
{
	if (!dev->leaving)
		return false;
	if (dev->left_held && !waits(dev)) {
		dev->left_held = false;
		xvm_vdev_release(dev->vdev);
	}
	return true;
}

/* ---- sockets ---- */

static void sock_fired(struct vfio_dev *dev, struct vfio_watch *watch)
{
	(void)watch;
	/* What is left beyond its budget is still there to be polled. */
	vfu_client_pump(&dev->client, vfio_now_ms());
	vfio_watch_arm(dev);
}

/* ---- interrupts ---- */

static void irq_read(struct xvm_aio_req *req, int result)
{
	struct vfio_irq *irq = (struct vfio_irq *)req;
	struct vfio_dev *dev = irq->dev;

	irq->reads = false;
	if (left(dev))
		return;
	/* The server changed what it was given. */
	if (result != sizeof(irq->count))
		vfu_client_fail(&dev->client, "server's interrupt cannot be read");
	else
		vfio_irq_came(dev, irq == &dev->irq[IRQ_CONFIG]);
	vfio_watch_arm(dev);
}

static void irq_fired(struct vfio_dev *dev, struct vfio_watch *watch)
{
	struct vfio_irq *irq = &dev->irq[watch == &dev->watch[WATCH_CONFIG] ? IRQ_CONFIG : IRQ_QUEUES];

	if (dev->closed)
		return;
	irq->iov = (struct iovec){ &irq->count, sizeof(irq->count) };
	irq->reads = !xvm_aio_readv(dev->vdev->aio, &irq->req, irq->fd, &irq->iov, 1, 0);
	vfio_watch_arm(dev);
}

/* ---- the end of the connection, and time ---- */

static void end(struct vfio_dev *dev, u32 which)
{
	if (dev->watch[which].armed)
		xvm_aio_poll_end(dev->vdev->aio, &dev->watch[which].req);
}

/* The server is to see that we have gone, and its sockets are not to be watched for ever. */
static void close_client(struct vfio_dev *dev)
{
	u32 i;

	if (dev->closed)
		return;
	dev->closed = true;
	for (i = 0; i < WATCHES; i++)
		end(dev, i);
	vfu_client_end(&dev->client);
}

static void tick(struct xvm_aio_req *req, int result)
{
	struct vfio_dev *dev = (struct vfio_dev *)((char *)req - offsetof(struct vfio_dev, timer));

	(void)result;
	dev->ticks = false;
	if (left(dev))
		return;
	if (dev->state == VFIO_DEAD) {
		close_client(dev);
		return;
	}
	vfu_client_tick(&dev->client, vfio_now_ms());
	vfio_watch_arm(dev);
}

static void pause_over(struct xvm_aio_req *req, int result)
{
	struct vfio_dev *dev = (struct vfio_dev *)((char *)req - offsetof(struct vfio_dev, pause));

	(void)result;
	dev->pauses = false;
	if (left(dev))
		return;
	dev->client.now_ms = vfio_now_ms();
	virtio_pci_look_again(&dev->pci);
	vfio_watch_arm(dev);
}

void vfio_watch_pause(struct vfio_dev *dev, u32 ms)
{
	dev->pauses = !xvm_aio_timer(dev->vdev->aio, &dev->pause, ms);
	if (!dev->pauses)
		virtio_pci_look_again(&dev->pci);
}

/* ---- all of them ---- */

static void watch_done(struct xvm_aio_req *req, int result)
{
	struct vfio_watch *watch = (struct vfio_watch *)req;
	struct vfio_dev *dev = watch->dev;

	watch->armed = false;
	if (left(dev))
		return;
	if (result >= 0)
		watch->fired(dev, watch);
	else
		vfio_watch_arm(dev);
}

static void arm(struct vfio_dev *dev, u32 which, int fd, unsigned int events)
{
	struct vfio_watch *watch = &dev->watch[which];

	if (fd < 0 || watch->armed || dev->leaving)
		return;
	watch->fd = fd;
	watch->armed = !xvm_aio_poll(dev->vdev->aio, &watch->req, fd, events);
}

static void arm_sock(struct vfio_dev *dev, bool twin)
{
	struct vfu_conn *conn = dev->client.conn;
	int fd = vfu_conn_fd(conn, twin);

	arm(dev, twin ? WATCH_TWIN_IN : WATCH_MAIN_IN, fd, POLLIN);
	if (vfu_conn_wants_out(conn, twin))
		arm(dev, twin ? WATCH_TWIN_OUT : WATCH_MAIN_OUT, fd, POLLOUT);
}

void vfio_watch_arm(struct vfio_dev *dev)
{
	if (dev->leaving || dev->closed)
		return;
	if (dev->state == VFIO_DEAD) {
		/* Whoever called may be called by the connection: it is closed from the loop. */
		if (!dev->ticks)
			dev->ticks = !xvm_aio_timer(dev->vdev->aio, &dev->timer, 1);
		return;
	}
	arm_sock(dev, false);
	arm_sock(dev, true);
	if (!dev->irq[IRQ_CONFIG].reads)
		arm(dev, WATCH_CONFIG, dev->irq[IRQ_CONFIG].fd, POLLIN);
	if (!dev->irq[IRQ_QUEUES].reads)
		arm(dev, WATCH_QUEUES, dev->irq[IRQ_QUEUES].fd, POLLIN);
	if (!dev->ticks && vfu_conn_waits(dev->client.conn))
		dev->ticks = !xvm_aio_timer(dev->vdev->aio, &dev->timer, TICK_MS);
}

void vfio_watch_init(struct vfio_dev *dev)
{
	u32 i;

	for (i = 0; i < WATCHES; i++) {
		dev->watch[i].req.done = watch_done;
		dev->watch[i].dev = dev;
		dev->watch[i].fired = i == WATCH_CONFIG || i == WATCH_QUEUES ? irq_fired : sock_fired;
	}
	for (i = 0; i < IRQS; i++) {
		dev->irq[i].req.done = irq_read;
		dev->irq[i].dev = dev;
	}
	dev->timer.done = tick;
	dev->pause.done = pause_over;
}

/* Ends a read of ours that waits because the server had emptied the eventfd before it. */
static void woken(struct xvm_aio_req *req, int result)
{
	(void)req;
	(void)result;
}

void vfio_watch_end(struct vfio_dev *dev)
{
	static const u64 one = 1;
	static struct xvm_aio_req wake = { woken };
	static struct iovec iov = { (void *)&one, sizeof(one) };
	u32 i;

	if (dev->leaving)
		return;
	dev->leaving = true;
	for (i = 0; i < WATCHES; i++)
		end(dev, i);
	for (i = 0; i < IRQS; i++) {
		if (dev->irq[i].reads)
			xvm_aio_writev(dev->vdev->aio, &wake, dev->irq[i].fd, &iov, 1, 0);
	}
	if (!waits(dev))
		return;
	dev->left_held = true;
	xvm_vdev_hold(dev->vdev);
}
