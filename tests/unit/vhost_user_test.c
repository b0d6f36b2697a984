// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vhost-user front-end, dom0/remote, against a server of this file that
 * answers each request from its own reading of the document, and lies on demand.
 */
/* LINK: dom0/remote/vhost_user.c dom0/remote/vhost_user_steps.c dom0/remote/vhost_user_conn.c */
/* LINK: dom0/remote/vhost_user_msg.c */
#include "../support/test.h"
#include "../support/fake_aio.h"
#include "../../dom0/remote/vhost_user.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEATURES (1ull << 32 | 1ull << 33 | 1ull << 38 | 1ull << 30 | 1ull << 9 | 5)
#define ALL_PROTOCOL 0x3ffffull
#define CONFIG_BYTES 60u
#define SENT_MAX 128
#define START_MS 20000u
#define STOP_MS 30000u

struct seen {
	u32 request, flags, bytes, nfds;
	u8 payload[512];
};

struct fix {
	int sock;		/* the server's end */
	int back_peer;		/* what it was given for requests of its own */
	struct vu_front *front;
	u64 features, protocol, agreed;
	struct seen seen[SENT_MAX];
	u32 count;
	u32 lie_at;		/* request that is answered by a lie */
	void (*lie)(struct fix *f, const struct seen *s);
	bool deaf;
	u32 identified, started, stopped, news, puts, called, failed;
	u32 ring_called, regions, mtu;
	u64 rarp;
	bool region_ok;
	struct vu_inflight log;		/* a former server's */
	char why[200];
	int call, kick;
};

/* ---- the server ---- */

static void put(struct fix *f, u32 request, u32 flags, const void *payload, u32 bytes)
{
	u8 msg[600];

	memcpy(msg, &request, 4);
	memcpy(msg + 4, &flags, 4);
	memcpy(msg + 8, &bytes, 4);
	if (bytes)
		memcpy(msg + 12, payload, bytes);
	/* The front-end may have closed already. */
	assert_true(send(f->sock, msg, 12 + bytes, MSG_NOSIGNAL) == (ssize_t)(12 + bytes) || errno == EPIPE);
}

static void put_u64(struct fix *f, u32 request, u64 value)
{
	put(f, request, 5, &value, 8);
}

