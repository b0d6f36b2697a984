/* SPDX-License-Identifier: MIT */
/*
 * The Xen bus of virtio-msg: xenstore keys, the shared control page, rings.
 *
 * Constants and comments only. One xenbus device of kind "virtio-msg" is one
 * bus instance with many virtio devices on it. "front" is the driver side (the
 * guest), "back" the device side (usually dom0). docs/protocol.md and
 * docs/xenstore.md are the authority over this file.
 */
#ifndef XVMSG_XENBUS_H
#define XVMSG_XENBUS_H

#define XVM_XENBUS_KIND			"virtio-msg"
#define XVM_BUS_VERSION			1

/*
 * Back-end keys, written by the back before its state becomes 2 (InitWait).
 * Numbers are unsigned decimal, at most 10 digits.
 */
#define XVM_KEY_VERSIONS		"versions"		/* list "1,2,..": bus ABI versions */
#define XVM_KEY_DIALECTS		"dialects"		/* list of dialect names, preferred first */
#define XVM_KEY_MAX_MESSAGE		"max-message-bytes"	/* offered; front: chosen, not larger */
#define XVM_KEY_MAX_RING_ORDER		"max-ring-page-order"	/* largest log2 of pages per ring */
#define XVM_KEY_MAX_CREDITS		"max-driver-credits"	/* driver requests outstanding, at most */
#define XVM_KEY_MAX_CHANNELS		"max-event-channels"
#define XVM_KEY_BUS_FEATURES		"bus-features"		/* both sides; bit set XVM_BUS_F_* */
#define XVM_KEY_CONNECTION_ID		"connection-id"		/* 16 hex digits; the front echoes it */

/* Front-end keys, written by the front before its state becomes 3 (Initialised). */
#define XVM_KEY_VERSION			"version"
#define XVM_KEY_DIALECT			"dialect"
#define XVM_KEY_RING_ORDER		"ring-page-order"
#define XVM_KEY_CREDITS			"driver-credits"
#define XVM_KEY_CONTROL_REF		"control-ref"		/* grant reference of the control page */
#define XVM_KEY_NUM_CHANNELS		"num-event-channels"
#define XVM_KEY_CHANNEL_FMT		"event-channel-%u"	/* 0 .. num-event-channels - 1 */
#define XVM_KEY_MODULE			"front-software"	/* free text for people; never parsed */

#define XVM_DIALECT_NAME_PR28		"pr28"
#define XVM_DIALECT_NAME_DRAFT2026	"draft2026"

#define XVM_MAX_CHANNELS		8
#define XVM_MAX_RING_ORDER		6
#define XVM_DEFAULT_RING_ORDER		3
#define XVM_DEFAULT_CREDITS		32
#define XVM_MAX_CREDITS			256
#define XVM_DEVICE_CREDITS		1	/* device requests outstanding: one PING */
#define XVM_KEY_MAX_BYTES		32	/* longer front-end values are refused */

/* bus-features: a connection has what both sides wrote */
#define XVM_BUS_F_DOORBELL		(1u << 0)	/* reserved: doorbell pages */
/*
 * The driver side keeps its devices when the back goes from 4 (Connected) to 2
 * (InitWait) with a new connection-id, and takes them over into the new
 * connection; docs/protocol.md, "Keeping devices".
 */
#define XVM_BUS_F_KEEP			(1u << 1)

/* Every page of this ABI is a Xen page, whatever the guest's own page size. */
#define XVM_PAGE_BYTES			4096u
#define XVM_PAGE_SHIFT			12

/*
 * Control page, granted by the front. Byte offsets; le32 each. "front" or
 * "back" says who writes; nobody reads back what it wrote itself.
 * Everything not named is zero. A ring is named after its producer: the drv
 * ring carries what the driver side sends, the dev ring what the device side
 * sends.
 */
#define XVM_CTRL_MAGIC			0x000	/* front, before state 3 */
#define XVM_CTRL_VERSION		0x004	/* front, before state 3 */
#define XVM_CTRL_DRV_PROD		0x040	/* front */
#define XVM_CTRL_DRV_CONS_EVENT		0x044	/* front: notify me when drv cons passes this */
#define XVM_CTRL_DRV_CONS		0x080	/* back */
#define XVM_CTRL_DRV_PROD_EVENT		0x084	/* back: notify me when drv prod passes this */
#define XVM_CTRL_DEV_PROD		0x0c0	/* back */
#define XVM_CTRL_DEV_CONS_EVENT		0x0c4	/* back */
#define XVM_CTRL_DEV_CONS		0x100	/* front */
#define XVM_CTRL_DEV_PROD_EVENT		0x104	/* front */
#define XVM_CTRL_FRONT_ERROR		0x140	/* front: XVM_ERR_*, then a detail word */
#define XVM_CTRL_BACK_ERROR		0x180	/* back: XVM_ERR_*, then a detail word */
#define XVM_CTRL_DRV_REFS		0x200	/* front: drv ring pages, 1 << ring-page-order */
#define XVM_CTRL_DEV_REFS		0x300	/* front: dev ring pages */
#define XVM_CTRL_DOORBELL_REFS		0x400	/* front: per channel 2 references; reserved, zero */

#define XVM_CTRL_MAGIC_VALUE		0x424d5658u	/* "XVMB" */

/*
 * Rings: one producer, one consumer, free-running le32 byte indices, size
 * 4096 << order. A record is le32 length (bytes of the message), le32 zero,
 * the message, zero padding to a multiple of 8; records wrap bytewise.
 */
#define XVM_RECORD_HDR_BYTES		8
#define XVM_RECORD_ALIGN		8

/* Reason codes in FRONT_ERROR and BACK_ERROR: why this side gave the connection up. */
#define XVM_ERR_NONE			0
#define XVM_ERR_INDEX			1	/* peer's ring index beyond the ring; detail: the index */
#define XVM_ERR_RECORD			2	/* record length out of bounds; detail: the length */
#define XVM_ERR_CREDIT			3	/* more requests outstanding than agreed; detail: the token */
#define XVM_ERR_CLOSED			4	/* orderly end, no fault */
#define XVM_ERR_INTERNAL		5	/* this side failed by its own doing */
#define XVM_ERR_STALLED			6	/* an event waited, nothing was taken; detail: for how many seconds */

#endif
