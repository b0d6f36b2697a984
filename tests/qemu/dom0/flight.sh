# What the steps of tests/flights run in dom0, with $g, $type and $img of their guest. Sourced after case.sh.

# flight_start [DISK...]: the guest of this step anew, whatever there is of it; a fresh image on /dev/vda, the tools on /dev/vdb.
flight_start()
{
	! guest_id $g > /dev/null || guest_destroy $g || fail "$g cannot be destroyed"
	cp $IMG/small.img $img
	[ -n "$1" ] || set -- disk="$(disk_entry $img)" disk="$(disk_entry $IMG/tools.img ro xvdb)"
	guest_file $g $type vcpus=${vcpus:-1} "$@"
	must "guest start" guest_start $g 120
	guest_tail $g 1
}
# The guest is up again, or still: its console says so after a reboot, its agent answers otherwise.
rebooted() { wait_until 120 guest_says $g 'GUEST: ready' || { guest_tail $g; fail "$g did not come up again"; }; restarted_by_xl; rm -f /run/lab/$g.seq; }
# flight_stop: power off from inside, and a clean file system.
flight_stop()
{
	in_guest $g 60 '! is_mounted /mnt || umount /mnt; ! is_mounted /run/t || umount /run/t'
	must "power off" guest_off $g 30
	fsck_clean $img
}
connects() { grep -c "guest $(guest_id $g) ($g): bus up" /var/log/xvmsgd.log; }
more_connects() { [ "$(connects)" -gt $1 ]; }
has_reconnected() { wait_until 90 more_connects $1 || { tail -5 /var/log/xvmsgd.log; fail "$g did not connect again"; }; }
# Another xvmsgd than at the start of the flight is meant to run from here on.
daemon_is_new() { wait_until 10 xvmsgd_pid > /dev/null || fail "xvmsgd does not run"; xvmsgd_pid > /run/lab/xvmsgd; }

# ---- leaks ----

# lsevtchn names the other end of each port of dom0's; Debian's Xen for Arm has none, so there they are only counted.
dom0_ports() { if on_arm; then grep xen-dyn /proc/interrupts; else lsevtchn 0; fi; }
keep_files() { ls /run/xen-virtio-msg/keep 2>/dev/null; }

