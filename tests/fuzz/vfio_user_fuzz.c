// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vfio-user client and the driver of its virtio-pci function, from
 * negotiation to a running queue and its end, against a server whose every
 * answer the input may change: per message of the client's one byte, of which
 * the low bits say what is wrong with the reply and then bytes for it. What is
 * right comes from a small function kept here. Whatever is said, memory
 * outside of what was given is not touched and a dead connection stays dead.
 */
/* LINK: dom0/remote/vfio_user.c dom0/remote/vfio_user_conn.c dom0/remote/vfio_user_msg.c */
/* LINK: dom0/remote/vfio_user_json.c dom0/remote/virtio_pci.c dom0/remote/shadow.c */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../dom0/remote/shadow.h"
#include "../../dom0/remote/vfio_user.h"
#include "../../dom0/remote/virtio_pci.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)
#define MEMORY 0x10000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *in;
static size_t left;

static u8 next(void)
{
	left -= left > 0;
	return left ? *in++ : 0;
}

static struct vfu_client client;
static struct virtio_pci pci;
static struct shadow queue;
static u8 *memory;
static u32 stage, failures, now;
static u32 maps;	/* 1: told of memory, 2: taken, 3: told that it goes, 4: let go */
static bool pauses;
static int sock, twin;

/* ---- the owner ---- */

static void pci_done(void *arg, const char *why)
{
	(void)arg;
	if (why) {
		CHECK(strlen(why) < 120);
		vfu_client_fail(&client, why);
		return;
	}
	stage++;
	if (stage == 1) {
		CHECK(pci.num_queues && pci.num_queues <= VIRTIO_PCI_MAX_QUEUES && pci.config_bytes <= 256);
		shadow_init(&queue, memory, 0x1000, 8);
		pci.queue[0].use_size = 8;
		pci.use_features = 1ull << 32;
		maps = 1;
		vfu_client_map(&client, 0x1000, MEMORY, -1);
		virtio_pci_start(&pci);
	} else if (stage == 2) {
		struct shadow_seg seg = { 0x1000, 512 };

		shadow_put(&queue, &seg, 0, 1, 7);
		shadow_show(&queue);
		vfu_client_notify(&client, 0, 4, 0, 0);
		virtio_pci_read_config(&pci);
	} else if (stage == 3) {
		virtio_pci_reset(&pci);
	} else if (maps == 2) {
		maps = 3;
		vfu_client_unmap(&client, 0x1000, MEMORY, -1);
	}
}

/* The next round is soon enough: a reset that does not end is looked at until the input does. */
static void pci_pause(void *arg, u32 ms)
{
	(void)arg;
	CHECK(ms);
	pauses = true;
}

static u64 pci_now(void *arg)
{
	(void)arg;
	return now;
}

static const struct virtio_pci_ops pci_ops = {
	.read = vfu_client_read, .write = vfu_client_write, .try_read = vfu_client_try_read,
	.try_write = vfu_client_try_write, .size = vfu_client_size, .pause = pci_pause, .now_ms = pci_now,
	.done = pci_done,
};

static void up(void *arg)
{
	(void)arg;
	virtio_pci_init(&pci, &pci_ops, &client);
	pci.config_vector = 0;
	pci.queue_vector = 1;
	virtio_pci_probe(&pci);
}

static void settled(void *arg)
{
	(void)arg;
	virtio_pci_settled(&pci);
}

static void mapped(void *arg, u64 addr, bool by_fd)
{
	(void)arg;
	CHECK(addr == 0x1000 && !by_fd && maps == 1);
	maps = 2;
}

static void unmapped(void *arg, u64 addr)
{
	(void)arg;
	CHECK(addr == 0x1000 && maps == 3);
	maps = 4;
}

static void notified(void *arg, u32 tag)
{
	u16 token;
	u32 len;

	(void)arg;
	CHECK(!tag);
	if (shadow_take(&queue, &token, &len) == 1)
		CHECK(token == 7 && len <= 512);
}

