# Verified I/O, PV, one vCPU (a kernel whose atomics have lost their lock prefix).
case_main() { io_case pv 1; }
