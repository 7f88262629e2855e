// Package crds keeps the Karpenter provider a direct requirement of this module: the embedded environment reads its
// CRDs from the module's folder. Nothing here is built.
package crds

import _ "github.com/aws/karpenter-provider-aws/pkg/apis"
