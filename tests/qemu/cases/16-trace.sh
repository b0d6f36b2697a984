# xvmsg trace of a guest's boot from its first message on, in both dialects; the captures are judged outside (judge-trace).
# Then a trace that joins and ends by itself, one that ends with its guest, a second one that is refused.
CASE_LIMIT=240
T=tr
# boot DIALECT: as an initramfs does it, with the dialect named.
boot()
{
	guest_file $T pv disk="$(disk_entry $(fresh tr))"
	must "guest start" guest_start $T
	in_guest $T 60 "modprobe -a virtio virtio_ring virtio_blk && modprobe xen-virtio-msg dialect=$1 && mount_disk && check_sums && dd if=/dev/urandom of=/mnt/new/t bs=64k count=8 && sync && echo 3 > /proc/sys/vm/drop_caches && check_sums"
}
ended() { ! kill -0 $trace_pid 2>/dev/null; }
ends()
{
	wait_until 10 ended || { kill -9 $trace_pid; fail "$1: the trace did not end"; }
	wait $trace_pid || fail "$1: exit status $?: $(cat $2)"
}
captured()
{
	xvmsg trace $T --wait --write $O/$1.pcapng > $O/$1.log 2>&1 & trace_pid=$!
	boot $1
	kill -INT $trace_pid; ends "$1, Ctrl-C" $O/$1.log
	grep -q ' messages, 0 lost' $O/$1.log || fail "$1: $(cat $O/$1.log)"
	echo "# $1: $(tail -1 $O/$1.log), $(wc -c < $O/$1.pcapng) bytes"
}
# By number, while it runs: 40 messages, then it ends.
joined()
{
	xvmsg trace $(guest_id $T) --json --count 40 --seconds 60 > $O/$1.json 2> $O/$1.json.log & trace_pid=$!
	in_guest $T 30 'for i in 1 2 3 4 5 6 7 8 9 10; do dd if=$(disk) of=/dev/null bs=4k count=8 skip=$((i * 50)) iflag=direct; done'
	ends "$1, --count" $O/$1.json.log
	[ "$(grep -c '"message"' $O/$1.json)" = 40 ] || fail "$1: $(grep -c '"message"' $O/$1.json) messages, not 40"
	grep -q '"from_start": false' $O/$1.json || fail "$1: $(head -1 $O/$1.json)"
	grep -q '"message": "EVENT_AVAIL"' $O/$1.json && grep -q '"message": "EVENT_USED"' $O/$1.json || fail "$1: no notification seen"
}
# A second one is refused while this one runs, which ends with its guest.
to_the_end()
{
	xvmsg trace $T > $O/$1.end.txt 2> $O/$1.end.log & trace_pid=$!
	wait_until 5 grep -q '^-- domain' $O/$1.end.txt || fail "$1: no trace"
	xvmsg trace $T --count 1 > /run/lab/second 2>&1 && fail "a second trace was served"
	grep -q 'being traced already' /run/lab/second || fail "second: $(cat /run/lab/second)"
	must "power off" guest_off $T
	ends "$1, guest gone" $O/$1.end.log
	grep -q 'the guest is gone' $O/$1.end.log || fail "$1: $(cat $O/$1.end.log)"
	grep -q 'SET_DEVICE_STATUS' $O/$1.end.txt || fail "$1: the end was not seen"
}
case_main()
{
	need_daemon
	O=$OUT/$CASE; mkdir -p $O
	xvmsg trace nobody > /run/lab/none 2>&1 && fail "a guest that is not there was traced"
	grep -q 'no such guest' /run/lab/none || fail "$(cat /run/lab/none)"
	for d in pr28 draft2026; do
		captured $d
		joined $d
		to_the_end $d
		grep -q "dialect $d," $O/$d.end.txt || fail "another dialect: $(head -1 $O/$d.end.txt)"
	done
	xvmsg trace $T --wait > $O/boot.txt 2> $O/boot.log & trace_pid=$!
	boot pr28
	must "power off" guest_off $T
	ends "text" $O/boot.log
}
