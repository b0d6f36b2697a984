# xl create, guest poweroff and xl destroy are quick: libxl's 10 s time-outs are not met. Each type of guest.
CASE_LIMIT=150
one()
{
	guest_file ti $1 disk="$(disk_entry $(fresh ti))"
	must "guest start" guest_start ti	# a first one fills the caches
	in_guest ti 30 mount_disk
	must "xl destroy" quickly 5 "$1 xl destroy, disk in use" guest_destroy ti
	must "xl create" quickly 8 "$1 xl create" guest_create ti
	must "xl destroy" quickly 4 "$1 xl destroy at once" guest_destroy ti
	must "guest start" guest_start ti
	in_guest ti 30 mount_disk
	must "power off" quickly 6 "$1 guest poweroff" guest_off ti
}
case_main() { for type in $(guest_types); do one $type; done; }
