// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio_user.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u
#define CONFIG_REGION 7u

static const char *refused(struct vfu_client *c, const struct vfu_msg *reply)
{
	snprintf(c->why, sizeof(c->why), "server refuses %s (error %u)", vfu_name(reply->cmd), reply->error);
	return c->why;
}

static const char *nonsense(struct vfu_client *c, const struct vfu_msg *reply)
{
	snprintf(c->why, sizeof(c->why), "server's reply to %s makes no sense", vfu_name(reply->cmd));
	return c->why;
}

static void call(struct vfu_client *c, u16 cmd, const u8 *body, u32 bytes, vfu_done done, u64 tag)
{
	vfu_conn_call(c->conn, cmd, body, bytes, NULL, 0, NULL, 0, done, tag, c->now_ms);
}

/* ---- what the server asks ---- */

static const char *command_came(void *arg, struct vfu_msg *msg)
{
	struct vfu_client *c = arg;
	bool write = msg->cmd == VFU_DMA_WRITE;
	u8 head[VFU_ACCESS_BYTES];
	struct vfu_dma dma;
	void *at;

	if (vfu_get_dma(msg->body, msg->bytes, write, &dma))
		return "server asks for memory in a message of the wrong length";
	at = dma.count ? c->ops->memory(c->arg, dma.addr, dma.count) : NULL;
	if (at && write)
		xvm_shm_copy(at, msg->body + VFU_ACCESS_BYTES, (size_t)dma.count);
	vfu_put_dma(head, &dma);
	vfu_conn_answer(c->conn, msg, at ? 0 : EFAULT, head, at, write ? 0 : (u32)dma.count);
	return NULL;
}

static void conn_failed(void *arg, const char *why)
{
	struct vfu_client *c = arg;

	c->ops->failed(c->arg, why);
}

/* ---- negotiation ---- */

static const char *reset_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;

	(void)tag;
	if (reply->error)
		return refused(c, reply);
	c->is_up = true;
	c->ops->up(c->arg);
	return NULL;
}

static void infos_done(struct vfu_client *c)
{
	if (c->info.flags & VFU_INFO_F_RESET) {
		call(c, VFU_RESET, NULL, 0, reset_done, 0);
		return;
	}
	c->is_up = true;
	c->ops->up(c->arg);
}

static const char *region_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;
	struct vfu_client_region *r = &c->region[tag];

	if (reply->error)
		return refused(c, reply);
	if (vfu_get_region_info(reply->body, reply->bytes, &r->info) || r->info.index != tag || reply->nfds > 1)
		return nonsense(c, reply);
	if (reply->nfds) {
		r->fd = reply->fd[0];
		reply->fd[0] = -1;
	}
	if (!--c->asked)
		infos_done(c);
	return NULL;
}

static const char *irq_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;
	struct vfu_irq_info *irq = &c->irq[tag];

	if (reply->error)
		return refused(c, reply);
	if (vfu_get_irq_info(reply->body, reply->bytes, irq) || irq->index != tag)
		return nonsense(c, reply);
	if (!(irq->flags & VFU_IRQ_F_EVENTFD))
		irq->count = 0;
	if (!--c->asked)
		infos_done(c);
	return NULL;
}

static void ask_region(struct vfu_client *c, u32 index)
{
	u8 body[VFU_REGION_INFO_BYTES];

	vfu_put_region_info(body, index);
	call(c, VFU_GET_REGION_INFO, body, sizeof(body), region_done, index);
	c->asked++;
}

static void ask_irq(struct vfu_client *c, u32 index)
{
	u8 body[VFU_IRQ_INFO_BYTES];

	vfu_put_irq_info(body, index);
	call(c, VFU_GET_IRQ_INFO, body, sizeof(body), irq_done, index);
	c->asked++;
}

static const char *info_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;
	u32 i;

	(void)tag;
	if (reply->error)
		return refused(c, reply);
	if (vfu_get_info(reply->body, reply->bytes, &c->info))
		return nonsense(c, reply);
	if (!(c->info.flags & VFU_INFO_F_PCI) || c->info.regions <= CONFIG_REGION)
		return "server has no PCI function";
	for (i = 0; i < 6; i++)
		ask_region(c, i);
	ask_region(c, CONFIG_REGION);
	ask_irq(c, VFU_IRQ_INTX);
	if (c->info.irqs > VFU_IRQ_MSIX)
		ask_irq(c, VFU_IRQ_MSIX);
	return NULL;
}

