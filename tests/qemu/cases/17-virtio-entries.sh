# Devices as xl's own virtio = [ ... ] entries (Xen 4.18 and later): two descriptors, one that is not there, and somebody else's.
devices=/etc/xen-virtio-msg/devices
node() { xenstore read /local/domain/0/backend/virtio/$(guest_id ve)/$1 2>/dev/null; }
says() { [ "$(node $1/state)" = "$2" ]; }
case_main()
{
	case $(xl info | awk '$1 == "xen_minor" { print $3 }') in
	? | 1[0-7]) skip "xl of Xen before 4.18 has no virtio entries" ;;
	esac
	need_daemon
	mkdir -p $devices
	printf 'type=rng\n' > $devices/case-dice
	fresh ve2 > /dev/null
	printf 'type=disk\npath=%s\n' $IMG/case-ve2.img > $devices/case-more
	guest_file ve pv disk="$(disk_entry $(fresh ve))"
	echo 'virtio = [ "type=xen-virtio-msg:case-dice,transport=unknown", "type=xen-virtio-msg:case-more,transport=unknown", "type=xen-virtio-msg:case-none,transport=unknown", "type=somebody,transport=unknown" ]' >> /root/guests/ve.cfg
	must "guest start" guest_start ve
	in_guest ve 30 'mount_disk && check_sums && wait_disk b && mount_disk b /run/b && check_sums /run/b && umount /run/b'
	in_guest ve 20 'wait_until 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available'
	wait_until 5 says 2 6 || fail "an entry without a descriptor is in state $(node 2/state)"
	node 2/vmsg-error | grep -q 'case-none does not exist' || fail "$(node 2/vmsg-error)"
	says 3 1 || fail "the entry of another back-end was touched: state $(node 3/state)"
	says 0 4 && says 1 4 || fail "states $(node 0/state) and $(node 1/state)"
	in_guest ve 20 'umount /mnt'
	: > "$(guest_log ve)"
	guest_send ve 'reboot -f'
	must "guest is up again" wait_until 60 guest_says ve 'GUEST: ready'
	in_guest ve 30 'mount_disk && wait_disk b && mount_disk b /run/b && check_sums /run/b && umount /run/b /mnt'
	must "power off" guest_off ve
	rm -f $devices/case-dice $devices/case-more
}
