// SPDX-License-Identifier: GPL-2.0-only
#include "virtio_msg_enum.h"

/* A multiple of 8, and as many as an answer holds. */
static u16 window_size(const struct vmsg_enum *e)
{
	u32 bytes = e->max_message < VMSG_ENUM_BYTES ? e->max_message : VMSG_ENUM_BYTES;

	return (u16)(8 * (bytes - VIRTIO_MSG_HDR_BYTES - VIRTIO_MSG_GET_DEVICES_FIXED));
}

/* One window; the offset of the next, 0 when this was the last, or a negative error. */
static int one_window(const struct vmsg_enum *e, u16 offset)
{
	u8 msg[VIRTIO_MSG_HDR_BYTES + 4], answer[VMSG_ENUM_BYTES];
	u16 count = window_size(e);
	struct xvm_msg_get_devices m;
	int len;

	len = (int)xvm_msg_put_get_devices(msg, offset, count);
	len = e->transfer(e->arg, msg, (u32)len, answer);
	if (len < 0)
		return len;
	if (xvm_msg_get_devices(answer, e->dialect, (u32)len, &m) || m.offset != offset ||
	    m.count > count || (m.next_offset && m.next_offset <= offset))
		return -EPROTO;
	e->window(e->arg, &m);
	return m.next_offset;
}

int vmsg_enumerate(const struct vmsg_enum *e)
{
	int next = 0;

	do {
		next = one_window(e, (u16)next);
	} while (next > 0);
	return next;
}