static void put_with_fds(struct fix *f, const void *words, size_t bytes, const int *fds, size_t nfds)
{
	union { struct cmsghdr align; u8 space[CMSG_SPACE(2 * sizeof(int))]; } control = { 0 };
	struct iovec iov = { (void *)words, bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(nfds * sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	assert_int_equal(sendmsg(f->sock, &msg, 0), bytes);
}

/* What was asked about: queues and their size, echoed. */
static void put_inflight(struct fix *f, const struct seen *s, u64 log_bytes, size_t nfds)
{
	u32 words[9] = { s->request, 5, 24, (u32)log_bytes, 0, 64, 0 };
	int fds[1] = { 0 };

	memcpy(&words[7], s->payload + 16, 4);
	if (nfds)
		put_with_fds(f, words, sizeof(words), fds, nfds);
	else
		assert_int_equal(send(f->sock, words, sizeof(words), 0), sizeof(words));
}

static void answer(struct fix *f, const struct seen *s)
{
	u8 config[12 + CONFIG_BYTES];
	u32 i;

	switch (s->request) {
	case VU_GET_FEATURES:
		put_u64(f, s->request, f->features);
		return;
	case VU_GET_PROTOCOL_FEATURES:
		put_u64(f, s->request, f->protocol);
		return;
	case VU_SET_PROTOCOL_FEATURES:
		memcpy(&f->agreed, s->payload, 8);
		return;
	case VU_GET_QUEUE_NUM:
		put_u64(f, s->request, 4);
		return;
	case VU_GET_MAX_MEM_SLOTS:
		put_u64(f, s->request, 32);
		return;
	case VU_GET_STATUS:
		put_u64(f, s->request, 11);
		return;
	case VU_GET_VRING_BASE:
		put(f, s->request, 5, s->payload, 8);
		return;
	case VU_GET_INFLIGHT_FD:
		put_inflight(f, s, 4096, 1);
		return;
	case VU_GET_CONFIG:
		memcpy(config, s->payload, sizeof(config));
		for (i = 0; i < CONFIG_BYTES; i++)
			config[12 + i] = (u8)(i + f->news);
		put(f, s->request, 5, config, sizeof(config));
		return;
	default:
		if (s->flags & 8)
			put_u64(f, s->request, 0);
	}
}

/* One request, if there is one. */
static bool serve(struct fix *f)
{
	union { struct cmsghdr align; u8 space[CMSG_SPACE(16 * sizeof(int))]; } control;
	struct seen *s = &f->seen[f->count];
	u8 hdr[12];
	struct iovec iov = { hdr, sizeof(hdr) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	int fds[16];
	u32 i;

	if (f->deaf || recvmsg(f->sock, &msg, MSG_DONTWAIT) != 12)
		return false;
	assert_true(f->count < SENT_MAX);
	memcpy(&s->request, hdr, 4);
	memcpy(&s->flags, hdr + 4, 4);
	memcpy(&s->bytes, hdr + 8, 4);
	s->nfds = 0;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg) {
		s->nfds = (u32)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(cmsg), s->nfds * sizeof(int));
	}
	assert_true(s->bytes <= sizeof(s->payload));
	if (s->bytes)
		assert_int_equal(recv(f->sock, s->payload, s->bytes, MSG_WAITALL), s->bytes);
	for (i = 0; i < s->nfds; i++) {
		if (s->request == VU_SET_BACKEND_REQ_FD)
			f->back_peer = fds[i];
		else
			close(fds[i]);
	}
	f->count++;
	if (f->lie && s->request == f->lie_at)
		f->lie(f, s);
	else
		answer(f, s);
	return true;
}

static void run(struct fix *f)
{
	bool more;

	do {
		more = fake_aio_step();
		more = serve(f) || more;
	} while (more);
}

/* ---- the device ---- */

static void on_identified(void *arg) { ((struct fix *)arg)->identified++; }
static void on_started(void *arg) { ((struct fix *)arg)->started++; }
static void on_stopped(void *arg) { ((struct fix *)arg)->stopped++; }
static void on_news(void *arg) { ((struct fix *)arg)->news++; }
static void on_put(void *arg) { ((struct fix *)arg)->puts++; }

static void on_region(void *arg, bool ok)
{
	struct fix *f = arg;

	f->regions++;
	f->region_ok = ok;
}

static void on_called(void *arg, u32 ring)
{
	struct fix *f = arg;

	f->called++;
	f->ring_called = ring;
}

static void on_failed(void *arg, const char *why)
{
	struct fix *f = arg;

	f->failed++;
	snprintf(f->why, sizeof(f->why), "%s", why);
}

static const struct vu_front_ops ops = {
	on_identified, on_started, on_stopped, on_news, on_put, on_region, on_called, on_failed,
};

static void begin(struct fix *f, u64 wished, u32 config_bytes)
{
	struct vu_wish wish = { .protocol = wished, .queues = 2, .config_bytes = config_bytes };
	int sock[2], back[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, back), 0);
	f->sock = sock[1];
	f->front = vu_front_new(NULL, sock[0], back[0], back[1], &wish, &ops, f);
	assert_non_null(f->front);
	fake_aio_tick();
	run(f);
}

