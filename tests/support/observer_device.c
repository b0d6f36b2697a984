// SPDX-License-Identifier: MIT
/*
 * What the device side must keep to, as far as its answers and events show it.
 * They reach the observer in the order in which the device made them, so what
 * it said last is what was so at that time.
 */
#include "observer_priv.h"

static bool all_zero(const u8 *bytes, size_t n)
{
	u8 any = 0;

	while (n--)
		any |= bytes[n];
	return !any;
}

static u16 num_of(const u8 *msg)
{
	return xvm_get16(msg + VIRTIO_MSG_HDR_DEV_NUM);
}

struct obs_vq *obs_vq(struct obs_dev *d, u32 index)
{
	if (!d->have_info || index >= d->info.max_virtqueues || index >= OBS_MAX_VQS)
		return NULL;
	return &d->vq[index];
}

bool obs_acked(const struct obs_dev *d, u32 bit)
{
	return d->acked_set[bit / 32] && d->acked[bit / 32] >> bit % 32 & 1;
}

void obs_reset(struct obs_dev *d)
{
	u32 i;

	memset(d->acked, 0, sizeof(d->acked));
	memset(d->acked_set, 0, sizeof(d->acked_set));
	memset(d->byte_known, 0, sizeof(d->byte_known));
	d->features_read = d->features_written = false;
	d->asked_driver_ok = false;
	d->owes_needs_reset = false;
	d->told_needs_reset = d->resetting = false;
	d->status = 0;
	for (i = 0; i < OBS_MAX_VQS; i++) {
		d->vq[i].looked = d->vq[i].set = d->vq[i].confirmed = false;
		d->vq[i].touched = d->vq[i].unsure = false;
		memset(&d->vq[i].want, 0, sizeof(d->vq[i].want));
	}
}

/* ---- generation and configuration ---- */

static void saw_generation(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 gen,
			   bool answer)
{
	bool moved = d->gen_known && gen != d->gen;

	if (moved) {
		obs_judge(o, "DEV-05 DEV-20 DEV-39|", (int32_t)(gen - d->gen) > 0,
			  "device %u: generation %u after %u", num_of(msg), gen, d->gen);
		memset(d->byte_known, 0, sizeof(d->byte_known));
		d->owes_config = answer;
	} else if (!answer) {
		d->owes_config = false;
	}
	if (!answer || !d->gen_known)
		d->told_gen = gen;
	d->gen_known = true;
	d->gen = gen;
	if (answer)
		d->nseen = 0;
	if (d->nseen == OBS_GENS)
		memmove(d->seen, d->seen + 1, --d->nseen * sizeof(d->seen[0]));
	d->seen[d->nseen++] = gen;
}

/* At one generation a byte has one value. */
static void saw_bytes(struct xvm_observer *o, struct obs_dev *d, const u8 *msg,
		      const struct xvm_msg_config *m)
{
	u32 i, at, differ = 0;

	for (i = 0; m->data && i < m->length && m->offset + i < OBS_CONFIG; i++) {
		at = m->offset + i;
		differ += d->byte_known[at] && d->byte[at] != m->data[i];
		d->byte_known[at] = true;
		d->byte[at] = m->data[i];
	}
	obs_judge(o, "DEV-05|DEV-07", !differ, "device %u: %u bytes changed at generation %u", num_of(msg),
		  differ, m->generation);
}

static void get_config(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req,
		       const u8 *msg, u32 len)
{
	u32 offset, length;
	struct xvm_msg_config m;

	xvm_msg_get_get_config(req->msg, &offset, &length);
	if (!obs_judge(o, "DEV-13|DEV-25", !xvm_msg_get_config(msg, len, false, &m),
		       "device %u: GET_CONFIG answer contradicts its length", num_of(msg)))
		return;
	obs_judge(o, "DEV-35|DEV-39", m.offset == offset && (m.length == length || !m.length),
		  "device %u: GET_CONFIG of %u+%u answered with %u+%u", num_of(msg), offset, length,
		  m.offset, m.length);
	obs_judge(o, "DEV-20 DEV-39|DEV-06 DEV-49", true, "-");
	saw_generation(o, d, msg, m.generation, true);
	saw_bytes(o, d, msg, &m);
}

