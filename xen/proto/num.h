/* SPDX-License-Identifier: MIT */
/* Overflow-safe arithmetic and strict number parsing. No state, no I/O. */
#ifndef XVM_PROTO_NUM_H
#define XVM_PROTO_NUM_H

#include "plat.h"

static inline bool xvm_is_pow2(u32 v)
{
	return v && !(v & (v - 1));
}

static inline u32 xvm_align8(u32 v)
{
	return (v + 7u) & ~7u;
}

/* True when [off, off + len) lies in [0, size), without computing off + len. */
static inline bool xvm_range_ok(u64 off, u64 len, u64 size)
{
	return off <= size && len <= size - off;
}

/*
 * Strict unsigned decimal of a peer: digits only, no sign, no space, no leading
 * zero but "0" itself, at most 10 digits, at most max. len counts the bytes of
 * text without a terminator. Returns 0, -EINVAL (not a number) or -ERANGE.
 */
int xvm_parse_u32(const char *text, size_t len, u32 max, u32 *value);

/* Exactly 16 lower-case hex digits. Returns 0 or -EINVAL. */
int xvm_parse_id64(const char *text, size_t len, u64 *value);

/* True when the comma-separated list has the word; words are never empty. */
bool xvm_list_has(const char *list, size_t len, const char *word);

#endif
