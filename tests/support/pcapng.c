// SPDX-License-Identifier: MIT
#include "pcapng.h"
#include "../../tools/capture.h"

#include <stdlib.h>

#define BLOCK_SECTION	0x0a0d0d0au
#define BLOCK_PACKET	6u
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

/* 1: was fed, 0: of another domain, -1: not one of ours. */
static int feed(const u8 *block, long total, u32 *domid, struct xvm_observer *o)
{
	const u8 *hdr = block + PACKET_FIXED;
	u32 len = total > (long)PACKET_FIXED + 4 ? xvm_get32(block + 20) : 0;

	if (len < XVM_CAPTURE_HDR_BYTES || len > (u32)total - PACKET_FIXED - 4 ||
	    hdr[0] != XVM_CAPTURE_VERSION || hdr[1] > XVM_CAPTURE_TO_DRIVER)
		return -1;
	if (!*domid)
		*domid = xvm_get32(hdr + 4);
	if (xvm_get32(hdr + 4) != *domid)
		return 0;
	xvm_observer_feed(o, hdr[1] == XVM_CAPTURE_TO_DEVICE ? XVM_SIDE_DRIVER : XVM_SIDE_DEVICE,
			  hdr + XVM_CAPTURE_HDR_BYTES, len - XVM_CAPTURE_HDR_BYTES);
	return 1;
}

long xvm_pcapng_observe(FILE *f, u32 domid, struct xvm_observer *o)
{
	u8 *block = malloc(BLOCK_MAX);
	long total, count = 0;
	bool first = true;
	int fed = 0;

	while (block && (total = read_block(f, block)) > 0) {
		if (first && xvm_get32(block) != BLOCK_SECTION)
			break;
		first = false;
		if (xvm_get32(block) != BLOCK_PACKET)
			continue;
		fed = feed(block, total, &domid, o);
		if (fed < 0)
			break;
		count += fed;
	}
	if (!block || first || total < 0 || fed < 0)
		count = -1;
	free(block);
	return count;
}
