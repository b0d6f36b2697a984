-- SPDX-License-Identifier: MIT
-- Wireshark dissector of virtio-msg over Xen, for captures as tools/capture.h describes them
-- (LINKTYPE_USER0, a pseudo header of 12 bytes before each message). Put it into Wireshark's folder
-- of personal Lua plugins, or: tshark -X lua_script:xvm.lua -r FILE. Decodes pr28 and draft2026 and
-- the bus messages of docs/protocol.md; matches answers to requests.

local xvm = Proto("xvm", "virtio-msg over Xen")

local PR28, DRAFT = 0, 1
local directions = { [0] = "driver to device", [1] = "device to driver" }
local dialects = { [0] = "pr28", [1] = "draft2026" }

local transport_ids = {
	[0x02] = "GET_DEVICE_INFO", [0x03] = "GET_DEVICE_FEATURES", [0x04] = "SET_DRIVER_FEATURES",
	[0x05] = "GET_CONFIG", [0x06] = "SET_CONFIG", [0x07] = "GET_DEVICE_STATUS",
	[0x08] = "SET_DEVICE_STATUS", [0x09] = "GET_VQUEUE", [0x0a] = "SET_VQUEUE",
	[0x0b] = "RESET_VQUEUE", [0x0c] = "GET_SHM", [0x40] = "EVENT_CONFIG",
	[0x41] = "EVENT_AVAIL", [0x42] = "EVENT_USED",
}
local bus_ids = {
	[0x02] = "GET_DEVICES", [0x03] = "PING", [0x40] = "EVENT_DEVICE", [0x80] = "AREA_ADD",
	[0x81] = "AREA_DEL", [0x84] = "RELEASE_DEVICE", [0x85] = "QUIESCE",
	[0x86] = "RESUME", [0x87] = "KEEP_QUEUE", [0xc0] = "REQUEST_FAILED",
}
local device_types = {
	[1] = "network", [2] = "block", [3] = "console", [4] = "entropy", [5] = "balloon",
	[8] = "SCSI host", [9] = "9P", [16] = "GPU", [18] = "input", [19] = "socket",
	[25] = "sound", [26] = "file system", [27] = "PMEM", [34] = "I2C", [41] = "GPIO",
}
local area_status = {
	[0] = "OK", [1] = "INVALID", [2] = "NO_SPACE", [3] = "BAD_REF", [4] = "EXISTS",
	[5] = "BUSY", [6] = "NO_AREA", [7] = "NO_DEVICE", [8] = "LOST",
}
local fail_reasons = { [1] = "no such device", [2] = "removed" }
local device_states = { [1] = "READY", [2] = "REMOVED" }
local device_states_draft = { [1] = "ADDED", [2] = "REMOVED" }
local queue_action = { [0] = "stay disabled", [1] = "enable", [2] = "keep" }

-- ---- fields ----

local f = {}
local function field(name, kind, label, ...)
	f[name] = ProtoField[kind]("xvm." .. name, label, ...)
end

field("direction", "uint8", "Direction", base.DEC, directions)
field("dialect", "uint8", "Dialect", base.DEC, dialects)
field("domid", "uint32", "Domain")
field("connection", "uint32", "Connection")
field("type", "uint8", "Type", base.HEX)
field("type.response", "bool", "Response", 8, { "response", "request or event" }, 0x01)
field("type.bus", "bool", "Bus message", 8, { "bus message", "transport message" }, 0x02)
field("type.reserved", "uint8", "Reserved bits", base.HEX, nil, 0xfc)
field("msg_id", "uint8", "Message id", base.HEX)
field("msg", "string", "Message")
field("dev_num", "uint16", "Device number")
field("token", "uint16", "Token")
field("msg_size", "uint16", "Message size")
field("response_in", "framenum", "Answered in", base.NONE, frametype.RESPONSE)
field("response_to", "framenum", "Answer to", base.NONE, frametype.REQUEST)
field("response_time", "relative_time", "Time of the answer")
field("reserved", "uint32", "Reserved", base.HEX)

field("info.device_id", "uint32", "Device type", base.DEC, device_types)
field("info.vendor_id", "uint32", "Vendor", base.HEX)
field("info.uuid", "guid", "UUID")
field("info.num_feature_bits", "uint32", "Feature bits")
field("info.num_feature_blocks", "uint32", "Feature blocks")
field("info.config_size", "uint32", "Configuration bytes")
field("info.max_virtqueues", "uint32", "Virtqueues")
field("info.admin_vq_start", "uint32", "First admin virtqueue")
field("info.admin_vq_count", "uint32", "Admin virtqueues")

