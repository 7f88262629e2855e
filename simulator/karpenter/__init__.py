"""Karpenter's controller with its kwok provider in the embedded environment: what it is told instead of AWS.

`instance_types` writes the machines that it may start, from the catalogue and the pools' own classes; `rewriting` turns
EC2NodeClasses into the provider's own and says, field by field, what became of them; `interruption` does what EC2 and
Karpenter's AWS provider do when a spot machine is taken back. The controller itself is built from
`simulator/modules/karpenter-kwok`.
"""
