"""Local AWS in a child process: the Kinesis stream, its event source mapping and the Lambda function."""
