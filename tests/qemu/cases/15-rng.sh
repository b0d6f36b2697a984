# An entropy device, named by a descriptor file under /etc/xen-virtio-msg/devices, delivers bytes that differ.
case_main()
{
	need_daemon
	mkdir -p /etc/xen-virtio-msg/devices
	printf 'type=rng\n' > /etc/xen-virtio-msg/devices/case-rng
	guest_file rng pv disk="$(disk_entry $(fresh rng))" disk="$(disk_entry /etc/xen-virtio-msg/devices/case-rng rw xvdb)"
	must "guest start" guest_start rng
	in_guest rng 30 'mount_disk && wait_until 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available'
	in_guest rng 10 'echo virtio_rng.0 > /sys/class/misc/hw_random/rng_current; grep virtio /sys/class/misc/hw_random/rng_current'
	in_guest rng 30 'dd if=/dev/hwrng of=/run/a bs=512 count=8 && dd if=/dev/hwrng of=/run/b bs=512 count=8 && ! cmp -s /run/a /run/b && [ $(gzip -c /run/a | wc -c) -gt 4000 ]'
	must "power off" guest_off rng
}
