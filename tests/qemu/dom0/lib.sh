# The dom0 side of the lab, for jobs and cases (POSIX sh, busybox). Sourced; pulls in the parts.
# LAB_standin=1 gives guests their disks through stock blkback instead of xvmsgd.
LAB=${LAB:-/lab}
now() { cut -d' ' -f1 /proc/uptime; }				# seconds with centiseconds
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }
say() { echo "@@ $*"; }						# for the person who waits
# How slow this machine is today: dom0 is up after about 6 s where nobody else computes, on Arm after 3. Bounds of waits are stretched
# by it. Fixed once, by init.
slow_factor() { awk -v idle=$([ "$(uname -m)" = aarch64 ] && echo 3.5 || echo 7) '{ f = int($1 / idle); if (f < 1) f = 1; if (f > 8) f = 8; print f }' /proc/uptime; }
SLOW=${SLOW:-$(slow_factor)}; export SLOW
# Seconds since the start, without a process: they are dear where each instruction is emulated.
seconds() { read -r se_up se_idle < /proc/uptime; se_up=${se_up%.*}; }
# wait_until SECONDS COMMAND...: poll until it succeeds; 1 when time is up.
wait_until()
{
	seconds
	wu_end=$((se_up + $1 * SLOW)); shift
	while ! "$@"; do
		seconds
		[ $se_up -lt $wu_end ] || return 1
		usleep 100000
	done
}
. $LAB/stack.sh
. $LAB/guest.sh
. $LAB/check.sh
. $LAB/stats.sh
