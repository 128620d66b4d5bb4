"""CloudFormation's stacks and change sets: values, and the calls that create, follow and delete them."""
