# Devices of a vfio-user server, a disk and an entropy source: verified I/O with memory mapped and with data by messages, each counted; a server
# that dies under I/O costs its own device and nothing that it acknowledged; another one at the same socket serves it anew.
CASE_LIMIT=240
# A disk whose server dies is an I/O error, and that is the point.
CASE_ALLOW='I/O error'
sock=/run/lab/vfio.sock
img=$IMG/case-vfio-data.img
raw=$IMG/case-vfio-raw.img

serve()
{
	xvm-vfio-server --socket $sock "$@" >> /run/lab/vfio.log 2>&1 &
	server=$!
	must "a socket" wait_until 10 test -S $sock
}
stop_server() { kill $server 2>/dev/null; wait $server 2>/dev/null; rm -f $sock; }
state() { xvmsg show vf far 2>/dev/null | awk '$1 == "state" { print $2 }'; }
is_state() { [ "$(state)" = $1 ]; }
# Bytes that the device has moved, and those of them that its server asked for by messages, as its worker counts them.
count_bytes()
{
	xvmsg stat vf > /dev/null
	set -- $(xvmsg show vf far --json | tr ',{}' '\n\n\n' | awk -F: '/"io_bytes_(read|written)"/ { n += $2 } /"io_bytes_by_message"/ { m = $2 } END { printf "%d %d\n", n, m }')
	moved=$1 messages=$2
	echo "# $moved bytes moved, $messages by messages"
}
# mapped: all went through memory that the server has mapped; messages: nothing did.
moved_by()
{
	count_bytes
	case $1 in
	mapped) [ $messages = 0 ] || fail "$messages of $moved bytes went by messages: memory was not mapped" ;;
	messages) [ $messages -ge $moved ] || fail "$messages of $moved bytes went by messages, of a server that has no memory" ;;
	esac
}
far_gone() { ! xvmsg show vf far >/dev/null 2>&1; }

# verified NAME HOW WORD...: the disk's files by their sums, new data there and back, and what is on the image afterwards.
verified()
{
	vd_name=$1 vd_how=$2; shift 2
	case "$*" in *--queues*) vd_queues=2 ;; *) vd_queues=1 ;; esac
	serve --image $img "$@"
	must "attach, $vd_name" xvmsg attach vf type=vfio-user,name=far$vd_flags,socket=$sock --wait=30
	in_guest vf 60 "mount_disk b /run/f && check_sums /run/f && [ \$(ls /sys/block/vdb/mq | wc -l) = $vd_queues ]"
	in_guest vf 60 "dd if=/dev/urandom of=/run/p bs=64k count=16 2>/dev/null && cp /run/p /run/f/new/p-$vd_name && sync && umount /run/f && mount_disk b /run/f && cmp /run/p /run/f/new/p-$vd_name && umount /run/f"
	moved_by $vd_how
	[ $moved -gt 2097152 ] || fail "$moved bytes moved, 1 MiB went there and back"
	must "detach, $vd_name" xvmsg detach vf far --wait=20
	stop_server
	fsck_clean $img
	device_row vfio-user "xvm-vfio-server, disk, $vd_name" pv "$(dialect_of vf)" "sums of the image's files read, 1 MiB written and read back, fsck; $messages of the bytes by messages, $((moved - messages)) through memory the server mapped" $moved
}

entropy()
{
	serve
	must "attach entropy" xvmsg attach vf type=vfio-user,name=far,socket=$sock --wait=30
	in_guest vf 30 'wait_until 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available; dd if=/dev/hwrng of=/run/a bs=512 count=8 && dd if=/dev/hwrng of=/run/b bs=512 count=8 && ! cmp -s /run/a /run/b && [ $(gzip -c /run/a | wc -c) -gt 4000 ]'
	moved_by messages
	must "detach entropy" xvmsg detach vf far --wait=20
	stop_server
	device_row vfio-user "xvm-vfio-server, entropy" pv "$(dialect_of vf)" "two blocks read that differ; $messages of the bytes by messages" $moved
}

