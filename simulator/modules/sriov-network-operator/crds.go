// Package crds keeps the SR-IOV network operator a direct requirement of this module: the embedded environment reads its
// CRDs from the module's folder. Nothing here is built.
package crds

import _ "github.com/k8snetworkplumbingwg/sriov-network-operator/api/v1"
