"""Files of trained networks: checkpoints, folders, the hub."""
