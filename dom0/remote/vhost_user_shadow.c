// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_user_shadow.h"

#define DESC_F_NEXT 1u
#define DESC_F_WRITE 2u
#define USED_F_NO_NOTIFY 1u
#define SECTOR 512u

/* Both sides are of one machine and its byte order is the ring's: the project runs on no other. */
static u16 load16(const u8 *at)
{
	return __atomic_load_n((const u16 *)at, __ATOMIC_RELAXED);
}

static void store16(u8 *at, u16 value)
{
	__atomic_store_n((u16 *)at, value, __ATOMIC_RELAXED);
}

static bool page_busy(const struct vu_shadow *s, u32 page)
{
	return s->busy[page / 64] >> (page % 64) & 1;
}

static void page_mark(struct vu_shadow *s, u32 page, bool busy)
{
	u64 bit = 1ull << (page % 64);

	if (busy)
		s->busy[page / 64] |= bit;
	else
		s->busy[page / 64] &= ~bit;
}

void vu_shadow_init(struct vu_shadow *s, u8 *mem, u64 addr)
{
	u32 i;

	memset(s, 0, sizeof(*s));
	s->mem = mem;
	s->addr = addr;
	memset(mem, 0, VU_SHADOW_POOL);
	for (i = 0; i < VU_SHADOW_SIZE; i++)
		s->piece[i].next = (u16)(i + 1);
	s->free_count = VU_SHADOW_SIZE;
}

/* ---- pieces of the pool ---- */

/* The first run of free pages from next_page on, at most want of them; 0: there is none. */
static u32 find_run(struct vu_shadow *s, u32 want, u32 *first)
{
	u32 i, page, n = 0;

	for (i = 0; i < VU_SHADOW_PAGES && n < want; i++) {
		page = (s->next_page + i) % VU_SHADOW_PAGES;
		if (n && (!page || page_busy(s, page)))
			break;
		if (page_busy(s, page))
			continue;
		if (!n)
			*first = page;
		n++;
	}
	return n;
}

static void give_pages(struct vu_shadow *s, const struct vu_piece *piece)
{
	u32 page = (piece->off - VU_SHADOW_POOL) / VU_SHADOW_PAGE;
	u32 last = (piece->off + piece->bytes - 1 - VU_SHADOW_POOL) / VU_SHADOW_PAGE;

	for (; page <= last; page++)
		page_mark(s, page, false);
}

static void give_pieces(struct vu_shadow *s, u16 head, bool pages)
{
	u16 at, next;

	for (at = head; at < VU_SHADOW_SIZE; at = next) {
		next = s->piece[at].next;
		if (pages)
			give_pages(s, &s->piece[at]);
		s->piece[at].next = s->free_first;
		s->free_first = at;
		s->free_count++;
	}
}

/* The first free one; there is one. */
static struct vu_piece *take_free(struct vu_shadow *s, u16 *index)
{
	*index = s->free_first;
	s->free_first = s->piece[*index].next;
	s->free_count--;
	return &s->piece[*index];
}

/* A piece of up to bytes bytes that begins skip bytes into a page; false: none. */
static bool take_piece(struct vu_shadow *s, u32 skip, u32 bytes, bool write, u16 *index)
{
	u32 first = 0, n, i, room, off;

	if (!s->free_count)
		return false;
	n = find_run(s, (skip + bytes + VU_SHADOW_PAGE - 1) / VU_SHADOW_PAGE, &first);
	if (!n)
		return false;
	for (i = 0; i < n; i++)
		page_mark(s, first + i, true);
	s->next_page = (first + n) % VU_SHADOW_PAGES;
	room = n * VU_SHADOW_PAGE - skip;
	off = VU_SHADOW_POOL + first * VU_SHADOW_PAGE + skip;
	*take_free(s, index) = (struct vu_piece){
		.off = off, .addr = s->addr + off, .bytes = bytes < room ? bytes : room,
		.next = VU_SHADOW_SIZE, .write = write,
	};
	return true;
}

/*
 * Hangs pieces for all of a part behind *tail. What follows a short first buffer, a header, begins on a
 * sector, so that a server with O_DIRECT need not copy once more.
 */
static bool take_part(struct vu_shadow *s, const struct iovec *iov, u32 bytes, bool write, u16 **tail)
{
	u32 skip = bytes ? (u32)(SECTOR - iov->iov_len % SECTOR) % SECTOR : 0;
	u16 index;

	while (bytes) {
		if (!take_piece(s, skip, bytes, write, &index))
			return false;
		**tail = index;
		*tail = &s->piece[index].next;
		bytes -= s->piece[index].bytes;
		skip = 0;
	}
	return true;
}

/* ---- requests ---- */

static void write_desc(struct vu_shadow *s, u16 index)
{
	const struct vu_piece *piece = &s->piece[index];
	bool more = piece->next < VU_SHADOW_SIZE;
	u8 *at = s->mem + 16u * index;

	xvm_put64(at, piece->addr);
	xvm_put32(at + 8, piece->bytes);
	xvm_put16(at + 12, (u16)((more ? DESC_F_NEXT : 0) | (piece->write ? DESC_F_WRITE : 0)));
	xvm_put16(at + 14, more ? piece->next : 0);
}

