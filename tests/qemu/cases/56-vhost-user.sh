# A disk of qemu-storage-daemon's, in xl's disk list, and a directory of virtiofsd's, attached: Debian's unmodified servers, stock drivers.
CASE_LIMIT=240
dir=/data/servers
run="$dir/ld.so --library-path $dir $dir"
starts() { daemon_log | grep -c 'server .* is process'; }
spoken() { daemon_log | sed -n 's/.*(vu): bus up: dialect \([a-z0-9]*\),.*/\1/p' | tail -1; }
# What runs is the loader; before the directory comes, the disk's server alone.
case_main()
{
	need_daemon
	[ -x $dir/qemu-storage-daemon ] && [ -x $dir/virtiofsd ] || skip "this lab has no qemu-system-common"
	img=$(fresh vu)
	mkdir -p /etc/xen-virtio-msg/devices /data/share/deep
	cp $dir/virtiofsd /data/share/deep/; sha256sum < $dir/virtiofsd > /data/share/sum
	cat > /etc/xen-virtio-msg/devices/vu-disk <<END
type=vhost-user
device=disk
server=$run/qemu-storage-daemon --blockdev driver=file,node-name=d,filename=$img --export type=vhost-user-blk,id=e,node-name=d,writable=on,addr.type=fd,addr.str=%fd
END
	guest_file vu pv disk="$(disk_entry /etc/xen-virtio-msg/devices/vu-disk)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start vu
	io_loop vu
	for i in 1 2; do
		sleep 2
		n=$(starts)
		kill -9 $(pidof ld.so) || fail "no server to kill"
		wait_until 20 sh -c "[ \$(grep -c 'server .* is process' /var/log/xvmsgd.log) -gt $n ]" || fail "the server did not come back"
	done
	echo "# the disk's server was killed twice under verified I/O"
	must "attach" xvmsg attach vu type=vhost-user,device=fs,name=share,tag=share,server="$run/virtiofsd --fd=%fd -o source=/data/share -o sandbox=chroot"
	in_guest vu 40 'modprobe virtiofs && mkdir -p /run/s && wait_until 20 mount -t virtiofs share /run/s && sha256sum < /run/s/deep/virtiofsd | cmp - /run/s/sum'
	in_guest vu 40 'dd if=/dev/urandom of=/run/s/new bs=64k count=16 && sha256sum < /run/s/new > /run/s/new.sum && ls -lR /run/s && umount /run/s'
	sha256sum < /data/share/new | cmp - /data/share/new.sum || fail "what the guest wrote is not what is there"
	echo "# $(($(stat -c %s $dir/virtiofsd) + 1048576)) bytes through virtiofsd"
	device_row vhost-user "virtiofsd, fs" pv $(spoken) "a program read and its sum compared, 1 MiB written and found in dom0" $(($(stat -c %s $dir/virtiofsd) + 1048576))
	must "detach" xvmsg detach vu share
	io_loop_end vu
	in_guest vu 20 'umount /mnt && umount /run/t'
	must "power off" guest_off vu
	fsck_clean $img
	device_row vhost-user "qemu-storage-daemon, disk" pv $(spoken) "fio with verification while the server is killed twice, sums, fsck" 3145728
	wait_until 5 sh -c '! pidof ld.so' || fail "a server outlived its guest"
}
