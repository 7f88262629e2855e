// Knative Serving's controllers, its autoscaler and its webhooks in one process: what upstream's cmd/controller,
// cmd/autoscaler and cmd/webhook (v0.48.1) are put together from. Those listen on every interface, make certificates of
// their own and ask the pods how busy they are; this one listens on 127.0.0.1, takes the environment's certificate,
// and asks nobody: simulated pods have no address.
package main

import (
	"context"
	"flag"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/runtime/schema"
	networking "knative.dev/networking/pkg/apis/networking/v1alpha1"
	filteredpods "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	filteredinformers "knative.dev/pkg/client/injection/kube/informers/factory/filtered"
	"knative.dev/pkg/configmap"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/injection"
	"knative.dev/pkg/injection/sharedmain"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/signals"
	"knative.dev/pkg/webhook"
	"knative.dev/pkg/webhook/resourcesemantics"
	"knative.dev/pkg/webhook/resourcesemantics/defaulting"
	"knative.dev/pkg/webhook/resourcesemantics/validation"

	autoscaling "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	apisconfig "knative.dev/serving/pkg/apis/config"
	"knative.dev/serving/pkg/apis/serving"
	v1 "knative.dev/serving/pkg/apis/serving/v1"
	"knative.dev/serving/pkg/apis/serving/v1beta1"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
	"knative.dev/serving/pkg/reconciler/autoscaling/kpa"
	"knative.dev/serving/pkg/reconciler/configuration"
	"knative.dev/serving/pkg/reconciler/gc"
	"knative.dev/serving/pkg/reconciler/labeler"
	"knative.dev/serving/pkg/reconciler/metric"
	"knative.dev/serving/pkg/reconciler/revision"
	"knative.dev/serving/pkg/reconciler/route"
	"knative.dev/serving/pkg/reconciler/serverlessservice"
	"knative.dev/serving/pkg/reconciler/service"
	"knative.dev/serving/pkg/resources"
	extravalidation "knative.dev/serving/pkg/webhook"
)

var (
	webhooksAt   = flag.String("webhooks-at", "", "host:port of the webhooks")
	healthAt     = flag.String("health-at", "", "host:port of the health endpoint")
	certificates = flag.String("certificates", "", "folder with tls.crt and tls.key")
)

// kinds to which the webhooks give defaults, and which they judge.
var kinds = map[schema.GroupVersionKind]resourcesemantics.GenericCRD{
	v1.SchemeGroupVersion.WithKind("Configuration"):             &v1.Configuration{},
	v1.SchemeGroupVersion.WithKind("Revision"):                  &v1.Revision{},
	v1.SchemeGroupVersion.WithKind("Route"):                     &v1.Route{},
	v1.SchemeGroupVersion.WithKind("Service"):                   &v1.Service{},
	autoscaling.SchemeGroupVersion.WithKind("Metric"):           &autoscaling.Metric{},
	autoscaling.SchemeGroupVersion.WithKind("PodAutoscaler"):    &autoscaling.PodAutoscaler{},
	networking.SchemeGroupVersion.WithKind("Certificate"):       &networking.Certificate{},
	networking.SchemeGroupVersion.WithKind("Ingress"):           &networking.Ingress{},
	networking.SchemeGroupVersion.WithKind("ServerlessService"): &networking.ServerlessService{},
	v1beta1.SchemeGroupVersion.WithKind("DomainMapping"):        &v1beta1.DomainMapping{},
}