static void start(struct fix *f)
{
	struct vu_start s = { .features = ~0ull, .regions = 1, .rings = 2, .inflight = f->log, .mtu = f->mtu, .rarp = f->rarp };
	u32 i;

	s.region[0] = (struct vu_region){ .guest_addr = 0x40000000, .user_addr = 0x40000000, .bytes = 4096 };
	s.region_fd[0] = memfd_create("test", MFD_CLOEXEC);
	for (i = 0; i < 2; i++)
		s.ring[i] = (struct vu_ring){ .size = 64, .base = 7, .desc = 0x40000000, .avail = 0x40000400,
					      .used = 0x40000800, .kick = f->kick, .call = f->call, .err = -1 };
	vu_front_start(f->front, &s, START_MS);
	run(f);
	close(s.region_fd[0]);
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	f->features = FEATURES;
	f->protocol = ALL_PROTOCOL;
	f->back_peer = f->sock = f->log.fd = -1;
	f->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	vu_front_free(f->front);
	close(f->sock);
	if (f->back_peer >= 0)
		close(f->back_peer);
	close(f->call);
	close(f->kick);
	/* Nothing of a freed front-end is left once what it had begun has come back. */
	while (fake_aio_step())
		;
	fake_aio_tick();
	assert_int_equal(fake_aio_ops, 0);
	free(f);
	return 0;
}

static const struct seen *find(const struct fix *f, u32 request, u32 nth)
{
	u32 i;

	for (i = 0; i < f->count; i++)
		if (f->seen[i].request == request && !nth--)
			return &f->seen[i];
	return NULL;
}

static u64 sent_u64(const struct seen *s)
{
	u64 v;

	assert_non_null(s);
	assert_int_equal(s->bytes, 8);
	memcpy(&v, s->payload, 8);
	return v;
}

static void lie_nothing(struct fix *f, const struct seen *s) { (void)f, (void)s; }
static void lie_refuse(struct fix *f, const struct seen *s) { put_u64(f, s->request, 1); }

/* ---- what an honest server sees ---- */

static void test_whole_life(void **state)
{
	struct fix *f = *state;
	const u8 *config;
	u32 i, bytes;
	u64 count;

	begin(f, VU_P_USUAL, CONFIG_BYTES);
	assert_int_equal(f->identified, 1);
	assert_int_equal(vu_front_features(f->front), 1ull << 32 | 1ull << 9 | 5);
	assert_int_equal(vu_front_queues(f->front), 4);
	config = vu_front_config(f->front, &bytes);
	assert_int_equal(bytes, CONFIG_BYTES);
	assert_int_equal(config[59], 59);
	assert_int_equal(f->agreed, VU_P_USUAL);

	start(f);
	assert_int_equal(f->started, 1);
	/* Bits 30, 33 and 38 were asked for by the driver here, and offered by the server. */
	assert_int_equal(sent_u64(find(f, VU_SET_FEATURES, 0)), 1ull << 32 | 1ull << 9 | 5);
	/* Rings are enabled by the features without bit 30; the other request is not for us. */
	assert_null(find(f, VU_SET_VRING_ENABLE, 0));
	assert_null(find(f, VU_SET_MEM_TABLE, 0));
	assert_int_equal(find(f, VU_ADD_MEM_REG, 0)->nfds, 1);
	assert_int_equal(find(f, VU_ADD_MEM_REG, 0)->bytes, 40);
	assert_int_equal(find(f, VU_SET_VRING_ADDR, 1)->bytes, 40);
	assert_int_equal(find(f, VU_SET_VRING_KICK, 1)->nfds, 1);
	assert_int_equal(sent_u64(find(f, VU_SET_VRING_CALL, 1)), 1);
	assert_int_equal(sent_u64(find(f, VU_SET_STATUS, 2)), 15);
	for (i = 0; i < f->count; i++)
		assert_int_equal(f->seen[i].flags & ~8u, 1);

	vu_front_kick(f->front, 1);
	assert_int_equal(read(f->kick, &count, 8), 8);
	vu_front_stop(f->front, STOP_MS);
	run(f);
	assert_int_equal(f->stopped, 1);
	assert_non_null(find(f, VU_GET_VRING_BASE, 1));
	start(f);
	assert_int_equal(f->started, 2);
	assert_null(find(f, VU_ADD_MEM_REG, 1));
	assert_int_equal(f->failed, 0);
}

