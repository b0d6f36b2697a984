// SPDX-License-Identifier: MIT
/*
 * The observer's frame: findings, requests and their answers, bus messages.
 * What transport messages mean is in observer_driver.c and observer_device.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "observer_priv.h"

static const char *const lists[3] = { "BUS", "DRV", "DEV" };

/* "DRV-07 ..." is the place where judgements of DRV-07 are counted; NULL: no statement. */
static u32 *counter(struct xvm_observer *o, const char *id)
{
	u32 i, n;

	for (i = 0; i < 3; i++) {
		if (strncmp(id, lists[i], 3) || id[3] != '-')
			continue;
		n = (u32)atoi(id + 4);
		return n < OBS_IDS ? &o->judged[i][n] : NULL;
	}
	return NULL;
}

/* The half of ids that is this dialect's. */
static void own_ids(const struct xvm_observer *o, const char *ids, char *own, size_t bytes)
{
	const char *bar = strchr(ids, '|');

	if (!bar)
		snprintf(own, bytes, "%s", ids);
	else if (obs_is_draft(o))
		snprintf(own, bytes, "%s", bar + 1);
	else
		snprintf(own, bytes, "%.*s", (int)(bar - ids), ids);
}

bool obs_judge(struct xvm_observer *o, const char *ids, bool good, const char *fmt, ...)
{
	struct xvm_finding *f;
	char own[sizeof(f->rules)];
	const char *at;
	va_list ap;
	u32 *n;

	own_ids(o, ids, own, sizeof(own));
	if (!*own)
		return true;
	for (at = own; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
		n = counter(o, at);
		if (n)
			++*n;
	}
	if (good)
		return true;
	if (o->findings++ >= XVM_OBSERVER_KEPT)
		return false;
	f = &o->kept[o->findings - 1];
	f->message = o->messages;
	snprintf(f->rules, sizeof(f->rules), "%s", own);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return false;
}

struct xvm_observer *xvm_observer_new(const struct xvm_observer_config *config)
{
	struct xvm_observer *o = calloc(1, sizeof(*o));

	if (o)
		o->config = *config;
	return o;
}

void xvm_observer_free(struct xvm_observer *o)
{
	u32 i;

	if (!o)
		return;
	for (i = 0; i < 65536; i++)
		free(o->dev[i]);
	while (o->npending)
		free(o->pending[--o->npending].msg);
	free(o);
}

u32 xvm_observer_findings(const struct xvm_observer *o, const struct xvm_finding **list)
{
	*list = o->kept;
	return o->findings;
}

u32 xvm_observer_judged(const struct xvm_observer *o, const char *id)
{
	u32 *n = counter((struct xvm_observer *)o, id);

	return n ? *n : 0;
}

struct obs_dev *obs_dev(struct xvm_observer *o, u16 num)
{
	if (!o->dev[num])
		o->dev[num] = calloc(1, sizeof(*o->dev[num]));
	if (!o->dev[num])
		abort();
	return o->dev[num];
}

/* ---- requests and answers ---- */

static const char *name_of(u8 type, u8 id)
{
	const struct xvm_msg_row *row = xvm_msgtab_find(type, id);

	return row ? row->name : "?";
}

static u32 outstanding(const struct xvm_observer *o, enum xvm_side sender)
{
	u32 i, n = 0;

	for (i = 0; i < o->npending; i++)
		n += o->pending[i].sender == sender;
	return n;
}

static void count_asked(struct xvm_observer *o, const struct obs_req *req, u32 step)
{
	struct obs_dev *d;

	if (req->type & VIRTIO_MSG_TYPE_BUS)
		return;
	d = obs_dev(o, req->dev_num);
	if (req->id == VIRTIO_MSG_SET_DEVICE_STATUS)
		d->status_asked += step;
	if (req->id == VIRTIO_MSG_GET_CONFIG || req->id == VIRTIO_MSG_SET_CONFIG)
		d->config_asked += step;
}

