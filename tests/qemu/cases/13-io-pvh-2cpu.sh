# Verified I/O, PVH, two vCPUs.
case_main() { io_case pvh 2; }
