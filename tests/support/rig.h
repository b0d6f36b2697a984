/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole worker in a process of its own, over a fake Xen: event channels are
 * eventfds with Xen's pending and mask bits, grants are memfds, and the test
 * plays the supervisor. No confinement (sanitizers need their system calls),
 * otherwise the code that runs in dom0. drv.h is the driver side on top.
 */
#ifndef TESTS_SUPPORT_RIG_H
#define TESTS_SUPPORT_RIG_H

#include <sys/types.h>
#include "../../dom0/ipc.h"
#include "../../xen/proto/msgtab.h"

#define RIG_DEVICES 16		/* device numbers that are followed */
#define RIG_AREAS 128
#define RIG_PORT 7

struct rig_area {
	int fd;			/* memfd, -1: none */
	u8 *base;		/* mapped here: what the "guest" sees */
	u32 npages;
	u32 refuse;		/* XVM_STATUS_* to answer instead */
};

struct rig {
	pid_t pid;
	int sock;
	int shared_fd;
	u8 *control, *drv, *dev;	/* control page and rings */
	u32 ring_order, max_message, credits;
	enum xvm_dialect dialect;
	struct fake_port *to_worker, *to_driver;
	struct rig_area area[RIG_AREAS];

	/* what the worker has told */
	bool hello, eof, hold_maps;
	bool share_nothing;		/* servers get no areas */
	bool hold_server_end;		/* it is not said that a lost server has ended */
	u32 held_map;			/* area of a MAP that was not answered yet; 0: none */
	int state[RIG_DEVICES];		/* last enum xvm_dev_state */
	u32 states[RIG_DEVICES];	/* bit per state seen */
	u32 state_words;		/* all DEV_STATE messages */
	u32 fail_reason, fail_detail;
	u32 maps, unmaps, logs, shares;
	u16 shared_with[RIG_AREAS];	/* the last device whose server asked for this area */
	u32 mapped_pages;
	char last_log[XVM_IPC_LOG_BYTES];
	struct xvm_ipc_stats stats;
	struct xvm_ipc_one_dev_stats dev_stats[RIG_DEVICES];
	u32 stats_seen;
	u32 stats_num;			/* of the answer under way: the lowest device number that may follow */
	u64 dev_requests;		/* and what its devices have done so far */
};

/* What the next connections speak; rig_run_both sets it. */
extern enum xvm_dialect rig_dialect;

/* A file for the next workers to keep records in, of XVM_KEEP_BYTES; -1: none. With it goes XVM_BUS_F_KEEP. */
extern int rig_keep_fd;
void rig_keep_new(void);
void rig_keep_end(void);

/* Starts the worker; rings of 1 << order pages. Asserts that HELLO comes. */
void rig_start(struct rig *rig, u32 order, u32 max_message, u32 credits);
void rig_connect(struct rig *rig);	/* START */
/* SIGKILL; areas stay. Then another worker with rings and event channel of its own, as after rig_start. */
void rig_kill(struct rig *rig);
/* As rig_kill, but asked by STOP: it ends in good order. */
void rig_end(struct rig *rig);
void rig_start_again(struct rig *rig);
void rig_add(struct rig *rig, const struct xvm_ipc_dev_add *desc, int fd);
struct fdset;
/* The descriptors stay the caller's. */
void rig_add_fds(struct rig *rig, const struct xvm_ipc_dev_add *desc, const struct fdset *fds);
void rig_server(struct rig *rig, u16 num, const struct fdset *fds);	/* DEV_SERVER */
void rig_server_end(struct rig *rig, u16 num);	/* DEV_SERVER_END */
void rig_resize(struct rig *rig, u16 num, u64 size);
void rig_link(struct rig *rig, u16 num, bool up);
void rig_add_blk(struct rig *rig, u16 num, int fd, u64 bytes, u32 flags);
void rig_add_rng(struct rig *rig, u16 num);
void rig_del(struct rig *rig, u16 num, bool forced);
void rig_trace(struct rig *rig, int sock);	/* TRACE; sock stays the caller's, -1: none */
void rig_map_reply(struct rig *rig, u32 area);
const struct xvm_ipc_stats *rig_stats(struct rig *rig);

/* Memory for area id, seen by the test at once and by the worker when it maps. */
u8 *rig_area_new(struct rig *rig, u32 id, u32 npages);
void rig_area_free(struct rig *rig, u32 id);

/* Takes what the worker said; waits at most ms for that, or also for a notification. */
void rig_poll(struct rig *rig, int ms, bool notification);
bool rig_notified(struct rig *rig);	/* takes the notification */
void rig_notify(struct rig *rig);

/* Waits until the condition holds, with all news taken; asserts that it does within 5 s. */
#define RIG_UNTIL(rig, condition) do { \
	int rig_i_ = 0; \
	while (!(condition)) { \
		if (rig_i_++ == 500) \
			fail_msg("never came: %s", #condition); \
		rig_poll(rig, 10, false); \
	} \
} while (0)

/* STOP, or just waits; asserts exit status 0 and that everything mapped was unmapped. */
void rig_stop(struct rig *rig);
void rig_wait_exit(struct rig *rig);

/* Runs a group once in each dialect, or in one; names say which, but for pr28. Returns the failures. */
struct CMUnitTest;
int rig_run_in(enum xvm_dialect dialect, const struct CMUnitTest *tests, size_t count);
#define RIG_RUN_IN(dialect, tests) rig_run_in(dialect, tests, sizeof(tests) / sizeof((tests)[0]))
int rig_run_both(const struct CMUnitTest *tests, size_t count);
#define RIG_RUN_BOTH(tests) rig_run_both(tests, sizeof(tests) / sizeof((tests)[0]))

#endif
