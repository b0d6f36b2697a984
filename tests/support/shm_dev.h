/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device with a shared memory region, for tests (docs/decisions/0002). The
 * driver lends the memory by writing its bus address and length to the
 * configuration: le64 at 0, le32 at 8, both in one write; length 0 takes it
 * back. It then is region 0. A request is a le32 offset, then bytes that the
 * device puts into the region there; its writable part is filled from the same
 * place. Two queues, alike.
 */
#ifndef TESTS_SUPPORT_SHM_DEV_H
#define TESTS_SUPPORT_SHM_DEV_H

#include "../../dom0/virtio/vdev.h"

#define SHM_DEV_ID	62u
#define SHM_DEV_QUEUES	2u
#define SHM_DEV_CONFIG	12u
#define SHM_DEV_MAX	256u	/* bytes moved by a request */

#endif
