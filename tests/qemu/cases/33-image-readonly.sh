# An image that cannot be written (by its mode, or on a file system mounted read-only), with access=rw: refused, with the reason.
case_main()
{
	need_daemon
	chmod 444 $(fresh mode)
	guest_file bad pv disk="$(disk_entry $IMG/case-mode.img)"
	refused 'read-only' bad
	mkdir -p /run/ro; mount --bind $IMG /run/ro && mount -o remount,ro,bind /run/ro || skip "no read-only bind mount here"
	fresh rof > /dev/null
	guest_file bad pv disk="$(disk_entry /run/ro/case-rof.img)"
	( refused 'read-only|permission|EROFS' bad ); rc=$?
	umount /run/ro
	return $rc
}