static void set_config(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req,
		       const u8 *msg, u32 len)
{
	struct xvm_msg_config want, m;
	bool bad = xvm_msg_get_config(req->msg, req->len, false, &want);

	if (!obs_judge(o, "DEV-13|DEV-25", !bad && !xvm_msg_get_config(msg, len, true, &m),
		       "device %u: SET_CONFIG answer contradicts its length", num_of(msg)))
		return;
	obs_judge(o, "DEV-35|DEV-39 DEV-50", m.offset == want.offset && m.length <= want.length,
		  "device %u: SET_CONFIG of %u+%u answered with %u+%u", num_of(msg), want.offset,
		  want.length, m.offset, m.length);
	obs_judge(o, "|DEV-51 DEV-52", !m.length || (m.length == want.length && m.data &&
		  !memcmp(m.data, want.data, m.length)),
		  "device %u: SET_CONFIG of %u+%u applied in part", num_of(msg), want.offset,
		  want.length);
	obs_judge(o, "|DEV-53", m.length || len == VIRTIO_MSG_HDR_BYTES + VIRTIO_MSG_CONFIG_FIXED,
		  "device %u: SET_CONFIG was not applied, and the answer has data", num_of(msg));
	/* Generations never go back, so one that was past before this answer was past then. */
	if (d->gen_known && d->gen != want.generation)
		obs_judge(o, "DEV-07 DEV-19 DEV-40|", !m.length,
			  "device %u: SET_CONFIG with generation %u applied at %u", num_of(msg),
			  want.generation, d->gen);
	saw_generation(o, d, msg, m.generation, true);
	if (m.length)
		memset(d->byte_known, 0, sizeof(d->byte_known));
}

/* ---- what the device is and offers ---- */

static void judge_admin(struct xvm_observer *o, const u8 *msg, const struct xvm_msg_device_info *m)
{
	obs_judge(o, "|DEV-42", m->max_virtqueues <= 65536, "device %u: %u queues", num_of(msg),
		  m->max_virtqueues);
	obs_judge(o, "|DEV-43 DEV-44 DEV-45", m->admin_vq_count ?
		  m->admin_vq_start <= m->max_virtqueues &&
		  m->admin_vq_count <= m->max_virtqueues - m->admin_vq_start : !m->admin_vq_start,
		  "device %u: admin queues %u+%u of %u", num_of(msg), m->admin_vq_start,
		  m->admin_vq_count, m->max_virtqueues);
	obs_judge(o, "|DEV-47 DEV-48", m->uuid[6] >> 4 == 4 || all_zero(m->uuid, sizeof(m->uuid)),
		  "device %u: the UUID is neither nil nor of version 4", num_of(msg));
}

static void device_info(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	struct xvm_msg_device_info m;

	xvm_msg_get_device_info(msg, o->config.dialect, &m);
	obs_judge(o, "DEV-36|DEV-40", !(m.num_feature_bits % 32), "device %u: %llu feature bits",
		  num_of(msg), (unsigned long long)m.num_feature_bits);
	if (d->have_info)
		obs_judge(o, "DEV-36|DEV-40", !memcmp(&m, &d->info, sizeof(m)),
			  "device %u: GET_DEVICE_INFO changed", num_of(msg));
	judge_admin(o, msg, &m);
	d->info = m;
	d->have_info = true;
}

