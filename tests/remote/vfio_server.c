// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio_server.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_BODY 70000u
#define MAX_REGIONS 32
#define MAX_DATA (1u << 20)
#define MAX_SEGS 256
#define IMAGE_SECTOR 512u

/* Where things are: one BAR for the structures, one for doorbells, one for the table of MSI-X. */
#define BAR_STRUCTURES 0
#define BAR_DOORBELLS 2
#define BAR_VECTORS 4
#define COMMON_AT 0x000u
#define ISR_AT 0x100u
#define CONFIG_AT 0x200u
#define CONFIG_LEN 60u
#define WCE_AT 32u
#define DOORBELL_STEP 4u
#define VECTORS 3

enum { C_VERSION = 1, C_DMA_MAP, C_DMA_UNMAP, C_INFO, C_REGION, C_REGION_FDS, C_IRQ, C_SET_IRQS, C_READ, C_WRITE,
       C_DMA_READ, C_DMA_WRITE, C_RESET };

struct header {
	uint16_t id, cmd;
	uint32_t size, flags, error;
};

struct message {
	struct header h;
	uint8_t body[MAX_BODY];
	uint32_t len;
	int fd[8];
	int nfds;
	struct message *next;
};

struct region {
	uint64_t addr, size;
	uint8_t *map;
};

struct queue {
	uint16_t size, vector, enabled;
	uint64_t desc, avail, used;
	uint16_t seen, done;
};

struct server {
	const struct vfio_server *how;
	int sock, twin;
	bool over, broken;
	struct message *backlog;
	struct region region[MAX_REGIONS];
	int irq[VECTORS], intx;
	uint8_t pci[256];
	uint8_t isr, status, generation;
	uint32_t feature_select, driver_select;
	uint64_t driver_features;
	uint16_t config_vector, selected;
	struct queue queue[VFIO_SERVER_QUEUES];
	unsigned int queues;
	struct vfio_server_seen *seen, unseen;
	uint64_t reset_until_ms;
	uint8_t reset_status;
	uint64_t capacity;
	int doorbell_fd;
	uint16_t *doorbell;
	unsigned int came;	/* times at the phase */
	bool mapped_one;
	uint16_t next_id;
};

static const char *const phase_words[] = {
	"nothing", "version", "info", "region", "irq", "reset", "map", "set-irqs", "read", "write", "features",
	"queue", "driver-ok", "down", "request", "data", "used", "unmap", "config",
};

static const char *const act_words[] = {
	"die", "hang", "refuse", "garbage", "long", "twice", "stranger", "flood", "descriptors", "used-head",
	"used-len", "used-idx",
};

static int word_index(const char *word, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!strcmp(word, words[i]))
			return (int)i;
	}
	return -1;
}

int vfio_server_phase(const char *word)
{
	return word_index(word, phase_words, sizeof(phase_words) / sizeof(*phase_words));
}

int vfio_server_act(const char *word)
{
	return word_index(word, act_words, sizeof(act_words) / sizeof(*act_words));
}

static uint64_t get(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
	int i;

	for (i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void wait_ms(unsigned int ms)
{
	if (ms)
		poll(NULL, 0, (int)ms);
}

/* ---- bytes ---- */

static bool send_all(struct server *s, int sock, const void *data, size_t len, int fd)
{
	struct iovec iov = { (void *)data, len };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	while (iov.iov_len) {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | (s->how->never_wait ? MSG_DONTWAIT : 0));
		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			s->over = true;
			return false;
		}
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return true;
}

static bool recv_all(struct server *s, int sock, void *data, size_t len, struct message *m)
{
	char control[CMSG_SPACE(8 * sizeof(int))] __attribute__((aligned(8)));
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		struct iovec iov = { (char *)data + have, len - have };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };
		struct cmsghdr *c;
		int i, count, fd;

		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | (s->how->never_wait ? MSG_DONTWAIT : 0));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			s->over = true;
			return false;
		}
		have += (size_t)n;
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
				continue;
			count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			for (i = 0; i < count; i++) {
				memcpy(&fd, CMSG_DATA(c) + (size_t)i * sizeof(int), sizeof(fd));
				if (m->nfds < 8)
					m->fd[m->nfds++] = fd;
				else
					close(fd);
			}
		}
	}
	return true;
}

static struct message *recv_message(struct server *s, int sock)
{
	struct message *m = calloc(1, sizeof(*m));
	uint8_t raw[16];

	if (!m)
		abort();
	if (recv_all(s, sock, raw, 16, m)) {
		m->h = (struct header){ (uint16_t)get(raw, 2), (uint16_t)get(raw + 2, 2), (uint32_t)get(raw + 4, 4),
					(uint32_t)get(raw + 8, 4), (uint32_t)get(raw + 12, 4) };
		m->len = m->h.size - 16;
		if (m->h.size >= 16 && m->len <= MAX_BODY && recv_all(s, sock, m->body, m->len, m))
			return m;
		s->broken = s->broken || !s->over;
		s->over = true;
	}
	while (m->nfds)
		close(m->fd[--m->nfds]);
	free(m);
	return NULL;
}