static void remember(struct xvm_observer *o, enum xvm_side sender, const struct xvm_hdr *hdr,
		     const u8 *msg, u32 len)
{
	u32 i, max = sender == XVM_SIDE_DRIVER ? o->config.credits : XVM_DEVICE_CREDITS;
	struct obs_req *req = &o->pending[o->npending];

	for (i = 0; i < o->npending; i++)
		obs_judge(o, "BUS", o->pending[i].sender != sender ||
			  o->pending[i].token != hdr->token,
			  "token %u is that of a request without answer", hdr->token);
	obs_judge(o, "BUS", !max || outstanding(o, sender) < max,
		  "more than %u requests without answer", max);
	if (o->npending == OBS_PENDING)
		return;
	req->sender = (u8)sender;
	req->type = hdr->type;
	req->id = hdr->id;
	req->dev_num = hdr->dev_num;
	req->token = hdr->token;
	req->len = len;
	req->msg = malloc(len);
	if (!req->msg)
		abort();
	memcpy(req->msg, msg, len);
	o->npending++;
	count_asked(o, req, 1);
}

/* Takes the request out that this answers; false: there is none. */
static bool recall(struct xvm_observer *o, enum xvm_side asker, u8 type, u8 id, u16 dev_num,
		   u16 token, struct obs_req *req)
{
	u32 i, earlier = 0;

	type &= (u8)~VIRTIO_MSG_TYPE_RESPONSE;
	for (i = 0; i < o->npending; i++) {
		const struct obs_req *p = &o->pending[i];

		if (p->sender != asker)
			continue;
		if (p->type == type && p->id == id && p->dev_num == dev_num && p->token == token)
			break;
		earlier += !(p->type & VIRTIO_MSG_TYPE_BUS) && p->dev_num == dev_num;
	}
	if (!obs_judge(o, "BUS-20 BUS-18 DEV-14 DEV-16|BUS-22 BUS-34 DEV-26 DEV-29 DEV-31", i < o->npending,
		       "answer to %s of device %u, token %u: nobody asked", name_of(type, id),
		       dev_num, token))
		return false;
	if (!(type & VIRTIO_MSG_TYPE_BUS))
		obs_judge(o, "BUS-19|", !earlier, "device %u: answer to %s overtook %u others",
			  dev_num, name_of(type, id), earlier);
	*req = o->pending[i];
	o->npending--;
	memmove(&o->pending[i], &o->pending[i + 1], (o->npending - i) * sizeof(*req));
	count_asked(o, req, (u32)-1);
	return true;
}

/* ---- bus messages ---- */

/* next_offset, and what of the bitmap is beyond count. */
static void judge_window(struct xvm_observer *o, const struct xvm_msg_get_devices *m)
{
	u32 rest = m->count % 8;

	if (obs_rules(o)->windows_of_8)
		obs_judge(o, "BUS-32|", !m->next_offset || (!(m->next_offset & 7) &&
			  m->next_offset >= (u32)m->offset + m->count),
			  "GET_DEVICES next_offset %u after %u+%u", m->next_offset, m->offset,
			  m->count);
	else
		obs_judge(o, "|BUS-56 BUS-57", !m->next_offset || m->next_offset > m->offset,
			  "GET_DEVICES next_offset %u after %u+%u", m->next_offset, m->offset,
			  m->count);
	obs_judge(o, "|BUS-55", !rest || !(m->bitmap[m->count / 8] >> rest),
		  "GET_DEVICES bitmap has bits beyond %u+%u", m->offset, m->count);
}

static void devices_answer(struct xvm_observer *o, const struct obs_req *req, const u8 *msg,
			   u32 len)
{
	bool eights = obs_rules(o)->windows_of_8;
	struct xvm_msg_get_devices m;
	u16 offset, count;
	u32 i;

	xvm_msg_get_get_devices(req->msg, &offset, &count);
	if (!obs_judge(o, "BUS-31|BUS-52", !xvm_msg_get_devices(msg, o->config.dialect, len, &m) &&
		       len == VIRTIO_MSG_HDR_BYTES + VIRTIO_MSG_GET_DEVICES_FIXED + (m.count + 7u) / 8u,
		       "GET_DEVICES answer: bitmap does not fit the count"))
		return;
	obs_judge(o, "BUS-31 BUS-33|BUS-54 BUS-58", m.offset == offset && m.count <= count,
		  "GET_DEVICES answer has window %u+%u, asked was %u+%u", m.offset, m.count, offset,
		  count);
	if (eights && (offset | count) & 7)
		obs_judge(o, "BUS-31|", !m.count, "GET_DEVICES of %u+%u was served", offset, count);
	if (!count)
		obs_judge(o, "|BUS-53", !m.count, "GET_DEVICES of no numbers has %u", m.count);
	judge_window(o, &m);
	for (i = 0; i < m.count && m.offset + i < 65536; i++)
		if (m.bitmap[i / 8] & 1 << i % 8)
			obs_dev(o, (u16)(m.offset + i))->known = true;
}

