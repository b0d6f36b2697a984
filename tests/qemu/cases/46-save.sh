# A checkpoint, and save and restore of a guest under verified I/O: same kernel, same mounts, same rounds.
CASE_LIMIT=300
CASE_RESTARTS=1
SAVED=/data/saved
case_main()
{
	need_daemon
	need_save
	a=$(fresh sav)
	guest_file sav pv disk="$(disk_entry $a)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start sav
	io_loop sav
	must "checkpoint" xl save -c sav $SAVED
	in_guest sav 30 'check_sums && [ ! -e /run/bad ]'
	rm $SAVED
	echo "# a checkpoint was made"
	must "save" xl save sav $SAVED
	must "gone" wait_until 10 guest_gone sav
	echo "# saved: $(wc -c < $SAVED) bytes"
	must "restore" xl restore $SAVED
	rm $SAVED
	in_guest sav 60 'check_sums && [ ! -e /run/bad ] && cat /proc/uptime'
	echo "# restored"
	io_loop_end sav
	in_guest sav 30 'cat /sys/kernel/debug/xen-virtio-msg/*/stats | grep "reconnects 1"; umount /mnt && umount /run/t'
	must "power off" guest_off sav
	fsck_clean $a
}
