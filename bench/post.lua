-- For wrk: sends the bodies of a file in turn, one a line, and prints the figures.
--   wrk ... -s post.lua URL -- BODIES [COOKIE]

local requests = {}
local sent = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  if args[2] then headers["Cookie"] = args[2] end
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