# Writers in the guest: each writes blocks of its own, one after the other, each block's number to the writer's first block too, and notes
# what was acknowledged. They end with the disk, so that none makes a file of its name.
WRITERS="0 1 2 3" BLOCKS=512
start_writers()
{
	in_guest vf 10 "rm -f /run/ack.* /run/ended.*; for w in $WRITERS; do (n=0; while [ \$n -lt $((BLOCKS - 1)) ]; do n=\$((n + 1)); for at in \$n 0; do echo \"\$w \$n\" | dd of=/dev/vdb bs=4k seek=\$((w * $BLOCKS + at)) oflag=direct conv=notrunc,sync || break 2; done; echo \$n > /run/ack.\$w; done; touch /run/ended.\$w) >/dev/null 2>&1 & done; true"
}
# What was acknowledged is there, in order, and nothing older came after it; of what was under way, each block is there or is not.
check_writers()
{
	in_guest vf 30 "for w in $WRITERS; do wait_until 20 test -e /run/ended.\$w || exit 1; done; for w in $WRITERS; do echo acked \$w \$(cat /run/ack.\$w); done"
	cw_sum=0
	for w in $WRITERS; do
		cw_n=$(sed -n "s/.*acked $w \([0-9]*\).*/\1/p" "$(guest_log vf)" | tail -1)
		[ ${cw_n:-0} -gt 0 ] && [ $cw_n -lt $((BLOCKS - 2)) ] || fail "writer $w has ${cw_n:-no} blocks acknowledged"
		dd if=$raw bs=4k skip=$((w * BLOCKS)) count=$BLOCKS 2>/dev/null | tr -d '\0' > /run/lab/found
		awk -v w=$w -v n=$cw_n '$1 != w || (NR == 1 ? $2 != n && $2 != n + 1 : $2 != NR - 1) { bad = 1 } END { exit bad || NR < n + 1 || NR > n + 2 }' /run/lab/found ||
			{ cat /run/lab/found; fail "writer $w: these are its blocks, $cw_n were acknowledged"; }
		cw_sum=$((cw_sum + cw_n))
	done
	echo "# $cw_sum blocks acknowledged before the server was killed, all of them there"
}

dies_under_io()
{
	truncate -s 8M $raw
	serve --image $raw
	must "attach" xvmsg attach vf type=vfio-user,name=far,trusted,socket=$sock --wait=30
	in_guest vf 20 'wait_until 10 [ -b /dev/vdb ]'
	start_writers
	sleep 2
	moved_by mapped
	kill -9 $server; wait $server 2>/dev/null
	must "the device says so" wait_until 15 is_state broken
	daemon_log | tail -5 | grep -q 'server has closed the connection' || { daemon_log | tail -5; fail "no reason in the log"; }
	in_guest vf 30 'check_sums && echo fine > /mnt/new/beside && sync'
	must "forced detach" xvmsg detach vf far --force
	in_guest vf 30 'wait_until 20 [ ! -e /sys/block/vdb ] && wait_until 5 [ ! -e /dev/vdb ]'
	check_writers
	device_row vfio-user "xvm-vfio-server, disk, killed" pv "$(dialect_of vf)" "$cw_sum blocks of 4 writers acknowledged and then found, none older after a newer one; $messages of the bytes by messages, $((moved - messages)) through memory the server mapped" $moved
	rm -f $raw
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
	guest_file vf pv vcpus=2 disk="$(disk_entry $(fresh vf))"
	must "guest start" guest_start vf
	in_guest vf 30 'mount_disk && check_sums'
	bad_input
	vd_flags=,trusted verified given mapped --queues 2
	vd_flags= verified messages messages
	vd_flags= verified one-socket messages --one-socket
	vd_flags=,trusted verified doorbells mapped --map-notify --queues 2
	entropy
	dies_under_io
	vd_flags=,trusted verified anew mapped
	in_guest vf 30 'check_sums && umount /mnt'
	must "power off" guest_off vf
	fsck_clean $IMG/case-vf.img
}
