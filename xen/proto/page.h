/* SPDX-License-Identifier: MIT */
/*
 * The control page: filled once by the front, copied out once by the back.
 * The words of the rings belong to ring.h.
 */
#ifndef XVM_PROTO_PAGE_H
#define XVM_PROTO_PAGE_H

#include "plat.h"
#include "../../include/xvmsg/xenbus.h"

#define XVM_MAX_RING_PAGES (1u << XVM_MAX_RING_ORDER)

struct xvm_page_refs {
	u32 drv[XVM_MAX_RING_PAGES], dev[XVM_MAX_RING_PAGES];
};

/* Front: fills a zeroed page of XVM_PAGE_BYTES that the back has not seen yet. */
void xvm_page_init(u8 *control, u32 ring_order, const struct xvm_page_refs *refs);

/*
 * Back: checks magic and version and copies the references of both rings.
 * The page may change under us; nothing is read twice. Returns 0 or -EPROTO.
 */
int xvm_page_read(const u8 *control, u32 ring_order, struct xvm_page_refs *refs);

/* Either side: leaves the reason (XVM_ERR_*) why it drops the connection. */
void xvm_page_set_error(u8 *control, bool back, u32 reason, u32 detail);
/* What the other side left, XVM_ERR_NONE if nothing. */
u32 xvm_page_get_error(const u8 *control, bool back, u32 *detail);

#endif