static void feature_block(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 at,
			  u32 word)
{
	if (d->have_info && (u64)at * 32 >= d->info.num_feature_bits)
		obs_judge(o, "DEV-08 DEV-17 DEV-37|DEV-18", !word, "device %u: block %u is 0x%08x",
			  num_of(msg), at, word);
	if (at >= OBS_MAX_BLOCKS)
		return;
	if (obs_rules(o)->acked_is_shown && d->acked_set[at]) {
		obs_judge(o, "DEV-38|", word == d->acked[at],
			  "device %u: block %u is 0x%08x, acknowledged was 0x%08x", num_of(msg), at,
			  word, d->acked[at]);
		return;
	}
	if (at == F_NOTIFICATION_DATA / 32)
		obs_judge(o, "BUS-30|BUS-51", !(word >> F_NOTIFICATION_DATA % 32 & 1),
			  "device %u: VIRTIO_F_NOTIFICATION_DATA is offered", num_of(msg));
	if (at == F_NOTIF_CONFIG_DATA / 32)
		obs_judge(o, "|DEV-33", !(word >> F_NOTIF_CONFIG_DATA % 32 & 1),
			  "device %u: VIRTIO_F_NOTIF_CONFIG_DATA is offered", num_of(msg));
	if (d->offered_known[at])
		obs_judge(o, "|DEV-20", word == d->offered[at],
			  "device %u: block %u is 0x%08x, offered was 0x%08x", num_of(msg), at,
			  word, d->offered[at]);
	obs_judge(o, "|DEV-41", !word || !d->have_info || (u64)at * 32 < d->info.num_feature_bits,
		  "device %u: features in block %u, beyond those it has", num_of(msg), at);
	d->offered[at] = word;
	d->offered_known[at] = true;
}

static void get_features(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req,
			 const u8 *msg, u32 len)
{
	struct xvm_msg_features want, m;
	u32 i;

	xvm_msg_get_features(req->msg, req->len, false, &want);
	if (!obs_judge(o, "DEV-35 DEV-13|DEV-39 DEV-25", !xvm_msg_get_features(msg, len, true, &m) &&
		       m.block_index == want.block_index && m.num_blocks <= want.num_blocks,
		       "device %u: GET_DEVICE_FEATURES answer", num_of(msg)))
		return;
	for (i = 0; i < m.num_blocks; i++)
		feature_block(o, d, msg, m.block_index + i, xvm_get32(m.blocks + 4 * i));
	d->features_read = true;
}

static void set_features(struct obs_dev *d, const struct obs_req *req)
{
	struct xvm_msg_features m;
	u32 i, at;

	if (xvm_msg_get_features(req->msg, req->len, true, &m) || d->status & S_FEATURES_OK)
		return;
	for (i = 0; i < m.num_blocks; i++) {
		at = m.block_index + i;
		if (at < i || at >= OBS_MAX_BLOCKS)
			continue;
		d->acked[at] = xvm_get32(m.blocks + 4 * i);
		d->acked_set[at] = true;
	}
}

/* ---- status ---- */

static bool acked_was_offered(const struct obs_dev *d)
{
	u32 i;

	for (i = 0; i < OBS_MAX_BLOCKS; i++)
		if (d->acked_set[i] && d->offered_known[i] && d->acked[i] & ~d->offered[i])
			return false;
	return true;
}

static void saw_status(struct obs_dev *d, u32 status)
{
	if (status & ~d->status & S_NEEDS_RESET)
		d->owes_needs_reset = true;
	d->status = status;
}

static void set_status(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req,
		       const u8 *msg)
{
	u32 want = xvm_msg_get_u32(req->msg), is = xvm_msg_get_u32(msg), old = d->status;

	if (!want) {
		obs_judge(o, "DEV-23 DEV-33|", !is, "device %u: status 0x%02x after a reset",
			  num_of(msg), is);
		d->resetting = is && obs_rules(o)->reset_polled;
		if (!d->resetting)
			obs_reset(d);
		obs_judge(o, "|DEV-57 DEV-58 DEV-59", true, "-");
		return;
	}
	obs_judge(o, "DEV-42|DEV-56", !(is & ~(want | old | S_NEEDS_RESET)),
		  "device %u: status 0x%02x after 0x%02x was asked for", num_of(msg), is, want);
	if (is & ~old & S_FEATURES_OK)
		obs_judge(o, "DEV-18|DEV-34", acked_was_offered(d),
			  "device %u: FEATURES_OK with features that were not offered",
			  num_of(msg));
	obs_judge(o, "DEV-18|DEV-34", !(is & S_DRIVER_OK) || is & S_FEATURES_OK,
		  "device %u: DRIVER_OK without FEATURES_OK", num_of(msg));
	saw_status(d, is);
}

