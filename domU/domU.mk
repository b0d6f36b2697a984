# The guest's module: `make modules` builds build/domU/<release>/xen-virtio-msg.ko for the newest headers installed, or for
# those of KDIR=. Sources are staged as symlinks, so that nothing lands in the source tree.
KDIR ?= $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V | tail -n 1)
DOMU_REL := $(if $(KDIR),$(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null))
B ?= build
DOMU_DIR := $(abspath $(B))/domU/$(DOMU_REL)
DOMU_SRC := domU/Kbuild $(wildcard domU/*.[ch] xen/proto/*.[ch] include/xvmsg/*.h)
# The compiler that the headers name, if it is installed; else the default one.
DOMU_CC := $(if $(KDIR),$(shell sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*\) .*/\1/p' $(KDIR)/.config 2>/dev/null))
DOMU_CC := $(if $(shell command -v $(DOMU_CC) 2>/dev/null),$(DOMU_CC),$(CC))
# Type information for the module needs pahole; nothing here needs the information.
DOMU_BTF := $(if $(shell command -v pahole 2>/dev/null),,CONFIG_DEBUG_INFO_BTF_MODULES=)
DOMU_MAKE = $(MAKE) --no-print-directory -C $(KDIR) M=$(DOMU_DIR) CC=$(DOMU_CC) $(DOMU_BTF) $(if $(W),W=$(W)) $(if $(C),C=$(C))

#: make modules      build the guest's module for the newest kernel headers, or for KDIR=
.PHONY: modules modules-clean
modules:
	@test -n "$(DOMU_REL)" || { echo "make modules: no kernel headers (install linux-headers-amd64, or give KDIR=)" >&2; exit 1; }
	@mkdir -p $(DOMU_DIR)/domU $(DOMU_DIR)/xen/proto $(DOMU_DIR)/include/xvmsg
	@for f in $(DOMU_SRC); do ln -sf $(CURDIR)/$$f $(DOMU_DIR)/$$f; done
	@ln -sf $(CURDIR)/domU/Kbuild $(DOMU_DIR)/Kbuild
	+@$(DOMU_MAKE) modules

modules-clean:
	rm -rf $(abspath $(B))/domU

# Source for DKMS, which looks in /usr/src alone, whatever PREFIX is. Guests need nothing else of this tree.
DKMS_TREE ?= /usr/src
DKMS_DIR = $(DESTDIR)$(DKMS_TREE)/xen-virtio-msg-$(VERSION)
#: make install-domU install the guest module's source for DKMS; then: dkms install xen-virtio-msg/VERSION
.PHONY: install-domU
install-domU:
	install -d $(DKMS_DIR)/domU $(DKMS_DIR)/xen/proto $(DKMS_DIR)/include/xvmsg
	install -m 644 domU/*.[ch] $(DKMS_DIR)/domU/
	install -m 644 xen/proto/*.[ch] $(DKMS_DIR)/xen/proto/
	install -m 644 include/xvmsg/*.h $(DKMS_DIR)/include/xvmsg/
	install -m 644 domU/Kbuild $(DKMS_DIR)/
	sed 's,@VERSION@,$(VERSION),' domU/dkms.conf > $(DKMS_DIR)/dkms.conf
	chmod 644 $(DKMS_DIR)/dkms.conf
