# A read-only disk is read-only in the guest, and its image keeps every byte.
case_main()
{
	img=$(fresh ro); before=$(sha256sum < $img)
	guest_file ro pv disk="$(disk_entry $img ro)"
	must "guest start" guest_start ro
	in_guest ro 30 'mount_disk a /mnt ro,noload && check_sums'
	in_guest ro 10 '[ $(cat /sys/block/$(basename $(disk))/ro) = 1 ]'
	in_guest ro 10 'umount /mnt; ! dd if=/dev/zero of=$(disk) bs=4k count=1 oflag=direct'
	must "power off" guest_off ro
	[ "$before" = "$(sha256sum < $img)" ] || fail "the image changed"
}
