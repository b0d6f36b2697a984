// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xvm-hostile: attacks a back-end from a guest, by name.
 *   xvm-hostile list [GROUP]      the attacks, one "GROUP NAME" a line
 *   xvm-hostile NAME...           each on a proper connection of its own
 *   xvm-hostile delete-the-bus    takes the bus node away; nothing of this guest works afterwards
 * Prints "HOSTILE NAME survived: what was seen", or "HOSTILE NAME FAILED: why". An attack is survived
 * when the back did what the attack's table says, and afterwards a proper connection reads from its disk what it wrote.
 */
#include "front.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct attack *const groups[] = {
	ring_attacks, msg_attacks, vq_attacks, packed_attacks, area_attacks, io_attacks, store_attacks,
};

static char seen_text[160];
static char wrong_text[160];
static jmp_buf ended;
static const char *name_now = "";
static char **names_left;	/* after the present one, and the name of the program before them */

/* The present attack left this program in no state to go on; the rest is for a new one. */
void die(const char *format, ...)
{
	va_list args;

	printf("HOSTILE %s FAILED: ", name_now);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (names_left && names_left[1])
		execv("/proc/self/exe", names_left);
	exit(1);
}

void seen(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(seen_text, sizeof(seen_text), format, args);
	va_end(args);
}

void wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(wrong_text, sizeof(wrong_text), format, args);
	va_end(args);
	longjmp(ended, 1);
}

u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

void nap_ms(u32 ms)
{
	usleep(ms * 1000);
}

u32 rnd(void)
{
	/* Per thread, so that a second one does not change what the first does. */
	static __thread u32 seed = 20260728;

	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* ---- the second thread ---- */

static pthread_t other;
static volatile bool other_runs;

static void *other_main(void *arg)
{
	void (*step)(void) = *(void (**)(void))arg;

	while (other_runs)
		step();
	return NULL;
}

void meanwhile(void (*step)(void))
{
	static void (*now)(void);

	now = step;
	other_runs = true;
	if (pthread_create(&other, NULL, other_main, &now))
		die("no thread");
}

void meanwhile_end(void)
{
	if (!other_runs)
		return;
	other_runs = false;
	pthread_join(other, NULL);
}

/* ---- one attack ---- */

static const char *const reason_name[] = { "", "index", "record", "credit", "closed", "internal" };

/* What became of the connection; sets wrong_text when that is not what the table says. */
static void judge(const struct attack *attack)
{
	bool dropped = front.control ? attack->expect == DROPS ? front_wait_dropped(10000) : front_dropped() : true;
	u32 reason = front.reason;

	if (!seen_text[0] && attack->expect == REFUSED)
		seen("no connection");
	else if (!seen_text[0])
		seen(!dropped ? "the connection stayed" : !reason ? "the connection is over" : "dropped, %s",
		     reason < 6 ? reason_name[reason] : "unknown reason");
	if (wrong_text[0])
		return;
	if (attack->expect == DROPS && !dropped)
		snprintf(wrong_text, sizeof(wrong_text), "the connection was not dropped");
	if (attack->expect == DROPS && attack->reason && reason && reason != attack->reason)
		snprintf(wrong_text, sizeof(wrong_text), "dropped for reason %u, not %u", reason, attack->reason);
	if (attack->expect == STAYS && dropped)
		snprintf(wrong_text, sizeof(wrong_text), "the connection was dropped, reason %u (0x%x)", reason,
			 front.detail);
	if (attack->expect == REFUSED && !dropped && front_ping())
		snprintf(wrong_text, sizeof(wrong_text), "it was connected");
}

/* A proper connection, a disk that keeps what is written. */
static void prove(void)
{
	int ret;

	if (front_dropped())
		front_must_open();
	disk_down();
	ret = disk_up();
	if (ret && front_wait_dropped(10000)) {	/* it had not noticed yet */
		front_must_open();
		ret = disk_up();
	}
	if (ret)
		die("afterwards the disk does not come up: %s %d", ret < -1000 ? "area status" : "error",
		    ret < -1000 ? -1000 - ret : -ret);
	ret = disk_prove();
	if (ret)
		die("afterwards the disk does not keep data: %d", ret);
	disk_down();
}

static bool run(const struct attack *attack)
{
	u64 start = now_ms();

	name_now = attack->name;
	seen_text[0] = wrong_text[0] = 0;
	if (!front.up || front_dropped() || !front_ping())
		front_must_open();
	disk_down();
	if (!setjmp(ended))
		attack->run();
	meanwhile_end();
	judge(attack);
	prove();
	printf("HOSTILE %s %s: %s%s%s (%u ms)\n", attack->name, wrong_text[0] ? "FAILED" : "survived",
	       wrong_text[0] ? wrong_text : seen_text, wrong_text[0] ? "; " : "", wrong_text[0] ? seen_text : "",
	       (u32)(now_ms() - start));
	return !wrong_text[0];
}

static const struct attack *find(const char *name)
{
	const struct attack *attack;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(groups); i++)
		for (attack = groups[i]; attack->name; attack++)
			if (!strcmp(attack->name, name))
				return attack;
	return NULL;
}

static int list(const char *group)
{
	const struct attack *attack;
	u32 i;

	for (i = 0; i < XVM_ARRAY_SIZE(groups); i++)
		for (attack = groups[i]; attack->name; attack++)
			if (!group || !strcmp(group, attack->group))
				printf("%s %s\n", attack->group, attack->name);
	return 0;
}

/* The guest owns its front's directory, so it can take it away: the bus must be closed, and nothing else suffer. */
static int delete_the_bus(void)
{
	name_now = "bus-directory-deleted";
	front_must_open();
	if (disk_up())
		die("the disk did not come up");
	store_rm(FRONT);
	nap_ms(1000);
	front_forget();
	printf("HOSTILE %s survived: no bus any more\n", name_now);
	return 0;
}

int main(int argc, char **argv)
{
	bool good = true;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 2 && !strcmp(argv[1], "list"))
		return list(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "delete-the-bus"))
		return delete_the_bus();
	for (i = 1; i < argc; i++) {
		const struct attack *attack = find(argv[i]);

		if (!attack) {
			fprintf(stderr, "xvm-hostile: no attack %s; see xvm-hostile list\n", argv[i]);
			return 2;
		}
		names_left = argv + i;
		good = run(attack) && good;
	}
	front_close();
	return !good;
}