static void free_message(struct message *m)
{
	while (m->nfds) {
		m->nfds--;
		if (m->fd[m->nfds] >= 0)
			close(m->fd[m->nfds]);
	}
	free(m);
}

static int take_fd(struct message *m, int i)
{
	int fd = i < m->nfds ? m->fd[i] : -1;

	if (fd >= 0)
		m->fd[i] = -1;
	return fd;
}

static void say(struct server *s, int sock, const struct header *h, const uint8_t *body, uint32_t len, int fd)
{
	uint8_t *raw = malloc(16 + (size_t)len);

	if (!raw)
		abort();
	put(raw, h->id, 2);
	put(raw + 2, h->cmd, 2);
	put(raw + 4, 16 + (uint64_t)len, 4);
	put(raw + 8, h->flags, 4);
	put(raw + 12, h->error, 4);
	if (len)
		memcpy(raw + 16, body, len);
	send_all(s, sock, raw, 16 + (size_t)len, fd);
	free(raw);
}

/* ---- what it is told to do wrong ---- */

static void flood(struct server *s)
{
	struct header h = { .cmd = C_DMA_READ };
	uint8_t body[16];

	put(body, 0x10000000, 8);
	put(body + 8, 4096, 8);
	while (!s->over)
		say(s, s->twin >= 0 ? s->twin : s->sock, &h, body, 16, -1);
}

/* True: now is the time. */
static bool is_now(struct server *s, enum vfio_server_phase at)
{
	return s->how->at == at && at != AT_NOTHING && ++s->came == (s->how->count ? s->how->count : 1);
}

/* True: it has been done, and the reply with it. */
static bool misbehave(struct server *s, enum vfio_server_phase at, const struct header *h)
{
	static const uint8_t rubbish[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static uint8_t lots[MAX_BODY];
	struct header reply = { h->id, h->cmd, 0, 1, 0 };

	if (!is_now(s, at))
		return false;
	switch (s->how->act) {
	case DO_DIE:
		s->over = true;
		return true;
	case DO_HANG:
		/* Until the other side has had enough: then there is nobody to hang for. */
		while (poll(&(struct pollfd){ .fd = s->sock, .events = POLLRDHUP }, 1, -1) < 0)
			;
		s->over = true;
		return true;
	case DO_REFUSE:
		reply.flags = 1 | 0x20;
		reply.error = EINVAL;
		say(s, s->sock, &reply, NULL, 0, -1);
		return true;
	case DO_GARBAGE:
		send_all(s, s->sock, rubbish, sizeof(rubbish), -1);
		return true;
	case DO_LONG:
		say(s, s->sock, &reply, lots, sizeof(lots), -1);
		return true;
	case DO_TWICE:
		say(s, s->sock, &reply, lots, 16, -1);
		say(s, s->sock, &reply, lots, 16, -1);
		return true;
	case DO_STRANGER:
		reply.id ^= 0x4000;
		say(s, s->sock, &reply, lots, 16, -1);
		return true;
	case DO_FLOOD:
		flood(s);
		return true;
	case DO_DESCRIPTORS:
		say(s, s->sock, &reply, lots, 16, s->sock);
		return true;
	default:
		return false;
	}
}

static void reply(struct server *s, enum vfio_server_phase at, const struct message *m, const uint8_t *body,
		  uint32_t len, int fd)
{
	struct header h = { m->h.id, m->h.cmd, 0, 1, 0 };

	if (!misbehave(s, at, &m->h) && !(m->h.flags & 0x10))
		say(s, s->sock, &h, body, len, fd);
}

static void refuse(struct server *s, const struct message *m, uint32_t error)
{
	struct header h = { m->h.id, m->h.cmd, 0, 1 | 0x20, error };

	say(s, s->sock, &h, NULL, 0, -1);
}

/* ---- memory ---- */

/*
 * A command of ours. Without a second socket the client's own may come before
 * its reply: they wait, in their order.
 */
static bool ask(struct server *s, uint16_t cmd, uint64_t addr, uint8_t *data, uint32_t len)
{
	struct header h = { .id = s->next_id++, .cmd = cmd };
	int sock = s->twin >= 0 ? s->twin : s->sock;
	uint8_t *body = malloc(16 + (size_t)len);
	struct message *m = NULL, **at;
	bool ok = false;

	if (!body)
		abort();
	put(body, addr, 8);
	put(body + 8, len, 8);
	if (cmd == C_DMA_WRITE)
		memcpy(body + 16, data, len);
	say(s, sock, &h, body, cmd == C_DMA_WRITE ? 16 + len : 16, -1);
	while (!s->over && !m) {
		m = recv_message(s, sock);
		if (!m || (m->h.flags & 0xf) == 1)
			break;
		for (at = &s->backlog; *at; at = &(*at)->next)
			;
		*at = m;
		m = NULL;
	}
	if (m) {
		ok = m->h.id == h.id && m->h.cmd == cmd && !(m->h.flags & 0x20) &&
		     m->len == 16 + (cmd == C_DMA_READ ? len : 0);
		if (ok && cmd == C_DMA_READ)
			memcpy(data, m->body + 16, len);
		free_message(m);
	}
	free(body);
	return ok;
}

static struct region *find_region(struct server *s, uint64_t addr, uint64_t len)
{
	struct region *r;

	for (r = s->region; r < s->region + MAX_REGIONS; r++) {
		if (r->size && addr >= r->addr && addr - r->addr <= r->size && len <= r->size - (addr - r->addr))
			return r;
	}
	return NULL;
}

static bool touch(struct server *s, bool write, uint64_t addr, void *data, uint32_t len, bool by_message)
{
	struct region *r = find_region(s, addr, len);
	uint32_t step, done;

	if (!r)
		return false;
	if (r->map && !by_message) {
		if (write)
			memcpy(r->map + (addr - r->addr), data, len);
		else
			memcpy(data, r->map + (addr - r->addr), len);
		return true;
	}
	for (done = 0; done < len; done += step) {
		step = len - done < 65536 ? len - done : 65536;
		if (!ask(s, write ? C_DMA_WRITE : C_DMA_READ, addr + done, (uint8_t *)data + done, step))
			return false;
	}
	return true;
}

static void add_region(struct server *s, struct message *m)
{
	uint64_t size = get(m->body + 24, 8);
	struct region *r = s->region;
	int fd = take_fd(m, 0);
	void *map = NULL;

	while (r < s->region + MAX_REGIONS && r->size)
		r++;
	if (m->len < 32 || r == s->region + MAX_REGIONS || !size || find_region(s, get(m->body + 16, 8), 1) ||
	    size > 1ull << 40) {
		if (fd >= 0)
			close(fd);
		refuse(s, m, EINVAL);
		return;
	}
	if (fd >= 0 && s->how->maps_once && s->mapped_one) {
		close(fd);
		map = MAP_FAILED;
	} else if (fd >= 0) {
		s->mapped_one = true;
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)get(m->body + 8, 8));
		close(fd);
	}
	if (map == MAP_FAILED) {
		refuse(s, m, EINVAL);
		return;
	}
	r->addr = get(m->body + 16, 8);
	r->size = size;
	r->map = map;
	s->seen->mapped += map != NULL;
	reply(s, AT_MAP, m, NULL, 0, -1);
}

