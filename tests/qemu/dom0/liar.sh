# A device side that lies to the Linux module, one lie after the other in one guest. Sourced by case 65. Needs hostile.sh.
# The guest's kernel has an error on that device at most, lets go of it, and works with an honest one afterwards.
# Its allocator fills and checks what is freed and what lies between objects, lists are checked, and whatever it has to say fails the case.
liar_checks='slub_debug=FZP page_poison=1'
liar_found='WARNING:|BUG[: ]|Oops|list_(add|del) corruption|blocked for more|still in use|rcu.*stall|soft lockup'

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
# account_lie NAME SECONDS OUTCOME TEXT...
account_lie()
{
	al_name=$1 al_s=$2 al_outcome=$3
	shift 3
	al_want=$(sed -n "s/^$al_name //p" /run/lab/lies)
	al_verdict=failed
	case "|$al_want|" in *"|$al_outcome|"*) al_verdict=survived ;; esac
	[ $al_verdict = survived ] || { bad=$((bad + 1)); echo "$al_name: $al_outcome, not $al_want: $*"; }
	kv "attack module $al_name $al_verdict $al_outcome; $*"
	live "     $(printf '%-34s %s' $al_name "$al_verdict: $al_outcome after $al_s s; $*")"
}
account()
{
	lies_told > /run/lab/told
	while read -r l; do
		lies_seen=$((lies_seen + 1))
		seconds; tell_last=$se_up
		case $l in
		after*) bad=$((bad + 1)); echo "$l"; live "     $l" ;;
		*) count=$((count + 1)); account_lie $l ;;
		esac
	done < /run/lab/told
}
# tell NAME=EXPECTED...: a chunk, as a console line cannot be long. Each lie has a minute and a half to end in.
tell()
{
	guest_send liar ". /jobs/liar; liar_round $*"
	tell_seq=$gs_seq tell_n=0
	seconds; tell_last=$se_up
	until guest_says liar "GUEST: done $tell_seq "; do
		tell_n=$((tell_n + 1))
		[ $((tell_n % 8)) = 0 ] && guest_gone liar && fail "the guest is gone"
		seconds
		[ $((se_up - tell_last)) -lt $((90 * SLOW)) ] || { account; guest_tail liar; fail "no end to the one after $count of: $*"; }
		usleep 700000
		account
	done
	account
}

# As if nothing had been: an honest worker, a file system, written and read.
liar_afterwards()
{
	rm /etc/default/xvmsgd
	must "stop" xvmsgd_stop
	must "start" xvmsgd_start
	in_guest liar 60 'rmmod xen-virtio-msg; mount_disk && check_sums && echo kept > /mnt/new/after && umount /mnt'
	guest_run liar 10 "dmesg -c >> /run/liar.dmesg; grep -E '$liar_found' /run/liar.dmesg" && fail "the guest's kernel had something to say: $(guest_tail liar)"
	must "power off" guest_off liar
	fsck_clean $IMG/case-liar.img
}

# liar_case NAME...
liar_case()
{
	need_daemon
	lies_seen=0 count=0 bad=0 lc_chunk=
	xvmsg-liar list | grep -E "^($(echo $* | tr ' ' '|')) " > /run/lab/lies
	[ $(wc -l < /run/lab/lies) = $# ] || fail "$# lies were named, $(wc -l < /run/lab/lies) of them are known"
	liar_daemon
	guest_file liar pv vcpus=2 extra="$liar_checks" disk="$(disk_entry $(fresh liar))"
	must "guest start" guest_start liar
	in_guest liar 90 ". /jobs/liar; liar_begin"
	for l in $(sed 's/ /=/' /run/lab/lies); do
		lc_chunk="$lc_chunk '$l'"
		[ $(echo $lc_chunk | wc -w) -lt 12 ] || { tell $lc_chunk; lc_chunk=; }
	done
	[ -z "$lc_chunk" ] || tell $lc_chunk
	echo "# $count lies, $bad not survived"
	liar_afterwards
	kv dom0_kernel_errors $(dom0_errors)
	[ $bad = 0 ] || fail "$bad lies were not survived"
	[ $count = $(wc -l < /run/lab/lies) ] || fail "$count lies were told of $(wc -l < /run/lab/lies)"
}
