// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of virtio-console: a driver that writes anything into the six
 * queues of a console with two ports, control messages above all, with socket
 * pairs in the place of ptys. The input is a script; queues and buffers lie in one area of
 * just its bytes. Nothing may stay in flight, and a reset ends whatever was begun.
 */
/* LINK: dom0/dev/console.c dom0/dev/console_buf.c dom0/dev/console_ctl.c dom0/dev/console_log.c dom0/base/log.c */
/* LINK: dom0/virtio */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include "../../dom0/base/log.h"
#include "../../dom0/dev/dev.h"
#include "../../dom0/ipc.h"
#include "../support/fake_aio.h"

#define PORTS		2u
#define QUEUES		6u
#define SIZE		8u
#define AREA		1u
#define QUEUE_BYTES	512u		/* of one queue: descriptors, available, used */
#define DATA		(QUEUES * QUEUE_BYTES)
#define AREA_BYTES	(DATA + 2048u)
#define MAX_STEPS	200u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct xvm_vdev *vdev;
	u8 *area;
	int far[PORTS];		/* the other ends */
	u64 again;
	const uint8_t *at;
	size_t left;
} run;

static void require(bool fact)
{
	if (!fact)
		abort();
}

static u8 next(void)
{
	if (!run.left)
		return 0;
	run.left--;
	return *run.at++;
}

static void no_word(struct xvm_vdev *vdev) { (void)vdev; }
static void no_used(struct xvm_vdev *vdev, struct xvm_vq *vq) { (void)vdev, (void)vq; }
static void no_state(struct xvm_vdev *vdev, int state, const char *reason) { (void)vdev, (void)state, (void)reason; }

static void again(struct xvm_vdev *vdev, struct xvm_vq *vq)
{
	(void)vdev;
	run.again |= 1ull << vq->index;
}

static const struct xvm_vdev_ops ops = {
	.used = no_used, .config_changed = no_word, .drained = no_word, .again = again, .state = no_state,
};

const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id)
{
	(void)backend, (void)device_id;
	return &xvm_console_type;
}

/* There is no log here. */
int xvm_aio_writev(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, const struct iovec *iov, unsigned int n, off_t off)
{
	(void)aio, (void)req, (void)fd, (void)iov, (void)n, (void)off;
	abort();
}

static void make(void)
{
	struct xvm_ipc_dev_add add = { .num = 1, .device_id = VIRTIO_ID_CONSOLE };
	struct fdset fds = { .count = PORTS };
	char why[100];
	int pair[2];
	u32 i;

	add.console.ports = PORTS;
	strcpy(add.console.name[1], "agent");
	for (i = 0; i < PORTS; i++) {
		require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
		run.far[i] = pair[0];
		fds.fd[i] = pair[1];
	}
	run.vdev = xvm_vdev_new(&add, &fds, &ops, NULL, NULL, why, sizeof(why));
	require(run.vdev);
	run.vdev->mem.area[AREA].base = run.area;
	run.vdev->mem.area[AREA].bytes = AREA_BYTES;
}

static void up(void)
{
	const u32 words[2] = { 1u << VIRTIO_CONSOLE_F_MULTIPORT | (u32)XVM_F_EVENT_IDX * (next() & 1),
			       (u32)((XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM) >> 32) };
	struct xvm_vq_config config = { .size = SIZE };
	u32 i;

	xvm_vdev_set_status(run.vdev, 3);
	xvm_vdev_set_features(run.vdev, 0, 2, words);
	xvm_vdev_set_status(run.vdev, 11);
	for (i = 0; i < QUEUES; i++) {
		config.desc = xvm_addr_make(AREA, i * QUEUE_BYTES);
		config.driver = config.desc + 16 * SIZE;
		config.device = config.desc + 256;
		xvm_vdev_set_vq(run.vdev, i, &config);
	}
	xvm_vdev_set_status(run.vdev, 15);
}

static void down(void)
{
	if (xvm_vdev_begin_reset(run.vdev))
		return;
	while (run.vdev->holds)
		require(fake_aio_step());
	xvm_vdev_finish_reset(run.vdev);
}

/* A chain of one or two buffers, as a driver would offer it; a control message if there is one to say. */
static void offer(u32 queue)
{
	u8 *ring = run.area + queue * QUEUE_BYTES;
	u16 idx = xvm_get16(ring + 16 * SIZE + 2);
	u32 i = next() % SIZE, off = next() * 8u, len = next();
	u8 *desc = ring + 16 * i;

	xvm_put64(desc, xvm_addr_make(AREA, DATA + off));
	xvm_put32(desc + 8, len);
	xvm_put16(desc + 12, queue & 1 ? 0 : 2);
	if (queue == 3 && off + 8 <= 2048) {
		xvm_put32(run.area + DATA + off, next() % 4 - 1u);
		xvm_put16(run.area + DATA + off + 4, next() % 9);
		xvm_put16(run.area + DATA + off + 6, next() & 1);
	}
	xvm_put16(ring + 16 * SIZE + 4 + 2 * (idx % SIZE), (u16)i);
	xvm_put16(ring + 16 * SIZE + 2, (u16)(idx + 1));
}

static void step(void)
{
	static const u8 text[100] = "bytes";
	u8 op = next(), sink[512];
	u32 i;

	switch (op & 7) {
	case 0:
	case 1:
		offer(op / 8 % QUEUES);
		break;
	case 2:
		xvm_vdev_kick(run.vdev, op / 8 % QUEUES);
		break;
	case 3:
		require(send(run.far[op >> 7], text, op & 64 ? 100 : 1, MSG_NOSIGNAL) || true);
		break;
	case 4:
		require(recv(run.far[op >> 7], sink, sizeof(sink), 0) || true);
		break;
	case 5:
		fake_aio_step();
		break;
	case 6:
		i = next() | (u32)next() << 8;
		run.area[i % AREA_BYTES] = next();
		break;
	default:
		if (op & 128) {
			down();
			up();
		} else {
			run.vdev->type->resize(run.vdev, next() << 16 | next());
		}
	}
	for (i = 0; i < QUEUES; i++)
		if (run.again >> i & 1) {
			run.again &= ~(1ull << i);
			xvm_vdev_kick(run.vdev, i);
		}
	require(!run.vdev->in_flight);
}

static void no_log(void *arg, int level, const char *line) { (void)arg, (void)level, (void)line; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 i;

	log_to(no_log, NULL);
	memset(&run, 0, sizeof(run));
	run.at = data;
	run.left = size;
	run.area = aligned_alloc(64, AREA_BYTES);
	memset(run.area, 0, AREA_BYTES);
	make();
	up();
	for (i = 0; run.left && i < MAX_STEPS; i++)
		step();
	down();
	xvm_vdev_free(run.vdev);
	for (i = 0; i < PORTS; i++)
		close(run.far[i]);
	free(run.area);
	return 0;
}
