// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"
#include "test.h"
#include "../../dom0/base/fdsock.h"
#include "../../dom0/worker/loop.h"
#include "../../dom0/worker/worker.h"
#include "../../xen/proto/page.h"
#include "../../xen/user/evtchn.h"
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- event channels: Xen's two bits and an eventfd for the interrupt ---- */

struct fake_port {
	u32 pending, masked;	/* in memory that both processes share */
	int fd;
};

static struct fake_port *port_new(void)
{
	struct fake_port *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				   -1, 0);

	assert_true(p != MAP_FAILED);
	p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return p;
}

static void port_free(struct fake_port *p)
{
	close(p->fd);
	munmap(p, 4096);
}

static void port_raise(struct fake_port *p)
{
	u64 one = 1;

	if (write(p->fd, &one, sizeof(one)) < 0)
		return;
}

static void port_notify(struct fake_port *p)
{
	__atomic_store_n(&p->pending, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&p->masked, __ATOMIC_SEQ_CST))
		port_raise(p);
}

static bool port_take(struct fake_port *p)
{
	u64 count;

	if (read(p->fd, &count, sizeof(count)) < 0)
		return false;
	__atomic_store_n(&p->masked, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&p->pending, 0, __ATOMIC_SEQ_CST);
	return true;
}

static void port_unmask(struct fake_port *p)
{
	__atomic_store_n(&p->masked, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&p->pending, __ATOMIC_SEQ_CST))
		port_raise(p);
}

static struct fake_port *worker_in, *worker_out;	/* the worker's, set before the fork */

static int fake_pending(struct evtchn *evtchn)
{
	(void)evtchn;
	return port_take(worker_in) ? RIG_PORT : -EAGAIN;
}

static int fake_unmask(struct evtchn *evtchn, uint32_t port)
{
	(void)evtchn;
	(void)port;
	port_unmask(worker_in);
	return 0;
}

static int fake_notify(struct evtchn *evtchn, uint32_t port)
{
	(void)evtchn;
	(void)port;
	port_notify(worker_out);
	return 0;
}

static void fake_close(struct evtchn *evtchn)
{
	close(evtchn->fd);
	free(evtchn);
}

static struct evtchn *fake_open(int fd)
{
	static const struct evtchn_ops ops = {
		fake_pending, fake_unmask, fake_notify, fake_close,
	};
	struct evtchn *evtchn = calloc(1, sizeof(*evtchn));

	evtchn->ops = &ops;
	evtchn->fd = fd;
	return evtchn;
}

/* ---- the worker's process ---- */

int rig_keep_fd = -1;

void rig_keep_new(void)
{
	rig_keep_fd = memfd_create("keep", MFD_CLOEXEC);
	assert_return_code(ftruncate(rig_keep_fd, XVM_KEEP_BYTES), errno);
}

void rig_keep_end(void)
{
	close(rig_keep_fd);
	rig_keep_fd = -1;
}

/* An open file of its own, whose lock is the fence: in the supervisor xvm_keep_open waits for it. */
static int open_keep(void)
{
	char path[32];
	int fd;

	if (rig_keep_fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rig_keep_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 || flock(fd, LOCK_EX) ? -1 : fd;
}

static void *map_keep(int fd)
{
	void *keep = NULL;

	if (fd < 0)
		return NULL;
	keep = mmap(NULL, XVM_KEEP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return keep == MAP_FAILED ? NULL : keep;
}

static void run_worker(int sock)
{
	struct xvm_aio *aio;
	int rc = 97, keep_fd = open_keep();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!aio_new(&aio, keep_fd)) {
		rc = worker_run(aio, sock, fake_open, map_keep(keep_fd));
		aio_free(aio);
	}
	if (!rc && __lsan_do_recoverable_leak_check())
		rc = 98;
	_exit(rc);
}

static void make_shared(struct rig *rig)
{
	u32 ring = XVM_PAGE_BYTES << rig->ring_order;
	size_t bytes = XVM_PAGE_BYTES + 2 * (size_t)ring;
	struct xvm_page_refs refs = { 0 };
	u8 *mem;

	rig->shared_fd = memfd_create("rings", MFD_CLOEXEC);
	assert_return_code(ftruncate(rig->shared_fd, (off_t)bytes), errno);
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, rig->shared_fd, 0);
	assert_true(mem != MAP_FAILED);
	rig->control = mem;
	rig->drv = mem + XVM_PAGE_BYTES;
	rig->dev = rig->drv + ring;
	xvm_page_init(rig->control, rig->ring_order, &refs);
}

