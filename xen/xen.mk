# The portable core and the user-space binding.
PROTO_SRC := $(wildcard xen/proto/*.c)
PROTO_OBJ := $(PROTO_SRC:%.c=$(B)/o/%.o)
PROTO_SAN := $(PROTO_SRC:%.c=$(B)/san/%.o)
