# Verified I/O in each dialect: the newest without a word, then each forced by the module, then one by xvmsgd.
CASE_LIMIT=240
CASE_RESTARTS=1
# dialect_io NAME [PARAMETER]: in the running guest, from loading the module to removing it.
dialect_io()
{
	in_guest dia 30 "modprobe -a virtio_ring virtio virtio_blk && modprobe xen-virtio-msg $2"
	in_guest dia 30 'mount_disk && check_sums && wait_disk b && mount_disk b /run/t ro'
	in_guest dia 10 "dmesg | grep 'connected: dialect' | tail -1 | grep -q 'dialect $1,'"
	in_guest dia 60 'small_fio /mnt/fio.dat'
	# A bound xenbus device holds its driver's module.
	in_guest dia 30 'say_verified && rm /run/fio.bytes && umount /mnt && umount /run/t && echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/unbind'
	in_guest dia 10 '[ ! -b /dev/vda ] && rmmod xen-virtio-msg'
	echo "$1${2:+, forced by $2}: verified"
}
daemon_with()
{
	must "stop" xvmsgd_stop
	mkdir -p /etc/default
	[ ! -e /etc/default/xvmsgd ] || cp /etc/default/xvmsgd /run/lab/xvmsgd.default
	echo "XVMSGD_ARGS=\"\$XVMSGD_ARGS $1\"" >> /etc/default/xvmsgd
	xvmsgd_start; dw_rc=$?
	rm /etc/default/xvmsgd
	[ ! -e /run/lab/xvmsgd.default ] || mv /run/lab/xvmsgd.default /etc/default/xvmsgd
	[ $dw_rc = 0 ] || fail "xvmsgd does not start with $1"
}
case_main()
{
	need_daemon
	img=$(fresh dia)
	guest_file dia pv vcpus=2 disk="$(disk_entry $img)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start dia
	dialect_io draft2026
	dialect_io pr28 dialect=pr28
	di_bytes=$(verified_by dia)
	dialect_io draft2026 dialect=draft2026
	must "power off" guest_off dia
	fsck_clean $img
	device_row disk own pv pr28 "sums of the image's files read, fio with verification, fsck" $di_bytes
	daemon_with "--dialects pr28"
	must "guest start" guest_start dia
	dialect_io pr28
	must "power off" guest_off dia
	fsck_clean $img
	must "stop" xvmsgd_stop
	must "start" xvmsgd_start
}
