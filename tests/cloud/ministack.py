"""The gaps of ministack 1.5, the imitation of AWS that these tests deploy to."""

#: Resources that it cannot create: alarms on expressions, named queries, network ACLs.
CANNOT_CREATE = (
    *("ErrorRateAlarm", "StreamLoadAlarm"),
    *("LatestQuery", "HealthQuery", "RejectedQuery", "TwiceQuery"),
    *("NetworkAcl", "AclA", "AclB", "AclTlsOut", "AclTlsIn", "AclAnswersIn", "AclAnswersOut"),
)
