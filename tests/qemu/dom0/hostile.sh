# Attacks of one guest, while another does verified I/O. Sourced by the cases 6*. Writes $OUT/$CASE/hostile.kv for the report:
#   attack AGAINST NAME survived|failed TEXT, victim_io_errors N, victim_rounds N, dom0_kernel_errors N, worker_crashes N
kv() { echo "$*" >> $OUT/$CASE/hostile.kv; }
# A case's own output is kept for later; this is for the person who waits.
live() { say "$*" > /dev/hvc0; }

# The attacker is dropped dozens of times; with the default back-off that would take an hour.
quick_connects()
{
	mkdir -p /etc/default
	echo 'XVMSGD_ARGS="--log /var/log/xvmsgd.log --connect-interval 20"' > /etc/default/xvmsgd
	trap 'rm -f /etc/default/xvmsgd; guest_destroy_all; xvmsgd_stop; xvmsgd_start' EXIT
	must "stop" xvmsgd_stop
	must "start" xvmsgd_start
	sleep 1
}

guests_start()
{
	mkdir -p /etc/xen-virtio-msg/devices
	printf 'type=rng\n' > /etc/xen-virtio-msg/devices/case-hostile
	guest_file victim pv disk="$(disk_entry $(fresh victim))" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	guest_file evil pv vcpus=2 mem=320 disk="$(disk_entry $(fresh evil) rw)" disk="$(disk_entry /etc/xen-virtio-msg/devices/case-hostile rw xvdb)"
	must "attacker's creation" guest_create evil	# both boot at once
	must "victim's start" guest_start victim
	in_guest victim 60 'mount_disk && check_sums && wait_disk b && mount_disk b /run/t ro'
	# All the time, at a rate that leaves the processors to the attacks.
	in_guest victim 10 '(n=0; while [ ! -e /run/end ]; do small_fio /mnt/new/v 2 --rate_iops=100 && n=$((n + 1)) || say "victim error"; say "victim round $n"; done; say "victim end") &'
	must "the victim's first round" guest_wait victim 'GUEST: victim round' 60
}
victim_errors() { tr -d '\r' < "$(guest_log victim)" | grep -acE 'GUEST: victim error|I/O error|blocked for more'; }
victim_rounds() { tr -d '\r' < "$(guest_log victim)" | grep -ac 'GUEST: victim round'; }
victim_end()
{
	guest_send victim 'touch /run/end'
	must "the victim's end" guest_wait victim 'GUEST: victim end' 120
	in_guest victim 60 'cd / && sync && umount /mnt && umount /run/t && mount_disk && check_sums && umount /mnt'
	ve_n=$(victim_errors)
	kv victim_io_errors $ve_n; kv victim_rounds $(victim_rounds)
	echo "# victim: $(victim_rounds) rounds of verified I/O, $ve_n errors"
	[ $ve_n = 0 ] || fail "the victim had $ve_n I/O errors"
	must "victim's power off" guest_off victim
	fsck_clean $IMG/case-victim.img
}

# Its kernel is not under test, and has something to say when its grants stay in use.
attacker_start()
{
	must "attacker's start" guest_wait evil 'GUEST: ready' 60
	in_guest evil 20 'echo 1 > /proc/sys/kernel/printk; modprobe xen-gntalloc limit=20000 && modprobe xen-evtchn'
}
# Its own module, afterwards, as if nothing had been.
attacker_proper() { guest_run evil 60 'rmmod xen-evtchn xen-gntalloc; load_modules && wait_disk a && dd if=$(disk a) of=/dev/null bs=64k count=32 iflag=direct && dd if=/dev/zero of=$(disk a) bs=64k count=4 oflag=direct' || { tail -5 /var/log/xvmsgd.log; xenstore-ls /local/domain/$(guest_id evil)/device/virtio-msg; guest_tail evil; fail "the attacker's own module does not work afterwards"; }; }

dom0_errors() { dmesg > /run/lab/h.dmesg; kernel_lines /run/lab/h.dmesg | wc -l; }
h_said() { tail -n +$((h_log + 1)) /var/log/xvmsgd.log; }
# A worker that ended by anything but a fault of its guest that it named. One that xvmsgd ends is none of these: that is the most an
# attack may cost, and told in the report.
crashes() { h_said | grep 'worker ended: ' | grep -vE '\(code ([1-5]|16),'; }
worker_kills() { h_said | grep -c 'did not end within'; }

