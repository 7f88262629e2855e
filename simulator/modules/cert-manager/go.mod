// cert-manager is a requirement only because the embedded environment reads CRDs from its folder. Nothing is built.
module gpu-platform/simulator/cert-manager

go 1.26.0

require github.com/cert-manager/cert-manager v1.21.2
