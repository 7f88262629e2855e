// Knative's operator is a requirement only because the embedded environment reads CRDs from its folder. Nothing is built.
module gpu-platform/simulator/knative-operator

go 1.26.0

require knative.dev/operator v0.48.1
