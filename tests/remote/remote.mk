# The vfio-user server of the tests as a program, for dom0 of the lab: one static binary.
$(B)/remote/xvm-vfio-server: $(B)/o/tests/remote/vfio_server.o $(B)/o/tests/remote/vfio_server_main.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $^

.PHONY: remote
remote: $(B)/remote/xvm-vfio-server
