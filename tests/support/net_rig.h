/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of virtio-net share: a tap that is a pair of datagram sockets
 * per queue, an aio whose polls end when told, and a guest with a ring per
 * queue. Included once per program, in the place of dom0/dev/net_tap.c.
 */
#ifndef XVM_TEST_NET_RIG_H
#define XVM_TEST_NET_RIG_H

#include "test.h"
#include "../../dom0/dev/dev.h"
#include "../../dom0/dev/net.h"

#define OWNER_TYPE xvm_net_type
#include "fake_owner.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET_BASE (XVM_F_VERSION_1 | XVM_F_ACCESS_PLATFORM | XVM_F_EVENT_IDX)
#define RIG_PAIRS 3u
#define RIG_QUEUES (2 * RIG_PAIRS + 1)
#define RIG_STRIDE 0x80000u	/* of one queue: its rings, then 15 buffers of 32 KiB from RING_DATA on */
#define RIG_RING 64u

/* ---- the host ---- */

struct net_rig {
	struct xvm_vdev *vdev;
	u8 *base;
	struct ring_mem r[RIG_QUEUES];
	struct xvm_ipc_dev_add desc;
	int far[RIG_PAIRS];	/* the other ends */
	struct xvm_keep *keep;	/* NULL: nothing is recorded */
	bool goes_on;		/* the driver's queues are to be kept */
};

static struct rig_tap {
	int near[RIG_PAIRS];
	bool attached[RIG_PAIRS];
	u64 offloads;
	int fail;		/* the next write ends with this */
	int no_attach;		/* what attaching says */
	struct xvm_aio_req *poll[64];
	int poll_fd[64];
	unsigned int poll_events[64];
	u32 polls;
	bool aio_full;
} rig_tap;

static inline u32 rig_index(int fd)
{
	u32 i;

	for (i = 0; i < RIG_PAIRS && rig_tap.near[i] != fd; i++)
		;
	assert_true(i < RIG_PAIRS);
	return i;
}

ssize_t net_tap_read(int fd, const struct iovec *iov, u32 n)
{
	ssize_t ret = readv(fd, iov, (int)n);

	return ret < 0 ? -errno : ret;
}

ssize_t net_tap_write(int fd, const struct iovec *iov, u32 n)
{
	int fail = rig_tap.fail;
	ssize_t ret;

	rig_tap.fail = 0;
	if (fail)
		return fail;
	ret = writev(fd, iov, (int)n);
	return ret < 0 ? -errno : ret;
}

int net_tap_attach(int fd, bool attach)
{
	if (attach && rig_tap.no_attach)
		return rig_tap.no_attach;
	rig_tap.attached[rig_index(fd)] = attach;
	return 0;
}

int net_tap_offload(int fd, u64 offloads)
{
	rig_index(fd);
	/* As the kernel: segmentation needs checksums. */
	if (offloads & NET_GUEST_TSO && !(offloads & NET_F(GUEST_CSUM)))
		return -EINVAL;
	rig_tap.offloads = offloads;
	return 0;
}

int xvm_aio_poll(struct xvm_aio *aio, struct xvm_aio_req *req, int fd, unsigned int events)
{
	(void)aio;
	if (rig_tap.aio_full)
		return -EAGAIN;
	rig_tap.poll_events[rig_tap.polls] = events;
	rig_tap.poll_fd[rig_tap.polls] = fd;
	rig_tap.poll[rig_tap.polls++] = req;
	return 0;
}

static inline void rig_poll_end(u32 i, int result)
{
	struct xvm_aio_req *req = rig_tap.poll[i];

	rig_tap.polls--;
	rig_tap.poll[i] = rig_tap.poll[rig_tap.polls];
	rig_tap.poll_fd[i] = rig_tap.poll_fd[rig_tap.polls];
	rig_tap.poll_events[i] = rig_tap.poll_events[rig_tap.polls];
	req->done(req, result);
}