# What there is without any guest.
leak_begin()
{
	guest_destroy_all
	wait_until 10 no_zombies
	xvmsgd_pid > /dev/null || xvmsgd_start
	check_begin
	keep_files > /run/lab/keep
	dom0_ports | wc -l > /run/lab/ports
	mkdir -p $OUT/console
}
living_ids() { xl list | awk 'NR > 2 { print $2 }' | tr '\n' '|' | sed 's/|$//'; }
living_uuids() { xl list -v | awk 'NR > 2 { print $7 }' | tr '\n' '|' | sed 's/|$//'; }
# Keys beyond those of the beginning, and beyond those of living domains.
leaked_keys()
{
	store_keys > /run/lab/keys.now
	lk_ids=$(living_ids) lk_uuids=$(living_uuids)
	grep -vxFf /run/lab/keys /run/lab/keys.now | if [ -n "$lk_ids" ]; then
		grep -vE "^/(local/domain|libxl)/($lk_ids)(/|\$)|^/local/domain/[0-9]+/backend/[^/]+(/($lk_ids)(/|\$)|\$)|^/local/domain/[0-9]+/backend\$|^/vm(\$|/($lk_uuids)(/|\$))"
	else
		cat
	fi
}
leaked_ports()
{
	lp_ids="0|$(living_ids)"
	dom0_ports | grep -o 'Remote Domain.*' | grep -vE "Remote Domain:? (${lp_ids%|})(,|\$| )"
}
leaked_keep() { keep_files | grep -vE "^($(living_ids))-" | grep -vxFf /run/lab/keep; }
none_of() { [ -z "$("$1")" ]; }
# leak_check GUEST...: these guests are there, with what is theirs, and nothing else.
leak_check()
{
	lc=0
	only_these() { [ "$(xl list | awk 'NR > 2 { print $1 }' | sort | tr '\n' ' ')" = "$(echo "$@" | tr ' ' '\n' | sort | tr '\n' ' ' | sed 's/^ $//')" ]; }
	wait_until 5 only_these "$@" || { xl list | awk 'NR > 2'; echo "(expected: $*)"; } | found "domain" || lc=1
	for lk in leaked_keys leaked_ports leaked_keep; do
		wait_until 5 none_of $lk || $lk | found "$lk" || lc=1
	done
	wait_until 5 worker_each $# || workers | found "$# guests, workers" || lc=1
	[ "$(xvmsgd_pid)" = "$(cat /run/lab/xvmsgd)" ] || echo "pid was '$(cat /run/lab/xvmsgd)', is '$(xvmsgd_pid)'" | found "xvmsgd died or restarted" || lc=1
	losetup -a | grep -v /data.raw | found "loop device left" || lc=1
	[ $# != 0 ] || leak_check_empty || lc=1
	check_kernel_logs || lc=1
	for lk in /var/log/xen/console/guest-*.log; do
		[ ! -s "$lk" ] || { cat "$lk" >> $OUT/console/${lk##*/}; : > "$lk"; }
	done
	return $lc
}
# At most one each: a guest that has not connected has none.
worker_each() { [ "$(workers | wc -l)" -le $1 ]; }
# With no guest there is to be exactly as much as at the beginning.
leak_check_empty()
{
	le=0
	ports_again() { [ "$(dom0_ports | wc -l)" -le "$(cat /run/lab/ports)" ]; }
	fds_again() { [ "$(fd_count)" -le "$(cat /run/lab/fds)" ]; }
	wait_until 5 ports_again || echo "$(cat /run/lab/ports) before, $(dom0_ports | wc -l) now" | found "event channels of dom0" || le=1
	wait_until 5 fds_again || echo "$(cat /run/lab/fds) before, $(fd_count) now" | found "descriptors of xvmsgd" || le=1
	return $le
}

# ---- driver domains ----

# A PV guest that serves others: its own disk, by dom0's xvmsgd, holds the images.
driver_start()
{
	! guest_id $g > /dev/null || guest_destroy $g || fail "$g cannot be destroyed"
	cat /lab/guest.cpio /lab/driver.cpio > /data/driver.cpio
	mkdir -p /data/driver && cp $IMG/small.img $IMG/tools.img /data/driver/
	rm -f $img	# by its path, or the shell takes busybox's, which knows no -d
	must "image of the driver domain" /usr/sbin/mke2fs -q -t ext4 -d /data/driver $img 192m
	rm -r /data/driver
	guest_file $g $type mem=512 disk="$(disk_entry $img)"
	sed -i 's,^ramdisk = .*,ramdisk = "/data/driver.cpio",' /root/guests/$g.cfg
	echo 'driver_domain = 1' >> /root/guests/$g.cfg
	must "driver domain's start" guest_start $g 120
	in_guest $g 90 'mount_disk a /srv && modprobe -a xen-gntdev xen-evtchn && mkdir -p /etc/default /var/log && echo XVMSGD_DRIVER_DOMAIN=yes > /etc/default/xvmsgd'
	in_guest $g 30 '/etc/init.d/xvmsgd start && cat /var/log/xvmsgd.log'
}
# What domain $1 has of guests it serves: keys below its backend directory, and what it may know of them.
served_by() { xenstore-ls -f /local/domain/$1 2>/dev/null | sed 's/ = .*//' | grep -E "^/local/domain/$1/(backend/[^/]+/|virtio-msg/)"; }
serves_nobody() { [ -z "$(served_by $1)" ]; }
# driver_connected DRIVER N: its guests have connected N times.
driver_connected() { in_guest $1 150 "ups() { [ \$(grep -c 'bus up' /var/log/xvmsgd.log) -ge $2 ]; }; wait_until 120 ups"; }
# libxl waits 10 s for a disk, however slow the machine is.
again_if_loaded()
{
	[ $SLOW -gt 1 ] && grep -q 'unable to add device' /run/lab/$g.create || return 1
	echo "(the driver domain was too slow for libxl on this loaded machine: once more)"
	guest_start $g 120
}
# driver_guest DRIVER: $g with both its disks served by that domain.
driver_guest()
{
	guest_file $g $type disk="backend=$1,$(disk_entry /srv/small.img)" disk="backend=$1,$(disk_entry /srv/tools.img ro xvdb)"
	guest_start $g 120 || again_if_loaded || { guest_run $1 20 'tail -8 /var/log/xvmsgd.log'; guest_tail $1; fail "failed: guest start"; }
	io_loop $g
	served_by $(guest_id $1) | head -20
	[ "$(xenstore-read /local/domain/$(guest_id $g)/device/virtio-msg/$(guest_id $1)/backend-id)" = $(guest_id $1) ] || fail "no bus of domain $(guest_id $1)"
	! xenstore-exists /local/domain/0/backend/virtio-msg/$(guest_id $g) || fail "there is a bus of domain 0"
	in_guest $1 20 'xvmsg list; [ $(pidof xvmsg-worker | wc -w) = 1 ]'
	io_loop_end $g
}