static void drop_region(struct server *s, struct region *r)
{
	if (r->map) {
		munmap(r->map, r->size);
		s->seen->let_go++;
	}
	memset(r, 0, sizeof(*r));
}

static void del_region(struct server *s, struct message *m)
{
	struct region *r = m->len >= 24 ? find_region(s, get(m->body + 8, 8), get(m->body + 16, 8)) : NULL;

	if (!r || r->size != get(m->body + 16, 8)) {
		refuse(s, m, ENOENT);
		return;
	}
	wait_ms(s->how->unmap_ms);
	if (misbehave(s, AT_UNMAP, &m->h))
		return;
	drop_region(s, r);
	reply(s, AT_NOTHING, m, m->body, 24, -1);
}

/* ---- the queue ---- */

static void raise_irq(struct server *s, uint16_t vector, uint8_t isr)
{
	uint64_t one = 1;
	int fd = s->how->intx ? s->intx : vector < VECTORS ? s->irq[vector] : -1;

	s->isr |= isr;
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		s->broken = true;
}

struct seg {
	uint64_t addr;
	uint32_t len;
	bool write;
};

static int get_chain(struct server *s, struct queue *q, uint16_t head, struct seg *seg)
{
	uint16_t flags, at = head;
	uint8_t d[16];
	int n = 0;

	do {
		if (n == MAX_SEGS || at >= q->size || !touch(s, false, q->desc + 16ull * at, d, 16, false))
			return -1;
		flags = (uint16_t)get(d + 12, 2);
		if (flags & 4)
			return -1;	/* indirect was not negotiated */
		seg[n++] = (struct seg){ get(d, 8), (uint32_t)get(d + 8, 4), flags & 2 };
		at = (uint16_t)get(d + 14, 2);
	} while (flags & 1);
	return n;
}