/* One more region, one less: while it runs, with a start or a stop coming in between, and refused. */
static void test_regions(void **state)
{
	struct vu_region region = { .guest_addr = 1ull << 40, .user_addr = 1ull << 40, .bytes = 8192 };
	struct fix *f = *state;

	begin(f, VU_P_USUAL, CONFIG_BYTES);
	assert_true(vu_front_regions_change(f->front));
	assert_int_equal(vu_front_slots(f->front), 32);
	vu_front_add_region(f->front, &region, f->kick);
	start(f);
	assert_int_equal(f->regions, 1);
	assert_int_equal(f->started, 1);
	assert_int_equal(f->region_ok, true);
	assert_int_equal(find(f, VU_ADD_MEM_REG, 0)->nfds, 1);
	assert_int_equal(find(f, VU_ADD_MEM_REG, 0)->payload[13], 1);
	vu_front_del_region(f->front, &region);
	vu_front_stop(f->front, STOP_MS);
	run(f);
	assert_int_equal(f->regions, 2);
	assert_int_equal(f->stopped, 1);
	assert_int_equal(find(f, VU_REM_MEM_REG, 0)->nfds, 0);
	f->lie_at = VU_ADD_MEM_REG;
	f->lie = lie_refuse;
	vu_front_add_region(f->front, &region, f->kick);
	run(f);
	assert_int_equal(f->regions, 3);
	assert_int_equal(f->region_ok, false);
	f->lie = NULL;
	start(f);
	assert_int_equal(f->started, 2);
	assert_int_equal(f->failed, 0);
	/* No answer is no yes. */
	f->lie_at = VU_REM_MEM_REG;
	f->lie = lie_nothing;
	vu_front_del_region(f->front, &region);
	run(f);
	for (u32 tick = 0; tick < VU_ANSWER_MS / 500 + 2; tick++)
		fake_aio_tick();
	assert_int_equal(f->regions, 3);
	assert_int_equal(f->failed, 1);
}

/* A server's record of what it has in flight: it makes one, and its successor gets that. */
static void test_inflight(void **state)
{
	struct fix *f = *state;
	const struct seen *s;
	u64 log_bytes, off;

	begin(f, VU_P_USUAL | VU_P_INFLIGHT_SHMFD, CONFIG_BYTES);
	start(f);
	assert_int_equal(f->started, 1);
	s = find(f, VU_GET_INFLIGHT_FD, 0);
	assert_int_equal(s->bytes, 24);
	assert_int_equal(s->payload[16], 2);
	assert_int_equal(s->payload[18], 64);
	assert_int_equal(find(f, VU_SET_INFLIGHT_FD, 0)->nfds, 1);
	f->log = vu_front_take_inflight(f->front);
	assert_true(f->log.fd >= 0);
	assert_int_equal(vu_front_take_inflight(f->front).fd, -1);
	vu_front_stop(f->front, STOP_MS);
	run(f);
	start(f);
	assert_int_equal(f->started, 2);
	assert_null(find(f, VU_GET_INFLIGHT_FD, 1));
	s = find(f, VU_SET_INFLIGHT_FD, 1);
	assert_int_equal(s->nfds, 1);
	memcpy(&log_bytes, s->payload, 8);
	memcpy(&off, s->payload + 8, 8);
	assert_int_equal(log_bytes, 4096);
	assert_int_equal(off, 64);
	assert_int_equal(f->failed, 0);
}

/* A server of 2014: no protocol features, so no question that needs one, and all memory in one table. */
static void test_plain_server(void **state)
{
	struct fix *f = *state;
	u32 i;

	f->features &= ~(1ull << 30);
	begin(f, VU_P_USUAL, 0);
	start(f);
	vu_front_stop(f->front, STOP_MS);
	run(f);
	assert_int_equal(f->stopped, 1);
	assert_int_equal(find(f, VU_SET_MEM_TABLE, 0)->bytes, 8 + 32);
	for (i = 0; i < f->count; i++) {
		assert_int_equal(f->seen[i].flags, 1);
		assert_true(f->seen[i].request <= VU_SET_VRING_ERR);
	}
}