field("features.block_index", "uint32", "First block")
field("features.num_blocks", "uint32", "Blocks")
field("features.block", "uint32", "Features", base.HEX)

field("config.generation", "uint32", "Generation")
field("config.offset", "uint32", "Offset")
field("config.length", "uint32", "Length")
field("config.data", "bytes", "Data")

field("status", "uint32", "Status", base.HEX)
field("status.acknowledge", "bool", "ACKNOWLEDGE", 32, nil, 0x01)
field("status.driver", "bool", "DRIVER", 32, nil, 0x02)
field("status.driver_ok", "bool", "DRIVER_OK", 32, nil, 0x04)
field("status.features_ok", "bool", "FEATURES_OK", 32, nil, 0x08)
field("status.needs_reset", "bool", "DEVICE_NEEDS_RESET", 32, nil, 0x40)
field("status.failed", "bool", "FAILED", 32, nil, 0x80)

field("vq.index", "uint32", "Virtqueue")
field("vq.max_size", "uint32", "Maximum size")
field("vq.size", "uint32", "Size")
field("vq.flags", "uint32", "Flags", base.HEX)
field("vq.flags.enabled", "bool", "Enabled", 32, nil, 0x01)
field("vq.flags.action", "uint32", "Action", base.DEC, queue_action, 0x03)
field("vq.flags.ignore_size", "bool", "Ignore the size", 32, nil, 0x04)
field("vq.flags.ignore_desc", "bool", "Ignore the descriptor area", 32, nil, 0x08)
field("vq.flags.ignore_driver", "bool", "Ignore the driver area", 32, nil, 0x10)
field("vq.flags.ignore_device", "bool", "Ignore the device area", 32, nil, 0x20)
field("vq.desc", "uint64", "Descriptor area", base.HEX)
field("vq.driver", "uint64", "Driver area", base.HEX)
field("vq.device", "uint64", "Device area", base.HEX)
field("vq.next_offset", "uint32", "Next offset", base.HEX)

field("shm.index", "uint32", "Region")
field("shm.length", "uint64", "Bytes")
field("shm.address", "uint64", "Address", base.HEX)

field("devices.offset", "uint16", "First number")
field("devices.count", "uint16", "Numbers")
field("devices.next_offset", "uint16", "Next window")
field("devices.bitmap", "bytes", "Bitmap")
field("devices.present", "uint16", "Present")
field("ping.data", "uint32", "Data", base.HEX)
field("event_device.num", "uint16", "Device")
field("event_device.state", "uint16", "State")
field("event_device.state_name", "string", "State name")

field("area.id", "uint16", "Area")
field("area.scope", "uint16", "Scope")
field("area.flags", "uint32", "Flags", base.HEX)
field("area.npages", "uint32", "Pages")
field("area.first_byte", "uint16", "First byte")
field("area.ndirs", "uint16", "Directory pages")
field("area.directory", "uint32", "Directory grant")
field("area.status", "uint16", "Status", base.DEC, area_status)
field("area.limit", "uint32", "Pages to be had")
field("release.dev_num", "uint16", "Released device")
field("keep.dev_num", "uint16", "Device kept")
field("keep.flags", "uint16", "Flags", base.HEX)
field("keep.index", "uint32", "Queue")
field("failed.dev_num", "uint16", "Device of the request")
field("failed.token", "uint16", "Token of the request")
field("failed.type", "uint8", "Type of the request", base.HEX)
field("failed.msg_id", "uint8", "Id of the request", base.HEX)
field("failed.reason", "uint16", "Reason", base.DEC, fail_reasons)
field("payload", "bytes", "Payload")

