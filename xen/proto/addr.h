/* SPDX-License-Identifier: MIT */
/*
 * Bus addresses: (area, offset) in 64 bits, include/xvmsg/wire.h. An address
 * that is not of this form belongs to area 0, which never exists.
 */
#ifndef XVM_PROTO_ADDR_H
#define XVM_PROTO_ADDR_H

#include "plat.h"
#include "../../include/xvmsg/wire.h"

static inline u64 xvm_addr_make(u32 area, u64 offset)
{
	return (u64)area << XVM_ADDR_AREA_SHIFT | offset;
}

static inline u32 xvm_addr_area(u64 addr)
{
	u64 area = addr >> XVM_ADDR_AREA_SHIFT;

	return area <= XVM_AREA_ID_MAX ? (u32)area : 0;
}

static inline u64 xvm_addr_offset(u64 addr)
{
	return addr & (((u64)1 << XVM_ADDR_AREA_SHIFT) - 1);
}

#endif
