package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Calls that only read are sent again by gRPC itself when the connection breaks.
const serviceConfig = `{"methodConfig": [{
  "name": [
    {"service": "sre_edge.v1.SimulationService", "method": "GetTopology"},
    {"service": "sre_edge.v1.SimulationService", "method": "GetMetrics"},
    {"service": "sre_edge.v1.PredictionService", "method": "Predict"}
  ],
  "retryPolicy": {
    "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]
  }
}]}`

// connection says where the server is, and what it takes to be let in.
type connection struct {
	target, ca, tokenFile, system string
}

func (c *connection) register(flags *flag.FlagSet) {
	or := func(variable, otherwise string) string {
		if value := os.Getenv(variable); value != "" {
			return value
		}
		return otherwise
	}
	flags.StringVar(&c.target, "target", or("SRE_EDGE_TARGET", "127.0.0.1:50051"),
		"`HOST:PORT` of the server (SRE_EDGE_TARGET)")
	flags.StringVar(&c.ca, "ca", or("SRE_EDGE_CA", ""),
		"PEM `FILE` of who signed the server's certificate; none: no TLS (SRE_EDGE_CA)")
	flags.StringVar(&c.tokenFile, "token-file", or("SRE_EDGE_TOKEN_FILE", ""),
		"`FILE` with the server's token (SRE_EDGE_TOKEN_FILE)")
	flags.StringVar(&c.system, "system", or("SRE_EDGE_SYSTEM", ""),
		"`ID` of the system; none: the default one, or the only one (SRE_EDGE_SYSTEM)")
}

func (c *connection) dial() (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, err
		}
		authorities := x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in it", c.ca)
		}
		transport = credentials.NewTLS(&tls.Config{RootCAs: authorities})
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: 2 * time.Second},
		}),
	}
	if c.tokenFile != "" {
		if c.ca == "" && !loopback(c.target) {
			return nil, fmt.Errorf("the token would travel to %s in plain text: expected --ca", c.target)
		}
		options = append(options, grpc.WithPerRPCCredentials(token{c.tokenFile, c.ca != ""}))
	}
	return grpc.NewClient(c.target, options...)
}

// token sends what a file holds with each call; the file may change meanwhile.
type token struct {
	file   string
	secure bool
}

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(text))}, nil
}

func (t token) RequireTransportSecurity() bool { return t.secure }

func loopback(target string) bool {
	host, _, err := net.SplitHostPort(target)
	address := net.ParseIP(host)
	return err == nil && (host == "localhost" || address != nil && address.IsLoopback())
}
