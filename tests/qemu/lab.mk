# The lab: real Xen under QEMU. Targets: deps, lab-image, demo, demo-shell, check-xen. Included by the top Makefile; works
# alone as well (make -f tests/qemu/lab.mk).
B ?= build

#: make deps         install what building and testing need (Debian, root); says what is missing otherwise
#: make demo         a PV and a PVH guest use a virtio disk on a real Xen under QEMU; ends in "demo: OK"
#: make demo-shell   the same machine, with a prompt in dom0
#: make bench        side by side with stock blkfront/blkback, in one boot (BENCH_ROUNDS, BENCH_SECONDS, BENCH_TYPES)
#: make check-xen    the cases of tests/qemu/cases on a real Xen; CASES="10-io-pv ..." runs only these

#: make flight       whole life-cycles on a real Xen, step by step; FLIGHT_JOBS=, FLIGHT_HOST=, FLIGHT_BASE= (docs/testing.md)

.PHONY: flight deps lab-build lab-image demo demo-shell check-xen bench
deps:
	@tools/deps/install

# The parts under test, as they would be installed, from objects of their own: installed paths are compiled in.
# LAB_STANDIN=1 leaves them out: stock blkback serves the guests' disks.
lab-build:
ifeq ($(LAB_STANDIN),)
	@rm -rf $(B)/stage.new
	@$(MAKE) -j$(shell nproc) --no-print-directory B=$(B)/lab/build PREFIX=/usr all
	@$(MAKE) --no-print-directory B=$(B)/lab/build PREFIX=/usr DESTDIR=$(abspath $(B))/stage.new install
	@echo 'log = /var/log/xvmsgd.log' >> $(B)/stage.new/etc/xen-virtio-msg/xvmsgd.conf	# cases read it
	@$(MAKE) --no-print-directory modules
	@$(MAKE) --no-print-directory B=$(B)/lab/build hostile
	@diff -rq $(B)/stage.new $(B)/stage >/dev/null 2>&1 && rm -r $(B)/stage.new || { rm -rf $(B)/stage; mv $(B)/stage.new $(B)/stage; }
endif

lab-image: lab-build
	@B=$(B) tests/qemu/image

demo: deps
	@B=$(B) tests/qemu/demo

demo-shell: deps
	@B=$(B) tests/qemu/demo --shell

check-xen: deps
	@B=$(B) tests/qemu/check-xen $(CASES)

flight: deps
	@B=$(B) tests/flights/run

bench: deps
	@B=$(B) tests/qemu/bench
