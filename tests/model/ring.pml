/* SPDX-License-Identifier: MIT */
/*
 * One ring of xen/proto/ring.c between two processors with weak memory.
 * docs/model.md has the map to the C lines.
 *
 * Properties, over all interleavings and all orders in which the two
 * processors' stores may reach memory:
 *   P1 no lost wake-up: when nothing moves any more, the producer is not
 *      asleep with a record in hand, and nothing lies unconsumed (assert in
 *      quiet);
 *   P2 no record is lost, doubled, read before it is written or written over
 *      before it is read (assert in check_unit, and contiguous cons);
 *   P3 with -DLIVE: a held record is written at last, and what was put is
 *      consumed at last, if each processor runs at last (ltl; weak fairness).
 *
 * Memory. A store goes to the processor's store buffer; a process of its own
 * moves it to memory at any later time. Nobody loads a word it stores itself,
 * so nothing is forwarded. -DTSO: the buffer drains in order (x86). Otherwise
 * (ARM): in any order, except stores to one word, and a release store only
 * after all that came before it; loads are early or late as far as no acquire,
 * release or full barrier holds them (BUG_PROD_RELAXED_LOAD, BUG_CONS_PLAIN).
 * A full barrier waits until the buffer is empty.
 *
 * Units: 1 here stands for 8 bytes. Indices run modulo M, the ring holds C.
 */
#ifndef C
#define C 4
#endif
#ifndef M
#define M (2 * C)
#endif
/* Reserve for answers, and the longest record. RES + MAXLEN <= C. */
#ifndef RES
#define RES 1
#endif
#ifndef MAXLEN
#define MAXLEN 2
#endif

#define SUB(a, b)		(((a) + 2 * M - (b)) & (M - 1))
#define PASSES(event, old, now)	(SUB((now) + M - 1, event) < SUB(now, old))

/*
 * Who does what when. Free (2): both are possible at each place. DRV is the
 * drv ring as the module writes it and the worker reads it, DEV the other.
 */
#ifndef ANSWERS_TOO
#define ANSWERS_TOO 1
#endif
#ifdef DRV
#define PUBLISH_EACH 1		/* the producer publishes after each record */
#define PUBLISH_THEN_ARM 1	/* before arming, or after */
#define ARM_LONGEST 1		/* arms for the longest record, or for the one in hand */
#define ANSWERS ANSWERS_TOO	/* writes an answer into the reserve, and does not arm again */
#define CONSUME_EACH 0		/* the consumer publishes after each record, or before it sleeps */
#define CONSUME_THEN_ARM 1	/* there: before arming, or after */
#elif defined(DEV)
#define PUBLISH_EACH 2
#define PUBLISH_THEN_ARM 1
#define ARM_LONGEST 0
#define ANSWERS 0
#define CONSUME_EACH 0
#define CONSUME_THEN_ARM 0
#else
#define PUBLISH_EACH 2
#define PUBLISH_THEN_ARM 2
#define ARM_LONGEST 2
#define ANSWERS ANSWERS_TOO
#define CONSUME_EACH 2
#define CONSUME_THEN_ARM 2
#endif
/* does: what is done, or, if that changes anything, not. */
#define MAY(choice, does, changes) if :: (choice) || !(changes) -> does :: (choice) != 1 && (changes) fi

/* Words of the control page, then the data. */
#define PROD 0
#define CONS 1
#define PROD_EVENT 2
#define CONS_EVENT 3
#define DATA 4
byte mem[DATA + C];

/* What a unit of a record holds: the lap it was written in, so that a stale one is known; head and length. */
#define LAP(pos)	((((pos) & (M - 1)) / C) & 1)
#define HEAD		2
#define LONG		4
#define AT(pos)		(DATA + ((pos) & (C - 1)))

chan ptx = [6] of { byte, byte, bit };	/* producer's store buffer: word, value, release */
chan crx = [3] of { byte, byte, bit };	/* consumer's */

bit pend_p, pend_c;	/* event channel, towards the producer and the consumer */
byte p_hold;		/* length of the record the producer wants to write */
bit p_done;		/* the producer has no more to send, ever */
byte p_prod, c_cons;	/* the private indices */
bit took;		/* flips with each record, for P3 */

#define STORE(sb, word, value)		sb!word,value,0
#define STORE_RELEASE(sb, word, value)	sb!word,value,1
#define MB(sb)				empty(sb)

