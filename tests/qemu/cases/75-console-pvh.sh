# The same as 74-console in a PVH guest, and in the other dialect.
CASE_LIMIT=120
case_main() { need_daemon; . $LAB/console.sh; console_case pvh pr28; }
