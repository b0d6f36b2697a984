// SPDX-License-Identifier: GPL-2.0-or-later
/* What a front-end says in its runs, and what it takes from the answers. Called by vhost_user.c. */
#include "vhost_user_priv.h"

#define F_VERSION_1 (1ull << 32)

/* virtio status bits (virtio 1.2, section 2.1), for servers that follow them */
#define S_BEFORE_FEATURES 3u
#define S_FEATURES_OK 8u
#define S_DRIVER_OK 4u

/* ---- identify ---- */

static bool make_plain(struct vu_front *f, struct request *r)
{
	(void)r;
	(void)f;
	return true;
}

static const char *take_features(struct vu_front *f, const struct vu_msg *msg)
{
	f->features = msg->u64;
	return f->features & F_VERSION_1 ? NULL : "lacks VIRTIO_F_VERSION_1";
}

/* Known when bit 30 is offered; it is never acknowledged, and need not be. */
static bool make_if_protocol(struct vu_front *f, struct request *r)
{
	(void)r;
	return f->features & VU_F_PROTOCOL_FEATURES;
}

static const char *take_protocol(struct vu_front *f, const struct vu_msg *msg)
{
	f->protocol = msg->u64;
	return NULL;
}

/* From here on what was offered is what was agreed. */
static bool make_set_protocol(struct vu_front *f, struct request *r)
{
	u64 agreed = f->protocol & f->wish.protocol;

	if (f->back.fd < 0)
		agreed &= ~VU_P_BACKEND_REQ;
	if (!(agreed & VU_P_BACKEND_REQ))
		agreed &= ~(VU_P_BACKEND_SEND_FD | VU_P_HOST_NOTIFIER | VU_P_INBAND_NOTIFICATIONS);
	if (!(agreed & VU_P_REPLY_ACK))
		agreed &= ~VU_P_INBAND_NOTIFICATIONS;
	/* HOST_NOTIFIER goes with descriptors. */
	if (!(agreed & VU_P_BACKEND_SEND_FD))
		agreed &= ~VU_P_HOST_NOTIFIER;
	f->protocol = agreed;
	r->msg.u64 = agreed;
	return f->features & VU_F_PROTOCOL_FEATURES;
}

static const char *take_queue_num(struct vu_front *f, const struct vu_msg *msg)
{
	/* Bounded, since servers count rings here that nobody asked for. */
	f->queues = msg->u64 < 65536 ? (u32)msg->u64 : 65536;
	return f->queues >= f->wish.queues ? NULL : "says that it has fewer queues than are asked for";
}

static const char *take_slots(struct vu_front *f, const struct vu_msg *msg)
{
	f->slots = msg->u64 < VU_MAX_SLOTS ? (u32)msg->u64 : VU_MAX_SLOTS;
	return f->slots ? NULL : "says that it takes no memory";
}

static bool make_back(struct vu_front *f, struct request *r)
{
	r->fds[0] = f->back_peer;
	r->nfds = 1;
	return true;
}

static bool make_get_config(struct vu_front *f, struct request *r)
{
	memset(&r->msg.config, 0, sizeof(r->msg.config));
	r->msg.config.bytes = f->wish.config_bytes;
	return f->wish.config_bytes;
}

static const char *take_config(struct vu_front *f, const struct vu_msg *msg)
{
	if (!msg->config.bytes)
		return "refuses to show its configuration";
	if (msg->config.off || msg->config.bytes != f->wish.config_bytes)
		return "is of another part of the configuration than was asked for";
	f->config_bytes = msg->config.bytes;
	memcpy(f->config, msg->config.data, f->config_bytes);
	return NULL;
}

static const struct step identify_steps[] = {
	{ VU_GET_FEATURES, ONCE, make_plain, take_features },
	{ VU_GET_PROTOCOL_FEATURES, ONCE, make_if_protocol, take_protocol },
	{ VU_SET_PROTOCOL_FEATURES, ONCE, make_set_protocol, NULL },
	{ VU_GET_QUEUE_NUM, ONCE, make_plain, take_queue_num },
	{ VU_GET_MAX_MEM_SLOTS, ONCE, make_plain, take_slots },
	{ VU_SET_BACKEND_REQ_FD, ONCE, make_back, NULL },
	{ VU_SET_OWNER, ONCE, make_plain, NULL },
	{ VU_GET_CONFIG, ONCE, make_get_config, take_config },
};

const struct vu_run vu_identify = { identify_steps, XVM_ARRAY_SIZE(identify_steps) };

static const struct step look_steps[] = {
	{ VU_GET_CONFIG, ONCE, make_get_config, take_config },
};

const struct vu_run vu_look = { look_steps, XVM_ARRAY_SIZE(look_steps) };

