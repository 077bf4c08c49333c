package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"google.golang.org/grpc"

	"github.com/sre-edge/sre-edge/clients/go/sreedgev1"
)

// metrics prints what is observed of each service, and how old it is if that is more than an interval.
func metrics(
	ctx context.Context, channel *grpc.ClientConn, system string, services []string, out io.Writer,
) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	answer, err := sreedgev1.NewSimulationServiceClient(channel).GetMetrics(
		ctx, &sreedgev1.GetMetricsRequest{Services: services, System: system})
	if err != nil {
		return err
	}
	for _, one := range answer.Snapshot.Services {
		fmt.Fprintf(out, "%s %s", one.Service, name(one.Status.String(), "STATUS_"))
		fmt.Fprintf(out, " cpu_percent %s", observed(one.CpuPercent))
		fmt.Fprintf(out, " latency_p95_ms %s", observed(one.LatencyP95Ms))
		fmt.Fprintf(out, " error_rate_percent %s", observed(one.ErrorRatePercent))
		fmt.Fprintf(out, " availability_percent %s", observed(one.AvailabilityPercent))
		interval := answer.Snapshot.IntervalSeconds
		fmt.Fprint(out, old("requests_age_seconds", one.RequestsAgeSeconds, interval))
		fmt.Fprintln(out, old("resources_age_seconds", one.ResourcesAgeSeconds, interval))
	}
	return nil
}

// observed writes a value; "-" if it is not observed: NaN, and nil from an older server. A plain
// one.GetCpuPercent() would give 0 for the latter.
func observed(value *float64) string {
	if value == nil || math.IsNaN(*value) {
		return "-"
	}
	return fmt.Sprintf("%.1f", *value)
}

// old writes an age that is more than an interval; NaN, "never observed", is none.
func old(field string, age, interval float64) string {
	if age > interval {
		return fmt.Sprintf(" %s %.0f", field, age)
	}
	return ""
}