func main() {
	ctx := filteredinformers.WithSelectors(signals.NewContext(), serving.RevisionUID)
	config := injection.ParseAndGetRESTConfigOrDie()
	config.QPS, config.Burst = 200, 400 // nobody shares this API server
	ctx, startInformers := injection.EnableInjectionOrDie(webhook.WithOptions(ctx, webhook.Options{}), config)
	logger, _ := sharedmain.SetupLoggerOrDie(ctx, "knative-serving")
	ctx = logging.WithLogger(ctx, logger)

	watcher := sharedmain.SetupConfigMapWatchOrDie(ctx, logger)
	// All of upstream's that a Service needs; domains and certificates have controllers of their own.
	controllers, _ := sharedmain.ControllersAndWebhooksFromCtors(ctx, watcher,
		configuration.NewController, labeler.NewController, revision.NewController, route.NewController,
		serverlessservice.NewController, service.NewController, gc.NewController,
	)
	controllers = append(controllers, autoscaler(ctx, watcher)...)
	// The reconcilers of the webhooks' own registration are not started: the environment registers them.
	_, admission := sharedmain.ControllersAndWebhooksFromCtors(ctx, watcher, setDefaults, validate)
	webhooks, err := webhook.New(ctx, admission)
	orDie(logger, err)
	orDie(logger, watcher.Start(ctx.Done()))
	startInformers()
	webhooks.InformersHaveSynced()

	go func() {
		err := http.ListenAndServeTLS(*webhooksAt, *certificates+"/tls.crt", *certificates+"/tls.key", webhooks)
		orDie(logger, err)
	}()
	go func() { orDie(logger, http.ListenAndServe(*healthAt, http.HandlerFunc(isWell))) }()
	orDie(logger, controller.StartAll(ctx, controllers...))
}

// autoscaler is the controller of PodAutoscalers and the one of Metrics, without load to go by: replicas stay between
// the bounds that are written.
func autoscaler(ctx context.Context, watcher configmap.Watcher) []*controller.Impl {
	logger := logging.FromContext(ctx)
	pods := filteredpods.Get(ctx, serving.RevisionUID).Lister()
	unasked := func(*autoscaling.Metric, *zap.SugaredLogger) (metrics.StatsScraper, error) { return nil, nil }
	collector := metrics.NewMetricCollector(unasked, logger)
	scaler := func(decider *scaling.Decider) (scaling.UniScaler, error) {
		accessor := resources.NewPodAccessor(pods, decider.Namespace, decider.Labels[serving.RevisionLabelKey])
		return scaling.New(*attribute.EmptySet(), otel.GetMeterProvider(), decider.Namespace, decider.Name,
			collector, accessor, &decider.Spec), nil
	}
	return []*controller.Impl{
		kpa.NewController(ctx, watcher, scaling.NewMultiScaler(ctx.Done(), scaler, logger)),
		metric.NewController(ctx, watcher, collector),
	}
}

func setDefaults(ctx context.Context, watcher configmap.Watcher) *controller.Impl {
	return defaulting.NewAdmissionController(ctx, "webhook.serving.knative.dev", "/defaulting", kinds,
		settings(ctx, watcher), false)
}

func validate(ctx context.Context, watcher configmap.Watcher) *controller.Impl {
	return validation.NewAdmissionController(ctx, "validation.webhook.serving.knative.dev", "/resource-validation", kinds,
		settings(ctx, watcher), false, map[schema.GroupVersionKind]validation.Callback{
			v1.SchemeGroupVersion.WithKind("Service"): validation.NewCallback(
				extravalidation.ValidateService, webhook.Create, webhook.Update),
			v1.SchemeGroupVersion.WithKind("Configuration"): validation.NewCallback(
				extravalidation.ValidateConfiguration, webhook.Create, webhook.Update),
		})
}

// settings lays Knative's ConfigMaps, defaults and features among them, into the context of a question.
func settings(ctx context.Context, watcher configmap.Watcher) func(context.Context) context.Context {
	store := apisconfig.NewStore(logging.FromContext(ctx))
	store.WatchConfigs(watcher)
	return store.ToContext
}

func isWell(answer http.ResponseWriter, _ *http.Request) { answer.WriteHeader(http.StatusOK) }

func orDie(logger *zap.SugaredLogger, err error) {
	if err != nil {
		logger.Fatal(err)
	}
}
