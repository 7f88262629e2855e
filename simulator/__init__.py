"""Does it work: the embedded environment, a real Kubernetes control plane with simulated nodes and no cloud.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok run as processes on this machine, built from the
Go modules pinned in `modules/`. `environment` is the public door; `toolchain` builds, `crds` reads what the operators
define, `control_plane` and `processes` start and stop, `apply` brings a plan's Kubernetes half to the API server.
`node_sources` says where nodes come from: worked out from the program's own NodePools, or started by Karpenter's
controller (`karpenter/`). `throwaway` and `scenarios/` are for tests and for showing. Only `infra` is imported from
this project.
"""
