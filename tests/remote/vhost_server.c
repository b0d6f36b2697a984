// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_server.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_RINGS 8u
#define MAX_REGIONS 32u
#define MAX_FDS 8u
#define MAX_SIZE 1024u
#define CONFIG_BYTES 136u

#define F_VERSION_1 (1ull << 32)
#define F_PROTOCOL (1ull << 30)
#define P_REPLY_ACK (1ull << 3)
#define P_MQ (1ull << 0)
#define P_BACKEND_REQ (1ull << 5)
#define P_CONFIG (1ull << 9)
#define P_INFLIGHT (1ull << 12)
#define P_RESET (1ull << 13)
#define P_SLOTS (1ull << 15)
#define P_STATUS (1ull << 16)

/* of a disk */
#define F_FLUSH (1ull << 9)
#define F_CONFIG_WCE (1ull << 11)
#define F_MQ (1ull << 12)
#define WCE_AT 32u
#define QUEUES_AT 34u

#define REPLY 5u
#define NEED_REPLY 8u

enum { OK, IOERR, UNSUPP };

static const struct {
	uint32_t request;
	const char *name;
} requests[] = {
	{ 1, "GET_FEATURES" }, { 2, "SET_FEATURES" }, { 3, "SET_OWNER" }, { 5, "SET_MEM_TABLE" }, { 8, "SET_VRING_NUM" },
	{ 9, "SET_VRING_ADDR" }, { 10, "SET_VRING_BASE" }, { 11, "GET_VRING_BASE" }, { 12, "SET_VRING_KICK" },
	{ 13, "SET_VRING_CALL" }, { 15, "GET_PROTOCOL_FEATURES" }, { 16, "SET_PROTOCOL_FEATURES" }, { 17, "GET_QUEUE_NUM" },
	{ 24, "GET_CONFIG" }, { 25, "SET_CONFIG" }, { 34, "RESET_DEVICE" }, { 31, "GET_INFLIGHT_FD" }, { 32, "SET_INFLIGHT_FD" }, { 36, "GET_MAX_MEM_SLOTS" },
	{ 37, "ADD_MEM_REG" }, { 38, "REM_MEM_REG" },
};

struct msg {
	uint32_t request, flags, bytes;
	uint8_t payload[512];
	int fd[MAX_FDS];
	uint32_t fds;
};

struct region {
	uint64_t guest, bytes, user;
	uint8_t *at;		/* NULL: none */
};

/* One queue's part of the log, as the document draws it for split rings. */
struct inflight {
	uint64_t features;
	uint16_t version, desc_num, last_batch_head, used_idx;
	struct {
		uint8_t inflight, padding[5];
		uint16_t next;
		uint64_t counter;
	} desc[];
};

struct ring {
	uint32_t num;
	uint64_t desc, avail, used;
	uint16_t last_avail, used_idx;
	int kick, call;
	bool runs;
	struct inflight *log;
	uint64_t counter;
};

static struct region region[MAX_REGIONS];
static struct ring ring[MAX_RINGS];
static int sock = -1, image = -1;
static int back = -1;			/* for requests of its own */
static bool appends, inputs, knows_inflight, wce = true;
static uint8_t selected;
static unsigned int slow_ms;
static uint64_t protocol, also, features;
static uint8_t status;
static volatile sig_atomic_t news;
static const char *lie_at = "", *lie = "";
static unsigned int lie_after = 1;

static void die(const char *what)
{
	fprintf(stderr, "xvm-vhost-server: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Is it the moment? */
static bool lies(const char *where)
{
	return !strcmp(where, lie_at) && !--lie_after;
}

static void end_or_hang(void)
{
	if (!strcmp(lie, "die"))
		_exit(7);
	while (!strcmp(lie, "hang"))
		pause();
}

/* ---- the socket ---- */

static void put(const struct msg *m, const int *fd, uint32_t fds)
{
	union { struct cmsghdr align; char space[CMSG_SPACE(4 * sizeof(int))]; } control = { 0 };
	struct iovec iov = { .iov_base = (void *)m, .iov_len = 12 + m->bytes };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fds) {
		hdr.msg_control = &control;
		hdr.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fd, fds * sizeof(int));
	}
	if (sendmsg(sock, &hdr, MSG_NOSIGNAL) < 0)
		exit(0);
}

