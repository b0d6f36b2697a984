# The module goes and comes again in a running guest, three times; the disk is there each time. xenbus holds a module while a
# device is bound to it (blkfront is no different), so the bus is unbound first.
case_main()
{
	need_daemon
	img=$(fresh reload)
	guest_file reload pv vcpus=2 disk="$(disk_entry $img)"
	must "guest start" guest_start reload
	in_guest reload 30 'mount_disk && check_sums && umount /mnt'
	for i in 1 2 3; do
		in_guest reload 15 'echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/unbind && [ ! -b /dev/vda ] && rmmod xen-virtio-msg'
		in_guest reload 30 "mount_disk && check_sums && echo $i >> /mnt/new/n && umount /mnt"
	done
	must "power off" guest_off reload
	fsck_clean $img
}
