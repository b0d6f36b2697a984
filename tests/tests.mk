# Tests. One cmocka program per tests/unit/*_test.c and tests/loop/*_test.c, one libFuzzer target per tests/fuzz/*_fuzz.c;
# comments near the top of a program say what it needs (see tests/rules). tests/run runs and counts.
include tests/hostile/hostile.mk
include tests/remote/remote.mk
include tests/model/model.mk
UNIT_SRC := $(sort $(wildcard tests/unit/*_test.c))
LOOP_SRC := $(sort $(wildcard tests/loop/*_test.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*_fuzz.c))
FUZZ_BIN = $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
FUZZ_SECONDS ?= 60
FUZZ_CC = clang
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
# -Wno-tsan: the sanitizer does not model the full barrier of plat.h; what it checks rests on acquire and release.
TSAN_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=thread -Wno-tsan

# The module's virtio part runs in a test too, between kernel headers of a few lines.
MODULE_TEST := tests/loop/conf_module_test tests/support/kvirtio
$(MODULE_TEST:%=$(B)/san/%.o): EXTRA_CFLAGS = -Itests/support/kernel
$(B)/san/domU/%.o: EXTRA_CFLAGS = -Itests/support/kernel -Wno-unused-parameter -Wno-sign-compare

# Makes the programs of a suite, those that can be made, then runs them: a program that does not
# build is a failure of its own in the count, and never an old binary.
define check_suite
@mkdir -p $(B)/check
+@$(MAKE) -k --no-print-directory $(2) || for p in $(2); do \
	$(MAKE) -q --no-print-directory $$p 2>/dev/null || rm -f $$p; done
@B=$(B) tests/run $(1) $(3)
endef

.PHONY: check check-unit check-loop check-fuzz check-conformance fuzz fuzz-programs
check-unit:
	$(call check_suite,unit,$(UNIT_BIN),$(UNIT_SRC) tools/check-includes tools/check-docs tests/flights/check)

check-loop:
	$(call check_suite,loop,$(LOOP_BIN),$(LOOP_SRC))

check-fuzz:
	$(call check_suite,fuzz,$(REPLAY_BIN),$(FUZZ_SRC))

# Reads what the other suites left in $(B)/check, so it comes last.
check-conformance:
	@B=$(B) tests/run conformance tools/check-conformance

# One after the other, so that no suite slows another one down; all of them, whatever fails.
CHECK_SUITES ?= unit loop fuzz model xen conformance
check:
	@rm -rf $(B)/check
	@mkdir -p $(B)/check
	@for s in $(CHECK_SUITES); do \
		$(MAKE) --no-print-directory check-$$s || touch $(B)/check/$$s.failed; done; \
	B=$(B) tests/run --sum $(CHECK_SUITES)

fuzz-programs: $(FUZZ_BIN)
fuzz: fuzz-programs
	@B=$(B) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_SRC)

# Judges a capture of a real guest as the loop tests judge theirs.
$(B)/observe: $(patsubst %.c,$(B)/o/%.o,$(wildcard tests/support/obser*.c xen/proto/*.c) tests/support/pcapng.c)
	$(CC) $(CFLAGS) -o $@ $^

$(B)/tests/rules.mk: tests/rules $(UNIT_SRC) $(LOOP_SRC) $(FUZZ_SRC)
	@mkdir -p $(@D)
	@tests/rules $(filter %.c,$^) >$@

# Sets UNIT_BIN, LOOP_BIN and REPLAY_BIN too.
-include $(B)/tests/rules.mk

#: make check        all tests; the last line counts them (check-unit, check-loop, check-fuzz, check-model, check-xen: one suite)
#: make fuzz         fuzz each target; FUZZ_SECONDS=N in all