static void start_worker(struct rig *rig)
{
	int sock[2];

	make_shared(rig);
	rig->to_worker = worker_in = port_new();
	rig->to_driver = worker_out = port_new();
	assert_int_equal(fdsock_pair(sock), 0);
	rig->pid = fork();
	assert_true(rig->pid >= 0);
	if (!rig->pid) {
		close(sock[0]);
		run_worker(sock[1]);
	}
	close(sock[1]);
	rig->sock = sock[0];
	RIG_UNTIL(rig, rig->hello);
}

void rig_start(struct rig *rig, u32 order, u32 max_message, u32 credits)
{
	u32 i;

	memset(rig, 0, sizeof(*rig));
	rig->dialect = rig_dialect;
	rig->ring_order = order;
	rig->max_message = max_message;
	rig->credits = credits;
	for (i = 0; i < RIG_AREAS; i++)
		rig->area[i].fd = -1;
	start_worker(rig);
}

/* What belongs to one worker. */
static void end_connection(struct rig *rig)
{
	munmap(rig->control, XVM_PAGE_BYTES + 2 * (XVM_PAGE_BYTES << rig->ring_order));
	close(rig->shared_fd);
	close(rig->sock);
	port_free(rig->to_worker);
	port_free(rig->to_driver);
}

void rig_kill(struct rig *rig)
{
	assert_int_equal(kill(rig->pid, SIGKILL), 0);
	assert_int_equal(waitpid(rig->pid, NULL, 0), rig->pid);
}

void rig_start_again(struct rig *rig)
{
	end_connection(rig);
	rig->hello = rig->eof = false;
	rig->held_map = rig->maps = rig->unmaps = rig->mapped_pages = 0;
	memset(rig->state, 0, sizeof(rig->state));
	memset(rig->states, 0, sizeof(rig->states));
	start_worker(rig);
}

/* ---- the supervisor ---- */

static void say(struct rig *rig, void *msg, u32 type, size_t bytes, const int *fds, u32 n)
{
	struct xvm_ipc_hdr hdr = { type, (u32)bytes };

	memcpy(msg, &hdr, sizeof(hdr));
	fdsock_send(rig->sock, msg, bytes, fds, n, 1);
}

void rig_connect(struct rig *rig)
{
	struct xvm_ipc_start start = {
		.domid = 1, .dialect = rig->dialect, .max_message = rig->max_message,
		.ring_order = rig->ring_order, .credits = rig->credits,
		.num_channels = 1, .port = { RIG_PORT },
		.bus_features = rig_keep_fd >= 0 ? XVM_BUS_F_KEEP : 0,
	};
	int fds[2] = { rig->to_worker->fd, rig->shared_fd };

	say(rig, &start, XVM_IPC_START, sizeof(start), fds, 2);
}

void rig_add(struct rig *rig, const struct xvm_ipc_dev_add *desc, int fd)
{
	struct xvm_ipc_dev_add add = *desc;

	say(rig, &add, XVM_IPC_DEV_ADD, sizeof(add), &fd, fd >= 0);
}

void rig_add_fds(struct rig *rig, const struct xvm_ipc_dev_add *desc, const struct fdset *fds)
{
	struct xvm_ipc_dev_add add = *desc;

	say(rig, &add, XVM_IPC_DEV_ADD, sizeof(add), fds->fd, fds->count);
}

void rig_server(struct rig *rig, u16 num, const struct fdset *fds)
{
	struct xvm_ipc_dev_server server = { .num = num };

	say(rig, &server, XVM_IPC_DEV_SERVER, sizeof(server), fds->fd, fds->count);
}

void rig_resize(struct rig *rig, u16 num, u64 size)
{
	struct xvm_ipc_dev_resize resize = { .num = num, .capacity_bytes = size };

	say(rig, &resize, XVM_IPC_DEV_RESIZE, sizeof(resize), NULL, 0);
}

void rig_link(struct rig *rig, u16 num, bool up)
{
	struct xvm_ipc_dev_link link = { .num = num, .up = up };

	say(rig, &link, XVM_IPC_DEV_LINK, sizeof(link), NULL, 0);
}

void rig_add_blk(struct rig *rig, u16 num, int fd, u64 bytes, u32 flags)
{
	struct xvm_ipc_dev_add add = {
		.num = num, .device_id = VIRTIO_ID_BLOCK, .flags = flags,
		.capacity_bytes = bytes, .mem_align = 512, .lock_wait_ms = 1000,
		.serial = "rig-disk",
	};

	rig_add(rig, &add, fd);
}

void rig_add_rng(struct rig *rig, u16 num)
{
	struct xvm_ipc_dev_add add = { .num = num, .device_id = VIRTIO_ID_RNG };

	rig_add(rig, &add, -1);
}

