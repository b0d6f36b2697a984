// SPDX-License-Identifier: GPL-2.0-or-later
/* A device in words, as given to xvmsg or in a guest file: any bytes; what is accepted can be written and read again. */
/* LINK: dom0/spec xen/proto/num.c */
#include <stdlib.h>
#include "../../dom0/spec/spec.h"

#define CHECK(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xvm_spec_fault fault;
	struct xvm_spec spec, again;
	char text[XVM_SPEC_MAX_BYTES];

	if (xvm_spec_parse(XVM_SPEC_LIST, (const char *)data, size, &spec, &fault)) {
		CHECK(memchr(fault.why, 0, sizeof(fault.why)) && fault.why[0]);
		CHECK(fault.at <= size);
		return 0;
	}
	CHECK(!spec.name[0] || xvm_spec_name_ok(spec.name, strlen(spec.name)));
	CHECK(spec.kind == XVM_KIND_BLK ? spec.path[0] == '/' : !spec.path[0]);
	/* It goes into records, log lines and terminals. */
	CHECK(!strpbrk(spec.path, "\n\r\033"));
	xvm_spec_print(&spec, text);
	CHECK(!xvm_spec_parse(XVM_SPEC_LIST, text, strlen(text), &again, &fault));
	CHECK(!memcmp(&spec, &again, sizeof(spec)));
	return 0;
}
