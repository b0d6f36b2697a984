// SPDX-License-Identifier: MIT
/*
 * What the driver side must keep to, as far as its messages show it. A driver
 * knows what was answered; what is still under way it cannot know, so events
 * that it may not have read yet are never held against it.
 */
#include "observer_priv.h"

static u16 num_of(const u8 *msg)
{
	return xvm_get16(msg + VIRTIO_MSG_HDR_DEV_NUM);
}

static bool need_info(struct xvm_observer *o, const struct obs_dev *d, const u8 *msg)
{
	return obs_judge(o, "DRV-13 DRV-17|DRV-22", d->have_info,
			 "device %u: message 0x%02x before GET_DEVICE_INFO was answered",
			 num_of(msg), msg[VIRTIO_MSG_HDR_ID]);
}

static void set_features(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len)
{
	struct xvm_msg_features m;
	u32 i, at, word, offered;

	need_info(o, d, msg);
	if (!obs_judge(o, "DRV-09|DRV-18", !xvm_msg_get_features(msg, len, true, &m) &&
		       len == VIRTIO_MSG_HDR_BYTES + VIRTIO_MSG_FEATURES_FIXED + 4 * m.num_blocks,
		       "device %u: SET_DRIVER_FEATURES of %u bytes", num_of(msg), len))
		return;
	obs_judge(o, "DRV-19 DRV-14|DRV-27 DRV-23", d->features_read,
		  "device %u: features written that were not read", num_of(msg));
	obs_judge(o, "DRV-14|DRV-23", !(d->status & S_FEATURES_OK),
		  "device %u: features written after FEATURES_OK", num_of(msg));
	for (i = 0; i < m.num_blocks; i++) {
		at = m.block_index + i;
		word = xvm_get32(m.blocks + 4 * i);
		offered = at < OBS_MAX_BLOCKS && d->offered_known[at] ? d->offered[at] : 0;
		obs_judge(o, "DRV-19 DRV-45 DRV-44|DRV-27 DRV-28 DRV-45 DRV-46", !(word & ~offered),
			  "device %u: block %u: 0x%08x was not offered", num_of(msg), at,
			  word & ~offered);
	}
	d->features_written = true;
}

static void judge_range(struct xvm_observer *o, const struct obs_dev *d, const u8 *msg,
			const char *ids, u32 offset, u32 length)
{
	obs_judge(o, ids, d->have_info && xvm_range_ok(offset, length, d->info.config_size),
		  "device %u: range %u+%u, the configuration has %u bytes", num_of(msg), offset,
		  length, d->have_info ? d->info.config_size : 0);
}

/* Any generation that an answer or a later event has shown can be the newest a driver knows. */
static bool gen_may_be_known(const struct obs_dev *d, u32 generation)
{
	u32 i;

	for (i = 0; i < d->nseen; i++)
		if (d->seen[i] == generation)
			return true;
	return d->config_asked;
}

static void set_config(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len)
{
	struct xvm_msg_config m;

	if (!obs_judge(o, "DRV-09|DRV-18", !xvm_msg_get_config(msg, len, false, &m),
		       "device %u: SET_CONFIG of %u bytes", num_of(msg), len))
		return;
	judge_range(o, d, msg, "DRV-18 DRV-21 DRV-36 DRV-47|DRV-26 DRV-49", m.offset, m.length);
	obs_judge(o, "DRV-05 DRV-22 DRV-36 DRV-47|", gen_may_be_known(d, m.generation),
		  "device %u: SET_CONFIG with generation %u, the newest shown is %u", num_of(msg),
		  m.generation, d->gen);
	obs_judge(o, "|DRV-05 DRV-06 DRV-08", !m.generation, "device %u: SET_CONFIG with generation %u",
		  num_of(msg), m.generation);
}

static void get_config(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	u32 offset, length;

	xvm_msg_get_get_config(msg, &offset, &length);
	judge_range(o, d, msg, "DRV-18 DRV-21 DRV-46|DRV-26 DRV-48", offset, length);
}

static void driver_ok(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	u32 i;

	obs_judge(o, "DRV-14 DRV-16 DRV-20 DRV-28|DRV-23 DRV-25 DRV-29 DRV-30", d->status & S_FEATURES_OK,
		  "device %u: DRIVER_OK without an accepted FEATURES_OK", num_of(msg));
	obs_judge(o, "DRV-41|DRV-53", !(d->status & S_NEEDS_RESET),
		  "device %u: DRIVER_OK on a device that wants a reset", num_of(msg));
	for (i = 0; i < OBS_MAX_VQS; i++)
		if (d->vq[i].set)
			obs_judge(o, "DRV-15 DRV-28|DRV-24 DRV-30 DRV-67", d->vq[i].confirmed,
				  "device %u: DRIVER_OK, queue %u was not confirmed", num_of(msg),
				  i);
	d->asked_driver_ok = true;
}

