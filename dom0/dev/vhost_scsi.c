// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-scsi by vhost-scsi of dom0's kernel: a target that the operator made
 * there is the guest's (virtio 1.2, section 5.6). The kernel has all queues, also
 * those of control and of events (a LUN that came or went).
 *
 * Which target it is was said by the supervisor, in memory that this process can only
 * read. When the kernel lets go of the queues, by request or because this process
 * died, it has completed every request that it took: nothing is ever served again.
 */
#include "dev.h"
#include "vhost.h"
#include "../ipc.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>

#define REQUEST_QUEUE	2u	/* the first one; before it those of control and of events */
#define QUEUE_SIZE	64u	/* the kernel has 144 KiB ready for each request */
#define MAX_TARGET	255u
#define MAX_LUN		16383u
#define EVENT_BYTES	16u
#define DEVICE_FEATURES	(1ull << VIRTIO_SCSI_F_HOTPLUG)

struct scsi {
	struct vhost vhost;	/* first: vhost_dev_* take it for the model */
	struct vhost_scsi_target *target;
};

static int scsi_run(struct vhost *vhost, bool on)
{
	struct scsi *scsi = (struct scsi *)vhost;

	return vhost_sys->ioctl(vhost->fd, on ? VHOST_SCSI_SET_ENDPOINT : VHOST_SCSI_CLEAR_ENDPOINT, scsi->target);
}

static bool scsi_kick(struct xvm_vdev *vdev, struct xvm_vq *vq, u32 budget)
{
	struct scsi *scsi = vdev->model;

	(void)budget;
	vhost_kick(&scsi->vhost, vq);
	return false;
}

static bool scsi_start(struct xvm_vdev *vdev)
{
	struct scsi *scsi = vdev->model;

	vhost_start(&scsi->vhost);
	return true;
}

/* A driver may set the two sizes, and the kernel has them as they are. */
static struct virtio_scsi_config config_of(u32 queues)
{
	return (struct virtio_scsi_config){
		.num_queues = htole32(queues),
		.seg_max = htole32(QUEUE_SIZE - 2),
		.max_sectors = htole32(0xffff),
		.cmd_per_lun = htole32(QUEUE_SIZE),
		.event_info_size = htole32(EVENT_BYTES),
		.sense_size = htole32(VIRTIO_SCSI_SENSE_DEFAULT_SIZE),
		.cdb_size = htole32(VIRTIO_SCSI_CDB_DEFAULT_SIZE),
		.max_target = htole16(MAX_TARGET),
		.max_lun = htole32(MAX_LUN),
	};
}

static bool scsi_config_written(struct xvm_vdev *vdev, u32 off, u32 len)
{
	struct virtio_scsi_config config = config_of(vdev->num_vqs - REQUEST_QUEUE);

	(void)off;
	(void)len;
	return !memcmp(vdev->config, &config, sizeof(config));
}

static void fill(struct xvm_vdev *vdev, struct scsi *scsi, u32 queues)
{
	struct virtio_scsi_config config = config_of(queues);
	u32 i;

	vdev->model = scsi;
	for (i = 0; i < vdev->num_vqs; i++)
		vdev->vq[i].max_size = QUEUE_SIZE;
	vdev->offered = scsi->vhost.features & DEVICE_FEATURES;
	vdev->config_bytes = sizeof(config);
	memcpy(vdev->config, &config, sizeof(config));
}

static int scsi_create(struct xvm_vdev *vdev, const struct xvm_ipc_dev_add *desc, struct fdset *fds, char *why,
		       size_t why_bytes)
{
	u32 queues = desc->scsi.queues;
	bool fits = queues && queues <= XVM_SCSI_MAX_QUEUES && desc->scsi.slot < XVM_TARGETS;
	struct scsi *scsi = fits ? calloc(1, sizeof(*scsi)) : NULL;
	int err;

	if (!scsi) {
		snprintf(why, why_bytes, "%s", fits ? "out of memory" : "not 1 to 8 queues, or no such target");
		return fits ? -ENOMEM : -EINVAL;
	}
	scsi->target = (struct vhost_scsi_target *)(XVM_TARGETS_AT + desc->scsi.slot * XVM_TARGET_SLOT_BYTES);
	vdev->num_vqs = scsi->vhost.count = REQUEST_QUEUE + queues;
	scsi->vhost.needed = REQUEST_QUEUE + 1;	/* a driver with few processors does without the rest */
	scsi->vhost.run = scsi_run;
	/* Not err_is_end: a command for a target that does not exist is an error of the queue there, and a driver's scan sends many. */
	err = vhost_open(&scsi->vhost, vdev, fds, 0, why, why_bytes);
	if (err) {
		free(scsi);
		return err;
	}
	fill(vdev, scsi, queues);
	return 0;
}

const struct xvm_vdev_type xvm_vhost_scsi_type = {
	.name = "vhost-scsi",
	.backend = XVM_BACKEND_VHOST,
	.device_id = VIRTIO_ID_SCSI,
	.num_vqs = REQUEST_QUEUE + 1,
	.repeatable = true,
	.create = scsi_create,
	.destroy = vhost_dev_destroy,
	.start = scsi_start,
	.kick = scsi_kick,
	.config_written = scsi_config_written,
	.cancel = vhost_dev_cancel,
	.quiet = vhost_dev_quiet,
	.area_added = vhost_dev_area_added,
	.area_gone = vhost_dev_area_gone,
};
