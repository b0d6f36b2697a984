# A guest without any disk: its bus comes with the first device, goes with the last, and comes again; xvmsgd is restarted in between.
CASE_LIMIT=150
CASE_RESTARTS=1
rng_bytes='wait_until 20 grep -q virtio_rng /sys/class/misc/hw_random/rng_available; for r in $(cat /sys/class/misc/hw_random/rng_available); do case $r in virtio*) echo $r > /sys/class/misc/hw_random/rng_current;; esac; done; dd if=/dev/hwrng of=/run/a bs=512 count=4 && [ $(gzip -c /run/a | wc -c) -gt 1900 ]'
bus_is() { xenstore-exists /local/domain/0/backend/virtio-msg/$(guest_id nb)/0; [ $? = $1 ]; }
case_main()
{
	need_daemon
	guest_file nb pv
	must "guest start" guest_start nb
	in_guest nb 20 'load_modules'
	bus_is 1 || fail "there is a bus without a device"
	must "attach" xvmsg attach nb type=rng --wait=30
	in_guest nb 40 "$rng_bytes"
	must "detach" xvmsg detach nb rng0
	wait_until 5 bus_is 1 || fail "the bus stayed without a device"
	must "attach again" xvmsg attach nb type=rng --wait=30
	in_guest nb 40 "$rng_bytes"
	must "stop" xvmsgd_stop
	must "start" xvmsgd_start
	wait_until 10 sh -c 'xvmsg list nb 2>/dev/null | grep -q rng0' || fail "the new xvmsgd does not know the device"
	wait_until 20 sh -c 'xvmsg list nb | grep -q driver-ok' || { xvmsg list nb; fail "the guest did not connect again"; }
	in_guest nb 40 "$rng_bytes"
	must "destroy" quickly 5 "xl destroy" guest_destroy nb
	wait_until 5 sh -c '[ -z "$(ls /run/xen-virtio-msg/guests)" ]' || fail "left: $(ls /run/xen-virtio-msg/guests)"
}
