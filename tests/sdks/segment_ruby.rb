# Sends as analytics-ruby 2.5 does, over plain HTTP. This script is the project's own; the library itself is not run.
# What it sends: https://github.com/segmentio/analytics-ruby, lib/segment/analytics, defaults.rb, field_parser.rb and
# transport.rb of 2.5.0. What it is told comes in the environment.
require "json"
require "net/http"
require "securerandom"

LIBRARY = { name: "analytics-ruby", version: "2.5.0" }.freeze
TRIES = 10
WAIT_LONGEST_SECONDS = 10

# Local time to the millisecond, with its offset.
def now
  Time.now.strftime("%Y-%m-%dT%H:%M:%S.%L%:z")
end

def event(type, user_id, context, own)
  { context: context.merge(library: LIBRARY), messageId: SecureRandom.uuid, timestamp: now, userId: user_id, type: type }
    .merge(own)
end

# Whether the batch need not come again. An answer that is not JSON counts as none, whatever its status.
def taken?(place, key, batch)
  request = Net::HTTP::Post.new("/v1/import")
  request["Accept"] = "application/json"
  request["Content-Type"] = "application/json"
  request["User-Agent"] = "#{LIBRARY[:name]}/#{LIBRARY[:version]}"
  request.basic_auth(key, nil)
  request.body = JSON.generate(sentAt: now, batch: batch)
  answer = Net::HTTP.start(place.host, place.port, open_timeout: 4, read_timeout: 8) { |http| http.request(request) }
  JSON.parse(answer.body.to_s)
  status = answer.code.to_i
  status < 500 && status != 429
rescue StandardError
  false
end

first, *others = JSON.parse(ENV["SDK_PEOPLE"])
user_id = first["userId"]
consent = { consent: { categoryPreferences: { marketing: true } } }
batch = [
  event("identify", user_id, consent, traits: first["traits"]),
  event("track", user_id, {}, event: "Lead Generated", properties: { value: 0 }),
  event("page", user_id, {}, name: "Pricing", properties: { path: "/pricing" }),
  event("group", user_id, {}, groupId: "globex", traits: { name: "Globex" }),
]
batch += others.map { |person| event("identify", person["userId"], consent, traits: person["traits"]) }

# Each pause is half as long again as the one before, give or take up to a half. Retry-After is not looked at.
place = URI(ENV["SDK_HOST"])
pause = 0.1
(1..TRIES).each do |try|
  break if taken?(place, ENV["SDK_KEY"], batch) || try == TRIES

  sleep([pause * rand(0.5..1.5), WAIT_LONGEST_SECONDS].min)
  pause *= 1.5
end
