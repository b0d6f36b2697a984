// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-rng: random bytes of the host's kernel (virtio 1.2, section 5.4). The
 * smallest device there is, and the template to copy for a new one: a type
 * table, create and destroy, and a kick that pops chains and completes them.
 * Must not know messages or Xen. Called through xvm_rng_type.
 */
#include "dev.h"

#include <sys/random.h>
#include <stdio.h>

#include <linux/virtio_ids.h>

#define RNG_QUEUE_SIZE		64u
#define RNG_MAX_BYTES		65536u	/* per chain: a longer buffer is answered short */
#define RNG_MAX_CHAINS		16u	/* per pass: a megabyte, a few milliseconds */
#define RNG_STEP_BYTES		256u	/* getrandom never returns less of this than asked for */

/* Returns the bytes written, which are fewer only when the host has no entropy yet. */
static u32 rng_fill(const struct iovec *iov, u32 n, u32 bytes)
{
	u8 step[RNG_STEP_BYTES];
	u32 done = 0, want;

	while (done < bytes) {
		want = bytes - done < sizeof(step) ? bytes - done : (u32)sizeof(step);
		if (getrandom(step, want, GRND_NONBLOCK) != (ssize_t)want)
			break;
		xvm_iov_put(iov, n, done, step, want);
		done += want;
	}
	return done;
}

/* Completes at once, so nothing is ever in flight and no cancel is needed. */
static bool rng_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct iovec iov[RNG_QUEUE_SIZE];
	struct xvm_chain chain;
	u32 len;

	if (budget > RNG_MAX_CHAINS)
		budget = RNG_MAX_CHAINS;
	for (; budget; budget--) {
		if (!xvm_vdev_pop(vdev, vq, &chain, iov, XVM_ARRAY_SIZE(iov)))
			return false;
		/* Readable buffers make no sense here and are left alone. */
		len = chain.in_bytes < RNG_MAX_BYTES ? chain.in_bytes : RNG_MAX_BYTES;
		len = rng_fill(chain.in, chain.nin, len);
		vdev->bytes_read += len;
		xvm_vdev_complete(vdev, vq, chain.head, len);
	}
	return true;
}

static int rng_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds,
		      char *why, size_t why_bytes)
{
	(void)desc;
	if (fds->count) {
		snprintf(why, why_bytes, "an entropy device takes no descriptor");
		return -EINVAL;
	}
	vdev->vq[0].max_size = RNG_QUEUE_SIZE;
	return 0;
}

static void rng_destroy(struct xvm_vdev *vdev)
{
	(void)vdev;
}

const struct xvm_vdev_type xvm_rng_type = {
	.name = "rng",
	.device_id = VIRTIO_ID_RNG,
	.num_vqs = 1,
	.repeatable = true,
	.create = rng_create,
	.destroy = rng_destroy,
	.kick = rng_kick,
};
