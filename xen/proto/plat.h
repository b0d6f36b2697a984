/* SPDX-License-Identifier: MIT */
/*
 * The only place where the portable core tells kernel from user space: integer
 * types, memcpy, byte order, and the operations on memory shared with a peer.
 *
 * Shared memory is touched through these xvm_shm_* operations alone. The
 * kernel's own atomic_*(), set_bit() and smp_*() must not be used on it: a
 * kernel that finds one processor patches their lock prefixes and barriers
 * away, although the peer runs on another one.
 */
#ifndef XVM_PROTO_PLAT_H
#define XVM_PROTO_PLAT_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <asm/byteorder.h>
#include <asm/barrier.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <endian.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#define cpu_to_le32(x) htole32(x)
#define le32_to_cpu(x) le32toh(x)
#endif

#define XVM_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Little-endian fields at any alignment, in private memory. */
static inline u16 xvm_get16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static inline u32 xvm_get32(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static inline u64 xvm_get64(const u8 *p)
{
	return (u64)xvm_get32(p) | (u64)xvm_get32(p + 4) << 32;
}

static inline void xvm_put16(u8 *p, u16 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static inline void xvm_put32(u8 *p, u32 v)
{
	xvm_put16(p, (u16)v);
	xvm_put16(p + 2, (u16)(v >> 16));
}

static inline void xvm_put64(u8 *p, u64 v)
{
	xvm_put32(p, (u32)v);
	xvm_put32(p + 4, (u32)(v >> 32));
}

/* One load of a shared le32; the compiler may neither repeat nor split it. */
static inline u32 xvm_shm_load32(const void *p)
{
	return le32_to_cpu(__atomic_load_n((const u32 *)p, __ATOMIC_RELAXED));
}

/* As above; later reads of shared memory stay behind it. Pairs with xvm_shm_publish32. */
static inline u32 xvm_shm_acquire32(const void *p)
{
	return le32_to_cpu(__atomic_load_n((const u32 *)p, __ATOMIC_ACQUIRE));
}

static inline void xvm_shm_store32(void *p, u32 v)
{
	__atomic_store_n((u32 *)p, (u32)cpu_to_le32(v), __ATOMIC_RELAXED);
}

/* Earlier accesses to shared memory stay before it. Pairs with xvm_shm_acquire32. */
static inline void xvm_shm_publish32(void *p, u32 v)
{
	__atomic_store_n((u32 *)p, (u32)cpu_to_le32(v), __ATOMIC_RELEASE);
}

/*
 * Full barrier between an own store and a later load of a peer's word: the
 * "arm, look again" and "publish, look whether the peer sleeps" pairs. Without
 * it either side can miss the other and both sleep.
 */
static inline void xvm_shm_mb(void)
{
#ifdef __KERNEL__
	virt_mb();
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/*
 * Copies out of and into shared memory. The barrier keeps the compiler from
 * reading the source again where the copy is used later.
 */
static inline void xvm_shm_copy(void *dst, const void *src, size_t bytes)
{
	memcpy(dst, src, bytes);
	__asm__ __volatile__("" : : : "memory");
}

#endif
