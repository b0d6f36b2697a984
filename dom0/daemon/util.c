// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

u64 xvm_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

u64 xvm_random_u64(void)
{
	u64 value = 0;

	while (!value)
		if (getrandom(&value, sizeof(value), 0) != sizeof(value))
			abort();	/* cannot happen with 8 bytes, once the kernel has booted */
	return value;
}

void xvm_timer(struct event *timer, u32 ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	event_add(timer, &tv);
}

void xvm_daemon_settle_later(struct xvm_daemon *daemon)
{
	event_active(daemon->settle, 0, 0);
}

/* One line, at most what the guest's bucket has left. */
static void guest_line(struct xvm_guest *guest, int level, const char *device, const char *format, va_list args)
{
	char text[XVM_WHY_BYTES + 128];
	u32 dropped = 0;

	if (!log_allow(&guest->log_bucket, xvm_now_ms(), &dropped))
		return;
	vsnprintf(text, sizeof(text), format, args);
	if (dropped)
		log_warn("guest %u (%.40s): %u log lines dropped", guest->domid, guest->name, dropped);
	log_line(level, "guest %u (%.40s)%s%s: %s", guest->domid, guest->name, *device ? " device " : "", device, text);
}

void xvm_guest_log(struct xvm_guest *guest, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	guest_line(guest, level, "", format, args);
	va_end(args);
}

void xvm_disk_log(struct xvm_disk *disk, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	guest_line(disk->guest, level, disk->vdev[0] ? disk->vdev : "without vdev", format, args);
	va_end(args);
}
