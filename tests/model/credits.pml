/* SPDX-License-Identifier: MIT */
/*
 * Both rings with credits and rules R1-R5 of docs/protocol.md, section 6. What
 * ring.pml checks is taken for granted: a ring is a queue with C units of
 * room, and whoever can go on is woken.
 *
 * Properties
 *   P1 an answer always finds room (assert in answer);
 *   P2 no deadlock: when nothing moves any more, every request is answered,
 *      every event that was due has been seen, and both rings are empty
 *      (assert in quiet);
 *   P3 answers of one device come in the order of the requests, none to a
 *      request that is not outstanding; no more than N wait in the device
 *      (asserts);
 *   P4 with -DLIVE: every request and PING is answered at last, though
 *      requests and events never stop (ltl; weak fairness);
 *   P5 with -DLIVE_EVENTS: every change is seen by the other side at last.
 *
 * Units: S is the longest record; records have 1 or S units.
 */
#ifndef N
#define N 2	/* N_drv; N_dev is 1, the PING */
#endif
#ifndef S
#define S 1
#endif
#ifndef C
#define C (2 * N * S)
#endif

#ifdef BUG_RESERVE_ONE_SHORT
#define DEV_RESERVE ((N - 1) * S)
#elif defined(BUG_NO_RESERVE) || defined(BUG_ANSWER_WAITS)
#define DEV_RESERVE 0
#else
#define DEV_RESERVE (N * S)
#endif
#if defined(BUG_NO_RESERVE) || defined(BUG_ANSWER_WAITS) || defined(BUG_NO_PING_RESERVE)
#define DRV_RESERVE 0
#else
#define DRV_RESERVE (1 * S)
#endif

mtype = { REQ, ANS, EVT };

/* kind, token, units to give back */
chan drv = [C] of { mtype, byte, byte };
chan dev = [C] of { mtype, byte, byte };
byte drv_used, dev_used;
#ifdef BUG_FILLER
byte drv_at, dev_at;
#endif

bit out[2 * N];		/* driver: token taken */
byte asked;		/* driver: credits taken */
#ifdef BUG_CREDIT_AT_TIMEOUT
bit late[2 * N];
#endif
chan order = [2 * N] of { byte };
bit kick, unseen;	/* driver: an EVENT_AVAIL is due; the device has not looked since */

chan owed = [N] of { byte };	/* device: requests whose answer waits for something */
bit io_done;
bit dirty, stale;	/* device: an EVENT_CONFIG is due; the driver has not looked since */
bit ping_due;
byte pings;

#define FITS(ring, n, reserve) (C - ring##_used >= (n) + (reserve))

