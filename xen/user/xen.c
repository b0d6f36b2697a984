// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only file that includes the headers of libxengnttab and libxenevtchn, and
 * gntdev's own interface; errno becomes a negative return value here.
 */
#include "xen.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xen/sys/gntdev.h>

static xengnttab_handle *gnttab;

int xvm_xen_open(void)
{
	gnttab = xengnttab_open(NULL, 0);
	return gnttab ? 0 : -errno;
}

void xvm_xen_close(void)
{
	if (gnttab)
		xengnttab_close(gnttab);
	gnttab = NULL;
}

int xvm_xen_copy_page(u32 domid, u32 ref, void *dst, size_t bytes)
{
	void *page = xengnttab_map_grant_ref(gnttab, domid, ref, PROT_READ);

	if (!page)
		return -errno;
	xvm_shm_copy(dst, page, bytes);
	return xengnttab_unmap(gnttab, page, 1) ? -errno : 0;
}

int xvm_xen_grant_fd(u32 domid, const u32 *refs, u32 count)
{
	struct ioctl_gntdev_map_grant_ref *map;
	int fd, err = 0;
	u32 i;

	map = calloc(1, sizeof(*map) + count * sizeof(map->refs[0]));
	if (!map)
		return -ENOMEM;
	fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	map->count = count;
	for (i = 0; i < count; i++) {
		map->refs[i].domid = domid;
		map->refs[i].ref = refs[i];
	}
	if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, map))
		err = -errno;
	else if (map->index)
		err = -EIO;	/* the worker maps at offset 0 */
	if (err)
		close(fd);
out:
	free(map);
	return err ? err : fd;
}

static int bind_all(xenevtchn_handle *channels, u32 domid, const u32 *remote, u32 count, u32 *local)
{
	u32 i;

	for (i = 0; i < count; i++) {
		int port = xenevtchn_bind_interdomain(channels, domid, remote[i]);

		if (port < 0)
			return -errno;
		local[i] = (u32)port;
	}
	return xenevtchn_restrict(channels, (domid_t)domid) ? -errno : 0;
}

int xvm_xen_channel_fd(u32 domid, const u32 *remote, u32 count, u32 *local)
{
	xenevtchn_handle *channels = xenevtchn_open(NULL, 0);
	int fd;

	if (!channels)
		return -errno;
	fd = bind_all(channels, domid, remote, count, local);
	if (!fd) {
		/* The library's handle goes, the open file stays with its ports. */
		fd = fcntl(xenevtchn_fd(channels), F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			fd = -errno;
	}
	xenevtchn_close(channels);
	return fd;
}
