package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// order is a call to make, such as {"call": "sre_edge.v1.ChaosService/InjectChaos", "request": {…}}.
type order struct {
	Call     string          `json:"call"`
	Request  json.RawMessage `json:"request"`
	Messages int             `json:"messages"` // of a stream, then it is cancelled
}

// outcome is what came of it: answers, or a failure.
type outcome struct {
	*failure
	Answers []json.RawMessage `json:"answers,omitempty"`
}

var fieldNames = protojson.MarshalOptions{UseProtoNames: true}

// callAll makes the calls that it reads, one after the other, and writes an outcome for each.
func callAll(ctx context.Context, channel *grpc.ClientConn, in io.Reader, out io.Writer) error {
	orders, outcomes := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var wanted order
		if err := orders.Decode(&wanted); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answers, err := call(ctx, channel, wanted)
		found := outcome{Answers: answers}
		if err != nil {
			found = outcome{failure: read(err)}
		}
		if err := outcomes.Encode(found); err != nil {
			return err
		}
	}
}

func call(ctx context.Context, channel *grpc.ClientConn, wanted order) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	method, err := method(wanted.Call)
	if err != nil {
		return nil, err
	}
	request, err := message(method.Input())
	if err != nil {
		return nil, err
	}
	if err := protojson.Unmarshal(wanted.Request, request); err != nil {
		return nil, err
	}
	stream, err := channel.NewStream(ctx,
		&grpc.StreamDesc{ServerStreams: method.IsStreamingServer()}, "/"+wanted.Call)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err // after io.EOF, RecvMsg says why
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	var answers []json.RawMessage
	for range max(1, wanted.Messages) {
		answer, err := message(method.Output())
		if err != nil {
			return nil, err
		}
		if err := stream.RecvMsg(answer); err != nil {
			return nil, err
		}
		text, err := fieldNames.Marshal(answer)
		if err != nil {
			return nil, err
		}
		answers = append(answers, text)
	}
	return answers, nil
}

func method(path string) (protoreflect.MethodDescriptor, error) {
	service, last, _ := strings.Cut(path, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, err
	}
	if service, ok := found.(protoreflect.ServiceDescriptor); ok {
		if method := service.Methods().ByName(protoreflect.Name(last)); method != nil {
			return method, nil
		}
	}
	return nil, fmt.Errorf("no call is named %q", path)
}

func message(kind protoreflect.MessageDescriptor) (proto.Message, error) {
	found, err := protoregistry.GlobalTypes.FindMessageByName(kind.FullName())
	if err != nil {
		return nil, err
	}
	return found.New().Interface(), nil
}
