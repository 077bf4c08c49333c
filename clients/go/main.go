// Command sre-edge-go is a small complete client of SRE Edge: it watches, predicts and injects
// faults, and shows how a program in Go reads the server's errors and resumes its streams.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sre-edge/sre-edge/clients/go/sreedgev1"
)

const usage = `usage: sre-edge-go [OPTIONS] COMMAND

commands
  watch [SERVICE...]             snapshots until Ctrl-C, over lost connections
  metrics [SERVICE...]           what is observed now; "-" is not observed
  predict [SERVICE...]           what is about to break
  inject TARGET KIND DURATION    a fault, such as: inject database cpu_spike 30s
  call                           calls from standard input, one JSON each line

options
`

const exitCodes = `
exit codes: 0 done, 2 refused, 3 no server there, 4 token refused, 5 server too old
`

const deadline = 30 * time.Second

var errUsage = errors.New("expected a command; see --help")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCode(err))
	}
}

func run(ctx context.Context, arguments []string, in io.Reader, out io.Writer) error {
	var server connection
	flags := flag.NewFlagSet("sre-edge-go", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
		fmt.Fprint(os.Stderr, exitCodes)
	}
	server.register(flags)
	count := flags.Int("count", 0, "watch: end after so many snapshots")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	command, names := flags.Arg(0), flags.Args()
	if len(names) > 0 {
		names = names[1:]
	}
	channel, err := server.dial()
	if err != nil {
		return err
	}
	defer channel.Close()
	switch command {
	case "watch":
		err = watch(ctx, &server, names, *count, out)
	case "metrics":
		err = metrics(ctx, channel, server.system, names, out)
	case "predict":
		err = predict(ctx, channel, server.system, names, out)
	case "inject":
		err = inject(ctx, channel, server.system, names, out)
	case "call":
		err = callAll(ctx, channel, in, out)
	default:
		return errUsage
	}
	return explain(err, server.target)
}

func predict(
	ctx context.Context, channel *grpc.ClientConn, system string, services []string, out io.Writer,
) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	answer, err := sreedgev1.NewPredictionServiceClient(channel).Predict(
		ctx, &sreedgev1.PredictRequest{Services: services, System: system})
	if err != nil {
		return err
	}
	for _, one := range answer.Predictions {
		fmt.Fprintf(out, "%s %.4f %s\n", one.Service, one.IncidentProbability,
			name(one.RiskLevel.String(), "RISK_LEVEL_"))
	}
	fmt.Fprintf(out, "system %.4f\n", answer.System.IncidentProbability)
	return nil
}

func inject(
	ctx context.Context, channel *grpc.ClientConn, system string, words []string, out io.Writer,
) error {
	if len(words) != 3 {
		return errors.New("expected TARGET KIND DURATION")
	}
	lasting, err := time.ParseDuration(words[2])
	if err != nil {
		return fmt.Errorf("expected a duration such as 30s: %w", err)
	}
	kind, known := sreedgev1.FaultKind_value["FAULT_KIND_"+strings.ToUpper(words[1])]
	if !known {
		return fmt.Errorf("no kind of fault is named %q", words[1])
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	answer, err := sreedgev1.NewChaosServiceClient(channel).InjectChaos(ctx,
		&sreedgev1.InjectChaosRequest{
			Target:   words[0],
			Kind:     sreedgev1.FaultKind(kind),
			Duration: durationpb.New(lasting),
			System:   system,
		})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s %s on %s\n", answer.Fault.Id, words[1], answer.Fault.Target)
	return nil
}
