"""Decode, check and encode records by hand: base64, json, the rules of the 22 fields, 700 records an object.

A record that breaks a rule is dropped with a line in the log.
"""

import base64
import json
from math import inf

GROUP = 700

PRESSURE = (float, 28.0, 35.0)
ANY = (float, -inf, inf)
#: The type and limits of each field. An integer is accepted for a float.
RULES = {
    **dict.fromkeys(["tire_pressure_fl", "tire_pressure_fr", "tire_pressure_rl", "tire_pressure_rr"], PRESSURE),
    "engine_temp": (float, 70.0, 120.0),
    "speed": (float, 0.0, 120.0),
    "engine_rpm": (int, -inf, inf),
    "miles_since_maintenance": (int, -inf, inf),
    **dict.fromkeys(["oil_pressure", "fuel_level", "brake_temp", "transmission_temp", "battery_voltage"], ANY),
    **dict.fromkeys(["coolant_temp", "ambient_temp", "vibration_level", "fuel_consumption_rate"], ANY),
    **dict.fromkeys(["latitude", "longitude"], ANY),
}
NAMES = {"truck_id", "timestamp", "health_status", *RULES}
HEALTH = {"NORMAL", "WARNING", "URGENT"}


def is_valid(data):
    if not isinstance(data, dict) or data.keys() != NAMES:
        return False
    if not (isinstance(data["truck_id"], str) and 1 <= len(data["truck_id"]) <= 256):
        return False
    if not isinstance(data["timestamp"], str) or data["health_status"] not in HEALTH:
        return False
    for name, (kind, lowest, highest) in RULES.items():
        value = data[name]
        if type(value) is not kind and not (kind is float and type(value) is int):
            return False
        if not lowest <= value <= highest:
            return False
    return True


def encode(event):
    """Return the bodies of an event's objects."""
    good = [data for data in map(decode, event["Records"]) if data is not None]
    return [
        "".join(json.dumps(data, separators=(",", ":")) + "\n" for data in good[start : start + GROUP]).encode()
        for start in range(0, len(good), GROUP)
    ]


def decode(record):
    data = json.loads(base64.b64decode(record["kinesis"]["data"]))
    if not is_valid(data):
        print("dropped", record["kinesis"]["sequenceNumber"])
        return None
    return data
