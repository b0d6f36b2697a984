// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_vhost.h"
#include "../../dom0/dev/vhost.h"
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FEATURES (1ull << 32 | 1ull << 33 | 1ull << 26 | 1ull << 15 | 1ull << 1)
#define ALLOWED (1ull << 32 | 1ull << 15 | 1ull << 1)
#define RINGS 4
#define NUM_BUFFERS_AT 10
#define REGIONS 8
#define PACKET 65536

static struct {
	bool owned, running;
	unsigned long long features;
	unsigned int regions;
	struct vhost_memory_region region[REGIONS];
	struct ring {
		unsigned int num;
		unsigned short next;	/* position in both rings: served in order */
		struct vring_desc *desc;
		struct vring_avail *avail;
		struct vring_used *used;
		int kick, call, err;	/* err 0: nobody wants to know */
		bool dead;
	} ring[RINGS];
	void (*serve)(void);
	int backend[2];			/* net: a tap, or -1 */
	bool net;
	pthread_t thread;
	int stop;
	pthread_mutex_t lock;		/* held while rings and buffers are touched */
} k = { .lock = PTHREAD_MUTEX_INITIALIZER, .backend = { -1, -1 } };

static void *translate(unsigned long long addr, unsigned long long len)
{
	unsigned int i;

	for (i = 0; i < k.regions; i++) {
		const struct vhost_memory_region *r = &k.region[i];

		if (addr >= r->guest_phys_addr && addr - r->guest_phys_addr < r->memory_size &&
		    len <= r->memory_size - (addr - r->guest_phys_addr))
			return (char *)(unsigned long)r->userspace_addr + (addr - r->guest_phys_addr);
	}
	return NULL;
}

/* A head that no descriptor has is the end of the ring, as in Linux. */
static bool has_next(struct ring *r)
{
	unsigned long long one = 1;

	if (r->dead || __atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE) == r->next)
		return false;
	r->dead = r->avail->ring[r->next % r->num] >= r->num;
	if (r->dead && r->err && write(r->err, &one, sizeof(one)) != sizeof(one))
		abort();
	return !r->dead;
}

/* Copies a chain's bytes out of or into packet; how many. */
static unsigned int copy_chain(const struct ring *r, char *packet, unsigned int max, bool in)
{
	unsigned int i = r->avail->ring[r->next % r->num], done = 0, n;
	struct vring_desc d;
	char *at;

	do {
		d = r->desc[i];
		n = d.len < max - done ? d.len : max - done;
		at = translate(d.addr, d.len);
		if (at && !!(d.flags & VRING_DESC_F_WRITE) == in)
			memcpy(in ? at : packet + done, in ? packet + done : at, n);
		else
			n = 0;
		done += n;
		i = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);
	return done;
}

static void give_back(struct ring *r, unsigned int len)
{
	unsigned long long one = 1;

	r->used->ring[r->next % r->num].id = r->avail->ring[r->next % r->num];
	r->used->ring[r->next % r->num].len = len;
	__atomic_store_n(&r->used->idx, ++r->next, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(r->avail->flags & VRING_AVAIL_F_NO_INTERRUPT) && write(r->call, &one, sizeof(one)) != sizeof(one))
		abort();
}

static char packet[PACKET];

/* Frames to the tap, and from it. */
static void serve_net(void)
{
	ssize_t n;

	while (has_next(&k.ring[1])) {
		n = copy_chain(&k.ring[1], packet, PACKET, false);
		if (write(k.backend[1], packet, (size_t)n) != n)
			abort();
		give_back(&k.ring[1], 0);
	}
	while (has_next(&k.ring[0])) {
		n = read(k.backend[0], packet, PACKET);
		if (n <= 0)
			break;
		memcpy(packet + NUM_BUFFERS_AT, "\1", 2);
		give_back(&k.ring[0], copy_chain(&k.ring[0], packet, (unsigned int)n, true));
	}
}

/* A target whose answer is the request. */
static void serve_scsi(void)
{
	unsigned int n;

	while (has_next(&k.ring[2])) {
		n = copy_chain(&k.ring[2], packet, PACKET, false);
		give_back(&k.ring[2], copy_chain(&k.ring[2], packet, n, true));
	}
}

static void serve_vsock(void)
{
	unsigned int n;

	while (has_next(&k.ring[1]) && has_next(&k.ring[0])) {
		n = copy_chain(&k.ring[1], packet, PACKET, false);
		give_back(&k.ring[1], 0);
		give_back(&k.ring[0], copy_chain(&k.ring[0], packet, n, true));
	}
}

