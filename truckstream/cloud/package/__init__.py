"""The zip of the Lambda function, and the bucket that it is deployed from."""
