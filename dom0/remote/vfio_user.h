/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of a vfio-user server: negotiates, learns regions and interrupts,
 * reads and writes regions, gives memory, and answers what the server asks of
 * memory that it has not mapped. Knows nothing of virtio; virtio_pci.h runs on
 * its regions, vfio_virtio.c makes a device of both.
 *
 * Trust: none in the server. Whatever contradicts what was asked or said
 * before ends the connection, with a reason in words.
 */
#ifndef XVM_DOM0_REMOTE_VFIO_USER_H
#define XVM_DOM0_REMOTE_VFIO_USER_H

#include "vfio_user_conn.h"

#define VFU_REGIONS 9u		/* of a PCI function: 6 BARs, ROM, configuration space, VGA */
#define VFU_IRQ_INTX 0u
#define VFU_IRQ_MSIX 2u
#define VFU_IRQS 3u
#define VFU_MAX_MAPS 16u	/* under way at once */

struct vfu_client_ops {
	/* Negotiated: regions and interrupts are known, the function is reset. */
	void (*up)(void *arg);
	/* All reads and writes of regions that were posted are done. */
	void (*settled)(void *arg);
	/* The server has taken this memory: mapped it, by its descriptor, or is to ask for it by messages. */
	void (*mapped)(void *arg, u64 addr, bool by_fd);
	/* The server has let go of it. */
	void (*unmapped)(void *arg, u64 addr);
	/* What vfu_client_notify posted is done. */
	void (*notified)(void *arg, u32 tag);
	/* [addr, addr + len) of what the server was given, for it to read or write now; NULL: not now. */
	void *(*memory)(void *arg, u64 addr, u64 len);
	/* The connection is over; the only call that can come while the caller is in here. Once. */
	void (*failed)(void *arg, const char *why);
};

struct vfu_client_region {
	struct vfu_region info;
	int fd;			/* -1: none */
	u8 *map;		/* what vfu_client_mapped has mapped, */
	u64 map_at, map_bytes;	/* of this part of the region */
};

struct vfu_client_read {
	void *dst;		/* NULL: free */
	struct vfu_access access;
	bool *refused;		/* NULL: it must not be */
};

struct vfu_client {
	const struct vfu_client_ops *ops;
	void *arg;
	struct vfu_conn *conn;
	u64 now_ms;		/* as the owner last said */
	bool is_up;
	struct vfu_info info;
	u32 asked;		/* region and interrupt infos under way */
	struct vfu_client_region region[VFU_REGIONS];
	struct vfu_irq_info irq[VFU_IRQS];
	u32 posted, maps;
	struct { u64 addr, bytes; } map[VFU_MAX_MAPS];	/* under way; bytes 0: free */
	struct vfu_client_read read[VFU_MAX_PENDING];
	char why[120];
};

/* Takes the socket, offers a second one for the server's commands, or does not. 0 or -ENOMEM. */
int vfu_client_init(struct vfu_client *client, int sock, bool twin, const struct vfu_client_ops *ops, void *arg,
		    u64 now_ms);
/* Closes all. Not from within ops. */
void vfu_client_end(struct vfu_client *client);
bool vfu_client_dead(const struct vfu_client *client);
void vfu_client_fail(struct vfu_client *client, const char *why);

/* As those of the connection. */
bool vfu_client_pump(struct vfu_client *client, u64 now_ms);
void vfu_client_tick(struct vfu_client *client, u64 now_ms);

/* Posted, in order. dst stays the caller's until settled; these have the types that virtio_pci.h wants. */
void vfu_client_read(void *client, u32 region, u64 off, void *dst, u32 len);
void vfu_client_write(void *client, u32 region, u64 off, const void *src, u32 len);
void vfu_client_try_read(void *client, u32 region, u64 off, void *dst, u32 len, bool *refused);
void vfu_client_try_write(void *client, u32 region, u64 off, const void *src, u32 len);
u64 vfu_client_size(void *client, u32 region);
/* A write that is not waited for by settled, but told by notified. */
void vfu_client_notify(struct vfu_client *client, u32 region, u64 off, u16 value, u32 tag);
/*
 * These bytes of a region as memory, if the server lets us and cannot take them
 * back, or is trusted not to; else NULL, and a write is the way.
 */
u8 *vfu_client_mapped(struct vfu_client *client, u32 region, u64 off, u32 len, bool trusted);

/* Interrupt start of this index triggers fd, from now on. */
void vfu_client_set_irq(struct vfu_client *client, u32 index, u32 start, int fd);
/* Memory at addr, from offset 0 of fd on; -1: it is to be asked for by messages. So is what the server cannot map. */
void vfu_client_map(struct vfu_client *client, u64 addr, u64 bytes, int fd);
void vfu_client_unmap(struct vfu_client *client, u64 addr, u64 bytes, int fd);

#endif
