# What jobs and dom0's commands use inside a guest. Sourced by init.
say() { echo "GUEST: $*"; }
now() { cut -d' ' -f1 /proc/uptime; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
# step NAME COMMAND...: runs it, says how it went and how long it took.
step()
{
	st_name=$1 st_t=$(now); shift
	"$@"
	st_rc=$?
	[ $st_rc = 0 ] && say "step ok $st_name $(since $st_t)" || say "step failed $st_name $(since $st_t) rc=$st_rc"
	return $st_rc
}
# Seconds since the start, without a process: they are dear where each instruction is emulated.
seconds() { read -r se_up se_idle < /proc/uptime; se_up=${se_up%.*}; }
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
# virtio before virtio_blk, whose module init registers with it; then the bus.
load_modules()
{
	modprobe -a crc32c_generic virtio_ring virtio virtio_blk virtio-rng ext4 || return 1
	grep -q standin /proc/cmdline && { modprobe xen-blkfront; return; }
	modprobe xen-virtio-msg
}
have_disk() { [ -b /dev/vd$1 ] || [ -b /dev/xvd$1 ]; }
disk() { [ -b /dev/vd${1:-a} ] && echo /dev/vd${1:-a} || echo /dev/xvd${1:-a}; }
wait_disk() { wait_until ${2:-20} have_disk ${1:-a} || { say "no disk ${1:-a}"; return 1; }; }
# mount_disk [LETTER] [POINT] [OPTIONS]
mount_disk()
{
	load_modules && wait_disk ${1:-a} && mkdir -p ${2:-/mnt} && mount -t ext4 -o ${3:-rw} $(disk ${1:-a}) ${2:-/mnt}
}
is_mounted() { grep -q " $1 " /proc/mounts; }
check_sums() { (cd ${1:-/mnt} && sha256sum -c SHA256SUMS > /run/sums 2>/run/sums.err) || { grep -v ': OK$' /run/sums | head -5; cat /run/sums.err; return 1; }; }
bus_stats() { cat /sys/kernel/debug/xen-virtio-msg/*/stats 2>/dev/null; }
warnings() { dmesg | grep -E "$bad_lines" | grep -vE 'loading out-of-tree module|module verification failed'; }
bad_lines='BUG:|WARNING:|Oops|Call Trace|still in use|possible recursive locking|circular locking|inconsistent lock|blocked for more than|general protection|refcount_t|I/O error|Kernel panic|UBSAN|leaking'
stop()
{
	say "kernel warnings: $(warnings | wc -l)"
	warnings | head -20 | sed 's/^/GUEST: dmesg /'
	say "off"
	# As any init does: a file system's own thread (ext4's lazy start of the inode tables) would meet a disk that is gone.
	umount -a -r -t ext4 2>/dev/null
	sync
	poweroff -f
}
# small_fio FILE [MB] [OPTION...]: fio from the tools image on /run/t.
small_fio()
{
	sf_file=$1 sf_mb=${2:-3}
	[ $# -lt 2 ] && shift || shift 2
	/run/t/tools/ld.so --library-path /run/t/tools /run/t/tools/fio --name=case --filename=$sf_file --size=${sf_mb}m \
		--rw=randwrite --bssplit=4k/60:16k/25:64k/15 --ioengine=libaio --iodepth=8 --direct=1 --verify=crc32c --do_verify=1 \
		--verify_fatal=1 --thread --randseed=$$ --output-format=normal,terse --terse-version=3 "$@" > /run/fio.out 2>&1 || { tail -20 /run/fio.out; return 1; }
	awk -F';' '/^3;/ { print ($6 + $47) * 1024 }' /run/fio.out >> /run/fio.bytes
}
# say_verified [DIR [BYTES]]: how many bytes were compared: read and written by small_fio, of the files in DIR that have sums, and BYTES more.
say_verified()
{
	sv_n=${2:-0}
	[ ! -e ${1:-/mnt}/SHA256SUMS ] || sv_n=$((sv_n + $(cd ${1:-/mnt} && sed 's/^[^ ]*  //' SHA256SUMS | tr '\n' '\0' | xargs -0 stat -c %s | awk '{ n += $1 } END { printf "%d", n }')))
	[ ! -e /run/fio.bytes ] || sv_n=$((sv_n + $(awk '{ n += $1 } END { printf "%d", n }' /run/fio.bytes)))
	echo "compared $sv_n bytes"
}
# The console and the port called agent of a virtio-console: their devices, in /run/con and /run/port.
find_console()
{
	for fc_n in 1 2 3 4 5 6 7; do
		( : < /dev/hvc$fc_n ) 2>/dev/null && echo /dev/hvc$fc_n > /run/con && break
	done
	for fc_p in /sys/class/virtio-ports/*; do
		grep -qs agent $fc_p/name && echo /dev/${fc_p##*/} > /run/port
	done
	[ -s /run/con ] && [ -s /run/port ]
}
