# The model check of rings, credits and doorbells: tests/model/cases says what; docs/model.md says what it means.
.PHONY: check-model
check-model:
	@B=$(B) tests/run model tests/model/run

#: make check-model  the ring, credit and doorbell protocols under all interleavings (spin)
