# Garbage in each front-end key, before the bus comes up and while it runs, written by the guest itself. It costs that guest
# its bus at most; a second guest, at work all the time, is not disturbed.
CASE_LIMIT=300
# The one who scribbles over its own running bus loses its disk, and its kernel says so; the other guest checks every byte itself.
CASE_ALLOW="I/O error"
keys='version dialect ring-page-order driver-credits control-ref num-event-channels event-channel-0 bus-features connection-id max-message-bytes state'
case_main()
{
	need_daemon
	guest_file good pv disk="$(disk_entry $(fresh good))"
	guest_file evil pv disk="$(disk_entry $(fresh evil))"
	must "guest start" guest_start good
	in_guest good 30 'mount_disk && check_sums'
	in_guest good 10 '(while [ ! -e /run/end ]; do dd if=/dev/zero of=/mnt/new/w bs=64k count=8 oflag=direct && echo 3 > /proc/sys/vm/drop_caches && check_sums || { echo bad >> /run/bad; break; }; done) >/dev/null 2>&1 &'
	must "guest start" guest_start evil
	F=device/virtio-msg/0
	in_guest evil 10 "xenstore-ls $F"
	for k in $keys; do
		for v in -1 4294967295 99999999999999999999 '1x' '' %s%n ../../../0 "$(head -c 300 /dev/zero | tr '\\0' A)"; do
			# Without its module, the guest brings the handshake to state 3 with one key wrong.
			echo "xenstore-write $F/connection-id \$(xenstore-read \$(xenstore-read $F/backend)/connection-id); xenstore-write $F/version 1 $F/dialect pr28 $F/ring-page-order 3 $F/driver-credits 32 $F/control-ref 8 $F/num-event-channels 1 $F/event-channel-0 9 $F/bus-features 0 $F/max-message-bytes 264; xenstore-write $F/$k '$v'; [ $k = state ] || xenstore-write $F/state 3; usleep 30000; xenstore-write $F/state 5; usleep 20000; xenstore-write $F/state 6; usleep 20000; xenstore-write $F/state 1"
		done
	done > /run/lab/garbage.all
	# Half of the eight for each key, in turn, unless all are asked for (LAB_KNOBS=garbage=all): each is nine processes in the guest.
	awk -v all="$LAB_garbage" 'all || (NR + int((NR - 1) / 8)) % 2' /run/lab/garbage.all > /run/lab/garbage
	echo "# $(wc -l < /run/lab/garbage) attempts"
	while read -r line; do guest_run evil 20 "$line" > /dev/null || fail "no answer to: $line"; done < /run/lab/garbage
	must "xl destroy" quickly 5 "xl destroy of the liar" guest_destroy evil
	# Once connected: the same keys change under a running bus.
	must "guest start" guest_start evil
	in_guest evil 30 'mount_disk && check_sums'
	for k in $keys; do guest_run evil 10 "xenstore-write $F/$k garbage; xenstore-rm $F/$k" >/dev/null; done
	must "xl destroy" quickly 5 "xl destroy of the liar" guest_destroy evil
	in_guest good 10 'touch /run/end; [ ! -e /run/bad ]'
	must "power off" guest_off good
}
