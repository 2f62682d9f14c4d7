-- A steady client: one request on a connection each 20 ms at most; counts who answered.
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init()
    answers = {}
end

function delay()
    return 20
end

function response(status, _, body)
    local who = status == 200 and body:match("%S+") or "status-" .. status
    answers[who] = (answers[who] or 0) + 1
end

function done(summary)
    for _, thread in ipairs(threads) do
        for who, count in pairs(thread:get("answers")) do
            io.write(string.format("answer %s %d\n", who, count))
        end
    end
    local errors = summary.errors
    local broken = errors.connect + errors.read + errors.write + errors.timeout
    io.write(string.format("broken %d\n", broken))
end
