/* SPDX-License-Identifier: MIT */
/*
 * What each test program includes first: cmocka with the headers it wants, and
 * a skip that says why. Knows nothing of the product.
 */
#ifndef XVM_TEST_H
#define XVM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* Leaves the running case as skipped; tests/run shows the reason. */
#define test_skip(reason)				\
	do {						\
		printf("skip: %s\n", (reason));		\
		fflush(stdout);				\
		skip();					\
	} while (0)

#endif
