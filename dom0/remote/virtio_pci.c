// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio_pci.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#define VENDOR_QUMRANET		0x1af4u
#define MODERN_BASE		0x1040u
#define MODERN_LAST		0x107fu
#define TRANSITIONAL_FIRST	0x1000u

#define COMMON_BYTES		(VIRTIO_PCI_COMMON_Q_USEDHI + 4u)
#define F_VERSION_1		(1ull << 32)

#define S_ACKNOWLEDGE	1u
#define S_DRIVER	2u
#define S_DRIVER_OK	4u
#define S_FEATURES_OK	8u
#define S_NEEDS_RESET	64u
#define S_FAILED	128u

#define MAX_CAPS	48u	/* as many as fit behind the header */
#define QUEUES_PER_STEP	4u
#define MAX_PAUSE_MS	64u
#define CONFIG_TRIES	5u

void virtio_pci_init(struct virtio_pci *pci, const struct virtio_pci_ops *ops, void *arg)
{
	memset(pci, 0, sizeof(*pci));
	pci->ops = ops;
	pci->arg = arg;
}

bool virtio_pci_busy(const struct virtio_pci *pci)
{
	return pci->step;
}

bool virtio_pci_needs_reset(const struct virtio_pci *pci)
{
	return pci->status & S_NEEDS_RESET;
}

void virtio_pci_abandon(struct virtio_pci *pci)
{
	pci->step = NULL;
	pci->paused = false;
}

/* What others post may settle in a pause. */
void virtio_pci_settled(struct virtio_pci *pci)
{
	if (pci->step && !pci->paused)
		pci->step(pci);
}

static void end(struct virtio_pci *pci, const char *why)
{
	pci->step = NULL;
	pci->ops->done(pci->arg, why);
}

/* ---- the parts ---- */

static bool place_ok(struct virtio_pci *pci, const u8 *cap, struct virtio_pci_place *place)
{
	place->bar = cap[4];
	place->off = xvm_get32(cap + 8);
	place->len = xvm_get32(cap + 12);
	return place->bar <= 5 && place->len &&
	       xvm_range_ok(place->off, place->len, pci->ops->size(pci->arg, place->bar));
}

/* The first of each kind that is usable counts. */
static void parse_vendor_cap(struct virtio_pci *pci, const u8 *cap)
{
	struct virtio_pci_place place, *to;
	u32 bytes = cap[2], least;

	switch (cap[3]) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		to = &pci->common;
		least = COMMON_BYTES;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		to = &pci->notify;
		least = 2;
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		to = &pci->isr;
		least = 1;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		to = &pci->device;
		least = 1;
		break;
	default:
		return;
	}
	if (to->len || !place_ok(pci, cap, &place) || place.len < least)
		return;
	if (to == &pci->notify) {
		if (bytes < 20)
			return;
		pci->notify_multiplier = xvm_get32(cap + 16);
	}
	*to = place;
}

static bool parse_id(struct virtio_pci *pci)
{
	u16 id = xvm_get16(pci->space + PCI_DEVICE_ID);

	if (xvm_get16(pci->space + PCI_VENDOR_ID) != VENDOR_QUMRANET || id < TRANSITIONAL_FIRST ||
	    id > MODERN_LAST)
		return false;
	pci->device_id = id >= MODERN_BASE ? (u16)(id - MODERN_BASE) :
			 xvm_get16(pci->space + PCI_SUBSYSTEM_ID);
	return pci->device_id;
}