local all = {}
for _, v in pairs(f) do
	all[#all + 1] = v
end
xvm.fields = all

local e = {
	short = ProtoExpert.new("xvm.short", "Message shorter than its fields", expert.group.MALFORMED,
		expert.severity.ERROR),
	size = ProtoExpert.new("xvm.size", "msg_size is not the length of the record",
		expert.group.MALFORMED, expert.severity.ERROR),
	version = ProtoExpert.new("xvm.version", "Unknown version of the pseudo header",
		expert.group.MALFORMED, expert.severity.ERROR),
	reserved = ProtoExpert.new("xvm.not_zero", "Reserved bits are not zero", expert.group.PROTOCOL,
		expert.severity.WARN),
	unknown = ProtoExpert.new("xvm.unknown", "Unknown message", expert.group.UNDECODED,
		expert.severity.NOTE),
	unasked = ProtoExpert.new("xvm.unasked", "No request for this answer was seen",
		expert.group.SEQUENCE, expert.severity.WARN),
	unanswered = ProtoExpert.new("xvm.unanswered", "No answer was seen", expert.group.SEQUENCE,
		expert.severity.NOTE),
}
local experts = {}
for _, v in pairs(e) do
	experts[#experts + 1] = v
end
xvm.experts = experts

-- ---- reading fields one after the other ----

-- A cursor over the message: take(name, bytes) adds a field and returns its value, or nil at the end.
local Cursor = {}
Cursor.__index = Cursor

local function cursor(tvb, tree, at)
	return setmetatable({ tvb = tvb, tree = tree, at = at, short = false }, Cursor)
end

function Cursor:left()
	return self.tvb:len() - self.at
end

function Cursor:range(bytes)
	if self.short or self:left() < bytes then
		self.short = true
		return nil
	end
	local r = self.tvb:range(self.at, bytes)
	self.at = self.at + bytes
	return r
end

function Cursor:take(name, bytes)
	local r = self:range(bytes)
	if not r then
		return nil
	end
	local item = self.tree:add_le(f[name], r)
	if bytes == 8 then
		return r:le_uint64(), item, r
	end
	return r:le_uint(), item, r
end

function Cursor:bytes(name, count)
	local r = count > 0 and self:range(count)
	if r then
		self.tree:add(f[name], r)
	end
	return r
end

function Cursor:zero(bytes)
	local v, item = self:take("reserved", bytes)
	if v and v ~= 0 then
		item:add_proto_expert_info(e.reserved)
	end
end

-- A word and the bits of it.
function Cursor:bits(name, bits)
	local v, item, r = self:take(name, 4)
	for _, bit in ipairs(v and bits or {}) do
		item:add_le(f[name .. "." .. bit], r)
	end
	return v
end

local status_bits = { "acknowledge", "driver", "driver_ok", "features_ok", "needs_reset", "failed" }

local function hex(v)
	return v and string.format("0x%x", v) or "?"
end

local function dec(v)
	return v and string.format("%d", v) or "?"
end

-- ---- one function per message; each returns words for the Info column ----

local function nothing()
	return ""
end

local function info_answer(c, dialect)
	local id = c:take("info.device_id", 4)
	c:take("info.vendor_id", 4)
	if dialect == DRAFT then
		c:bytes("info.uuid", 16)
		c:take("info.num_feature_blocks", 4)
	else
		c:take("info.num_feature_bits", 4)
	end
	c:take("info.config_size", 4)
	local vqs = c:take("info.max_virtqueues", 4)
	local bytes = dialect == DRAFT and 4 or 2
	c:take("info.admin_vq_start", bytes)
	c:take("info.admin_vq_count", bytes)
	return string.format("type %s (%s), %s queues", dec(id), device_types[id] or "?", dec(vqs))
end

local function features_fixed(c)
	local at = c:take("features.block_index", 4)
	local count = c:take("features.num_blocks", 4)
	return at, count
end

local function features_request(c)
	local at, count = features_fixed(c)
	return string.format("blocks %s+%s", dec(at), dec(count))
end

local function features_words(c)
	local at, count = features_fixed(c)
	local words = {}
	for i = 1, count or 0 do
		local v = c:take("features.block", 4)
		if not v then
			break
		end
		words[i] = string.format("%08x", v)
	end
	return string.format("blocks %s+%s: %s", dec(at), dec(count), table.concat(words, " "))
end

local function range_fixed(c)
	local offset = c:take("config.offset", 4)
	local length = c:take("config.length", 4)
	return string.format("%s+%s", dec(offset), dec(length)), length
end

local function get_config_request(c)
	return (range_fixed(c))
end

-- optional: an answer or event may name a range and carry no data of it
local function config_data(c, optional)
	local generation = c:take("config.generation", 4)
	local range, length = range_fixed(c)
	if length and not (optional and c:left() == 0) then
		c:bytes("config.data", length)
	end
	return string.format("%s generation %s", range, dec(generation))
end

local function config_full(c)
	return config_data(c, false)
end

local function config_answer(c)
	return config_data(c, true)
end

local function status(c)
	return hex(c:bits("status", status_bits))
end

local function index(c)
	return "queue " .. dec(c:take("vq.index", 4))
end

local function addresses(c)
	c:take("vq.desc", 8)
	c:take("vq.driver", 8)
	c:take("vq.device", 8)
end

local function vqueue_answer(c, dialect)
	local i = c:take("vq.index", 4)
	local max = c:take("vq.max_size", 4)
	local size = c:take("vq.size", 4)
	if dialect == DRAFT then
		c:bits("vq.flags", { "enabled" })
	else
		c:zero(4)
	end
	addresses(c)
	return string.format("queue %s, size %s of %s", dec(i), dec(size), dec(max))
end

local function vqueue_set(c, dialect)
	local i = c:take("vq.index", 4)
	if dialect == DRAFT then
		c:bits("vq.flags", { "action", "ignore_size", "ignore_desc", "ignore_driver",
			"ignore_device" })
	else
		c:zero(4)
	end
	local size = c:take("vq.size", 4)
	c:zero(4)
	addresses(c)
	return string.format("queue %s, size %s", dec(i), dec(size))
end

local function shm_request(c)
	return "region " .. dec(c:take("shm.index", 4))
end

local function shm_answer(c, dialect)
	local i = c:take("shm.index", 4)
	local bytes = 4
	if dialect == DRAFT then
		c:zero(4)
		bytes = 8
	end
	local length = c:take("shm.length", bytes)
	c:take("shm.address", bytes)
	return string.format("region %s, %s bytes", dec(i), length and tostring(length) or "?")
end

local function event_config(c)
	local s = c:bits("status", status_bits)
	return string.format("status %s, %s", hex(s), config_data(c, true))
end

local function event_avail(c)
	local i = c:take("vq.index", 4)
	c:take("vq.next_offset", 4)
	return "queue " .. dec(i)
end

local function devices_request(c)
	local offset = c:take("devices.offset", 2)
	local count = c:take("devices.count", 2)
	return string.format("%s+%s", dec(offset), dec(count))
end

-- The numbers whose bit is set, each as a field of its own.
local function present(c, bitmap, offset)
	local found = {}
	for i = 0, bitmap:len() * 8 - 1 do
		local r = bitmap:range(math.floor(i / 8), 1)
		if bit.band(r:uint(), bit.lshift(1, i % 8)) ~= 0 then
			c.tree:add(f["devices.present"], r, offset + i)
			found[#found + 1] = tostring(offset + i)
		end
	end
	return table.concat(found, " ")
end

local function devices_answer(c, dialect)
	local offset = c:take("devices.offset", 2)
	local count, nxt
	if dialect == DRAFT then
		nxt = c:take("devices.next_offset", 2)
		count = c:take("devices.count", 2)
	else
		count = c:take("devices.count", 2)
		nxt = c:take("devices.next_offset", 2)
	end
	local bitmap = count and c:bytes("devices.bitmap", math.floor((count + 7) / 8))
	local list = bitmap and present(c, bitmap, offset) or ""
	return string.format("%s+%s next %s: %s", dec(offset), dec(count), dec(nxt), list)
end

local function ping(c)
	return hex(c:take("ping.data", 4))
end

local function event_device(c, dialect)
	local num = c:take("event_device.num", 2)
	local state, _, r = c:take("event_device.state", 2)
	local names = dialect == DRAFT and device_states_draft or device_states
	local name = names[state] or (state and state >= 0x8000 and "of the bus" or "reserved")
	if r then
		c.tree:add(f["event_device.state_name"], r, name):set_generated()
	end
	return string.format("device %s %s", dec(num), name)
end

local function area_add(c)
	local id = c:take("area.id", 2)
	local scope = c:take("area.scope", 2)
	c:take("area.flags", 4)
	local pages = c:take("area.npages", 4)
	c:take("area.first_byte", 2)
	local ndirs = c:take("area.ndirs", 2)
	for _ = 1, ndirs or 0 do
		if not c:take("area.directory", 4) then
			break
		end
	end
	return string.format("area %s for device %s, %s pages", dec(id), dec(scope), dec(pages))
end

local function area_answer(c)
	local id = c:take("area.id", 2)
	local s = c:take("area.status", 2)
	if c:left() >= 4 then
		c:take("area.limit", 4)
	end
	return string.format("area %s: %s", dec(id), area_status[s] or dec(s))
end

local function area_del(c)
	local id = c:take("area.id", 2)
	c:zero(2)
	return "area " .. dec(id)
end

local function release(c)
	local num = c:take("release.dev_num", 2)
	c:zero(2)
	return "device " .. dec(num)
end

local function release_answer(c)
	local num = c:take("release.dev_num", 2)
	local s = c:take("area.status", 2)
	return string.format("device %s: %s", dec(num), area_status[s] or dec(s))
end

local function keep(c)
	local num = c:take("keep.dev_num", 2)
	c:zero(2)
	return "device " .. dec(num)
end

local function keep_queue(c)
	local num = c:take("keep.dev_num", 2)
	local flags = c:take("keep.flags", 2)
	local index = c:take("keep.index", 4)
	return string.format("device %s, queue %s%s", dec(num), dec(index),
		flags and bit.band(flags, 1) ~= 0 and ", idle" or "")
end

local function keep_answer(c)
	local num = c:take("keep.dev_num", 2)
	local s = c:take("area.status", 2)
	return string.format("device %s: %s", dec(num), area_status[s] or dec(s))
end

local function request_failed(c)
	local num = c:take("failed.dev_num", 2)
	local token = c:take("failed.token", 2)
	local kind = c:take("failed.type", 1)
	local id = c:take("failed.msg_id", 1)
	local reason = c:take("failed.reason", 2)
	local names = kind and bit.band(kind, 2) ~= 0 and bus_ids or transport_ids
	return string.format("%s of device %s, token %s: %s", names[id] or hex(id), dec(num),
		dec(token), fail_reasons[reason] or dec(reason))
end

-- { request or event, answer }
local transport = {
	[0x02] = { nothing, info_answer }, [0x03] = { features_request, features_words },
	[0x04] = { features_words, nothing }, [0x05] = { get_config_request, config_full },
	[0x06] = { config_full, config_answer }, [0x07] = { nothing, status },
	[0x08] = { status, status }, [0x09] = { index, vqueue_answer },
	[0x0a] = { vqueue_set, nothing }, [0x0b] = { index, nothing },
	[0x0c] = { shm_request, shm_answer }, [0x40] = { event_config }, [0x41] = { event_avail },
	[0x42] = { index },
}
local bus = {
	[0x02] = { devices_request, devices_answer }, [0x03] = { ping, ping },
	[0x40] = { event_device }, [0x80] = { area_add, area_answer },
	[0x81] = { area_del, area_answer }, [0x84] = { release, release_answer },
	[0x85] = { keep, keep_answer }, [0x86] = { keep, keep_answer },
	[0x87] = { keep_queue, keep_answer }, [0xc0] = { request_failed },
}

-- ---- requests and their answers, by frame ----

local open, answer_of, request_of, time_of

function xvm.init()
	open, answer_of, request_of, time_of = {}, {}, {}, {}
end

local function key(whose, direction, is_bus, id, num, token)
	return table.concat({ whose, direction, is_bus and 1 or 0, id, num, token }, ":")
end

local function note_request(k, pinfo)
	open[k] = pinfo.number
	time_of[pinfo.number] = pinfo.rel_ts
end

local function note_answer(k, pinfo)
	local frame = open[k]
	if not frame then
		return
	end
	open[k] = nil
	answer_of[frame] = pinfo.number
	request_of[pinfo.number] = frame
	time_of[pinfo.number] = pinfo.rel_ts
end

local function note(h, pinfo, tvb)
	local other = 1 - h.direction
	if h.response then
		note_answer(key(h.whose, other, h.bus, h.id, h.num, h.token), pinfo)
	elseif h.bus and h.id == 0xc0 and tvb:len() >= 28 then
		note_answer(key(h.whose, other, bit.band(tvb:range(24, 1):uint(), 2) ~= 0,
			tvb:range(25, 1):uint(), tvb:range(20, 2):le_uint(),
			tvb:range(22, 2):le_uint()), pinfo)
	elseif bit.band(h.id, 0x40) == 0 then
		note_request(key(h.whose, h.direction, h.bus, h.id, h.num, h.token), pinfo)
	end
end

local function add_time(tree, from, to)
	local d = time_of[to] - time_of[from]
	local s = math.floor(d)
	tree:add(f["response_time"], NSTime.new(s, math.floor((d - s) * 1e9 + 0.5))):set_generated()
end

local function show_match(h, pinfo, tree)
	local n = pinfo.number
	if answer_of[n] then
		tree:add(f["response_in"], answer_of[n]):set_generated()
	elseif request_of[n] then
		tree:add(f["response_to"], request_of[n]):set_generated()
		add_time(tree, request_of[n], n)
	elseif h.response then
		tree:add_proto_expert_info(e.unasked)
	elseif pinfo.visited and bit.band(h.id, 0x40) == 0 then
		tree:add_proto_expert_info(e.unanswered)
	end
end

-- ---- the message ----

local function pseudo_header(tvb, tree)
	local version = tvb:range(0, 1):uint()
	if version ~= 1 then
		tree:add_proto_expert_info(e.version)
	end
	tree:add(f["direction"], tvb:range(1, 1))
	tree:add(f["dialect"], tvb:range(2, 1))
	tree:add_le(f["domid"], tvb:range(4, 4))
	tree:add_le(f["connection"], tvb:range(8, 4))
	return tvb:range(1, 1):uint(), tvb:range(2, 1):uint(), tvb:range(4, 4):le_uint() .. "/" .. tvb:range(8, 4):le_uint()
end

local function header(tvb, tree)
	local kind = tvb:range(12, 1):uint()
	local h = {
		response = bit.band(kind, 1) ~= 0, bus = bit.band(kind, 2) ~= 0,
		id = tvb:range(13, 1):uint(), num = tvb:range(14, 2):le_uint(),
		token = tvb:range(16, 2):le_uint(),
	}
	h.direction, h.dialect, h.whose = pseudo_header(tvb, tree)
	local names = h.bus and bus_ids or transport_ids
	h.name = names[h.id] or string.format("0x%02x", h.id)
	local item = tree:add(f["type"], tvb:range(12, 1))
	item:add(f["type.response"], tvb:range(12, 1))
	item:add(f["type.bus"], tvb:range(12, 1))
	item:add(f["type.reserved"], tvb:range(12, 1))
	if bit.band(kind, 0xfc) ~= 0 then
		item:add_proto_expert_info(e.reserved)
	end
	tree:add(f["msg_id"], tvb:range(13, 1)):append_text(" (" .. h.name .. ")")
	tree:add(f["msg"], tvb:range(13, 1), h.name):set_generated()
	tree:add_le(f["dev_num"], tvb:range(14, 2))
	tree:add_le(f["token"], tvb:range(16, 2))
	item = tree:add_le(f["msg_size"], tvb:range(18, 2))
	if tvb:range(18, 2):le_uint() ~= tvb:len() - 12 then
		item:add_proto_expert_info(e.size)
	end
	return h
end

local function payload(h, tvb, tree)
	local row = (h.bus and bus or transport)[h.id]
	local decode = row and row[h.response and 2 or 1]
	local c = cursor(tvb, tree, 20)
	local words = ""
	if decode then
		words = decode(c, h.dialect)
	else
		tree:add_proto_expert_info(e.unknown)
	end
	if c.short then
		tree:add_proto_expert_info(e.short)
	elseif c:left() > 0 then
		c:bytes("payload", c:left())
	end
	return words
end

function xvm.dissector(tvb, pinfo, root)
	pinfo.cols.protocol = "virtio-msg"
	local tree = root:add(xvm, tvb:range(0))
	if tvb:len() < 20 then
		tree:add_proto_expert_info(e.short)
		pinfo.cols.info = "shorter than a header"
		return
	end
	local h = header(tvb, tree)
	pinfo.cols.src = h.direction == 0 and "driver" or "device"
	pinfo.cols.dst = h.direction == 0 and "device" or "driver"
	if not pinfo.visited then
		note(h, pinfo, tvb)
	end
	show_match(h, pinfo, tree)
	local words = payload(h, tvb, tree)
	local who = h.bus and "bus" or "dev " .. h.num
	pinfo.cols.info = string.format("%s %s%s %s", who, h.name, h.response and " answer" or "",
		words)
	tree:append_text(string.format(", %s%s", h.name, h.response and " answer" or ""))
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, xvm)
