"""Regions of every partition of AWS have the right names and domains."""

import pytest

from tests.cloud.scripted_aws import ScriptedAws
from truckstream.cloud.package.artifact_bucket import url_of
from truckstream.cloud.partitions import is_aws_endpoint, partition_of
from truckstream.cloud.policies import Scope, boundary_policy

REGIONS = {
    "us-east-1": ("aws", "amazonaws.com"),
    "eu-central-2": ("aws", "amazonaws.com"),
    "us-gov-west-1": ("aws-us-gov", "amazonaws.com"),
    "cn-northwest-1": ("aws-cn", "amazonaws.com.cn"),
    "us-iso-east-1": ("aws-iso", "c2s.ic.gov"),
    "us-isob-east-1": ("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-west-1": ("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-south-1": ("aws-iso-f", "csp.hci.ic.gov"),
    "eusc-de-east-1": ("aws-eusc", "amazonaws.eu"),
    "xx-newpartition-northwest-1": ("aws", "amazonaws.com"),
}


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_the_partition_and_the_domain_of_botocores_data(region):
    partition = partition_of(region)
    assert (partition.name, partition.dns_suffix) == REGIONS[region]
    assert Scope("123456789012", region).partition == REGIONS[region][0]
    assert url_of(ScriptedAws({}, region), "zips", "k") == f"https://zips.s3.{region}.{REGIONS[region][1]}/k"


@pytest.mark.parametrize("region", REGIONS)
def test_the_boundary_names_the_services_that_use_keys_by_the_domain_of_the_partition(region):
    """The template does so with AWS::URLSuffix."""
    statements = {each["Sid"]: each for each in boundary_policy(Scope("123456789012", region))["Statement"]}
    domain = REGIONS[region][1]
    assert statements["KeysOfTheData"]["Condition"] == {
        "StringEquals": {"kms:ViaService": [f"kinesis.{region}.{domain}", f"s3.{region}.{domain}"]}
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://cloudformation.us-east-1.amazonaws.com", True),
        ("https://vpce-0123-abcd.cloudformation.us-east-1.vpce.amazonaws.com", True),
        ("https://cloudformation.cn-north-1.amazonaws.com.cn", True),
        ("https://cloudformation.us-iso-east-1.c2s.ic.gov", True),
        ("https://cloudformation.eusc-de-east-1.amazonaws.eu", True),
        ("https://kinesis.us-east-1.api.aws", True),
        ("http://127.0.0.1:4566", False),
        ("http://localhost.localstack.cloud:4566", False),
        ("https://amazonaws.com.example", False),
        ("https://notamazonaws.com", False),
    ],
)
def test_the_endpoints_of_aws_are_recognized_in_every_partition(url, expected):
    assert is_aws_endpoint(url) is expected
