/* SPDX-License-Identifier: MIT */
/* What the files of the observer share: what it remembers of a connection. */
#ifndef XVM_TEST_OBSERVER_PRIV_H
#define XVM_TEST_OBSERVER_PRIV_H

#include "observer.h"
#include "../../xen/proto/msg.h"
#include "../../xen/proto/num.h"

#define OBS_MAX_VQS	256u
#define OBS_MAX_BLOCKS	64u
#define OBS_CONFIG	4096u
#define OBS_GENS	8u
#define OBS_PENDING	512u
#define OBS_IDS		80u	/* statements per list */

#define S_ACKNOWLEDGE	1u
#define S_DRIVER	2u
#define S_DRIVER_OK	4u
#define S_FEATURES_OK	8u
#define S_NEEDS_RESET	64u
#define S_FAILED	128u

#define F_RING_PACKED		34u
#define F_NOTIFICATION_DATA	38u
#define F_NOTIF_CONFIG_DATA	39u
#define F_RING_RESET		40u

struct obs_vq {
	bool max_known, looked, set, confirmed;	/* set: told to the device, and to be enabled */
	bool touched, unsure;		/* SET_VQUEUE came, or several, and nobody looked what became of it */
	u32 max;
	struct xvm_msg_vqueue want;	/* what the newest SET_VQUEUE makes of it */
};

struct obs_dev {
	bool known;			/* announced by GET_DEVICES or EVENT_DEVICE */
	bool have_info;
	struct xvm_msg_device_info info;

	/* Since the last reset, but for offered. */
	u32 offered[OBS_MAX_BLOCKS], acked[OBS_MAX_BLOCKS];
	bool offered_known[OBS_MAX_BLOCKS], acked_set[OBS_MAX_BLOCKS];
	bool features_read, features_written;
	u32 status;			/* as last answered */
	bool asked_driver_ok;
	bool resetting;			/* a reset was asked for, and its answer said: not yet */
	bool owes_needs_reset;		/* an answer showed it, no event has yet */
	struct obs_vq vq[OBS_MAX_VQS];

	/* For the life of the device. */
	bool gen_known, owes_config;
	u32 gen;			/* newest that the device showed */
	u32 seen[OBS_GENS], nseen;	/* what the driver may know as the newest */
	bool told_needs_reset;
	bool data_event;
	u32 data_event_gen;		/* newest EVENT_CONFIG that carried data */
	u32 told_gen;			/* of the newest EVENT_CONFIG, or what was read before any */
	bool byte_known[OBS_CONFIG];
	u8 byte[OBS_CONFIG];		/* configuration as read at generation gen */
	u32 status_asked, config_asked;	/* requests of these kinds without answer */
};

struct obs_req {
	u8 sender, type, id;
	u16 dev_num, token;
	u32 len;
	u8 *msg;
};

struct xvm_observer {
	struct xvm_observer_config config;
	u64 messages;
	u32 findings;
	struct xvm_finding kept[XVM_OBSERVER_KEPT];
	u32 judged[3][OBS_IDS];
	struct obs_dev *dev[65536];
	struct obs_req pending[OBS_PENDING];	/* in the order of sending */
	u32 npending;
};

static inline const struct xvm_dialect_rules *obs_rules(const struct xvm_observer *o)
{
	return xvm_dialect_rules(o->config.dialect);
}

static inline bool obs_is_draft(const struct xvm_observer *o)
{
	return o->config.dialect == XVM_DIALECT_DRAFT2026;
}

/*
 * Judges one fact for the statements named; a finding when it is not so. ids is
 * "those of pr28|those of draft2026"; a dialect that has none does not judge.
 */
bool obs_judge(struct xvm_observer *o, const char *ids, bool good, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
struct obs_dev *obs_dev(struct xvm_observer *o, u16 num);
void obs_reset(struct obs_dev *d);
/* NULL: beyond what is watched, or beyond the device's queues. */
struct obs_vq *obs_vq(struct obs_dev *d, u32 index);
bool obs_acked(const struct obs_dev *d, u32 bit);

/* Transport requests and events of the driver side. */
void obs_driver(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len);
/* Transport answers, with the request, and events of the device side. */
void obs_answer(struct xvm_observer *o, struct obs_dev *d, const struct obs_req *req, const u8 *msg,
		u32 len);
void obs_event(struct xvm_observer *o, struct obs_dev *d, const u8 *msg, u32 len);
/* What the device still owes when the stream ends. */
void obs_dev_finish(struct xvm_observer *o, struct obs_dev *d, u16 num);

#endif
