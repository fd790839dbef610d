# Drives analytics-ruby as its users do. What it is told comes in the environment.
$LOAD_PATH.unshift(File.join(__dir__, "vendor/analytics-ruby/lib"))
require "json"
require "segment/analytics"

host, port = ENV["SDK_HOST"].delete_prefix("http://").split(":")
key = ENV["SDK_KEY"]
first, *others = JSON.parse(ENV["SDK_PEOPLE"])

# The SDK speaks HTTPS alone (`ssl: false` is taken for "not said"), and the service under test plain HTTP.
request = Segment::Analytics::Defaults::Request
request.send(:remove_const, :SSL)
request.const_set(:SSL, false)

def connect(key, host, port)
  Segment::Analytics.new(write_key: key, host: host, port: port)
end
analytics = connect(key, host, port.to_i)

user_id = first["userId"]
context = { consent: { categoryPreferences: { marketing: true } } }
analytics.identify(user_id: user_id, traits: first["traits"], context: context)
analytics.track(user_id: user_id, event: "Lead Generated", properties: { value: 0 })
analytics.page(user_id: user_id, name: "Pricing", properties: { path: "/pricing" })
analytics.group(user_id: user_id, group_id: "globex", traits: { name: "Globex" })
others.each do |person|
  analytics.identify(user_id: person["userId"], traits: person["traits"], context: context)
end
analytics.flush
