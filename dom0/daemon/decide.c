// SPDX-License-Identifier: GPL-2.0-or-later
#include "decide.h"
#include "../../xen/proto/shake.h"

static enum xvm_disk_step decide_removal(enum xvm_disk_phase phase, const struct xvm_node_view *node)
{
	switch (phase) {
	case XVM_DISK_READY:
		/* libxl removes the front-end in the same transaction when it will not wait for the guest. */
		return node->front ? XVM_STEP_REMOVE : XVM_STEP_REMOVE_FORCED;
	case XVM_DISK_LEAVING:
		return node->front ? XVM_STEP_WAIT : XVM_STEP_REMOVE_FORCED;
	case XVM_DISK_LEFT:
		return XVM_STEP_WAIT;
	default:
		return XVM_STEP_CLOSE;
	}
}

enum xvm_disk_step xvm_disk_decide(enum xvm_disk_phase phase, const struct xvm_node_view *node)
{
	bool known = phase == XVM_DISK_READY || phase == XVM_DISK_LEAVING || phase == XVM_DISK_LEFT;

	if (!node->exists || (known && !node->ours))
		return XVM_STEP_DROP;
	if (!node->has_state)
		return known || phase == XVM_DISK_OPENING ? XVM_STEP_DROP : XVM_STEP_WAIT;
	if (node->state == XVM_BUS_CLOSING && !node->online)
		return decide_removal(phase, node);
	if (!node->alive && phase == XVM_DISK_READY)
		return XVM_STEP_REMOVE_FORCED;
	if (!node->online || !node->alive)
		return XVM_STEP_WAIT;
	switch (phase) {
	case XVM_DISK_NEW:
		/* 2, 4 or 6 with online 1: a former daemon had it. */
		return XVM_STEP_ADOPT;
	case XVM_DISK_CLOSED:
		/* 1: removed and made anew before we looked. */
		return node->state == XVM_BUS_INITIALISING ? XVM_STEP_ADOPT : XVM_STEP_WAIT;
	default:
		return XVM_STEP_WAIT;
	}
}