static void test_in_band(void **state)
{
	struct fix *f = *state;
	u32 state_1[2] = { 1, 0 };

	close(f->call);
	close(f->kick);
	f->call = f->kick = -1;
	begin(f, VU_P_USUAL | VU_P_INBAND_NOTIFICATIONS | VU_P_XEN_MMAP, CONFIG_BYTES);
	start(f);
	assert_int_equal(f->started, 1);
	/* Xen's two fields behind the region. */
	assert_int_equal(find(f, VU_ADD_MEM_REG, 0)->bytes, 48);
	assert_null(find(f, VU_SET_VRING_KICK, 0));
	vu_front_kick(f->front, 1);
	run(f);
	assert_int_equal(find(f, VU_VRING_KICK, 0)->payload[0], 1);
	put(&(struct fix){ .sock = f->back_peer }, VU_BACK_VRING_CALL, 9, state_1, 8);
	run(f);
	assert_int_equal(f->called, 1);
	assert_int_equal(f->ring_called, 1);
	f->call = eventfd(0, 0);
	f->kick = eventfd(0, 0);
}

/* The server's own requests: a change of configuration, and a page that nobody can use. */
static void test_back_requests(void **state)
{
	struct fix *f = *state;
	struct fix back;
	u64 area[3] = { 0, 4096, 0 }, got[8];
	const u8 *config;
	u32 bytes;

	begin(f, VU_P_USUAL, CONFIG_BYTES);
	start(f);
	back.sock = f->back_peer;
	f->news = 1;
	put(&back, VU_BACK_CONFIG_CHANGE, 9, NULL, 0);
	run(f);
	assert_int_equal(f->news, 2);
	config = vu_front_config(f->front, &bytes);
	assert_int_equal(config[0], 1);
	assert_int_equal(recv(back.sock, got, sizeof(got), MSG_DONTWAIT), 20);
	assert_int_equal(((u32 *)got)[1], 5);
	assert_int_equal(((u32 *)got)[3], 0);
	put(&back, VU_BACK_HOST_NOTIFIER, 9, area, 24);
	run(f);
	assert_int_equal(recv(back.sock, got, sizeof(got), MSG_DONTWAIT), 20);
	assert_int_not_equal(((u32 *)got)[3], 0);
	assert_int_equal(f->failed, 0);
	/* One that is not known is refused, one that is not a request ends the connection. */
	put(&back, 77, 9, area, 24);
	run(f);
	assert_int_equal(recv(back.sock, got, sizeof(got), MSG_DONTWAIT), 20);
	assert_int_not_equal(((u32 *)got)[3], 0);
	assert_int_equal(f->failed, 0);
	put(&back, VU_BACK_CONFIG_CHANGE, 5, NULL, 0);
	run(f);
	assert_int_equal(f->failed, 1);
}

/* ---- lies ---- */

static void lie_request(struct fix *f, const struct seen *s) { put_u64(f, s->request + 1, 0); }
static void lie_version(struct fix *f, const struct seen *s) { put(f, s->request, 6, s->payload, 8); }
static void lie_not_reply(struct fix *f, const struct seen *s) { put(f, s->request, 1, s->payload, 8); }
static void lie_short(struct fix *f, const struct seen *s) { put(f, s->request, 5, s->payload, 7); }
static void lie_empty(struct fix *f, const struct seen *s) { put(f, s->request, 5, NULL, 0); }
static void lie_zero(struct fix *f, const struct seen *s) { put_u64(f, s->request, 0); }
static void lie_close(struct fix *f, const struct seen *s) { (void)s; shutdown(f->sock, SHUT_RDWR); }

static void lie_long(struct fix *f, const struct seen *s)
{
	u32 hdr[3] = { s->request, 5, 0xffffffff };

	assert_int_equal(send(f->sock, hdr, 12, 0), 12);
}

