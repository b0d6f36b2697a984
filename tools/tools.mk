# The xvmsg command, and the man pages.
# One file per command group.
TOOLS_OBJ := $(patsubst %.c,$(B)/o/%.o,$(wildcard tools/xvmsg/*.c tools/trace/*.c dom0/spec/*.c) tools/capture.c) $(PROTO_OBJ)

$(B)/xvmsg: $(TOOLS_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljson-c -lxlutil -lxenlight -lncurses

all: $(B)/xvmsg

install: install-tools
install-tools: $(B)/xvmsg
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(COMPLETIONDIR) $(DESTDIR)$(DOCDIR)/examples
	install -m 755 $(B)/xvmsg $(DESTDIR)$(SBINDIR)/
	install -m 644 docs/man/xvmsg.1 $(DESTDIR)$(MANDIR)/man1/
	install -m 644 docs/man/xen-virtio-msg.cfg.5 $(DESTDIR)$(MANDIR)/man5/
	sed 's,@SYSCONFDIR@,$(SYSCONFDIR),' docs/man/xvmsgd.conf.5 > $(DESTDIR)$(MANDIR)/man5/xvmsgd.conf.5
	chmod 644 $(DESTDIR)$(MANDIR)/man5/xvmsgd.conf.5
	install -m 644 tools/xvmsg.bash-completion $(DESTDIR)$(COMPLETIONDIR)/xvmsg
	install -m 644 docs/man/xvmsgd.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 docs/examples/* $(DESTDIR)$(DOCDIR)/examples/

.PHONY: install-tools deb
#: make deb          Debian packages of daemon and tools, guest module (DKMS) and documentation, in build/deb
deb:
	@B=$(B) tools/debian/build $(VERSION)
