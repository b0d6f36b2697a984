// SPDX-License-Identifier: GPL-2.0-or-later
/* Where xenstore tells this daemon about guests: dom0 reads anything, a driver domain what dom0 put into its own home. */
#include "daemon.h"

void xvm_info_path(const struct xvm_daemon *daemon, u32 domid, const char *leaf, char path[XVM_STORE_PATH_BYTES])
{
	char dir[XVM_STORE_PATH_BYTES];

	if (daemon->own_domid)
		xvm_store_path(dir, "/local/domain/%u/" XVM_DRIVER_DIR, daemon->own_domid);
	else
		strcpy(dir, "/local/domain");
	if (domid)
		xvm_store_path(path, "%s/%u/%s", dir, domid, leaf);
	else
		strcpy(path, dir);
}

/* xenstored tells driver domains of nobody else, but what domain 0 has put there stands as long as the guest lives. */
bool xvm_domain_alive(const struct xvm_daemon *daemon, u32 domid)
{
	char path[XVM_STORE_PATH_BYTES];

	if (!daemon->own_domid)
		return daemon->store->ops->domain_alive(daemon->store, domid);
	xvm_info_path(daemon, domid, "vm", path);
	return xvm_store_exists(daemon->store, XVM_STORE_NO_TXN, path);
}
