// SPDX-License-Identifier: MIT
/*
 * From bytes to fields: one short function per payload, names as in the text of
 * virtio-msg. The decoding itself is the portable core's.
 */
#include "describe.h"

struct take {
	struct xvm_described *d;
	enum xvm_dialect dialect;
	const u8 *msg;
	u32 len;
};

static struct xvm_field *add(const struct take *t, const char *name, enum xvm_field_kind kind, u64 number)
{
	/* The last one is overwritten rather than the end passed; no message has so many. */
	u32 at = t->d->count < XVM_MAX_FIELDS ? t->d->count++ : XVM_MAX_FIELDS - 1;
	struct xvm_field *field = &t->d->field[at];

	*field = (struct xvm_field){ .name = name, .kind = kind, .number = number };
	return field;
}

static void number(const struct take *t, const char *name, u64 value)
{
	add(t, name, XVM_FIELD_NUMBER, value);
}

static void hex(const struct take *t, const char *name, u64 value)
{
	add(t, name, XVM_FIELD_HEX, value);
}

static void word(const struct take *t, const char *name, const char *text)
{
	add(t, name, XVM_FIELD_WORD, 0)->word = text;
}

static void data(const struct take *t, const char *name, enum xvm_field_kind kind, const u8 *at, u32 count)
{
	struct xvm_field *field = add(t, name, kind, 0);

	field->data = at;
	field->count = count;
}

/* Of a list of ours, or the number itself. */
static void named(const struct take *t, const char *name, u32 value, const char *const *words, u32 count)
{
	if (value < count && words[value])
		word(t, name, words[value]);
	else
		number(t, name, value);
}

#define NAMED(t, name, value, words) named(t, name, value, words, XVM_ARRAY_SIZE(words))

/* ---- one per payload ---- */

static void nothing(const struct take *t)
{
	(void)t;
}

static void info_answer(const struct take *t)
{
	struct xvm_msg_device_info m;

	xvm_msg_get_device_info(t->msg, t->dialect, &m);
	number(t, "device_id", m.device_id);
	hex(t, "vendor_id", m.vendor_id);
	if (t->dialect == XVM_DIALECT_DRAFT2026)
		data(t, "uuid", XVM_FIELD_BYTES, t->msg + VIRTIO_MSG_HDR_BYTES + 8, VIRTIO_MSG_UUID_BYTES);
	number(t, "num_feature_bits", m.num_feature_bits);
	number(t, "config_size", m.config_size);
	number(t, "max_virtqueues", m.max_virtqueues);
	number(t, "admin_vq_start", m.admin_vq_start);
	number(t, "admin_vq_count", m.admin_vq_count);
}

static void features(const struct take *t, bool with_blocks)
{
	struct xvm_msg_features m;

	if (xvm_msg_get_features(t->msg, t->len, with_blocks, &m)) {
		t->d->fault = XVM_FRAME_LENGTH;
		return;
	}
	number(t, "block_index", m.block_index);
	number(t, "num_blocks", m.num_blocks);
	if (with_blocks)
		data(t, "features", XVM_FIELD_WORDS, m.blocks, m.num_blocks);
}

static void features_request(const struct take *t)
{
	features(t, false);
}

static void features_words(const struct take *t)
{
	features(t, true);
}

static void get_config_request(const struct take *t)
{
	u32 offset, length;

	xvm_msg_get_get_config(t->msg, &offset, &length);
	number(t, "offset", offset);
	number(t, "length", length);
}

static void config(const struct take *t, bool data_optional)
{
	struct xvm_msg_config m;

	if (xvm_msg_get_config(t->msg, t->len, data_optional, &m)) {
		t->d->fault = XVM_FRAME_LENGTH;
		return;
	}
	number(t, "generation", m.generation);
	number(t, "offset", m.offset);
	number(t, "length", m.length);
	if (m.data)
		data(t, "data", XVM_FIELD_BYTES, m.data, m.length);
}

static void config_full(const struct take *t)
{
	config(t, false);
}

static void config_answer(const struct take *t)
{
	config(t, true);
}

static void status(const struct take *t)
{
	add(t, "status", XVM_FIELD_STATUS, xvm_msg_get_u32(t->msg));
}

static void index_of(const struct take *t)
{
	number(t, "vq", xvm_msg_get_u32(t->msg));
}

static void addresses(const struct take *t, const struct xvm_msg_vqueue *m)
{
	hex(t, "desc", m->desc_addr);
	hex(t, "driver", m->driver_addr);
	hex(t, "device", m->device_addr);
}

