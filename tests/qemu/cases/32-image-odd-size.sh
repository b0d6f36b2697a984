# An image that is not a multiple of 512 bytes: xl create fails soon, with the reason.
case_main()
{
	need_daemon
	dd if=/dev/zero of=$IMG/case-odd.img bs=1 count=1 seek=1048999 2>/dev/null
	guest_file bad pv disk="$(disk_entry $IMG/case-odd.img)"
	refused '512|multiple|sector|size' bad
}
