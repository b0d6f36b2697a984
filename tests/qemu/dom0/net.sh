# What the cases of network devices share; sourced by them.
br=xvmbr0
megs=4
net_show() { xvmsg show $1 net0 | awk -v k=$2 '$1 == k { print $2 }'; }
no_tap() { [ ! -e /sys/class/net/$1 ]; }

dom0_network()
{
	modprobe -a tun bridge || fail "no tun or bridge"
	ip link del $br 2>/dev/null	# of a case that failed
	ip link add $br type bridge || fail "no bridge"
	ip addr add 10.9.0.1/24 dev $br && ip link set $br up || fail "the bridge has no address"
	ip link set lo up
}

# Bytes of NAME's transfers that were compared: moved NAME FILE adds, moved_by NAME says.
moved() { eval "mv_$1=\$((\${mv_$1:-0} + \$(stat -c %s $2)))"; }
moved_by() { eval "echo \$mv_$1"; }

# guest_up NAME TYPE IP VCPUS DIALECT [KEYS]: a guest with net0, and its address.
guest_up()
{
	guest_file $1 $2 vcpus=$4 disk="$(disk_entry $(fresh $1))"
	must "guest start" guest_start $1
	in_guest $1 30 "modprobe -a virtio_ring virtio virtio_net && modprobe xen-virtio-msg dialect=$5 && mount_disk"
	must "attach" xvmsg attach $1 type=net,bridge=$br,queues=$4$6 --wait=30
	in_guest $1 30 "wait_until 20 [ -e /sys/class/net/eth0 ] && ip addr add $3/24 dev eth0 && ip link set eth0 up"
	in_guest $1 30 'wait_until 20 ping -c 1 -W 1 10.9.0.1'
}

# transfers NAME IP: $megs MB to the guest and from it, compared by their sums. busybox's nc stops when its own input ends, so dd has the connection.
transfers() { transfer_in $1 $2 && transfer_out $1; }

transfer_in()
{
	[ -s /run/lab/net.in ] || dd if=/dev/urandom of=/run/lab/net.in bs=1M count=$megs 2>/dev/null
	tr_t=$(now)
	in_guest $1 10 'rm -f /run/in; nc -l -p 7000 -e dd of=/run/in 2>/dev/null & sleep 1; true'
	nc -w 20 $2 7000 -e dd if=/run/lab/net.in bs=64k 2>/dev/null
	in_guest $1 60 "wait_until 30 sh -c 'sha256sum /run/in | grep -q $(sha256sum /run/lab/net.in | cut -c1-64)'"
	moved $1 /run/lab/net.in
	echo "# $1: $megs MB in took $(since $tr_t) s"
}

transfer_out()
{
	tr_t=$(now)
	nc -l -p 7001 -e dd of=/run/lab/net.out 2>/dev/null & tr_nc=$!
	sleep 1
	in_guest $1 60 'nc -w 20 10.9.0.1 7001 -e dd if=/run/in bs=64k 2>/dev/null'
	wait $tr_nc
	cmp /run/lab/net.in /run/lab/net.out || fail "what came back from $1 is not what was sent"
	moved $1 /run/lab/net.out
	echo "# $1: $megs MB out took $(since $tr_t) s"
}

# Areas that its worker had mapped since it began.
maps() { xvmsg stat $1 --json | sed -n 's/.*"maps": *\([0-9]*\).*/\1/p' | head -1; }

killed_under_traffic()
{
	kt_n=$(grep -c "($1): bus up" /var/log/xvmsgd.log)
	in_guest $1 10 'rm -f /run/in; nc -l -p 7002 -e dd of=/run/in 2>/dev/null & sleep 1; true'
	nc -w 60 $2 7002 -e dd if=/run/lab/net.in 2>/dev/null & kt_nc=$!
	usleep 300000
	kill -9 $(worker_of $1)
	wait_until 60 sh -c "[ \$(grep -c '($1): bus up' /var/log/xvmsgd.log) -gt $kt_n ]" || fail "$1 is not connected again"
	wait $kt_nc
	in_guest $1 60 "wait_until 30 sh -c 'sha256sum /run/in | grep -q $(sha256sum /run/lab/net.in | cut -c1-64)'"
	moved $1 /run/lab/net.in
	echo "# $1: TCP went on over a dead worker"
}

worker_of() { xvmsg stat $1 --json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' | head -1; }

cable()
{
	must "link down" xvmsg set $1 net0 link=down
	in_guest $1 20 'wait_until 10 grep -q 0 /sys/class/net/eth0/carrier'
	ping -c 1 -W 1 $2 > /dev/null && fail "a ping went through a link that is down"
	must "link up" xvmsg set $1 net0 link=up
	in_guest $1 20 'wait_until 10 grep -q 1 /sys/class/net/eth0/carrier'
	wait_until 20 ping -c 1 -W 1 $2 > /dev/null || fail "no ping after the link came up"
}
