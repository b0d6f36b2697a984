// SPDX-License-Identifier: MIT
#include "batch.h"
#include "../../include/xvmsg/ctl.h"

int xvm_trace_batch_init(struct xvm_trace_batch *batch, const u8 *data, size_t bytes)
{
	if (bytes < XVM_TRACE_BATCH_HDR_BYTES || bytes > XVM_TRACE_BATCH_MAX_BYTES)
		return -EPROTO;
	batch->lost = xvm_get32(data + XVM_TRACE_LOST);
	batch->at = data + XVM_TRACE_BATCH_HDR_BYTES;
	batch->left = bytes - XVM_TRACE_BATCH_HDR_BYTES;
	return 0;
}

int xvm_trace_batch_next(struct xvm_trace_batch *batch, struct xvm_trace_record *record)
{
	size_t padded;
	u32 len;

	if (!batch->left)
		return 0;
	if (batch->left < XVM_TRACE_RECORD_HDR_BYTES)
		return -EPROTO;
	len = xvm_get32(batch->at + XVM_TRACE_LENGTH);
	/* Compared before it is rounded up, which could wrap where size_t has 32 bits. */
	if (len > batch->left - XVM_TRACE_RECORD_HDR_BYTES)
		return -EPROTO;
	padded = ((size_t)len + XVM_TRACE_ALIGN - 1) & ~(size_t)(XVM_TRACE_ALIGN - 1);
	if (padded > batch->left - XVM_TRACE_RECORD_HDR_BYTES ||
	    batch->at[XVM_TRACE_DIRECTION] > XVM_TRACE_TO_DRIVER)
		return -EPROTO;
	record->ns = xvm_get64(batch->at + XVM_TRACE_NS);
	record->sender = batch->at[XVM_TRACE_DIRECTION] == XVM_TRACE_TO_DRIVER ? XVM_SIDE_DEVICE :
		XVM_SIDE_DRIVER;
	record->msg = batch->at + XVM_TRACE_RECORD_HDR_BYTES;
	record->len = len;
	batch->at += XVM_TRACE_RECORD_HDR_BYTES + padded;
	batch->left -= XVM_TRACE_RECORD_HDR_BYTES + padded;
	return 1;
}