static void get_status(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	u32 is = xvm_msg_get_u32(msg);

	if (d->resetting && !is) {
		obs_judge(o, "|DEV-57 DEV-58 DEV-59", true, "-");
		obs_reset(d);
		return;
	}
	if (!d->status_asked)
		obs_judge(o, "DEV-24 DEV-41|DEV-54", (is | S_NEEDS_RESET) == (d->status | S_NEEDS_RESET) &&
			  (is & S_NEEDS_RESET) >= (d->status & S_NEEDS_RESET),
			  "device %u: status 0x%02x, was 0x%02x", num_of(msg), is, d->status);
	saw_status(d, is);
}

/* ---- queues ---- */

static bool same_queue(const struct xvm_msg_vqueue *a, const struct xvm_msg_vqueue *b)
{
	return a->size == b->size && a->desc_addr == b->desc_addr &&
	       a->driver_addr == b->driver_addr && a->device_addr == b->device_addr;
}

static void get_vqueue(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req,
		       const u8 *msg)
{
	static const struct xvm_msg_vqueue none;
	struct xvm_msg_vqueue m;
	struct obs_vq *vq;
	bool up;

	xvm_msg_get_vqueue(msg, o->config.dialect, &m);
	obs_judge(o, "DEV-35 DEV-15|", m.index == xvm_msg_get_u32(req->msg) && !xvm_get32(msg + 20),
		  "device %u: GET_VQUEUE answer for queue %u", num_of(msg), m.index);
	obs_judge(o, "|DEV-39 DEV-62", m.index == xvm_msg_get_u32(req->msg) &&
		  !(m.flags & ~VIRTIO_MSG_VQ_ENABLED),
		  "device %u: GET_VQUEUE answer for queue %u, flags 0x%x", num_of(msg), m.index,
		  m.flags);
	vq = obs_vq(d, m.index);
	if (!vq) {
		if (d->have_info && m.index >= d->info.max_virtqueues)
			obs_judge(o, "DEV-43|DEV-61 DEV-63 DEV-70", !m.max_size &&
				  same_queue(&m, &none) && !m.flags,
				  "device %u: queue %u, which is not there, has a size, flags or addresses",
				  num_of(msg), m.index);
		return;
	}
	if (vq->max_known)
		obs_judge(o, "DEV-21 DEV-43|DEV-60", m.max_size == vq->max,
			  "device %u: queue %u: maximum %u, was %u", num_of(msg), m.index,
			  m.max_size, vq->max);
	vq->max_known = true;
	vq->max = m.max_size;
	up = obs_rules(o)->vq_flags ? m.flags & VIRTIO_MSG_VQ_ENABLED : m.size;
	if (vq->set)
		obs_judge(o, "DEV-21 DEV-43 DEV-44 DEV-31|DEV-60 DEV-66 DEV-67 DEV-68 DEV-69",
			  !up || vq->unsure || same_queue(&m, &vq->want),
			  "device %u: queue %u is not as it was set", num_of(msg), m.index);
	else
		obs_judge(o, "DEV-43 DEV-23 DEV-22 DEV-45|DEV-57 DEV-64 DEV-65 DEV-69 DEV-72", !up,
			  "device %u: queue %u has size %u, nobody set it", num_of(msg), m.index,
			  m.size);
	vq->confirmed = vq->set && up && (vq->unsure || same_queue(&m, &vq->want));
	/* A queue that could not be set up may be tried again. */
	if (!up)
		vq->set = false;
	vq->looked = !up;
	vq->touched = vq->unsure = false;
	vq->want = m;
}

