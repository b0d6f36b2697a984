# xl destroy while the guest writes: quick, and the file system is one that a journal replay puts right.
case_main()
{
	img=$(fresh dio)
	guest_file dio pv vcpus=2 disk="$(disk_entry $img)"
	must "guest start" guest_start dio
	in_guest dio 30 'mount_disk'
	in_guest dio 10 'for i in 1 2 3; do (while :; do dd if=/dev/zero of=/mnt/new/w$i bs=64k count=30 oflag=direct; sync; done) >/dev/null 2>&1 & done'
	sleep 3
	must "xl destroy" quickly 5 "xl destroy under I/O" guest_destroy dio
	e2fsck -fp $img > /run/lab/fsck 2>&1 || [ $? = 1 ] || { cat /run/lab/fsck; fail "e2fsck -p could not put it right"; }
}
