/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of a network device: a tap that outlives workers, made when
 * the device is adopted, in its bridge, and removed when it leaves. All of it
 * may wait (a hotplug script, the kernel's network lock), so only the opener's
 * child calls this.
 *
 * A tap is known as a guest's by its owner, which is the user of the guest's
 * workers: a daemon that starts takes it over as it is.
 */
#ifndef XVM_DAEMON_HOST_NET_H
#define XVM_DAEMON_HOST_NET_H

#include "../base/fdset.h"
#include "image.h"

/* Does request->net.task. Returns 0, for XVM_NET_OPEN with a queue per pair in fds, or negative errno with why. */
int xvm_host_net(const struct xvm_image_request *request, struct xvm_image *image, struct fdset *fds, char *why);

/* A script's time, 40 s as libxl's own have. Then it is killed, and what it was to do has failed. Tests shorten it. */
extern u32 xvm_script_limit_ms;
/* What a request may take for its script; 0: it calls none. */
u32 xvm_net_script_ms(const struct xvm_image_request *request);

/*
 * Where Xen's scripts look for the node of a tap, and write what went wrong. False: what stands there is libxl's.
 */
#define XVM_SCRIPT_PATH_BYTES 80
bool xvm_net_script_path(const char *tap, char path[XVM_SCRIPT_PATH_BYTES]);

/* Taps of workers that run as uid_base plus the domain id, by owner and made-up name, whether or not there is such a guest. */
void xvm_net_taps(u32 uid_base, void (*found)(void *arg, u32 domid, const struct xvm_net_request *tap), void *arg);

/* A MAC address of Xen's, always the same for a device of that name of a guest with that UUID. */
void xvm_net_default_mac(const char *uuid, const char *name, u8 mac[6]);
/*
 * vifDOMID.N-xvm: N from the end of the device's name, or from all of it; taken says which are in use.
 * False: all hundred are.
 */
bool xvm_net_tap_name(u32 domid, const char *name, char tap[XVM_TAP_BYTES],
		      bool (*taken)(void *arg, const char *tap), void *arg);

#endif
