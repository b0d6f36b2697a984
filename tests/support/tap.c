// SPDX-License-Identifier: MIT
#include "tap.h"
#include "rig.h"
#include "../../xen/proto/ring.h"

#include <stdio.h>
#include <unistd.h>

int __real_xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer);
int __wrap_xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer);
int __real_xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap);
int __wrap_xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap);

static struct xvm_observer *observer;
static pid_t owner;
static u8 injected[512];
static u32 injected_len;

static bool observed(void)
{
	return observer && owner == getpid();
}

int __wrap_xvm_ring_tx_put(struct xvm_ring_tx *tx, const u8 *msg, u32 len, bool answer)
{
	int err = __real_xvm_ring_tx_put(tx, msg, len, answer);

	if (!err && observed())
		xvm_observer_feed(observer, XVM_SIDE_DRIVER, msg, len);
	return err;
}

int __wrap_xvm_ring_rx_get(struct xvm_ring_rx *rx, u8 *buf, u32 cap)
{
	int len;

	if (injected_len && observed() && injected_len <= cap) {
		len = (int)injected_len;
		memcpy(buf, injected, injected_len);
		injected_len = 0;
		return len;
	}
	len = __real_xvm_ring_rx_get(rx, buf, cap);
	if (len >= 0 && observed())
		xvm_observer_feed(observer, XVM_SIDE_DEVICE, buf, (u32)len);
	return len;
}

void tap_start(u32 max_message, u32 credits)
{
	struct xvm_observer_config config = {
		.dialect = rig_dialect, .max_message = max_message, .credits = credits,
	};

	observer = xvm_observer_new(&config);
	owner = getpid();
}

void tap_inject(const void *msg, u32 len)
{
	memcpy(injected, msg, len);
	injected_len = len;
}

struct xvm_observer *tap_observer(void)
{
	return observer;
}

static bool concerns(const char *rules, const char *lists)
{
	const char *at;

	for (at = rules; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
		if (strlen(at) >= 3 && memmem(lists, strlen(lists), at, 3))
			return true;
	return false;
}

u32 tap_stop(const char *lists)
{
	const struct xvm_finding *list;
	u32 i, n, count = 0;

	xvm_observer_finish(observer);
	n = xvm_observer_findings(observer, &list);
	for (i = 0; i < n && i < XVM_OBSERVER_KEPT; i++) {
		if (!concerns(list[i].rules, lists))
			continue;
		count++;
		printf("# message %llu: %s: %s\n", (unsigned long long)list[i].message,
		       list[i].rules, list[i].text);
	}
	fflush(stdout);
	xvm_observer_free(observer);
	observer = NULL;
	return count;
}
