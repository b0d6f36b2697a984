/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device models of this folder, for the array of types in dom0/worker/types.c. */
#ifndef XVM_DOM0_REMOTE_REMOTE_H
#define XVM_DOM0_REMOTE_REMOTE_H

#include "../virtio/vdev.h"

extern const struct xvm_vdev_type xvm_vhost_user_type;
extern const struct xvm_vdev_type xvm_vfio_user_type;

#endif
