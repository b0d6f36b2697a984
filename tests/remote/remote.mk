# The servers of the tests as programs, for dom0 of the lab: static binaries.
$(B)/remote/xvm-vfio-server: $(B)/o/tests/remote/vfio_server.o $(B)/o/tests/remote/vfio_server_main.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $^

$(B)/remote/xvm-vhost-server: $(B)/o/tests/remote/vhost_server.o $(B)/o/tests/remote/vhost_server_main.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -static -o $@ $^

.PHONY: remote
remote: $(B)/remote/xvm-vfio-server $(B)/remote/xvm-vhost-server
