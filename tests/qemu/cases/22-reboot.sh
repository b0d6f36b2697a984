# A guest that reboots gets a new domain id, and its disk with what it wrote before.
case_main()
{
	img=$(fresh rb)
	guest_file rb pv disk="$(disk_entry $img)"
	must "guest start" guest_start rb
	id=$(guest_id rb)
	in_guest rb 30 'mount_disk && check_sums && echo kept > /mnt/new/before && umount /mnt'
	: > "$(guest_log rb)"
	guest_send rb 'reboot -f'
	must "guest is up again" wait_until 60 guest_says rb 'GUEST: ready'	# for a while there is no domain
	[ "$(guest_id rb)" != "$id" ] || fail "the domain id is still $id"
	in_guest rb 30 'mount_disk && check_sums && grep kept /mnt/new/before && umount /mnt'
	must "power off" guest_off rb
	fsck_clean $img
}