static void set_status(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	u32 status = xvm_msg_get_u32(msg), add = status & ~d->status;

	if (!status) {
		obs_judge(o, "DRV-27 DRV-40 DRV-48|DRV-55", true, "-");
		return;
	}
	obs_judge(o, "DRV-27|DRV-25", !(d->status & ~status & ~(S_NEEDS_RESET | S_FAILED)),
		  "device %u: status 0x%02x after 0x%02x clears bits", num_of(msg), status,
		  d->status);
	obs_judge(o, "DRV-16 DRV-27|DRV-25", (!(status & S_DRIVER) || status & S_ACKNOWLEDGE) &&
		  (!(status & S_FEATURES_OK) || status & S_DRIVER) &&
		  (!(status & S_DRIVER_OK) || status & S_FEATURES_OK),
		  "device %u: status 0x%02x skips a step", num_of(msg), status);
	if (add & S_FEATURES_OK)
		obs_judge(o, "DRV-20|DRV-29", d->features_written,
			  "device %u: FEATURES_OK before the features were written", num_of(msg));
	if (add & S_DRIVER_OK)
		driver_ok(o, d, msg);
}

static void judge_addrs(struct xvm_observer *o, const struct obs_dev *d, const u8 *msg,
			const struct xvm_msg_vqueue *m)
{
	u64 driver_align = obs_acked(d, F_RING_PACKED) ? 4 : 2;

	obs_judge(o, "DRV-24 DRV-49|DRV-64", m->desc_addr && m->driver_addr && m->device_addr &&
		  !(m->desc_addr % 16) && !(m->driver_addr % driver_align) &&
		  !(m->device_addr % 4), "device %u: queue %u: addresses %llx %llx %llx",
		  num_of(msg), m->index, (unsigned long long)m->desc_addr,
		  (unsigned long long)m->driver_addr, (unsigned long long)m->device_addr);
}

/* Flags and reserved words; what of the queue the message changes. */
static void judge_flags(struct xvm_observer *o, const u8 *msg, const struct xvm_msg_vqueue *m)
{
	obs_judge(o, "DRV-11|", !xvm_get32(msg + 12) && !xvm_get32(msg + 20),
		  "device %u: SET_VQUEUE has reserved bytes that are not zero", num_of(msg));
	obs_judge(o, "|DRV-59", !m->reserved &&
		  !(m->flags & ~(VIRTIO_MSG_VQ_STATE | VIRTIO_MSG_VQ_IGNORES)),
		  "device %u: SET_VQUEUE has reserved bits: flags 0x%x, reserved 0x%x", num_of(msg),
		  m->flags, m->reserved);
	obs_judge(o, "|DRV-60", (m->flags & VIRTIO_MSG_VQ_STATE) <= VIRTIO_MSG_VQ_KEEP,
		  "device %u: SET_VQUEUE with state 3", num_of(msg));
}

/* What the queue is to be when the device takes the message. */
static struct xvm_msg_vqueue merged(const struct obs_vq *vq, const struct xvm_msg_vqueue *m)
{
	struct xvm_msg_vqueue is = *m;

	if (m->flags & VIRTIO_MSG_VQ_NO_SIZE)
		is.size = vq->want.size;
	if (m->flags & VIRTIO_MSG_VQ_NO_DESC)
		is.desc_addr = vq->want.desc_addr;
	if (m->flags & VIRTIO_MSG_VQ_NO_DRIVER)
		is.driver_addr = vq->want.driver_addr;
	if (m->flags & VIRTIO_MSG_VQ_NO_DEVICE)
		is.device_addr = vq->want.device_addr;
	return is;
}

