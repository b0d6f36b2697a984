# The lab: real Xen under QEMU. Targets: deps, lab-image, demo, demo-shell, check-xen. Included by the top Makefile; works
# alone as well (make -f tests/qemu/lab.mk).
B ?= build

.PHONY: deps lab-build lab-image demo demo-shell check-xen
deps:
	@tools/deps/install

# The parts under test, as they would be installed. LAB_STANDIN=1 leaves them out: stock blkback serves the guests' disks.
lab-build:
ifeq ($(LAB_STANDIN),)
	@$(MAKE) --no-print-directory all modules
	@rm -rf $(B)/stage.new && $(MAKE) --no-print-directory install DESTDIR=$(abspath $(B))/stage.new PREFIX=/usr
	@rm -rf $(B)/stage && mv $(B)/stage.new $(B)/stage
endif

lab-image: lab-build
	@B=$(B) tests/qemu/image

demo: deps
	@B=$(B) tests/qemu/demo

demo-shell: deps
	@B=$(B) tests/qemu/demo --shell

check-xen: deps
	@B=$(B) tests/qemu/check-xen $(CASES)
