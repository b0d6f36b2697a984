// SPDX-License-Identifier: MIT
#include "page.h"

void xvm_page_init(u8 *control, u32 ring_order, const struct xvm_page_refs *refs)
{
	u32 i;

	xvm_shm_store32(control + XVM_CTRL_VERSION, XVM_BUS_VERSION);
	for (i = 0; i < 1u << ring_order; i++) {
		xvm_shm_store32(control + XVM_CTRL_DRV_REFS + 4 * i, refs->drv[i]);
		xvm_shm_store32(control + XVM_CTRL_DEV_REFS + 4 * i, refs->dev[i]);
	}
	xvm_shm_store32(control + XVM_CTRL_MAGIC, XVM_CTRL_MAGIC_VALUE);
}

int xvm_page_read(const u8 *control, u32 ring_order, struct xvm_page_refs *refs)
{
	u32 i;

	if (xvm_shm_load32(control + XVM_CTRL_MAGIC) != XVM_CTRL_MAGIC_VALUE ||
	    xvm_shm_load32(control + XVM_CTRL_VERSION) != XVM_BUS_VERSION)
		return -EPROTO;
	for (i = 0; i < 1u << ring_order; i++) {
		refs->drv[i] = xvm_shm_load32(control + XVM_CTRL_DRV_REFS + 4 * i);
		refs->dev[i] = xvm_shm_load32(control + XVM_CTRL_DEV_REFS + 4 * i);
	}
	return 0;
}

void xvm_page_set_error(u8 *control, bool back, u32 reason, u32 detail)
{
	u8 *word = control + (back ? XVM_CTRL_BACK_ERROR : XVM_CTRL_FRONT_ERROR);

	xvm_shm_store32(word + 4, detail);
	xvm_shm_publish32(word, reason);	/* the detail is there before the reason */
}

u32 xvm_page_get_error(const u8 *control, bool back, u32 *detail)
{
	const u8 *word = control + (back ? XVM_CTRL_BACK_ERROR : XVM_CTRL_FRONT_ERROR);
	u32 reason = xvm_shm_acquire32(word);

	*detail = xvm_shm_load32(word + 4);
	return reason;
}