static void set_vqueue(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	struct xvm_msg_vqueue m;
	struct obs_vq *vq;

	need_info(o, d, msg);
	xvm_msg_get_set_vqueue(msg, o->config.dialect, &m);
	judge_flags(o, msg, &m);
	obs_judge(o, "DRV-14 DRV-20|DRV-23 DRV-29", d->status & S_FEATURES_OK,
		  "device %u: SET_VQUEUE before FEATURES_OK was accepted", num_of(msg));
	vq = obs_vq(d, m.index);
	if (!obs_judge(o, "DRV-43|DRV-41", vq, "device %u: queue %u of %u", num_of(msg), m.index,
		       d->info.max_virtqueues))
		return;
	obs_judge(o, "DRV-23|DRV-57 DRV-61", vq->looked || vq->set, "device %u: queue %u was not asked for first",
		  num_of(msg), m.index);
	obs_judge(o, d->status & S_DRIVER_OK ? "DRV-24 DRV-49 DRV-38|DRV-58 DRV-63" : "DRV-24 DRV-49|DRV-58 DRV-63",
		  m.size && vq->max_known && m.size <= vq->max,
		  "device %u: queue %u: size %u, maximum %u", num_of(msg), m.index, m.size,
		  vq->max);
	obs_judge(o, "DRV-23 DRV-25 DRV-39|DRV-62 DRV-65 DRV-66 DRV-70", !vq->set, "device %u: queue %u is in use", num_of(msg),
		  m.index);
	if (obs_rules(o)->vq_flags)
		m = merged(vq, &m);
	/* Only what enables a queue has to name all of it at once. */
	if (!obs_rules(o)->vq_flags || (m.flags & VIRTIO_MSG_VQ_STATE) == VIRTIO_MSG_VQ_ENABLE)
		judge_addrs(o, d, msg, &m);
	/* A queue that is enabled stays as it is. */
	if (!obs_rules(o)->vq_flags || !vq->set)
		vq->want = m;
}

static void reset_vqueue(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	struct obs_vq *vq = obs_vq(d, xvm_msg_get_u32(msg));

	need_info(o, d, msg);
	obs_judge(o, "|DRV-69", vq && vq->max_known, "device %u: RESET_VQUEUE of a queue not asked for",
		  num_of(msg));
	obs_judge(o, "DRV-50 DRV-39 DRV-25|DRV-68", obs_acked(d, F_RING_RESET),
		  "device %u: RESET_VQUEUE without VIRTIO_F_RING_RESET", num_of(msg));
}

static void event_avail(struct xvm_observer *o, struct obs_dev *d, const u8 *msg)
{
	struct xvm_msg_event_avail m;
	struct obs_vq *vq;

	xvm_msg_get_event_avail(msg, &m);
	if (!obs_acked(d, F_NOTIFICATION_DATA))
		obs_judge(o, "DRV-33 DRV-52|DRV-72", !m.next_offset,
			  "device %u: EVENT_AVAIL with next_offset 0x%x", num_of(msg),
			  m.next_offset);
	vq = obs_vq(d, m.vq_index);
	if (!obs_judge(o, "DRV-31 DRV-32|DRV-35 DRV-71", vq, "device %u: EVENT_AVAIL for queue %u of %u",
		       num_of(msg), m.vq_index, d->info.max_virtqueues))
		return;
	obs_judge(o, "DRV-30|DRV-32", vq->set, "device %u: EVENT_AVAIL for queue %u, which is not set up",
		  num_of(msg), m.vq_index);
	obs_judge(o, "DRV-15|DRV-24 DRV-67", !vq->set || vq->confirmed,
		  "device %u: EVENT_AVAIL for queue %u, which was not confirmed", num_of(msg),
		  m.vq_index);
	obs_judge(o, "DRV-16 DRV-29|DRV-25 DRV-31", d->status & S_DRIVER_OK,
		  "device %u: EVENT_AVAIL before DRIVER_OK was answered", num_of(msg));
}

void obs_driver(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len)
{
	if (d->resetting && !d->status_asked)
		obs_judge(o, "|DRV-54 DRV-56", msg[VIRTIO_MSG_HDR_ID] == VIRTIO_MSG_GET_DEVICE_STATUS,
			  "device %u: message 0x%02x while a reset goes on", num_of(msg),
			  msg[VIRTIO_MSG_HDR_ID]);
	obs_judge(o, "DRV-42|DRV-40", true, "-");
	switch (msg[VIRTIO_MSG_HDR_ID]) {
	case VIRTIO_MSG_GET_DEVICE_FEATURES:
	case VIRTIO_MSG_GET_VQUEUE:
		need_info(o, d, msg);
		break;
	case VIRTIO_MSG_SET_DRIVER_FEATURES:
		set_features(o, d, msg, len);
		break;
	case VIRTIO_MSG_GET_CONFIG:
		get_config(o, d, msg);
		break;
	case VIRTIO_MSG_SET_CONFIG:
		set_config(o, d, msg, len);
		break;
	case VIRTIO_MSG_SET_DEVICE_STATUS:
		set_status(o, d, msg);
		break;
	case VIRTIO_MSG_SET_VQUEUE:
		set_vqueue(o, d, msg);
		break;
	case VIRTIO_MSG_RESET_VQUEUE:
		reset_vqueue(o, d, msg);
		break;
	case VIRTIO_MSG_EVENT_AVAIL:
		event_avail(o, d, msg);
		break;
	}
}
