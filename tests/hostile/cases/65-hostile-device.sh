# A device side that lies to the Linux module, in every way we know: the guest's kernel has an error on that device at most, lets go
# of it, and works with an honest one afterwards.
CASE_LIMIT=300
CASE_RESTARTS=1
CASE_ALLOW='I/O error'	# the liar's disk; the guest says for itself what it read
liar_daemon()
{
	mkdir -p /etc/default
	echo 'XVMSGD_ARGS="--log /var/log/xvmsgd.log --connect-interval 20 --worker /usr/bin/xvmsg-liar"' > /etc/default/xvmsgd
	trap 'rm -f /etc/default/xvmsgd; guest_destroy_all; xvmsgd_stop; xvmsgd_start' EXIT
	must "stop" xvmsgd_stop
	must "start" xvmsgd_start
	sleep 1
}
# What the guest has said since the last time.
lies_told() { tr -d '\r' < "$(guest_log liar)" | sed -n 's/^LIE //p' | tail -n +$((lies_seen + 1)); }
account_lie()
{
	name=$1 outcome=$3
	shift 3
	want=$(sed -n "s/^$name //p" /run/lab/lies)
	verdict=failed
	case "|$want|" in *"|$outcome|"*) verdict=survived ;; esac
	[ $verdict = survived ] || { bad=$((bad + 1)); echo "$name: $outcome, not $want: $*"; }
	kv "attack module $name $verdict $outcome; $*"
	live "     $(printf '%-34s %s' $name "$verdict: $outcome; $*")"
}
account()
{
	lies_told > /run/lab/told
	while read -r l; do
		lies_seen=$((lies_seen + 1))
		case $l in
		after*) bad=$((bad + 1)); echo "$l"; live "     $l" ;;
		*) count=$((count + 1)); account_lie $l ;;
		esac
	done < /run/lab/told
}
# tell NAME...: a chunk, as a console line cannot be long.
tell()
{
	guest_send liar "liar_slow=$SLOW; . /jobs/liar; liar_round $*"
	tell_seq=$gs_seq tell_end=$(($(cut -d. -f1 /proc/uptime) + 120 * SLOW))
	until guest_says liar "GUEST: done $tell_seq "; do
		guest_gone liar && fail "the guest is gone"
		[ $(cut -d. -f1 /proc/uptime) -lt $tell_end ] || { account; guest_tail liar; fail "no end to: $*"; }
		usleep 300000
		account
	done
	account
}
case_main()
{
	. /lab/hostile.sh
	need_daemon
	lies_seen=0 count=0 bad=0
	xvmsg-liar list > /run/lab/lies
	liar_daemon
	guest_file liar pv vcpus=2 disk="$(disk_entry $(fresh liar))"
	must "guest start" guest_start liar
	in_guest liar 60 "liar_slow=$SLOW; . /jobs/liar; liar_begin"
	for l in $([ -n "$LAB_lies" ] && echo "$LAB_lies" | tr '+' ' ' || cut -d' ' -f1 /run/lab/lies); do
		chunk="$chunk $l"
		[ $(echo $chunk | wc -w) -lt 12 ] || { tell $chunk; chunk=; }
	done
	[ -z "$chunk" ] || tell $chunk
	echo "# $count lies, $bad not survived"
	# As if nothing had been: an honest worker, a file system, written and read.
	rm /etc/default/xvmsgd
	must "stop" xvmsgd_stop
	must "start" xvmsgd_start
	in_guest liar 60 'rmmod xen-virtio-msg; mount_disk && check_sums && echo kept > /mnt/new/after && umount /mnt'
	in_guest liar 10 '[ $(dmesg | grep -cE "WARNING|BUG|Oops|blocked for more|still in use|rcu.*stall") = 0 ]'
	must "power off" guest_off liar
	fsck_clean $IMG/case-liar.img
	[ $bad = 0 ] || fail "$bad lies were not survived"
	[ $count = $(wc -l < /run/lab/lies) ] || [ -n "$LAB_lies" ] || fail "$count lies were told of $(wc -l < /run/lab/lies)"
}
