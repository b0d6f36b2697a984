/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of a vfio-user device share: vfio_virtio.c (life and
 * configuration), vfio_area.c (memory), vfio_queue.c (requests), vfio_watch.c
 * (descriptors, time).
 * Nobody else includes this.
 */
#ifndef XVM_DOM0_REMOTE_VFIO_VIRTIO_H
#define XVM_DOM0_REMOTE_VFIO_VIRTIO_H

#include "../ipc.h"
#include "../virtio/aio.h"
#include "../virtio/vdev.h"
#include "shadow.h"
#include "vfio_user.h"
#include "virtio_pci.h"

#define VFIO_MAX_AREAS 8u	/* per device: XVM_AREA_MAX_PER_DEVICE */
/* Below the first area's addresses, and not 0, which many take for none. */
#define VFIO_RINGS_ADDR 0x10000000ull

_Static_assert(VIRTIO_PCI_MAX_QUEUES == XVM_VDEV_MAX_VQS, "a queue of the guest's for each of the server's");

enum vfio_state {
	VFIO_ASKS,	/* negotiation, and what the function is */
	VFIO_DOWN,
	VFIO_STARTS,
	VFIO_RUNS,
	VFIO_RESETS,
	VFIO_DEAD,	/* the connection is over; for good */
};

struct vfio_dev;

/* Something that may become readable or writable. */
struct vfio_watch {
	struct xvm_aio_req req;		/* first */
	struct vfio_dev *dev;
	void (*fired)(struct vfio_dev *dev, struct vfio_watch *watch);
	int fd;
	bool armed;
};

enum { WATCH_MAIN_IN, WATCH_MAIN_OUT, WATCH_TWIN_IN, WATCH_TWIN_OUT, WATCH_CONFIG, WATCH_QUEUES, WATCHES };

/* One eventfd. Emptied by the ring, never by read(2): the server could make that wait. */
struct vfio_irq {
	struct xvm_aio_req req;		/* first */
	struct vfio_dev *dev;
	int fd;
	u64 count;
	struct iovec iov;
	bool reads;
};

enum { IRQ_CONFIG, IRQ_QUEUES, IRQS };

enum vfio_area_state {
	VFIO_AREA_HERE,		/* the server does not know of it, or not any more */
	VFIO_AREA_ASKED,	/* a descriptor for the server was asked for */
	VFIO_AREA_TOLD,		/* the server may ask for data in it, and has nothing of it */
	VFIO_AREA_SENT,		/* the server was sent the descriptor, */
	VFIO_AREA_MAPPED,	/* has mapped it, */
	VFIO_AREA_CALLED,	/* and was told to let go */
};

struct vfio_area {
	u32 id;			/* 0: none */
	enum vfio_area_state state;
	bool goes;		/* the guest waits to have it back */
	int fd;			/* with SENT */
	u8 *base;
	u64 bytes;
};

/* A chain that was popped and found no room in the shadow queue. */
struct vfio_chain {
	bool there;
	u16 head;
	u32 nout, nin;
	struct shadow_seg seg[SHADOW_MAX_SIZE];
};

struct vfio_queue {
	struct shadow shadow;
	struct vfio_chain waits;
	u64 notify_off;
	u32 notify_bar;
	u8 *notify_mem;			/* NULL: by messages */
	bool notifies, notify_again;	/* one is under way; and another is to follow */
};

struct vfio_dev {
	struct xvm_vdev *vdev;
	enum vfio_state state;
	struct vfu_client client;
	struct virtio_pci pci;
	bool trusted;			/* may have the areas' descriptors */
	bool msix;			/* else INTx, and isr says what it was about */
	bool want_start, want_reset, want_config, isr_read, reset_held;
	bool leaves;			/* to be removed, once the function is down and has nothing of the guest's */
	bool leave_held;
	bool closed, leaving, left_held;
	u8 isr;
	char why[XVM_IPC_LOG_BYTES];

	int rings_fd;
	u8 *rings;			/* SHADOW_QUEUE_BYTES per queue */
	struct vfio_area area[VFIO_MAX_AREAS];
	struct vfio_queue *queue[XVM_VDEV_MAX_VQS];	/* those the function has */
	struct iovec iov[XVM_VQ_MAX_SIZE];

	struct vfio_watch watch[WATCHES];
	struct vfio_irq irq[IRQS];
	struct xvm_aio_req timer, pause;
	bool ticks, pauses;
};

/* ---- vfio_virtio.c ---- */

void vfio_broken(struct vfio_dev *dev, const char *why);
/* Looks at what the function told by an interrupt. */
void vfio_irq_came(struct vfio_dev *dev, bool config);
/* Begins what is wanted, if nothing is under way. */
void vfio_next(struct vfio_dev *dev);

/* ---- vfio_area.c ---- */

void vfio_areas_init(struct vfio_dev *dev);
/* The connection is over. */
void vfio_areas_lost(struct vfio_dev *dev);
/* The server does not know all of them yet. */
bool vfio_areas_coming(const struct vfio_dev *dev);
/* True: the server has none mapped; else it was told to let go. */
bool vfio_areas_take_back(struct vfio_dev *dev);
/* As vfio_user.h has it. */
void vfio_area_mapped(struct vfio_dev *dev, u64 addr, bool by_fd);
void vfio_area_unmapped(struct vfio_dev *dev, u64 addr);
/* As vdev.h has it. */
void vfio_area_added(struct xvm_vdev *vdev, u32 area, int fd);
void vfio_area_shared(struct xvm_vdev *vdev, u32 area, int fd);
bool vfio_area_let_go(struct xvm_vdev *vdev, u32 area);
void vfio_area_gone(struct xvm_vdev *vdev, u32 area);

/* ---- vfio_queue.c ---- */

int vfio_queues_new(struct vfio_dev *dev);
void vfio_queues_free(struct vfio_dev *dev);
/* The driver's queues are set up: shadows as new. */
void vfio_queues_start(struct vfio_dev *dev);
/* The server has let go of all buffers: ends their chains. */
void vfio_queues_drop(struct vfio_dev *dev);
/* Takes what the server has done, in all queues. */
void vfio_queues_take(struct vfio_dev *dev);
void vfio_queue_cancel(struct vfio_dev *dev, struct xvm_vq *vq);
bool vfio_queue_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget);
void vfio_queue_notified(struct vfio_dev *dev, u32 index);

/* ---- vfio_watch.c ---- */

u64 vfio_now_ms(void);
void vfio_watch_init(struct vfio_dev *dev);
/* After anything was done: watches what is to be watched. */
void vfio_watch_arm(struct vfio_dev *dev);
/* virtio_pci_look_again is called in so many milliseconds. */
void vfio_watch_pause(struct vfio_dev *dev, u32 ms);
/* Ends all of it; the device is held until that has happened. */
void vfio_watch_end(struct vfio_dev *dev);

#endif