/* The rig ends it at once; the real one later. */
int xvm_aio_poll_end(struct xvm_aio *aio, struct xvm_aio_req *req)
{
	u32 i;

	(void)aio;
	for (i = 0; i < rig_tap.polls; i++) {
		if (rig_tap.poll[i] == req) {
			rig_poll_end(i, -ECANCELED);
			break;
		}
	}
	return 0;
}

/* Ends the polls whose descriptors are ready; how many those were. */
static inline u32 rig_ready(void)
{
	u32 i = 0, n = 0;

	while (i < rig_tap.polls) {
		struct pollfd p = { .fd = rig_tap.poll_fd[i], .events = (short)rig_tap.poll_events[i] };

		if (poll(&p, 1, 0) > 0) {
			rig_poll_end(i, p.revents);
			n++;
		} else {
			i++;
		}
	}
	return n;
}

/* ---- the guest ---- */

static inline u32 rig_off(u32 queue, u32 off)
{
	return queue * RIG_STRIDE + off;
}

/* segs' offsets are in the memory of that queue. */
static inline u16 rig_chain(struct net_rig *f, u32 queue, const struct ring_seg *seg, u32 n)
{
	struct ring_mem *r = &f->r[queue];
	u16 head = (u16)(r->next_desc % r->size);
	u32 i;

	for (i = 0; i < n; i++) {
		u32 at = r->next_desc++ % r->size;
		u16 flags = (u16)((seg[i].write ? RING_WRITE : 0) | (i + 1 < n ? RING_NEXT : 0));

		ring_desc(r, at, ring_addr(rig_off(queue, seg[i].off)), seg[i].len, flags, (u16)(r->next_desc % r->size));
	}
	ring_offer(r, head);
	return head;
}

static inline u8 *rig_data(struct net_rig *f, u32 queue, u32 off)
{
	return f->base + rig_off(queue, off);
}

/* n receive buffers of len bytes, one behind the other from RING_DATA on. */
static inline void rig_buffers(struct net_rig *f, u32 queue, u32 n, u32 len)
{
	u32 i;

	for (i = 0; i < n; i++)
		rig_chain(f, queue, &(struct ring_seg){ RING_DATA + i * len, len, true }, 1);
	xvm_vdev_kick(f->vdev, queue);
}

static inline void rig_run(struct net_rig *f)
{
	do
		owner_pass(f->vdev);
	while (rig_ready());
	owner_pass(f->vdev);
}

/* A header and a frame of bytes in all, to this address; bytes behind it count up. */
static inline void rig_send(struct net_rig *f, u32 pair, const u8 mac[6], u32 bytes)
{
	u8 *frame = calloc(1, bytes);
	u32 i;

	memcpy(frame + NET_HEADER_BYTES, mac, 6);
	for (i = NET_HEADER_BYTES + 14; i < bytes; i++)
		frame[i] = (u8)(i * 7);
	frame[0] = VIRTIO_NET_HDR_F_DATA_VALID;
	assert_int_equal(send(f->far[pair], frame, bytes, 0), bytes);
	free(frame);
}

/* A command; the answer byte, or -1 when there is none. */
static inline int rig_ctrl_on(struct net_rig *f, u32 queue, u8 class, u8 cmd, const void *data, u32 bytes)
{
	struct ring_seg seg[3] = { { RING_DATA, 2, false }, { RING_DATA + 64, bytes, false }, { RING_DATA + 32, 1, true } };
	u8 *p = rig_data(f, queue, RING_DATA);
	u32 head, len;

	p[0] = class;
	p[1] = cmd;
	p[32] = 0xee;
	if (bytes)
		memcpy(p + 64, data, bytes);
	else
		seg[1] = seg[2];
	rig_chain(f, queue, seg, bytes ? 3 : 2);
	xvm_vdev_kick(f->vdev, queue);
	return ring_take_used(&f->r[queue], &head, &len) && len == 1 ? p[32] : -1;
}

