# What must hold after every case: clean kernel logs, and nothing left of the guests. Each check names what it found, on
# lines that start with "# ". Sourced by lib.sh. check_begin ... check_end brackets one case.

bad_lines='BUG:|WARNING:|Oops|Call Trace|still in use|possible recursive locking|circular locking|inconsistent lock|blocked for more than|general protection|refcount_t|I/O error|UBSAN|leaking|g\.e\. 0x|segfault|traps:'
# The two lines that any module from outside the kernel tree causes.
taint_lines='loading out-of-tree module taints kernel|module verification failed: signature'

store_keys() { xenstore-ls -f / 2>/dev/null | sed 's/ = .*//' | sort; }
fd_count() { for p in $(xvmsgd_pid); do ls /proc/$p/fd; done 2>/dev/null | wc -l; }
workers() { ps -o pid,comm,args 2>/dev/null | grep '[x]vmsg-worker'; }
xen_free_mb() { xl info | awk '$1 == "free_memory" { print $3 }'; }
dom0_avail_kb() { awk '/MemAvailable/ { print $2 }' /proc/meminfo; }

kmsg_mark() { dmesg -c >> $OUT/dom0-dmesg.log; xl dmesg -c >> $OUT/xl-dmesg.log 2>&1; }

check_begin()
{
	kmsg_mark
	store_keys > /run/lab/keys
	fd_count > /run/lab/fds
	xvmsgd_pid > /run/lab/xvmsgd
	rm -f /var/log/xen/console/guest-*.log
	CASE_ALLOW=
}

# found WHAT: reads lines; if there are any, says so and fails.
found()
{
	fo_text=$(cat)
	[ -n "$fo_text" ] || return 0
	echo "$fo_text" | head -20 | sed "s/^/# $1: /"
	return 1
}

# kernel_lines FILE...: the bad ones, less the taint lines and what the case announced in CASE_ALLOW.
kernel_lines() { cat "$@" 2>/dev/null | tr -d '\r' | grep -aE "$bad_lines" | grep -avE "$taint_lines${CASE_ALLOW:+|$CASE_ALLOW}"; }

check_kernel_logs()
{
	dmesg -c > /run/lab/dmesg; cat /run/lab/dmesg >> $OUT/dom0-dmesg.log
	xl dmesg -c > /run/lab/xldmesg 2>&1; cat /run/lab/xldmesg >> $OUT/xl-dmesg.log
	ck=0
	kernel_lines /run/lab/dmesg | found "dom0 kernel" || ck=1
	# At this log level Xen says nothing in a healthy run, but that on Arm Linux clears more than the emulated interrupt controller has.
	grep -avE "^\$|Synced (stime|cycles) skew|vGIC[DR]: .*unhandled word write .* to ICACTIVER${CASE_ALLOW:+|$CASE_ALLOW}" /run/lab/xldmesg | found "xen" || ck=1
	kernel_lines /var/log/xen/console/guest-*.log | found "guest kernel" || ck=1
	return $ck
}

no_zombies() { [ "$(xl list 2>/dev/null | wc -l)" = 2 ]; }
no_workers() { [ -z "$(workers)" ]; }
no_new_keys() { store_keys > /run/lab/keys.now; [ -z "$(grep -vxFf /run/lab/keys /run/lab/keys.now)" ]; }
# Before anything is counted, guests are destroyed; a domain in state "d", or named "(null)", has pages mapped somewhere.
check_leaks()
{
	cl=0
	guest_destroy_all
	wait_until 5 no_zombies || xl list | awk 'NR > 2' | found "domain left" || cl=1
	wait_until 5 no_workers || workers | found "worker left" || cl=1
	wait_until 3 no_new_keys || grep -vxFf /run/lab/keys /run/lab/keys.now | found "xenstore node left" || cl=1
	if [ "$(xvmsgd_pid)" = "$(cat /run/lab/xvmsgd)" ]; then
		fds=$(fd_count)
		[ "$fds" -le "$(cat /run/lab/fds)" ] || echo "$(cat /run/lab/fds) before, $fds after" | found "descriptors of xvmsgd" || cl=1
	elif [ -z "$CASE_RESTARTS" ]; then
		echo "pid was '$(cat /run/lab/xvmsgd)', is '$(xvmsgd_pid)'" | found "xvmsgd died or restarted" || cl=1
	fi
	losetup -a | grep -v /data.raw | found "loop device left" || cl=1
	return $cl
}

check_end()
{
	ce=0
	check_leaks || ce=1
	check_kernel_logs || ce=1
	return $ce
}
