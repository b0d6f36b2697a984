// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel of the tap does to frames, over the whole worker: segmentation
 * and checksums that one side leaves to the other, both ways; MTU; and which of
 * two pairs of queues a flow goes by.
 */
/* LINK: dom0/base dom0/virtio dom0/dev dom0/remote dom0/bus dom0/worker/aio.c dom0/worker/worker.c */
/* LINK: dom0/worker/control.c dom0/worker/types.c xen/proto tests/support/rig.c tests/support/drv.c */
/* LINK: tests/support/drv_vq.c dom0/daemon/host_net.c dom0/daemon/host_vhost.c */
/* LIBS: -l:liburing.a */
#include "../support/net_loop.h"

enum { RX, TX, RX2, TX2, CTRL, QUEUES };

#define PAIRS 2u
#define RX2_OFF 0x90000u	/* its buffers */
#define HEADERS 54u		/* of a TCP frame: Ethernet 14, IPv4 20, TCP 20 */
#define SEGMENT 1446u		/* payload in each */
#define LARGE 60000u		/* payload of a frame that somebody has to cut */

static struct drv_vq vq[QUEUES];

/* ---- frames ---- */

static u32 sum(const u8 *p, u32 bytes, u32 start)
{
	u32 i;

	for (i = 0; i + 1 < bytes; i += 2)
		start += (u32)(p[i] << 8 | p[i + 1]);
	if (bytes & 1)
		start += (u32)(p[bytes - 1] << 8);
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

/* Of addresses, protocol and length of what is behind the IPv4 header. */
static u32 pseudo_sum(const u8 *frame, u32 bytes)
{
	return sum(frame + 26, 8, frame[23] + bytes - 34);
}

static void put_be16(u8 *p, u32 value)
{
	p[0] = (u8)(value >> 8);
	p[1] = (u8)value;
}

static u8 pattern(u32 i)
{
	return (u8)(i * 7 + i / 251);
}

/* With the sum of the pseudo header where the checksum is to be, as the side leaves it that leaves the rest to the other. */
static u32 make_frame(u8 *frame, u8 protocol, u16 from, u16 to, u32 payload)
{
	u32 bytes = (protocol == IPPROTO_TCP ? HEADERS : 42) + payload, i;

	memset(frame, 0, HEADERS);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x02\0\0\0\0\x01\x08\0", 8);
	frame[14] = 0x45;
	put_be16(frame + 16, bytes - 14);
	frame[22] = 64;
	frame[23] = protocol;
	memcpy(frame + 26, "\xc0\0\2\1\xc0\0\2\1", 8);
	put_be16(frame + 24, ~sum(frame + 14, 20, 0));
	put_be16(frame + 34, from);
	put_be16(frame + 36, to);
	if (protocol == IPPROTO_TCP) {
		memcpy(frame + 46, "\x50\x10\xff\xff", 4);	/* header of 20 bytes, ACK, window */
		put_be16(frame + 50, pseudo_sum(frame, bytes));
	} else {
		put_be16(frame + 38, bytes - 34);
	}
	for (i = 0; i < payload; i++)
		frame[bytes - payload + i] = pattern(i);
	return bytes;
}

static void check_payload(const u8 *payload, u32 first, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		if (payload[i] != pattern(first + i))
			fail_msg("byte %u of the payload is %02x", first + i, payload[i]);
}

static struct virtio_net_hdr header_of(bool cut)
{
	struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16 };

	if (cut) {
		hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		hdr.gso_size = SEGMENT;
		hdr.hdr_len = HEADERS;
	}
	return hdr;
}

/* ---- the two sides ---- */

static u32 rx_off(u32 queue)
{
	return queue == RX ? RX_OFF : RX2_OFF;
}

static void give_all(u32 queue)
{
	struct drv_seg seg = { .bytes = RX_BYTES, .write = true };
	u32 i;

	for (i = 0; i < RX_BUFFERS; i++) {
		seg.addr = xvm_addr_make(3, rx_off(queue) + i * RX_BYTES);
		assert_true(drv_vq_add(&vq[queue], &seg, 1) >= 0);
	}
	drv_vq_kick(&vq[queue]);
}

static void bring_up(u64 features)
{
	u32 data = request.spec.queues * 2u, i;
	bool event_idx;

	assert_int_equal(host(XVM_NET_MAKE, NULL), 0);
	wire = open_wire(ETH_P_IP);
	assert_int_equal(setsockopt(wire, SOL_PACKET, PACKET_VNET_HDR, &(int){ 1 }, sizeof(int)), 0);
	drv_start(&drv, &rig);
	add_device();
	base = drv_area_new(&drv, 3, 1, AREA_PAGES);
	event_idx = drv_negotiate(&drv, 1, BASE | features) & XVM_F_EVENT_IDX;
	assert_int_equal(drv.acked[1] & features, features);
	for (i = 0; i < data; i++)
		drv_vq_setup(&vq[i], &drv, 1, (u16)i, 64, 3, i * 0x2000, event_idx);
	if (features & F(CTRL_VQ))
		drv_vq_setup(&vq[CTRL], &drv, 1, (u16)data, 16, 3, 0x8000, event_idx);
	drv_set_status(&drv, 1, 15);
	for (i = 0; i < data; i += 2)
		give_all(i);
	drv_sync(&drv);
}