/* The block has just these bytes, so that the sanitizer sees one beyond. */
static void *memory_at(void *arg, u64 addr, u64 len)
{
	(void)arg;
	return addr >= 0x1000 && xvm_range_ok(addr - 0x1000, len, MEMORY) ? memory + (addr - 0x1000) : NULL;
}

static void failed(void *arg, const char *why)
{
	(void)arg;
	CHECK(why && *why && !failures++);
	virtio_pci_abandon(&pci);
}

static const struct vfu_client_ops ops = { up, settled, mapped, unmapped, notified, memory_at, failed };

/* ---- the server ---- */

static void put_cap(u8 *space, u32 at, u32 to, u8 type, u8 bar, u32 off, u32 len)
{
	space[at] = 9;
	space[at + 1] = (u8)to;
	space[at + 2] = 20;
	space[at + 3] = type;
	space[at + 4] = bar;
	xvm_put32(space + at + 8, off);
	xvm_put32(space + at + 12, len);
}

/* What a read finds when nothing is wrong: the space, and registers that a driver is content with. */
static void right_read(const u8 *body, u8 *to, u32 count)
{
	static const u8 common[64] = { [7] = 0x80, [18] = 1, [20] = 0, [24] = 64, [28] = 1, [30] = 1 };
	u32 region = xvm_get32(body + 8), i, from = (u32)xvm_get64(body);
	u8 space[4096] = { 0 };

	if (region == 7) {
		xvm_put16(space, 0x1af4);
		xvm_put16(space + 2, 0x1042);
		xvm_put16(space + 6, 0x10);
		space[0x34] = 0x40;
		put_cap(space, 0x40, 0x54, 1, 0, 0, 64);
		put_cap(space, 0x54, 0x68, 2, 0, 0, 64);
		put_cap(space, 0x68, 0x7c, 3, 0, 64, 1);
		put_cap(space, 0x7c, 0, 4, 0, 128, 60);
	} else {
		memcpy(space, common, sizeof(common));
		xvm_put32(space + 4, 1);	/* VERSION_1, whichever half is asked for */
		space[20] = stage == 1 ? 15 : 0;
		space[26] = stage == 1;
		space[16] = 0;
	}
	for (i = 0; i < count; i++)
		to[i] = from + i < sizeof(space) ? space[from + i] : 0;
}

static u32 right_reply(u16 cmd, const u8 *body, u8 *to)
{
	static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":65536}}";

	switch (cmd) {
	case VFU_VERSION:
		xvm_put32(to, 0);
		memcpy(to + 4, caps, sizeof(caps));
		return 4 + sizeof(caps);
	case VFU_GET_INFO:
		xvm_put32(to + 4, VFU_INFO_F_RESET | VFU_INFO_F_PCI);
		xvm_put32(to + 8, 9);
		xvm_put32(to + 12, 5);
		return 16;
	case VFU_GET_REGION_INFO:
		memset(to, 0, 32);
		xvm_put32(to + 4, 3);
		xvm_put32(to + 8, xvm_get32(body + 8));
		xvm_put64(to + 16, 4096);
		return 32;
	case VFU_GET_IRQ_INFO:
		memcpy(to, body, 16);
		xvm_put32(to + 4, 1);
		xvm_put32(to + 12, 3);
		return 16;
	case VFU_REGION_READ:
		memcpy(to, body, 16);
		right_read(body, to + 16, xvm_get32(body + 12));
		return 16 + xvm_get32(body + 12);
	case VFU_REGION_WRITE:
		memcpy(to, body, 16);
		return 16;
	}
	return 0;
}

