# 256 devices on one bus: attached, listed, used, detached, with the time per device. The worker maps 64 areas of a guest at once, and
# a device with a driver has one at least, so some 60 have their driver at once; the others are there all the same, and come and go like these.
CASE_LIMIT=280
more=${LAB_devices:-255}
kv() { echo "$*" >> $OUT/$CASE/hotplug.kv; }
count() { xvmsg list many --json | grep -c "\"state\": *\"$1\""; }
enough_drivers() { [ $(count driver-ok) -ge ${want_drivers:-60} ]; }
ms_each() { awk -v t=$1 -v n=$(now) -v c=$2 'BEGIN { printf "%.1f\n", (n - t) * 1000 / c }'; }
cfg=/root/guests/many.cfg
# The list of all devices: disks with small images that say their names, and entropy devices, by turns.
make_list()
{
	awk -v n=$more -v d=$IMG 'BEGIN { printf "virtio_msg = ["; for (i = 1; i <= n; i++)
		printf (i % 2 ? " \"type=disk,name=d%d,path=" d "/case-d%d.img\"," : " \"type=rng,name=r%d\","), i, i; print " ]" }' >> $cfg
	i=1
	while [ $i -le $more ]; do
		printf '%-511s\n' "disk d$i" > $IMG/case-d$i.img; truncate -s 64K $IMG/case-d$i.img
		i=$((i + 2))
	done
}

case_main()
{
	need_daemon
	[ -n "$LAB_hotplug_rounds" ] || skip "make check-hotplug runs it"
	bad=0 area='first_area_kib=512'
	guest_file many pv mem=512 vcpus=2 disk="$(disk_entry $(fresh many))"
	must "guest start" guest_start many
	cp $cfg /root/guests/many-none.cfg
	make_list
	in_guest many 60 "dmesg -n 1; modprobe -a virtio_ring virtio virtio_blk virtio-rng && modprobe xen-virtio-msg $area && mount_disk && check_sums"
	t=$(now)
	xvmsg apply many $cfg > /run/lab/apply || bad=$((bad + 1))
	attach=$(ms_each $t $more)
	[ $(xvmsg list many --json | grep -c '"device":') = $((more + 1)) ] || { xvmsg list many | tail -5; fail "not $((more + 1)) devices are listed"; }
	[ $more -lt 255 ] || { xvmsg attach many type=rng 2>&1 | grep -q 'the limit' || fail "a device beyond the limit was attached"; }
	[ $more -ge 60 ] || want_drivers=$more
	wait_until 60 enough_drivers || fail "only $(count driver-ok) have a driver"
	sleep 2
	used=$(count driver-ok)
	# Each disk the guest has shows its own name; the first disk works on.
	in_guest many 90 'n=0; for d in /sys/block/vd*; do s=$(cat $d/serial); case $s in d*) [ "$(dd if=/dev/${d##*/} bs=512 count=1 iflag=direct 2>/dev/null | head -1 | tr -s " ")" = "disk $s " ] || { say "bad $s"; exit 1; }; n=$((n + 1));; esac; done; say "read $n disks"; check_sums'
	read=$(tr -d '\r' < "$(guest_log many)" | sed -n 's/^GUEST: read \([0-9]*\) disks/\1/p')
	# All of them once more, as a guest finds them at its start.
	in_guest many 60 'umount /mnt; echo virtio-msg-0 > /sys/bus/xen/drivers/virtio-msg/unbind && rmmod xen-virtio-msg'
	t=$(now)
	in_guest many 60 "modprobe xen-virtio-msg $area"
	wait_until 90 enough_drivers || fail "only $(count driver-ok) have a driver after the module came again"
	enumerate=$(ms_each $t 1)
	in_guest many 60 'mount_disk && check_sums'
	t=$(now)
	xvmsg apply many /root/guests/many-none.cfg --wait=250 > /run/lab/apply || bad=$((bad + 1))
	detach=$(ms_each $t $more)
	[ $(xvmsg list many --json | grep -c '"device":') = 1 ] || fail "devices are left: $(xvmsg list many | tail -3)"
	kv "devices_256 $((more + 1)) $used $read $attach $enumerate $detach $bad"
	echo "# $((more + 1)) devices: attach $attach ms each, $used with a driver, $read disks read, enumeration $enumerate ms, detach $detach ms each, $bad failures"
	in_guest many 30 'check_sums && umount /mnt'
	must "power off" guest_off many
	[ $bad = 0 ] || fail "apply failed $bad times"
}
