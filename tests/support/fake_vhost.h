/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel for dom0/dev/vhost.c, where there is no /dev/vhost-*: keeps its
 * rules (owner first, nothing changed while it runs, features it never offered) and
 * serves the queues in a thread. vsock: what comes by queue 1 goes back by queue 0; net: frames go to the tap and come
 * from it; scsi: what the target FAKE_TARGET is asked is its answer.
 * On its own code path, so that it can disagree with the one under test. Direct descriptors, no event index.
 */
#ifndef TESTS_SUPPORT_FAKE_VHOST_H
#define TESTS_SUPPORT_FAKE_VHOST_H

#define FAKE_TARGET "naa.test"

/* For workers that are started from now on. */
void fake_vhost_use(void);

#endif