/* A second socket comes exactly when it was offered and is said to come. Else nobody knows what is meant. */
static const char *take_twin(struct vfu_client *c, bool offered, const struct vfu_version *v, struct vfu_msg *reply)
{
	struct stat st;

	if (!v->twin)
		return v->twin_indexed || reply->nfds ? "server sent a second socket and does not say so" : NULL;
	if (!offered)
		return "server accepts a second socket that was not offered";
	if (!v->twin_indexed || reply->nfds != 1 || v->twin_index)
		return "server accepts a second socket and does not send just that";
	if (fstat(reply->fd[0], &st) || !S_ISSOCK(st.st_mode))
		return "server's second socket is none";
	vfu_conn_set_twin(c->conn, reply->fd[0]);
	reply->fd[0] = -1;
	return NULL;
}

static const char *version_done(void *arg, u64 offered, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;
	struct vfu_version version;
	u8 body[VFU_INFO_BYTES];
	const char *why;

	if (reply->error)
		return refused(c, reply);
	if (vfu_get_version(reply->body, reply->bytes, &version))
		return nonsense(c, reply);
	if (version.major != VFU_MAJOR || version.minor > VFU_MINOR) {
		snprintf(c->why, sizeof(c->why), "server speaks version %u.%u, not %u.%u or a lower minor",
			 version.major, version.minor, VFU_MAJOR, VFU_MINOR);
		return c->why;
	}
	if (!version.max_fds || version.max_xfer < PAGE)
		return "server takes no descriptor, or less than 4096 bytes, in a message";
	why = take_twin(c, offered, &version, reply);
	if (why)
		return why;
	vfu_conn_set_limits(c->conn, version.max_fds, version.max_xfer);
	vfu_put_info(body);
	call(c, VFU_GET_INFO, body, sizeof(body), info_done, 0);
	return NULL;
}

static const struct vfu_conn_ops conn_ops = { command_came, conn_failed };

int vfu_client_init(struct vfu_client *c, int sock, bool twin, const struct vfu_client_ops *ops, void *arg, u64 now_ms)
{
	u8 body[VFU_MAX_JSON];
	u32 i;

	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->arg = arg;
	c->now_ms = now_ms;
	for (i = 0; i < VFU_REGIONS; i++)
		c->region[i].fd = -1;
	c->conn = vfu_conn_new(sock, &conn_ops, c);
	if (!c->conn)
		return -ENOMEM;
	call(c, VFU_VERSION, body, vfu_put_version(body, twin), version_done, twin);
	return 0;
}

void vfu_client_end(struct vfu_client *c)
{
	u32 i;

	if (!c->conn)
		return;
	vfu_conn_free(c->conn);
	c->conn = NULL;
	for (i = 0; i < VFU_REGIONS; i++) {
		if (c->region[i].map)
			munmap(c->region[i].map, c->region[i].map_bytes);
		if (c->region[i].fd >= 0)
			close(c->region[i].fd);
		c->region[i].map = NULL;
		c->region[i].fd = -1;
	}
}

bool vfu_client_dead(const struct vfu_client *c)
{
	return !c->conn || vfu_conn_dead(c->conn);
}

void vfu_client_fail(struct vfu_client *c, const char *why)
{
	if (c->conn)
		vfu_conn_fail(c->conn, why);
}

bool vfu_client_pump(struct vfu_client *c, u64 now_ms)
{
	c->now_ms = now_ms;
	return c->conn && vfu_conn_pump(c->conn, now_ms);
}

void vfu_client_tick(struct vfu_client *c, u64 now_ms)
{
	c->now_ms = now_ms;
	if (c->conn)
		vfu_conn_tick(c->conn, now_ms);
}

/* ---- regions ---- */

static void one_done(struct vfu_client *c)
{
	if (!--c->posted)
		c->ops->settled(c->arg);
}

static bool same_access(const struct vfu_access *a, const struct vfu_access *b)
{
	return a->offset == b->offset && a->region == b->region && a->count == b->count;
}

