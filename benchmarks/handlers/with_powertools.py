# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "aws-lambda-powertools==3.37.0", "pydantic==2.14.3", "boto3==1.43.117", "botocore==1.43.117", "urllib3==2.8.0",
# ]
# ///
"""Powertools' batch processor with its parser, as in its documentation; boto3 puts one object after the other."""

import os
import uuid
from typing import Annotated, Literal

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.parser.models import KinesisDataStreamRecord, KinesisDataStreamRecordPayload
from pydantic import BaseModel, ConfigDict, Field, Json

GROUP = 700

client = boto3.client("s3")

Pressure = Annotated[float, Field(ge=28.0, le=35.0)]


class TruckModel(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    truck_id: Annotated[str, Field(min_length=1, max_length=256)]
    timestamp: str
    tire_pressure_fl: Pressure
    tire_pressure_fr: Pressure
    tire_pressure_rl: Pressure
    tire_pressure_rr: Pressure
    engine_temp: Annotated[float, Field(ge=70.0, le=120.0)]
    oil_pressure: float
    fuel_level: float
    brake_temp: float
    transmission_temp: float
    battery_voltage: float
    coolant_temp: float
    speed: Annotated[float, Field(ge=0.0, le=120.0)]
    engine_rpm: int
    miles_since_maintenance: int
    ambient_temp: float
    vibration_level: float
    fuel_consumption_rate: float
    latitude: float
    longitude: float
    health_status: Literal["NORMAL", "WARNING", "URGENT"]


class TruckPayload(KinesisDataStreamRecordPayload):
    data: Json[TruckModel]


class TruckRecordModel(KinesisDataStreamRecord):
    kinesis: TruckPayload


processor = BatchProcessor(event_type=EventType.KinesisDataStreams, model=TruckRecordModel)


def collect(event, context=None):
    """Return the valid records, and the response that names the others."""
    good = []
    response = process_partial_response(event, lambda record: good.append(record.kinesis.data), processor, context)
    return good, response


def bodies(good):
    return [
        "".join(data.model_dump_json() + "\n" for data in good[start : start + GROUP]).encode()
        for start in range(0, len(good), GROUP)
    ]


def encode(event):
    """Return the bodies of an event's objects."""
    return bodies(collect(event)[0])


def lambda_handler(event, context):
    if not event["Records"]:  # the processor cannot find the source of such an event
        return {"batchItemFailures": []}
    good, response = collect(event, context)
    for body in bodies(good):
        client.put_object(Bucket=os.environ["BUCKET_NAME"], Key=f"sensor_data/batch_{uuid.uuid4().hex}.json", Body=body)
    return response
