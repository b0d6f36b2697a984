/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device models of this folder, for the array of types in dom0/worker/types.c. */
#ifndef XVM_DOM0_DEV_DEV_H
#define XVM_DOM0_DEV_DEV_H

#include "../virtio/vdev.h"

extern const struct xvm_vdev_type xvm_blk_type;
extern const struct xvm_vdev_type xvm_net_type;
extern const struct xvm_vdev_type xvm_rng_type;
extern const struct xvm_vdev_type xvm_console_type;
extern const struct xvm_vdev_type xvm_vhost_vsock_type;
extern const struct xvm_vdev_type xvm_vhost_scsi_type;

#endif
