# A guest that dies while its bus comes up: destroyed at several moments, and by its own crash. The next guest works.
CASE_LIMIT=240
CASE_ALLOW='sysrq|Call Trace|Kernel panic'
case_main()
{
	need_daemon
	guest_file hs pv disk="$(disk_entry $(fresh hs))"
	for us in 0 100000 300000 600000; do
		must "guest start" guest_start hs
		guest_send hs 'load_modules'
		usleep $us
		must "xl destroy" quickly 5 "xl destroy after $us us" guest_destroy hs
	done
	for us in 0 50000 200000; do
		must "guest start" guest_start hs
		guest_send hs "(usleep $us; echo c > /proc/sysrq-trigger) & load_modules"
		must "crash" wait_until 20 guest_gone hs
	done
	must "guest start" guest_start hs
	in_guest hs 30 'mount_disk && check_sums'
	must "power off" guest_off hs
}
