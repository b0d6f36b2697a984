/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the supervisor asks of Xen for a guest whose domain id it knows from
 * dom0-owned xenstore paths: copy one granted page, open descriptors that a
 * worker may hold. No mapping outlives a call here.
 *
 * A gntdev descriptor is ambient authority over all grants to this domain; the
 * worker that gets one runs under a seccomp filter that leaves it mmap alone.
 */
#ifndef XVM_USER_XEN_H
#define XVM_USER_XEN_H

#include "../proto/plat.h"

/* Opens what stays open. Returns 0 or negative errno. */
int xvm_xen_open(void);
void xvm_xen_close(void);

/* Maps one page read-only, copies it once, unmaps it. bytes <= 4096. */
int xvm_xen_copy_page(u32 domid, u32 ref, void *dst, size_t bytes);

/*
 * A fresh gntdev descriptor on which these grants can be mmapped, once, at
 * offset 0. Bad references show at that mmap. Descriptor or negative errno.
 */
int xvm_xen_grant_fd(u32 domid, const u32 *refs, u32 count);

/*
 * A fresh event channel descriptor with the guest's ports bound, restricted to
 * the guest for ever. Descriptor or negative errno; local ports in local[].
 */
int xvm_xen_channel_fd(u32 domid, const u32 *remote, u32 count, u32 *local);

#endif
