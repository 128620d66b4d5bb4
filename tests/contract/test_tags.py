"""Tags by stream name (AddTagsToStream ...) and by ARN (TagResource ...), and resource policies."""

import json

import pytest

from tests.contract.support import arn_of, create, in_passing, rejected_with

SHARD = "shardId-000000000000"


def tags_of(kinesis, name):
    return {tag["Key"]: tag.get("Value") for tag in kinesis.list_tags_for_stream(StreamName=name)["Tags"]}


def tags_of_resource(kinesis, arn):
    return {tag["Key"]: tag.get("Value") for tag in kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"]}


def policy_for(arn):
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": ["kinesis:PutRecords"],
        "Resource": arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_tags_are_added(kinesis, stream):
    """AddTagsToStream adds or updates tags for the specified stream."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "north", "fleet": "7"})
    assert tags_of(kinesis, name) == {"depot": "north", "fleet": "7"}


def test_tags_are_overwritten(kinesis, stream):
    """AddTagsToStream overwrites any existing tags that correspond to the specified tag keys."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "north", "fleet": "7"})
    kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "south"})
    assert tags_of(kinesis, name) == {"depot": "south", "fleet": "7"}


def test_tags_are_removed(kinesis, stream):
    """RemoveTagsFromStream removes tags; if you specify a tag that does not exist, it is ignored."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "north", "fleet": "7"})
    kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["depot", "unknown"])
    assert tags_of(kinesis, name) == {"fleet": "7"}


def test_tags_are_added_by_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    kinesis.add_tags_to_stream(StreamARN=arn_of(kinesis, name), Tags={"depot": "north"})
    assert tags_of(kinesis, name) == {"depot": "north"}


def test_tags_are_listed_in_pages(kinesis, stream):
    """HasMoreTags is true if Limit is below the number of tags; ExclusiveStartTagKey requests the next page."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"a": "1", "b": "2", "c": "3"})
    first = kinesis.list_tags_for_stream(StreamName=name, Limit=2)
    assert first["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert first["HasMoreTags"] is True
    rest = kinesis.list_tags_for_stream(StreamName=name, ExclusiveStartTagKey="b")
    assert rest["Tags"] == [{"Key": "c", "Value": "3"}]
    assert rest["HasMoreTags"] is False


@pytest.mark.parametrize("limit", [0, 51])
def test_list_tags_has_a_range_of_limits(kinesis, stream, limit):
    """ListTagsForStreamInputLimit is from 1 to 50."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.list_tags_for_stream(StreamName=name, Limit=limit)


def test_a_stream_has_at_most_50_tags(kinesis, stream):
    """You can assign up to 50 tags to a data stream."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={f"first-{number}": "x" for number in range(30)})
    with rejected_with("InvalidArgumentException", "LimitExceededException"):
        kinesis.add_tags_to_stream(StreamName=name, Tags={f"second-{number}": "x" for number in range(21)})


@pytest.mark.parametrize(
    "tags",
    [{}, {"": "x"}, {"k" * 129: "x"}, {"k": "x" * 257}, {f"key-{number}": "x" for number in range(201)}],
    ids=["no tags", "no key", "a key of 129", "a value of 257", "201 tags"],
)
def test_tags_have_limited_sizes(kinesis, stream, tags):
    """TagMap has 1 to 200 members, TagKey 1 to 128 characters, TagValue 0 to 256."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.add_tags_to_stream(StreamName=name, Tags=tags)


def test_tags_have_valid_characters(kinesis, stream):
    """Valid characters: Unicode letters, digits, white space, _ . / = + - % @."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"Dep\N{LATIN SMALL LETTER O WITH ACUTE}t_1./=+-@": "a b"})
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.add_tags_to_stream(StreamName=name, Tags={"depot!": "north"})


@in_passing
def test_tags_require_an_active_stream(kinesis, stream):
    """You can't make any updates to the tags until the stream is in the ACTIVE state (CreateStream)."""
    name = stream.new_name()
    create(kinesis, name, ShardCount=1)
    with rejected_with("ResourceInUseException"):
        kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "north"})
    with rejected_with("ResourceInUseException"):
        kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["depot"])


