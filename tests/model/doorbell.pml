/* SPDX-License-Identifier: MIT */
/*
 * Doorbells: words with a bit per slot under a summary word (rules.md M4, H5;
 * reserved in docs/protocol.md, section 11). The bus does not have them yet;
 * this is what they must do when it does.
 *
 * Setter: publish (a vring's index); full barrier; OR the bit; OR the summary;
 * notify if the summary was clear. Taker, per event: one exchange of the
 * summary, then one of each word it names; look at the queues found; end of
 * interrupt.
 *
 * -DFIXED   two setters, bound for good, one slot each; -DONE_WORD puts both
 *           bits into one word. -DCRASH: a setter may die anywhere and starts
 *           anew with one unconditional kick.
 * -DAVAIL   two queues of the driver side bind, kick, unbind and enable by
 *           messages; the device is one thread. Slots are taken from SLOTS.
 * -DUSED    the device is the setter, one thread; the driver side binds and
 *           unbinds while its interrupt handler runs on another processor.
 *
 * Properties
 *   P1 no lost kick: when nothing moves any more, all published work of
 *      enabled queues has been taken (assert in quiet);
 *   P2 an event finds a summary that is not 0, so an empty one is spurious and
 *      can be called so (assert in taker; not with CRASH);
 *   P3 with -DLIVE: published work is taken at last, though kicks never stop.
 *
 * Memory: a publish stays in the setter's store buffer until it drains; an
 * exchange or OR is at once in memory and is a full barrier unless broken.
 */
#ifdef ONE_WORD
#define WORD(slot) 0
#define MASK(slot) (1 << (slot))
#else
#define WORD(slot) (slot)
#define MASK(slot) 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#define NONE 7

byte word[2], summary;
bit event;		/* the channel towards the taker */
bit buffered[2], work[2];
bit done[2];		/* setters that have stopped */

proctype drain(byte q) { end: do :: atomic { buffered[q] -> buffered[q] = 0; work[q] = 1 } od }

#ifdef CRASH
#define MAY_DIE if :: goto dead :: true fi
#else
#define MAY_DIE true
#endif

#define OR_SUMMARY(slot) \
	atomic { was = summary; summary = summary | (1 << WORD(slot)) }
#ifdef BUG_NO_BARRIER
#define BARRIER(q) true
#else
#define BARRIER(q) !buffered[q]
#endif

#ifdef BUG_KICK_THEN_PUBLISH
#define PUBLISH_FIRST(q) true
#define PUBLISH_LAST(q) buffered[q] = 1
#else
#define PUBLISH_FIRST(q) buffered[q] = 1
#define PUBLISH_LAST(q) true
#endif

/* always: notify whatever the summary was. */
inline ring_bell(queue, at, always)
{
	MAY_DIE;
#ifdef BUG_SUMMARY_FIRST
	OR_SUMMARY(at);
	MAY_DIE;
	atomic { BARRIER(queue); word[WORD(at)] = word[WORD(at)] | MASK(at) };
#elif defined(BUG_SKIP_IF_SET)
	/* kernel-facts.md, section 5: a bit that was set needs no more. */
	atomic { BARRIER(queue); had = word[WORD(at)] & MASK(at); word[WORD(at)] = word[WORD(at)] | MASK(at) };
	MAY_DIE;
	if
	:: had -> was = 1; had = 0
	:: else -> OR_SUMMARY(at)
	fi;
#else
	atomic { BARRIER(queue); word[WORD(at)] = word[WORD(at)] | MASK(at) };
	MAY_DIE;
	OR_SUMMARY(at);
#endif
	MAY_DIE;
	if
	:: atomic { !was || always -> was = 0; event = 1 }
	:: else -> was = 0
	fi
}

#ifdef FIXED
#define ENABLED(q) true
#define OWNER(slot) (slot)
#else
byte owner[2] = NONE;	/* taker: slot to queue */
bit up[2];		/* taker */
#define ENABLED(q) up[q]
#define OWNER(slot) owner[slot]
#endif

/* What a kick is for. */
#define LOOK(q) if :: (q) != NONE && ENABLED(q) -> work[q] = 0 :: else fi

/* One bit of a word. What it finds is dropped if the slot has no owner or the queue is not enabled. */
inline handle(at)
{
	if
	:: bits & MASK(at) ->
#ifdef BUG_TAKER_LOOKS_EARLY
		atomic { if :: seen[at] -> LOOK(OWNER(at)) :: else fi }
#else
		atomic { LOOK(OWNER(at)) }
#endif
	:: else
	fi
}