static void vqueue_answer(const struct take *t)
{
	struct xvm_msg_vqueue m;

	xvm_msg_get_vqueue(t->msg, t->dialect, &m);
	number(t, "vq", m.index);
	number(t, "max_size", m.max_size);
	number(t, "size", m.size);
	if (xvm_dialect_rules(t->dialect)->vq_flags)
		hex(t, "flags", m.flags);
	addresses(t, &m);
}

static void vqueue_set(const struct take *t)
{
	struct xvm_msg_vqueue m;

	xvm_msg_get_set_vqueue(t->msg, t->dialect, &m);
	number(t, "vq", m.index);
	number(t, "size", m.size);
	if (xvm_dialect_rules(t->dialect)->vq_flags)
		hex(t, "flags", m.flags);
	addresses(t, &m);
}

static void shm_request(const struct take *t)
{
	number(t, "region", xvm_msg_get_u32(t->msg));
}

static void shm_answer(const struct take *t)
{
	struct xvm_msg_shm m;

	xvm_msg_get_shm(t->msg, t->dialect, &m);
	number(t, "region", m.index);
	number(t, "bytes", m.length);
	hex(t, "address", m.address);
}

static void event_config(const struct take *t)
{
	struct xvm_msg_event_config m;

	if (xvm_msg_get_event_config(t->msg, t->len, &m)) {
		t->d->fault = XVM_FRAME_LENGTH;
		return;
	}
	add(t, "status", XVM_FIELD_STATUS, m.device_status);
	number(t, "generation", m.generation);
	number(t, "offset", m.offset);
	number(t, "length", m.length);
	if (m.data)
		data(t, "data", XVM_FIELD_BYTES, m.data, m.length);
}

static void event_avail(const struct take *t)
{
	struct xvm_msg_event_avail m;

	xvm_msg_get_event_avail(t->msg, &m);
	number(t, "vq", m.vq_index);
	hex(t, "next_offset", m.next_offset);
}

static void devices_request(const struct take *t)
{
	u16 offset, count;

	xvm_msg_get_get_devices(t->msg, &offset, &count);
	number(t, "offset", offset);
	number(t, "count", count);
}

static void devices_answer(const struct take *t)
{
	struct xvm_msg_get_devices m;

	if (xvm_msg_get_devices(t->msg, t->dialect, t->len, &m)) {
		t->d->fault = XVM_FRAME_LENGTH;
		return;
	}
	number(t, "offset", m.offset);
	number(t, "count", m.count);
	number(t, "next_offset", m.next_offset);
	data(t, "devices", XVM_FIELD_BITMAP, m.bitmap, m.count);
	t->d->field[t->d->count - 1].number = m.offset;
}

static void ping(const struct take *t)
{
	hex(t, "data", xvm_msg_get_u32(t->msg));
}

static void event_device(const struct take *t)
{
	static const char *const states[] = {
		[VIRTIO_MSG_DEVICE_READY] = "READY",	/* the 2026 draft calls it ADDED */
		[VIRTIO_MSG_DEVICE_REMOVED] = "REMOVED",
	};
	struct xvm_msg_event_device m;

	xvm_msg_get_event_device(t->msg, &m);
	number(t, "device", m.dev_num);
	NAMED(t, "state", m.state, states);
}

static const char *const area_status[] = {
	[XVM_STATUS_OK] = "OK", [XVM_STATUS_INVALID] = "INVALID", [XVM_STATUS_NO_SPACE] = "NO_SPACE",
	[XVM_STATUS_BAD_REF] = "BAD_REF", [XVM_STATUS_EXISTS] = "EXISTS", [XVM_STATUS_BUSY] = "BUSY",
	[XVM_STATUS_NO_AREA] = "NO_AREA", [XVM_STATUS_NO_DEVICE] = "NO_DEVICE", [XVM_STATUS_LOST] = "LOST",
};

static void area_add(const struct take *t)
{
	struct xvm_msg_area_add m;

	if (xvm_msg_get_area_add(t->msg, t->len, &m)) {
		t->d->fault = XVM_FRAME_LENGTH;
		return;
	}
	number(t, "area", m.id);
	number(t, "scope", m.scope);
	hex(t, "flags", m.flags);
	number(t, "npages", m.npages);
	number(t, "first_byte", m.first_byte);
	data(t, "directories", XVM_FIELD_WORDS, t->msg + VIRTIO_MSG_HDR_BYTES + 16, m.ndirs);
}

static void status_of(const struct take *t, const char *whose)
{
	struct xvm_msg_area_status m;

	xvm_msg_get_area_status(t->msg, t->msg[VIRTIO_MSG_HDR_ID], &m);
	number(t, whose, m.id);
	NAMED(t, "status", m.status, area_status);
	if (t->msg[VIRTIO_MSG_HDR_ID] == XVM_BUS_MSG_AREA_ADD)
		number(t, "limit", m.limit);
}

