// SPDX-License-Identifier: MIT
/*
 * Decoders against encoders. Input: sender (bit 0) and dialect (bit 1), then a message. What the
 * frame check and the decoder accept is encoded again; that must be accepted
 * too, decode to the same, and repeat the input but for reserved fields and
 * for bytes behind the end that no length speaks of.
 */
/* LINK: xen/proto */
#include <stdlib.h>
#include "../../xen/proto/msg.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)
#define MAX_MSG 264u

static enum xvm_dialect dialect;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static u32 features(const u8 *in, u32 len, u8 id, u16 dev, u8 *out)
{
	struct xvm_msg_features m;
	u32 words[MAX_MSG / 4], i;

	if (xvm_msg_get_features(in, len, true, &m))
		return 0;
	for (i = 0; i < m.num_blocks; i++)
		words[i] = xvm_get32(m.blocks + 4 * i);
	return xvm_msg_put_features(out, id, dev, m.block_index, m.num_blocks, words);
}

static u32 config(const u8 *in, u32 len, u8 id, u16 dev, bool optional, u8 *out)
{
	struct xvm_msg_config m;

	if (xvm_msg_get_config(in, len, optional, &m))
		return 0;
	CHECK(!m.data || (m.data >= in + 20 && m.length <= len - 20));
	return xvm_msg_put_config(out, id, dev, &m);
}

static u32 transport_answer(const u8 *in, u32 len, const struct xvm_hdr *h, u8 *out)
{
	struct xvm_msg_device_info info;
	struct xvm_msg_vqueue vq;
	struct xvm_msg_shm shm;

	switch (h->id) {
	case VIRTIO_MSG_GET_DEVICE_INFO:
		xvm_msg_get_device_info(in, dialect, &info);
		return xvm_msg_put_device_info(out, dialect, h->dev_num, &info);
	case VIRTIO_MSG_GET_DEVICE_FEATURES:
		return features(in, len, h->id, h->dev_num, out);
	case VIRTIO_MSG_GET_CONFIG:
		return config(in, len, h->id, h->dev_num, false, out);
	case VIRTIO_MSG_SET_CONFIG:
		return config(in, len, h->id, h->dev_num, true, out);
	case VIRTIO_MSG_GET_VQUEUE:
		xvm_msg_get_vqueue(in, dialect, &vq);
		return xvm_msg_put_vqueue(out, dialect, h->dev_num, &vq);
	case VIRTIO_MSG_GET_SHM:
		xvm_msg_get_shm(in, dialect, &shm);
		return xvm_msg_put_shm(out, dialect, h->dev_num, &shm);
	default:
		return len == 8 ? xvm_msg_put_empty(out, 0, h->id, h->dev_num) :
				  xvm_msg_put_u32(out, 0, h->id, h->dev_num, xvm_msg_get_u32(in));
	}
}

static u32 transport_request(const u8 *in, u32 len, const struct xvm_hdr *h, u8 *out)
{
	struct xvm_msg_event_config ec;
	struct xvm_msg_event_avail ea;
	struct xvm_msg_features f;
	struct xvm_msg_vqueue vq;
	u32 offset, length;

	switch (h->id) {
	case VIRTIO_MSG_GET_DEVICE_FEATURES:
		CHECK(!xvm_msg_get_features(in, len, false, &f) && !f.blocks);
		return xvm_msg_put_get_features(out, h->dev_num, f.block_index, f.num_blocks);
	case VIRTIO_MSG_SET_DRIVER_FEATURES:
		return features(in, len, h->id, h->dev_num, out);
	case VIRTIO_MSG_GET_CONFIG:
		xvm_msg_get_get_config(in, &offset, &length);
		return xvm_msg_put_get_config(out, h->dev_num, offset, length);
	case VIRTIO_MSG_SET_CONFIG:
		return config(in, len, h->id, h->dev_num, false, out);
	case VIRTIO_MSG_SET_VQUEUE:
		xvm_msg_get_set_vqueue(in, dialect, &vq);
		return xvm_msg_put_set_vqueue(out, dialect, h->dev_num, &vq);
	case VIRTIO_MSG_EVENT_CONFIG:
		if (xvm_msg_get_event_config(in, len, &ec))
			return 0;
		CHECK(!ec.data || (ec.data >= in + 24 && ec.length <= len - 24));
		return xvm_msg_put_event_config(out, h->dev_num, &ec);
	case VIRTIO_MSG_EVENT_AVAIL:
		xvm_msg_get_event_avail(in, &ea);
		return xvm_msg_put_event_avail(out, h->dev_num, &ea);
	default:
		return len == 8 ? xvm_msg_put_empty(out, 0, h->id, h->dev_num) :
				  xvm_msg_put_u32(out, 0, h->id, h->dev_num, xvm_msg_get_u32(in));
	}
}

