"""Every operation of the service's model has a case, and so has every documented error that a case can provoke."""

from tests.contract.cases import cases, model
from tests.contract.differences import KNOWN, LACKS, SPOILED_BY, UNDECIDED
from tests.contract.test_not_found import BY_ARN, BY_NAME

#: Operations without a case, with the reason.
NO_CASE = dict.fromkeys(
    ("CreateChannel", "DeleteChannel", "DescribeChannel", "ListChannels", "UpdateChannel"),
    "channels deliver to S3 and Iceberg tables; users of a stream do not call them, and no server has them",
)

#: Errors that no case can provoke on a server of this machine, with the reason.
NOT_PROVOKED = {
    "AccessDeniedException": "needs IAM",
    "ExpiredIteratorException": "needs 5 minutes; tested in truckstream.local's own tests, which move its clock",
    "ExpiredNextTokenException": "needs 300 seconds; tested in truckstream.local's own tests, which move its clock",
    "InternalFailureException": "no request causes it; tested with the faults of truckstream.local",
    "KMSAccessDeniedException": "needs KMS",
    "KMSDisabledException": "needs KMS",
    "KMSInvalidStateException": "needs KMS",
    "KMSNotFoundException": "needs KMS",
    "KMSOptInRequired": "needs KMS",
    "KMSThrottlingException": "needs KMS",
    "ProvisionedThroughputExceededException": "the suite runs without quotas; only truckstream.local has them",
}

#: error -> (reason, operations that document it but have no case, although other operations have one).
NOT_PROVOKED_ON = {
    "LimitExceededException": (
        "is returned to calls beyond the operation's rate, or to a 26th change of encryption in a day",
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
        "the reference does not name the state of the stream that causes it",
        """
        DeleteResourcePolicy GetResourcePolicy ListShards ListStreamConsumers ListTagsForResource PutResourcePolicy
        UpdateStreamRecordDistributionStrategy UpdateStreamWarmThroughput
        """,
    ),
    "InvalidArgumentException": (
        "the reference names no argument that satisfies the model's constraints and is rejected",
        """
        DeleteResourcePolicy GetResourcePolicy ListStreams ListTagsForResource RegisterStreamConsumer SubscribeToShard
        UntagResource UpdateAccountSettings UpdateMaxRecordSize UpdateStreamMode
        """,
    ),
}


def test_every_operation_has_a_case():
    """A new operation in botocore's model fails this test until it has a case, or a reason for having none."""
    exercised = set().union(*(case.operations for case in cases().values()), BY_NAME, BY_ARN)
    assert set(model()["operations"]) - exercised == set(NO_CASE)


def test_every_documented_error_has_a_case():
    """A case provokes each documented error of each operation, or a reason is listed above."""
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
    """A line of the tables for a case that was renamed or deleted fails here."""
    named = {case for table in KNOWN.values() for case in table}
    named |= {case for _, case in (*UNDECIDED, *SPOILED_BY)}
    assert {case.partition("[")[0] for case in named} - set(cases()) == set()
    assert set().union(*LACKS.values()) - set(model()["operations"]) == set()
