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

enum vfio_server_phase {
	AT_NOTHING, AT_VERSION, AT_INFO, AT_REGION, AT_IRQ, AT_RESET, AT_MAP, AT_SET_IRQS, AT_READ, AT_WRITE,
	AT_FEATURES, AT_QUEUE, AT_DRIVER_OK, AT_DOWN, AT_REQUEST, AT_DATA, AT_USED,
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

struct vfio_server {
	int image;		/* a disk on this file; -1: an entropy source */
	bool twin;		/* accept a second socket */
	bool twin_lies;		/* say so and send none */
	bool map_notify;	/* doorbells in memory, looked at all the time */
	bool intx;		/* no MSI-X */
	bool maps_once;		/* only what comes first can be mapped */
	bool bounce;		/* touch data by messages even where memory is mapped */
	bool never_wait;	/* a send or receive that would wait is the end */
	unsigned int queue_size;
	enum vfio_server_phase at;
	enum vfio_server_act act;
	unsigned int count;	/* the how many-th time it comes there; 0: the first */
	volatile bool *grown;	/* the file has another size: say so, and clear it; may be NULL */
};

/* Serves until the other side closes; 0, or -1 when it broke a rule. Closes sock. */
int vfio_server_run(const struct vfio_server *how, int sock);
/* Words of the two enums; -1: none. */
int vfio_server_phase(const char *word);
int vfio_server_act(const char *word);

#endif
