/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: root's questions to the supervisor. One JSON object per
 * line each way:
 *   {"cmd": "ping"} {"cmd": "version"} {"cmd": "list"} {"cmd": "stat", "guest": "NAME or DOMID"}
 * answered by {"ok": true, ...} or {"ok": false, "error": "one line"}.
 */
#ifndef XVM_DAEMON_CTL_H
#define XVM_DAEMON_CTL_H

struct xvm_daemon;
struct xvm_ctl;

/* path is taken over from a dead predecessor. Returns 0 or negative errno. */
int xvm_ctl_open(struct xvm_daemon *daemon, const char *path, struct xvm_ctl **ctl);
void xvm_ctl_close(struct xvm_ctl *ctl);

#endif
