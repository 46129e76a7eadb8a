// Modules that carry the custom resource definitions of what the chart can make; nothing is built from them.
module chart-tests/crds

go 1.25.0

require (
	github.com/cert-manager/cert-manager v1.21.0
	github.com/prometheus-operator/prometheus-operator v0.92.0
	github.com/traefik/traefik/v3 v3.7.9 // the nearest to the binary of the tests that there is as a module
	sigs.k8s.io/gateway-api v1.5.1 // that of Traefik
)
