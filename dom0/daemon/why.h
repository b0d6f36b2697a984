/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one line that an operator sees of what cannot be had. */
#ifndef XVM_DAEMON_WHY_H
#define XVM_DAEMON_WHY_H

#include <stdarg.h>
#include <stdio.h>

#define XVM_WHY_BYTES 256

/* Returns err, so that a refusal is one statement. */
static inline int __attribute__((format(printf, 3, 4))) xvm_refuse(char *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, XVM_WHY_BYTES, format, args);
	va_end(args);
	return err;
}

#endif
