// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptor files: any bytes; what is accepted keeps the rules of descriptor.h, what is refused says why. */
/* LINK: dom0/daemon/descriptor.c */
#include <stdlib.h>
#include "../../dom0/daemon/descriptor.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xvm_descriptor desc, again;
	char why[64];

	memset(why, 'x', sizeof(why));
	if (xvm_descriptor_parse((const char *)data, size, &desc, why, sizeof(why))) {
		CHECK(memchr(why, 0, sizeof(why)) && why[0]);
		return 0;
	}
	CHECK(xvm_kind_name(desc.kind));
	CHECK(memchr(desc.path, 0, sizeof(desc.path)));
	CHECK(desc.kind == XVM_KIND_BLK ? desc.path[0] == '/' : !desc.path[0]);
	CHECK(!strchr(desc.path, '\n'));
	/* The same text means the same. */
	CHECK(!xvm_descriptor_parse((const char *)data, size, &again, why, sizeof(why)));
	CHECK(again.kind == desc.kind && !strcmp(again.path, desc.path));
	return 0;
}
