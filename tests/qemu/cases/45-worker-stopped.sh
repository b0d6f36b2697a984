# A worker that stands still: what the guest asks of it ends in time with an error, other guests do not notice; when it goes
# on, late answers are nobody's, and a new connection has the disk again.
CASE_LIMIT=150
case_main()
{
	need_daemon
	a=$(fresh sta) b=$(fresh stb)
	guest_file sta pv disk="$(disk_entry $a)"
	must "guest start" guest_start sta
	in_guest sta 30 'modprobe -a crc32c_generic virtio_ring virtio virtio_blk && modprobe xen-virtio-msg request_seconds=6'
	in_guest sta 30 'mount_disk && check_sums && umount /mnt'
	w=$(pidof xvmsg-worker)
	guest_file stb pv disk="$(disk_entry $b)"
	must "guest start" guest_start stb
	in_guest stb 30 'mount_disk && check_sums'
	kill -STOP $w
	# SET_DEVICE_STATUS 0 has no answer: 6 s, and not for ever.
	in_guest sta 60 't=$(now); echo virtio0 > /sys/bus/virtio/drivers/virtio_blk/unbind; s=$(since $t); echo "unbound in $s s"; awk -v s=$s "BEGIN { exit !(s >= 5.5 && s < 30) }"'
	in_guest sta 10 'dmesg | grep "virtio.*reset.*-110" && grep "timeouts [1-9]" /sys/kernel/debug/xen-virtio-msg/*/stats'
	in_guest stb 30 'echo written > /mnt/new/still && sync && check_sums && umount /mnt'
	kill -CONT $w
	in_guest sta 60 'echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/unbind; echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/bind; mount_disk && check_sums && umount /mnt'
	for g in sta stb; do must "power off" guest_off $g; done
	fsck_clean $a
	fsck_clean $b
}
