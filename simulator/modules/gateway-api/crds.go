// Package crds keeps the Gateway API a direct requirement of this module: the embedded environment reads its CRDs from the
// module's folder. Nothing here is built.
package crds

import _ "sigs.k8s.io/gateway-api/apis/v1"
