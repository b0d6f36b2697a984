# What the vsock cases share; sourced by them.
# vs_in PORT BYTES: dom0 sends to the guest, sums are compared.
vs_in()
{
	in_guest vs 10 "rm -f /run/in.sum; (xvm-vsock listen $1 > /run/in && sha256sum < /run/in > /run/in.sum) > /dev/null 2>&1 & sleep 1"
	dd if=/dev/urandom of=/run/lab/vs.in bs=64k count=$(($2 / 65536)) 2>/dev/null
	timeout 100 xvm-vsock send $vs_cid $1 < /run/lab/vs.in || fail "dom0 cannot send to cid $vs_cid"
	in_guest vs 30 "wait_until 20 test -s /run/in.sum; sed 's/^/IN$1 /' /run/in.sum"
	guest_says vs "IN$1 $(sha256sum < /run/lab/vs.in)" || fail "what the guest has is not what dom0 sent"
	vs_bytes=$((vs_bytes + $(stat -c %s /run/lab/vs.in)))
}

# vs_out PORT BYTES: the guest sends to dom0.
vs_out()
{
	rm -f /run/lab/vs.done
	(timeout 100 xvm-vsock listen $1 > /run/lab/vs.out && touch /run/lab/vs.done) &
	sleep 1
	in_guest vs 100 "dd if=/dev/urandom of=/run/out bs=64k count=$(($2 / 65536)) 2>/dev/null; xvm-vsock send 2 $1 < /run/out && sha256sum < /run/out | sed 's/^/OUT$1 /'"
	wait_until 20 test -e /run/lab/vs.done || fail "the guest's connection did not end"
	guest_says vs "OUT$1 $(sha256sum < /run/lab/vs.out)" || fail "what dom0 has is not what the guest sent"
	vs_bytes=$((vs_bytes + $(stat -c %s /run/lab/vs.out)))
}

# The worker dies in a transfer: the connection ends, on both sides and soon, and the next one is made.
vs_kill()
{
	in_guest vs 10 "rm -f /run/ended; (xvm-vsock listen 5010 > /run/in; echo rc=\$? > /run/ended) > /dev/null 2>&1 & sleep 1"
	(timeout 60 xvm-vsock send $vs_cid 5010 < /dev/zero > /dev/null 2>&1; echo $? > /run/lab/vs.rc) &
	# At once: what comes fills the guest's memory, and a listener that has no room ends by itself.
	in_guest vs 20 'wait_until 10 test -s /run/in && [ ! -e /run/ended ]'
	kill -9 $(pidof xvmsg-worker)
	in_guest vs 40 'wait_until 30 test -s /run/ended; cat /run/ended'
	wait_until 30 test -s /run/lab/vs.rc || fail "dom0's side did not end"
	[ $(cat /run/lab/vs.rc) = 1 ] || fail "dom0's side ended with $(cat /run/lab/vs.rc)"
	in_guest vs 5 'rm -f /run/in'
}

# vsock_case TYPE DIALECT
vsock_case()
{
	modprobe vhost_vsock || skip "dom0's kernel has no vhost_vsock"
	guest_file vs $1 vcpus=$(several $1)
	must "guest start" guest_start vs
	must "attach" xvmsg attach vs type=vsock,name=vs
	xvmsg attach vs type=vsock,cid=$(xvmsg show vs vs | awk '$1 == "cid" { print $2 }') > /run/lab/vs.why 2>&1 && fail "the same cid twice"
	grep -q 'in use by guest' /run/lab/vs.why || { cat /run/lab/vs.why; fail "no reason was given"; }
	in_guest vs 30 "modprobe -a virtio_ring virtio vmw_vsock_virtio_transport && modprobe xen-virtio-msg dialect=$2"
	vs_cid=$(xvmsg show vs vs | awk '$1 == "cid" { print $2 }')
	wait_until 20 sh -c "xvmsg show vs vs | grep -q driver-ok" || fail "$(xvmsg show vs vs)"
	vs_bytes=0
	vs_in 5000 4194304
	vs_out 5001 4194304
	vs_in 5002 65536
	vs_kill
	vs_in 5003 1048576
	vs_out 5004 1048576
	xvmsg stat vs | grep -E '^worker (maps|messages_bad)|^grants_mapped'
	must "detach" xvmsg detach vs vs
	must "power off" guest_off vs
	device_row vsock vhost-vsock $1 "$(dialect_of vs)" "AF_VSOCK streams both ways by checksum, a worker killed in a transfer" $vs_bytes
}
