// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_scsi.h"
#include "host_vhost.h"
#include "why.h"
#include <stdio.h>
#include <unistd.h>

#define TARGETS "/sys/kernel/config/target/vhost"
#define OTHER_QUEUES 2		/* control and events */

int xvm_host_scsi_open(const struct xvm_spec *spec, bool want_fds, struct fdset *fds, char *why)
{
	char path[sizeof(TARGETS) + XVM_WWPN_BYTES];
	int err;

	if (access(TARGETS, F_OK))
		return xvm_refuse(why, -errno, TARGETS ": %s; dom0's kernel has no target for vhost", strerror(errno));
	snprintf(path, sizeof(path), TARGETS "/%s", spec->wwpn);
	if (access(path, F_OK))
		return xvm_refuse(why, -errno, "there is no target %.90s in " TARGETS "; make it, or name another", spec->wwpn);
	if (!want_fds)
		return xvm_host_vhost_check("scsi", why);
	err = xvm_host_vhost_open("scsi", OTHER_QUEUES + spec->queues, fds, why);
	if (err)
		fdset_close(fds);
	return err;
}