void rig_del(struct rig *rig, u16 num, bool forced)
{
	struct xvm_ipc_dev_del del = { .num = num, .forced = forced };

	say(rig, &del, XVM_IPC_DEV_DEL, sizeof(del), NULL, 0);
}

void rig_trace(struct rig *rig, int sock)
{
	struct xvm_ipc_hdr msg;

	say(rig, &msg, XVM_IPC_TRACE, sizeof(msg), &sock, sock >= 0);
}

u8 *rig_area_new(struct rig *rig, u32 id, u32 npages)
{
	struct rig_area *a = &rig->area[id];
	size_t bytes = (size_t)npages * XVM_PAGE_BYTES;

	rig_area_free(rig, id);
	a->fd = memfd_create("area", MFD_CLOEXEC);
	assert_return_code(ftruncate(a->fd, (off_t)bytes), errno);
	a->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	assert_true(a->base != MAP_FAILED);
	a->npages = npages;
	return a->base;
}

void rig_area_free(struct rig *rig, u32 id)
{
	struct rig_area *a = &rig->area[id];

	if (a->fd < 0)
		return;
	munmap(a->base, (size_t)a->npages * XVM_PAGE_BYTES);
	close(a->fd);
	memset(a, 0, sizeof(*a));
	a->fd = -1;
}

void rig_map_reply(struct rig *rig, u32 id)
{
	struct rig_area *a = &rig->area[id];
	struct xvm_ipc_map_reply reply = { .area = id, .status = a->refuse };

	rig->held_map = 0;
	if (a->fd < 0 && !reply.status)
		reply.status = XVM_STATUS_BAD_REF;
	if (!reply.status) {
		rig->maps++;
		rig->mapped_pages += a->npages;
	}
	say(rig, &reply, XVM_IPC_MAP_REPLY, sizeof(reply), &a->fd, !reply.status);
}

static void take_map(struct rig *rig, const void *data)
{
	const struct xvm_ipc_map *map = data;

	assert_in_range(map->area, XVM_AREA_ID_MIN, XVM_AREA_ID_MAX);
	assert_int_equal(rig->held_map, 0);	/* one outstanding at most */
	if (rig->hold_maps)
		rig->held_map = map->area;
	else
		rig_map_reply(rig, map->area);
}

static void take_unmap(struct rig *rig, const void *data)
{
	const struct xvm_ipc_unmap *unmap = data;

	rig->unmaps++;
	rig->mapped_pages -= unmap->npages;
}

/* A memfd can be mapped as often as anybody likes. */
static void take_share(struct rig *rig, const void *data)
{
	struct xvm_ipc_share reply = *(const struct xvm_ipc_share *)data;
	const struct rig_area *a = &rig->area[reply.area];

	assert_true(a->fd >= 0);
	rig->shares++;
	rig->shared_with[reply.area] = reply.num;
	say(rig, &reply, XVM_IPC_SHARE_REPLY, sizeof(reply), &a->fd, !rig->share_nothing);
}

void rig_server_end(struct rig *rig, u16 num)
{
	struct xvm_ipc_dev_server msg = { .num = num };

	say(rig, &msg, XVM_IPC_DEV_SERVER_END, sizeof(msg), NULL, 0);
}

static void take_state(struct rig *rig, const void *data)
{
	const struct xvm_ipc_dev_state *s = data;

	rig->state_words++;
	if (s->num >= RIG_DEVICES)
		return;
	if (s->state == XVM_DEV_SERVER_LOST && !rig->hold_server_end)
		rig_server_end(rig, s->num);
	rig->state[s->num] = s->state;
	rig->states[s->num] |= 1u << s->state;
}

/* Devices in the order of their numbers, each once. */
static void take_dev_stats(struct rig *rig, const struct xvm_ipc_dev_stats *s)
{
	assert_in_range(s->count, 1, XVM_IPC_DEV_STATS_MAX);
	for (u32 i = 0; i < s->count; i++) {
		assert_true(s->device[i].num >= rig->stats_num);
		rig->stats_num = s->device[i].num + 1;
		rig->dev_requests += s->device[i].requests;
		if (s->device[i].num < RIG_DEVICES)
			rig->dev_stats[s->device[i].num] = s->device[i];
	}
}

/* Devices that have gone count here, and nowhere else. */
static void take_stats(struct rig *rig, const struct xvm_ipc_stats *s)
{
	assert_true(rig->dev_requests <= s->requests);
	rig->stats_num = 0;
	rig->dev_requests = 0;
	rig->stats = *s;
	rig->stats_seen++;
}