static void vqueue_changed(struct obs_dev *d, u32 index, bool set)
{
	struct obs_vq *vq = obs_vq(d, index);

	if (!vq)
		return;
	vq->set = set;
	vq->confirmed = false;
	vq->looked = !set;
}

/* With flags a queue may be left disabled, and one that is enabled is not touched. */
static void vqueue_set(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	struct xvm_msg_vqueue m;
	struct obs_vq *vq;

	xvm_msg_get_set_vqueue(msg, o->config.dialect, &m);
	vq = obs_vq(d, m.index);
	if (!vq || (obs_rules(o)->vq_flags && vq->set))
		return;
	vq->unsure |= vq->touched;
	vq->touched = true;
	if (!obs_rules(o)->vq_flags || (m.flags & VIRTIO_MSG_VQ_STATE) == VIRTIO_MSG_VQ_ENABLE)
		vqueue_changed(d, m.index, true);
}

/* Where it must be negotiated, it does nothing without. */
static void vqueue_reset(struct xvm_observer *o, struct obs_dev *d, u32 index)
{
	if (!obs_rules(o)->vq_reset_negotiated || obs_acked(d, F_RING_RESET))
		vqueue_changed(d, index, false);
}

static void get_shm(struct xvm_observer *o, const struct obs_req *req, const u8 *msg)
{
	struct xvm_msg_shm m;

	xvm_msg_get_shm(msg, o->config.dialect, &m);
	obs_judge(o, "|DEV-74", !obs_is_draft(o) || !xvm_get32(msg + 12),
		  "device %u: GET_SHM answer has reserved bytes that are not zero", num_of(msg));
	obs_judge(o, "DEV-46|DEV-73", m.index == xvm_msg_get_u32(req->msg) && (m.length || !m.address),
		  "device %u: GET_SHM answer for region %u: %llu bytes at 0x%llx", num_of(msg),
		  m.index, (unsigned long long)m.length, (unsigned long long)m.address);
}

void obs_answer(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req, const u8 *msg,
		u32 len)
{
	obs_judge(o, "DEV-35 DEV-14|DEV-39 DEV-26", true, "-");
	switch (req->id) {
	case VIRTIO_MSG_GET_DEVICE_INFO:
		device_info(o, d, msg);
		break;
	case VIRTIO_MSG_GET_DEVICE_FEATURES:
		get_features(o, d, req, msg, len);
		break;
	case VIRTIO_MSG_SET_DRIVER_FEATURES:
		set_features(d, req);
		break;
	case VIRTIO_MSG_GET_CONFIG:
		get_config(o, d, req, msg, len);
		break;
	case VIRTIO_MSG_SET_CONFIG:
		set_config(o, d, req, msg, len);
		break;
	case VIRTIO_MSG_GET_DEVICE_STATUS:
		get_status(o, d, msg);
		break;
	case VIRTIO_MSG_SET_DEVICE_STATUS:
		set_status(o, d, req, msg);
		break;
	case VIRTIO_MSG_GET_VQUEUE:
		get_vqueue(o, d, req, msg);
		break;
	case VIRTIO_MSG_SET_VQUEUE:
		vqueue_set(o, d, req->msg);
		break;
	case VIRTIO_MSG_RESET_VQUEUE:
		vqueue_reset(o, d, xvm_msg_get_u32(req->msg));
		break;
	case VIRTIO_MSG_GET_SHM:
		get_shm(o, req, msg);
		break;
	}
}

/* ---- events ---- */

/* An event is for a change of the device's own: of the configuration, or of the status alone. */
static void judge_reason(struct xvm_observer *o, const struct obs_dev *d, const u8 *msg,
			 const struct xvm_msg_event_config *m)
{
	bool changed = !d->gen_known || m->generation != d->told_gen;
	bool broke = m->device_status & S_NEEDS_RESET && !d->told_needs_reset;

	obs_judge(o, "|DEV-09 DEV-12 DEV-13", changed || broke,
		  "device %u: EVENT_CONFIG without news, status 0x%02x generation %u", num_of(msg),
		  m->device_status, m->generation);
	if (!changed)
		obs_judge(o, "|DEV-14", !m->offset && !m->length,
			  "device %u: EVENT_CONFIG for the status alone has range %u+%u", num_of(msg),
			  m->offset, m->length);
}

