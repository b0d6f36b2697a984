/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of the control socket waits for: that a device is there, or
 * gone, or has another size. Level, not edge: an operation looks at its device
 * whenever the guest is settled, so none can be missed.
 */
#ifndef XVM_DAEMON_OP_H
#define XVM_DAEMON_OP_H

#include "daemon.h"

struct xvm_op;

enum xvm_op_kind {
	XVM_OP_ATTACH,		/* handed to the worker, or on the bus for when the guest opens it */
	XVM_OP_ATTACH_DRIVER,	/* and the guest's driver uses it */
	XVM_OP_RESTORE,		/* as ATTACH; but if it cannot be had it stays in the record, to be seen as failed */
	XVM_OP_DETACH,		/* nothing of it is left */
	XVM_OP_RESIZE,
};

/* error NULL: done; disk is the device, NULL once it is gone. The operation ends with this call. */
typedef void (*xvm_op_done)(void *arg, const char *error, struct xvm_disk *disk);

/* NULL: out of memory. done is called from xvm_ops_look, or when the time is up. */
struct xvm_op *xvm_op_new(struct xvm_disk *disk, enum xvm_op_kind kind, u32 limit_ms, xvm_op_done done, void *arg);
/* Nobody waits any more; what was begun goes on. NULL is ignored. */
void xvm_op_cancel(struct xvm_op *op);
void xvm_ops_look(struct xvm_guest *guest);

/*
 * The disk's image has this many bytes from now on (0: as many as it has), and a file that is smaller is enlarged.
 * Returns 0: an operation of kind RESIZE ends; or negative errno with a line in why.
 */
int xvm_disk_resize(struct xvm_disk *disk, u64 bytes, char why[XVM_WHY_BYTES]);

#endif