static void lie_twice(struct fix *f, const struct seen *s)
{
	answer(f, s);
	answer(f, s);
}

static void lie_other_ring(struct fix *f, const struct seen *s)
{
	u32 ring[2] = { 1, 0 };

	put(f, s->request, 5, ring, 8);
}

static void lie_config(struct fix *f, const struct seen *s)
{
	u8 payload[12 + CONFIG_BYTES] = { 0 };

	payload[4] = 200;	/* more than there is */
	put(f, s->request, 5, payload, sizeof(payload));
}

static void lie_config_part(struct fix *f, const struct seen *s)
{
	u8 payload[12 + 8] = { 0 };

	payload[4] = 8;
	put(f, s->request, 5, payload, sizeof(payload));
}

static void lie_fds(struct fix *f, const struct seen *s)
{
	u32 words[5] = { s->request, 5, 8, 5, 1 };
	int fds[2] = { 0, 1 };

	put_with_fds(f, words, sizeof(words), fds, 2);
}

static void lie_no_log(struct fix *f, const struct seen *s) { put_inflight(f, s, 4096, 0); }
static void lie_log_empty(struct fix *f, const struct seen *s) { put_inflight(f, s, 0, 1); }

static void lie_log_other(struct fix *f, const struct seen *s)
{
	struct seen other = *s;

	other.payload[16]++;
	put_inflight(f, &other, 4096, 1);
}

static const struct {
	u32 at;
	void (*lie)(struct fix *f, const struct seen *s);
	const char *word;	/* of the line that says why */
} lies[] = {
	{ VU_GET_FEATURES, lie_request, "another request" },
	{ VU_GET_FEATURES, lie_version, "version" },
	{ VU_GET_FEATURES, lie_not_reply, "no answer" },
	{ VU_GET_FEATURES, lie_short, "length" },
	{ VU_GET_FEATURES, lie_empty, "length" },
	{ VU_GET_FEATURES, lie_long, "longer than any" },
	{ VU_GET_FEATURES, lie_zero, "VERSION_1" },
	{ VU_GET_FEATURES, lie_twice, "another request" },
	{ VU_GET_FEATURES, lie_close, "closed" },
	{ VU_GET_FEATURES, lie_fds, "descriptors" },
	{ VU_GET_FEATURES, lie_nothing, "not answered" },
	{ VU_GET_PROTOCOL_FEATURES, lie_nothing, "not answered" },
	{ VU_GET_QUEUE_NUM, lie_zero, "fewer queues" },
	{ VU_GET_QUEUE_NUM, lie_close, "closed" },
	{ VU_GET_MAX_MEM_SLOTS, lie_zero, "no memory" },
	{ VU_SET_BACKEND_REQ_FD, lie_refuse, "failed" },
	{ VU_SET_OWNER, lie_nothing, "not answered" },
	{ VU_GET_CONFIG, lie_empty, "refuses" },
	{ VU_GET_CONFIG, lie_config, "contradict" },
	{ VU_GET_CONFIG, lie_config_part, "another part" },
	{ VU_SET_FEATURES, lie_refuse, "failed" },
	{ VU_GET_STATUS, lie_zero, "refuses the features" },
	{ VU_GET_INFLIGHT_FD, lie_no_log, "without a descriptor" },
	{ VU_GET_INFLIGHT_FD, lie_log_empty, "other rings" },
	{ VU_GET_INFLIGHT_FD, lie_log_other, "other rings" },
	{ VU_GET_INFLIGHT_FD, lie_fds, "length" },
	{ VU_SET_INFLIGHT_FD, lie_refuse, "failed" },
	{ VU_ADD_MEM_REG, lie_refuse, "failed" },
	{ VU_SET_VRING_ADDR, lie_refuse, "failed" },
	{ VU_SET_VRING_KICK, lie_close, "closed" },
	{ VU_SET_VRING_KICK, lie_nothing, "not answered" },
	{ VU_GET_VRING_BASE, lie_other_ring, "another ring" },
	{ VU_GET_VRING_BASE, lie_nothing, "not answered" },
};

