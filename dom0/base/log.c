// SPDX-License-Identifier: GPL-2.0-or-later
#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define BURST_LINES 50u
#define LINES_PER_SECOND 5u
#define LINE 1000u	/* a line in the bucket's unit; 5 of them a second is 5 per millisecond */

static void sink_stderr(void *arg, int level, const char *line)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "%s\n", line);
}

static void sink_syslog(void *arg, int level, const char *line)
{
	(void)arg;
	syslog(level, "%s", line);
}

static struct {
	void (*sink)(void *arg, int level, const char *line);
	void *arg;
	int level;
	struct log_bucket bucket;
} out = { .sink = sink_stderr, .level = LOG_INFO };

bool log_allow(struct log_bucket *bucket, uint64_t now_ms, uint32_t *dropped)
{
	uint64_t back = (now_ms - bucket->last_ms) * LINES_PER_SECOND;

	bucket->last_ms = now_ms;
	bucket->spent = back < bucket->spent ? bucket->spent - (uint32_t)back : 0;
	if (bucket->spent + LINE > BURST_LINES * LINE) {
		bucket->dropped++;
		return false;
	}
	bucket->spent += LINE;
	*dropped = bucket->dropped;
	bucket->dropped = 0;
	return true;
}

void log_to_stderr(void)
{
	log_to(sink_stderr, NULL);
}

void log_to_syslog(const char *ident)
{
	openlog(ident, LOG_PID, LOG_DAEMON);
	log_to(sink_syslog, NULL);
}

void log_to(void (*sink)(void *arg, int level, const char *line), void *arg)
{
	out.sink = sink;
	out.arg = arg;
}

void log_set_level(int level)
{
	out.level = level;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void log_line(int level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	uint32_t dropped = 0;
	va_list ap;

	if (level > out.level || !log_allow(&out.bucket, now_ms(), &dropped))
		return;
	if (dropped) {
		snprintf(line, sizeof(line), "%u log lines dropped", dropped);
		out.sink(out.arg, LOG_WARNING, line);
	}
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	out.sink(out.arg, level, line);
}
