// SPDX-License-Identifier: MIT
/*
 * observe FILE.pcapng [MAX-MESSAGE-BYTES [CREDITS [DOMID]]]: judges a recorded
 * connection from its first message on, in the dialect it was recorded in.
 * Prints each finding and how often each statement was judged. Exit 1 when
 * there is a finding, 2 when there is nothing to be judged.
 */
#include "pcapng.h"

#include <stdlib.h>

static void print_judged(const struct xvm_observer *o)
{
	static const struct { const char *list; u32 n; } lists[] = {
		{ "BUS", 63 }, { "DRV", 72 }, { "DEV", 74 },	/* of the longer list, draft2026 */
	};
	char id[16];
	u32 i, k;

	for (i = 0; i < XVM_ARRAY_SIZE(lists); i++) {
		for (k = 1; k <= lists[i].n; k++) {
			snprintf(id, sizeof(id), "%s-%02u", lists[i].list, k);
			if (xvm_observer_judged(o, id))
				printf("judged %s %u\n", id, xvm_observer_judged(o, id));
		}
	}
}

static u32 print_findings(const struct xvm_observer *o)
{
	const struct xvm_finding *list;
	u32 i, n = xvm_observer_findings(o, &list);

	for (i = 0; i < n && i < XVM_OBSERVER_KEPT; i++)
		printf("finding %s message %llu: %s\n", list[i].rules,
		       (unsigned long long)list[i].message, list[i].text);
	return n;
}

int main(int argc, char **argv)
{
	struct xvm_observer_config config = {
		.max_message = argc > 2 ? (u32)atoi(argv[2]) : VIRTIO_MSG_OFFER_BYTES,
		.credits = argc > 3 ? (u32)atoi(argv[3]) : XVM_DEFAULT_CREDITS,
	};
	u32 findings, domid = argc > 4 ? (u32)atoi(argv[4]) : 0;
	FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
	int dialect = f ? xvm_pcapng_dialect(f, domid) : -1;
	struct xvm_observer *o;
	long count;

	if (dialect < 0) {
		fprintf(stderr, "observe: %s is no capture with messages, or not a whole one\n",
			argc > 1 ? argv[1] : "nothing");
		return 2;
	}
	config.dialect = (enum xvm_dialect)dialect;
	o = xvm_observer_new(&config);
	if (!o)
		return 2;
	count = xvm_pcapng_observe(f, domid, o);
	fclose(f);
	print_judged(o);
	findings = print_findings(o);
	printf("observe: %s, %ld messages, %u findings\n", xvm_dialect_name(config.dialect), count, findings);
	xvm_observer_free(o);
	return findings > 0;
}