/* Each ends in one failure with a line that says what it was, and with every descriptor closed. */
static void test_lies(void **state)
{
	struct fix *f;
	u32 i, tick;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(lies); i++) {
		setup((void **)&f);
		f->lie_at = lies[i].at;
		f->lie = lies[i].lie;
		begin(f, VU_P_USUAL | VU_P_INFLIGHT_SHMFD, CONFIG_BYTES);
		if (f->identified)
			start(f);
		if (f->started) {
			vu_front_stop(f->front, STOP_MS);
			run(f);
		}
		for (tick = 0; tick < VU_ANSWER_MS / 500 + 2; tick++)
			fake_aio_tick();
		if (f->failed != 1 || !strstr(f->why, lies[i].word))
			fail_msg("lie %u: failed %u times, '%s'", i, f->failed, f->why);
		run(f);
		teardown((void **)&f);
	}
}

/* Freed in the middle of each wait: nothing is called, nothing leaks. */
static void test_free_any_time(void **state)
{
	static const u32 at[] = { VU_GET_FEATURES, VU_SET_OWNER, VU_GET_CONFIG, VU_SET_FEATURES, VU_GET_VRING_BASE };
	struct fix *f;
	u32 i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(at); i++) {
		setup((void **)&f);
		f->lie_at = at[i];
		f->lie = lie_nothing;
		begin(f, VU_P_USUAL, CONFIG_BYTES);
		if (f->identified)
			start(f);
		if (f->started)
			vu_front_stop(f->front, STOP_MS);
		run(f);
		teardown((void **)&f);
	}
}

/* A server that does not read: what cannot be sent is a failure, not a wait. */
static void test_deaf_server(void **state)
{
	struct fix *f = *state;
	u32 i;

	close(f->kick);
	f->kick = -1;
	begin(f, VU_P_USUAL | VU_P_INBAND_NOTIFICATIONS, CONFIG_BYTES);
	start(f);
	assert_int_equal(f->started, 1);
	f->deaf = true;
	for (i = 0; i < 10000 && !f->failed; i++)
		vu_front_kick(f->front, 0);
	assert_int_equal(f->failed, 1);
	assert_non_null(strstr(f->why, "notifications"));
	f->kick = eventfd(0, 0);
}

/* The driver's bytes, whatever else is under way; what the server makes of them is read behind them. */
static void test_put_config(void **state)
{
	static const u8 data[4] = { 7, 8, 9, 10 };
	struct fix *f = *state;
	const struct seen *s;
	const u8 *config;
	u32 bytes;

	begin(f, VU_P_USUAL, CONFIG_BYTES);
	f->news = 3;
	assert_false(vu_front_put_config(f->front, CONFIG_BYTES - 3, data, 4));
	assert_false(vu_front_put_config(f->front, 0, data, 0));
	assert_true(vu_front_put_config(f->front, 32, data, 4));
	start(f);
	assert_int_equal(f->puts, 1);
	assert_int_equal(f->started, 1);
	s = find(f, VU_SET_CONFIG, 0);
	assert_int_equal(s->bytes, 16);
	assert_int_equal(s->payload[0], 32);
	assert_memory_equal(s->payload + 12, data, 4);
	config = vu_front_config(f->front, &bytes);
	assert_int_equal(config[0], 3);
	assert_true(vu_front_put_config(f->front, 0, data, 1));
	vu_front_stop(f->front, STOP_MS);
	run(f);
	assert_int_equal(f->puts, 2);
	assert_int_equal(f->stopped, 1);
	/* A no is none that a guest could be told later. */
	f->lie_at = VU_SET_CONFIG;
	f->lie = lie_refuse;
	assert_true(vu_front_put_config(f->front, 0, data, 1));
	run(f);
	assert_int_equal(f->puts, 2);
	assert_int_equal(f->failed, 1);
	assert_false(vu_front_put_config(f->front, 0, data, 1));
}

