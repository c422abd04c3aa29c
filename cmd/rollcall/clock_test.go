package main

import (
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// soonWord: soon NAME SECONDS [ZONE] puts into $NAME what the clock on the wall of ZONE (UTC) shows at the first whole second that
// is at least SECONDS away, without an offset, and into $NAME_UTC that instant.
func soonWord(ts *testscript.TestScript, _ bool, args []string) {
	seconds, err := strconv.Atoi(args[1])
	ts.Check(err)
	zone := time.UTC
	if len(args) > 2 {
		zone, err = time.LoadLocation(args[2])
		ts.Check(err)
	}
	at := time.Now().Add(time.Duration(seconds)*time.Second + time.Second - time.Nanosecond).Truncate(time.Second)
	ts.Setenv(args[0], at.In(zone).Format("2006-01-02T15:04:05"))
	ts.Setenv(args[0]+"_UTC", at.UTC().Format(time.RFC3339))
}

// reachWord: reach NAME waits for the instant of soon NAME; reach NAME before [DURATION] for what is left of it but 300 ms, or DURATION, which fails where less
// is left. The clock is what these stories are about.
func reachWord(ts *testscript.TestScript, _ bool, args []string) {
	at, err := time.Parse(time.RFC3339, ts.Getenv(args[0]+"_UTC"))
	ts.Check(err)
	if len(args) > 1 {
		margin := 300 * time.Millisecond
		if len(args) > 2 {
			margin, err = time.ParseDuration(args[2])
			ts.Check(err)
		}
		if at = at.Add(-margin); time.Until(at) < 0 {
			ts.Fatalf("the machine is too slow: %s is past", args[0])
		}
	}
	time.Sleep(time.Until(at))
}