/* Moves len bytes at off of the data between buf and the segments. */
static bool move(struct server *s, struct seg *seg, int n, uint64_t off, uint8_t *buf, uint32_t len, bool write)
{
	uint32_t step;
	int i;

	for (i = 0; i < n && len; i++) {
		if (off >= seg[i].len) {
			off -= seg[i].len;
			continue;
		}
		step = seg[i].len - (uint32_t)off < len ? seg[i].len - (uint32_t)off : len;
		if (!touch(s, write, seg[i].addr + off, buf, step, s->how->bounce))
			return false;
		off = 0;
		buf += step;
		len -= step;
	}
	return !len;
}

static uint8_t disk_io(struct server *s, uint32_t type, uint64_t sector, uint8_t *data, uint32_t bytes)
{
	off_t at = (off_t)(sector * IMAGE_SECTOR);

	if (type == 4)
		return fdatasync(s->how->image) ? 1 : 0;
	if (type == 8) {
		memset(data, 0, bytes);
		snprintf((char *)data, bytes, "vfio-test-disk");
		return 0;
	}
	if (type > 1)
		return 2;
	if (bytes % IMAGE_SECTOR || sector > s->capacity || bytes / IMAGE_SECTOR > s->capacity - sector)
		return 1;
	if (type == 1)
		return pwrite(s->how->image, data, bytes, at) == (ssize_t)bytes ? 0 : 1;
	return pread(s->how->image, data, bytes, at) == (ssize_t)bytes ? 0 : 1;
}

/* Returns the bytes written to the guest, -1: the chain is nonsense. */
static int64_t do_disk(struct server *s, struct seg *seg, int n)
{
	uint64_t out = 0, in = 0;
	uint8_t header[16], status = 1, *data;
	uint32_t bytes;
	int i, nout = 0;
	bool ok;

	for (i = 0; i < n; i++) {
		if (seg[i].write)
			in += seg[i].len;
		else
			out += seg[i].len, nout++;
	}
	if (out < 16 || !in || out > MAX_DATA + 16 || in > MAX_DATA + 1 || !move(s, seg, nout, 0, header, 16, false))
		return -1;
	bytes = (uint32_t)(out > 16 ? out - 16 : in - 1);
	data = malloc(bytes + 1);
	if (!data)
		abort();
	ok = out == 16 || move(s, seg, nout, 16, data, bytes, false);
	if (ok)
		status = disk_io(s, (uint32_t)get(header, 4), get(header + 8, 8), data, bytes);
	if (misbehave(s, AT_DATA, &(struct header){ 0 }))
		ok = false;
	if (ok && out == 16 && in > 1)
		ok = move(s, seg + nout, n - nout, 0, data, bytes, true);
	free(data);
	return ok && move(s, seg + nout, n - nout, in - 1, &status, 1, true) ? (int64_t)(out > 16 ? 1 : in) : -1;
}

static int64_t do_random(struct server *s, struct seg *seg, int n)
{
	uint8_t data[256];
	uint32_t len = 0, done, step;

	if (n < 1 || !seg[0].write)
		return -1;
	for (done = 0; done < seg[0].len && done < 65536; done += step) {
		step = seg[0].len - done < sizeof(data) ? seg[0].len - done : (uint32_t)sizeof(data);
		if (getrandom(data, step, 0) != (ssize_t)step || !move(s, seg, 1, done, data, step, true))
			return -1;
		len += step;
	}
	return len;
}

static bool put_used(struct server *s, struct queue *q, uint16_t head, uint32_t len)
{
	uint8_t elem[8], idx[2];
	bool lie = is_now(s, AT_USED);

	put(elem, lie && s->how->act == DO_USED_HEAD ? head ^ 0x4001u : head, 4);
	put(elem + 4, lie && s->how->act == DO_USED_LEN ? 0x7fffffff : len, 4);
	if (lie && s->how->act == DO_DIE)
		s->over = true;
	if (s->over || !touch(s, true, q->used + 4 + 8ull * (q->done % q->size), elem, 8, false))
		return false;
	q->done++;
	put(idx, q->done + (lie && s->how->act == DO_USED_IDX ? 700u : 0), 2);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!touch(s, true, q->used + 2, idx, 2, false))
		return false;
	/* The truth would hide this lie: it stays. */
	if (lie && s->how->act == DO_USED_IDX) {
		raise_irq(s, q->vector, 1);
		return false;
	}
	return true;
}