static const char *read_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;
	struct vfu_client_read *read = &c->read[tag];
	struct vfu_access said;
	void *dst = read->dst;

	read->dst = NULL;
	if (reply->error && !read->refused)
		return refused(c, reply);
	if (read->refused)
		*read->refused = reply->error;
	if (reply->error) {
		one_done(c);
		return NULL;
	}
	if (vfu_get_access(reply->body, reply->bytes, &said) || !same_access(&said, &read->access) ||
	    reply->bytes != VFU_ACCESS_BYTES + said.count)
		return nonsense(c, reply);
	memcpy(dst, reply->body + VFU_ACCESS_BYTES, said.count);
	one_done(c);
	return NULL;
}

static const char *write_done(void *arg, u64 may_refuse, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;

	if (reply->error && !may_refuse)
		return refused(c, reply);
	one_done(c);
	return NULL;
}

static const char *notify_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;

	if (reply->error)
		return refused(c, reply);
	c->ops->notified(c->arg, (u32)tag);
	return NULL;
}

void vfu_client_try_read(void *client, u32 region, u64 off, void *dst, u32 len, bool *refused)
{
	struct vfu_client *c = client;
	u8 body[VFU_ACCESS_BYTES];
	u32 i = 0;

	if (vfu_client_dead(c))
		return;
	while (i < VFU_MAX_PENDING && c->read[i].dst)
		i++;
	if (i == VFU_MAX_PENDING) {
		vfu_client_fail(c, "too many reads wait for the server");
		return;
	}
	c->read[i].dst = dst;
	c->read[i].refused = refused;
	c->read[i].access = (struct vfu_access){ .offset = off, .region = region, .count = len };
	vfu_put_access(body, &c->read[i].access);
	c->posted++;
	call(c, VFU_REGION_READ, body, sizeof(body), read_done, i);
}

void vfu_client_read(void *client, u32 region, u64 off, void *dst, u32 len)
{
	vfu_client_try_read(client, region, off, dst, len, NULL);
}

static void write_region(struct vfu_client *c, u32 region, u64 off, const void *src, u32 len, vfu_done done, u64 tag)
{
	struct vfu_access access = { .offset = off, .region = region, .count = len };
	u8 body[VFU_ACCESS_BYTES];

	vfu_put_access(body, &access);
	vfu_conn_call(c->conn, VFU_REGION_WRITE, body, sizeof(body), src, len, NULL, 0, done, tag, c->now_ms);
}

static void post_write(struct vfu_client *c, u32 region, u64 off, const void *src, u32 len, bool may_refuse)
{
	if (vfu_client_dead(c))
		return;
	c->posted++;
	write_region(c, region, off, src, len, write_done, may_refuse);
}

void vfu_client_write(void *client, u32 region, u64 off, const void *src, u32 len)
{
	post_write(client, region, off, src, len, false);
}

void vfu_client_try_write(void *client, u32 region, u64 off, const void *src, u32 len)
{
	post_write(client, region, off, src, len, true);
}

u64 vfu_client_size(void *client, u32 region)
{
	struct vfu_client *c = client;

	return region < VFU_REGIONS ? c->region[region].info.size : 0;
}

void vfu_client_notify(struct vfu_client *c, u32 region, u64 off, u16 value, u32 tag)
{
	u8 bytes[2];

	if (vfu_client_dead(c))
		return;
	xvm_put16(bytes, value);
	write_region(c, region, off, bytes, sizeof(bytes), notify_done, tag);
}

/* ---- regions as memory ---- */

/* Of this part of a region the server says that it may be mapped. */
static bool may_map(const struct vfu_region *r, u64 off, u32 len)
{
	u32 i;

	if (!(r->flags & VFU_REGION_F_MMAP) || !(r->flags & VFU_REGION_F_WRITE))
		return false;
	if (!r->sparse)
		return xvm_range_ok(off, len, r->size);
	for (i = 0; i < r->areas; i++) {
		if (off >= r->area[i].offset && xvm_range_ok(off - r->area[i].offset, len, r->area[i].size))
			return true;
	}
	return false;
}