@in_passing
def test_tags_of_a_resource_require_an_active_stream(kinesis, stream):
    """You can't make any updates to the tags until the stream is in the ACTIVE state (CreateStream)."""
    name = stream.new_name()
    create(kinesis, name, ShardCount=1)
    arn = arn_of(kinesis, name)
    with rejected_with("ResourceInUseException"):
        kinesis.tag_resource(ResourceARN=arn, Tags={"depot": "north"})
    with rejected_with("ResourceInUseException"):
        kinesis.untag_resource(ResourceARN=arn, TagKeys=["depot"])


@pytest.mark.parametrize("keys", [[], [f"key-{number}" for number in range(51)]], ids=["0", "51"])
def test_the_list_of_tags_to_remove_has_1_to_50_members(kinesis, stream, keys):
    """TagKeyList has 1 to 50 members."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.remove_tags_from_stream(StreamName=name, TagKeys=keys)


def test_a_resource_is_tagged(kinesis, stream):
    """TagResource adds or updates tags for the specified Kinesis resource."""
    name = stream()
    arn = arn_of(kinesis, name)
    kinesis.tag_resource(ResourceARN=arn, Tags={"depot": "north", "fleet": "7"})
    kinesis.tag_resource(ResourceARN=arn, Tags={"depot": "south"})
    assert tags_of_resource(kinesis, arn) == {"depot": "south", "fleet": "7"}


def test_a_resource_is_untagged(kinesis, stream):
    """UntagResource removes the tags whose keys are in the list."""
    name = stream()
    arn = arn_of(kinesis, name)
    kinesis.tag_resource(ResourceARN=arn, Tags={"depot": "north", "fleet": "7"})
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["depot"])
    assert tags_of_resource(kinesis, arn) == {"fleet": "7"}


def test_a_stream_has_the_same_tags_by_name_and_by_arn(kinesis, stream):
    """Both families of operations work on the tags of the same resource."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "north"})
    assert tags_of_resource(kinesis, arn_of(kinesis, name)) == {"depot": "north"}


def test_a_resource_has_at_most_50_tags(kinesis, stream):
    """You can assign up to 50 tags to a Kinesis resource."""
    arn = arn_of(kinesis, stream())
    with rejected_with("InvalidArgumentException", "LimitExceededException"):
        kinesis.tag_resource(ResourceARN=arn, Tags={f"key-{number}": "x" for number in range(51)})


def test_a_consumer_is_tagged(kinesis, stream):
    """TagResource accepts the ARN of a consumer too, and RegisterStreamConsumer accepts tags."""
    arn = arn_of(kinesis, stream())
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader", Tags={"depot": "north"})
    consumer_arn = consumer["Consumer"]["ConsumerARN"]
    kinesis.tag_resource(ResourceARN=consumer_arn, Tags={"fleet": "7"})
    assert tags_of_resource(kinesis, consumer_arn) == {"depot": "north", "fleet": "7"}


@pytest.mark.parametrize("arn", ["", "stream", "arn:aws:s3:::bucket"], ids=["empty", "name", "bucket"])
def test_a_resource_needs_a_valid_arn(kinesis, arn):
    r"""ResourceARN has the pattern arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel)/\S+."""
    with rejected_with("ValidationException"):
        kinesis.tag_resource(ResourceARN=arn, Tags={"k": "v"})
    with rejected_with("ValidationException"):
        kinesis.untag_resource(ResourceARN=arn, TagKeys=["k"])
    with rejected_with("ValidationException"):
        kinesis.list_tags_for_resource(ResourceARN=arn)


def test_a_policy_can_be_read_back(kinesis, stream):
    """PutResourcePolicy attaches a resource-based policy, GetResourcePolicy returns it."""
    arn = arn_of(kinesis, stream())
    kinesis.put_resource_policy(ResourceARN=arn, Policy=policy_for(arn))
    assert json.loads(kinesis.get_resource_policy(ResourceARN=arn)["Policy"]) == json.loads(policy_for(arn))


def test_a_policy_is_deleted(kinesis, stream):
    """DeleteResourcePolicy deletes a policy for the specified data stream or consumer."""
    arn = arn_of(kinesis, stream())
    kinesis.put_resource_policy(ResourceARN=arn, Policy=policy_for(arn))
    kinesis.delete_resource_policy(ResourceARN=arn)
    with rejected_with("ResourceNotFoundException"):
        kinesis.delete_resource_policy(ResourceARN=arn)


def test_a_policy_must_be_json(kinesis, stream):
    """Policy is formatted as a JSON string."""
    arn = arn_of(kinesis, stream())
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.put_resource_policy(ResourceARN=arn, Policy="allow everybody")