static void serve_queue(struct server *s, struct queue *q)
{
	struct seg seg[MAX_SEGS];
	uint8_t word[2];
	int64_t len;
	bool some = false;
	int n;

	while (!s->over && s->status & 4 && q->enabled) {
		if (!touch(s, false, q->avail + 2, word, 2, false) || (uint16_t)get(word, 2) == q->seen)
			break;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!touch(s, false, q->avail + 4 + 2ull * (q->seen % q->size), word, 2, false))
			break;
		q->seen++;
		if (misbehave(s, AT_REQUEST, &(struct header){ 0 }))
			return;
		n = get_chain(s, q, (uint16_t)get(word, 2), seg);
		len = n < 0 ? -1 : s->how->image >= 0 ? do_disk(s, seg, n) : do_random(s, seg, n);
		if (s->over)
			return;
		if (len < 0) {
			s->status |= 64;
			raise_irq(s, s->config_vector, 2);
			return;
		}
		if (!put_used(s, q, (uint16_t)get(word, 2), (uint32_t)len))
			return;
		s->seen->requests[q - s->queue]++;
		some = true;
	}
	if (some)
		raise_irq(s, q->vector, 1);
}

/* ---- registers ---- */

static uint64_t offered(const struct server *s)
{
	uint64_t disk = 1u << 9 | 1u << 11 | 1u << 2 | 1u << 6 | (s->queues > 1 ? 1u << 12 : 0);

	return 1ull << 32 | 1ull << 33 | 1ull << 38 | 1ull << 29 | (s->how->image >= 0 ? disk : 0);
}

static void fill_config(const struct server *s, uint8_t config[CONFIG_LEN])
{
	memset(config, 0, CONFIG_LEN);
	if (s->how->image < 0)
		return;
	put(config, s->capacity, 8);
	put(config + 12, 32, 4);	/* seg_max */
	put(config + 20, 512, 4);	/* blk_size */
	config[WCE_AT] = s->seen->wce;
	put(config + 34, s->queues, 2);
}

/* A function that ends its reset when it is done with it. */
static uint8_t read_status(const struct server *s)
{
	return s->reset_until_ms && now_ms() < s->reset_until_ms ? s->reset_status : s->status;
}

/* The whole common structure as it reads now. */
static void fill_common(const struct server *s, uint8_t c[64])
{
	const struct queue *q = s->queue;

	memset(c, 0, 64);
	put(c, s->feature_select, 4);
	put(c + 4, s->feature_select < 2 ? offered(s) >> 32 * s->feature_select : 0, 4);
	put(c + 8, s->driver_select, 4);
	put(c + 12, s->driver_select < 2 ? s->driver_features >> 32 * s->driver_select : 0, 4);
	put(c + 16, s->config_vector, 2);
	put(c + 18, s->queues, 2);
	c[20] = read_status(s);
	c[21] = s->generation;
	put(c + 22, s->selected, 2);
	if (s->selected >= s->queues)
		return;
	q += s->selected;
	put(c + 24, q->size, 2);
	put(c + 26, q->vector, 2);
	put(c + 28, q->enabled, 2);
	put(c + 30, s->selected + 1u, 2);
	put(c + 32, q->desc, 8);
	put(c + 40, q->avail, 8);
	put(c + 48, q->used, 8);
}

static void device_reset(struct server *s)
{
	unsigned int i;

	memset(s->queue, 0, sizeof(s->queue));
	for (i = 0; i < s->queues; i++) {
		s->queue[i].size = (uint16_t)(s->how->queue_size ? s->how->queue_size : 128);
		s->queue[i].vector = 0xffff;
	}
	s->config_vector = 0xffff;
	s->status = s->isr = 0;
	s->driver_features = s->feature_select = s->driver_select = s->selected = 0;
	s->seen->wce = 1;
}

static enum vfio_server_phase set_status(struct server *s, uint8_t status)
{
	uint8_t was = s->status;

	if (!status) {
		s->reset_status = was;
		s->reset_until_ms = was && s->how->reset_ms ? now_ms() + s->how->reset_ms : 0;
		device_reset(s);
		return AT_DOWN;
	}
	/* A driver that takes what is not for it has mixed up the two sides. */
	if (status & 8 && (s->driver_features & ~(offered(s) & ~(1ull << 33 | 1ull << 38 | 1ull << 29)) ||
			   !(s->driver_features >> 32 & 1)))
		status &= (uint8_t)~8u;
	s->status = status | (was & 64);
	if (status & 4 && !(was & 4)) {
		if (s->how->shrinks && ftruncate(s->doorbell_fd, 0))
			abort();
		return AT_DRIVER_OK;
	}
	return status & 8 ? AT_FEATURES : AT_WRITE;
}

static void set_half(uint64_t *to, uint32_t at, uint64_t v, uint32_t len)
{
	if (len == 8)
		*to = v;
	else if (at)
		*to = (*to & 0xffffffff) | v << 32;
	else
		*to = (*to & ~0xffffffffull) | (v & 0xffffffff);
}

static enum vfio_server_phase write_common(struct server *s, uint32_t off, uint32_t len, uint64_t v)
{
	struct queue none, *q = s->selected < s->queues ? &s->queue[s->selected] : &none;

