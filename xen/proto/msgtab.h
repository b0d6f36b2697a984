/* SPDX-License-Identifier: MIT */
/*
 * One const row per message: name, class, who may send it, and the length
 * bounds of request (or event) and answer in each dialect. Validation, names
 * for logs, the dump tools and the fuzzers all read this table.
 */
#ifndef XVM_PROTO_MSGTAB_H
#define XVM_PROTO_MSGTAB_H

#include "plat.h"
#include "../../include/xvmsg/wire.h"

/* In order of age, newest last; the numbers are also those of captures and of START (dom0/ipc.h). */
enum xvm_dialect {
	XVM_DIALECT_PR28,
	XVM_DIALECT_DRAFT2026,
	XVM_DIALECT_COUNT
};

/*
 * What a dialect asks of the two ends beyond the layout of its messages, as
 * far as dialects differ in it. docs/protocol.md, sections 7 and 14.
 */
struct xvm_dialect_rules {
	u32 min_message, max_message;	/* what a bus may have as its maximum message size */
	u32 device_message;		/* a bus below this carries no device */
	bool acked_is_shown;		/* GET_DEVICE_FEATURES: what the driver chose, once it has; else ever what is offered */
	bool generation_checked;	/* SET_CONFIG names the generation it is about; else 0, ignored */
	bool config_echoed;		/* SET_CONFIG's answer carries what was applied */
	bool vq_flags;			/* SET_VQUEUE enables, or not, and changes what it names only */
	bool vq_reset_negotiated;	/* RESET_VQUEUE without RING_RESET does nothing */
	bool reset_polled;		/* SET_DEVICE_STATUS 0 may be answered before the reset is complete */
	bool shm_by_page;		/* GET_SHM: the address is area and page in 32 bits; else a bus address */
	bool windows_of_8;		/* GET_DEVICES: offset and count are multiples of 8 */
	bool ids_opaque;		/* a transport request is routed, or failed, before its id is looked at */
	u32 event_seconds;		/* an event waits for room so long while the other side takes nothing; 0: for ever */
};

enum xvm_side {
	XVM_SIDE_DRIVER = 1,
	XVM_SIDE_DEVICE = 2,
	XVM_SIDE_ANY = 3
};

/* Whole message lengths in bytes, header included; max 0: not part of the dialect. */
struct xvm_msg_bounds {
	u16 min, max;
};

struct xvm_msg_row {
	const char *name;
	u8 type;	/* 0 or VIRTIO_MSG_TYPE_BUS */
	u8 id;
	u8 sender;	/* enum xvm_side of the request or event */
	struct {
		struct xvm_msg_bounds request, answer;	/* events have no answer */
	} len[XVM_DIALECT_COUNT];
};

#define XVM_LEN_VARIABLE 0xffff		/* bounded by the connection's maximum message size */

static inline bool xvm_msg_is_event(const struct xvm_msg_row *row)
{
	return row->id & VIRTIO_MSG_ID_EVENT;
}

/* The row of (type, id) or NULL; bits of type other than BUS are ignored. */
const struct xvm_msg_row *xvm_msgtab_find(u8 type, u8 id);

/* All rows, for tools and tests. */
const struct xvm_msg_row *xvm_msgtab_rows(u32 *count);

const struct xvm_dialect_rules *xvm_dialect_rules(enum xvm_dialect dialect);

/* The dialect's name in xenstore, and back (-ENOENT). */
const char *xvm_dialect_name(enum xvm_dialect dialect);
int xvm_dialect_find(const char *name, size_t len, enum xvm_dialect *dialect);

#endif