static void take_down(void)
{
	drv_stop(&drv);
	rig_area_free(&rig, 3);
	close(wire);
	assert_int_equal(host(XVM_NET_REMOVE, NULL), 0);
}

static void guest_sends(u32 queue, const struct virtio_net_hdr *hdr, const u8 *frame, u32 bytes)
{
	struct drv_seg seg = { xvm_addr_make(3, TX_OFF), HEADER + bytes, false };
	u32 len;

	memset(base + TX_OFF, 0, HEADER);
	memcpy(base + TX_OFF, hdr, sizeof(*hdr));
	memcpy(base + TX_OFF + HEADER, frame, bytes);
	assert_true(drv_vq_add(&vq[queue], &seg, 1) >= 0);
	drv_vq_kick(&vq[queue]);
	drv_vq_wait(&vq[queue], &len);
}

/* One buffer, appended to frame and given back. Returns its bytes. */
static u32 take_buffer(u32 queue, u8 *frame)
{
	struct drv_seg seg = { .bytes = RX_BYTES, .write = true };
	u32 len;

	seg.addr = xvm_get64(vq[queue].desc + 16 * drv_vq_wait(&vq[queue], &len));
	memcpy(frame, base + (seg.addr - xvm_addr_make(3, 0)), len);
	assert_true(drv_vq_add(&vq[queue], &seg, 1) >= 0);
	drv_vq_kick(&vq[queue]);
	return len;
}

/* The next frame of IPv4, behind its header; the kernel's own are passed over. Returns its bytes without the header. */
static u32 guest_gets(u32 queue, u8 *frame)
{
	u32 len, n;

	do {
		len = take_buffer(queue, frame);
		for (n = xvm_get16(frame + 10); n > 1; n--)
			len += take_buffer(queue, frame + len);
	} while (frame[HEADER + 12] != 8 || frame[HEADER + 13]);
	return len - HEADER;
}

static void host_sends(const struct virtio_net_hdr *hdr, const u8 *frame, u32 bytes)
{
	static u8 text[sizeof(*hdr) + HEADERS + LARGE];

	memcpy(text, hdr, sizeof(*hdr));
	memcpy(text + sizeof(*hdr), frame, bytes);
	assert_int_equal(send(wire, text, sizeof(*hdr) + bytes, 0), sizeof(*hdr) + bytes);
}

/* Returns the bytes behind the header. */
static u32 host_gets(struct virtio_net_hdr *hdr, u8 *frame)
{
	static u8 text[sizeof(*hdr) + HEADERS + LARGE];
	ssize_t n = recv(wire, text, sizeof(text), 0);

	assert_true(n > (ssize_t)sizeof(*hdr));
	memcpy(hdr, text, sizeof(*hdr));
	memcpy(frame, text + sizeof(*hdr), (size_t)n - sizeof(*hdr));
	return (u32)n - (u32)sizeof(*hdr);
}

/* ---- */

static u8 out[HEADERS + LARGE], in[HEADER + HEADERS + LARGE];

static void expect_whole(const struct virtio_net_hdr *hdr, bool cut)
{
	const struct virtio_net_hdr sent = header_of(cut);

	assert_int_equal(hdr->flags, sent.flags);
	assert_int_equal(hdr->csum_start, sent.csum_start);
	assert_int_equal(hdr->csum_offset, sent.csum_offset);
	assert_int_equal(hdr->gso_type, sent.gso_type);
	assert_int_equal(hdr->gso_size, sent.gso_size);
}

/* A frame of 60 kB goes as one, neither cut nor summed, if both sides can. */
static void test_whole(void **state)
{
	struct virtio_net_hdr hdr;
	u32 bytes, i;

	(void)state;
	need_tun();
	bring_up(F(CSUM) | F(HOST_TSO4) | F(GUEST_CSUM) | F(GUEST_TSO4));
	for (i = 0; i < 2; i++) {
		bytes = make_frame(out, IPPROTO_TCP, 1000, 2000, i ? 100 : LARGE);
		hdr = header_of(!i);
		guest_sends(TX, &hdr, out, bytes);
		assert_int_equal(host_gets(&hdr, in), bytes);
		expect_whole(&hdr, !i);
		assert_memory_equal(in, out, bytes);
		hdr = header_of(!i);
		host_sends(&hdr, out, bytes);
		assert_int_equal(guest_gets(RX, in), bytes);
		assert_int_equal(xvm_get16(in + 10), i ? 1 : (HEADER + bytes + RX_BYTES - 1) / RX_BYTES);
		memcpy(&hdr, in, sizeof(hdr));
		expect_whole(&hdr, !i);
		assert_memory_equal(in + HEADER, out, bytes);
	}
	take_down();
}

