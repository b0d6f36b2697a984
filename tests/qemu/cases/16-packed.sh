# Verified I/O over packed virtqueues, which the module takes when told to, in a guest of each type.
CASE_LIMIT=240
packed_io()
{
	# The emulated processor bears two processors of a PVH guest less well; 13-io-pvh-2cpu has them.
	img=$(fresh packed)
	guest_file packed $1 vcpus=$([ $1 = pvh ] && echo 1 || echo 2) disk="$(disk_entry $img)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start packed
	in_guest packed 30 'modprobe -a virtio_ring virtio virtio_blk && modprobe xen-virtio-msg packed=1'
	in_guest packed 30 'mount_disk && check_sums && wait_disk b && mount_disk b /run/t ro'
	# VIRTIO_F_RING_PACKED is bit 34, VIRTIO_F_RING_RESET bit 40: characters 35 and 41.
	in_guest packed 10 '[ "$(cut -c 35 /sys/bus/virtio/devices/virtio0/features)" = 1 ]'
	in_guest packed 10 '[ "$(cut -c 41 /sys/bus/virtio/devices/virtio0/features)" = 1 ]'
	in_guest packed 60 'small_fio /mnt/fio.dat'
	in_guest packed 20 'umount /mnt && umount /run/t'
	must "power off" guest_off packed
	fsck_clean $img
}
case_main()
{
	need_daemon
	for type in $(guest_types); do packed_io $type; done
}
