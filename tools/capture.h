/* SPDX-License-Identifier: MIT */
/*
 * Writes messages as a pcapng file that Wireshark opens, with nanosecond times.
 * The link type is LINKTYPE_USER0 (147); a packet is a pseudo header of 12
 * bytes and the message as it was in the ring:
 *
 *   +0 u8    version, 1
 *   +1 u8    direction, 0: driver to device, 1: device to driver
 *   +2 u8    dialect, 0: pr28, 1: draft2026
 *   +3 u8    flags, 0
 *   +4 le32  domain id of the driver side
 *   +8 le32  connection of the capture, the first is 0
 *
 * Messages that are missing before a packet stand in its epb_dropcount.
 *
 * tools/wireshark/xvm.lua decodes it. All of the file is little-endian.
 */
#ifndef XVM_TOOLS_CAPTURE_H
#define XVM_TOOLS_CAPTURE_H

#include <stdint.h>
#include <stdio.h>

#define XVM_CAPTURE_LINKTYPE	147u
#define XVM_CAPTURE_VERSION	1u
#define XVM_CAPTURE_HDR_BYTES	12u

enum xvm_capture_direction {
	XVM_CAPTURE_TO_DEVICE = 0,
	XVM_CAPTURE_TO_DRIVER = 1,
};

struct xvm_capture_packet {
	uint64_t ns;		/* since 1970 */
	uint8_t direction;	/* enum xvm_capture_direction */
	uint8_t dialect;	/* enum xvm_dialect */
	uint32_t domid;
	uint32_t connection;
	uint64_t lost;		/* messages missing before this one */
};

/* Section header and the one interface. Both return 0, or -1 with errno when the stream failed. */
int xvm_capture_begin(FILE *f, const char *application);
/* len at most 65536 bytes. */
int xvm_capture_message(FILE *f, const struct xvm_capture_packet *packet, const void *msg,
			uint32_t len);

#endif
