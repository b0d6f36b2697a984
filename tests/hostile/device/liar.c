// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the worker meets the liar, and which lie it is. `xvmsg-liar list` prints the lies and what a guest may see of each. */
#include "liar.h"
#include "../../../dom0/base/log.h"
#include "../../../dom0/worker/confine.h"
#include "../../../dom0/worker/worker_priv.h"
#include "../../../xen/user/evtchn.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xenstore.h>

const struct lie *lie;
struct liar liar;
static struct worker *worker;

u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

u32 rnd(void)
{
	static u32 seed = 20261121;

	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* ---- which lie ---- */

static const struct lie *find(const char *name)
{
	const struct lie *at, *const groups[] = { message_lies, raw_lies };
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(groups); i++)
		for (at = groups[i]; at->name; at++)
			if (!strcmp(at->name, name))
				return at;
	return NULL;
}

static void list(const struct lie *at)
{
	for (; at->name; at++)
		printf("%s %s\n", at->name, at->expect);
}

static void choose(const char *domid)
{
	struct xs_handle *xs = xs_open(0);
	char path[80], *name;
	unsigned int len;

	snprintf(path, sizeof(path), "/local/domain/%s/device/virtio-msg/0/lie", domid);
	name = xs ? xs_read(xs, XBT_NULL, path, &len) : NULL;
	lie = name ? find(name) : NULL;
	free(name);
	if (xs)
		xs_close(xs);
}

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);
int __wrap_main(int argc, char **argv)
{
	int i;

	if (argc == 2 && !strcmp(argv[1], "list")) {
		list(message_lies);
		list(raw_lies);
		return 0;
	}
	for (i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--domid"))
			choose(argv[i + 1]);
	return __real_main(argc, argv);
}

/* ---- what the worker does ---- */

int __real_worker_start(struct worker *w, const struct xvm_ipc_start *start, int evtchn_fd, int shared_fd);
int __wrap_worker_start(struct worker *w, const struct xvm_ipc_start *start, int evtchn_fd, int shared_fd);
int __wrap_worker_start(struct worker *w, const struct xvm_ipc_start *start, int evtchn_fd, int shared_fd)
{
	int err = __real_worker_start(w, start, evtchn_fd, shared_fd);

	if (err)
		return err;
	worker = w;
	liar.dialect = start->dialect;
	liar.max_message = start->max_message;
	liar.ring_bytes = XVM_PAGE_BYTES << start->ring_order;
	liar.control = w->shared;
	liar.drv = w->shared + XVM_PAGE_BYTES;
	liar.dev = liar.drv + liar.ring_bytes;
	liar.start_ms = now_ms();
	log_info("lie: %s", lie ? lie->name : "none");
	return 0;
}

int __real_xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer);
int __wrap_xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer);
int __wrap_xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer)
{
	liar.tx = tx;
	if (!lie || !lie->message)
		return __real_xvm_ring_tx_put(tx, msg, len, answer);
	lie->message(msg, len, answer);
	return 0;
}

int put(const u8 *msg, u32 len, bool answer)
{
	return liar.tx ? __real_xvm_ring_tx_put(liar.tx, msg, len, answer) : -EAGAIN;
}

void notify(void)
{
	worker->evtchn->ops->notify(worker->evtchn, worker->port);
}

void publish(void)
{
	if (liar.tx && xvm_ring_tx_publish(liar.tx))
		notify();
}

int __real_xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap);
int __wrap_xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap);
int __wrap_xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap)
{
	int len;

	do {
		len = __real_xvm_ring_rx_get(rx, buf, cap);
	} while (len >= 0 && lie && lie->record && !lie->record(buf, (u32)len));
	return len;
}

bool __real_bus_pass(struct bus *bus);
bool __wrap_bus_pass(struct bus *bus);
bool __wrap_bus_pass(struct bus *bus)
{
	bool more = __real_bus_pass(bus);

	if (worker && !worker->stopping && lie && lie->turn)
		more = lie->turn() || more;
	return more;
}

void __real_xvm_vq_push(struct xvm_vq *vq, u16 head, u32 len);
void __wrap_xvm_vq_push(struct xvm_vq *vq, u16 head, u32 len);
void __wrap_xvm_vq_push(struct xvm_vq *vq, u16 head, u32 len)
{
	liar.given++;
	if (lie && lie->used)
		lie->used(vq, head, len);
	else
		__real_xvm_vq_push(vq, head, len);
}

void give(struct xvm_vq *vq, u16 head, u32 len)
{
	__real_xvm_vq_push(vq, head, len);
}

bool __real_xvm_vq_flush(struct xvm_vq *vq);
bool __wrap_xvm_vq_flush(struct xvm_vq *vq);
bool __wrap_xvm_vq_flush(struct xvm_vq *vq)
{
	bool wanted = __real_xvm_vq_flush(vq);

	if (lie && lie->shown && vq->enabled)
		lie->shown(vq);
	return wanted;
}
