// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio_user_msg.h"

#include <stdio.h>

#define CAP_SPARSE_MMAP 1u	/* vfio_region_info_cap_sparse_mmap of the Linux header */
#define CAP_HDR_BYTES 8u
#define SPARSE_HDR_BYTES 8u
#define SPARSE_AREA_BYTES 16u

#define IRQ_SET_DATA_NONE	(1u << 0)
#define IRQ_SET_DATA_EVENTFD	(1u << 2)
#define IRQ_SET_ACTION_TRIGGER	(1u << 5)

static const struct vfu_row rows[VFU_CMDS] = {
	[VFU_VERSION] = { "VERSION", true, false, 4, VFU_MAX_JSON, 4, VFU_MAX_JSON },
	[VFU_DMA_MAP] = { "DMA_MAP", true, false, 32, 32, 0, 32 },
	[VFU_DMA_UNMAP] = { "DMA_UNMAP", true, false, 24, 24, 0, 24 },
	[VFU_GET_INFO] = { "DEVICE_GET_INFO", true, false, 16, 16, 16, 64 },
	[VFU_GET_REGION_INFO] = { "DEVICE_GET_REGION_INFO", true, false, 32, 32, 32, VFU_REGION_INFO_MAX },
	[VFU_GET_REGION_IO_FDS] = { "DEVICE_GET_REGION_IO_FDS", false, false, 0, 0, 0, 0 },
	[VFU_GET_IRQ_INFO] = { "DEVICE_GET_IRQ_INFO", true, false, 16, 16, 16, 64 },
	[VFU_SET_IRQS] = { "DEVICE_SET_IRQS", true, false, 20, 20, 0, 20 },
	[VFU_REGION_READ] = { "REGION_READ", true, false, 16, 16, 16, 16 + VFU_MAX_XFER },
	[VFU_REGION_WRITE] = { "REGION_WRITE", true, false, 16, 16 + VFU_MAX_XFER, 0, 16 },
	[VFU_DMA_READ] = { "DMA_READ", false, true, 16, 16, 16, 16 + VFU_MAX_XFER },
	[VFU_DMA_WRITE] = { "DMA_WRITE", false, true, 16, 16 + VFU_MAX_XFER, 16, 16 },
	[VFU_RESET] = { "DEVICE_RESET", true, false, 0, 0, 0, 0 },
};

const struct vfu_row *vfu_row(u16 cmd)
{
	return cmd < VFU_CMDS && rows[cmd].name ? &rows[cmd] : NULL;
}

const char *vfu_name(u16 cmd)
{
	return vfu_row(cmd) ? rows[cmd].name : "unknown command";
}

void vfu_put_hdr(u8 *to, const struct vfu_hdr *hdr)
{
	xvm_put16(to, hdr->id);
	xvm_put16(to + 2, hdr->cmd);
	xvm_put32(to + 4, hdr->bytes);
	xvm_put32(to + 8, hdr->flags);
	xvm_put32(to + 12, hdr->error);
}

/* A reply that says ERROR may be bare, or as long as any of its kind. */
static bool length_ok(const struct vfu_row *row, const struct vfu_hdr *hdr)
{
	u32 body = hdr->bytes - VFU_HDR_BYTES;

	if ((hdr->flags & VFU_F_TYPE) == VFU_F_COMMAND)
		return row->from_server && body >= row->min && body <= row->max;
	return row->from_client && body <= row->reply_max &&
	       (body >= row->reply_min || hdr->flags & VFU_F_ERROR);
}

int vfu_get_hdr(const u8 *from, struct vfu_hdr *hdr)
{
	const struct vfu_row *row;

	hdr->id = xvm_get16(from);
	hdr->cmd = xvm_get16(from + 2);
	hdr->bytes = xvm_get32(from + 4);
	hdr->flags = xvm_get32(from + 8);
	hdr->error = xvm_get32(from + 12);
	row = vfu_row(hdr->cmd);
	if (!row || hdr->bytes < VFU_HDR_BYTES || (hdr->flags & VFU_F_TYPE) > VFU_F_REPLY)
		return -EPROTO;
	return length_ok(row, hdr) ? 0 : -EPROTO;
}

u32 vfu_put_version(u8 to[VFU_MAX_JSON], bool twin)
{
	int len;

	xvm_put16(to, VFU_MAJOR);
	xvm_put16(to + 2, VFU_MINOR);
	len = snprintf((char *)to + 4, VFU_MAX_JSON - 4,
		       "{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u%s}}",
		       VFU_MAX_FDS, VFU_MAX_XFER,
		       twin ? ",\"twin_socket\":{\"supported\":true}" : "");
	return 4 + (u32)len + 1;	/* the text's zero byte goes with it */
}

int vfu_get_version(const u8 *from, u32 bytes, struct vfu_version *version)
{
	*version = (struct vfu_version){ .max_fds = 1, .max_xfer = VFU_MAX_XFER };
	if (bytes < 4)
		return -EPROTO;
	version->major = xvm_get16(from);
	version->minor = xvm_get16(from + 2);
	if (bytes == 4)
		return 0;
	if (from[bytes - 1])
		return -EPROTO;
	return vfu_get_caps((const char *)from + 4, bytes - 5, version);
}

void vfu_put_dma_map(u8 to[VFU_DMA_MAP_BYTES], const struct vfu_dma_map *map)
{
	xvm_put32(to, VFU_DMA_MAP_BYTES);
	xvm_put32(to + 4, map->flags);
	xvm_put64(to + 8, map->offset);
	xvm_put64(to + 16, map->addr);
	xvm_put64(to + 24, map->size);
}