/* A segment with nothing left to do, whose payload is that of the whole from first on. */
static u32 check_segment(u32 first, u32 left)
{
	u32 bytes = guest_gets(RX, in), payload = bytes - HEADERS;
	const u8 *frame = in + HEADER;

	assert_int_equal(payload, left < SEGMENT ? left : SEGMENT);
	assert_int_equal(in[0], 0);
	assert_int_equal(in[1], VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(xvm_get16(in + 10), 1);
	assert_int_equal(frame[40] << 8 | frame[41], first);	/* the low half of its sequence number */
	assert_int_equal(sum(frame + 34, bytes - 34, pseudo_sum(frame, bytes)), 0xffff);
	check_payload(frame + HEADERS, first, payload);
	return payload;
}

/* For a driver that took none of these features the kernel cuts and sums. */
static void test_cut(void **state)
{
	struct virtio_net_hdr hdr = header_of(true);
	u32 bytes, at;

	(void)state;
	need_tun();
	bring_up(0);
	bytes = make_frame(out, IPPROTO_TCP, 1000, 2000, LARGE);
	host_sends(&hdr, out, bytes);
	for (at = 0; at < LARGE; )
		at += check_segment(at, LARGE - at);
	hdr = header_of(false);
	bytes = make_frame(out, IPPROTO_TCP, 1000, 2000, 101);
	host_sends(&hdr, out, bytes);
	assert_int_equal(check_segment(0, 101), 101);
	take_down();
}

static void test_mtu(void **state)
{
	u8 mtu[2];

	(void)state;
	need_tun();
	bring_up(0);
	assert_int_equal(tap_mtu, 1500);
	assert_int_equal(drv_features(&drv, 1) & F(MTU), 0);
	take_down();
	request.spec.net.mtu = 1400;
	bring_up(F(MTU));
	/* The kernel's word of its tap, and ours to the driver. */
	assert_int_equal(tap_mtu, 1400);
	drv_config(&drv, 1, offsetof(struct virtio_net_config, mtu), sizeof(mtu), mtu);
	assert_int_equal(xvm_get16(mtu), 1400);
	take_down();
	request.spec.net.mtu = 65535;
	assert_true(host(XVM_NET_MAKE, NULL) < 0);
	assert_non_null(strstr(why, "mtu=65535 cannot be set for tap vif7.0-xvm"));
	assert_int_equal(if_nametoindex("vif7.0-xvm"), 0);
	request.spec.net.mtu = 0;
}

static void set_pairs(u16 pairs)
{
	struct drv_seg seg[] = { { xvm_addr_make(3, CTRL_OFF), 4, false }, { xvm_addr_make(3, CTRL_OFF + 16), 1, true } };
	u8 *p = base + CTRL_OFF;
	u32 len;

	p[0] = VIRTIO_NET_CTRL_MQ;
	p[1] = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	xvm_put16(p + 2, pairs);
	p[16] = 0xff;
	assert_true(drv_vq_add(&vq[CTRL], seg, 2) >= 0);
	drv_vq_kick(&vq[CTRL]);
	drv_vq_wait(&vq[CTRL], &len);
	assert_int_equal(p[16], VIRTIO_NET_OK);
}

/* The guest says something by one queue; the answer comes by the one beside it. */
static void expect_flow(u16 port, u32 tx, u32 rx)
{
	struct virtio_net_hdr hdr = { 0 };
	u32 bytes = make_frame(out, IPPROTO_UDP, port, 53, 200);

	guest_sends(tx, &hdr, out, bytes);
	assert_int_equal(host_gets(&hdr, in), bytes);
	assert_memory_equal(in, out, bytes);
	memset(&hdr, 0, sizeof(hdr));
	bytes = make_frame(out, IPPROTO_UDP, 53, port, 300);
	host_sends(&hdr, out, bytes);
	assert_int_equal(guest_gets(rx, in), bytes);
	assert_memory_equal(in + HEADER, out, bytes);
}

/* Steering is the tap's: a flow comes by the pair that the guest last sent it by. */
static void test_steering(void **state)
{
	u16 port;

	(void)state;
	need_tun();
	request.spec.queues = PAIRS;
	bring_up(F(CTRL_VQ) | F(MQ));
	set_pairs(PAIRS);
	for (port = 1000; port < 1016; port++)
		expect_flow(port, port & 1 ? TX2 : TX, port & 1 ? RX2 : RX);
	for (port = 1000; port < 1016; port++)
		expect_flow(port, port & 1 ? TX : TX2, port & 1 ? RX : RX2);
	/* One pair again: all by the first. */
	set_pairs(1);
	for (port = 1000; port < 1004; port++)
		expect_flow(port, TX, RX);
	take_down();
	request.spec.queues = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_cut), cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_steering),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