#ifdef BUG_TAKER_LOOKS_EARLY
/* The exchange of a word orders nothing: the queue's index was loaded before. */
#define EARLY(slot) seen[slot] = work[OWNER(slot)]
#else
#define EARLY(slot) true
#endif

inline take_words()
{
	if
	:: s & 1 ->
		EARLY(0);
#ifdef ONE_WORD
		EARLY(1);
#endif
		atomic { bits = word[0]; word[0] = 0 };
		handle(0);
#ifdef ONE_WORD
		handle(1);
#endif
		bits = 0
	:: else
	fi;
#ifndef ONE_WORD
	if
	:: s & 2 ->
		EARLY(1);
		atomic { bits = word[1]; word[1] = 0 };
		handle(1);
		bits = 0
	:: else
	fi
#endif
}

/* After the event was taken. */
inline take_bells()
{
#ifdef BUG_WORDS_FIRST
	s = 3;
	take_words();
	atomic { s = summary; summary = 0 };
	s = 0;
#elif defined(BUG_SUMMARY_NOT_EXCHANGED)
	s = summary;
	summary = 0;
	take_words();
	s = 0;
#else
	atomic { s = summary; summary = 0 };
#ifndef CRASH
	assert(s);
#endif
	take_words();
	s = 0;
#ifdef BUG_TAKE_TWICE
	/* Look again before the end of interrupt. */
	atomic { s = summary; summary = 0 };
	take_words();
	s = 0;
#endif
#endif
}

#ifdef FIXED

proctype setter(byte q)
{
	byte was, had;

	do
	:: PUBLISH_FIRST(q); ring_bell(q, q, 0); PUBLISH_LAST(q)
#ifdef CRASH
	:: false ->
dead:		/* What it published stays published. Recovery kicks once, and may die in it as well. */
		was = 0;
		had = 0;
		!buffered[q];
		ring_bell(q, q, 1)
#endif
	:: done[q] = 1; break
	od
}

proctype taker()
{
	byte s, bits;
	bit seen[2];

end:	do
#ifdef BUG_EVENT_CLEARED_LATE
	:: event -> take_bells(); event = 0
#else
	:: atomic { event -> event = 0 }; take_bells()
#endif
	od
}

#endif
#ifdef AVAIL

mtype = { BIND, UNBIND, ENABLE, KICK };
chan msg = [3] of { mtype, byte, byte };
bit answer[2];
bit slot_taken[SLOTS];

proctype setter(byte q)
{
	byte was, had;
	bit on, unbinding;
	byte slot = NONE;

	do
	/* A kick: only of an enabled queue; with the bell as soon as BIND is sent. */
	:: on -> buffered[q] = 1;
		if
		:: slot != NONE && !unbinding -> ring_bell(q, slot, 0)
		:: else -> atomic { !buffered[q] -> msg!KICK,q,0 }
		fi
	:: !on -> atomic { msg!ENABLE,q,0; on = 1 }
	:: slot == NONE ->
		if
		:: atomic { !slot_taken[0] -> slot_taken[0] = 1; slot = 0 }
#if SLOTS > 1
		:: atomic { !slot_taken[1] -> slot_taken[1] = 1; slot = 1 }
#endif
		:: else -> goto next
		fi;
		atomic { !buffered[q] -> msg!BIND,q,slot }
next:		skip
	:: slot != NONE && !unbinding -> atomic { !buffered[q] -> msg!UNBIND,q,slot; unbinding = 1 }
	:: atomic { answer[q] -> answer[q] = 0; unbinding = 0; slot_taken[slot] = 0; slot = NONE }
	:: atomic { on && !unbinding -> done[q] = 1; break }
	od
}

proctype taker()
{
	byte s, bits, q, slot;
	bit seen[2];

end:	do
	:: atomic { event -> event = 0 }; take_bells()
	:: atomic { msg?BIND,q,slot -> owner[slot] = q;
#ifndef BUG_NO_LOOK_AT_BIND
		LOOK(q);
#endif
		q = 0; slot = 0 }
	:: atomic { msg?ENABLE,q,_ -> up[q] = 1;
#ifndef BUG_NO_LOOK_AT_ENABLE
		LOOK(q);
#endif
		q = 0 }
	:: atomic { msg?KICK,q,_ -> LOOK(q); q = 0 }
	:: atomic { msg?UNBIND,q,slot ->
		/* After the fence nobody sets the bit. It is cleared, and what it stood for is looked at. */
		owner[slot] = NONE;
		word[WORD(slot)] = word[WORD(slot)] & (255 - MASK(slot));
#ifndef BUG_NO_LOOK_AT_UNBIND
		LOOK(q);
#endif
		answer[q] = 1;
		q = 0; slot = 0 }
	od
}