static void answer(struct msg *m, const void *payload, uint32_t bytes, int fd)
{
	m->flags = REPLY;
	m->bytes = bytes;
	memmove(m->payload, payload, bytes);
	put(m, &fd, fd >= 0);
}

static void answer_u64(struct msg *m, uint64_t value)
{
	answer(m, &value, sizeof(value), -1);
}

static bool get(struct msg *m)
{
	union { struct cmsghdr align; char space[CMSG_SPACE(MAX_FDS * sizeof(int))]; } control;
	struct iovec iov = { .iov_base = m, .iov_len = 12 };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;

	if (recvmsg(sock, &hdr, MSG_WAITALL | MSG_CMSG_CLOEXEC) != 12 || m->bytes > sizeof(m->payload))
		return false;
	cmsg = CMSG_FIRSTHDR(&hdr);
	m->fds = cmsg ? (uint32_t)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	if (cmsg)
		memcpy(m->fd, CMSG_DATA(cmsg), m->fds * sizeof(int));
	return !m->bytes || recv(sock, m->payload, m->bytes, MSG_WAITALL) == (ssize_t)m->bytes;
}

static uint64_t u64_at(const struct msg *m, uint32_t off)
{
	uint64_t v;

	memcpy(&v, m->payload + off, sizeof(v));
	return v;
}

static uint32_t u32_at(const struct msg *m, uint32_t off)
{
	return (uint32_t)u64_at(m, off);
}

/* ---- memory ---- */

static void *find(uint64_t addr, uint64_t bytes, bool guest)
{
	unsigned int i;

	for (i = 0; i < MAX_REGIONS; i++) {
		uint64_t from = guest ? region[i].guest : region[i].user;

		if (region[i].at && addr >= from && addr - from < region[i].bytes && bytes <= region[i].bytes - (addr - from))
			return region[i].at + (addr - from);
	}
	fprintf(stderr, "xvm-vhost-server: 0x%llx is in no region\n", (unsigned long long)addr);
	exit(1);
}

static bool add_region(const struct msg *m, uint32_t off, int fd)
{
	struct region *r = region;
	uint64_t mmap_off = u64_at(m, off + 24);

	while (r < region + MAX_REGIONS && r->at)
		r++;
	if (r == region + MAX_REGIONS)
		return false;
	r->guest = u64_at(m, off);
	r->bytes = u64_at(m, off + 8);
	r->user = u64_at(m, off + 16);
	r->at = mmap(NULL, r->bytes + mmap_off, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (r->at == MAP_FAILED)
		r->at = NULL;
	else
		r->at += mmap_off;
	return r->at;
}

static bool del_region(const struct msg *m)
{
	unsigned int i;

	for (i = 0; i < MAX_REGIONS; i++) {
		if (!region[i].at || region[i].guest != u64_at(m, 8) || region[i].bytes != u64_at(m, 16))
			continue;
		munmap(region[i].at, region[i].bytes);
		region[i].at = NULL;
		return true;
	}
	return false;
}

/* ---- requests of the guest ---- */

struct part {
	uint8_t *at;
	uint32_t bytes;
	bool write;
};

static uint32_t walk(const struct ring *q, uint16_t head, struct part *part)
{
	uint32_t n = 0, i = head;
	uint8_t *d;

	for (;;) {
		d = (uint8_t *)find(q->desc, 16ull * q->num, false) + 16 * i;
		part[n].bytes = *(uint32_t *)(d + 8);
		part[n].at = find(*(uint64_t *)d, part[n].bytes, true);
		part[n].write = *(uint16_t *)(d + 12) & 2;
		n++;
		if (!(*(uint16_t *)(d + 12) & 1) || n == MAX_SIZE)
			return n;
		i = *(uint16_t *)(d + 14) % q->num;
	}
}

/* One piece of data, at its place in the image. */
static bool move(const struct part *part, uint32_t type, off_t at)
{
	ssize_t bytes = (ssize_t)part->bytes;

	if (type > 1)
		return type == 4;
	return part->write ? !type && pread(image, part->at, part->bytes, at) == bytes :
			     type && pwrite(image, part->at, part->bytes, at) == bytes;
}

/* A header of 16 bytes before the data, a status byte behind it, whatever pieces they come in. */
static uint32_t serve_disk(struct part *part, uint32_t n)
{
	uint32_t type = *(uint32_t *)part[0].at, i, done = 1;
	off_t at = (off_t)(*(uint64_t *)(part[0].at + 8) * 512);
	uint8_t *status = part[n - 1].at + --part[n - 1].bytes;

	*status = type <= 1 || type == 4 || type == 8 ? OK : UNSUPP;
	part[0].at += 16;
	part[0].bytes -= 16;
	for (i = 0; i < n && !*status; i++) {
		if (!part[i].bytes)
			continue;
		if (type == 8)
			snprintf((char *)part[i].at, part[i].bytes, "wce %d", wce);
		else if (!move(&part[i], type, at))
			*status = IOERR;
		at += part[i].bytes;
	}
	for (i = 0; i < n; i++)
		done += part[i].write ? part[i].bytes : 0;
	return done;
}

static uint32_t serve_log(const struct part *part, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!part[i].write && write(image, part[i].at, part[i].bytes) != (ssize_t)part[i].bytes)
			die("log");
	return 0;
}

