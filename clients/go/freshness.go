package main

import (
	"fmt"
	"time"

	"github.com/sre-edge/sre-edge/clients/go/sreedgev1"
)

// A server leaves a stream without a message for 2 s, 3 s at most: then comes a heartbeat.
const (
	oldIntervals = 3
	minOld       = 5 * time.Second
	silentAfter  = 6 * time.Second
	renewAfter   = 15 * time.Second
)

// freshness judges whether what a stream delivered is still true. It does not go by the transport,
// which takes a minute to notice that a server or something on the way is frozen.
type freshness struct {
	target        string
	opened, heard time.Time // when the stream was opened, and when its latest message came
	data          time.Time // when the latest snapshot came
	interval      float64   // of that snapshot, seconds of its clock
	clock         *sreedgev1.Clock
	heartbeat     *sreedgev1.Heartbeat // since that snapshot
	said          string               // why it is stale, if that was said
}

func (f *freshness) open() {
	f.opened = time.Now()
	if f.heard.IsZero() {
		f.heard = f.opened
	}
}

func (f *freshness) hear(message *sreedgev1.StreamMetricsResponse) {
	f.heard = time.Now()
	switch message := message.Message.(type) {
	case *sreedgev1.StreamMetricsResponse_Snapshot:
		f.data, f.interval = f.heard, message.Snapshot.IntervalSeconds
		f.clock, f.heartbeat = message.Snapshot.Clock, nil
	case *sreedgev1.StreamMetricsResponse_Clock:
		f.data, f.clock = f.heard, message.Clock // more is due from now on
	case *sreedgev1.StreamMetricsResponse_Heartbeat:
		f.heartbeat = message.Heartbeat
	}
}

// silent says how long the open stream has been silent.
func (f *freshness) silent() time.Duration { return min(time.Since(f.heard), time.Since(f.opened)) }

// recovered says once that what was stale no longer is.
func (f *freshness) recovered() bool {
	if reason, _, _ := f.stale(); f.said == "" || reason != "" {
		return false
	}
	f.said = ""
	return true
}

// overdue says once what has become stale; "" if nothing has.
func (f *freshness) overdue() string {
	reason, problem, age := f.stale()
	if reason == "" || f.said == reason+problem {
		return ""
	}
	f.said = reason + problem
	if problem != "" {
		problem = ": " + problem
	}
	return fmt.Sprintf("stale: %s for %.0f s%s", reason, age.Seconds(), problem)
}

// stale says why what came is out of date, the server's reason, and since when; "" if it is not.
func (f *freshness) stale() (reason, problem string, age time.Duration) {
	if f.silent() > silentAfter {
		return "no sign of life from " + f.target, "", time.Since(f.heard)
	}
	if age, old := f.old(); old {
		return "no new data", f.heartbeat.Problem, age
	}
	return "", "", 0
}

func (f *freshness) old() (time.Duration, bool) {
	switch told := f.heartbeat; {
	case told == nil || f.heard.Before(f.opened):
		return 0, false // nothing has come since: is anybody there?
	case told.State == sreedgev1.SystemState_SYSTEM_STATE_STALE:
		return told.FrameAge.AsDuration(), true
	case told.State != sreedgev1.SystemState_SYSTEM_STATE_LIVE:
		return 0, false // no more is due
	case f.clock == nil || f.clock.Paused || f.clock.Speed <= 0:
		return 0, false
	}
	due := time.Duration(oldIntervals * f.interval / f.clock.Speed * float64(time.Second))
	age := time.Since(f.data)
	return age, age > max(due, minOld)
}
