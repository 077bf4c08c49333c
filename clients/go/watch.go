package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sre-edge/sre-edge/clients/go/sreedgev1"
)

const firstBackoff, maxBackoff = 200 * time.Millisecond, 2 * time.Second

// watch prints snapshots until the context ends or count of them came. A stream that is lost is
// opened again after the last snapshot; what the server cannot make up for is printed as a gap.
func watch(
	ctx context.Context, channel *grpc.ClientConn, system string, services []string, count int,
	out io.Writer,
) error {
	client := sreedgev1.NewSimulationServiceClient(channel)
	ctx, cancel := context.WithCancel(ctx) // whatever happens, the server's side ends with ours
	defer cancel()
	var cursor *sreedgev1.Cursor
	connected, wait := false, firstBackoff
	for taken := 0; ; {
		stream, err := client.StreamMetrics(ctx, &sreedgev1.StreamMetricsRequest{
			System: system, Services: services, ResumeAfter: cursor,
		})
		for err == nil {
			var message *sreedgev1.StreamMetricsResponse
			if message, err = stream.Recv(); err != nil {
				break
			}
			connected, wait = true, firstBackoff
			show(message, out)
			if snapshot := message.GetSnapshot(); snapshot != nil {
				cursor = snapshot.Cursor
				if taken++; taken == count {
					return nil
				}
			}
		}
		switch code := status.Code(err); {
		case ctx.Err() != nil:
			return nil
		case code == codes.InvalidArgument && cursor != nil:
			cursor = nil // of a server that has begun anew
		case !connected || final(code, read(err).Reason):
			return err
		}
		fmt.Fprintf(os.Stderr, "the stream was lost (%s); trying again\n", read(err).Message)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
			wait = min(2*wait, maxBackoff)
		}
	}
}

// final says whether the server would say the same again; a slow reader may go on.
func final(code codes.Code, reason string) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.Unauthenticated, codes.Unimplemented,
		codes.FailedPrecondition:
		return true
	case codes.ResourceExhausted:
		return reason != "SLOW_SUBSCRIBER"
	}
	return false
}

func show(message *sreedgev1.StreamMetricsResponse, out io.Writer) {
	switch message := message.Message.(type) {
	case *sreedgev1.StreamMetricsResponse_Snapshot:
		taken := message.Snapshot
		risk := "-" // the model has not seen enough yet
		if taken.System != nil {
			risk = fmt.Sprintf("%.4f", taken.System.IncidentProbability)
		}
		fmt.Fprintf(out, "snapshot %s %d risk %s\n", taken.Cursor.RunId, taken.Cursor.Sequence, risk)
	case *sreedgev1.StreamMetricsResponse_Gap:
		lost := message.Gap
		fmt.Fprintf(out, "gap %s %s %d %d\n", name(lost.Reason.String(), "GAP_REASON_"), lost.RunId,
			lost.GetFirstSequence(), lost.GetLastSequence())
	case *sreedgev1.StreamMetricsResponse_Clock:
		fmt.Fprintf(out, "clock paused %t speed %g\n", message.Clock.Paused, message.Clock.Speed)
	}
}
