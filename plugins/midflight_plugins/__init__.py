"""First-party plugins of Midflight; each folder is found through an entry point."""
