// Package crds keeps Envoy AI Gateway a direct requirement of this module: the embedded environment reads its CRDs from the
// module's folder. Nothing here is built.
package crds

import _ "github.com/envoyproxy/ai-gateway/api/v1beta1"
