# Two guests with the same writable image: the second is refused with the reason, the first is not disturbed.
case_main()
{
	need_daemon
	img=$(fresh tw)
	guest_file first pv disk="$(disk_entry $img)"
	guest_file second pv disk="$(disk_entry $img)"
	must "first guest" guest_start first
	in_guest first 30 'mount_disk && check_sums'
	refused 'in use|lock|busy|another' second
	in_guest first 20 'echo 3 > /proc/sys/vm/drop_caches; check_sums && echo x > /mnt/new/x && sync && umount /mnt'
	must "power off" guest_off first
	must "the image is free again" guest_start second
	in_guest second 30 'mount_disk && grep x /mnt/new/x && umount /mnt'
	must "power off" guest_off second
	fsck_clean $img
}
