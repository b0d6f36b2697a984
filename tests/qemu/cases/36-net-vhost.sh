# A network device whose frames dom0's vhost-net moves: stock virtio_net, TCP both ways, two pairs of queues, cable, a dead worker.
CASE_LIMIT=200
CASE_RESTARTS=1
case_main()
{
	need_daemon
	modprobe vhost_net || skip "dom0's kernel has no vhost_net"
	. $LAB/net.sh
	megs=2
	set -- $(guest_types)
	dom0_network
	guest_up nv $1 10.9.0.13 2 draft2026 ,vhost=on
	in_guest nv 10 '[ $(ls -d /sys/class/net/eth0/queues/rx-* | wc -l) = 2 ]'
	transfers nv 10.9.0.13
	tap=$(net_show nv tap)
	echo "# areas mapped: $(maps nv), frames to and from $tap: $(cat /sys/class/net/$tap/statistics/tx_packets) $(cat /sys/class/net/$tap/statistics/rx_packets)"
	[ "$(net_show nv io_bytes_read) $(net_show nv io_bytes_written)" = "0 0" ] || fail "frames passed through the worker"
	cable nv 10.9.0.13
	killed_under_traffic nv 10.9.0.13
	must "detach" xvmsg detach nv net0 --wait=20
	wait_until 10 no_tap $tap || fail "$tap is still there"
	in_guest nv 30 'wait_until 10 [ ! -e /sys/class/net/eth0 ] && check_sums && umount /mnt'
	must "power off" guest_off nv
	ip link del $br
	device_row net vhost-net $1 "$(dialect_of nv)" "TCP both ways, two queue pairs, link down and up, a dead worker, detach" $(moved_by nv)
}
