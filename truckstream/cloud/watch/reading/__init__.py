"""Calls to AWS that status, doctor and scale share: the deployed parts and CloudWatch's figures."""
