# Devices come and go in a running guest: attached, used, enlarged, detached with and without asking, under I/O, from a guest that does not answer.
CASE_LIMIT=$((200 + ${LAB_hotplug_seconds:-45}))
# A disk that is taken away under its writer is an I/O error, and that is the point.
CASE_ALLOW='I/O error'
hot=$IMG/case-hot.img
no_hot() { ! xvmsg show hp hot >/dev/null 2>&1; }
# refuses TEXT COMMAND...: exit status 1 and that text, one line.
refuses()
{
	re_text=$1; shift
	"$@" > /run/lab/refused 2>&1
	re_rc=$?
	[ $re_rc = 1 ] && [ $(wc -l < /run/lab/refused) = 1 ] && grep -q -- "$re_text" /run/lab/refused && return
	cat /run/lab/refused; fail "status $re_rc, expected 1 and '$re_text': $*"
}
value() { awk -v key=$1 '$1 == key { print $2 }' /run/lab/show; }
guest_capacity() { in_guest hp 20 "wait_until 10 grep -qx $1 /sys/block/vdb/size"; }

bad_input()
{
	refuses 'no domain nobody runs here' xvmsg attach nobody type=rng
	refuses 'none of disk, rng' xvmsg attach hp type=ring
	refuses 'column 10.*unknown key' xvmsg attach hp type=rng,colour=red
	refuses 'does not exist' xvmsg attach hp type=disk,path=/data/nowhere.img
	refuses 'has a device named hot' xvmsg attach hp type=rng,name=hot
	refuses 'in use by guest' xvmsg attach hp type=disk,path=$hot
	refuses 'has no device gone' xvmsg detach hp gone
	refuses 'disk list of xl' xvmsg detach hp xvda
	refuses 'only grows' xvmsg set hp hot size=1M
	refuses 'cannot be set' xvmsg set hp hot mtu=5
	xvmsg attach hp > /dev/null 2>&1; [ $? = 2 ] || fail "wrong arguments are not status 2"
	[ "$(xvmsg list hp --json | grep -c '"name": *"hot"')" = 1 ] || fail "a refused device stayed"
}

use_and_resize()
{
	must "attach" xvmsg attach hp type=disk,vdev=hot,path=$hot --wait=30
	[ "$(xvmsg show hp hot | awk '$1 == "state" { print $2 }')" = driver-ok ] || fail "$(xvmsg show hp hot)"
	in_guest hp 30 'wait_disk b && mount_disk b /run/h && check_sums /run/h && grep -q hot /sys/block/vdb/serial'
	xvmsg top -b -d 1 -i 1 > /run/lab/top; grep -q ' hot .*driver-ok' /run/lab/top || { cat /run/lab/top; fail "top does not show it"; }
	xvmsg show hp hot > /run/lab/show
	[ $(value latency_ns) -gt $(value io_requests) ] && [ $(value notifications_in) -gt 0 ] && [ $(value notifications_out) -gt 0 ] ||
		{ cat /run/lab/show; fail "a disk that was read has no counters"; }
	echo "# hot: $(value io_requests) requests of $(($(value latency_ns) / $(value io_requests) / 1000)) us, $(value notifications_in) notifications in, $(value notifications_out) out"
	must "another name" xl rename hp shop
	xvmsg stat shop > /run/lab/stat || fail "stat does not know it by its new name"
	must "the old name" xl rename shop hp
	bad_input
	must "rng" xvmsg attach hp type=rng,name=dice --wait=30
	in_guest hp 30 'echo virtio_rng.0 > /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng of=/run/a bs=512 count=4 && [ $(gzip -c /run/a | wc -c) -gt 1900 ]'
	must "resize" xvmsg set hp hot size=24M
	guest_capacity 49152
	[ $(stat -c %s $hot) = 25165824 ] || fail "the image was not enlarged"
	truncate -s 32M $hot
	must "resize to the image" xvmsg set hp hot size=image
	guest_capacity 65536
	in_guest hp 60 'check_sums /run/h && dd if=/dev/urandom of=/run/p bs=64k count=4 && dd if=/run/p of=/dev/vdb bs=64k seek=508 oflag=direct conv=notrunc && dd if=/dev/vdb of=/run/q bs=64k skip=508 iflag=direct && cmp /run/p /run/q && umount /run/h'
	must "detach rng" xvmsg detach hp dice
	in_guest hp 10 '! ls /sys/bus/virtio/devices/*/driver -l | grep -q rng'
	must "detach disk" quickly 5 "a graceful detach" xvmsg detach hp hot
	in_guest hp 10 'wait_until 5 [ ! -e /sys/block/vdb ]'
}

# A writer that stays at it: whenever the disk is there.
writer='while [ ! -e /run/end ]; do [ -b /dev/vdb ] && dd if=/dev/zero of=/dev/vdb bs=16k count=8 oflag=direct conv=notrunc || usleep 50000; done >/dev/null 2>&1 & true'