static void release_answer(struct xvm_observer *o, const u8 *msg)
{
	struct xvm_msg_area_status m;

	xvm_msg_get_area_status(msg, XVM_BUS_MSG_RELEASE_DEVICE, &m);
	if (m.status != XVM_STATUS_OK)
		return;
	free(o->dev[m.id]);
	o->dev[m.id] = NULL;
}

static void bus_answer(struct xvm_observer *o, const struct obs_req *req, const u8 *msg, u32 len)
{
	switch (req->id) {
	case VIRTIO_BUS_MSG_PING:
		obs_judge(o, "BUS-34|BUS-60", xvm_msg_get_u32(msg) == xvm_msg_get_u32(req->msg),
			  "PING came back with other data");
		break;
	case VIRTIO_BUS_MSG_GET_DEVICES:
		devices_answer(o, req, msg, len);
		break;
	case XVM_BUS_MSG_RELEASE_DEVICE:
		release_answer(o, msg);
		break;
	}
}

static void request_failed(struct xvm_observer *o, const u8 *msg)
{
	struct xvm_msg_request_failed m;
	struct obs_req req;

	xvm_msg_get_request_failed(msg, &m);
	if (!obs_judge(o, "BUS-14|BUS-26", !(m.id & VIRTIO_MSG_ID_EVENT), "an event was answered"))
		return;
	/* A request that is no message of ours was a finding then, and was not remembered. */
	if (obs_rules(o)->ids_opaque && !xvm_msgtab_find(m.type, m.id))
		return;
	if (recall(o, XVM_SIDE_DRIVER, m.type, m.id, m.dev_num, m.token, &req))
		free(req.msg);
}

static void bus_event(struct xvm_observer *o, const struct xvm_hdr *hdr, const u8 *msg)
{
	struct xvm_msg_event_device m;

	if (hdr->id == XVM_BUS_MSG_REQUEST_FAILED) {
		request_failed(o, msg);
		return;
	}
	xvm_msg_get_event_device(msg, &m);
	if (obs_judge(o, "BUS-28|BUS-61 BUS-42", m.dev_num && (m.state == VIRTIO_MSG_DEVICE_READY ||
		      m.state == VIRTIO_MSG_DEVICE_REMOVED),
		      "EVENT_DEVICE says state %u of device %u", m.state, m.dev_num) &&
	    m.state == VIRTIO_MSG_DEVICE_READY)
		obs_dev(o, m.dev_num)->known = true;
}

/* ---- every message ---- */

static void judge_header(struct xvm_observer *o, enum xvm_side sender, const u8 *msg, u32 len)
{
	bool drv = sender == XVM_SIDE_DRIVER;
	const char *who = drv ? "driver side" : "device side";
	u8 type = msg[VIRTIO_MSG_HDR_TYPE];
	u32 size = xvm_get16(msg + VIRTIO_MSG_HDR_SIZE);

	obs_judge(o, type & VIRTIO_MSG_TYPE_BUS ? "BUS-16|BUS-29" : drv ? "DRV-08|DRV-17" : "DEV-12|DEV-24",
		  !(type & ~VIRTIO_MSG_TYPE_MASK), "%s: type 0x%02x has reserved bits", who, type);
	obs_judge(o, drv ? "DRV-09 DRV-07|DRV-18 DRV-16" : "DEV-13 DEV-11|DEV-25 DEV-23", size == len,
		  "%s: msg_size %u in a message of %u bytes", who, size, len);
	obs_judge(o, drv ? "DRV-01 DRV-09 BUS-05|DRV-01 DRV-18 BUS-11" : "DEV-01 DEV-13 BUS-05|DEV-01 DEV-25 BUS-11",
		  len <= o->config.max_message, "%s: %u bytes, the maximum is %u", who, len,
		  o->config.max_message);
}

