// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker that was taken over, against the supervisor: any datagrams, any content of a guest's directory pages. The
 * input is whether HELLO and START are over, then records: kind, length, bytes. A kind below 16 is a datagram with a right
 * header, others come as they are. The supervisor names no grant the guest did not, holds no more pages than its budget, and
 * gives all of them back.
 */
/* LINK: xen/proto xen/user/store.c dom0/base/fdsock.c dom0/base/log.c */
/* LINK: dom0/daemon/decide.c dom0/daemon/budget.c dom0/spec/spec.c dom0/daemon/image.c dom0/daemon/vfio_user.c dom0/daemon/host_*.c dom0/daemon/pty.c dom0/daemon/opener.c */
/* LINK: dom0/daemon/disk.c dom0/daemon/link.c dom0/daemon/connect.c dom0/daemon/guests.c dom0/daemon/worker.c dom0/daemon/targets.c */
/* LINK: dom0/daemon/own.c dom0/daemon/warn.c dom0/daemon/driver.c dom0/daemon/record.c dom0/daemon/op.c dom0/daemon/keep.c dom0/daemon/server.c dom0/daemon/server_*.c */
/* LINK: dom0/daemon/requests.c dom0/daemon/util.c dom0/daemon/paths.c dom0/daemon/trace.c tests/support/fake_store.c */
/* LIBS: -levent_core -ljson-c */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "../support/fake_store.h"
#include "../../dom0/daemon/worker.h"
#include "../../xen/user/xen.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)
#define DOMID 5
#define PAGES 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct xvm_daemon d;
static struct xvm_worker w;
static const uint8_t *input;
static size_t input_bytes;

/* ---- Xen ---- */

int xvm_xen_copy_page(u32 domid, u32 ref, void *dst, size_t bytes)
{
	size_t i;

	CHECK(domid == DOMID && bytes && bytes <= 4096 && bytes % 4 == 0);
	if (ref % 16 == 15)
		return -EINVAL;
	for (i = 0; i < bytes; i++)
		((u8 *)dst)[i] = input[(ref + i) % input_bytes];
	return 0;
}

int xvm_xen_grant_fd(u32 domid, const u32 *refs, u32 count)
{
	u32 i, sum = 0;

	CHECK(domid == DOMID && count && count <= XVM_AREA_MAX_PAGES && count <= PAGES);
	for (i = 0; i < count; i++)	/* under a sanitizer: all of them are there */
		sum ^= refs[i];
	return sum % 8 == 7 ? -EINVAL : open("/dev/null", O_RDWR | O_CLOEXEC);
}

int xvm_xen_channel_fd(u32 domid, const u32 *remote, u32 count, u32 *local)
{
	(void)domid, (void)remote, (void)count, (void)local;
	return -EINVAL;
}

void xvm_ctl_stats_came(struct xvm_guest *guest)
{
	CHECK(guest->domid == DOMID);
}

/* ---- one guest with a worker and two disks ---- */

