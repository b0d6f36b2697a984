// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptor files: any bytes; what is accepted keeps the rules of spec.h, what is refused says why and where. */
/* LINK: dom0/spec xen/proto/num.c */
#include <stdlib.h>
#include "../../dom0/spec/spec.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xvm_spec_fault fault;
	struct xvm_spec spec, again;

	if (xvm_spec_parse(XVM_SPEC_LINES, (const char *)data, size, &spec, &fault)) {
		CHECK(memchr(fault.why, 0, sizeof(fault.why)) && fault.why[0]);
		CHECK(fault.at <= size);
		return 0;
	}
	CHECK(memchr(spec.path, 0, sizeof(spec.path)));
	CHECK(spec.kind == XVM_KIND_BLK ? spec.path[0] == '/' : !spec.path[0]);
	CHECK(!strchr(spec.path, '\n'));
	/* What xl's own entry says is not taken from here. */
	CHECK(!spec.name[0] && !spec.read_only);
	/* The same text means the same. */
	CHECK(!xvm_spec_parse(XVM_SPEC_LINES, (const char *)data, size, &again, &fault));
	CHECK(!memcmp(&spec, &again, sizeof(spec)));
	return 0;
}
