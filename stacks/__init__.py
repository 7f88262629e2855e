"""Where it goes: the layers, the output contract, the program that the engine runs and its evaluation without one."""