# What must hold after each attack; says what does not.
h_state()
{
	[ "$(xvmsgd_pid)" = "$h_pid" ] || echo "xvmsgd died"
	[ "$(dom0_errors)" = 0 ] || echo "dom0's kernel: $(kernel_lines /run/lab/h.dmesg | tail -1)"
	[ "$(victim_errors)" = 0 ] || echo "the victim had an I/O error"
	[ "$1" = 0 ] || echo "a worker: $(crashes | tail -1)"
}

# One line of the attacker's: "HOSTILE NAME survived: TEXT".
h_account()
{
	ha_name=${1%% *} ha_rest=${1#* }
	ha_verdict=${ha_rest%%:*} ha_text=${ha_rest#*: }
	ha_crashes=$(crashes | wc -l)
	ha_state=$(h_state $((ha_crashes - h_crashes)) | tr '\n' ';')
	h_crashes=$ha_crashes
	live "     $(printf '%-34s %s' "$ha_name" "$ha_verdict: $ha_text${ha_state:+; $ha_state}")"
	[ "$ha_verdict" = survived ] && [ -z "$ha_state" ] && { kv "attack worker $ha_name survived $ha_text"; return; }
	kv "attack worker $ha_name failed $ha_text; $ha_state"
	echo "$ha_name: $ha_text; $ha_state"
	h_bad=$((h_bad + 1))
}

# What there is to know when the attacker says nothing for long.
h_stuck()
{
	h_bad=$((h_bad + 1))
	{
		echo "$1: no attack ended for $((90 * SLOW)) s"
		guest_tail evil
		tail -5 /var/log/xvmsgd.log
		xenstore-ls /local/domain/$(guest_id evil)/device/virtio-msg/0
		xenstore-read /local/domain/0/backend/virtio-msg/$(guest_id evil)/0/state
		workers
		for p in $(pidof xvmsg-worker); do cat /proc/$p/syscall /proc/$p/stack; grep -E 'State|ctxt' /proc/$p/status; done
		top -bn1 | head -14
	} > /run/lab/stuck 2>&1
	cat /run/lab/stuck
	while read -r l; do live "     $l"; done < /run/lab/stuck
}

# attack_group GROUP: all attacks of it, one after the other; each is accounted for when it says how it went.
attack_group()
{
	guest_run evil 10 "echo HOSTILE-ATTACKS \$(xvm-hostile list $1 | wc -l)"
	ag_want=$((h_lines + $(tr -d '\r' < "$(guest_log evil)" | sed -n 's/^HOSTILE-ATTACKS //p' | tail -1)))
	guest_send evil "xvm-hostile list $1 | cut -d' ' -f2 | xargs xvm-hostile"
	ag_seq=$gs_seq ag_n=0
	seconds; ag_last=$se_up
	: > /run/lab/attacks.done
	while :; do
		guest_says evil "GUEST: done $ag_seq "; ag_done=$?
		tr -d '\r' < "$(guest_log evil)" | sed -n 's/^HOSTILE //p' | tail -n +$((h_lines + 1)) > /run/lab/attacks
		while read -r l; do
			h_lines=$((h_lines + 1))
			h_account "$l"
			seconds; ag_last=$se_up
		done < /run/lab/attacks
		[ $ag_done != 0 ] || break
		ag_n=$((ag_n + 1))
		[ $((ag_n % 8)) = 0 ] && guest_gone evil && { echo "the attacker is gone"; h_bad=$((h_bad + 1)); break; }
		seconds
		[ $((se_up - ag_last)) -lt $((90 * SLOW)) ] || { h_stuck $1; break; }
		usleep 300000
	done
	[ $h_lines = $ag_want ] || { echo "$1: $((ag_want - h_lines)) attacks were not tried"; h_bad=$((h_bad + 1)); }
}

# hostile_case GROUP... (LAB_groups=a+b: these)
hostile_case()
{
	need_daemon
	[ -z "$LAB_groups" ] || set -- $(echo "$LAB_groups" | tr '+' ' ')
	quick_connects
	live "     xvmsgd is up again after $(now) s"
	guests_start
	live "     the victim works after $(now) s"
	attacker_start
	live "     the attacker is up after $(now) s"
	h_pid=$(xvmsgd_pid) h_bad=0 h_lines=0 h_crashes=0 h_log=$(wc -l < /var/log/xvmsgd.log)
	for g; do attack_group $g; done
	echo "# $h_lines attacks, $h_bad not survived"
	attacker_proper
	[ -z "$H_LAST" ] || $H_LAST
	guest_gone evil || must "attacker's end" quickly 5 "xl destroy of the attacker" guest_destroy evil
	victim_end
	kv dom0_kernel_errors $(dom0_errors); kv worker_crashes $h_crashes; kv worker_kills $(worker_kills)
	[ $h_bad = 0 ] || fail "$h_bad attacks were not survived"
}
