# Drives rudder-sdk-python as its users do. What it is told comes in the environment.
import json
import os

import rudderstack.analytics as rudder_analytics

host, key = os.environ["SDK_HOST"], os.environ["SDK_KEY"]
first, *others = json.loads(os.environ["SDK_PEOPLE"])

rudder_analytics.write_key = key
rudder_analytics.dataPlaneUrl = host

user_id = first["userId"]
context = {"consentManagement": {"allowedConsentIds": ["C0004"], "deniedConsentIds": []}}
rudder_analytics.identify(user_id, first["traits"], context=dict(context))
rudder_analytics.track(user_id, "Lead Generated", {"value": 0})
rudder_analytics.page(user_id, name="Pricing", properties={"path": "/pricing"})
rudder_analytics.group(user_id, "globex", {"name": "Globex"})
for person in others:
    rudder_analytics.identify(person["userId"], person["traits"], context=dict(context))
rudder_analytics.shutdown()
