"""What runs against a living cluster while a stack is destroyed: the delete hooks that the engine calls.

`guard` refuses before anything is touched when somebody still uses what would go. `drain` empties one Karpenter pool
while its controller lives, and ends even when that does not. `sweep` removes what a deleted cluster leaves in its VPC.
Each is bounded in time, says what it waits for, and touches only what carries this cluster's name. The engine calls
them as `gpu-platform teardown ...` (`components/teardown`); a person may call them too.
"""
