# A console with a named port: a shell, bytes both ways, the log, the worker killed under output. PV, draft2026.
CASE_LIMIT=120
case_main() { need_daemon; need_type pv 75-console-pvh; . $LAB/console.sh; console_case pv draft2026; }