static void use(struct ring *q, uint32_t head, uint32_t bytes)
{
	uint8_t *used = find(q->used, 4 + 8ull * q->num, false);

	*(uint32_t *)(used + 4 + 8 * (q->used_idx % q->num)) = head;
	*(uint32_t *)(used + 8 + 8 * (q->used_idx % q->num)) = bytes;
	if (q->log)
		q->log->last_batch_head = (uint16_t)head;
	__atomic_store_n((uint16_t *)(used + 2), ++q->used_idx, __ATOMIC_RELEASE);
	if (q->log) {
		q->log->desc[head].inflight = 0;
		q->log->used_idx = q->used_idx;
	}
}

static void call(const struct ring *q)
{
	uint64_t one = 1;

	if (q->call >= 0 && write(q->call, &one, sizeof(one)) < 0 && errno != EAGAIN)
		die("call");
}

static void lie_of_buffer(struct ring *q, uint16_t head, uint32_t bytes)
{
	uint8_t *used = find(q->used, 4 + 8ull * q->num, false);
	uint32_t i;

	end_or_hang();
	if (!strcmp(lie, "twice"))
		use(q, head, bytes);
	else if (!strcmp(lie, "unknown"))
		head = (uint16_t)(q->num - 1);
	else if (!strcmp(lie, "long"))
		bytes = 0x7fffffff;
	else if (!strcmp(lie, "ahead"))
		q->used_idx = (uint16_t)(q->used_idx + 1000);
	for (i = 0; !strcmp(lie, "noise") && i < 4 + 8 * q->num; i++)
		used[i] = (uint8_t)rand();
	if (strcmp(lie, "noise"))
		use(q, head, bytes);
	call(q);
	while (!strcmp(lie, "noise"))
		pause();	/* an honest request behind it would put the index right */
}

static void serve_one(struct ring *q, uint16_t head)
{
	struct part part[MAX_SIZE];
	uint32_t n, bytes;

	if (q->log) {
		q->log->desc[head].counter = q->counter++;
		q->log->desc[head].inflight = 1;
	}
	if (lies("request"))
		end_or_hang();
	n = walk(q, head, part);
	bytes = appends ? serve_log(part, n) : serve_disk(part, n);
	if (lies("used"))
		lie_of_buffer(q, head, bytes);
	else
		use(q, head, bytes);
}

