"""The gaps of ministack 1.5, the imitation of AWS that these tests deploy to."""

#: Resources that it cannot create: alarms on expressions, named queries, queries of logs, network ACLs.
CANNOT_CREATE = (
    *("ErrorRateAlarm", "NoCallsAlarm", "MappingStoppedAlarm", "GivenUpAlarm", "DurationAlarm", "StreamLoadAlarm"),
    *("LatestQuery", "HealthQuery", "RejectedQuery", "TwiceQuery"),
    *("CallsLogQuery", "FailuresLogQuery", "SlowestPutsLogQuery", "IncidentsLogQuery"),
    *("NetworkAcl", "AclA", "AclB", "AclTlsOut", "AclTlsIn", "AclAnswersIn", "AclAnswersOut"),
)
