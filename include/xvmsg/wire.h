/* SPDX-License-Identifier: MIT */
/*
 * virtio-msg on the wire: message ids, header and payload layout, limits.
 *
 * Constants and comments only: this file compiles alone in C, C++ and the
 * Linux kernel. Offsets count bytes from the first byte of the message, all
 * fields are little-endian. Section names are those of the virtio-msg text
 * merged as PR #28 ("pr28"); "draft2026" marks what the 2026 draft has
 * otherwise. docs/protocol.md is the authority over this file.
 */
#ifndef XVMSG_WIRE_H
#define XVMSG_WIRE_H

/* Common Message Format: u8 type, u8 msg_id, le16 dev_num, le16 token, le16 msg_size */
#define VIRTIO_MSG_HDR_TYPE		0
#define VIRTIO_MSG_HDR_ID		1
#define VIRTIO_MSG_HDR_DEV_NUM		2
#define VIRTIO_MSG_HDR_TOKEN		4
#define VIRTIO_MSG_HDR_SIZE		6
#define VIRTIO_MSG_HDR_BYTES		8

/* type: bits 2..7 are sent as zero and ignored on receive */
#define VIRTIO_MSG_TYPE_RESPONSE	0x01	/* else request or event */
#define VIRTIO_MSG_TYPE_BUS		0x02	/* else transport message */
#define VIRTIO_MSG_TYPE_MASK		0x03

/* msg_id: bit 6 tells events (one-way) from requests; 0x80 up is implementation-defined */
#define VIRTIO_MSG_ID_EVENT		0x40
#define VIRTIO_MSG_ID_IMPL		0x80

/* Transport Messages */
#define VIRTIO_MSG_GET_DEVICE_INFO	0x02
#define VIRTIO_MSG_GET_DEVICE_FEATURES	0x03
#define VIRTIO_MSG_SET_DRIVER_FEATURES	0x04
#define VIRTIO_MSG_GET_CONFIG		0x05
#define VIRTIO_MSG_SET_CONFIG		0x06
#define VIRTIO_MSG_GET_DEVICE_STATUS	0x07
#define VIRTIO_MSG_SET_DEVICE_STATUS	0x08
#define VIRTIO_MSG_GET_VQUEUE		0x09
#define VIRTIO_MSG_SET_VQUEUE		0x0a
#define VIRTIO_MSG_RESET_VQUEUE		0x0b
#define VIRTIO_MSG_GET_SHM		0x0c
#define VIRTIO_MSG_EVENT_CONFIG		0x40
#define VIRTIO_MSG_EVENT_AVAIL		0x41
#define VIRTIO_MSG_EVENT_USED		0x42

/* Bus Messages */
#define VIRTIO_BUS_MSG_GET_DEVICES	0x02
#define VIRTIO_BUS_MSG_PING		0x03
#define VIRTIO_BUS_MSG_EVENT_DEVICE	0x40

/* EVENT_DEVICE: device_bus_state */
#define VIRTIO_MSG_DEVICE_READY		0x0001
#define VIRTIO_MSG_DEVICE_REMOVED	0x0002

/*
 * Limits. The text allows a maximum message size of 44..65536, but SET_VQUEUE
 * needs 48: a bus below that carries no device (virtio-msg revisions).
 */
#define VIRTIO_MSG_MIN_MAX_BYTES	44
#define VIRTIO_MSG_SET_VQUEUE_BYTES	48
#define VIRTIO_MSG_DRAFT_MIN_MAX_BYTES	52	/* draft2026: GET_DEVICE_INFO's answer */
#define VIRTIO_MSG_OFFER_BYTES		264
#define VIRTIO_MSG_REVISION		1

/* draft2026, SET_VQUEUE: flags */
#define VIRTIO_MSG_VQ_STATE		0x03	/* what to do, one of these: */
#define VIRTIO_MSG_VQ_DISABLED		0x00	/* stay disabled */
#define VIRTIO_MSG_VQ_ENABLE		0x01
#define VIRTIO_MSG_VQ_KEEP		0x02	/* neither way */
#define VIRTIO_MSG_VQ_NO_SIZE		0x04	/* leave size, or an address, as it was */
#define VIRTIO_MSG_VQ_NO_DESC		0x08
#define VIRTIO_MSG_VQ_NO_DRIVER		0x10
#define VIRTIO_MSG_VQ_NO_DEVICE		0x20
#define VIRTIO_MSG_VQ_IGNORES		0x3c
/* draft2026, GET_VQUEUE: flags */
#define VIRTIO_MSG_VQ_ENABLED		0x01

