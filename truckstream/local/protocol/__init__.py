"""The AWS protocols of Kinesis without HTTP: encodings, signatures, and the parsing of calls."""