/* A file that its owner can cut short would be a signal to us where it has ended: the server must not be able to. */
static bool will_not_shrink(int fd, u64 to, bool trusted)
{
	int seals = trusted ? F_SEAL_SHRINK : fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && seals & F_SEAL_SHRINK && !fstat(fd, &st) && S_ISREG(st.st_mode) && (u64)st.st_size >= to;
}

u8 *vfu_client_mapped(struct vfu_client *c, u32 region, u64 off, u32 len, bool trusted)
{
	struct vfu_client_region *r = &c->region[region];
	u64 at = off & ~(u64)(PAGE - 1), bytes = (off + len - at + PAGE - 1) & ~(u64)(PAGE - 1);
	void *map;

	if (r->fd < 0 || !may_map(&r->info, off, len) || r->info.offset % PAGE ||
	    r->info.offset > INT64_MAX - at - bytes)
		return NULL;
	if (r->map)
		return off >= r->map_at && xvm_range_ok(off - r->map_at, len, r->map_bytes) ?
		       r->map + (off - r->map_at) : NULL;
	if (!will_not_shrink(r->fd, r->info.offset + at + bytes, trusted))
		return NULL;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, (off_t)(r->info.offset + at));
	if (map == MAP_FAILED)
		return NULL;
	r->map = map;
	r->map_at = at;
	r->map_bytes = bytes;
	return r->map + (off - at);
}

/* ---- interrupts and memory ---- */

static const char *plain_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	(void)tag;
	return reply->error ? refused(arg, reply) : NULL;
}

void vfu_client_set_irq(struct vfu_client *c, u32 index, u32 start, int fd)
{
	u8 body[VFU_SET_IRQS_BYTES];

	if (vfu_client_dead(c))
		return;
	vfu_put_set_irqs(body, index, start, 1);
	vfu_conn_call(c->conn, VFU_SET_IRQS, body, sizeof(body), NULL, 0, &fd, 1, plain_done, 0, c->now_ms);
}

static void post_map(struct vfu_client *c, u32 index, int fd);

static const char *map_done(void *arg, u64 tag, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;
	bool by_fd = tag & 1;
	u32 index = (u32)(tag >> 1);

	if (reply->error && !by_fd)
		return refused(c, reply);
	if (reply->error) {
		post_map(c, index, -1);
		return NULL;
	}
	c->map[index].bytes = 0;
	c->maps--;
	c->ops->mapped(c->arg, c->map[index].addr, by_fd);
	return NULL;
}

static void post_map(struct vfu_client *c, u32 index, int fd)
{
	struct vfu_dma_map map = { .flags = VFU_DMA_F_READ | VFU_DMA_F_WRITE, .addr = c->map[index].addr,
				   .size = c->map[index].bytes };
	u8 body[VFU_DMA_MAP_BYTES];

	/* No flag says MMAP: with a descriptor that is what is meant, and older servers know no such flag. */
	vfu_put_dma_map(body, &map);
	vfu_conn_call(c->conn, VFU_DMA_MAP, body, sizeof(body), NULL, 0, &fd, fd >= 0, map_done,
		      index << 1 | (fd >= 0), c->now_ms);
}

void vfu_client_map(struct vfu_client *c, u64 addr, u64 bytes, int fd)
{
	u32 i = 0;

	if (vfu_client_dead(c))
		return;
	while (i < VFU_MAX_MAPS && c->map[i].bytes)
		i++;
	if (i == VFU_MAX_MAPS) {
		vfu_client_fail(c, "server does not say whether it can map memory");
		return;
	}
	c->map[i].addr = addr;
	c->map[i].bytes = bytes;
	c->maps++;
	post_map(c, i, fd);
}

static const char *unmap_done(void *arg, u64 addr, struct vfu_msg *reply)
{
	struct vfu_client *c = arg;

	if (reply->error)
		return refused(c, reply);
	c->ops->unmapped(c->arg, addr);
	return NULL;
}

void vfu_client_unmap(struct vfu_client *c, u64 addr, u64 bytes, int fd)
{
	u8 body[VFU_DMA_UNMAP_BYTES];

	if (vfu_client_dead(c))
		return;
	if (fd >= 0)
		vfu_conn_fd_gone(c->conn, fd);
	vfu_put_dma_unmap(body, addr, bytes);
	call(c, VFU_DMA_UNMAP, body, sizeof(body), unmap_done, addr);
}
