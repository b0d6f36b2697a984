/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: root's questions to the supervisor. One JSON object per
 * line each way:
 *   {"cmd": "ping"} {"cmd": "version"} {"cmd": "list"} {"cmd": "stat", "guest": "NAME or DOMID"}
 *   {"cmd": "attach", "guest": .., "spec": "type=..", "persist": bool, "wait_s": N}
 *   {"cmd": "detach", "guest": .., "device": "NAME or NUMBER", "force": bool, "wait_s": N}
 *   {"cmd": "show", "guest": .., "device": ..} {"cmd": "set", "guest": .., "device": .., "key": "size", "value": ..}
 *   {"cmd": "records"} {"cmd": "forget", "uuid": ..}
 * each answered, when it is done, by {"ok": true, ...} or {"ok": false, "error": "one line"}.
 *
 *   {"cmd": "trace", "guest": "NAME or DOMID", "wait": true}
 * is the only command of its connection, which stays open. After {"ok": true}
 * come, as it happens (dom0/daemon/trace.h),
 *   {"event": "connection", "domid": N, ...} with a descriptor: its messages
 *   {"event": "end", "why": "one line"}
 * With wait the guest need not be there yet.
 */
#ifndef XVM_DAEMON_CTL_H
#define XVM_DAEMON_CTL_H

struct xvm_daemon;
struct xvm_ctl;

/* path is taken over from a dead predecessor. Returns 0 or negative errno. */
int xvm_ctl_open(struct xvm_daemon *daemon, const char *path, struct xvm_ctl **ctl);
void xvm_ctl_close(struct xvm_ctl *ctl);

#endif