static void event_config(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len)
{
	struct xvm_msg_event_config m;

	if (!obs_judge(o, "DEV-13|DEV-25", !xvm_msg_get_event_config(msg, len, &m),
		       "device %u: EVENT_CONFIG contradicts its length", num_of(msg)))
		return;
	obs_judge(o, "DEV-27 DEV-30 DEV-47|DEV-06 DEV-11", true, "-");
	if (d->have_info)
		obs_judge(o, "DEV-28|DEV-11", xvm_range_ok(m.offset, m.length, d->info.config_size),
			  "device %u: EVENT_CONFIG for %u+%u", num_of(msg), m.offset, m.length);
	judge_reason(o, d, msg, &m);
	if (m.data && d->data_event)
		obs_judge(o, "DEV-05|", m.generation != d->data_event_gen,
			  "device %u: two EVENT_CONFIG with data at generation %u", num_of(msg),
			  m.generation);
	if (m.data) {
		d->data_event = true;
		d->data_event_gen = m.generation;
	}
	/* A new generation is a change of bytes; which ones is said, with or without them. */
	if (d->gen_known && m.generation != d->told_gen)
		obs_judge(o, "DEV-28|", m.length, "device %u: EVENT_CONFIG for generation %u names no range",
			  num_of(msg), m.generation);
	saw_generation(o, d, msg, m.generation, false);
	if (!d->status_asked)
		obs_judge(o, "DEV-27 DEV-47|DEV-54", !((m.device_status ^ d->status) & ~S_NEEDS_RESET),
			  "device %u: EVENT_CONFIG says status 0x%02x, it is 0x%02x", num_of(msg),
			  m.device_status, d->status);
	if (m.device_status & S_NEEDS_RESET) {
		obs_judge(o, "DEV-34|DEV-55", true, "-");
		d->status |= S_NEEDS_RESET;
		d->owes_needs_reset = false;
		d->told_needs_reset = true;
	}
}

static void event_used(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	u32 index = xvm_msg_get_u32(msg);
	struct obs_vq *vq = obs_vq(d, index);

	obs_judge(o, "DEV-29 DEV-48 BUS-26|DEV-37", vq || !d->have_info,
		  "device %u: EVENT_USED for queue %u of %u", num_of(msg), index, d->info.max_virtqueues);
	obs_judge(o, "DEV-25|DEV-35", d->asked_driver_ok, "device %u: EVENT_USED before DRIVER_OK",
		  num_of(msg));
	if (vq)
		obs_judge(o, "DEV-22 DEV-32 DEV-44 DEV-45|DEV-71 DEV-72", vq->set,
			  "device %u: EVENT_USED for queue %u, which is not set up", num_of(msg),
			  index);
}

void obs_event(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len)
{
	obs_judge(o, "DEV-14|DEV-26", num_of(msg) && d->known,
		  "event of device %u, which was not announced", num_of(msg));
	if (msg[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_EVENT_CONFIG)
		event_config(o, d, msg, len);
	else
		event_used(o, d, msg);
}

void obs_dev_finish(struct xvm_observer *o, struct obs_dev *d, u16 num)
{
	obs_judge(o, "DEV-27 DEV-30 DEV-47|DEV-06 DEV-11", !d->owes_config,
		  "device %u: generation %u without EVENT_CONFIG", num, d->gen);
	obs_judge(o, "DEV-27 DEV-34 DEV-47|DEV-12 DEV-55", !d->owes_needs_reset,
		  "device %u: DEVICE_NEEDS_RESET without EVENT_CONFIG", num);
}
