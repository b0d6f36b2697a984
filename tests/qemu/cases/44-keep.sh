# Workers are killed, xvmsgd is killed, stopped and started again, all under verified I/O in two guests: they see a pause.
CASE_LIMIT=300
CASE_RESTARTS=1
# again N: both guests have been connected N times.
again()
{
	wait_until 60 sh -c "for g in kpa kpb; do [ \$(grep -c \"(\$g): bus up\" /var/log/xvmsgd.log) -ge $1 ] || exit 1; done" ||
		fail "not connected for the $1. time"
}
case_main()
{
	need_daemon
	a=$(fresh kpa) b=$(fresh kpb)
	guest_file kpa pv vcpus=2 disk="$(disk_entry $a)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	guest_file kpb pv disk="$(disk_entry $b)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	for g in kpa kpb; do
		must "guest start" guest_start $g
		io_loop $g
	done
	again 1
	for i in 1 2 3; do
		sleep $i
		set -- $(pidof xvmsg-worker)
		kill -9 $1 $2
		again $((i + 1))
	done
	echo "# workers killed 3 times, two at a time"
	sleep 1
	kill -9 $(pidof xvmsgd)
	must "xvmsgd starts after kill -9" xvmsgd_start
	again 5
	sleep 1
	must "stop" xvmsgd_stop
	sleep 2
	must "start" xvmsgd_start
	again 6
	for g in kpa kpb; do
		io_loop_end $g
		in_guest $g 30 'cat /sys/kernel/debug/xen-virtio-msg/*/stats | grep "reconnects 5"; check_sums && umount /mnt && umount /run/t'
		must "power off" guest_off $g
	done
	fsck_clean $a
	fsck_clean $b
}
