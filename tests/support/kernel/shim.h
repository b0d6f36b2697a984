/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Enough of a kernel for domU/virtio_msg_*.c to be compiled into a test: the
 * types and helpers they use, single-threaded, and a virtio core that does to a
 * device what Linux's does, in the same order (tests/support/kvirtio.c). The
 * headers in linux/ stand in front of the system's.
 */
#ifndef TESTS_SUPPORT_KERNEL_SHIM_H
#define TESTS_SUPPORT_KERNEL_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../../../xen/proto/plat.h"

typedef uint64_t dma_addr_t;
typedef unsigned int gfp_t;
typedef int32_t s32;

#define GFP_KERNEL 0u
#define SMP_CACHE_BYTES 64u
#define KERN_NOTICE ""

/* What a kernel is given at load; tests set it by this name. */
#define module_param(name, type, perm) \
	type *shim_param_##name(void); \
	type *shim_param_##name(void) \
	{ \
		return &name; \
	} \
	extern const int shim_param_end_##name
#define MODULE_PARM_DESC(name, text) extern const int shim_param_text_##name

#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define BIT_ULL(n) (1ull << (n))
#define lower_32_bits(v) ((u32)(v))
#define upper_32_bits(v) ((u32)((v) >> 32))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(t, a, b) ((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))

#define HZ 1000ul
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define msleep(ms) usleep((ms) * 1000)

static inline unsigned long shim_jiffies(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * HZ + (unsigned long)ts.tv_nsec / 1000000;
}
#define jiffies shim_jiffies()

static inline u32 rounddown_pow_of_two(u32 v)
{
	return v ? 1u << (31 - __builtin_clz(v)) : 0;
}

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline int PTR_ERR_OR_ZERO(const void *p)
{
	return (unsigned long)p >= (unsigned long)-4095 ? (int)(long)p : 0;
}

static inline void *kzalloc(size_t bytes, gfp_t gfp)
{
	(void)gfp;
	return calloc(1, bytes);
}

static inline void *kvcalloc(size_t n, size_t bytes, gfp_t gfp)
{
	(void)gfp;
	return calloc(n, bytes);
}

#define kfree(p) free(p)
#define kvfree(p) free(p)

/* A lock that is taken twice is a mistake of the caller's. */
struct mutex {
	bool held;
};
typedef struct mutex spinlock_t;

static inline void shim_lock(struct mutex *m)
{
	if (m->held)
		abort();
	m->held = true;
}

static inline void shim_unlock(struct mutex *m)
{
	if (!m->held)
		abort();
	m->held = false;
}

#define mutex_init(m) ((m)->held = false)
#define mutex_lock(m) shim_lock(m)
#define mutex_unlock(m) shim_unlock(m)
#define spin_lock_init(m) ((m)->held = false)
#define spin_lock_irqsave(m, f) ((f) = 0, shim_lock(m))
#define spin_unlock_irqrestore(m, f) ((void)(f), shim_unlock(m))

struct list_head {
	struct list_head *next, *prev;
};

static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}

#define list_entry(p, t, m) container_of(p, t, m)
#define list_for_each_entry_safe(at, n, head, m) \
	for (at = list_entry((head)->next, __typeof__(*at), m), \
	     n = list_entry(at->m.next, __typeof__(*at), m); &at->m != (head); \
	     at = n, n = list_entry(n->m.next, __typeof__(*n), m))

struct device {
	struct device *parent;
	void (*release)(struct device *dev);
	int refs;
	const char *name;
};

#define dev_name(d) ((d)->name)
/* No format attribute: the kernel's u64 is unsigned long long, ours is not. */
void shim_say(const struct device *dev, const char *fmt, ...);
#define dev_err shim_say
#define dev_err_ratelimited dev_err
#define dev_notice dev_err
#define dev_warn dev_err

static inline struct device *get_device(struct device *dev)
{
	dev->refs++;
	return dev;
}

static inline void put_device(struct device *dev)
{
	if (!--dev->refs)
		dev->release(dev);
}

/* ---- virtio ---- */

struct virtio_device;
struct virtqueue;
struct irq_affinity;
struct virtio_shm_region;
typedef void vq_callback_t(struct virtqueue *vq);

struct virtqueue {
	struct list_head list;
	vq_callback_t *callback;
	const char *name;
	struct virtio_device *vdev;
	unsigned int index, num_free, num_max;
	bool (*notify)(struct virtqueue *vq);
	u32 size;
	u32 interrupts;
	bool broken, reset;
	void *priv;		/* the test's */
};

struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};

struct virtio_config_ops {
	void (*get)(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len);
	void (*set)(struct virtio_device *vdev, unsigned int offset, const void *buf,
		    unsigned int len);
	u32 (*generation)(struct virtio_device *vdev);
	u8 (*get_status)(struct virtio_device *vdev);
	void (*set_status)(struct virtio_device *vdev, u8 status);
	void (*reset)(struct virtio_device *vdev);
	int (*find_vqs)(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
			struct virtqueue_info infos[], struct irq_affinity *desc);
	void (*del_vqs)(struct virtio_device *vdev);
	void (*synchronize_cbs)(struct virtio_device *vdev);
	u64 (*get_features)(struct virtio_device *vdev);
	int (*finalize_features)(struct virtio_device *vdev);
	const char *(*bus_name)(struct virtio_device *vdev);
	bool (*get_shm_region)(struct virtio_device *vdev, struct virtio_shm_region *region, u8 id);
	int (*disable_vq_and_reset)(struct virtqueue *vq);
	int (*enable_vq_after_reset)(struct virtqueue *vq);
};

struct virtio_device {
	struct device dev;
	struct {
		u32 device, vendor;
	} id;
	const struct virtio_config_ops *config;
	struct list_head vqs;
	u64 features;
	u32 config_changes;
};

#define dev_to_virtio(d) container_of(d, struct virtio_device, dev)

static inline bool __virtio_test_bit(const struct virtio_device *vdev, unsigned int bit)
{
	return vdev->features >> bit & 1;
}

static inline void __virtio_set_bit(struct virtio_device *vdev, unsigned int bit)
{
	vdev->features |= BIT_ULL(bit);
}

#define virtio_has_feature __virtio_test_bit

void vring_transport_features(struct virtio_device *vdev);
struct virtqueue *vring_create_virtqueue(unsigned int index, unsigned int num, unsigned int align,
					 struct virtio_device *vdev, bool weak_barriers,
					 bool may_reduce, bool ctx,
					 bool (*notify)(struct virtqueue *vq),
					 vq_callback_t *callback, const char *name);
void vring_del_virtqueue(struct virtqueue *vq);
unsigned int virtqueue_get_vring_size(const struct virtqueue *vq);
dma_addr_t virtqueue_get_desc_addr(const struct virtqueue *vq);
dma_addr_t virtqueue_get_avail_addr(const struct virtqueue *vq);
dma_addr_t virtqueue_get_used_addr(const struct virtqueue *vq);
int vring_interrupt(int irq, void *vq);
void __virtqueue_break(struct virtqueue *vq);
void virtio_config_changed(struct virtio_device *vdev);
int register_virtio_device(struct virtio_device *vdev);
void unregister_virtio_device(struct virtio_device *vdev);

#endif