static void ignore(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void ignore_line(void *arg, int level, const char *line)
{
	(void)arg;
	CHECK(level <= LOG_DEBUG && !strchr(line, '\n'));
}

static void start(int *peer)
{
	static const struct xvm_options options = { .ring_order = 3, .credits = 32, .connect_ms = 1000 };
	struct xvm_guest *guest = calloc(1, sizeof(*guest));
	int sock[2], i;

	log_to(ignore_line, NULL);
	memset(&d, 0, sizeof(d));
	d.options = options;
	d.base = event_base_new();
	d.settle = event_new(d.base, -1, 0, ignore, NULL);
	d.store = fake_store_new();
	d.budget = (struct xvm_budget){ .total_pages = PAGES, .guest_pages = PAGES };
	d.guests = guest;
	guest->daemon = &d;
	guest->domid = DOMID;
	xvm_link_init(guest);
	guest->link.phase = XVM_LINK_UP;
	for (i = 1; i <= 2; i++) {
		struct xvm_disk *disk = calloc(1, sizeof(*disk));

		disk->guest = guest;
		disk->num = (u16)i;
		disk->devid = 51712u + 16u * (u32)i;
		disk->in_worker = true;
		disk->image.spec = (struct xvm_spec){ .kind = i == 1 ? XVM_KIND_VHOST_USER : XVM_KIND_BLK, .trusted = true };
		disk->phase = i == 1 ? XVM_DISK_READY : XVM_DISK_LEAVING;
		disk->limit = evtimer_new(d.base, ignore, NULL);
		disk->next = guest->disks;
		guest->disks = disk;
	}
	CHECK(!fdsock_pair(sock));
	*peer = sock[1];
	memset(&w, 0, sizeof(w));
	w.guest = guest;
	w.pid = 0x7ffffff0;	/* nobody */
	w.sock = sock[0];
	w.requests = (struct xvm_rate)XVM_RATE(400, 5, 1000);
	w.readable = event_new(d.base, w.sock, EV_READ, ignore, NULL);
	w.limit = evtimer_new(d.base, ignore, NULL);
	guest->worker = &w;
}

static void stop(int peer)
{
	struct xvm_guest *guest = d.guests;
	u32 i, held = 0;

	for (i = 0; i <= XVM_AREA_ID_MAX; i++) {
		held += w.area_pages[i] * (w.area_shared[i] ? 2 : 1);
		/* A server has what is of its own device. */
		CHECK(!w.area_shared[i] || w.area_shared[i] == w.area_num[i]);
	}
	CHECK(held == guest->pages_held && held == d.budget.used_pages && held <= PAGES);
	xvm_budget_give(&d.budget, &guest->pages_held, guest->pages_held);
	CHECK(!d.budget.used_pages);
	guest->worker = NULL;
	while (guest->disks) {
		struct xvm_disk *disk = guest->disks;

		guest->disks = disk->next;
		xvm_server_free(disk);
		event_free(disk->limit);
		free(disk);
	}
	xvm_link_free(guest);
	free(guest);
	event_free(w.readable);
	event_free(w.limit);
	for (u32 id = 0; id <= XVM_AREA_ID_MAX; id++)
		free(w.area_refs[id]);
	event_free(d.settle);
	event_base_free(d.base);
	fake_store_free(d.store);
	close(w.sock);
	close(peer);
}

static size_t bytes_of(u32 type)
{
	switch (type) {
	case XVM_IPC_HELLO: return sizeof(struct xvm_ipc_hello);
	case XVM_IPC_MAP: return sizeof(struct xvm_ipc_map);
	case XVM_IPC_UNMAP: return sizeof(struct xvm_ipc_unmap);
	case XVM_IPC_DEV_STATE: return sizeof(struct xvm_ipc_dev_state);
	case XVM_IPC_LOG: return sizeof(struct xvm_ipc_log);
	case XVM_IPC_STATS: return sizeof(struct xvm_ipc_stats);
	case XVM_IPC_DEV_STATS: return sizeof(struct xvm_ipc_dev_stats);
	case XVM_IPC_FAIL: return sizeof(struct xvm_ipc_fail);
	case XVM_IPC_SHARE: return sizeof(struct xvm_ipc_share);
	}
	return 0;
}

/* kind 0..15: a message of a type with right length; above: as it comes. */
static const char *one(u8 kind, const uint8_t *data, size_t n)
{
	struct fdsock_msg msg = { 0 };
	struct xvm_ipc_hdr hdr = { .type = XVM_IPC_HELLO + kind % 9u };

	memset(msg.fds.fd, -1, sizeof(msg.fds.fd));
	if (kind < 16 && bytes_of(hdr.type)) {
		hdr.bytes = (u32)bytes_of(hdr.type);
		msg.bytes = hdr.bytes;
		memcpy(msg.data, &hdr, sizeof(hdr));
		if (n > msg.bytes - sizeof(hdr))
			n = msg.bytes - sizeof(hdr);
		memcpy(msg.data + sizeof(hdr), data, n);
		if (kind == 0)	/* with the right version, or nothing comes after it */
			((struct xvm_ipc_hello *)msg.data)->version = XVM_IPC_VERSION;
	} else {
		msg.bytes = n;
		memcpy(msg.data, data, n);
	}
	return xvm_worker_request(&w, &msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *fault = NULL;
	struct fdsock_msg reply;
	int peer;

	if (size < 4)
		return 0;
	input = data;
	input_bytes = size;
	start(&peer);
	w.hello = w.started = data[0] & 1;
	for (data++, size--; size >= 2 && !fault;) {
		u8 kind = data[0];
		size_t n = data[1];

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		fault = one(kind, data, n);
		CHECK(!fault || fault[0]);
		data += n;
		size -= n;
		while (fdsock_recv(peer, &reply) == 1)
			fdsock_release(&reply);
	}
	stop(peer);
	return 0;
}
