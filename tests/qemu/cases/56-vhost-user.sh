# A disk of qemu-storage-daemon's, in xl's disk list, and a directory of virtiofsd's, attached: Debian's unmodified servers, stock drivers.
CASE_LIMIT=240
. $LAB/servers.sh
# copies WHAT: requests of the guest's, and copies of requests, since the last call.
copies()
{
	cp_was="${cp_now:-0 0}"
	cp_now=$(xvmsg stat vu --json | tr ',{}' '\n\n\n' | awk -F: '/"requests"/ { r = $2 } /"bounced"/ { b = $2 } END { print r + 0, b + 0 }')
	cp_requests=$((${cp_now% *} - ${cp_was% *})) cp_copied=$((${cp_now#* } - ${cp_was#* }))
	echo "# $1: $cp_requests requests, $cp_copied copied"
}
# found FLAGS: a disk of a server that we did not start.
found()
{
	disk_server $IMG/case-far.img /run/lab/far.sock
	must "attach" xvmsg attach vu type=vhost-user,device=disk,name=far$1,socket=/run/lab/far.sock --wait=30
	in_guest vu 30 'wait_until 10 [ -b /dev/vdc ] && dd if=/dev/urandom of=/run/p bs=64k count=8 2>/dev/null && dd if=/run/p of=/dev/vdc bs=64k oflag=direct 2>/dev/null'
	copies "a disk attached${1:+, }$1" > /dev/null
	in_guest vu 30 'n=64; while [ $n -gt 0 ]; do dd if=/dev/vdc of=/run/q bs=8k count=64 iflag=direct 2>/dev/null; n=$((n - 16)); done; cmp /run/p /run/q'
	copies "256 reads of a server that was found$1"
	must "detach" xvmsg detach vu far --wait=20
	kill $disk_server; wait $disk_server 2>/dev/null
}
# virtiofsd dies while the guest writes. What the guest was told is written is there; the device says that it needs a reset, soon; the
# disk's I/O goes on (io_loop_end).
dies_under_writes()
{
	must "attach again" xvmsg attach vu type=vhost-user,device=fs,name=share,tag=share,server="virtiofsd -o source=/data/share -o sandbox=chroot"
	in_guest vu 40 'wait_until 20 mount -t virtiofs share /run/s && dd if=/dev/urandom of=/run/w bs=64k count=4 2>/dev/null && sha256sum < /run/w | sed "s/^/W /"'
	in_guest vu 10 '(n=0; while cp /run/w /run/s/w-$n; do echo $n > /run/last; n=$((n + 1)); done) > /dev/null 2>&1 & wait_until 8 sh -c "[ \$(cat /run/last) -ge 3 ]"'
	du_t=$(now) du_n=$(starts)
	kill -9 $(ps -o pid,args | awk '/[v]irtiofsd --fd|[v]irtiofsd .*source=/ { print $1 }')
	wait_until 10 sh -c "xvmsg show vu share | grep -q '^state *broken'" || fail "$(xvmsg show vu share)"
	echo "# virtiofsd killed under writes: needs a reset after $(since $du_t) s"
	wait_until 20 sh -c "[ \$(grep -c 'server .* is process' /var/log/xvmsgd.log) -gt $du_n ]" || fail "no other virtiofsd was started"
	in_guest vu 10 'sed "s/^/LAST /" /run/last; for p in $(pidof cp); do sed -n "s/^State:/the writer:/p" /proc/$p/status; done'
	du_last=$(sed -n 's/^.*LAST \([0-9]*\).*/\1/p' $(guest_log vu) | tail -1)
	for du_i in $(seq 0 $du_last); do
		guest_says vu "W $(sha256sum < /data/share/w-$du_i)" || fail "file $du_i of $du_last, which was written, is not what was written"
		fs_bytes=$((fs_bytes + $(stat -c %s /data/share/w-$du_i)))
	done
	echo "# files that were written before: $((du_last + 1))"
}
starts() { daemon_log | grep -c 'server .* is process'; }
# What runs is the loader; before the directory comes, the disk's server alone.
case_main()
{
	need_daemon
	need_servers
	img=$(fresh vu)
	mkdir -p /etc/xen-virtio-msg/devices /data/share/deep
	cp $dir/virtiofsd /data/share/deep/; sha256sum < $dir/virtiofsd > /data/share/sum
	cat > /etc/xen-virtio-msg/devices/vu-disk <<END
type=vhost-user
device=disk
server=$(disk_command $img addr.type=fd,addr.str=%fd)
END
	guest_file vu pv disk="$(disk_entry /etc/xen-virtio-msg/devices/vu-disk)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start vu
	in_guest vu 30 'mount_disk && check_sums'
	cp $IMG/small.img $IMG/case-far.img
	found ""
	[ $cp_requests -ge 256 ] && [ $cp_copied -ge 256 ] || fail "a server without trust: $cp_copied copies of $cp_requests requests"
	found ,trusted
	[ $cp_requests -ge 256 ] && [ $cp_copied -le 8 ] || fail "a trusted server: $cp_copied copies of $cp_requests requests"
	rm -f $IMG/case-far.img
	io_loop vu
	copies "before" > /dev/null
	for i in 1 2; do
		sleep 2
		n=$(starts)
		kill -9 $(pidof ld.so) || fail "no server to kill"
		wait_until 20 sh -c "[ \$(grep -c 'server .* is process' /var/log/xvmsgd.log) -gt $n ]" || fail "the server did not come back"
	done
	copies "the disk's server, killed twice under verified I/O"
	[ $cp_copied -le $((cp_requests / 4)) ] || fail "most requests of a server that we started were copied"
	# By its name and description, as where the package is installed; here the program needs its loader.
	mkdir -p /etc/qemu/vhost-user
	printf '#!/bin/sh\nexec %s/virtiofsd "$@"\n' "$run" > /data/virtiofsd && chmod +x /data/virtiofsd
	echo '{ "description": "virtiofsd", "type": "fs", "binary": "/data/virtiofsd" }' > /etc/qemu/vhost-user/50-virtiofsd.json
	must "attach" xvmsg attach vu type=vhost-user,device=fs,name=share,tag=share,server="virtiofsd -o source=/data/share -o sandbox=chroot"
	in_guest vu 40 'modprobe virtiofs && mkdir -p /run/s && wait_until 20 mount -t virtiofs share /run/s && sha256sum < /run/s/deep/virtiofsd | cmp - /run/s/sum'
	in_guest vu 40 'dd if=/dev/urandom of=/run/s/new bs=64k count=16 && sha256sum < /run/s/new > /run/s/new.sum && ls -lR /run/s && umount /run/s'
	sha256sum < /data/share/new | cmp - /data/share/new.sum || fail "what the guest wrote is not what is there"
	fs_bytes=$(($(stat -c %s $dir/virtiofsd) + $(stat -c %s /data/share/new)))
	must "detach" xvmsg detach vu share --wait=20
	dies_under_writes
	echo "# $fs_bytes bytes through virtiofsd"
	device_row vhost-user "virtiofsd, fs" pv "$(dialect_of vu)" "a program read and its sum compared, files written and found in dom0, killed under writes: needs a reset" $fs_bytes
	io_loop_end vu
	in_guest vu 20 'say_verified && umount /mnt && umount /run/t'
	# Linux's virtiofs waits for its server for ever, and sync and power-off for it.
	guest_destroy vu
	fsck_clean $img
	device_row vhost-user "qemu-storage-daemon, disk" pv "$(dialect_of vu)" "fio with verification while the server is killed twice, sums, fsck" $(verified_by vu)
	wait_until 5 sh -c '! pidof ld.so' || fail "a server outlived its guest"
}