void vfu_put_dma_unmap(u8 to[VFU_DMA_UNMAP_BYTES], u64 addr, u64 size)
{
	xvm_put32(to, VFU_DMA_UNMAP_BYTES);
	xvm_put32(to + 4, 0);
	xvm_put64(to + 8, addr);
	xvm_put64(to + 16, size);
}

void vfu_put_info(u8 to[VFU_INFO_BYTES])
{
	memset(to, 0, VFU_INFO_BYTES);
	xvm_put32(to, VFU_INFO_BYTES);
}

int vfu_get_info(const u8 *from, u32 bytes, struct vfu_info *info)
{
	if (bytes < VFU_INFO_BYTES)
		return -EPROTO;
	info->flags = xvm_get32(from + 4);
	info->regions = xvm_get32(from + 8);
	info->irqs = xvm_get32(from + 12);
	return 0;
}

void vfu_put_region_info(u8 to[VFU_REGION_INFO_BYTES], u32 index)
{
	memset(to, 0, VFU_REGION_INFO_BYTES);
	xvm_put32(to, VFU_REGION_INFO_MAX);
	xvm_put32(to + 8, index);
}

static int get_sparse(const u8 *from, u32 bytes, u32 at, struct vfu_region *region)
{
	u32 i, n;

	if (region->sparse || !xvm_range_ok(at, CAP_HDR_BYTES + SPARSE_HDR_BYTES, bytes))
		return -EPROTO;
	n = xvm_get32(from + at + CAP_HDR_BYTES);
	at += CAP_HDR_BYTES + SPARSE_HDR_BYTES;
	if (n > VFU_MAX_SPARSE || !xvm_range_ok(at, (u64)n * SPARSE_AREA_BYTES, bytes))
		return -EPROTO;
	for (i = 0; i < n; i++, at += SPARSE_AREA_BYTES) {
		region->area[i].offset = xvm_get64(from + at);
		region->area[i].size = xvm_get64(from + at + 8);
		if (!xvm_range_ok(region->area[i].offset, region->area[i].size, region->size))
			return -EPROTO;
	}
	region->sparse = true;
	region->areas = n;
	return 0;
}

/* Each capability stands behind the one that leads to it, so the walk ends. */
static int get_region_caps(const u8 *from, u32 bytes, u32 at, struct vfu_region *region)
{
	u32 next;
	int err = 0;

	if (at < VFU_REGION_INFO_BYTES)
		return at ? -EPROTO : 0;
	while (at && !err) {
		if (!xvm_range_ok(at, CAP_HDR_BYTES, bytes))
			return -EPROTO;
		next = xvm_get32(from + at + 4);
		if (next && next <= at)
			return -EPROTO;
		if (xvm_get16(from + at) == CAP_SPARSE_MMAP)
			err = get_sparse(from, bytes, at, region);
		at = next;
	}
	return err;
}

int vfu_get_region_info(const u8 *from, u32 bytes, struct vfu_region *region)
{
	memset(region, 0, sizeof(*region));
	if (bytes < VFU_REGION_INFO_BYTES)
		return -EPROTO;
	region->flags = xvm_get32(from + 4);
	region->index = xvm_get32(from + 8);
	region->size = xvm_get64(from + 16);
	region->offset = xvm_get64(from + 24);
	if (!(region->flags & VFU_REGION_F_CAPS))
		return 0;
	return get_region_caps(from, bytes, xvm_get32(from + 12), region);
}

void vfu_put_irq_info(u8 to[VFU_IRQ_INFO_BYTES], u32 index)
{
	memset(to, 0, VFU_IRQ_INFO_BYTES);
	xvm_put32(to, VFU_IRQ_INFO_BYTES);
	xvm_put32(to + 8, index);
}

int vfu_get_irq_info(const u8 *from, u32 bytes, struct vfu_irq_info *info)
{
	if (bytes < VFU_IRQ_INFO_BYTES)
		return -EPROTO;
	info->flags = xvm_get32(from + 4);
	info->index = xvm_get32(from + 8);
	info->count = xvm_get32(from + 12);
	return 0;
}

void vfu_put_set_irqs(u8 to[VFU_SET_IRQS_BYTES], u32 index, u32 start, u32 count)
{
	xvm_put32(to, VFU_SET_IRQS_BYTES);
	xvm_put32(to + 4, IRQ_SET_ACTION_TRIGGER | (count ? IRQ_SET_DATA_EVENTFD : IRQ_SET_DATA_NONE));
	xvm_put32(to + 8, index);
	xvm_put32(to + 12, start);
	xvm_put32(to + 16, count);
}

void vfu_put_access(u8 to[VFU_ACCESS_BYTES], const struct vfu_access *access)
{
	xvm_put64(to, access->offset);
	xvm_put32(to + 8, access->region);
	xvm_put32(to + 12, access->count);
}

int vfu_get_access(const u8 *from, u32 bytes, struct vfu_access *access)
{
	if (bytes < VFU_ACCESS_BYTES)
		return -EPROTO;
	access->offset = xvm_get64(from);
	access->region = xvm_get32(from + 8);
	access->count = xvm_get32(from + 12);
	return 0;
}

void vfu_put_dma(u8 to[VFU_ACCESS_BYTES], const struct vfu_dma *dma)
{
	xvm_put64(to, dma->addr);
	xvm_put64(to + 8, dma->count);
}

int vfu_get_dma(const u8 *from, u32 bytes, bool write, struct vfu_dma *dma)
{
	if (bytes < VFU_ACCESS_BYTES)
		return -EPROTO;
	dma->addr = xvm_get64(from);
	dma->count = xvm_get64(from + 8);
	if (dma->count > VFU_MAX_XFER)
		return -EPROTO;
	return bytes - VFU_ACCESS_BYTES == (write ? dma->count : 0) ? 0 : -EPROTO;
}
