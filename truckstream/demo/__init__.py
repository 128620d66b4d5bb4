"""The whole pipeline on this machine, each record accounted for.

    fleet -> Producer -> Kinesis with its quotas -> event source mapping -> Lambda handler -> objects of 700 records

Two processes, as in life: this one is the fleet with its producer; `backend` stands in for AWS. They share nothing
but the Kinesis endpoint and the directory that stands in for the bucket. `run` leads, `ledger` keeps the account.
"""
