/* SPDX-License-Identifier: MIT */
/*
 * What a trace is on its way from a guest's worker to whoever asked for it:
 * batches of messages, one per datagram of a SOCK_SEQPACKET socket.
 *
 * Constants and comments only. The reader asks xvmsgd (dom0/daemon/ctl.h), and
 * gets one socket per connection of the guest; the worker has the other end.
 * Numbers are little-endian. A reader takes all of it as hostile: the worker
 * may have been taken over, and the messages are the guest's in any case.
 */
#ifndef XVMSG_CTL_H
#define XVMSG_CTL_H

/* Before the records of a batch. A batch may have none, to tell of a loss at once. */
#define XVM_TRACE_LOST			0	/* le32: messages missing before the first of this batch */
#define XVM_TRACE_RESERVED		4	/* le32 zero */
#define XVM_TRACE_BATCH_HDR_BYTES	8

/* A record: this header, the message, zero bytes up to a multiple of 8. */
#define XVM_TRACE_NS			0	/* le64: nanoseconds since 1970 */
#define XVM_TRACE_LENGTH		8	/* le32: bytes of the message */
#define XVM_TRACE_DIRECTION		12	/* u8, then three zero bytes */
#define XVM_TRACE_RECORD_HDR_BYTES	16
#define XVM_TRACE_ALIGN			8

#define XVM_TRACE_TO_DEVICE		0	/* taken from the drv ring, at that moment */
#define XVM_TRACE_TO_DRIVER		1	/* put into the dev ring, at that moment */

/* Room for the longest message there is, and its headers. */
#define XVM_TRACE_BATCH_MAX_BYTES	69632

#endif
