"""An S3 for tests, which can be told to fail: moto's, behind faults.

moto is S3's API in full, so that any client of a test can read and write. It runs in a process of its own
(`__main__.py`), because its warnings are not those of the program under test. `faults.py` decides which requests fail,
and `server.py` carries that out in front of moto. `local_s3.py` has the class for tests.
"""

from truckstream.local.s3.faults import S3Fault
from truckstream.local.s3.local_s3 import LocalS3

__all__ = ["LocalS3", "S3Fault"]
