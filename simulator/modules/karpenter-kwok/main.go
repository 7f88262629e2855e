// Karpenter's controller with its kwok provider, started as upstream's kwok/main.go (v1.14.1) starts it, with what
// that one has no flag for: no port on all interfaces, the label of capacity reservations, and nodes of full size.
package main

import (
	"context"

	"github.com/samber/lo"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	kwok "sigs.k8s.io/karpenter/kwok/cloudprovider"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/cloudprovider/overlay"
	"sigs.k8s.io/karpenter/pkg/controllers"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/operator"
)

// As the AWS provider names it (karpenter-provider-aws v1.14.1, pkg/apis/v1/labels.go). Without a label the scheduler
// panics at the first reserved offering: "attempted to reserve non-existent offering".
const reservationID = "karpenter.k8s.aws/capacity-reservation-id"

func main() {
	cloudprovider.ReservationIDLabel = reservationID
	cloudprovider.ReservedCapacityLabels.Insert(reservationID)
	ctrl.NewManager = withoutPorts

	ctx, op := operator.NewOperator()
	types := lo.Must(kwok.ConstructInstanceTypes(ctx))
	machines := provider{kwok.NewCloudProvider(ctx, fullSize{op.GetClient(), types}, types), types}
	cloud := overlay.Decorate(machines, op.GetClient(), op.InstanceTypeStore)
	cluster := state.NewCluster(op.Clock, op.GetClient(), cloud)
	op.WithControllers(ctx, controllers.NewControllers(
		ctx, op.Manager, op.Clock, op.GetClient(), op.EventRecorder, cloud, machines, cluster, op.InstanceTypeStore,
	)...).Start(ctx)
}

// withoutPorts makes the manager without metrics and health probe: upstream binds both on every interface.
func withoutPorts(config *rest.Config, options manager.Options) (manager.Manager, error) {
	options.Metrics.BindAddress = "0"
	options.HealthProbeBindAddress = "0"
	return manager.New(config, options)
}

// provider is the kwok provider whose NodeClaims report the whole machine. Upstream's report the requests of the first
// pods as capacity, and a pool's limits, which count capacity, would let too much through.
type provider struct {
	cloudprovider.CloudProvider
	types []*cloudprovider.InstanceType
}

func (p provider) Create(ctx context.Context, claim *v1.NodeClaim) (*v1.NodeClaim, error) {
	created, err := p.CloudProvider.Create(ctx, claim)
	if err != nil {
		return nil, err
	}
	size := typeOf(p.types, created.Labels)
	created.Status.Capacity = size.Capacity
	created.Status.Allocatable = size.Allocatable()
	return created, nil
}

// fullSize is a client that creates nodes with the capacity of their instance type.
type fullSize struct {
	client.Client
	types []*cloudprovider.InstanceType
}

func (c fullSize) Create(ctx context.Context, object client.Object, how ...client.CreateOption) error {
	if node, ok := object.(*corev1.Node); ok {
		whole := node.DeepCopy() // the provider reads its own copy meanwhile
		whole.Status.Capacity = typeOf(c.types, node.Labels).Capacity
		return c.Client.Create(ctx, whole, how...)
	}
	return c.Client.Create(ctx, object, how...)
}

func typeOf(types []*cloudprovider.InstanceType, labels map[string]string) *cloudprovider.InstanceType {
	found, _ := lo.Find(types, func(it *cloudprovider.InstanceType) bool {
		return it.Name == labels[corev1.LabelInstanceTypeStable]
	})
	return found
}