static void take(struct rig *rig, const struct fdsock_msg *msg)
{
	const struct xvm_ipc_hdr *hdr = (const void *)msg->data;
	const struct xvm_ipc_fail *fail = (const void *)msg->data;
	const struct xvm_ipc_log *log = (const void *)msg->data;

	assert_int_equal(hdr->bytes, msg->bytes);
	assert_int_equal(msg->fds.count, 0);
	switch (hdr->type) {
	case XVM_IPC_HELLO:
		rig->hello = true;
		break;
	case XVM_IPC_MAP:
		take_map(rig, msg->data);
		break;
	case XVM_IPC_UNMAP:
		take_unmap(rig, msg->data);
		break;
	case XVM_IPC_DEV_STATE:
		take_state(rig, msg->data);
		break;
	case XVM_IPC_LOG:
		rig->logs++;
		memcpy(rig->last_log, log->text, sizeof(rig->last_log));
		fprintf(stderr, "# worker: %s\n", log->text);
		break;
	case XVM_IPC_SHARE:
		take_share(rig, msg->data);
		break;
	case XVM_IPC_STATS:
		take_stats(rig, (const void *)msg->data);
		break;
	case XVM_IPC_DEV_STATS:
		take_dev_stats(rig, (const void *)msg->data);
		break;
	case XVM_IPC_FAIL:
		rig->fail_reason = fail->reason;
		rig->fail_detail = fail->detail;
		break;
	default:
		fail_msg("worker sent type %u", hdr->type);
	}
}

void rig_poll(struct rig *rig, int ms, bool notification)
{
	struct pollfd fds[2] = {
		{ .fd = notification ? rig->to_driver->fd : -1, .events = POLLIN },
		{ .fd = rig->eof ? -1 : rig->sock, .events = POLLIN },
	};
	struct fdsock_msg msg;
	int ret;

	if (poll(fds, 2, ms) <= 0)
		return;
	while (!rig->eof && (ret = fdsock_recv(rig->sock, &msg)) != -EAGAIN) {
		if (ret <= 0) {
			rig->eof = true;
			break;
		}
		take(rig, &msg);
		fdsock_release(&msg);
	}
}

bool rig_notified(struct rig *rig)
{
	if (!port_take(rig->to_driver))
		return false;
	port_unmask(rig->to_driver);
	return true;
}

void rig_notify(struct rig *rig)
{
	port_notify(rig->to_worker);
}

const struct xvm_ipc_stats *rig_stats(struct rig *rig)
{
	u32 seen = rig->stats_seen;
	struct xvm_ipc_hdr req;

	say(rig, &req, XVM_IPC_STATS_REQ, sizeof(req), NULL, 0);
	RIG_UNTIL(rig, rig->stats_seen != seen);
	return &rig->stats;
}

static void wait_exit(struct rig *rig)
{
	int status;

	RIG_UNTIL(rig, rig->eof);
	assert_int_equal(waitpid(rig->pid, &status, 0), rig->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(rig->maps, rig->unmaps);
	assert_int_equal(rig->mapped_pages, 0);
}

void rig_wait_exit(struct rig *rig)
{
	u32 i;

	wait_exit(rig);
	for (i = 0; i < RIG_AREAS; i++)
		rig_area_free(rig, i);
	end_connection(rig);
}

static void ask_to_stop(struct rig *rig)
{
	struct xvm_ipc_hdr stop;

	say(rig, &stop, XVM_IPC_STOP, sizeof(stop), NULL, 0);
}

void rig_stop(struct rig *rig)
{
	ask_to_stop(rig);
	rig_wait_exit(rig);
}

void rig_end(struct rig *rig)
{
	ask_to_stop(rig);
	wait_exit(rig);
}

/* ---- both dialects ---- */

enum xvm_dialect rig_dialect;

int rig_run_in(enum xvm_dialect dialect, const struct CMUnitTest *tests, size_t count)
{
	struct CMUnitTest *copy = calloc(count, sizeof(*copy));
	char (*name)[96] = calloc(count, sizeof(*name));
	int failed;
	size_t i;

	if (!copy || !name)
		abort();
	rig_dialect = dialect;
	for (i = 0; i < count; i++) {
		copy[i] = tests[i];
		snprintf(name[i], sizeof(name[i]), "%s in %s", tests[i].name,
			 xvm_dialect_name(dialect));
		if (dialect)
			copy[i].name = name[i];
	}
	failed = _cmocka_run_group_tests("dialects", copy, count, NULL, NULL);
	free(copy);
	free(name);
	return failed;
}

int rig_run_both(const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;
	u32 d;

	for (d = 0; d < XVM_DIALECT_COUNT; d++)
		failed += rig_run_in((enum xvm_dialect)d, tests, count);
	return failed;
}
