// SPDX-License-Identifier: MIT
#include "frame.h"

const char *xvm_frame_fault_name(enum xvm_frame_fault fault)
{
	static const char *const names[XVM_FRAME_FAULTS] = {
		[XVM_FRAME_OK] = "ok",
		[XVM_FRAME_SHORT] = "shorter than a header",
		[XVM_FRAME_SIZE] = "msg_size is not the record's length",
		[XVM_FRAME_TOO_LONG] = "longer than the maximum message size",
		[XVM_FRAME_UNKNOWN] = "unknown message id",
		[XVM_FRAME_DIRECTION] = "wrong direction",
		[XVM_FRAME_LENGTH] = "wrong length for its id",
		[XVM_FRAME_DEV_NUM] = "bus message with a device number",
	};

	return fault < XVM_FRAME_FAULTS ? names[fault] : "?";
}

static bool in_bounds(const struct xvm_msg_bounds *bounds, u32 len, u32 max_msg)
{
	return len >= bounds->min && len <= (bounds->max == XVM_LEN_VARIABLE ? max_msg : bounds->max);
}

enum xvm_frame_fault xvm_frame_check(enum xvm_dialect dialect, enum xvm_side sender, u32 max_msg,
				     const u8 *buf, u32 len, struct xvm_hdr *hdr,
				     const struct xvm_msg_row **rowp)
{
	const struct xvm_msg_row *row;
	bool answer;
	u8 asker;

	memset(hdr, 0, sizeof(*hdr));
	if (len < VIRTIO_MSG_HDR_BYTES)
		return XVM_FRAME_SHORT;
	hdr->type = buf[VIRTIO_MSG_HDR_TYPE] & VIRTIO_MSG_TYPE_MASK;
	hdr->id = buf[VIRTIO_MSG_HDR_ID];
	hdr->dev_num = xvm_get16(buf + VIRTIO_MSG_HDR_DEV_NUM);
	hdr->token = xvm_get16(buf + VIRTIO_MSG_HDR_TOKEN);
	hdr->size = xvm_get16(buf + VIRTIO_MSG_HDR_SIZE);
	if (hdr->size != len)
		return XVM_FRAME_SIZE;
	if (len > max_msg)
		return XVM_FRAME_TOO_LONG;

	row = xvm_msgtab_find(hdr->type, hdr->id);
	if (!row || !row->len[dialect].request.max)
		return XVM_FRAME_UNKNOWN;
	answer = hdr->type & VIRTIO_MSG_TYPE_RESPONSE;
	/* An answer comes from whoever may not have asked, unless both may. */
	asker = answer ? (u8)(XVM_SIDE_ANY & ~sender) : (u8)sender;
	if (!(row->sender & asker) || (answer && xvm_msg_is_event(row)))
		return XVM_FRAME_DIRECTION;
	if (!in_bounds(answer ? &row->len[dialect].answer : &row->len[dialect].request, len, max_msg))
		return XVM_FRAME_LENGTH;
	if ((hdr->type & VIRTIO_MSG_TYPE_BUS) && hdr->dev_num)
		return XVM_FRAME_DEV_NUM;
	*rowp = row;
	return XVM_FRAME_OK;
}

void xvm_frame_put_hdr(u8 *buf, const struct xvm_hdr *hdr)
{
	buf[VIRTIO_MSG_HDR_TYPE] = hdr->type;
	buf[VIRTIO_MSG_HDR_ID] = hdr->id;
	xvm_put16(buf + VIRTIO_MSG_HDR_DEV_NUM, hdr->dev_num);
	xvm_put16(buf + VIRTIO_MSG_HDR_TOKEN, hdr->token);
	xvm_put16(buf + VIRTIO_MSG_HDR_SIZE, hdr->size);
}
