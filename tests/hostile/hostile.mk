# The attacker of tests/qemu/cases/6*: one static program for a guest without libraries.
HOSTILE_SRC := $(wildcard tests/hostile/*.c)
HOSTILE_OBJ := $(HOSTILE_SRC:%.c=$(B)/o/%.o) $(PROTO_OBJ)

$(B)/hostile/xvm-hostile: $(HOSTILE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $^ -lpthread

.PHONY: hostile
hostile: $(B)/hostile/xvm-hostile