#ifdef BUG_FILLER
/* A record does not wrap: what is left at the end is lost, and nobody counts it. */
#define PUT(ring, kind, token, n) \
	fill = ((ring##_at + (n) > C) -> C - ring##_at : 0); \
	ring##_used = ring##_used + fill + (n); assert(ring##_used <= C); \
	ring##_at = (ring##_at + fill + (n)) % C; ring!kind,token,fill + (n); fill = 0
#define ANSWER_FITS(ring, n) FITS(ring, (n) + ((ring##_at + (n) > C) -> C - ring##_at : 0), 0)
#else
#define PUT(ring, kind, token, n) ring##_used = ring##_used + (n); ring!kind,token,n
#define ANSWER_FITS(ring, n) FITS(ring, n, 0)
#endif

#define LENGTH(n) if :: n = 1 :: S > 1 -> n = S fi

/* R2 */
#ifdef BUG_ANSWER_WAITS
#define ANSWER(ring, token) LENGTH(n); ANSWER_FITS(ring, n); PUT(ring, ANS, token, n); n = 0
#else
#define ANSWER(ring, token) LENGTH(n); assert(ANSWER_FITS(ring, n)); PUT(ring, ANS, token, n); n = 0
#endif

/* -- Driver side -- */

/* Somebody who asks, with a token of his own, and may give up waiting. */
proctype asker(byte me)
{
	byte n, fill, token = me;

	do
	:: atomic {
		!out[token] && asked < N ->
		LENGTH(n);
		FITS(drv, n, DRV_RESERVE);
		PUT(drv, REQ, token, n);
		n = 0;
		out[token] = 1;
		asked++;
		order!token
	   }
#if defined(BUG_CREDIT_AT_TIMEOUT) || defined(BUG_CREDIT_WHEN_TAKEN)
	/* R3 broken: asks again, with another token, before the answer to the last request is consumed. */
	:: atomic {
		out[token] ->
#ifdef BUG_CREDIT_AT_TIMEOUT
		if
		:: !late[token] -> late[token] = 1; asked--
		:: else
		fi;
#endif
		token = (token == me -> me + N : me)
	   }
#endif
	:: break
	od
}

/* The interrupt: takes a record, then sends what was held back. */
proctype driver()
{
	byte n, fill, token, units;
	mtype kind;

end:	do
	:: atomic {
			nempty(dev) || (kick && FITS(drv, S, DRV_RESERVE)) ->
			if
			:: dev?kind,token,units ->
				dev_used = dev_used - units;
				units = 0;
				if
				:: kind == ANS ->
					assert(out[token]);
					assert(order?[eval(token)]);
					order?eval(token);
					out[token] = 0;
#ifdef BUG_CREDIT_AT_TIMEOUT
					asked = asked - !late[token];
					late[token] = 0
#elif !defined(BUG_CREDIT_WHEN_TAKEN)
					asked--
#endif
				:: kind == REQ -> ANSWER(drv, token)
				:: kind == EVT -> stale = 0
				fi;
				token = 0;
				kind = 0
			:: empty(dev)
			fi
		};
		atomic {
			if
#ifdef BUG_CONSUMER_WAITS
			/* R4 broken: what is due goes out before the next record is looked at. */
			:: kick -> FITS(drv, S, DRV_RESERVE);
#else
			:: kick && FITS(drv, S, DRV_RESERVE) ->
#endif
				LENGTH(n); PUT(drv, EVT, 0, n); kick = 0; n = 0
			:: else
			fi
		}
	od
}

/* -- Device side: one thread. A pass takes a record, ends I/O, and sends what was held back. -- */

inline take()
{
	if
	:: drv?kind,token,units ->
		drv_used = drv_used - units;
		units = 0;
		if
		:: kind == REQ ->
#ifdef BUG_CREDIT_WHEN_TAKEN
			asked--;
#endif
			if
#ifdef BUG_OVERTAKE
			:: ANSWER(dev, token)
#else
			:: empty(owed) -> ANSWER(dev, token)
#endif
			:: assert(nfull(owed)); owed!token
			fi
		:: kind == ANS -> assert(pings); pings--
		:: kind == EVT -> unseen = 0
		fi;
		token = 0;
		kind = 0
	:: empty(drv)
	fi
}

inline send_events()
{
	if
#ifdef BUG_CONSUMER_WAITS
	:: dirty -> FITS(dev, S, DEV_RESERVE); LENGTH(n); PUT(dev, EVT, 0, n); dirty = 0; n = 0
#else
	:: dirty && FITS(dev, S, DEV_RESERVE) -> LENGTH(n); PUT(dev, EVT, 0, n); dirty = 0; n = 0
#endif
#ifdef BUG_EVENT_DROPPED
	:: dirty && !FITS(dev, S, DEV_RESERVE) -> dirty = 0
#endif
	:: else
	fi
}

#ifdef BUG_TWO_PINGS
#define MAY_PING (ping_due && pings < 2 && FITS(dev, S, DEV_RESERVE))
#else
/* R5 */
#define MAY_PING (ping_due && pings < 1 && FITS(dev, S, DEV_RESERVE))
#endif

proctype device()
{
	byte n, fill, token, units;
	mtype kind;

end:	do
	:: atomic {
			nempty(drv) || io_done || (dirty && FITS(dev, S, DEV_RESERVE)) || MAY_PING ->
			take()
		};
		atomic {
			if
			:: io_done -> io_done = 0; owed?token; ANSWER(dev, token); token = 0
			:: else
			fi;
			send_events();
			if
			:: MAY_PING -> LENGTH(n); PUT(dev, REQ, 0, n); n = 0; ping_due = 0; pings++
			:: else
			fi
		}
	od
}

/* -- The world: I/O ends, configuration changes, drivers kick; the last three may stop. -- */

proctype disk() { end: do :: atomic { nempty(owed) && !io_done -> io_done = 1 } od }
proctype changes() { do :: atomic { !dirty -> dirty = 1; stale = 1 } :: break od }
proctype kicks() { do :: atomic { !kick -> kick = 1; unseen = 1 } :: break od }
proctype prober() { do :: atomic { !ping_due -> ping_due = 1 } :: break od }

/* P2; the askers may be asleep for lack of room or of an answer, which is what is looked for. */
proctype quiet()
{
end:	timeout ->
	assert(empty(drv) && empty(dev));
	assert(!dirty && !stale && !kick && !unseen);
	assert(!asked && empty(owed) && !pings && !ping_due)
}

init
{
	byte i;
	atomic {
		run driver();
		run device();
		run disk();
		run changes();
		run kicks();
#ifndef NO_PING
		run prober();
#endif
		do
		:: i < N -> run asker(i); i++
		:: else -> break
		od;
		i = 0;
		run quiet()
	}
}

#ifdef LIVE
ltl live { [](out[0] -> <>!out[0]) && [](pings -> <>!pings) }
#endif
#ifdef LIVE_EVENTS
ltl live { [](stale -> <>!stale) && [](unseen -> <>!unseen) }
#endif
