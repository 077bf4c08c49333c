package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failure is what a call came to that did not succeed.
type failure struct {
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	Reason     string            `json:"reason,omitempty"` // from sre_edge.v1.ErrorReason
	Metadata   map[string]string `json:"metadata,omitempty"`
	Violations []violation       `json:"violations,omitempty"`
	code       codes.Code
}

// violation is a field of a request that is wrong, and what was expected of it.
type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func (f *failure) Error() string {
	if len(f.Violations) > 0 { // which the message repeats
		text := f.Reason + ":"
		for _, one := range f.Violations {
			text += fmt.Sprintf("\n  %s: %s", one.Field, one.Description)
		}
		return text
	}
	if f.Reason != "" {
		return f.Reason + ": " + f.Message
	}
	return f.Message
}

var codeNames = map[codes.Code]string{
	codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.NotFound: "NOT_FOUND",
	codes.AlreadyExists: "ALREADY_EXISTS", codes.PermissionDenied: "PERMISSION_DENIED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED", codes.FailedPrecondition: "FAILED_PRECONDITION",
	codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE", codes.Unimplemented: "UNIMPLEMENTED",
	codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS",
	codes.Unauthenticated: "UNAUTHENTICATED", codes.Canceled: "CANCELLED",
}

// read takes an error of gRPC apart: the code, the server's reason, the fields at fault.
func read(err error) *failure {
	told := status.Convert(err)
	found := &failure{Code: codeNames[told.Code()], Message: told.Message(), code: told.Code()}
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			found.Reason, found.Metadata = detail.Reason, detail.Metadata
		case *errdetails.BadRequest:
			for _, one := range detail.FieldViolations {
				found.Violations = append(found.Violations, violation{one.Field, one.Description})
			}
		}
	}
	return found
}

// explain words an error for people; nil, and an end by Ctrl-C, are none.
func explain(err error, target string) error {
	if err == nil || errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return nil
	}
	if _, ours := status.FromError(err); !ours {
		return err
	}
	found := read(err)
	switch {
	case found.Reason == "" && (found.code == codes.Unavailable || found.code == codes.DeadlineExceeded):
		found.Message = fmt.Sprintf("no SRE Edge server answers at %s (%s)", target, found.Message)
	case found.code == codes.Unimplemented:
		found.Message = fmt.Sprintf("the server at %s is older than this client (%s)", target, found.Message)
	case found.code == codes.Unauthenticated:
		found.Message = fmt.Sprintf("the server at %s refuses the token: %s", target, found.Message)
	}
	return found
}

func exitCode(err error) int {
	var found *failure
	if errors.As(err, &found) {
		switch found.code {
		case codes.Unavailable, codes.DeadlineExceeded:
			return 3
		case codes.Unauthenticated:
			return 4
		case codes.Unimplemented:
			return 5
		}
	}
	return 2
}

// name gives the end of an enum's name in lower case.
func name(full, prefix string) string { return strings.ToLower(strings.TrimPrefix(full, prefix)) }
