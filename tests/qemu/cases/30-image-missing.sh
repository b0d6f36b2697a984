# No such image: xl create fails soon and says so.
case_main() { guest_file bad pv disk="$(disk_entry $IMG/case-nothing.img)"; refused 'no such file|failed to stat|does not exist' bad; }
