// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a toolstack does to a guest without knowing that its devices do not survive it: PV disks put beside disks of ours (libxl loses
 * all of them at the next reboot), and a save or a migration while devices are there that libxl does not know. Nothing can be refused
 * here, xl has done it already; the log says it while something can still be done.
 */
#include "daemon.h"
#include <stdio.h>

static void control_path(const struct xvm_guest *guest, char path[XVM_STORE_PATH_BYTES])
{
	xvm_store_path(path, "/local/domain/%u/control/shutdown", guest->domid);
}

/* Of a driver domain's guests this is domain 0's to see. A watch that is refused costs a warning, no more. */
void xvm_warn_watch(struct xvm_guest *guest, bool on)
{
	struct xvm_store *store = guest->daemon->store;
	char path[XVM_STORE_PATH_BYTES], token[XVM_STORE_TOKEN_BYTES];

	if (guest->control_watched == on || guest->daemon->own_domid)
		return;
	control_path(guest, path);
	snprintf(token, sizeof(token), XVM_TOKEN_CONTROL "%u", guest->domid);
	if (on)
		guest->control_watched = !store->ops->watch(store, path, token);
	else
		store->ops->unwatch(store, path, token);
	guest->control_watched = on && guest->control_watched;
}

static bool is_transient(const struct xvm_disk *disk)
{
	return disk->own && !disk->persist && disk->wish == XVM_WISH_STAY;
}

/* The node is the guest's to write as well: the line is of those that are counted. */
void xvm_warn_on_control(struct xvm_daemon *daemon, const char *number)
{
	char path[XVM_STORE_PATH_BYTES], text[16], names[128] = "";
	const struct xvm_disk *disk;
	struct xvm_guest *guest;
	u32 domid, left = 0;
	size_t len = 0;

	if (xvm_parse_u32(number, strlen(number), 0x7fef, &domid) || !(guest = xvm_guest_find(daemon, domid)))
		return;
	control_path(guest, path);
	if (xvm_store_read(daemon->store, XVM_STORE_NO_TXN, path, text, sizeof(text)) <= 0 || strcmp(text, "suspend"))
		return;
	for (disk = guest->disks; disk; disk = disk->next) {
		if (!is_transient(disk))
			continue;
		if (len + strlen(disk->vdev) + 3 > sizeof(names))
			left++;
		else
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", disk->vdev);
	}
	if (len && left)
		xvm_guest_log(guest, LOG_WARNING, "is being saved or migrated without %s and %u more, attached without --persist; "
			      "attach them again when it runs", names, left);
	else if (len)
		xvm_guest_log(guest, LOG_WARNING, "is being saved or migrated without %s, attached without --persist; "
			      "attach again when it runs", names);
}

static bool has_xl_disk(const struct xvm_guest *guest)
{
	const struct xvm_disk *disk;

	for (disk = guest->disks; disk; disk = disk->next)
		if (!disk->own && disk->node == XVM_NODE_DISK && disk->phase == XVM_DISK_READY)
			return true;
	return false;
}

/* One line for each PV disk: its own node, not the keys below; and not when it goes. */
void xvm_warn_on_libxl(struct xvm_daemon *daemon, const char *path)
{
	char node[XVM_STORE_PATH_BYTES];
	struct xvm_guest *guest;
	u32 domid, devid;
	int end = -1;

	if (sscanf(path, "/libxl/%u/device/vbd/%u%n", &domid, &devid, &end) != 2 || path[end])
		return;
	guest = xvm_guest_find(daemon, domid);
	xvm_store_path(node, "/libxl/%u/device/vbd/%u", domid, devid);
	if (guest && has_xl_disk(guest) && xvm_store_exists(daemon->store, XVM_STORE_NO_TXN, node))
		xvm_guest_log(guest, LOG_WARNING, "was given a PV disk (vbd %u) beside its virtio disks: libxl loses all disks of such a guest "
			      "at its reboot; take it away (xl block-detach %u %u)", devid, domid, devid);
}
