/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the service manager that started this process how it is getting on: a
 * datagram of NAME=value lines to the socket in NOTIFY_SOCKET, as sd_notify(3)
 * has it. Without such a variable there is nobody to tell.
 */
#ifndef DOM0_BASE_NOTIFY_H
#define DOM0_BASE_NOTIFY_H

/* Returns 1 when it was sent, 0 when nobody asked for it, or negative errno. */
int service_notify(const char *state);

#endif
