"""Every operation of the service's model has a case, and every documented error that can be provoked."""

from tests.contract.cases import cases, model
from tests.contract.differences import KNOWN, LACKS, SPOILED_BY, UNDECIDED
from tests.contract.test_not_found import BY_ARN, BY_NAME

#: Operations without a case, with the reason.
NO_CASE = dict.fromkeys(
    ("CreateChannel", "DeleteChannel", "DescribeChannel", "ListChannels", "UpdateChannel"),
    "channels deliver to S3 and Iceberg tables: nothing that a stream's user calls, and none of the servers has them",
)

#: Errors that no case can provoke on a server of this machine, with the reason.
NOT_PROVOKED = {
    "AccessDeniedException": "needs IAM",
    "ExpiredIteratorException": "comes after 5 minutes; truckstream.local's own tests move its clock",
    "ExpiredNextTokenException": "comes after 300 seconds; truckstream.local's own tests move its clock",
    "InternalFailureException": "is no answer to a request; a fault of truckstream.local, tested with its faults",
    "KMSAccessDeniedException": "needs KMS",
    "KMSDisabledException": "needs KMS",
    "KMSInvalidStateException": "needs KMS",
    "KMSNotFoundException": "needs KMS",
    "KMSOptInRequired": "needs KMS",
    "KMSThrottlingException": "needs KMS",
    "ProvisionedThroughputExceededException": "the suite runs without quotas; only truckstream.local has them",
}

#: error -> (reason, the operations that document it and that no case provokes it on, although others do).
NOT_PROVOKED_ON = {
    "LimitExceededException": (
        "is the answer to calls beyond the operation's rate, or to a 26th change of encryption in a day",
        """
        DecreaseStreamRetentionPeriod DeleteResourcePolicy DeleteStream DeregisterStreamConsumer DescribeAccountSettings
        DescribeLimits DescribeStream DescribeStreamConsumer DescribeStreamSummary DisableEnhancedMonitoring
        EnableEnhancedMonitoring GetResourcePolicy IncreaseStreamRetentionPeriod ListShards ListStreamConsumers
        ListStreams ListTagsForResource ListTagsForStream MergeShards PutResourcePolicy RemoveTagsFromStream SplitShard
        StartStreamEncryption StopStreamEncryption SubscribeToShard UntagResource UpdateAccountSettings
        UpdateMaxRecordSize UpdateStreamRecordDistributionStrategy UpdateStreamWarmThroughput
        """,
    ),
    "ResourceInUseException": (
        "the reference does not say in which state of a stream",
        """
        DeleteResourcePolicy GetResourcePolicy ListShards ListStreamConsumers ListTagsForResource PutResourcePolicy
        UpdateStreamRecordDistributionStrategy UpdateStreamWarmThroughput
        """,
    ),
    "InvalidArgumentException": (
        "the reference names no argument that passes the model's constraints and is refused",
        """
        DeleteResourcePolicy GetResourcePolicy ListStreams ListTagsForResource RegisterStreamConsumer SubscribeToShard
        UntagResource UpdateAccountSettings UpdateMaxRecordSize UpdateStreamMode
        """,
    ),
}


def test_every_operation_has_a_case():
    """An operation that botocore learns fails this test until a case, or a reason, is written."""
    exercised = set().union(*(case.operations for case in cases().values()), BY_NAME, BY_ARN)
    assert set(model()["operations"]) - exercised == set(NO_CASE)


def test_every_documented_error_has_a_case():
    """Of every operation each documented error is provoked, or there is a reason why not."""
    provoked = set().union(*(case.errors for case in cases().values()))
    provoked |= {(operation, "ResourceNotFoundException") for operation in (*BY_NAME, *BY_ARN)}
    provoked |= {(operation, "InvalidArgumentException") for operation in BY_NAME}
    missing = {
        (operation, error["shape"])
        for operation, described in model()["operations"].items()
        for error in described.get("errors", ())
        if operation not in NO_CASE and error["shape"] not in NOT_PROVOKED
    } - provoked
    assert missing == {
        (operation, error) for error, (_, names) in NOT_PROVOKED_ON.items() for operation in names.split()
    }


def test_the_tables_name_cases_that_exist():
    """A renamed case leaves no line behind."""
    named = {case for table in KNOWN.values() for case in table}
    named |= {case for _, case in (*UNDECIDED, *SPOILED_BY)}
    assert {case.partition("[")[0] for case in named} - set(cases()) == set()
    assert set().union(*LACKS.values()) - set(model()["operations"]) == set()