static void say(int to, u16 id, u16 cmd, u32 flags, const u8 *body, u32 len, int fd)
{
	struct vfu_hdr hdr = { id, cmd, VFU_HDR_BYTES + len, flags, flags & VFU_F_ERROR ? next() : 0 };
	u8 raw[VFU_HDR_BYTES + 8192];
	struct iovec iov = { raw, VFU_HDR_BYTES + len };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	vfu_put_hdr(raw, &hdr);
	memcpy(raw + VFU_HDR_BYTES, body, len);
	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(int));
	}
	if (sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

/* A command of the server's, anywhere in memory or beside it. */
static void say_dma(int to)
{
	u8 body[16 + 256] = { 0 };
	bool write = next() & 1;
	u64 len = next();

	xvm_put64(body, 0x1000 + (u64)next() * 0x101);
	xvm_put64(body + 8, len);
	say(to, next(), write ? VFU_DMA_WRITE : VFU_DMA_READ, next() & VFU_F_NO_REPLY, body, write ? 16 + (u32)len : 16, -1);
}

static void answer(const u8 *raw, u32 bytes)
{
	u8 body[8192] = { 0 }, what = next(), i;
	u16 id = xvm_get16(raw), cmd = xvm_get16(raw + 2);
	u32 len, flags = VFU_F_REPLY;
	int fd = -1, pair[2];

	(void)bytes;
	len = right_reply(cmd, raw + VFU_HDR_BYTES, body);
	for (i = 0; i < (what & 7); i++)
		body[next() | (what & 8 ? 0 : next() << 8 & 0x1ff)] = next();
	if (what & 16)
		len = next() | (next() & 3) << 8;
	if (what & 32)
		say_dma(what & 1 && twin >= 0 ? twin : sock);
	if (what & 64) {
		id ^= next();
		flags = next();
	}
	if (what & 128 && cmd == VFU_VERSION && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
		static const char caps[] = "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}";

		memcpy(body + 4, caps, sizeof(caps));
		len = 4 + sizeof(caps);
		fd = pair[0];
		twin = pair[1];
	} else if (what & 128) {
		fd = dup(sock);
	}
	say(sock, id, cmd, flags, body, len, fd);
	if (fd >= 0)
		close(fd);
}

/* All that the client has said; false: nothing. */
static bool serve(void)
{
	static u8 raw[VFU_HDR_BYTES + 4096];
	bool some = false;
	u32 bytes;

	while (recv(sock, raw, VFU_HDR_BYTES, MSG_DONTWAIT) == VFU_HDR_BYTES) {
		bytes = xvm_get32(raw + 4);
		CHECK(bytes >= VFU_HDR_BYTES && bytes <= sizeof(raw));
		if (bytes > VFU_HDR_BYTES)
			CHECK(recv(sock, raw + VFU_HDR_BYTES, bytes - VFU_HDR_BYTES, MSG_DONTWAIT) == bytes - VFU_HDR_BYTES);
		some = true;
		if ((xvm_get32(raw + 8) & VFU_F_TYPE) == VFU_F_COMMAND)
			answer(raw, bytes);
	}
	/* Used elements as the server likes them. */
	if (stage >= 2 && next() & 1)
		memory[next() % SHADOW_QUEUE_BYTES] = next();
	return some;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 rounds;
	int pair[2];

	in = data;
	left = size + 1;
	stage = failures = maps = now = 0;
	pauses = false;
	twin = -1;
	if (size > 4096 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	sock = pair[0];
	memory = calloc(1, MEMORY);
	memset(&pci, 0, sizeof(pci));
	CHECK(!vfu_client_init(&client, pair[1], true, &ops, NULL, 0));
	for (rounds = 0; rounds < 400 && serve(); rounds++) {
		while (vfu_client_pump(&client, rounds))
			;
		if (!pauses)
			continue;
		pauses = false;
		now += 1000;
		virtio_pci_look_again(&pci);
	}
	vfu_client_tick(&client, 1000000);
	CHECK(failures <= 1 && vfu_client_dead(&client) == (failures == 1));
	vfu_client_end(&client);
	close(sock);
	if (twin >= 0)
		close(twin);
	free(memory);
	return 0;
}
