# A guest without the module boots, and can power off and be destroyed without waiting for anybody.
case_main()
{
	guest_file nomod pv disk="$(disk_entry $(fresh nomod))"
	must "guest start" guest_start nomod
	must "power off" quickly 6 "guest poweroff" guest_off nomod
	must "guest start" guest_start nomod
	must "xl destroy" quickly 5 "xl destroy" guest_destroy nomod
}