static void area_answer(const struct take *t)
{
	status_of(t, "area");
}

static void device_answer(const struct take *t)
{
	status_of(t, "device");
}

static void area_del(const struct take *t)
{
	number(t, "area", xvm_msg_get_number(t->msg));
}

static void device_of(const struct take *t)
{
	number(t, "device", xvm_msg_get_number(t->msg));
}

static void keep_queue(const struct take *t)
{
	struct xvm_msg_keep_queue m;

	xvm_msg_get_keep_queue(t->msg, &m);
	number(t, "device", m.dev_num);
	hex(t, "flags", m.flags);
	number(t, "vq", m.index);
}

static void request_failed(const struct take *t)
{
	static const char *const reasons[] = {
		[XVM_FAILED_NO_DEVICE] = "NO_DEVICE", [XVM_FAILED_REMOVED] = "REMOVED",
	};
	struct xvm_msg_request_failed m;
	const struct xvm_msg_row *row;

	xvm_msg_get_request_failed(t->msg, &m);
	row = xvm_msgtab_find(m.type, m.id);
	number(t, "device", m.dev_num);
	number(t, "token", m.token);
	if (row)
		word(t, "request", row->name);
	else
		hex(t, "request", m.id);
	NAMED(t, "reason", m.reason, reasons);
}

/* ---- which one ---- */

typedef void (*payload)(const struct take *t);

static const struct {
	u8 type, id;
	payload request, answer;
} payloads[] = {
	{ 0, VIRTIO_MSG_GET_DEVICE_INFO, nothing, info_answer },
	{ 0, VIRTIO_MSG_GET_DEVICE_FEATURES, features_request, features_words },
	{ 0, VIRTIO_MSG_SET_DRIVER_FEATURES, features_words, nothing },
	{ 0, VIRTIO_MSG_GET_CONFIG, get_config_request, config_full },
	{ 0, VIRTIO_MSG_SET_CONFIG, config_full, config_answer },
	{ 0, VIRTIO_MSG_GET_DEVICE_STATUS, nothing, status },
	{ 0, VIRTIO_MSG_SET_DEVICE_STATUS, status, status },
	{ 0, VIRTIO_MSG_GET_VQUEUE, index_of, vqueue_answer },
	{ 0, VIRTIO_MSG_SET_VQUEUE, vqueue_set, nothing },
	{ 0, VIRTIO_MSG_RESET_VQUEUE, index_of, nothing },
	{ 0, VIRTIO_MSG_GET_SHM, shm_request, shm_answer },
	{ 0, VIRTIO_MSG_EVENT_CONFIG, event_config, nothing },
	{ 0, VIRTIO_MSG_EVENT_AVAIL, event_avail, nothing },
	{ 0, VIRTIO_MSG_EVENT_USED, index_of, nothing },
	{ VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_GET_DEVICES, devices_request, devices_answer },
	{ VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_PING, ping, ping },
	{ VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_EVENT_DEVICE, event_device, nothing },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_AREA_ADD, area_add, area_answer },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_AREA_DEL, area_del, area_answer },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_RELEASE_DEVICE, device_of, device_answer },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_QUIESCE, device_of, device_answer },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_RESUME, device_of, device_answer },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_KEEP_QUEUE, keep_queue, device_answer },
	{ VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_REQUEST_FAILED, request_failed, nothing },
};

static void take_payload(const struct take *t)
{
	const struct xvm_hdr *hdr = &t->d->hdr;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(payloads); i++) {
		if (payloads[i].type != (hdr->type & VIRTIO_MSG_TYPE_BUS) || payloads[i].id != hdr->id)
			continue;
		(hdr->type & VIRTIO_MSG_TYPE_RESPONSE ? payloads[i].answer : payloads[i].request)(t);
		return;
	}
}

void xvm_describe(struct xvm_described *d, enum xvm_dialect dialect, enum xvm_side sender,
		  u32 max_message, const u8 *msg, u32 len)
{
	struct take t = { .d = d, .dialect = dialect, .msg = msg, .len = len };
	const struct xvm_msg_row *row;

	memset(d, 0, sizeof(*d));
	d->sender = sender;
	d->msg = msg;
	d->len = len;
	d->fault = xvm_frame_check(dialect, sender, max_message, msg, len, &d->hdr, &row);
	if (!d->fault) {
		d->name = row->name;
		take_payload(&t);
	} else if (len >= VIRTIO_MSG_HDR_BYTES) {
		row = xvm_msgtab_find(d->hdr.type, d->hdr.id);
		d->name = row ? row->name : NULL;
	}
}
