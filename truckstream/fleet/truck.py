"""One truck's physics: the causes that move each signal, and how fast the signal follows them.

A truck is advanced in steps of 1 to 10 seconds. Within a step its acceleration and heading are constant. A temperature
approaches its target with a lag, solved exactly (`1 - exp(-step / lag)`), so that no step is too long to be stable.

The numbers are chosen so that at 65 mph on a mild day the signals are those of the sample record. Its temperatures, and
the limits of engine_temp, are the figures of a warm engine in °C, although the table of fields calls engine_temp °F;
the figures are kept as they are, and all temperatures here share their scale. Consumption is in gallons an hour, fuel
in percent of the tank, oil pressure in PSI.

Physics keeps the record's rules: a thermostat keeps the engine warm even while the truck stands, and a leak ends at the
lower end of the sensor's range. The clamps guard against cases that the tests have not met.

A new sensor field needs its signal here: compute it in one of the `_update_` methods and write it in `write_signals`.
"""

from __future__ import annotations

from math import cos, exp, inf, pi, sin
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.fleet.defect import TruckDefect
from truckstream.fleet.route import ARRIVED_MILES, TOWN_MILES, Route
from truckstream.record import FIELDS

if TYPE_CHECKING:
    from random import Random

__all__ = ["SmoothingFactors", "Truck"]

IDLE_RPM: Final = 700.0
#: The alternator gives its full voltage above this.
CHARGING_RPM: Final = 900.0
#: (up to mph, revolutions a minute for each mph). The last gear gives the sample's 2150 at 65.4 mph.
GEARS: Final = (
    (6.0, 210.0),
    (12.0, 125.0),
    (20.0, 80.0),
    (30.0, 60.0),
    (42.0, 47.0),
    (54.0, 39.0),
    (999.0, 32.8),
)

TANK_GALLONS: Final = 110.0
#: Percent of the tank. At a stop the driver may fill up below FILL_UP and always does below MUST_FILL_UP; below
#: STRANDED a service vehicle brings fuel.
FILL_UP: Final = 55.0
MUST_FILL_UP: Final = 20.0
STRANDED: Final = 3.0
FULL: Final = 97.0
FORGETFULNESS: Final = 0.1
#: PSI at 20 degrees. At a stop a tyre below the first is inflated to somewhere in the second.
LOWEST_COLD_PRESSURE: Final = 30.0
COLD_PRESSURES: Final = (30.3, 31.0)
#: Seconds of a stop for loading, and the share of the trucks that stand when a fleet begins.
SHORTEST_STOP: Final = 240.0
LONGEST_STOP: Final = 1500.0
SHARE_AT_REST: Final = 0.1
SERVICE_MILES: Final = (13_000.0, 15_500.0)
#: mph a second; BEST_PULL is the acceleration from standing.
HARDEST_BRAKING: Final = 3.0
CALM_BRAKING: Final = 2.0
SECONDS_BETWEEN_LIGHTS: Final = 90.0
BEST_PULL: Final = 1.6

_RULES: Final = {field.name: (field.minimum or 0.0, field.maximum or 0.0) for field in FIELDS}
LOWEST_PSI, HIGHEST_PSI = _RULES["tire_pressure_fl"]
COLDEST_ENGINE, HOTTEST_ENGINE = _RULES["engine_temp"]


class SmoothingFactors(msgspec.Struct, frozen=True):
    """The share of the way to its target that each value goes in one step."""

    step_seconds: float
    engine: float
    coolant: float
    transmission: float
    brakes: float
    tyres: float
    driver: float

    @classmethod
    def for_step(cls, seconds: float) -> SmoothingFactors:
        """Return the factors for steps of `seconds`."""
        return cls(step_seconds=seconds, **{name: 1.0 - exp(-seconds / lag) for name, lag in LAG_SECONDS.items()})


#: How slowly each value follows its target.
LAG_SECONDS: Final = {
    "engine": 100.0,
    "coolant": 150.0,
    "transmission": 300.0,
    "brakes": 240.0,
    "tyres": 900.0,
    "driver": 5.0,
}

#: One step that takes every temperature to its target: a truck begins in the middle of its day.
SETTLED: Final = SmoothingFactors.for_step(inf)