/* Writes the descriptors, and copies what is to be read. */
static void fill(struct vu_shadow *s, const struct xvm_chain *chain, u16 head)
{
	const struct vu_piece *piece;
	size_t off = 0;
	u16 at;

	for (at = head; at < VU_SHADOW_SIZE; at = piece->next) {
		piece = &s->piece[at];
		write_desc(s, at);
		if (piece->write)
			continue;
		xvm_iov_get(chain->out, chain->nout, off, s->mem + piece->off, piece->bytes);
		off += piece->bytes;
	}
}

static void make_available(struct vu_shadow *s, const struct xvm_chain *chain, void *request, u16 head, bool direct)
{
	s->request[head] = request;
	s->chain[head] = chain;
	s->direct[head] = direct;
	s->out++;
	store16(s->mem + VU_SHADOW_AVAIL + 4 + 2 * (s->avail_next % VU_SHADOW_SIZE), head);
	s->avail_next++;
}

bool vu_shadow_put(struct vu_shadow *s, const struct xvm_chain *chain, void *request)
{
	u16 head = VU_SHADOW_SIZE, *tail = &head;

	if (!take_part(s, chain->out, chain->out_bytes, false, &tail) ||
	    !take_part(s, chain->in, chain->in_bytes, true, &tail)) {
		give_pieces(s, head, true);
		return false;
	}
	fill(s, chain, head);
	make_available(s, chain, request, head, false);
	return true;
}

bool vu_shadow_put_direct(struct vu_shadow *s, const struct xvm_chain *chain, const u64 *addr, void *request)
{
	u32 i, n = chain->nout + chain->nin;
	u16 head = VU_SHADOW_SIZE, *tail = &head, at;
	const struct iovec *iov;

	if (!n || n > s->free_count)
		return false;
	for (i = 0; i < n; i++) {
		iov = i < chain->nout ? &chain->out[i] : &chain->in[i - chain->nout];
		*take_free(s, tail) = (struct vu_piece){
			.addr = addr[i], .bytes = (u32)iov->iov_len, .next = VU_SHADOW_SIZE, .write = i >= chain->nout,
		};
		tail = &s->piece[*tail].next;
	}
	for (at = head; at < VU_SHADOW_SIZE; at = s->piece[at].next)
		write_desc(s, at);
	make_available(s, chain, request, head, true);
	return true;
}

bool vu_shadow_show(struct vu_shadow *s)
{
	if (s->avail_shown == s->avail_next)
		return false;
	/* Release: descriptors and data are there before the index that covers them. */
	__atomic_store_n((u16 *)(s->mem + VU_SHADOW_AVAIL + 2), s->avail_next, __ATOMIC_RELEASE);
	s->avail_shown = s->avail_next;
	/* Pairs with the server's barrier between clearing its flag and looking at avail.idx again. */
	xvm_shm_mb();
	return !(load16(s->mem + VU_SHADOW_USED) & USED_F_NO_NOTIFY);
}

/* Copies the first bytes of what the server wrote to the guest's buffers. */
static void copy_back(const struct vu_shadow *s, u16 head, u32 bytes)
{
	const struct xvm_chain *chain = s->chain[head];
	const struct vu_piece *piece;
	u32 off = 0, n;
	u16 at;

	for (at = head; at < VU_SHADOW_SIZE && off < bytes; at = piece->next) {
		piece = &s->piece[at];
		if (!piece->write)
			continue;
		n = bytes - off < piece->bytes ? bytes - off : piece->bytes;
		xvm_iov_put(chain->in, chain->nin, off, s->mem + piece->off, n);
		off += n;
	}
}

static void *bad(struct vu_shadow *s, const char *fault)
{
	s->fault = fault;
	return NULL;
}

void *vu_shadow_take(struct vu_shadow *s, u32 *bytes)
{
	u8 elem[8];
	void *request;
	u16 ahead;
	u32 head;

	/* Acquire pairs with the server's release of used.idx: data and element are there. */
	ahead = (u16)(__atomic_load_n((const u16 *)(s->mem + VU_SHADOW_USED + 2), __ATOMIC_ACQUIRE) - s->used_next);
	if (!ahead)
		return NULL;
	if (ahead > s->out)
		return bad(s, "it gave back more requests than it had");
	xvm_shm_copy(elem, s->mem + VU_SHADOW_USED + 4 + 8 * (s->used_next % VU_SHADOW_SIZE), sizeof(elem));
	head = xvm_get32(elem);
	*bytes = xvm_get32(elem + 4);
	if (head >= VU_SHADOW_SIZE || !s->request[head])
		return bad(s, "it gave back a request that it did not have");
	if (*bytes > s->chain[head]->in_bytes)
		return bad(s, "it says that it wrote more than there was room for");
	if (!s->direct[head])
		copy_back(s, (u16)head, *bytes);
	request = s->request[head];
	s->request[head] = NULL;
	s->used_next++;
	s->out--;
	give_pieces(s, (u16)head, !s->direct[head]);
	return request;
}
