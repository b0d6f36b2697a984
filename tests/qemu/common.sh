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
# Strings in reports come from this machine's own tools; quotes and backslashes are dropped.
str() { printf '%s' "$1" | tr -d '"\\\n'; }
# report_head FILE: what stands at the top of every report; FILE has the lines "dom0 xen VERSION" and "dom0 linux VERSION".
report_head()
{
	local commit
	commit=$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)
	git -C "$top" diff --quiet HEAD -- 2>/dev/null || commit=$commit-dirty
	get() { sed -n "s/^dom0 $1 //p" "$2" | head -1; }
	printf '  "commit": "%s",\n  "date": "%s",\n  "lab": "%s",\n' "$commit" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$labname"
	printf '  "machine": {"cores": %d, "cpu": "%s", "accelerator": "tcg", "xen": "%s", "linux": "%s", "qemu": "%s"},\n' \
		"$(nproc)" "$(str "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)")" "$(str "$(get xen "$1")")" \
		"$(str "$(get linux "$1")")" "$(str "$(qemu-system-x86_64 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')")"
}
die() { echo "lab: $*" >&2; exit 1; }