/* What a network card's server is told: a size if it has the bit for it, and to say where the card is. */
static void test_net(void **state)
{
	struct fix *f = *state;
	u32 round;

	f->mtu = 1400;
	f->rarp = 0x090000000002ull;
	for (round = 0; round < 2; round++) {
		f->features = round ? FEATURES | VU_F_NET_MTU : FEATURES;
		begin(f, VU_P_USUAL, 0);
		f->count = 0;
		start(f);
		assert_int_equal(f->started, round + 1);
		assert_int_equal(sent_u64(find(f, VU_SEND_RARP, 0)), f->rarp);
		if (round)
			assert_int_equal(sent_u64(find(f, VU_NET_SET_MTU, 0)), 1400);
		else
			assert_null(find(f, VU_NET_SET_MTU, 0));
		f->rarp = 2;
		if (round)
			continue;
		vu_front_free(f->front);
		close(f->sock);
		close(f->back_peer);
	}
}

/* Each answer in time, and all of them together not: a start, a stop and the beginning have an end each. */
static void slow_until(struct fix *f, const u32 *end)
{
	u32 i;

	for (i = 0; i < 2000 && !*end && !f->failed; i++) {
		fake_aio_tick();
		if (i % 10)
			continue;
		while (fake_aio_step())
			;
		serve(f);
	}
}

static void test_slow_server(void **state)
{
	static const char *const at[] = { "GET_QUEUE_NUM", "GET_STATUS", "GET_VRING_BASE" };
	struct fix *f;
	u32 i;

	(void)state;
	for (i = 0; i < XVM_ARRAY_SIZE(at); i++) {
		setup((void **)&f);
		f->deaf = !i;
		begin(f, VU_P_USUAL, CONFIG_BYTES);
		f->deaf = false;
		if (!i)
			slow_until(f, &f->identified);
		else if (i == 1)
			f->deaf = true;
		if (i)
			start(f);
		f->deaf = false;
		if (i == 1)
			slow_until(f, &f->started);
		if (i == 2) {
			vu_front_stop(f->front, 1000);
			slow_until(f, &f->stopped);
		}
		if (f->failed != 1 || !strstr(f->why, "too slowly") || !strstr(f->why, at[i]))
			fail_msg("part %u: failed %u times, '%s'", i, f->failed, f->why);
		run(f);
		teardown((void **)&f);
	}
}

/* Requests of its own without end: so many in half a second are taken, the others wait where they are, and the rings go on. */
static void test_back_flood(void **state)
{
	struct fix *f = *state, back;
	u32 round, sent, i, looks = 0;

	begin(f, VU_P_USUAL, CONFIG_BYTES);
	start(f);
	back.sock = f->back_peer;
	for (round = 0; round < 4; round++) {
		f->count = 0;
		for (sent = 0; sent < 50; sent++) {
			put(&back, VU_BACK_CONFIG_CHANGE, 1, NULL, 0);
			run(f);
		}
		for (i = 0; find(f, VU_GET_CONFIG, i); i++)
			;
		assert_in_range(i, 1, VU_BACK_MAX);
		looks += i;
		fake_aio_tick();
	}
	assert_in_range(looks, 4, 4 * VU_BACK_MAX);
	assert_int_equal(f->news, looks);
	vu_front_stop(f->front, STOP_MS);
	run(f);
	assert_int_equal(f->stopped, 1);
	assert_int_equal(f->failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inflight, setup, teardown),
		cmocka_unit_test_setup_teardown(test_regions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_band, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_requests, setup, teardown),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_free_any_time),
		cmocka_unit_test_setup_teardown(test_deaf_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_put_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_net, setup, teardown),
		cmocka_unit_test(test_slow_server),
		cmocka_unit_test_setup_teardown(test_back_flood, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
