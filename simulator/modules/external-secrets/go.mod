// External Secrets is a requirement only because the embedded environment reads CRDs from its folder. Nothing is built:
// its own packages come by `replace` of folders in its repository, which no other module can follow.
module gpu-platform/simulator/external-secrets

go 1.26.0

require github.com/external-secrets/external-secrets v1.3.2