#endif
#ifdef USED

mtype = { BIND, UNBIND, KICK };
chan msg = [2] of { mtype, byte, byte };	/* to the device */
bit used[2];					/* EVENT_USED in the ring, merged per queue */
bit answer[2];
bit slot_taken[SLOTS];

/* The device: one thread. */
proctype setter()
{
	byte was, had;
	byte q, slot, bound[2] = NONE;

	do
	:: atomic { if :: q = 0 :: q = 1 fi; buffered[q] = 1 };
		if
		:: bound[q] != NONE -> ring_bell(q, bound[q], 0)
		:: else -> atomic { !buffered[q] -> used[q] = 1 }
		fi;
		q = 0
	:: atomic { msg?BIND,q,slot -> bound[q] = slot; q = 0; slot = 0 }
	:: atomic { msg?UNBIND,q,slot ->
#ifdef BUG_ANSWER_BEFORE_STOP
		answer[q] = 1; slot = 0 };
		/* Rings once more after its answer. */
		buffered[q] = 1;
		ring_bell(q, bound[q], 0);
		atomic { bound[q] = NONE; q = 0 }
#else
		bound[q] = NONE; answer[q] = 1; q = 0; slot = 0 }
#endif
	:: atomic { empty(msg) && done[0] && done[1] -> break }
	od
}

/* Driver side, the handler of the doorbells' channel. */
proctype taker()
{
	byte s, bits;
	bit seen[2];

end:	do
	:: atomic { event -> event = 0 }; take_bells()
	od
}

/* The handler of the rings' channel. */
proctype ring_taker()
{
end:	do
	:: atomic { used[0] -> used[0] = 0; LOOK(0) }
	:: atomic { used[1] -> used[1] = 0; LOOK(1) }
	od
}

/* Driver side, process context: binds and unbinds a queue. */
proctype binder(byte q)
{
	byte slot = NONE;
	bit had;

	do
	:: slot == NONE ->
		if
		:: atomic { !slot_taken[0] -> slot_taken[0] = 1; slot = 0 }
#if SLOTS > 1
		:: atomic { !slot_taken[1] -> slot_taken[1] = 1; slot = 1 }
#endif
		:: atomic { done[q] = 1; break }
		fi;
		/* Known here before the device may ring. */
#ifdef BUG_OWNER_AFTER_BIND
		msg!BIND,q,slot;
		owner[slot] = q
#else
		owner[slot] = q;
		msg!BIND,q,slot
#endif
	:: slot != NONE ->
		if
		:: atomic { done[q] = 1; break }
		:: msg!UNBIND,q,slot
		fi;
		atomic { answer[q] -> answer[q] = 0 };
		owner[slot] = NONE;
		atomic { had = (word[WORD(slot)] & MASK(slot)) != 0;
			word[WORD(slot)] = word[WORD(slot)] & (255 - MASK(slot)) };
#ifdef BUG_LOOK_ONLY_IF_BIT
		/* The handler may have taken the bit and found no owner. */
		if :: had -> LOOK(q) :: else fi;
#elif !defined(BUG_NO_LOOK_AT_UNBIND)
		LOOK(q);
#endif
		atomic { had = 0; slot_taken[slot] = 0; slot = NONE }
	od
}

#endif

proctype quiet()
{
end:	timeout ->
	assert(done[0] && done[1]);
	assert(!buffered[0] && !buffered[1]);
	assert(!work[0] && !work[1])
}

init
{
	atomic {
		run drain(0);
		run drain(1);
		run taker();
#ifdef USED
		up[0] = 1;
		up[1] = 1;
		run setter();
		run ring_taker();
		run binder(0);
		run binder(1);
#else
		run setter(0);
		run setter(1);
#endif
		run quiet()
	}
}

#ifdef LIVE
ltl live { [](work[0] -> <>!work[0]) && [](work[1] -> <>!work[1]) }
#endif
