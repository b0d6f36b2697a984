/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driver of a modern virtio-pci function (virtio 1.2, section 4.1) whose
 * regions are somewhere else: reads and writes are posted through a table and
 * done later. Finds the parts, brings the device up with its queues, down
 * again, reads its configuration. Knows no bus, no process and no queue.
 *
 * One thing at a time: each virtio_pci_*() below begins one, and ops->done
 * ends it. Trust: the function is hostile. What it says is copied, bounded by
 * what it said before and by the limits here, and a contradiction is a fault.
 */
#ifndef XVM_DOM0_REMOTE_VIRTIO_PCI_H
#define XVM_DOM0_REMOTE_VIRTIO_PCI_H

#include "../../xen/proto/num.h"

#define VIRTIO_PCI_REGION_CONFIG 7u	/* region of the configuration space; 0..5 are the BARs */
#define VIRTIO_PCI_MAX_QUEUES 64u
#define VIRTIO_PCI_MAX_CONFIG 256u
#define VIRTIO_PCI_NO_VECTOR 0xffffu
#define VIRTIO_PCI_RESET_MS 20000u	/* and the last look's reply: below the 30 s that a driver waits */

struct virtio_pci_ops {
	/*
	 * Posted in this order. When all that was posted is done, and what was read stands in its
	 * place, virtio_pci_settled is called; never from within these.
	 */
	void (*read)(void *arg, u32 region, u64 off, void *dst, u32 len);
	void (*write)(void *arg, u32 region, u64 off, const void *src, u32 len);
	/* The same, but an answer that refuses is one: *refused is set to whether it does. NULL: who cares. */
	void (*try_read)(void *arg, u32 region, u64 off, void *dst, u32 len, bool *refused);
	void (*try_write)(void *arg, u32 region, u64 off, const void *src, u32 len);
	u64 (*size)(void *arg, u32 region);	/* 0: there is none */
	/* virtio_pci_look_again is to be called in so many milliseconds. */
	void (*pause)(void *arg, u32 ms);
	u64 (*now_ms)(void *arg);
	/* What was begun is over; why: NULL, or what is wrong with the function. */
	void (*done)(void *arg, const char *why);
};

struct virtio_pci_place {
	u32 bar, off, len;	/* len 0: there is none */
};

struct virtio_pci_queue {
	u8 size[2];		/* as read: the largest there may be; 0: no such queue */
	u8 notify_off[2];
	u16 use_size;		/* for start; 0: the queue is not used */
	u64 desc, driver, device;
	u8 vector[2], enabled[2];	/* read back */
};

struct virtio_pci {
	const struct virtio_pci_ops *ops;
	void *arg;
	void (*step)(struct virtio_pci *pci);	/* what comes when all that was posted is done */
	u32 at, tries;				/* of the step */
	u64 since_ms;				/* a reset began */
	u32 pause_ms;				/* the next one */
	bool paused;

	u8 space[256];
	struct virtio_pci_place common, notify, isr, device;
	u32 notify_multiplier;
	u32 msix;		/* offset of the MSI-X capability, 0: none */

	u16 device_id;		/* virtio's number of the kind of device */
	u8 words[2][4];		/* features as read */
	u64 features;		/* what it offers */
	u64 use_features;
	u32 num_queues;
	u8 count[2], status, generation[2];
	bool refused[VIRTIO_PCI_MAX_CONFIG / 4];	/* by words of the configuration: there are no more */
	u32 config_bytes;
	u8 config[VIRTIO_PCI_MAX_CONFIG];	/* whole and of one generation, after done */
	u8 new_config[VIRTIO_PCI_MAX_CONFIG];
	u16 config_vector, queue_vector;	/* for start */
	u8 read_vector[2];
	struct virtio_pci_queue queue[VIRTIO_PCI_MAX_QUEUES];
};

void virtio_pci_init(struct virtio_pci *pci, const struct virtio_pci_ops *ops, void *arg);
/* Finds the parts, resets the device, learns its features, queues and configuration. */
void virtio_pci_probe(struct virtio_pci *pci);
/* Up to DRIVER_OK, with use_features, the queues that have a use_size, and the vectors. */
void virtio_pci_start(struct virtio_pci *pci);
/* Status 0, until it reads so; looks again after pauses that grow, and gives up at VIRTIO_PCI_RESET_MS. */
void virtio_pci_reset(struct virtio_pci *pci);
/* The configuration anew, at one generation, and the status. */
void virtio_pci_read_config(struct virtio_pci *pci);
/* Posts a write of the driver's; nothing tells its end, nor that it was refused: the configuration does, read anew. */
void virtio_pci_write_config(struct virtio_pci *pci, u32 off, const void *src, u32 len);
bool virtio_pci_busy(const struct virtio_pci *pci);
/* As the status was last read. */
bool virtio_pci_needs_reset(const struct virtio_pci *pci);
void virtio_pci_settled(struct virtio_pci *pci);
/* A pause that was asked for is over. */
void virtio_pci_look_again(struct virtio_pci *pci);
/* Forgets what was begun. */
void virtio_pci_abandon(struct virtio_pci *pci);

u32 virtio_pci_max_size(const struct virtio_pci *pci, u32 queue);
/* Where a queue is notified, by writing its number as two bytes; after a probe. */
u32 virtio_pci_notify_place(const struct virtio_pci *pci, u32 queue, u64 *off);

/* The parts out of a configuration space; NULL, or what is wrong with it. For virtio_pci.c and tests. */
const char *virtio_pci_parse(struct virtio_pci *pci);

#endif