const char *virtio_pci_parse(struct virtio_pci *pci)
{
	u32 at = pci->space[PCI_CAPABILITY_LIST] & ~3u, i;

	if (!parse_id(pci))
		return "the function is no virtio device";
	if (!(xvm_get16(pci->space + PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return "the function has no capabilities";
	/* Rooms of 4 bytes, and a bound to the steps: a loop ends. */
	for (i = 0; i < MAX_CAPS && at >= PCI_STD_HEADER_SIZEOF; i++) {
		const u8 *cap = pci->space + at;

		if (cap[0] == PCI_CAP_ID_VNDR && cap[2] >= 16 && at + cap[2] <= sizeof(pci->space))
			parse_vendor_cap(pci, cap);
		if (cap[0] == PCI_CAP_ID_MSIX && !pci->msix)
			pci->msix = at;
		at = cap[1] & ~3u;
	}
	if (!pci->common.len || !pci->notify.len || !pci->isr.len)
		return "the function has no common, notify or isr structure within its regions";
	pci->config_bytes = pci->device.len < VIRTIO_PCI_MAX_CONFIG ? pci->device.len : VIRTIO_PCI_MAX_CONFIG;
	return NULL;
}

/* ---- registers of the common structure ---- */

static void read_common(struct virtio_pci *pci, u32 off, void *dst, u32 len)
{
	pci->ops->read(pci->arg, pci->common.bar, pci->common.off + off, dst, len);
}

static void write_common(struct virtio_pci *pci, u32 off, u64 value, u32 len)
{
	u8 bytes[8];

	xvm_put64(bytes, value);
	pci->ops->write(pci->arg, pci->common.bar, pci->common.off + off, bytes, len);
}

/* Two halves, as drivers write it: not every function takes eight bytes at once. */
static void write_address(struct virtio_pci *pci, u32 off, u64 value)
{
	write_common(pci, off, value & UINT32_MAX, 4);
	write_common(pci, off + 4, value >> 32, 4);
}

/* ---- reset ---- */

static void step_reset(struct virtio_pci *pci, void (*next)(struct virtio_pci *pci))
{
	if (!pci->status) {
		next(pci);
		return;
	}
	if (pci->ops->now_ms(pci->arg) - pci->since_ms >= VIRTIO_PCI_RESET_MS) {
		end(pci, "the function does not end its reset in 20 s");
		return;
	}
	pci->paused = true;
	pci->ops->pause(pci->arg, pci->pause_ms);
	if (pci->pause_ms < MAX_PAUSE_MS)
		pci->pause_ms *= 2;
}

void virtio_pci_look_again(struct virtio_pci *pci)
{
	if (!pci->paused)
		return;
	pci->paused = false;
	read_common(pci, VIRTIO_PCI_COMMON_STATUS, &pci->status, 1);
}

static void begin_reset(struct virtio_pci *pci, void (*step)(struct virtio_pci *pci))
{
	pci->since_ms = pci->ops->now_ms(pci->arg);
	pci->pause_ms = 1;
	pci->step = step;
	write_common(pci, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	read_common(pci, VIRTIO_PCI_COMMON_STATUS, &pci->status, 1);
}

static void reset_ended(struct virtio_pci *pci)
{
	end(pci, NULL);
}

static void step_reset_only(struct virtio_pci *pci)
{
	step_reset(pci, reset_ended);
}

void virtio_pci_reset(struct virtio_pci *pci)
{
	begin_reset(pci, step_reset_only);
}

/* ---- configuration ---- */

/*
 * Word by word: some functions take no more at once. Their capability may promise more than there is,
 * too: the first word that is refused is the end.
 */
static void post_config(struct virtio_pci *pci)
{
	u32 off, step;

	read_common(pci, VIRTIO_PCI_COMMON_CFGGENERATION, &pci->generation[0], 1);
	for (off = 0; off < pci->config_bytes; off += step) {
		step = pci->config_bytes - off < 4 ? pci->config_bytes - off : 4;
		pci->ops->try_read(pci->arg, pci->device.bar, pci->device.off + off, pci->new_config + off, step,
				   &pci->refused[off / 4]);
	}
	read_common(pci, VIRTIO_PCI_COMMON_CFGGENERATION, &pci->generation[1], 1);
	read_common(pci, VIRTIO_PCI_COMMON_STATUS, &pci->status, 1);
}

static void find_config_end(struct virtio_pci *pci)
{
	u32 off;

	for (off = 0; off < pci->config_bytes; off += 4) {
		if (pci->refused[off / 4])
			pci->config_bytes = off;
	}
}

static void step_config(struct virtio_pci *pci)
{
	find_config_end(pci);
	if (pci->generation[0] == pci->generation[1]) {
		memcpy(pci->config, pci->new_config, pci->config_bytes);
		end(pci, NULL);
	} else if (pci->tries++ == CONFIG_TRIES) {
		end(pci, "the function's configuration does not stand still");
	} else {
		post_config(pci);
	}
}

void virtio_pci_read_config(struct virtio_pci *pci)
{
	pci->tries = 0;
	pci->step = step_config;
	post_config(pci);
}

void virtio_pci_write_config(struct virtio_pci *pci, u32 off, const void *src, u32 len)
{
	if (xvm_range_ok(off, len, pci->config_bytes))
		pci->ops->try_write(pci->arg, pci->device.bar, pci->device.off + off, src, len);
}

/* ---- probe ---- */

u32 virtio_pci_max_size(const struct virtio_pci *pci, u32 queue)
{
	return xvm_get16(pci->queue[queue].size);
}

u32 virtio_pci_notify_place(const struct virtio_pci *pci, u32 queue, u64 *off)
{
	*off = pci->notify.off + (u64)xvm_get16(pci->queue[queue].notify_off) * pci->notify_multiplier;
	return pci->notify.bar;
}

static bool queue_ok(const struct virtio_pci *pci, u32 queue)
{
	u64 off;

	virtio_pci_notify_place(pci, queue, &off);
	return !virtio_pci_max_size(pci, queue) ||
	       xvm_range_ok(off - pci->notify.off, 2, pci->notify.len);
}

static void post_queues(struct virtio_pci *pci)
{
	u32 i, to = pci->at + QUEUES_PER_STEP;

	for (i = pci->at; i < to && i < pci->num_queues; i++) {
		write_common(pci, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
		read_common(pci, VIRTIO_PCI_COMMON_Q_SIZE, pci->queue[i].size, 2);
		read_common(pci, VIRTIO_PCI_COMMON_Q_NOFF, pci->queue[i].notify_off, 2);
	}
}

static void step_queues(struct virtio_pci *pci)
{
	u32 i, to = pci->at + QUEUES_PER_STEP;

	for (i = pci->at; i < to && i < pci->num_queues; i++) {
		if (!queue_ok(pci, i)) {
			end(pci, "the function is notified outside of its notify structure");
			return;
		}
	}
	pci->at = to;
	if (pci->at < pci->num_queues)
		post_queues(pci);
	else
		virtio_pci_read_config(pci);
}

static void step_features(struct virtio_pci *pci)
{
	pci->features = xvm_get32(pci->words[0]) | (u64)xvm_get32(pci->words[1]) << 32;
	pci->num_queues = xvm_get16(pci->count);
	if (!(pci->features & F_VERSION_1)) {
		end(pci, "the function does not offer VERSION_1");
		return;
	}
	if (!pci->num_queues || pci->num_queues > VIRTIO_PCI_MAX_QUEUES) {
		end(pci, "the function has no queue, or more than 64");
		return;
	}
	pci->at = 0;
	pci->step = step_queues;
	post_queues(pci);
}

static void post_features(struct virtio_pci *pci)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		write_common(pci, VIRTIO_PCI_COMMON_DFSELECT, i, 4);
		read_common(pci, VIRTIO_PCI_COMMON_DF, pci->words[i], 4);
	}
	read_common(pci, VIRTIO_PCI_COMMON_NUMQ, pci->count, 2);
	pci->step = step_features;
}

static void step_probe_reset(struct virtio_pci *pci)
{
	step_reset(pci, post_features);
}

/* As a driver does it: answer to memory accesses, be a master, use MSI-X if there is one. Not all functions want to be told. */
static void enable_function(struct virtio_pci *pci)
{
	u16 command = xvm_get16(pci->space + PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, flags;
	u8 bytes[2];

	xvm_put16(bytes, command);
	pci->ops->try_write(pci->arg, VIRTIO_PCI_REGION_CONFIG, PCI_COMMAND, bytes, 2);
	if (!pci->msix || pci->queue_vector == VIRTIO_PCI_NO_VECTOR)
		return;
	flags = (u16)(xvm_get16(pci->space + pci->msix + PCI_MSIX_FLAGS) | PCI_MSIX_FLAGS_ENABLE);
	xvm_put16(bytes, flags);
	pci->ops->try_write(pci->arg, VIRTIO_PCI_REGION_CONFIG, pci->msix + PCI_MSIX_FLAGS, bytes, 2);
}

static void step_space(struct virtio_pci *pci)
{
	const char *why = virtio_pci_parse(pci);

	if (why) {
		end(pci, why);
		return;
	}
	enable_function(pci);
	begin_reset(pci, step_probe_reset);
}

void virtio_pci_probe(struct virtio_pci *pci)
{
	if (pci->ops->size(pci->arg, VIRTIO_PCI_REGION_CONFIG) < sizeof(pci->space)) {
		end(pci, "the function has no configuration space");
		return;
	}
	pci->step = step_space;
	pci->ops->read(pci->arg, VIRTIO_PCI_REGION_CONFIG, 0, pci->space, sizeof(pci->space));
}

/* ---- start ---- */

static void step_driver_ok(struct virtio_pci *pci)
{
	bool up = pci->status & S_DRIVER_OK && !(pci->status & (S_NEEDS_RESET | S_FAILED));

	end(pci, up ? NULL : "the function does not start");
}

static void post_driver_ok(struct virtio_pci *pci)
{
	write_common(pci, VIRTIO_PCI_COMMON_STATUS,
		     S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK, 1);
	read_common(pci, VIRTIO_PCI_COMMON_STATUS, &pci->status, 1);
	pci->step = step_driver_ok;
}

static void post_set_queue(struct virtio_pci *pci, u32 i)
{
	struct virtio_pci_queue *q = &pci->queue[i];

	write_common(pci, VIRTIO_PCI_COMMON_Q_SELECT, i, 2);
	write_common(pci, VIRTIO_PCI_COMMON_Q_SIZE, q->use_size, 2);
	write_address(pci, VIRTIO_PCI_COMMON_Q_DESCLO, q->desc);
	write_address(pci, VIRTIO_PCI_COMMON_Q_AVAILLO, q->driver);
	write_address(pci, VIRTIO_PCI_COMMON_Q_USEDLO, q->device);
	write_common(pci, VIRTIO_PCI_COMMON_Q_MSIX, pci->queue_vector, 2);
	read_common(pci, VIRTIO_PCI_COMMON_Q_MSIX, q->vector, 2);
	write_common(pci, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	read_common(pci, VIRTIO_PCI_COMMON_Q_ENABLE, q->enabled, 2);
}

static void post_set_queues(struct virtio_pci *pci)
{
	u32 i, to = pci->at + QUEUES_PER_STEP;

	for (i = pci->at; i < to && i < pci->num_queues; i++) {
		if (pci->queue[i].use_size)
			post_set_queue(pci, i);
	}
}

static const char *check_set_queues(const struct virtio_pci *pci)
{
	const struct virtio_pci_queue *q;
	u32 i, to = pci->at + QUEUES_PER_STEP;

	for (i = pci->at; i < to && i < pci->num_queues; i++) {
		q = &pci->queue[i];
		if (!q->use_size)
			continue;
		if (xvm_get16(q->vector) != pci->queue_vector)
			return "the function does not take the vector of a queue";
		if (xvm_get16(q->enabled) != 1)
			return "the function does not enable a queue";
	}
	return NULL;
}

/* Skips over what is not used, so that something is always posted before the next step. */
static void next_set_queues(struct virtio_pci *pci)
{
	for (; pci->at < pci->num_queues; pci->at++) {
		if (pci->queue[pci->at].use_size) {
			post_set_queues(pci);
			return;
		}
	}
	post_driver_ok(pci);
}

static void step_set_queues(struct virtio_pci *pci)
{
	const char *why = check_set_queues(pci);

	if (why) {
		end(pci, why);
		return;
	}
	pci->at += QUEUES_PER_STEP;
	next_set_queues(pci);
}

static void step_features_ok(struct virtio_pci *pci)
{
	if (!(pci->status & S_FEATURES_OK)) {
		end(pci, "the function refuses the driver's features");
		return;
	}
	if (xvm_get16(pci->read_vector) != pci->config_vector) {
		end(pci, "the function does not take the vector of its configuration");
		return;
	}
	pci->at = 0;
	pci->step = step_set_queues;
	next_set_queues(pci);
}

void virtio_pci_start(struct virtio_pci *pci)
{
	u32 i;

	write_common(pci, VIRTIO_PCI_COMMON_STATUS, S_ACKNOWLEDGE, 1);
	write_common(pci, VIRTIO_PCI_COMMON_STATUS, S_ACKNOWLEDGE | S_DRIVER, 1);
	for (i = 0; i < 2; i++) {
		write_common(pci, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
		write_common(pci, VIRTIO_PCI_COMMON_GF, (u32)(pci->use_features >> 32 * i), 4);
	}
	write_common(pci, VIRTIO_PCI_COMMON_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK, 1);
	read_common(pci, VIRTIO_PCI_COMMON_STATUS, &pci->status, 1);
	write_common(pci, VIRTIO_PCI_COMMON_MSIX, pci->config_vector, 2);
	read_common(pci, VIRTIO_PCI_COMMON_MSIX, pci->read_vector, 2);
	pci->step = step_features_ok;
}
