"""What runs modules; `midflight` imports it when one of these names is asked for."""

from __future__ import annotations

from midflight._change import Change
from midflight._plugins import Participant
from midflight._registry import PluginRegistry
from midflight._runtime import Runtime

__all__ = ["Change", "Participant", "PluginRegistry", "Runtime"]
