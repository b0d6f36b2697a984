# Each device that something else serves, in one PVH guest that speaks PR #28: what 17, 36, 56 and 78 do in a PV guest with the
# draft, in short.
CASE_LIMIT=240
. $LAB/lio.sh
. $LAB/servers.sh
sock=/run/lab/served.sock

# files DEVICE: the image's files by their sums, 1 MiB there and, from the device, back.
files()
{
	in_guest od 60 "wait_until 20 [ -b $1 ] && mkdir -p /run/f && mount -t ext4 $1 /run/f && check_sums /run/f && cp /run/p /run/f/new/p && umount /run/f && mount -t ext4 $1 /run/f && cmp /run/p /run/f/new/p && say_verified /run/f \$(stat -c %s /run/p) && umount /run/f"
}
# row TYPE SERVER WHAT [BYTES]
row() { device_row $1 "$2" pvh "$(dialect_of od)" "$3" ${4:-$(verified_by od)}; }
did_files="the image's files by their sums, 1 MiB written and read back, fsck"
attached() { must "attach $1" xvmsg attach od "$1" --wait=30; }
detached() { must "detach $1" xvmsg detach od $1 --wait=20; }

vhost_net()
{
	modprobe vhost_net || fail "dom0's kernel has no vhost_net"
	attached type=net,bridge=$br,vhost=on
	in_guest od 30 'wait_until 20 [ -e /sys/class/net/eth0 ] && ip addr add 10.9.0.14/24 dev eth0 && ip link set eth0 up && wait_until 20 ping -c 1 -W 1 10.9.0.1'
	transfers od 10.9.0.14
	detached net0
	row net vhost-net "TCP both ways, detach" $(moved_by od)
}

vhost_scsi()
{
	target_up od-scsi
	attached type=scsi,wwpn=$wwpn
	files /dev/sda
	detached scsi0
	target_down 0
	fsck_clean $IMG/case-od-scsi.img
	row scsi vhost-scsi "$did_files"
}

vhost_user()
{
	need_servers
	disk_server $(fresh od-vu) $sock
	attached type=vhost-user,device=disk,name=far,socket=$sock
	files /dev/vdb
	detached far
	kill $disk_server; wait $disk_server 2>/dev/null
	fsck_clean $IMG/case-od-vu.img
	row vhost-user "qemu-storage-daemon, disk" "$did_files"
	mkdir -p /data/share
	attached type=vhost-user,device=fs,name=share,tag=share,server="$run/virtiofsd --fd=%fd -o source=/data/share -o sandbox=chroot"
	in_guest od 40 'mkdir -p /run/s && wait_until 20 mount -t virtiofs share /run/s && cp /run/p /run/s/od && cmp /run/p /run/s/od && sha256sum < /run/s/od | sed "s/^/FS /" && umount /run/s'
	guest_says od "FS $(sha256sum < /data/share/od)" || fail "what the guest wrote is not what is there"
	detached share
	row vhost-user "virtiofsd, fs" "1 MiB written, read back and found in dom0" $(stat -c %s /data/share/od)
}

vfio_user()
{
	xvm-vfio-server --socket $sock --image $(fresh od-vfio) >> /run/lab/vfio.log 2>&1 &
	vf_server=$!
	must "a socket" wait_until 10 test -S $sock
	attached type=vfio-user,name=far,socket=$sock
	files /dev/vdb
	detached far
	kill $vf_server; wait $vf_server 2>/dev/null
	fsck_clean $IMG/case-od-vfio.img
	row vfio-user "xvm-vfio-server, disk, data by messages" "$did_files"
}

case_main()
{
	need_daemon
	. $LAB/net.sh
	megs=1
	dom0_network
	guest_file od pvh disk="$(disk_entry $(fresh od))"
	must "guest start" guest_start od
	in_guest od 60 'modprobe -a virtio_ring virtio virtio_net virtio_scsi sd_mod virtiofs && modprobe xen-virtio-msg dialect=pr28 && mount_disk && check_sums && dd if=/dev/urandom of=/run/p bs=64k count=16 2>/dev/null'
	vhost_net
	vhost_scsi
	vhost_user
	rm -f $sock
	vfio_user
	rm -f $sock
	in_guest od 30 'check_sums && umount /mnt'
	must "power off" guest_off od
	ip link del $br
	fsck_clean $IMG/case-od.img
}