	switch (off) {
	case 0:
		s->feature_select = (uint32_t)v;
		break;
	case 8:
		s->driver_select = (uint32_t)v;
		break;
	case 12:
		if (s->driver_select < 2)
			set_half(&s->driver_features, s->driver_select, v, 4);
		break;
	case 16:
		s->config_vector = !s->how->intx && v < VECTORS ? (uint16_t)v : 0xffff;
		break;
	case 20:
		return set_status(s, (uint8_t)v);
	case 22:
		s->selected = (uint16_t)v;
		break;
	case 24:
		if (v && v <= 1024 && !(v & (v - 1)))
			q->size = (uint16_t)v;
		break;
	case 26:
		q->vector = !s->how->intx && v < VECTORS ? (uint16_t)v : 0xffff;
		break;
	case 28:
		q->enabled = v == 1;
		return AT_QUEUE;
	case 32: case 36:
		set_half(&q->desc, off - 32, v, len);
		break;
	case 40: case 44:
		set_half(&q->avail, off - 40, v, len);
		break;
	case 48: case 52:
		set_half(&q->used, off - 48, v, len);
		break;
	}
	return AT_WRITE;
}

static uint64_t region_size(uint32_t region)
{
	switch (region) {
	case BAR_STRUCTURES: case BAR_DOORBELLS: case BAR_VECTORS:
		return 4096;
	case 7:
		return 256;
	}
	return 0;
}

static void read_region(struct server *s, struct message *m)
{
	uint64_t off = get(m->body, 8);
	uint32_t region = (uint32_t)get(m->body + 8, 4), count = (uint32_t)get(m->body + 12, 4);
	uint8_t space[4096] = { 0 }, out[16 + 4096];

	if (m->len != 16 || off > region_size(region) || count > region_size(region) - off ||
	    (region == BAR_STRUCTURES && off + count > CONFIG_AT &&
	     (off < CONFIG_AT || count > 8 || off + count > CONFIG_AT + CONFIG_LEN))) {
		refuse(s, m, EINVAL);
		return;
	}
	if (region == 7)
		memcpy(space, s->pci, sizeof(s->pci));
	if (region == BAR_STRUCTURES) {
		fill_common(s, space + COMMON_AT);
		space[ISR_AT] = s->isr;
		fill_config(s, space + CONFIG_AT);
		if (off <= ISR_AT && off + count > ISR_AT)
			s->isr = 0;
	}
	memcpy(out, m->body, 16);
	memcpy(out + 16, space + off, count);
	reply(s, AT_READ, m, out, 16 + count, -1);
}

/* One byte of a disk's may be written, by a word. */
static void write_config(struct server *s, struct message *m, uint64_t off, uint32_t count)
{
	if (s->how->image < 0 || off != CONFIG_AT + WCE_AT || count != 1 || m->body[16] > 1) {
		refuse(s, m, EINVAL);
		return;
	}
	if (misbehave(s, AT_CONFIG, &m->h))
		return;
	s->seen->wce = m->body[16];
	reply(s, AT_NOTHING, m, m->body, 16, -1);
}

static void write_region(struct server *s, struct message *m)
{
	uint64_t off = get(m->body, 8);
	uint32_t region = (uint32_t)get(m->body + 8, 4), count = (uint32_t)get(m->body + 12, 4);
	enum vfio_server_phase at = AT_WRITE;

	if (m->len < 16 || m->len - 16 != count || off > region_size(region) || count > region_size(region) - off) {
		refuse(s, m, EINVAL);
		return;
	}
	if (region == BAR_STRUCTURES && off + count > CONFIG_AT) {
		write_config(s, m, off, count);
		return;
	}
	if (region == 7 && off == 4 && count == 2)
		memcpy(s->pci + 4, m->body + 16, 2);
	if (region == BAR_STRUCTURES && off < 64 && count && count <= 8)
		at = write_common(s, (uint32_t)off, count, get(m->body + 16, (int)count));
	reply(s, at, m, m->body, 16, -1);
	if (region == BAR_DOORBELLS) {
		s->seen->notified++;
		if (off % DOORBELL_STEP == 0 && off && off / DOORBELL_STEP <= s->queues)
			serve_queue(s, &s->queue[off / DOORBELL_STEP - 1]);
	}
}

/* ---- the function ---- */

static void add_cap(uint8_t *pci, int at, int next, int type, int len, int bar, uint32_t off, uint32_t size)
{
	pci[at] = 9;
	pci[at + 1] = (uint8_t)next;
	pci[at + 2] = (uint8_t)len;
	pci[at + 3] = (uint8_t)type;
	pci[at + 4] = (uint8_t)bar;
	put(pci + at + 8, off, 4);
	put(pci + at + 12, size, 4);
}

