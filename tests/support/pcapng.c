// SPDX-License-Identifier: MIT
#include "pcapng.h"
#include "../../tools/capture.h"

#include <stdlib.h>

#define BLOCK_SECTION	0x0a0d0d0au
#define BLOCK_PACKET	6u
#define OPT_LOST	4u
#define BLOCK_MAX	(1u << 20)
#define PACKET_FIXED	28u	/* up to the packet's bytes */

/* A whole block into buf; its length, 0 at the end of the file, -1: no block. */
static long read_block(FILE *f, u8 *buf)
{
	size_t n = fread(buf, 1, 8, f);
	u32 total;

	if (!n)
		return 0;
	total = n == 8 ? xvm_get32(buf + 4) : 0;
	if (total < 12 || total > BLOCK_MAX || total % 4)
		return -1;
	if (fread(buf + 8, 1, total - 8, f) != total - 8 || xvm_get32(buf + total - 4) != total)
		return -1;
	return (long)total;
}

/* Does an option of the packet say that messages are missing before it? */
static bool says_lost(const u8 *block, u32 total, u32 at)
{
	u32 code, len;

	for (; at + 4 <= total - 4; at += 4 + ((len + 3) & ~3u)) {
		code = xvm_get16(block + at);
		len = xvm_get16(block + at + 2);
		if (!code || len > total - 8 - at)
			break;
		if (code == OPT_LOST && len == 8 && xvm_get64(block + at + 4))
			return true;
	}
	return false;
}

/* The pseudo header of a packet, with the message behind it; NULL: not one of ours. */
static const u8 *packet_of(const u8 *block, long total, u32 *len)
{
	const u8 *hdr = block + PACKET_FIXED;
	u32 bytes = total > (long)PACKET_FIXED + 4 ? xvm_get32(block + 20) : 0;

	if (bytes < XVM_CAPTURE_HDR_BYTES || bytes > (u32)total - PACKET_FIXED - 4 ||
	    hdr[0] != XVM_CAPTURE_VERSION || hdr[1] > XVM_CAPTURE_TO_DRIVER ||
	    hdr[2] >= XVM_DIALECT_COUNT)
		return NULL;
	if (says_lost(block, (u32)total, PACKET_FIXED + ((bytes + 3) & ~3u)))
		return NULL;
	*len = bytes - XVM_CAPTURE_HDR_BYTES;
	return hdr;
}

struct pick {
	u32 domid, connection;
	bool met;
	struct xvm_observer *observer;
	int dialect;		/* of the first that was met */
};

/* 1: was taken, 0: of another domain or connection, -1: not one of ours. */
static int take(const u8 *block, long total, struct pick *pick)
{
	u32 len;
	const u8 *hdr = packet_of(block, total, &len);

	if (!hdr)
		return -1;
	if (!pick->domid)
		pick->domid = xvm_get32(hdr + 4);
	if (xvm_get32(hdr + 4) != pick->domid)
		return 0;
	if (!pick->met) {
		pick->met = true;
		pick->connection = xvm_get32(hdr + 8);
		pick->dialect = hdr[2];
	}
	if (xvm_get32(hdr + 8) != pick->connection)
		return 0;
	if (pick->observer)
		xvm_observer_feed(pick->observer,
				  hdr[1] == XVM_CAPTURE_TO_DEVICE ? XVM_SIDE_DRIVER : XVM_SIDE_DEVICE,
				  hdr + XVM_CAPTURE_HDR_BYTES, len);
	return 1;
}

static long read_all(FILE *f, struct pick *pick)
{
	u8 *block = malloc(BLOCK_MAX);
	long total, count = 0;
	bool first = true;
	int took = 0;

	while (block && (total = read_block(f, block)) > 0) {
		if (first && xvm_get32(block) != BLOCK_SECTION)
			break;
		first = false;
		if (xvm_get32(block) != BLOCK_PACKET)
			continue;
		took = take(block, total, pick);
		if (took < 0)
			break;
		count += took;
	}
	if (!block || first || total < 0 || took < 0)
		count = -1;
	free(block);
	return count;
}

long xvm_pcapng_observe(FILE *f, u32 domid, struct xvm_observer *o)
{
	struct pick pick = { .domid = domid, .observer = o };

	return read_all(f, &pick);
}

int xvm_pcapng_dialect(FILE *f, u32 domid)
{
	struct pick pick = { .domid = domid, .dialect = -1 };
	long count = read_all(f, &pick);

	rewind(f);
	return count < 0 ? -1 : pick.dialect;
}
