# Twenty create/destroy rounds leave nothing: ten with the disk mounted, ten destroyed at once. Xen's free memory comes back.
CASE_LIMIT=360
free_again() { [ "$(xen_free_mb)" -ge $((free0 - 2)) ]; }
case_main()
{
	img=$(fresh rounds)
	guest_file rounds pv mem=192 disk="$(disk_entry $img)"
	free0=$(xen_free_mb) avail0=$(dom0_avail_kb)
	i=0
	while [ $i -lt 20 ]; do
		must "xl create, round $i" guest_create rounds
		if [ $((i % 2)) = 0 ]; then
			guest_wait rounds 'GUEST: ready' 40 || fail "round $i: the guest did not come up"
			in_guest rounds 30 'mount_disk && echo $$ > /mnt/new/r'
		fi
		must "xl destroy, round $i" quickly 5 "round $i: xl destroy" guest_destroy rounds
		i=$((i + 1))
	done
	wait_until 10 free_again || fail "Xen had $free0 MB free, has $(xen_free_mb)"
	echo "# dom0 had $avail0 kB available, has $(dom0_avail_kb); xvmsgd: $(grep VmRSS /proc/$(xvmsgd_pid | cut -d' ' -f1)/status 2>/dev/null)"
	[ $((avail0 - $(dom0_avail_kb))) -lt 32768 ] || fail "dom0 lost more than 32 MB"
}
