# An empty image: xl create fails soon, with the reason.
case_main() { need_daemon; : > $IMG/case-empty.img; guest_file bad pv disk="$(disk_entry $IMG/case-empty.img)"; refused 'empty|size|too small' bad; }