static void *work(void *arg)
{
	struct pollfd fds[RINGS + 2] = { { 0 } };
	unsigned long long count;
	int i;

	(void)arg;
	for (i = 0; i < RINGS; i++)
		fds[i] = (struct pollfd){ k.ring[i].desc ? k.ring[i].kick : -1, POLLIN, 0 };
	fds[RINGS] = (struct pollfd){ k.stop, POLLIN, 0 };
	for (;;) {
		fds[RINGS + 1] = (struct pollfd){ k.net && has_next(&k.ring[0]) ? k.backend[0] : -1, POLLIN, 0 };
		poll(fds, RINGS + 2, -1);
		if (fds[RINGS].revents)
			return NULL;
		for (i = 0; i < RINGS; i++)
			if (fds[i].revents && read(fds[i].fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
				abort();
		pthread_mutex_lock(&k.lock);
		k.serve();
		pthread_mutex_unlock(&k.lock);
	}
}

static int set_running(bool on, void (*serve)(void))
{
	unsigned long long one = 1;

	if (on == k.running)
		return 0;
	k.serve = serve;
	if (on && (!k.ring[0].desc || !k.ring[1].desc))
		return -EFAULT;
	if (on) {
		k.stop = eventfd(0, EFD_CLOEXEC);
		k.running = !pthread_create(&k.thread, NULL, work, NULL);
		return k.running ? 0 : -ENOMEM;
	}
	if (write(k.stop, &one, sizeof(one)) != sizeof(one))
		abort();
	pthread_join(k.thread, NULL);
	close(k.stop);
	k.running = false;
	return 0;
}

static int set_backend(const struct vhost_vring_file *file)
{
	if (file->index > 1)
		return -ENOBUFS;
	if (file->fd < 0)
		set_running(false, serve_net);
	k.backend[file->index] = file->fd;
	k.net = k.backend[0] >= 0 && k.backend[1] >= 0;
	return k.net ? set_running(true, serve_net) : 0;
}

static int set_endpoint(const struct vhost_scsi_target *target, bool on)
{
	if (target->abi_version != VHOST_SCSI_ABI_VERSION || target->reserved || strcmp(target->vhost_wwpn, FAKE_TARGET))
		return -EEXIST;
	return set_running(on, serve_scsi);
}

static int set_table(const struct vhost_memory *table)
{
	if (table->nregions > REGIONS)
		return -E2BIG;
	pthread_mutex_lock(&k.lock);
	k.regions = table->nregions;
	memcpy(k.region, table->regions, k.regions * sizeof(k.region[0]));
	pthread_mutex_unlock(&k.lock);
	return 0;
}

static int set_ring(unsigned long request, void *arg)
{
	const struct vhost_vring_state *state = arg;
	const struct vhost_vring_addr *addr = arg;
	const struct vhost_vring_file *file = arg;
	struct ring *r = &k.ring[state->index];

	if (state->index >= RINGS)
		return -ENOBUFS;
	if (k.running)
		return -EBUSY;
	switch (request) {
	case VHOST_SET_VRING_NUM:
		r->num = state->num;
		r->dead = false;
		return r->num && !(r->num & (r->num - 1)) ? 0 : -EINVAL;
	case VHOST_SET_VRING_BASE:
		r->next = (unsigned short)state->num;
		return state->num > 0xffff ? -EINVAL : 0;
	case VHOST_SET_VRING_ADDR:
		r->desc = (void *)(unsigned long)addr->desc_user_addr;
		r->avail = (void *)(unsigned long)addr->avail_user_addr;
		r->used = (void *)(unsigned long)addr->used_user_addr;
		return 0;
	case VHOST_SET_VRING_KICK:
		r->kick = file->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		r->err = file->fd;
		return 0;
	default:
		r->call = file->fd;
		return 0;
	}
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct vhost_vring_state *state = arg;

	(void)fd;
	if (request == VHOST_SET_OWNER) {
		if (k.owned)
			return -EBUSY;
		k.owned = true;
		return 0;
	}
	if (!k.owned)
		return -EPERM;
	switch (request) {
	case VHOST_GET_FEATURES:
		*(unsigned long long *)arg = FEATURES;
		return 0;
	case VHOST_SET_FEATURES:
		k.features = *(unsigned long long *)arg;
		return k.features & ~ALLOWED || !(k.features & 1ull << 32) || k.running ? -EINVAL : 0;
	case VHOST_SET_MEM_TABLE:
		return set_table(arg);
	case VHOST_GET_VRING_BASE:
		state->num = k.ring[state->index].next;
		return 0;
	case VHOST_VSOCK_SET_RUNNING:
		return set_running(*(int *)arg, serve_vsock);
	case VHOST_NET_SET_BACKEND:
		return set_backend(arg);
	case VHOST_SCSI_SET_ENDPOINT:
	case VHOST_SCSI_CLEAR_ENDPOINT:
		return set_endpoint(arg, request == VHOST_SCSI_SET_ENDPOINT);
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return set_ring(request, arg);
	default:
		return -ENOTTY;
	}
}

static const struct vhost_sys fake = { fake_ioctl };

void fake_vhost_use(void)
{
	vhost_sys = &fake;
}
