# xen-virtio-msg: the only entry. Each folder adds its part in a small .mk file;
# objects and everything made go under build/. `make help` lists the targets.

B := build
# One name for it: dependency files name what they are about.
override B := $(patsubst $(CURDIR)/%,%,$(abspath $(B)))
PREFIX ?= /usr/local
DESTDIR ?=
SBINDIR = $(PREFIX)/sbin
BINDIR = $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/xen-virtio-msg
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/xen-virtio-msg
COMPLETIONDIR = $(PREFIX)/share/bash-completion/completions
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
VERSION := 0.1

CC = gcc
CFLAGS ?= -O2 -g
XVM_CFLAGS = -std=gnu11 -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	     -fstack-protector-strong -D_GNU_SOURCE -DXVM_VERSION='"$(VERSION)"' \
	     -DXVM_LIBEXECDIR='"$(LIBEXECDIR)"' -DXVM_SYSCONFDIR='"$(SYSCONFDIR)"' $(if $(CI),-Werror)

# Sanitized objects live beside the plain ones: $(B)/o for the product, $(B)/san for tests.
SAN_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

all:

include xen/xen.mk
include dom0/dom0.mk
include domU/domU.mk
include tools/tools.mk
include tests/tests.mk
include tests/qemu/lab.mk

$(B)/o/%.o: %.c $(B)/paths
	@mkdir -p $(@D)
	$(CC) $(XVM_CFLAGS) $(EXTRA_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(XVM_CFLAGS) $(EXTRA_CFLAGS) $(SAN_CFLAGS) -MMD -MP -c -o $@ $<

# The portable core is held to a stricter standard: it also runs in kernels.
$(B)/o/xen/proto/%.o $(B)/san/xen/proto/%.o: EXTRA_CFLAGS = -Wconversion

# Where things are installed is compiled into the programs: another PREFIX= rebuilds them.
$(B)/paths: FORCE
	@mkdir -p $(B); echo '$(PREFIX) $(LIBEXECDIR) $(SYSCONFDIR) $(VERSION)' > $@.new
	@cmp -s $@.new $@ || mv $@.new $@; rm -f $@.new
FORCE:

-include $(shell find $(B)/o $(B)/san -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B)

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make              build the daemon, its worker and the tools
#: make install      install them; DESTDIR=, PREFIX= and UNITDIR= as usual
#: make clean        remove build/
#: make help         this list

.PHONY: all clean help install FORCE
.DELETE_ON_ERROR:
