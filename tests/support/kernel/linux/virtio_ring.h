#ifndef XVM_SHIM_RING
#define XVM_SHIM_RING
#include_next <linux/virtio_ring.h>
#include "../shim.h"
#endif
