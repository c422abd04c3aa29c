package main

import (
	"time"

	"github.com/rollcall-im/rollcall/internal/db"
	"github.com/rollcall-im/rollcall/internal/id"
	"github.com/rollcall-im/rollcall/provisioning"
	"github.com/rollcall-im/rollcall/provisioning/notices"
)

// The notices of a handover period that begins: about person, thing (the channel) and at (when it ends).
const (
	kindMovedKeeps notices.Kind = "moved.keeps" // to who moved away
	kindMovedStays notices.Kind = "moved.stays" // to the owners
)

// tellMoved tells who moved away what they keep, and the owners who keeps it: of one channel once a day at most.
func tellMoved(tx *db.Tx, list []provisioning.Moved) error {
	var told []notices.Notice
	for _, m := range list {
		about := map[string]string{"person": string(m.Person), "thing": string(m.Channel), "at": m.Until.UTC().Format(time.RFC3339Nano)}
		key := string(m.Person) + "/" + string(m.Channel)
		tell := func(to id.Person, kind notices.Kind) {
			told = append(told, notices.Notice{Person: to, Kind: kind, About: about, Key: string(kind) + "/" + key, Again: true, At: time.Now().UTC()})
		}
		tell(m.Person, kindMovedKeeps)
		for _, owner := range m.Owners {
			tell(owner, kindMovedStays)
		}
	}
	return notices.Tell(tx, told...)
}