static void judge_fault(struct xvm_observer *o, enum xvm_side sender, enum xvm_frame_fault fault,
			const struct xvm_hdr *hdr)
{
	const char *ids = sender == XVM_SIDE_DRIVER ? "DRV-02|DRV-02" : "DEV-02|DEV-02";

	if (fault == XVM_FRAME_DEV_NUM)
		ids = "BUS-15|BUS-28";
	/* These two were judged by the header. */
	if (fault != XVM_FRAME_SIZE && fault != XVM_FRAME_TOO_LONG)
		obs_judge(o, ids, fault == XVM_FRAME_OK, "type %u id 0x%02x: %s", hdr->type,
			  hdr->id, xvm_frame_fault_name(fault));
}

static void feed_answer(struct xvm_observer *o, enum xvm_side sender, const struct xvm_hdr *hdr,
			const u8 *msg, u32 len)
{
	enum xvm_side asker = sender == XVM_SIDE_DRIVER ? XVM_SIDE_DEVICE : XVM_SIDE_DRIVER;
	struct obs_req req;

	if (!recall(o, asker, hdr->type, hdr->id, hdr->dev_num, hdr->token, &req))
		return;
	if (hdr->type & VIRTIO_MSG_TYPE_BUS)
		bus_answer(o, &req, msg, len);
	else
		obs_answer(o, obs_dev(o, hdr->dev_num), &req, msg, len);
	free(req.msg);
}

static void feed_driver(struct xvm_observer *o, const struct xvm_hdr *hdr, const u8 *msg, u32 len)
{
	struct obs_dev *d = obs_dev(o, hdr->dev_num);

	obs_judge(o, "DRV-10 BUS-10 BUS-21|DRV-19 BUS-03 BUS-39", hdr->dev_num && d->known,
		  "%s to device %u, which was not announced", name_of(hdr->type, hdr->id),
		  hdr->dev_num);
	obs_driver(o, d, msg, len);
}

void xvm_observer_feed(struct xvm_observer *o, enum xvm_side sender, const u8 *msg, u32 len)
{
	const struct xvm_msg_row *row;
	enum xvm_frame_fault fault;
	struct xvm_hdr hdr;
	bool bus;

	o->messages++;
	fault = xvm_frame_check(o->config.dialect, sender, o->config.max_message, msg, len, &hdr,
				&row);
	if (len >= VIRTIO_MSG_HDR_BYTES)
		judge_header(o, sender, msg, len);
	judge_fault(o, sender, fault, &hdr);
	if (fault)
		return;
	bus = hdr.type & VIRTIO_MSG_TYPE_BUS;
	if (hdr.type & VIRTIO_MSG_TYPE_RESPONSE) {
		feed_answer(o, sender, &hdr, msg, len);
		return;
	}
	/* Judged before it is remembered, so that it does not count as its own predecessor. */
	if (!bus && sender == XVM_SIDE_DRIVER)
		feed_driver(o, &hdr, msg, len);
	if (!xvm_msg_is_event(row)) {
		remember(o, sender, &hdr, msg, len);
		return;
	}
	obs_judge(o, "BUS", !hdr.token, "%s has token %u", row->name, hdr.token);
	if (sender == XVM_SIDE_DEVICE && bus)
		bus_event(o, &hdr, msg);
	else if (sender == XVM_SIDE_DEVICE)
		obs_event(o, obs_dev(o, hdr.dev_num), msg, len);
}

void xvm_observer_finish(struct xvm_observer *o)
{
	u32 i;

	obs_judge(o, "BUS-20|BUS-22", !o->npending, "%u requests were never answered, the first: %s",
		  o->npending, o->npending ? name_of(o->pending[0].type, o->pending[0].id) : "");
	for (i = 1; i < 65536; i++)
		if (o->dev[i])
			obs_dev_finish(o, o->dev[i], (u16)i);
}
