# Verified I/O, PV, two vCPUs.
case_main() { io_case pv 2; }
