# virtio_msg = [ ... ] in a guest file: xvmsg create, apply, reboot, save and restore; what cannot be had leaves nothing.
CASE_LIMIT=240
cfg=/root/guests/gf.cfg
img=$IMG/case-gf-data.img
list() { sed -i '/^virtio_msg/d' $cfg; echo "virtio_msg = [ $1 ]" >> $cfg; }
record() { ls /etc/xen-virtio-msg/guests 2>/dev/null; }
has() { xvmsg list gf 2>/dev/null | awk -v d=$1 '$6 == d { print $7 }'; }
is_used() { [ "$(has $1)" = driver-ok ]; }
create() { : > "$(guest_log gf)"; rm -f /run/lab/gf.seq; xvmsg create $cfg > /run/lab/create 2>&1; }
use_data='load_modules && wait_disk b && mount_disk b /run/d && check_sums /run/d'

nothing_half()
{
	list '"type=rng", "type=disk,path=/data/nowhere.img"'
	create && fail "created with a disk that does not exist"
	grep -q "$cfg:.*:.*does not exist" /run/lab/create || { cat /run/lab/create; fail "no place, no reason"; }
	# What only the daemon can see: somebody else writes to it.
	guest_file other pv disk="$(disk_entry $img)"
	must "the other guest" guest_create other
	list '"type=rng", "type=disk,vdev=data,path='$img'"'
	create && fail "created with a disk that is in use"
	grep -q 'in use by guest' /run/lab/create || { cat /run/lab/create; fail "not the reason"; }
	guest_gone gf || fail "a half made guest stayed"
	[ -z "$(record)" ] || fail "a record stayed: $(record)"
	must "destroy the other" guest_destroy other
}

# A guest that stands still lets go of nothing: what was done before is undone. What it was asked for comes back with the next apply.
no_answer()
{
	xl pause gf
	list '"type=rng,name=dice", "type=rng,name=more"'
	xvmsg apply gf $cfg --wait=2 > /run/lab/apply 2>&1 && { xl unpause gf; fail "apply does not wait for a guest that stands still"; }
	xl unpause gf
	grep -q 'data: could not be detached' /run/lab/apply || { cat /run/lab/apply; fail "not the reason"; }
	[ "$(has dice)$(has more)" = driver-ok ] || { xvmsg list gf; fail "half of it was done"; }
	list '"type=disk,vdev=data,path='$img'", "type=rng,name=dice"'
	must "apply brings it back" xvmsg apply gf $cfg --wait=$((10 * SLOW))
	[ "$(has data)$(has dice)" = driver-okdriver-ok ] || { xvmsg list gf; fail "it did not come back"; }
}

case_main()
{
	need_daemon
	cp $IMG/small.img $img
	guest_file gf pv disk="$(disk_entry $(fresh gf))"
	nothing_half
	must "check" xvmsg check $cfg
	must "create" create
	must "ready" guest_wait gf 'GUEST: ready' 60
	in_guest gf 40 "$use_data && wait_until 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available"
	in_guest gf 20 'echo kept > /run/d/new/kept && umount /run/d && mount_disk a && check_sums && umount /mnt'
	# The same again changes nothing; another list changes what is different.
	must "apply" xvmsg apply gf $cfg
	[ "$(xvmsg apply gf $cfg)" = "" ] || fail "a second apply changes something"
	list '"type=disk,vdev=data,path='$img'", "type=rng,name=dice"'
	must "apply, and wait for the driver" xvmsg apply gf $cfg --wait=$((10 * SLOW))
	[ "$(has rng0)$(has data)$(has dice)" = driver-okdriver-ok ] || { xvmsg list gf; fail "apply did not do it"; }
	no_answer
	must "a passing device" xvmsg attach gf type=rng,name=passing
	id=$(guest_id gf)
	: > "$(guest_log gf)"
	guest_send gf 'reboot -f'
	must "guest is up again" wait_until 60 guest_says gf 'GUEST: ready'
	[ "$(guest_id gf)" != "$id" ] || fail "the domain id is still $id"
	in_guest gf 40 "$use_data && grep kept /run/d/new/kept && umount /run/d"
	wait_until 10 is_used dice && [ -z "$(has passing)" ] || { xvmsg list gf; fail "not the devices of before"; }
	on_arm || save_restore
	must "destroy" guest_destroy gf
	u=$(record)
	kept=$(cat /etc/xen-virtio-msg/guests/$u)
	sed -i.good 's,^kernel.*,kernel = "/nowhere/vmlinuz",' $cfg
	list '"type=rng,name=other"'
	create && fail "created without a kernel"
	[ "$(cat /etc/xen-virtio-msg/guests/$u)" = "$kept" ] || fail "what was kept is lost with a guest that xl cannot make"
	must "forget" xvmsg forget $u
	[ -z "$(record)" ] || fail "a record stayed: $(record)"
	fsck_clean $img
}

# xl and the record bring the devices back; whether the guest's driver goes on with them is the module's business (KEEP).
save_restore()
{
	must "save" xl save gf /data/images/case-gf.save >> $OUT/xl.log 2>&1
	[ -n "$(record)" ] || fail "the record went with the domain"
	must "restore" xl restore /data/images/case-gf.save >> $OUT/xl.log 2>&1
	wait_until 10 sh -c '[ $(xvmsg list gf | tail -n +2 | wc -l) = 3 ]' || { xvmsg list gf; fail "not its three devices after restore"; }
	say "73: after restore: $(xvmsg list gf | awk 'NR > 1 { printf "%s %s; ", $6, $7 }')"
	echo "# after restore: $(xvmsg list gf | awk 'NR > 1 { printf "%s %s; ", $6, $7 }')"
}
