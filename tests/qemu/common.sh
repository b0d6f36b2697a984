# Shared by what runs on the host: which lab, and where its things are. Sourced, bash.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build}
case $B in /*) ;; *) B=$top/$B ;; esac
here=$top/tests/qemu
die() { echo "lab: $*" >&2; exit 1; }

# The labs. Those with a suite run packages that are not installed here, but unpacked under root.
labs="debian12 debian12-pvhdom0 debian13 debian12-arm64"
labname=${LAB:-debian12}
export LAB=$labname
arch=amd64 xen_version=4.17 suite= dom0=pv images=$labname
case $labname in
debian12) ;;
debian12-pvhdom0) dom0=pvh images=debian12 ;;
debian13) xen_version=4.20 suite=trixie ;;
debian12-arm64) arch=arm64 suite=bookworm dom0=arm ;;
*) die "LAB=$labname: no such lab, there are $labs" ;;
esac
case $arch in
amd64) triplet=x86_64-linux-gnu qemu=qemu-system-x86_64 ;;
arm64) triplet=aarch64-linux-gnu qemu=qemu-system-aarch64 ;;
esac
lab=$B/lab/$images root=
[ -z "$suite" ] || root=$lab/root
# The compiler for the lab's programs; the lab's own crt1.o and libc come before this machine's.
cc=${CC:-gcc}
[ -z "$root" ] || cc="$triplet-gcc --sysroot=$root -B$root/usr/lib/$triplet/ -L$root/usr/lib/$triplet"
# No lab writes where another one does; the first has the places that everybody knows.
out=$B/lab/$labname/out reports=$B/report/$labname tap=$B/check/xen-$labname.tap
[ "$labname" != debian12 ] || out=$B/lab/out reports=$B/report tap=$B/check/xen.tap
# Objects and programs built for the lab, and the tree that they are installed in.
objects=$lab/build stage=$lab/stage
[ "$images" != debian12 ] || objects=$B/lab/build stage=$B/stage
# The kernel whose headers are there, not the one this machine runs.
kver=$(ls -d "$root"/lib/modules/*/build 2>/dev/null | sed 's,.*/lib/modules/\(.*\)/build,\1,' | sort -V | tail -1 || true)
xen_image=$(ls "$root/boot/xen-$xen_version-$arch"* 2>/dev/null | grep -v '\.config$\|\.efi$' | head -1 || true)
# Xen takes a plain ELF kernel, for dom0 and for guests, and so nobody has to decompress a bzImage under TCG.
# unpacked FROM TO MAGIC COMMAND...: the part of the kernel's file that COMMAND unpacks, where that is an ELF file.
unpacked()
{
	local off from=$1 to=$2 magic=$3; shift 3
	for off in $(LC_ALL=C grep -obUaP "$magic" "$from" | cut -d: -f1); do
		tail -c "+$((off + 1))" "$from" | "$@" > "$to.new" 2>/dev/null || true	# there is more behind
		[ "$(head -c 4 "$to.new" | tr -d '\177')" = ELF ] && { mv "$to.new" "$to"; return; }
	done
	rm -f "$to.new"
	return 1
}
# unpack_kernel FROM TO
unpack_kernel()
{
	unpacked "$@" '\xfd7zXZ\x00' xz -dc --single-stream || unpacked "$@" '\x28\xb5\x2f\xfd' zstd -dc ||
		cp "$1" "$2"	# Arm's is not compressed; of any other kind: let Xen unpack it
}
# Strings in reports come from this machine's own tools; quotes and backslashes are dropped.
str() { printf '%s' "$1" | tr -d '"\\\n'; }
# The commit under test; the tree may have more.
commit()
{
	local c
	c=$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)
	git -C "$top" diff --quiet HEAD -- 2>/dev/null || c=$c-dirty
	echo "$c"
}
# report_head FILE: what stands at the top of every report; FILE has the lines "dom0 xen VERSION" and "dom0 linux VERSION".
report_head()
{
	get() { sed -n "s/^dom0 $1 //p" "$2" | head -1; }
	printf '  "commit": "%s",\n  "date": "%s",\n  "lab": "%s",\n' "$(commit)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$labname"
	printf '  "machine": {"cores": %d, "cpu": "%s", "accelerator": "tcg", "xen": "%s", "linux": "%s", "qemu": "%s"},\n' \
		"$(nproc)" "$(str "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)")" "$(str "$(get xen "$1")")" \
		"$(str "$(get linux "$1")")" "$(str "$($qemu --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')")"
}
