/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dom0's end of a SCSI device: a target that the operator made in dom0's kernel
 * (configfs, vhost), and /dev/vhost-scsi. Called in the opener's child.
 */
#ifndef XVM_DAEMON_HOST_SCSI_H
#define XVM_DAEMON_HOST_SCSI_H

#include "image.h"

/* Adds what dom0/dev/vhost.h wants, if want_fds. Returns 0, or negative errno with one line in why. */
int xvm_host_scsi_open(const struct xvm_spec *spec, bool want_fds, struct fdset *fds, char *why);

#endif
