# A LIO target of dom0's kernel as a guest's SCSI disk, by vhost-scsi over mapped areas: verified I/O, a dead worker, a LUN more.
CASE_LIMIT=200
CASE_RESTARTS=1
. $LAB/lio.sh

refused()
{
	xvmsg attach sg $1 2> /run/lab/refused && fail "accepted: $1"
	grep -q "$2" /run/lab/refused || { cat /run/lab/refused; fail "expected '$2' for $1"; }
}

case_main()
{
	need_daemon
	set -- $(guest_types)
	target_up scsi
	guest_file sg $1 disk="$(disk_entry $IMG/tools.img ro xvda)"
	must "guest start" guest_start sg
	refused type=scsi,wwpn=naa.1 'no target naa.1 in'
	must "attach" xvmsg attach sg type=scsi,wwpn=$wwpn
	refused type=scsi,wwpn=$wwpn 'in use by guest'
	in_guest sg 60 'modprobe -a virtio_ring virtio virtio_scsi sd_mod && mount_disk a /run/t ro && wait_until 30 [ -b /dev/sda ]'
	in_guest sg 20 'mkdir -p /mnt && mount -t ext4 /dev/sda /mnt && check_sums'
	io_loop sg
	sleep 2
	kill -9 $(pidof xvmsg-worker)
	wait_until 60 sh -c "[ \$(grep -c '(sg): bus up' /var/log/xvmsgd.log) = 2 ]" || fail "sg is not connected again"
	io_loop_end sg
	xvmsg stat sg | grep -E '^worker (maps|messages_bad)|^grants_mapped'
	cp $IMG/small.img $IMG/case-scsi1.img
	backstore s1 $IMG/case-scsi1.img
	lun 1 s1
	in_guest sg 30 'wait_until 20 [ -b /dev/sdb ] && mkdir -p /run/m && mount -t ext4 -o ro /dev/sdb /run/m && check_sums /run/m && umount /run/m'
	in_guest sg 30 'say_verified && umount /mnt && umount /run/t; dmesg | grep -i "scsi\|sd[ab]" | head -20'
	must "detach" xvmsg detach sg scsi0 --wait=20
	in_guest sg 20 'wait_until 10 [ ! -b /dev/sda ]'
	must "power off" guest_off sg
	target_down 0 1
	fsck_clean $IMG/case-scsi.img
	device_row scsi vhost-scsi $1 "$(dialect_of sg)" "ext4 on a LIO target by checksum, fio with verification over a dead worker, a LUN more while it ran" $(verified_by sg)
}
