// SPDX-License-Identifier: GPL-2.0-or-later
#include "targets.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

_Static_assert(sizeof(struct vhost_scsi_target) <= XVM_TARGET_SLOT_BYTES, "a target fits into its slot");

static struct vhost_scsi_target *slot(const struct xvm_targets *targets, u32 i)
{
	return (struct vhost_scsi_target *)(targets->slots + i * XVM_TARGET_SLOT_BYTES);
}

/* Sealed when it is mapped here: this mapping stays the only one that writes. */
int xvm_targets_new(struct xvm_targets *targets)
{
	int fd = memfd_create("targets", MFD_CLOEXEC | MFD_ALLOW_SEALING), err = 0;
	void *map;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, XVM_TARGETS_BYTES))
		err = -errno;
	map = err ? MAP_FAILED : mmap(NULL, XVM_TARGETS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!err && (map == MAP_FAILED || fcntl(fd, F_ADD_SEALS, SEALS)))
		err = -errno;
	if (!err) {
		targets->slots = map;
		return fd;
	}
	if (map != MAP_FAILED)
		munmap(map, XVM_TARGETS_BYTES);
	close(fd);
	return err;
}

void xvm_targets_free(struct xvm_targets *targets)
{
	if (targets->slots)
		munmap(targets->slots, XVM_TARGETS_BYTES);
	targets->slots = NULL;
}

int xvm_targets_add(struct xvm_targets *targets, const char *wwpn)
{
	u32 i;

	for (i = 0; i < XVM_TARGETS; i++) {
		struct vhost_scsi_target *target = slot(targets, i);

		if (target->vhost_wwpn[0])
			continue;
		target->abi_version = VHOST_SCSI_ABI_VERSION;
		snprintf(target->vhost_wwpn, sizeof(target->vhost_wwpn), "%s", wwpn);
		return (int)i;
	}
	return -ENOSPC;
}

void xvm_targets_remove(struct xvm_targets *targets, const char *wwpn)
{
	u32 i;

	for (i = 0; i < XVM_TARGETS; i++)
		if (!strcmp(slot(targets, i)->vhost_wwpn, wwpn))
			memset(slot(targets, i), 0, XVM_TARGET_SLOT_BYTES);
}
