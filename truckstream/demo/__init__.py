"""The demo: the whole pipeline on one machine, with every record accounted for.

    fleet -> Producer -> Kinesis with its quotas -> event source mapping -> Lambda handler -> objects of 700 records

As in production there are two sides, each in a process of its own: this process runs the fleet and its producer, and
`local_aws` runs everything that AWS would run. They share only the Kinesis endpoint and the directory that takes the
place of the bucket. `run` directs a run; `accounting` compares the stored records with the records that were put.
"""
