# Starting and stopping what runs in dom0: xenstored, xenconsoled, xvmsgd. Owns /run of these; sourced by lib.sh.

stack_start()
{
	modprobe -a xen-evtchn xen-gntdev xen-gntalloc xen-privcmd xenfs
	mount -t xenfs xenfs /proc/xen
	xenstored --pid-file /run/xenstored.pid || return 1
	wait_until 10 xenstore-read / >/dev/null 2>&1 || return 1
	xen-init-dom0 >/dev/null || return 1
	# libxl makes these once and leaves them; from the start they do not look like something left behind.
	xenstore-write /libxl "" /vm ""
	mkdir -p /var/log/xen/console
	xenconsoled --pid-file=/run/xenconsoled.pid --log=guest --log-dir=/var/log/xen/console || return 1
	syslogd -O /var/log/messages
	[ -z "$LAB_standin" ] || { modprobe xen-blkback; printf 'run_hotplug_scripts=1\n' > /etc/xen/xl.conf; }
}

# The daemon under test, as a user starts it.
have_xvmsgd() { [ -x /etc/init.d/xvmsgd ] && [ -x /usr/sbin/xvmsgd ]; }
xvmsgd_pid() { pidof xvmsgd; }
xvmsgd_start()
{
	[ -z "$LAB_standin" ] || return 0
	have_xvmsgd || { echo "xvmsgd is not in this image"; return 1; }
	/etc/init.d/xvmsgd start || return 1
	wait_until 5 xvmsgd_pid >/dev/null || { echo "xvmsgd is not running"; return 1; }
}
xvmsgd_stop() { [ -n "$LAB_standin" ] || /etc/init.d/xvmsgd stop; }

# All logs to the output disk.
collect()
{
	dmesg >> $OUT/dom0-dmesg.log
	xl dmesg -c >> $OUT/xl-dmesg.log 2>&1
	xenstore-ls -fp > $OUT/xenstore-end.txt 2>&1
	mkdir -p $OUT/console $OUT/log
	cp /var/log/xen/console/* $OUT/console/ 2>/dev/null
	cp -r /var/log/xen/xl-*.log /var/log/xvmsgd* /var/log/xen-virtio-msg /var/log/messages $OUT/log/ 2>/dev/null
	ps > $OUT/ps-end.txt
	xl list > $OUT/xl-list-end.txt 2>&1
}