static void make_function(struct server *s)
{
	uint8_t *pci = s->pci;
	int id = s->how->image >= 0 ? 2 : 4;

	put(pci, 0x1af4, 2);
	put(pci + 2, 0x1040u + (unsigned int)id, 2);
	put(pci + 6, 0x10, 2);
	pci[8] = 1;
	put(pci + 0x2c, 0x1af4, 2);
	put(pci + 0x2e, 0x1100, 2);
	pci[0x34] = 0x40;
	add_cap(pci, 0x40, 0x50, 1, 16, BAR_STRUCTURES, COMMON_AT, 56);
	add_cap(pci, 0x50, 0x64, 2, 20, BAR_DOORBELLS, 0, 4096);
	put(pci + 0x60, DOORBELL_STEP, 4);
	add_cap(pci, 0x64, 0x74, 3, 16, BAR_STRUCTURES, ISR_AT, 1);
	/* More than there is, and no more than 8 bytes of it at once, as servers in use have it. */
	add_cap(pci, 0x74, 0x84, 4, 16, BAR_STRUCTURES, CONFIG_AT, 0x400);
	add_cap(pci, 0x84, s->how->intx ? 0 : 0x98, 5, 20, BAR_STRUCTURES, 0, 4096);
	pci[0x98] = 0x11;
	put(pci + 0x9a, VECTORS - 1, 2);
	put(pci + 0x9c, BAR_VECTORS, 4);
}

static void measure(struct server *s)
{
	struct stat st;

	if (s->how->image >= 0 && !fstat(s->how->image, &st))
		s->capacity = (uint64_t)st.st_size / IMAGE_SECTOR;
}

static void make_doorbells(struct server *s)
{
	void *map;

	s->doorbell_fd = -1;
	if (!s->how->map_notify)
		return;
	s->doorbell_fd = memfd_create("doorbells", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->doorbell_fd < 0 || ftruncate(s->doorbell_fd, 8192) ||
	    (!s->how->unsealed && fcntl(s->doorbell_fd, F_ADD_SEALS, F_SEAL_SHRINK)))
		abort();
	if (s->how->shrinks)
		return;
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s->doorbell_fd, 4096);
	if (map == MAP_FAILED)
		abort();
	s->doorbell = map;
	memset(map, 0xff, 4096);
}

/* ---- messages ---- */

