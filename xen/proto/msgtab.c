// SPDX-License-Identifier: MIT
#include "msgtab.h"
#include "../../include/xvmsg/xenbus.h"

#define H VIRTIO_MSG_HDR_BYTES
#define VAR XVM_LEN_VARIABLE
#define FIXED(n) { H + (n), H + (n) }
#define UPTO(n, m) { H + (n), (m) }
#define NONE { 0, 0 }

/* Lengths per dialect: the same in all, or one column each. */
#define ALL(req, ans) { { req, ans }, { req, ans } }
#define PR28(req, ans) { { req, ans },
#define DRAFT2026(req, ans) { req, ans } }

#define TRANSPORT(n, who, len) { #n, 0, VIRTIO_MSG_##n, who, len }
#define BUS(n, who, len) { #n, VIRTIO_MSG_TYPE_BUS, VIRTIO_BUS_MSG_##n, who, len }
#define XEN(n, who, len) { #n, VIRTIO_MSG_TYPE_BUS, XVM_BUS_MSG_##n, who, len }

#define DRV XVM_SIDE_DRIVER
#define DEV XVM_SIDE_DEVICE
#define AREA_ADD_MAX (H + 16 + 4 * XVM_AREA_MAX_DIRS)

static const struct xvm_msg_row rows[] = {
	TRANSPORT(GET_DEVICE_INFO, DRV, PR28(FIXED(0), FIXED(24)) DRAFT2026(FIXED(0), FIXED(44))),
	TRANSPORT(GET_DEVICE_FEATURES, DRV, ALL(FIXED(8), UPTO(8, VAR))),
	TRANSPORT(SET_DRIVER_FEATURES, DRV, ALL(UPTO(8, VAR), FIXED(0))),
	TRANSPORT(GET_CONFIG, DRV, ALL(FIXED(8), UPTO(12, VAR))),
	TRANSPORT(SET_CONFIG, DRV, ALL(UPTO(12, VAR), UPTO(12, VAR))),
	TRANSPORT(GET_DEVICE_STATUS, DRV, ALL(FIXED(0), FIXED(4))),
	TRANSPORT(SET_DEVICE_STATUS, DRV, ALL(FIXED(4), FIXED(4))),
	TRANSPORT(GET_VQUEUE, DRV, ALL(FIXED(4), FIXED(40))),
	TRANSPORT(SET_VQUEUE, DRV, ALL(FIXED(40), FIXED(0))),
	TRANSPORT(RESET_VQUEUE, DRV, ALL(FIXED(4), FIXED(0))),
	TRANSPORT(GET_SHM, DRV, PR28(FIXED(4), FIXED(12)) DRAFT2026(FIXED(4), FIXED(24))),
	TRANSPORT(EVENT_CONFIG, DEV, ALL(UPTO(16, VAR), NONE)),
	TRANSPORT(EVENT_AVAIL, DRV, ALL(FIXED(8), NONE)),
	TRANSPORT(EVENT_USED, DEV, ALL(FIXED(4), NONE)),
	BUS(GET_DEVICES, DRV, ALL(FIXED(4), UPTO(6, VAR))),
	BUS(PING, XVM_SIDE_ANY, ALL(FIXED(4), FIXED(4))),
	BUS(EVENT_DEVICE, DEV, ALL(FIXED(4), NONE)),
	XEN(AREA_ADD, DRV, ALL(UPTO(16 + 4, AREA_ADD_MAX), FIXED(8))),
	XEN(AREA_DEL, DRV, ALL(FIXED(4), FIXED(4))),
	XEN(RELEASE_DEVICE, DRV, ALL(FIXED(4), FIXED(4))),
	XEN(QUIESCE, DRV, ALL(FIXED(4), FIXED(4))),
	XEN(RESUME, DRV, ALL(FIXED(4), FIXED(4))),
	XEN(KEEP_QUEUE, DRV, ALL(FIXED(8), FIXED(4))),
	XEN(REQUEST_FAILED, DEV, ALL(FIXED(8), NONE)),
};

const struct xvm_msg_row *xvm_msgtab_find(u8 type, u8 id)
{
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(rows); i++)
		if (rows[i].id == id && rows[i].type == (type & VIRTIO_MSG_TYPE_BUS))
			return &rows[i];
	return NULL;
}

const struct xvm_msg_row *xvm_msgtab_rows(u32 *count)
{
	*count = XVM_ARRAY_SIZE(rows);
	return rows;
}

static const char *const dialects[XVM_DIALECT_COUNT] = {
	[XVM_DIALECT_PR28] = XVM_DIALECT_NAME_PR28,
	[XVM_DIALECT_DRAFT2026] = XVM_DIALECT_NAME_DRAFT2026,
};

static const struct xvm_dialect_rules rules[XVM_DIALECT_COUNT] = {
	[XVM_DIALECT_PR28] = {
		.min_message = VIRTIO_MSG_MIN_MAX_BYTES,
		.max_message = 65536,
		.device_message = VIRTIO_MSG_SET_VQUEUE_BYTES,
		.acked_is_shown = true,
		.generation_checked = true,
		.shm_by_page = true,
		.windows_of_8 = true,
	},
	[XVM_DIALECT_DRAFT2026] = {
		.min_message = VIRTIO_MSG_DRAFT_MIN_MAX_BYTES,
		.max_message = 65535,
		.device_message = VIRTIO_MSG_DRAFT_MIN_MAX_BYTES,
		.config_echoed = true,
		.vq_flags = true,
		.vq_reset_negotiated = true,
		.reset_polled = true,
		.ids_opaque = true,
		.event_seconds = 60,
	},
};

const struct xvm_dialect_rules *xvm_dialect_rules(enum xvm_dialect dialect)
{
	return &rules[dialect];
}

const char *xvm_dialect_name(enum xvm_dialect dialect)
{
	return dialects[dialect];
}

int xvm_dialect_find(const char *name, size_t len, enum xvm_dialect *dialect)
{
	u32 i;

	for (i = 0; i < XVM_DIALECT_COUNT; i++) {
		if (strlen(dialects[i]) == len && !memcmp(dialects[i], name, len)) {
			*dialect = (enum xvm_dialect)i;
			return 0;
		}
	}
	return -ENOENT;
}