static void serve_ring(struct ring *q)
{
	uint8_t *avail = find(q->avail, 4 + 2ull * q->num, false);
	uint16_t was = q->used_idx;

	while (q->last_avail != __atomic_load_n((uint16_t *)(avail + 2), __ATOMIC_ACQUIRE)) {
		serve_one(q, (uint16_t)(*(uint16_t *)(avail + 4 + 2 * (q->last_avail % q->num)) % q->num));
		q->last_avail++;
	}
	if (q->used_idx != was)
		call(q);
}

/* What a former server took and did not give back, in its order; the ring goes on behind that. */
static void take_over(struct ring *q)
{
	uint8_t *used = find(q->used, 4 + 8ull * q->num, false);
	uint16_t taken = 0;
	uint32_t i, next;

	q->used_idx = *(uint16_t *)(used + 2);
	if (!q->log || !q->log->desc_num)
		return;
	if (q->log->used_idx != q->used_idx) {
		q->log->desc[q->log->last_batch_head].inflight = 0;
		q->log->used_idx = q->used_idx;
	}
	for (i = 0; i < q->log->desc_num; i++)
		taken = (uint16_t)(taken + q->log->desc[i].inflight);
	q->last_avail = (uint16_t)(q->used_idx + taken);
	for (; taken; taken--) {
		for (next = q->log->desc_num, i = 0; i < q->log->desc_num; i++)
			if (q->log->desc[i].inflight &&
			    (next == q->log->desc_num || q->log->desc[i].counter < q->log->desc[next].counter))
				next = i;
		fprintf(stderr, "xvm-vhost-server: request %u is taken up again\n", next);
		serve_one(q, (uint16_t)next);
	}
	call(q);
}

/* ---- requests of the front-end ---- */

static uint32_t log_bytes(uint32_t size)
{
	return (uint32_t)(sizeof(struct inflight) + size * 16 + 63) & ~63u;
}

static void map_log(int fd, uint64_t bytes, uint64_t off, uint32_t queues, uint32_t size)
{
	uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);
	uint32_t i;

	if (at == MAP_FAILED || queues > MAX_RINGS || size > MAX_SIZE || bytes < (uint64_t)queues * log_bytes(size))
		die("SET_INFLIGHT_FD");
	for (i = 0; i < queues; i++)
		ring[i].log = (struct inflight *)(at + i * log_bytes(size));
}

static void make_log(struct msg *m)
{
	uint32_t queues = u32_at(m, 16) & 0xffff, size = u32_at(m, 16) >> 16, i;
	struct { uint64_t bytes, off; uint16_t queues, size; uint32_t pad; } reply = {
		.bytes = (uint64_t)queues * log_bytes(size), .queues = (uint16_t)queues, .size = (uint16_t)size,
	};
	int fd = memfd_create("inflight", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)reply.bytes))
		die("inflight");
	map_log(fd, reply.bytes, 0, queues, size);
	for (i = 0; i < queues; i++) {
		ring[i].log->version = 1;
		ring[i].log->desc_num = (uint16_t)size;
	}
	answer(m, &reply, sizeof(reply), fd);
	close(fd);
}

static void set_kick(struct ring *q, struct msg *m)
{
	if (q->kick >= 0)
		close(q->kick);
	q->kick = m->fds ? m->fd[0] : -1;
	q->runs = q->kick >= 0;
	if (q->runs)
		take_over(q);
}

/* As an input device has it: what is selected, and then how long and what it is. */
static void input_config(uint8_t *config)
{
	static const char name[] = "a test's id";

	config[0] = selected;
	config[2] = selected == 1 ? sizeof(name) - 1 : 0;
	memcpy(config + 8, name, config[2]);
}

static void get_config(struct msg *m)
{
	uint8_t reply[12 + CONFIG_BYTES] = { 0 };
	uint64_t sectors;
	struct stat st;

	memcpy(reply, m->payload, 12);
	if (inputs) {
		input_config(reply + 12);
		answer(m, reply, 12 + (u32_at(m, 4) < CONFIG_BYTES ? u32_at(m, 4) : CONFIG_BYTES), -1);
		return;
	}
	fstat(image, &st);
	sectors = (uint64_t)st.st_size / 512;
	memcpy(reply + 12, &sectors, sizeof(sectors));
	reply[12 + WCE_AT] = wce;
	reply[12 + QUEUES_AT] = MAX_RINGS;
	answer(m, reply, 12 + (u32_at(m, 4) < CONFIG_BYTES ? u32_at(m, 4) : CONFIG_BYTES), -1);
}