under_io()
{
	in_guest hp 10 "$writer"
	must "attach under I/O" xvmsg attach hp type=disk,vdev=hot,path=$hot --wait=30
	sleep 1
	must "detach under I/O" quickly 5 "a graceful detach under I/O" xvmsg detach hp hot --wait=20
	must "attach again" xvmsg attach hp type=disk,vdev=hot,path=$hot --wait=30
	sleep 1
	must "forced detach" quickly 5 "a forced detach under I/O" xvmsg detach hp hot --force
	must "attach after it" xvmsg attach hp type=disk,vdev=hot,path=$hot --wait=30
	# A guest that answers nothing at all; its writer rests, since stock virtio_blk waits for ever for a request that never comes back.
	in_guest hp 30 'touch /run/end; sleep 1'
	xl pause hp
	refuses 'has not let go' xvmsg detach hp hot --wait=2
	[ "$(xvmsg show hp hot | awk '$1 == "state" { print $2 }')" = leaving ] || fail "$(xvmsg show hp hot)"
	must "forced, paused" quickly 8 "a forced detach of a paused guest" xvmsg detach hp hot -f
	xl unpause hp
	in_guest hp 30 'wait_until 20 [ ! -e /sys/block/vdb ]; rm /run/end'
	in_guest hp 10 "$writer"
	# The disk it had from the start has noticed nothing.
	in_guest hp 30 'check_sums && echo fine > /mnt/new/hotplug && sync'
}

kv() { echo "$*" >> $OUT/$CASE/hotplug.kv; }
# One round of a device: there, used if it is the writer's, gone. Milliseconds of attach and detach together on stdout.
one_round()
{
	or_t=$(now)
	xvmsg attach hp $1 --wait=30 >/dev/null || return 1
	or_a=$(now)
	usleep 100000
	or_d=$(now)
	xvmsg detach hp hot --wait=20 >/dev/null || return 1
	awk -v t=$or_t -v a=$or_a -v d=$or_d -v n=$(now) 'BEGIN { printf "%d\n", (a - t + n - d) * 1000 }'
}

# rounds NAME MOST SECONDS DESCRIPTION: as many, within that time; none may fail.
rounds()
{
	r_end=$(( $(cut -d. -f1 /proc/uptime) + $3 )) r_n=0 r_bad=0
	: > /run/lab/rounds; : > /run/lab/rounds.err
	while [ $r_n -lt $2 ] && [ $(cut -d. -f1 /proc/uptime) -lt $r_end ]; do
		r_n=$((r_n + 1))
		one_round $4 >> /run/lab/rounds 2>> /run/lab/rounds.err || { r_bad=$((r_bad + 1)); xvmsg detach hp hot -f 2>/dev/null; }
	done
	r_med=$(sort -n /run/lab/rounds | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')
	r_worst=$(sort -n /run/lab/rounds | tail -1)
	kv "$1 $r_n $r_bad ${r_med:-0} ${r_worst:-0}"
	cp /run/lab/rounds $OUT/$CASE/${1#type:}.ms
	echo "# $1: $r_n rounds under I/O, $r_bad failures, median $r_med ms, worst $r_worst ms"
	[ $r_bad = 0 ] || { head -5 /run/lab/rounds.err; fail "$1: $r_bad rounds failed"; }
}

many_rounds()
{
	rounds attach_detach ${LAB_hotplug_rounds:-1000} ${LAB_hotplug_seconds:-45} type=disk,vdev=hot,path=$hot
	[ $r_n -ge ${LAB_hotplug_rounds:-1} ] || fail "$r_n rounds in ${LAB_hotplug_seconds:-45} s, not $LAB_hotplug_rounds"
	# The writer goes on, on a disk of its own now, while devices of every other type come and go.
	must "attach the writer's disk" xvmsg attach hp type=disk,vdev=steady,path=$hot --wait=30
	in_guest hp 30 'modprobe -a virtio_console virtio_net vmw_vsock_virtio_transport'
	modprobe -a tun vhost_vsock || fail "no tun or vhost_vsock"
	for mr_type in rng console net vsock; do
		rounds type:$mr_type ${LAB_hotplug_types:-3} ${LAB_hotplug_seconds:-45} type=$mr_type,name=hot
		[ $r_n = ${LAB_hotplug_types:-3} ] || fail "$mr_type: $r_n rounds in ${LAB_hotplug_seconds:-45} s"
	done
	must "detach the writer's disk" xvmsg detach hp steady --wait=20
}

# Devices that come and go while the guest asks which there are: it ends up with those that dom0 has, all in use.
devices_here() { xvmsg list hp --json | grep -c '"device":'; }
in_use() { [ $(xvmsg list hp --json | grep -c '"state": *"driver-ok"') = $(devices_here) ]; }
while_enumerating()
{
	in_guest hp 30 'touch /run/end; sleep 1; umount /mnt'
	for we_i in 1 2 3 4; do
		in_guest hp 30 'echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/unbind'
		guest_send hp 'echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/bind'
		for we_d in a b c; do must "attach $we_d" xvmsg attach hp type=rng,name=$we_d; done
		must "take b away" xvmsg detach hp b --force
		must "attach d" xvmsg attach hp type=rng,name=d
		must "all in use" wait_until 30 in_use
		in_guest hp 20 "wait_until 10 eval '[ \$(ls /sys/bus/virtio/devices | wc -l) = $(devices_here) ]'"
		for we_d in a c d; do must "detach $we_d" xvmsg detach hp $we_d --wait=20; done
	done
	in_guest hp 30 'wait_disk a && mount_disk && check_sums'
}

case_main()
{
	need_daemon
	cp $IMG/small.img $hot
	guest_file hp ${type:-pv} vcpus=$(several ${type:-pv}) disk="$(disk_entry $(fresh hp))"
	must "guest start" guest_start hp
	in_guest hp 30 'mount_disk && check_sums'
	use_and_resize
	under_io
	many_rounds
	while_enumerating
	in_guest hp 30 'cd /; umount /mnt'
	must "power off" guest_off hp
	fsck_clean $IMG/case-hp.img
}
