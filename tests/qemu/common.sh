# Shared by image, boot, demo and check-xen on the host: where things are. Sourced, bash.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build}
make_b=$B	# as make knows it: its dependency files hold such names
case $B in /*) ;; *) B=$top/$B ;; esac
labname=debian12
lab=$B/lab/$labname
out=$B/lab/out
here=$top/tests/qemu
# The kernel whose headers are installed, not the one this machine runs.
kver=$(ls -d /lib/modules/*/build 2>/dev/null | sed 's,/lib/modules/\(.*\)/build,\1,' | sort -V | tail -1)
xen_gz=$(ls /boot/xen-4.17-amd64.gz 2>/dev/null)
die() { echo "lab: $*" >&2; exit 1; }
