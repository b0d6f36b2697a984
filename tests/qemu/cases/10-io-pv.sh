# Verified I/O, PV, one vCPU (a kernel whose atomics have lost their lock prefix).
case_main() { need_type pv 12-io-pvh; io_case pv 1; }
