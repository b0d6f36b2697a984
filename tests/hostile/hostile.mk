# Liars for tests/qemu/cases/6*: an attacker, one static program for a guest without libraries, and a worker that lies to
# its guest, for dom0: the worker's own objects, with a liar where messages, buffers and turns go through.
HOSTILE_SRC := $(wildcard tests/hostile/*.c)
HOSTILE_OBJ := $(HOSTILE_SRC:%.c=$(B)/o/%.o) $(PROTO_OBJ)
LIAR_SRC := $(wildcard tests/hostile/device/*.c)
LIAR_OBJ := $(LIAR_SRC:%.c=$(B)/o/%.o) $(WORKER_OBJ)
LIAR_WRAPS := main worker_start bus_pass xvm_ring_tx_put xvm_ring_rx_get xvm_vq_push xvm_vq_flush

$(B)/hostile/xvm-hostile: $(HOSTILE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $^ -lpthread

$(B)/hostile/xvmsg-liar: $(LIAR_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(LIAR_WRAPS:%=-Wl,--wrap=%) -o $@ $^ $(WORKER_LIBS) -lxenstore

.PHONY: hostile
hostile: $(B)/hostile/xvm-hostile $(B)/hostile/xvmsg-liar
