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

# frames FIELD: bytes and frames that the tap has had, tx to the guest, rx from it.
frames() { cat /sys/class/net/$tap/statistics/${1}_bytes /sys/class/net/$tap/statistics/${1}_packets | tr '\n' ' '; }

# What the guest's driver has on, and what it comes to: frames on the tap that no wire of this MTU has.
offloaded()
{
	in_guest $1 10 '[ $(xvm-nic eth0 | grep -cE "^on (tx-checksum-ip-generic|tx-tcp-segmentation|tx-tcp6-segmentation|rx-checksum)$") = 4 ]'
	# Each while the data goes that way: acknowledgements are small.
	of_tx=$(frames tx)
	transfer_in $1 $2
	of_tx="$of_tx $(frames tx)" of_rx=$(frames rx)
	transfer_out $1
	echo $of_tx $of_rx $(frames rx) | awk '{ to = ($3 - $1) / ($4 - $2); from = ($7 - $5) / ($8 - $6)
		printf "# bytes a frame: %d to the guest, %d from it\n", to, from; exit to < 1515 || from < 1515 }' || fail "no frame was longer than a wire's"
}

# Each processor has a queue of its own to send by, and answers come by the one beside it. Not every kernel's driver counts them so.
both_queues()
{
	in_guest $1 20 'for c in 1 2; do taskset $c ping -c 5 -i 0.1 10.9.0.1; done > /dev/null; xvm-nic eth0 > /run/nic; grep -E "^[rt]x_queue_[01]_packets" /run/nic || grep -q "^on " /run/nic'
	in_guest $1 10 '! grep -q "^rx_queue_0_packets" /run/nic || [ $(grep -cE "^[rt]x_queue_[01]_packets [1-9]" /run/nic) = 4 ]'
}

# Xen's own scripts, as they are: in a bridge, and routed.
by_scripts()
{
	[ -x /etc/xen/scripts/vif-route ] || { echo "# this lab has none of Xen's scripts"; return; }
	must "detach" xvmsg detach $1 net0 --wait=20
	refused $1 type=net,script=vif-bridge,bridge=nosuch 'failed for .*: Could not find bridge device nosuch'
	must "attach by vif-bridge" xvmsg attach $1 type=net,script=vif-bridge,bridge=$br --wait=30
	tap=$(net_show $1 tap)
	[ -e /sys/class/net/$br/brif/$tap ] || fail "$tap is not in $br"
	in_guest $1 30 'wait_until 20 [ -e /sys/class/net/eth0 ] && ip addr add 10.9.0.12/24 dev eth0 && ip link set eth0 up && wait_until 20 ping -c 1 -W 1 10.9.0.1'
	must "detach" xvmsg detach $1 net0 --wait=20
	must "attach by vif-route" xvmsg attach $1 type=net,script=vif-route,ip=10.9.7.2,gatewaydev=$br,mtu=1400 --wait=30
	tap=$(net_show $1 tap)
	ip route | grep -q "10.9.7.2 dev $tap" || { ip route; fail "no route to the guest"; }
	in_guest $1 30 'wait_until 20 [ -e /sys/class/net/eth0 ] && grep -q 1400 /sys/class/net/eth0/mtu && ip addr add 10.9.7.2/32 dev eth0 && ip link set eth0 up && ip route add 10.9.0.1 dev eth0 && wait_until 20 ping -c 1 -W 1 10.9.0.1'
	ping -c 1 -W 2 10.9.7.2 > /dev/null || fail "no ping to a routed guest"
	grep -q 1400 /sys/class/net/$tap/mtu || fail "$tap has the MTU $(cat /sys/class/net/$tap/mtu)"
	must "detach" xvmsg detach $1 net0 --wait=20
	wait_until 10 no_tap $tap || fail "$tap is still there"
	! ip route | grep 10.9.7.2 || fail "the route is still there"
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
	offloaded na 10.9.0.11
	both_queues na
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
	by_scripts nb
	tap=$(net_show na tap)
	for g in na nb; do
		in_guest $g 30 'check_sums && umount /mnt'
		must "power off" guest_off $g
	done
	wait_until 10 no_tap $tap || fail "$tap outlives its guest"
	ip link del $br
	device_row net own $1 "$(dialect_of na)" "ping, TCP both ways, two queue pairs, link down and up, a dead worker, detach and attach" $(moved_by na)
	device_row net own ${2:-$1} "$(dialect_of nb)" "ping, TCP both ways, another guest on its bridge" $(moved_by nb)
}
