# The worker (one per guest) and the supervisor. Folders are taken whole, so a
# new file needs no new line here.
WORKER_SRC := $(wildcard dom0/base/*.c dom0/virtio/*.c dom0/dev/*.c dom0/remote/*.c dom0/bus/*.c dom0/worker/*.c) \
	      $(wildcard xen/user/evtchn_xen.c)
WORKER_OBJ := $(WORKER_SRC:%.c=$(B)/o/%.o) $(PROTO_OBJ)
# Debian 12's liburing.so lacks the calls for a restricted ring, its archive has them.
WORKER_LIBS = -l:liburing.a -lseccomp -lcap -lxenevtchn

DAEMON_SRC := $(wildcard dom0/daemon/*.c dom0/base/*.c dom0/spec/*.c xen/user/*.c)
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(B)/o/%.o) $(PROTO_OBJ)
DAEMON_LIBS = -lxenevtchn -lxengnttab -lxenstore -lxenctrl -levent_core -ljson-c

$(B)/xvmsg-worker: $(WORKER_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WORKER_LIBS)

$(B)/xvmsgd: $(DAEMON_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

# Tries to get out of the worker's confinement (tests/loop/confine_test.c): the product's own objects.
$(B)/escape: $(B)/o/tests/support/escape.o $(B)/o/dom0/worker/confine.o $(B)/o/dom0/worker/aio.o \
	     $(B)/o/xen/user/evtchn_xen.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(WORKER_LIBS)

DOM0_BIN := $(if $(wildcard dom0/worker/main.c),$(B)/xvmsg-worker) \
	    $(if $(wildcard dom0/daemon/main.c),$(B)/xvmsgd)

all: $(DOM0_BIN)

install: install-dom0
# Names of installed places, in the files of dom0/init.
INIT_SED = sed 's,@SBINDIR@,$(SBINDIR),; s,@LIBEXECDIR@,$(LIBEXECDIR),; s,@SYSCONFDIR@,$(SYSCONFDIR),'
XVM_ETC = $(DESTDIR)$(SYSCONFDIR)/xen-virtio-msg

# A configuration that is there already is the operator's.
install-dom0: $(DOM0_BIN)
	install -d $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(SYSCONFDIR)/init.d $(DESTDIR)$(UNITDIR)
	install -m 755 $(B)/xvmsg-worker $(DESTDIR)$(LIBEXECDIR)/
	install -m 755 $(B)/xvmsgd $(DESTDIR)$(SBINDIR)/
	$(INIT_SED) dom0/init/xvmsgd > $(DESTDIR)$(SYSCONFDIR)/init.d/xvmsgd
	chmod 755 $(DESTDIR)$(SYSCONFDIR)/init.d/xvmsgd
	$(INIT_SED) dom0/init/xvmsgd.service > $(DESTDIR)$(UNITDIR)/xvmsgd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/xvmsgd.service
	install -d -m 755 $(XVM_ETC)/devices $(XVM_ETC)/guests
	[ -e $(XVM_ETC)/xvmsgd.conf ] || { $(INIT_SED) dom0/init/xvmsgd.conf > $(XVM_ETC)/xvmsgd.conf; chmod 644 $(XVM_ETC)/xvmsgd.conf; }

.PHONY: install-dom0
