/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI targets that one worker may ask dom0's kernel for. That request takes
 * a pointer to a name, which no system call filter can look behind: so the names
 * lie in memory that this daemon alone writes, the worker has it mapped at one
 * place, and its filter lets a pointer to a slot of that pass and no other.
 */
#ifndef XVM_DAEMON_TARGETS_H
#define XVM_DAEMON_TARGETS_H

#include "../ipc.h"
#include "../../xen/proto/plat.h"

struct xvm_targets {
	u8 *slots;	/* NULL: none */
};

/* Returns a descriptor for the worker that can be mapped to be read, or negative errno. */
int xvm_targets_new(struct xvm_targets *targets);
void xvm_targets_free(struct xvm_targets *targets);
/* Its slot, or -ENOSPC. */
int xvm_targets_add(struct xvm_targets *targets, const char *wwpn);
void xvm_targets_remove(struct xvm_targets *targets, const char *wwpn);

#endif
