# AF_VSOCK between a guest and dom0, by dom0's vhost-vsock over mapped areas. PV, draft2026.
CASE_LIMIT=240
case_main() { need_daemon; need_type pv 77-vsock-pvh; . $LAB/vsock.sh; vsock_case pv draft2026; }
