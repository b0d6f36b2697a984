# A network device of our own: stock virtio_net in guests on one bridge, TCP both ways, queues, cable, dead workers, hotplug.
CASE_LIMIT=300
CASE_RESTARTS=1

# Frames for nobody, which the bridge gives to all its ports: how many of 30 the guest has seen, and a few others perhaps.
seen_by()
{
	in_guest $1 10 'cat /sys/class/net/eth0/statistics/rx_packets > /run/rx'
	ping -c 30 -i 0.05 -W 1 10.9.0.77 > /dev/null
	in_guest $1 10 'sleep 1; echo "frames $(($(cat /sys/class/net/eth0/statistics/rx_packets) - $(cat /run/rx)))"'
	seen=$(sed -n 's/^.*frames \([0-9]*\).*/\1/p' $(guest_log $1) | tail -1)
}

# Its driver said to the former worker, and never again, that it wants only its own frames.
filtered()
{
	arp -i $br -s 10.9.0.77 02:00:00:00:00:77 || fail "no arp"
	seen_by $1
	[ $seen -lt 15 ] || fail "$seen frames for nobody passed after a dead worker"
	fi_few=$seen
	in_guest $1 10 'ip link set eth0 promisc on'
	seen_by $1
	[ $seen -ge 30 ] || fail "only $seen frames came with promisc on"
	in_guest $1 10 'ip link set eth0 promisc off'
	echo "# frames for nobody after a dead worker: $fi_few, with promisc on $seen of 30"
}

refused()
{
	xvmsg attach $1 $2 2> /run/lab/refused && fail "accepted: $2"
	grep -q "$3" /run/lab/refused || { cat /run/lab/refused; fail "expected '$3' for $2"; }
}

bad_input()
{
	refused $1 type=net,bridge=nosuch 'bridge nosuch does not exist'
	refused $1 type=net,bridge=lo 'lo is no bridge'
	refused $1 type=net,vifname=$br "an interface $br is there already"
	refused $1 type=net,bridge=$br,script=/lab/no-script 'cannot be run'
	refused $1 type=net,bridge=$br,script=/bin/false 'add failed for'
	refused $1 type=net,mac=01:00:00:00:00:00 'mac= is not'
	ls /sys/class/net | grep -q 'vif.*[^0]-xvm' && fail "a refused device left its tap: $(ls /sys/class/net)"
}

case_main()
{
	need_daemon
	. $LAB/net.sh
	dom0_network
	set -- $(guest_types)
	guest_up na $1 10.9.0.11 2 pr28
	tap=$(net_show na tap) mac=$(net_show na mac)
	echo "# $tap $mac"
	[ -e /sys/class/net/$br/brif/$tap ] || fail "$tap is not in $br"
	in_guest na 10 "grep -q $mac /sys/class/net/eth0/address"
	in_guest na 10 '[ $(ls -d /sys/class/net/eth0/queues/rx-* | wc -l) = 2 ]'
	transfers na 10.9.0.11
	m=$(maps na)
	transfers na 10.9.0.11
	[ "$m" = "$(maps na)" ] || echo "# areas grew under load: $m, $(maps na)"
	guest_up nb ${2:-$1} 10.9.0.12 1 draft2026
	transfers nb 10.9.0.12
	in_guest nb 30 'ping -c 3 -W 2 10.9.0.11'
	cable na 10.9.0.11
	bad_input na
	killed_under_traffic na 10.9.0.11
	filtered na
	must "detach" xvmsg detach na net0 --wait=20
	wait_until 10 no_tap $tap || fail "$tap is still there"
	in_guest na 20 'wait_until 10 [ ! -e /sys/class/net/eth0 ]'
	must "attach again" xvmsg attach na type=net,bridge=$br,queues=2 --wait=30
	[ "$(net_show na mac)" = $mac ] || fail "another MAC address: $(net_show na mac)"
	in_guest na 30 'wait_until 20 [ -e /sys/class/net/eth0 ] && ip addr add 10.9.0.11/24 dev eth0 && ip link set eth0 up && wait_until 20 ping -c 1 -W 1 10.9.0.12'
	for g in na nb; do
		in_guest $g 30 'check_sums && umount /mnt'
		tap=$(net_show $g tap)
		must "power off" guest_off $g
		wait_until 10 no_tap $tap || fail "$tap outlives its guest"
	done
	ip link del $br
	device_row net own $1 "$(dialect_of na)" "ping, TCP both ways, two queue pairs, link down and up, a dead worker, detach and attach" $((4 * megs << 20))
	device_row net own ${2:-$1} "$(dialect_of nb)" "ping, TCP both ways, another guest on its bridge" $((2 * megs << 20))
}
