/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user server in a process of its own, and what the supervisor would
 * hand to a worker for a connection to it. Servers are Debian's, unmodified.
 */
#ifndef TESTS_SUPPORT_VU_SERVER_H
#define TESTS_SUPPORT_VU_SERVER_H

#include "rig.h"

#define QSD "/usr/bin/qemu-storage-daemon"
#define VIRTIOFSD "/usr/lib/qemu/virtiofsd"

/* Runs a program until it is killed, at the latest when the caller dies. */
pid_t vu_server_run(char *const argv[]);
/* qemu-storage-daemon with one disk. Removes path first. */
pid_t vu_server_disk(const char *path, const char *image, bool writable);
void vu_server_kill(pid_t pid);
/* Connects, within 10 s of trying. */
int vu_server_connect(const char *path);
/* Adds the device, of desc->queues queues, or gives it its next server. Takes sock. */
void vu_server_add(struct rig *rig, const struct xvm_ipc_dev_add *desc, int sock);
void vu_server_again(struct rig *rig, u16 num, const char *path, u32 queues);

#endif
