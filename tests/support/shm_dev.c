// SPDX-License-Identifier: GPL-2.0-or-later
#include "shm_dev.h"
#include "../../dom0/ipc.h"
#include <unistd.h>

static u8 *region_at(struct xvm_vdev *vdev, u32 off, u32 bytes)
{
	const struct xvm_vdev_shm *shm = &vdev->shm[0];

	if (!bytes || !xvm_range_ok(off, bytes, shm->length))
		return NULL;
	return xvm_mem_at(&vdev->mem, shm->addr + off, bytes);
}

static u32 serve(struct xvm_vdev *vdev, const struct xvm_chain *chain)
{
	u8 raw[4], bytes[SHM_DEV_MAX], *at;
	u32 off, n;

	if (xvm_iov_get(chain->out, chain->nout, 0, raw, 4) < 4)
		return 0;
	off = xvm_get32(raw);
	n = (u32)xvm_iov_get(chain->out, chain->nout, 4, bytes, sizeof(bytes));
	at = region_at(vdev, off, n);
	if (at)
		xvm_shm_copy(at, bytes, n);
	n = chain->in_bytes < sizeof(bytes) ? chain->in_bytes : SHM_DEV_MAX;
	at = region_at(vdev, off, n);
	if (!at)
		return 0;
	xvm_shm_copy(bytes, at, n);
	return (u32)xvm_iov_put(chain->in, chain->nin, 0, bytes, n);
}

static bool shm_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct xvm_chain chain;
	struct iovec iov[8];

	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, 8))
			return false;
		xvm_vdev_complete(vdev, vq, chain.head, serve(vdev, &chain));
	}
	return true;
}

/* A region begins on a page and lies in one of the driver's areas, or there is none. */
static bool shm_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	u64 addr = xvm_get64(vdev->config);
	u32 length = xvm_get32(vdev->config + 8);

	if (off || len != SHM_DEV_CONFIG ||
	    (length && (addr & 4095 || !xvm_mem_at(&vdev->mem, addr, length))))
		return false;
	vdev->shm[0] = (struct xvm_vdev_shm){ addr, length };
	return true;
}

static void shm_reset(struct xvm_vdev *vdev)
{
	memset(vdev->config, 0, sizeof(vdev->config));
	memset(vdev->shm, 0, sizeof(vdev->shm));
}

static int shm_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why,
		      size_t why_bytes)
{
	u32 i;

	(void)desc, (void)why, (void)why_bytes;
	(void)fds;
	vdev->config_bytes = SHM_DEV_CONFIG;
	for (i = 0; i < SHM_DEV_QUEUES; i++)
		vdev->vq[i].max_size = 8;
	return 0;
}

static void shm_destroy(struct xvm_vdev *vdev)
{
	(void)vdev;
}

static const struct xvm_vdev_type shm_type = {
	.name = "shm",
	.device_id = SHM_DEV_ID,
	.num_vqs = SHM_DEV_QUEUES,
	.create = shm_create,
	.destroy = shm_destroy,
	.kick = shm_kick,
	.config_written = shm_config_written,
	.reset = shm_reset,
};

/* The type table of a program that links this instead of dom0/worker/types.c. */
const struct xvm_vdev_type *xvm_vdev_type_find(u32 backend, u32 device_id)
{
	(void)backend;
	return device_id == SHM_DEV_ID ? &shm_type : NULL;
}
