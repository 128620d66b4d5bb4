"""Whether a worker is alive and ready, for the probes of Kubernetes and ECS."""
