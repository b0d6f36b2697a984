# The lab: real Xen under QEMU. Targets: deps, lab-image, demo, demo-shell, check-xen. Included by the top Makefile; works
# alone as well (make -f tests/qemu/lab.mk).
B ?= build

#: make deps         install what building and testing need (Debian, root); says what is missing otherwise
#: make demo         a PV and a PVH guest use a virtio disk on a real Xen under QEMU; ends in "demo: OK"
#: make demo-shell   the same machine, with a prompt in dom0
#: make bench        side by side with stock blkfront/blkback, in one boot (BENCH_ROUNDS, BENCH_SECONDS, BENCH_TYPES)
#: make check-deb    the Debian packages on a bare Debian dom0: install, demo, upgrade under I/O, a guest's root disk, purge
#: make check-xen    the cases of tests/qemu/cases on a real Xen; CASES="10-io-pv ..." runs only these
#: make check-labs   the same in every lab, with one table at the end; LABS="debian13 ..." in these, CASES= as above
#:                   Labs, for check-labs and as LAB= of the targets above: debian12, debian12-pvhdom0, debian13, debian12-arm64
#: make flight       whole life-cycles on a real Xen, step by step; LABS=, FLIGHT_JOBS=, FLIGHT_HOST=, FLIGHT_BASE= (docs/testing.md)

#: make check-hotplug  ROUNDS=500 rounds of attach and detach under I/O, TYPE_ROUNDS=100 of each type but disks, and 256 devices on one bus, on a real Xen: hotplug.json
#: make check-lies     everything that a device side can say to the Linux module that is not so, on a real Xen
ROUNDS ?= 500
TYPE_ROUNDS ?= 100

.PHONY: check-hotplug check-lies

.PHONY: deps lab-build lab-image demo demo-shell check-xen check-deb check-labs flight bench
deps:
	@tools/deps/install $(if $(findstring arm64,$(LAB) $(LABS)),arm64)

export LAB
lab-build:
	+@B=$(B) tests/qemu/build

lab-image: lab-build
	@B=$(B) tests/qemu/image

demo: deps
	@B=$(B) tests/qemu/demo

demo-shell: deps
	@B=$(B) tests/qemu/demo --shell

check-xen: deps
	@B=$(B) tests/qemu/check-xen $(CASES)

check-labs: deps
	@B=$(B) LABS="$(LABS)" CASES="$(CASES)" LABS_MINUTES=$(LABS_MINUTES) tests/qemu/check-labs

check-hotplug: deps
	@B=$(B) CHECK_LIMIT=4500 LAB_KNOBS="hotplug_rounds=$(ROUNDS) hotplug_types=$(TYPE_ROUNDS) hotplug_seconds=3600" tests/qemu/check-xen 70-hotplug 71-devices-256

check-lies: deps
	@B=$(B) LAB_KNOBS=lies=all tests/qemu/check-xen 65-hostile-device

flight: deps
	@rc=0; for l in $(or $(LABS),$(or $(LAB),debian12)); do LAB=$$l B=$(B) tests/flights/run || rc=1; done; exit $$rc

check-deb: deps
	@B=$(B) tests/qemu/check-deb

bench: deps
	@B=$(B) tests/qemu/bench