static bool make_put_config(struct vu_front *f, struct request *r)
{
	r->msg.config.off = f->put_off;
	r->msg.config.bytes = f->put_bytes;
	memcpy(r->msg.config.data, f->put, f->put_bytes);
	return true;
}

/* What it makes of them is in the next answer. */
static const struct step put_steps[] = {
	{ VU_SET_CONFIG, ONCE, make_put_config, NULL },
	{ VU_GET_CONFIG, ONCE, make_get_config, take_config },
};

const struct vu_run vu_put = { put_steps, XVM_ARRAY_SIZE(put_steps) };

/* ---- start ---- */

static bool make_status_driver(struct vu_front *f, struct request *r)
{
	(void)f;
	r->msg.u64 = S_BEFORE_FEATURES;
	return true;
}

static bool make_features(struct vu_front *f, struct request *r)
{
	r->msg.u64 = f->start.features & f->features & ~F_NOT_FOR_SERVERS;
	return true;
}

static bool make_status_features(struct vu_front *f, struct request *r)
{
	make_status_driver(f, r);
	r->msg.u64 |= S_FEATURES_OK;
	return true;
}

static const char *take_status(struct vu_front *f, const struct vu_msg *msg)
{
	(void)f;
	return msg->u64 & S_FEATURES_OK ? NULL : "refuses the features that the driver chose from what it offered";
}

/* It is to know what the driver was told, if it has the bit for that. */
static bool make_mtu(struct vu_front *f, struct request *r)
{
	r->msg.u64 = f->start.mtu;
	return f->start.mtu && f->start.features & f->features & VU_F_NET_MTU;
}

static bool make_rarp(struct vu_front *f, struct request *r)
{
	r->msg.u64 = f->start.rarp;
	return f->start.rarp;
}

static bool make_get_inflight(struct vu_front *f, struct request *r)
{
	r->msg.inflight.queues = (u16)f->start.rings;
	r->msg.inflight.queue_size = (u16)f->start.ring[0].size;
	return f->start.inflight.fd < 0;
}

/* What it has in mind for later is its own business, so long as it is of these rings. */
static const char *take_inflight(struct vu_front *f, const struct vu_msg *msg)
{
	if (msg->inflight.queues != f->start.rings || msg->inflight.queue_size != f->start.ring[0].size ||
	    !msg->inflight.bytes)
		return "is about other rings";
	f->start.inflight = (struct vu_inflight){
		.fd = vu_conn_take_fd(&f->conn), .bytes = msg->inflight.bytes, .off = msg->inflight.off,
		.queues = msg->inflight.queues, .queue_size = msg->inflight.queue_size,
	};
	return f->start.inflight.fd >= 0 ? NULL : "comes without a descriptor";
}

static bool make_set_inflight(struct vu_front *f, struct request *r)
{
	const struct vu_inflight *inflight = &f->start.inflight;

	r->msg.inflight.bytes = inflight->bytes;
	r->msg.inflight.off = inflight->off;
	r->msg.inflight.queues = inflight->queues;
	r->msg.inflight.queue_size = inflight->queue_size;
	r->fds[0] = inflight->fd;
	r->nfds = 1;
	return true;
}

static bool make_mem_table(struct vu_front *f, struct request *r)
{
	const struct vu_start *start = &f->start;

	if (has_slots(f))
		return false;
	r->msg.memory.count = start->regions;
	memcpy(r->msg.memory.region, start->region, start->regions * sizeof(start->region[0]));
	memcpy(r->fds, start->region_fd, start->regions * sizeof(r->fds[0]));
	r->nfds = start->regions;
	return true;
}

/* Once for all starts of a connection: some servers take a region that comes again for another one. */
static bool make_mem_reg(struct vu_front *f, struct request *r)
{
	if (f->index < f->regions_told)
		return false;
	f->regions_told = f->index + 1;
	r->msg.region = f->start.region[f->index];
	r->fds[0] = f->start.region_fd[f->index];
	r->nfds = 1;
	return true;
}

static const struct vu_ring *ring_at(const struct vu_front *f)
{
	return &f->start.ring[f->index];
}

static bool make_num(struct vu_front *f, struct request *r)
{
	r->msg.state.index = f->index;
	r->msg.state.num = ring_at(f)->size;
	return true;
}

static bool make_base(struct vu_front *f, struct request *r)
{
	r->msg.state.index = f->index;
	r->msg.state.num = ring_at(f)->base;
	return true;
}

static bool make_addr(struct vu_front *f, struct request *r)
{
	const struct vu_ring *ring = ring_at(f);

	r->msg.addr.index = f->index;
	r->msg.addr.flags = 0;
	r->msg.addr.desc = ring->desc;
	r->msg.addr.used = ring->used;
	r->msg.addr.avail = ring->avail;
	r->msg.addr.log = 0;
	return true;
}