#ifdef TSO
#define REORDERS false		/* loads among themselves, or behind a later store */
proctype drain_p() { byte w, v; end: do :: atomic { ptx?w,v,_ -> mem[w] = v; w = 0; v = 0 } od }
proctype drain_c() { byte w, v; end: do :: atomic { crx?w,v,_ -> mem[w] = v; w = 0; v = 0 } od }
#else
#define REORDERS true
/* The first entry for the word, wherever it stands; and a release at the head of the buffer. */
#define ANY(sb, word) atomic { sb??word,v,0 -> mem[word] = v; v = 0 }
#define HEAD_OF(sb, word) atomic { sb?word,v,1 -> mem[word] = v; v = 0 }
proctype drain_p()
{
	byte v;
end:	do
	:: ANY(ptx, PROD)
	:: HEAD_OF(ptx, PROD)
	:: ANY(ptx, CONS_EVENT)
	:: ANY(ptx, 4)
	:: ANY(ptx, 5)
#if C > 2
	:: ANY(ptx, 6)
	:: ANY(ptx, 7)
#endif
	od
}
proctype drain_c()
{
	byte v;
end:	do
	:: ANY(crx, CONS)
	:: HEAD_OF(crx, CONS)
	:: ANY(crx, PROD_EVENT)
	od
}
#endif

/*
 * Steps. An atomic runs until a barrier has to wait for the store buffer; so
 * between two loads of memory others can run, while a store joins the step
 * before it, its buffer delaying it anyway. A notification joins the load of
 * the event word that asks for it; -DSPLIT takes it apart.
 */
#ifdef SPLIT
/* Blocks once, so that the atomic ends here. */
#define NOTIFY(want, who) if :: want -> yield_##who = 1; (!yield_##who); who = 1 :: else fi
bit yield_pend_p, yield_pend_c;
proctype yield() { end: do :: yield_pend_p -> yield_pend_p = 0 :: yield_pend_c -> yield_pend_c = 0 od }
#else
#define NOTIFY(want, who) if :: want -> who = 1 :: else fi
#endif

/* -- Producer -- */

/* tx_free: the acquire needs nothing here, since stores do not become visible before the branch they depend on. */
inline tx_free()
{
	free = SUB(p_prod, mem[CONS]);
	assert(free <= C);
	free = C - free
}

/* xvm_ring_tx_put after its check for room. */
inline tx_write(n)
{
	STORE(ptx, AT(p_prod), LAP(p_prod) + HEAD + (n == 2 -> LONG : 0));
	if
	:: n == 2 -> STORE(ptx, AT(p_prod + 1), LAP(p_prod + 1))
	:: else
	fi;
	p_prod = SUB(p_prod + n, 0)
}

/* xvm_ring_tx_publish, and the notification that it asks for. */
inline tx_publish()
{
	if
	:: p_prod == pub
	:: else ->
#ifdef BUG_PROD_PLAIN
		STORE(ptx, PROD, p_prod);
#else
		STORE_RELEASE(ptx, PROD, p_prod);
#endif
		old = pub;
		pub = p_prod;
#ifndef BUG_TX_PUBLISH_NO_MB
		MB(ptx);
#endif
#ifdef BUG_PASSES_EXACT
		NOTIFY(mem[PROD_EVENT] == SUB(p_prod, 1), pend_c);
#else
		NOTIFY(PASSES(mem[PROD_EVENT], old, p_prod), pend_c);
#endif
		old = 0
	fi
}

/* xvm_ring_tx_arm for a record of arm units; fits: it fits already. */
inline tx_arm()
{
#ifdef BUG_TX_ARM_LOOK_FIRST
	tx_free();
	STORE(ptx, CONS_EVENT, SUB(p_prod + arm + RES, C + 1));
	MB(ptx);
#else
#ifdef BUG_TX_ARM_ONE_LATE
	STORE(ptx, CONS_EVENT, SUB(p_prod + arm + RES, C));
#else
	STORE(ptx, CONS_EVENT, SUB(p_prod + arm + RES, C + 1));
#endif
#ifndef BUG_TX_ARM_NO_MB
	MB(ptx);
#endif
	tx_free();
#endif
#ifdef BUG_TX_ARM_NO_LOOK
	fits = 0;
#else
	fits = free >= arm + RES;
#endif
	arm = 0;
	free = 0
}

proctype producer()
{
	byte pub, free, old, arm;
	bit fits;

	do
	:: atomic {
		/* More to send, or nothing ever again. */
		if
		:: p_hold
		:: !p_hold -> p_hold = 1
		:: !p_hold -> p_hold = MAXLEN
		:: !p_hold -> p_done = 1; tx_publish(); break
		fi;
		tx_free();
#ifdef BUG_TX_FREE_ONE_MORE
		free++;
#endif
		if
		:: free >= p_hold + RES ->
			free = 0;
			tx_write(p_hold);
			p_hold = 0;
			MAY(PUBLISH_EACH, tx_publish(), p_prod != pub)
		:: else ->
			/* No room. Shown before the arming or after it; armed for this record (worker) or for the longest (module). */
			free = 0;
			arm = p_hold;
			MAY(ARM_LONGEST, arm = MAXLEN, p_hold < MAXLEN);
			MAY(PUBLISH_THEN_ARM, tx_publish(), p_prod != pub);
			tx_arm()
		fi
	   };
	   if
	   :: p_hold && !fits ->
		atomic {
			/* An answer may use the reserve and still go out, and nobody arms anew. */
			tx_free();
			if
			:: free > 0 && RES && ANSWERS -> tx_write(1)
			:: true
			fi;
			free = 0;
#ifndef BUG_SLEEP_UNPUBLISHED
			tx_publish()
#endif
		};
		atomic { pend_p -> pend_p = 0 }
	   :: else -> fits = 0
	   fi
	od
}

