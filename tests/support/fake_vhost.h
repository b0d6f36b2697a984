/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel for dom0/remote/vhost.c, where there is no /dev/vhost-*: keeps its
 * rules (owner first, nothing changed while it runs, features it never offered) and
 * serves two queues in a thread: what comes by queue 1 goes back by queue 0.
 * On its own code path, so that it can disagree with the one under test. Direct descriptors, no event index.
 */
#ifndef TESTS_SUPPORT_FAKE_VHOST_H
#define TESTS_SUPPORT_FAKE_VHOST_H

/* For workers that are started from now on. */
void fake_vhost_use(void);

#endif
