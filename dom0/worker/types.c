// SPDX-License-Identifier: GPL-2.0-or-later
/* The device types a worker knows: a plain array, nothing registers itself. */
#include "../dev/dev.h"
#include "../remote/remote.h"

static const struct xvm_vdev_type *const types[] = {
	&xvm_blk_type,
	&xvm_net_type,
	&xvm_rng_type,
	&xvm_vhost_user_type,
	&xvm_vfio_user_type,
	&xvm_vhost_vsock_type,
	&xvm_vhost_scsi_type,
	&xvm_console_type,
};

const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id)
{
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(types); i++)
		if (types[i]->backend == backend && (types[i]->device_id == device_id || !types[i]->device_id))
			return types[i];
	return NULL;
}
