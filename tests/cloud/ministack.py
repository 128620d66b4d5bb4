"""ministack 1.5, the imitation of AWS that these tests deploy to: its gaps, and a session for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

#: Resources that it cannot create: alarms on expressions, named queries, queries of logs, network ACLs.
CANNOT_CREATE = (
    *("ErrorRateAlarm", "NoCallsAlarm", "MappingStoppedAlarm", "GivenUpAlarm", "DurationAlarm", "StreamLoadAlarm"),
    *("LatestQuery", "HealthQuery", "RejectedQuery", "TwiceQuery"),
    *("FleetHealthQuery", "MaintenanceQuery", "BrakesQuery", "FuelQuery", "TyresQuery", "VolumeQuery"),
    *("CallsLogQuery", "FailuresLogQuery", "SlowestPutsLogQuery", "IncidentsLogQuery"),
    *("NetworkAcl", "AclA", "AclB", "AclTlsOut", "AclTlsIn", "AclAnswersIn", "AclAnswersOut"),
)
LEAVE_OUT = [word for name in CANNOT_CREATE for word in ("--leave-out", name)]


def session() -> AioSession:
    """Return a session with credentials that ministack accepts."""
    from aiobotocore.session import get_session  # noqa: PLC0415 - few users of this module need it

    made = get_session()
    made.set_credentials("test", "test")
    return made