class Truck:
    """A truck on its route. `clock` is the simulated time in seconds since the epoch, UTC."""

    # 5.2 KiB a truck instead of 6.4: without slots, CPython keeps at most 30 attributes in a compact form.
    __slots__ = (
        "_age",
        "_braking",
        "_cold_pressures",
        "_driver",
        "_factors",
        "_hills",
        "_parked",
        "_pause",
        "_refuel",
        "_service_due",
        "_wear",
        "acceleration",
        "ambient",
        "brakes",
        "clock",
        "consumption",
        "coolant",
        "defect",
        "engine",
        "fuel",
        "load",
        "miles",
        "oil",
        "pressures",
        "random",
        "ratio",
        "route",
        "rpm",
        "speed",
        "transmission",
        "truck_id",
        "tyres",
        "vibration",
        "voltage",
    )

    def __init__(self, truck_id: str, random: Random, factors: SmoothingFactors, clock: float) -> None:
        self.random = random
        self.truck_id = truck_id
        self.route = Route(random)
        self.defect = TruckDefect(random)
        self.clock = clock
        self._factors = factors
        self._driver = random.uniform(0.94, 1.05)
        self._hills = random.uniform(0.0, 2.0 * pi)
        self._cold_pressures = [random.uniform(*COLD_PRESSURES) for _ in range(4)]
        self._service_due = random.uniform(*SERVICE_MILES)
        self.miles = random.uniform(0.0, self._service_due)
        self._wear = random.uniform(0.3, 1.0) / SERVICE_MILES[1]
        self.fuel = random.uniform(45.0, FULL)
        self._refuel = 0.0
        self._parked = False
        self._begin()

    def _begin(self) -> None:
        resting = self.random.random() < SHARE_AT_REST
        self._pause = self.random.uniform(0.0, LONGEST_STOP) if resting else 0.0
        self.speed = 0.0 if resting else self.route.limit * self._driver
        self.ratio = GEARS[-1][1]
        #: Wear of battery and bearings: 0 after maintenance, 1 for the hardest used truck just before the next.
        self._age = self.miles * self._wear
        self.load = self.acceleration = self._braking = 0.0
        self.engine = self.coolant = self.transmission = self.brakes = self.tyres = 0.0
        self._plan_gear(self.speed)
        self._update_load()
        self._update_temperatures(SETTLED)
        self._update_instant_signals()
        self._use_fuel(0.0)

    def drive(self) -> None:
        """Advance by one step."""
        step = self._factors.step_seconds
        self.clock += step
        self.defect.advance(step)
        before = self.speed
        self.speed = after = self._plan_speed(step)
        self.acceleration = (after - before) / step
        self._plan_gear(max(before, after))
        self._update_load()
        # The brakes take the deceleration beyond that of rolling resistance and the engine (0.35 mph a second).
        self._braking = max(0.0, -0.35 - self.acceleration) * (before + after) * 0.5 * step
        miles = (before + after) * step / 7200.0
        self.miles += miles
        self._age = self.miles * self._wear
        self._update_temperatures(self._factors)
        self._update_instant_signals()
        self._use_fuel(step)
        self.route.move(miles)

    def _plan_speed(self, step: float) -> float:
        """Return the speed at the end of the step: as close to the allowed speed as the truck can get."""
        route, speed = self.route, self.speed
        if self._pause > 0.0:
            self._wait(step)
            return max(0.0, speed - CALM_BRAKING * step)
        route.look_ahead()
        mood = self.random.random()
        if route.remaining < max(ARRIVED_MILES, speed * step / 3600.0):
            self._arrive()
        elif route.remaining < TOWN_MILES and mood < step / SECONDS_BETWEEN_LIGHTS:
            self._pause = 10.0 + 40.0 * self.random.random()
        wanted = (route.limit * self._driver * (0.9 + 0.14 * mood) - speed) * self._factors.driver
        pull = (BEST_PULL - 0.019 * speed) * step
        return max(0.0, speed + min(pull, max(-HARDEST_BRAKING * step, wanted)))

    def _plan_gear(self, speed: float) -> None:
        for limit, ratio in GEARS:
            if speed < limit:
                self.ratio = ratio
                break

    def _update_load(self) -> None:
        """Update the share of the engine's power in use: 0.6 at a steady 65 mph on level ground."""
        speed = self.speed
        slope = 0.12 * sin(self.miles * 0.9 + self._hills)
        # An overheating engine gives less power to protect itself.
        most = 1.0 - 0.5 * self.defect.severity if self.defect.kind == "overheating" else 1.0
        load = 0.05 + speed * (0.0043 + 1.0e-6 * speed * speed + 0.008 * self.acceleration + 0.0154 * slope)
        self.load = 0.0 if load < 0.0 else min(load, most)

    def _update_temperatures(self, factors: SmoothingFactors) -> None:
        load, speed, kind = self.load, self.speed, self.defect.kind
        severity = self.defect.severity
        hour = self.clock / 3600.0 + self.route.longitude / 15.0
        self.ambient = ambient = 22.3 + 6.0 * cos((hour - 15.0) * (pi / 12.0)) + 2.0 * sin(self.route.latitude * 4.0)
        heat = severity if kind == "overheating" else 0.0
        slip = severity if kind == "slipping transmission" else 0.0
        drag = severity if kind == "dragging brakes" else 0.0
        self.coolant += (76.0 + 0.16 * ambient + 14.0 * load + 21.0 * heat - self.coolant) * factors.coolant
        self.engine += (self.coolant + 4.0 + 6.0 * load + 2.0 * heat - self.engine) * factors.engine
        self.transmission += (
            58.0 + 0.3 * ambient + 30.0 * load + 36.0 * slip - self.transmission
        ) * factors.transmission
        warm_brakes = ambient + 42.0 + speed * (0.2 + 2.6 * drag)
        self.brakes += (warm_brakes - self.brakes) * factors.brakes + 0.025 * self._braking
        self.tyres += (ambient + 0.38 * speed + 5.0 * load - self.tyres) * factors.tyres

    def _update_instant_signals(self) -> None:
        """Update the signals that follow without a lag: pressures, engine speed, oil, voltage and vibration."""
        speed, defect = self.speed, self.defect
        kind, severity = defect.kind, defect.severity
        warmth = 1.0 + 0.0022 * (self.tyres - 20.0)
        self.pressures = [psi * warmth for psi in self._cold_pressures]
        if kind == "leaking tyre":
            # A leak ends at the lower end of the sensor's range, at 28.05 and never below.
            self.pressures[defect.wheel] -= severity * (self.pressures[defect.wheel] - 28.05)
        self.rpm = rpm = max(IDLE_RPM, speed * self.ratio)
        kept = 1.0 - 0.75 * severity if kind == "oil loss" else 1.0
        self.oil = (19.0 + 0.0122 * rpm - 0.15 * (self.engine - 95.0)) * kept
        flat = 2.2 * severity if kind == "dying battery" else 0.0
        alternator = 14.1 if rpm > CHARGING_RPM else 13.8
        self.voltage = alternator - 0.4 * self._age - 0.004 * (self.ambient - 22.0) - flat
        shake = 2.0 * severity if kind == "unbalanced wheel" else 0.0
        roughness = 0.9 + 0.3 * self.random.random()
        self.vibration = (0.08 + speed * (0.0025 + 0.0154 * shake) + 0.08 * self._age) * roughness

    def _use_fuel(self, step: float) -> None:
        self.consumption = 0.6 + 13.6 * self.load
        self.fuel -= self.consumption * step / (36.0 * TANK_GALLONS)
        if self.fuel < STRANDED:
            self._pause, self._refuel = 900.0, 0.05  # a service vehicle brings fuel
        if self._refuel and self.speed == 0.0:
            self.fuel = min(FULL, self.fuel + self._refuel * step)

    def _arrive(self) -> None:
        """Begin a stop: loading, and fuel, air and maintenance where they are due."""
        random = self.random
        self._parked = True
        self._pause = random.uniform(SHORTEST_STOP, LONGEST_STOP)
        if self.fuel < MUST_FILL_UP or (self.fuel < FILL_UP and random.random() > FORGETFULNESS):
            self._refuel = 0.4
        self._cold_pressures = [
            psi - 0.02 if psi > LOWEST_COLD_PRESSURE else random.uniform(*COLD_PRESSURES)
            for psi in self._cold_pressures
        ]
        if self.miles > self._service_due:
            self._maintain()

    def _maintain(self) -> None:
        self.miles = 0.0
        self._service_due = self.random.uniform(*SERVICE_MILES)
        self._pause = 2700.0
        self.defect.repair()

    def _wait(self, step: float) -> None:
        self._pause -= step
        if self._pause <= 0.0:
            self._refuel = 0.0
            if self._parked:
                self._parked = False
                self.route.next_leg()

    def write_signals(self, record: Any) -> None:
        """Write the step's signals to `record`, a TruckRecord that is not frozen, rounded to a record's digits."""
        pressures = self.pressures
        if min(pressures) < LOWEST_PSI or max(pressures) > HIGHEST_PSI:
            pressures = [min(HIGHEST_PSI, max(LOWEST_PSI, psi)) for psi in pressures]
        (
            record.tire_pressure_fl,
            record.tire_pressure_fr,
            record.tire_pressure_rl,
            record.tire_pressure_rr,
            record.engine_temp,
            record.oil_pressure,
            record.fuel_level,
            record.brake_temp,
            record.transmission_temp,
            record.battery_voltage,
            record.coolant_temp,
            record.ambient_temp,
            record.vibration_level,
            record.fuel_consumption_rate,
        ) = [
            (value * 10.0 + 0.5) // 1.0 / 10.0  # a third of the time of round(value, 1)
            for value in (
                *pressures,
                min(HOTTEST_ENGINE, max(COLDEST_ENGINE, self.engine)),
                self.oil,
                self.fuel,
                self.brakes,
                self.transmission,
                self.voltage,
                self.coolant,
                self.ambient,
                self.vibration,
                self.consumption,
            )
        ]
        record.miles_since_maintenance = int(self.miles)
