# The xvmsg command, and the man pages.
# One file per command group.
TOOLS_OBJ := $(patsubst %.c,$(B)/o/%.o,$(wildcard tools/xvmsg/*.c tools/trace/*.c dom0/spec/*.c) tools/capture.c) $(PROTO_OBJ)

$(B)/xvmsg: $(TOOLS_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljson-c -lxlutil -lxenlight -lncurses

all: $(B)/xvmsg

MAN_PAGES := $(notdir $(wildcard docs/man/*.[158]))
# Places of ours below /etc; what is xl's, Xen's or vhost-user's stays.
MAN_SED = sed 's,/etc/\(xen-virtio-msg\|default/xvmsgd\|init.d/xvmsgd\),$(SYSCONFDIR)/\1,g'

install: install-tools
install-tools: $(B)/xvmsg
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(COMPLETIONDIR) $(DESTDIR)$(DOCDIR)/examples
	install -m 755 $(B)/xvmsg $(DESTDIR)$(SBINDIR)/
	install -m 644 tools/xvmsg.bash-completion $(DESTDIR)$(COMPLETIONDIR)/xvmsg
	for f in $(MAN_PAGES); do $(MAN_SED) docs/man/$$f > $(DESTDIR)$(MANDIR)/man$${f##*.}/$$f && chmod 644 $(DESTDIR)$(MANDIR)/man$${f##*.}/$$f || exit 1; done
	install -m 644 docs/examples/* $(DESTDIR)$(DOCDIR)/examples/

.PHONY: install-tools deb
#: make deb          Debian packages of daemon and tools, guest module (DKMS) and documentation, in build/deb
deb:
	@B=$(B) tools/debian/build $(VERSION)
