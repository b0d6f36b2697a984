# An entropy device, named by a descriptor file under /etc/xen-virtio-msg/devices, delivers bytes that differ: to a guest of each type, in one dialect each.
CASE_LIMIT=120
# rng_case TYPE DIALECT
rng_case()
{
	guest_file rng $1 disk="$(disk_entry $(fresh rng))" disk="$(disk_entry /etc/xen-virtio-msg/devices/case-rng rw xvdb)"
	must "guest start" guest_start rng
	in_guest rng 30 "modprobe -a virtio_ring virtio && modprobe xen-virtio-msg dialect=$2"
	in_guest rng 30 'mount_disk && wait_until 10 grep -q virtio_rng /sys/class/misc/hw_random/rng_available'
	in_guest rng 10 'echo virtio_rng.0 > /sys/class/misc/hw_random/rng_current; grep virtio /sys/class/misc/hw_random/rng_current'
	in_guest rng 30 'dd if=/dev/hwrng of=/run/a bs=512 count=8 && dd if=/dev/hwrng of=/run/b bs=512 count=8 && ! cmp -s /run/a /run/b && [ $(gzip -c /run/a | wc -c) -gt 4000 ] && say_verified /run $(cat /run/a /run/b | wc -c)'
	must "power off" guest_off rng
	device_row rng own $1 "$(dialect_of rng)" "two blocks read that differ and do not compress" $(verified_by rng)
}
case_main()
{
	need_daemon
	mkdir -p /etc/xen-virtio-msg/devices
	printf 'type=rng\n' > /etc/xen-virtio-msg/devices/case-rng
	set -- $(guest_types)
	rng_case $1 draft2026
	rng_case ${2:-$1} pr28
}
