/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the vfio-user protocol, as a client sends and takes them: one
 * table row per command, bodies to and from structs in host order, the JSON of
 * VERSION. Pure syntax: no I/O, no state, no allocation. The header and the
 * bodies are little-endian in memory here as on every host that Xen runs on.
 *
 * Trust: the server is hostile. A decoder returns -EPROTO unless every length
 * and count fits; whether a value makes sense is for the caller.
 */
#ifndef XVM_DOM0_REMOTE_VFIO_USER_MSG_H
#define XVM_DOM0_REMOTE_VFIO_USER_MSG_H

#include "../../xen/proto/num.h"

#define VFU_MAJOR 0u
#define VFU_MINOR 1u

#define VFU_HDR_BYTES 16u
#define VFU_MAX_FDS 8u			/* with one message, either way */
#define VFU_MAX_XFER 65536u		/* data bytes in one message, either way */
#define VFU_MAX_BODY (VFU_MAX_XFER + 64)
#define VFU_MAX_JSON 4096u
#define VFU_MAX_SPARSE 16u		/* areas of one region */

enum vfu_cmd {
	VFU_VERSION = 1,
	VFU_DMA_MAP,
	VFU_DMA_UNMAP,
	VFU_GET_INFO,
	VFU_GET_REGION_INFO,
	VFU_GET_REGION_IO_FDS,
	VFU_GET_IRQ_INFO,
	VFU_SET_IRQS,
	VFU_REGION_READ,
	VFU_REGION_WRITE,
	VFU_DMA_READ,
	VFU_DMA_WRITE,
	VFU_RESET,
	VFU_CMDS
};

#define VFU_F_TYPE	0xfu
#define VFU_F_COMMAND	0u
#define VFU_F_REPLY	1u
#define VFU_F_NO_REPLY	0x10u
#define VFU_F_ERROR	0x20u

struct vfu_hdr {
	u16 id, cmd;
	u32 bytes;		/* of the message, header included */
	u32 flags, error;
};

/* Bytes behind the header. A command that we never send, or never answer, has none of that row. */
struct vfu_row {
	const char *name;
	bool from_client, from_server;
	u32 min, max;			/* of the command */
	u32 reply_min, reply_max;	/* of the reply, unless it says ERROR */
};

/* NULL: no command of this number. */
const struct vfu_row *vfu_row(u16 cmd);
const char *vfu_name(u16 cmd);

void vfu_put_hdr(u8 *to, const struct vfu_hdr *hdr);
/* 0 or -EPROTO: unknown command or type, a length that the table does not allow. */
int vfu_get_hdr(const u8 *from, struct vfu_hdr *hdr);

/* ---- VERSION ---- */

struct vfu_version {
	u16 major, minor;
	u32 max_fds;		/* not said: 1 */
	u32 max_xfer;		/* not said: 1 MiB; what we can hold at most */
	bool twin;		/* twin_socket.supported */
	bool twin_indexed;
	u32 twin_index;		/* of the descriptor that came with it */
};

/* Ours; twin: we offer a second socket. Returns the bytes. */
u32 vfu_put_version(u8 to[VFU_MAX_JSON], bool twin);
/* 0, or -EPROTO: no JSON, or a capability of the wrong type or out of bounds. */
int vfu_get_version(const u8 *from, u32 bytes, struct vfu_version *version);
/* vfio_user_json.c: the text alone. */
int vfu_get_caps(const char *text, size_t len, struct vfu_version *version);

/* ---- bodies ---- */

#define VFU_DMA_F_READ	1u
#define VFU_DMA_F_WRITE	2u
#define VFU_DMA_F_MMAP	4u

struct vfu_dma_map {
	u32 flags;
	u64 offset;		/* in the descriptor that goes with it */
	u64 addr, size;
};

#define VFU_DMA_MAP_BYTES	32u
#define VFU_DMA_UNMAP_BYTES	24u
#define VFU_INFO_BYTES		16u
#define VFU_REGION_INFO_BYTES	32u
#define VFU_REGION_INFO_MAX	1024u	/* with capabilities */
#define VFU_IRQ_INFO_BYTES	16u
#define VFU_SET_IRQS_BYTES	20u
#define VFU_ACCESS_BYTES	16u

void vfu_put_dma_map(u8 to[VFU_DMA_MAP_BYTES], const struct vfu_dma_map *map);
void vfu_put_dma_unmap(u8 to[VFU_DMA_UNMAP_BYTES], u64 addr, u64 size);

#define VFU_INFO_F_RESET	1u
#define VFU_INFO_F_PCI		2u

struct vfu_info {
	u32 flags, regions, irqs;
};

void vfu_put_info(u8 to[VFU_INFO_BYTES]);
int vfu_get_info(const u8 *from, u32 bytes, struct vfu_info *info);

#define VFU_REGION_F_READ	1u
#define VFU_REGION_F_WRITE	2u
#define VFU_REGION_F_MMAP	4u
#define VFU_REGION_F_CAPS	8u

struct vfu_region {
	u32 index, flags;
	u64 size;
	u64 offset;		/* in the descriptor, if one came */
	u32 areas;		/* parts that may be mapped; 0: all of it, or with SPARSE none */
	bool sparse;
	struct { u64 offset, size; } area[VFU_MAX_SPARSE];	/* in the region */
};

void vfu_put_region_info(u8 to[VFU_REGION_INFO_BYTES], u32 index);
/* Areas that are not within the region, and capability chains that go in circles, are refused. */
int vfu_get_region_info(const u8 *from, u32 bytes, struct vfu_region *region);

struct vfu_irq_info {
	u32 index, flags, count;
};

#define VFU_IRQ_F_EVENTFD	1u

void vfu_put_irq_info(u8 to[VFU_IRQ_INFO_BYTES], u32 index);
int vfu_get_irq_info(const u8 *from, u32 bytes, struct vfu_irq_info *info);

/* Triggers go to the descriptors that come with it; count 0: none from now on. */
void vfu_put_set_irqs(u8 to[VFU_SET_IRQS_BYTES], u32 index, u32 start, u32 count);

/* What stands before the data of REGION_READ and REGION_WRITE, command and reply. */
struct vfu_access {
	u64 offset;
	u32 region, count;
};

void vfu_put_access(u8 to[VFU_ACCESS_BYTES], const struct vfu_access *access);
int vfu_get_access(const u8 *from, u32 bytes, struct vfu_access *access);

/* The same of DMA_READ and DMA_WRITE, which the server sends. */
struct vfu_dma {
	u64 addr, count;
};

void vfu_put_dma(u8 to[VFU_ACCESS_BYTES], const struct vfu_dma *dma);
/* The body of a command: of DMA_WRITE with count bytes behind it, of DMA_READ with none. */
int vfu_get_dma(const u8 *from, u32 bytes, bool write, struct vfu_dma *dma);

#endif
