"""What the stand-ins of AWS that the tests deploy to cannot do."""

#: Resources that ministack 1.5 cannot create: alarms on expressions, named queries, network ACLs.
STAND_IN_CANNOT_CREATE = (
    *("ErrorRateAlarm", "StreamLoadAlarm"),
    *("LatestQuery", "HealthQuery", "RejectedQuery", "TwiceQuery"),
    *("NetworkAcl", "AclA", "AclB", "AclTlsOut", "AclTlsIn", "AclAnswersIn", "AclAnswersOut"),
)
