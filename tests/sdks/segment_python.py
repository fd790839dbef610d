# Drives segment-analytics-python as its users do. What it is told comes in the environment.
import json
import os

import segment.analytics as analytics

host, key = os.environ["SDK_HOST"], os.environ["SDK_KEY"]
first, *others = json.loads(os.environ["SDK_PEOPLE"])

analytics.write_key = key
analytics.host = host

user_id = first["userId"]
context = {"consent": {"categoryPreferences": {"marketing": True}}}
analytics.identify(user_id, first["traits"], context=context)
analytics.track(user_id, "Lead Generated", {"value": 0})
analytics.page(user_id, name="Pricing", properties={"path": "/pricing"})
analytics.group(user_id, "globex", {"name": "Globex"})
for person in others:
    analytics.identify(person["userId"], person["traits"], context=context)
analytics.shutdown()
