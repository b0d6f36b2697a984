#include_next <linux/virtio_config.h>
#include "../shim.h"