/* A selection, or the cache mode, is all that a driver may write. */
static bool set_config(const struct msg *m)
{
	if (inputs) {
		selected = m->payload[12];
		return !u32_at(m, 0) && u32_at(m, 4) == 1;
	}
	if (u32_at(m, 0) != WCE_AT || u32_at(m, 4) != 1 || m->bytes != 13)
		return false;
	wce = m->payload[12];
	return true;
}

static void end_rings(void)
{
	unsigned int i;

	for (i = 0; i < MAX_RINGS; i++)
		ring[i].runs = false;
	wce = true;
}

/* As many as its socket takes. */
static void tell_news(void)
{
	static const uint32_t change[3] = { 2, 1, 0 };
	unsigned int i;

	for (i = 0; i < 1000 && back >= 0; i++)
		if (send(back, change, sizeof(change), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
}

static bool set_mem_table(const struct msg *m)
{
	uint32_t i, n = u32_at(m, 0);
	bool ok = true;

	for (i = 0; i < n && i < m->fds; i++)
		ok = add_region(m, 8 + 32 * i, m->fd[i]) && ok;
	return ok;
}

/* 1: it has an answer of its own, which was given. Else what an acknowledgement is to say: 0 or -1. */
static int handle(struct msg *m)
{
	struct ring *q = &ring[(m->request == 12 || m->request == 13 ? u64_at(m, 0) & 0xff : u32_at(m, 0)) % MAX_RINGS];
	uint32_t index_num[2] = { u32_at(m, 0), q->last_avail };

	switch (m->request) {
	case 1: answer_u64(m, F_VERSION_1 | F_PROTOCOL | features | (appends ? 0 : F_FLUSH | F_CONFIG_WCE | F_MQ)); return 1;
	case 5: return set_mem_table(m) ? 0 : -1;
	case 8: q->num = u32_at(m, 4); return q->num && q->num <= MAX_SIZE ? 0 : -1;
	case 9: q->desc = u64_at(m, 8); q->used = u64_at(m, 16); q->avail = u64_at(m, 24); return 0;
	case 10: q->last_avail = (uint16_t)u32_at(m, 4); return 0;
	case 11: q->runs = false; answer(m, index_num, sizeof(index_num), -1); return 1;
	case 12: set_kick(q, m); return 0;
	case 13: q->call = m->fds ? m->fd[0] : -1; return 0;
	case 15: answer_u64(m, P_MQ | P_REPLY_ACK | P_CONFIG | P_SLOTS | (knows_inflight ? P_INFLIGHT : 0) | also); return 1;
	case 16: protocol = u64_at(m, 0); return 0;
	case 17: answer_u64(m, MAX_RINGS); return 1;
	case 21: back = m->fds ? m->fd[0] : -1; return 0;
	case 24: get_config(m); return 1;
	case 25: return set_config(m) ? 0 : -1;
	case 31: make_log(m); return 1;
	case 32: map_log(m->fd[0], u64_at(m, 0), u64_at(m, 8), u32_at(m, 16) & 0xffff, u32_at(m, 16) >> 16); return 0;
	case 34: end_rings(); return 0;
	case 36: answer_u64(m, MAX_REGIONS); return 1;
	case 37: return m->fds == 1 && add_region(m, 8, m->fd[0]) ? 0 : -1;
	case 39: status = (uint8_t)u64_at(m, 0); if (!status) end_rings(); return 0;
	case 40: answer_u64(m, status); return 1;
	case 38: return del_region(m) ? 0 : -1;
	default: return 0;
	}
}

static void lie_of_answer(struct msg *m)
{
	static const int fds[2] = { 0, 1 };
	uint32_t i;

	end_or_hang();
	m->flags = REPLY;
	m->bytes = 8;
	memset(m->payload, 0, 8);
	if (!strcmp(lie, "refuse"))
		m->payload[0] = 1;
	for (i = 0; !strcmp(lie, "garbage") && i < 12 + 500; i++)
		((uint8_t *)m)[i] = (uint8_t)rand();
	if (!strcmp(lie, "garbage"))
		m->bytes = 500;
	if (!strcmp(lie, "short"))
		m->bytes = 3;
	put(m, fds, strcmp(lie, "fds") ? 0 : 2);
}

static bool take_message(void)
{
	struct msg m;
	uint32_t i;
	int ret;

	if (!get(&m))
		return false;
	usleep(slow_ms * 1000);
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].request == m.request && lies(requests[i].name)) {
			lie_of_answer(&m);
			return true;
		}
	ret = handle(&m);
	if (ret <= 0 && m.flags & NEED_REPLY && protocol & P_REPLY_ACK)
		answer_u64(&m, ret ? 1 : 0);
	return true;
}

