"""The command `gpu-platform`: one file a sub-command, thin. What takes long to import is imported where it is used."""