/* draft2026: bit of a bus instance, not of a device; never offered here */
#define VIRTIO_MSG_F_STRICT_CONFIG_GENERATION	0
#define VIRTIO_MSG_UUID_BYTES		16

/* Payload bytes that precede the data of the variable-length messages (header not counted) */
#define VIRTIO_MSG_FEATURES_FIXED	8	/* block_index, num_blocks */
#define VIRTIO_MSG_CONFIG_FIXED		12	/* generation, offset, length */
#define VIRTIO_MSG_EVENT_CONFIG_FIXED	16	/* device_status, generation, offset, length */
#define VIRTIO_MSG_GET_DEVICES_FIXED	6	/* offset, count, next_offset */

/*
 * Implementation-defined bus messages of the Xen bus (ranges 0x80..0xBF and
 * 0xC0..0xFF of Bus Messages). All are sent with dev_num 0.
 */
#define XVM_BUS_MSG_AREA_ADD		0x80	/* driver: announce granted memory */
#define XVM_BUS_MSG_AREA_DEL		0x81	/* driver: take it back; the answer is the fence */
#define XVM_BUS_MSG_BIND_DOORBELL	0x82	/* reserved */
#define XVM_BUS_MSG_UNBIND_DOORBELL	0x83	/* reserved */
#define XVM_BUS_MSG_RELEASE_DEVICE	0x84	/* driver: a removed number may be used again */
/* the next three with XVM_BUS_F_KEEP only */
#define XVM_BUS_MSG_QUIESCE		0x85	/* driver: the device takes nothing new; answered when it has nothing left */
#define XVM_BUS_MSG_RESUME		0x86	/* driver: and goes on */
#define XVM_BUS_MSG_KEEP_QUEUE		0x87	/* driver: a queue goes on where the connection before left it */
#define XVM_BUS_MSG_REQUEST_FAILED	0xc0	/* device: a valid request that could not be served */

/* status of the answers to the driver side's bus messages of this bus */
#define XVM_STATUS_OK			0
#define XVM_STATUS_INVALID		1	/* a field breaks a rule of docs/protocol.md */
#define XVM_STATUS_NO_SPACE		2	/* over the page or area budget; use what there is */
#define XVM_STATUS_BAD_REF		3	/* a grant reference could not be mapped */
#define XVM_STATUS_EXISTS		4	/* area id in use, or used too recently */
#define XVM_STATUS_BUSY			5	/* an enabled queue lies in the area */
#define XVM_STATUS_NO_AREA		6
#define XVM_STATUS_NO_DEVICE		7
#define XVM_STATUS_LOST			8	/* KEEP_QUEUE: nobody knows what was in flight */

/* flags of KEEP_QUEUE */
#define XVM_KEEP_IDLE			1u	/* after QUIESCE: all that the device took was given back */

/* reason of REQUEST_FAILED */
#define XVM_FAILED_NO_DEVICE		1	/* never was, or released */
#define XVM_FAILED_REMOVED		2	/* removed, not yet released */

/* AREA_ADD limits: 1024 references of 4 bytes fill a 4 KiB directory page */
#define XVM_AREA_REFS_PER_DIR		1024
#define XVM_AREA_MAX_DIRS		16
#define XVM_AREA_MAX_PAGES		16384
#define XVM_AREA_MAX_PER_DEVICE		8
#define XVM_AREA_ID_MIN			1
#define XVM_AREA_ID_MAX			127
#define XVM_AREA_ID_REST		64	/* additions before a freed id may come back */
#define XVM_AREA_SCOPE_WORKER		0	/* scope: a device number, or this: no server sees it */

/*
 * Bus addresses: bits 46..40 area id, bits 39..0 byte offset in the area, all
 * others zero. Bit 63 is reserved (grant reference in the address). Address 0
 * is never valid.
 */
#define XVM_ADDR_AREA_SHIFT		40

/*
 * GET_SHM of pr28 has 32 bits for an address: bits 30..24 area id, bits 23..0
 * page in the area.
 */
#define XVM_SHM_AREA_SHIFT		24

#endif
