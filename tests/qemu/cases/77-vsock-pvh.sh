# The same as 76-vsock in a PVH guest, and in the other dialect.
CASE_LIMIT=240
case_main() { need_daemon; . $LAB/vsock.sh; vsock_case pvh pr28; }
