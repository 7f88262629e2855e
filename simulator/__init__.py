"""Does it work: the embedded environment, a real Kubernetes control plane with simulated nodes and no cloud.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok run as processes on this machine, built from the
Go modules pinned in `modules/`. `environment` is the public door; `toolchain` builds, `crds` reads what the operators
define, `control_plane` and `processes` start and stop, `nodes` makes nodes from the program's own NodePools, `apply`
brings a plan's Kubernetes half to the API server. Only `infra` is imported from this project.
"""