static void answer_version(struct server *s, struct message *m)
{
	char text[400] = "";
	uint8_t body[500] = { 0 };
	int pair[2] = { -1, -1 }, len;
	bool asked, says;

	if (m->len < 5 || m->body[m->len - 1] || get(m->body, 2)) {
		refuse(s, m, EINVAL);
		return;
	}
	asked = strstr((char *)m->body + 4, "twin_socket");
	says = (asked && s->how->twin == TWIN_YES) || s->how->twin == TWIN_NONE || s->how->twin == TWIN_FILE;
	if (asked && (s->how->twin == TWIN_YES || s->how->twin == TWIN_UNSAID) &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	if (s->how->twin == TWIN_FILE)
		pair[1] = memfd_create("twin", MFD_CLOEXEC);
	len = snprintf(text, sizeof(text), "{\"capabilities\": {\"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576%s}}",
		       says ? ", \"twin_socket\":{\"supported\":true, \"fd_index\":0}" : "");
	put(body + 2, 1, 2);
	memcpy(body + 4, text, (size_t)len + 1);
	s->twin = pair[0];
	reply(s, AT_VERSION, m, body, 4 + (uint32_t)len + 1, pair[1]);
	if (pair[1] >= 0)
		close(pair[1]);
}

static void answer_info(struct server *s, struct message *m)
{
	uint8_t body[16];

	put(body, 16, 4);
	put(body + 4, 3, 4);
	put(body + 8, 9, 4);
	put(body + 12, 5, 4);
	reply(s, AT_INFO, m, body, 16, -1);
}

static void answer_region(struct server *s, struct message *m)
{
	uint32_t index = m->len >= 12 ? (uint32_t)get(m->body + 8, 4) : 99, len = 32;
	uint8_t body[64] = { 0 };
	bool mapped = index == BAR_DOORBELLS && s->doorbell_fd >= 0;

	if (index > 8) {
		refuse(s, m, EINVAL);
		return;
	}
	put(body + 4, region_size(index) ? 3 : 0, 4);
	put(body + 8, index, 4);
	put(body + 16, region_size(index), 8);
	if (mapped) {
		put(body + 4, 3 | 4 | 8, 4);
		put(body + 12, 32, 4);
		put(body + 24, 4096, 8);
		put(body + 32, 1, 2);
		put(body + 34, 1, 2);
		put(body + 40, 1, 4);
		put(body + 56, 4096, 8);
		len = 64;
	}
	put(body, len, 4);
	reply(s, AT_REGION, m, body, len, mapped ? s->doorbell_fd : -1);
}

static void answer_irq(struct server *s, struct message *m)
{
	uint32_t index = m->len >= 12 ? (uint32_t)get(m->body + 8, 4) : 99;
	uint8_t body[16];

	put(body, 16, 4);
	put(body + 4, 1, 4);
	put(body + 8, index, 4);
	put(body + 12, index == 0 ? 1 : index == 2 && !s->how->intx ? VECTORS : 0, 4);
	reply(s, AT_IRQ, m, body, 16, -1);
}

static void set_irqs(struct server *s, struct message *m)
{
	uint32_t index = (uint32_t)get(m->body + 8, 4), start = (uint32_t)get(m->body + 12, 4);
	uint32_t count = (uint32_t)get(m->body + 16, 4), i;

	if (m->len != 20 || (index != 2 && index) || start > VECTORS || count > VECTORS - start ||
	    (uint32_t)m->nfds != count || (!index && start + count > 1)) {
		refuse(s, m, EINVAL);
		return;
	}
	for (i = 0; i < count; i++) {
		int *to = index ? &s->irq[start + i] : &s->intx;

		if (*to >= 0)
			close(*to);
		*to = take_fd(m, (int)i);
	}
	reply(s, AT_SET_IRQS, m, NULL, 0, -1);
}

static void take_message(struct server *s, struct message *m)
{
	if ((m->h.flags & 0xf) != 0) {
		s->broken = s->over = true;	/* a reply to nothing */
		return;
	}
	switch (m->h.cmd) {
	case C_VERSION:
		answer_version(s, m);
		break;
	case C_DMA_MAP:
		add_region(s, m);
		break;
	case C_DMA_UNMAP:
		del_region(s, m);
		break;
	case C_INFO:
		answer_info(s, m);
		break;
	case C_REGION:
		answer_region(s, m);
		break;
	case C_IRQ:
		answer_irq(s, m);
		break;
	case C_SET_IRQS:
		set_irqs(s, m);
		break;
	case C_READ:
		read_region(s, m);
		break;
	case C_WRITE:
		write_region(s, m);
		break;
	case C_RESET:
		device_reset(s);
		reply(s, AT_RESET, m, NULL, 0, -1);
		break;
	default:
		refuse(s, m, ENOTSUP);
	}
}

static void look_at_doorbell(struct server *s)
{
	uint16_t *bell;
	unsigned int i;

	for (i = 0; s->doorbell && i < s->queues; i++) {
		bell = &s->doorbell[(i + 1) * DOORBELL_STEP / 2];
		if (__atomic_load_n(bell, __ATOMIC_ACQUIRE) == 0xffff)
			continue;
		__atomic_store_n(bell, 0xffff, __ATOMIC_SEQ_CST);
		serve_queue(s, &s->queue[i]);
	}
}

static void look_at_size(struct server *s)
{
	if (!s->seen->grown)
		return;
	s->seen->grown = false;
	measure(s);
	s->generation++;
	raise_irq(s, s->config_vector, 2);
}

static struct message *next_message(struct server *s)
{
	struct pollfd p = { .fd = s->sock, .events = POLLIN };
	struct message *m = s->backlog;

	if (m) {
		s->backlog = m->next;
		return m;
	}
	if (poll(&p, 1, s->doorbell ? 1 : 100) <= 0)
		return NULL;
	return recv_message(s, s->sock);
}

static void end(struct server *s)
{
	struct message *m;
	int i;

	while ((m = s->backlog)) {
		s->backlog = m->next;
		free_message(m);
	}
	for (i = 0; i < MAX_REGIONS; i++)
		drop_region(s, &s->region[i]);
	for (i = 0; i < VECTORS; i++) {
		if (s->irq[i] >= 0)
			close(s->irq[i]);
	}
	if (s->intx >= 0)
		close(s->intx);
	if (s->doorbell)
		munmap(s->doorbell, 4096);
	if (s->doorbell_fd >= 0)
		close(s->doorbell_fd);
	if (s->twin >= 0)
		close(s->twin);
	close(s->sock);
}

int vfio_server_run(const struct vfio_server *how, int sock)
{
	struct server s = { .how = how, .sock = sock, .twin = -1, .intx = -1, .irq = { -1, -1, -1 } };
	struct message *m;

	s.seen = how->seen ? how->seen : &s.unseen;
	s.queues = how->image >= 0 && how->queues ? how->queues : 1;
	measure(&s);
	make_function(&s);
	make_doorbells(&s);
	device_reset(&s);
	while (!s.over) {
		m = next_message(&s);
		if (m) {
			wait_ms(how->late_ms);
			take_message(&s, m);
			free_message(m);
		}
		look_at_doorbell(&s);
		look_at_size(&s);
	}
	end(&s);
	return s.broken ? -1 : 0;
}
