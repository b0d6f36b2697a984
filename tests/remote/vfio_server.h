/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vfio-user server with one virtio-pci function, a disk on a file or an
 * entropy source, for tests of the client. It shares no line and no header with
 * the client, so that the two can disagree. It serves one connection, waits
 * where it likes, and at a phase that it is told it dies, hangs or misbehaves.
 */
#ifndef TESTS_REMOTE_VFIO_SERVER_H
#define TESTS_REMOTE_VFIO_SERVER_H

#include <stdbool.h>

#define VFIO_SERVER_QUEUES 4u

enum vfio_server_phase {
	AT_NOTHING, AT_VERSION, AT_INFO, AT_REGION, AT_IRQ, AT_RESET, AT_MAP, AT_SET_IRQS, AT_READ, AT_WRITE,
	AT_FEATURES, AT_QUEUE, AT_DRIVER_OK, AT_DOWN, AT_REQUEST, AT_DATA, AT_USED, AT_UNMAP, AT_CONFIG,
};

enum vfio_server_act {
	DO_DIE,			/* exit at once */
	DO_HANG,		/* neither reply nor read, for ever */
	DO_REFUSE,		/* an error in place of the reply */
	DO_GARBAGE,		/* bytes that are no message */
	DO_LONG,		/* a reply that is longer than it can be */
	DO_TWICE,		/* the reply, and again */
	DO_STRANGER,		/* a reply with another id */
	DO_FLOOD,		/* commands without end */
	DO_DESCRIPTORS,		/* a descriptor with a reply that has none */
	DO_USED_HEAD,		/* at AT_USED: a used element that names nothing, */
	DO_USED_LEN,		/* one that is longer than the buffer, */
	DO_USED_IDX,		/* or more of them than there are */
};

/* How it answers the offer of a second socket. */
enum vfio_server_twin {
	TWIN_NO,
	TWIN_YES,
	TWIN_NONE,		/* says that it sends one, and does not */
	TWIN_FILE,		/* sends a file in its place */
	TWIN_UNSAID,		/* sends one and does not say so */
};

/* What others may see of it; in memory that is shared if they are another process. */
struct vfio_server_seen {
	volatile bool grown;			/* set by others: the file has another size; say so */
	volatile unsigned int mapped, let_go;	/* memory by descriptor */
	volatile unsigned int notified;		/* by messages; not: by doorbells in memory */
	volatile unsigned int requests[VFIO_SERVER_QUEUES];
	volatile unsigned char wce;		/* in the configuration, and what a driver writes there */
};

struct vfio_server {
	int image;		/* a disk on this file; -1: an entropy source */
	enum vfio_server_twin twin;
	bool map_notify;	/* doorbells in memory, looked at all the time */
	bool unsealed;		/* in a file that may shrink */
	bool shrinks;		/* and does when a driver is there: doorbells come by messages, or not at all */
	bool intx;		/* no MSI-X */
	bool maps_once;		/* only what comes first can be mapped */
	bool bounce;		/* touch data by messages even where memory is mapped */
	bool never_wait;	/* a send or receive that would wait is the end */
	unsigned int queue_size;
	unsigned int queues;	/* of a disk; 0: one */
	unsigned int late_ms;	/* each message of the client's waits for so long, */
	unsigned int unmap_ms;	/* and a DMA_UNMAP */
	unsigned int reset_ms;	/* so long status reads what it was before a reset */
	enum vfio_server_phase at;
	enum vfio_server_act act;
	unsigned int count;	/* the how many-th time it comes there; 0: the first */
	struct vfio_server_seen *seen;	/* may be NULL */
};

/* Serves until the other side closes; 0, or -1 when it broke a rule. Closes sock. */
int vfio_server_run(const struct vfio_server *how, int sock);
/* Words of the two enums; -1: none. */
int vfio_server_phase(const char *word);
int vfio_server_act(const char *word);

#endif
