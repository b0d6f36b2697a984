# A checkpoint, save and restore, and a migration to the same host of a guest under verified I/O: same kernel, same mounts, same rounds.
CASE_LIMIT=300
CASE_RESTARTS=1
SAVED=/data/saved
case_main()
{
	need_daemon
	a=$(fresh sav)
	guest_file sav pv disk="$(disk_entry $a)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start sav
	in_guest sav 30 'mount_disk && check_sums && wait_disk b && mount_disk b /run/t ro'
	in_guest sav 10 'touch /run/loops; (while [ ! -e /run/end ]; do small_fio /mnt/fio.dat 2 && echo x >> /run/loops || { echo bad >> /run/bad; break; }; done; echo x > /run/ended) >/dev/null 2>&1 &'
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
	in_guest sav 90 'touch /run/end; n=0; while [ ! -e /run/ended ] && [ $n -lt 60 ]; do sleep 1; n=$((n + 1)); done; echo "fio rounds: $(wc -l < /run/loops)"; [ -e /run/ended ] && [ ! -e /run/bad ]'
	in_guest sav 30 'cat /sys/kernel/debug/xen-virtio-msg/*/stats | grep "reconnects 1"; umount /mnt && umount /run/t'
	must "power off" guest_off sav
	fsck_clean $a
}