static u32 bus_answer(const u8 *in, u32 len, const struct xvm_hdr *h, u8 *out)
{
	struct xvm_msg_get_devices devices;
	struct xvm_msg_area_status status;

	switch (h->id) {
	case VIRTIO_BUS_MSG_GET_DEVICES:
		if (xvm_msg_get_devices(in, dialect, len, &devices))
			return 0;
		CHECK((devices.count + 7u) / 8u <= len - 14);
		return xvm_msg_put_devices(out, dialect, &devices);
	case VIRTIO_BUS_MSG_PING:
		return xvm_msg_put_u32(out, VIRTIO_MSG_TYPE_BUS, h->id, 0, xvm_msg_get_u32(in));
	default:
		xvm_msg_get_area_status(in, h->id, &status);
		return xvm_msg_put_area_status(out, h->id, &status);
	}
}

static u32 bus_request(const u8 *in, u32 len, const struct xvm_hdr *h, u8 *out)
{
	struct xvm_msg_event_device device;
	struct xvm_msg_request_failed failed;
	struct xvm_msg_keep_queue keep;
	struct xvm_msg_area_add area;
	u16 offset, count;

	switch (h->id) {
	case VIRTIO_BUS_MSG_GET_DEVICES:
		xvm_msg_get_get_devices(in, &offset, &count);
		return xvm_msg_put_get_devices(out, offset, count);
	case VIRTIO_BUS_MSG_PING:
		return xvm_msg_put_u32(out, VIRTIO_MSG_TYPE_BUS, h->id, 0, xvm_msg_get_u32(in));
	case VIRTIO_BUS_MSG_EVENT_DEVICE:
		xvm_msg_get_event_device(in, &device);
		return xvm_msg_put_event_device(out, device.dev_num, device.state);
	case XVM_BUS_MSG_AREA_ADD:
		if (xvm_msg_get_area_add(in, len, &area))
			return 0;
		xvm_area_add_check(&area);
		return xvm_msg_put_area_add(out, &area);
	case XVM_BUS_MSG_KEEP_QUEUE:
		xvm_msg_get_keep_queue(in, &keep);
		return xvm_msg_put_keep_queue(out, &keep);
	case XVM_BUS_MSG_REQUEST_FAILED:
		xvm_msg_get_request_failed(in, &failed);
		return xvm_msg_put_request_failed(out, &failed);
	default:
		return xvm_msg_put_number(out, h->id, xvm_msg_get_number(in));
	}
}

/* Decodes and encodes a message that the frame check accepted; 0 when the decoder refuses it. */
static u32 recode(const u8 *in, u32 len, const struct xvm_hdr *h, u8 *out)
{
	bool answer = h->type & VIRTIO_MSG_TYPE_RESPONSE;
	u32 n;

	if (h->type & VIRTIO_MSG_TYPE_BUS)
		n = answer ? bus_answer(in, len, h, out) : bus_request(in, len, h, out);
	else
		n = answer ? transport_answer(in, len, h, out) : transport_request(in, len, h, out);
	if (n)
		xvm_msg_finish(out, answer, h->token);
	return n;
}

/* Payload bytes that the specification reserves: sent as zero, ignored on receive. */
static bool reserved(const struct xvm_hdr *h, u32 at)
{
	bool draft = dialect == XVM_DIALECT_DRAFT2026;

	if (draft && h->type == VIRTIO_MSG_TYPE_RESPONSE && h->id == VIRTIO_MSG_GET_SHM)
		return at >= 12 && at < 16;
	if (!draft && h->type == VIRTIO_MSG_TYPE_RESPONSE && h->id == VIRTIO_MSG_GET_VQUEUE)
		return at >= 20 && at < 24;
	if (!draft && h->type == 0 && h->id == VIRTIO_MSG_SET_VQUEUE)
		return (at >= 12 && at < 16) || (at >= 20 && at < 24);
	if (h->type == VIRTIO_MSG_TYPE_BUS &&
	    (h->id == XVM_BUS_MSG_AREA_DEL || h->id == XVM_BUS_MSG_RELEASE_DEVICE ||
	     h->id == XVM_BUS_MSG_QUIESCE || h->id == XVM_BUS_MSG_RESUME))
		return at >= 10;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 once[MAX_MSG], twice[MAX_MSG];
	const struct xvm_msg_row *row;
	enum xvm_side sender;
	struct xvm_hdr hdr;
	u32 len, n, i;

	if (size < 9 || size > MAX_MSG + 1)
		return 0;
	sender = data[0] & 1 ? XVM_SIDE_DEVICE : XVM_SIDE_DRIVER;
	dialect = data[0] & 2 ? XVM_DIALECT_DRAFT2026 : XVM_DIALECT_PR28;
	data++;
	len = (u32)size - 1;
	if (xvm_frame_check(dialect, sender, MAX_MSG, data, len, &hdr, &row))
		return 0;
	n = recode(data, len, &hdr, once);
	if (!n)
		return 0;
	CHECK(n <= len);
	for (i = 8; i < n; i++)
		CHECK(once[i] == (reserved(&hdr, i) ? 0 : data[i]));
	CHECK(!xvm_frame_check(dialect, sender, MAX_MSG, once, n, &hdr, &row));
	CHECK(recode(once, n, &hdr, twice) == n && !memcmp(once, twice, n));
	return 0;
}