static bool make_event(const struct vu_front *f, int fd, struct request *r)
{
	r->msg.u64 = f->index | (fd < 0 ? VU_NO_FD : 0);
	r->fds[0] = fd;
	r->nfds = fd >= 0;
	return true;
}

static bool make_err(struct vu_front *f, struct request *r)
{
	return make_event(f, ring_at(f)->err, r) && r->nfds;
}

static bool make_call(struct vu_front *f, struct request *r)
{
	return make_event(f, ring_at(f)->call, r) && (r->nfds || !(f->protocol & VU_P_INBAND_NOTIFICATIONS));
}

static bool make_kick(struct vu_front *f, struct request *r)
{
	return make_event(f, ring_at(f)->kick, r) && (r->nfds || !(f->protocol & VU_P_INBAND_NOTIFICATIONS));
}

static bool make_status_ok(struct vu_front *f, struct request *r)
{
	make_status_features(f, r);
	r->msg.u64 |= S_DRIVER_OK;
	return true;
}

/*
 * Without bit 30 in SET_FEATURES every ring is enabled from there on, and
 * SET_VRING_ENABLE is not to be sent. A ring starts with its first kick.
 */
static const struct step start_steps[] = {
	{ VU_SET_STATUS, ONCE, make_status_driver, NULL },
	{ VU_SET_FEATURES, ONCE, make_features, NULL },
	{ VU_SET_STATUS, ONCE, make_status_features, NULL },
	{ VU_GET_STATUS, ONCE, make_plain, take_status },
	{ VU_NET_SET_MTU, ONCE, make_mtu, NULL },
	{ VU_GET_INFLIGHT_FD, ONCE, make_get_inflight, take_inflight },
	{ VU_SET_INFLIGHT_FD, ONCE, make_set_inflight, NULL },
	{ VU_SET_MEM_TABLE, ONCE, make_mem_table, NULL },
	{ VU_ADD_MEM_REG, PER_REGION, make_mem_reg, NULL },
	{ VU_SET_VRING_NUM, PER_RING, make_num, NULL },
	{ VU_SET_VRING_BASE, PER_RING, make_base, NULL },
	{ VU_SET_VRING_ADDR, PER_RING, make_addr, NULL },
	{ VU_SET_VRING_ERR, PER_RING, make_err, NULL },
	{ VU_SET_VRING_CALL, PER_RING, make_call, NULL },
	{ VU_SET_VRING_KICK, PER_RING, make_kick, NULL },
	{ VU_SET_STATUS, ONCE, make_status_ok, NULL },
	{ VU_SEND_RARP, ONCE, make_rarp, NULL },
	/* Its answer says that all before it was taken: a server without REPLY_ACK closes if it was not. */
	{ VU_GET_FEATURES, ONCE, make_plain, NULL },
};

const struct vu_run vu_start = { start_steps, XVM_ARRAY_SIZE(start_steps) };

/* ---- stop ---- */

static bool make_get_base(struct vu_front *f, struct request *r)
{
	r->msg.state.index = f->index;
	r->msg.state.num = 0;
	return true;
}

static const char *take_base(struct vu_front *f, const struct vu_msg *msg)
{
	return msg->state.index == f->index ? NULL : "is about another ring";
}

static bool make_status_none(struct vu_front *f, struct request *r)
{
	(void)f;
	r->msg.u64 = 0;
	return true;
}

/* SET_STATUS of 0 is a reset, too. */
static bool make_reset(struct vu_front *f, struct request *r)
{
	(void)r;
	return !(f->protocol & VU_P_STATUS);
}

/* ---- one region ---- */

static bool make_add_region(struct vu_front *f, struct request *r)
{
	r->msg.region = f->region;
	r->fds[0] = f->region_fd;
	r->nfds = 1;
	return true;
}

static bool make_del_region(struct vu_front *f, struct request *r)
{
	r->msg.region = f->region;
	return true;
}

static const struct step add_region_steps[] = {
	{ VU_ADD_MEM_REG, ONCE, make_add_region, NULL },
};

static const struct step del_region_steps[] = {
	{ VU_REM_MEM_REG, ONCE, make_del_region, NULL },
};

const struct vu_run vu_add_region = { add_region_steps, XVM_ARRAY_SIZE(add_region_steps) };
const struct vu_run vu_del_region = { del_region_steps, XVM_ARRAY_SIZE(del_region_steps) };

static const struct step stop_steps[] = {
	{ VU_GET_VRING_BASE, PER_RING, make_get_base, take_base },
	{ VU_SET_STATUS, ONCE, make_status_none, NULL },
	{ VU_RESET_DEVICE, ONCE, make_reset, NULL },
	/* Which may have changed it. */
	{ VU_GET_CONFIG, ONCE, make_get_config, take_config },
};

const struct vu_run vu_stop = { stop_steps, XVM_ARRAY_SIZE(stop_steps) };
