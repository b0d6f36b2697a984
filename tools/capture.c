// SPDX-License-Identifier: MIT
#include "capture.h"

#include <stdbool.h>
#include <string.h>

#define BLOCK_SECTION	0x0a0d0d0au
#define BLOCK_INTERFACE	1u
#define BLOCK_PACKET	6u
#define OPT_END		0u
#define OPT_IF_NAME	2u
#define OPT_PKT_FLAGS	2u
#define OPT_PKT_LOST	4u
#define OPT_SHB_USERAPPL 4u
#define OPT_IF_TSRESOL	9u
#define PKT_INBOUND	1u
#define PKT_OUTBOUND	2u

#define NAME "virtio-msg"

static bool put(FILE *f, const void *bytes, size_t n)
{
	return fwrite(bytes, 1, n, f) == n;
}

static bool put32(FILE *f, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	return put(f, b, sizeof(b));
}

static bool put16x2(FILE *f, uint32_t a, uint32_t b)
{
	return put32(f, a | b << 16);
}

static uint32_t padded(uint32_t n)
{
	return (n + 3) & ~3u;
}

static bool put_padded(FILE *f, const void *bytes, uint32_t n)
{
	static const uint8_t zero[4];

	return put(f, bytes, n) && put(f, zero, padded(n) - n);
}

static bool put_option(FILE *f, uint32_t code, const void *value, uint32_t n)
{
	return put16x2(f, code, n) && put_padded(f, value, n);
}

/* Every block begins and ends with its length. */
static bool put_section(FILE *f, const char *application)
{
	uint32_t n = (uint32_t)strlen(application), total = 28 + 4 + padded(n) + 4;

	return put32(f, BLOCK_SECTION) && put32(f, total) && put32(f, 0x1a2b3c4d) &&
	       put16x2(f, 1, 0) && put32(f, 0xffffffff) && put32(f, 0xffffffff) &&
	       put_option(f, OPT_SHB_USERAPPL, application, n) && put16x2(f, OPT_END, 0) &&
	       put32(f, total);
}

static bool put_interface(FILE *f)
{
	static const uint8_t nanoseconds = 9;
	uint32_t n = sizeof(NAME) - 1, total = 20 + 4 + padded(n) + 8 + 4;

	return put32(f, BLOCK_INTERFACE) && put32(f, total) &&
	       put16x2(f, XVM_CAPTURE_LINKTYPE, 0) && put32(f, 0) && put_option(f, OPT_IF_NAME, NAME, n) &&
	       put_option(f, OPT_IF_TSRESOL, &nanoseconds, 1) && put16x2(f, OPT_END, 0) &&
	       put32(f, total);
}

int xvm_capture_begin(FILE *f, const char *application)
{
	return put_section(f, application) && put_interface(f) ? 0 : -1;
}

static bool put_lost(FILE *f, uint64_t lost)
{
	return !lost || (put16x2(f, OPT_PKT_LOST, 8) && put32(f, (uint32_t)lost) && put32(f, (uint32_t)(lost >> 32)));
}

int xvm_capture_message(FILE *f, const struct xvm_capture_packet *packet, const void *msg,
			uint32_t len)
{
	uint8_t hdr[XVM_CAPTURE_HDR_BYTES] = {
		XVM_CAPTURE_VERSION, packet->direction, packet->dialect, 0,
		(uint8_t)packet->domid, (uint8_t)(packet->domid >> 8),
		(uint8_t)(packet->domid >> 16), (uint8_t)(packet->domid >> 24),
		(uint8_t)packet->connection, (uint8_t)(packet->connection >> 8),
		(uint8_t)(packet->connection >> 16), (uint8_t)(packet->connection >> 24),
	};
	uint32_t bytes = XVM_CAPTURE_HDR_BYTES + len;
	uint32_t total = 32 + padded(bytes) + 12 + (packet->lost ? 12 : 0);
	/* Seen from the device side, which is where messages are recorded. */
	uint32_t flags = packet->direction == XVM_CAPTURE_TO_DEVICE ? PKT_INBOUND : PKT_OUTBOUND;
	bool good;

	good = put32(f, BLOCK_PACKET) && put32(f, total) && put32(f, 0) &&
	       put32(f, (uint32_t)(packet->ns >> 32)) && put32(f, (uint32_t)packet->ns) &&
	       put32(f, bytes) && put32(f, bytes) && put(f, hdr, sizeof(hdr)) &&
	       put_padded(f, msg, len) &&	/* the header is a multiple of 4 */
	       put16x2(f, OPT_PKT_FLAGS, 4) && put32(f, flags) && put_lost(f, packet->lost) && put16x2(f, OPT_END, 0) &&
	       put32(f, total);
	return good ? 0 : -1;
}
