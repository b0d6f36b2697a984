# Verified I/O, PVH, one vCPU.
case_main() { io_case pvh 1; }
