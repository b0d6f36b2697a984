/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines with syslog's levels, at most 5 a second after a burst of 50, then
 * counted and summed up in one line. Lines go to stderr, to syslog, or to a
 * function (the worker sends them to its supervisor). No text of a guest's is
 * ever an argument.
 */
#ifndef DOM0_BASE_LOG_H
#define DOM0_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#define LOG_LINE_BYTES 400

/* A token bucket; zero-initialise. One for the process is built in; a supervisor keeps one per guest. */
struct log_bucket {
	uint64_t last_ms;
	uint32_t spent;		/* thousandths of a line */
	uint32_t dropped;
};

/* Takes one line from the bucket; *dropped: lines lost before this one, to be told first. */
bool log_allow(struct log_bucket *bucket, uint64_t now_ms, uint32_t *dropped);

/* Where lines go. The default is stderr, level LOG_INFO and more urgent. */
void log_to_stderr(void);
void log_to_syslog(const char *ident);
void log_to(void (*sink)(void *arg, int level, const char *line), void *arg);
void log_set_level(int level);

/* Writes one line, subject to the process's bucket. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