static inline int rig_ctrl(struct net_rig *f, u8 class, u8 cmd, const void *data, u32 bytes)
{
	return rig_ctrl_on(f, RIG_QUEUES - 1, class, cmd, data, bytes);
}

static inline u32 rig_up(struct net_rig *f, u64 features)
{
	u32 i;

	xvm_vdev_set_status(f->vdev, XVM_S_ACKNOWLEDGE | XVM_S_DRIVER);
	owner_ack(f->vdev, features);
	xvm_vdev_set_status(f->vdev, XVM_S_FEATURES_OK);
	for (i = 0; i < RIG_QUEUES; i++) {
		struct xvm_vq_config config = {
			RIG_RING, ring_addr(rig_off(i, RING_DESC)), ring_addr(rig_off(i, RING_AVAIL)),
			ring_addr(rig_off(i, RING_USED)),
		};

		if (!f->goes_on)
			ring_mem_restart(&f->r[i]);
		if (xvm_vdev_set_vq(f->vdev, i, &config) || (f->goes_on && xvm_vdev_keep_vq(f->vdev, i, false)))
			return 0;
	}
	return xvm_vdev_set_status(f->vdev, XVM_S_DRIVER_OK);
}

/* A device over new sockets. */
static inline void rig_device(struct net_rig *f)
{
	struct fdset fds = { .count = RIG_PAIRS };
	char why[100] = "";
	u32 i;

	memset(&owner, 0, sizeof(owner));
	memset(&rig_tap, 0, sizeof(rig_tap));
	for (i = 0; i < RIG_PAIRS; i++) {
		static const int buffer = 1 << 20;
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
		f->far[i] = pair[1];
		fds.fd[i] = rig_tap.near[i] = pair[0];
		rig_tap.attached[i] = true;
	}
	f->vdev = xvm_vdev_new(&f->desc, &fds, &owner_ops, NULL, NULL, why, sizeof(why));
	if (!f->vdev)
		print_message("%s\n", why);
	assert_non_null(f->vdev);
	f->vdev->mem.area[RING_AREA].base = f->base;
	f->vdev->mem.area[RING_AREA].bytes = RIG_QUEUES * RIG_STRIDE;
	xvm_vdev_keep_in(f->vdev, f->keep);
}

static inline struct net_rig *rig_new(void)
{
	struct net_rig *f = calloc(1, sizeof(*f));
	u32 i;

	f->base = aligned_alloc(4096, RIG_QUEUES * RIG_STRIDE);
	memset(f->base, 0, RIG_QUEUES * RIG_STRIDE);
	for (i = 0; i < RIG_QUEUES; i++) {
		f->r[i].base = f->base + i * RIG_STRIDE;
		f->r[i].bytes = RIG_STRIDE;
		f->r[i].size = RIG_RING;
	}
	f->desc = (struct xvm_ipc_dev_add){ .num = 1, .device_id = 1,
		.net = { .mac = { 0, 0x16, 0x3e, 1, 2, 3 }, .pairs = RIG_PAIRS, .mtu = 1400, .tap_mtu = 1500, .link_up = 1 } };
	rig_device(f);
	return f;
}

/* The worker dies; the next one has a record of what this one did. */
static inline void rig_next_worker(struct net_rig *f)
{
	u32 i;

	xvm_vdev_free(f->vdev);
	for (i = 0; i < RIG_PAIRS; i++)
		close(f->far[i]);
	rig_device(f);
}

static inline void rig_free(struct net_rig *f)
{
	u32 i;

	if (!xvm_vdev_begin_reset(f->vdev))
		xvm_vdev_finish_reset(f->vdev);
	xvm_vdev_free(f->vdev);
	for (i = 0; i < RIG_PAIRS; i++)
		close(f->far[i]);
	free(f->base);
	free(f);
}

#endif
