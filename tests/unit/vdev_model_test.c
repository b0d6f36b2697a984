// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Scripts of a fixed generator through the fuzz target of the device's state
 * machine: the same ones each time, also where there is no libFuzzer.
 */
/* LINK: tests/fuzz/vdev_fuzz.c dom0/bus dom0/virtio dom0/base/log.c xen/proto tests/support/vdev_model.c */
/* TIME: 60 */
#include "../support/test.h"

#include <stdlib.h>
#include <string.h>

#define SCRIPTS 2000u
#define SCRIPT_BYTES 160u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t seed;

static uint8_t rnd(void)
{
	seed = seed * 1664525 + 1013904223;
	return (uint8_t)(seed >> 24);
}

/* Bring-up first, then mostly what a driver does while I/O runs. */
static void test_scripts(void **state)
{
	uint8_t script[SCRIPT_BYTES];
	uint32_t i, k;

	(void)state;
	for (i = 0; i < SCRIPTS; i++) {
		seed = i;
		for (k = 0; k < SCRIPT_BYTES; k++)
			script[k] = rnd();
		script[0] = 11;
		script[1] &= 0x7f;
		for (k = 2; k < SCRIPT_BYTES; k += 2)
			if (rnd() & 1)
				script[k] = 13;
		LLVMFuzzerTestOneInput(script, SCRIPT_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scripts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
