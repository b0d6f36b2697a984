/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records as JSON, for the control socket. Names of counters are those of ipc.h. */
#ifndef XVM_DAEMON_REPORT_H
#define XVM_DAEMON_REPORT_H

struct json_object;
struct xvm_daemon;
struct xvm_disk;
struct xvm_guest;

/* of one guest, or of all (NULL) */
struct json_object *xvm_report_list(struct xvm_daemon *daemon, const struct xvm_guest *only);
struct json_object *xvm_report_device(const struct xvm_disk *disk);
struct json_object *xvm_report_stat(struct xvm_guest *guest);

#endif