static void serve(void)
{
	struct pollfd fds[1 + MAX_RINGS];
	uint64_t count;
	uint32_t i;

	for (;;) {
		fds[0] = (struct pollfd){ .fd = sock, .events = POLLIN };
		for (i = 0; i < MAX_RINGS; i++)
			fds[1 + i] = (struct pollfd){ .fd = ring[i].runs ? ring[i].kick : -1, .events = POLLIN };
		if (poll(fds, 1 + MAX_RINGS, -1) < 0 && errno != EINTR)
			die("poll");
		if (news) {
			news = 0;
			tell_news();
			continue;
		}
		for (i = 0; i < MAX_RINGS; i++)
			if (fds[1 + i].revents && read(ring[i].kick, &count, sizeof(count)) == sizeof(count))
				serve_ring(&ring[i]);
		if (fds[0].revents && !take_message())
			return;
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1))
		die(path);
	return fd;
}

static uint64_t feature(const char *name)
{
	static const struct {
		const char *name;
		uint64_t bit;
	} known[] = { { "BACKEND_REQ", P_BACKEND_REQ }, { "RESET_DEVICE", P_RESET }, { "STATUS", P_STATUS } };
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(name, known[i].name))
			return known[i].bit;
	die(name);
	return 0;
}

static void on_signal(int number)
{
	(void)number;
	news = 1;
}

int vhost_server(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	int listener = -1, i;

	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--inflight"))
			knows_inflight = true;
		else if (!strcmp(argv[i], "--input"))
			inputs = true;
		else if (!strcmp(argv[i], "--socket"))
			listener = listen_at(value);
		else if (!strcmp(argv[i], "--fd"))
			listener = atoi(value);
		else if (!strcmp(argv[i], "--image"))
			image = open(value, O_RDWR | O_CLOEXEC);
		else if (!strcmp(argv[i], "--log"))
			image = open(value, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		else if (!strcmp(argv[i], "--at"))
			lie_at = value;
		else if (!strcmp(argv[i], "--do"))
			lie = value;
		else if (!strcmp(argv[i], "--also"))
			also |= feature(value);
		else if (!strcmp(argv[i], "--features"))
			features = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--slow"))
			slow_ms = (unsigned int)atoi(value);
		else if (!strcmp(argv[i], "--after"))
			lie_after = (unsigned int)atoi(value);
		appends = appends || !strcmp(argv[i], "--log");
		i += strcmp(argv[i], "--inflight") && strcmp(argv[i], "--input");
	}
	if (listener < 0 || image < 0)
		die("usage: --socket PATH | --fd N, --image FILE | --log FILE");
	for (i = 0; i < (int)MAX_RINGS; i++)
		ring[i].kick = ring[i].call = -1;
	sigaction(SIGUSR1, &act, NULL);
	do
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (sock < 0 && errno == EINTR);
	if (sock < 0)
		die("accept");
	serve();
	return 0;
}
