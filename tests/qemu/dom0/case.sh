# Shortcuts for cases. Sourced by job-check before a case.
IMG=/data/images

skip() { echo "$*"; exit 77; }
fail() { echo "$*"; exit 1; }
# need_type TYPE CASE: for cases that exist once for each type of guest; CASE is the one that runs where TYPE does not exist.
need_type() { case " $(guest_types) " in *" $1 "*) ;; *) skip "there are no $1 guests on $(uname -m); $2 does the same" ;; esac; }
need_save() { ! on_arm || skip "Xen on Arm has no save, restore and migration"; }
need_daemon() { [ -n "$LAB_standin" ] && skip "needs xvmsgd, and blkback stands in for it"; have_xvmsgd || skip "this build has no xvmsgd"; }
# fresh NAME: a new copy of the small image, as case-NAME.img.
fresh() { cp $IMG/small.img $IMG/case-$1.img; echo $IMG/case-$1.img; }
# must WHAT COMMAND...: the case fails when the command does.
must() { mu_what=$1; shift; "$@" || fail "failed: $mu_what"; }
# in_guest NAME SECONDS COMMAND: must succeed.
in_guest() { guest_run "$@" || fail "in guest $1, status $?: $3$(echo; guest_tail $1)"; }
fsck_clean() { e2fsck -fn $1 > /run/lab/fsck 2>&1 || { cat /run/lab/fsck; fail "e2fsck finds $1 damaged"; }; }
# verified_by NAME: the bytes that say_verified said there last.
verified_by() { sed -n 's/^.*compared \([0-9]*\) bytes.*/\1/p' $(guest_log $1) | tail -1; }
# io_case TYPE VCPUS: sums, fio with verification, power off, e2fsck.
io_case()
{
	img=$(fresh io)
	guest_file io $1 vcpus=$2 disk="$(disk_entry $img)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	must "guest start" guest_start io
	in_guest io 30 'mount_disk && check_sums && wait_disk b && mount_disk b /run/t ro'
	in_guest io 60 'small_fio /mnt/fio.dat'
	in_guest io 20 'say_verified && umount /mnt && umount /run/t'
	must "power off" guest_off io
	fsck_clean $img
	[ -n "$LAB_standin" ] || device_row disk own $1 "$(dialect_of io)" "sums of the image's files read, fio with verification on $2 processors, fsck" $(verified_by io)
}
# io_loop NAME [LETTER]: disk a (or LETTER) and the tools are mounted, and fio with verification goes on until io_loop_end.
io_loop()
{
	in_guest $1 60 "{ is_mounted /mnt || mount_disk ${2:-a}; } && { is_mounted /run/t || { wait_disk b && mount_disk b /run/t ro; }; } && check_sums"
	in_guest $1 10 'rm -f /run/end /run/bad /run/ended; echo > /run/loops; (while [ ! -e /run/end ]; do small_fio /mnt/fio.dat 2 && echo x >> /run/loops || { cp /run/fio.out /run/bad; break; }; done; echo x > /run/ended) >/dev/null 2>&1 &'
}
# io_loop_end NAME: it has come round at least once more, and found nothing wrong.
io_loop_end()
{
	in_guest $1 400 'n=$(wc -l < /run/loops); wait_until 300 sh -c "[ -e /run/bad ] || [ \$(wc -l < /run/loops) -gt $n ]"; touch /run/end; wait_until 90 test -e /run/ended; echo "fio rounds: $(wc -l < /run/loops)"; cat /run/bad 2>/dev/null; [ -e /run/ended ] && [ ! -e /run/bad ] && [ $(wc -l < /run/loops) -gt $n ] && check_sums'
}
# device_row TYPE SERVER GUEST_TYPE DIALECT WHAT BYTES: a row of build/report/devices.json for what was just seen to work. It says "fail" in
# the end if the case does not pass (job-check).
device_row()
{
	printf '%s\t%s\t%s\t%s\t%s\t%s\tpass\n' "$@" >> $OUT/$CASE/devices.kv
}
# dialect_of NAME: of the guest's newest connection.
dialect_of() { daemon_log | sed -n "s/.*($1): bus up: dialect \([^,]*\),.*/\1/p" | tail -1; }
# What xvmsgd has said.
daemon_log() { cat /var/log/xvmsgd.log 2>/dev/null; }
# refused TEXT NAME: xl create fails soon, the reason is in xl's output or in the daemon's log.
refused()
{
	daemon_log | wc -l > /run/lab/log.lines
	t=$(now)
	guest_create $2 && fail "xl create of $2 succeeded"
	s=$(since $t)
	awk -v s=$s -v f=$SLOW 'BEGIN { exit s > 8 * f }' || fail "the refusal took $s s"
	{ cat /run/lab/$2.create; daemon_log | tail -n +$(($(cat /run/lab/log.lines) + 1)); } > /run/lab/reason
	grep -qiE "$1" /run/lab/reason || { cat /run/lab/reason; fail "no reason like '$1' was given"; }
	grep -iE "$1" /run/lab/reason | head -2
}
