// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target of the vhost-user front-end, dom0/remote: the input is what the
 * server writes to the main socket and to the one for its own requests, in
 * pieces, with ticks of the clock and the device's own calls between them. Each
 * run ends with a freed front-end that has left nothing behind.
 *
 * A piece: one byte of what (0: main socket, 1: the other, 2: device and clock)
 * and how long, then its bytes.
 */
/* LINK: dom0/remote/vhost_user.c dom0/remote/vhost_user_steps.c dom0/remote/vhost_user_conn.c */
/* LINK: dom0/remote/vhost_user_msg.c */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/fake_aio.h"
#include "../../dom0/remote/vhost_user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct vu_front *front;
	int sock, back;
	bool started, over, region, put;
};

static void on_identified(void *arg)
{
	struct run *run = arg;
	struct vu_start start = { .features = ~0ull, .regions = 1, .rings = 2, .inflight.fd = -1 };

	start.region[0].bytes = 4096;
	start.region_fd[0] = 0;
	start.ring[0] = start.ring[1] = (struct vu_ring){ .size = 4, .kick = -1, .call = -1, .err = -1 };
	vu_front_start(run->front, &start, 20000);
}

static void on_started(void *arg)
{
	((struct run *)arg)->started = true;
}

static void on_nothing(void *arg)
{
	(void)arg;
}

static void on_region(void *arg, bool ok)
{
	struct run *run = arg;

	(void)ok;
	if (!run->region)
		abort();
	run->region = false;
}

static void on_put(void *arg)
{
	struct run *run = arg;

	if (!run->put)
		abort();
	run->put = false;
}

static void on_called(void *arg, u32 ring)
{
	(void)arg;
	if (ring >= 2)
		abort();
}

static void on_failed(void *arg, const char *why)
{
	struct run *run = arg;

	if (run->over || !*why)
		abort();
	run->over = true;
}

static const struct vu_front_ops ops = {
	on_identified, on_started, on_nothing, on_nothing, on_put, on_region, on_called, on_failed,
};

static void device(struct run *run, uint8_t what)
{
	struct vu_region region = { .bytes = 4096 };
	u8 bytes[4] = { what };

	if (run->over)
		return;
	/* One at a time; a server may be asked at any time after it was identified. */
	if (what >= 48 && run->started && !run->region) {
		run->region = true;
		if (what & 4)
			vu_front_add_region(run->front, &region, 0);
		else
			vu_front_del_region(run->front, &region);
	}
	switch (what & 3) {
	case 0:
		fake_aio_tick();
		break;
	case 1:
		vu_front_kick(run->front, what >> 2);
		break;
	case 2:
		vu_front_stop(run->front, 30000);
		break;
	default:
		if (!run->put)
			run->put = vu_front_put_config(run->front, what >> 2, bytes, sizeof(bytes));
	}
}

static void drain(int sock)
{
	u8 bytes[4096];

	while (recv(sock, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void script(struct run *run, const uint8_t *data, size_t size)
{
	size_t at = 0, n;
	u8 what;

	while (at < size && !run->over) {
		what = data[at++];
		n = what >> 2;
		n = n < size - at ? n : size - at;
		if ((what & 3) == 2)
			device(run, what >> 2);
		else if (send((what & 3) == 1 ? run->back : run->sock, data + at, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		at += (what & 3) == 2 ? 0 : n;
		while (fake_aio_step())
			;
		drain(run->sock);
		drain(run->back);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vu_wish wish = { .protocol = ~0ull, .queues = 1, .config_bytes = 24 };
	struct run run = { 0 };
	int sock[2], back[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) || socketpair(AF_UNIX, SOCK_STREAM, 0, back))
		abort();
	run.sock = sock[1];
	run.back = dup(back[1]);
	run.front = vu_front_new(NULL, sock[0], back[0], back[1], &wish, &ops, &run);
	if (!run.front)
		abort();
	fake_aio_tick();
	script(&run, data, size);
	vu_front_free(run.front);
	close(run.sock);
	close(run.back);
	while (fake_aio_step())
		;
	fake_aio_tick();
	if (fake_aio_ops)
		abort();
	return 0;
}
