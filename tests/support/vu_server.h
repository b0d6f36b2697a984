/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user server in a process of its own, and what the supervisor would
 * hand to a worker for a connection to it. Servers are Debian's, unmodified.
 */
#ifndef TESTS_SUPPORT_VU_SERVER_H
#define TESTS_SUPPORT_VU_SERVER_H

#include <stdbool.h>
#include <sys/types.h>
#include "../../dom0/base/fdset.h"

#define QSD "/usr/bin/qemu-storage-daemon"
#define VIRTIOFSD "/usr/lib/qemu/virtiofsd"

/* Runs a program until it is killed, at the latest when the caller dies. */
pid_t vu_server_run(char *const argv[]);
/* qemu-storage-daemon with one disk. Removes path first. */
pid_t vu_server_disk(const char *path, const char *image, bool writable);
void vu_server_kill(pid_t pid);
/* Connects, within 10 s of trying. */
int vu_server_connect(const char *path);
/* As enum xvm_vu_fd has it; sock is taken. The caller closes the set. */
void vu_server_fds(struct fdset *fds, int sock, unsigned int queues);

#endif
