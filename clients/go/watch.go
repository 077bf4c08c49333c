package main

import (
	"context"
	"errors"
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

var errSilent = errors.New("it was silent for too long")

// watch prints snapshots until the context ends or count of them came. A stream that is lost is
// opened again after the last snapshot; what the server cannot make up for is printed as a gap. What
// is no longer true is said on standard error; a stream that stays silent is opened anew, over
// another connection.
func watch(
	ctx context.Context, server *connection, services []string, count int, out io.Writer,
) error {
	channel, err := server.dial()
	if err != nil {
		return err
	}
	defer func() { channel.Close() }()
	ctx, cancel := context.WithCancel(ctx) // whatever happens, the server's side ends with ours
	defer cancel()
	var cursor *sreedgev1.Cursor
	fresh := freshness{target: server.target}
	connected, wait, taken := false, firstBackoff, 0
	take := func(message *sreedgev1.StreamMetricsResponse) (done bool) {
		connected, wait = true, firstBackoff
		show(message, out)
		if snapshot := message.GetSnapshot(); snapshot != nil {
			cursor = snapshot.Cursor
			taken++
		}
		return message.GetSnapshot() != nil && taken == count
	}
	for {
		request := &sreedgev1.StreamMetricsRequest{
			System: server.system, Services: services, ResumeAfter: cursor,
		}
		err := receive(ctx, channel, request, &fresh, take)
		switch code := status.Code(err); {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.Is(err, errSilent):
			channel.Close()
			if channel, err = server.dial(); err != nil {
				return err
			}
		case code == codes.InvalidArgument && cursor != nil:
			cursor = nil // of a server that has begun anew
		case !connected || final(code, read(err).Reason):
			return err
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "the stream was lost (%s); trying again\n", read(err).Message)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
			wait = min(2*wait, maxBackoff)
		}
	}
}

// receive takes the messages of one stream, until the taker is done or with the error that ended it.
func receive(
	ctx context.Context, channel *grpc.ClientConn, request *sreedgev1.StreamMetricsRequest,
	fresh *freshness, take func(*sreedgev1.StreamMetricsResponse) bool,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fresh.open()
	type arrival struct {
		message *sreedgev1.StreamMetricsResponse
		err     error
	}
	arrivals := make(chan arrival)
	go func() {
		stream, err := sreedgev1.NewSimulationServiceClient(channel).StreamMetrics(ctx, request)
		for {
			var message *sreedgev1.StreamMetricsResponse
			if err == nil {
				message, err = stream.Recv()
			}
			select {
			case arrivals <- arrival{message, err}:
			case <-ctx.Done():
			}
			if err != nil || ctx.Err() != nil {
				return
			}
		}
	}()
	for fresh.silent() <= renewAfter {
		select {
		case one := <-arrivals:
			if one.err != nil {
				return one.err
			}
			fresh.hear(one.message)
			if fresh.recovered() {
				fmt.Fprintln(os.Stderr, "up to date again")
			}
			if take(one.message) {
				return nil
			}
		case <-time.After(time.Second):
			if text := fresh.overdue(); text != "" {
				fmt.Fprintln(os.Stderr, text)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errSilent
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