/* -- Consumer -- */

/* One load of one unit: it must be of this lap, and the start of a record just where one is looked for. */
#define CHECK_UNIT(value, pos, head) \
	assert(((value) & 1) == LAP(pos)); assert((((value) & HEAD) != 0) == head)

/* xvm_ring_rx_get. Both units in one step: a bad value that one of them can see, both see at some moment. */
inline rx_get()
{
	if
	:: early -> early = 0
	:: else -> value = mem[AT(c_cons)]
	fi;
	CHECK_UNIT(value, c_cons, 1);
	n = (value & LONG -> 2 : 1);
	assert(n <= avail);
	if
	:: n == 2 -> CHECK_UNIT(mem[AT(c_cons + 1)], c_cons + 1, 0)
	:: else
	fi;
#ifdef BUG_CONS_PLAIN
	/* Nothing keeps the load of the record's bytes before the store of cons. */
	if
	:: REORDERS -> late = 1; latepos = c_cons
	:: true
	fi;
#endif
	c_cons = SUB(c_cons + n, 0);
	avail = avail - n;
	n = 0;
	value = 0
}

/* xvm_ring_rx_publish, and the notification that it asks for. */
inline rx_publish()
{
	if
	:: c_cons == pub
	:: else ->
#ifdef BUG_CONS_PLAIN
		STORE(crx, CONS, c_cons);
#else
		STORE_RELEASE(crx, CONS, c_cons);
#endif
		old = pub;
		pub = c_cons;
#ifndef BUG_RX_PUBLISH_NO_MB
		MB(crx);
#endif
#ifdef BUG_CONS_PLAIN
		if
		:: late -> CHECK_UNIT(mem[AT(latepos)], latepos, 1); late = 0; latepos = 0
		:: else
		fi;
#endif
#ifndef BUG_NO_CONS_EVENT
#ifdef BUG_PASSES_EXACT_ROOM
		NOTIFY(mem[CONS_EVENT] == SUB(c_cons, 1), pend_p);
#else
		NOTIFY(PASSES(mem[CONS_EVENT], old, c_cons), pend_p);
#endif
#endif
		old = 0
	fi
}

/* xvm_ring_rx_arm; more: something is there already. */
inline rx_arm()
{
#ifdef BUG_RX_ARM_LOOK_FIRST
	more = mem[PROD] != c_cons;
	STORE(crx, PROD_EVENT, c_cons);
	MB(crx)
#else
	STORE(crx, PROD_EVENT, c_cons);
#ifndef BUG_RX_ARM_NO_MB
	MB(crx);
#endif
#ifdef BUG_RX_ARM_NO_LOOK
	more = 0
#else
	more = mem[PROD] != c_cons
#endif
#endif
}

proctype consumer()
{
	byte pub, avail, old, n, value, latepos;
	bit more, early, late;

	do
	:: avail -> atomic {
		rx_get();
#ifdef LIVE
		took = !took;
#endif
		MAY(CONSUME_EACH, rx_publish(), c_cons != pub)
	   }
	:: !avail ->
#ifdef BUG_PROD_RELAXED_LOAD
		/* Nothing keeps the load of the record behind that of prod. */
		if
		:: atomic { REORDERS -> early = 1; value = mem[AT(c_cons)] }
		:: true
		fi;
#endif
		atomic {
			/* rx_look */
			avail = SUB(mem[PROD], c_cons);
			assert(avail <= C);
			if
			:: avail
			:: else ->
				early = 0;
				value = 0;
				/* The worker publishes, then arms; the module arms, then publishes. */
				MAY(CONSUME_THEN_ARM, rx_publish(), c_cons != pub);
				rx_arm();
#ifndef BUG_SLEEP_HOARDING
				if :: more :: else -> rx_publish() fi
#endif
			fi
		};
		if
		:: avail || more -> more = 0
		:: else ->
#ifdef BUG_CLEAR_LATE
			/* The event is acknowledged after the look and not before it. */
			pend_c = 0;
			(pend_c)
#else
			atomic { pend_c -> pend_c = 0 }
#endif
		fi
	od
}

/* P1. timeout is true when no process can move. */
proctype quiet()
{
end:	timeout ->
	assert(p_done);
	assert(p_prod == c_cons)
}

init
{
	byte i;

	atomic {
		/* Nothing was ever written: the lap before the first. */
		do
		:: i < C -> mem[DATA + i] = 1 + HEAD; i++
		:: else -> break
		od;
		i = 0;
		run drain_p();
		run drain_c();
#ifdef SPLIT
		run yield();
#endif
		run producer();
		run consumer();
		run quiet()
	}
}

#ifdef LIVE
ltl live { [](p_hold -> <>!p_hold) && [](p_prod != c_cons -> (<>took && <>!took)) }
#endif
