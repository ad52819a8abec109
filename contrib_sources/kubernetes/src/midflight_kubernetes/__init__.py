"""Configuration in a ConfigMap or a Secret of Kubernetes, for Midflight."""

from midflight_kubernetes._source import KubernetesSource

__all__ = ["KubernetesSource"]
