# Devices of a vfio-user server, a disk and an entropy source: verified I/O with memory given and with data by messages; a server that dies
# costs its own device and nothing else; another one at the same socket serves it anew.
CASE_LIMIT=240
# A disk whose server dies is an I/O error, and that is the point.
CASE_ALLOW='I/O error'
sock=/run/lab/vfio.sock
img=$IMG/case-vfio-data.img

serve()
{
	xvm-vfio-server --socket $sock "$@" >> /run/lab/vfio.log 2>&1 &
	server=$!
	must "a socket" wait_until 10 test -S $sock
}
stop_server() { kill $server 2>/dev/null; wait $server 2>/dev/null; rm -f $sock; }
state() { xvmsg show vf far 2>/dev/null | awk '$1 == "state" { print $2 }'; }
is_state() { [ "$(state)" = $1 ]; }
# Bytes that the device has moved, as its worker counts them.
moved() { xvmsg stat vf > /dev/null; xvmsg show vf far --json | tr ',{}' '\n\n\n' | awk -F: '/"io_bytes_(read|written)"/ { n += $2 } END { printf "%d\n", n }'; }
far_gone() { ! xvmsg show vf far >/dev/null 2>&1; }

# verified HOW WORD...: the disk's files by their sums, new data there and back, and what is on the image afterwards.
verified()
{
	vd_how=$1; shift
	serve --image $img "$@"
	must "attach, $vd_how" xvmsg attach vf type=vfio-user,name=far$vd_flags,socket=$sock --wait=30
	in_guest vf 60 'mount_disk b /run/f && check_sums /run/f'
	in_guest vf 60 "dd if=/dev/urandom of=/run/p bs=64k count=16 2>/dev/null && cp /run/p /run/f/new/p-$vd_how && sync && umount /run/f && mount_disk b /run/f && cmp /run/p /run/f/new/p-$vd_how && umount /run/f"
	vd_bytes=$(moved)
	[ $vd_bytes -gt 2097152 ] || fail "$vd_bytes bytes moved, 1 MiB went there and back"
	must "detach, $vd_how" xvmsg detach vf far --wait=20
	stop_server
	fsck_clean $img
	device_row vfio-user "xvm-vfio-server, disk, $vd_how" pv "$(dialect_of vf)" "sums of the image's files read, 1 MiB written and read back, fsck" $vd_bytes
}

entropy()
{
	serve
	must "attach entropy" xvmsg attach vf type=vfio-user,name=far,socket=$sock --wait=30
	in_guest vf 30 'wait_until 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available; dd if=/dev/hwrng of=/run/a bs=512 count=8 && dd if=/dev/hwrng of=/run/b bs=512 count=8 && ! cmp -s /run/a /run/b && [ $(gzip -c /run/a | wc -c) -gt 4000 ]'
	vd_bytes=$(moved)
	must "detach entropy" xvmsg detach vf far --wait=20
	stop_server
	device_row vfio-user "xvm-vfio-server, entropy, data by messages" pv "$(dialect_of vf)" "two blocks read that differ" $vd_bytes
}

dies_under_io()
{
	serve --image $img
	must "attach" xvmsg attach vf type=vfio-user,name=far,trusted,socket=$sock --wait=30
	in_guest vf 10 'rm -f /run/end /run/ended; (while [ ! -e /run/end ]; do [ -b /dev/vdb ] && dd if=/dev/zero of=/dev/vdb bs=16k count=8 seek=64 oflag=direct conv=notrunc || usleep 50000; done; touch /run/ended) >/dev/null 2>&1 & true'
	sleep 1
	kill -9 $server; wait $server 2>/dev/null
	must "the device says so" wait_until 15 is_state broken
	daemon_log | tail -5 | grep -q 'server has closed the connection' || { daemon_log | tail -5; fail "no reason in the log"; }
	# The writer ends first: without a disk it would make a file of that name.
	in_guest vf 30 'check_sums && echo fine > /mnt/new/beside && sync; touch /run/end; wait_until 20 test -e /run/ended'
	must "forced detach" xvmsg detach vf far --force
	in_guest vf 30 'wait_until 20 [ ! -e /sys/block/vdb ] && wait_until 5 [ ! -e /dev/vdb ]'
}

bad_input()
{
	rm -f $sock
	xvmsg attach vf type=vfio-user,socket=$sock > /run/lab/no 2>&1 && fail "attached without a socket"
	grep -q 'cannot be found' /run/lab/no || { cat /run/lab/no; fail "not the reason"; }
	for b in version info read; do
		serve --image $img --at $b --do garbage
		xvmsg attach vf type=vfio-user,name=far,socket=$sock --wait=10 > /run/lab/no 2>&1 && fail "attached to a server that answers nonsense"
		stop_server
		far_gone || must "detach what failed" xvmsg detach vf far --force
	done
	in_guest vf 30 'check_sums'
}

case_main()
{
	need_daemon
	cp $IMG/small.img $img
	guest_file vf pv disk="$(disk_entry $(fresh vf))"
	must "guest start" guest_start vf
	in_guest vf 30 'mount_disk && check_sums'
	bad_input
	vd_flags=,trusted verified given
	vd_flags= verified messages
	vd_flags= verified one-socket --one-socket
	vd_flags=,trusted verified doorbells --map-notify
	entropy
	dies_under_io
	vd_flags=,trusted verified anew
	in_guest vf 30 'check_sums && umount /mnt'
	must "power off" guest_off vf
	fsck_clean $IMG/case-vf.img
}
