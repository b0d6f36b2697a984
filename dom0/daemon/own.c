// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices that xl does not know: attached by xvmsg, or standing in the record
 * of their guest. From disk.c's point of view each has a node that is always
 * there, in which the operator's wish stands instead of libxl's.
 */
#include "daemon.h"
#include <stdio.h>

static bool name_taken(void *arg, const char *name)
{
	return xvm_disk_find(arg, name);
}

static int copy_name(struct xvm_guest *guest, struct xvm_disk *disk, const struct xvm_spec *spec, char *why)
{
	if (!spec->name[0]) {
		xvm_spec_make_name(spec->kind, disk->vdev, name_taken, guest);
		return 0;
	}
	if (xvm_disk_find(guest, spec->name)) {
		snprintf(why, XVM_WHY_BYTES, "the guest has a device named %s; choose another name=, or detach that one",
			 spec->name);
		return -EEXIST;
	}
	memcpy(disk->vdev, spec->name, sizeof(disk->vdev));
	return 0;
}

int xvm_own_new(struct xvm_guest *guest, const struct xvm_spec *spec, bool persist, struct xvm_disk **result,
		char why[XVM_WHY_BYTES])
{
	struct xvm_disk *disk = xvm_disk_new(guest, XVM_NODE_DISK, 0), **at = &guest->disks;
	int err;

	if (!disk) {
		snprintf(why, XVM_WHY_BYTES, "xvmsgd is out of memory");
		return -ENOMEM;
	}
	disk->own = true;
	disk->persist = persist;
	disk->id = xvm_random_u64();
	disk->discard = spec->discard;
	disk->image.spec = disk->request.spec = *spec;
	disk->request.read_only = spec->read_only;
	disk->request.plain = true;
	memcpy(disk->request.target, spec->path, sizeof(disk->request.target));
	err = copy_name(guest, disk, spec, why);
	if (err) {
		xvm_disk_free(disk);
		return err;
	}
	while (*at)
		at = &(*at)->next;
	*at = disk;
	xvm_warn_watch(guest, true);
	xvm_guest_dirty(guest);
	*result = disk;
	return 0;
}

void xvm_own_leave(struct xvm_disk *disk, bool now)
{
	if (disk->wish != XVM_WISH_LEAVE_NOW)
		disk->wish = now ? XVM_WISH_LEAVE_NOW : XVM_WISH_LEAVE;
	xvm_guest_dirty(disk->guest);
}

void xvm_own_look(const struct xvm_disk *disk, struct xvm_node_view *view)
{
	bool stay = disk->wish == XVM_WISH_STAY;

	*view = (struct xvm_node_view){
		.exists = true,
		.has_state = true,
		.ours = true,
		.online = stay,
		.state = !stay ? XVM_BUS_CLOSING : disk->phase == XVM_DISK_NEW ? XVM_BUS_INITIALISING : XVM_BUS_INIT_WAIT,
		/* What libxl says by removing the front-end directory. */
		.front = disk->wish != XVM_WISH_LEAVE_NOW && disk->guest->alive,
	};
}

void xvm_own_spec(const struct xvm_disk *disk, struct xvm_spec *spec)
{
	*spec = disk->request.spec;
	memcpy(spec->name, disk->vdev, sizeof(spec->name));
}
