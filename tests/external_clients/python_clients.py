"""The packages of other Python clients, with their dependencies, by exact version."""

AIOBOTOCORE = (
    "aiobotocore==3.10.0",
    "aiohappyeyeballs==2.7.1",
    "aiohttp==3.14.5",
    "aioitertools==0.13.0",
    "aiosignal==1.4.0",
    "attrs==26.1.0",
    "botocore==1.43.117",
    "frozenlist==1.8.0",
    "idna==3.20",
    "jmespath==1.1.0",
    "multidict==7.2.1",
    "propcache==0.5.4",
    "python-dateutil==2.9.0.post0",
    "six==1.17.0",
    "typing-extensions==4.16.0",
    "urllib3==2.8.0",
    "wrapt==2.5.2",
    "yarl==1.25.1",
)
ASYNC_KINESIS = ("async-kinesis==3.0.1", *AIOBOTOCORE)
AIOKPL = ("aiokpl==0.2.0", "anyio==4.16.0", "sortedcontainers==2.4.0", *AIOBOTOCORE)
