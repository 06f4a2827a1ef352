"""MQTT: the retained state of every printer, Home Assistant's discovery, messages out, answers in.

settings    what ``[alerts.mqtt]`` says
topics      the names of all topics
states      what stands in them
discovery   what Home Assistant is told
answers     what comes back
session     one connection to the broker, from login to its end
trial       whether a broker lets us in, for ``check``
link        one session after the other: who publishes asks here
board       what the broker is to hold, and what it does not hold yet
mirror      the sink that keeps the board up to date
"""

import sinks.channels  # noqa: F401 - one of them imports from here, and so the registry is to begin
